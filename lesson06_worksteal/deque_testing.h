/* deque_testing: what the two test programs of the deque share: numbered items in place
 * of tasks, and a pause that throws dice or stops one thread at one place. */
#ifndef LESSON06_DEQUE_TESTING_H
#define LESSON06_DEQUE_TESTING_H

#include "common/testing/testing.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "common/thread_local.h"

/* A thread with a non-zero dice yields at one pause in four. */
static TLS_DEFINE(uint64_t, pause_dice);
/* A thread whose trap is set stops at this place, once. */
static TLS_DEFINE(const char *, pause_trap);
static _Atomic bool pause_reached;
static _Atomic bool pause_go;

static inline void test_pause(const char *place)
{
    if (TLS(pause_trap) && strcmp(TLS(pause_trap), place) == 0) {
        TLS(pause_trap) = NULL;
        /* release, acquire: pair with the test's main thread */
        atomic_store_explicit(&pause_reached, true, memory_order_release);
        while (!atomic_load_explicit(&pause_go, memory_order_acquire))
            sched_yield();
    }
    if (TLS(pause_dice)) {
        TLS(pause_dice) ^= TLS(pause_dice) << 13;
        TLS(pause_dice) ^= TLS(pause_dice) >> 7;
        TLS(pause_dice) ^= TLS(pause_dice) << 17;
        if (TLS(pause_dice) % 4 == 0)
            sched_yield();
    }
}

#define PAUSE(place) test_pause(place)

#include "lesson06_worksteal/deque.h"

static inline struct task *item(uintptr_t number)
{
    return (struct task *)(number + 1); /* never looked into; never NULL */
}

static inline uintptr_t number_of(struct task *task)
{
    return (uintptr_t)task - 1;
}

/* A thief that is stopped after it read the oldest task, before it claims it. */
struct paused_thief {
    struct deque *deque;
    struct task *got;
    pthread_t thread;
};

static inline void *paused_thief_main(void *argument)
{
    struct paused_thief *thief = argument;
    TLS(pause_trap) = "claim: tasks read, not yet ours";
    thief->got = deque_steal(thief->deque);
    return NULL;
}

static inline void paused_thief_start(struct paused_thief *thief, struct deque *deque)
{
    thief->deque = deque;
    atomic_store_explicit(&pause_reached, false, memory_order_relaxed);
    atomic_store_explicit(&pause_go, false, memory_order_relaxed);
    assert_int_equal(pthread_create(&thief->thread, NULL, paused_thief_main, thief), 0);
    /* acquire: pairs with test_pause */
    WAIT_UNTIL(atomic_load_explicit(&pause_reached, memory_order_acquire));
}

static inline void paused_thief_finish(struct paused_thief *thief)
{
    atomic_store_explicit(&pause_go, true, memory_order_release);
    pthread_join(thief->thread, NULL);
}

#endif
