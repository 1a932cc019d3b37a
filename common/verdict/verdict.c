/* verdict: how the test program of an exercise tells what came out.
 *
 * Problem: an exercise is tested in one program together with code that nobody has read.
 * That code can print "ok 1", or leave with status 0 before a test has run, so neither
 * the output nor the exit status is worth anything. Idea: who runs the program hands it
 * a descriptor, VERDICT_FD, in which a random word lies, and believes only a line that
 * comes back through it and begins with this word. The word is read before the
 * constructors of any other file run (.preinit_array; this object is linked first), and
 * is kept on a page that nobody can read until the test is over.
 *
 * VERDICT_TEST names the one test to run; without it all of them run, and pass only
 * together. The line: "WORD passed|failed|skipped|missing\n". A forked child tells
 * nothing: only the process that read the word does.
 *
 * What this does not keep off: code that is out to forge its score, and that finds this
 * file's variables in memory by computing addresses. tools/grading/INSTRUCTOR.md says
 * what stands before that.
 *
 * readv, writev, ioctl and mmap64: calls that no test makes fail, and that the explorer
 * leaves alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define CMOCKA_DISABLE_DEPRECATION_WARNINGS
#include <cmocka.h>

#include "common/check.h"

/* 1: a form in which no test can pass. The grader runs a test that has passed once more
 * with it: who says "passed" now is a forger. */
#ifndef VERDICT_IN_VAIN
#define VERDICT_IN_VAIN 0
#endif

enum { WORD = 32, PAGE = 4096 };

static struct {
    int fd;
    pid_t process;
    char *word; /* on a page of its own */
    bool skipped;
    bool running;
} verdict = { .fd = -1 };

static void hide_word(void)
{
    int err = mprotect(verdict.word, PAGE, PROT_NONE);
    CHECK(err == 0, "the verdict's page cannot be protected");
}

/* A wish, no more: beside the C library, where mmap would put it, its distance from any of
 * the library's functions would be the same each time. */
static void *anywhere(void)
{
    uint64_t random = 0;
    const void *given = (const void *)(uintptr_t)getauxval(AT_RANDOM);
    if (given)
        memcpy(&random, given, sizeof random);
    return (void *)(uintptr_t)((UINT64_C(1) << 36) +
                               (random >> 24) % (1u << 29) * PAGE);
}

static void read_word(int argc, char **argv, char **environment)
{
    (void)argc;
    (void)argv;
    static const char name[] = "VERDICT_FD=";
    for (char **entry = environment; *entry; entry++)
        if (strncmp(*entry, name, sizeof name - 1) == 0)
            verdict.fd = atoi(*entry + sizeof name - 1);
    if (verdict.fd < 0)
        return;
    verdict.word = mmap64(anywhere(), PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(verdict.word != MAP_FAILED, "no memory for the verdict");
    struct iovec into = { .iov_base = verdict.word, .iov_len = WORD };
    ssize_t got = readv(verdict.fd, &into, 1);
    CHECK(got == WORD, "VERDICT_FD holds no word: it is for the exercises' own tools");
    ioctl(verdict.fd, FIOCLEX);
    verdict.process = getpid();
    hide_word();
}

/* No constructor runs before these. */
__attribute__((section(".preinit_array"),
               used)) static void (*const first)(int, char **, char **) = read_word;

static void tell(const char *what)
{
    if (verdict.fd < 0 || getpid() != verdict.process)
        return;
    if (mprotect(verdict.word, PAGE, PROT_READ) != 0)
        return;
    struct iovec line[] = { { .iov_base = verdict.word, .iov_len = WORD },
                            { .iov_base = (char[]){ " " }, .iov_len = 1 },
                            { .iov_base = (char *)(uintptr_t)what,
                              .iov_len = strlen(what) },
                            { .iov_base = (char[]){ "\n" }, .iov_len = 1 } };
    ssize_t sent = writev(verdict.fd, line, 4);
    CHECK(sent > 0, "the verdict cannot be told");
    hide_word();
}

void __real__skip(const char *file, int line);
void __wrap__skip(const char *file, int line);

void __wrap__skip(const char *file, int line)
{
    verdict.skipped = true;
    __real__skip(file, line);
}

int __real__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests,
                                   size_t count, CMFixtureFunction setup,
                                   CMFixtureFunction teardown);
int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests,
                                   size_t count, CMFixtureFunction setup,
                                   CMFixtureFunction teardown);

int __wrap__cmocka_run_group_tests(const char *name, const struct CMUnitTest *tests,
                                   size_t count, CMFixtureFunction setup,
                                   CMFixtureFunction teardown)
{
    const char *wanted = getenv("VERDICT_TEST");
    for (size_t i = 0; wanted && i < count; i++)
        if (strcmp(tests[i].name, wanted) == 0) {
            tests = &tests[i];
            count = 1;
            wanted = NULL;
        }
    if (wanted || count == 0) {
        fprintf(stderr, "%s: no test \"%s\" here\n", name, wanted ? wanted : "");
        tell("missing");
        return 1;
    }
    CHECK(!verdict.running, "a test runs a group of tests of its own");
    verdict.running = true;
    int failed = __real__cmocka_run_group_tests(name, tests, count, setup, teardown);
    verdict.running = false;
    failed = failed || VERDICT_IN_VAIN;
    tell(failed ? "failed" : verdict.skipped ? "skipped" : "passed");
    return failed;
}
