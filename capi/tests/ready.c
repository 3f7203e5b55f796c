/* Any number of pipelines served from one descriptor, that of their engine: by one thread and by
 * several, with others that push, stop watching and destroy at the same time. Who is listed, and in
 * which order, is tested in bindings/rust/tests/ready.rs. */
#include "fixture.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>

#define PASS_ON_A_THREAD \
    "{\"version\":\"v1\",\"placement\":\"thread\",\"queue\":{\"items\":4}," \
    "\"nodes\":[{\"id\":\"pass\",\"node_type\":\"PassThrough\"}]}"

/** Files of a folder of /proc: descriptors, threads. */
static int count_of(const char *folder) {
    DIR *open = opendir(folder);
    int count = 0;
    NEED(open != NULL);
    while (readdir(open) != NULL) count++;
    closedir(open);
    return count;
}

/** Inline and on a thread, in turns. */
static rmedia_pipeline_t watched_on(rmedia_engine_t engine, int n) {
    rmedia_pipeline_t pipeline =
        pipeline_on(engine, n % 2 == 0 ? PASS_QUEUE(4, "block") : PASS_ON_A_THREAD);
    CHECK_IS(rmedia_pipeline_watch(pipeline, (uint64_t)n), RMEDIA_OK);
    return pipeline;
}

static uint32_t random_below(uint64_t *random, uint32_t below) {
    *random ^= *random << 13, *random ^= *random >> 7, *random ^= *random << 17;
    return (uint32_t)(*random >> 32) % below;
}

/** Pushes a packet; while there is no room, only those who pull can help. */
static void push_to_takers(rmedia_pipeline_t pipeline, rmedia_packet_t packet) {
    int32_t status;
    while ((status = rmedia_pipeline_push(pipeline, 0, packet, RMEDIA_FOREVER, NULL)) ==
           RMEDIA_FULL) {
        sched_yield();
    }
    CHECK_IS(status, RMEDIA_OK);
}

/* One thread serves all of them */

#define PIPELINES 1000
#define PUSHERS 4
#define EACH 20

typedef struct crowd {
    rmedia_pipeline_t *pipelines;
    int count, first;
} crowd;

static void *pushes_each_in_turn(void *user) {
    const crowd *c = user;
    rmedia_packet_info_t info = info_of(RMEDIA_KIND_TEXT);
    info.flags = RMEDIA_PACKET_PTS;
    info.data = "a";
    info.size = RMEDIA_NUL_TERMINATED;
    for (info.pts_ns = 0; info.pts_ns < EACH; info.pts_ns++) {
        for (int n = c->first; n < c->count; n += PUSHERS) {
            push_to_takers(c->pipelines[n], packet_of(info));
        }
    }
    for (int n = c->first; n < c->count; n += PUSHERS) {
        CHECK_IS(rmedia_pipeline_end(c->pipelines[n], 0, NULL), RMEDIA_OK);
    }
    return NULL;
}

/** Takes everything that is there, which must come in order. */
static int32_t take_all(rmedia_pipeline_t pipeline, int *next) {
    rmedia_packet_t packet = {0};
    int32_t status;
    while ((status = rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, NULL)) ==
           RMEDIA_OK) {
        rmedia_packet_info_t info = RMEDIA_PACKET_INFO_INIT;
        CHECK_IS(rmedia_packet_view(packet, &info), RMEDIA_OK);
        CHECK_IS(info.pts_ns, *next);
        *next += 1;
        rmedia_packet_release(packet);
    }
    CHECK_IS(events_all(pipeline), RMEDIA_EMPTY);
    return status;
}

/** Serves a thousand pipelines that others push into, and sleeps in `wait` when none is ready. */
static void serves_all(rmedia_engine_t engine, void (*wait)(void *), void *user) {
    int count = check_times(PIPELINES), over = 0;
    rmedia_pipeline_t *pipelines = calloc((size_t)count, sizeof *pipelines), ready = {0};
    int *next = calloc((size_t)count, sizeof *next);
    bool *ended = calloc((size_t)count, sizeof *ended);
    crowd crowds[PUSHERS];
    pthread_t threads[PUSHERS];
    uint64_t tag;
    int32_t status;
    NEED(pipelines != NULL && next != NULL && ended != NULL);
    for (int n = 0; n < count; n++) pipelines[n] = watched_on(engine, n);
    for (int n = 0; n < PUSHERS; n++) {
        crowds[n] = (crowd){pipelines, count, n};
        threads[n] = check_thread(pushes_each_in_turn, &crowds[n]);
    }
    while (over < count) {
        while ((status = rmedia_engine_next_ready(engine, &ready, &tag)) == RMEDIA_OK) {
            NEED(tag < (uint64_t)count && ready.id == pipelines[tag].id);
            if (take_all(ready, &next[tag]) == RMEDIA_END && !ended[tag]) {
                ended[tag] = true;
                over++;
            }
        }
        CHECK_IS(status, RMEDIA_EMPTY);
        if (over < count) wait(user);
    }
    for (int n = 0; n < PUSHERS; n++) pthread_join(threads[n], NULL);
    for (int n = 0; n < count; n++) {
        CHECK_IS(next[n], EACH);
        rmedia_pipeline_destroy(pipelines[n]);
    }
    free(pipelines), free(next), free(ended);
}

static void polls(void *user) {
    struct pollfd wait = {.fd = *(int32_t *)user, .events = POLLIN};
    CHECK_IS(poll(&wait, 1, -1), 1);
}

static void one_descriptor(void) {
    rmedia_engine_t engine = engine_make();
    int32_t fd = -1;
    CHECK_IS(rmedia_engine_wait_handle(engine, &fd), RMEDIA_OK);
    int descriptors = count_of("/proc/self/fd");
    serves_all(engine, polls, &fd);
    CHECK_IS(count_of("/proc/self/fd"), descriptors);
    rmedia_engine_destroy(engine);
}

static void waits_for_a_poke(void *user) {
    while (sem_wait(user) != 0) CHECK_IS(errno, EINTR);
}
static void pokes(void *user) { sem_post(user); }

static void one_wakeup(void) {
    rmedia_engine_t engine = engine_make();
    sem_t poked;
    NEED(sem_init(&poked, 0, 0) == 0);
    CHECK_IS(rmedia_engine_set_wakeup(engine, pokes, &poked, NULL), RMEDIA_OK);
    serves_all(engine, waits_for_a_poke, &poked);
    CHECK_IS(rmedia_engine_set_wakeup(engine, NULL, NULL, NULL), RMEDIA_OK);
    rmedia_engine_destroy(engine);
    sem_destroy(&poked);
}

static void idle_ones_own_nothing(void) {
    rmedia_engine_t engine = engine_make();
    int count = check_times(PIPELINES);
    rmedia_pipeline_t *pipelines = calloc((size_t)count, sizeof *pipelines), ready = {0};
    int descriptors = count_of("/proc/self/fd"), threads = count_of("/proc/self/task");
    NEED(pipelines != NULL);
    for (int n = 0; n < count; n++) {
        pipelines[n] = pipeline_on(engine, PASS);
        CHECK_IS(rmedia_pipeline_watch(pipelines[n], 1), RMEDIA_OK);
    }
    CHECK_IS(rmedia_engine_next_ready(engine, &ready, NULL), RMEDIA_EMPTY);
    CHECK_IS(count_of("/proc/self/fd"), descriptors);
    CHECK_IS(count_of("/proc/self/task"), threads);
    for (int n = 0; n < count; n++) rmedia_pipeline_destroy(pipelines[n]);
    free(pipelines);
    rmedia_engine_destroy(engine);
}

/* Several threads serve a few of them */

#define FEW 8
#define TAKERS 3
#define MANY 5000

typedef struct shared {
    rmedia_engine_t engine;
    rmedia_pipeline_t pipelines[FEW];
    int32_t fd;
    /** Readable when all is over. */
    int over[2];
    int packets;
    atomic_int taken, next_seed;
} shared;

static void *pushes_anywhere(void *user) {
    shared *s = user;
    uint64_t random = 0x9E3779B97F4A7C15u * (uint64_t)(atomic_fetch_add(&s->next_seed, 1) + 1);
    for (int n = 0; n < s->packets; n++) {
        uint32_t which = random_below(&random, FEW);
        push_to_takers(s->pipelines[which], text_packet("a"));
    }
    return NULL;
}

/** Serves what is ready, its packets and its events in either order. */
static void *takes_what_is_ready(void *user) {
    shared *s = user;
    uint64_t random = 0x9E3779B97F4A7C15u * (uint64_t)(atomic_fetch_add(&s->next_seed, 1) + 1);
    struct pollfd waits[2] = {{.fd = s->fd, .events = POLLIN}, {.fd = s->over[0], .events = POLLIN}};
    while (waits[1].revents == 0) {
        rmedia_pipeline_t ready = {0};
        while (rmedia_engine_next_ready(s->engine, &ready, NULL) == RMEDIA_OK) {
            rmedia_packet_t packet = {0};
            if (random_below(&random, 2) == 0) CHECK_IS(events_all(ready), RMEDIA_EMPTY);
            while (rmedia_pipeline_pull(ready, 0, RMEDIA_TRY, &packet, NULL, NULL) == RMEDIA_OK) {
                rmedia_packet_release(packet);
                if (atomic_fetch_add(&s->taken, 1) + 1 == PUSHERS * s->packets) {
                    NEED(write(s->over[1], "", 1) == 1);
                }
            }
            CHECK_IS(events_all(ready), RMEDIA_EMPTY);
        }
        NEED(poll(waits, 2, -1) > 0);
    }
    return NULL;
}

static void no_wakeup_is_lost(void) {
    shared s = {.engine = engine_make(), .packets = check_times(MANY)};
    pthread_t pushers[PUSHERS], takers[TAKERS];
    NEED(pipe(s.over) == 0);
    CHECK_IS(rmedia_engine_wait_handle(s.engine, &s.fd), RMEDIA_OK);
    for (int n = 0; n < FEW; n++) s.pipelines[n] = watched_on(s.engine, n);
    for (int n = 0; n < TAKERS; n++) takers[n] = check_thread(takes_what_is_ready, &s);
    for (int n = 0; n < PUSHERS; n++) pushers[n] = check_thread(pushes_anywhere, &s);
    for (int n = 0; n < PUSHERS; n++) pthread_join(pushers[n], NULL);
    for (int n = 0; n < TAKERS; n++) pthread_join(takers[n], NULL);
    CHECK_IS(atomic_load(&s.taken), PUSHERS * s.packets);
    for (int n = 0; n < FEW; n++) rmedia_pipeline_destroy(s.pipelines[n]);
    rmedia_engine_destroy(s.engine);
    close(s.over[0]), close(s.over[1]);
}

/* What goes while it is pushed into */

typedef struct changing {
    atomic_ullong pipelines[FEW];
    atomic_bool over;
} changing;

static void *pushes_into_what_is_there(void *user) {
    changing *c = user;
    uint64_t random = 0x9E3779B97F4A7C15u;
    while (!atomic_load(&c->over)) {
        rmedia_pipeline_t pipeline = {atomic_load(&c->pipelines[random_below(&random, FEW)])};
        int32_t status = push_text(pipeline, "a", RMEDIA_TRY);
        CHECK(status >= 0 || status == RMEDIA_E_BAD_HANDLE || status == RMEDIA_E_CANCELLED);
    }
    return NULL;
}

/** Nobody else watches or takes: what it has taken out never comes. */
static void what_goes_is_not_listed(void) {
    rmedia_engine_t engine = engine_make();
    changing c = {0};
    pthread_t pushers[2];
    uint64_t random = 7;
    int listed = 0;
    for (int n = 0; n < FEW; n++) atomic_store(&c.pipelines[n], watched_on(engine, n).id);
    for (int n = 0; n < 2; n++) pushers[n] = check_thread(pushes_into_what_is_there, &c);
    for (int round = 0; round < check_times(5000); round++) {
        uint32_t which = random_below(&random, FEW);
        rmedia_pipeline_t goes = {atomic_load(&c.pipelines[which])}, ready = {0};
        bool is_destroyed = random_below(&random, 2) == 0;
        uint64_t tag = 0;
        if (is_destroyed) {
            atomic_store(&c.pipelines[which], watched_on(engine, (int)which).id);
            CHECK_IS(rmedia_pipeline_destroy(goes), RMEDIA_OK);
        } else {
            CHECK_IS(rmedia_pipeline_unwatch(goes), RMEDIA_OK);
        }
        while (rmedia_engine_next_ready(engine, &ready, &tag) == RMEDIA_OK) {
            CHECK(ready.id != goes.id);
            NEED(tag < FEW);
            CHECK_IS(ready.id, atomic_load(&c.pipelines[tag]));
            pull_all(ready);
            listed++;
        }
        if (!is_destroyed) CHECK_IS(rmedia_pipeline_watch(goes, which), RMEDIA_OK);
    }
    CHECK(listed > 0);
    atomic_store(&c.over, true);
    for (int n = 0; n < 2; n++) pthread_join(pushers[n], NULL);
    for (int n = 0; n < FEW; n++) {
        rmedia_pipeline_destroy((rmedia_pipeline_t){atomic_load(&c.pipelines[n])});
    }
    rmedia_engine_destroy(engine);
}

static void *destroys(void *user) {
    int32_t status = rmedia_pipeline_destroy(*(rmedia_pipeline_t *)user);
    CHECK_IS(status, RMEDIA_OK);
    return NULL;
}

/** Of a watch and a destroy at the same time the destroy is the last, also where it is the first. */
static void watched_while_destroyed(void) {
    rmedia_engine_t engine = engine_make();
    for (int round = 0; round < check_times(1000); round++) {
        rmedia_pipeline_t pipeline = pipeline_on(engine, PASS), ready = {0};
        CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
        pthread_t thread = check_thread(destroys, &pipeline);
        while (rmedia_pipeline_watch(pipeline, 1) == RMEDIA_OK) sched_yield();
        pthread_join(thread, NULL);
        CHECK_IS(rmedia_engine_next_ready(engine, &ready, NULL), RMEDIA_EMPTY);
    }
    rmedia_engine_destroy(engine);
}

static const test TESTS[] = {
    {"a thousand pipelines are served from one descriptor", one_descriptor},
    {"a thousand pipelines are served from one wakeup", one_wakeup},
    {"idle pipelines that are watched own no descriptor and no thread", idle_ones_own_nothing},
    {"no wakeup is lost where several threads push and several take", no_wakeup_is_lost},
    {"what is unwatched or destroyed while it is pushed into is not listed", what_goes_is_not_listed},
    {"one that is watched while it is destroyed is not listed", watched_while_destroyed},
};

int main(int argc, char **argv) {
    return check_main(TESTS, sizeof TESTS / sizeof TESTS[0], argc, argv);
}
