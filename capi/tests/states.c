/* The table of docs/c.md: what each call answers in each state of a pipeline. Each cell is a pipeline of
 * its own, run inline and on a thread. */
#include "fixture.h"

typedef enum state { RUNNING, FINISHED, CLOSING, CLOSED, FAILED, CANCELLED, STATES } state;
static const char *const NAMES[] = {"running", "finished", "closing",
                                    "closed",  "failed",   "cancelled"};

/** Fails on the text "fail", else hands on. */
static int32_t process(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    (void)node, (void)port;
    NEED(rmedia_packet_view(packet, &info) == RMEDIA_OK);
    if (info.size == 4 && memcmp(info.data, "fail", 4) == 0) return -1;
    return rmedia_job_emit(job, 0, packet, NULL);
}

/** node → later: what a queue node has before it is served keeps a close from its end. */
#define MANIFEST(placement) \
    "{\"version\":\"v1\",\"placement\":\"" placement "\",\"nodes\":[" \
    "{\"id\":\"node\",\"node_type\":\"test/Node\"},{\"id\":\"later\",\"node_type\":\"test/Later\"}," \
    "{\"id\":\"gain\",\"node_type\":\"Gain\"}]," \
    "\"inputs\":{\"in\":\"node.in\",\"slow\":\"later.in\",\"music\":\"gain.in\"}}"

static rmedia_engine_t engine;

static int32_t push_to(rmedia_pipeline_t pipeline, uint32_t input, const char *text) {
    rmedia_packet_t packet = text_packet(text);
    int32_t status = rmedia_pipeline_push(pipeline, input, packet, RMEDIA_TRY, NULL);
    rmedia_packet_release(packet);
    return status;
}

static int32_t pull(rmedia_pipeline_t pipeline, int32_t timeout_ms) {
    rmedia_packet_t packet = {0};
    int32_t status = rmedia_pipeline_pull(pipeline, RMEDIA_ANY, timeout_ms, &packet, NULL, NULL);
    rmedia_packet_release(packet);
    return status;
}

/** A pipeline in that state, with nothing to be pulled. */
static rmedia_pipeline_t pipeline_in(state in, const char *manifest) {
    rmedia_pipeline_t pipeline = pipeline_on(engine, manifest);
    switch (in) {
    case RUNNING:
    case STATES: break;
    case FINISHED:
        CHECK_IS(rmedia_pipeline_end(pipeline, RMEDIA_ANY, NULL), RMEDIA_OK);
        CHECK_IS(pull(pipeline, RMEDIA_FOREVER), RMEDIA_END);
        break;
    case CLOSING:
        CHECK_IS(push_to(pipeline, 1, "a"), RMEDIA_OK);
        CHECK_IS(rmedia_pipeline_close(pipeline, RMEDIA_FOREVER, NULL), RMEDIA_HOST);
        break;
    case CLOSED: CHECK_IS(rmedia_pipeline_close(pipeline, RMEDIA_FOREVER, NULL), RMEDIA_OK); break;
    case FAILED:
        push_to(pipeline, 0, "fail");
        CHECK_IS(pull(pipeline, RMEDIA_FOREVER), RMEDIA_E_NODE);
        break;
    case CANCELLED: CHECK_IS(rmedia_pipeline_cancel(pipeline), RMEDIA_OK); break;
    }
    CHECK_IS(events_all(pipeline), RMEDIA_EMPTY);
    return pipeline;
}

#define STEP(name) static int32_t name(rmedia_pipeline_t pipeline)

STEP(pushes) { return push_to(pipeline, 0, "a"); }
STEP(pushes_f32) {
    const float samples[8] = {0};
    return rmedia_pipeline_push_f32(pipeline, 2, samples, 8, 48000, 1, NULL);
}
STEP(pulls) { return pull(pipeline, RMEDIA_FOREVER); }
STEP(ends) { return rmedia_pipeline_end(pipeline, RMEDIA_ANY, NULL); }
STEP(gaps) { return rmedia_pipeline_gap(pipeline, 0, 1000, NULL); }
STEP(advances) {
    int32_t status;
    while ((status = rmedia_pipeline_advance(pipeline, NULL)) == RMEDIA_BUSY) {
    }
    return status;
}
STEP(interrupts) { return rmedia_pipeline_interrupt(pipeline, NULL, NULL); }
STEP(resets) { return rmedia_pipeline_reset(pipeline, NULL, NULL); }
STEP(rewinds) { return rmedia_pipeline_rewind(pipeline, NULL); }
STEP(closes) { return rmedia_pipeline_close(pipeline, RMEDIA_FOREVER, NULL); }
STEP(cancels) { return rmedia_pipeline_cancel(pipeline); }
STEP(sets) {
    const char *params = "{\"gain_db\":-6}";
    return rmedia_pipeline_set_params(pipeline, "gain", params, RMEDIA_NO_TIME, NULL, NULL);
}
STEP(takes_events) { return events_all(pipeline); }
STEP(measures) {
    rmedia_string_t json = {0};
    int32_t status = rmedia_pipeline_metrics(pipeline, &json);
    rmedia_string_release(json);
    return status;
}
STEP(describes) {
    rmedia_string_t json = {0};
    int32_t status = rmedia_pipeline_describe(pipeline, &json);
    rmedia_string_release(json);
    return status;
}
STEP(finds_input) {
    uint32_t index;
    return rmedia_pipeline_input(pipeline, "slow", &index, NULL);
}
STEP(waits) {
    int32_t fd;
    return rmedia_pipeline_wait_handle(pipeline, &fd);
}
STEP(watches) { return rmedia_pipeline_set_wakeup(pipeline, NULL, NULL, NULL); }
STEP(watched) { return rmedia_pipeline_watch(pipeline, 1); }
STEP(unwatches) { return rmedia_pipeline_unwatch(pipeline); }
STEP(asks_state) {
    int32_t at = -1, status = rmedia_pipeline_state(pipeline, &at);
    return status == RMEDIA_OK ? at : status;
}

enum {
    OK = RMEDIA_OK,
    END = RMEDIA_END,
    NEED_INPUT = RMEDIA_NEED_INPUT,
    HOST = RMEDIA_HOST,
    EMPTY = RMEDIA_EMPTY,
    STATE = RMEDIA_E_STATE,
    GONE = RMEDIA_E_CLOSED,
    STOPPED = RMEDIA_E_CANCELLED,
    BROKEN = RMEDIA_E_NODE
};

static const struct row {
    const char *name;
    int32_t (*run)(rmedia_pipeline_t);
    int32_t expected[STATES];
} ROWS[] = {
    {"push", pushes, {OK, STATE, STATE, GONE, BROKEN, STOPPED}},
    {"push_f32", pushes_f32, {OK, STATE, STATE, GONE, BROKEN, STOPPED}},
    {"pull", pulls, {NEED_INPUT, END, HOST, GONE, BROKEN, STOPPED}},
    {"end", ends, {OK, OK, OK, GONE, BROKEN, STOPPED}},
    {"gap", gaps, {OK, STATE, STATE, GONE, BROKEN, STOPPED}},
    {"advance", advances, {NEED_INPUT, NEED_INPUT, HOST, GONE, BROKEN, STOPPED}},
    {"interrupt", interrupts, {OK, OK, OK, GONE, BROKEN, STOPPED}},
    {"reset", resets, {OK, OK, OK, GONE, BROKEN, STOPPED}},
    {"rewind", rewinds, {STATE, OK, STATE, GONE, BROKEN, STOPPED}},
    {"close", closes, {OK, OK, HOST, OK, BROKEN, STOPPED}},
    {"cancel", cancels, {OK, OK, OK, OK, OK, OK}},
    {"set_params", sets, {OK, OK, OK, OK, OK, OK}},
    {"next_event", takes_events, {EMPTY, EMPTY, EMPTY, EMPTY, EMPTY, EMPTY}},
    {"metrics", measures, {OK, OK, OK, OK, OK, OK}},
    {"describe", describes, {OK, OK, OK, OK, OK, OK}},
    {"input", finds_input, {OK, OK, OK, OK, OK, OK}},
    {"wait_handle", waits, {OK, OK, OK, OK, OK, OK}},
    {"set_wakeup", watches, {OK, OK, OK, OK, OK, OK}},
    {"watch", watched, {OK, OK, OK, OK, OK, OK}},
    {"unwatch", unwatches, {OK, OK, OK, OK, OK, OK}},
    {"state", asks_state,
     {RMEDIA_STATE_RUNNING, RMEDIA_STATE_RUNNING, RMEDIA_STATE_CLOSING, RMEDIA_STATE_CLOSED,
      RMEDIA_STATE_FAILED, RMEDIA_STATE_CANCELLED}},
};

static void table(const char *manifest) {
    engine = engine_make();
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    type.declaration = DECLARATION("");
    type.process = process;
    NEED(rmedia_engine_add_node(engine, &type, NULL) == RMEDIA_OK);
    engine_add_host(engine, "{\"name\":\"test/Later\",\"inputs\":[{\"name\":\"in\"}],\"outputs\":"
                            "[{\"name\":\"out\"}]}");
    for (size_t row = 0; row < sizeof ROWS / sizeof ROWS[0]; row++) {
        for (int in = 0; in < STATES; in++) {
            char name[64];
            rmedia_pipeline_t pipeline = pipeline_in((state)in, manifest);
            snprintf(name, sizeof name, "%s of one that is %s", ROWS[row].name, NAMES[in]);
            CHECK_CASE(name, ROWS[row].run(pipeline), ROWS[row].expected[in]);
            rmedia_pipeline_destroy(pipeline);
        }
    }
    rmedia_engine_destroy(engine);
}

static void table_inline(void) { table(MANIFEST("inline")); }
static void table_on_a_thread(void) { table(MANIFEST("thread")); }

/** What was emitted before a failure is pulled before the failure. */
static void results_before_a_failure(void) {
    engine = engine_make();
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    type.declaration = DECLARATION("");
    type.process = process;
    NEED(rmedia_engine_add_node(engine, &type, NULL) == RMEDIA_OK);
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE);
    CHECK_IS(push_to(pipeline, 0, "a"), RMEDIA_OK);
    CHECK_IS(push_to(pipeline, 0, "fail"), RMEDIA_E_NODE);
    CHECK_IS(push_to(pipeline, 0, "b"), RMEDIA_E_NODE);
    CHECK_IS(pull(pipeline, RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(pull(pipeline, RMEDIA_TRY), RMEDIA_E_NODE);
    CHECK_IS(pull(pipeline, RMEDIA_TRY), RMEDIA_E_NODE);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
}

int main(int argc, char **argv) {
    static const test tests[] = {
        {"every call answers in every state what the table says", table_inline},
        {"every call answers so, too, where threads run the nodes", table_on_a_thread},
        {"what came before a failure is pulled before it", results_before_a_failure},
    };
    return check_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
