/* push_pull MANIFEST: the shortest form. A second of silence through a pipeline.
 *
 *     cc push_pull.c $(pkg-config --cflags --libs rmedia) -o push_pull
 *     ./push_pull ../resample.yaml */

#include <rmedia.h>
#include <stdio.h>

int main(int argc, char **argv) {
    static const float samples[48000];
    rmedia_pipeline_t pipeline;
    rmedia_packet_t packet;
    rmedia_error_t error = {0};
    if (rmedia_pipeline_create_from_file(argc > 1 ? argv[1] : "", NULL, &pipeline, &error) < 0 ||
        rmedia_pipeline_push_f32(pipeline, RMEDIA_ANY, samples, 48000, 48000, 1, &error) < 0 ||
        rmedia_pipeline_end(pipeline, RMEDIA_ANY, &error) < 0) {
        return fprintf(stderr, "push_pull: %s\n", rmedia_error_message(error)), 1;
    }
    while (rmedia_pipeline_pull(pipeline, RMEDIA_ANY, RMEDIA_FOREVER, &packet, NULL, &error) == 0) {
        rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
        rmedia_packet_view(packet, &info);
        printf("%zu frames at %u Hz\n", info.frames, (unsigned)info.rate);
        rmedia_packet_release(packet);
    }
    rmedia_pipeline_destroy(pipeline);
    if (error.id) return fprintf(stderr, "push_pull: %s\n", rmedia_error_message(error)), 1;
    return 0;
}
