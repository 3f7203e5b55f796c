/* Misuse of the process: forks, exits, threads that end, and libraries that are unloaded. */
#include "calls.h"

#include <dlfcn.h>
#include <poll.h>

/** Exit code of a child that runs this; -1: it hangs, -2: a signal. The child is forked before the
 * library is used. */
static int in_child(void (*run)(void)) {
    fflush(NULL);
    pid_t child = fork();
    NEED(child >= 0);
    if (child == 0) {
        run();
        exit(atomic_load(&check_failures) == 0 ? 0 : 1);
    }
    int status = check_wait(child, check_seconds() / 2);
    return status == -1 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : -2;
}

/* Fork */

static void all_forked(const handles *with) {
    for (size_t n = 0; n < CALL_COUNT; n++) {
        bool text = CALLS[n].about == STRING && strcmp(CALLS[n].name, "rmedia_string_release") != 0;
        bool status = strcmp(CALLS[n].name, "rmedia_error_status") == 0;
        /* Errors can be looked at, so that a program can say what happened. */
        CHECK_CASE(CALLS[n].name, CALLS[n].run(with),
                   CALLS[n].about == ERROR && !status ? RMEDIA_OK
                   : text                             ? RMEDIA_E_BAD_HANDLE
                                                      : RMEDIA_E_FORKED);
    }
    handles zero = {{0}};
    for (size_t n = 0; n < CALL_COUNT; n++) {
        if (!CALLS[n].zero_is_fine) continue;
        CHECK_CASE(CALLS[n].name, CALLS[n].run(&zero),
                   CALLS[n].about == ERROR ? RMEDIA_OK : RMEDIA_E_FORKED);
    }
    rmedia_string_t live = {0};
    rmedia_engine_t engine = {0};
    CHECK_IS(rmedia_live(&live), RMEDIA_E_FORKED);
    rmedia_error_t error = {0};
    CHECK_IS(rmedia_pipeline_end((rmedia_pipeline_t){0}, 0, &error), RMEDIA_E_FORKED);
    CHECK(strstr(rmedia_error_message(error), "forked") != NULL);
    CHECK_IS(rmedia_engine_create(NULL, &engine, NULL), RMEDIA_E_FORKED);
    rmedia_pipeline_t pipeline = {0};
    CHECK_IS(rmedia_pipeline_create_from_file("x", NULL, &pipeline, NULL), RMEDIA_E_FORKED);
    CHECK_IS(rmedia_abi_version() >> 16, RMEDIA_ABI_VERSION >> 16);
    CHECK(strcmp(rmedia_status_name(RMEDIA_E_FORKED), "Forked") == 0);
    CHECK_IS(rmedia_has_feature("none"), 0);
    CHECK(rmedia_version() != NULL);
}

static void forked_child(void) {
    handles live = handles_make();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        all_forked(&live);
        _exit(atomic_load(&check_failures) == 0 ? 0 : 1);
    }
    CHECK_IS(check_wait(child, check_seconds() / 2), 0);
    /* The parent goes on. */
    CHECK_IS(rmedia_packet_release(share(PACKET_OF(&live))), RMEDIA_OK);
    handles_end(&live);
}

static atomic_bool stop;

static void *makes_errors(void *user) {
    (void)user;
    rmedia_pipeline_t none = {0};
    while (!atomic_load(&stop)) {
        rmedia_error_t errors[64] = {{0}};
        for (int n = 0; n < 64; n++) rmedia_pipeline_end(none, 0, &errors[n]);
        for (int n = 0; n < 64; n++) rmedia_error_release(errors[n]);
    }
    return NULL;
}

static void forked_while_used(void) {
    /* Whatever other threads of the parent were at, the child gets its answer. */
    pthread_t threads[3];
    rmedia_packet_release(audio_packet(8));
    for (int n = 0; n < 3; n++) threads[n] = check_thread(makes_errors, NULL);
    for (int n = 0; n < check_times(300); n++) {
        pid_t child = fork();
        NEED(child >= 0);
        if (child == 0) {
            rmedia_pipeline_t none = {0};
            rmedia_error_t error = {0};
            for (int k = 0; k < 20; k++) {
                int32_t status = rmedia_pipeline_end(none, 0, &error);
                if (status != RMEDIA_E_FORKED) _exit(2);
                rmedia_error_message(error);
                rmedia_error_release(error);
            }
            /* No exit: tools would blame it for what the other threads were at. */
            kill(getpid(), SIGKILL);
        }
        int status = check_wait(child, 5);
        if (status == -1) check_failed(__FILE__, __LINE__, "the child hangs");
        else CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        if (atomic_load(&check_failures) > 0) break;
    }
    atomic_store(&stop, true);
    for (int n = 0; n < 3; n++) pthread_join(threads[n], NULL);
}

static void fork_errors(void) {
    /* An error that a call of the child gives can be looked at, or there is none. */
    rmedia_packet_release(audio_packet(8));
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        rmedia_error_t error = {0};
        rmedia_pipeline_t none = {0};
        CHECK_IS(rmedia_pipeline_end(none, 0, &error), RMEDIA_E_FORKED);
        if (error.id != 0) {
            CHECK(rmedia_error_message(error) != NULL);
            CHECK_IS(rmedia_error_release(error), RMEDIA_OK);
        }
        _exit(atomic_load(&check_failures) == 0 ? 0 : 1);
    }
    CHECK_IS(check_wait(child, check_seconds() / 2), 0);
}

static void uses_it(void) {
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(pull_all(pipeline), RMEDIA_NEED_INPUT);
    rmedia_pipeline_destroy(pipeline);
    CHECK(check_nothing_lives());
}
static void fork_first(void) {
    CHECK_IS(in_child(uses_it), 0);
    /* abi_version and the like are no use of it. */
    rmedia_abi_version();
    rmedia_has_feature("media");
    CHECK_IS(in_child(uses_it), 0);
    uses_it();
}

/* Exit */

static void leaves_everything(void) {
    static wrapped memory;
    handles_make();
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    CHECK_IS(rmedia_pipeline_push(pipeline, 0, wrap(&memory), RMEDIA_TRY, NULL), RMEDIA_OK);
    wrap(&memory);
    int32_t fd;
    CHECK_IS(rmedia_pipeline_wait_handle(pipeline, &fd), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_set_wakeup(pipeline, wrapped_release, &memory, NULL), RMEDIA_OK);
}
static void exit_without_release(void) { CHECK_IS(in_child(leaves_everything), 0); }

static void *waits_forever(void *user) {
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    (void)user;
    rmedia_engine_next_job(DEFAULT_ENGINE, RMEDIA_FOREVER, &job, NULL);
    return NULL;
}
static void leaves_threads(void) {
    check_thread(waits_forever, NULL);
    check_thread(makes_errors, NULL);
    check_sleep(50);
    leaves_everything();
}
static void exit_while_used(void) {
    for (int n = 0; n < check_times(20); n++) CHECK_IS(in_child(leaves_threads), 0);
}

static rmedia_pipeline_t late_pipeline;
static rmedia_packet_t late_packet;
static rmedia_engine_t late_engine;
static wrapped late_memory;
static bool late_done;

/** What a program may do at its end: let go of everything, on a thread that is ending. */
static void releases_late(void) {
    rmedia_string_t text = {0};
    CHECK_CASE("late rmedia_pipeline_push", push_text(late_pipeline, "late", RMEDIA_TRY),
               RMEDIA_OK);
    CHECK_CASE("late rmedia_pipeline_pull", pull_all(late_pipeline), RMEDIA_NEED_INPUT);
    CHECK_CASE("late rmedia_pipeline_metrics", rmedia_pipeline_metrics(late_pipeline, &text),
               RMEDIA_OK);
    rmedia_string_release(text);
    CHECK_CASE("late rmedia_pipeline_next_event", events_all(late_pipeline), RMEDIA_EMPTY);
    CHECK_CASE("late rmedia_pipeline_close", rmedia_pipeline_close(late_pipeline, 1000, NULL),
               RMEDIA_OK);
    CHECK_CASE("late rmedia_pipeline_destroy", rmedia_pipeline_destroy(late_pipeline), RMEDIA_OK);
    CHECK_CASE("late rmedia_packet_release", rmedia_packet_release(late_packet), RMEDIA_OK);
    CHECK_IS(atomic_load(&late_memory.releases), 1);
    CHECK_CASE("late rmedia_engine_destroy", rmedia_engine_destroy(late_engine), RMEDIA_OK);
    CHECK(check_nothing_lives());
    late_done = true;
}
static void nothing(void *user) { (void)user; }
static void prepares_late(void) {
    uses_it();
    late_engine = engine_make();
    late_pipeline = pipeline_on(late_engine, PASS);
    late_packet = wrap(&late_memory);
    CHECK_IS(rmedia_pipeline_set_wakeup(late_pipeline, nothing, NULL, NULL), RMEDIA_OK);
    /* It is called on this thread. */
    CHECK_IS(push_text(late_pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(pull_all(late_pipeline), RMEDIA_NEED_INPUT);
}
static void at_exit(void) {
    releases_late();
    fflush(NULL);
    if (atomic_load(&check_failures) != 0) _exit(1);
}
static void registers_first(void) {
    NEED(atexit(at_exit) == 0);
    prepares_late();
}
static void registers_last(void) {
    prepares_late();
    NEED(atexit(at_exit) == 0);
}
static void release_at_exit(void) {
    CHECK_IS(in_child(registers_first), 0);
    CHECK_IS(in_child(registers_last), 0);
}

static pthread_key_t key;
static void at_thread_end(void *user) {
    (void)user;
    releases_late();
}
static void *ends(void *user) {
    NEED(pthread_setspecific(key, user) == 0);
    prepares_late();
    return NULL;
}
static void release_at_thread_end(void) {
    NEED(pthread_key_create(&key, at_thread_end) == 0);
    pthread_join(check_thread(ends, &key), NULL);
    CHECK(late_done);
}

/* Loading */

static const char *library_path(void) {
    Dl_info info;
    static char path[4096];
    NEED(dladdr((void *)(uintptr_t)rmedia_abi_version, &info) != 0);
    snprintf(path, sizeof path, "%s", info.dli_fname);
    return path;
}

/** Functions of a copy of the library, loaded by hand. */
#define FUNCTION(library, name) ((__typeof__(&name))(uintptr_t)dlsym(library, #name))

static void use_copy(void *library) {
    rmedia_pipeline_t pipeline = {0};
    rmedia_packet_t packet = {0};
    rmedia_packet_info_t info = audio_info(8);
    int32_t fd;
    rmedia_string_t text = {0};
    CHECK_IS(FUNCTION(library, rmedia_pipeline_create)(PASS, NULL, &pipeline, NULL), RMEDIA_OK);
    CHECK_IS(FUNCTION(library, rmedia_packet_create)(&info, &packet, NULL), RMEDIA_OK);
    CHECK_IS(FUNCTION(library, rmedia_pipeline_push)(pipeline, 0, packet, 0, NULL), RMEDIA_OK);
    CHECK_IS(FUNCTION(library, rmedia_pipeline_pull)(pipeline, 0, 0, &packet, NULL, NULL),
             RMEDIA_OK);
    CHECK_IS(FUNCTION(library, rmedia_packet_release)(packet), RMEDIA_OK);
    CHECK_IS(FUNCTION(library, rmedia_pipeline_wait_handle)(pipeline, &fd), RMEDIA_OK);
    CHECK_IS(FUNCTION(library, rmedia_pipeline_metrics)(pipeline, &text), RMEDIA_OK);
    CHECK_IS(FUNCTION(library, rmedia_string_release)(text), RMEDIA_OK);
    /* A handle of another copy is none. */
    CHECK_IS(rmedia_pipeline_cancel(pipeline), RMEDIA_E_BAD_HANDLE);
    CHECK_IS(FUNCTION(library, rmedia_pipeline_destroy)(pipeline), RMEDIA_OK);
}

static void *loads_and_unloads(void *user) {
    void *library = dlopen(user, RTLD_NOW | RTLD_LOCAL);
    NEED(library != NULL);
    use_copy(library);
    CHECK_IS(dlclose(library), 0);
    return NULL;
}

/** A copy of the file, so that it is another library to the loader. */
static const char *copied(void) {
    static char path[4096];
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/rmedia-copy-XXXXXX", folder != NULL ? folder : P_tmpdir);
    char buffer[65536];
    size_t count;
    int fd = mkstemp(path);
    FILE *from = fopen(library_path(), "rb"), *to = fdopen(fd, "wb");
    NEED(from != NULL && to != NULL);
    while ((count = fread(buffer, 1, sizeof buffer, from)) > 0) {
        NEED(fwrite(buffer, 1, count, to) == count);
    }
    fclose(from);
    NEED(fclose(to) == 0);
    return path;
}

static void load_in_a_loop(void) {
    const char *path = copied();
    for (int n = 0; n < check_times(20); n++) {
        loads_and_unloads((void *)(uintptr_t)path);
        pthread_join(check_thread(loads_and_unloads, (void *)(uintptr_t)path), NULL);
    }
    /* What it registered for forks is gone with it, or it is still there. */
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) _exit(0);
    CHECK_IS(check_wait(child, check_seconds() / 2), 0);
    unlink(path);
}

/* Event loops */

static bool readable(int fd) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, 0) == 1;
}

static void wait_handles(void) {
    rmedia_pipeline_t pipeline = pipeline_make(PASS);
    int32_t fd = -1, again = -1, engine_fd = -1;
    CHECK_IS(rmedia_pipeline_wait_handle(pipeline, &fd), RMEDIA_OK);
    CHECK_IS(rmedia_pipeline_wait_handle(pipeline, &again), RMEDIA_OK);
    CHECK(fd == again && !readable(fd));
    for (int n = 0; n < 3; n++) {
        CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
        CHECK(readable(fd));
        CHECK_IS(pull_all(pipeline), RMEDIA_NEED_INPUT);
        CHECK_IS(events_all(pipeline), RMEDIA_EMPTY);
        CHECK(!readable(fd));
    }
    CHECK_IS(rmedia_engine_wait_handle(DEFAULT_ENGINE, &engine_fd), RMEDIA_OK);
    CHECK(!readable(engine_fd));
    wrapped memory = {0};
    rmedia_packet_t packet = {0};
    CHECK_IS(wrap_on(DEFAULT_ENGINE, &memory, RMEDIA_RELEASE_DEFERRED, &packet), RMEDIA_OK);
    CHECK_IS(rmedia_packet_release(packet), RMEDIA_OK);
    CHECK(readable(engine_fd));
    CHECK_IS(rmedia_engine_run_releases(DEFAULT_ENGINE, 1, NULL), RMEDIA_OK);
    CHECK(!readable(engine_fd));
    rmedia_pipeline_destroy(pipeline);
    /* Nothing stays open. */
    for (int n = 0; n < check_times(3000); n++) {
        pipeline = pipeline_make(PASS);
        CHECK_IS(rmedia_pipeline_wait_handle(pipeline, &fd), RMEDIA_OK);
        rmedia_pipeline_destroy(pipeline);
    }
    CHECK(fd < 1000);
}

static void wait_handle_keeps(void) {
    /* What no pull has looked for is not taken back by who takes events, or pushes. */
    rmedia_engine_t engine = engine_make();
    rmedia_job_info_t job = RMEDIA_JOB_INFO_INIT;
    rmedia_packet_t packet = {0};
    int32_t fd = -1;
    engine_add_host(engine, DECLARATION(""));
    rmedia_pipeline_t pipeline = pipeline_on(engine, NODE);
    CHECK_IS(rmedia_pipeline_wait_handle(pipeline, &fd), RMEDIA_OK);
    CHECK_IS(push_text(pipeline, "a", RMEDIA_TRY), RMEDIA_OK);
    CHECK_IS(rmedia_engine_next_job(engine, RMEDIA_TRY, &job, NULL), RMEDIA_OK);
    CHECK_IS(pull_all(pipeline), RMEDIA_IN_FLIGHT);
    CHECK(!readable(fd));
    CHECK_IS(rmedia_job_emit(job.job, 0, job.packet, NULL), RMEDIA_OK);
    CHECK_IS(rmedia_job_done(job.job), RMEDIA_OK);
    CHECK(readable(fd));
    CHECK_IS(events_all(pipeline), RMEDIA_EMPTY);
    CHECK(readable(fd));
    CHECK_IS(rmedia_pipeline_pull(pipeline, 0, RMEDIA_TRY, &packet, NULL, NULL), RMEDIA_OK);
    rmedia_packet_release(packet);
    CHECK_IS(pull_all(pipeline), RMEDIA_NEED_INPUT);
    CHECK(!readable(fd));
    /* The end is something to be pulled, too. */
    CHECK_IS(rmedia_pipeline_end(pipeline, 0, NULL), RMEDIA_OK);
    while (rmedia_engine_next_job(engine, RMEDIA_TRY, &job, NULL) == RMEDIA_OK) {
        rmedia_job_done(job.job);
    }
    events_all(pipeline);
    CHECK(readable(fd));
    CHECK_IS(pull_all(pipeline), RMEDIA_END);
    /* Why it is over is the last thing that is told. */
    CHECK_IS(rmedia_pipeline_cancel(pipeline), RMEDIA_OK);
    events_all(pipeline);
    CHECK(readable(fd));
    CHECK_IS(pull_all(pipeline), RMEDIA_E_CANCELLED);
    CHECK_IS(events_all(pipeline), RMEDIA_EMPTY);
    CHECK(!readable(fd));
    rmedia_pipeline_destroy(pipeline);
    while (rmedia_engine_next_job(engine, RMEDIA_TRY, &job, NULL) == RMEDIA_OK) {
        rmedia_job_done(job.job);
    }
    rmedia_engine_destroy(engine);
}

static const test TESTS[] = {
    {"in a forked child every call says so", forked_child},
    {"a child that is forked while others use the library gets its answer", forked_while_used},
    {"an error of a forked child can be looked at and released", fork_errors},
    {"who forks first can use it in both", fork_first},
    {"a program may exit without releasing anything", exit_without_release},
    {"a program may exit while threads use the library", exit_while_used},
    {"a program may release everything at exit", release_at_exit},
    {"a thread may release everything at its end", release_at_thread_end},
    {"the library may be opened and closed in a loop", load_in_a_loop},
    {"a wait handle stays readable until a pull has looked", wait_handle_keeps},
    {"wait handles are readable when there is something, and closed in the end", wait_handles},
};

int main(int argc, char **argv) {
    return check_main(TESTS, sizeof TESTS / sizeof TESTS[0], argc, argv);
}
