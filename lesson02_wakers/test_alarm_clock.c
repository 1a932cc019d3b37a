/* The alarm clock: a leaf that a thread completes. */
#include "lesson01_futures/future_contract.h"
#include "lesson02_wakers/task_testing.h"

#include "common/testing/faults.h"
#include "lesson02_wakers/alarm_clock.h"
#include "lesson02_wakers/block_on.h"

static struct world {
    struct alarm_clock clock;
    struct waker_probe probes[2];
    struct waker wakers[2];
} world;

static void open_world(void *argument)
{
    struct world *self = argument;
    *self = (struct world){ 0 };
    assert_int_equal(alarm_clock_start(&self->clock), 0);
    for (int i = 0; i < 2; i++)
        self->wakers[i] = probe_waker(&self->probes[i]);
}

static void close_world(void *argument)
{
    struct world *self = argument;
    alarm_clock_stop(&self->clock);
    for (int i = 0; i < 2; i++)
        assert_int_equal(probe_read(&self->probes[i].live), 0);
}

/* An hour: it ends only when the test says so. */
static void make_alarm(void *argument, void *storage)
{
    struct world *self = argument;
    struct alarm_wait wait = alarm_ms(&self->clock, 3600 * 1000);
    memcpy(storage, &wait, sizeof wait);
}

static void ring_now(void *argument, void *storage)
{
    struct world *self = argument;
    struct alarm_wait *wait = storage;
    pthread_mutex_lock(&self->clock.lock);
    wait->delay_ns = 0;
    wait->deadline = 0;
    pthread_cond_signal(&self->clock.changed);
    pthread_mutex_unlock(&self->clock.lock);
}

static struct context context_of(void *argument, unsigned which)
{
    struct world *self = argument;
    return (struct context){ &self->wakers[which], CONTEXT_BUDGET };
}

static unsigned long wakes_of(void *argument, unsigned which)
{
    struct world *self = argument;
    return (unsigned long)probe_read(&self->probes[which].wakes);
}

static int64_t result_of(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct alarm_wait *)storage)->result;
}

static struct future_subject an_alarm = {
    .name = "alarm",
    .size = sizeof(struct alarm_wait),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_alarm,
    .let_finish = ring_now,
    .context = context_of,
    .wakes = wakes_of,
    .result = result_of,
    .finished = 0,
    .cancelled = -ECANCELED,
};

static void many_waits_end_and_none_early(void **state)
{
    (void)state;
    static struct alarm_wait waits[50];
    static struct task_handle handles[50];
    struct executor executor;
    open_world(&world);
    open_executor(&executor);
    for (unsigned i = 0; i < ARRAY_SIZE(waits); i++) {
        waits[i] = alarm_ms(&world.clock, i * 7 % 20);
        assert_int_equal(spawn_on(&executor, i % 2, &waits[i].future, &handles[i]), 0);
    }
    assert_int_equal(executor_run(&executor), 0);
    uint64_t now = clock_now();
    for (unsigned i = 0; i < ARRAY_SIZE(waits); i++) {
        assert_true(TASK_OUTPUT(&handles[i], alarm_wait)->deadline <= now);
        assert_int_equal(TASK_OUTPUT(&handles[i], alarm_wait)->result, 0);
        task_detach(&handles[i]);
    }
    close_executor(&executor);
    close_world(&world);
}

static void without_a_thread_it_does_not_start(void **state)
{
    (void)state;
    struct alarm_clock clock;
    fault_arm("pthread_create", 1, EAGAIN);
    assert_int_equal(alarm_clock_start(&clock), -EAGAIN);
    fault_disarm();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(an_alarm),
        FUTURE_CONTRACT_WAKES(an_alarm),
        cmocka_unit_test(many_waits_end_and_none_early),
        cmocka_unit_test(without_a_thread_it_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
