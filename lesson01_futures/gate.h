/* gate: a leaf that a test steers and watches.
 *
 * It waits until its keeper is open, then finishes with the keeper's value and holds
 * one thing until that is discarded (as accept holds an fd). The keeper lies outside
 * the future, so that a test can look at what happened after the future was copied,
 * finished or freed. For tests only; nothing of it is in the archive.
 *
 * Ownership: the gate borrows its keeper. Threads: one. */
#ifndef LESSON01_GATE_H
#define LESSON01_GATE_H

#include <errno.h>

#include "lesson01_futures/future.h"

struct gatekeeper {
    /* the test sets */
    bool open;     /* the gate may finish */
    bool stubborn; /* a cancel cannot stop it once it has begun */
    int value;     /* what it finishes with */
    /* the gate counts */
    unsigned long polls;
    unsigned long starts;      /* first polls that were not cancelled before */
    unsigned long cancels;     /* calls of cancel, on a gate that was not READY */
    long held;                 /* outputs that nobody has given back */
    int budget;                /* of the last poll */
    const struct waker *waker; /* borrows: of the last poll while pending, else NULL */
};

struct gate {
    struct future future;
    struct gatekeeper *keeper; /* borrows */
    int result;                /* output: the keeper's value, or -ECANCELED */
    bool started;
    bool cancelled;
};

static inline enum poll_state gate_end(struct gate *self, int result)
{
    self->keeper->waker = NULL;
    self->result = result;
    return POLL_READY;
}

static inline enum poll_state gate_poll(struct future *future, struct context *context)
{
    struct gate *self = container_of(future, struct gate, future);
    struct gatekeeper *keeper = self->keeper;
    keeper->polls++;
    keeper->budget = context->budget;
    if (self->cancelled && !(self->started && keeper->stubborn))
        return gate_end(self, -ECANCELED);
    if (!self->started)
        keeper->starts++;
    self->started = true;
    if (!keeper->open) {
        keeper->waker = context->waker;
        return POLL_PENDING;
    }
    keeper->held++;
    return gate_end(self, keeper->value);
}

static inline void gate_cancel(struct future *future)
{
    struct gate *self = container_of(future, struct gate, future);
    self->keeper->cancels++;
    self->cancelled = true;
}

static inline void gate_discard(struct future *future)
{
    struct gate *self = container_of(future, struct gate, future);
    if (self->started && self->result != -ECANCELED)
        self->keeper->held--;
}

static inline struct gate gate(struct gatekeeper *keeper)
{
    static const struct future_ops ops = {
        .name = "gate",
        .size = FUTURE_SIZE(struct gate),
        .poll = gate_poll,
        .cancel = gate_cancel,
        .discard = gate_discard,
    };
    return (struct gate){ .future = { &ops }, .keeper = keeper };
}

/* One poll with a fresh budget and nobody to tell. */
static inline enum poll_state poll_once(struct future *future)
{
    struct context context = { .waker = NULL, .budget = CONTEXT_BUDGET };
    return future_poll(future, &context);
}

#endif
