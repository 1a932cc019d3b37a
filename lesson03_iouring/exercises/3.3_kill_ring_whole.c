/* Exercise 3.3: Tests for reading and writing all of it.
 * What to do stands in 3.3_kill_ring_whole.md. */
/* A test program for ring_whole: what must happen when a step moves less than it was asked
 * to, moves nothing, or fails. The steps are scripted: scripted_ring.h says how. */
#include "common/testing/testing.h"

#include "lesson03_iouring/exercises/scripted_ring.h"

#include "common/todo.h"

/* A worked example. It is right, and finds nothing wrong with any version: the only step
 * moves all that is wanted. */
static void a_read_that_is_done_in_one_step(void **state)
{
    (void)state;
    char into[8];
    script(8);
    struct ring_whole whole =
        ring_read_full(&no_ring, 5, into, sizeof into, RING_NO_OFFSET);
    int64_t result = run(&whole);
    if (result != 8)
        fail_msg("8 bytes in one step of 8: expected 8, got %lld", (long long)result);
    assert_memory_equal(into, "abcdefgh", 8);
    assert_int_equal(step_count, 1);
    assert_int_equal(steps[0].fd, 5);
    assert_int_equal(steps[0].size, 8);
}

static void a_read_in_several_steps(void **state)
{
    /* Yours: script a read of several steps, and say what must come out */
    EXERCISE_TODO("3.3", state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_that_is_done_in_one_step),
        cmocka_unit_test(a_read_in_several_steps),
    };
    return cmocka_run_group_tests_name("ring_whole", tests, NULL, NULL);
}
