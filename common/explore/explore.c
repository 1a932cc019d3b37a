/* explore: one search, from its options to its result.
 *
 * A failure that a full search finds is true, but its schedule is whatever came first:
 * threads take turns for no reason. So when one is found, the orders with no preemption
 * are searched for the same broken rule, then those with one, with two: the first that
 * shows it is the story that is told. */
#include "common/explore/engine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>

enum { SIMPLER_BOUND = 4, SIMPLER_LIMIT = 30000, SIMPLER_S = 2, WATCH_S = 1 };

void explore_name(const char *name)
{
    engine_self()->name = name;
}

unsigned explore_self(void);

unsigned explore_self(void)
{
    return engine && engine->inside ? (unsigned)engine->current : 0;
}

void explore_outcome(uint64_t outcome)
{
    struct explore_result *result = engine->result;
    unsigned at = 0;
    while (at < result->outcome_count && result->outcomes[at] < outcome)
        at++;
    if (at < result->outcome_count && result->outcomes[at] == outcome)
        return;
    CHECK(result->outcome_count < EXPLORE_OUTCOMES, "more than %d outcomes",
          EXPLORE_OUTCOMES);
    memmove(&result->outcomes[at + 1], &result->outcomes[at],
            (result->outcome_count - at) * sizeof *result->outcomes);
    result->outcomes[at] = outcome;
    result->outcome_count++;
}

/* ---- memory, once a process */

static int map_stacks(void)
{
    for (int t = 0; t < EXPLORE_THREADS; t++) {
        char *area = mmap(NULL, GUARD_SIZE + STACK_SIZE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (area == MAP_FAILED || mprotect(area, GUARD_SIZE, PROT_NONE) < 0)
            return -ENOMEM;
        engine->threads[t].stack = area + GUARD_SIZE;
    }
    return 0;
}

static int map_all(void)
{
    if (engine)
        return 0;
    struct engine *new = mmap(NULL, sizeof *new, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (new == MAP_FAILED)
        return -ENOMEM;
    engine = new;
    int err = map_stacks();
    if (err == 0)
        err = order_map();
    if (err == 0)
        err = shade_map();
    if (err == 0)
        err = heap_map();
    if (err == 0)
        err = symbols_map();
    if (err < 0) /* what is mapped stays so: the next search is refused again */
        engine = NULL;
    return err;
}

/* ---- a crash is a broken rule as well */

static void crashed(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (!engine->inside)
        abort(); /* of the explorer itself: the handler is reset by then */
    uintptr_t stack = (uintptr_t)engine_self()->stack, at = (uintptr_t)info->si_addr;
    if (at < stack && stack - at <= GUARD_SIZE)
        engine_fail("crash", "thread %d needs more than the %d KiB of its stack",
                    engine->current, STACK_SIZE >> 10);
    engine_fail("crash", "signal %d: the program used an address that is none", number);
}

/* Every WATCH_S seconds of computing: has there been a step since? */
static void watch(int number)
{
    (void)number;
    if (engine->inside && engine->watched == engine->result->steps)
        engine_fail("livelock",
                    "a thread computes for seconds without a step that others "
                    "could notice");
    engine->watched = engine->inside ? engine->result->steps : -1;
}

static struct signals {
    struct sigaction segv, bus, timer;
} before;

static void set_handlers(void)
{
    static char alternative[32768];
    sigaltstack(&(stack_t){ .ss_sp = alternative, .ss_size = sizeof alternative },
                NULL);
    struct sigaction action = { .sa_sigaction = crashed,
                                .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, &before.segv);
    sigaction(SIGBUS, &action, &before.bus);
    action.sa_handler = watch;
    action.sa_flags = SA_NODEFER | SA_RESTART; /* on the stack of who computes */
    sigaction(SIGVTALRM, &action, &before.timer);
    engine->watched = -1;
    struct itimerval period = { { WATCH_S, 0 }, { WATCH_S, 0 } };
    setitimer(ITIMER_VIRTUAL, &period, NULL);
}

static void reset_handlers(void)
{
    setitimer(ITIMER_VIRTUAL, &(struct itimerval){ { 0, 0 }, { 0, 0 } }, NULL);
    sigaction(SIGSEGV, &before.segv, NULL);
    sigaction(SIGBUS, &before.bus, NULL);
    sigaction(SIGVTALRM, &before.timer, NULL);
}

/* ---- the search */

static int check_options(const struct explore_options *options)
{
    bool dice = options->mode == EXPLORE_RANDOM || options->mode == EXPLORE_PCT;
    bool bad = (dice && options->runs < 1) || options->bound < -1 ||
               (options->mode == EXPLORE_REPLAY && !options->replay) ||
               options->failing_allocations < 0 || options->weak_failures < 0 ||
               options->timeouts < 0;
    return bad ? -EINVAL : 0;
}

static void search(const struct explore_options *options, void (*scenario)(void),
                   struct explore_result *result)
{
    engine->found = (struct explore_result){ 0 };
    engine->options = options;
    engine->scenario = scenario;
    engine->result = &engine->found;
    engine->misfit = false;
    search_begin();
    heap_save_variables();
    do
        engine_run_schedule();
    while (search_next());
    heap_restore_variables();
    *result = engine->found; /* which may be one of those variables */
    result->failed = engine->failed;
    if (result->failed)
        replay_write(result->replay, sizeof result->replay);
}

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* The same rule broken with fewer preemptions, if that is quickly found. */
static void simplify(const struct explore_options *options, void (*scenario)(void),
                     struct explore_result *result)
{
    struct explore_options simpler = *options;
    simpler.mode = EXPLORE_ALL;
    simpler.limit = SIMPLER_LIMIT;
    double end = seconds() + SIMPLER_S;
    for (simpler.bound = 0; simpler.bound <= SIMPLER_BOUND; simpler.bound++) {
        if (seconds() > end)
            return;
        struct explore_result found;
        search(&simpler, scenario, &found);
        if (!found.failed || strcmp(found.rule, result->rule) != 0)
            continue;
        memcpy(result->message, found.message, sizeof result->message);
        memcpy(result->replay, found.replay, sizeof result->replay);
        return;
    }
}

int explore(const struct explore_options *options, void (*scenario)(void),
            struct explore_result *result)
{
    *result = (struct explore_result){ 0 };
    int err = check_options(options);
    if (err == 0)
        err = map_all();
    if (err < 0)
        return err;
    set_handlers();
    search(options, scenario, result);
    if (engine->misfit)
        err = -EINVAL;
    bool story =
        result->failed && options->mode != EXPLORE_REPLAY && options->bound < 0;
    if (story || (result->failed && options->mode == EXPLORE_PCT))
        simplify(options, scenario, result);
    if (result->failed && options->mode != EXPLORE_REPLAY) {
        /* Once more, so that the events which explore_print shows are this schedule's. */
        struct explore_options again = *options;
        struct explore_result repeated;
        again.mode = EXPLORE_REPLAY;
        again.replay = result->replay;
        search(&again, scenario, &repeated);
        CHECK(repeated.failed,
              "the schedule %s did not fail again: the scenario depends "
              "on something that the explorer does not control",
              result->replay);
    }
    reset_handlers();
    engine->options = NULL;
    engine->result = NULL;
    return err;
}
