/* timekeeper: one timer for all the waits of a function.
 *
 * timeout() puts a timer into the wheel for each wait and takes it out again. A server's
 * connection waits twice a request, and nearly no time-out ever comes true. So somebody
 * stands beside the function, for as long as it runs, with one timer:
 *
 *     struct visit {                     // the function that waits
 *         ASYNC_FRAME;
 *         struct time_limit limit;       // of its wait in progress
 *         struct io_op op;
 *     };
 *         AWAIT_LIMITED(self->limit, 5 * NS_PER_S, self->op, io_recv(...));
 *         if (self->limit.expired) ...   // and look at self->op.result all the same
 *
 *     struct guarded {                   // the one that runs it beside its time-keeper
 *         ASYNC_FRAME;
 *         struct visit visit;
 *         struct timekeeper keeper;
 *     };
 *         AWAIT(self->keeper, timekeeper(&self->visit.future, &self->visit.limit));
 *
 * To begin a wait is a few stores, and a wait that is over at once costs nothing else.
 * While it lasts the rules are timeout's: when the time is over what the function waits
 * for is cancelled and awaited (F4), and its real result counts if that came first. Only
 * the wait is cancelled: the function goes on.
 *
 * A limit is never shorter than asked for, and up to two of the kernel's ticks longer
 * (timers_about_now).
 *
 * Ownership: the keeper borrows the function and its limit, which live in one frame with
 * it or in frames around it. Threads: as for any future. Unit: nanoseconds. */
#ifndef LESSON05_TIMEKEEPER_H
#define LESSON05_TIMEKEEPER_H

#include "lesson01_futures/async.h"
#include "lesson05_reactor/timers.h"

/* In the frame of the function that waits, or of one that it awaits. {0} is "no wait". */
struct time_limit {
    struct future *wait; /* borrows: to be cancelled when the time is over; or NULL */
    uint64_t length;     /* of this wait */
    uint64_t until; /* its deadline; 0: not computed yet; CLOCK_NEVER: it is over */
    bool expired;   /* output: the time was over before the wait was */
};

static inline void time_limit_begin(struct time_limit *limit, uint64_t length,
                                    struct future *wait)
{
    limit->wait = wait;
    limit->length = length;
    limit->until = 0;
    limit->expired = false;
}

static inline void time_limit_end(struct time_limit *limit)
{
    limit->wait = NULL;
}

/* AWAIT, but for at most `ns`, in a function that has a time-keeper beside it. */
#define AWAIT_LIMITED(limit, ns, slot, ...)                                            \
    do {                                                                               \
        (slot) = (__VA_ARGS__);                                                        \
        time_limit_begin(&(limit), (ns), &(slot).future);                              \
        ASYNC_WAIT_(&(slot).future, false);                                            \
        time_limit_end(&(limit));                                                      \
    } while (0)

struct timekeeper {
    struct future future;
    struct future *child;     /* borrows */
    struct time_limit *limit; /* borrows */
    uint64_t rings;           /* when `sleep` ends, while it is in flight */
    struct waker polled_with; /* compared, never used: the waker that `sleep` holds */
    struct sleep sleep;       /* done: none in flight */
    bool cancelled;
};

/* READY when the child is, and no timer is left behind. */
struct timekeeper timekeeper(struct future *child, struct time_limit *limit);

#endif
