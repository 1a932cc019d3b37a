/* work_wake: two threads, each asleep in a runtime of its own, wake each other in turn.
 *
 * The whole way of a wake across threads is in one trip, twice: the flag, the waker, the
 * scheduler's inbox, its parker, the kernel, and back to the line that was waiting. The
 * flag is set before the waker is used, and looked at after one was left (RULES W1). */
#include <pthread.h>
#include <stdatomic.h>

#include "lesson02_wakers/waker_cell.h"
#include "lesson08_compare/histogram.h"
#include "lesson08_compare/work_runtime.h"

/* What the other side touches when it hands over. */
struct side {
    _Alignas(64) _Atomic bool flag; /* it is this side's turn */
    struct waker_cell waiting;
};

/* ---- a leaf: READY when it is this side's turn */

struct my_turn {
    struct future future;
    struct side *side; /* borrows */
};

static bool take_turn(struct side *side)
{
    /* acquire: pairs with the release in hand_over */
    return atomic_exchange_explicit(&side->flag, false, memory_order_acquire);
}

static enum poll_state my_turn_poll(struct future *future, struct context *context)
{
    struct my_turn *self = container_of(future, struct my_turn, future);
    waker_cell_register(&self->side->waiting, context);
    return take_turn(self->side) ? POLL_READY : POLL_PENDING;
}

static void my_turn_cancel(struct future *future)
{
    (void)future; /* its turn comes */
}

static struct my_turn my_turn(struct side *side)
{
    static const struct future_ops ops = { .name = "my_turn",
                                           .size = FUTURE_SIZE(struct my_turn),
                                           .poll = my_turn_poll,
                                           .cancel = my_turn_cancel };
    return (struct my_turn){ .future = { &ops }, .side = side };
}

static void hand_over(struct side *other)
{
    /* release: pairs with the acquire in take_turn */
    atomic_store_explicit(&other->flag, true, memory_order_release);
    waker_cell_wake(&other->waiting);
}

/* ---- the two tasks */

struct match {
    struct work *work; /* borrows */
    struct side sides[2];
    pthread_barrier_t barrier; /* both runtimes are up */
    struct histogram trips;
};

struct opponent {
    ASYNC_FRAME;
    struct match *match; /* borrows */
    struct side *mine;   /* borrows, of the match */
    struct side *other;  /* borrows, of the match */
    bool serves;         /* and has the watch */
    uint64_t left, began;
    struct my_turn turn;
};

static enum poll_state opponent_poll(struct future *future, struct context *context)
{
    struct opponent *self = ASYNC_SELF(opponent, future);
    ASYNC_BEGIN(self, context);
    pthread_barrier_wait(&self->match->barrier);
    if (self->serves)
        work_begin(self->match->work);
    for (; self->left > 0; self->left--) {
        if (self->serves) {
            self->began = clock_now();
            hand_over(self->other);
        }
        AWAIT(self->turn, my_turn(self->mine));
        if (self->serves)
            histogram_add(&self->match->trips, clock_now() - self->began);
        else
            hand_over(self->other);
    }
    if (self->serves)
        work_end(self->match->work, self->match->work->n, self->match->trips.count);
    ASYNC_END;
}

static int play(struct match *match, bool serves)
{
    static const struct future_ops opponent_ops = ASYNC_OPS(opponent);
    return WORK_RUN(match->work, (struct opponent){ .future = { &opponent_ops },
                                                    .match = match,
                                                    .mine = &match->sides[!serves],
                                                    .other = &match->sides[serves],
                                                    .serves = serves,
                                                    .left = match->work->n });
}

static void *second_main(void *match)
{
    work_must(play(match, false), "the second runtime");
    return NULL;
}

static int play_both(struct match *match)
{
    pthread_t second;
    work_must(-pthread_create(&second, NULL, second_main, match), "thread");
    /* If it failed, the other would wait for ever. */
    work_must(play(match, true), "the first runtime");
    return -pthread_join(second, NULL);
}

int work_wake(struct work *work)
{
    static struct match match;
    match.work = work;
    waker_cell_init(&match.sides[0].waiting);
    waker_cell_init(&match.sides[1].waiting);
    work_must(-pthread_barrier_init(&match.barrier, NULL, 2), "barrier");
    int err = play_both(&match);
    pthread_barrier_destroy(&match.barrier);
    waker_cell_finish(&match.sides[0].waiting);
    waker_cell_finish(&match.sides[1].waiting);
    work_note_latencies(work, &match.trips);
    return err;
}
