/* faults: which call is to fail, and the loop around a scenario.
 *
 * One fault is armed at a time, in plain variables that are published by `armed`; the
 * wrappers (faults_wrap.c) ask fault_strikes(). */
#include "common/testing/faults.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/errname.h"
#include "common/testing/faults_inside.h"
#include "common/testing/testing.h"

static const char *armed_call;
static int armed_errno;
static bool armed_always;
static void (*armed_then)(void *argument);
static void *armed_then_argument;
static _Atomic bool armed;
static _Atomic int pauses;
static _Atomic long countdown;
static _Atomic long failures;
static _Atomic long blocks_alive;
static _Atomic long bytes_mapped;

bool fault_is_armed(void)
{
    return atomic_load_explicit(&armed, memory_order_acquire) && /* pairs with arm() */
           atomic_load_explicit(&pauses, memory_order_relaxed) == 0;
}

int fault_strikes(const char *call)
{
    if (!fault_is_armed())
        return 0;
    if (strcmp(armed_call, "*") != 0 && strcmp(armed_call, call) != 0)
        return 0;
    if (!armed_always &&
        atomic_fetch_sub_explicit(&countdown, 1, memory_order_relaxed) != 1)
        return 0;
    atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed);
    if (armed_then) {
        fault_disarm();
        armed_then(armed_then_argument);
    }
    errno = armed_errno;
    return armed_errno;
}

static void arm(const char *call, long nth, int err, bool always)
{
    armed_call = call;
    armed_errno = err;
    armed_always = always;
    atomic_store_explicit(&countdown, nth, memory_order_relaxed);
    atomic_store_explicit(&failures, 0, memory_order_relaxed);
    atomic_store_explicit(&pauses, 0, memory_order_relaxed);
    atomic_store_explicit(&armed, true,
                          memory_order_release); /* pairs with fault_is_armed() */
}

void fault_arm(const char *call, long nth, int err)
{
    arm(call, nth, err, false);
}

void fault_arm_always(const char *call, int err)
{
    arm(call, 0, err, true);
}

void fault_call_then(void (*then)(void *argument), void *argument)
{
    armed_then = then;
    armed_then_argument = argument;
}

void fault_disarm(void)
{
    atomic_store_explicit(&armed, false,
                          memory_order_release); /* pairs with fault_is_armed() */
}

void fault_pause(void)
{
    atomic_fetch_add_explicit(&pauses, 1, memory_order_relaxed);
}

void fault_resume(void)
{
    atomic_fetch_sub_explicit(&pauses, 1, memory_order_relaxed);
}

long fault_count(void)
{
    return atomic_load_explicit(&failures, memory_order_relaxed);
}

bool fault_sweep(long n, const char *call, int err)
{
    fault_disarm();
    if (n > 1 && fault_count() == 0)
        return false;
    fault_arm(call, n, err);
    return true;
}

/* ---- what is alive */

void fault_count_blocks(long change)
{
    atomic_fetch_add_explicit(&blocks_alive, change, memory_order_relaxed);
}

void fault_count_mapped(size_t size, int direction)
{
    long page = sysconf(_SC_PAGESIZE);
    long pages = ((long)size + page - 1) / page;
    atomic_fetch_add_explicit(&bytes_mapped, direction * pages * page,
                              memory_order_relaxed);
}

long fault_blocks_alive(void)
{
    return atomic_load_explicit(&blocks_alive, memory_order_relaxed);
}

long fault_bytes_mapped(void)
{
    return atomic_load_explicit(&bytes_mapped, memory_order_relaxed);
}

/* ---- tables of faults */

struct balance {
    int fds;
    long blocks;
    long mapped;
};

static struct balance balance(void)
{
    return (struct balance){ open_fds(), fault_blocks_alive(), fault_bytes_mapped() };
}

/* Which run this is, for a reader of its end. */
static char running[256];

/* A scenario that hangs or aborts could not say by itself which call had failed. */
static void say_which_run(int signal_number)
{
    const char *what = signal_number == SIGALRM ? "still waits" : "died";
    char text[sizeof running + 64];
    int n = snprintf(text, sizeof text, "%s: it %s\n", running, what);
    ssize_t written = write(STDERR_FILENO, text, (size_t)n);
    (void)written; /* nowhere left to report it */
    signal(SIGABRT, SIG_DFL);
    raise(SIGABRT);
}

static const char *fault_name(int err)
{
    return err == FAULT_SHORT     ? "one byte only"
           : err == FAULT_NOTHING ? "nothing"
                                  : errname(err);
}

static int run_watched(int (*run)(void *argument), void *argument)
{
    void (*on_alarm)(int) = signal(SIGALRM, say_which_run);
    void (*on_abort)(int) = signal(SIGABRT, say_which_run);
    alarm(TEST_PATIENCE_S);
    int answer = run(argument);
    alarm(0);
    signal(SIGALRM, on_alarm);
    signal(SIGABRT, on_abort);
    fault_disarm();
    return answer;
}

static bool as_promised(const struct fault *fault, int answer)
{
    int promised = fault->answer & ~FAULT_RARE;
    bool reported = fault->err > 0 && answer == -fault->err;
    return (reported && promised != FAULT_SURVIVED) ||
           (answer == 0 && promised != FAULT_REPORTED);
}

static void judge(const struct fault *fault, int answer, long failed)
{
    if (answer > 0)
        fail_msg("%s: what line %d expects does not hold", running, answer);
    if (!fault || !failed) {
        if (answer != 0)
            fail_msg("%s: nothing failed, expected 0, got %d (%s)", running, answer,
                     errname(answer));
    } else if (!as_promised(fault, answer)) {
        static const char *const words[] = { "the error", "0", "the error or 0" };
        fail_msg("%s: expected %s, got %d (%s)", running,
                 words[fault->answer & ~FAULT_RARE], answer,
                 answer ? errname(answer) : "success");
    }
}

static void judge_balance(const struct balance *before)
{
    struct balance after = balance();
    if (after.fds != before->fds || after.blocks != before->blocks ||
        after.mapped != before->mapped)
        fail_msg("%s: left behind: %d descriptors, %ld blocks, %ld mapped bytes",
                 running, after.fds - before->fds, after.blocks - before->blocks,
                 after.mapped - before->mapped);
}

static void sweep_row(const char *name, int (*run)(void *argument), void *argument,
                      const struct fault *fault)
{
    if (strcmp(fault->call, "sqe") == 0 && !fault_sqe_works())
        return;
    long failed = 1, n;
    for (n = 1; failed; n++) {
        struct balance before = balance();
        snprintf(running, sizeof running, "%s, %s number %ld fails with %s", name,
                 fault->call, n, fault_name(fault->err));
        fault_arm(fault->call, n, fault->err);
        int answer = run_watched(run, argument);
        failed = fault_count();
        judge(fault, answer, failed);
        judge_balance(&before);
    }
    if (n == 2 && !(fault->answer & FAULT_RARE))
        fail_msg("%s never calls %s: this row of its table tests nothing", name,
                 fault->call);
}

void sweep_faults(const char *name, int (*run)(void *argument), void *argument,
                  const struct fault *faults, unsigned count)
{
    snprintf(running, sizeof running, "%s without a fault", name);
    fault_disarm();
    /* The first run may make what stays for good: a fork handler, a thread's slot. */
    judge(NULL, run_watched(run, argument), 0);
    struct balance before = balance();
    judge(NULL, run_watched(run, argument), 0);
    judge_balance(&before);
    for (unsigned i = 0; i < count; i++)
        sweep_row(name, run, argument, &faults[i]);
}
