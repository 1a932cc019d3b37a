/* Exercise 7.3: queries that share lines, and some that are cancelled. */
#include "lesson07_custom/exercises/lines_testing.h"

static void a_query_is_answered(void **state)
{
    (void)state;
    open_lines(2);
    start(0, 5);
    expect_idle("one query has asked", 1);
    run_with_backend();
    expect_result("the backend has answered", 0, ANSWER + 5);
    close_lines();
}

static void queries_take_turns_on_a_line(void **state)
{
    (void)state;
    open_lines(1);
    for (unsigned i = 0; i < 3; i++)
        start(i, i);
    run_with_backend();
    for (unsigned i = 0; i < 3; i++)
        expect_result("the backend has answered all", i, ANSWER + i);
    close_lines();
}

/* It ends at once, asks nothing, and is in nobody's way. */
static void a_query_cancelled_in_line_holds_nothing(void **state)
{
    (void)state;
    open_lines(1);
    start(0, 0);
    start(1, 1);
    start(2, 2);
    cancel(1);
    expect_result("cancelled while it waits for a line", 1, -ECANCELED);
    slots[3].query = query(&lines, 3);
    slots[3].runs = true;
    cancel(3);
    expect_result("cancelled before its first poll", 3, -ECANCELED);
    run_with_backend();
    expect_result("the other two", 0, ANSWER);
    expect_result("the other two", 2, ANSWER + 2);
    close_lines();
}

static void W9_a_cancelled_query_gives_its_line_back(void **state)
{
    (void)state;
    open_lines(2);
    start(0, 5);
    cancel(0);
    run_with_backend();
    expect_result("it had asked, was cancelled, and the backend has answered", 0,
                  -ECANCELED);
    expect_idle("1 query was cancelled, and is over", 2);
    close_lines();
}

static void the_next_query_gets_its_own_answer(void **state)
{
    (void)state;
    open_lines(1);
    start(0, 5);
    cancel(0);
    start(1, 6);
    run_with_backend();
    expect_result("1 line, whose last query was cancelled", 1, ANSWER + 6);
    start(2, 7);
    run_with_backend();
    expect_result("1 line, whose last query but one was cancelled", 2, ANSWER + 7);
    close_lines();
}

/* The answer lies there already: it, or -ECANCELED, and the line is back either way. */
static void a_cancel_meets_an_answer(void **state)
{
    (void)state;
    open_lines(1);
    start(0, 5);
    assert_true(backend_serves(0));
    cancel(0);
    run_with_backend();
    expect_result("cancelled when its answer was there", 0,
                  slots[0].query.result == ANSWER + 5 ? ANSWER + 5 : -ECANCELED);
    expect_idle("the query is over", 1);
    start(1, 6);
    run_with_backend();
    expect_result("the next one", 1, ANSWER + 6);
    close_lines();
}

static void a_hundred_cancels(void **state)
{
    (void)state;
    open_lines(3);
    for (unsigned round = 0; round < 50; round++) {
        for (unsigned i = 0; i < 6; i++)
            start(i, round * 6 + i);
        cancel(0);
        if (round % 2)
            backend_serves_all();
        cancel(4);
        run_with_backend();
        for (unsigned i = 0; i < 6; i++)
            expect_result("6 queries on 3 lines, two cancelled", i,
                          i == 0 || i == 4 ? -ECANCELED
                                           : ANSWER + (int64_t)(round * 6 + i));
    }
    close_lines();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_answered),
        cmocka_unit_test(queries_take_turns_on_a_line),
        cmocka_unit_test(a_query_cancelled_in_line_holds_nothing),
        cmocka_unit_test(W9_a_cancelled_query_gives_its_line_back),
        cmocka_unit_test(the_next_query_gets_its_own_answer),
        cmocka_unit_test(a_cancel_meets_an_answer),
        cmocka_unit_test(a_hundred_cancels),
    };
    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
