/* readiness: what the edges have said about one direction of a descriptor, and who waits
 * for the next one; where the two meet there is one word, and no lock.
 *
 *     | tick: how often it changed hands | armed | hung up | ready |
 *
 *   READY --a try found it drained--> 0 --arm--> ARMED
 *     ^                               |            |  (the waker is in the slot)
 *     +------------- edge ------------+------------+  an edge takes the waker along
 *
 * An edge sets READY and counts the tick up. A task that tried the syscall and found the
 * descriptor drained clears READY, but only if the word is still the one that it saw
 * before the try: otherwise a newer edge has come, and to clear it would be to lose it
 * (RULES R2). Arming is the same step again: the waker is stored first, and then ARMED is
 * set, but only if the word still says "not ready, no edge since". So an edge comes
 * either before, and the task tries again, or after, and finds a waker to take.
 *
 * The slot belongs to the operation while ARMED is off. The edge reads it before it
 * takes ARMED away, for afterwards the operation may write it again. What it has read is
 * good if its compare-exchange succeeds: since disarming counts the tick up as well, the
 * word was ARMED with this waker all the while. If it fails, what was read (half of an
 * old waker, perhaps) is not used: hence the slot's two halves are atomic.
 *
 * HUNG_UP is remembered with the edge that brought it, for a short read means "drained"
 * only on a descriptor that has not hung up (R12).
 *
 * Source: Tokio keeps readiness, tick and shutdown of a resource in one word, too.
 * Ownership: the slot owns its waker while ARMED. Threads: edges from any; the rest by the
 * one operation that holds the direction. `shared` false: one thread, and then plain
 * loads and stores do. */
#ifndef LESSON05_READINESS_H
#define LESSON05_READINESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lesson02_wakers/waker.h"

enum {
    READINESS_READY = 1,
    READINESS_HUNG_UP = 2,
    READINESS_ARMED = 4, /* never together with READY */
    READINESS_TICK = 8,
};

struct readiness {
    _Atomic uint32_t word;
    /* the waker; written by the operation while ARMED is off */
    _Atomic(const struct waker_ops *) ops;
    _Atomic(void *) data;
};

/* For a new tenant of the descriptor's memory, which was zeroed before its first; `ready`:
 * a first try may succeed. The tick goes on: an edge that was meant for the tenant before,
 * and comes late, must not take this word for the one whose waker it has read (R4). */
static inline void readiness_reset(struct readiness *self, bool ready)
{
    const uint32_t flags = READINESS_TICK - 1;
    uint32_t old = atomic_load_explicit(&self->word, memory_order_relaxed);
    atomic_store_explicit(&self->word, (old & ~flags) | (ready ? READINESS_READY : 0),
                          memory_order_relaxed);
}

/* What is known now: for the try that follows, and for what is concluded from it. */
static inline uint32_t readiness_look(const struct readiness *self)
{
    /* acquire: pairs with the release in readiness_change. Who sees that an edge took
     * the waker may write the slot, which the edge has read. */
    return atomic_load_explicit(&self->word, memory_order_acquire);
}

static inline uint32_t readiness_tick(const struct readiness *self)
{
    return readiness_look(self) / READINESS_TICK;
}

/* From `seen` to `next`, if nothing has changed. Else false, and `seen` is what it is. */
static inline bool readiness_change(struct readiness *self, uint32_t *seen,
                                    uint32_t next, bool shared)
{
    if (shared) /* acq_rel, acquire: pair with each other and with readiness_look */
        return atomic_compare_exchange_strong_explicit(
            &self->word, seen, next, memory_order_acq_rel, memory_order_acquire);
    uint32_t now = atomic_load_explicit(&self->word, memory_order_relaxed);
    if (now != *seen) {
        *seen = now;
        return false;
    }
    atomic_store_explicit(&self->word, next, memory_order_relaxed);
    return true;
}

/* relaxed: the word's order is the slot's */
static inline struct waker readiness_slot(const struct readiness *self)
{
    return (struct waker){ atomic_load_explicit(&self->ops, memory_order_relaxed),
                           atomic_load_explicit(&self->data, memory_order_relaxed) };
}

/* Notes an edge. The waker of who was armed is the caller's now; empty: nobody was. */
static inline struct waker readiness_edge(struct readiness *self, bool hung_up,
                                          bool shared)
{
    const uint32_t armed = READINESS_ARMED;
    uint32_t bits = READINESS_READY | (hung_up ? READINESS_HUNG_UP : 0);
    uint32_t seen = readiness_look(self);
    struct waker waker;
    do
        waker = seen & armed ? readiness_slot(self) : (struct waker){ 0 };
    while (!readiness_change(self, &seen, ((seen & ~armed) | bits) + READINESS_TICK,
                             shared));
    return waker;
}

/* Drained, says who looked at `seen` before the try. A newer edge makes it fail. */
static inline void readiness_clear(struct readiness *self, uint32_t seen, bool shared)
{
    readiness_change(self, &seen, seen & ~(uint32_t)READINESS_READY, shared);
}

/* The operation waits no more: its waker is dropped, unless an edge has taken it. */
static inline void readiness_disarm(struct readiness *self, bool shared)
{
    uint32_t seen = readiness_look(self);
    while (seen & READINESS_ARMED)
        if (readiness_change(self, &seen, seen - READINESS_ARMED + READINESS_TICK,
                             shared)) {
            struct waker mine = readiness_slot(self);
            waker_drop(&mine);
            return;
        }
}

/* It was not ready when the caller looked at `seen`. True: the next edge will take a
 * clone of the context's waker, or has done so; false: an edge has come, try again. */
static inline bool readiness_arm(struct readiness *self, uint32_t seen,
                                 const struct context *context, bool shared)
{
    static const struct waker nobody = { 0 };
    const struct waker *offered = context->waker ? context->waker : &nobody;
    if (seen & READINESS_ARMED) {
        struct waker stored = readiness_slot(self);
        if (waker_same(&stored, offered))
            return true;
        readiness_disarm(self, shared); /* W7: another task polls it now */
        seen = readiness_look(self);
        if (seen & READINESS_READY)
            return false;
    }
    struct waker mine = waker_clone(offered);
    atomic_store_explicit(&self->ops, mine.ops, memory_order_relaxed);
    atomic_store_explicit(&self->data, mine.data, memory_order_relaxed);
    if (readiness_change(self, &seen, seen | READINESS_ARMED, shared))
        return true;
    waker_drop(&mine);
    return false;
}

#endif
