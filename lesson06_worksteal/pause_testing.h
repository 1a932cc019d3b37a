/* pause_testing: a PAUSE (pause.h) that throws dice, or stops one thread at one place.
 *
 * Include it before the .c file under test. */
#ifndef LESSON06_PAUSE_TESTING_H
#define LESSON06_PAUSE_TESTING_H

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
        /* release: pairs with pause_is_reached; acquire: with pause_release */
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

/* The calling thread will stop at this place, once. */
static inline void pause_set_trap(const char *place)
{
    atomic_store_explicit(&pause_reached, false, memory_order_relaxed);
    atomic_store_explicit(&pause_go, false, memory_order_relaxed);
    TLS(pause_trap) = place;
}

static inline void pause_release(void)
{
    /* release: pairs with the acquire in test_pause */
    atomic_store_explicit(&pause_go, true, memory_order_release);
}

static inline bool pause_is_reached(void)
{
    /* acquire: pairs with test_pause */
    return atomic_load_explicit(&pause_reached, memory_order_acquire);
}

#endif
