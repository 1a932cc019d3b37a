/* The semaphore: permits counted, first come first served, close and cancel in every
 * state, never more inside than permits. */
#include "lesson07_custom/sync_testing.h"

#include "lesson01_futures/combine.h"
#include "lesson01_futures/future_contract.h"
#include "lesson07_custom/semaphore.h"

struct world {
    struct observers observers; /* first: observers_context */
    struct semaphore semaphore;
    size_t total; /* permits, inside and out */
};

static struct world world;

static void open_world(void *argument)
{
    struct world *self = argument;
    observers_init(&self->observers);
    semaphore_init(&self->semaphore, 0);
    self->total = 0;
}

static void close_world(void *argument)
{
    struct world *self = argument;
    semaphore_finish(&self->semaphore);
    observers_check(&self->observers);
}

static void make_acquire(void *argument, void *storage)
{
    struct world *self = argument;
    *(struct semaphore_acquire *)storage = semaphore_acquire(&self->semaphore, 2);
}

static void release_two(void *argument, void *storage)
{
    struct world *self = argument;
    (void)storage;
    self->total += 2;
    semaphore_release(&self->semaphore, 2);
}

static int64_t result_of_acquire(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct semaphore_acquire *)storage)->result;
}

static long permits_out(void *argument)
{
    struct world *self = argument;
    return (long)(self->total - semaphore_available(&self->semaphore));
}

static struct future_subject an_acquire = {
    .name = "semaphore_acquire",
    .size = sizeof(struct semaphore_acquire),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_acquire,
    .let_finish = release_two,
    .context = observers_context,
    .wakes = observers_wakes,
    .result = result_of_acquire,
    .held = permits_out,
    .finished = 0,
    .cancelled = -ECANCELED,
};

/* Three wait: for 3, 1 and 1 permits. */
static void line_up(struct world *self, struct semaphore_acquire acquires[3])
{
    open_world(self);
    for (unsigned i = 0; i < 3; i++) {
        acquires[i] = semaphore_acquire(&self->semaphore, i == 0 ? 3 : 1);
        assert_int_equal(observer_poll(&self->observers, i, &acquires[i].future),
                         POLL_PENDING);
    }
}

static void expect_ready(struct world *self, struct semaphore_acquire *acquires,
                         unsigned which, int result)
{
    assert_int_equal(observer_wakes(&self->observers, which), 1);
    assert_int_equal(observer_poll(&self->observers, which, &acquires[which].future),
                     POLL_READY);
    assert_int_equal(acquires[which].result, result);
}

static void who_asks_for_many_is_not_overtaken(void **state)
{
    (void)state;
    struct world *self = &world;
    struct semaphore_acquire acquires[3];
    line_up(self, acquires);
    semaphore_release(&self->semaphore, 2);
    assert_int_equal(observer_wakes(&self->observers, 1), 0);
    assert_int_equal(semaphore_try_acquire(&self->semaphore, 1), -EAGAIN);
    semaphore_release(&self->semaphore, 2); /* 4: for the first and the second */
    expect_ready(self, acquires, 0, 0);
    expect_ready(self, acquires, 1, 0);
    assert_int_equal(observer_wakes(&self->observers, 2), 0);
    semaphore_release(&self->semaphore, 3);
    expect_ready(self, acquires, 2, 0);
    assert_int_equal(semaphore_try_acquire(&self->semaphore, 2), 0);
    assert_int_equal(semaphore_available(&self->semaphore), 0);
    close_world(self);
}

static void W9_semaphore_cancelled_waiter_passes_its_permit_on(void **state)
{
    (void)state;
    struct world *self = &world;
    struct semaphore_acquire acquires[3];
    line_up(self, acquires);
    semaphore_release(&self->semaphore, 3); /* the first has them, and does not know */
    assert_int_equal(semaphore_available(&self->semaphore), 0);
    future_cancel(&acquires[0].future);
    expect_ready(self, acquires, 0, -ECANCELED);
    expect_ready(self, acquires, 1, 0);
    expect_ready(self, acquires, 2, 0);
    assert_int_equal(semaphore_available(&self->semaphore), 1);
    close_world(self);
}

static void W9_semaphore_leaving_the_front_serves_the_rest(void **state)
{
    (void)state;
    struct world *self = &world;
    struct semaphore_acquire acquires[3];
    line_up(self, acquires);
    semaphore_release(&self->semaphore, 2); /* not enough for the first */
    future_cancel(&acquires[0].future);
    assert_int_equal(observer_poll(&self->observers, 0, &acquires[0].future),
                     POLL_READY);
    expect_ready(self, acquires, 1, 0);
    expect_ready(self, acquires, 2, 0);
    close_world(self);
}

static void a_close_ends_the_waiting(void **state)
{
    (void)state;
    struct world *self = &world;
    struct semaphore_acquire acquires[3];
    line_up(self, acquires);
    semaphore_close(&self->semaphore);
    for (unsigned i = 0; i < 3; i++)
        expect_ready(self, acquires, i, -EPIPE);
    assert_int_equal(semaphore_try_acquire(&self->semaphore, 0), -EPIPE);
    semaphore_release(&self->semaphore, 1);
    close_world(self);
}

static void more_waiters_than_a_batch_are_all_served(void **state)
{
    (void)state;
    struct world *self = &world;
    struct semaphore_acquire acquires[50];
    open_world(self);
    for (unsigned i = 0; i < 50; i++) {
        acquires[i] = semaphore_acquire(&self->semaphore, 1);
        observer_poll(&self->observers, 0, &acquires[i].future);
    }
    semaphore_release(&self->semaphore, 50);
    assert_int_equal(observer_wakes(&self->observers, 0), 50);
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(observer_poll(&self->observers, 0, &acquires[i].future),
                         POLL_READY);
    close_world(self);
}

static void finish_with_a_waiter(void *argument)
{
    struct semaphore_acquire acquires[3];
    line_up(argument, acquires);
    semaphore_finish(&((struct world *)argument)->semaphore);
}

static void release_too_many(void *argument)
{
    open_world(argument);
    semaphore_release(&((struct world *)argument)->semaphore, 2);
    semaphore_release(&((struct world *)argument)->semaphore, SIZE_MAX);
}

static void misuse_dies(void **state)
{
    (void)state;
    assert_dies(finish_with_a_waiter, &world, "while a future waits for it");
    assert_dies(release_too_many, &world, "more permits released");
    semaphore_finish(NULL);
}

/* ---- many tasks */

#define TASKS 30
#define ROUNDS 100
#define PERMITS 4

struct scene {
    struct semaphore semaphore;
    _Atomic int inside;
    _Atomic int most;
    _Atomic unsigned entered;
};

struct visitor {
    ASYNC_FRAME;
    struct scene *scene; /* borrows */
    unsigned round;
    struct semaphore_acquire acquire;
    struct yield yield;
    struct future *both[2];
    struct race race;
};

static void note_entry(struct scene *scene)
{
    int inside = atomic_fetch_add_explicit(&scene->inside, 1, memory_order_relaxed) + 1;
    int most = atomic_load_explicit(&scene->most, memory_order_relaxed);
    while (inside > most &&
           !atomic_compare_exchange_weak_explicit(
               &scene->most, &most, inside, memory_order_relaxed, memory_order_relaxed))
        ;
    atomic_fetch_add_explicit(&scene->entered, 1, memory_order_relaxed);
}

/* Every fourth acquire is raced against a yield, whose win cancels it. */
static enum poll_state visitor_poll(struct future *future, struct context *context)
{
    struct visitor *self = ASYNC_SELF(visitor, future);
    ASYNC_BEGIN(self, context);
    for (self->round = 0; self->round < ROUNDS; self->round++) {
        self->acquire = semaphore_acquire(&self->scene->semaphore, 1);
        self->yield = yield_now();
        self->both[0] = &self->acquire.future;
        self->both[1] = self->round % 4 ? NULL : &self->yield.future;
        AWAIT(self->race, race(self->both, 2));
        if (self->acquire.result < 0)
            continue;
        note_entry(self->scene);
        AWAIT(self->yield, yield_now());
        atomic_fetch_sub_explicit(&self->scene->inside, 1, memory_order_relaxed);
        semaphore_release(&self->scene->semaphore, 1);
    }
    ASYNC_END;
}

static const struct future_ops visitor_ops = ASYNC_OPS(visitor);

static struct visitor visitor(struct scene *scene)
{
    return (struct visitor){ .future = { &visitor_ops }, .scene = scene };
}

static void never_more_inside_than_permits(struct stage *stage)
{
    struct scene scene = { 0 };
    semaphore_init(&scene.semaphore, PERMITS);
    for (unsigned i = 0; i < TASKS; i++)
        assert_int_equal(SPAWN(stage->scheduler, NULL, visitor(&scene)), 0);
    stage_run(stage);
    assert_in_range(scene.most, 1, PERMITS);
    assert_in_range(scene.entered, TASKS * ROUNDS * 3 / 4, TASKS * ROUNDS);
    assert_int_equal(semaphore_available(&scene.semaphore), PERMITS);
    semaphore_finish(&scene.semaphore);
}
ON_EACH_STAGE(never_more_inside_than_permits)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(an_acquire),
        FUTURE_CONTRACT_WAKES(an_acquire),
        FUTURE_CONTRACT_HOLDS(an_acquire),
        cmocka_unit_test(who_asks_for_many_is_not_overtaken),
        cmocka_unit_test(W9_semaphore_cancelled_waiter_passes_its_permit_on),
        cmocka_unit_test(W9_semaphore_leaving_the_front_serves_the_rest),
        cmocka_unit_test(a_close_ends_the_waiting),
        cmocka_unit_test(more_waiters_than_a_batch_are_all_served),
        cmocka_unit_test(misuse_dies),
        ON_EACH_STAGE_TESTS(never_more_inside_than_permits),
    };
    return cmocka_run_group_tests_name("semaphore", tests, NULL, NULL);
}
