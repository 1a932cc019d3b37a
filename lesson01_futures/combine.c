/* combine: join, race and select over any number of children.
 *
 * Problem: three futures must make progress "at the same time" on one thread. Idea: a
 * combinator's poll polls each child that is not done. Invariant: after a poll that
 * returned PENDING, every unfinished child has been polled since it was last cancelled,
 * and has therefore arranged for its wake (F2). */
#include "lesson01_futures/combine.h"

/* exercise 1.1 { */
/* The invariant is why a round in which a cancel came (race cancels the losers; a child
 * may cancel the tree it is part of) is followed by another one: who cancels polls next
 * (F7). A cancel stays, so there are at most two. */

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

static int first_done(struct future *const *children, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (children[i] && future_is_done(children[i]))
            return (int)i;
    return -1;
}

/* } exercise 1.1 */
/* The i-th child in flight; NULL: there are no more. */
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

static void join_cancel(struct future *future)
{
    /* exercise 1.1 { */
    struct join *self = container_of(future, struct join, future);
    if (self->cancelled)
        return;
    self->cancelled = true;
    cancel_children(self->children, self->count);
    /* } exercise 1.1: (future) the request reaches each child once, and stays (F6) */
}

static enum poll_state join_poll(struct future *future, struct context *context)
{
    /* exercise 1.1 { */
    struct join *self = container_of(future, struct join, future);
    int first = -1;
    unsigned left;
    bool asked;
    if (self->cancel_first)
        join_cancel(future);
    do {
        asked = self->cancelled;
        left = poll_children(self->children, self->count, context, &first);
    } while (left && self->cancelled != asked);
    return left ? POLL_PENDING : POLL_READY;
    /* } exercise 1.1: (future, context) each child that is not done is asked (F4, F7) */
}

static struct future *join_child(const struct future *future, unsigned i)
{
    const struct join *self = container_of_const(future, struct join, future);
    return child_in_flight(self->children, self->count, i);
}

static const struct future_ops join_ops = {
    .name = "join",
    .size = FUTURE_SIZE(struct join),
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

static void race_cancel(struct future *future)
{
    /* exercise 1.1 { */
    struct race *self = container_of(future, struct race, future);
    if (self->cancelled)
        return;
    self->cancelled = true;
    cancel_children(self->children, self->count);
    /* } exercise 1.1: (future) as a join's */
}

static enum poll_state race_poll(struct future *future, struct context *context)
{
    /* exercise 1.1 { */
    struct race *self = container_of(future, struct race, future);
    unsigned left;
    bool asked;
    if (self->winner < 0)
        self->winner = first_done(self->children, self->count);
    do {
        if (self->winner >= 0)
            race_cancel(future);
        asked = self->cancelled;
        left = poll_children(self->children, self->count, context, &self->winner);
    } while (left && (self->cancelled || self->winner >= 0) != asked);
    return left ? POLL_PENDING : POLL_READY;
    /* } exercise 1.1: (future, context) the first to finish wins; the losers are cancelled and awaited */
}

static struct future *race_child(const struct future *future, unsigned i)
{
    const struct race *self = container_of_const(future, struct race, future);
    return child_in_flight(self->children, self->count, i);
}

static const struct future_ops race_ops = {
    .name = "race",
    .size = FUTURE_SIZE(struct race),
    .poll = race_poll,
    .cancel = race_cancel,
    .child = race_child,
};

struct race race(struct future **children, unsigned count)
{
    return (struct race){ { &race_ops }, children, count, false, -1 };
}

/* ---- select */

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
    /* exercise 1.1 { */
    unsigned left;
    bool asked;
    self->frame->loose = 0; /* while we are awaited, child() finds them through us */
    /* A child that finished in an earlier round and was not reported yet goes first:
     * one that is always ready cannot hide the others for ever (S8). */
    self->winner = first_done(self->children, self->count);
    if (self->winner < 0) {
        do {
            asked = self->cancelled;
            left = poll_children(self->children, self->count, context, &self->winner);
        } while (left && self->cancelled != asked);
        if (left && self->winner < 0)
            return POLL_PENDING;
    }
    /* } exercise 1.1: (context) set self->winner; PENDING while nobody is done */
    register_with_frame(self);
    return POLL_READY;
}

static void select_cancel(struct future *future)
{
    /* exercise 1.1 { */
    struct select *self = container_of(future, struct select, future);
    if (self->cancelled)
        return;
    self->cancelled = true;
    cancel_children(self->children, self->count);
    /* } exercise 1.1: (future) as a join's */
}

static struct future *select_child(const struct future *future, unsigned i)
{
    return select_in_flight(container_of_const(future, struct select, future), i);
}

static const struct future_ops select_ops = {
    .name = "select",
    .size = FUTURE_SIZE(struct select),
    .poll = select_poll,
    .cancel = select_cancel,
    .child = select_child,
};

/* The old set is looked at here, where the new one has not overwritten it yet. */
struct select select_any(struct async *frame, struct future **children, unsigned count)
{
    const struct select *before = select_loose(frame);
    const struct future *left = before ? select_in_flight(before, 0) : NULL;
    CHECK(
        !left || before->children == children,
        "one select_any set a frame at a time: '%s' of another one is still in flight "
        "(await cancel_all first)",
        left->ops->name);
    return (struct select){ { &select_ops }, children, frame, count, false, -1 };
}

struct future *select_in_flight(const struct select *select, unsigned i)
{
    return child_in_flight(select->children, select->count, i);
}

const struct select *select_loose(const struct async *frame)
{
    const char *start = (const char *)frame;
    if (!frame->loose)
        return NULL;
    return (const struct select *)(const void *)(start + (size_t)frame->loose * 8);
}
