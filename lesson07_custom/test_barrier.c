/* The barrier: nobody before the last, rounds that do not mix, cancel in every state. */
#include "lesson07_custom/sync_testing.h"

#include "lesson01_futures/future_contract.h"
#include "lesson07_custom/barrier.h"

struct world {
    struct observers observers; /* first: observers_context */
    struct barrier barrier;
    struct barrier_wait other;
    bool other_waits;
};

static struct world world;

static void open_world(void *argument)
{
    struct world *self = argument;
    observers_init(&self->observers);
    assert_int_equal(barrier_init(&self->barrier, 2), 0);
    self->other_waits = false;
}

static void make_wait(void *argument, void *storage)
{
    *(struct barrier_wait *)storage =
        barrier_wait(&((struct world *)argument)->barrier);
}

/* The other party arrives. */
static void arrive(void *argument, void *storage)
{
    struct world *self = argument;
    (void)storage;
    self->other = barrier_wait(&self->barrier);
    self->other_waits =
        observer_poll(&self->observers, 2, &self->other.future) == POLL_PENDING;
}

static void close_world(void *argument)
{
    struct world *self = argument;
    if (self->other_waits && !future_is_done(&self->other.future)) {
        future_cancel(&self->other.future);
        assert_int_equal(observer_poll(&self->observers, 2, &self->other.future),
                         POLL_READY);
    }
    assert_int_equal(self->barrier.arrived, 0);
    barrier_finish(&self->barrier);
    observers_check(&self->observers);
}

static int64_t result_of_wait(void *argument, const void *storage)
{
    (void)argument;
    int result = ((const struct barrier_wait *)storage)->result;
    return result == 1 ? 0 : result; /* first or last: it went through */
}

static struct future_subject a_wait = {
    .name = "barrier_wait",
    .size = sizeof(struct barrier_wait),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_wait,
    .let_finish = arrive,
    .context = observers_context,
    .wakes = observers_wakes,
    .result = result_of_wait,
    .finished = 0,
    .cancelled = -ECANCELED,
};

static void a_barrier_for_nobody_is_refused(void **state)
{
    (void)state;
    struct barrier barrier;
    assert_int_equal(barrier_init(&barrier, 0), -EINVAL);
    barrier_finish(&barrier);
    barrier_finish(NULL);
}

static void the_last_to_arrive_opens_and_says_so(void **state)
{
    (void)state;
    struct world *self = &world;
    struct barrier_wait waits[3];
    open_world(self);
    barrier_finish(&self->barrier);
    assert_int_equal(barrier_init(&self->barrier, 3), 0);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 3; i++) {
            waits[i] = barrier_wait(&self->barrier);
            enum poll_state now = observer_poll(&self->observers, i, &waits[i].future);
            assert_int_equal(now, i == 2 ? POLL_READY : POLL_PENDING);
        }
        assert_int_equal(waits[2].result, 1);
        for (unsigned i = 0; i < 2; i++) {
            assert_int_equal(observer_wakes(&self->observers, i), round + 1);
            assert_int_equal(observer_poll(&self->observers, i, &waits[i].future),
                             POLL_READY);
            assert_int_equal(waits[i].result, 0);
        }
    }
    close_world(self);
}

static void W9_barrier_cancelled_waiter_takes_its_arrival_back(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    struct barrier_wait gone = barrier_wait(&self->barrier);
    assert_int_equal(observer_poll(&self->observers, 0, &gone.future), POLL_PENDING);
    future_cancel(&gone.future);
    assert_int_equal(observer_poll(&self->observers, 0, &gone.future), POLL_READY);
    assert_int_equal(gone.result, -ECANCELED);
    struct barrier_wait waits[2] = { barrier_wait(&self->barrier),
                                     barrier_wait(&self->barrier) };
    assert_int_equal(observer_poll(&self->observers, 1, &waits[0].future),
                     POLL_PENDING); /* one of two, not two of two */
    assert_int_equal(observer_poll(&self->observers, 2, &waits[1].future), POLL_READY);
    /* Too late for a cancel: the round is complete, and the next one not touched. */
    future_cancel(&waits[0].future);
    assert_int_equal(observer_poll(&self->observers, 1, &waits[0].future), POLL_READY);
    assert_int_equal(waits[0].result, 0);
    close_world(self);
}

static struct world *inside;
static struct barrier_wait second_in_line, again;

/* A waker that polls: the first one told cancels and polls the second, and arrives
 * again, all while the opener is still going through the line. */
static void meddle(void *data)
{
    (void)data;
    future_cancel(&second_in_line.future);
    observer_poll(&inside->observers, 1, &second_in_line.future);
    again = barrier_wait(&inside->barrier);
    observer_poll(&inside->observers, 2, &again.future);
}

static void keep(void *data)
{
    (void)data;
}

static struct waker clone_meddler(void *data)
{
    static const struct waker_ops ops = { clone_meddler, meddle, meddle, keep };
    return (struct waker){ &ops, data };
}

static void rounds_do_not_mix_while_one_is_being_told(void **state)
{
    (void)state;
    struct world *self = inside = &world;
    struct barrier_wait waits[WAKE_BATCH + 2];
    struct waker meddler = clone_meddler(NULL);
    open_world(self);
    barrier_finish(&self->barrier);
    assert_int_equal(barrier_init(&self->barrier, WAKE_BATCH + 2), 0);
    for (unsigned i = 0; i < WAKE_BATCH; i++) {
        struct context context = { i == 0 ? &meddler : NULL, CONTEXT_BUDGET };
        waits[i] = barrier_wait(&self->barrier);
        assert_int_equal(future_poll(&waits[i].future, &context), POLL_PENDING);
    }
    second_in_line = barrier_wait(&self->barrier); /* behind the first batch */
    observer_poll(&self->observers, 1, &second_in_line.future);
    struct barrier_wait last = barrier_wait(&self->barrier);
    assert_int_equal(observer_poll(&self->observers, 3, &last.future), POLL_READY);
    assert_int_equal(last.result, 1);
    assert_true(future_is_done(&second_in_line.future));
    assert_int_equal(second_in_line.result, 0); /* through, though not told yet */
    assert_false(future_is_done(&again.future));
    assert_int_equal(self->barrier.arrived, 1);
    for (unsigned i = 0; i < WAKE_BATCH; i++)
        assert_int_equal(observer_poll(&self->observers, 3, &waits[i].future),
                         POLL_READY);
    future_cancel(&again.future);
    assert_int_equal(observer_poll(&self->observers, 2, &again.future), POLL_READY);
    assert_int_equal(again.result, -ECANCELED);
    close_world(self);
}

/* ---- many tasks */

#define PARTIES 20
#define ROUNDS 60

struct scene {
    struct barrier barrier;
    _Atomic unsigned arrived; /* ever */
    _Atomic unsigned early;   /* went through before everybody was there */
    _Atomic unsigned leaders;
};

struct party {
    ASYNC_FRAME;
    struct scene *scene; /* borrows */
    unsigned round;
    struct barrier_wait wait;
};

static enum poll_state party_poll(struct future *future, struct context *context)
{
    struct party *self = ASYNC_SELF(party, future);
    struct scene *scene = self->scene;
    ASYNC_BEGIN(self, context);
    for (self->round = 1; self->round <= ROUNDS; self->round++) {
        atomic_fetch_add_explicit(&scene->arrived, 1, memory_order_relaxed);
        AWAIT(self->wait, barrier_wait(&scene->barrier));
        if (atomic_load_explicit(&scene->arrived, memory_order_relaxed) <
            self->round * PARTIES)
            atomic_fetch_add_explicit(&scene->early, 1, memory_order_relaxed);
        if (self->wait.result == 1)
            atomic_fetch_add_explicit(&scene->leaders, 1, memory_order_relaxed);
    }
    ASYNC_END;
}

static const struct future_ops party_ops = ASYNC_OPS(party);

static struct party party(struct scene *scene)
{
    return (struct party){ .future = { &party_ops }, .scene = scene };
}

static void nobody_is_through_before_the_last(struct stage *stage)
{
    struct scene scene = { 0 };
    assert_int_equal(barrier_init(&scene.barrier, PARTIES), 0);
    for (unsigned i = 0; i < PARTIES; i++)
        assert_int_equal(SPAWN(stage->scheduler, NULL, party(&scene)), 0);
    stage_run(stage);
    assert_int_equal(scene.arrived, PARTIES * ROUNDS);
    assert_int_equal(scene.early, 0);
    assert_int_equal(scene.leaders, ROUNDS);
    barrier_finish(&scene.barrier);
}
ON_EACH_STAGE(nobody_is_through_before_the_last)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(a_wait),
        FUTURE_CONTRACT_WAKES(a_wait),
        cmocka_unit_test(a_barrier_for_nobody_is_refused),
        cmocka_unit_test(the_last_to_arrive_opens_and_says_so),
        cmocka_unit_test(W9_barrier_cancelled_waiter_takes_its_arrival_back),
        cmocka_unit_test(rounds_do_not_mix_while_one_is_being_told),
        ON_EACH_STAGE_TESTS(nobody_is_through_before_the_last),
    };
    return cmocka_run_group_tests_name("barrier", tests, NULL, NULL);
}
