/* From the library's loading to its first result: nanoseconds, as one JSON line. The library is
 * loaded by this program itself, so that linking it is part of the time. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <rmedia.h>
#include <stdio.h>
#include <time.h>

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

#define LOAD(name) __typeof__(&name) name##_ = (__typeof__(&name))dlsym(library, #name)

int main(int argc, char **argv) {
    static float samples[960];
    double begin = now_ms();
    void *library = dlopen(argc > 1 ? argv[1] : "librmedia.so", RTLD_NOW | RTLD_LOCAL);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    double loaded = now_ms();
    LOAD(rmedia_pipeline_create);
    LOAD(rmedia_pipeline_push_f32);
    LOAD(rmedia_pipeline_pull);
    rmedia_pipeline_t pipeline;
    rmedia_packet_t packet;
    int32_t made = rmedia_pipeline_create_(
        "{\"version\": \"v1\", \"nodes\": [{\"id\": \"r\", \"node_type\": \"AudioResample\","
        " \"params\": {\"target_rate\": 16000}}]}",
        NULL, &pipeline, NULL);
    int32_t pushed = rmedia_pipeline_push_f32_(pipeline, RMEDIA_ANY, samples, 960, 48000, 1, NULL);
    int32_t pulled = rmedia_pipeline_pull_(pipeline, RMEDIA_ANY, RMEDIA_TRY, &packet, NULL, NULL);
    double end = now_ms();
    int ok = made == RMEDIA_OK && pushed == RMEDIA_OK && pulled == RMEDIA_OK;
    printf("{\"side\": \"load\", \"ok\": %s, \"load_ms\": %.3f, \"first_result_ms\": %.3f}\n",
           ok ? "true" : "false", loaded - begin, end - begin);
    return ok ? 0 : 1;
}
