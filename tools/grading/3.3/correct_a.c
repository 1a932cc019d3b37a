/* A test program for ring_whole: what must happen when a step moves less than it was asked
 * to, moves nothing, or fails. The steps are scripted: scripted_ring.h says how. */
#include "common/testing/testing.h"

#include "lesson03_iouring/exercises/scripted_ring.h"

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

/* exercise 3.3 { */
static void expect(const char *what, int64_t got, int64_t expected)
{
    if (got != expected)
        fail_msg("%s: expected %lld, got %lld", what, (long long)expected,
                 (long long)got);
}

/* } exercise 3.3 */
static void a_read_in_several_steps(void **state)
{
    /* exercise 3.3 { */
    (void)state;
    char into[8];
    script(3, 4, 1);
    struct ring_whole whole =
        ring_read_full(&no_ring, 5, into, sizeof into, RING_NO_OFFSET);
    expect("8 bytes in steps of 3, 4, 1", run(&whole), 8);
    assert_memory_equal(into, "abcdefgh", 8);
    expect("steps", step_count, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(steps[i].offset == RING_NO_OFFSET);
    /* } exercise 3.3: (state) script a read of several steps, and say what must come out */
}

/* exercise 3.3 { */
static void a_read_ends_with_the_file(void **state)
{
    (void)state;
    char into[32];
    script(10, 2, 0);
    struct ring_whole whole = ring_read_full(&no_ring, 5, into, sizeof into, 4);
    expect("32 bytes of a file that ends after 12", run(&whole), 12);
    assert_memory_equal(into, "efghijklmnop", 12);
    expect("offset of the second step", (int64_t)steps[1].offset, 14);
}

static void a_write_in_several_steps(void **state)
{
    (void)state;
    script(2, 3, 1);
    struct ring_whole whole = ring_write_all(&no_ring, 5, "UVWXYZ", 6, 10);
    expect("6 bytes in steps of 2, 3, 1", run(&whole), 6);
    assert_memory_equal(file, "abcdefghijUVWXYZqrst", 20);
}

static void an_interrupted_step_is_made_again(void **state)
{
    (void)state;
    script(-EINTR, 2, -EINTR, 4);
    struct ring_whole whole = ring_write_all(&no_ring, 5, "UVWXYZ", 6, RING_NO_OFFSET);
    expect("6 bytes in steps of EINTR, 2, EINTR, 4", run(&whole), 6);
    assert_memory_equal(file, "UVWXYZghij", 10);
}

static void an_error_is_told_and_how_far_it_got(void **state)
{
    (void)state;
    script(4, -ENOSPC);
    struct ring_whole whole = ring_write_all(&no_ring, 5, "UVWXYZ", 6, RING_NO_OFFSET);
    expect("4 bytes and ENOSPC", run(&whole), -ENOSPC);
    expect("done", (int64_t)whole.done, 4);
}

static void a_write_of_nothing_is_an_error(void **state)
{
    (void)state;
    script(4, 0);
    struct ring_whole whole = ring_write_all(&no_ring, 5, "UVWXYZ", 6, RING_NO_OFFSET);
    expect("4 bytes, then none", run(&whole), -EIO);
}

static void a_cancel_is_told(void **state)
{
    (void)state;
    char into[8];
    script(3, WAITS);
    struct context context = { .budget = CONTEXT_BUDGET };
    struct ring_whole whole =
        ring_read_full(&no_ring, 5, into, sizeof into, RING_NO_OFFSET);
    assert_int_equal(future_poll(&whole.future, &context), POLL_PENDING);
    future_cancel(&whole.future);
    expect("cancelled after 3 bytes", run(&whole), -ECANCELED);
    expect("done", (int64_t)whole.done, 3);
}

static void four_gigabytes_are_no_end_of_file(void **state)
{
    (void)state;
    static char anything[1];
    script(ALL, ALL, ALL, ALL);
    struct ring_whole whole =
        ring_write_all(&no_ring, 5, anything, (size_t)4 << 30, 1 << 20);
    expect("4 GiB in four steps at most", run(&whole), (int64_t)4 << 30);
    for (unsigned i = 0; i < step_count; i++)
        if (steps[i].size == 0 || steps[i].size > INT_MAX)
            fail_msg("step %u of 4 GiB asks for %u bytes", i, steps[i].size);
}

/* } exercise 3.3 */
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_read_that_is_done_in_one_step),
        cmocka_unit_test(a_read_in_several_steps),
        /* exercise 3.3 { */
        cmocka_unit_test(a_read_ends_with_the_file),
        cmocka_unit_test(a_write_in_several_steps),
        cmocka_unit_test(an_interrupted_step_is_made_again),
        cmocka_unit_test(an_error_is_told_and_how_far_it_got),
        cmocka_unit_test(a_write_of_nothing_is_an_error),
        cmocka_unit_test(a_cancel_is_told),
        cmocka_unit_test(four_gigabytes_are_no_end_of_file),
        /* } exercise 3.3 */
    };
    return cmocka_run_group_tests_name("ring_whole", tests, NULL, NULL);
}
