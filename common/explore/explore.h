/* explore: runs a small concurrent program in every order that its threads may take.
 *
 * A scenario is an ordinary function: it creates threads with pthread_create, lets them
 * use a module of the course, joins them, and CHECKs what must hold. Scenario and module
 * are compiled unchanged, but with the compiler's race detector switched on
 * (-fsanitize=thread), and linked with this engine instead of the detector's own library.
 * So each atomic operation, each access to plain memory, each lock, each allocation calls
 * us, and we decide who goes next. The threads are coroutines on one system thread: a
 * schedule is a list of choices, which can be searched, printed, and run again.
 *
 * What is found, in every order that is tried:
 *   - a CHECK that fails, or an EXPLORE_RULE that is broken
 *   - plain memory that two threads use, one of them writing, with nothing to order them;
 *     the one or the other use may be atomic, or the allocation itself
 *   - use after free, free twice, use past the end of a block; memory never freed, an
 *     eventfd never closed, a thread neither joined nor detached
 *   - everybody waits and nobody is left to wake them; nobody gets anywhere
 * Memory models: SC (one order that all see), TSO (each thread's atomic stores wait in a
 * queue before others see them: x86), PSO (a queue for each variable).
 *
 * What it cannot see. A load always sees the newest store that has reached memory: a
 * processor (ARM, POWER) or a compiler that lets a load see an older one, or that swaps
 * two loads, or a load and a later store, does more than any of the three models; a
 * missing acquire shows only as a race on the plain data behind it. Plain stores are
 * not delayed. Two threads that see two stores in different orders (IRIW) are not
 * shown. A weak compare-and-swap fails for no reason only where `weak_failures` says so
 * (and, with clang, not even there); nobody is woken without a signal. A relaxed store
 * ends a release sequence, as in C++20: C17 lets one of the same thread continue it. At
 * most seven stores of a thread wait; before it creates a thread, or is joined, all of
 * them have left.
 *   Loops: a load that is repeated in one place more than four times with the same
 * result waits for a change, or until nobody else can move; so does a second
 * sched_yield there. A loop that gives up after ten looks is not seen to do so while
 * others can move: let it be two or three. A loop that waits by anything else (an
 * exchange, two variables in turn) calls sched_yield, or is taken for a livelock.
 *   Memory: what library functions touch, other than memcpy, memmove and memset, is not
 * seen; of a stack, races are, use after the function's return is not. Variables of a
 * thread are written with TLS_DEFINE: a _Thread_local one is shared here, and not set
 * back. Addresses depend on the order of allocations, so a program that compares them
 * may do less than it could.
 *   The kernel: futexes (FUTEX_WAIT, FUTEX_WAKE) and eventfds have a model; other
 * locks, and sleeps, are refused (refused.c: rule "explorer"); every other call goes to
 * the real kernel: who blocks there blocks all, and what changed there is not set back.
 *   And only the cases that are written down are searched: two threads and three
 * operations are not a proof for ten. For the whole of C11's memory model, on programs
 * of this size, see herd7 (https://github.com/herd/herdtools7) and GenMC
 * (https://github.com/MPI-SWS/genmc).
 *
 * Sources: sleep sets, Godefroid 1996; preemption bounds, Musuvathi and Qadeer 2007; PCT,
 * Burckhardt and others 2010; vector clocks as in FastTrack, Flanagan and Freund 2009;
 * store buffers as in Owens, Sarkar and Sewell 2009. The idea of it: loom, shuttle.
 *
 * Threads: everything here from one system thread; inside a scenario, from any of its
 * threads. */
#ifndef COMMON_EXPLORE_EXPLORE_H
#define COMMON_EXPLORE_EXPLORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/check.h"

/* Threads of a scenario, the one that it starts in included. */
#define EXPLORE_THREADS 8

enum explore_model { EXPLORE_SC, EXPLORE_TSO, EXPLORE_PSO };

enum explore_mode {
    EXPLORE_ALL,    /* depth first, every order once (sleep sets), or up to the bound */
    EXPLORE_RANDOM, /* `runs` random walks */
    EXPLORE_PCT,    /* `runs` runs of random priorities with `bound` changes */
    EXPLORE_REPLAY, /* the one schedule in `replay` */
};

struct explore_options {
    enum explore_model model;
    enum explore_mode mode;
    int bound;          /* EXPLORE_ALL: at most so many preemptions; -1: no bound */
    bool brute_force;   /* EXPLORE_ALL: without sleep sets, to check those */
    long limit;         /* gives up after so many schedules; 0: never */
    long runs;          /* RANDOM, PCT */
    uint64_t seed;      /* RANDOM, PCT */
    const char *replay; /* REPLAY, as a failure has printed it */
    int failing_allocations; /* explored choice: up to so many allocations fail */
    int weak_failures;       /* explored choice: so many weak compare-and-swaps fail */
    int timeouts; /* explored choice: so many timed waits end early. Others end
                              when nobody else can move. */
    const char
        *hang_rule; /* the rule that is broken when everybody waits; may be NULL */
};

#define EXPLORE_OUTCOMES 1024

/* What a search found. Everything in it is a copy. */
struct explore_result {
    bool failed;
    bool complete;          /* every order was tried (up to the bound) */
    long schedules;         /* run to their end */
    long cut;               /* left early: the rest was an order seen before */
    long steps;             /* in all schedules */
    int longest;            /* steps of the longest schedule */
    char rule[32];          /* failed: "W1", "data race", "leak", ... */
    char message[512];      /* failed: one sentence */
    char replay[12288];     /* failed: the schedule; as options.replay */
    unsigned outcome_count; /* what explore_outcome was told, in ascending order */
    uint64_t outcomes[EXPLORE_OUTCOMES];
};

/* Searches. The scenario and what it uses start anew in each schedule: all variables of
 * the program are set back to what they hold now, those that *options points to as well.
 * -EINVAL: a replay string that does not fit the scenario (result->message says
 * where), or options that make no sense. -ENOMEM. A failure that is found is no error. */
int explore(const struct explore_options *options, void (*scenario)(void),
            struct explore_result *result);

/* The failing schedule of the last search as a listing, a thread a column, at most 80
 * columns wide; ends with the line `replay_command'REPLAY-STRING'` (unless it is NULL)
 * and, if there is one, the rule that was broken. */
void explore_print(const struct explore_result *result, const char *title,
                   const char *replay_command);

/* ---- in a scenario */

/* Breaks the rule `id` unless the condition holds. */
#define EXPLORE_RULE(id, condition, ...)                                               \
    do {                                                                               \
        if (!(condition))                                                              \
            explore_broken(id, __VA_ARGS__);                                           \
    } while (0)

_Noreturn void explore_broken(const char *rule, const char *format, ...)
    PRINTF_LIKE(2, 3);

/* 0 .. n - 1, each in a schedule of its own: faults, short reads, who is first. */
int explore_choose(int n);

/* Adds to the set of outcomes. */
void explore_outcome(uint64_t outcome);

/* What the calling thread is called in the listing. Borrows the string. */
void explore_name(const char *name);

/* ---- a program of cases (cases.c) */

struct explore_case {
    const char *name;
    void (*scenario)(void);
    const char *rules;     /* that it is about: "W1, W3" */
    const char *hang_rule; /* as in the options */
    unsigned models;       /* bits 1 << EXPLORE_SC ...; 0: SC and TSO */
    int bound;             /* 0: none, searched to the end; n: at most n preemptions */
    bool deep;             /* only with --deep: takes longer than a second or two */
    int failing_allocations, weak_failures, timeouts; /* as in the options */
};

/* A program that searches the cases, each under each of its models, as cmocka tests.
 * --help says what else it can do. */
#define EXPLORE_MAIN(...)                                                              \
    int main(int argc, char **argv)                                                    \
    {                                                                                  \
        static const struct explore_case cases[] = { __VA_ARGS__ };                    \
        return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);          \
    }

int explore_main(int argc, char **argv, const struct explore_case *cases,
                 unsigned count);

#endif
