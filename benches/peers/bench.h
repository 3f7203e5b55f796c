/* What the peer programs share: the packet, clocks, percentiles, arguments and the line of JSON.
 *
 * The job, the same for every peer and for ours (benches/peers/README.md):
 * packets of 20 ms, 48 kHz, mono, f32 (3840 bytes), each allocated and filled for its push, go
 * through a chain of N elements that pass everything on unchanged. */
#ifndef RMEDIA_PEER_BENCH_H
#define RMEDIA_PEER_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RATE = 48000, FRAMES = 960, BYTES = FRAMES * 4, WARM_UP = 2000, VERIFIED = 2000 };

/* Media time of packet `index`, in nanoseconds. */
static inline int64_t pts_ns(int64_t index) { return index * 20000000; }

/* The samples every packet is filled from; the first one is then replaced by a number that tells
 * the packets apart. */
static float template_samples[FRAMES];

static inline void make_template(void) {
    uint32_t state = 1;
    for (int i = 0; i < FRAMES; i++) {
        state = state * 1664525u + 1013904223u;
        template_samples[i] = (float)(state >> 8) / 16777216.0f - 0.5f;
    }
}

static inline void fill(void *data, int64_t index) {
    memcpy(data, template_samples, BYTES);
    ((float *)data)[0] = (float)(index % 65536);
}

/* Whether an output is, byte for byte, what `fill` made for `index`. */
static inline int is_packet(const void *data, size_t bytes, int64_t index) {
    const float *samples = data;
    return bytes == BYTES && samples[0] == (float)(index % 65536) &&
           memcmp(samples + 1, template_samples + 1, BYTES - sizeof(float)) == 0;
}

static inline double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static inline double cpu_now(void) { return seconds(CLOCK_PROCESS_CPUTIME_ID); }
static inline double wall_now(void) { return seconds(CLOCK_MONOTONIC); }

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts the values and gives the one below which `share` of them lie. */
static inline double percentile(double *values, size_t count, double share) {
    qsort(values, count, sizeof *values, by_value);
    size_t at = (size_t)(share * (double)(count - 1) + 0.5);
    return values[at];
}

/* The result of one case. */
struct result {
    int n;             /* elements in the chain */
    long packets;      /* packets of the throughput run */
    double cpu_s;      /* CPU time of that run, all threads */
    double wall_s;     /* its wall time */
    double *delays_s;  /* push-to-pull time of each packet of the one-at-a-time run */
    long delays;       /* how many */
    int ok;            /* all outputs were equal to their inputs, in order, none missing */
};

static inline void print_result(const char *peer, const char *version, struct result *r) {
    double p50 = percentile(r->delays_s, (size_t)r->delays, 0.50) * 1e6;
    double p99 = percentile(r->delays_s, (size_t)r->delays, 0.99) * 1e6;
    printf("{\"peer\":\"%s\",\"version\":\"%s\",\"n\":%d,\"cpu_us_per_packet\":%.4f,"
           "\"wall_us_per_packet\":%.4f,\"p50_us\":%.3f,\"p99_us\":%.3f,\"packets\":%ld,\"ok\":%s}\n",
           peer, version, r->n, r->cpu_s * 1e6 / (double)r->packets,
           r->wall_s * 1e6 / (double)r->packets, p50, p99, r->packets, r->ok ? "true" : "false");
    fflush(stdout);
}

/* Ends the program with a line that says what failed. */
#define MUST(condition, what)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "error: %s failed (%s:%d)\n", what, __FILE__, __LINE__);               \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* Arguments: PACKETS N... (default: 50000 packets, chains of 1, 3 and 10). */
static inline int run_cases(int argc, char **argv, void (*run)(int n, long packets)) {
    static const int usual[] = {1, 3, 10};
    long packets = argc > 1 ? atol(argv[1]) : 50000;
    if (packets < 100) {
        fprintf(stderr, "usage: %s [PACKETS [N...]], with at least 100 packets\n", argv[0]);
        return 2;
    }
    make_template();
    if (argc > 2) {
        for (int i = 2; i < argc; i++) run(atoi(argv[i]), packets);
    } else {
        for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) run(usual[i], packets);
    }
    return 0;
}

#endif
