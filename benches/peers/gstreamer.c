/* The chain in GStreamer: appsrc ! identity xN ! appsink, on appsrc's thread. */
#include "gstreamer.h"

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
    build("", n, IDENTITY);
    struct result r = {.n = n, .packets = packets, .delays = packets, .ok = 1};
    int64_t index = 0;

    for (int i = 0; i < WARM_UP + VERIFIED; i++, index++) {
        push(index);
        r.ok &= pull_checked(index, 1);
    }

    pthread_t pusher;
    struct job job = {index, packets};
    double cpu = cpu_now(), wall = wall_now();
    MUST(pthread_create(&pusher, NULL, push_all, &job) == 0, "pthread_create");
    for (long i = 0; i < packets; i++, index++) r.ok &= pull_checked(index, 0);
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

    char name[32];
    version(name, sizeof name);
    print_result("gstreamer", name, &r);
    free(r.delays_s);
    destroy();
}

int main(int argc, char **argv) {
    gst_init(NULL, NULL);
    return run_cases(argc, argv, run);
}
