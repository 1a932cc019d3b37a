/* lender, repaired in another way: when the limit wins, the limit counts, and the loser
 * is discarded.
 *
 * Invariant of the depot: while somebody waits, no buffer lies there. So a buffer that
 * comes back is handed to the first in the queue, who learns of it at the next poll; in
 * between it is nobody's but theirs. */
#include "lesson01_futures/exercises/lender.h"

#include <errno.h>

/* ---- depot and loan */

void depot_give_back(struct depot *depot)
{
    struct loan *loan = depot->first;
    if (!loan) {
        depot->free++;
        return;
    }
    depot->first = loan->next;
    loan->waits = false;
    loan->handed_over = true;
}

unsigned depot_waiting(const struct depot *depot)
{
    unsigned n = 0;
    for (const struct loan *loan = depot->first; loan; loan = loan->next)
        n++;
    return n;
}

static void line_up(struct loan *loan)
{
    struct loan **end = &loan->depot->first;
    while (*end)
        end = &(*end)->next;
    *end = loan;
    loan->waits = true;
}

static void leave(struct loan *loan)
{
    struct loan **at = &loan->depot->first;
    while (*at != loan)
        at = &(*at)->next;
    *at = loan->next;
    loan->waits = false;
}

static enum poll_state loan_poll(struct future *future, struct context *context)
{
    struct loan *self = container_of(future, struct loan, future);
    (void)context;
    if (self->handed_over)
        return POLL_READY; /* also when it was cancelled since: the result came first */
    if (self->cancelled) {
        if (self->waits)
            leave(self);
        self->result = -ECANCELED;
        return POLL_READY;
    }
    if (self->depot->free > 0) {
        self->depot->free--;
        return POLL_READY;
    }
    if (!self->waits)
        line_up(self);
    return POLL_PENDING;
}

static void loan_cancel(struct future *future)
{
    container_of(future, struct loan, future)->cancelled = true;
}

static void loan_discard(struct future *future)
{
    struct loan *self = container_of(future, struct loan, future);
    if (future_is_done(future) && self->result == 0)
        depot_give_back(self->depot);
}

static const struct future_ops loan_ops = {
    .name = "loan",
    .size = FUTURE_SIZE(struct loan),
    .poll = loan_poll,
    .cancel = loan_cancel,
    .discard = loan_discard,
};

struct loan depot_loan(struct depot *depot)
{
    return (struct loan){ .future = { &loan_ops }, .depot = depot };
}

/* ---- lapse */

static enum poll_state lapse_poll(struct future *future, struct context *context)
{
    struct lapse *self = container_of(future, struct lapse, future);
    (void)context;
    if (!self->started)
        self->deadline = *self->now + self->ticks;
    if (self->cancelled && !(self->started && *self->now >= self->deadline)) {
        self->result = -ECANCELED;
        return POLL_READY;
    }
    self->started = true;
    return *self->now >= self->deadline ? POLL_READY : POLL_PENDING;
}

static void lapse_cancel(struct future *future)
{
    container_of(future, struct lapse, future)->cancelled = true;
}

static const struct future_ops lapse_ops = {
    .name = "lapse",
    .size = FUTURE_SIZE(struct lapse),
    .poll = lapse_poll,
    .cancel = lapse_cancel,
};

struct lapse lapse(const uint64_t *now, uint64_t ticks)
{
    return (struct lapse){ .future = { &lapse_ops }, .now = now, .ticks = ticks };
}

/* ---- customer */

enum { LIMIT, LOAN };

/* The visit is over before it began: the limit has passed, or we were cancelled. What
 * the loan brought all the same is not used; its discard brings it back. */
static void settle(struct customer *self)
{
    if (self->loan.result == 0)
        loan_discard(&self->loan.future);
    if (self->limit.result == 0 && self->race.winner == LIMIT)
        self->late++;
    self->loan.result = -ECANCELED;
}

static void hand_in(struct customer *self)
{
    loan_discard(&self->loan.future);
    self->served++;
}

static enum poll_state customer_poll(struct future *future, struct context *context)
{
    struct customer *self = ASYNC_SELF(customer, future);
    ASYNC_BEGIN(self, context);
    while (self->served < self->visits) {
        self->limit = lapse(self->now, self->patience);
        self->loan = depot_loan(self->depot);
        self->both[LIMIT] = &self->limit.future;
        self->both[LOAN] = &self->loan.future;
        AWAIT(self->race, race(self->both, 2));
        if (self->race.winner == LIMIT || ASYNC_CANCELLED)
            settle(self);
        else
            AWAIT(self->working, lapse(self->now, self->work));
        if (self->race.winner == LOAN && self->loan.result == 0)
            hand_in(self);
        if (ASYNC_CANCELLED)
            break;
    }
    self->result = ASYNC_CANCELLED ? -ECANCELED : 0;
    ASYNC_END;
}

static const struct future_ops customer_ops = ASYNC_OPS(customer);

struct customer customer(struct depot *depot, const uint64_t *now, unsigned visits,
                         unsigned patience, unsigned work)
{
    return (struct customer){ .future = { &customer_ops },
                              .depot = depot,
                              .now = now,
                              .visits = visits,
                              .patience = patience,
                              .work = work };
}
