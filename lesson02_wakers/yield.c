/* yield: not ready once, having used up what is left of the budget. Whoever polls the
 * root then polls again unasked (F2): an executor puts the task behind all others. A wake
 * of itself would come to the same, by a longer way. */
#include "lesson02_wakers/yield.h"

#include <errno.h>

static enum poll_state yield_poll(struct future *future, struct context *context)
{
    struct yield *self = container_of(future, struct yield, future);
    if (self->yielded)
        return POLL_READY;
    self->yielded = true;
    context->budget = -1;
    return POLL_PENDING;
}

static void yield_cancel(struct future *future)
{
    struct yield *self = container_of(future, struct yield, future);
    if (self->yielded)
        return;
    self->yielded = true;
    self->result = -ECANCELED;
}

static const struct future_ops yield_ops = {
    .name = "yield",
    .size = sizeof(struct yield),
    .poll = yield_poll,
    .cancel = yield_cancel,
};

struct yield yield_now(void)
{
    return (struct yield){ .future = { &yield_ops } };
}
