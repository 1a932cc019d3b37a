/* Hidden tests of exercise 4.2: all calls end in one batch, and all places have a new
 * call at once; a duplicate is alive through many calls in the same place. */
#include "lesson04_epoll/exercises/board_callers.h"

static void a_whole_board_changes_in_one_batch(void **state)
{
    (void)state;
    int before = open_fds();
    struct talk one = calls("one"), two = calls("two"), three = calls("three"),
                four = calls("four"), five = calls("five");
    says(&three.left, "early");
    over(&one);
    over(&two);
    run_board();
    expect_counts(2, 1);
    hears(&three, &three.right, "early");
    expect_alive(&three);
    expect_alive(&four);
    over(&three);
    over(&four);
    run_board();
    expect_counts(1, 0);
    expect_alive(&five);
    over(&five);
    run_board();
    expect_counts(0, 0);
    assert_int_equal(open_fds(), before);
    board_destroy(board);
}

static void many_calls_and_a_duplicate_of_each(void **state)
{
    (void)state;
    enum { CALLS = 6 };
    int held[CALLS];
    for (int i = 0; i < CALLS; i++) {
        struct talk talk = calls("one of many");
        held[i] = fcntl(talk.left.number, F_DUPFD_CLOEXEC, 0);
        expect_alive(&talk);
        over(&talk);
        run_board();
        expect_counts(0, 0);
    }
    for (int i = 0; i < CALLS; i++)
        close(held[i]);
    board_destroy(board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_whole_board_changes_in_one_batch, open_board),
        cmocka_unit_test_setup(many_calls_and_a_duplicate_of_each, open_board),
    };
    return cmocka_run_group_tests_name("board, hidden", tests, NULL, NULL);
}
