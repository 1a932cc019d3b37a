/* run_order: who is next, by hand, with tasks that are never run. */
#include "common/testing/testing.h"

#include "lesson02_wakers/run_order.h"
#include "lesson02_wakers/task.h"

#define TASKS 1000

static struct task tasks[TASKS];
static struct run_order order;

static int setup(void **state)
{
    (void)state;
    run_order_init(&order);
    return 0;
}

static void push(int i, enum schedule_why why)
{
    run_order_push(&order, &tasks[i], why);
}

/* The number of the next task; -1: none. */
static int pop(void)
{
    struct task *task = run_order_pop(&order, false);
    return task ? (int)(task - tasks) : -1;
}

static void first_in_first_out(void **state)
{
    (void)state;
    push(0, SCHEDULE_SPAWN);
    push(1, SCHEDULE_WAKE);
    push(2, SCHEDULE_YIELD);
    push(3, SCHEDULE_SPAWN);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pop(), i);
    assert_int_equal(pop(), -1);
}

static void newest_first_for_what_is_spawned(void **state)
{
    (void)state;
    order.newest_first = true;
    for (int i = 0; i < 4; i++)
        push(i, SCHEDULE_SPAWN);
    for (int i = 3; i >= 0; i--)
        assert_int_equal(pop(), i);
    assert_int_equal(pop(), -1);
}

static void woken_and_spawned_take_turns(void **state)
{
    (void)state;
    int woken = 0, spawned = 0;
    order.newest_first = true;
    for (int i = 0; i < 10; i++)
        push(i, SCHEDULE_SPAWN);
    for (int i = 10; i < 20; i++)
        push(i, SCHEDULE_WAKE);
    for (int i = 0; i < 20; i++) {
        int next = pop();
        assert_true(next >= 0);
        *(next < 10 ? &spawned : &woken) += 1;
        assert_in_range(woken, i / 2, i / 2 + 1);
        assert_in_range(spawned, i / 2, i / 2 + 1);
    }
}

/* More than the stack holds: the oldest leave it, and each comes out once. */
static void a_full_stack_loses_nothing(void **state)
{
    (void)state;
    bool seen[TASKS] = { false };
    order.newest_first = true;
    for (int i = 0; i < TASKS; i++)
        push(i, SCHEDULE_SPAWN);
    for (int i = 0; i < TASKS; i++) {
        int next = pop();
        assert_in_range(next, 0, TASKS - 1);
        assert_false(seen[next]);
        seen[next] = true;
        if (i < (int)TASK_STACK_SLOTS)
            assert_int_equal(next, TASKS - 1 - i);
    }
    assert_int_equal(pop(), -1);
}

/* A task that spawns one for each that ran keeps the stack filled for ever. */
static void S7_the_oldest_is_not_starved(void **state)
{
    (void)state;
    order.newest_first = true;
    push(0, SCHEDULE_SPAWN);
    int polls = 0, next = -1;
    for (; next != 0 && polls < 100000; polls++) {
        push(1 + polls % (TASKS - 1), SCHEDULE_SPAWN);
        struct task *task = run_order_pop(&order, polls % 61 == 60);
        next = (int)(task - tasks);
    }
    assert_in_range(polls, 1, 64 * 61 + 1);
}

/* Many spawned ones do not keep a woken one waiting for all of them. */
static void S7_a_woken_task_is_not_starved_by_a_crowd(void **state)
{
    (void)state;
    order.newest_first = true;
    for (int i = 1; i < TASKS; i++)
        push(i, SCHEDULE_SPAWN);
    push(0, SCHEDULE_WAKE);
    int polls = 0;
    while (pop() != 0)
        polls++;
    assert_in_range(polls, 0, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(first_in_first_out, setup),
        cmocka_unit_test_setup(newest_first_for_what_is_spawned, setup),
        cmocka_unit_test_setup(woken_and_spawned_take_turns, setup),
        cmocka_unit_test_setup(a_full_stack_loses_nothing, setup),
        cmocka_unit_test_setup(S7_the_oldest_is_not_starved, setup),
        cmocka_unit_test_setup(S7_a_woken_task_is_not_starved_by_a_crowd, setup),
    };
    return cmocka_run_group_tests_name("run_order", tests, NULL, NULL);
}
