/* The watch: always the latest value, nobody misses the last one, close and cancel. */
#include "lesson07_custom/sync_testing.h"

#include "common/testing/faults.h"
#include "lesson01_futures/future_contract.h"
#include "lesson07_custom/watch.h"

struct pair {
    int first, second;
};

struct world {
    struct observers observers; /* first: observers_context */
    struct watch watch;
    struct watch_reader reader;
    struct pair into;
};

static struct world world;

static void open_world(void *argument)
{
    struct world *self = argument;
    struct pair first = { 1, 1 };
    observers_init(&self->observers);
    assert_int_equal(watch_init(&self->watch, &first, sizeof first), 0);
    self->reader = watch_read_from(&self->watch);
}

static void close_world(void *argument)
{
    struct world *self = argument;
    watch_finish(&self->watch);
    observers_check(&self->observers);
}

static void make_changed(void *argument, void *storage)
{
    struct world *self = argument;
    *(struct watch_changed *)storage = watch_changed(&self->reader, &self->into);
}

static void set_two(void *argument, void *storage)
{
    struct world *self = argument;
    struct pair two = { 2, 2 };
    (void)storage;
    CHECK(watch_set(&self->watch, &two) == 0, "closed");
}

static int64_t result_of_changed(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct watch_changed *)storage)->result;
}

static unsigned long versions_seen(void *argument)
{
    return ((struct world *)argument)->reader.seen;
}

static struct future_subject a_change = {
    .name = "watch_changed",
    .size = sizeof(struct watch_changed),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_changed,
    .let_finish = set_two,
    .context = observers_context,
    .wakes = observers_wakes,
    .effects = versions_seen,
    .result = result_of_changed,
    .finished = 0,
    .cancelled = -ECANCELED,
};

static void failures_are_reported(void **state)
{
    (void)state;
    struct watch watch;
    assert_int_equal(watch_init(&watch, "", 0), -EINVAL);
    watch_finish(&watch);
    fault_arm("malloc", 1, ENOMEM);
    assert_int_equal(watch_init(&watch, "x", 1), -ENOMEM);
    fault_disarm();
    watch_finish(&watch);
    watch_finish(NULL);
}

static void a_slow_reader_sees_the_latest_value_only(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    for (int i = 2; i < 6; i++)
        assert_int_equal(watch_set(&self->watch, &(struct pair){ i, i }), 0);
    struct watch_changed changed = watch_changed(&self->reader, &self->into);
    assert_int_equal(observer_poll(&self->observers, 0, &changed.future), POLL_READY);
    assert_int_equal(self->into.first, 5);
    changed = watch_changed(&self->reader, &self->into);
    assert_int_equal(observer_poll(&self->observers, 0, &changed.future), POLL_PENDING);
    struct watch_reader late = watch_read_from(&self->watch);
    watch_close(&self->watch);
    assert_int_equal(observer_wakes(&self->observers, 0), 1);
    assert_int_equal(observer_poll(&self->observers, 0, &changed.future), POLL_READY);
    assert_int_equal(changed.result, -EPIPE);
    assert_int_equal(watch_set(&self->watch, &self->into), -EPIPE);
    changed = watch_changed(&late, &self->into);
    assert_int_equal(observer_poll(&self->observers, 0, &changed.future), POLL_READY);
    assert_int_equal(changed.result, -EPIPE);
    close_world(self);
}

static void W11_watch_the_last_value_is_seen_before_the_close(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    set_two(self, NULL);
    watch_close(&self->watch);
    struct watch_changed changed = watch_changed(&self->reader, &self->into);
    assert_int_equal(observer_poll(&self->observers, 0, &changed.future), POLL_READY);
    assert_int_equal(changed.result, 0);
    assert_int_equal(self->into.second, 2);
    watch_get(&self->watch, &self->into);
    assert_int_equal(self->into.first, 2);
    close_world(self);
}

static void W9_watch_cancelled_reader_has_seen_nothing(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    struct watch_changed changed = watch_changed(&self->reader, &self->into);
    assert_int_equal(observer_poll(&self->observers, 0, &changed.future), POLL_PENDING);
    set_two(self, NULL);
    future_cancel(&changed.future);
    assert_int_equal(observer_poll(&self->observers, 0, &changed.future), POLL_READY);
    assert_int_equal(changed.result, -ECANCELED);
    changed = watch_changed(&self->reader, &self->into);
    assert_int_equal(observer_poll(&self->observers, 0, &changed.future), POLL_READY);
    assert_int_equal(self->into.first, 2);
    close_world(self);
}

/* ---- many tasks */

#define READERS 20
#define LAST 500

struct reading {
    ASYNC_FRAME;
    struct watch_reader reader;
    struct pair value;
    unsigned wrong;
    int last;
    struct watch_changed changed;
};

static enum poll_state reading_poll(struct future *future, struct context *context)
{
    struct reading *self = ASYNC_SELF(reading, future);
    ASYNC_BEGIN(self, context);
    for (;;) {
        AWAIT(self->changed, watch_changed(&self->reader, &self->value));
        if (self->changed.result < 0)
            break;
        self->wrong += self->value.first != self->value.second;
        self->wrong += self->value.first <= self->last;
        self->last = self->value.first;
    }
    ASYNC_END;
}

static const struct future_ops reading_ops = ASYNC_OPS(reading);

static struct reading reading(struct watch *watch)
{
    return (struct reading){ .future = { &reading_ops },
                             .reader = watch_read_from(watch) };
}

struct writing {
    ASYNC_FRAME;
    struct watch *watch; /* borrows */
    int i;
    struct yield yield;
};

static enum poll_state writing_poll(struct future *future, struct context *context)
{
    struct writing *self = ASYNC_SELF(writing, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 2; self->i <= LAST; self->i++) {
        watch_set(self->watch, &(struct pair){ self->i, self->i });
        AWAIT(self->yield, yield_now());
    }
    watch_close(self->watch);
    ASYNC_END;
}

static const struct future_ops writing_ops = ASYNC_OPS(writing);

static struct writing writing(struct watch *watch)
{
    return (struct writing){ .future = { &writing_ops }, .watch = watch };
}

static void every_reader_sees_the_last_value(struct stage *stage)
{
    struct watch watch;
    struct task_handle readers[READERS];
    assert_int_equal(watch_init(&watch, &(struct pair){ 1, 1 }, sizeof(struct pair)),
                     0);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(SPAWN(stage->scheduler, &readers[i], reading(&watch)), 0);
    assert_int_equal(SPAWN(stage->scheduler, NULL, writing(&watch)), 0);
    stage_run(stage);
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(TASK_OUTPUT(&readers[i], reading)->last, LAST);
        assert_int_equal(TASK_OUTPUT(&readers[i], reading)->wrong, 0);
        task_detach(&readers[i]);
    }
    watch_finish(&watch);
}
ON_EACH_STAGE(every_reader_sees_the_last_value)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(a_change),
        FUTURE_CONTRACT_WAKES(a_change),
        cmocka_unit_test(failures_are_reported),
        cmocka_unit_test(a_slow_reader_sees_the_latest_value_only),
        cmocka_unit_test(W11_watch_the_last_value_is_seen_before_the_close),
        cmocka_unit_test(W9_watch_cancelled_reader_has_seen_nothing),
        ON_EACH_STAGE_TESTS(every_reader_sees_the_last_value),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
