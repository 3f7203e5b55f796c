/* Misuse of time: calls from callbacks, from inside nodes, and from many threads at once. What hangs
 * is ended by the harness and is a failure. */
#include "calls.h"

/* From inside a callback */

static rmedia_pipeline_t target;
static rmedia_engine_t target_engine;
static atomic_int ran;

/** Calls that wait, as a callback must not. */
static void refuse_waits(void) {
    rmedia_packet_t packet = {0};
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    rmedia_error_t error = {0};
    rmedia_packet_t text = text_packet("a");
    static const int32_t waits[] = {1, 1000, RMEDIA_FOREVER};
    for (int n = 0; n < 3; n++) {
        CHECK_IS(rmedia_pipeline_pull(target, 0, waits[n], &packet, NULL, NULL),
                 RMEDIA_E_REENTRANT);
        CHECK_IS(rmedia_pipeline_push(target, 0, text, waits[n], NULL), RMEDIA_E_REENTRANT);
        CHECK_IS(rmedia_engine_next_job(target_engine, waits[n], &job, NULL), RMEDIA_E_REENTRANT);
        CHECK_IS(rmedia_pipeline_close(target, waits[n], NULL), RMEDIA_E_REENTRANT);
    }
    CHECK_IS(rmedia_pipeline_close(target, 0, &error), RMEDIA_E_REENTRANT);
    CHECK(check_detail(error, "state.callback"));
    rmedia_packet_release(text);
    atomic_fetch_add(&ran, 1);
}

static void waits_in(void *user) {
    (void)user;
    refuse_waits();
}

static void waits_in_wakeup(void) {
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    target = pipeline_make(PASS);
    CHECK_IS(rmedia_pipeline_set_wakeup(pipeline, waits_in, NULL, waits_in), RMEDIA_OK);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(atomic_load(&ran), 1);
    CHECK_IS(rmedia_pipeline_set_wakeup(pipeline, NULL, NULL, NULL), RMEDIA_OK);
    CHECK_IS(atomic_load(&ran), 2);
    rmedia_pipeline_destroy(pipeline);
    rmedia_pipeline_destroy(target);
}

static rmedia_packet_t wrap_with(rmedia_release_fn release, void *user, uint32_t mode) {
    static const float samples[480];
    rmedia_packet_t packet = {0};
    rmedia_packet_info_t info = audio_info(480);
    info.data = samples;
    NEED(rmedia_packet_wrap(&info, mode, release, user, &packet, NULL) == RMEDIA_OK);
    return packet;
}

static void waits_in_release(void) {
    target = pipeline_make(PASS);
    CHECK_IS(rmedia_packet_release(wrap_with(waits_in, NULL, RMEDIA_RELEASE_DIRECT)), RMEDIA_OK);
    CHECK_IS(atomic_load(&ran), 1);
    CHECK_IS(rmedia_packet_release(wrap_with(waits_in, NULL, RMEDIA_RELEASE_DEFERRED)), RMEDIA_OK);
    CHECK_IS(atomic_load(&ran), 1);
    CHECK_IS(rmedia_engine_run_releases(DEFAULT_ENGINE, 10, NULL), RMEDIA_OK);
    CHECK_IS(atomic_load(&ran), 2);
    rmedia_pipeline_destroy(target);
}

static int32_t create_waits(void *user, rmedia_job_t job, const char *params, void **node) {
    (void)user, (void)job, (void)params, (void)node;
    refuse_waits();
    return RMEDIA_OK;
}
static int32_t process_waits(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    (void)node, (void)job, (void)port, (void)packet;
    refuse_waits();
    return RMEDIA_OK;
}
static int32_t drain_waits(void *node, rmedia_job_t job) {
    (void)node, (void)job;
    refuse_waits();
    return RMEDIA_OK;
}
static void params_wait(void *node, const char *params) {
    (void)node, (void)params;
    refuse_waits();
}

static void waits_in_nodes(void) {
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    rmedia_engine_t engine = engine_make();
    target = pipeline_make(PASS);
    type.declaration = DECLARATION(
        ",\"params\":[{\"name\":\"x\",\"type\":\"int\",\"default\":1,\"live\":true}]");
    type.create = create_waits;
    type.process = process_waits;
    type.drain = drain_waits;
    type.reset = waits_in;
    type.set_params = params_wait;
    type.destroy = waits_in;
    type.free = waits_in;
    NEED(rmedia_engine_add_node(engine, &type, NULL) == RMEDIA_OK);
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE);
    CHECK_CASE("create: times called", atomic_load(&ran), 1);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_CASE("process: times called", atomic_load(&ran), 2);
    CHECK_IS(rmedia_pipeline_set_params(pipeline, "node", "{\"x\":2}", RMEDIA_NO_TIME, NULL, NULL),
             RMEDIA_OK);
    CHECK_CASE("set_params: times called", atomic_load(&ran), 3);
    CHECK_IS(rmedia_pipeline_reset(pipeline, NULL, NULL), RMEDIA_OK);
    CHECK_CASE("reset: times called", atomic_load(&ran), 4);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_end(pipeline, RMEDIA_ANY, NULL), RMEDIA_OK);
    CHECK_CASE("drain: times called", atomic_load(&ran), 6);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
    CHECK_CASE("destroy and free: times called", atomic_load(&ran), 8);
    rmedia_pipeline_destroy(target);
}

/* What does not wait is fine in a node, on another pipeline. */
static int32_t uses_another(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    (void)node, (void)port;
    CHECK_IS(push_text(target, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_end(target, RMEDIA_ANY, NULL), RMEDIA_OK);
    CHECK_IS(pull_all(target), RMEDIA_END);
    CHECK_IS(rmedia_pipeline_rewind(target, NULL), RMEDIA_OK);
    atomic_fetch_add(&ran, 1);
    return rmedia_job_emit(job, 0, packet, NULL);
}

/* A node that calls its own pipeline */

static handles own;

static int32_t calls_its_own(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    (void)node, (void)port;
    static const char *const refused[] = {
        "rmedia_pipeline_push", "rmedia_pipeline_push_f32", "rmedia_pipeline_pull",
        "rmedia_pipeline_end",  "rmedia_pipeline_advance",  "rmedia_pipeline_reset",
        "rmedia_pipeline_gap",  "rmedia_pipeline_interrupt",
        "rmedia_pipeline_rewind", "rmedia_pipeline_set_params", "rmedia_pipeline_close"};
    for (size_t n = 0; n < CALL_COUNT; n++) {
        if (CALLS[n].about != PIPELINE) continue;
        if (strcmp(CALLS[n].name, "rmedia_pipeline_cancel") == 0) break;
        int32_t expected = RMEDIA_OK;
        for (size_t r = 0; r < sizeof refused / sizeof refused[0]; r++) {
            if (strcmp(CALLS[n].name, refused[r]) == 0) expected = RMEDIA_E_REENTRANT;
        }
        handles with = own;
        with.id[PACKET] = packet.id;
        /* Its input and output are not called `pass`. */
        int32_t status = CALLS[n].run(&with);
        if (status == RMEDIA_E_NOT_FOUND) status = RMEDIA_OK;
        CHECK_CASE(CALLS[n].name, status, expected);
    }
    atomic_fetch_add(&ran, 1);
    return rmedia_job_emit(job, 0, packet, NULL);
}

static rmedia_pipeline_t pipeline_of(rmedia_engine_t engine,
                                     int32_t (*process)(void *, rmedia_job_t, uint32_t,
                                                        rmedia_packet_t)) {
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    type.declaration = DECLARATION("");
    type.process = process;
    NEED(rmedia_engine_add_node(engine, &type, NULL) == RMEDIA_OK);
    return pipeline_on(engine, NODE);
}

static void node_uses_another(void) {
    rmedia_engine_t engine = engine_make();
    target = pipeline_make(PASS);
    rmedia_pipeline_t pipeline = pipeline_of(engine, uses_another);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(atomic_load(&ran), 1);
    CHECK_IS(pull_all(pipeline), RMEDIA_NEED_INPUT);
    rmedia_pipeline_destroy(pipeline);
    rmedia_pipeline_destroy(target);
    rmedia_engine_destroy(engine);
}

static rmedia_pipeline_t pair[2];
static int32_t calls_the_other(void *node, rmedia_job_t job, uint32_t port,
                               rmedia_packet_t packet) {
    (void)node, (void)job, (void)port, (void)packet;
    int depth = atomic_fetch_add(&ran, 1);
    CHECK_IS(push_text(pair[(depth + 1) % 2], "on", RMEDIA_TRY),
             depth == 0 ? RMEDIA_OK : RMEDIA_E_REENTRANT);
    return RMEDIA_OK;
}
static void nodes_call_each_other(void) {
    rmedia_engine_t engine = engine_make();
    pair[0] = pipeline_of(engine, calls_the_other);
    pair[1] = pipeline_on(engine, NODE);
    CHECK_IS(push_text(pair[0], "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(atomic_load(&ran), 2);
    rmedia_pipeline_destroy(pair[0]);
    rmedia_pipeline_destroy(pair[1]);
    rmedia_engine_destroy(engine);
}

static void node_calls_its_pipeline(void) {
    rmedia_engine_t engine = engine_make();
    rmedia_pipeline_t pipeline = pipeline_of(engine, calls_its_own);
    own.id[PIPELINE] = pipeline.id;
    own.id[ENGINE] = engine.id;
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(atomic_load(&ran), 1);
    rmedia_packet_t packet = {0};
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, NULL), RMEDIA_OK);
    rmedia_packet_release(packet);
    CHECK_IS(pull_all(pipeline), RMEDIA_NEED_INPUT);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
}

static int32_t cancels_its_own(void *node, rmedia_job_t job, uint32_t port,
                               rmedia_packet_t packet) {
    (void)node, (void)port;
    CHECK_IS(rmedia_pipeline_cancel(target), RMEDIA_OK);
    return rmedia_job_emit(job, 0, packet, NULL);
}
static int32_t destroys_its_own(void *node, rmedia_job_t job, uint32_t port,
                                rmedia_packet_t packet) {
    (void)node, (void)port;
    CHECK_IS(rmedia_pipeline_destroy(target), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_destroy(target), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(rmedia_engine_destroy(target_engine), RMEDIA_OK);
    return rmedia_job_emit(job, 0, packet, NULL);
}

static void node_ends_its_pipeline(void) {
    wrapped memory = {0};
    rmedia_packet_t packet = {0};
    target_engine = engine_make();
    target = pipeline_of(target_engine, cancels_its_own);
    int32_t status = rmedia_pipeline_push(target, 0, wrap(&memory), RMEDIA_TRY, NULL);
    CHECK(status == RMEDIA_OK || status == RMEDIA_E_CANCELLED);
    CHECK_IS(rmedia_pipeline_pull(target, 0, RMEDIA_FOREVER, &packet, NULL, NULL),
             RMEDIA_E_CANCELLED);
    CHECK_IS(atomic_load(&memory.releases), 1);
    rmedia_pipeline_destroy(target);
    rmedia_engine_destroy(target_engine);

    target_engine = engine_make();
    target = pipeline_of(target_engine, destroys_its_own);
    CHECK(rmedia_pipeline_push(target, 0, wrap(&memory), RMEDIA_TRY, NULL) <= 0);
    CHECK_IS(atomic_load(&memory.releases), 2);
    CHECK_IS(rmedia_pipeline_cancel(target), RMEDIA_E_BAD_HANDLE);
}

static int32_t adds_and_makes(void *user, rmedia_job_t job, const char *params, void **node) {
    (void)user, (void)job, (void)params, (void)node;
    rmedia_pipeline_t pipeline = pipeline_on(target_engine, PASS);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    rmedia_pipeline_destroy(pipeline);
    handles with = {{target_engine.id}};
    CHECK_IS(call_engine_add_node(&with), RMEDIA_OK);
    CHECK_IS(call_engine_add_host_node(&with), RMEDIA_OK);
    CHECK_IS(call_engine_nodes(&with), RMEDIA_OK);
    CHECK_IS(call_engine_validate(&with), RMEDIA_OK);
    atomic_fetch_add(&ran, 1);
    return RMEDIA_OK;
}

static void create_uses_the_engine(void) {
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    target_engine = engine_make();
    type.declaration = DECLARATION("");
    type.create = adds_and_makes;
    type.process = call_process;
    CHECK_IS(rmedia_engine_add_node(target_engine, &type, NULL), RMEDIA_OK);
    rmedia_pipeline_destroy(pipeline_on(target_engine, NODE));
    CHECK_IS(atomic_load(&ran), 1);
    rmedia_engine_destroy(target_engine);
}

/* A release that calls the pipeline that lets go of the memory */

static void pokes_everything(void *user) {
    (void)user;
    rmedia_packet_t packet = {0};
    int32_t state;
    uint32_t epoch;
    handles with = {{0}};
    with.id[PIPELINE] = target.id;
    /* Whatever they say: they must come back, and nothing may be done twice. */
    rmedia_pipeline_state(target, &state);
    call_pipeline_metrics(&with);
    call_pipeline_describe(&with);
    call_pipeline_next_event(&with);
    if (rmedia_pipeline_pull(target, 0, RMEDIA_TRY, &packet, NULL, NULL) == RMEDIA_OK) {
        rmedia_packet_release(packet);
    }
    push_text(target, "from a release", RMEDIA_TRY);
    call_pipeline_push_f32(&with);
    call_pipeline_advance(&with);
    rmedia_pipeline_reset(target, &epoch, NULL);
    call_pipeline_set_params(&with);
    rmedia_pipeline_cancel(target);
    rmedia_pipeline_destroy(target);
    atomic_fetch_add(&ran, 1);
}

static void fill(const char *manifest, int packets) {
    target = pipeline_make(manifest);
    for (int n = 0; n < packets; n++) {
        rmedia_packet_t packet = wrap_with(pokes_everything, NULL, RMEDIA_RELEASE_DIRECT);
        CHECK_IS(rmedia_pipeline_push(target, 0, packet, RMEDIA_TRY, NULL), RMEDIA_OK);
    }
}

static void release_in_cancel(void) {
    fill(PASS, 3);
    CHECK_IS(atomic_load(&ran), 0);
    CHECK_IS(rmedia_pipeline_cancel(target), RMEDIA_OK);
    CHECK_IS(atomic_load(&ran), 3);
}
static void release_in_destroy(void) {
    fill(PASS, 3);
    CHECK_IS(rmedia_pipeline_destroy(target), RMEDIA_OK);
    CHECK_IS(atomic_load(&ran), 3);
}
static void release_in_reset(void) {
    fill(PASS, 3);
    int32_t status = rmedia_pipeline_reset(target, NULL, NULL);
    CHECK(status == RMEDIA_OK || status == RMEDIA_E_CANCELLED);
    CHECK_IS(atomic_load(&ran), 3);
}
static void release_in_close(void) {
    fill(PASS, 3);
    rmedia_pipeline_close(target, 1000, NULL);
    CHECK_IS(atomic_load(&ran), 3);
}
static void release_in_lossy_output(void) {
    fill(PASS_QUEUE(2, "drop_oldest"), 2);
    rmedia_packet_t packet = text_packet("one more");
    if (rmedia_pipeline_push(target, 0, packet, RMEDIA_TRY, NULL) != RMEDIA_OK) {
        rmedia_packet_release(packet);
    }
    CHECK_IS(atomic_load(&ran), 2);
}
static void release_in_lossy_input(void) {
    rmedia_engine_t engine = engine_make();
    engine_add_host(engine, DECLARATION(""));
    target = pipeline_on(engine,
                         "{\"version\":\"v1\",\"nodes\":[{\"id\":\"node\",\"node_type\":"
                         "\"test/Node\"}],\"inputs\":{\"in\":{\"port\":\"node.in\",\"queue\":"
                         "{\"items\":1,\"policy\":\"drop_oldest\"}}}}");
    for (int n = 0; n < 4; n++) {
        rmedia_packet_t packet = wrap_with(pokes_everything, NULL, RMEDIA_RELEASE_DIRECT);
        if (rmedia_pipeline_push(target, 0, packet, RMEDIA_TRY, NULL) != RMEDIA_OK) {
            rmedia_packet_release(packet);
        }
    }
    CHECK(atomic_load(&ran) >= 1);
    rmedia_pipeline_destroy(target);
    CHECK_IS(atomic_load(&ran), 4);
    rmedia_engine_destroy(engine);
}
static void release_in_late_drop(void) {
    target = pipeline_make("{\"version\":\"v1\",\"nodes\":[{\"id\":\"pass\",\"node_type\":"
                           "\"PassThrough\"}],\"inputs\":{\"in\":{\"port\":\"pass.in\","
                           "\"late\":\"drop\"}}}");
    static const float samples[480];
    for (int n = 0; n < 2; n++) {
        rmedia_packet_t packet = {0};
        rmedia_packet_info_t info = audio_info(480);
        info.data = samples;
        info.flags = RMEDIA_PACKET_PTS;
        info.pts_ns = n == 0 ? 5000000000 : 0;
        CHECK_IS(rmedia_packet_wrap(&info, 0, n == 0 ? NULL : pokes_everything, NULL, &packet,
                                    NULL),
                 RMEDIA_OK);
        CHECK_IS(rmedia_pipeline_push(target, 0, packet, RMEDIA_TRY, NULL), RMEDIA_OK);
    }
    CHECK_IS(atomic_load(&ran), 1);
}
static void release_in_host_reset(void) {
    rmedia_engine_t engine = engine_make();
    engine_add_host(engine, DECLARATION(",\"max_in_flight\":2"));
    target = pipeline_on(engine, NODE);
    for (int n = 0; n < 4; n++) {
        rmedia_packet_t packet = wrap_with(pokes_everything, NULL, RMEDIA_RELEASE_DIRECT);
        CHECK_IS(rmedia_pipeline_push(target, 0, packet, RMEDIA_TRY, NULL), RMEDIA_OK);
    }
    rmedia_pipeline_reset(target, NULL, NULL);
    CHECK_IS(atomic_load(&ran), 4);
    rmedia_engine_destroy(engine);
}

static void runs_releases(void *user) {
    (void)user;
    atomic_fetch_add(&ran, 1);
    rmedia_engine_run_releases(DEFAULT_ENGINE, 1, NULL);
    handles zero = {{0}};
    call_packet_create(&zero);
    call_packet_wrap(&zero);
    call_engine_wait_handle(&zero);
}
static void release_runs_releases(void) {
    for (int n = 0; n < 100; n++) {
        rmedia_packet_release(wrap_with(runs_releases, NULL, RMEDIA_RELEASE_DEFERRED));
    }
    uint32_t count = 0;
    CHECK_IS(rmedia_engine_run_releases(DEFAULT_ENGINE, UINT32_MAX, &count), RMEDIA_OK);
    CHECK_IS(atomic_load(&ran), 100);
    CHECK(count >= 1 && count <= 100);
}

/* Locks of the program that a callback and a caller share */

/* A thread may be told inside its own call, so a lock that is held there must let it in again, as
 * Python's does. */
static pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static atomic_bool armed, inside, stop;

static void locks(void *user) {
    (void)user;
    if (!atomic_load(&armed)) return;
    atomic_store(&inside, true);
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    atomic_fetch_add(&ran, 1);
}

/** Holds the lock and calls the pipeline while the callback wants the lock. */
static void *calls_with_lock(void *user) {
    (void)user;
    pthread_mutex_lock(&mutex);
    atomic_store(&armed, true);
    while (!atomic_load(&inside)) check_sleep(1);
    check_sleep(50);
    rmedia_packet_t packet = {0};
    if (rmedia_pipeline_pull(target, 0, RMEDIA_TRY, &packet, NULL, NULL) == RMEDIA_OK) {
        rmedia_packet_release(packet);
    }
    handles with = {{0}};
    with.id[PIPELINE] = target.id;
    call_pipeline_metrics(&with);
    call_pipeline_next_event(&with);
    push_text(target, "x", RMEDIA_TRY);
    pthread_mutex_unlock(&mutex);
    return NULL;
}

/** Calls the pipeline under a lock while a wakeup or release, by `act`, takes that lock. */
static void while_locked(void (*act)(void)) {
    pthread_t thread = check_thread(calls_with_lock, NULL);
    while (!atomic_load(&armed)) check_sleep(1);
    act();
    pthread_join(thread, NULL);
    CHECK(atomic_load(&ran) >= 1);
    rmedia_pipeline_destroy(target);
}
static void push_b(void) { CHECK_IS(push_text(target, "b", RMEDIA_TRY), RMEDIA_OK); }
static void cancel(void) { CHECK_IS(rmedia_pipeline_cancel(target), RMEDIA_OK); }
static void reset(void) { CHECK_IS(rmedia_pipeline_reset(target, NULL, NULL), RMEDIA_OK); }

static void wakeup_locks_news(void) {
    target = pipeline_make(PASS);
    CHECK_IS(rmedia_pipeline_set_wakeup(target, locks, NULL, NULL), RMEDIA_OK);
    while_locked(push_b);
}
static void wakeup_locks_drop(void) {
    /* News waits when it is set, so it is called at once, and stays armed for the drop. */
    target = pipeline_make(PASS_QUEUE(1, "drop_oldest"));
    CHECK_IS(push_text(target, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_set_wakeup(target, locks, NULL, NULL), RMEDIA_OK);
    while_locked(push_b);
}
static void wakeup_locks_jump(void) {
    target = pipeline_make(PASS);
    for (int n = 0; n < 2; n++) {
        rmedia_packet_info_t info = audio_info(480);
        info.flags = RMEDIA_PACKET_PTS;
        info.pts_ns = n * 5000000000;
        rmedia_packet_t packet = packet_of(info);
        pthread_t thread = 0;
        if (n == 1) {
            CHECK_IS(rmedia_pipeline_set_wakeup(target, locks, NULL, NULL), RMEDIA_OK);
            thread = check_thread(calls_with_lock, NULL);
            while (!atomic_load(&armed)) check_sleep(1);
        }
        CHECK_IS(rmedia_pipeline_push(target, 0, packet, RMEDIA_TRY, NULL), RMEDIA_OK);
        if (n == 1) pthread_join(thread, NULL);
    }
    rmedia_pipeline_destroy(target);
}
static void release_locks(void (*act)(void)) {
    target = pipeline_make(PASS_QUEUE(1, "drop_oldest"));
    rmedia_packet_t packet = wrap_with(locks, NULL, RMEDIA_RELEASE_DIRECT);
    CHECK_IS(rmedia_pipeline_push(target, 0, packet, RMEDIA_TRY, NULL), RMEDIA_OK);
    while_locked(act);
}
static void release_locks_drop(void) { release_locks(push_b); }
static void release_locks_cancel(void) { release_locks(cancel); }
static void release_locks_reset(void) { release_locks(reset); }

static void *keeps_pulling_with_lock(void *user) {
    (void)user;
    while (!atomic_load(&stop)) {
        pthread_mutex_lock(&mutex);
        pull_all(target);
        events_all(target);
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}
static void locks_briefly(void *user) {
    (void)user;
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    atomic_fetch_add(&ran, 1);
}

/** The usual loop of a program: what waits is pulled under its lock, which the wakeup takes too. */
static void shared_lock(const char *manifest, rmedia_release_fn release, bool cancel) {
    for (int round = 0; round < check_times(30); round++) {
        target = pipeline_make(manifest);
        atomic_store(&stop, false);
        CHECK_IS(rmedia_pipeline_set_wakeup(target, locks_briefly, NULL, NULL), RMEDIA_OK);
        pthread_t thread = check_thread(keeps_pulling_with_lock, NULL);
        for (int n = 0; n < 200; n++) {
            rmedia_packet_t packet = wrap_with(release, NULL, RMEDIA_RELEASE_DIRECT);
            if (rmedia_pipeline_push(target, 0, packet, RMEDIA_TRY, NULL) != RMEDIA_OK) {
                rmedia_packet_release(packet);
            }
            if (n % 50 == 49) rmedia_pipeline_reset(target, NULL, NULL);
        }
        if (cancel) rmedia_pipeline_cancel(target);
        else rmedia_pipeline_close(target, 1000, NULL);
        atomic_store(&stop, true);
        pthread_join(thread, NULL);
        rmedia_pipeline_destroy(target);
    }
}
static void wakeup_shares_a_lock(void) { shared_lock(PASS_QUEUE(1, "drop_oldest"), NULL, true); }
static void wakeup_shares_a_lock_close(void) { shared_lock(PASS_QUEUE(1, "block"), NULL, false); }

static void *keeps_pulling(void *user) {
    (void)user;
    while (!atomic_load(&stop)) {
        rmedia_packet_t packet = {0};
        pthread_mutex_lock(&mutex);
        if (rmedia_pipeline_pull(target, 0, RMEDIA_TRY, &packet, NULL, NULL) != RMEDIA_OK) {
            packet.id = 0;
        }
        events_all(target);
        pthread_mutex_unlock(&mutex);
        rmedia_packet_release(packet);
    }
    return NULL;
}
static void release_shares_a_lock(void) {
    /* As above, and the release takes the lock; the puller lets go outside of it. */
    for (int round = 0; round < check_times(30); round++) {
        target = pipeline_make(PASS_QUEUE(1, "drop_oldest"));
        atomic_store(&stop, false);
        pthread_t thread = check_thread(keeps_pulling, NULL);
        for (int n = 0; n < 300; n++) {
            rmedia_packet_t packet = wrap_with(locks_briefly, NULL, RMEDIA_RELEASE_DIRECT);
            if (rmedia_pipeline_push(target, 0, packet, RMEDIA_TRY, NULL) != RMEDIA_OK) {
                rmedia_packet_release(packet);
            }
        }
        rmedia_pipeline_cancel(target);
        atomic_store(&stop, true);
        pthread_join(thread, NULL);
        rmedia_pipeline_destroy(target);
    }
    CHECK_IS(atomic_load(&ran), check_times(30) * 300);
}

/* Wakeups */

static void pulls(void *user) {
    (void)user;
    rmedia_packet_t packet = {0};
    if (atomic_fetch_add(&ran, 1) > 100000) abort();
    if (rmedia_pipeline_pull(target, 0, RMEDIA_TRY, &packet, NULL, NULL) == RMEDIA_OK) {
        rmedia_packet_release(packet);
    }
}
static void wakeup_pulls(void) {
    /* An event waits all the while, which is news after each pull. */
    target = pipeline_make(PASS);
    CHECK_IS(rmedia_pipeline_reset(target, NULL, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_set_wakeup(target, pulls, NULL, NULL), RMEDIA_OK);
    CHECK(atomic_load(&ran) < 10);
    rmedia_pipeline_destroy(target);
}

typedef struct sentinel {
    atomic_bool cleared;
    atomic_int calls;
} sentinel;

static void fires(void *user) {
    sentinel *mine = user;
    if (atomic_load(&mine->cleared)) check_failed(__FILE__, __LINE__, "called after it was cleared");
    atomic_fetch_add(&mine->calls, 1);
    if (atomic_load(&mine->cleared)) check_failed(__FILE__, __LINE__, "running after it was cleared");
}
static void *makes_news(void *user) {
    (void)user;
    while (!atomic_load(&stop)) {
        push_text(target, "a", RMEDIA_TRY);
        pull_all(target);
        events_all(target);
    }
    return NULL;
}
static void wakeup_cleared_while_firing(void) {
    int calls = 0;
    target = pipeline_make(PASS);
    pthread_t threads[3];
    for (int n = 0; n < 3; n++) threads[n] = check_thread(makes_news, NULL);
    double end = check_now() + 0.3 * check_seconds();
    for (int n = 0; n < check_times(3000) || (calls == 0 && check_now() < end); n++) {
        /* Freed when cleared: a tool that watches memory sees a call that comes later. */
        sentinel *mine = calloc(1, sizeof *mine);
        NEED(mine != NULL);
        CHECK_IS(rmedia_pipeline_set_wakeup(target, fires, mine, NULL), RMEDIA_OK);
        if (n % 3 == 0) check_sleep(calls == 0 ? 1 : 0);
        CHECK_IS(rmedia_pipeline_set_wakeup(target, NULL, NULL, NULL), RMEDIA_OK);
        atomic_store(&mine->cleared, true);
        calls += atomic_load(&mine->calls);
        free(mine);
    }
    atomic_store(&stop, true);
    for (int n = 0; n < 3; n++) pthread_join(threads[n], NULL);
    CHECK(calls > 0);
    rmedia_pipeline_destroy(target);
}

static atomic_int freed;
static void count_freed(void *user) {
    (void)user;
    atomic_fetch_add(&freed, 1);
}
static void clears_itself(void *user) {
    (void)user;
    CHECK_IS(rmedia_pipeline_set_wakeup(target, NULL, NULL, NULL), RMEDIA_OK);
    atomic_fetch_add(&ran, 1);
}
static void destroys_its_pipeline(void *user) {
    (void)user;
    CHECK_IS(rmedia_pipeline_destroy(target), RMEDIA_OK);
    atomic_fetch_add(&ran, 1);
}
static void wakeup_ends_itself(void) {
    target = pipeline_make(PASS);
    CHECK_IS(rmedia_pipeline_set_wakeup(target, clears_itself, NULL, count_freed), RMEDIA_OK);
    CHECK_IS(push_text(target, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(push_text(target, "b", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(atomic_load(&ran), 1);
    CHECK_IS(atomic_load(&freed), 1);
    pull_all(target);
    CHECK_IS(rmedia_pipeline_set_wakeup(target, destroys_its_pipeline, NULL, count_freed),
             RMEDIA_OK);
    if (atomic_load(&ran) == 1) push_text(target, "a", RMEDIA_TRY);
    CHECK_IS(atomic_load(&ran), 2);
    CHECK_IS(atomic_load(&freed), 2);
    CHECK_IS(rmedia_pipeline_cancel(target), RMEDIA_E_BAD_HANDLE);
}

static void sets_another(void *user) {
    (void)user;
    int mine = atomic_fetch_add(&ran, 1);
    /* Two of them are inside at once, then both set another. */
    for (int n = 0; n < 2000 && atomic_load(&ran) < 2; n++) check_sleep(1);
    if (mine < 2) {
        CHECK_IS(rmedia_pipeline_set_wakeup(target, locks_briefly, NULL, count_freed), RMEDIA_OK);
    }
}
static void *resets(void *user) {
    (void)user;
    rmedia_pipeline_reset(target, NULL, NULL);
    return NULL;
}
static void *polls(void *user) {
    (void)user;
    /* It finds no packet, and arms the wakeup anew; the event that waits makes it fire. */
    rmedia_packet_t packet = {0};
    rmedia_pipeline_pull(target, 0, RMEDIA_TRY, &packet, NULL, NULL);
    return NULL;
}
static void two_wakeups_set_another(void) {
    target = pipeline_make(PASS);
    CHECK_IS(rmedia_pipeline_set_wakeup(target, sets_another, NULL, count_freed), RMEDIA_OK);
    pthread_t a = check_thread(resets, NULL);
    while (atomic_load(&ran) < 1) check_sleep(1);
    pthread_t b = check_thread(polls, NULL);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    CHECK(atomic_load(&ran) >= 2);
    rmedia_pipeline_destroy(target);
    CHECK(atomic_load(&freed) >= 2);
}

/* Threads */

#define BLOCKED 8

typedef struct blocked {
    rmedia_pipeline_t pipeline;
    atomic_int begun, ended;
    int32_t expected;
    bool close;
} blocked;

static void *blocks_in_pull(void *user) {
    blocked *b = user;
    rmedia_packet_t packet = {0};
    atomic_fetch_add(&b->begun, 1);
    CHECK_IS(rmedia_pipeline_pull(b->pipeline, 0, RMEDIA_FOREVER, &packet, NULL, NULL),
             b->expected);
    atomic_fetch_add(&b->ended, 1);
    return NULL;
}
static void *blocks_in_push(void *user) {
    blocked *b = user;
    rmedia_packet_t packet = text_packet("more");
    atomic_fetch_add(&b->begun, 1);
    CHECK_IS(rmedia_pipeline_push(b->pipeline, 0, packet, RMEDIA_FOREVER, NULL), b->expected);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    atomic_fetch_add(&b->ended, 1);
    return NULL;
}
static void *blocks_in_close(void *user) {
    blocked *b = user;
    atomic_fetch_add(&b->begun, 1);
    CHECK_IS(rmedia_pipeline_close(b->pipeline, RMEDIA_FOREVER, NULL), b->expected);
    atomic_fetch_add(&b->ended, 1);
    return NULL;
}

/** A pipeline whose node has a job open that does not end, and whose input is full. */
static rmedia_pipeline_t stuck(rmedia_engine_t engine, rmedia_job_info_t *job) {
    engine_add_host(engine, DECLARATION(""));
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE_SMALL);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    *job = job_take(engine);
    int32_t status = RMEDIA_OK;
    for (int n = 0; n < 100 && status == RMEDIA_OK; n++) {
        status = push_text(pipeline, "b", RMEDIA_TRY);
    }
    CHECK_IS(status, RMEDIA_IN_FLIGHT);
    return pipeline;
}

static void ends_blocked(int32_t (*end)(rmedia_pipeline_t), int32_t expected, bool close) {
    rmedia_engine_t engine = engine_make();
    rmedia_job_info_t job;
    static blocked b;
    b = (blocked){.pipeline = stuck(engine, &job), .expected = expected};
    pthread_t threads[BLOCKED];
    for (int n = 0; n < BLOCKED; n++) {
        threads[n] = check_thread(close && n < 2   ? blocks_in_close
                                  : n < BLOCKED / 2 ? blocks_in_pull
                                                    : blocks_in_push,
                                  &b);
        if (close && n == 1) check_sleep(20);
    }
    while (atomic_load(&b.begun) < BLOCKED) check_sleep(1);
    if (!close) {
        check_sleep(100);
        CHECK_CASE("threads that did not block", atomic_load(&b.ended), 0);
    }
    CHECK_IS(end(b.pipeline), RMEDIA_OK);
    for (int n = 0; n < BLOCKED; n++) pthread_join(threads[n], NULL);
    CHECK_IS(atomic_load(&b.ended), BLOCKED);
    CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    rmedia_pipeline_destroy(b.pipeline);
    rmedia_job_info_t last = job_take(engine);
    CHECK_IS(last.kind, RMEDIA_JOB_CLOSE);
    CHECK_IS(rmedia_job_done(last.job), RMEDIA_OK);
    rmedia_engine_destroy(engine);
}
static void cancel_ends_waits(void) {
    ends_blocked(rmedia_pipeline_cancel, RMEDIA_E_CANCELLED, false);
}
static void destroy_ends_waits(void) {
    rmedia_engine_t engine = engine_make();
    rmedia_job_info_t job;
    static blocked b;
    b = (blocked){.pipeline = stuck(engine, &job), .expected = RMEDIA_E_CANCELLED};
    pthread_t threads[BLOCKED];
    for (int n = 0; n < BLOCKED; n++) {
        threads[n] = check_thread(n < 4 ? blocks_in_pull : blocks_in_push, &b);
    }
    while (atomic_load(&b.begun) < BLOCKED) check_sleep(1);
    check_sleep(100);
    CHECK_IS(rmedia_job_is_cancelled(job.job), 0);
    CHECK_IS(rmedia_pipeline_destroy(b.pipeline), RMEDIA_OK);
    for (int n = 0; n < BLOCKED; n++) pthread_join(threads[n], NULL);
    CHECK_IS(rmedia_job_is_cancelled(job.job), 1);
    CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    CHECK_IS(rmedia_job_is_cancelled(job.job), RMEDIA_E_BAD_HANDLE);
    job = job_take(engine);
    CHECK_IS(job.kind, RMEDIA_JOB_CLOSE);
    CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    rmedia_engine_destroy(engine);
}

static void two_close(void) {
    for (int cut = 0; cut < 2; cut++) {
        rmedia_engine_t engine = engine_make();
        engine_add_host(engine, DECLARATION(""));
        static blocked b;
        b = (blocked){.pipeline = pipeline_on(engine, NODE),
                      .expected = cut ? RMEDIA_E_CANCELLED : RMEDIA_OK};
        CHECK_IS(push_text(b.pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
        rmedia_job_info_t job = job_take(engine);
        pthread_t threads[2];
        for (int n = 0; n < 2; n++) threads[n] = check_thread(blocks_in_close, &b);
        while (atomic_load(&b.begun) < 2) check_sleep(1);
        check_sleep(50);
        CHECK_IS(atomic_load(&b.ended), 0);
        int32_t state = -1;
        CHECK_IS(rmedia_pipeline_state(b.pipeline, &state), RMEDIA_OK);
        CHECK_IS(state, RMEDIA_STATE_CLOSING);
        if (cut) rmedia_pipeline_cancel(b.pipeline);
        CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
        if (!cut) {
            /* Its drain, then its end. */
            job = job_take(engine);
            CHECK_IS(job.kind, RMEDIA_JOB_DRAIN);
            CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
        }
        for (int n = 0; n < 2; n++) pthread_join(threads[n], NULL);
        rmedia_pipeline_destroy(b.pipeline);
        job = job_take(engine);
        CHECK_IS(job.kind, RMEDIA_JOB_CLOSE);
        CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
        rmedia_engine_destroy(engine);
    }
}

static void *destroys(void *user) {
    int32_t status = rmedia_pipeline_destroy(target);
    CHECK(status == RMEDIA_OK || status == RMEDIA_E_BAD_HANDLE);
    if (status == RMEDIA_OK) atomic_fetch_add((atomic_int *)user, 1);
    return NULL;
}
static void many_destroy(void) {
    for (int round = 0; round < check_times(200); round++) {
        atomic_int done = 0;
        target = pipeline_make(PASS);
        pthread_t threads[4];
        for (int n = 0; n < 4; n++) threads[n] = check_thread(destroys, &done);
        for (int n = 0; n < 4; n++) pthread_join(threads[n], NULL);
        CHECK_IS(atomic_load(&done), 1);
    }
}

static void *waits_for_job(void *user) {
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    int32_t status = rmedia_engine_next_job(target_engine, RMEDIA_FOREVER, &job, NULL);
    atomic_store((atomic_int *)user, status);
    return NULL;
}
static void engine_destroy_ends_waits(void) {
    /* A thread that serves jobs for ever has no other way to end. */
    atomic_int status = 99;
    target_engine = engine_make();
    pthread_t thread = check_thread(waits_for_job, &status);
    check_sleep(100);
    CHECK_IS(rmedia_engine_destroy(target_engine), RMEDIA_OK);
    pthread_join(thread, NULL);
    CHECK_IS(atomic_load(&status), RMEDIA_EMPTY);
}

static void *pulls_forever(void *user) {
    rmedia_packet_t packet = {0};
    int32_t status = rmedia_pipeline_pull(target, 0, RMEDIA_FOREVER, &packet, NULL, NULL);
    rmedia_packet_release(packet);
    atomic_store((atomic_int *)user, status);
    return NULL;
}
static void server_that_leaves(void) {
    /* A pull waits because a job of another pipeline is being served. When its server leaves,
     * nobody will take the job that the pull waits for: it should say so. */
    rmedia_engine_t engine = engine_make();
    engine_add_host(engine, DECLARATION(""));
    rmedia_pipeline_t other = pipeline_on(engine, NODE);
    target = pipeline_on(engine, NODE);
    CHECK_IS(push_text(other, "a", RMEDIA_TRY), RMEDIA_OK);
    rmedia_job_info_t job = job_take(engine);
    CHECK_IS(push_text(target, "a", RMEDIA_TRY), RMEDIA_OK);
    atomic_int status = 99;
    pthread_t thread = check_thread(pulls_forever, &status);
    check_sleep(100);
    CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    pthread_join(thread, NULL);
    CHECK_IS(atomic_load(&status), RMEDIA_HOST);
    rmedia_pipeline_destroy(target);
    rmedia_pipeline_destroy(other);
    rmedia_job_info_t last = RMEDIA_JOB_INFO_INIT;
    while (rmedia_engine_next_job(engine, RMEDIA_TRY, &last, NULL) == RMEDIA_OK) {
        rmedia_job_done(last.job);
    }
    rmedia_engine_destroy(engine);
}

static void close_nobody_serves(void) {
    /* The caller alone could serve the job, so a close without a time limit must not wait for it. */
    rmedia_engine_t engine = engine_make();
    engine_add_host(engine, DECLARATION(""));
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK(rmedia_pipeline_close(pipeline, RMEDIA_FOREVER, NULL) > 0);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
}

static const test TESTS[] = {
    {"calls that wait are refused in a wakeup and its free", waits_in_wakeup},
    {"calls that wait are refused in a release, direct and deferred", waits_in_release},
    {"calls that wait are refused in the functions of a node type", waits_in_nodes},
    {"a node may use another pipeline without waiting", node_uses_another},
    {"nodes of two pipelines that call each other are refused", nodes_call_each_other},
    {"a node that calls its own pipeline is refused", node_calls_its_pipeline},
    {"a node may cancel and destroy its own pipeline and engine", node_ends_its_pipeline},
    {"create may use its engine", create_uses_the_engine},
    {"a release may call the pipeline that cancel empties", release_in_cancel},
    {"a release may call the pipeline that destroy empties", release_in_destroy},
    {"a release may call the pipeline that reset empties", release_in_reset},
    {"a release may call the pipeline that close empties", release_in_close},
    {"a release may call the pipeline whose output drops the packet", release_in_lossy_output},
    {"a release may call the pipeline whose input drops the packet", release_in_lossy_input},
    {"a release may call the pipeline that drops a late packet", release_in_late_drop},
    {"a release may call the pipeline whose jobs a reset drops", release_in_host_reset},
    {"a release may run releases", release_runs_releases},
    {"a wakeup for a packet may lock what a caller of the pipeline holds", wakeup_locks_news},
    {"a wakeup for a drop may lock what a caller of the pipeline holds", wakeup_locks_drop},
    {"a wakeup for a jump in time may lock what a caller of the pipeline holds", wakeup_locks_jump},
    {"a release by a lossy queue may lock what a caller of the pipeline holds", release_locks_drop},
    {"a release by cancel may lock what a caller of the pipeline holds", release_locks_cancel},
    {"a release by reset may lock what a caller of the pipeline holds", release_locks_reset},
    {"a wakeup shares a lock with the thread that pulls, lossy queue", wakeup_shares_a_lock},
    {"a wakeup shares a lock with the thread that pulls, close", wakeup_shares_a_lock_close},
    {"a release shares a lock with the thread that pulls", release_shares_a_lock},
    {"a wakeup that pulls does not call itself without end", wakeup_pulls},
    {"a wakeup that is cleared while it fires is not called any more", wakeup_cleared_while_firing},
    {"a wakeup may clear itself and destroy its pipeline", wakeup_ends_itself},
    {"two wakeups at once may both set another", two_wakeups_set_another},
    {"cancel ends eight waiting threads", cancel_ends_waits},
    {"destroy ends eight waiting threads", destroy_ends_waits},
    {"two threads close one pipeline", two_close},
    {"of many threads that destroy a pipeline one succeeds", many_destroy},
    {"destroying an engine ends those that wait for its jobs", engine_destroy_ends_waits},
    {"a pull notices that the last server has left", server_that_leaves},
    {"close does not wait for a job that nobody serves", close_nobody_serves},
};

int main(int argc, char **argv) {
    return check_main(TESTS, sizeof TESTS / sizeof TESTS[0], argc, argv);
}
