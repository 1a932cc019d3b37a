/* testing: what every test file of the course includes.
 *
 * cmocka, with the headers that it forgets, and the few helpers that the course's rules
 * for tests ask for:
 *   - Assert on the main thread only, and never inside a poll: a failing assert jumps
 *     out of the executor. Tasks record; the test asserts afterwards.
 *   - A test waits on conditions, never on sleeps: WAIT_UNTIL.
 *   - A death test runs in a forked child and looks at the sentence: assert_dies.
 *   - A skipped test says why: skip_because.
 *   - A test that opens files or sockets counts them: open_fds. */
#ifndef COMMON_TESTING_TESTING_H
#define COMMON_TESTING_TESTING_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h> /* ssize_t, which cmocka.h uses */
/* cmocka 2 frowns on names that 1.1 has nothing else for. */
#define CMOCKA_DISABLE_DEPRECATION_WARNINGS
#include <cmocka.h>

#include "common/check.h"
#include "common/container.h"

/* How long a condition may take before the test gives up, in seconds. Generous, also
 * for valgrind: it is there to end a hang, not to measure. */
#define TEST_PATIENCE_S 60

/* Waits until the expression is true; fails the test after TEST_PATIENCE_S. For
 * conditions that another thread brings about. */
#define WAIT_UNTIL(expression)                                                         \
    do {                                                                               \
        uint64_t give_up_ = testing_deadline();                                        \
        while (!(expression)) {                                                        \
            if (testing_expired(give_up_))                                             \
                fail_msg("waited %d s for: %s", TEST_PATIENCE_S, #expression);         \
            testing_pause();                                                           \
        }                                                                              \
    } while (0)

uint64_t testing_deadline(void);
bool testing_expired(uint64_t deadline);
void testing_pause(void); /* lets another thread run */

/* Runs body(argument) in a forked child and asserts that the child dies of SIGABRT with
 * `sentence` somewhere in what it wrote to stderr. */
void assert_dies(void (*body)(void *argument), void *argument, const char *sentence);

/* Runs body in a forked child; returns its exit status (0..255), or -signal when a
 * signal ended it. `output` (may be NULL) receives at most size - 1 bytes of its
 * stderr, 0-terminated. The child is killed after TEST_PATIENCE_S. */
int run_in_child(void (*body)(void *argument), void *argument, char *output,
                 size_t size);

/* Number of descriptors that this process has open. */
int open_fds(void);

/* Ends the test as skipped, and says why on stderr. */
#define skip_because(...)                                                              \
    do {                                                                               \
        testing_say_skip(__func__, __VA_ARGS__);                                       \
        skip();                                                                        \
    } while (0)
void testing_say_skip(const char *test, const char *format, ...) PRINTF_LIKE(2, 3);

/* True under valgrind or a sanitizer: for tests that count things which those change
 * (never to leave a check out that they are there for). */
bool testing_instrumented(void);

/* A file or directory name inside a private temporary folder, which is removed with all
 * that is in it when the test program ends. Returns static storage, valid until the
 * next call. */
const char *testing_path(const char *name);

#endif
