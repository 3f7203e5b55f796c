/* What the tests build on: manifests, node types, packets. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "check.h"

#define PASS \
    "{\"version\":\"v1\",\"nodes\":[{\"id\":\"pass\",\"node_type\":\"PassThrough\"}]}"

/** A PassThrough whose output holds as many packets, by that policy. */
#define PASS_QUEUE(items, policy) \
    "{\"version\":\"v1\",\"nodes\":[{\"id\":\"pass\",\"node_type\":\"PassThrough\"}]," \
    "\"outputs\":{\"out\":{\"port\":\"pass.out\",\"queue\":{\"items\":" #items ",\"policy\":\"" \
    policy "\"}}}}"

#define GAIN \
    "{\"version\":\"v1\",\"nodes\":[{\"id\":\"gain\",\"node_type\":\"Gain\"}]}"

/** A node of the type `test/Node`, which a test has added to its engine. */
#define NODE "{\"version\":\"v1\",\"nodes\":[{\"id\":\"node\",\"node_type\":\"test/Node\"}]}"

/** As NODE, behind an input that holds two packets. */
#define NODE_SMALL \
    "{\"version\":\"v1\",\"nodes\":[{\"id\":\"node\",\"node_type\":\"test/Node\"}]," \
    "\"inputs\":{\"in\":{\"port\":\"node.in\",\"queue\":{\"items\":2}}}}"

#define DECLARATION(more) \
    "{\"name\":\"test/Node\",\"inputs\":[{\"name\":\"in\"}],\"outputs\":[{\"name\":\"out\"}]" more "}"

static const rmedia_engine_t DEFAULT_ENGINE = {0};

static inline rmedia_engine_t engine_make(void) {
    rmedia_engine_t engine = {0};
    NEED(rmedia_engine_create(NULL, &engine, NULL) == RMEDIA_OK);
    return engine;
}

static inline rmedia_pipeline_t pipeline_on(rmedia_engine_t engine, const char *manifest) {
    rmedia_pipeline_t pipeline = {0};
    rmedia_error_t error = {0};
    rmedia_pipeline_options_t options = RMEDIA_PIPELINE_OPTIONS_INIT;
    options.engine = engine;
    if (rmedia_pipeline_create(manifest, &options, &pipeline, &error) != RMEDIA_OK) {
        fprintf(stderr, "    %s\n", rmedia_error_message(error));
        NEED(!"a pipeline");
    }
    return pipeline;
}

static inline rmedia_pipeline_t pipeline_make(const char *manifest) {
    return pipeline_on(DEFAULT_ENGINE, manifest);
}

static inline void engine_add_host(rmedia_engine_t engine, const char *declaration) {
    NEED(rmedia_engine_add_host_node(engine, declaration, NULL) == RMEDIA_OK);
}

static inline rmedia_packet_info_t info_of(uint32_t kind) {
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    info.kind = kind;
    return info;
}

static inline rmedia_packet_info_t audio_info(size_t frames) {
    rmedia_packet_info_t info = info_of(RMEDIA_KIND_AUDIO);
    info.format = RMEDIA_SAMPLE_F32;
    info.rate = 48000;
    info.channels = 1;
    info.frames = frames;
    return info;
}

static inline rmedia_packet_t packet_of(rmedia_packet_info_t info) {
    rmedia_packet_t packet = {0};
    NEED(rmedia_packet_create(&info, &packet, NULL) == RMEDIA_OK);
    return packet;
}

static inline rmedia_packet_t text_packet(const char *text) {
    rmedia_packet_info_t info = info_of(RMEDIA_KIND_TEXT);
    info.data = text;
    info.size = RMEDIA_NUL_TERMINATED;
    return packet_of(info);
}

static inline rmedia_packet_t audio_packet(size_t frames) {
    static const float zeros[4800];
    rmedia_packet_info_t info = audio_info(frames);
    info.data = zeros;
    NEED(frames <= 4800);
    return packet_of(info);
}

/** Pushes a text; gives the status, and keeps nothing. */
static inline int32_t push_text(rmedia_pipeline_t pipeline, const char *text, int32_t timeout_ms) {
    rmedia_packet_t packet = text_packet(text);
    int32_t status = rmedia_pipeline_push(pipeline, RMEDIA_ANY, packet, timeout_ms, NULL);
    if (status != RMEDIA_OK) rmedia_packet_release(packet);
    return status;
}

/** Pulls and releases everything that is there; gives the status that ended it. */
static inline int32_t pull_all(rmedia_pipeline_t pipeline) {
    rmedia_packet_t packet = {0};
    int32_t status;
    while ((status = rmedia_pipeline_pull(pipeline, RMEDIA_ANY, RMEDIA_TRY, &packet, NULL, NULL)) ==
           RMEDIA_OK) {
        rmedia_packet_release(packet);
    }
    return status;
}

static inline int32_t events_all(rmedia_pipeline_t pipeline) {
    rmedia_string_t event = {0};
    int32_t status;
    while ((status = rmedia_pipeline_next_event(pipeline, &event)) == RMEDIA_OK) {
        rmedia_string_release(event);
    }
    return status;
}

/** Wrapped memory that counts its releases. */
typedef struct wrapped {
    atomic_int releases;
    float samples[480];
} wrapped;

static inline void wrapped_release(void *user) {
    atomic_fetch_add(&((wrapped *)user)->releases, 1);
}

static inline int32_t wrap_on(rmedia_engine_t engine, wrapped *memory, uint32_t mode,
                              rmedia_packet_t *packet) {
    rmedia_packet_info_t info = audio_info(480);
    info.data = memory->samples;
    info.engine = engine;
    return rmedia_packet_wrap(&info, mode, wrapped_release, memory, packet, NULL);
}

static inline rmedia_packet_t wrap(wrapped *memory) {
    rmedia_packet_t packet = {0};
    NEED(wrap_on(DEFAULT_ENGINE, memory, RMEDIA_RELEASE_DIRECT, &packet) == RMEDIA_OK);
    return packet;
}

/** The next job of an engine, which must be there. */
static inline rmedia_job_info_t job_take(rmedia_engine_t engine) {
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    NEED(rmedia_engine_next_job(engine, 5000, &job, NULL) == RMEDIA_OK);
    return job;
}

#endif
