/* Once warm, the calls that are real-time allocate nothing. The allocator of the program counts. */
#include "fixture.h"

/* The names under which the system's allocator is there beside ours. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *old);

static atomic_bool counting;
static atomic_int calls;

static void count(void) {
    if (atomic_load_explicit(&counting, memory_order_relaxed)) atomic_fetch_add(&calls, 1);
}

void *malloc(size_t size) {
    count();
    return __libc_malloc(size);
}
void *calloc(size_t number, size_t size) {
    count();
    return __libc_calloc(number, size);
}
void *realloc(void *old, size_t size) {
    count();
    return __libc_realloc(old, size);
}
void free(void *old) {
    if (old != NULL) count();
    __libc_free(old);
}
void *memalign(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
    count();
    return __libc_memalign(alignment, size);
}
int posix_memalign(void **to, size_t alignment, size_t size) {
    count();
    *to = __libc_memalign(alignment, size);
    return *to != NULL ? 0 : ENOMEM;
}

/** Runs `step` until it is warm, then counts. */
static void measure(void (*step)(void)) {
    for (int n = 0; n < 2000; n++) step();
    atomic_store(&counting, true);
    for (int n = 0; n < 10000; n++) step();
    atomic_store(&counting, false);
    CHECK_CASE("10000 rounds: calls of the allocator", atomic_load(&calls), 0);
    atomic_store(&calls, 0);
}

static rmedia_pipeline_t pipeline;
static rmedia_packet_t shared;
static float samples[480];

static void allocator_counts(void) {
    /* The count itself: this test would see an allocation. */
    atomic_store(&counting, true);
    rmedia_string_t live = {0};
    CHECK_IS(rmedia_live(&live), RMEDIA_OK);
    atomic_store(&counting, false);
    CHECK(atomic_load(&calls) > 0);
    rmedia_string_release(live);
}

static void pull_and_view(void) {
    rmedia_packet_t packet = {0};
    while (rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, NULL) == RMEDIA_OK) {
        rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
        CHECK_IS(rmedia_packet_view(packet, &info), RMEDIA_OK);
        CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    }
}
static void create_and_push(void) {
    rmedia_packet_info_t info = audio_info(480);
    rmedia_packet_t packet = {0};
    info.data = samples;
    CHECK_IS(rmedia_packet_create(&info, &packet, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_push(pipeline, RMEDIA_ANY, packet, RMEDIA_TRY, NULL), RMEDIA_OK);
    pull_and_view();
}
static void push_f32(void) {
    CHECK_IS(rmedia_pipeline_push_f32(pipeline, RMEDIA_ANY, samples, 480, 48000, 1, NULL),
             RMEDIA_OK);
    pull_and_view();
}

static void pass_through(void) {
    pipeline = pipeline_make(PASS);
    measure(create_and_push);
    measure(push_f32);
    rmedia_pipeline_destroy(pipeline);
}
static void resample_chain(void) {
    pipeline = pipeline_make(
        "{\"version\":\"v1\",\"nodes\":[{\"id\":\"a\",\"node_type\":\"AudioResample\",\"params\":"
        "{\"target_sample_rate\":16000}},{\"id\":\"b\",\"node_type\":\"Gain\"}],"
        "\"connections\":[{\"from\":\"a\",\"to\":\"b\"}]}");
    measure(push_f32);
    rmedia_pipeline_destroy(pipeline);
}

/** What threads bring, waited for. */
static void push_and_wait(void) {
    rmedia_packet_t packet = {0};
    CHECK_IS(rmedia_pipeline_push_f32(pipeline, RMEDIA_ANY, samples, 480, 48000, 1, NULL),
             RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_FOREVER, &packet, NULL, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
}
static void threaded_chain(void) {
    pipeline = pipeline_make(
        "{\"version\":\"v1\",\"placement\":\"thread\",\"nodes\":[{\"id\":\"a\",\"node_type\":"
        "\"Gain\"},{\"id\":\"b\",\"node_type\":\"PassThrough\",\"placement\":\"thread\"}],"
        "\"connections\":[{\"from\":\"a\",\"to\":\"b\"}]}");
    measure(push_and_wait);
    rmedia_pipeline_destroy(pipeline);
}

static int32_t passes(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    (void)node, (void)port;
    return rmedia_job_emit(job, 0, packet, NULL);
}
static int32_t makes(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT, made = audio_info(480);
    rmedia_packet_t result = {0};
    void *data = NULL;
    (void)node, (void)port;
    CHECK_IS(rmedia_packet_view(packet, &info), RMEDIA_OK);
    CHECK_IS(rmedia_packet_create(&made, &result, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_packet_data(result, &data), RMEDIA_OK);
    memcpy(data, info.data, info.size);
    return rmedia_job_emit(job, 0, result, NULL);
}
static void function_node(void) {
    static int32_t (*const functions[])(void *, rmedia_job_t, uint32_t, rmedia_packet_t) = {passes,
                                                                                            makes};
    for (int n = 0; n < 2; n++) {
        rmedia_engine_t engine = engine_make();
        rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
        type.declaration = DECLARATION("");
        type.process = functions[n];
        CHECK_IS(rmedia_engine_add_node(engine, &type, NULL), RMEDIA_OK);
        pipeline = pipeline_on(engine, NODE);
        measure(push_f32);
        rmedia_pipeline_destroy(pipeline);
        rmedia_engine_destroy(engine);
    }
}

static void packet_calls(void) {
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    rmedia_packet_t part = {0};
    int32_t state;
    rmedia_packet_t again = {0};
    CHECK_IS(rmedia_packet_share(shared, &again), RMEDIA_OK);
    CHECK_IS(rmedia_packet_view(again, &info), RMEDIA_OK);
    CHECK_IS(rmedia_packet_slice(shared, 10, 100, &part, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(part), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(again), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_state(pipeline, &state), RMEDIA_OK);
}
static void share_view_slice(void) {
    pipeline = pipeline_make(PASS);
    shared = audio_packet(480);
    measure(packet_calls);
    rmedia_packet_release(shared);
    rmedia_pipeline_destroy(pipeline);
}

static void idle_pull(void) {
    rmedia_packet_t packet = {0};
    CHECK_IS(rmedia_pipeline_pull(pipeline, RMEDIA_ANY, RMEDIA_TRY, &packet, NULL, NULL),
             RMEDIA_NEED_INPUT);
}
static void nothing_to_pull(void) {
    pipeline = pipeline_make(PASS);
    measure(idle_pull);
    int32_t fd;
    CHECK_IS(rmedia_pipeline_wait_handle(pipeline, &fd), RMEDIA_OK);
    measure(idle_pull);
    measure(push_f32);
    rmedia_pipeline_destroy(pipeline);
}

static void push_take_pull(void) {
    rmedia_pipeline_t ready = {0};
    CHECK_IS(rmedia_pipeline_push_f32(pipeline, 0, samples, 480, 48000, 1, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_engine_next_ready(DEFAULT_ENGINE, &ready, NULL), RMEDIA_OK);
    CHECK_IS(ready.id, pipeline.id);
    pull_and_view();
    idle_pull();
    CHECK_IS(rmedia_engine_next_ready(DEFAULT_ENGINE, &ready, NULL), RMEDIA_EMPTY);
}
static void listed(void) {
    int32_t fd;
    pipeline = pipeline_make(PASS);
    CHECK_IS(rmedia_engine_wait_handle(DEFAULT_ENGINE, &fd), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_watch(pipeline, 1), RMEDIA_OK);
    measure(push_take_pull);
    rmedia_pipeline_destroy(pipeline);
}

static void full_push(void) {
    CHECK_IS(rmedia_pipeline_push(pipeline, 0, shared, RMEDIA_TRY, NULL), RMEDIA_FULL);
}
static void refused_push(void) {
    pipeline = pipeline_make(PASS_QUEUE(1, "block"));
    shared = audio_packet(480);
    int32_t status = RMEDIA_OK;
    while (status == RMEDIA_OK) {
        status = rmedia_pipeline_push_f32(pipeline, 0, samples, 480, 48000, 1, NULL);
    }
    CHECK_IS(status, RMEDIA_FULL);
    measure(full_push);
    rmedia_packet_release(shared);
    rmedia_pipeline_destroy(pipeline);
}

static const test TESTS[] = {
    {"the allocator is counted", allocator_counts},
    {"packets pass through without an allocation", pass_through},
    {"samples are resampled without an allocation", resample_chain},
    {"threads pass packets on without an allocation", threaded_chain},
    {"a function node works without an allocation", function_node},
    {"share, view, slice and release allocate nothing", share_view_slice},
    {"a pull that finds nothing allocates nothing", nothing_to_pull},
    {"a pipeline is listed and taken off the list without an allocation", listed},
    {"a push into a full input allocates nothing", refused_push},
};

int main(int argc, char **argv) {
    return check_main(TESTS, sizeof TESTS / sizeof TESTS[0], argc, argv);
}
