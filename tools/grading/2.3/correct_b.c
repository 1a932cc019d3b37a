/* tray: the second correct solution of exercise 2.3.
 *
 * Another design: `asleep` is not used at all. Each put asks the cell, which knows
 * whether somebody waits: its state is changed by read-modify-writes on both sides, so
 * of a registration and a wake one is first, and the second one sees what came before
 * it. A put costs one atomic step more. What the cook took off stays as it lies, newest
 * first, and each take walks to its end. */
#include "lesson02_wakers/exercises/tray.h"

#include <errno.h>

void tray_init(struct tray *tray)
{
    *tray = (struct tray){ .oldest = NULL };
    waker_cell_init(&tray->cook);
}

void tray_finish(struct tray *tray)
{
    waker_cell_finish(&tray->cook);
}

void tray_put(struct tray *tray, struct order *order)
{
    struct order *seen = atomic_load_explicit(&tray->newest, memory_order_relaxed);
    do {
        order->next = seen;
        /* release: publishes the order, pairs with the exchange in pick */
    } while (!atomic_compare_exchange_strong_explicit(
        &tray->newest, &seen, order, memory_order_release, memory_order_relaxed));
    waker_cell_wake(&tray->cook);
}

void tray_close(struct tray *tray)
{
    /* release: pairs with the load in pick */
    atomic_store_explicit(&tray->closed, true, memory_order_release);
    waker_cell_wake(&tray->cook);
}

/* The longest waiting one, at the end of what is newest first; NULL: none. */
static struct order *pick(struct tray *tray, bool *closed)
{
    /* acquire: pairs with tray_close */
    *closed = atomic_load_explicit(&tray->closed, memory_order_acquire);
    if (!tray->oldest)
        /* acquire: pairs with tray_put */
        tray->oldest =
            atomic_exchange_explicit(&tray->newest, NULL, memory_order_acquire);
    if (!tray->oldest)
        return NULL;
    struct order **link = &tray->oldest;
    while ((*link)->next)
        link = &(*link)->next;
    struct order *order = *link;
    *link = NULL;
    return order;
}

static enum poll_state take_poll(struct future *future, struct context *context)
{
    struct tray_take *self = container_of(future, struct tray_take, future);
    bool closed = false;
    if (!self->cancelled) {
        waker_cell_register(&self->tray->cook, context);
        self->order = pick(self->tray, &closed);
        if (!self->order && !closed)
            return POLL_PENDING;
    }
    self->result = self->cancelled ? -ECANCELED : self->order ? 0 : -EPIPE;
    struct waker left = waker_cell_take(&self->tray->cook);
    waker_drop(&left);
    return POLL_READY;
}

static void take_cancel(struct future *future)
{
    container_of(future, struct tray_take, future)->cancelled = true;
}

static const struct future_ops tray_take_ops = {
    .name = "take from a tray",
    .size = FUTURE_SIZE(struct tray_take),
    .poll = take_poll,
    .cancel = take_cancel,
};

struct tray_take tray_take(struct tray *tray)
{
    return (struct tray_take){ .future = { &tray_take_ops }, .tray = tray };
}
