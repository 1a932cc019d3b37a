/* completion: the waker is moved out first, then "done" is stored, then it is woken.
 *
 * Problem: after "done" the waiter may return, and the operation's memory is something
 * else (C15); so the completer may not read the waker afterwards. But before "done" the
 * waiter may be replacing the waker at this very moment (W7). Idea: whoever wants to
 * touch the waker first takes the stage in one atomic step. Invariant: the waker is
 * touched by the waiter in RENEWING, by the completer in TAKEN, and by nobody else; the
 * completer's last access to the memory is the store of DONE, or its exchange when it
 * found RENEWING. */
#include "lesson02_wakers/completion.h"

enum { ARMED, RENEWING, TAKEN, DONE };

void completion_arm(struct completion *completion, const struct context *context)
{
    completion->waker = waker_clone(context->waker);
    atomic_store_explicit(&completion->stage, ARMED, memory_order_relaxed);
}

void completion_disarm(struct completion *completion)
{
    waker_drop(&completion->waker);
}

/* TAKEN: the completer is between two of its steps; ask again in a moment. */
static bool ask_again(const struct context *context)
{
    waker_wake_by_ref(context->waker);
    return false;
}

bool completion_poll(struct completion *completion, const struct context *context)
{
    /* acquire: pairs with the store of DONE in complete */
    unsigned stage = atomic_load_explicit(&completion->stage, memory_order_acquire);
    if (stage == DONE)
        return true;
    if (stage == TAKEN)
        return ask_again(context);
    /* Reading the waker in ARMED is safe: the completer only moves it out. But its
     * writes may run now, so compare only once the stage is ours. */
    if (!atomic_compare_exchange_strong_explicit(&completion->stage, &stage, RENEWING,
                                                 memory_order_acquire,
                                                 memory_order_acquire))
        return stage == DONE || ask_again(context); /* acquire: pairs as above */
    struct waker old = { 0 };
    if (!context->waker || !waker_same(&completion->waker, context->waker)) {
        old = waker_take(&completion->waker);
        completion->waker = waker_clone(context->waker);
    }
    stage = RENEWING;
    /* release: pairs with the exchange in complete, which takes the waker; acquire: with
     * the result, when complete was quicker */
    bool done = !atomic_compare_exchange_strong_explicit(
        &completion->stage, &stage, ARMED, memory_order_acq_rel, memory_order_acquire);
    waker_drop(&old);
    if (done)
        waker_drop(&completion->waker);
    return done;
}

void completion_complete(struct completion *completion)
{
    /* acq_rel: release publishes the result to a waiter in RENEWING; acquire pairs with
     * the release that stored the waker */
    unsigned stage =
        atomic_exchange_explicit(&completion->stage, TAKEN, memory_order_acq_rel);
    if (stage == RENEWING)
        return;
    CHECK(stage == ARMED, "an operation was completed twice");
    struct waker waker = waker_take(&completion->waker);
    /* release: pairs with the acquire in poll; from here on the memory is the waiter's */
    atomic_store_explicit(&completion->stage, DONE, memory_order_release);
    waker_wake(&waker);
}
