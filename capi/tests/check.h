/* Checks, and a main that runs each test in a process of its own, so that a test that crashes or
 * hangs is a failed test and nothing more. The parent never calls the library: its children are
 * forked before its first use.
 *
 *     program [--list] [--here] [WORD]   runs the tests whose name contains WORD; --here: without fork
 *
 * CHECK_SECONDS is how long a test may take (30), CHECK_LESS by what to divide the rounds of loops (1):
 * for tools that make programs slow.
 * Include it before all other headers.
 */
#ifndef CHECK_H
#define CHECK_H

#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rmedia.h"

typedef struct test {
    const char *name;
    void (*run)(void);
} test;

static atomic_int check_failures;

static inline void check_failed(const char *file, int line, const char *what) {
    atomic_fetch_add(&check_failures, 1);
    fprintf(stderr, "    %s:%d: %s\n", file, line, what);
}

/** Notes a failure and goes on. */
#define CHECK(condition) \
    do { \
        if (!(condition)) check_failed(__FILE__, __LINE__, #condition); \
    } while (0)

/** As CHECK, for two numbers: says what they are. */
#define CHECK_IS(found, expected) \
    do { \
        long long found_ = (long long)(found), expected_ = (long long)(expected); \
        if (found_ != expected_) { \
            char text_[512]; \
            snprintf(text_, sizeof text_, "%s is %lld, not %s (%lld)", #found, found_, #expected, \
                     expected_); \
            check_failed(__FILE__, __LINE__, text_); \
        } \
    } while (0)

/** As CHECK_IS, with a name for the case. */
#define CHECK_CASE(name, found, expected) \
    do { \
        long long found_ = (long long)(found), expected_ = (long long)(expected); \
        if (found_ != expected_) { \
            char text_[512]; \
            snprintf(text_, sizeof text_, "%s gives %lld, not %lld", name, found_, expected_); \
            check_failed(__FILE__, __LINE__, text_); \
        } \
    } while (0)

/** For what a test can't go on without. */
#define NEED(condition) \
    do { \
        if (!(condition)) { \
            check_failed(__FILE__, __LINE__, "needed: " #condition); \
            fflush(NULL); \
            _exit(1); \
        } \
    } while (0)

/** A detail id against what it should be; releases the error. */
static inline bool check_detail(rmedia_error_t error, const char *expected) {
    const char *detail = rmedia_error_detail(error);
    bool same = detail != NULL && strcmp(detail, expected) == 0;
    if (!same) fprintf(stderr, "    detail is %s\n", detail != NULL ? detail : "(none)");
    rmedia_error_release(error);
    return same;
}

/** Whether no handle is live. What runs on other threads may need a moment to let go. */
static inline bool check_nothing_lives(void) {
    char text[256] = "";
    for (int tries = 0; tries < 200; tries++) {
        rmedia_string_t live = {0};
        if (rmedia_live(&live) != RMEDIA_OK) return false;
        snprintf(text, sizeof text, "%s", rmedia_string_data(live));
        rmedia_string_release(live);
        if (strpbrk(text, "123456789") == NULL) return true;
        usleep(10000);
    }
    fprintf(stderr, "    still live: %s\n", text);
    return false;
}

static inline double check_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline void check_sleep(int milliseconds) {
    usleep((useconds_t)milliseconds * 1000);
}

/** Starts a thread, or ends the test. */
static inline pthread_t check_thread(void *(*run)(void *), void *user) {
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, run, user) == 0);
    return thread;
}

static inline int check_seconds(void) {
    const char *seconds = getenv("CHECK_SECONDS");
    return seconds != NULL ? atoi(seconds) : 30;
}

/** By what loops are shortened. */
static inline int check_less(void) {
    const char *less = getenv("CHECK_LESS");
    return less != NULL && atoi(less) > 1 ? atoi(less) : 1;
}

/** So many rounds, or fewer where they are slow. */
static inline int check_times(int rounds) {
    return (rounds + check_less() - 1) / check_less();
}

/** Waits for a child; -1: it took too long, and was ended. */
static inline int check_wait(pid_t child, int seconds) {
    double end = check_now() + seconds;
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (check_now() > end) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
        usleep(2000);
    }
    return status;
}

/** Runs one test in this process and says whether it passed. */
static inline bool check_here(const test *one) {
    one->run();
    CHECK(check_nothing_lives());
    return atomic_load(&check_failures) == 0;
}

static inline bool check_forked(const test *one, const char **why) {
    static char text[64];
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) exit(check_here(one) ? 0 : 1);
    int status = child < 0 ? 1 : check_wait(child, check_seconds());
    *why = "";
    if (status == -1) *why = " (it hangs)";
    else if (WIFSIGNALED(status)) {
        snprintf(text, sizeof text, " (signal %d)", WTERMSIG(status));
        *why = text;
    } else if (WEXITSTATUS(status) > 1) {
        snprintf(text, sizeof text, " (exit code %d)", WEXITSTATUS(status));
        *why = text;
    }
    return status == 0;
}

static inline int check_main(const test *tests, size_t count, int argc, char **argv) {
    bool list = false, here = false;
    const char *word = NULL;
    for (int n = 1; n < argc; n++) {
        if (strcmp(argv[n], "--list") == 0) list = true;
        else if (strcmp(argv[n], "--here") == 0) here = true;
        else word = argv[n];
    }
    int passed = 0, failed = 0;
    for (size_t n = 0; n < count; n++) {
        if (word != NULL && strstr(tests[n].name, word) == NULL) continue;
        if (list) {
            printf("%s\n", tests[n].name);
            continue;
        }
        const char *why = "";
        bool good = here ? check_here(&tests[n]) : check_forked(&tests[n], &why);
        printf("test %s ... %s%s\n", tests[n].name, good ? "ok" : "FAILED", why);
        fflush(stdout);
        if (good) passed++;
        else failed++;
    }
    if (list) return 0;
    printf("test result: %s. %d passed; %d failed; 0 ignored\n", failed == 0 ? "ok" : "FAILED",
           passed, failed);
    return failed == 0 ? 0 : 1;
}

#endif
