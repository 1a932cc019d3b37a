/* A recorded lab: read again, its tables printed, its files written. */
#include "lesson08_compare/lab_testing.h"

#include "lesson08_compare/json.h"
#include "lesson08_compare/runlog.h"

static const char head[] =
    "{\"type\":\"lab\",\"format\":1,\"kernel\":\"Linux 1\",\"cpu\":\"a \\\"fast\\\" "
    "one\","
    "\"cpus\":2,\"server_cpu\":0,\"load_cpu\":1,\"form\":\"full\",\"rounds\":3,"
    "\"warmup_ms\":500,\"measure_ms\":2000,\"date\":\"2026-01-31T12:00:00Z\"}\n"
    "{\"type\":\"contestant\",\"name\":\"tokio/multi\",\"version\":\"tokio 1.2\"}\n"
    "{\"type\":\"contestant\",\"name\":\"go\",\"problem\":\"not built\"}\n";

static FILE *fixture;

static int fresh(void **state)
{
    (void)state;
    lab_testing_fresh();
    fixture = fopen(testing_path("fixture.jsonl"), "we");
    assert_non_null(fixture);
    fputs(head, fixture);
    return 0;
}

static int forgotten(void **state)
{
    (void)state;
    lab_forget(&lab);
    return 0;
}

static void run(const char *row, const char *contestant, int round, const char *rest)
{
    fprintf(fixture,
            "{\"type\":\"run\",\"row\":\"%s\",\"contestant\":\"%s\",\"round\":%d,%s}\n",
            row, contestant, round, rest);
}

static void cpu_run(const char *row, const char *contestant, int round, double ns)
{
    char rest[200];
    snprintf(rest, sizeof rest,
             "\"purpose\":\"timed\",\"tool\":\"program\",\"n\":1000000,\"ops\":1000000,"
             "\"cpu_us\":%g,\"user_us\":%g,\"wall_ns\":%g",
             ns / 1000, ns / 1000, ns * 1e6);
    run(row, contestant, round, rest);
}

static const char *tables(int unknown)
{
    fclose(fixture);
    assert_int_equal(runlog_read(&lab, testing_path("fixture.jsonl"), NULL), unknown);
    return lab_testing_said(lab_report);
}

static void assert_in_order(const char *text, const char *const *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *at = strstr(text, parts[i]);
        if (!at)
            fail_msg("not there, or not in this order: %s\nin:\n%s", parts[i], said);
        text = at + 1;
    }
}

static void assert_at_most_100_columns(const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (length > 100)
            fail_msg("%zu columns: %.*s", length, (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static void a_program_table_has_the_best_first_and_divides_by_the_best_peer(
    void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        cpu_run("spawn", "tokio/multi", round, 200 + round);
        cpu_run("spawn", "go", round, 300 + round);
        cpu_run("spawn", "steal/epoll", round, 100 + round);
        cpu_run("spawn", "core/epoll", round, 199.5 + round);
    }
    run("spawn", "limit/threads", 0,
        "\"purpose\":\"timed\",\"n\":10000,\"ops\":10000,\"cpu_us\":9");
    run("spawn", "smol/multi", 0,
        "\"purpose\":\"timed\",\"problem\":\"wrong check: 1 instead of 2\"");
    run("spawn", "steal/epoll", 0, "\"purpose\":\"instructions\",\"instructions\":432");
    static const char *const expected[] = {
        "spawn: a root spawns n tasks and joins them; n = 1000000, a task\n",
        "instr  to the best peer\n",
        ("  steal/epoll         101 [100..102]               101      101      432  "
         "0.50 "
         "[0.50..0.50]\n"),
        "  core/epoll          200 [200..202]",
        "1.00 [1.00..1.00] ~\n",
        "  tokio/multi         201 [200..202]",
        "the best peer\n",
        "  go                  301 [300..302]",
        "1.50 [1.50..1.50]\n",
        "  limit/threads      9000 [9000..9000]",
        "n=10000\n",
        "  smol/multi    does not count: wrong check: 1 instead of 2\n",
    };
    const char *text = tables(0);
    assert_in_order(text, expected, ARRAY_SIZE(expected));
    assert_at_most_100_columns(text);
}

static void a_row_with_other_rounds_says_so(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++)
        cpu_run("spawn", "go", round, 200);
    cpu_run("tree", "go", 0, 200);
    cpu_run("tree", "go", 1, 200);
    run("open-50", "raw-epoll", 0, "\"purpose\":\"timed\",\"cpu_us\":4");
    const char *text = tables(0);
    assert_non_null(strstr(text, "n = 1000000, a task\n"));
    assert_non_null(
        strstr(text, "an unbalanced tree; n = 1000000, a task; 2 rounds\n"));
    assert_non_null(strstr(text, "50 % of the peak (load); 1 round\n"));
}

static void scheduler_and_driver_are_taken_apart(void **state)
{
    (void)state;
    static const char *const schedulers[] = { "current", "steal", "core" };
    for (int s = 0; s < 3; s++) {
        char name[32];
        snprintf(name, sizeof name, "%s/epoll", schedulers[s]);
        cpu_run("yield", name, 0, 10 * (s + 1)); /* twice, three times */
        snprintf(name, sizeof name, "%s/uring", schedulers[s]);
        cpu_run("yield", name, 0, 5 * (s + 1)); /* half as much */
    }
    static const char *const expected[] = {
        "scheduler x driver",
        ("yield                10.0    20.0    30.0    5.00    10.0    15.0      2.00  "
         " "
         "  3.00      0.50\n"),
    };
    const char *text = tables(0);
    assert_in_order(text, expected, ARRAY_SIZE(expected));
    assert_at_most_100_columns(text);
}

static void server_run(const char *contestant, const char *purpose, double syscalls,
                       const char *counted_by)
{
    char rest[300];
    snprintf(rest, sizeof rest,
             "\"purpose\":\"%s\",\"tool\":\"load\",\"ops\":1000,\"per_second\":109620,"
             "\"cpu_us\":23.93,\"user_us\":1.5,\"p50_us\":209715,\"p99_us\":304087,"
             "\"p999_us\":308281,\"fair_min\":97,\"fair_max\":100,\"load_busy\":0.22,"
             "\"syscalls\":%g,\"counted_by\":\"%s\"",
             purpose, syscalls, counted_by);
    run("echo-64", contestant, 0, rest);
}

static void one_way_of_counting_syscalls_holds_for_the_whole_row(void **state)
{
    (void)state;
    server_run("raw-epoll", "timed", 2.5, "itself");
    server_run("raw-epoll", "syscalls", 2.25, "kernel");
    server_run("threads", "timed", 7.5, "itself"); /* the kernel did not count it */
    server_run("tokio/multi", "timed", 0, "");
    server_run("tokio/multi", "syscalls", 3.25, "kernel");
    static const char *const expected[] = {
        ("  raw-epoll       109620  23.93  1.50    2.25  209715  304087  308281 0.97 "
         "0.22\n"),
        "  threads         109620  23.93  1.50       -",
        "  tokio/multi     109620  23.93  1.50    3.25",
        "1.00 [1.00..1.00] ~\n",
    };
    const char *text = tables(0);
    assert_in_order(text, expected, ARRAY_SIZE(expected));
    assert_at_most_100_columns(text);
}

static void counted_instructions_of_servers_have_a_column(void **state)
{
    (void)state;
    server_run("raw-epoll", "timed", 2, "itself");
    server_run("go", "timed", -1, "");
    run("echo-64", "raw-epoll", 0,
        "\"purpose\":\"instructions\",\"instructions\":131.04");
    run("echo-64", "go", 0,
        "\"purpose\":\"instructions\",\"problem\":\"failed: status 1\"");
    static const char *const expected[] = {
        "syscall user ins p50 us  p99 us fair load",
        ("  raw-epoll       109620  23.93  1.50    2.00      131 209715  304087 0.97 "
         "0.22\n"),
        "  go              109620  23.93  1.50       -        - 209715",
        "  go            no instructions: failed: status 1\n",
    };
    const char *text = tables(0);
    assert_in_order(text, expected, ARRAY_SIZE(expected));
    assert_at_most_100_columns(text);
}

/* Two runs in three saw no tick on the user's side; the third saw some. */
static void the_user_part_is_a_mean_over_all_runs(void **state)
{
    (void)state;
    static const char *const user[] = { "0", "0", "0.09" };
    for (int round = 0; round < 3; round++) {
        char rest[200];
        snprintf(rest, sizeof rest,
                 "\"purpose\":\"timed\",\"n\":1000,\"ops\":1000,\"cpu_us\":0.2,"
                 "\"user_us\":%s,\"wall_ns\":300000",
                 user[round]);
        run("spawn", "go", round, rest);
    }
    assert_non_null(strstr(tables(0), "  go                  200 [200..200]"
                                      "              30.0      300  the best peer"));
}

static void what_nobody_knows_is_counted_and_the_rest_read(void **state)
{
    (void)state;
    cpu_run("spawn", "a peer of next year", 0, 1);
    cpu_run("a row of next year", "go", 0, 1);
    cpu_run("spawn", "go", 0, 100);
    fputs("not even json\n\n{\"type\":\"run\",\"row\":\"spawn", fixture);
    const char *text = tables(2);
    assert_int_equal(lab.run_count, 1);
    assert_non_null(strstr(text, "\n1 runs;"));
    assert_string_equal(lab.machine.cpu, "a \"fast\" one");
    assert_string_equal(lab.offers[lab_testing_contestant("tokio/multi")].version,
                        "tokio 1.2");
}

static void read_file(const char *name, char *text, size_t size)
{
    char path[700];
    snprintf(path, sizeof path, "%s/%s", lab.folder, name);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    fclose(file);
    unlink(path);
}

static void record(const struct lab *recorded)
{
    assert_int_equal(lab_record(recorded), 0);
}

static void both_files_hold_every_run_and_nothing_that_is_not_known(void **state)
{
    (void)state;
    static char text[65536];
    double value;
    run("jitter", "go", 2,
        "\"purpose\":\"timed\",\"n\":5,\"check\":18446744073709551615,\"p50_us\":1.5,"
        "\"problem\":\"a, \\\"b\\\"\",\"x_moved_count\":3");
    tables(0);
    lab_testing_said(record);
    read_file("runs.csv", text, sizeof text);
    assert_non_null(strstr(text, "row,contestant,round,purpose,tool,ops,"));
    assert_non_null(strstr(text, "\njitter,go,2,timed,,0,,,"));
    assert_non_null(
        strstr(text, "5,18446744073709551615,\"\",\"a, \"\"b\"\"\",moved_count=3\n"));
    read_file("runs.json", text, sizeof text);
    const char *runs = strstr(text, "\"runs\":[");
    assert_non_null(runs);
    assert_true(json_get(runs, "p50_us", &value) && value > 1.4 && value < 1.6);
    assert_true(json_get(runs, "x_moved_count", &value) && value > 2.9);
    assert_false(json_get(runs, "cpu_us", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_program_table_has_the_best_first_and_divides_by_the_best_peer),
        cmocka_unit_test(a_row_with_other_rounds_says_so),
        cmocka_unit_test(scheduler_and_driver_are_taken_apart),
        cmocka_unit_test(one_way_of_counting_syscalls_holds_for_the_whole_row),
        cmocka_unit_test(counted_instructions_of_servers_have_a_column),
        cmocka_unit_test(the_user_part_is_a_mean_over_all_runs),
        cmocka_unit_test(what_nobody_knows_is_counted_and_the_rest_read),
        cmocka_unit_test(both_files_hold_every_run_and_nothing_that_is_not_known),
    };
    return lab_testing_main("lab tables", tests, ARRAY_SIZE(tests), fresh, forgotten);
}
