/* readiness: what the edges have said about one direction of a descriptor, in one word.
 *
 *     | tick: how many edges came | hung up | ready |
 *
 * An edge sets READY and counts the tick up. A task that tried the syscall and found the
 * descriptor drained clears READY, but only if the word is still the one that it saw
 * before the try: otherwise a newer edge has come, and to clear it would be to lose it
 * (RULES R2). One word makes that one compare-exchange, and a try needs no lock.
 *
 * HUNG_UP is remembered with the edge that brought it, for a short read means "drained"
 * only on a descriptor that has not hung up (R12).
 *
 * Source: Tokio keeps readiness, tick and shutdown of a resource in one word, too.
 * Threads: any; `shared` false: one, and then plain loads and stores do. */
#ifndef LESSON05_READINESS_H
#define LESSON05_READINESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { READINESS_READY = 1, READINESS_HUNG_UP = 2, READINESS_TICK = 4 };

struct readiness {
    _Atomic uint32_t word;
};

/* For a new tenant of the descriptor's memory; `ready`: a first try may succeed. */
static inline void readiness_reset(struct readiness *self, bool ready)
{
    atomic_store_explicit(&self->word, ready ? READINESS_READY : 0,
                          memory_order_relaxed);
}

/* What is known now: for the try that follows, and for readiness_clear after it. */
static inline uint32_t readiness_look(const struct readiness *self)
{
    /* acquire: pairs with the release in readiness_edge */
    return atomic_load_explicit(&self->word, memory_order_acquire);
}

static inline bool readiness_is_ready(const struct readiness *self)
{
    return readiness_look(self) & READINESS_READY;
}

static inline uint32_t readiness_tick(const struct readiness *self)
{
    return readiness_look(self) / READINESS_TICK;
}

static inline void readiness_edge(struct readiness *self, bool hung_up, bool shared)
{
    uint32_t bits = READINESS_READY | (hung_up ? READINESS_HUNG_UP : 0);
    uint32_t old = atomic_load_explicit(&self->word, memory_order_relaxed);
    if (!shared) {
        atomic_store_explicit(&self->word, (old | bits) + READINESS_TICK,
                              memory_order_relaxed);
        return;
    }
    /* release: pairs with the acquire in readiness_look */
    while (!atomic_compare_exchange_weak_explicit(
        &self->word, &old, (old | bits) + READINESS_TICK, memory_order_release,
        memory_order_relaxed))
        ;
}

/* Drained, says who looked at `seen` before the try. */
static inline void readiness_clear(struct readiness *self, uint32_t seen, bool shared)
{
    uint32_t drained = seen & ~(uint32_t)READINESS_READY;
    if (shared) /* relaxed: nothing is published; a newer edge makes it fail */
        atomic_compare_exchange_strong_explicit(
            &self->word, &seen, drained, memory_order_relaxed, memory_order_relaxed);
    else if (atomic_load_explicit(&self->word, memory_order_relaxed) == seen)
        atomic_store_explicit(&self->word, drained, memory_order_relaxed);
}

#endif
