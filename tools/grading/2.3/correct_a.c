/* tray: a stack that anybody pushes onto, and a cook who takes all of it at once.
 *
 * A put is one compare-exchange on the newest order. The cook takes the whole stack with
 * one exchange, turns it round, and hands the orders out one by one; while it has some in
 * its hands it need not look at the tray at all.
 *
 * A look at an empty tray is a load: it leaves the cache line to those who put. */
#include "lesson02_wakers/exercises/tray.h"

#include <errno.h>

void tray_init(struct tray *tray)
{
    atomic_init(&tray->newest, NULL);
    atomic_init(&tray->closed, false);
    atomic_init(&tray->asleep, false);
    waker_cell_init(&tray->cook);
    tray->oldest = NULL;
}

void tray_finish(struct tray *tray)
{
    waker_cell_finish(&tray->cook);
}

/* ---- those who bring orders */

/* Something on the tray has changed before this call. */
static void wake_the_cook(struct tray *tray)
{
    /* seq_cst: after the change, as in take_poll it is before the look */
    if (!atomic_load_explicit(&tray->asleep, memory_order_seq_cst))
        return;
    /* acq_rel: of several who see it asleep, one wakes */
    if (atomic_exchange_explicit(&tray->asleep, false, memory_order_acq_rel))
        waker_cell_wake(&tray->cook);
}

void tray_put(struct tray *tray, struct order *order)
{
    order->next = atomic_load_explicit(&tray->newest, memory_order_relaxed);
    /* seq_cst: release publishes the order, pairs with take_all; see wake_the_cook */
    while (!atomic_compare_exchange_weak_explicit(
        &tray->newest, &order->next, order, memory_order_seq_cst, memory_order_relaxed))
        ;
    wake_the_cook(tray);
}

void tray_close(struct tray *tray)
{
    /* seq_cst: release pairs with the load in look; see wake_the_cook */
    atomic_store_explicit(&tray->closed, true, memory_order_seq_cst);
    wake_the_cook(tray);
}

/* ---- the cook */

/* All orders on the tray, the oldest first. */
static struct order *take_all(struct tray *tray)
{
    struct order *oldest = NULL;
    /* acquire: pairs with the release in tray_put */
    struct order *order =
        atomic_exchange_explicit(&tray->newest, NULL, memory_order_acquire);
    while (order) {
        struct order *before = order->next;
        order->next = oldest;
        oldest = order;
        order = before;
    }
    return oldest;
}

/* 0 and self->order, -EPIPE, or -EAGAIN: nothing there. */
static int look(struct tray_take *self)
{
    struct tray *tray = self->tray;
    /* Closed before empty: what was put before the close is seen below.
     * seq_cst: pairs with the store in tray_close; see take_poll */
    bool closed = atomic_load_explicit(&tray->closed, memory_order_seq_cst);
    /* seq_cst: see take_poll */
    if (!tray->oldest && atomic_load_explicit(&tray->newest, memory_order_seq_cst))
        tray->oldest = take_all(tray);
    if (!tray->oldest)
        return closed ? -EPIPE : -EAGAIN;
    self->order = tray->oldest;
    tray->oldest = self->order->next;
    return 0;
}

static enum poll_state take_end(struct tray_take *self, int result)
{
    /* relaxed: who sees the old value finds no waker, and needs none */
    atomic_store_explicit(&self->tray->asleep, false, memory_order_relaxed);
    struct waker left = waker_cell_take(&self->tray->cook);
    waker_drop(&left);
    self->result = result;
    return POLL_READY;
}

static enum poll_state take_poll(struct future *future, struct context *context)
{
    struct tray_take *self = container_of(future, struct tray_take, future);
    struct tray *tray = self->tray;
    if (self->cancelled)
        return take_end(self, -ECANCELED);
    int result = look(self);
    if (result == -EAGAIN) {
        waker_cell_register(&tray->cook, context);
        /* seq_cst, as the look below: of "we are asleep" and "there is an order" one is
         * first for everybody, so either they see us or we see it (W1) */
        atomic_store_explicit(&tray->asleep, true, memory_order_seq_cst);
        result = look(self);
    }
    return result == -EAGAIN ? POLL_PENDING : take_end(self, result);
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
