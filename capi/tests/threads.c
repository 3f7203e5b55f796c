/* Pipelines whose nodes the engine's threads run: order, interrupts, waiting, the program's own nodes
 * there, and what is left when they go. */
#include "fixture.h"

#include <poll.h>
#include <sched.h>
#include <semaphore.h>

#define ON_THREADS(type) \
    "{\"version\":\"v1\",\"placement\":\"thread\",\"queue\":{\"items\":4},\"nodes\":[" \
    "{\"id\":\"a\",\"node_type\":\"" type "\"}," \
    "{\"id\":\"b\",\"node_type\":\"" type "\",\"placement\":\"thread\"}," \
    "{\"id\":\"c\",\"node_type\":\"" type "\",\"placement\":\"thread\"}],\"connections\":[" \
    "{\"from\":\"a\",\"to\":\"b\"},{\"from\":\"b\",\"to\":\"c\"}]}"

/** Of a node on a thread, behind an input that holds two packets. */
#define NODE_THREAD(more) \
    "{\"version\":\"v1\",\"nodes\":[{\"id\":\"node\",\"node_type\":\"test/Node\"," \
    "\"placement\":\"thread\"}],\"inputs\":{\"in\":{\"port\":\"node.in\",\"queue\":" \
    "{\"items\":2}}}" more "}"

#define PACKETS 20000

static int32_t pull_one(rmedia_pipeline_t pipeline, int32_t timeout_ms, rmedia_packet_t *packet) {
    return rmedia_pipeline_pull(pipeline, RMEDIA_ANY, timeout_ms, packet, NULL, NULL);
}

static rmedia_packet_t timed_packet(int64_t pts_ns) {
    rmedia_packet_info_t info = info_of(RMEDIA_KIND_TEXT);
    info.flags = RMEDIA_PACKET_PTS;
    info.pts_ns = pts_ns;
    info.data = "a";
    info.size = RMEDIA_NUL_TERMINATED;
    return packet_of(info);
}

static int64_t time_of(rmedia_packet_t packet) {
    rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
    NEED(rmedia_packet_view(packet, &info) == RMEDIA_OK);
    return info.pts_ns;
}

/** Whether something comes true that other threads still have to do. */
#define SOON(condition) \
    do { \
        for (int tries_ = 0; tries_ < 500 && !(condition); tries_++) check_sleep(10); \
        CHECK(condition); \
    } while (0)

static rmedia_engine_t engine_with(int32_t (*process)(void *, rmedia_job_t, uint32_t,
                                                      rmedia_packet_t),
                                   void *user, const char *declaration) {
    rmedia_engine_t engine = engine_make();
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    type.declaration = declaration;
    type.user = user;
    type.process = process;
    NEED(rmedia_engine_add_node(engine, &type, NULL) == RMEDIA_OK);
    return engine;
}

/* A pusher beside us */

typedef struct pusher {
    rmedia_pipeline_t pipeline;
    int packets;
    pthread_t thread;
} pusher;

static void *pushes(void *user) {
    pusher *p = user;
    for (int n = 0; n < p->packets; n++) {
        rmedia_packet_t packet = timed_packet(n);
        int32_t status;
        while ((status = rmedia_pipeline_push(p->pipeline, 0, packet, RMEDIA_FOREVER, NULL)) ==
               RMEDIA_FULL) {
            /* Only a pull helps, and that is another thread's. */
            sched_yield();
        }
        if (status != RMEDIA_OK) rmedia_packet_release(packet);
        CHECK_IS(status, RMEDIA_OK);
    }
    CHECK_IS(rmedia_pipeline_end(p->pipeline, RMEDIA_ANY, NULL), RMEDIA_OK);
    return NULL;
}

static pusher pusher_start(rmedia_pipeline_t pipeline, pusher *p) {
    p->pipeline = pipeline;
    p->packets = check_times(PACKETS);
    p->thread = check_thread(pushes, p);
    return *p;
}

/** Takes a packet that must be the next one. */
static void take_next(rmedia_packet_t packet, int *next) {
    CHECK_IS(time_of(packet), *next);
    *next += 1;
    rmedia_packet_release(packet);
}

static void chain_keeps_order(void) {
    rmedia_pipeline_t pipeline = pipeline_make(ON_THREADS("PassThrough"));
    rmedia_packet_t packet = {0};
    pusher p;
    int next = 0;
    int32_t status;
    pusher_start(pipeline, &p);
    while ((status = pull_one(pipeline, RMEDIA_FOREVER, &packet)) != RMEDIA_END) {
        /* Before the other thread pushes there is nothing to wait for. */
        if (status == RMEDIA_OK) take_next(packet, &next);
        else CHECK_IS(status, RMEDIA_NEED_INPUT);
    }
    pthread_join(p.thread, NULL);
    CHECK_IS(next, p.packets);
    CHECK_IS(rmedia_pipeline_close(pipeline, RMEDIA_FOREVER, NULL), RMEDIA_OK);
    rmedia_pipeline_destroy(pipeline);
}

/** Pulls until it would have to wait. */
static int32_t take_all(rmedia_pipeline_t pipeline, int *next) {
    rmedia_packet_t packet = {0};
    int32_t status;
    while ((status = pull_one(pipeline, RMEDIA_TRY, &packet)) == RMEDIA_OK) {
        take_next(packet, next);
    }
    CHECK_IS(events_all(pipeline), RMEDIA_EMPTY);
    return status;
}

static void wait_handle_tells_of_threads(void) {
    rmedia_pipeline_t pipeline = pipeline_make(ON_THREADS("PassThrough"));
    struct pollfd wait = {.fd = -1, .events = POLLIN};
    pusher p;
    int next = 0;
    CHECK_IS(rmedia_pipeline_wait_handle(pipeline, &wait.fd), RMEDIA_OK);
    pusher_start(pipeline, &p);
    while (take_all(pipeline, &next) != RMEDIA_END) CHECK_IS(poll(&wait, 1, -1), 1);
    pthread_join(p.thread, NULL);
    CHECK_IS(next, p.packets);
    rmedia_pipeline_destroy(pipeline);
}

/** One thread that pushes and pulls without waiting, and polls when neither goes on. */
static void one_thread_polls(void) {
    rmedia_pipeline_t pipeline = pipeline_make(ON_THREADS("PassThrough"));
    struct pollfd wait = {.fd = -1, .events = POLLIN};
    int pushed = 0, next = 0, packets = check_times(PACKETS);
    CHECK_IS(rmedia_pipeline_wait_handle(pipeline, &wait.fd), RMEDIA_OK);
    while (take_all(pipeline, &next) != RMEDIA_END) {
        int before = pushed;
        rmedia_packet_t packet = {0};
        while (pushed < packets) {
            packet = timed_packet(pushed);
            if (rmedia_pipeline_push(pipeline, 0, packet, RMEDIA_TRY, NULL) != RMEDIA_OK) break;
            pushed++;
        }
        if (pushed < packets) rmedia_packet_release(packet);
        else if (before < pushed) CHECK_IS(rmedia_pipeline_end(pipeline, 0, NULL), RMEDIA_OK);
        if (before == pushed) CHECK_IS(poll(&wait, 1, -1), 1);
    }
    CHECK_IS(next, packets);
    rmedia_pipeline_destroy(pipeline);
}

static void pokes(void *user) { sem_post(user); }

static void wakeup_tells_of_threads(void) {
    rmedia_pipeline_t pipeline = pipeline_make(ON_THREADS("PassThrough"));
    sem_t poked;
    pusher p;
    int next = 0;
    NEED(sem_init(&poked, 0, 0) == 0);
    CHECK_IS(rmedia_pipeline_set_wakeup(pipeline, pokes, &poked, NULL), RMEDIA_OK);
    pusher_start(pipeline, &p);
    while (take_all(pipeline, &next) != RMEDIA_END) {
        while (sem_wait(&poked) != 0) CHECK_IS(errno, EINTR);
    }
    pthread_join(p.thread, NULL);
    CHECK_IS(next, p.packets);
    CHECK_IS(rmedia_pipeline_set_wakeup(pipeline, NULL, NULL, NULL), RMEDIA_OK);
    rmedia_pipeline_destroy(pipeline);
    sem_destroy(&poked);
}

/* Real time */

static void put(FILE *file, uint32_t value, int bytes) {
    for (; bytes > 0; bytes--, value >>= 8) putc((int)(value & 255), file);
}

/** A file with a second of silence, 8,000 Hz, 16 bits. */
static void write_wav(const char *path) {
    FILE *file = fopen(path, "wb");
    NEED(file != NULL);
    fputs("RIFF", file), put(file, 36 + 16000, 4), fputs("WAVEfmt ", file), put(file, 16, 4);
    put(file, 1, 2), put(file, 1, 2), put(file, 8000, 4), put(file, 16000, 4), put(file, 2, 2);
    put(file, 16, 2), fputs("data", file), put(file, 16000, 4);
    for (int n = 0; n < 8000; n++) put(file, 0, 2);
    NEED(fclose(file) == 0);
}

/** A source in real time: the program polls, and does nothing before it is told. */
static void paced(const char *placement) {
    char path[64], manifest[512];
    snprintf(path, sizeof path, "/tmp/rmedia-paced-%d.wav", (int)getpid());
    write_wav(path);
    snprintf(manifest, sizeof manifest,
             "{\"version\":\"v1\",\"nodes\":[{\"id\":\"r\",\"node_type\":\"MediaReader\","
             "\"pace\":\"realtime\",\"placement\":\"%s\",\"params\":{\"path\":\"%s\"}}]}",
             placement, path);
    rmedia_pipeline_t pipeline = pipeline_make(manifest);
    struct pollfd wait = {.fd = -1, .events = POLLIN};
    rmedia_packet_t packet = {0};
    size_t frames = 0;
    int due = 0;
    int32_t status;
    CHECK_IS(rmedia_pipeline_wait_handle(pipeline, &wait.fd), RMEDIA_OK);
    while ((status = pull_one(pipeline, RMEDIA_TRY, &packet)) != RMEDIA_END) {
        if (status == RMEDIA_OK) {
            rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
            CHECK_IS(rmedia_packet_view(packet, &info), RMEDIA_OK);
            frames += info.frames;
            rmedia_packet_release(packet);
            continue;
        }
        due += status == RMEDIA_DUE;
        CHECK(status == RMEDIA_DUE || status == RMEDIA_BUSY);
        CHECK_IS(events_all(pipeline), RMEDIA_EMPTY);
        CHECK_IS(poll(&wait, 1, -1), 1);
    }
    CHECK_IS(frames, 8000);
    CHECK(due > 0);
    rmedia_pipeline_destroy(pipeline);
    unlink(path);
}

static void due_inline(void) { paced("inline"); }
static void due_on_a_thread(void) { paced("thread"); }

/** What is due is waited for by a pull, and by a close. */
static void due_is_waited_for(void) {
    char path[64], manifest[512];
    snprintf(path, sizeof path, "/tmp/rmedia-due-%d.wav", (int)getpid());
    write_wav(path);
    snprintf(manifest, sizeof manifest,
             "{\"version\":\"v1\",\"nodes\":[{\"id\":\"r\",\"node_type\":\"MediaReader\","
             "\"pace\":\"realtime\",\"params\":{\"path\":\"%s\"}}]}",
             path);
    rmedia_pipeline_t pipeline = pipeline_make(manifest);
    rmedia_packet_t packet = {0};
    size_t packets = 0;
    int32_t status;
    while ((status = pull_one(pipeline, RMEDIA_FOREVER, &packet)) == RMEDIA_OK) {
        packets++;
        rmedia_packet_release(packet);
    }
    CHECK_IS(status, RMEDIA_END);
    CHECK(packets > 1);
    CHECK_IS(rmedia_pipeline_rewind(pipeline, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_close(pipeline, RMEDIA_FOREVER, NULL), RMEDIA_OK);
    rmedia_pipeline_destroy(pipeline);
    unlink(path);
}

/* Interrupts */

typedef struct gate {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;
    int inside;
} gate;

#define GATE {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0}

static void gate_open(gate *g) {
    pthread_mutex_lock(&g->lock);
    g->open = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->lock);
}

static void gate_wait_inside(gate *g) {
    pthread_mutex_lock(&g->lock);
    while (g->inside == 0) pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
}

/** Lets nothing through before the gate is open. */
static int32_t process_at_gate(void *node, rmedia_job_t job, uint32_t port,
                               rmedia_packet_t packet) {
    gate *g = node;
    (void)port;
    pthread_mutex_lock(&g->lock);
    g->inside++;
    pthread_cond_broadcast(&g->changed);
    while (!g->open) pthread_cond_wait(&g->changed, &g->lock);
    pthread_mutex_unlock(&g->lock);
    return rmedia_job_emit(job, 0, packet, NULL);
}

typedef struct waiting {
    rmedia_pipeline_t pipeline;
    rmedia_packet_t packet;
    int taken;
    atomic_int status;
} waiting;

/** Pushes until a push comes to something else than its packet being taken. */
static void *pushes_until_refused(void *user) {
    waiting *w = user;
    int32_t status;
    do {
        w->packet = timed_packet(w->taken);
        status = rmedia_pipeline_push(w->pipeline, 0, w->packet, RMEDIA_FOREVER, NULL);
        w->taken += status == RMEDIA_OK;
    } while (status == RMEDIA_OK);
    atomic_store(&w->status, status);
    return NULL;
}

static void interrupts_a_waiting_push(int32_t (*forget)(rmedia_pipeline_t, uint32_t *,
                                                        rmedia_error_t *)) {
    gate g = GATE;
    rmedia_engine_t engine = engine_with(process_at_gate, &g, DECLARATION(",\"blocking\":true"));
    waiting w = {.pipeline = pipeline_on(engine, NODE_THREAD("")), .status = RMEDIA_OK};
    pthread_t thread = check_thread(pushes_until_refused, &w);
    uint32_t epoch = 0;
    while (atomic_load(&w.status) == RMEDIA_OK) {
        uint32_t before = epoch;
        CHECK_IS(forget(w.pipeline, &epoch, NULL), RMEDIA_OK);
        CHECK_IS(epoch, before + 1);
        sched_yield();
    }
    pthread_join(thread, NULL);
    CHECK_IS(w.status, RMEDIA_INTERRUPTED);
    /* It is the caller's still, and may be pushed again. */
    CHECK_IS(time_of(w.packet), w.taken);
    gate_open(&g);
    CHECK_IS(forget(w.pipeline, NULL, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_push(w.pipeline, 0, w.packet, RMEDIA_FOREVER, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_end(w.pipeline, RMEDIA_ANY, NULL), RMEDIA_OK);
    rmedia_packet_t packet = {0};
    CHECK_IS(pull_one(w.pipeline, RMEDIA_FOREVER, &packet), RMEDIA_OK);
    CHECK_IS(time_of(packet), w.taken);
    rmedia_packet_release(packet);
    CHECK_IS(pull_one(w.pipeline, RMEDIA_FOREVER, &packet), RMEDIA_END);
    rmedia_pipeline_destroy(w.pipeline);
    rmedia_engine_destroy(engine);
}

static void interrupt_ends_a_push(void) { interrupts_a_waiting_push(rmedia_pipeline_interrupt); }
static void reset_ends_a_push(void) { interrupts_a_waiting_push(rmedia_pipeline_reset); }

static void interrupt_spares_what_lies_before(void) {
    gate g = GATE;
    rmedia_engine_t engine = engine_with(process_at_gate, &g, DECLARATION(",\"blocking\":true"));
    const char *manifest = NODE_THREAD(",\"interrupt\":{\"from\":[\"node\"]}");
    rmedia_pipeline_t pipeline = pipeline_on(engine, manifest);
    pusher p = {.pipeline = pipeline, .packets = 5};
    p.thread = check_thread(pushes, &p);
    gate_wait_inside(&g);
    for (int n = 0; n < check_times(1000); n++) {
        CHECK_IS(rmedia_pipeline_interrupt(pipeline, NULL, NULL), RMEDIA_OK);
    }
    gate_open(&g);
    rmedia_packet_t packet = {0};
    int32_t status;
    int next = 0;
    while ((status = pull_one(pipeline, RMEDIA_FOREVER, &packet)) != RMEDIA_END) {
        if (status == RMEDIA_OK) take_next(packet, &next);
    }
    pthread_join(p.thread, NULL);
    CHECK_IS(next, 5);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
}

static void nothing_old_after_an_interrupt(void) {
    rmedia_pipeline_t pipeline = pipeline_make(ON_THREADS("PassThrough"));
    int rounds = check_times(3000);
    for (int n = 0; n < rounds; n++) {
        rmedia_packet_t packet = {0};
        int32_t status;
        do {
            packet = timed_packet(n);
            status = rmedia_pipeline_push(pipeline, 0, packet, RMEDIA_TRY, NULL);
        } while (status == RMEDIA_OK);
        rmedia_packet_release(packet);
        if (n % 3 == 0 && pull_one(pipeline, RMEDIA_TRY, &packet) == RMEDIA_OK) {
            CHECK_IS(time_of(packet), n);
            rmedia_packet_release(packet);
        }
        CHECK_IS(rmedia_pipeline_interrupt(pipeline, NULL, NULL), RMEDIA_OK);
        CHECK(pull_one(pipeline, RMEDIA_TRY, &packet) != RMEDIA_OK);
    }
    rmedia_pipeline_destroy(pipeline);
}

/* The program's nodes on the engine's threads */

typedef struct census {
    pthread_t caller;
    atomic_int elsewhere, here, inside[3];
} census;

static census counted;

typedef struct member {
    atomic_int inside;
    int calls;
} member;

static int32_t member_create(void *user, rmedia_job_t job, const char *params, void **node) {
    (void)user, (void)job, (void)params;
    *node = calloc(1, sizeof(member));
    return *node != NULL ? RMEDIA_OK : RMEDIA_E_LIMIT;
}

static int32_t member_process(void *node, rmedia_job_t job, uint32_t port,
                              rmedia_packet_t packet) {
    member *m = node;
    (void)port;
    CHECK_IS(atomic_fetch_add(&m->inside, 1), 0);
    /* Not atomic: calls of one node come one after the other, whatever thread they are on. */
    m->calls++;
    atomic_int *where = pthread_equal(pthread_self(), counted.caller) ? &counted.here
                                                                     : &counted.elsewhere;
    atomic_fetch_add(where, 1);
    int32_t status = rmedia_job_emit(job, 0, packet, NULL);
    atomic_fetch_sub(&m->inside, 1);
    return status;
}

static void function_nodes_run_there(void) {
    rmedia_engine_t engine = engine_make();
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    type.declaration = DECLARATION("");
    type.create = member_create;
    type.process = member_process;
    type.destroy = free;
    NEED(rmedia_engine_add_node(engine, &type, NULL) == RMEDIA_OK);
    rmedia_pipeline_t pipeline = pipeline_on(engine, ON_THREADS("test/Node"));
    rmedia_packet_t packet = {0};
    pusher p;
    int next = 0;
    int32_t status;
    counted.caller = pthread_self();
    pusher_start(pipeline, &p);
    while ((status = pull_one(pipeline, RMEDIA_FOREVER, &packet)) != RMEDIA_END) {
        if (status == RMEDIA_OK) take_next(packet, &next);
    }
    pthread_join(p.thread, NULL);
    CHECK_IS(next, p.packets);
    CHECK_IS(atomic_load(&counted.elsewhere), 3 * p.packets);
    CHECK_IS(atomic_load(&counted.here), 0);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
}

static rmedia_pipeline_t own, other;
static atomic_int tried;

/** Calls of the node's own pipeline are refused, those that wait on any other, too. */
static int32_t process_calls(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    rmedia_packet_t text = text_packet("b"), pulled = {0};
    (void)node, (void)job, (void)port, (void)packet;
    CHECK_IS(rmedia_pipeline_push(own, 0, text, RMEDIA_TRY, NULL), RMEDIA_E_REENTRANT);
    CHECK_IS(pull_one(own, RMEDIA_TRY, &pulled), RMEDIA_E_REENTRANT);
    CHECK_IS(rmedia_pipeline_end(own, RMEDIA_ANY, NULL), RMEDIA_E_REENTRANT);
    CHECK_IS(rmedia_pipeline_gap(own, RMEDIA_ANY, 5, NULL), RMEDIA_E_REENTRANT);
    CHECK_IS(rmedia_pipeline_advance(own, NULL), RMEDIA_E_REENTRANT);
    CHECK_IS(rmedia_pipeline_interrupt(own, NULL, NULL), RMEDIA_E_REENTRANT);
    CHECK_IS(rmedia_pipeline_reset(own, NULL, NULL), RMEDIA_E_REENTRANT);
    CHECK_IS(pull_one(other, RMEDIA_FOREVER, &pulled), RMEDIA_E_REENTRANT);
    CHECK_IS(rmedia_pipeline_close(other, RMEDIA_TRY, NULL), RMEDIA_E_REENTRANT);
    CHECK_IS(rmedia_pipeline_push(other, 0, text, RMEDIA_TRY, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_interrupt(other, NULL, NULL), RMEDIA_OK);
    atomic_fetch_add(&tried, 1);
    return RMEDIA_OK;
}

static void nodes_may_not_call_their_pipeline(void) {
    rmedia_engine_t engine = engine_with(process_calls, NULL, DECLARATION(""));
    own = pipeline_on(engine, NODE_THREAD(""));
    other = pipeline_make(PASS);
    CHECK_IS(push_text(own, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_close(own, RMEDIA_FOREVER, NULL), RMEDIA_OK);
    CHECK_IS(atomic_load(&tried), 1);
    rmedia_pipeline_destroy(own);
    rmedia_pipeline_destroy(other);
    rmedia_engine_destroy(engine);
}

static int32_t process_destroys(void *node, rmedia_job_t job, uint32_t port,
                                rmedia_packet_t packet) {
    (void)node, (void)job, (void)port, (void)packet;
    CHECK_IS(rmedia_pipeline_destroy(own), RMEDIA_OK);
    atomic_fetch_add(&tried, 1);
    return RMEDIA_OK;
}

static atomic_int freed;
static void frees(void *user) {
    (void)user;
    atomic_fetch_add(&freed, 1);
}

/** A node may end its pipeline; then it goes with the thread that it runs on. */
static void node_destroys_its_pipeline(void) {
    rmedia_engine_t engine = engine_make();
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    type.declaration = DECLARATION("");
    type.process = process_destroys;
    type.free = frees;
    NEED(rmedia_engine_add_node(engine, &type, NULL) == RMEDIA_OK);
    own = pipeline_on(engine, NODE_THREAD(""));
    CHECK_IS(push_text(own, "a", RMEDIA_TRY), RMEDIA_OK);
    rmedia_engine_destroy(engine);
    SOON(atomic_load(&freed) == 1);
    CHECK_IS(atomic_load(&tried), 1);
}

/** One thread that pushes, serves and pulls: the node's thread never waits for its job. */
static void queue_node_served_by_the_puller(void) {
    rmedia_engine_t engine = engine_make();
    engine_add_host(engine, DECLARATION(""));
    rmedia_pipeline_t pipeline = pipeline_on(engine, ON_THREADS("test/Node"));
    rmedia_packet_t packet = {0};
    int pushed = 0, next = 0, packets = check_times(300);
    int32_t status = RMEDIA_OK;
    while (status != RMEDIA_END) {
        while (pushed < packets) {
            packet = timed_packet(pushed);
            if (rmedia_pipeline_push(pipeline, 0, packet, RMEDIA_TRY, NULL) != RMEDIA_OK) break;
            pushed++;
        }
        if (pushed < packets) rmedia_packet_release(packet);
        else CHECK_IS(rmedia_pipeline_end(pipeline, RMEDIA_ANY, NULL), RMEDIA_OK);
        while ((status = pull_one(pipeline, RMEDIA_FOREVER, &packet)) == RMEDIA_OK) {
            take_next(packet, &next);
        }
        rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
        while (status == RMEDIA_HOST &&
               rmedia_engine_next_job(engine, RMEDIA_TRY, &job, NULL) == RMEDIA_OK) {
            if (job.packet.id != 0) CHECK_IS(rmedia_job_emit(job.job, 0, job.packet, NULL), 0);
            CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
        }
    }
    CHECK_IS(next, packets);
    rmedia_pipeline_destroy(pipeline);
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    for (int closed = 0; closed < 3; closed += job.kind == RMEDIA_JOB_CLOSE) {
        job = job_take(engine);
        CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    }
    rmedia_engine_destroy(engine);
}

static void *serves(void *user) {
    rmedia_engine_t engine = *(rmedia_engine_t *)user;
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    while (rmedia_engine_next_job(engine, RMEDIA_FOREVER, &job, NULL) == RMEDIA_OK) {
        if (job.packet.id != 0) CHECK_IS(rmedia_job_emit(job.job, 0, job.packet, NULL), RMEDIA_OK);
        CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    }
    return NULL;
}

static void queue_node_served_by_others(void) {
    rmedia_engine_t engine = engine_make();
    engine_add_host(engine, DECLARATION(",\"max_in_flight\":3"));
    rmedia_pipeline_t pipeline = pipeline_on(engine, ON_THREADS("test/Node"));
    pthread_t servers[] = {check_thread(serves, &engine), check_thread(serves, &engine)};
    rmedia_packet_t packet = {0};
    pusher p = {.pipeline = pipeline, .packets = check_times(3000)};
    int next = 0;
    int32_t status;
    p.thread = check_thread(pushes, &p);
    while ((status = pull_one(pipeline, RMEDIA_FOREVER, &packet)) != RMEDIA_END) {
        if (status == RMEDIA_OK) take_next(packet, &next);
    }
    pthread_join(p.thread, NULL);
    CHECK_IS(next, p.packets);
    rmedia_pipeline_destroy(pipeline);
    rmedia_engine_destroy(engine);
    pthread_join(servers[0], NULL);
    pthread_join(servers[1], NULL);
}

/* Ends in the midst of work */

typedef struct flood {
    rmedia_pipeline_t pipeline;
    wrapped *memory;
    atomic_int *wraps;
    pthread_t thread;
} flood;

static void *floods(void *user) {
    flood *f = user;
    int32_t status = RMEDIA_OK;
    while (status >= 0) {
        rmedia_packet_t packet = wrap(f->memory);
        atomic_fetch_add(f->wraps, 1);
        status = rmedia_pipeline_push(f->pipeline, 0, packet, RMEDIA_FOREVER, NULL);
        if (status != RMEDIA_OK) rmedia_packet_release(packet);
    }
    CHECK(status == RMEDIA_E_CANCELLED || status == RMEDIA_E_BAD_HANDLE);
    return NULL;
}

static void ends_under_load(int32_t (*end)(rmedia_pipeline_t)) {
    for (int round = 0; round < check_times(200); round++) {
        static wrapped memory;
        static atomic_int wraps;
        rmedia_pipeline_t pipeline = pipeline_make(ON_THREADS("PassThrough"));
        flood f[2];
        for (int n = 0; n < 2; n++) {
            f[n] = (flood){.pipeline = pipeline, .memory = &memory, .wraps = &wraps};
            f[n].thread = check_thread(floods, &f[n]);
        }
        for (int n = 0; n < round % 20; n++) {
            rmedia_packet_t packet = {0};
            if (pull_one(pipeline, RMEDIA_FOREVER, &packet) == RMEDIA_OK) {
                rmedia_packet_release(packet);
            }
        }
        CHECK_IS(end(pipeline), RMEDIA_OK);
        for (int n = 0; n < 2; n++) pthread_join(f[n].thread, NULL);
        rmedia_pipeline_destroy(pipeline);
        SOON(atomic_load(&memory.releases) == atomic_load(&wraps));
    }
}

static void destroy_under_load(void) { ends_under_load(rmedia_pipeline_destroy); }
static void cancel_under_load(void) { ends_under_load(rmedia_pipeline_cancel); }

/** Threads of this process. */
static int threads_now(void) {
    char line[256];
    int count = -1;
    FILE *file = fopen("/proc/self/status", "r");
    NEED(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) sscanf(line, "Threads: %d", &count);
    fclose(file);
    return count;
}

static int threads_of(rmedia_engine_t engine) {
    int pool = 0, blocking = 0, realtime = 0;
    rmedia_string_t json = {0};
    CHECK_IS(rmedia_engine_threads(engine, &json), RMEDIA_OK);
    const char *text = rmedia_string_data(json);
    const char *at = strstr(text, "\"pool\":");
    if (at != NULL) pool = atoi(at + 7);
    if ((at = strstr(text, "\"blocking\":")) != NULL) blocking = atoi(at + 11);
    if ((at = strstr(text, "\"realtime\":")) != NULL) realtime = atoi(at + 11);
    rmedia_string_release(json);
    return pool + blocking + realtime;
}

static void *does_nothing(void *user) { return user; }

static void threads_go_with_the_engine(void) {
    /* A sanitizer has a thread of its own from the program's first on. */
    pthread_join(check_thread(does_nothing, NULL), NULL);
    int before = threads_now();
    rmedia_engine_t engine = engine_make();
    rmedia_pipeline_t pipeline = pipeline_on(engine, PASS);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(threads_of(engine), 0);
    CHECK_IS(threads_now(), before);
    rmedia_pipeline_destroy(pipeline);
    pipeline = pipeline_on(engine, ON_THREADS("PassThrough"));
    CHECK(threads_of(engine) > 0);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_end(pipeline, RMEDIA_ANY, NULL), RMEDIA_OK);
    /* The pipeline goes on without the engine's handle. */
    rmedia_engine_destroy(engine);
    rmedia_packet_t packet = {0};
    CHECK_IS(pull_one(pipeline, RMEDIA_FOREVER, &packet), RMEDIA_OK);
    rmedia_packet_release(packet);
    CHECK_IS(pull_one(pipeline, RMEDIA_FOREVER, &packet), RMEDIA_END);
    rmedia_pipeline_destroy(pipeline);
    SOON(threads_now() == before);
}

int main(int argc, char **argv) {
    static const test tests[] = {
        {"a chain of threads keeps order and loses nothing", chain_keeps_order},
        {"the wait handle tells of what threads bring", wait_handle_tells_of_threads},
        {"the wakeup tells of what threads bring", wakeup_tells_of_threads},
        {"one thread pushes, pulls and polls", one_thread_polls},
        {"the wait handle tells when a source in the calls is due", due_inline},
        {"the wait handle tells when a source on a thread is due", due_on_a_thread},
        {"pull and close wait for what is due", due_is_waited_for},
        {"an interrupt ends a push that waits, which keeps its packet", interrupt_ends_a_push},
        {"a reset ends a push that waits, which keeps its packet", reset_ends_a_push},
        {"an interrupt spares what lies before", interrupt_spares_what_lies_before},
        {"nothing older is pulled after an interrupt", nothing_old_after_an_interrupt},
        {"function nodes run on the engine's threads, one call at a time",
         function_nodes_run_there},
        {"nodes on threads may not call their own pipeline", nodes_may_not_call_their_pipeline},
        {"a node on a thread destroys its pipeline", node_destroys_its_pipeline},
        {"queue nodes on threads are served by the thread that pulls",
         queue_node_served_by_the_puller},
        {"queue nodes on threads are served by other threads", queue_node_served_by_others},
        {"destroy under load leaves nothing", destroy_under_load},
        {"cancel under load leaves nothing", cancel_under_load},
        {"threads are there when needed and go with the engine", threads_go_with_the_engine},
    };
    return check_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
