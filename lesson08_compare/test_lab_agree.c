/* Two recorded labs: where they agree, where one is not sure, where they contradict. */
#include "lesson08_compare/lab_testing.h"

#include "lesson08_compare/lab_agree.h"
#include "lesson08_compare/lab_main.h"
#include "lesson08_compare/verdicts.h"

static int status;

/* Begins the log of a lab with this plan. */
static FILE *begin(const char *name, const char *plan)
{
    FILE *file = fopen(testing_path(name), "we");
    assert_non_null(file);
    fprintf(file,
            "{\"type\":\"lab\",\"form\":\"full\",\"rounds\":7,\"plan\":\"%s\","
            "\"machine\":\"1\",\"programs\":\"2\",\"date\":\"2026-01-31\"}\n",
            plan);
    return file;
}

/* Seven rounds around this value. */
static void runs(FILE *file, const char *row, const char *contestant, const char *field,
                 double value)
{
    for (int round = 0; round < 7; round++)
        fprintf(file,
                "{\"type\":\"run\",\"row\":\"%s\",\"contestant\":\"%s\",\"round\":%d,"
                "\"purpose\":\"timed\",\"ops\":1000,\"%s\":%g}\n",
                row, contestant, round, field, value * (1 + 0.001 * round));
}

static void end(FILE *file)
{
    fputs("{\"type\":\"end\"}\n", file);
    assert_int_equal(fclose(file), 0);
}

/* A lab in which our spawn takes so long, against 2 of the best peer. */
static void write_lab(const char *name, const char *plan, double ours)
{
    FILE *file = begin(name, plan);
    runs(file, "spawn", "core/uring", "cpu_us", ours);
    runs(file, "spawn", "tokio/multi", "cpu_us", 2);
    end(file);
}

static char second_path[600];

static void agree(const struct lab *unused)
{
    (void)unused;
    status = lab_main_agree(&lab, testing_path("a.jsonl"), second_path);
}

static const char *compared(void)
{
    lab_forget(&lab);
    snprintf(second_path, sizeof second_path, "%s", testing_path("b.jsonl"));
    return lab_testing_said(agree);
}

static void assert_says(const char *text, const char *expected)
{
    if (!strstr(text, expected))
        fail_msg("it does not say: %s\nbut:\n%s", expected, text);
}

static void words_agree_contradict_or_are_open(void **state)
{
    (void)state;
    const int open = VERDICT_NOT_RESOLVED;
    assert_int_equal(agree_of(VERDICT_AHEAD, VERDICT_AHEAD, open), AGREE_SAME);
    assert_int_equal(agree_of(VERDICT_AHEAD, VERDICT_BEHIND, open), AGREE_CONTRADICT);
    assert_int_equal(agree_of(open, VERDICT_BEHIND, open), AGREE_OPEN_IN_A);
    assert_int_equal(agree_of(VERDICT_AHEAD, open, open), AGREE_OPEN_IN_B);
    assert_int_equal(agree_of(open, open, open), AGREE_OPEN);
    assert_int_equal(agree_of(-1, VERDICT_AHEAD, open), AGREE_ONE_SIDED);
    assert_int_equal(agree_of(open, -1, open), AGREE_ONE_SIDED);
}

static void two_labs_that_say_the_same_agree(void **state)
{
    (void)state;
    write_lab("a.jsonl", "1", 1);
    write_lab("b.jsonl", "1", 1.1);
    const char *text = compared();
    assert_int_equal(status, EXIT_SUCCESS);
    assert_says(text,
                " the same in both\n  spawn CPU/peer             ahead 0.50, tokio");
    assert_says(text, "ahead 0.55, tokio/multi\n");
    assert_says(text, "nothing in them contradicts the other");
    assert_null(strstr(text, "different plans"));
    assert_null(strstr(text, "not complete"));
}

static void the_opposite_is_a_contradiction(void **state)
{
    (void)state;
    write_lab("a.jsonl", "1", 1);
    write_lab("b.jsonl", "1", 3);
    const char *text = compared();
    assert_int_equal(status, EXIT_FAILURE);
    assert_says(text,
                " they contradict each other\n  spawn CPU/peer             ahead");
    assert_says(text, "behind 1.50, tokio/multi\n");
    assert_says(text, " 2 contradicted\n"); /* the best peer, and Tokio */
    assert_says(text, "THEY CONTRADICT EACH OTHER");
}

static void what_one_of_them_does_not_resolve_contradicts_nothing(void **state)
{
    (void)state;
    write_lab("a.jsonl", "1", 2); /* the same as the peer */
    write_lab("b.jsonl", "1", 3);
    const char *text = compared();
    assert_int_equal(status, EXIT_SUCCESS);
    assert_says(text,
                " not resolved in the first\n  spawn CPU/peer             open 1.00");
    write_lab("b.jsonl", "1", 2);
    text = compared();
    assert_int_equal(status, EXIT_SUCCESS);
    assert_says(text, " not resolved in either\n  spawn CPU/peer");
}

/* Where one lab's best is marked, both answer without the marked ones, too. */
static void a_marked_peer_is_asked_about_both_ways(void **state)
{
    (void)state;
    static const char *const names[] = { "a.jsonl", "b.jsonl" };
    for (int i = 0; i < 2; i++) {
        FILE *file = begin(names[i], "1");
        runs(file, "fib", "core/uring", "cpu_us", 2);
        runs(file, "fib", "tokio/multi", "cpu_us", 3);
        runs(file, "fib", "glommio", "cpu_us", i == 0 ? 1 : 4);
        end(file);
    }
    const char *text = compared();
    assert_int_equal(status, EXIT_FAILURE);
    assert_says(text, "  fib CPU/peer               behind 2.00, glommio");
    assert_says(text, "  fib CPU/peer no *          ahead 0.67, tokio/multi");
}

static void claims_are_held_against_each_other(void **state)
{
    (void)state;
    static const char *const names[] = { "a.jsonl", "b.jsonl" };
    for (int i = 0; i < 2; i++) {
        FILE *file = begin(names[i], "1");
        runs(file, "parked", "tokio/multi", "bytes", i == 0 ? 10 : 40);
        runs(file, "parked", "smol/multi", "bytes", 20);
        end(file);
    }
    const char *text = compared();
    assert_int_equal(status, EXIT_FAILURE);
    assert_says(text, "  tokio-task                 confirmed ");
    assert_says(text, "  refuted\n");
    assert_null(strstr(text, "tokio-panic")); /* is looked up, not measured */
}

/* ---- bad input */

static void another_plan_is_said_and_what_both_have_is_compared(void **state)
{
    (void)state;
    write_lab("a.jsonl", "1", 1);
    FILE *file = begin("b.jsonl", "9");
    runs(file, "spawn", "core/uring", "cpu_us", 1);
    runs(file, "spawn", "tokio/multi", "cpu_us", 2);
    runs(file, "yield", "core/uring", "cpu_us", 1);
    runs(file, "yield", "tokio/multi", "cpu_us", 2);
    end(file);
    const char *text = compared();
    assert_int_equal(status, EXIT_SUCCESS);
    assert_says(text, "they had different plans");
    assert_says(text, " no number in one of them\n  yield CPU/peer             -   ");
}

static void nothing_in_common_is_no_agreement(void **state)
{
    (void)state;
    write_lab("a.jsonl", "1", 1);
    FILE *file = begin("b.jsonl", "1");
    runs(file, "yield", "go", "cpu_us", 1);
    end(file);
    const char *text = compared();
    assert_int_equal(status, EXIT_FAILURE);
    assert_says(text, "they have nothing in common");
}

static void half_a_line_at_the_end_is_left_out_and_said(void **state)
{
    (void)state;
    write_lab("a.jsonl", "1", 1);
    FILE *file = begin("b.jsonl", "1");
    runs(file, "spawn", "core/uring", "cpu_us", 1);
    runs(file, "spawn", "tokio/multi", "cpu_us", 2);
    fputs("{\"type\":\"run\",\"row\":\"spawn\",\"contestant\":\"go\",\"cpu_us\":0.",
          file);
    assert_int_equal(fclose(file), 0);
    const char *text = compared();
    assert_int_equal(status, EXIT_SUCCESS);
    assert_says(text, "this lab was not complete");
    assert_says(text, "spawn CPU/peer");
}

static void a_file_that_is_not_there_or_holds_no_lab_is_a_failure(void **state)
{
    (void)state;
    write_lab("a.jsonl", "1", 1);
    unlink(testing_path("b.jsonl"));
    compared();
    assert_int_equal(status, EXIT_FAILURE);
    FILE *file = fopen(testing_path("b.jsonl"), "we");
    assert_non_null(file);
    fputs("no lab\n\n{\"type\":\"run\"}\n", file);
    assert_int_equal(fclose(file), 0);
    compared();
    assert_int_equal(status, EXIT_FAILURE);
    lab_forget(&lab);
    assert_int_equal(lab_main_agree(&lab, testing_path("nothing"), second_path),
                     EXIT_FAILURE);
}

static void the_program_takes_two_files(void **state)
{
    (void)state;
    char path[600], option[] = "--agree", a[600], b[600];
    char *argv[] = { path, option, a, b, NULL, NULL };
    struct process process;
    const char *bin = getenv("COURSE_BIN");
    snprintf(path, sizeof path, "%s/lab", bin ? bin : "");
    if (access(path, X_OK) < 0)
        skip_because("COURSE_BIN names no folder with a lab in it (make test sets it)");
    static const int expected[] = { 2, 0, 2 };
    write_lab("a.jsonl", "1", 1);
    snprintf(a, sizeof a, "%s", testing_path("a.jsonl"));
    snprintf(b, sizeof b, "%s", testing_path("a.jsonl"));
    for (int files = 1; files <= 3; files++) {
        argv[3] = files > 1 ? b : NULL;
        argv[4] = files > 2 ? a : NULL;
        assert_int_equal(process_start(&process, argv, PROCESS_ANY_CPU, -1), 0);
        struct process_end ended = process_stop(&process, 0, testing_deadline());
        assert_int_equal(ended.status, expected[files - 1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_agree_contradict_or_are_open),
        cmocka_unit_test(two_labs_that_say_the_same_agree),
        cmocka_unit_test(the_opposite_is_a_contradiction),
        cmocka_unit_test(what_one_of_them_does_not_resolve_contradicts_nothing),
        cmocka_unit_test(a_marked_peer_is_asked_about_both_ways),
        cmocka_unit_test(claims_are_held_against_each_other),
        cmocka_unit_test(another_plan_is_said_and_what_both_have_is_compared),
        cmocka_unit_test(nothing_in_common_is_no_agreement),
        cmocka_unit_test(half_a_line_at_the_end_is_left_out_and_said),
        cmocka_unit_test(a_file_that_is_not_there_or_holds_no_lab_is_a_failure),
        cmocka_unit_test(the_program_takes_two_files),
    };
    return lab_testing_main("lab agree", tests, ARRAY_SIZE(tests), lab_testing_begin,
                            lab_testing_end);
}
