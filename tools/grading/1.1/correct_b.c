/* combine, made in another way: a tour on a ring instead of rounds.
 *
 * Problem: three futures must make progress "at the same time" on one thread. Idea: a
 * combinator's poll polls each child that is not done. Invariant: after a poll that
 * returned PENDING, every unfinished child has been polled since it was last cancelled,
 * and has therefore arranged for its wake (F2). */
#include "lesson01_futures/combine.h"

/* One tour of the children, as on a ring: it ends when everybody was asked since the
 * last cancel. Returns whether somebody is left. */
struct tour {
    struct future **children; /* borrows */
    unsigned count;
    const bool *cancelled; /* borrows: the combinator's flag */
    int *first;            /* borrows: who finished first, or -1 */
    struct future *whole;  /* borrows: what to cancel when there is a first, or NULL */
};

static bool waits(const struct future *child)
{
    return child && !future_is_done(child);
}

static bool ask(const struct tour *tour, unsigned at, struct context *context)
{
    bool before = *tour->cancelled;
    if (future_poll(tour->children[at], context) == POLL_READY && *tour->first < 0) {
        *tour->first = (int)at;
        if (tour->whole)
            future_cancel(tour->whole);
    }
    return *tour->cancelled != before;
}

static bool go_round(const struct tour *tour, struct context *context)
{
    unsigned at = 0, to_ask = tour->count;
    bool left = false;
    for (; to_ask > 0; to_ask--) {
        if (waits(tour->children[at]) && ask(tour, at, context))
            to_ask = tour->count + 1;
        at = at + 1 < tour->count ? at + 1 : 0;
    }
    for (unsigned i = 0; i < tour->count; i++)
        left |= waits(tour->children[i]);
    return left;
}

static void pass_on(bool *cancelled, struct future **children, unsigned count)
{
    for (unsigned i = 0; i < count && !*cancelled; i++)
        if (children[i])
            children[i]->ops->cancel(children[i]);
    *cancelled = true;
}

static void finished_before(struct future **children, unsigned count, int *first)
{
    for (unsigned i = count; i-- > 0;)
        if (children[i] && !waits(children[i]))
            *first = (int)i;
}

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
    struct join *self = container_of(future, struct join, future);
    pass_on(&self->cancelled, self->children, self->count);
}

static enum poll_state join_poll(struct future *future, struct context *context)
{
    struct join *self = container_of(future, struct join, future);
    int first = -1;
    struct tour tour = { self->children, self->count, &self->cancelled, &first, NULL };
    if (self->cancel_first)
        join_cancel(future);
    return go_round(&tour, context) ? POLL_PENDING : POLL_READY;
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
    struct race *self = container_of(future, struct race, future);
    pass_on(&self->cancelled, self->children, self->count);
}

static enum poll_state race_poll(struct future *future, struct context *context)
{
    struct race *self = container_of(future, struct race, future);
    struct tour tour = { self->children, self->count, &self->cancelled, &self->winner,
                         future };
    if (self->winner < 0)
        finished_before(self->children, self->count, &self->winner);
    if (self->winner >= 0)
        race_cancel(future);
    return go_round(&tour, context) ? POLL_PENDING : POLL_READY;
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
    struct tour tour = { self->children, self->count, &self->cancelled, &self->winner,
                         NULL };
    self->frame->loose = 0;
    self->winner = -1;
    finished_before(self->children, self->count, &self->winner);
    if (self->winner < 0 && go_round(&tour, context) && self->winner < 0)
        return POLL_PENDING;
    register_with_frame(self);
    return POLL_READY;
}

static void select_cancel(struct future *future)
{
    struct select *self = container_of(future, struct select, future);
    pass_on(&self->cancelled, self->children, self->count);
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
