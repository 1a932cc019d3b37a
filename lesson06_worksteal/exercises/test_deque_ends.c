/* The two ends of the deque, one thread: what comes out where, and what is refused.
 * Items are numbers; nobody looks behind them. */
#include "common/testing/testing.h"

#include "lesson06_worksteal/deque.h"

enum { NONE = -1 };

static struct task *item(int number)
{
    return (struct task *)(uintptr_t)(number + 1);
}

static int number_of(struct task *task)
{
    return task ? (int)(uintptr_t)task - 1 : NONE;
}

static void expect(const char *when, struct task *task, int expected)
{
    int got = number_of(task);
    if (got != expected)
        fail_msg("%s: expected item %d, got %d (-1: nothing)", when, expected, got);
}

static void expect_number(const char *when, unsigned got, unsigned expected)
{
    if (got != expected)
        fail_msg("%s: expected %u, got %u", when, expected, got);
}

static void begin(struct deque *d, enum deque_kind kind, unsigned capacity, int items)
{
    assert_int_equal(deque_init(d, kind, capacity), 0);
    for (int i = 0; i < items; i++)
        if (!deque_push(d, item(i)))
            fail_msg("capacity %u: push of item %d was refused", capacity, i);
}

static void newest_below_oldest_above(void **state)
{
    (void)state;
    struct deque d;
    begin(&d, DEQUE_LIFO, 4, 4);
    expect_number("length after four pushes", deque_length(&d), 4);
    expect("first take after push 0, 1, 2, 3", deque_take(&d), 3);
    expect("first steal", deque_steal(&d), 0);
    expect("second take", deque_take(&d), 2);
    expect_number("length before the last item leaves", deque_length(&d), 1);
    expect("second steal", deque_steal(&d), 1);
    expect("steal from the empty deque", deque_steal(&d), NONE);
    expect("take from the empty deque", deque_take(&d), NONE);
    deque_finish(&d);
}

static void a_full_deque_takes_no_more(void **state)
{
    (void)state;
    struct deque d;
    struct task *three[3] = { item(10), item(11), item(12) };
    begin(&d, DEQUE_LIFO, 4, 4);
    if (deque_push(&d, item(8)) || deque_push_quietly(&d, item(9)))
        fail_msg("a push into a full deque of capacity 4 says that there was room");
    expect_number("push_many into a full deque", deque_push_many(&d, three, 3), 0);
    expect("steal after the refused pushes", deque_steal(&d), 0);
    expect("another steal", deque_steal(&d), 1);
    expect_number("push_many of three with room for two", deque_push_many(&d, three, 3),
                  2);
    if (deque_push_quietly(&d, item(9)))
        fail_msg("push_quietly into a deque that is full again was not refused");
    expect("take after push_many of 10, 11", deque_take(&d), 11);
    if (!deque_push_quietly(&d, item(20)))
        fail_msg("push_quietly was refused, although one item had just been taken");
    const int expected[] = { 2, 3, 10, 20, NONE };
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        expect("steals at the end, in order 2, 3, 10, 20", deque_steal(&d),
               expected[i]);
    deque_finish(&d);
}

static void S4_take_from_an_empty_deque(void **state)
{
    (void)state;
    struct deque d;
    begin(&d, DEQUE_LIFO, 4, 0);
    for (int i = 0; i < 3; i++) {
        expect("take at top = bottom = 0", deque_take(&d), NONE);
        expect_number("length after a take in vain", deque_length(&d), 0);
        expect("steal after a take in vain", deque_steal(&d), NONE);
    }
    if (!deque_push(&d, item(7)))
        fail_msg("push after takes in vain: refused, the deque seems full");
    expect_number("length after takes in vain and one push", deque_length(&d), 1);
    expect("take after takes in vain and one push", deque_take(&d), 7);
    expect("and once more", deque_take(&d), NONE);
    deque_finish(&d);
}

static void expect_batch(const char *when, struct task **batch, unsigned count,
                         unsigned expected, int first)
{
    expect_number(when, count, expected);
    for (unsigned i = 0; i < count; i++)
        expect(when, batch[i], first + (int)i);
}

static void a_batch_is_the_older_half(void **state)
{
    (void)state;
    struct deque d;
    struct task *batch[8];
    begin(&d, DEQUE_FIFO, 8, 7);
    expect_batch("half of 0..6", batch, deque_steal_half(&d, batch, 8), 4, 0);
    expect_batch("half of 4..6, at most 1", batch, deque_steal_half(&d, batch, 1), 1,
                 4);
    expect_batch("shed of 5, 6", batch, deque_shed(&d, batch, 8), 1, 5);
    expect_batch("half of 6 alone", batch, deque_steal_half(&d, batch, 8), 1, 6);
    expect_number("half of nothing", deque_steal_half(&d, batch, 8), 0);
    deque_finish(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newest_below_oldest_above),
        cmocka_unit_test(a_full_deque_takes_no_more),
        cmocka_unit_test(S4_take_from_an_empty_deque),
        cmocka_unit_test(a_batch_is_the_older_half),
    };
    return cmocka_run_group_tests_name("the two ends", tests, NULL, NULL);
}
