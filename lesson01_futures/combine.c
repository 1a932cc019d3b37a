/* combine: join, race and select over any number of children.
 *
 * Problem: three futures must make progress "at the same time" on one thread. Idea: a
 * combinator's poll polls each child that is not done. Invariant: after a poll that
 * returned PENDING, every unfinished child has been polled and has therefore arranged
 * for its wake (F2) - also after one of them was cancelled in the same poll, which is
 * why race goes round again: who cancels polls next (F7). */
#include "lesson01_futures/combine.h"

/* Polls every unfinished child once; *first is the index of the first that finished in
 * this round, unless it was set before. Returns how many are still unfinished. */
static unsigned poll_children(struct future **children, unsigned count,
                              struct context *context, int *first)
{
    unsigned left = 0;
    for (unsigned i = 0; i < count; i++) {
        if (!children[i] || future_is_done(children[i]))
            continue;
        if (future_poll(children[i], context) == POLL_PENDING)
            left++;
        else if (*first < 0)
            *first = (int)i;
    }
    return left;
}

static void cancel_children(struct future **children, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (children[i])
            future_cancel(children[i]);
}

static struct future *child_in_flight(struct future *const *children, unsigned count,
                                      unsigned i)
{
    for (unsigned at = 0; at < count; at++) {
        if (!children[at] || future_is_done(children[at]))
            continue;
        if (i-- == 0)
            return children[at];
    }
    return NULL;
}

/* ---- join */

static enum poll_state join_poll(struct future *future, struct context *context)
{
    struct join *self = container_of(future, struct join, future);
    int first = -1;
    if (self->cancel_first) {
        self->cancel_first = false;
        cancel_children(self->children, self->count);
    }
    unsigned left = poll_children(self->children, self->count, context, &first);
    return left ? POLL_PENDING : POLL_READY;
}

static void join_cancel(struct future *future)
{
    struct join *self = container_of(future, struct join, future);
    if (self->cancelled)
        return;
    self->cancelled = true;
    cancel_children(self->children, self->count);
}

static struct future *join_child(const struct future *future, unsigned i)
{
    const struct join *self = container_of_const(future, struct join, future);
    return child_in_flight(self->children, self->count, i);
}

static const struct future_ops join_ops = {
    .name = "join",
    .size = sizeof(struct join),
    .poll = join_poll,
    .cancel = join_cancel,
    .child = join_child,
};

struct join join_all(struct future **children, unsigned count)
{
    return (struct join){ { &join_ops }, children, count, false, false };
}

struct join cancel_all(struct future **children, unsigned count)
{
    return (struct join){ { &join_ops }, children, count, false, true };
}

/* ---- race */

static enum poll_state race_poll(struct future *future, struct context *context)
{
    struct race *self = container_of(future, struct race, future);
    bool decided = self->winner >= 0;
    unsigned left =
        poll_children(self->children, self->count, context, &self->winner);
    if (left && !decided && self->winner >= 0) {
        cancel_children(self->children, self->count);
        int nobody = 0;
        left = poll_children(self->children, self->count, context, &nobody);
    }
    return left ? POLL_PENDING : POLL_READY;
}

static void race_cancel(struct future *future)
{
    struct race *self = container_of(future, struct race, future);
    if (self->cancelled)
        return;
    self->cancelled = true;
    cancel_children(self->children, self->count);
}

static struct future *race_child(const struct future *future, unsigned i)
{
    const struct race *self = container_of_const(future, struct race, future);
    return child_in_flight(self->children, self->count, i);
}

static const struct future_ops race_ops = {
    .name = "race",
    .size = sizeof(struct race),
    .poll = race_poll,
    .cancel = race_cancel,
    .child = race_child,
};

struct race race(struct future **children, unsigned count)
{
    return (struct race){ { &race_ops }, children, count, false, -1 };
}

/* ---- select */

/* A child that finished in an earlier round and was not reported yet goes first: one
 * that is always ready cannot hide the others for ever (S8). */
static int finished_earlier(const struct select *self)
{
    for (unsigned i = 0; i < self->count; i++)
        if (self->children[i] && future_is_done(self->children[i]))
            return (int)i;
    return -1;
}

static void register_with_frame(struct select *self)
{
    size_t offset = (size_t)((char *)self - (char *)self->frame);
    CHECK(offset % 8 == 0 && offset / 8 <= UINT16_MAX,
          "select_any must be awaited in a slot of the frame that it names");
    self->frame->loose = select_in_flight(self, 0) ? (uint16_t)(offset / 8) : 0;
}

static enum poll_state select_poll(struct future *future, struct context *context)
{
    struct select *self = container_of(future, struct select, future);
    self->frame->loose = 0; /* while we are awaited, child() finds them through us */
    self->winner = finished_earlier(self);
    if (self->winner < 0 &&
        poll_children(self->children, self->count, context, &self->winner) > 0 &&
        self->winner < 0)
        return POLL_PENDING;
    register_with_frame(self);
    return POLL_READY;
}

static void select_cancel(struct future *future)
{
    struct select *self = container_of(future, struct select, future);
    if (self->cancelled)
        return;
    self->cancelled = true;
    cancel_children(self->children, self->count);
}

static struct future *select_child(const struct future *future, unsigned i)
{
    return select_in_flight(container_of_const(future, struct select, future), i);
}

static const struct future_ops select_ops = {
    .name = "select",
    .size = sizeof(struct select),
    .poll = select_poll,
    .cancel = select_cancel,
    .child = select_child,
};

struct select select_any(struct async *frame, struct future **children, unsigned count)
{
    return (struct select){ { &select_ops }, children, frame, count, false, -1 };
}

struct future *select_in_flight(const struct select *select, unsigned i)
{
    return child_in_flight(select->children, select->count, i);
}
