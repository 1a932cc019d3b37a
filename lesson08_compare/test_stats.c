/* The statistics, against values worked out by hand. */
#include "common/testing/testing.h"

#include "lesson08_compare/json.h"
#include "lesson08_compare/stats.h"
#include "lesson08_compare/workload.h"

static void is(struct spread spread, int count, double low, double median, double high)
{
    assert_int_equal(spread.count, count);
    assert_true(spread.low == low);
    assert_true(spread.median == median);
    assert_true(spread.high == high);
}

static void a_median_is_the_middle_whatever_the_order(void **state)
{
    (void)state;
    is(stats_spread((double[]){ 3, 1, 2 }, 3), 3, 1, 2, 3);
    is(stats_spread((double[]){ 4, 1, 3, 2 }, 4), 4, 1, 2.5, 4);
    is(stats_spread((double[]){ 7 }, 1), 1, 7, 7, 7);
    assert_int_equal(stats_spread(NULL, 0).count, 0);
}

static void from_five_values_on_the_spread_is_the_quartiles(void **state)
{
    (void)state;
    is(stats_spread((double[]){ 50, 10, 1000, 20, 30 }, 5), 5, 20, 30, 50);
    is(stats_spread((double[]){ 1, 2, 3, 4, 5, 6 }, 6), 6, 2.25, 3.5, 4.75);
}

static void spreads_that_touch_are_not_told_apart(void **state)
{
    (void)state;
    struct spread low = { 3, 1, 2, 3 }, touching = { 3, 3, 4, 5 },
                  apart = { 3, 3.1, 4, 5 };
    assert_true(stats_overlap(low, touching));
    assert_true(stats_overlap(touching, low));
    assert_false(stats_overlap(low, apart));
    assert_false(stats_overlap(apart, low));
    struct spread around = { 3, 0.9, 1.1, 1.2 }, above = { 3, 1.01, 1.1, 1.2 };
    struct spread below = { 3, 0.8, 0.9, 0.99 }, nothing = { 0 };
    assert_false(stats_differs_from_one(around));
    assert_true(stats_differs_from_one(above));
    assert_true(stats_differs_from_one(below));
    assert_false(stats_differs_from_one(nothing));
}

static void a_stats_line_is_read_exactly_or_not_at_all(void **state)
{
    (void)state;
    struct served served = { 0 };
    assert_true(
        workload_parse_stats("stats: requests=3 syscalls=7 cpu_us=12\n", &served));
    assert_int_equal(served.requests, 3);
    assert_int_equal(served.syscalls, 7);
    assert_int_equal(served.cpu_us, 12);
    assert_false(workload_parse_stats("stats: requests=3 syscalls=7", &served));
    assert_false(
        workload_parse_stats("stats: requests=-3 syscalls=7 cpu_us=1", &served));
    assert_false(
        workload_parse_stats("stats: requests=3  syscalls=7 cpu_us=1", &served));
    assert_false(workload_parse_stats(
        "stats: requests=18446744073709551616 syscalls=7 cpu_us=1", &served));
    assert_false(
        workload_parse_stats("stats: requests=3 syscalls=7 cpu_us=x", &served));
    assert_false(
        workload_parse_stats("stats: requests=3 syscalls=7 cpu_us=1 more", &served));
    assert_false(workload_parse_stats("requests=3 syscalls=7 cpu_us=12", &served));
}

static void a_listening_line_gives_the_port(void **state)
{
    (void)state;
    assert_int_equal(workload_parse_listening("listening on 127.0.0.1:80"), 80);
    assert_int_equal(
        workload_parse_listening("listening on 0.0.0.0:6553 (driver: epoll)"), 6553);
    assert_int_equal(workload_parse_listening("listening on [::1]:65535\n"), 65535);
    assert_true(workload_parse_listening("listening on 127.0.0.1:65536") < 0);
    assert_true(workload_parse_listening("listening on 127.0.0.1:") < 0);
    assert_true(workload_parse_listening("listening on 127.0.0.1:+80") < 0);
    assert_true(workload_parse_listening("listening on nothing") < 0);
    assert_true(workload_parse_listening("driver: epoll") < 0);
}

static void only_the_date_of_the_answer_may_differ(void **state)
{
    (void)state;
    for (size_t at = 0; at < WORKLOAD_RESPONSE_SIZE; at++) {
        char answer[] = WORKLOAD_RESPONSE;
        bool in_date =
            at >= WORKLOAD_DATE_AT && at < WORKLOAD_DATE_AT + WORKLOAD_DATE_SIZE;
        answer[at] ^= 1;
        for (size_t cut = 0; cut <= WORKLOAD_RESPONSE_SIZE; cut++)
            assert_true((workload_response_matches(0, answer, cut) &&
                         workload_response_matches(cut, answer + cut,
                                                   WORKLOAD_RESPONSE_SIZE - cut)) ==
                        in_date);
    }
    assert_false(workload_response_matches(WORKLOAD_RESPONSE_SIZE, "x", 1));
}

static void json_comes_back_by_key_and_texts_cannot_fake_one(void **state)
{
    (void)state;
    char line[256] = "";
    double value = 0;
    struct json json;
    FILE *out = fmemopen(line, sizeof line, "w");
    assert_non_null(out);
    json_begin(&json, out);
    json_text(&json, "note", "a \"quoted\",\"n\":5 and\na line");
    json_count(&json, "long_n", UINT64_C(123456789012));
    json_real(&json, "n", 0.25);
    json_real(&json, "none", 1.0 / (double)(value == 1));
    json_end(&json);
    fclose(out);
    assert_true(json_get(line, "n", &value));
    assert_true(value == 0.25);
    assert_true(json_get(line, "long_n", &value));
    assert_true(value == 123456789012.0);
    assert_false(json_get(line, "note", &value));
    assert_false(json_get(line, "none", &value));
    assert_false(json_get(line, "absent", &value));
    char key[8];
    assert_non_null(
        json_next_number("{\"a\":\"\",\"x\\\"\\n\":5}", key, sizeof key, &value));
    assert_string_equal(key, "x\"\n");
    assert_false(json_get("{\"n\":nan}", "n", &value));
    assert_false(json_get("{\"n\":-inf}", "n", &value));
    assert_false(json_get("{\"n\":0x10}", "n", &value));
    assert_false(json_get("{\"n\":1e999}", "n", &value));
    assert_non_null(strstr(line, "\\\"quoted\\\",\\\"n\\\":5 and\\u000aa line"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_median_is_the_middle_whatever_the_order),
        cmocka_unit_test(from_five_values_on_the_spread_is_the_quartiles),
        cmocka_unit_test(spreads_that_touch_are_not_told_apart),
        cmocka_unit_test(a_stats_line_is_read_exactly_or_not_at_all),
        cmocka_unit_test(a_listening_line_gives_the_port),
        cmocka_unit_test(only_the_date_of_the_answer_may_differ),
        cmocka_unit_test(json_comes_back_by_key_and_texts_cannot_fake_one),
    };
    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
