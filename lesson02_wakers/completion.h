/* completion: one event, one waiter, and memory that belongs to the waiter again after.
 *
 * An operation that finishes on another thread - a blocking job, a completion reaped by
 * another worker - must hand over a result and a wake, and then never touch the
 * operation again: the frame that holds it may be reused at once (RULES C15).
 *
 *   ARMED --complete--> TAKEN --(waker moved out)--> DONE, then wake
 *   ARMED --renew (W7)--> RENEWING --> ARMED
 *   RENEWING --complete--> TAKEN: the waiter notices and is done without a wake
 *
 * Ownership: embedded in the waiter's memory; owns the waker while ARMED. Threads: arm
 * and poll by the waiter, complete by any one thread, once. */
#ifndef LESSON02_COMPLETION_H
#define LESSON02_COMPLETION_H

#include <stdatomic.h>

#include "lesson02_wakers/waker.h"

struct completion {
    _Atomic unsigned stage;
    struct waker waker; /* guarded by stage */
};

/* Before the operation starts: nobody can complete it yet. */
void completion_arm(struct completion *completion, const struct context *context);

/* True: complete was called, and what it published may be read. False: the context's
 * waker will be woken. */
bool completion_poll(struct completion *completion, const struct context *context);

/* Publishes what was written before, and wakes. The completion's memory is not touched
 * any more when this returns, nor once completion_poll can say true. */
void completion_complete(struct completion *completion);

/* An armed completion that will never be completed, because the operation did not start
 * after all. */
void completion_disarm(struct completion *completion);

#endif
