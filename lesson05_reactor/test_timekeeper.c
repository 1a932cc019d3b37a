/* One timer for all waits: who wins, when the timer moves, and that none stays behind. */
#include "lesson05_reactor/timers_testing.h"

#include "lesson01_futures/combine.h"
#include "lesson01_futures/future_contract.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/join.h"
#include "lesson02_wakers/waker_probe.h"
#include "lesson05_reactor/timekeeper.h"

#define MS NS_PER_MS
#define HOUR (3600 * NS_PER_S)
#define ROUNDS 3

/* ---- what is waited for: under the test's control */

struct child {
    struct future future;
    struct waker waker;
    bool finish, cancelled;
    bool stubborn; /* takes its time to stop */
    bool at_once;  /* finished in its first poll */
    bool yields;   /* finished in its second, for which it asks */
    int result;
};

static enum poll_state child_poll(struct future *future, struct context *context)
{
    struct child *self = container_of(future, struct child, future);
    waker_store(&self->waker, context);
    if (!self->finish && !self->at_once && (!self->cancelled || self->stubborn)) {
        if (self->yields)
            waker_wake_by_ref(context->waker);
        self->finish = self->yields;
        return POLL_PENDING;
    }
    self->result = self->finish || self->at_once ? 42 : -ECANCELED;
    waker_drop(&self->waker);
    return POLL_READY;
}

static void child_cancel(struct future *future)
{
    container_of(future, struct child, future)->cancelled = true;
}

static const struct future_ops child_ops = { .name = "child",
                                             .size = sizeof(struct child),
                                             .poll = child_poll,
                                             .cancel = child_cancel };

/* ---- who waits: a few times, each with its limit */

struct visitor {
    ASYNC_FRAME;
    struct time_limit limit;
    struct child wait;
    struct child kind;        /* what each wait is made of */
    uint64_t lengths[ROUNDS]; /* 0: a wait without a limit */
    unsigned rounds, i;
    unsigned panics_after; /* this many rounds; 0: never */
    int results[ROUNDS];
    bool expired[ROUNDS];
};

static enum poll_state visitor_poll(struct future *future, struct context *context)
{
    struct visitor *self = ASYNC_SELF(visitor, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < self->rounds; self->i++) {
        if (self->lengths[self->i] > 0) {
            AWAIT_LIMITED(self->limit, self->lengths[self->i], self->wait, self->kind);
            self->expired[self->i] = self->limit.expired;
        } else {
            AWAIT(self->wait, self->kind);
        }
        self->results[self->i] = self->wait.result;
        if (self->panics_after == self->i + 1)
            task_panic("after round %u", self->i);
    }
    ASYNC_END;
}

static const struct future_ops visitor_ops = ASYNC_OPS(visitor);

/* ---- a wheel, a clock, and the two */

struct scene {
    struct timers_world time;
    struct visitor visitor;
    struct timekeeper keeper;
};

static struct scene scene;

static void open_scene(void *world)
{
    memset(world, 0, sizeof scene);
    open_timers_world(&((struct scene *)world)->time, HOUR);
}

/* As many rounds as lengths. */
static void begin(struct child kind, unsigned rounds, const uint64_t *lengths)
{
    open_scene(&scene);
    kind.future.ops = &child_ops;
    scene.visitor = (struct visitor){ .future = { &visitor_ops }, .rounds = rounds };
    scene.visitor.kind = kind;
    memcpy(scene.visitor.lengths, lengths, rounds * sizeof *lengths);
    scene.keeper = timekeeper(&scene.visitor.future, &scene.visitor.limit);
}

#define BEGIN(kind, ...)                                                               \
    begin((kind), sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t),              \
          (uint64_t[]){ __VA_ARGS__ })

static const struct child plain;

static enum poll_state step(void)
{
    struct context context = timers_world_context(&scene, 0);
    return future_poll(&scene.keeper.future, &context);
}

static void wait_is_over(void)
{
    scene.visitor.wait.finish = true;
    waker_wake_by_ref(&scene.visitor.wait.waker);
}

/* Time goes on, and rings. */
static void pass(uint64_t ns)
{
    atomic_fetch_add_explicit(&scene.time.clock.now, ns, memory_order_relaxed);
    timers_fire(&scene.time.timers);
}

/* When the timer in the wheel rings, counted from the beginning; CLOCK_NEVER: none. */
static uint64_t rings_after(void)
{
    uint64_t next = timer_wheel_next(&scene.time.timers.wheel);
    return next == CLOCK_NEVER ? CLOCK_NEVER : next - HOUR;
}

/* ---- one wait */

static void a_wait_that_is_over_in_time(void **state)
{
    (void)state;
    BEGIN(plain, 10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    assert_int_equal(rings_after(), 10 * MS);
    wait_is_over();
    assert_int_equal(scene.time.wakes[0].wakes, 1);
    assert_int_equal(step(), POLL_READY);
    assert_int_equal(scene.visitor.results[0], 42);
    assert_false(scene.visitor.expired[0]);
    close_timers_world(&scene);
}

static void a_wait_that_is_over_at_once_touches_no_timer(void **state)
{
    (void)state;
    BEGIN(((struct child){ .at_once = true }), 10 * MS, 10 * MS, 0);
    assert_int_equal(step(), POLL_READY);
    assert_int_equal(scene.visitor.results[1], 42);
    assert_null(scene.keeper.sleep.timers);
    close_timers_world(&scene);
}

static void the_time_is_over_and_the_function_goes_on(void **state)
{
    (void)state;
    BEGIN(plain, 10 * MS, 10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    pass(10 * MS);
    assert_int_equal(scene.time.wakes[0].wakes, 1);
    assert_int_equal(step(), POLL_PENDING); /* in its second wait */
    assert_int_equal(scene.visitor.results[0], -ECANCELED);
    assert_true(scene.visitor.expired[0]);
    assert_int_equal(rings_after(), 20 * MS);
    wait_is_over();
    assert_int_equal(step(), POLL_READY);
    assert_int_equal(scene.visitor.results[1], 42);
    assert_false(scene.visitor.expired[1]);
    close_timers_world(&scene);
}

static void both_at_once_is_the_waits(void **state)
{
    (void)state;
    BEGIN(plain, 10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    wait_is_over();
    pass(10 * MS);
    assert_int_equal(step(), POLL_READY);
    assert_int_equal(scene.visitor.results[0], 42);
    assert_false(scene.visitor.expired[0]);
    close_timers_world(&scene);
}

/* F4: the function goes on when the loser is READY, and what it then has is real. */
static void a_loser_is_awaited_and_may_have_a_real_result(void **state)
{
    (void)state;
    BEGIN(((struct child){ .stubborn = true }), 10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    pass(10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    assert_true(scene.visitor.wait.cancelled);
    assert_int_equal(rings_after(), CLOCK_NEVER);
    pass(HOUR);
    assert_int_equal(step(), POLL_PENDING);
    wait_is_over();
    assert_int_equal(step(), POLL_READY);
    assert_true(scene.visitor.expired[0]);
    assert_int_equal(scene.visitor.results[0], 42);
    close_timers_world(&scene);
}

static void a_limit_of_nothing_still_expires(void **state)
{
    (void)state;
    BEGIN(plain, 1, 10 * MS);
    pass(1);
    assert_int_equal(step(), POLL_PENDING);
    pass(1);
    assert_int_equal(step(), POLL_PENDING);
    assert_true(scene.visitor.expired[0]);
    pass(10 * MS);
    assert_int_equal(step(), POLL_READY);
    close_timers_world(&scene);
}

/* ---- the timer from wait to wait */

static void a_later_deadline_is_a_store(void **state)
{
    (void)state;
    BEGIN(plain, 10 * MS, 10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    pass(6 * MS);
    wait_is_over();
    assert_int_equal(step(), POLL_PENDING);
    assert_int_equal(rings_after(), 10 * MS); /* the first wait's */
    pass(4 * MS);
    assert_int_equal(scene.time.wakes[0].wakes, 2);
    assert_int_equal(step(), POLL_PENDING); /* too early: nothing happened */
    assert_false(scene.visitor.wait.cancelled);
    assert_int_equal(rings_after(), 16 * MS);
    pass(6 * MS - 1);
    assert_int_equal(scene.time.wakes[0].wakes, 2);
    pass(1);
    assert_int_equal(scene.time.wakes[0].wakes, 3);
    assert_int_equal(step(), POLL_READY);
    assert_true(scene.visitor.expired[1]);
    close_timers_world(&scene);
}

static void an_earlier_deadline_moves_the_timer(void **state)
{
    (void)state;
    BEGIN(plain, HOUR, 10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    wait_is_over();
    assert_int_equal(step(), POLL_PENDING);
    assert_int_equal(rings_after(), 10 * MS);
    pass(10 * MS);
    assert_int_equal(step(), POLL_READY);
    assert_false(scene.visitor.expired[0]);
    assert_true(scene.visitor.expired[1]);
    close_timers_world(&scene);
}

/* The old timer fired, and was not looked at yet, when an earlier deadline begins. */
static void an_earlier_deadline_meets_a_timer_that_rang(void **state)
{
    (void)state;
    BEGIN(plain, 10 * MS, 1 * MS, HOUR);
    assert_int_equal(step(), POLL_PENDING);
    wait_is_over();
    pass(10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    assert_false(scene.visitor.wait.cancelled);
    assert_int_equal(rings_after(), 11 * MS);
    pass(1 * MS);
    assert_int_equal(step(), POLL_PENDING);
    assert_true(scene.visitor.expired[1]);
    wait_is_over();
    assert_int_equal(step(), POLL_READY);
    assert_false(scene.visitor.expired[2]);
    close_timers_world(&scene);
}

static void a_wait_without_a_limit_ignores_the_timer(void **state)
{
    (void)state;
    BEGIN(plain, 10 * MS, 0, 10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    wait_is_over();
    assert_int_equal(step(), POLL_PENDING);
    pass(HOUR);
    assert_int_equal(step(), POLL_PENDING);
    assert_false(scene.visitor.wait.cancelled);
    assert_int_equal(rings_after(), CLOCK_NEVER);
    wait_is_over();
    assert_int_equal(step(), POLL_PENDING);
    assert_int_equal(rings_after(), HOUR + 10 * MS);
    wait_is_over();
    assert_int_equal(step(), POLL_READY);
    close_timers_world(&scene);
}

/* ---- cancel, in every state */

static void end_of_a_cancel(void)
{
    future_cancel(&scene.keeper.future);
    future_cancel(&scene.keeper.future);
    assert_int_equal(step(), POLL_READY);
    for (unsigned i = 0; i < ROUNDS; i++)
        assert_false(scene.visitor.expired[i]);
    assert_int_equal(scene.visitor.results[ROUNDS - 1], -ECANCELED);
    close_timers_world(&scene);
}

static void cancelled_in_every_state(void **state)
{
    (void)state;
    BEGIN(plain, 10 * MS, HOUR, 0); /* before its first poll */
    end_of_a_cancel();

    BEGIN(plain, 10 * MS, HOUR, 0); /* in a wait */
    assert_int_equal(step(), POLL_PENDING);
    end_of_a_cancel();

    BEGIN(plain, 10 * MS, HOUR, 0); /* in a wait whose time is over, unnoticed */
    assert_int_equal(step(), POLL_PENDING);
    pass(10 * MS);
    end_of_a_cancel();

    BEGIN(plain, 10 * MS, HOUR, 0); /* the timer is an earlier wait's */
    assert_int_equal(step(), POLL_PENDING);
    wait_is_over();
    assert_int_equal(step(), POLL_PENDING);
    end_of_a_cancel();

    BEGIN(plain, 10 * MS, 0, 0); /* in a wait without a limit, the timer pending */
    assert_int_equal(step(), POLL_PENDING);
    wait_is_over();
    assert_int_equal(step(), POLL_PENDING);
    end_of_a_cancel();

    BEGIN(plain, 10 * MS, 0, 0); /* the same, the timer fired and not looked at */
    assert_int_equal(step(), POLL_PENDING);
    wait_is_over();
    assert_int_equal(step(), POLL_PENDING);
    pass(HOUR);
    end_of_a_cancel();
}

static void cancelled_it_has_not_expired_however_long_it_takes(void **state)
{
    (void)state;
    BEGIN(((struct child){ .stubborn = true }), 10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    future_cancel(&scene.keeper.future);
    assert_int_equal(step(), POLL_PENDING);
    pass(HOUR);
    assert_int_equal(step(), POLL_PENDING);
    wait_is_over();
    assert_int_equal(step(), POLL_READY);
    assert_false(scene.visitor.expired[0]);
    assert_int_equal(scene.visitor.results[0], 42);
    close_timers_world(&scene);
}

static void cancelled_while_an_expired_wait_takes_its_time(void **state)
{
    (void)state;
    BEGIN(((struct child){ .stubborn = true }), 10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    pass(10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    future_cancel(&scene.keeper.future);
    assert_int_equal(step(), POLL_PENDING);
    wait_is_over();
    assert_int_equal(step(), POLL_READY);
    assert_true(scene.visitor.expired[0]); /* it had, before */
    close_timers_world(&scene);
}

/* ---- what a backtrace, and a panic, can see */

static void what_is_in_flight_can_be_seen(void **state)
{
    (void)state;
    BEGIN(plain, 10 * MS, 0);
    struct future *self = &scene.keeper.future;
    assert_int_equal(step(), POLL_PENDING);
    assert_ptr_equal(self->ops->child(self, 0), &scene.visitor.future);
    assert_ptr_equal(self->ops->child(self, 1), &scene.keeper.sleep.future);
    assert_null(self->ops->child(self, 2));
    wait_is_over();
    assert_int_equal(step(), POLL_PENDING); /* no limit: the timer is still there */
    assert_ptr_equal(self->ops->child(self, 1), &scene.keeper.sleep.future);
    pass(10 * MS);
    assert_int_equal(step(), POLL_PENDING);
    assert_null(self->ops->child(self, 1));
    wait_is_over();
    assert_int_equal(step(), POLL_READY);
    close_timers_world(&scene);
}

/* A task: the visitor, its keeper, and perhaps somebody beside them who panics. */
struct house {
    ASYNC_FRAME;
    struct visitor visitor, beside;
    struct timekeeper keeper;
    struct future *both[2];
    struct join join;
};

static enum poll_state house_poll(struct future *future, struct context *context)
{
    struct house *self = ASYNC_SELF(house, future);
    ASYNC_BEGIN(self, context);
    self->keeper = timekeeper(&self->visitor.future, &self->visitor.limit);
    self->both[0] = &self->keeper.future;
    self->both[1] = &self->beside.future;
    AWAIT(self->join, join_all(self->both, self->beside.rounds > 0 ? 2 : 1));
    ASYNC_END;
}

static const struct future_ops house_ops = ASYNC_OPS(house);

static void run_a_house_that_panics(struct house house)
{
    struct executor executor;
    struct task_handle handle = { 0 };
    open_scene(&scene);
    assert_int_equal(executor_init(&executor, NULL), 0);
    assert_int_equal(task_spawn(&executor.scheduler, &house.future, 0, &handle), 0);
    assert_int_equal(executor_run(&executor), 0);
    assert_true(task_is_done(&handle));
    assert_non_null(task_panic_text(&handle));
    assert_int_equal(rings_after(), CLOCK_NEVER);
    task_detach(&handle);
    assert_int_equal(executor_finish(&executor), 0);
    close_timers_world(&scene);
}

static struct visitor guest(struct child kind, unsigned rounds)
{
    struct visitor self = { .future = { &visitor_ops }, .rounds = rounds };
    self.kind = kind;
    self.kind.future.ops = &child_ops;
    for (unsigned i = 0; i < ROUNDS; i++)
        self.lengths[i] = HOUR;
    return self;
}

static void W13_a_panic_leaves_no_timer_in_the_wheel(void **state)
{
    (void)state;
    /* between two waits, with the first one's timer in the wheel */
    struct house house = { .future = { &house_ops } };
    house.visitor = guest((struct child){ .yields = true }, ROUNDS);
    house.visitor.panics_after = 2;
    run_a_house_that_panics(house);
    /* beside a wait in progress: it is cancelled, and the function with it */
    house.visitor = guest(plain, ROUNDS);
    house.beside = guest((struct child){ .yields = true }, 1);
    house.beside.lengths[0] = 0;
    house.beside.panics_after = 1;
    run_a_house_that_panics(house);
}

/* ---- as any future */

static void make_keeper(void *world, void *storage)
{
    struct scene *self = world;
    self->visitor = guest(plain, 1);
    self->visitor.lengths[0] = 10 * MS;
    *(struct timekeeper *)storage =
        timekeeper(&self->visitor.future, &self->visitor.limit);
}

static void let_wait_finish(void *world, void *storage)
{
    (void)storage;
    struct scene *self = world;
    bool finish = !self->visitor.async.cancelled; /* too late: it must not begin */
    self->visitor.kind.finish = self->visitor.wait.finish = finish;
    waker_wake_by_ref(&self->visitor.wait.waker);
}

static int64_t wait_result(void *world, const void *storage)
{
    (void)storage;
    return ((struct scene *)world)->visitor.results[0];
}

/* Here the wait is left in peace, and it is the timer that lets the function end. */
static void let_time_pass(void *world, void *storage)
{
    (void)storage;
    struct scene *self = world;
    atomic_store_explicit(&self->time.clock.now, 2 * HOUR, memory_order_relaxed);
}

static void pass_and_fire(void *world)
{
    struct scene *self = world;
    if (atomic_load_explicit(&self->time.clock.now, memory_order_relaxed) >= 2 * HOUR)
        atomic_fetch_add_explicit(&self->time.clock.now, 10 * MS, memory_order_relaxed);
    timers_world_fire(world);
}

static struct future_subject a_timekeeper = {
    .name = "timekeeper",
    .size = sizeof(struct timekeeper),
    .world = &scene,
    .setup = open_scene,
    .teardown = close_timers_world,
    .make = make_keeper,
    .let_finish = let_wait_finish,
    .turn = timers_world_fire,
    .context = timers_world_context,
    .wakes = timers_world_wakes,
    .result = wait_result,
    .finished = 42,
    .cancelled = -ECANCELED,
    .runs_when_cancelled = true,
    .may_win = true,
};

static struct future_subject a_timekeeper_that_rings = {
    .name = "timekeeper",
    .size = sizeof(struct timekeeper),
    .world = &scene,
    .setup = open_scene,
    .teardown = close_timers_world,
    .make = make_keeper,
    .let_finish = let_time_pass,
    .turn = pass_and_fire,
    .context = timers_world_context,
    .wakes = timers_world_wakes,
    .result = wait_result,
    .finished = -ECANCELED,
    .cancelled = -ECANCELED,
    .runs_when_cancelled = true,
};

/* ---- a wheel that another thread fires */

#define VISITS 3000

struct firer {
    struct timers timers;
    struct virtual_clock clock;
    _Atomic bool stop;
};

static void *fire_until_stopped(void *argument)
{
    struct firer *self = argument;
    /* acquire: pairs with the release of the test */
    while (!atomic_load_explicit(&self->stop, memory_order_acquire)) {
        atomic_fetch_add_explicit(&self->clock.now, 1, memory_order_relaxed);
        timers_fire(&self->timers);
    }
    return NULL;
}

/* Short and long limits in turn, so that timers ring early, late, and while they are
 * moved. Nobody polls unasked: a wake that is lost is a visit that does not end. */
static void a_shared_wheel_loses_no_ring(void **state)
{
    (void)state;
    static struct firer firer;
    struct io_stats stats = { 0 };
    struct waker_probe probe = { 0 };
    firer = (struct firer){ .stop = false };
    virtual_clock_init(&firer.clock, HOUR);
    assert_int_equal(timers_init(&firer.timers, true, &firer.clock, NULL), 0);
    struct io_services services = { .timers = &firer.timers, .stats = &stats };
    const struct io_services *before = io_services_enter(&services);
    pthread_t thread = start_thread(fire_until_stopped, &firer);
    for (unsigned n = 0; n < VISITS; n++) {
        struct visitor visitor = guest((struct child){ .yields = n % 4 == 0 }, ROUNDS);
        for (unsigned i = 0; i < ROUNDS; i++)
            visitor.lengths[i] = 1 + (n * 7 + i * 31) % 97;
        struct timekeeper keeper = timekeeper(&visitor.future, &visitor.limit);
        for (;;) {
            long seen = probe_read(&probe.wakes);
            if (probe_poll(&probe, &keeper.future) == POLL_READY)
                break;
            WAIT_UNTIL(probe_read(&probe.wakes) > seen);
        }
        for (unsigned i = 0; i < ROUNDS; i++) /* an expired one may have won (F6) */
            assert_true(visitor.results[i] == 42 || visitor.expired[i]);
    }
    /* release: pairs with the acquire of the thread */
    atomic_store_explicit(&firer.stop, true, memory_order_release);
    assert_int_equal(pthread_join(thread, NULL), 0);
    timers_finish(&firer.timers);
    io_services_leave(before);
    assert_int_equal(probe_read(&probe.live), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_that_is_over_in_time),
        cmocka_unit_test(a_wait_that_is_over_at_once_touches_no_timer),
        cmocka_unit_test(the_time_is_over_and_the_function_goes_on),
        cmocka_unit_test(both_at_once_is_the_waits),
        cmocka_unit_test(a_loser_is_awaited_and_may_have_a_real_result),
        cmocka_unit_test(a_limit_of_nothing_still_expires),
        cmocka_unit_test(a_later_deadline_is_a_store),
        cmocka_unit_test(an_earlier_deadline_moves_the_timer),
        cmocka_unit_test(an_earlier_deadline_meets_a_timer_that_rang),
        cmocka_unit_test(a_wait_without_a_limit_ignores_the_timer),
        cmocka_unit_test(cancelled_in_every_state),
        cmocka_unit_test(cancelled_it_has_not_expired_however_long_it_takes),
        cmocka_unit_test(cancelled_while_an_expired_wait_takes_its_time),
        cmocka_unit_test(what_is_in_flight_can_be_seen),
        cmocka_unit_test(W13_a_panic_leaves_no_timer_in_the_wheel),
        FUTURE_CONTRACT(a_timekeeper),
        FUTURE_CONTRACT_WAKES(a_timekeeper),
        FUTURE_CONTRACT(a_timekeeper_that_rings),
        FUTURE_CONTRACT_WAKES(a_timekeeper_that_rings),
        cmocka_unit_test(a_shared_wheel_loses_no_ring),
    };
    return cmocka_run_group_tests_name("timekeeper", tests, NULL, NULL);
}
