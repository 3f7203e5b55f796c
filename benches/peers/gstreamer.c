/* The chain in GStreamer: appsrc ! identity xN ! appsink. appsrc brings a thread of its own, so
 * each packet changes threads once. identity's hand-off signal, on by default, is off: that is
 * the faster setting. */
#include "bench.h"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/gst.h>
#include <pthread.h>

static GstElement *pipeline;
static GstAppSrc *source;
static GstAppSink *sink;

static void build(int n) {
    GString *line = g_string_new("appsrc name=in format=time block=true max-bytes=0 max-buffers=64 "
                                 "caps=audio/x-raw,format=F32LE,layout=interleaved,rate=48000,"
                                 "channels=1");
    for (int i = 0; i < n; i++) g_string_append(line, " ! identity signal-handoffs=false");
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

struct job {
    int64_t first;
    long packets;
};

static void *push_all(void *argument) {
    struct job *job = argument;
    for (long i = 0; i < job->packets; i++) push(job->first + i);
    return NULL;
}

static void run(int n, long packets) {
    build(n);
    struct result r = {.n = n, .packets = packets, .delays = packets, .ok = 1};
    int64_t index = 0;

    for (int i = 0; i < WARM_UP + VERIFIED; i++, index++) {
        push(index);
        GstSample *sample = pull();
        r.ok &= check(sample, index, 1);
        gst_sample_unref(sample);
    }

    pthread_t pusher;
    struct job job = {index, packets};
    double cpu = cpu_now(), wall = wall_now();
    MUST(pthread_create(&pusher, NULL, push_all, &job) == 0, "pthread_create");
    for (long i = 0; i < packets; i++, index++) {
        GstSample *sample = pull();
        r.ok &= check(sample, index, 0);
        gst_sample_unref(sample);
    }
    pthread_join(pusher, NULL);
    r.cpu_s = cpu_now() - cpu;
    r.wall_s = wall_now() - wall;

    r.delays_s = malloc((size_t)packets * sizeof *r.delays_s);
    MUST(r.delays_s, "malloc");
    for (long i = 0; i < packets; i++, index++) {
        double start = wall_now();
        push(index);
        GstSample *sample = pull();
        r.delays_s[i] = wall_now() - start;
        gst_sample_unref(sample);
    }

    guint major, minor, micro, nano;
    gst_version(&major, &minor, &micro, &nano);
    char version[32];
    snprintf(version, sizeof version, "%u.%u.%u", major, minor, micro);
    print_result("gstreamer", version, &r);
    free(r.delays_s);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(source);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
}

int main(int argc, char **argv) {
    gst_init(NULL, NULL);
    return run_cases(argc, argv, run);
}
