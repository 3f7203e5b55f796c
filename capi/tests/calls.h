/* Every function of the library that takes a handle, as a table: called with handles of the
 * caller's choice and everything else in order, it gives its status and keeps nothing. */
#ifndef CALLS_H
#define CALLS_H

#include "fixture.h"

typedef enum kind { ENGINE, PIPELINE, PACKET, JOB, ERROR, STRING, KINDS } kind;

/** Ids, one for each kind. */
typedef struct handles {
    uint64_t id[KINDS];
} handles;

typedef struct call {
    const char *name;
    /** The kind of the handle that it is about. */
    kind about;
    /** Zero is fine: it releases, or it stands for the default engine. */
    bool zero_is_fine;
    int32_t (*run)(const handles *with);
} call;

#define ENGINE_OF(with) ((rmedia_engine_t){(with)->id[ENGINE]})
#define PIPELINE_OF(with) ((rmedia_pipeline_t){(with)->id[PIPELINE]})
#define PACKET_OF(with) ((rmedia_packet_t){(with)->id[PACKET]})
#define JOB_OF(with) ((rmedia_job_t){(with)->id[JOB]})
#define ERROR_OF(with) ((rmedia_error_t){(with)->id[ERROR]})
#define STRING_OF(with) ((rmedia_string_t){(with)->id[STRING]})

#define CALL(name) static inline int32_t call_##name(const handles *with)

/** For functions that give a text or NULL. */
static inline int32_t found(const void *text) {
    return text != NULL ? RMEDIA_OK : RMEDIA_E_BAD_HANDLE;
}

CALL(error_status) {
    int32_t status = rmedia_error_status(ERROR_OF(with));
    return status == RMEDIA_E_INVALID_MANIFEST ? RMEDIA_OK : status;
}
CALL(error_detail) { return found(rmedia_error_detail(ERROR_OF(with))); }
CALL(error_message) { return found(rmedia_error_message(ERROR_OF(with))); }
CALL(error_json) { return found(rmedia_error_json(ERROR_OF(with))); }
CALL(error_release) { return rmedia_error_release(ERROR_OF(with)); }
CALL(string_data) { return found(rmedia_string_data(STRING_OF(with))); }
CALL(string_size) {
    return rmedia_string_size(STRING_OF(with)) > 0 ? RMEDIA_OK : RMEDIA_E_BAD_HANDLE;
}
CALL(string_release) { return rmedia_string_release(STRING_OF(with)); }

CALL(pipeline_create) {
    rmedia_pipeline_options_t options = RMEDIA_PIPELINE_OPTIONS_INIT;
    rmedia_pipeline_t made = {0};
    options.engine = ENGINE_OF(with);
    int32_t status = rmedia_pipeline_create(PASS, &options, &made, NULL);
    rmedia_pipeline_destroy(made);
    return status;
}
CALL(pipeline_input) {
    uint32_t index;
    return rmedia_pipeline_input(PIPELINE_OF(with), "pass", &index, NULL);
}
CALL(pipeline_output) {
    uint32_t index;
    return rmedia_pipeline_output(PIPELINE_OF(with), "pass", &index, NULL);
}
CALL(pipeline_input_name) {
    rmedia_string_t name = {0};
    int32_t status = rmedia_pipeline_input_name(PIPELINE_OF(with), 0, &name);
    rmedia_string_release(name);
    return status;
}
CALL(pipeline_output_name) {
    rmedia_string_t name = {0};
    int32_t status = rmedia_pipeline_output_name(PIPELINE_OF(with), 0, &name);
    rmedia_string_release(name);
    return status;
}
CALL(pipeline_describe) {
    rmedia_string_t json = {0};
    int32_t status = rmedia_pipeline_describe(PIPELINE_OF(with), &json);
    rmedia_string_release(json);
    return status;
}
CALL(pipeline_push) {
    rmedia_packet_t packet = share(PACKET_OF(with));
    int32_t status = rmedia_pipeline_push(PIPELINE_OF(with), RMEDIA_ANY, packet, RMEDIA_TRY, NULL);
    if (status != RMEDIA_OK) rmedia_packet_release(packet);
    return status;
}
CALL(pipeline_push_f32) {
    const float samples[8] = {0};
    return rmedia_pipeline_push_f32(PIPELINE_OF(with), RMEDIA_ANY, samples, 8, 48000, 1, NULL);
}
CALL(pipeline_pull) {
    rmedia_packet_t packet = {0};
    uint32_t from;
    int32_t status =
        rmedia_pipeline_pull(PIPELINE_OF(with), RMEDIA_ANY, RMEDIA_TRY, &packet, &from, NULL);
    rmedia_packet_release(packet);
    return status;
}
CALL(pipeline_end) { return rmedia_pipeline_end(PIPELINE_OF(with), RMEDIA_ANY, NULL); }
CALL(pipeline_advance) {
    int32_t status = rmedia_pipeline_advance(PIPELINE_OF(with), NULL);
    return status > 0 ? RMEDIA_OK : status;
}
CALL(pipeline_reset) { return rmedia_pipeline_reset(PIPELINE_OF(with), NULL, NULL); }
CALL(pipeline_interrupt) { return rmedia_pipeline_interrupt(PIPELINE_OF(with), NULL, NULL); }
CALL(pipeline_gap) { return rmedia_pipeline_gap(PIPELINE_OF(with), RMEDIA_ANY, 0, NULL); }
CALL(pipeline_rewind) {
    int32_t status = rmedia_pipeline_rewind(PIPELINE_OF(with), NULL);
    return status == RMEDIA_E_STATE ? RMEDIA_OK : status;
}
CALL(pipeline_close) { return rmedia_pipeline_close(PIPELINE_OF(with), 1000, NULL); }
CALL(pipeline_cancel) { return rmedia_pipeline_cancel(PIPELINE_OF(with)); }
CALL(pipeline_destroy) { return rmedia_pipeline_destroy(PIPELINE_OF(with)); }
CALL(pipeline_state) {
    int32_t state;
    return rmedia_pipeline_state(PIPELINE_OF(with), &state);
}
CALL(pipeline_set_params) {
    uint64_t seq;
    return rmedia_pipeline_set_params(PIPELINE_OF(with), "pass", "{}", RMEDIA_NO_TIME, &seq, NULL);
}
CALL(pipeline_next_event) {
    rmedia_string_t event = {0};
    int32_t status = rmedia_pipeline_next_event(PIPELINE_OF(with), &event);
    rmedia_string_release(event);
    return status == RMEDIA_EMPTY ? RMEDIA_OK : status;
}
CALL(pipeline_metrics) {
    rmedia_string_t json = {0};
    int32_t status = rmedia_pipeline_metrics(PIPELINE_OF(with), &json);
    rmedia_string_release(json);
    return status;
}
CALL(pipeline_wait_handle) {
    int32_t fd;
    return rmedia_pipeline_wait_handle(PIPELINE_OF(with), &fd);
}
CALL(pipeline_set_wakeup) {
    return rmedia_pipeline_set_wakeup(PIPELINE_OF(with), NULL, NULL, NULL);
}
CALL(pipeline_watch) { return rmedia_pipeline_watch(PIPELINE_OF(with), 1); }
CALL(pipeline_unwatch) { return rmedia_pipeline_unwatch(PIPELINE_OF(with)); }

CALL(packet_create) {
    rmedia_packet_info_t info = audio_info(8);
    rmedia_packet_t packet = {0};
    info.engine = ENGINE_OF(with);
    int32_t status = rmedia_packet_create(&info, &packet, NULL);
    rmedia_packet_release(packet);
    return status;
}
CALL(packet_wrap) {
    static const float samples[8];
    rmedia_packet_info_t info = audio_info(8);
    rmedia_packet_t packet = {0};
    info.data = samples;
    info.engine = ENGINE_OF(with);
    int32_t status =
        rmedia_packet_wrap(&info, RMEDIA_RELEASE_DIRECT, NULL, NULL, &packet, NULL);
    rmedia_packet_release(packet);
    return status;
}
CALL(packet_share) {
    rmedia_packet_t shared = {0};
    int32_t status = rmedia_packet_share(PACKET_OF(with), &shared);
    rmedia_packet_release(shared);
    return status;
}
CALL(packet_release) { return rmedia_packet_release(PACKET_OF(with)); }
CALL(packet_view) {
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    return rmedia_packet_view(PACKET_OF(with), &info);
}
CALL(packet_data) {
    void *data;
    int32_t status = rmedia_packet_data(PACKET_OF(with), &data);
    return status == RMEDIA_E_STATE ? RMEDIA_OK : status;
}
CALL(packet_slice) {
    rmedia_packet_t part = {0};
    int32_t status = rmedia_packet_slice(PACKET_OF(with), 0, 1, &part, NULL);
    rmedia_packet_release(part);
    return status;
}
CALL(packet_json) {
    rmedia_string_t json = {0};
    int32_t status = rmedia_packet_json(PACKET_OF(with), &json);
    rmedia_string_release(json);
    return status == RMEDIA_E_FORMAT ? RMEDIA_OK : status;
}

CALL(engine_destroy) { return rmedia_engine_destroy(ENGINE_OF(with)); }
CALL(engine_nodes) {
    rmedia_string_t json = {0};
    int32_t status = rmedia_engine_nodes(ENGINE_OF(with), &json);
    rmedia_string_release(json);
    return status;
}
CALL(engine_threads) {
    rmedia_string_t json = {0};
    int32_t status = rmedia_engine_threads(ENGINE_OF(with), &json);
    rmedia_string_release(json);
    return status;
}
CALL(engine_validate) {
    rmedia_string_t json = {0};
    int32_t status = rmedia_engine_validate(ENGINE_OF(with), PASS, &json, NULL);
    rmedia_string_release(json);
    return status;
}
CALL(engine_next_log) {
    rmedia_string_t line = {0};
    int32_t status = rmedia_engine_next_log(ENGINE_OF(with), &line);
    rmedia_string_release(line);
    return status == RMEDIA_EMPTY ? RMEDIA_OK : status;
}
CALL(engine_run_releases) { return rmedia_engine_run_releases(ENGINE_OF(with), 10, NULL); }
CALL(engine_wait_handle) {
    int32_t fd;
    return rmedia_engine_wait_handle(ENGINE_OF(with), &fd);
}
CALL(engine_set_wakeup) {
    return rmedia_engine_set_wakeup(ENGINE_OF(with), NULL, NULL, NULL);
}
CALL(engine_next_ready) {
    rmedia_pipeline_t pipeline = {0};
    uint64_t tag;
    int32_t status = rmedia_engine_next_ready(ENGINE_OF(with), &pipeline, &tag);
    return status == RMEDIA_EMPTY ? RMEDIA_OK : status;
}
static inline int32_t call_process(void *node, rmedia_job_t job, uint32_t port,
                                   rmedia_packet_t packet) {
    (void)node, (void)job, (void)port, (void)packet;
    return RMEDIA_OK;
}
/** A type that is there already is fine here. */
static inline int32_t added(int32_t status) {
    return status == RMEDIA_E_INVALID_ARGUMENT ? RMEDIA_OK : status;
}
CALL(engine_add_node) {
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    type.declaration = "{\"name\":\"test/A\",\"inputs\":[{\"name\":\"in\"}]}";
    type.process = call_process;
    return added(rmedia_engine_add_node(ENGINE_OF(with), &type, NULL));
}
CALL(engine_add_host_node) {
    const char *declaration = "{\"name\":\"test/B\",\"inputs\":[{\"name\":\"in\"}]}";
    return added(rmedia_engine_add_host_node(ENGINE_OF(with), declaration, NULL));
}
CALL(engine_next_job) {
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    int32_t status = rmedia_engine_next_job(ENGINE_OF(with), RMEDIA_TRY, &job, NULL);
    return status == RMEDIA_EMPTY ? RMEDIA_OK : status;
}

CALL(job_emit) {
    rmedia_packet_t packet = share(PACKET_OF(with));
    int32_t status = rmedia_job_emit(JOB_OF(with), 0, packet, NULL);
    if (status != RMEDIA_OK) rmedia_packet_release(packet);
    return status;
}
/** The pipeline of that job is gone, so it is 1. */
CALL(job_is_cancelled) {
    int32_t status = rmedia_job_is_cancelled(JOB_OF(with));
    return status == 1 ? RMEDIA_OK : status;
}
CALL(job_done) { return rmedia_job_done(JOB_OF(with)); }
CALL(job_fail) { return rmedia_job_fail(JOB_OF(with), "no"); }

#define ROW(name, about) {"rmedia_" #name, about, false, call_##name}
#define ROW_ZERO(name, about) {"rmedia_" #name, about, true, call_##name}

/** In an order in which all of them work with the handles of `handles_make`: what ends an object
 * comes last. */
static const call CALLS[] = {
    ROW_ZERO(pipeline_create, ENGINE),
    ROW(pipeline_input, PIPELINE),
    ROW(pipeline_output, PIPELINE),
    ROW(pipeline_input_name, PIPELINE),
    ROW(pipeline_output_name, PIPELINE),
    ROW(pipeline_describe, PIPELINE),
    ROW(pipeline_push, PIPELINE),
    ROW(pipeline_push, PACKET),
    ROW(pipeline_push_f32, PIPELINE),
    ROW(pipeline_pull, PIPELINE),
    ROW(pipeline_advance, PIPELINE),
    ROW(pipeline_gap, PIPELINE),
    ROW(pipeline_interrupt, PIPELINE),
    ROW(pipeline_reset, PIPELINE),
    ROW(pipeline_rewind, PIPELINE),
    ROW(pipeline_state, PIPELINE),
    ROW(pipeline_set_params, PIPELINE),
    ROW(pipeline_next_event, PIPELINE),
    ROW(pipeline_metrics, PIPELINE),
    ROW(pipeline_wait_handle, PIPELINE),
    ROW(pipeline_set_wakeup, PIPELINE),
    ROW(pipeline_watch, PIPELINE),
    ROW(pipeline_unwatch, PIPELINE),
    ROW_ZERO(packet_create, ENGINE),
    ROW_ZERO(packet_wrap, ENGINE),
    ROW(packet_share, PACKET),
    ROW(packet_view, PACKET),
    ROW(packet_data, PACKET),
    ROW(packet_slice, PACKET),
    ROW(packet_json, PACKET),
    ROW_ZERO(engine_nodes, ENGINE),
    ROW_ZERO(engine_threads, ENGINE),
    ROW_ZERO(engine_validate, ENGINE),
    ROW_ZERO(engine_next_log, ENGINE),
    ROW_ZERO(engine_run_releases, ENGINE),
    ROW_ZERO(engine_wait_handle, ENGINE),
    ROW_ZERO(engine_set_wakeup, ENGINE),
    ROW_ZERO(engine_next_ready, ENGINE),
    ROW_ZERO(engine_add_node, ENGINE),
    ROW_ZERO(engine_add_host_node, ENGINE),
    ROW_ZERO(engine_next_job, ENGINE),
    ROW(job_emit, JOB),
    ROW(job_emit, PACKET),
    ROW(job_is_cancelled, JOB),
    ROW(error_status, ERROR),
    ROW(error_detail, ERROR),
    ROW(error_message, ERROR),
    ROW(error_json, ERROR),
    ROW(string_data, STRING),
    ROW(string_size, STRING),
    ROW(pipeline_end, PIPELINE),
    ROW(pipeline_close, PIPELINE),
    ROW(pipeline_cancel, PIPELINE),
    ROW_ZERO(pipeline_destroy, PIPELINE),
    ROW_ZERO(packet_release, PACKET),
    ROW(job_done, JOB),
    ROW_ZERO(engine_destroy, ENGINE),
    ROW_ZERO(error_release, ERROR),
    ROW_ZERO(string_release, STRING),
    ROW(job_fail, JOB),
};
#define CALL_COUNT (sizeof CALLS / sizeof CALLS[0])

/** A live handle of each kind, with a job that is open. */
static inline handles handles_make(void) {
    rmedia_engine_t engine = engine_make();
    engine_add_host(engine, DECLARATION(""));
    rmedia_pipeline_t hosted = pipeline_on(engine, NODE), pipeline = pipeline_on(engine, PASS);
    NEED(push_text(hosted, "a", RMEDIA_TRY) == RMEDIA_OK);
    rmedia_job_info_t job = job_take(engine);
    rmedia_pipeline_destroy(hosted);
    rmedia_job_info_t closed = job_take(engine);
    NEED(closed.kind == RMEDIA_JOB_CLOSE && rmedia_job_done(closed.job) == RMEDIA_OK);
    rmedia_error_t error = {0};
    rmedia_pipeline_t none = {0};
    rmedia_string_t string = {0};
    NEED(rmedia_pipeline_create("{", NULL, &none, &error) == RMEDIA_E_INVALID_MANIFEST);
    NEED(rmedia_live(&string) == RMEDIA_OK);
    return (handles){{engine.id, pipeline.id, audio_packet(8).id, job.job.id, error.id, string.id}};
}

/** Ends what `handles_make` has made, as far as it is there. */
static inline void handles_end(const handles *with) {
    rmedia_job_done(JOB_OF(with));
    rmedia_packet_release(PACKET_OF(with));
    rmedia_error_release(ERROR_OF(with));
    rmedia_string_release(STRING_OF(with));
    rmedia_pipeline_destroy(PIPELINE_OF(with));
    rmedia_engine_destroy(ENGINE_OF(with));
}

#endif
