/* waker: a handle with which anybody, anywhere, says "poll that task again".
 *
 * A waker is two words: a table of four operations and a pointer. The operations are
 * those of Rust's RawWakerVTable, so that its documentation serves here as well:
 *   clone        another waker for the same task
 *   wake         wakes, and uses the waker up
 *   wake_by_ref  wakes, and keeps the waker
 *   drop         uses the waker up without waking
 * {0} is a legal waker that does nothing; each function here accepts it.
 *
 * Rules: W3 duplicate wakes coalesce; W4 a wake after completion does nothing; W5 a
 * waker may outlive its task and its executor; W6 a wake runs no task and takes no lock
 * that its caller could hold.
 *
 * Ownership: a struct waker owns one reference to what it wakes; moving the two words
 * moves the reference; exactly one wake or drop ends it. A const pointer to a waker is
 * a borrow. Threads: any, at any time. */
#ifndef LESSON02_WAKER_H
#define LESSON02_WAKER_H

#include "lesson01_futures/future.h"

struct waker_ops {
    struct waker (*clone)(void *data);
    void (*wake)(void *data);
    void (*wake_by_ref)(void *data);
    void (*drop)(void *data);
};

struct waker {
    const struct waker_ops *ops; /* borrows; static. NULL: does nothing */
    void *data;                  /* shares; what ops make of it */
};

/* A second waker for the same task; the caller owns it. */
static inline struct waker waker_clone(const struct waker *waker)
{
    if (!waker || !waker->ops)
        return (struct waker){ 0 };
    return waker->ops->clone(waker->data);
}

/* Moves the waker out of its slot, which is empty afterwards. */
static inline struct waker waker_take(struct waker *slot)
{
    struct waker taken = *slot;
    *slot = (struct waker){ 0 };
    return taken;
}

/* Wakes and uses the waker up; the slot is empty afterwards. */
static inline void waker_wake(struct waker *slot)
{
    struct waker taken = waker_take(slot);
    if (taken.ops)
        taken.ops->wake(taken.data);
}

static inline void waker_wake_by_ref(const struct waker *waker)
{
    if (waker && waker->ops)
        waker->ops->wake_by_ref(waker->data);
}

/* Uses the waker up without waking; the slot is empty afterwards. */
static inline void waker_drop(struct waker *slot)
{
    struct waker taken = waker_take(slot);
    if (taken.ops)
        taken.ops->drop(taken.data);
}

/* Do both wake the same task? Then there is no need to store the second (W7). */
static inline bool waker_same(const struct waker *a, const struct waker *b)
{
    return a->ops == b->ops && a->data == b->data;
}

/* Stores a clone of the context's waker in the slot, unless the slot's waker is as
 * good: the way a leaf that only its own task touches renews its waker on each poll
 * (W7). */
static inline void waker_store(struct waker *slot, const struct context *context)
{
    static const struct waker nobody = { 0 };
    const struct waker *offered = context->waker ? context->waker : &nobody;
    if (waker_same(slot, offered))
        return;
    waker_drop(slot);
    *slot = waker_clone(offered);
}

#endif
