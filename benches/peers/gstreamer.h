/* A pipeline of GStreamer between appsrc and appsink, and the packets that go through it.
 *
 * appsrc brings a thread of its own, so each packet changes threads once at least. */
#ifndef RMEDIA_PEER_GSTREAMER_H
#define RMEDIA_PEER_GSTREAMER_H

#include "bench.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <pthread.h>

/* An element that hands everything on. Its hand-off signal, on by default, is off: that is the
 * faster setting. */
#define IDENTITY " ! identity signal-handoffs=false"

static GstElement *pipeline;
static GstAppSrc *source;
static GstAppSink *sink;

/* appsrc, then `first`, then N times `element`, then appsink, playing. */
static void build(const char *first, int n, const char *element) {
    GString *line = g_string_new("appsrc name=in format=time block=true max-bytes=0 max-buffers=64 "
                                 "caps=audio/x-raw,format=F32LE,layout=interleaved,rate=48000,"
                                 "channels=1");
    g_string_append(line, first);
    for (int i = 0; i < n; i++) g_string_append(line, element);
    g_string_append(line, " ! appsink name=out sync=false max-buffers=64");
    GError *error = NULL;
    pipeline = gst_parse_launch(line->str, &error);
    if (!pipeline || error) {
        fprintf(stderr, "error: %s\n", error ? error->message : "no pipeline");
        exit(1);
    }
    g_string_free(line, TRUE);
    source = GST_APP_SRC(gst_bin_get_by_name(GST_BIN(pipeline), "in"));
    sink = GST_APP_SINK(gst_bin_get_by_name(GST_BIN(pipeline), "out"));
    MUST(source && sink, "appsrc and appsink");
    MUST(gst_element_set_state(pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE, "play");
}

static void push(int64_t index) {
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, BYTES, NULL);
    GstMapInfo map;
    MUST(buffer && gst_buffer_map(buffer, &map, GST_MAP_WRITE), "gst_buffer_map");
    fill(map.data, index);
    gst_buffer_unmap(buffer, &map);
    GST_BUFFER_PTS(buffer) = (GstClockTime)pts_ns(index);
    GST_BUFFER_DURATION(buffer) = (GstClockTime)pts_ns(1);
    MUST(gst_app_src_push_buffer(source, buffer) == GST_FLOW_OK, "gst_app_src_push_buffer");
}

static GstSample *pull(void) {
    GstSample *sample = gst_app_sink_pull_sample(sink);
    MUST(sample, "gst_app_sink_pull_sample");
    return sample;
}

/* Looks at one output: the whole of it, or its number only. */
static int check(GstSample *sample, int64_t index, int whole) {
    GstBuffer *buffer = gst_sample_get_buffer(sample);
    GstMapInfo map;
    MUST(gst_buffer_map(buffer, &map, GST_MAP_READ), "gst_buffer_map");
    int ok = whole ? is_packet(map.data, map.size, index) &&
                         GST_BUFFER_PTS(buffer) == (GstClockTime)pts_ns(index)
                   : *(const float *)map.data == (float)(index % 65536);
    gst_buffer_unmap(buffer, &map);
    return ok;
}

/* Takes the next output and looks at it. */
static int pull_checked(int64_t index, int whole) {
    GstSample *sample = pull();
    int ok = check(sample, index, whole);
    gst_sample_unref(sample);
    return ok;
}

static void destroy(void) {
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(source);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
}

static inline void version(char *text, size_t size) {
    guint major, minor, micro, nano;
    gst_version(&major, &minor, &micro, &nano);
    snprintf(text, size, "%u.%u.%u", major, minor, micro);
}

#endif
