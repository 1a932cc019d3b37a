/* What may be said of ours against the others, from runs that are made up. */
#include "lesson08_compare/lab_testing.h"

#include "lesson08_compare/verdicts.h"

static struct lab_run *add(const char *row, const char *contestant, int round,
                           enum lab_purpose purpose)
{
    const struct lab_step step = { .row = lab_testing_row(row),
                                   .contestant = lab_testing_contestant(contestant),
                                   .round = round,
                                   .purpose = purpose };
    struct lab_run run = lab_run_blank(&step);
    assert_int_equal(lab_add_run(&lab, &run), 0);
    return &lab.runs[lab.run_count - 1];
}

/* Three rounds of CPU time around this. */
static void cpu(const char *row, const char *contestant, double us)
{
    for (int round = 0; round < 3; round++)
        add(row, contestant, round, LAB_TIMED)->cpu_us = us * (1 + 0.01 * round);
}

static struct verdict ask(const char *row, enum verdict_by by,
                          enum verdict_against against, double limit,
                          const char *driver)
{
    const struct verdict_question q = { row, by, against, limit, driver };
    return verdict_of(&lab, &q, true);
}

static void assert_verdict(struct verdict v, enum verdict_word word, const char *ours,
                           const char *theirs)
{
    assert_int_equal(v.word, word);
    assert_int_equal(v.ours, lab_testing_contestant(ours));
    assert_int_equal(v.theirs, lab_testing_contestant(theirs));
}

static void the_best_cell_meets_the_best_peer(void **state)
{
    (void)state;
    cpu("spawn", "steal/epoll", 2);
    cpu("spawn", "core/uring", 1);
    cpu("spawn", "tokio/multi", 3);
    cpu("spawn", "go", 1.5);
    cpu("spawn", "limit/threads", 0.5); /* no peer */
    struct verdict v = ask("spawn", BY_METRIC, AGAINST_PEERS, 1, NULL);
    assert_verdict(v, VERDICT_AHEAD, "core/uring", "go");
    assert_true(v.ratio.median > 0.66 && v.ratio.median < 0.67);
    v = ask("spawn", BY_METRIC, AGAINST_TOKIO, 0.8, NULL);
    assert_verdict(v, VERDICT_AHEAD, "core/uring", "tokio/multi");
    v = ask("spawn", BY_METRIC, AGAINST_TOKIO, 0.3, NULL); /* a third is not below */
    assert_verdict(v, VERDICT_BEHIND, "core/uring", "tokio/multi");
}

static void spreads_that_overlap_at_the_limit_resolve_nothing(void **state)
{
    (void)state;
    cpu("yield", "core/epoll", 1);
    cpu("yield", "libuv", 1.01);
    struct verdict v = ask("yield", BY_METRIC, AGAINST_PEERS, 1, NULL);
    assert_verdict(v, VERDICT_NOT_RESOLVED, "core/epoll", "libuv");
    v = ask("yield", BY_METRIC, AGAINST_PEERS, 0.8, NULL);
    assert_verdict(v, VERDICT_BEHIND, "core/epoll", "libuv");
    v = ask("yield", BY_METRIC, AGAINST_PEERS, 1.1, NULL);
    assert_verdict(v, VERDICT_AHEAD, "core/epoll", "libuv");
}

static void a_single_round_resolves_nothing(void **state)
{
    (void)state;
    add("spawn", "core/epoll", 0, LAB_TIMED)->cpu_us = 1;
    add("spawn", "go", 0, LAB_TIMED)->cpu_us = 9;
    struct verdict v = ask("spawn", BY_METRIC, AGAINST_PEERS, 1, NULL);
    assert_verdict(v, VERDICT_NOT_RESOLVED, "core/epoll", "go");
}

static void who_was_not_measured_is_not_judged(void **state)
{
    (void)state;
    cpu("spawn", "core/epoll", 1);
    struct verdict v = ask("spawn", BY_METRIC, AGAINST_PEERS, 1, NULL);
    assert_int_equal(v.word, VERDICT_NONE);
    assert_int_equal(v.theirs, -1);
    cpu("yield", "go", 1);
    v = ask("yield", BY_METRIC, AGAINST_PEERS, 1, NULL);
    assert_int_equal(v.word, VERDICT_NONE);
    assert_int_equal(v.ours, -1);
    add("chain", "core/epoll", 0, LAB_TIMED)->cpu_us = 1;
    add("chain", "go", 1, LAB_TIMED)->cpu_us = 1;
    v = ask("chain", BY_METRIC, AGAINST_PEERS, 1, NULL);
    assert_int_equal(v.word, VERDICT_NONE);
    struct lab_run *wrong = add("fib", "go", 0, LAB_TIMED);
    wrong->cpu_us = 1;
    snprintf(wrong->problem, sizeof wrong->problem, "wrong check");
    assert_int_equal(ask("fib", BY_METRIC, AGAINST_PEERS, 1, NULL).theirs, -1);
}

static void who_does_another_work_is_marked_and_judged_both_ways(void **state)
{
    (void)state;
    cpu("fib", "core/epoll", 2);
    cpu("fib", "glommio", 1);
    cpu("fib", "tokio/current", 4);
    const struct verdict_question q = { "fib", BY_METRIC, AGAINST_PEERS, 1, NULL };
    assert_verdict(verdict_of(&lab, &q, true), VERDICT_BEHIND, "core/epoll", "glommio");
    assert_verdict(verdict_of(&lab, &q, false), VERDICT_AHEAD, "core/epoll",
                   "tokio/current");
    const char *text = lab_testing_said(verdicts_print);
    assert_non_null(strstr(text, "glommio*       2.00 [2.00..2.00]  behind\n"));
    assert_non_null(strstr(text, "tokio/current  0.50 [0.50..0.50]  ahead\n"));
    assert_non_null(strstr(text, " * not quite this work: glommio polls a child"));
    assert_non_null(strstr(text, " not in this lab: spawn yield"));
    assert_true(
        verdict_marked(lab_testing_row("read-64"), lab_testing_contestant("go")));
    assert_false(
        verdict_marked(lab_testing_row("spawn"), lab_testing_contestant("go")));
    assert_false(
        verdict_marked(lab_testing_row("echo-64"), lab_testing_contestant("glommio")));
}

static void counted(const char *contestant, double syscalls, double instructions)
{
    for (int round = 0; round < 3; round++) {
        struct lab_run *run = add("echo-64", contestant, round, LAB_SYSCALLS);
        run->syscalls = syscalls * (1 + 0.01 * round);
        snprintf(run->counted_by, sizeof run->counted_by, "kernel");
        run = add("echo-64", contestant, round, LAB_INSTRUCTIONS);
        run->instructions = instructions * (1 + 0.01 * round);
    }
}

static void syscalls_are_compared_on_one_driver_and_instructions_on_any(void **state)
{
    (void)state;
    counted("steal/epoll", 2.0, 1500);
    counted("core/uring", 0.2, 1000);
    counted("libuv", 2.5, 330);
    counted("monoio/uring", 0.1, 1500);
    assert_verdict(ask("echo-64", BY_SYSCALLS, AGAINST_PEERS, 1, "epoll"),
                   VERDICT_AHEAD, "steal/epoll", "libuv");
    assert_verdict(ask("echo-64", BY_SYSCALLS, AGAINST_PEERS, 1, "uring"),
                   VERDICT_BEHIND, "core/uring", "monoio/uring");
    assert_verdict(ask("echo-64", BY_INSTRUCTIONS, AGAINST_PEERS, 1, NULL),
                   VERDICT_BEHIND, "core/uring", "libuv");
}

static void fair(const char *contestant, double least, double most)
{
    for (int round = 0; round < 3; round++) {
        struct lab_run *run = add("echo-1000", contestant, round, LAB_TIMED);
        run->fair_min = least - 0.1 * round;
        run->fair_median = 100;
        run->fair_max = most + 0.1 * round;
    }
}

static void the_raw_loop_is_the_one_on_the_same_driver(void **state)
{
    (void)state;
    fair("core/uring", 90, 110);
    fair("core/epoll", 50, 150);
    fair("raw-epoll", 90, 110);
    fair("raw-uring", 80, 120);
    fair("threads", 99, 101); /* no loop */
    assert_verdict(ask("echo-1000", BY_UNFAIRNESS, AGAINST_RAW, 1, "uring"),
                   VERDICT_AHEAD, "core/uring", "raw-uring");
    struct verdict v = ask("echo-1000", BY_UNFAIRNESS, AGAINST_RAW, 1, "epoll");
    assert_verdict(v, VERDICT_BEHIND, "core/epoll", "raw-epoll");
    assert_true(v.ratio.median > 4.8 && v.ratio.median < 5.1);
}

/* A row that was renamed would never be judged, and nobody would notice. */
static void each_question_is_about_a_row_that_exists(void **state)
{
    (void)state;
    for (int g = 0; g < verdict_group_count; g++)
        for (int i = 0; i < verdict_groups[g].count; i++) {
            const struct verdict_question *q = &verdict_groups[g].questions[i];
            int row = lab_testing_row(q->row);
            assert_true(q->limit > 0);
            if (q->by == BY_INSTRUCTIONS)
                assert_true(lab_rows[row].count_n1 > 0);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_cell_meets_the_best_peer),
        cmocka_unit_test(spreads_that_overlap_at_the_limit_resolve_nothing),
        cmocka_unit_test(a_single_round_resolves_nothing),
        cmocka_unit_test(who_was_not_measured_is_not_judged),
        cmocka_unit_test(who_does_another_work_is_marked_and_judged_both_ways),
        cmocka_unit_test(syscalls_are_compared_on_one_driver_and_instructions_on_any),
        cmocka_unit_test(the_raw_loop_is_the_one_on_the_same_driver),
        cmocka_unit_test(each_question_is_about_a_row_that_exists),
    };
    return lab_testing_main("verdicts", tests, ARRAY_SIZE(tests), lab_testing_begin,
                            lab_testing_end);
}
