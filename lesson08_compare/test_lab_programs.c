/* Contestants that are programs: asked, run, checked, and ended when they hang. */
#include "lesson08_compare/lab_testing.h"

#include <fcntl.h>

#include "lesson08_compare/progress.h"
#include "lesson08_compare/runlog.h"

/* Does `spawn`: in the mode steal/epoll as it should, in the others badly. */
static const char fake[] =
    "case \"$1\" in\n"
    "--list) echo steal/epoll spawn; echo steal/epoll yield; echo core/epoll spawn;\n"
    "  echo steal/uring spawn; echo core/uring spawn; echo current/epoll spawn; "
    "exit;;\n"
    "--version) echo fake 1.0; exit;;\n"
    "esac\n"
    "while [ $# -gt 0 ]; do\n"
    "  case $1 in --mode) mode=$2;; --n) n=$2;; esac; shift\n"
    "done\n"
    "check=$((n * (n - 1) / 2)); ops=$n\n"
    "case $mode in\n"
    "steal/uring) exec sleep 1000;;\n"
    "core/epoll) check=$((check + 1));;\n"
    "core/uring) echo nonsense; exit;;\n"
    "current/epoll) ops=$((n / 2));;\n"
    "esac\n"
    "echo \"{\\\"runtime\\\":\\\"fake\\\",\\\"ops\\\":$ops,\\\"check\\\":$check,"
    "\\\"wall_ns\\\":600000000,\\\"cpu_ns\\\":300000000,\\\"user_ns\\\":200000000,"
    "\\\"sys_ns\\\":100000000,\\\"stolen_count\\\":7}\"\n";

static int fresh(void **state)
{
    (void)state;
    lab_testing_fresh();
    lab_testing_script("work", fake);
    lab_testing_no_script("peer_tokio");
    return 0;
}

static int forgotten(void **state)
{
    (void)state;
    runlog_close(&lab);
    lab_forget(&lab);
    return 0;
}

static bool offers(const char *row, const char *contestant)
{
    return lab_offers(&lab, lab_testing_row(row), lab_testing_contestant(contestant),
                      NULL);
}

static const char *problem_of(const char *contestant)
{
    return lab.offers[lab_testing_contestant(contestant)].problem;
}

static void a_list_says_who_takes_part_in_what(void **state)
{
    (void)state;
    lab_ask(&lab);
    assert_true(offers("spawn", "steal/epoll"));
    assert_true(offers("yield", "steal/epoll"));
    assert_true(offers("spawn", "core/epoll"));
    assert_false(offers("yield", "core/epoll"));
    assert_false(offers("spawn", "current/uring"));
    assert_true(offers("spawn-2w", "steal/epoll"));
    assert_false(offers("spawn-2w", "core/epoll")); /* has one worker */
    assert_false(offers("spawn", "raw-epoll"));     /* has no tasks */
    assert_string_equal(lab.offers[lab_testing_contestant("core/uring")].version,
                        "fake 1.0");
    assert_string_equal(problem_of("tokio/multi"), "not built");
    assert_string_equal(problem_of("limit/threads"), "not built");
}

static void without_io_uring_whoever_needs_it_is_left_out(void **state)
{
    (void)state;
    const char *why;
    lab_testing_script("echo", "echo 'listening on 127.0.0.1:1 (driver: epoll)'\n"
                               "exec sleep 1000\n");
    lab_ask(&lab);
    assert_true(offers("spawn", "steal/uring"));
    assert_true(offers("echo-64", "steal/uring"));
    assert_true(offers("echo-64", "steal/epoll"));
    snprintf(lab.no_uring, sizeof lab.no_uring, "it is refused");
    assert_false(lab_offers(&lab, lab_testing_row("spawn"),
                            lab_testing_contestant("steal/uring"), &why));
    assert_string_equal(why, "it is refused");
    assert_false(offers("echo-64", "steal/uring")); /* it would serve, on epoll */
    assert_true(offers("echo-64", "steal/epoll"));
    assert_true(lab_needs_uring(lab_testing_contestant("limit/uring")));
    assert_true(lab_needs_uring(lab_testing_contestant("glommio")));
    assert_false(lab_needs_uring(lab_testing_contestant("limit/pread")));
}

static void who_serves_on_another_driver_is_not_that_cell(void **state)
{
    (void)state;
    const struct lab_step step = { .row = lab_testing_row("echo-64"),
                                   .contestant = lab_testing_contestant("core/uring") };
    struct lab_run run = lab_run_blank(&step);
    lab_testing_script("echo", "echo 'listening on 127.0.0.1:1 (driver: epoll)'\n"
                               "exec sleep 1000\n");
    assert_false(lab_measure_server(&lab, &run));
    assert_non_null(strstr(lab.note, "it serves on another driver"));
    lab_testing_no_script("echo");
}

static void who_answers_badly_is_named_and_left_out(void **state)
{
    (void)state;
    lab_testing_script("peer_tokio", "echo one two three\n");
    lab_testing_script("peer_go", "exit 3\n");
    lab_testing_script("peer_smol", "echo multi spawn; kill -SEGV $$\n");
    lab_ask(&lab);
    assert_string_equal(problem_of("tokio/multi"), "--list: not as WORKLOADS.md says");
    assert_string_equal(problem_of("tokio/current"), problem_of("tokio/multi"));
    assert_string_equal(problem_of("go"), "--list: status 3");
    assert_string_equal(problem_of("smol/multi"), "--list: status -11");
    assert_false(offers("spawn", "smol/multi"));
    assert_true(offers("spawn", "steal/epoll"));
    lab_testing_no_script("peer_go");
    lab_testing_no_script("peer_smol");
}

static void who_never_answers_is_given_up(void **state)
{
    (void)state;
    lab.only = "spawn tokio/multi";
    lab.limit_ms = 100;
    lab_testing_script("peer_tokio", "exec sleep 1000\n");
    lab_ask(&lab);
    assert_non_null(strstr(problem_of("tokio/multi"), "no end of its answer"));
}

static struct lab_run run_of(const char *contestant)
{
    const struct lab_step step = { .row = lab_testing_row("spawn"),
                                   .contestant = lab_testing_contestant(contestant) };
    struct lab_run run = lab_run_blank(&step);
    if (!lab_measure_program(&lab, &run))
        snprintf(run.problem, sizeof run.problem, "failed: %.100s", lab.note);
    return run;
}

static void a_result_is_divided_by_the_operations(void **state)
{
    (void)state;
    struct lab_run run = run_of("steal/epoll");
    assert_string_equal(run.problem, "");
    assert_int_equal(run.n, 300000);
    assert_true(run.check == UINT64_C(44999850000));
    assert_true(run.cpu_us > 0.999 && run.cpu_us < 1.001);
    assert_true(run.user_us > 0.666 && run.user_us < 0.667);
    assert_true(run.sys_us > 0.333 && run.sys_us < 0.334);
    assert_true(run.wall_ns > 599e6 && run.per_second > 499e3);
    assert_true(run.bytes < 0 && run.p50_us < 0); /* it said nothing of them */
    assert_int_equal(run.extra_count, 1);
    assert_string_equal(run.extra[0].name, "stolen_count");
    assert_true(run.extra[0].value > 6.9 && run.extra[0].value < 7.1);
}

static void wrong_work_does_not_count(void **state)
{
    (void)state;
    assert_string_equal(run_of("core/epoll").problem,
                        "wrong check: 44999850001 instead of 44999850000");
    assert_string_equal(run_of("current/epoll").problem,
                        "wrong number of operations: 150000 instead of 300000");
    assert_string_equal(run_of("core/uring").problem,
                        "failed: its result is not as WORKLOADS.md says");
}

static void who_hangs_is_ended_at_the_limit(void **state)
{
    (void)state;
    lab.limit_ms = 100;
    assert_string_equal(run_of("steal/uring").problem,
                        "failed: not done after 0.1 s, ended");
}

static int count_runs(const char *contestant, const char *problem)
{
    int n = 0;
    for (int i = 0; i < lab.run_count; i++) {
        const struct lab_run *run = &lab.runs[i];
        n += run->contestant == lab_testing_contestant(contestant) &&
             strncmp(run->problem, problem, strlen(problem)) == 0;
    }
    return n;
}

/* A hang costs its limit once a row, whatever the number of rounds. */
static void who_failed_is_not_asked_again_and_the_others_go_on(void **state)
{
    (void)state;
    lab.only = "spawn steal/*";
    lab_ask(&lab);
    lab.limit_ms = 3000; /* for a shell on a loaded machine, and twice for the sleep */
    assert_int_equal(lab_plan(&lab), 0);
    assert_int_equal(lab.step_count, 6);
    assert_true(lab_run_all(&lab));
    assert_int_equal(count_runs("steal/epoll", ""), 3);
    assert_int_equal(count_runs("steal/uring", "failed: not done after"), 1);
    const char *table = lab_testing_said(lab_report);
    assert_non_null(strstr(table, "steal/uring   does not count: failed: not done"));
}

static void rounds_are_interleaved_and_counting_comes_after_them(void **state)
{
    (void)state;
    int first[3] = { -1, -1, -1 };
    bool counting = false;
    lab.only = "echo-64 raw-*";
    lab_testing_script("base_epoll", "");
    lab_testing_script("base_uring", "");
    assert_int_equal(lab_plan(&lab), 0);
    assert_int_equal(lab.step_count, 8);
    for (int i = 0; i < lab.step_count; i++) {
        const struct lab_step *step = &lab.steps[i];
        counting = counting || step->purpose == LAB_SYSCALLS;
        assert_int_equal(step->purpose == LAB_SYSCALLS, counting);
        if (!counting && first[step->round] < 0)
            first[step->round] = step->contestant;
    }
    assert_int_equal(first[0], 0);
    assert_int_equal(first[1], 1); /* another one begins */
    lab_testing_no_script("base_epoll");
    lab_testing_no_script("base_uring");
}

static void rows_on_which_no_verdict_hangs_have_fewer_rounds(void **state)
{
    (void)state;
    lab.rounds = 7;
    lab.few_rounds = 3;
    assert_int_equal(lab_rounds(&lab, lab_testing_row("spawn")), 7);  /* a verdict */
    assert_int_equal(lab_rounds(&lab, lab_testing_row("fib-2w")), 7); /* a claim */
    assert_int_equal(lab_rounds(&lab, lab_testing_row("direct-128")), 7);
    assert_int_equal(lab_rounds(&lab, lab_testing_row("tree")), 3);
    assert_int_equal(lab_rounds(&lab, lab_testing_row("weight")), 1);
    lab.only = "spawn steal/epoll,tree steal/epoll";
    lab_ask(&lab);
    snprintf(lab.offers[lab_testing_contestant("steal/epoll")].workloads, 1024,
             " spawn tree ");
    lab.full = true;
    assert_int_equal(lab_plan(&lab), 0);
    assert_int_equal(lab.step_count, 7 + 3);
    const char *table = lab_testing_said(lab_plan_print);
    assert_non_null(strstr(table, "\n  spawn                   7      7 "));
    assert_non_null(strstr(table, "\n  tree                    3      3 "));
    lab.rounds = 2; /* never more than the others */
    assert_int_equal(lab_rounds(&lab, lab_testing_row("tree")), 2);
    lab.rounds = 7;
    lab.few_rounds = 0;
    assert_int_equal(lab_rounds(&lab, lab_testing_row("tree")), 7);
}

/* A row without a guess would make the plan's first sentence a lie. */
static void every_step_is_expected_to_take_some_time(void **state)
{
    (void)state;
    for (int row = 0; row < lab_row_count; row++)
        for (int p = LAB_TIMED; p <= LAB_INSTRUCTIONS; p++) {
            struct lab_step step = { .row = row, .purpose = (enum lab_purpose)p };
            double seconds = lab_expected_seconds(&lab, &step);
            assert_true(seconds > 0 && seconds < 120);
        }
}

static void the_time_left_is_learned_from_runs(void **state)
{
    (void)state;
    struct progress progress;
    lab.only = "spawn steal/epoll";
    lab_ask(&lab);
    assert_int_equal(lab_plan(&lab), 0);
    assert_int_equal(lab.step_count, 3);
    assert_int_equal(progress_init(&progress, &lab), 0);
    progress_note(&progress, &lab.steps[0], 10);
    lab.steps[0].done = true;
    double left = progress_left(&progress, &lab);
    assert_true(left > 19.9 && left < 20.1);
    progress_finish(&progress);
}

/* ---- going on */

static void begin_again(const char *only)
{
    lab_testing_fresh();
    lab.only = only;
    lab_ask(&lab);
    assert_int_equal(lab_plan(&lab), 0);
}

static void a_lab_that_was_cut_off_goes_on_where_it_was(void **state)
{
    (void)state;
    static const char only[] = "spawn steal/epoll";
    char path[700], why[120];
    bool ended = true;
    begin_again(only);
    lab.step_count = 2; /* as if it had been killed after two */
    assert_int_equal(lab_plan(&lab), 0);
    assert_int_equal(runlog_create(&lab), 0);
    lab.step_count = 2;
    assert_true(lab_run_all(&lab));
    assert_true(write(lab.runlog, "{\"type\":\"run\",\"row", 18) == 18);
    runlog_close(&lab);
    lab_forget(&lab);

    begin_again(only);
    lab.folder[0] = '\0';
    assert_int_equal(runlog_resume(&lab, why), 2);
    assert_int_equal(runlog_reopen(&lab), 0);
    assert_true(lab_run_all(&lab));
    assert_int_equal(runlog_end(&lab), 0);
    runlog_close(&lab);
    snprintf(path, sizeof path, "%s/" RUNLOG_NAME, lab.folder);
    lab_forget(&lab);

    assert_int_equal(runlog_read(&lab, path, &ended), 0);
    assert_true(ended);
    assert_int_equal(lab.run_count, 3);
    for (int round = 0; round < 3; round++)
        assert_int_equal(lab.runs[round].round, round);
    lab_forget(&lab);
    begin_again(only);
    assert_int_equal(runlog_resume(&lab, why), 0); /* it is complete */
    assert_non_null(strstr(why, "none that was interrupted"));
    struct stat is;
    assert_int_equal(stat(path, &is), 0);
    assert_int_equal(truncate(path, is.st_size - 1), 0); /* its last line is torn */
    assert_int_equal(runlog_resume(&lab, why), 3);
    unlink(path);
}

static void another_plan_or_program_is_another_lab(void **state)
{
    (void)state;
    char why[120], path[700];
    begin_again("spawn steal/epoll");
    assert_int_equal(runlog_create(&lab), 0);
    lab.step_count = 1;
    assert_true(lab_run_all(&lab));
    runlog_close(&lab);
    lab_forget(&lab);
    begin_again("yield steal/epoll");
    assert_int_equal(runlog_resume(&lab, why), 0);
    assert_non_null(strstr(why, "another plan"));
    lab_forget(&lab);
    lab_testing_script("work", fake);
    lab_testing_script("load", "exit 1\n"); /* is part of every server row */
    begin_again("spawn steal/epoll");
    assert_int_equal(runlog_resume(&lab, why), 0);
    assert_non_null(strstr(why, "built anew"));
    snprintf(path, sizeof path, "%s/" RUNLOG_NAME, lab.folder);
    unlink(path);
    lab_testing_no_script("load");
}

static void a_full_disk_ends_the_lab_and_keeps_what_was_measured(void **state)
{
    (void)state;
    lab.only = "spawn steal/epoll";
    lab_ask(&lab);
    assert_int_equal(lab_plan(&lab), 0);
    lab.runlog = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(lab.runlog >= 0);
    assert_false(lab_run_all(&lab));
    assert_int_equal(lab.run_count, 1);
    assert_int_equal(count_runs("steal/epoll", ""), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_says_who_takes_part_in_what),
        cmocka_unit_test(without_io_uring_whoever_needs_it_is_left_out),
        cmocka_unit_test(who_serves_on_another_driver_is_not_that_cell),
        cmocka_unit_test(who_answers_badly_is_named_and_left_out),
        cmocka_unit_test(who_never_answers_is_given_up),
        cmocka_unit_test(a_result_is_divided_by_the_operations),
        cmocka_unit_test(wrong_work_does_not_count),
        cmocka_unit_test(who_hangs_is_ended_at_the_limit),
        cmocka_unit_test(who_failed_is_not_asked_again_and_the_others_go_on),
        cmocka_unit_test(rounds_are_interleaved_and_counting_comes_after_them),
        cmocka_unit_test(rows_on_which_no_verdict_hangs_have_fewer_rounds),
        cmocka_unit_test(every_step_is_expected_to_take_some_time),
        cmocka_unit_test(the_time_left_is_learned_from_runs),
        cmocka_unit_test(a_lab_that_was_cut_off_goes_on_where_it_was),
        cmocka_unit_test(another_plan_or_program_is_another_lab),
        cmocka_unit_test(a_full_disk_ends_the_lab_and_keeps_what_was_measured),
    };
    return lab_testing_main("lab programs", tests, ARRAY_SIZE(tests), fresh, forgotten);
}
