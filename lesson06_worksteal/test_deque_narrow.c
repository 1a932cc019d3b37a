/* The deque with 8-bit indices: what S1 is about. The code is the same, line for line;
 * only the index comes round after 256 steps instead of 2^64. */
#define DEQUE_INDEX_BITS 8
#include "lesson06_worksteal/deque_testing.h"

#include "lesson06_worksteal/deque.c"

static void indices_come_round_without_harm_to_one_thread(void **state)
{
    (void)state;
    struct deque d;
    assert_int_equal(deque_init(&d, DEQUE_LIFO, 8), 0);
    for (uintptr_t i = 0; i < 1000; i++) {
        assert_true(deque_push(&d, item(2 * i)));
        assert_true(deque_push(&d, item(2 * i + 1)));
        assert_ptr_equal(deque_steal(&d), item(2 * i));
        assert_ptr_equal(deque_take(&d), item(2 * i + 1));
        assert_null(deque_take(&d));
        if (i % 2) { /* both indices, also across 255 -> 0 with tasks inside */
            assert_true(deque_push(&d, item(1)));
            assert_ptr_equal(deque_steal(&d), item(1));
        }
    }
    deque_finish(&d);
}

/* A thief reads task 1000 at index 0 and is held up; 256 tasks later index 0 is the top
 * again; its swap succeeds, and task 1000, long done, is handed out a second time, while
 * the task that is there now is lost. This test keeps the danger real: it fails on the
 * day the narrow build stops showing it. */
static void S1_narrow_indices_hand_a_task_out_twice(void **state)
{
    (void)state;
    struct deque d;
    struct paused_thief thief;
    assert_int_equal(deque_init(&d, DEQUE_FIFO, 4), 0);
    assert_true(deque_push(&d, item(1000)));
    paused_thief_start(&thief, &d);
    for (uintptr_t i = 0; i < 256; i++) {
        if (i > 0)
            assert_true(deque_push(&d, item(1000 + i)));
        assert_ptr_equal(deque_steal(&d), item(1000 + i));
    }
    assert_true(deque_push(&d, item(5)));
    paused_thief_finish(&thief);
    assert_ptr_equal(thief.got, item(1000)); /* for the second time */
    assert_null(deque_steal(&d));            /* and item 5 is gone */
    deque_finish(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indices_come_round_without_harm_to_one_thread),
        cmocka_unit_test(S1_narrow_indices_hand_a_task_out_twice),
    };
    return cmocka_run_group_tests_name("deque, 8-bit indices", tests, NULL, NULL);
}
