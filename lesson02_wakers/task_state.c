/* task_state: each transition is a pure function from old word to new word; two ways to
 * apply it.
 *
 * Problem: several threads wake, cancel, drop and run one task at once. Idea: put all
 * of it into one word, so that each event is one atomic step with one winner. Then no
 * lock is needed, and "who frees it" has an answer: the step after which the word says
 * DONE, no handle, no waker. A LOCAL task has one writer, so for it the same functions
 * are applied with a plain load and store. The functions are `inline` beside a header that
 * does not say so: ordinary external functions, and a hint to link-time optimisation,
 * which finds `local` a constant at most callers and leaves three instructions of them.
 *
 * Source: the shape (one word, SCHEDULED and RUNNING apart, references above the flags)
 * is that of smol's async-task and of Tokio's task state. */
#include "lesson02_wakers/task_state.h"

#include "common/check.h"

struct change {
    uint32_t set;
    uint32_t clear;
    int32_t wakers;
};

static uint32_t changed(uint32_t word, struct change change)
{
    return ((word & ~change.clear) | change.set) +
           (uint32_t)change.wakers * (uint32_t)TASK_WAKER;
}

/* Applies a change; returns the word before it. */
static uint32_t apply(_Atomic uint32_t *word, bool local, struct change change)
{
    uint32_t old = atomic_load_explicit(word, memory_order_relaxed);
    if (local) {
        atomic_store_explicit(word, changed(old, change), memory_order_relaxed);
        return old;
    }
    /* acq_rel: pairs with every other change of the same word (see the header) */
    while (!atomic_compare_exchange_weak_explicit(
        word, &old, changed(old, change), memory_order_acq_rel, memory_order_relaxed))
        ;
    return old;
}

static enum task_duty free_if_last(uint32_t word)
{
    bool last = (word & TASK_DONE) && !(word & (TASK_HANDLE | TASK_LOCAL)) &&
                TASK_WAKERS(word) == 0;
    return last ? DUTY_FREE : DUTY_NOTHING;
}

inline uint32_t task_state_new(bool local, bool handle)
{
    return (uint32_t)TASK_LIFE | TASK_SCHEDULED | (local ? TASK_LOCAL : 0) |
           (handle ? TASK_HANDLE : 0);
}

inline uint32_t task_state_start(_Atomic uint32_t *word, bool local, bool *stalled)
{
    struct change change = { .set = TASK_RUNNING,
                             .clear = TASK_SCHEDULED | TASK_STALLED };
    /* SCHEDULED and not RUNNING is stable: only we may take it out of the queue. But
     * wakers, cancel and handle may still change, hence the loop in apply. */
    uint32_t now = atomic_load_explicit(word, memory_order_relaxed);
    CHECK((now & (TASK_SCHEDULED | TASK_RUNNING | TASK_DONE)) == TASK_SCHEDULED,
          "a task was run that is not SCHEDULED (state %#x)", now);
    uint32_t new = changed(apply(word, local, change), change);
    *stalled = now & TASK_STALLED;
    if (!UNLIKELY(new &TASK_CANCEL) || (new &TASK_CANCELLED))
        return new;
    apply(word, local, (struct change){ .set = TASK_CANCELLED });
    return new | TASK_CANCELLED;
}

inline enum task_duty task_state_pause(_Atomic uint32_t *word, bool local, bool again,
                                       int32_t remote_wakers, bool *stalled)
{
    uint32_t old = atomic_load_explicit(word, memory_order_relaxed);
    for (;;) {
        bool scheduled = again || (old & TASK_SCHEDULED);
        uint32_t wakers = TASK_WAKERS(old) + (uint32_t)remote_wakers;
        *stalled = !scheduled && (wakers & TASK_WAKERS(UINT32_MAX)) == 0;
        uint32_t new = old & ~(uint32_t)TASK_RUNNING;
        new |= (scheduled ? TASK_SCHEDULED : 0) | (*stalled ? TASK_STALLED : 0);
        if (local)
            atomic_store_explicit(word, new, memory_order_relaxed);
        /* acq_rel: release what the poll wrote to the next start; acquire pairs with a
         * wake that came meanwhile */
        else if (!atomic_compare_exchange_weak_explicit(
                     word, &old, new, memory_order_acq_rel, memory_order_relaxed))
            continue;
        return scheduled ? DUTY_SCHEDULE : DUTY_NOTHING;
    }
}

inline enum task_duty task_state_wake(_Atomic uint32_t *word, bool local, bool consume)
{
    uint32_t old = atomic_load_explicit(word, memory_order_relaxed);
    uint32_t new;
    do {
        new = old - (consume ? (uint32_t)TASK_WAKER : 0);
        if (!(old & TASK_DONE))
            new |= TASK_SCHEDULED;
        if (local) {
            atomic_store_explicit(word, new, memory_order_relaxed);
            break;
        }
        /* acq_rel, also when no flag changes: release publishes what the waker's side
         * wrote to the run that this wake is merged into (W3) */
    } while (!atomic_compare_exchange_weak_explicit(
        word, &old, new, memory_order_acq_rel, memory_order_relaxed));
    if (old & TASK_DONE)
        return consume ? free_if_last(new) : DUTY_NOTHING;
    return old & (TASK_SCHEDULED | TASK_RUNNING) ? DUTY_NOTHING : DUTY_SCHEDULE;
}

enum task_duty task_state_cancel(_Atomic uint32_t *word, bool local)
{
    uint32_t old = apply(word, local, (struct change){ .set = TASK_CANCEL });
    if (old & TASK_DONE)
        return DUTY_NOTHING;
    /* Two steps are safe: the caller's handle keeps the task, and a run between them
     * delivers the cancel early. */
    return task_state_wake(word, local, false);
}

void task_state_panic(_Atomic uint32_t *word, bool local)
{
    apply(word, local, (struct change){ .set = TASK_PANICKED });
}

inline uint32_t task_state_finish(_Atomic uint32_t *word, bool local, bool keep)
{
    uint32_t old = atomic_load_explicit(word, memory_order_relaxed);
    for (;;) {
        bool hold = keep && !(old & TASK_HANDLE);
        uint32_t new = changed(old, (struct change){
                                        .set = TASK_DONE,
                                        .clear = TASK_SCHEDULED | TASK_RUNNING,
                                        .wakers = hold ? 1 : 0,
                                    });
        /* release, also here: another thread may ask task_is_done of a LOCAL task */
        if (local)
            atomic_store_explicit(word, new, memory_order_release);
        /* acq_rel: release pairs with the acquire of who looks at the output */
        else if (!atomic_compare_exchange_weak_explicit(
                     word, &old, new, memory_order_acq_rel, memory_order_relaxed))
            continue;
        return new;
    }
}

inline void task_state_clone(_Atomic uint32_t *word, bool local)
{
    /* A LOCAL task's count is signed: a waker cloned elsewhere may be dropped here. */
    uint32_t most = local ? TASK_WAKERS(UINT32_MAX) / 2 : TASK_WAKERS(UINT32_MAX);
    uint32_t old;
    if (local)
        old = apply(word, true, (struct change){ .wakers = 1 });
    else /* relaxed: who clones holds a reference, so nothing depends on this count */
        old = atomic_fetch_add_explicit(word, TASK_WAKER, memory_order_relaxed);
    CHECK(TASK_WAKERS(old) != most,
          "more than %u wakers for one task: somebody clones in a loop", most);
}

inline enum task_duty task_state_drop(_Atomic uint32_t *word, bool local)
{
    if (local) {
        apply(word, true, (struct change){ .wakers = -1 });
        return DUTY_NOTHING;
    }
    uint32_t old = atomic_load_explicit(word, memory_order_relaxed);
    uint32_t new;
    bool abandoned;
    do {
        new = old - TASK_WAKER;
        abandoned = task_state_is_idle(new) && TASK_WAKERS(new) == 0;
        new |= abandoned ? TASK_SCHEDULED : 0;
        /* acq_rel: release our last use of the task to whoever frees it; acquire pairs
         * with that of all others, if we do */
    } while (!atomic_compare_exchange_weak_explicit(
        word, &old, new, memory_order_acq_rel, memory_order_relaxed));
    CHECK(TASK_WAKERS(old) > 0, "a waker was dropped or used twice");
    return abandoned ? DUTY_SCHEDULE : free_if_last(new);
}

inline bool task_state_drop_handle(_Atomic uint32_t *word, bool local)
{
    uint32_t old = atomic_load_explicit(word, memory_order_relaxed);
    for (;;) {
        bool done = old & TASK_DONE;
        uint32_t new = changed(
            old, (struct change){ .clear = TASK_HANDLE, .wakers = done ? 1 : 0 });
        if (local)
            atomic_store_explicit(word, new, memory_order_relaxed);
        /* acq_rel: acquire pairs with finish; release with whoever frees later */
        else if (!atomic_compare_exchange_weak_explicit(
                     word, &old, new, memory_order_acq_rel, memory_order_relaxed))
            continue;
        return done;
    }
}

void task_state_add_wakers(_Atomic uint32_t *word, int32_t wakers)
{
    apply(word, true, (struct change){ .wakers = wakers });
}
