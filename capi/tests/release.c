/* Wrapped memory is given back exactly once, however its packet ends. */
#include "fixture.h"

#define COUNT 8

static wrapped memory[COUNT];

static void push_all(rmedia_pipeline_t pipeline, int count) {
    for (int n = 0; n < count; n++) {
        CHECK_IS(rmedia_pipeline_push(pipeline, 0, wrap(&memory[n]), RMEDIA_TRY, NULL), RMEDIA_OK);
    }
}

/** How many releases there were for the first `count`; 100 where one came twice. */
static int releases(int count) {
    int sum = 0;
    for (int n = 0; n < count; n++) {
        int times = atomic_load(&memory[n].releases);
        sum += times > 1 ? 100 : times;
    }
    return sum;
}

static void released(void) {
    for (int n = 0; n < COUNT; n++) {
        rmedia_packet_t packet = wrap(&memory[n]);
        rmedia_packet_t shared[COUNT];
        for (int k = 0; k < n; k++) shared[k] = share(packet);
        for (int k = 0; k < n; k++) CHECK_IS(rmedia_packet_release(shared[k]), RMEDIA_OK);
        CHECK_IS(atomic_load(&memory[n].releases), 0);
        CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
        CHECK_IS(rmedia_packet_release(packet), RMEDIA_E_BAD_HANDLE);
    }
    CHECK_IS(releases(COUNT), COUNT);
}

static void pulled(void) {
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    push_all(pipeline, COUNT);
    CHECK_IS(releases(COUNT), 0);
    for (int n = 0; n < COUNT; n++) {
        rmedia_packet_t packet = {0};
        rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
        CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, NULL), RMEDIA_OK);
        CHECK_IS(rmedia_packet_view(packet, &info), RMEDIA_OK);
        CHECK(info.data == memory[n].samples);
        CHECK_IS(releases(COUNT), n);
        CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
        CHECK_IS(releases(COUNT), n + 1);
    }
    CHECK_IS(rmedia_pipeline_destroy(pipeline), RMEDIA_OK);
    CHECK_IS(releases(COUNT), COUNT);
}

static void cancelled(void) {
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    push_all(pipeline, COUNT);
    CHECK_IS(rmedia_pipeline_cancel(pipeline), RMEDIA_OK);
    CHECK_IS(releases(COUNT), COUNT);
    CHECK_IS(rmedia_pipeline_destroy(pipeline), RMEDIA_OK);
    CHECK_IS(releases(COUNT), COUNT);
}
static void closed(void) {
    rmedia_pipeline_t pipeline = pipeline_make(PASS_QUEUE(4, "block"));
    push_all(pipeline, COUNT);
    CHECK_IS(rmedia_pipeline_close(pipeline, 1000, NULL), RMEDIA_OK);
    CHECK_IS(releases(COUNT), COUNT);
    CHECK_IS(rmedia_pipeline_destroy(pipeline), RMEDIA_OK);
    CHECK_IS(releases(COUNT), COUNT);
}
static void destroyed(void) {
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    push_all(pipeline, COUNT);
    CHECK_IS(rmedia_pipeline_destroy(pipeline), RMEDIA_OK);
    CHECK_IS(releases(COUNT), COUNT);
}
static void was_reset(void) {
    rmedia_pipeline_t pipeline = pipeline_make(PASS_QUEUE(4, "block"));
    push_all(pipeline, COUNT);
    CHECK_IS(rmedia_pipeline_reset(pipeline, NULL, NULL), RMEDIA_OK);
    CHECK_IS(releases(COUNT), COUNT);
    CHECK_IS(rmedia_pipeline_destroy(pipeline), RMEDIA_OK);
    CHECK_IS(releases(COUNT), COUNT);
}
static void rewound(void) {
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    push_all(pipeline, COUNT);
    CHECK_IS(rmedia_pipeline_end(pipeline, RMEDIA_ANY, NULL), RMEDIA_OK);
    int32_t status = rmedia_pipeline_rewind(pipeline, NULL);
    CHECK(status == RMEDIA_OK || status == RMEDIA_E_STATE);
    CHECK_IS(rmedia_pipeline_destroy(pipeline), RMEDIA_OK);
    CHECK_IS(releases(COUNT), COUNT);
}

static void lossy(void) {
    static const char *const manifests[] = {PASS_QUEUE(2, "drop_oldest"),
                                            PASS_QUEUE(2, "drop_newest"),
                                            PASS_QUEUE(2, "keep_latest")};
    for (int n = 0; n < 3; n++) {
        memset(memory, 0, sizeof memory);
        rmedia_pipeline_t pipeline = pipeline_make(manifests[n]);
        push_all(pipeline, COUNT);
        CHECK_IS(releases(COUNT), n == 2 ? COUNT - 1 : COUNT - 2);
        CHECK_IS(pull_all(pipeline), RMEDIA_NEED_INPUT);
        CHECK_IS(releases(COUNT), COUNT);
        CHECK_IS(rmedia_pipeline_destroy(pipeline), RMEDIA_OK);
        CHECK_IS(releases(COUNT), COUNT);
    }
}

static int32_t fails(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    (void)node, (void)port;
    /* What it has emitted before it fails goes, too. */
    CHECK_IS(rmedia_job_emit(job, 0, share(packet), NULL), RMEDIA_OK);
    return RMEDIA_E_NODE;
}
static rmedia_engine_t function_engine(int32_t (*process)(void *, rmedia_job_t, uint32_t,
                                                          rmedia_packet_t)) {
    rmedia_engine_t engine = engine_make();
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    type.declaration = DECLARATION("");
    type.process = process;
    NEED(rmedia_engine_add_node(engine, &type, NULL) == RMEDIA_OK);
    return engine;
}
static void failed(void) {
    rmedia_engine_t engine = function_engine(fails);
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE);
    rmedia_packet_t packet = wrap(&memory[0]);
    CHECK_IS(rmedia_pipeline_push(pipeline, 0, packet, RMEDIA_TRY, NULL), RMEDIA_E_NODE);
    /* The caller releases after a failure, whatever became of the packet. */
    rmedia_packet_release(packet);
    CHECK_IS(releases(COUNT), 1);
    packet = wrap(&memory[1]);
    CHECK_IS(rmedia_pipeline_push(pipeline, 0, packet, RMEDIA_TRY, NULL), RMEDIA_E_NODE);
    CHECK_IS(releases(COUNT), 1);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    CHECK_IS(releases(COUNT), 2);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
    CHECK_IS(releases(COUNT), 2);
}

static void failed_shared(void) {
    /* The one that was not pushed stays good; the one that was goes with the failure. */
    rmedia_engine_t engine = function_engine(fails);
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE);
    rmedia_packet_t packet = wrap(&memory[0]);
    rmedia_packet_t kept = share(packet);
    CHECK_IS(rmedia_pipeline_push(pipeline, 0, packet, RMEDIA_TRY, NULL), RMEDIA_E_NODE);
    rmedia_packet_release(packet);
    CHECK_IS(releases(COUNT), 0);
    CHECK_IS(rmedia_packet_release(kept), RMEDIA_OK);
    CHECK_IS(releases(COUNT), 1);
    CHECK_IS(rmedia_packet_release(kept), RMEDIA_E_BAD_HANDLE);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
}

static int32_t swallows(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    (void)node, (void)job, (void)port, (void)packet;
    return RMEDIA_OK;
}
static void swallowed(void) {
    rmedia_engine_t engine = function_engine(swallows);
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE);
    push_all(pipeline, COUNT);
    CHECK_IS(releases(COUNT), COUNT);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
}

static void in_jobs(void) {
    rmedia_engine_t engine = engine_make();
    engine_add_host(engine, DECLARATION(",\"max_in_flight\":3"));
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE);
    push_all(pipeline, COUNT);
    rmedia_job_info_t done = job_take(engine), failing = job_take(engine), open = job_take(engine);
    CHECK_IS(rmedia_job_done(done.job), RMEDIA_OK);
    CHECK_IS(releases(COUNT), 1);
    CHECK_IS(rmedia_job_emit(failing.job, 0, failing.packet, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_job_fail(failing.job, "no"), RMEDIA_OK);
    rmedia_packet_t packet = {0};
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, NULL), RMEDIA_E_NODE);
    CHECK_IS(rmedia_pipeline_destroy(pipeline), RMEDIA_OK);
    CHECK_IS(releases(COUNT), COUNT - 1);
    CHECK_IS(rmedia_job_emit(open.job, 0, open.packet, NULL), RMEDIA_OK);
    CHECK_IS(releases(COUNT), COUNT - 1);
    CHECK_IS(rmedia_job_done(open.job), RMEDIA_OK);
    CHECK_IS(releases(COUNT), COUNT);
    rmedia_job_info_t job = job_take(engine);
    CHECK_IS(job.kind, RMEDIA_JOB_CLOSE);
    CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    rmedia_engine_destroy(engine);
}

static void shared_handle(void) {
    /* One packet pushed into two pipelines and kept. */
    rmedia_pipeline_t a = pipeline_make(PASS), b = pipeline_make(PASS);
    rmedia_packet_t packet = wrap(&memory[0]);
    CHECK_IS(rmedia_pipeline_push(a, 0, share(packet), RMEDIA_TRY, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_push(b, 0, share(packet), RMEDIA_TRY, NULL), RMEDIA_OK);
    rmedia_pipeline_destroy(a);
    CHECK_IS(releases(COUNT), 0);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    CHECK_IS(releases(COUNT), 0);
    rmedia_pipeline_cancel(b);
    CHECK_IS(releases(COUNT), 1);
    rmedia_pipeline_destroy(b);
}

static void refused(void) {
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    CHECK_IS(rmedia_pipeline_end(pipeline, 0, NULL), RMEDIA_OK);
    for (int n = 0; n < COUNT; n++) {
        rmedia_packet_t packet = wrap(&memory[n]);
        CHECK_IS(rmedia_pipeline_push(pipeline, n % 2 ? 0 : 9, packet, RMEDIA_TRY, NULL) < 0, 1);
        CHECK_IS(releases(COUNT), n);
        CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
        CHECK_IS(releases(COUNT), n + 1);
    }
    rmedia_pipeline_destroy(pipeline);
}

static void slices(void) {
    rmedia_packet_t packet = wrap(&memory[0]), part = {0}, smaller = {0};
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    CHECK_IS(rmedia_packet_slice(packet, 100, 50, &part, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    CHECK_IS(rmedia_packet_slice(part, 10, 5, &smaller, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(part), RMEDIA_OK);
    CHECK_IS(rmedia_packet_view(smaller, &info), RMEDIA_OK);
    CHECK(info.data == memory[0].samples + 110 && info.frames == 5 && info.size == 20);
    CHECK_IS(releases(1), 0);
    CHECK_IS(rmedia_packet_release(smaller), RMEDIA_OK);
    CHECK_IS(releases(1), 1);
    /* An empty slice keeps it, too. */
    packet = wrap(&memory[1]);
    CHECK_IS(rmedia_packet_slice(packet, 480, 0, &part, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    CHECK_IS(releases(2), 1);
    CHECK_IS(rmedia_packet_release(part), RMEDIA_OK);
    CHECK_IS(releases(2), 2);
}

static rmedia_packet_t wrap_deferred(rmedia_engine_t engine, int n) {
    rmedia_packet_t packet = {0};
    CHECK_IS(wrap_on(engine, &memory[n], RMEDIA_RELEASE_DEFERRED, &packet), RMEDIA_OK);
    return packet;
}

static void deferred(void) {
    rmedia_engine_t engine = engine_make();
    rmedia_pipeline_t pipeline = pipeline_on(engine, PASS);
    for (int n = 0; n < COUNT; n++) {
        rmedia_packet_t packet = wrap_deferred(engine, n);
        CHECK_IS(rmedia_pipeline_push(pipeline, 0, packet, RMEDIA_TRY, NULL), RMEDIA_OK);
    }
    CHECK_IS(rmedia_pipeline_destroy(pipeline), RMEDIA_OK);
    CHECK_IS(releases(COUNT), 0);
    uint32_t count = 99;
    CHECK_IS(rmedia_engine_run_releases(engine, 0, &count), RMEDIA_OK);
    CHECK_IS(count, 0);
    CHECK_IS(rmedia_engine_run_releases(engine, 3, &count), RMEDIA_OK);
    CHECK_IS(count, 3);
    CHECK_IS(releases(COUNT), 3);
    CHECK_IS(rmedia_engine_run_releases(engine, UINT32_MAX, &count), RMEDIA_OK);
    CHECK_IS(count, COUNT - 3);
    CHECK_IS(releases(COUNT), COUNT);
    CHECK_IS(rmedia_engine_run_releases(engine, 3, &count), RMEDIA_OK);
    CHECK_IS(count, 0);
    rmedia_engine_destroy(engine);
    CHECK_IS(releases(COUNT), COUNT);
}

static void deferred_without_engine(void) {
    rmedia_engine_t engine = engine_make();
    rmedia_packet_t waiting = wrap_deferred(engine, 0), outstanding = wrap_deferred(engine, 1);
    CHECK_IS(rmedia_packet_release(waiting), RMEDIA_OK);
    CHECK_IS(releases(COUNT), 0);
    CHECK_IS(rmedia_engine_destroy(engine), RMEDIA_OK);
    CHECK_IS(releases(COUNT), 1);
    CHECK_IS(rmedia_packet_release(outstanding), RMEDIA_OK);
    CHECK_IS(releases(COUNT), 2);
    /* The same while a pipeline holds the engine. */
    engine = engine_make();
    rmedia_pipeline_t pipeline = pipeline_on(engine, PASS);
    waiting = wrap_deferred(engine, 2), outstanding = wrap_deferred(engine, 3);
    CHECK_IS(rmedia_packet_release(waiting), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_push(pipeline, 0, outstanding, RMEDIA_TRY, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_engine_destroy(engine), RMEDIA_OK);
    CHECK_IS(releases(COUNT), 3);
    CHECK_IS(rmedia_pipeline_destroy(pipeline), RMEDIA_OK);
    CHECK_IS(releases(COUNT), 4);
}

static void no_function(void) {
    rmedia_packet_t packet = {0};
    rmedia_packet_info_t info = audio_info(480);
    info.data = memory[0].samples;
    for (uint32_t mode = 0; mode < 2; mode++) {
        CHECK_IS(rmedia_packet_wrap(&info, mode, NULL, NULL, &packet, NULL), RMEDIA_OK);
        CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
        CHECK_IS(rmedia_engine_run_releases(DEFAULT_ENGINE, 9, NULL), RMEDIA_OK);
    }
}

static void read_only(void) {
    void *data = NULL;
    rmedia_packet_t packet = wrap(&memory[0]);
    CHECK_IS(rmedia_packet_data(packet, &data), RMEDIA_E_STATE);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    packet = audio_packet(480);
    CHECK_IS(rmedia_packet_data(packet, &data), RMEDIA_OK);
    rmedia_packet_t part = {0};
    CHECK_IS(rmedia_packet_slice(packet, 0, 1, &part, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_packet_data(packet, &data), RMEDIA_E_STATE);
    CHECK_IS(rmedia_packet_data(part, &data), RMEDIA_E_STATE);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    CHECK_IS(rmedia_packet_data(part, &data), RMEDIA_OK);
    rmedia_packet_t shared = share(part);
    CHECK_IS(rmedia_packet_data(part, &data), RMEDIA_E_STATE);
    CHECK_IS(rmedia_packet_release(shared), RMEDIA_OK);
    CHECK_IS(rmedia_packet_data(part, &data), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(part), RMEDIA_OK);
}

static void alone_of_every_kind(void) {
    static const size_t shape[2] = {4, 2};
    static const uint32_t kinds[] = {RMEDIA_KIND_AUDIO, RMEDIA_KIND_VIDEO, RMEDIA_KIND_TENSOR,
                                     RMEDIA_KIND_ENCODED, RMEDIA_KIND_BYTES};
    for (size_t n = 0; n < sizeof kinds / sizeof kinds[0]; n++) {
        rmedia_packet_info_t info = audio_info(2);
        info.kind = kinds[n];
        info.width = info.height = 2;
        info.shape = shape;
        info.rank = 2;
        info.codec = "opus";
        if (kinds[n] == RMEDIA_KIND_BYTES || kinds[n] == RMEDIA_KIND_ENCODED) info.size = 8;
        rmedia_packet_t packet = packet_of(info);
        void *data = NULL;
        CHECK_IS(rmedia_packet_data(packet, &data), RMEDIA_OK);
        rmedia_packet_t shared = share(packet);
        CHECK_IS(rmedia_packet_data(packet, &data), RMEDIA_E_STATE);
        CHECK_IS(rmedia_packet_data(shared, &data), RMEDIA_E_STATE);
        rmedia_packet_release(packet);
        CHECK_IS(rmedia_packet_data(shared, &data), RMEDIA_OK);
        rmedia_packet_release(shared);
    }
}

static int at_most_once[2];
static void at_exit(void) {
    int count = releases(COUNT);
    if (write(at_most_once[1], &count, sizeof count) != sizeof count) _exit(3);
}
static void exits(void) {
    /* The harness of a child: what is held when the process ends is given back at most once. */
    NEED(pipe(at_most_once) == 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        atexit(at_exit);
        rmedia_pipeline_t pipeline = pipeline_make(PASS);
        push_all(pipeline, 4);
        for (int n = 4; n < COUNT; n++) wrap_deferred(DEFAULT_ENGINE, n);
        exit(0);
    }
    CHECK_IS(check_wait(child, check_seconds() / 2), 0);
    int count = -1;
    CHECK_IS(read(at_most_once[0], &count, sizeof count), sizeof count);
    CHECK(count >= 0 && count <= COUNT);
}

static rmedia_packet_t racing;
static void *races(void *user) {
    rmedia_packet_t own = *(rmedia_packet_t *)user;
    for (int n = 0; n < check_times(200); n++) {
        rmedia_packet_t part = {0}, shared = {0};
        rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
        CHECK_IS(rmedia_packet_share(racing, &shared), RMEDIA_OK);
        CHECK_IS(rmedia_packet_view(own, &info), RMEDIA_OK);
        CHECK_IS(rmedia_packet_slice(racing, (size_t)n, 1, &part, NULL), RMEDIA_OK);
        CHECK_IS(rmedia_packet_release(shared), RMEDIA_OK);
        CHECK_IS(rmedia_packet_release(part), RMEDIA_OK);
    }
    CHECK_IS(rmedia_packet_release(own), RMEDIA_OK);
    return NULL;
}
static void many_threads(void) {
    for (int round = 0; round < check_times(100); round++) {
        wrapped *mine = calloc(1, sizeof *mine);
        NEED(mine != NULL);
        racing = wrap(mine);
        rmedia_packet_t own[4];
        for (int n = 0; n < 4; n++) own[n] = share(racing);
        pthread_t threads[4];
        for (int n = 0; n < 4; n++) threads[n] = check_thread(races, &own[n]);
        for (int n = 0; n < 4; n++) pthread_join(threads[n], NULL);
        CHECK_IS(atomic_load(&mine->releases), 0);
        CHECK_IS(rmedia_packet_release(racing), RMEDIA_OK);
        CHECK_IS(atomic_load(&mine->releases), 1);
        CHECK_IS(rmedia_packet_release(racing), RMEDIA_E_BAD_HANDLE);
        free(mine);
    }
}

static const test TESTS[] = {
    {"memory goes back with the last of its packets", released},
    {"memory goes back when its packet was pulled and released", pulled},
    {"memory goes back in cancel", cancelled},
    {"memory goes back in close", closed},
    {"memory goes back in destroy", destroyed},
    {"memory goes back in reset", was_reset},
    {"memory goes back in rewind", rewound},
    {"memory goes back when a lossy queue drops its packet", lossy},
    {"memory goes back when its node fails", failed},
    {"a failing push takes none of what is shared", failed_shared},
    {"memory goes back when a node keeps nothing", swallowed},
    {"memory in open jobs goes back with them", in_jobs},
    {"what is shared can't be written, whatever its kind", alone_of_every_kind},
    {"memory that several pipelines hold goes back with the last", shared_handle},
    {"a push that is refused gives nothing back", refused},
    {"slices outlive what they are a part of", slices},
    {"deferred releases run when they are asked to, as many as asked", deferred},
    {"deferred releases run without their engine", deferred_without_engine},
    {"memory may be wrapped without a release", no_function},
    {"memory that is shared or the program's can't be written", read_only},
    {"memory that is held at exit goes back at most once", exits},
    {"memory goes back once from many threads", many_threads},
};

int main(int argc, char **argv) {
    return check_main(TESTS, sizeof TESTS / sizeof TESTS[0], argc, argv);
}
