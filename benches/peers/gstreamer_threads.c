/* Chains of threads in GStreamer, each thread with one identity: throughput flat out and delay from
 * push to pull, one packet at a time and paced.
 *
 * Two ways of the same chain: `gstreamer` lets appsrc's own thread run the first identity, so that
 * N threads are there in all; `gstreamer-queues` has a queue before every identity, N + 1 threads. */
#include "gstreamer.h"

#define QUEUE " ! queue max-size-buffers=64 max-size-bytes=0 max-size-time=0"

enum { PACE_NS = 1000000 };

/* Packets that another thread pushes: all at once, or one each millisecond. */
struct job {
    int64_t first;
    long packets;
    int paced;
    double begin;   /* paced: when the first one is due */
    double *pushed; /* paced: when each was pushed, in seconds since then */
};

static void *push_all(void *argument) {
    struct job *job = argument;
    for (long i = 0; i < job->packets; i++) {
        if (job->paced) {
            double left = job->begin + (double)i * PACE_NS * 1e-9 - wall_now();
            if (left > 0) {
                struct timespec time = {.tv_nsec = (long)(left * 1e9)};
                nanosleep(&time, NULL);
            }
            job->pushed[i] = wall_now() - job->begin;
        }
        push(job->first + i);
    }
    return NULL;
}

/* Pushes from another thread and pulls on this one; notes when each was pulled. */
static int run_job(struct job *job, double *pulled) {
    pthread_t pusher;
    int ok = 1;
    MUST(pthread_create(&pusher, NULL, push_all, job) == 0, "pthread_create");
    for (long i = 0; i < job->packets; i++) {
        ok &= pull_checked(job->first + i, 1);
        if (pulled) pulled[i] = wall_now() - job->begin;
    }
    pthread_join(pusher, NULL);
    return ok;
}

static double *seconds_of(long count) {
    double *values = malloc((size_t)count * sizeof *values);
    MUST(values, "malloc");
    return values;
}

static void run(const char *peer, int n, long packets, long paced) {
    int64_t index = 0;
    int ok = 1;
    for (int i = 0; i < WARM_UP + VERIFIED; i++, index++) {
        push(index);
        ok &= pull_checked(index, 1);
    }

    struct job flat = {.first = index, .packets = packets};
    double cpu = cpu_now(), wall = wall_now();
    ok &= run_job(&flat, NULL);
    cpu = cpu_now() - cpu;
    wall = wall_now() - wall;
    index += packets;

    long pings = packets / 4;
    double *delays = seconds_of(pings);
    for (long i = 0; i < pings; i++, index++) {
        double start = wall_now();
        push(index);
        ok &= pull_checked(index, 1);
        delays[i] = wall_now() - start;
    }

    double *pushed = seconds_of(paced), *pulled = seconds_of(paced);
    struct job slow = {index, paced, 1, wall_now(), pushed};
    ok &= run_job(&slow, pulled);
    for (long i = 0; i < paced; i++) pulled[i] -= pushed[i];

    char name[32];
    version(name, sizeof name);
    printf("{\"peer\":\"%s\",\"version\":\"%s\",\"n\":%d,\"packets\":%ld,\"ok\":%s,"
           "\"per_second\":%.1f,\"cpu_us_per_packet\":%.4f,"
           "\"ping_p50_us\":%.3f,\"ping_p99_us\":%.3f,"
           "\"paced_p50_us\":%.3f,\"paced_p99_us\":%.3f}\n",
           peer, name, n, packets, ok ? "true" : "false", (double)packets / wall,
           cpu * 1e6 / (double)packets, percentile(delays, (size_t)pings, 0.50) * 1e6,
           percentile(delays, (size_t)pings, 0.99) * 1e6,
           percentile(pulled, (size_t)paced, 0.50) * 1e6,
           percentile(pulled, (size_t)paced, 0.99) * 1e6);
    fflush(stdout);
    free(delays);
    free(pushed);
    free(pulled);
}

/* Arguments: PACKETS PACED N... */
int main(int argc, char **argv) {
    static const int usual[] = {1, 3, 10};
    gst_init(NULL, NULL);
    long packets = argc > 1 ? atol(argv[1]) : 100000, paced = argc > 2 ? atol(argv[2]) : 2000;
    MUST(packets >= 400 && paced >= 100, "usage: [PACKETS [PACED [N...]]]");
    make_template();
    int lengths = argc > 3 ? argc - 3 : 3;
    for (int i = 0; i < lengths; i++) {
        int n = argc > 3 ? atoi(argv[3 + i]) : usual[i];
        build(IDENTITY, n - 1, QUEUE IDENTITY);
        run("gstreamer", n, packets, paced);
        destroy();
        build("", n, QUEUE IDENTITY);
        run("gstreamer-queues", n, packets, paced);
        destroy();
    }
    return 0;
}
