/* At most this long: who wins, who is told to stop, and whose result counts. */
#include "lesson05_reactor/timers_testing.h"

#include "lesson01_futures/future_contract.h"
#include "lesson05_reactor/timeout.h"

#define LIMIT (10 * NS_PER_MS)

/* A child under the test's control; a stubborn one takes its time to stop, too. */
struct child {
    struct future future;
    struct waker waker;
    bool finish, cancelled, stubborn;
    unsigned polls, uncancelled_polls;
    int result;
};

static enum poll_state child_poll(struct future *future, struct context *context)
{
    struct child *self = container_of(future, struct child, future);
    self->polls++;
    self->uncancelled_polls += !self->cancelled;
    waker_store(&self->waker, context);
    if (!self->finish && (!self->cancelled || self->stubborn))
        return POLL_PENDING;
    self->result = self->finish ? 42 : -ECANCELED;
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

struct scene {
    struct timers_world time;
    struct child child;
    struct timeout timeout;
};

static struct scene scene;

static void open_scene(void *world)
{
    struct scene *self = world;
    memset(self, 0, sizeof *self);
    open_timers_world(&self->time, 0);
    self->child.future.ops = &child_ops;
    self->timeout = timeout(&self->child.future, LIMIT);
}

static void close_scene(void *world)
{
    struct scene *self = world;
    waker_drop(&self->child.waker); /* thrown away before it ran: nothing is stored */
    close_timers_world(&self->time);
}

/* One poll, which must end as expected. `when`: what has happened so far. */
static void expect_step(enum poll_state expected, const char *when)
{
    static const char *const words[] = { "PENDING", "READY" };
    struct context context = timers_world_context(&scene, 0);
    enum poll_state got = future_poll(&scene.timeout.future, &context);
    if (got != expected)
        fail_msg("%s: the timeout should be %s, it is %s", when, words[expected],
                 words[got]);
}

static void expect_outcome(bool expired, int result, const char *when)
{
    if (scene.timeout.expired != expired || scene.child.result != result)
        fail_msg("%s: expected expired %d and the child's result %d, got %d and %d",
                 when, expired, result, scene.timeout.expired, scene.child.result);
}

static void child_finishes(void)
{
    scene.child.finish = true;
    waker_wake_by_ref(&scene.child.waker);
}

static void time_is_over(void)
{
    atomic_store_explicit(&scene.time.clock.now, LIMIT, memory_order_relaxed);
    timers_fire(&scene.time.timers);
}

static void the_child_wins(void **state)
{
    (void)state;
    open_scene(&scene);
    expect_step(POLL_PENDING, "first poll");
    child_finishes();
    assert_int_equal(scene.time.wakes[0].wakes, 1);
    expect_step(POLL_READY, "the child has finished");
    expect_outcome(false, 42, "the child has finished");
    if (scene.timeout.sleep.result != -ECANCELED)
        fail_msg("the child has finished: the sleep's result should be %d, it is %d",
                 -ECANCELED, scene.timeout.sleep.result);
    close_scene(&scene); /* no sleep is pending */
}

static void the_child_is_ready_at_once(void **state)
{
    (void)state;
    open_scene(&scene);
    scene.child.finish = true;
    expect_step(POLL_READY, "the child is READY in its first poll");
    expect_outcome(false, 42, "the child is READY in its first poll");
    close_scene(&scene);
}

static void the_clock_wins(void **state)
{
    (void)state;
    open_scene(&scene);
    expect_step(POLL_PENDING, "first poll");
    time_is_over();
    assert_int_equal(scene.time.wakes[0].wakes, 1);
    expect_step(POLL_READY, "the time is over, the child stops at once");
    expect_outcome(true, -ECANCELED, "the time is over, the child stops at once");
    close_scene(&scene);
}

static void both_at_once_is_the_childs(void **state)
{
    (void)state;
    open_scene(&scene);
    expect_step(POLL_PENDING, "first poll");
    child_finishes();
    time_is_over();
    expect_step(POLL_READY, "the child and the time, between two polls");
    expect_outcome(false, 42, "the child and the time, between two polls");
    close_scene(&scene);
}

/* F4: READY not before the loser is; and what it then has is real. */
static void a_loser_is_awaited_and_may_have_a_real_result(void **state)
{
    (void)state;
    open_scene(&scene);
    scene.child.stubborn = true;
    expect_step(POLL_PENDING, "first poll");
    time_is_over();
    expect_step(POLL_PENDING, "the time is over, the child cannot stop yet");
    if (!scene.child.cancelled)
        fail_msg("the time is over, and nobody has cancelled the child");
    expect_step(POLL_PENDING, "polled once more, the child cannot stop yet");
    child_finishes();
    expect_step(POLL_READY, "the child has finished after the time was over");
    expect_outcome(true, 42, "the child has finished after the time was over");
    close_scene(&scene);
}

static void cancelled_it_has_not_expired(void **state)
{
    (void)state;
    enum { AT_ONCE, STARTED, STUBBORN };
    static const char *const when[] = { "cancelled before its first poll",
                                        "cancelled after its first poll",
                                        "cancelled, and the child cannot stop yet" };
    for (int way = AT_ONCE; way <= STUBBORN; way++) {
        open_scene(&scene);
        scene.child.stubborn = way == STUBBORN;
        if (way != AT_ONCE)
            expect_step(POLL_PENDING, "first poll");
        future_cancel(&scene.timeout.future);
        expect_step(way == STUBBORN ? POLL_PENDING : POLL_READY, when[way]);
        if (way == STUBBORN) {
            child_finishes();
            expect_step(POLL_READY, "the child has finished");
        }
        expect_outcome(false, way == STUBBORN ? 42 : -ECANCELED, when[way]);
        close_scene(&scene);
    }
}

static void cancelled_before_it_began_the_child_never_begins(void **state)
{
    (void)state;
    open_scene(&scene);
    future_cancel(&scene.timeout.future);
    expect_step(POLL_READY, "cancelled before its first poll");
    if (scene.child.polls == 0 || scene.child.uncancelled_polls > 0)
        fail_msg(
            "cancelled before its first poll: the child was polled %u times, %u of "
            "them before it was told; expected at least 1, and 0",
            scene.child.polls, scene.child.uncancelled_polls);
    close_scene(&scene);
}

static void expect_in_flight(unsigned i, const struct future *expected,
                             const char *when)
{
    const struct future *self = &scene.timeout.future;
    const struct future *got = self->ops->child(self, i);
    if (got != expected)
        fail_msg("%s: child(%u) should be %s, it is %s", when, i,
                 expected ? expected->ops->name : "NULL",
                 got ? got->ops->name : "NULL");
}

static void what_is_in_flight_can_be_seen(void **state)
{
    (void)state;
    open_scene(&scene);
    expect_step(POLL_PENDING, "first poll");
    expect_in_flight(0, &scene.child.future, "both are in flight");
    expect_in_flight(1, &scene.timeout.sleep.future, "both are in flight");
    expect_in_flight(2, NULL, "both are in flight");
    scene.child.stubborn = true;
    time_is_over();
    expect_step(POLL_PENDING, "the time is over, the child cannot stop yet");
    expect_in_flight(0, &scene.child.future, "the sleep is done");
    expect_in_flight(1, NULL, "the sleep is done");
    child_finishes();
    expect_step(POLL_READY, "the child has finished");
    close_scene(&scene);
}

/* ---- as any future */

static void make_timeout(void *world, void *storage)
{
    struct scene *self = world;
    self->child = (struct child){ .future = { &child_ops } };
    *(struct timeout *)storage = timeout(&self->child.future, LIMIT);
}

static void let_child_finish(void *world, void *storage)
{
    (void)storage;
    struct scene *self = world;
    self->child.finish = !self->child.cancelled;
    waker_wake_by_ref(&self->child.waker);
}

static int64_t child_result(void *world, const void *storage)
{
    (void)storage;
    return ((struct scene *)world)->child.result;
}

static struct future_subject a_timeout = {
    .name = "timeout",
    .size = sizeof(struct timeout),
    .world = &scene,
    .setup = open_scene,
    .teardown = close_scene,
    .make = make_timeout,
    .let_finish = let_child_finish,
    .turn = timers_world_fire,
    .context = timers_world_context,
    .wakes = timers_world_wakes,
    .result = child_result,
    .finished = 42,
    .cancelled = -ECANCELED,
};

/* ---- around a real operation, on both drivers */

static void C2_an_accept_that_loses_may_hold_a_connection(void **state)
{
    static struct driver_subject subjects[] = {
        { .name = "epoll", .open = open_reactor, .close = close_reactor },
        { .name = "io_uring", .open = open_ring_driver, .close = close_ring_driver },
    };
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(subjects); i++) {
        struct driver_world w = { 0 };
        struct net_address address;
        if (!open_world(&w, &subjects[i]))
            continue;
        struct io_source *listener =
            attach_fd(listen_locally(&address), IO_TYPE_LISTENER);
        for (int k = 0; k < 6; k++) {
            struct io_op op = io_accept(listener, NULL, NULL);
            struct timeout limit = timeout(&op.future, NS_PER_MS);
            int client = -1;
            if (k & 1) {
                client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
                assert_int_equal(connect(client, &address.any, address.size), 0);
            }
            drive(&w, &limit.future);
            assert_true(op.result >= 0 || op.result == -ECANCELED);
            assert_true(limit.expired || op.result >= 0);
            if (op.result >= 0)
                close(op.result);
            if (client >= 0)
                close(client);
        }
        close_source_in(&w, listener);
        close_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_child_wins),
        cmocka_unit_test(the_child_is_ready_at_once),
        cmocka_unit_test(the_clock_wins),
        cmocka_unit_test(both_at_once_is_the_childs),
        cmocka_unit_test(a_loser_is_awaited_and_may_have_a_real_result),
        cmocka_unit_test(cancelled_it_has_not_expired),
        cmocka_unit_test(cancelled_before_it_began_the_child_never_begins),
        cmocka_unit_test(what_is_in_flight_can_be_seen),
        FUTURE_CONTRACT(a_timeout),
        FUTURE_CONTRACT_WAKES(a_timeout),
        cmocka_unit_test(C2_an_accept_that_loses_may_hold_a_connection),
    };
    return cmocka_run_group_tests_name("timeout", tests, NULL, NULL);
}
