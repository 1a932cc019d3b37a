/* countdown: a leaf in its four parts - construct, start at the first poll, look,
 * finish.
 *
 * Every leaf of the course has this shape; only the "look" changes. Invariant: a cancel
 * before the first poll leaves `started` false, so that nothing has happened (F6). */
#include "lesson01_futures/countdown.h"

#include <errno.h>

#include "common/clock.h"

static enum poll_state countdown_poll(struct future *future, struct context *context)
{
    struct countdown *self = container_of(future, struct countdown, future);
    (void)context;
    self->polls++;
    if (self->cancelled) {
        self->result = -ECANCELED;
        return POLL_READY;
    }
    uint64_t now = clock_now();
    if (!self->started) {
        self->started = true;
        self->deadline = clock_after(now, self->delay_ns);
    }
    return now >= self->deadline ? POLL_READY : POLL_PENDING;
}

static void countdown_cancel(struct future *future)
{
    container_of(future, struct countdown, future)->cancelled = true;
}

static const struct future_ops countdown_ops = {
    .name = "countdown",
    .size = FUTURE_SIZE(struct countdown),
    .poll = countdown_poll,
    .cancel = countdown_cancel,
};

struct countdown countdown_ms(unsigned milliseconds)
{
    return (struct countdown){ .future = { &countdown_ops },
                               .delay_ns = milliseconds * NS_PER_MS };
}
