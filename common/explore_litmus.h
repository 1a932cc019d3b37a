/* explore_litmus: programs of a few memory accesses, as data. For the explorer's own
 * tests: the classical ones are written down, others rolled by dice.
 *
 * A program is up to four threads of up to four steps over two variables, a plain cell, a
 * counter under a mutex and a block of memory. Its outcome is a decimal number: what each
 * 'R' has read, in the order of threads and steps, then, if wanted, what the variables
 * hold at the end. */
#ifndef COMMON_EXPLORE_LITMUS_H
#define COMMON_EXPLORE_LITMUS_H

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/explore/explore.h"

enum { LITMUS_THREADS = 4, LITMUS_STEPS = 4 };

struct litmus_step {
    char kind; /* W store, R load, A add 1, C swap 0 for value, F fence, p plain read,
                     P plain write, M plain increment under the mutex, u use the block,
                     X free the block; 0: no more */
    int variable; /* 0 or 1 */
    int value;
    memory_order order;
};

struct litmus {
    const char *name;
    bool final; /* the outcome ends with the variables' values */
    struct litmus_step steps[LITMUS_THREADS][LITMUS_STEPS];
};

static struct litmus litmus; /* the present one: set before the search */
static _Atomic int litmus_variables[2];
static int litmus_plain, litmus_counter;
static int litmus_read[LITMUS_THREADS][LITMUS_STEPS];
static int *litmus_block;
static pthread_mutex_t litmus_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t litmus_changed = PTHREAD_COND_INITIALIZER;

static inline void litmus_memory_step(const struct litmus_step *step, int *read)
{
    _Atomic int *variable = &litmus_variables[step->variable];
    int none = 0;
    switch (step->kind) {
    case 'W':
        atomic_store_explicit(variable, step->value, step->order);
        break;
    case 'R':
        *read = atomic_load_explicit(variable, step->order);
        break;
    case 'A':
        *read = atomic_fetch_add_explicit(variable, 1, step->order);
        break;
    case 'C':
        atomic_compare_exchange_strong_explicit(variable, &none, step->value,
                                                step->order, memory_order_relaxed);
        *read = none;
        break;
    case 'F':
        /* lint: allow atomic, because fences are what is tested here */
        atomic_thread_fence(step->order);
        break;
    default:
        break;
    }
}

static inline void litmus_plain_step(const struct litmus_step *step, int *read)
{
    switch (step->kind) {
    case 'p':
        *read = litmus_plain;
        break;
    case 'P':
        litmus_plain = step->value;
        break;
    case 'M':
        pthread_mutex_lock(&litmus_lock);
        *read = litmus_counter++;
        pthread_mutex_unlock(&litmus_lock);
        break;
    case 'u':
        *litmus_block = step->value;
        break;
    case 'X':
        free(litmus_block);
        break;
    default:
        break;
    }
}

/* 0: woken, 1: not asleep, 2: its time was over. */
static inline int litmus_sleep(const struct litmus_step *step)
{
    struct timespec timeout = { .tv_sec = 1 };
    if (syscall(SYS_futex, &litmus_variables[step->variable], FUTEX_WAIT_PRIVATE, 0,
                &timeout, NULL, 0) == 0)
        return 0;
    return errno == EAGAIN ? 1 : 2;
}

static inline int litmus_wait(void)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    pthread_mutex_lock(&litmus_lock);
    int err = pthread_cond_timedwait(&litmus_changed, &litmus_lock, &until);
    pthread_mutex_unlock(&litmus_lock);
    return err == 0 ? 0 : 2;
}

static inline void litmus_waiting_step(const struct litmus_step *step, int *read)
{
    switch (step->kind) {
    case 'f':
        *read = litmus_sleep(step);
        break;
    case 'g':
        syscall(SYS_futex, &litmus_variables[step->variable], FUTEX_WAKE_PRIVATE, 1,
                NULL, NULL, 0);
        break;
    case 'c':
        *read = litmus_wait();
        break;
    case 's':
        pthread_cond_signal(&litmus_changed);
        break;
    case 'Y':
        sched_yield();
        break;
    default:
        break;
    }
}

static inline void *litmus_thread(void *argument)
{
    int thread = *(int *)argument;
    for (int i = 0; i < LITMUS_STEPS && litmus.steps[thread][i].kind; i++) {
        litmus_memory_step(&litmus.steps[thread][i], &litmus_read[thread][i]);
        litmus_plain_step(&litmus.steps[thread][i], &litmus_read[thread][i]);
        litmus_waiting_step(&litmus.steps[thread][i], &litmus_read[thread][i]);
    }
    return NULL;
}

static inline bool litmus_has(char kind)
{
    for (int t = 0; t < LITMUS_THREADS; t++)
        for (int i = 0; i < LITMUS_STEPS; i++)
            if (litmus.steps[t][i].kind == kind)
                return true;
    return false;
}

static inline void litmus_scenario(void)
{
    int numbers[LITMUS_THREADS] = { 0, 1, 2, 3 };
    pthread_t threads[LITMUS_THREADS];
    if (litmus_has('u') || litmus_has('X'))
        litmus_block = malloc(sizeof *litmus_block);
    for (int t = 0; t < LITMUS_THREADS; t++)
        if (litmus.steps[t][0].kind)
            pthread_create(&threads[t], NULL, litmus_thread, &numbers[t]);
    for (int t = 0; t < LITMUS_THREADS; t++)
        if (litmus.steps[t][0].kind)
            pthread_join(threads[t], NULL);
    if (litmus_has('u') && !litmus_has('X'))
        free(litmus_block);
    uint64_t outcome = 0;
    for (int t = 0; t < LITMUS_THREADS; t++)
        for (int i = 0; i < LITMUS_STEPS; i++)
            if (litmus.steps[t][i].kind && strchr("RACpMfc", litmus.steps[t][i].kind))
                outcome = 10 * outcome + (uint64_t)litmus_read[t][i];
    for (int v = 0; litmus.final && v < 2; v++)
        outcome = 10 * outcome + (uint64_t)atomic_load_explicit(&litmus_variables[v],
                                                                memory_order_relaxed);
    explore_outcome(outcome);
}

#endif
