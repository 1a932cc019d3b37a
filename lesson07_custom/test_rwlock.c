/* The read-write lock: readers together, writers alone, the order of arrival, cancel in
 * every state. */
#include "lesson07_custom/sync_testing.h"

#include "lesson01_futures/combine.h"
#include "lesson01_futures/future_contract.h"
#include "lesson07_custom/rwlock.h"

struct world {
    struct observers observers; /* first: observers_context */
    struct rwlock lock;
    bool held_by_test;
};

static struct world world;

static void open_world(void *argument)
{
    struct world *self = argument;
    observers_init(&self->observers);
    rwlock_init(&self->lock);
    assert_int_equal(rwlock_try_write(&self->lock), 0);
    self->held_by_test = true;
}

static void unlock_ours(void *argument, void *storage)
{
    struct world *self = argument;
    (void)storage;
    if (self->held_by_test)
        rwlock_unlock_write(&self->lock);
    self->held_by_test = false;
}

static void close_world(void *argument)
{
    struct world *self = argument;
    unlock_ours(argument, NULL);
    rwlock_finish(&self->lock);
    observers_check(&self->observers);
}

static void make_read(void *argument, void *storage)
{
    *(struct rwlock_wait *)storage = rwlock_read(&((struct world *)argument)->lock);
}

static void make_write(void *argument, void *storage)
{
    *(struct rwlock_wait *)storage = rwlock_write(&((struct world *)argument)->lock);
}

static int64_t result_of_wait(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct rwlock_wait *)storage)->result;
}

static long holders(void *argument)
{
    struct world *self = argument;
    return (long)self->lock.readers + self->lock.writer - self->held_by_test;
}

static struct future_subject a_read = {
    .name = "rwlock_read",
    .size = sizeof(struct rwlock_wait),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_read,
    .let_finish = unlock_ours,
    .context = observers_context,
    .wakes = observers_wakes,
    .result = result_of_wait,
    .held = holders,
    .finished = 0,
    .cancelled = -ECANCELED,
};

static struct future_subject a_write = {
    .name = "rwlock_write",
    .size = sizeof(struct rwlock_wait),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_write,
    .let_finish = unlock_ours,
    .context = observers_context,
    .wakes = observers_wakes,
    .result = result_of_wait,
    .held = holders,
    .finished = 0,
    .cancelled = -ECANCELED,
};

/* Behind the test's write lock wait, in this order: 'r' or 'w' for each letter. */
static void line_up(struct world *self, const char *kinds, struct rwlock_wait *waits)
{
    open_world(self);
    for (unsigned i = 0; kinds[i]; i++) {
        waits[i] =
            kinds[i] == 'w' ? rwlock_write(&self->lock) : rwlock_read(&self->lock);
        assert_int_equal(observer_poll(&self->observers, i, &waits[i].future),
                         POLL_PENDING);
    }
}

static bool got_in(struct world *self, struct rwlock_wait *waits, unsigned which)
{
    if (observer_wakes(&self->observers, which) == 0)
        return false;
    return observer_poll(&self->observers, which, &waits[which].future) == POLL_READY &&
           waits[which].result == 0;
}

static void readers_go_in_together_and_stop_at_a_writer(void **state)
{
    (void)state;
    struct world *self = &world;
    struct rwlock_wait waits[4];
    line_up(self, "rrwr", waits);
    unlock_ours(self, NULL);
    assert_true(got_in(self, waits, 0));
    assert_true(got_in(self, waits, 1));
    assert_false(got_in(self, waits, 2));
    assert_false(got_in(self, waits, 3)); /* behind the writer */
    assert_int_equal(rwlock_try_read(&self->lock), -EAGAIN);
    rwlock_unlock_read(&self->lock);
    assert_false(got_in(self, waits, 2));
    rwlock_unlock_read(&self->lock);
    assert_true(got_in(self, waits, 2));
    assert_false(got_in(self, waits, 3));
    rwlock_downgrade(&self->lock);
    assert_true(got_in(self, waits, 3));
    rwlock_unlock_read(&self->lock);
    rwlock_unlock_read(&self->lock);
    assert_int_equal(rwlock_try_write(&self->lock), 0);
    assert_int_equal(rwlock_try_read(&self->lock), -EAGAIN);
    assert_int_equal(rwlock_try_write(&self->lock), -EAGAIN);
    rwlock_unlock_write(&self->lock);
    close_world(self);
}

static void W9_rwlock_cancelled_writer_lets_the_readers_go_on(void **state)
{
    (void)state;
    for (unsigned granted = 0; granted < 2; granted++) {
        struct world *self = &world;
        struct rwlock_wait waits[3];
        line_up(self, granted ? "wrr" : "rwr", waits);
        unsigned writer = granted ? 0 : 1;
        unlock_ours(self, NULL); /* "wrr": the writer has it, and does not know */
        if (!granted)
            assert_true(got_in(self, waits, 0));
        assert_int_equal(observer_wakes(&self->observers, 2), 0);
        future_cancel(&waits[writer].future);
        assert_int_equal(observer_poll(&self->observers, writer, &waits[writer].future),
                         POLL_READY);
        assert_int_equal(waits[writer].result, -ECANCELED);
        assert_true(got_in(self, waits, 2));
        if (granted)
            assert_true(got_in(self, waits, 1));
        rwlock_unlock_read(&self->lock);
        rwlock_unlock_read(&self->lock);
        close_world(self);
    }
}

static void W9_rwlock_cancelled_reader_lets_the_writer_in(void **state)
{
    (void)state;
    struct world *self = &world;
    struct rwlock_wait waits[2];
    line_up(self, "rw", waits);
    unlock_ours(self, NULL);
    future_cancel(&waits[0].future);
    assert_int_equal(observer_poll(&self->observers, 0, &waits[0].future), POLL_READY);
    assert_true(got_in(self, waits, 1));
    rwlock_unlock_write(&self->lock);
    close_world(self);
}

static void more_readers_than_a_batch_go_in(void **state)
{
    (void)state;
    struct world *self = &world;
    struct rwlock_wait waits[40];
    open_world(self);
    for (unsigned i = 0; i < 40; i++) {
        waits[i] = rwlock_read(&self->lock);
        observer_poll(&self->observers, 0, &waits[i].future);
    }
    unlock_ours(self, NULL);
    assert_int_equal(observer_wakes(&self->observers, 0), 40);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(observer_poll(&self->observers, 0, &waits[i].future),
                         POLL_READY);
        rwlock_unlock_read(&self->lock);
    }
    close_world(self);
}

static void unlock_twice(void *argument)
{
    open_world(argument);
    rwlock_unlock_read(&((struct world *)argument)->lock);
}

static void finish_while_held(void *argument)
{
    open_world(argument);
    rwlock_finish(&((struct world *)argument)->lock);
}

static void misuse_dies(void **state)
{
    (void)state;
    assert_dies(unlock_twice, &world, "who does not hold it");
    assert_dies(finish_while_held, &world, "while somebody holds it");
    rwlock_finish(NULL);
}

/* ---- many tasks */

#define TASKS 24
#define ROUNDS 100

struct scene {
    struct rwlock lock;
    int pair[2]; /* guarded by lock: always the same number twice */
    _Atomic unsigned torn;
    _Atomic unsigned writes;
};

struct visitor {
    ASYNC_FRAME;
    struct scene *scene; /* borrows */
    bool writes;
    unsigned round;
    int seen;
    struct rwlock_wait wait;
    struct yield yield;
    struct future *both[2];
    struct race race;
};

static void note(_Atomic unsigned *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Every fifth wait is raced against a yield, whose win cancels it. The lock is held
 * across an await, and so perhaps released on another thread. */
static enum poll_state visitor_poll(struct future *future, struct context *context)
{
    struct visitor *self = ASYNC_SELF(visitor, future);
    struct scene *scene = self->scene;
    ASYNC_BEGIN(self, context);
    for (self->round = 0; self->round < ROUNDS; self->round++) {
        self->wait =
            self->writes ? rwlock_write(&scene->lock) : rwlock_read(&scene->lock);
        self->yield = yield_now();
        self->both[0] = &self->wait.future;
        self->both[1] = self->round % 5 ? NULL : &self->yield.future;
        AWAIT(self->race, race(self->both, 2));
        if (self->wait.result < 0)
            continue;
        self->seen = self->writes ? ++scene->pair[0] : scene->pair[0];
        AWAIT(self->yield, yield_now());
        if (self->writes)
            scene->pair[1]++;
        if (scene->pair[1] != self->seen)
            note(&scene->torn);
        if (self->writes)
            note(&scene->writes);
        if (self->writes)
            rwlock_unlock_write(&scene->lock);
        else
            rwlock_unlock_read(&scene->lock);
    }
    ASYNC_END;
}

static const struct future_ops visitor_ops = ASYNC_OPS(visitor);

static struct visitor visitor(struct scene *scene, bool writes)
{
    return (
        struct visitor){ .future = { &visitor_ops }, .scene = scene, .writes = writes };
}

static void nobody_sees_half_a_write(struct stage *stage)
{
    struct scene scene = { 0 };
    rwlock_init(&scene.lock);
    for (unsigned i = 0; i < TASKS; i++)
        assert_int_equal(SPAWN(stage->scheduler, NULL, visitor(&scene, i % 4 == 0)), 0);
    stage_run(stage);
    assert_int_equal(scene.torn, 0);
    assert_int_equal(scene.pair[0], scene.writes);
    assert_int_equal(scene.pair[1], scene.writes);
    assert_true(scene.writes >= TASKS / 4 * ROUNDS * 4 / 5);
    rwlock_finish(&scene.lock);
}
ON_EACH_STAGE(nobody_sees_half_a_write)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(a_read),
        FUTURE_CONTRACT_WAKES(a_read),
        FUTURE_CONTRACT_HOLDS(a_read),
        FUTURE_CONTRACT(a_write),
        FUTURE_CONTRACT_WAKES(a_write),
        FUTURE_CONTRACT_HOLDS(a_write),
        cmocka_unit_test(readers_go_in_together_and_stop_at_a_writer),
        cmocka_unit_test(W9_rwlock_cancelled_writer_lets_the_readers_go_on),
        cmocka_unit_test(W9_rwlock_cancelled_reader_lets_the_writer_in),
        cmocka_unit_test(more_readers_than_a_batch_go_in),
        cmocka_unit_test(misuse_dies),
        ON_EACH_STAGE_TESTS(nobody_sees_half_a_write),
    };
    return cmocka_run_group_tests_name("rwlock", tests, NULL, NULL);
}
