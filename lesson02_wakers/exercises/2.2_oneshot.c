/* Exercise 2.2: One value, once. What to do stands in 2.2_oneshot.md. */
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

#include "common/todo.h"
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

int oneshot_send(struct oneshot_sender *sender, void *value)
{
    /* Yours: only one of send and close can win */
    EXERCISE_TODO("2.2", sender, value);
}

bool oneshot_is_closed(const struct oneshot_sender *sender)
{
    return atomic_load_explicit(&sender->shared->stage, memory_order_relaxed) == CLOSED;
}

void oneshot_sender_drop(struct oneshot_sender *sender)
{
    /* Yours: as a send, of nothing */
    EXERCISE_TODO("2.2", sender);
}

void oneshot_close(struct oneshot_receiver *receiver)
{
    /* Yours: it may be too late: then what was sent stays */
    EXERCISE_TODO("2.2", receiver);
}

void oneshot_receiver_drop(struct oneshot_receiver *receiver)
{
    /* Yours: whose is a value that nobody received? */
    EXERCISE_TODO("2.2", receiver);
}

int oneshot_try_receive(struct oneshot_receiver *receiver, void **value)
{
    /* Yours: 0, -EAGAIN or -EPIPE */
    EXERCISE_TODO("2.2", receiver, value);
}

/* ---- the future */

static enum poll_state receive_poll(struct future *future, struct context *context)
{
    /* Yours: its end, or a waker left and nothing missed */
    EXERCISE_TODO("2.2", future, context);
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
