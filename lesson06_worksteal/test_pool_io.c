/* The pool and lesson 5's reactor: one reactor for all workers, held by whoever keeps
 * watch. */
#include "lesson06_worksteal/pool_testing.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lesson05_reactor/reactor.h"
#include "lesson05_reactor/timers.h"
#include "lesson06_worksteal/blocking.h"
#include "lesson06_worksteal/blocking_call.h"

/* ---- a pool with I/O */

struct io_world {
    struct reactor reactor;
    struct virtual_clock *clock; /* borrows; may be NULL */
    struct io_stats stats[8];
    struct io_services services[8];
    struct pool *pool;
};

static int enter_services(void *argument, unsigned worker)
{
    struct io_world *world = argument;
    world->services[worker] = (struct io_services){
        .driver = &world->reactor.driver,
        .timers = &world->reactor.timers,
        .stats = &world->stats[worker],
    };
    io_services_enter(&world->services[worker]);
    return 0;
}

static void leave_services(void *argument, unsigned worker)
{
    (void)argument;
    (void)worker;
    io_services_leave(NULL);
}

static void open_world(struct io_world *world, int workers, struct virtual_clock *clock)
{
    memset(world, 0, sizeof *world);
    struct reactor_config config = { .shared = true, .clock = clock };
    assert_int_equal(reactor_init(&world->reactor, &config), 0);
    if (clock)
        clock->jumper = &world->reactor.parker;
    world->pool = open_pool((struct pool_config){
        .workers = workers,
        .parker = &world->reactor.parker,
        .clock = clock,
        .hooks = { enter_services, leave_services, world },
    });
}

static void close_world(struct io_world *world)
{
    close_pool(world->pool);
    reactor_finish(&world->reactor);
}

/* ---- pairs of tasks that talk through a socket */

#define ROUNDS 50

struct talker {
    ASYNC_FRAME;
    struct io_source *source;
    struct io_op op;
    int fd; /* owns until attached */
    bool begins;
    char byte;
    int rounds;
    _Atomic unsigned *done;
};

static enum poll_state talker_poll(struct future *future, struct context *context)
{
    struct talker *self = ASYNC_SELF(talker, future);
    ASYNC_BEGIN(self, context);
    if (io_attach(self->fd, IO_TYPE_STREAM, &self->source) < 0)
        ASYNC_RETURN;
    for (self->rounds = 0; self->rounds < ROUNDS; self->rounds++) {
        if (self->begins)
            AWAIT(self->op, io_send(self->source, &self->byte, 1));
        AWAIT(self->op, io_recv(self->source, &self->byte, 1));
        if (self->op.result != 1)
            break;
        if (!self->begins)
            AWAIT(self->op, io_send(self->source, &self->byte, 1));
    }
    if (self->rounds == ROUNDS)
        atomic_fetch_add_explicit(self->done, 1, memory_order_relaxed);
    AWAIT_SHIELDED(self->op, io_close(self->source));
    ASYNC_END;
}

static const struct future_ops talker_ops = ASYNC_OPS(talker);

static void spawn_pair(struct io_world *world, _Atomic unsigned *done)
{
    int ends[2];
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    for (int i = 0; i < 2; i++) {
        struct talker talker = {
            .future = { &talker_ops }, .fd = ends[i], .begins = i == 0, .done = done
        };
        assert_int_equal(pool_spawn(world->pool, &talker.future, NULL), 0);
    }
}

static void talkers_share_one_reactor(void **state)
{
    (void)state;
    static struct io_world world;
    int fds = open_fds();
    for (int workers = 1; workers <= 3; workers++) {
        _Atomic unsigned done = 0;
        open_world(&world, workers, NULL);
        for (int i = 0; i < 20; i++)
            spawn_pair(&world, &done);
        WAIT_UNTIL(pool_live(world.pool) == 0);
        assert_int_equal(done, 40);
        close_world(&world);
    }
    assert_int_equal(open_fds(), fds);
}

/* ---- S9, S8 */

static void S9_one_task_spins_and_the_others_still_read(void **state)
{
    (void)state;
    static struct io_world world;
    for (int round = 0; round < 10; round++) {
        _Atomic unsigned done = 0;
        _Atomic bool release = false;
        open_world(&world, 2, NULL);
        if (round % 2) /* both asleep: the spinning task may wake the watch */
            WAIT_UNTIL(idle_sleeping(&world.pool->idle) == 2);
        assert_int_equal(CALL_POOL(world.pool, NULL, spin_until, &release), 0);
        WAIT_UNTIL(sum_of_runs(world.pool) >= 1);
        for (int i = 0; i < 5; i++)
            spawn_pair(&world, &done);
        WAIT_UNTIL(done == 10);
        set_flag(&release);
        close_world(&world);
    }
}

struct ready_stream {
    ASYNC_FRAME;
    struct yield yield;
    _Atomic bool *over;
    uint64_t turns;
};

static enum poll_state ready_stream_poll(struct future *future, struct context *context)
{
    struct ready_stream *self = ASYNC_SELF(ready_stream, future);
    ASYNC_BEGIN(self, context);
    for (; !flag_is_set(self->over); self->turns++)
        AWAIT(self->yield, yield_now());
    ASYNC_END;
}

static const struct future_ops ready_stream_ops = ASYNC_OPS(ready_stream);

struct sleeper {
    ASYNC_FRAME;
    struct sleep sleep;
    uint64_t delay_ns;
    uint64_t woke_at;
    _Atomic bool *over; /* may be NULL */
};

static enum poll_state sleeper_poll(struct future *future, struct context *context)
{
    struct sleeper *self = ASYNC_SELF(sleeper, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->sleep, sleep_ns(self->delay_ns));
    self->woke_at = timers_current_time();
    if (self->over)
        set_flag(self->over);
    ASYNC_END;
}

static const struct future_ops sleeper_ops = ASYNC_OPS(sleeper);

static struct sleeper sleeper(uint64_t delay_ns, _Atomic bool *over)
{
    return (struct sleeper){ .future = { &sleeper_ops },
                             .delay_ns = delay_ns,
                             .over = over };
}

static void S8_a_timer_beside_streams_that_are_always_ready(void **state)
{
    (void)state;
    static struct io_world world;
    for (int workers = 1; workers <= 2; workers++) {
        _Atomic bool over = false;
        open_world(&world, workers, NULL);
        for (int i = 0; i < 3; i++) {
            struct ready_stream stream = { .future = { &ready_stream_ops },
                                           .over = &over };
            assert_int_equal(pool_spawn(world.pool, &stream.future, NULL), 0);
        }
        struct sleeper timer = sleeper(10 * NS_PER_MS, &over);
        assert_int_equal(pool_run(world.pool, &timer.future), JOIN_OK);
        WAIT_UNTIL(pool_live(world.pool) == 0);
        close_world(&world);
    }
}

/* ---- virtual time */

#define SLEEPERS 60

static void virtual_time_jumps_when_all_workers_sleep(void **state)
{
    (void)state;
    static struct io_world world;
    for (int workers = 1; workers <= 3; workers++) {
        struct virtual_clock clock;
        static struct task_handle handles[SLEEPERS];
        virtual_clock_init(&clock, 1000);
        open_world(&world, workers, &clock);
        virtual_clock_hold(&clock); /* this thread is busy, too */
        for (uint64_t i = 0; i < SLEEPERS; i++) {
            struct sleeper s = sleeper((i + 1) * 60 * NS_PER_S, NULL);
            assert_int_equal(pool_spawn(world.pool, &s.future, &handles[i]), 0);
        }
        /* All have polled once, and nothing moves as long as we hold the clock. */
        WAIT_UNTIL(sum_of_runs(world.pool) == SLEEPERS);
        WAIT_UNTIL((int)idle_sleeping(&world.pool->idle) == workers);
        assert_true(timers_now(&world.reactor.timers) == 1000);
        virtual_clock_release(&clock); /* an hour passes */
        for (uint64_t i = 0; i < SLEEPERS; i++) {
            WAIT_UNTIL(task_is_done(&handles[i]));
            assert_true(TASK_OUTPUT(&handles[i], sleeper)->woke_at ==
                        1000 + (i + 1) * 60 * NS_PER_S);
            task_detach(&handles[i]);
        }
        close_world(&world);
        assert_int_equal(atomic_load_explicit(&clock.holds, memory_order_relaxed), 0);
    }
}

struct release {
    _Atomic bool flag;
};

struct waits_for_thread {
    ASYNC_FRAME;
    struct offload *offload;
    struct release *release; /* borrows */
    struct blocking_borrow call;
    uint64_t ended_at;
};

static int64_t wait_for_release(void *argument)
{
    spin_until(&((struct release *)argument)->flag);
    return 0;
}

static enum poll_state waits_for_thread_poll(struct future *future,
                                             struct context *context)
{
    struct waits_for_thread *self = ASYNC_SELF(waits_for_thread, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->call, blocking_borrow(self->offload, wait_for_release, self->release));
    self->ended_at = timers_current_time();
    ASYNC_END;
}

static const struct future_ops waits_for_thread_ops = ASYNC_OPS(waits_for_thread);

static void a_blocking_job_holds_the_virtual_clock(void **state)
{
    (void)state;
    static struct io_world world;
    struct virtual_clock clock;
    struct blocking_pool *blocking;
    struct release release = { false };
    virtual_clock_init(&clock, 0);
    struct blocking_config config = { .threads = 1, .clock = &clock };
    assert_int_equal(blocking_create(&blocking, &config), 0);
    open_world(&world, 2, &clock);
    struct task_handle job_handle = { NULL }, timer_handle = { NULL };
    struct waits_for_thread job = { .future = { &waits_for_thread_ops },
                                    .offload = blocking_offload(blocking),
                                    .release = &release };
    struct sleeper timer = sleeper(NS_PER_S, NULL);
    virtual_clock_hold(&clock);
    assert_int_equal(pool_spawn(world.pool, &job.future, &job_handle), 0);
    assert_int_equal(pool_spawn(world.pool, &timer.future, &timer_handle), 0);
    WAIT_UNTIL(sum_of_runs(world.pool) == 2);
    virtual_clock_release(&clock);
    WAIT_UNTIL(idle_sleeping(&world.pool->idle) == 2);
    assert_true(timers_now(&world.reactor.timers) == 0); /* the job holds it */
    set_flag(&release.flag);
    WAIT_UNTIL(task_is_done(&job_handle) && task_is_done(&timer_handle));
    assert_true(TASK_OUTPUT(&job_handle, waits_for_thread)->ended_at == 0);
    assert_true(TASK_OUTPUT(&timer_handle, sleeper)->woke_at == NS_PER_S);
    task_detach(&job_handle);
    task_detach(&timer_handle);
    close_pool(world.pool);
    blocking_destroy(
        blocking); /* its threads may still tell the reactor of the clock */
    reactor_finish(&world.reactor);
    assert_int_equal(atomic_load_explicit(&clock.holds, memory_order_relaxed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(talkers_share_one_reactor),
        cmocka_unit_test(S9_one_task_spins_and_the_others_still_read),
        cmocka_unit_test(S8_a_timer_beside_streams_that_are_always_ready),
        cmocka_unit_test(virtual_time_jumps_when_all_workers_sleep),
        cmocka_unit_test(a_blocking_job_holds_the_virtual_clock),
    };
    return cmocka_run_group_tests_name("pool with I/O", tests, NULL, NULL);
}
