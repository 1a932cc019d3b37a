/* Hidden tests of exercise 3.2: a cancel whose answer comes after the read's own end,
 * and a cancel for which there is no SQE. */
#include "lesson03_iouring/exercises/desk_kernel.h"

static struct reader ann, bob;

static int new_readers(void **state)
{
    ann = (struct reader){ .name = "Ann" };
    bob = (struct reader){ .name = "Bob" };
    return open_desk(state);
}

/* The read had won; the buffer is Bob's when the answer to Ann's cancel comes. */
static void a_late_answer_ends_nobodys_read(void **state)
{
    (void)state;
    asks(&ann);
    gives_up(&ann, 0);
    kernel_writes(0, "for Ann");
    kernel_answers(0, 8);
    expect_calls(&ann, 1, "her read has ended");
    expect_text(&ann, "for Ann");
    asks(&bob);
    kernel_answers(1, -ENOENT);
    expect_calls(&bob, 0, "the answer was to Ann's cancel");
    expect_calls(&ann, 1, "and she has been told before");
    kernel_writes(2, "for Bob");
    kernel_answers(2, 8);
    expect_calls(&bob, 1, "his page is there");
    expect_text(&bob, "for Bob");
    desk_destroy(desk);
}

static void a_cancel_without_an_sqe_leaves_the_read_alone(void **state)
{
    (void)state;
    asks(&ann);
    kernel_is_full = true;
    desk_give_up(desk, ann.number);
    expect_calls(&ann, 0, "there was no SQE for her cancel");
    kernel_is_full = false;
    desk_give_up(desk, ann.number);
    desk_give_up(desk, ann.number); /* does nothing */
    if (sqe_count != 2)
        fail_msg(
            "give up with a full queue, then twice with room: expected 1 cancel, got "
            "%u",
            sqe_count - 1);
    kernel_answers(1, -ENOENT);
    expect_calls(&ann, 0, "her cancel was answered, her read not yet");
    kernel_answers(0, 8);
    expect_calls(&ann, 1, "her read has ended");
    desk_destroy(desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_late_answer_ends_nobodys_read, new_readers),
        cmocka_unit_test_setup(a_cancel_without_an_sqe_leaves_the_read_alone,
                               new_readers),
    };
    return cmocka_run_group_tests_name("desk, hidden", tests, NULL, NULL);
}
