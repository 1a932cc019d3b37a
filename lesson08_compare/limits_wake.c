/* limits_wake: two threads that wake each other, by the three shortest ways there are.
 *
 *     spin      a store, and a load that sees it: no kernel; both CPUs are busy all the time
 *     threads   a futex: the kernel's queue of sleepers and nothing else
 *     msgring   IORING_OP_MSG_RING: a completion in the other's ring, on which it sleeps
 *
 * The flag is in all three; a wait takes it back. */
#include <errno.h>
#include <linux/futex.h>
#include <liburing.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/memcheck.h"
#include "lesson08_compare/histogram.h"
#include "lesson08_compare/limits.h"

struct side {
    _Alignas(64) _Atomic uint32_t flag; /* it is this side's turn */
    struct io_uring ring;               /* msgring only */
};

struct way {
    void (*hand_over)(struct side *mine, struct side *other);
    void (*wait)(struct side *mine);
    void (*finish)(struct side *mine); /* after the last turn; or NULL */
};

static bool take_turn(struct side *mine)
{
    /* acquire: pairs with the release in set_flag */
    return atomic_exchange_explicit(&mine->flag, 0, memory_order_acquire);
}

static void set_flag(struct side *other)
{
    /* release: pairs with the acquire in take_turn */
    atomic_store_explicit(&other->flag, 1, memory_order_release);
}

/* ---- spin */

/* Looks before it lets another thread run: for a machine with a single free CPU. */
#define LOOKS 10000

static void spin_hand_over(struct side *mine, struct side *other)
{
    (void)mine;
    set_flag(other);
}

static void spin_wait(struct side *mine)
{
    for (unsigned looks = 1; !take_turn(mine); looks++)
        if (looks % LOOKS == 0)
            sched_yield();
}

/* ---- futex */

static void futex_hand_over(struct side *mine, struct side *other)
{
    (void)mine;
    set_flag(other);
    syscall(SYS_futex, &other->flag, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void futex_wait(struct side *mine)
{
    while (!take_turn(mine))
        syscall(SYS_futex, &mine->flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

/* ---- msgring */

enum { MESSAGE = 1, SENT = 2 };

/* Written down here, sent by the system call that waits: one a turn. */
static void msgring_hand_over(struct side *mine, struct side *other)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&mine->ring);
    CHECK(sqe, "a ring of two entries is full with one message");
    io_uring_prep_msg_ring(sqe, other->ring.ring_fd, 0, MESSAGE, 0);
    io_uring_sqe_set_data64(sqe, SENT);
    set_flag(other);
}

static bool reap_message(struct side *mine)
{
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;
    bool message = false;
    io_uring_for_each_cqe (&mine->ring, head, cqe) {
        MEM_KERNEL_FILLED(cqe, sizeof *cqe);
        work_must(cqe->res, "IORING_OP_MSG_RING");
        message |= cqe->user_data == MESSAGE;
        count++;
    }
    io_uring_cq_advance(&mine->ring, count);
    return message;
}

static void msgring_wait(struct side *mine)
{
    while (!reap_message(mine)) {
        int err = io_uring_submit_and_wait(&mine->ring, 1);
        if (err != -EINTR)
            work_must(err, "io_uring_submit_and_wait");
    }
    take_turn(mine);
}

static void msgring_finish(struct side *mine)
{
    work_must(io_uring_submit(&mine->ring), "io_uring_submit");
}

/* ---- the two threads */

struct match {
    struct work *work;     /* borrows */
    const struct way *way; /* borrows; static */
    struct side sides[2];
    pthread_barrier_t barrier; /* both threads run */
};

static void *second_main(void *argument)
{
    struct match *match = argument;
    const struct way *way = match->way;
    pthread_barrier_wait(&match->barrier);
    for (uint64_t i = 0; i < match->work->n; i++) {
        way->wait(&match->sides[1]);
        way->hand_over(&match->sides[1], &match->sides[0]);
    }
    if (way->finish)
        way->finish(&match->sides[1]);
    return NULL;
}

static void serve(struct match *match, struct histogram *trips)
{
    struct work *work = match->work;
    pthread_barrier_wait(&match->barrier);
    work_begin(work);
    for (uint64_t i = 0; i < work->n; i++) {
        uint64_t began = clock_now();
        match->way->hand_over(&match->sides[0], &match->sides[1]);
        match->way->wait(&match->sides[0]);
        histogram_add(trips, clock_now() - began);
    }
    work_end(work, work->n, trips->count);
}

static int play(struct match *match)
{
    static struct histogram trips;
    pthread_t second;
    work_must(-pthread_barrier_init(&match->barrier, NULL, 2), "barrier");
    work_must(-pthread_create(&second, NULL, second_main, match), "thread");
    serve(match, &trips);
    pthread_join(second, NULL);
    pthread_barrier_destroy(&match->barrier);
    work_note_latencies(match->work, &trips);
    return 0;
}

int limit_spin_wake(struct work *work)
{
    static const struct way way = { spin_hand_over, spin_wait, NULL };
    struct match match = { .work = work, .way = &way };
    return play(&match);
}

int limit_futex_wake(struct work *work)
{
    static const struct way way = { futex_hand_over, futex_wait, NULL };
    struct match match = { .work = work, .way = &way };
    return play(&match);
}

int limit_msgring_wake(struct work *work)
{
    static const struct way way = { msgring_hand_over, msgring_wait, msgring_finish };
    struct match match = { .work = work, .way = &way };
    int err = limit_ring(work, &match.sides[0].ring, 2, 0);
    if (err < 0)
        return err;
    err = limit_ring(work, &match.sides[1].ring, 2, 0);
    if (err == 0) {
        err = play(&match);
        io_uring_queue_exit(&match.sides[1].ring);
    }
    io_uring_queue_exit(&match.sides[0].ring);
    return err;
}
