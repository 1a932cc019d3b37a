/* The waker itself, and the slot that hands one over between two threads. */
#include "lesson02_wakers/waker_probe.h"

#include "lesson02_wakers/waker_cell.h"

static void register_probe(struct waker_cell *cell, struct waker_probe *probe)
{
    struct waker waker = probe_waker(probe);
    struct context context = { .waker = &waker, .budget = CONTEXT_BUDGET };
    waker_cell_register(cell, &context);
}

static void an_empty_waker_does_nothing(void **state)
{
    (void)state;
    struct waker nobody = { 0 };
    struct waker copy = waker_clone(&nobody);
    assert_null(copy.ops);
    assert_null(waker_clone(NULL).ops);
    waker_wake_by_ref(NULL);
    waker_wake_by_ref(&nobody);
    waker_wake(&copy);
    waker_drop(&nobody);
}

static void wake_and_drop_empty_the_slot(void **state)
{
    (void)state;
    struct waker_probe probe = { 0 };
    struct waker borrowed = probe_waker(&probe);
    struct waker a = waker_clone(&borrowed), b = waker_clone(&a);
    assert_true(waker_same(&a, &b));
    struct waker moved = waker_take(&a);
    assert_null(a.ops);
    waker_drop(&a);
    waker_wake(&a);
    waker_wake(&moved);
    assert_null(moved.ops);
    waker_drop(&b);
    assert_int_equal(probe_read(&probe.wakes), 1);
    assert_int_equal(probe_read(&probe.live), 0);
}

static void W7_store_renews_only_a_waker_of_another_task(void **state)
{
    (void)state;
    struct waker_probe one = { 0 }, two = { 0 };
    struct waker first = probe_waker(&one), second = probe_waker(&two), slot = { 0 };
    struct context context = { .waker = &first, .budget = 1 };
    waker_store(&slot, &context);
    waker_store(&slot, &context);
    assert_int_equal(probe_read(&one.clones), 1);
    context.waker = &second;
    waker_store(&slot, &context);
    assert_int_equal(probe_read(&one.live), 0);
    assert_int_equal(probe_read(&two.live), 1);
    context.waker = NULL;
    waker_store(&slot, &context);
    assert_int_equal(probe_read(&two.live), 0);
    assert_null(slot.ops);
}

/* ---- the cell */

static void a_zeroed_cell_is_empty(void **state)
{
    (void)state;
    struct waker_cell cell = { 0 };
    waker_cell_wake(&cell);
    assert_null(waker_cell_take(&cell).ops);
    waker_cell_finish(&cell);
    waker_cell_init(&cell);
    waker_cell_wake(&cell);
    waker_cell_finish(&cell);
}

static void a_wake_takes_the_waker(void **state)
{
    (void)state;
    struct waker_probe probe = { 0 };
    struct waker_cell cell = { 0 };
    register_probe(&cell, &probe);
    waker_cell_wake(&cell);
    waker_cell_wake(&cell);
    assert_int_equal(probe_read(&probe.wakes), 1);
    assert_int_equal(probe_read(&probe.live), 0);
    register_probe(&cell, &probe);
    struct waker taken = waker_cell_take(&cell);
    waker_drop(&taken);
    register_probe(&cell, &probe);
    waker_cell_finish(&cell);
    assert_int_equal(probe_read(&probe.wakes), 1);
    assert_int_equal(probe_read(&probe.live), 0);
}

static void W7_the_waker_registered_last_is_woken(void **state)
{
    (void)state;
    struct waker_probe one = { 0 }, two = { 0 };
    struct waker_cell cell = { 0 };
    register_probe(&cell, &one);
    register_probe(&cell, &one);
    assert_int_equal(probe_read(&one.clones), 1);
    register_probe(&cell, &two);
    assert_int_equal(probe_read(&one.live), 0);
    waker_cell_wake(&cell);
    assert_int_equal(probe_read(&one.wakes), 0);
    assert_int_equal(probe_read(&two.wakes), 1);
    struct context nobody = { .waker = NULL, .budget = 1 };
    register_probe(&cell, &two);
    waker_cell_register(&cell, &nobody);
    waker_cell_wake(&cell);
    assert_int_equal(probe_read(&two.wakes), 1);
    assert_int_equal(probe_read(&two.live), 0);
}

/* A wake that comes at the worst moment, made certain: clone runs in the middle of a
 * registration, and here it brings the wake itself. */
static struct waker_cell *cell_to_wake;
static bool wake_in_clone;

static const struct waker_ops meddler_ops;

static struct waker meddler_clone(void *data)
{
    probe_waker_clone(data);
    if (wake_in_clone)
        waker_cell_wake(cell_to_wake);
    return (struct waker){ &meddler_ops, data };
}

static const struct waker_ops meddler_ops = {
    .clone = meddler_clone,
    .wake = probe_waker_wake,
    .wake_by_ref = probe_waker_wake_by_ref,
    .drop = probe_waker_drop,
};

static void W1_a_wake_in_the_middle_of_a_registration_is_delivered(void **state)
{
    (void)state;
    struct waker_probe probe = { 0 };
    struct waker_cell cell = { 0 };
    struct waker meddler = { &meddler_ops, &probe };
    struct context context = { .waker = &meddler, .budget = 1 };
    cell_to_wake = &cell;
    wake_in_clone = true;
    waker_cell_register(&cell, &context);
    assert_int_equal(probe_read(&probe.wakes), 1);
    assert_int_equal(probe_read(&probe.live), 0);
    wake_in_clone = false;
    waker_cell_register(&cell, &context);
    waker_cell_wake(&cell);
    assert_int_equal(probe_read(&probe.wakes), 2);
    assert_int_equal(probe_read(&probe.live), 0);
}

static void register_in_clone(void *argument)
{
    struct waker_cell cell = { 0 };
    struct waker_probe probe = { 0 };
    (void)argument;
    atomic_store_explicit(&cell.state, 1, memory_order_relaxed); /* REGISTERING */
    register_probe(&cell, &probe);
}

static void two_registrations_at_once_are_a_bug(void **state)
{
    (void)state;
    assert_dies(register_in_clone, NULL, "two registrations at once");
}

/* ---- with threads */

struct race {
    struct waker_cell cell;
    _Atomic long events; /* announced */
    _Atomic bool stop;
};

static void *announce(void *argument)
{
    struct race *race = argument;
    /* acquire: pairs with the release of the test */
    while (!atomic_load_explicit(&race->stop, memory_order_acquire)) {
        probe_count(&race->events, 1);
        waker_cell_wake(&race->cell);
        sched_yield();
    }
    return NULL;
}

static bool has_news(struct race *race, struct waker_probe *probe, long seen,
                     long woken)
{
    register_probe(&race->cell, probe);
    return probe_read(&race->events) != seen || probe_read(&probe->wakes) != woken;
}

/* Register, look, and if there is nothing to see, a wake must come. Two threads
 * announce, so wakes meet each other as well. */
static void W1_no_wake_is_lost_between_look_and_register(void **state)
{
    (void)state;
    struct race race = { 0 };
    struct waker_probe probes[2] = { 0 };
    pthread_t a = start_thread(announce, &race), b = start_thread(announce, &race);
    for (int round = 0; round < 2000; round++) {
        struct waker_probe *probe = &probes[round % 2]; /* W7: renewed each time */
        long woken = probe_read(&probe->wakes), seen = probe_read(&race.events);
        if (!has_news(&race, probe, seen, woken))
            WAIT_UNTIL(probe_read(&probe->wakes) != woken);
    }
    /* release: pairs with the acquire in announce */
    atomic_store_explicit(&race.stop, true, memory_order_release);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    waker_cell_finish(&race.cell);
    for (int i = 0; i < 2; i++)
        assert_int_equal(probe_read(&probes[i].live), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_waker_does_nothing),
        cmocka_unit_test(wake_and_drop_empty_the_slot),
        cmocka_unit_test(W7_store_renews_only_a_waker_of_another_task),
        cmocka_unit_test(a_zeroed_cell_is_empty),
        cmocka_unit_test(a_wake_takes_the_waker),
        cmocka_unit_test(W7_the_waker_registered_last_is_woken),
        cmocka_unit_test(W1_a_wake_in_the_middle_of_a_registration_is_delivered),
        cmocka_unit_test(two_registrations_at_once_are_a_bug),
        cmocka_unit_test(W1_no_wake_is_lost_between_look_and_register),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
