/* The chain in libavfilter: abuffer ! anull xN ! abuffersink, all on the caller's thread. */
#include "bench.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/channel_layout.h>
#include <libavutil/frame.h>

static AVFilterGraph *graph;
static AVFilterContext *source, *sink;

static void build(int n) {
    char args[128];
    snprintf(args, sizeof args, "time_base=1/%d:sample_rate=%d:sample_fmt=flt:channel_layout=mono",
             RATE, RATE);
    graph = avfilter_graph_alloc();
    MUST(graph, "avfilter_graph_alloc");
    MUST(avfilter_graph_create_filter(&source, avfilter_get_by_name("abuffer"), "in", args, NULL,
                                      graph) >= 0,
         "abuffer");
    AVFilterContext *last = source;
    for (int i = 0; i < n; i++) {
        AVFilterContext *next;
        char name[16];
        snprintf(name, sizeof name, "null%d", i);
        MUST(avfilter_graph_create_filter(&next, avfilter_get_by_name("anull"), name, NULL, NULL,
                                          graph) >= 0,
             "anull");
        MUST(avfilter_link(last, 0, next, 0) >= 0, "avfilter_link");
        last = next;
    }
    MUST(avfilter_graph_create_filter(&sink, avfilter_get_by_name("abuffersink"), "out", NULL, NULL,
                                      graph) >= 0,
         "abuffersink");
    MUST(avfilter_link(last, 0, sink, 0) >= 0, "avfilter_link");
    MUST(avfilter_graph_config(graph, NULL) >= 0, "avfilter_graph_config");
}

static void push(int64_t index) {
    AVFrame *frame = av_frame_alloc();
    MUST(frame, "av_frame_alloc");
    frame->format = AV_SAMPLE_FMT_FLT;
    frame->sample_rate = RATE;
    frame->nb_samples = FRAMES;
    frame->pts = index * FRAMES;
    frame->ch_layout = (AVChannelLayout)AV_CHANNEL_LAYOUT_MONO;
    MUST(av_frame_get_buffer(frame, 0) >= 0, "av_frame_get_buffer");
    fill(frame->data[0], index);
    MUST(av_buffersrc_add_frame_flags(source, frame, 0) >= 0, "av_buffersrc_add_frame");
    av_frame_free(&frame);
}

/* Takes the next output into `frame`; what it holds is freed by av_frame_unref. */
static void pull(AVFrame *frame) {
    MUST(av_buffersink_get_frame_flags(sink, frame, 0) >= 0, "av_buffersink_get_frame");
}

static void run(int n, long packets) {
    build(n);
    AVFrame *frame = av_frame_alloc();
    MUST(frame, "av_frame_alloc");
    struct result r = {.n = n, .packets = packets, .delays = packets, .ok = 1};
    int64_t index = 0;

    for (int i = 0; i < WARM_UP + VERIFIED; i++, index++) {
        push(index);
        pull(frame);
        r.ok &= is_packet(frame->data[0], (size_t)frame->nb_samples * 4, index) &&
                frame->pts == index * FRAMES;
        av_frame_unref(frame);
    }

    double cpu = cpu_now(), wall = wall_now();
    for (long i = 0; i < packets; i++, index++) {
        push(index);
        pull(frame);
        r.ok &= *(float *)frame->data[0] == (float)(index % 65536);
        av_frame_unref(frame);
    }
    r.cpu_s = cpu_now() - cpu;
    r.wall_s = wall_now() - wall;

    r.delays_s = malloc((size_t)packets * sizeof *r.delays_s);
    MUST(r.delays_s, "malloc");
    for (long i = 0; i < packets; i++, index++) {
        double start = wall_now();
        push(index);
        pull(frame);
        r.delays_s[i] = wall_now() - start;
        av_frame_unref(frame);
    }

    print_result("libavfilter", av_version_info(), &r);
    free(r.delays_s);
    av_frame_free(&frame);
    avfilter_graph_free(&graph);
}

int main(int argc, char **argv) { return run_cases(argc, argv, run); }
