/* Eight threads call everything at once, on the same pipelines and packets, for some seconds:
 *
 *     stress [SECONDS [SEED]]
 *
 * Whatever a call says is right, but for a panic or an unknown status. In the end all memory was given
 * back exactly once, every wakeup was freed once, and nothing is live. */
#include "calls.h"

#define THREADS 8
#define PIPELINES 13
#define PACKETS 24
#define JOBS 8
#define BLOCKS (1 << 21)

static rmedia_engine_t engine;
static atomic_ullong pipelines[PIPELINES], packets[PACKETS], jobs[JOBS];
static atomic_uchar *blocks;
static atomic_uint block_count;
static atomic_ulong wakeups_set, wakeups_freed, wakeups_called, creates, destroys;
static atomic_bool stop;
static float samples[480];

typedef struct worker {
    pthread_t thread;
    uint64_t random;
    atomic_ulong steps;
    _Atomic(const char *) at;
    atomic_bool done;
} worker;

static worker workers[THREADS];

static uint32_t next(worker *w, uint32_t below) {
    w->random ^= w->random << 13, w->random ^= w->random >> 7, w->random ^= w->random << 17;
    return (uint32_t)(w->random >> 32) % below;
}

/** Notes a status that no call may give. */
static int32_t sane(const char *what, int32_t status) {
    if (status == RMEDIA_E_PANIC || status > RMEDIA_INTERRUPTED || status < RMEDIA_E_FORKED) {
        char text[128];
        snprintf(text, sizeof text, "%s gives %d", what, status);
        check_failed(__FILE__, __LINE__, text);
    }
    return status;
}
#define TRY(call) sane(#call, call)

/* The program's functions */

static void gives_back(void *user) { atomic_fetch_add((atomic_uchar *)user, 1); }
static void woken(void *user) {
    (void)user;
    atomic_fetch_add(&wakeups_called, 1);
}
static void wakeup_freed(void *user) {
    (void)user;
    atomic_fetch_add(&wakeups_freed, 1);
}
static int32_t node_create(void *user, rmedia_job_t job, const char *params, void **node) {
    (void)user, (void)job, (void)params;
    *node = calloc(1, 64);
    atomic_fetch_add(&creates, 1);
    return RMEDIA_OK;
}
static int32_t node_process(void *node, rmedia_job_t job, uint32_t port, rmedia_packet_t packet) {
    unsigned *count = node;
    (void)port;
    switch (++*count % 16) {
    case 0: return RMEDIA_OK;
    case 1:
        for (int n = 0; n < JOBS; n++) {
            unsigned long long none = 0;
            if (atomic_compare_exchange_strong(&jobs[n], &none, job.id)) return RMEDIA_IN_FLIGHT;
        }
        break;
    case 2: {
        rmedia_packet_t part = {0};
        if (rmedia_packet_slice(packet, 1, 7, &part, NULL) == RMEDIA_OK) {
            TRY(rmedia_job_emit(job, 0, part, NULL));
        }
        break;
    }
    default: break;
    }
    if (*count % 4096 == 4095) return TRY(rmedia_job_fail(job, "now and then")), -1;
    TRY(rmedia_job_emit(job, 0, packet, NULL));
    return RMEDIA_OK;
}
static int32_t node_drain(void *node, rmedia_job_t job) {
    (void)node, (void)job;
    return RMEDIA_OK;
}
static void node_reset(void *node) { memset(node, 0, 64); }
static void node_params(void *node, const char *params) { ((char *)node)[63] = params[0]; }
static void node_destroy(void *node) {
    free(node);
    atomic_fetch_add(&destroys, 1);
}

/* What threads share */

static rmedia_pipeline_t make_pipeline(worker *w, uint32_t which) {
    static const char *const manifests[PIPELINES] = {
        PASS,
        PASS_QUEUE(2, "drop_oldest"),
        PASS_QUEUE(1, "keep_latest"),
        GAIN,
        NODE_SMALL,
        "{\"version\":\"v1\",\"nodes\":[{\"id\":\"node\",\"node_type\":\"test/Function\"}]}",
        "{\"version\":\"v1\",\"nodes\":[{\"id\":\"a\",\"node_type\":\"AudioResample\",\"params\":"
        "{\"target_sample_rate\":16000}},{\"id\":\"gain\",\"node_type\":\"Gain\"},{\"id\":\"c\","
        "\"node_type\":\"test/Node\"}],\"connections\":[{\"from\":\"a\",\"to\":\"gain\"},"
        "{\"from\":\"gain\",\"to\":\"c\"}]}",
        "{\"version\":\"v1\",\"nodes\":[{\"id\":\"node\",\"node_type\":\"test/Function\"},"
        "{\"id\":\"b\",\"node_type\":\"test/Node\"},{\"id\":\"gain\",\"node_type\":\"Gain\"}],"
        "\"connections\":[{\"from\":\"node\",\"to\":\"b\"},{\"from\":\"node\",\"to\":\"gain\"}]}",
        /* On threads: a node, three kinds of nodes in a row, lanes that meet by time, a lossy branch. */
        "{\"version\":\"v1\",\"placement\":\"thread\",\"nodes\":[{\"id\":\"node\",\"node_type\":"
        "\"test/Function\"}],\"queue\":{\"items\":2}}",
        "{\"version\":\"v1\",\"placement\":\"thread\",\"nodes\":[{\"id\":\"a\",\"node_type\":"
        "\"test/Function\"},{\"id\":\"node\",\"node_type\":\"test/Node\",\"placement\":\"inline\"},"
        "{\"id\":\"gain\",\"node_type\":\"Gain\",\"placement\":\"thread\"}],\"connections\":["
        "{\"from\":\"a\",\"to\":\"node\"},{\"from\":\"node\",\"to\":\"gain\"}],"
        "\"interrupt\":{\"from\":[\"a\"]}}",
        "{\"version\":\"v1\",\"nodes\":[{\"id\":\"a\",\"node_type\":\"PassThrough\",\"placement\":"
        "\"thread\"},{\"id\":\"gain\",\"node_type\":\"Gain\"},{\"id\":\"c\",\"node_type\":\"Merge\","
        "\"params\":{\"order\":\"time\"},\"placement\":\"thread\"}],\"connections\":["
        "{\"from\":\"a\",\"to\":\"c\"},{\"from\":\"gain\",\"to\":\"c\"}]}",
        "{\"version\":\"v1\",\"nodes\":[{\"id\":\"a\",\"node_type\":\"Gain\",\"placement\":\"thread\"},"
        "{\"id\":\"gain\",\"node_type\":\"Gain\"},{\"id\":\"c\",\"node_type\":\"Mixer\",\"max_wait_ms\":5"
        "}],\"connections\":[{\"from\":\"a\",\"to\":\"c\"},{\"from\":\"gain\",\"to\":\"c\"}]}",
        "{\"version\":\"v1\",\"nodes\":[{\"id\":\"a\",\"node_type\":\"PassThrough\"},{\"id\":\"node\","
        "\"node_type\":\"test/Function\",\"placement\":\"thread\"},{\"id\":\"gain\",\"node_type\":\"Gain\","
        "\"placement\":\"thread\"}],\"connections\":[{\"from\":\"a\",\"to\":\"node\"},{\"from\":\"a\","
        "\"to\":\"gain\",\"queue\":{\"items\":1,\"policy\":\"drop_oldest\"}}]}",
    };
    (void)w;
    return pipeline_on(engine, manifests[which]);
}

static rmedia_packet_t make_packet(worker *w) {
    rmedia_packet_t packet = {0};
    rmedia_packet_info_t info = audio_info(480);
    info.engine = engine;
    info.data = samples;
    unsigned block = BLOCKS;
    if (next(w, 4) != 0) block = atomic_fetch_add(&block_count, 1);
    if (block < BLOCKS) {
        uint32_t mode = next(w, 2);
        if (TRY(rmedia_packet_wrap(&info, mode, gives_back, &blocks[block], &packet, NULL)) !=
            RMEDIA_OK) {
            check_failed(__FILE__, __LINE__, "a packet was not wrapped");
        }
    } else {
        info.data = next(w, 2) ? samples : NULL;
        TRY(rmedia_packet_create(&info, &packet, NULL));
    }
    return packet;
}

/** A handle of our own to some packet: a new one, or one that others use. */
static rmedia_packet_t own_packet(worker *w) {
    rmedia_packet_t packet = {atomic_load(&packets[next(w, PACKETS)])};
    rmedia_packet_t shared = {0};
    if (next(w, 2) && TRY(rmedia_packet_share(packet, &shared)) == RMEDIA_OK) return shared;
    return make_packet(w);
}

/** Ends a handle of our own: gives it to others, or releases it. */
static void let_go(worker *w, rmedia_packet_t packet) {
    if (next(w, 3) == 0) packet.id = atomic_exchange(&packets[next(w, PACKETS)], packet.id);
    TRY(rmedia_packet_release(packet));
}

static void end_job(worker *w, rmedia_job_t job) {
    for (uint32_t n = next(w, 3); n > 0; n--) {
        rmedia_packet_t packet = own_packet(w);
        if (TRY(rmedia_job_emit(job, next(w, 8) == 0, packet, NULL)) != RMEDIA_OK) {
            let_go(w, packet);
        }
    }
    if (next(w, 2000) == 0) TRY(rmedia_job_fail(job, "no"));
    else TRY(rmedia_job_done(job));
}

static void step(worker *w) {
    uint32_t which = next(w, PIPELINES), roll = next(w, 1000);
    rmedia_pipeline_t pipeline = {atomic_load(&pipelines[which])};
    handles with = {{engine.id, pipeline.id}};
    int32_t wait = next(w, 8) == 0 ? (int32_t)next(w, 3) : RMEDIA_TRY;
    if (roll < 330) {
        atomic_store(&w->at, "push");
        rmedia_packet_t packet = own_packet(w);
        rmedia_error_t error = {0};
        uint32_t input = next(w, 3) != 0 ? next(w, 2) : RMEDIA_ANY;
        int32_t status = TRY(rmedia_pipeline_push(pipeline, input, packet, wait, &error));
        rmedia_error_release(error);
        if (status != RMEDIA_OK) rmedia_packet_release(packet);
    } else if (roll < 400) {
        atomic_store(&w->at, "push_f32");
        TRY(rmedia_pipeline_push_f32(pipeline, 0, samples, 480, 48000, 1, NULL));
    } else if (roll < 600) {
        atomic_store(&w->at, "pull");
        rmedia_packet_t packet = {0};
        uint32_t output = next(w, 2) ? RMEDIA_ANY : 0;
        if (TRY(rmedia_pipeline_pull(pipeline, output, wait, &packet, NULL, NULL)) == RMEDIA_OK) {
            let_go(w, packet);
        }
    } else if (roll < 720) {
        atomic_store(&w->at, "next_job");
        rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
        if (TRY(rmedia_engine_next_job(engine, wait, &job, NULL)) == RMEDIA_OK) {
            if (job.packet.id != 0 && next(w, 2)) {
                if (TRY(rmedia_job_emit(job.job, 0, job.packet, NULL)) != RMEDIA_OK) {
                    check_failed(__FILE__, __LINE__, "a lent packet was not emitted");
                }
            }
            if (next(w, 8) == 0) job.job.id = atomic_exchange(&jobs[next(w, JOBS)], job.job.id);
            if (job.job.id != 0) end_job(w, job.job);
        }
    } else if (roll < 780) {
        atomic_store(&w->at, "job");
        rmedia_job_t job = {atomic_exchange(&jobs[next(w, JOBS)], 0)};
        if (job.id != 0) end_job(w, job);
    } else if (roll < 860) {
        atomic_store(&w->at, "packet");
        rmedia_packet_t packet = own_packet(w), part = {0};
        rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
        void *data;
        if (TRY(rmedia_packet_view(packet, &info)) == RMEDIA_OK && info.size > 0) {
            /* Our reference keeps it readable. */
            volatile unsigned char byte = ((const unsigned char *)info.data)[info.size - 1];
            (void)byte;
        }
        TRY(rmedia_packet_data(packet, &data));
        if (TRY(rmedia_packet_slice(packet, next(w, 9), next(w, 9), &part, NULL)) == RMEDIA_OK) {
            let_go(w, part);
        }
        let_go(w, packet);
        with.id[PACKET] = atomic_load(&packets[next(w, PACKETS)]);
        TRY(call_packet_view(&with));
    } else if (roll < 880) {
        atomic_store(&w->at, "run_releases");
        TRY(rmedia_engine_run_releases(engine, next(w, 100), NULL));
    } else if (roll < 910) {
        atomic_store(&w->at, "next_event");
        TRY(call_pipeline_next_event(&with));
        TRY(call_engine_next_log(&with));
    } else if (roll < 925) {
        atomic_store(&w->at, "metrics");
        TRY(call_pipeline_metrics(&with));
        TRY(call_pipeline_state(&with));
        TRY(call_pipeline_describe(&with));
    } else if (roll < 940) {
        atomic_store(&w->at, "set_params");
        int64_t at = next(w, 2) ? RMEDIA_NO_TIME : (int64_t)next(w, 100) * 10000000;
        TRY(rmedia_pipeline_set_params(pipeline, "gain", "{\"gain_db\":-3}", at, NULL, NULL));
    } else if (roll < 950) {
        atomic_store(&w->at, "set_wakeup");
        bool set = next(w, 2);
        if (TRY(rmedia_pipeline_set_wakeup(pipeline, set ? woken : NULL, NULL, wakeup_freed)) ==
            RMEDIA_OK) {
            atomic_fetch_add(&wakeups_set, 1);
        }
        if (next(w, 8) == 0) TRY(call_pipeline_wait_handle(&with));
        if (next(w, 8) == 0) TRY(call_engine_wait_handle(&with));
        if (next(w, 4) == 0) {
            TRY(rmedia_engine_set_wakeup(engine, set ? woken : NULL, NULL, wakeup_freed));
            atomic_fetch_add(&wakeups_set, 1);
        }
    } else if (roll < 957) {
        atomic_store(&w->at, "watch");
        if (next(w, 4) != 0) TRY(rmedia_pipeline_watch(pipeline, which));
        else TRY(rmedia_pipeline_unwatch(pipeline));
        if (TRY(rmedia_engine_next_ready(engine, &pipeline, NULL)) == RMEDIA_OK) {
            with.id[PIPELINE] = pipeline.id;
            TRY(call_pipeline_pull(&with));
            TRY(call_pipeline_next_event(&with));
        }
    } else if (roll < 960) {
        atomic_store(&w->at, "reset");
        TRY(rmedia_pipeline_reset(pipeline, NULL, NULL));
    } else if (roll < 965) {
        atomic_store(&w->at, "interrupt");
        TRY(rmedia_pipeline_interrupt(pipeline, NULL, NULL));
    } else if (roll < 968) {
        atomic_store(&w->at, "gap");
        TRY(rmedia_pipeline_gap(pipeline, next(w, 2), (int64_t)next(w, 100) * 10000000, NULL));
    } else if (roll < 972) {
        atomic_store(&w->at, "advance");
        TRY(rmedia_pipeline_advance(pipeline, NULL));
    } else if (roll < 979) {
        atomic_store(&w->at, "end");
        TRY(rmedia_pipeline_end(pipeline, RMEDIA_ANY, NULL));
    } else if (roll < 986) {
        atomic_store(&w->at, "rewind");
        TRY(rmedia_pipeline_rewind(pipeline, NULL));
    } else if (roll < 988) {
        atomic_store(&w->at, "cancel");
        TRY(rmedia_pipeline_cancel(pipeline));
    } else if (roll < 990) {
        atomic_store(&w->at, "close");
        TRY(rmedia_pipeline_close(pipeline, (int32_t)next(w, 5), NULL));
    } else {
        atomic_store(&w->at, "destroy");
        rmedia_pipeline_t made = next(w, 16) ? make_pipeline(w, which) : (rmedia_pipeline_t){0};
        pipeline.id = atomic_exchange(&pipelines[which], made.id);
        TRY(rmedia_pipeline_destroy(pipeline));
    }
}

static void *works(void *user) {
    worker *w = user;
    while (!atomic_load(&stop)) {
        step(w);
        atomic_fetch_add(&w->steps, 1);
    }
    atomic_store(&w->done, true);
    return NULL;
}

static void *watches(void *user) {
    unsigned long seen[THREADS] = {0};
    double since[THREADS];
    (void)user;
    for (int n = 0; n < THREADS; n++) since[n] = check_now();
    for (;;) {
        check_sleep(500);
        for (int n = 0; n < THREADS; n++) {
            unsigned long steps = atomic_load(&workers[n].steps);
            if (steps != seen[n] || atomic_load(&workers[n].done)) {
                seen[n] = steps;
                since[n] = check_now();
            } else if (check_now() - since[n] > 60) {
                fprintf(stderr, "    no progress for 60 s:\n");
                for (int k = 0; k < THREADS; k++) {
                    fprintf(stderr, "    thread %d: %s, %lu steps%s\n", k,
                            atomic_load(&workers[k].at), atomic_load(&workers[k].steps),
                            k == n ? ", stuck" : "");
                }
                abort();
            }
        }
    }
    return NULL;
}

static void stress(double seconds, uint64_t seed) {
    rmedia_node_type_t type = RMEDIA_NODE_TYPE_INIT;
    blocks = calloc(BLOCKS, 1);
    engine = engine_make();
    NEED(blocks != NULL);
    engine_add_host(engine, DECLARATION(",\"max_in_flight\":3"));
    type.declaration = "{\"name\":\"test/Function\",\"inputs\":[{\"name\":\"in\"}],\"outputs\":"
                       "[{\"name\":\"out\"}],\"max_in_flight\":2,\"params\":[{\"name\":\"x\","
                       "\"type\":\"int\",\"default\":1,\"live\":true}]}";
    type.create = node_create;
    type.process = node_process;
    type.drain = node_drain;
    type.reset = node_reset;
    type.set_params = node_params;
    type.destroy = node_destroy;
    NEED(rmedia_engine_add_node(engine, &type, NULL) == RMEDIA_OK);
    for (uint32_t n = 0; n < PIPELINES; n++) pipelines[n] = make_pipeline(NULL, n).id;
    pthread_t watchdog = check_thread(watches, NULL);
    pthread_detach(watchdog);
    for (int n = 0; n < THREADS; n++) {
        workers[n].random = (seed + (uint64_t)n + 1) * 0x9E3779B97F4A7C15u;
        atomic_store(&workers[n].at, "begin");
        workers[n].thread = check_thread(works, &workers[n]);
    }
    check_sleep((int)(seconds * 1000));
    atomic_store(&stop, true);
    unsigned long steps = 0;
    for (int n = 0; n < THREADS; n++) {
        pthread_join(workers[n].thread, NULL);
        steps += workers[n].steps;
    }
    for (int n = 0; n < PIPELINES; n++) {
        rmedia_pipeline_destroy((rmedia_pipeline_t){atomic_load(&pipelines[n])});
    }
    for (int n = 0; n < PACKETS; n++) {
        TRY(rmedia_packet_release((rmedia_packet_t){atomic_load(&packets[n])}));
    }
    for (int n = 0; n < JOBS; n++) rmedia_job_done((rmedia_job_t){atomic_load(&jobs[n])});
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    while (rmedia_engine_next_job(engine, RMEDIA_TRY, &job, NULL) == RMEDIA_OK) {
        /* Of a call that had begun when its pipeline went, nobody wants the result: soon it says so. */
        bool works = job.kind == RMEDIA_JOB_PROCESS || job.kind == RMEDIA_JOB_DRAIN;
        for (int n = 0; works && n < 1000 && rmedia_job_is_cancelled(job.job) == 0; n++) {
            check_sleep(10);
        }
        if (works) CHECK_IS(rmedia_job_is_cancelled(job.job), 1);
        CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    }
    /* The engine's threads let go of what they are at. */
    for (int n = 0; n < 1000 && creates != destroys; n++) check_sleep(10);
    CHECK_IS(rmedia_engine_run_releases(engine, UINT32_MAX, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_engine_destroy(engine), RMEDIA_OK);
    unsigned count = atomic_load(&block_count) < BLOCKS ? atomic_load(&block_count) : BLOCKS;
    unsigned never = 0, often = 0;
    /* A thread of the engine may still be about to let go of the last packet that it had. */
    for (int tries = 0; tries < 1000; tries++) {
        never = often = 0;
        for (unsigned n = 0; n < count; n++) {
            int times = atomic_load(&blocks[n]);
            never += times == 0;
            often += times > 1;
        }
        if (never == 0) break;
        check_sleep(10);
    }
    CHECK_IS(never, 0);
    CHECK_IS(often, 0);
    CHECK_IS(wakeups_set, wakeups_freed);
    CHECK_IS(creates, destroys);
    printf("    %lu steps, %u blocks, %lu wakeups, %lu pipelines with a function node\n", steps,
           count, atomic_load(&wakeups_called), atomic_load(&creates));
    free(blocks);
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? atof(argv[1]) : 5;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    printf("    %.0f s, seed %llu\n", seconds, (unsigned long long)seed);
    stress(seconds, seed);
    CHECK(check_nothing_lives());
    bool good = atomic_load(&check_failures) == 0;
    printf("test eight threads that call everything leave nothing behind ... %s\n",
           good ? "ok" : "FAILED");
    printf("test result: %s. %d passed; %d failed; 0 ignored\n", good ? "ok" : "FAILED", good,
           !good);
    return good ? 0 : 1;
}
