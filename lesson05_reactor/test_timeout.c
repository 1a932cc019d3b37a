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
    unsigned polls;
    int result;
};

static enum poll_state child_poll(struct future *future, struct context *context)
{
    struct child *self = container_of(future, struct child, future);
    self->polls++;
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

static enum poll_state step(void)
{
    struct context context = timers_world_context(&scene, 0);
    return future_poll(&scene.timeout.future, &context);
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
    assert_int_equal(step(), POLL_PENDING);
    child_finishes();
    assert_int_equal(scene.time.wakes[0].wakes, 1);
    assert_int_equal(step(), POLL_READY);
    assert_false(scene.timeout.expired);
    assert_int_equal(scene.child.result, 42);
    assert_int_equal(scene.timeout.sleep.result, -ECANCELED);
    close_scene(&scene); /* no sleep is pending */
}

static void the_child_is_ready_at_once(void **state)
{
    (void)state;
    open_scene(&scene);
    scene.child.finish = true;
    assert_int_equal(step(), POLL_READY);
    assert_false(scene.timeout.expired);
    close_scene(&scene);
}

static void the_clock_wins(void **state)
{
    (void)state;
    open_scene(&scene);
    assert_int_equal(step(), POLL_PENDING);
    time_is_over();
    assert_int_equal(scene.time.wakes[0].wakes, 1);
    assert_int_equal(step(), POLL_READY);
    assert_true(scene.timeout.expired);
    assert_int_equal(scene.child.result, -ECANCELED);
    close_scene(&scene);
}

static void both_at_once_is_the_childs(void **state)
{
    (void)state;
    open_scene(&scene);
    assert_int_equal(step(), POLL_PENDING);
    child_finishes();
    time_is_over();
    assert_int_equal(step(), POLL_READY);
    assert_false(scene.timeout.expired);
    assert_int_equal(scene.child.result, 42);
    close_scene(&scene);
}

/* F4: READY not before the loser is; and what it then has is real. */
static void a_loser_is_awaited_and_may_have_a_real_result(void **state)
{
    (void)state;
    open_scene(&scene);
    scene.child.stubborn = true;
    assert_int_equal(step(), POLL_PENDING);
    time_is_over();
    assert_int_equal(step(), POLL_PENDING);
    assert_true(scene.child.cancelled);
    assert_int_equal(step(), POLL_PENDING);
    child_finishes();
    assert_int_equal(step(), POLL_READY);
    assert_true(scene.timeout.expired);
    assert_int_equal(scene.child.result, 42);
    close_scene(&scene);
}

static void cancelled_it_has_not_expired(void **state)
{
    (void)state;
    for (int started = 0; started < 2; started++) {
        open_scene(&scene);
        if (started)
            assert_int_equal(step(), POLL_PENDING);
        future_cancel(&scene.timeout.future);
        assert_int_equal(step(), POLL_READY);
        assert_false(scene.timeout.expired);
        assert_int_equal(scene.child.result, -ECANCELED);
        close_scene(&scene);
    }
}

static void what_is_in_flight_can_be_seen(void **state)
{
    (void)state;
    open_scene(&scene);
    struct future *self = &scene.timeout.future;
    assert_int_equal(step(), POLL_PENDING);
    assert_ptr_equal(self->ops->child(self, 0), &scene.child.future);
    assert_ptr_equal(self->ops->child(self, 1), &scene.timeout.sleep.future);
    assert_null(self->ops->child(self, 2));
    scene.child.stubborn = true;
    time_is_over();
    assert_int_equal(step(), POLL_PENDING);
    assert_ptr_equal(self->ops->child(self, 0), &scene.child.future);
    assert_null(self->ops->child(self, 1));
    child_finishes();
    assert_int_equal(step(), POLL_READY);
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
        cmocka_unit_test(what_is_in_flight_can_be_seen),
        FUTURE_CONTRACT(a_timeout),
        FUTURE_CONTRACT_WAKES(a_timeout),
        cmocka_unit_test(C2_an_accept_that_loses_may_hold_a_connection),
    };
    return cmocka_run_group_tests_name("timeout", tests, NULL, NULL);
}
