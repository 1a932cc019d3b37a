/* Hidden tests of exercise 3.1: counters that wrap at 2^32 while the queues are in use;
 * an answer that is read before its slot is given back. */
#include "common/testing/testing.h"

#include "lesson03_iouring/exercises/fake_kernel.h"

static struct fake_kernel kernel;
static struct raw_ring ring;

static unsigned asked;

int raw_enter(int fd, unsigned to_submit, unsigned wait_for, unsigned flags)
{
    (void)fd;
    (void)wait_for;
    (void)flags;
    asked = to_submit;
    return (int)to_submit;
}

#define EXPECT(what, got, expected)                                                    \
    do {                                                                               \
        long long got_ = (long long)(got), expected_ = (long long)(expected);          \
        if (got_ != expected_)                                                         \
            fail_msg("%s: expected %lld, got %lld", (what), expected_, got_);          \
    } while (0)

static void the_submission_counters_wrap(void **state)
{
    (void)state;
    struct io_uring_sqe request = { 0 };
    fake_kernel_init(&kernel, &ring, 4, UINT32_MAX - 2);
    for (uint64_t i = 0; i < 4; i++)
        EXPECT("raw_ring_nop across 2^32", raw_ring_nop(&ring, i), 0);
    EXPECT("a fifth request in a queue of 4, its tail past 2^32",
           raw_ring_nop(&ring, 4), -EBUSY);
    raw_ring_enter(&ring, 0);
    EXPECT("to_submit across 2^32", asked, 4);
    for (uint64_t i = 0; i < 4; i++) {
        assert_true(kernel_take(&kernel, &ring, &request));
        EXPECT("user_data across 2^32", request.user_data, i);
    }
    EXPECT("raw_ring_nop after that", raw_ring_nop(&ring, 5), 0);
}

static void the_completion_counters_wrap(void **state)
{
    (void)state;
    struct raw_completion done;
    fake_kernel_init(&kernel, &ring, 4, UINT32_MAX - 1);
    for (uint64_t i = 0; i < 4; i++)
        assert_true(kernel_answer(&kernel, &ring, i, (int)i, 0));
    for (uint64_t i = 0; i < 4; i++) {
        EXPECT("raw_ring_pop across 2^32", raw_ring_pop(&ring, &done), true);
        EXPECT("user_data across 2^32", done.user_data, i);
    }
    EXPECT("raw_ring_pop of nothing after that", raw_ring_pop(&ring, &done), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_submission_counters_wrap),
        cmocka_unit_test(the_completion_counters_wrap),
    };
    return cmocka_run_group_tests_name("raw_ring, hidden", tests, NULL, NULL);
}
