/* pool_testing: what the pool's test programs share: a gate to wait at, a pool that must
 * end well, and a parker whose I/O the test decides. */
#ifndef LESSON06_POOL_TESTING_H
#define LESSON06_POOL_TESTING_H

#include "common/testing/testing.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "common/clock.h"
#include "lesson02_wakers/join.h"
#include "lesson02_wakers/waker_cell.h"
#include "lesson02_wakers/yield.h"
#include "lesson06_worksteal/pool.h"

/* A future that is READY once somebody has opened the gate. One waiter at a time. */
struct gate {
    struct waker_cell cell;
    _Atomic bool open;
};

struct gate_wait {
    struct future future;
    struct gate *gate; /* borrows */
    bool cancelled;
    int result; /* output: 0 or -ECANCELED */
};

static inline bool gate_is_open(struct gate *gate)
{
    /* acquire: pairs with gate_open */
    return atomic_load_explicit(&gate->open, memory_order_acquire);
}

static inline void gate_open(struct gate *gate)
{
    /* release: pairs with gate_is_open */
    atomic_store_explicit(&gate->open, true, memory_order_release);
    waker_cell_wake(&gate->cell);
}

static inline enum poll_state gate_wait_poll(struct future *future,
                                             struct context *context)
{
    struct gate_wait *self = container_of(future, struct gate_wait, future);
    if (!gate_is_open(self->gate) && !self->cancelled)
        waker_cell_register(&self->gate->cell, context);
    if (gate_is_open(self->gate))
        return POLL_READY;
    self->result = self->cancelled ? -ECANCELED : 0;
    return self->cancelled ? POLL_READY : POLL_PENDING;
}

static inline void gate_wait_cancel(struct future *future)
{
    container_of(future, struct gate_wait, future)->cancelled = true;
}

static const struct future_ops gate_wait_ops = {
    .name = "gate",
    .size = sizeof(struct gate_wait),
    .poll = gate_wait_poll,
    .cancel = gate_wait_cancel,
};

static inline struct gate_wait gate_wait(struct gate *gate)
{
    return (struct gate_wait){ .future = { &gate_wait_ops }, .gate = gate };
}

/* A task that only waits at a gate. */
struct waiting {
    ASYNC_FRAME;
    struct gate *gate; /* borrows */
    struct gate_wait wait;
    _Atomic unsigned *ended; /* borrows; may be NULL */
};

static inline enum poll_state waiting_poll(struct future *future,
                                           struct context *context)
{
    struct waiting *self = ASYNC_SELF(waiting, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->wait, gate_wait(self->gate));
    if (self->ended)
        atomic_fetch_add_explicit(self->ended, 1, memory_order_relaxed);
    ASYNC_END;
}

static const struct future_ops waiting_ops = ASYNC_OPS(waiting);

static inline struct waiting waiting(struct gate *gate, _Atomic unsigned *ended)
{
    return (struct waiting){ .future = { &waiting_ops }, .gate = gate, .ended = ended };
}

/* A task that calls a function, once. */
struct call {
    ASYNC_FRAME;
    void (*function)(void *argument);
    void *argument;
};

static inline enum poll_state call_poll(struct future *future, struct context *context)
{
    struct call *self = ASYNC_SELF(call, future);
    ASYNC_BEGIN(self, context);
    self->function(self->argument);
    ASYNC_END;
}

static const struct future_ops call_ops = ASYNC_OPS(call);

static inline struct call call(void (*function)(void *argument), void *argument)
{
    return (struct call){ .future = { &call_ops },
                          .function = function,
                          .argument = argument };
}

/* Spins until the flag is set: a task that does not come back, until the test says so. */
static inline void spin_until(void *argument)
{
    _Atomic bool *flag = argument;
    /* acquire: pairs with whoever sets it */
    while (!atomic_load_explicit(flag, memory_order_acquire))
        sched_yield();
}

static inline void set_flag(void *argument)
{
    /* release: pairs with spin_until and flag_is_set */
    atomic_store_explicit((_Atomic bool *)argument, true, memory_order_release);
}

static inline bool flag_is_set(_Atomic bool *flag)
{
    return atomic_load_explicit(flag, memory_order_acquire);
}

#define CALL_POOL(pool, handle, function, argument)                                    \
    SPAWN(&(pool)->scheduler, (handle), call((function), (argument)))

static inline struct pool *open_pool(struct pool_config config)
{
    struct pool *pool;
    assert_int_equal(pool_create(&pool, &config), 0);
    return pool;
}

static inline void close_pool(struct pool *pool)
{
    assert_int_equal(pool_stop(pool, TEST_PATIENCE_S * (int64_t)NS_PER_S), 0);
    assert_int_equal(pool_live(pool), 0);
    pool_destroy(pool);
}

static inline uint64_t sum_of_runs(struct pool *pool)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < pool->count; i++)
        sum += STAT(pool->workers[i].stats.run);
    return sum;
}

/* A parker in place of a reactor: it sleeps as a thread parker does, and when it comes
 * back it does its "I/O": it opens the gate if the test has said that data is there. */
struct fake_reactor {
    struct parker parker;
    struct thread_parker inner;
    struct gate *gate; /* borrows */
    _Atomic bool data;
    _Atomic unsigned looks;  /* park(0) */
    _Atomic unsigned sleeps; /* other parks */
    _Atomic unsigned inside; /* threads in park; more than one is a bug */
};

static inline int fake_reactor_park(struct parker *parker, int64_t timeout_ns)
{
    struct fake_reactor *self = container_of(parker, struct fake_reactor, parker);
    atomic_fetch_add_explicit(timeout_ns == 0 ? &self->looks : &self->sleeps, 1,
                              memory_order_relaxed);
    CHECK(atomic_fetch_add_explicit(&self->inside, 1, memory_order_relaxed) == 0,
          "two workers in the shared parker at once");
    int err = parker_park(&self->inner.parker, timeout_ns);
    /* acquire: pairs with fake_reactor_data */
    if (atomic_exchange_explicit(&self->data, false, memory_order_acquire))
        gate_open(self->gate);
    atomic_fetch_sub_explicit(&self->inside, 1, memory_order_relaxed);
    return err;
}

static inline void fake_reactor_unpark(struct parker *parker)
{
    struct fake_reactor *self = container_of(parker, struct fake_reactor, parker);
    parker_unpark(&self->inner.parker);
}

static const struct parker_ops fake_reactor_ops = {
    .name = "fake reactor",
    .park = fake_reactor_park,
    .unpark = fake_reactor_unpark,
};

static inline void fake_reactor_init(struct fake_reactor *self, struct gate *gate)
{
    *self = (struct fake_reactor){ .parker = { &fake_reactor_ops }, .gate = gate };
    thread_parker_init(&self->inner);
}

/* The network card's side. */
static inline void fake_reactor_data(struct fake_reactor *self)
{
    /* release: pairs with the acquire in fake_reactor_park */
    atomic_store_explicit(&self->data, true, memory_order_release);
    parker_unpark(&self->inner.parker);
}

#endif
