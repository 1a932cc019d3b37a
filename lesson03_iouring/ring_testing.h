/* ring_testing: what this lesson's tests share; lesson 5 may use it, too.
 *
 * A test that needs io_uring calls needs_io_uring() first and is skipped, with the
 * probe's sentence, where the machine refuses it. Header only, for test programs. */
#ifndef LESSON03_RING_TESTING_H
#define LESSON03_RING_TESTING_H

#include "common/testing/testing.h"

#include "lesson02_wakers/waker.h"
#include "lesson03_iouring/probe.h"
#include "lesson03_iouring/ring.h"

static inline const struct ring_probe *testing_probe(void)
{
    static struct ring_probe probe;
    static bool asked;
    if (!asked)
        ring_probe(&probe);
    asked = true;
    return &probe;
}

#define needs_io_uring()                                                               \
    do {                                                                               \
        if (testing_probe()->err)                                                      \
            skip_because("%s", testing_probe()->sentence);                             \
    } while (0)

/* For tests of C1: a plain build, or TSan, has nobody who could say it. */
#define needs_to_know_what_is_alive()                                                  \
    do {                                                                               \
        if (!MEM_IS_WATCHED || !testing_instrumented())                                \
            skip_because("only ASan and valgrind know which memory is alive");         \
    } while (0)

#define needs_feature(feature)                                                         \
    do {                                                                               \
        needs_io_uring();                                                              \
        if (!testing_probe()->features.feature)                                        \
            skip_because("this kernel's io_uring has no %s", #feature);                \
    } while (0)

/* ---- a waker that counts */

struct wake_count {
    unsigned long wakes; /* the ring's thread only */
    long references;     /* wakers that exist */
};

static inline struct waker wake_count_clone(void *data);

static inline void wake_count_by_ref(void *data)
{
    ((struct wake_count *)data)->wakes++;
}

static inline void wake_count_drop(void *data)
{
    ((struct wake_count *)data)->references--;
}

static inline void wake_count_wake(void *data)
{
    wake_count_by_ref(data);
    wake_count_drop(data);
}

static const struct waker_ops wake_count_ops = {
    .clone = wake_count_clone,
    .wake = wake_count_wake,
    .wake_by_ref = wake_count_by_ref,
    .drop = wake_count_drop,
};

static inline struct waker wake_count_clone(void *data)
{
    ((struct wake_count *)data)->references++;
    return (struct waker){ &wake_count_ops, data };
}

/* ---- a ring and a loop */

static inline void open_ring(struct ring *ring, enum ring_mode mode, unsigned entries)
{
    struct ring_config config = { .entries = entries, .mode = mode };
    int err = ring_init(ring, &config);
    if (err)
        fail_msg("ring_init: errno %d", -err);
}

/* Waits for at least one completion and delivers all; fails the test after a while. */
static inline void turn_ring(struct ring *ring)
{
    uint64_t give_up = testing_deadline();
    int err = 0;
    unsigned reaped = 0;
    while (!reaped) {
        err = ring_wait(ring, 100 * 1000 * 1000);
        if (err && err != -EAGAIN && err != -EBUSY)
            fail_msg("ring_wait: errno %d", -err);
        reaped = ring_reap(ring);
        if (!reaped && testing_expired(give_up))
            fail_msg("waited %d s for a completion", TEST_PATIENCE_S);
    }
}

static inline enum poll_state poll_future(struct future *future)
{
    struct context context = { .waker = NULL, .budget = CONTEXT_BUDGET };
    return future_poll(future, &context);
}

/* Polls until READY, turning the ring in between. */
static inline void drive_future(struct ring *ring, struct future *future)
{
    while (poll_future(future) == POLL_PENDING)
        turn_ring(ring);
}

/* An op that records what it was told. */
struct recorded_op {
    struct ring_op op;
    unsigned completions;
    int result; /* of the last */
    unsigned flags;
};

static inline void record_completion(struct ring_op *op, int result, unsigned flags)
{
    struct recorded_op *self = container_of(op, struct recorded_op, op);
    self->completions++;
    self->result = result;
    self->flags = flags;
}

static inline struct io_uring_sqe *recorded_sqe(struct ring *ring)
{
    struct io_uring_sqe *sqe = ring_get_sqe(ring);
    if (!sqe)
        fail_msg("no SQE");
    return sqe;
}

#endif
