/* What the C API costs: the job of benches/src/bin/sdk_push_pull.rs, from C. One JSON line.
 * Allocations are counted by functions that take the place of malloc's. */
#define _GNU_SOURCE
#include <rmedia.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 400000, CALLS = 2000000, FRAMES = 960 };

static unsigned long allocations;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

void *malloc(size_t n) { return __atomic_add_fetch(&allocations, 1, 0), __libc_malloc(n); }
void *calloc(size_t n, size_t m) { return __atomic_add_fetch(&allocations, 1, 0), __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { return __atomic_add_fetch(&allocations, 1, 0), __libc_realloc(p, n); }

static double cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void must(int32_t status, const char *what) {
    if (status != RMEDIA_OK) {
        fprintf(stderr, "%s: %s\n", what, rmedia_status_name(status));
        exit(1);
    }
}

static rmedia_packet_t packet_of(float value) {
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    info.kind = RMEDIA_KIND_AUDIO;
    info.rate = 48000;
    info.channels = 1;
    info.frames = FRAMES;
    rmedia_packet_t packet;
    void *data;
    must(rmedia_packet_create(&info, &packet, NULL), "create");
    must(rmedia_packet_data(packet, &data), "data");
    for (int i = 0; i < FRAMES; i++) ((float *)data)[i] = value;
    return packet;
}

static int ok = 1;

/* A packet is made, filled, pushed, pulled, looked into and released. */
static void whole(rmedia_pipeline_t pipeline, float value) {
    rmedia_packet_t packet = packet_of(value);
    must(rmedia_pipeline_push(pipeline, RMEDIA_ANY, packet, RMEDIA_TRY, NULL), "push");
    must(rmedia_pipeline_pull(pipeline, RMEDIA_ANY, RMEDIA_TRY, &packet, NULL, NULL), "pull");
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    must(rmedia_packet_view(packet, &info), "view");
    ok &= *(const float *)info.data == value;
    rmedia_packet_release(packet);
}

/* Pushed and pulled only: what is pulled is pushed again. */
static double push_pull(rmedia_pipeline_t pipeline) {
    rmedia_packet_t packet = packet_of(1.0f);
    double begin = cpu_ns();
    for (int i = 0; i < ROUNDS; i++) {
        rmedia_pipeline_push(pipeline, RMEDIA_ANY, packet, RMEDIA_TRY, NULL);
        rmedia_pipeline_pull(pipeline, RMEDIA_ANY, RMEDIA_TRY, &packet, NULL, NULL);
    }
    double each = (cpu_ns() - begin) / ROUNDS;
    must(rmedia_packet_release(packet), "release");
    return each;
}

int main(void) {
    const char *manifest =
        "{\"version\": \"v1\", \"nodes\": [{\"id\": \"n\", \"node_type\": \"PassThrough\"}]}";
    rmedia_pipeline_t pipeline;
    must(rmedia_pipeline_create(manifest, NULL, &pipeline, NULL), "pipeline");
    for (int i = 0; i < 10000; i++) whole(pipeline, (float)i);

    unsigned long before = allocations;
    double begin = cpu_ns();
    for (int i = 0; i < ROUNDS; i++) whole(pipeline, (float)(i % 1000));
    double whole_ns = (cpu_ns() - begin) / ROUNDS;
    double engine_ns = push_pull(pipeline);
    unsigned long made = allocations - before;

    rmedia_packet_t packet = packet_of(1.0f);
    begin = cpu_ns();
    for (int i = 0; i < CALLS; i++) {
        rmedia_packet_t shared;
        rmedia_packet_share(packet, &shared);
        rmedia_packet_release(shared);
    }
    double share_release_ns = (cpu_ns() - begin) / CALLS;
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    begin = cpu_ns();
    for (int i = 0; i < CALLS; i++) rmedia_packet_view(packet, &info);
    double view_ns = (cpu_ns() - begin) / CALLS;
    begin = cpu_ns();
    for (int i = 0; i < CALLS; i++) {
        rmedia_packet_t part;
        rmedia_packet_slice(packet, 0, 480, &part, NULL);
        rmedia_packet_release(part);
    }
    double slice_release_ns = (cpu_ns() - begin) / CALLS;
    must(rmedia_packet_release(packet), "release");
    must(rmedia_pipeline_destroy(pipeline), "destroy");

    printf("{\"side\": \"c\", \"ok\": %s, \"whole_ns\": %.1f, \"push_pull_ns\": %.1f, "
           "\"share_release_ns\": %.1f, \"view_ns\": %.1f, \"slice_release_ns\": %.1f, "
           "\"allocations\": %lu}\n",
           ok ? "true" : "false", whole_ns, engine_ns, share_release_ns, view_ns, slice_release_ns,
           made);
    return ok ? 0 : 1;
}
