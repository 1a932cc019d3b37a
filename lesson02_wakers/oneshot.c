/* oneshot: one compare-exchange decides, a waker cell tells.
 *
 * Problem: send, close and receive run on three threads at once, and the value may
 * neither be lost nor be owned twice. Idea: the sender writes the value first and then
 * moves the stage from EMPTY to SENT; the closing side moves it from EMPTY to CLOSED;
 * only one of them can. Only the receiver leaves SENT. Invariant: the value belongs to
 * the sender in EMPTY, CLOSED and GONE, to the block in SENT, to the receiver in TAKEN.
 *
 * A receiver that waits puts its waker into the cell and then looks at the stage (again),
 * and the sender changes the stage before it looks into the cell (W1): one of the two sees
 * the other. The block stays until both ends are gone, so the sender may wake after
 * SENT.
 *
 * Oneshots live as short and come as often as tasks, so on a thread that runs tasks the
 * block is cut from their slab, which outlives whoever still holds an end; elsewhere it
 * comes from malloc. */
#include "lesson02_wakers/oneshot.h"

#include <errno.h>
#include <stdlib.h>

#include "lesson02_wakers/task_home.h"
#include "lesson02_wakers/waker_cell.h"

enum stage { EMPTY, SENT, CLOSED, GONE, TAKEN };

struct oneshot {
    uint32_t life; /* the slab's, and never set: slab_each passes by what is no task */
    _Atomic unsigned stage;
    _Atomic unsigned ends;        /* that are left: the last one frees */
    void *value;                  /* guarded by stage; see the essay */
    struct waker_cell waiting;    /* local: only its waker is used */
    void (*dispose)(void *value); /* immutable */
    bool local;                   /* immutable */
    bool in_slab;                 /* immutable */
};

static int create(struct oneshot_sender *sender, struct oneshot_receiver *receiver,
                  void (*dispose)(void *value), bool local)
{
    struct task_home *home = TLS(task_home_here);
    struct oneshot *shared =
        home ? slab_alloc(&home->slab, sizeof *shared) : malloc(sizeof *shared);
    if (!shared)
        return -ENOMEM;
    shared->in_slab = home != NULL;
    shared->dispose = dispose;
    shared->local = local;
    atomic_init(&shared->stage, EMPTY);
    atomic_init(&shared->ends, 2);
    waker_cell_init(&shared->waiting);
    sender->shared = shared;
    receiver->shared = shared;
    return 0;
}

int oneshot_create(struct oneshot_sender *sender, struct oneshot_receiver *receiver,
                   void (*dispose)(void *value))
{
    return create(sender, receiver, dispose, false);
}

int oneshot_create_local(struct oneshot_sender *sender,
                         struct oneshot_receiver *receiver,
                         void (*dispose)(void *value))
{
    return create(sender, receiver, dispose, true);
}

/* exercise 2.2 { */
/* ---- the four steps that differ: one thread needs no read-modify-write */

/* Is the other end gone, too? */
static inline bool last_end(struct oneshot *shared)
{
    if (shared->local) {
        unsigned ends = atomic_load_explicit(&shared->ends, memory_order_relaxed);
        atomic_store_explicit(&shared->ends, ends - 1, memory_order_relaxed);
        return ends == 1;
    }
    /* acq_rel: release our last use of the block, acquire the other end's */
    return atomic_fetch_sub_explicit(&shared->ends, 1, memory_order_acq_rel) == 1;
}

static void wake_receiver(struct oneshot *shared)
{
    if (shared->local)
        waker_wake(&shared->waiting.waker);
    else
        waker_cell_wake(&shared->waiting);
}

static void wait_for_sender(struct oneshot *shared, const struct context *context)
{
    if (shared->local)
        waker_store(&shared->waiting.waker, context);
    else
        waker_cell_register(&shared->waiting, context);
}

/* Leaves EMPTY; returns EMPTY, or where the other side went before. */
static unsigned leave_empty(struct oneshot *shared, unsigned to)
{
    unsigned seen = EMPTY;
    if (shared->local) {
        seen = atomic_load_explicit(&shared->stage, memory_order_relaxed);
        if (seen == EMPTY)
            atomic_store_explicit(&shared->stage, to, memory_order_relaxed);
        return seen;
    }
    /* acq_rel: release publishes the value; acquire pairs with that release, for a
     * close that came second. Both pair with the load in oneshot_try_receive. */
    atomic_compare_exchange_strong_explicit(&shared->stage, &seen, to,
                                            memory_order_acq_rel, memory_order_acquire);
    return seen;
}

/* ---- the ends */

static void let_go(struct oneshot *shared)
{
    if (!last_end(shared))
        return;
    waker_cell_finish(&shared->waiting);
    if (shared->in_slab)
        slab_free(shared);
    else
        free(shared);
}
/* } exercise 2.2 */

int oneshot_send(struct oneshot_sender *sender, void *value)
{
    /* exercise 2.2 { */
    struct oneshot *shared = sender->shared;
    CHECK(shared, "a oneshot's sender was used twice");
    sender->shared = NULL;
    shared->value = value;
    unsigned before = leave_empty(shared, SENT);
    if (before == EMPTY)
        wake_receiver(shared);
    let_go(shared);
    return before == EMPTY ? 0 : -EPIPE;
    /* } exercise 2.2: (sender, value) only one of send and close can win */
}

bool oneshot_is_closed(const struct oneshot_sender *sender)
{
    return atomic_load_explicit(&sender->shared->stage, memory_order_relaxed) == CLOSED;
}

void oneshot_sender_drop(struct oneshot_sender *sender)
{
    /* exercise 2.2 { */
    struct oneshot *shared = sender->shared;
    if (!shared)
        return;
    sender->shared = NULL;
    if (leave_empty(shared, GONE) == EMPTY)
        wake_receiver(shared);
    let_go(shared);
    /* } exercise 2.2: (sender) as a send, of nothing */
}

void oneshot_close(struct oneshot_receiver *receiver)
{
    /* exercise 2.2 { */
    leave_empty(receiver->shared, CLOSED);
    /* } exercise 2.2: (receiver) it may be too late: then what was sent stays */
}

void oneshot_receiver_drop(struct oneshot_receiver *receiver)
{
    /* exercise 2.2 { */
    struct oneshot *shared = receiver->shared;
    if (!shared)
        return;
    void *value;
    oneshot_close(receiver);
    if (oneshot_try_receive(receiver, &value) == 0 && shared->dispose)
        shared->dispose(value);
    receiver->shared = NULL;
    let_go(shared);
    /* } exercise 2.2: (receiver) whose is a value that nobody received? */
}

int oneshot_try_receive(struct oneshot_receiver *receiver, void **value)
{
    /* exercise 2.2 { */
    struct oneshot *shared = receiver->shared;
    /* acquire: pairs with the release in leave_empty */
    unsigned stage = atomic_load_explicit(&shared->stage, memory_order_acquire);
    if (stage == EMPTY)
        return -EAGAIN;
    if (stage != SENT)
        return -EPIPE;
    *value = shared->value;
    /* relaxed: the sender never looks at the stage again, and SENT is ours to leave */
    atomic_store_explicit(&shared->stage, TAKEN, memory_order_relaxed);
    return 0;
    /* } exercise 2.2: (receiver, value) 0, -EAGAIN or -EPIPE */
}

/* ---- the future */

/* exercise 2.2 { */
static enum poll_state receive_end(struct oneshot_receive *self, int result)
{
    /* A waker that is left in the cell would keep our task in memory for nothing. */
    struct oneshot *shared = self->receiver->shared;
    if (self->registered) {
        struct waker left = shared->local ? waker_take(&shared->waiting.waker)
                                          : waker_cell_take(&shared->waiting);
        waker_drop(&left);
    }
    self->result = result;
    return POLL_READY;
}
/* } exercise 2.2 */

static enum poll_state receive_poll(struct future *future, struct context *context)
{
    /* exercise 2.2 { */
    struct oneshot_receive *self = container_of(future, struct oneshot_receive, future);
    CHECK(self->receiver->shared, "a receive on an empty end of a oneshot");
    if (self->cancelled)
        return receive_end(self, -ECANCELED);
    int result = oneshot_try_receive(self->receiver, &self->value);
    if (result == -EAGAIN) { /* only now the waker, and then a second look (W1) */
        self->registered = true;
        wait_for_sender(self->receiver->shared, context);
        result = oneshot_try_receive(self->receiver, &self->value);
    }
    return result == -EAGAIN ? POLL_PENDING : receive_end(self, result);
    /* } exercise 2.2: (future, context) its end, or a waker left and nothing missed */
}

static void receive_cancel(struct future *future)
{
    container_of(future, struct oneshot_receive, future)->cancelled = true;
}

/* Nobody looks at the value: it is the block's to dispose of. */
static void receive_discard(struct future *future)
{
    struct oneshot_receive *self = container_of(future, struct oneshot_receive, future);
    struct oneshot *shared = self->receiver->shared;
    if (future_is_done(future) && self->result == 0 && shared->dispose)
        shared->dispose(self->value);
}

static const struct future_ops oneshot_receive_ops = {
    .name = "receive of a oneshot",
    .size = FUTURE_SIZE(struct oneshot_receive),
    .poll = receive_poll,
    .cancel = receive_cancel,
    .discard = receive_discard,
};

struct oneshot_receive oneshot_receive(struct oneshot_receiver *receiver)
{
    return (struct oneshot_receive){ .future = { &oneshot_receive_ops },
                                     .receiver = receiver };
}
