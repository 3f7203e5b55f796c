/* node: a node of one's own as functions. It measures how loud audio is and hands it on.
 *
 *     cc node.c $(pkg-config --cflags --libs rmedia) -o node && ./node */

#include <rmedia.h>
#include <stdio.h>
#include <stdlib.h>

/* What a node of this type holds. */
typedef struct {
    float peak;
    size_t frames;
} meter_t;

static const char *const declaration =
    "{\"name\": \"example/Meter\","
    " \"inputs\": [{\"name\": \"in\", \"kinds\": [\"audio\"], \"samples\": [\"f32\"],"
    "              \"planar\": false}],"
    " \"outputs\": [{\"name\": \"out\", \"kinds\": [\"audio\"], \"like_input\": true},"
    "              {\"name\": \"peaks\", \"kinds\": [\"json\"]}]}";

static const char *const manifest =
    "version: v1\n"
    "nodes:\n"
    "  - { id: meter, node_type: example/Meter }\n"
    "outputs: { audio: meter.out, peaks: meter.peaks }\n";

static int32_t create(void *user, rmedia_job_t job, const char *params, void **node) {
    (void)user, (void)params;
    *node = calloc(1, sizeof(meter_t));
    if (*node) return RMEDIA_OK;
    rmedia_job_fail(job, "there is no memory for a meter");
    return RMEDIA_E_LIMIT;
}

static int32_t process(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    meter_t *meter = node;
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    (void)port;
    int32_t status = rmedia_packet_view(packet, &info);
    if (status < 0) return status;
    const float *samples = info.data;
    for (size_t n = 0; n < info.frames * info.channels; n++) {
        float size = samples[n] < 0 ? -samples[n] : samples[n];
        if (size > meter->peak) meter->peak = size;
    }
    meter->frames += info.frames;
    return rmedia_job_emit(job, 0, packet, NULL); /* the packet that was lent, as it is */
}

/* The end: what is still inside goes out. */
static int32_t drain(void *node, rmedia_job_t job) {
    meter_t *meter = node;
    char text[100];
    snprintf(text, sizeof text, "{\"peak\": %.3f, \"frames\": %zu}", meter->peak, meter->frames);
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    info.kind = RMEDIA_KIND_JSON;
    info.data = text;
    info.size = RMEDIA_NUL_TERMINATED;
    rmedia_packet_t packet;
    int32_t status = rmedia_packet_create(&info, &packet, NULL);
    if (status < 0) return status;
    status = rmedia_job_emit(job, 1, packet, NULL);
    if (status < 0) rmedia_packet_release(packet);
    *meter = (meter_t){0};
    return status;
}

static void reset(void *node) { *(meter_t *)node = (meter_t){0}; }

int main(void) {
    rmedia_error_t error = {0};
    rmedia_pipeline_t pipeline = {0};
    rmedia_packet_t packet;
    uint32_t from, peaks = 0;
    int failed = 1;

    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    type.declaration = declaration;
    type.create = create;
    type.process = process;
    type.drain = drain;
    type.reset = reset;
    type.destroy = free;
    if (rmedia_engine_add_node(RMEDIA_DEFAULT_ENGINE, &type, &error) < 0) goto done;
    if (rmedia_pipeline_create(manifest, NULL, &pipeline, &error) < 0) goto done;
    if (rmedia_pipeline_output(pipeline, "peaks", &peaks, &error) < 0) goto done;

    const float samples[4] = {0.25f, -0.75f, 0.5f, 0.0f};
    if (rmedia_pipeline_push_f32(pipeline, RMEDIA_ANY, samples, 4, 48000, 1, &error) < 0) goto done;
    if (rmedia_pipeline_end(pipeline, RMEDIA_ANY, &error) < 0) goto done;
    while (rmedia_pipeline_pull(pipeline, RMEDIA_ANY, RMEDIA_FOREVER, &packet, &from, &error) ==
           RMEDIA_OK) {
        rmedia_string_t json;
        if (from == peaks && rmedia_packet_json(packet, &json) == RMEDIA_OK) {
            printf("%s\n", rmedia_string_data(json)); /* {"frames":4,"peak":0.75} */
            rmedia_string_release(json);
        }
        rmedia_packet_release(packet);
    }
    failed = error.id != 0;

done:
    if (error.id) fprintf(stderr, "node: %s\n", rmedia_error_message(error));
    rmedia_error_release(error);
    rmedia_pipeline_destroy(pipeline);
    return failed;
}
