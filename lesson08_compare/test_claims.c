/* Verdicts on the article's claims: from runs that are written down here. */
#include "lesson08_compare/lab_testing.h"

#include "lesson08_compare/claims.h"
#include "lesson08_compare/report.h"

static int fresh(void **state)
{
    (void)state;
    lab_testing_fresh();
    return 0;
}

static int forgotten(void **state)
{
    (void)state;
    lab_forget(&lab);
    return 0;
}

static struct lab_run *run(const char *row, const char *who, int round)
{
    struct lab_step step = { .row = lab_testing_row(row),
                             .contestant = lab_testing_contestant(who),
                             .round = round,
                             .purpose = LAB_TIMED };
    struct lab_run blank = lab_run_blank(&step);
    assert_int_equal(lab_add_run(&lab, &blank), 0);
    return &lab.runs[lab.run_count - 1];
}

static void cpu(const char *row, const char *who, int round, double us)
{
    run(row, who, round)->cpu_us = us;
}

static void extra(const char *row, const char *who, const char *name, double value)
{
    struct lab_run *its = run(row, who, 0);
    snprintf(its->extra[0].name, sizeof its->extra[0].name, "%s", name);
    its->extra[0].value = value;
    its->extra_count = 1;
}

static struct claim_result result;

static enum claim_verdict judged(const struct claim *claim)
{
    claim_judge(&lab, claim, &result);
    return result.verdict;
}

static const struct claim twenty_percent = {
    .id = "x",
    .test = claim_ratio,
    .rows = "echo-64 http-256",
    .who = "glommio",
    .than = "tokio/multi",
    .value = &claim_cpu,
    .high = 1 / 1.2,
};

static void three(const char *row, double who, double step)
{
    for (int round = 0; round < 3; round++) {
        cpu(row, "tokio/multi", round, 10);
        cpu(row, "glommio", round, who + step * round);
    }
}

static void a_spread_within_the_bounds_confirms(void **state)
{
    (void)state;
    three("echo-64", 7, 0.5);
    assert_int_equal(judged(&twenty_percent), CLAIM_CONFIRMED);
    assert_string_equal(result.why, "echo-64 0.75 [0.70..0.80]");
}

static void a_spread_outside_the_bounds_refutes(void **state)
{
    (void)state;
    three("http-256", 9, 0.5);
    assert_int_equal(judged(&twenty_percent), CLAIM_REFUTED);
    assert_string_equal(result.why, "http-256 0.95 [0.90..1.00]");
}

static void a_spread_across_a_bound_resolves_nothing(void **state)
{
    (void)state;
    three("echo-64", 8, 0.5);
    assert_int_equal(judged(&twenty_percent), CLAIM_OPEN);
    assert_non_null(
        strstr(result.why, "0.85 [0.80..0.90]: the spread crosses the bound"));
}

/* Round by round a tenth less, but the rounds differ more than that. */
static void two_that_overlap_do_not_differ(void **state)
{
    (void)state;
    struct claim less = twenty_percent;
    less.high = 1;
    for (int round = 0; round < 3; round++) {
        cpu("echo-64", "tokio/multi", round, 10 + round);
        cpu("echo-64", "glommio", round, 9 + 0.9 * round);
    }
    assert_int_equal(judged(&less), CLAIM_OPEN);
    assert_non_null(
        strstr(result.why, "0.90 [0.90..0.90]: the spreads of the two overlap"));
    less.low = 0.8;
    less.high = 1.1; /* that they are much the same is not refuted by it */
    assert_int_equal(judged(&less), CLAIM_CONFIRMED);
}

static void rows_that_contradict_each_other_resolve_nothing(void **state)
{
    (void)state;
    three("echo-64", 7, 0.1);
    three("http-256", 9, 0.1);
    assert_int_equal(judged(&twenty_percent), CLAIM_OPEN);
    assert_non_null(strstr(result.why, "the rows contradict each other"));
}

static void a_row_that_cannot_tell_leaves_it_to_the_others(void **state)
{
    (void)state;
    three("echo-64", 7, 0.1);
    three("http-256", 8, 0.5);
    assert_int_equal(judged(&twenty_percent), CLAIM_CONFIRMED);
}

static void without_rows_it_says_which(void **state)
{
    (void)state;
    cpu("echo-64", "glommio", 0, 7); /* and nobody to compare it with */
    assert_int_equal(judged(&twenty_percent), CLAIM_OPEN);
    assert_string_equal(result.why, "no runs that count: glommio in echo-64 http-256");
}

static void two_rounds_are_too_few(void **state)
{
    (void)state;
    for (int round = 0; round < 2; round++) {
        cpu("echo-64", "tokio/multi", round, 10);
        cpu("echo-64", "glommio", round, 5);
    }
    assert_int_equal(judged(&twenty_percent), CLAIM_OPEN);
    assert_non_null(strstr(result.why, "too few rounds: 2"));
}

static void runs_that_do_not_count_do_not_judge(void **state)
{
    (void)state;
    three("echo-64", 7, 0);
    for (int i = 0; i < lab.run_count; i++)
        snprintf(lab.runs[i].problem, sizeof lab.runs[i].problem, "wrong check");
    assert_int_equal(judged(&twenty_percent), CLAIM_OPEN);
}

static const struct claim lowest = {
    .test = claim_lowest,
    .rows = "parked",
    .who = "tokio/multi",
    .than = "tokio/multi smol/multi glommio",
    .value = &claim_bytes,
};

static void parked(const char *who, double bytes, double step)
{
    for (int round = 0; round < 3; round++)
        run("parked", who, round)->bytes = bytes + step * round;
}

static void the_lowest_has_to_beat_everybody(void **state)
{
    (void)state;
    parked("tokio/multi", 100, 1);
    assert_int_equal(judged(&lowest), CLAIM_OPEN); /* alone */
    parked("smol/multi", 200, 1);
    assert_int_equal(judged(&lowest), CLAIM_CONFIRMED);
    parked("glommio", 50, 1);
    assert_int_equal(judged(&lowest), CLAIM_REFUTED);
    assert_string_equal(result.why,
                        "parked, B: tokio/multi 101, smol/multi 201, glommio 51.0");
}

static void the_lowest_with_an_overlap_is_not_resolved(void **state)
{
    (void)state;
    parked("tokio/multi", 100, 5);
    parked("smol/multi", 108, 5);
    assert_int_equal(judged(&lowest), CLAIM_OPEN);
    assert_non_null(strstr(result.why, "spreads overlap"));
}

static void the_highest_is_the_other_end(void **state)
{
    (void)state;
    struct claim highest = lowest;
    highest.test = claim_highest;
    parked("tokio/multi", 100, 1);
    parked("smol/multi", 50, 1);
    assert_int_equal(judged(&highest), CLAIM_CONFIRMED);
}

static void what_is_weighed_once_counts(void **state)
{
    (void)state;
    static const struct claim between = {
        .test = claim_between,
        .rows = "weight",
        .who = "glommio",
        .than = "smol/multi tokio/multi",
        .value = &claim_build,
    };
    extra("weight", "smol/multi", "build_cpu_s", 10);
    extra("weight", "tokio/multi", "build_cpu_s", 30);
    assert_int_equal(judged(&between), CLAIM_OPEN);
    extra("weight", "glommio", "build_cpu_s", 20);
    assert_int_equal(judged(&between), CLAIM_CONFIRMED);
    lab.runs[lab.run_count - 1].extra[0].value = 40;
    assert_int_equal(judged(&between), CLAIM_REFUTED);
    lab.runs[lab.run_count - 1].extra[0].value = 28; /* once: right within 10 percent */
    assert_int_equal(judged(&between), CLAIM_OPEN);
    assert_non_null(strstr(result.why, "spreads overlap"));
}

static void a_contestant_can_be_compared_with_itself_in_another_row(void **state)
{
    (void)state;
    static const struct claim across = {
        .test = claim_across,
        .rows = "fib-2w fib",
        .who = "tokio/multi",
        .value = &claim_wall,
        .high = 0.75,
    };
    for (int round = 0; round < 3; round++) {
        struct lab_run *two = run("fib-2w", "tokio/multi", round);
        two->ops = 1;
        two->wall_ns = 6000;
    }
    assert_int_equal(judged(&across), CLAIM_OPEN);
    for (int round = 0; round < 3; round++) {
        struct lab_run *one = run("fib", "tokio/multi", round);
        one->ops = 1;
        one->wall_ns = 10000;
    }
    assert_int_equal(judged(&across), CLAIM_CONFIRMED);
}

static void a_demo_is_watched(void **state)
{
    (void)state;
    static const struct claim demo = {
        .test = claim_demo,
        .who = "tokio/multi",
        .file = "panic",
        .text = "is_panic() is true",
    };
    lab_testing_no_script("peer_tokio");
    assert_int_equal(judged(&demo), CLAIM_OPEN);
    assert_non_null(strstr(result.why, "not checked here"));
    lab_testing_script("peer_tokio", "echo \"$*\"; echo 'so: is_panic() is true'");
    assert_int_equal(judged(&demo), CLAIM_CONFIRMED);
    assert_string_equal(result.why, "it printed: so: is_panic() is true");
    lab_testing_script("peer_tokio", "echo \"$*\"");
    assert_int_equal(judged(&demo), CLAIM_REFUTED);
    assert_non_null(strstr(result.why, "--mode multi --demo panic"));
    lab_testing_script("peer_tokio", "exit 3");
    assert_int_equal(judged(&demo), CLAIM_OPEN);
}

static void source(const char *crate, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/registry/src/index/%s/src", testing_path("cargo"),
             crate);
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    mkdir(path, 0777);
    strcat(path, "/lib.rs");
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_source_is_searched_in_the_version_that_was_measured(void **state)
{
    (void)state;
    static const struct claim has = {
        .test = claim_source, .crate = "tokio", .file = "src", .text = "stealing"
    };
    struct claim has_not = has;
    has_not.high = -1;
    setenv("CARGO_HOME", testing_path("cargo"), 1);
    snprintf(lab.offers[lab_testing_contestant("tokio/multi")].version, 64,
             "tokio 1.2.3");
    source("tokio-1.9.0", "// stealing\n");
    source("tokio-util-7.0.0", "// stealing\n");
    assert_int_equal(judged(&has), CLAIM_OPEN);
    assert_non_null(strstr(result.why, "no source of tokio 1.2.3"));
    source("tokio-1.2.3",
           "fn f() {}\n\n// comment\n/* more\n stealing */\nfn g() {}\n");
    assert_int_equal(judged(&has), CLAIM_CONFIRMED);
    assert_string_equal(result.why, "tokio-1.2.3, src/lib.rs:5: stealing");
    assert_int_equal(judged(&has_not), CLAIM_REFUTED);
    static const struct claim size = {
        .test = claim_size, .crate = "tokio tokio-util", .low = 2, .high = 2
    };
    assert_int_equal(judged(&size), CLAIM_CONFIRMED);
    assert_string_equal(result.why, "tokio 2, tokio-util 0: together 2 lines");
    unsetenv("CARGO_HOME");
}

static bool names_are(const char *names, int (*known)(const char *name))
{
    char name[64];
    for (int used; names && sscanf(names, "%63s%n", name, &used) == 1; names += used)
        if (known(name) < 0)
            return false;
    return true;
}

static void every_claim_names_rows_and_contestants_that_exist(void **state)
{
    (void)state;
    for (int i = 0; i < claim_count; i++) {
        const struct claim *claim = &claims[i];
        if (!claim->id || !claim->quote || !claim->how || !claim->topic ||
            !names_are(claim->rows, lab_row_named) ||
            !names_are(claim->who, lab_contestant_named) ||
            !names_are(claim->than, lab_contestant_named))
            fail_msg("claim %d: %s", i, claim->id ? claim->id : "no id");
        for (int k = 0; k < i; k++)
            assert_string_not_equal(claim->id, claims[k].id);
    }
}

static void nothing_measured_is_no_verdict_and_at_most_100_columns(void **state)
{
    (void)state;
    setenv("CARGO_HOME", testing_path("nothing"), 1);
    const char *text = lab_testing_said(claims_print);
    assert_non_null(strstr(text, " 0 confirmed, 0 refuted, "));
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        assert_true(strcspn(text, "\n") <= 100);
    text = lab_testing_said(claims_print_short);
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
        assert_true(strcspn(text, "\n") <= 100);
    unsetenv("CARGO_HOME");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spread_within_the_bounds_confirms),
        cmocka_unit_test(a_spread_outside_the_bounds_refutes),
        cmocka_unit_test(a_spread_across_a_bound_resolves_nothing),
        cmocka_unit_test(two_that_overlap_do_not_differ),
        cmocka_unit_test(rows_that_contradict_each_other_resolve_nothing),
        cmocka_unit_test(a_row_that_cannot_tell_leaves_it_to_the_others),
        cmocka_unit_test(without_rows_it_says_which),
        cmocka_unit_test(two_rounds_are_too_few),
        cmocka_unit_test(runs_that_do_not_count_do_not_judge),
        cmocka_unit_test(the_lowest_has_to_beat_everybody),
        cmocka_unit_test(the_lowest_with_an_overlap_is_not_resolved),
        cmocka_unit_test(the_highest_is_the_other_end),
        cmocka_unit_test(what_is_weighed_once_counts),
        cmocka_unit_test(a_contestant_can_be_compared_with_itself_in_another_row),
        cmocka_unit_test(a_demo_is_watched),
        cmocka_unit_test(a_source_is_searched_in_the_version_that_was_measured),
        cmocka_unit_test(every_claim_names_rows_and_contestants_that_exist),
        cmocka_unit_test(nothing_measured_is_no_verdict_and_at_most_100_columns),
    };
    return lab_testing_main("claims", tests, ARRAY_SIZE(tests), fresh, forgotten);
}
