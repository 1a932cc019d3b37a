/* The lab: who runs in which row, what the table may say, and one whole run of it. */
#include "lesson08_compare/lab_testing.h"

#include <errno.h>
#include <sys/wait.h>

#include "common/testing/forbid.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/tools_there.h"

static void whoever_is_wanted_brings_the_raw_loop_to_compare_with(void **state)
{
    (void)state;
    int echo64 = lab_testing_row("echo-64"), paced = lab_testing_row("echo-64-paced");
    int cell = lab_testing_contestant("steal/uring");
    int raw_epoll = lab_testing_contestant("raw-epoll");
    int raw_uring = lab_testing_contestant("raw-uring");
    assert_true(lab_wanted(&lab, echo64, cell));
    assert_false(
        lab_wanted(&lab, lab_testing_row("http-1024"), cell)); /* --full only */
    lab.only = "64-paced steal/uring";
    assert_true(lab_wanted(&lab, paced, cell));
    assert_true(lab_wanted(&lab, paced, raw_uring));
    assert_false(lab_wanted(&lab, paced, raw_epoll));
    assert_true(lab_wanted(&lab, echo64, raw_epoll)); /* for the rate */
    assert_false(lab_wanted(&lab, echo64, cell));
    lab.only = "no such";
    for (int row = 0; row < lab_row_count; row++)
        for (int c = 0; c < lab_contestant_count; c++)
            assert_false(lab_wanted(&lab, row, c));
}

static void add_run(const char *row, const char *contestant, int round, double cpu_us,
                    double syscalls)
{
    const struct lab_step step = { .row = lab_testing_row(row),
                                   .contestant = lab_testing_contestant(contestant),
                                   .round = round };
    struct lab_run run = lab_run_blank(&step);
    run.per_second = 1000;
    run.cpu_us = cpu_us;
    run.syscalls = syscalls;
    assert_int_equal(lab_add_run(&lab, &run), 0);
}

static const char *report(void)
{
    return lab_testing_said(lab_report);
}

static void overlapping_spreads_are_no_difference(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        add_run("echo-64-paced", "raw-epoll", round, 4.0 + 0.1 * round, 2.0);
        add_run("echo-64-paced", "steal/epoll", round, 4.05 + 0.1 * round, 2.0);
        add_run("echo-64-paced", "core/epoll", round, 6.0 + 0.1 * round, 2.5);
    }
    const char *table = report();
    const char *steal = strstr(table, "  steal/epoll"),
               *core = strstr(table, "  core/ep");
    assert_non_null(steal);
    assert_non_null(core);
    assert_non_null(strstr(steal, "1.01 [1.01..1.01] ~\n"));
    assert_non_null(strstr(core, "1.49 [1.48..1.50]\n"));
    assert_non_null(strstr(table, "steal/epoll   syscalls 2.00 against 2.00: kept; "
                                  "CPU 1.01 x: kept\n"));
    assert_non_null(strstr(table, "core/epoll    syscalls 2.50 against 2.00: MISSED; "
                                  "CPU 1.49 x: MISSED\n"));
}

static void a_ratio_pairs_the_runs_of_one_round(void **state)
{
    (void)state;
    /* A machine that gets three times slower: each pair still says 1.10. */
    for (int round = 0; round < 3; round++) {
        add_run("echo-64-paced", "raw-uring", round, 4.0 * (round + 1), 0.1);
        add_run("echo-64-paced", "core/uring", round, 4.4 * (round + 1), 0.1);
    }
    assert_non_null(strstr(report(), "1.10 [1.10..1.10]"));
}

static void runs_that_do_not_count_leave_nothing_to_judge(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        add_run("http-64-paced", "raw-uring", round, 4, 0.1);
        add_run("http-64-paced", "core/uring", round, 4, 0.1);
        snprintf(lab.runs[lab.run_count - 1].problem, sizeof lab.runs[0].problem,
                 "load generator over 90 %% busy");
    }
    const char *table = report();
    assert_non_null(strstr(table, "does not count: load generator over 90 % busy"));
    assert_non_null(strstr(table, "not judged: no pair of runs that count"));
    assert_non_null(strstr(table, "3 do not count"));
}

/* ---- the program */

static bool start_lab(struct process *process, const char *only, const char *measure)
{
    char path[600], a[] = "--only", b[64], c[] = "--rounds=1", d[] = "--measure", e[16];
    char *argv[] = { path, a, b, c, d, e, NULL };
    const char *bin = getenv("COURSE_BIN");
    if (!bin)
        return false;
    snprintf(path, sizeof path, "%s/lab", bin);
    snprintf(b, sizeof b, "%s", only);
    snprintf(e, sizeof e, "%s", measure);
    return access(path, X_OK) == 0 &&
           process_start(process, argv, PROCESS_ANY_CPU, -1) == 0;
}

/* The folder of one lab, below build/lab/. */
static void remove_folder_of(char *file)
{
    static const char *const files[] = { "runs.csv",    "runs.json",  "runs.jsonl",
                                         "servers.log", "report.lua", "pipeline.lua",
                                         "report.html" };
    char path[700];
    *strrchr(file, '/') = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        snprintf(path, sizeof path, "%s/%s", file, files[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(file), 0);
}

static void the_program_measures_and_leaves_its_runs_on_disk(void **state)
{
    (void)state;
    struct process process;
    static char text[65536];
    char line[1024], path[600] = "";
    bool table = false;
    double value = 0;
    if (!start_lab(&process, "echo-64 raw-epoll", "50"))
        skip_because("COURSE_BIN names no folder with a lab in it (make test sets it)");
    while (process_read_line(&process, line, sizeof line, testing_deadline()) == 0) {
        table = table || strncmp(line, "  raw-epoll ", 12) == 0;
        sscanf(line, "every run: %599[^\n]", path); /* the JSON is the last */
    }
    assert_int_equal(process_stop(&process, 0, testing_deadline()).status, 0);
    assert_true(table);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t n = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[n] = '\0';
    char *runs = strstr(text, "\"runs\":[");
    assert_non_null(runs);
    /* In 50 ms of a loaded machine one run may have answered nothing; not all of them. */
    for (char *run = runs; run && value <= 0; run = strchr(run + 1, '{'))
        json_get(run, "per_second", &value);
    assert_true(value > 0);
    assert_true(json_get(runs, "x_idle_bytes", &value)); /* what it occupied */
    assert_true(value > 0);
    remove_folder_of(path);
}

/* A server under valgrind, asked and ended twice, is a number in the table. */
/* valgrind 3.19 gives up on the debug information that clang writes. */
static bool valgrind_runs_ours(const char *bin)
{
    char path[600], valgrind[] = "valgrind", quiet[] = "-q", tool[] = "--tool=none",
                    help[] = "--help";
    char *argv[] = { valgrind, quiet, tool, path, help, NULL };
    struct process process;
    snprintf(path, sizeof path, "%s/base_epoll", bin ? bin : "");
    return process_start(&process, argv, PROCESS_ANY_CPU, -1) == 0 &&
           process_stop(&process, 0, testing_deadline()).status == 0;
}

static void instructions_of_a_server_are_counted(void **state)
{
    (void)state;
    char path[600], a[] = "--only", b[] = "echo-64 raw-*", c[] = "--rounds=1",
                    d[] = "--measure=20", e[] = "--instructions", line[1024];
    char *argv[] = { path, a, b, c, d, e, NULL }, json[600] = "";
    struct process process;
    static char text[65536];
    double count = 0;
    const char *bin = getenv("COURSE_BIN");
    snprintf(path, sizeof path, "%s/lab", bin ? bin : "");
    if (access(path, X_OK) < 0)
        skip_because("COURSE_BIN names no folder with a lab in it (make test sets it)");
    if (testing_instrumented() || !program_in_path("valgrind") ||
        !valgrind_runs_ours(bin))
        skip_because("valgrind is not here, or cannot run what is built like this");
    assert_int_equal(process_start(&process, argv, PROCESS_ANY_CPU, -1), 0);
    while (process_read_line(&process, line, sizeof line, testing_deadline()) == 0)
        sscanf(line, "every run: %599[^\n]", json); /* the JSON is the last */
    assert_int_equal(process_stop(&process, 0, testing_deadline()).status, 0);
    FILE *file = fopen(json, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    const char *counted = strstr(text, "\"purpose\":\"instructions\"");
    assert_non_null(counted);
    assert_true(json_get(counted, "instructions", &count));
    assert_true(count > 50 && count < 1000); /* optimised: 130 */
    remove_folder_of(json);
}

/* No io_uring, no peers, no wrk, no valgrind: a table all the same, and what is missing. */
static void a_poor_machine_gets_its_table_and_is_told_what_it_lacks(void **state)
{
    (void)state;
    static const char *const missing[] = {
        "io_uring is refused",       "wrk is not installed",
        "valgrind is not installed", "gcc -, clang -, rustc -, wrk -, valgrind -",
        "\n  core/epoll ",           "not judged, one side has no number",
        "not in this lab: spawn"
    };
    static char text[65536];
    char path[600], json[600] = "", out[700];
    int status = 0;
    const char *bin = getenv("COURSE_BIN");
    snprintf(path, sizeof path, "%s/lab", bin ? bin : "");
    if (access(path, X_OK) < 0)
        skip_because("COURSE_BIN names no folder with a lab in it (make test sets it)");
    snprintf(out, sizeof out, "%s", testing_path("said"));
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        bool ready = freopen(out, "w", stdout) && setenv("PATH", "/nowhere", 1) == 0 &&
                     forbid_io_uring(EPERM) == 0;
        if (ready)
            execl(path, path, "--only", "echo-64 core/*", "--rounds=1", "--measure=50",
                  "--instructions", (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    FILE *file = fopen(out, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    unlink(out);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(missing); i++)
        if (!strstr(text, missing[i]))
            fail_msg("it does not say: %s\nbut:\n%s", missing[i], text);
    assert_null(strstr(text, "\n  core/uring"));
    const char *at = strstr(text, "every run: ");
    for (; at; at = strstr(at + 1, "every run: "))
        sscanf(at, "every run: %599[^\n]", json);
    remove_folder_of(json);
}

static void a_version_is_found_in_what_a_tool_says(void **state)
{
    (void)state;
    static const char *const said_and_meant[][2] = {
        { "gcc (Debian 12.2.0-14) 12.2.0", "12.2.0" },
        { "wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012", "4.1.0" },
        { "valgrind-3.19.0", "3.19.0" },
        { "rustc 1.95.0 (59807616e 2026-04-14)", "1.95.0" },
        { "no number", "" },
        { "", "" },
    };
    char version[32];
    for (size_t i = 0; i < ARRAY_SIZE(said_and_meant); i++) {
        tools_version_in(said_and_meant[i][0], version, sizeof version);
        assert_string_equal(version, said_and_meant[i][1]);
    }
    tools_version_in("1.2.3", version, 3); /* cut, not overrun */
    assert_string_equal(version, "1.");
}

static void an_interrupted_lab_ends_by_itself_with_status_1(void **state)
{
    (void)state;
    struct process process;
    char line[1024];
    if (!start_lab(&process, "echo-64 raw-epoll", "3600000"))
        skip_because("COURSE_BIN names no folder with a lab in it (make test sets it)");
    while (process_read_line(&process, line, sizeof line, testing_deadline()) == 0 &&
           !strstr(line, "this takes about"))
        ;
    assert_int_equal(process_stop(&process, SIGINT, testing_deadline()).status, 1);
}

static int status_of(const char *option, const char *value)
{
    struct process process;
    char path[600], a[32], b[64];
    char *argv[] = { path, a, b, NULL };
    snprintf(path, sizeof path, "%s/lab", getenv("COURSE_BIN"));
    snprintf(a, sizeof a, "%s", option);
    snprintf(b, sizeof b, "%s", value);
    assert_int_equal(process_start(&process, argv, PROCESS_ANY_CPU, -1), 0);
    return process_stop(&process, 0, testing_deadline()).status;
}

static void wrong_options_and_files_are_a_sentence_and_a_status(void **state)
{
    (void)state;
    if (!getenv("COURSE_BIN"))
        skip_because("COURSE_BIN names no folder with a lab in it (make test sets it)");
    assert_int_equal(status_of("--rounds", "0"), 2);
    assert_int_equal(status_of("--no-such", ""), 2);
    assert_int_equal(status_of("--report", "/nowhere/at/all"), 1);
    assert_int_equal(status_of("--report", "/dev/null"), 1);
    assert_int_equal(status_of("--only", "no such row"), 1);
    assert_int_equal(status_of("--list", "more"), 2); /* an argument too many */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_is_wanted_brings_the_raw_loop_to_compare_with),
        cmocka_unit_test(overlapping_spreads_are_no_difference),
        cmocka_unit_test(a_ratio_pairs_the_runs_of_one_round),
        cmocka_unit_test(runs_that_do_not_count_leave_nothing_to_judge),
        cmocka_unit_test(the_program_measures_and_leaves_its_runs_on_disk),
        cmocka_unit_test(instructions_of_a_server_are_counted),
        cmocka_unit_test(a_poor_machine_gets_its_table_and_is_told_what_it_lacks),
        cmocka_unit_test(a_version_is_found_in_what_a_tool_says),
        cmocka_unit_test(an_interrupted_lab_ends_by_itself_with_status_1),
        cmocka_unit_test(wrong_options_and_files_are_a_sentence_and_a_status),
    };
    return lab_testing_main("lab", tests, ARRAY_SIZE(tests), lab_testing_begin,
                            lab_testing_end);
}
