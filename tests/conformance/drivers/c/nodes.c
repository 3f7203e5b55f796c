#include "nodes.h"
#include "text.h"

#include <stdlib.h>

static int32_t no_state(void *user, rmedia_job_t job, const char *params, void **node) {
    (void)user, (void)job, (void)params, (void)node;
    return RMEDIA_OK;
}

/* Hands samples × 0.5 on. */
static int32_t half(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    (void)node, (void)port;
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    rmedia_packet_t halved;
    int32_t status = rmedia_packet_view(packet, &info);
    if (status != RMEDIA_OK)
        return status;
    const float *from = info.data;
    size_t samples = info.size / sizeof *from;
    info.data = NULL;
    if ((status = rmedia_packet_create(&info, &halved, NULL)) != RMEDIA_OK)
        return status;
    void *data;
    if ((status = rmedia_packet_data(halved, &data)) == RMEDIA_OK) {
        float *to = data;
        for (size_t i = 0; i < samples; i++)
            to[i] = from[i] * 0.5f;
        status = rmedia_job_emit(job, 0, halved, NULL);
    }
    if (status != RMEDIA_OK)
        rmedia_packet_release(halved);
    return status;
}

static int32_t fail_create(void *user, rmedia_job_t job, const char *params, void **node) {
    (void)user, (void)job, (void)params;
    *node = calloc(1, sizeof(int));
    return *node != NULL ? RMEDIA_OK : RMEDIA_E_LIMIT;
}

/* Hands two packets on and fails on the third. */
static int32_t fail(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    (void)port;
    int *count = node;
    if (++*count == 3) {
        rmedia_job_fail(job, "third packet");
        return RMEDIA_E_NODE;
    }
    return rmedia_job_emit(job, 0, packet, NULL);
}

static void add(rmedia_engine_t engine, const rmedia_node_type_t *type) {
    rmedia_error_t error;
    if (rmedia_engine_add_node(engine, type, &error) != RMEDIA_OK)
        die("%s", rmedia_error_message(error));
}

void nodes_add(rmedia_engine_t engine) {
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    type.declaration =
        "{\"name\": \"test/Half\", \"summary\": \"Halves samples.\","
        " \"inputs\": [{\"name\": \"in\", \"kinds\": [\"audio\"], \"samples\": [\"f32\"],"
        " \"planar\": false}],"
        " \"outputs\": [{\"name\": \"out\", \"kinds\": [\"audio\"], \"samples\": [\"f32\"],"
        " \"planar\": false, \"like_input\": true}]}";
    type.create = no_state;
    type.process = half;
    add(engine, &type);
    type.declaration = "{\"name\": \"test/Fail\", \"summary\": \"Fails on its third packet.\","
                       " \"inputs\": [{\"name\": \"in\"}],"
                       " \"outputs\": [{\"name\": \"out\", \"like_input\": true}]}";
    type.create = fail_create;
    type.process = fail;
    type.destroy = free;
    add(engine, &type);
}
