/* A switchboard, stepped from the test's own thread: who hangs up before the same step
 * is in the same batch of events. */
#include "lesson04_epoll/exercises/board_callers.h"

static void callers_hear_each_other(void **state)
{
    (void)state;
    struct talk one = calls("one"), two = calls("two");
    expect_counts(2, 0);
    says(&one.left, "from the left");
    says(&two.right, "from the right");
    run_board();
    hears(&one, &one.right, "from the left");
    hears(&two, &two.left, "from the right");
    over(&one);
    over(&two);
    board_destroy(board);
}

static void who_hangs_up_ends_the_call(void **state)
{
    (void)state;
    int before = open_fds();
    struct talk one = calls("one");
    hangs_up(&one.left);
    run_board();
    if (!is_cut_off(&one.right))
        fail_msg("the left caller hung up: the right one is still connected");
    expect_counts(0, 0);
    over(&one);
    assert_int_equal(open_fds(), before);
    board_destroy(board);
}

static void the_last_words_are_heard(void **state)
{
    (void)state;
    struct talk one = calls("one");
    says(&one.left, "listen");
    says(&one.left, "goodbye");
    hangs_up(&one.left);
    run_board();
    hears(&one, &one.right, "listen");
    hears(&one, &one.right, "goodbye");
    over(&one);
    board_destroy(board);
}

static void who_waits_is_connected_when_a_call_ends(void **state)
{
    (void)state;
    struct talk one = calls("one"), two = calls("two"), three = calls("three");
    expect_counts(2, 1);
    says(&three.left, "said while waiting");
    hangs_up(&two.left);
    run_board();
    expect_counts(2, 0);
    hears(&three, &three.right, "said while waiting");
    expect_alive(&one);
    over(&one);
    over(&two);
    over(&three);
    board_destroy(board);
}

static void R4_the_next_call_outlives_the_events_of_the_last(void **state)
{
    (void)state;
    struct talk one = calls("one"), two = calls("two"), three = calls("three");
    hangs_up(&one.left); /* both within one batch */
    hangs_up(&one.right);
    run_board();
    expect_alive(&three);
    expect_alive(&two);
    expect_counts(2, 0);
    over(&two);
    over(&three);
    board_destroy(board);
}

static void R4_nobody_loses_his_turn(void **state)
{
    (void)state;
    struct talk one = calls("one"), two = calls("two"), three = calls("three"),
                four = calls("four"), five = calls("five");
    hangs_up(&two.right);
    hangs_up(&two.left);
    run_board();
    expect_counts(2, 2);
    expect_alive(&one);
    expect_alive(&three);
    over(&one);
    over(&three);
    over(&four);
    over(&five);
    board_destroy(board);
}

static void R4_no_event_for_a_line_whose_duplicate_lives(void **state)
{
    (void)state;
    struct talk one = calls("one");
    int held =
        fcntl(one.left.number, F_DUPFD_CLOEXEC, 0); /* as a forked child has it */
    hangs_up(&one.right);
    run_board();
    expect_counts(0, 0);
    says(&one.left, "is anybody there?"); /* the duplicate is */
    int events = board_step(board, 0);
    if (events != 0)
        fail_msg(
            "a line that was closed, its duplicate is alive: expected 0 events, got "
            "%d",
            events);
    close(held);
    over(&one);
    board_destroy(board);
}

static void R4_a_dead_line_ends_no_living_call(void **state)
{
    (void)state;
    struct talk one = calls("one"), two = calls("two"), three = calls("three");
    int held = fcntl(one.left.number, F_DUPFD_CLOEXEC, 0);
    hangs_up(&one.right);
    for (int i = 0; i < 3; i++) /* "three" is connected in its place */
        board_step(board, 0);
    expect_counts(2, 0);
    hangs_up(&one.left); /* long after its call was over */
    for (int i = 0; i < 3; i++)
        board_step(board, 0);
    expect_counts(2, 0);
    expect_alive(&three);
    expect_alive(&two);
    close(held);
    over(&two);
    over(&three);
    board_destroy(board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(callers_hear_each_other, open_board),
        cmocka_unit_test_setup(who_hangs_up_ends_the_call, open_board),
        cmocka_unit_test_setup(the_last_words_are_heard, open_board),
        cmocka_unit_test_setup(who_waits_is_connected_when_a_call_ends, open_board),
        cmocka_unit_test_setup(R4_the_next_call_outlives_the_events_of_the_last,
                               open_board),
        cmocka_unit_test_setup(R4_nobody_loses_his_turn, open_board),
        cmocka_unit_test_setup(R4_no_event_for_a_line_whose_duplicate_lives,
                               open_board),
        cmocka_unit_test_setup(R4_a_dead_line_ends_no_living_call, open_board),
    };
    return cmocka_run_group_tests_name("board", tests, NULL, NULL);
}
