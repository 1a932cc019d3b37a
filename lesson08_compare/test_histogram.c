/* The histogram: nothing lost, never too low, never more than 1/128 too high. */
#include "common/testing/testing.h"

#include "lesson08_compare/histogram.h"

static struct histogram a, b;

static int empty(void **state)
{
    (void)state;
    a = b = (struct histogram){ 0 };
    return 0;
}

static void an_empty_histogram_says_zero(void **state)
{
    (void)state;
    assert_true(histogram_percentile(&a, 0.5) == 0);
    assert_true(histogram_percentile(&a, 1) == 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (uint64_t ns = 1; ns <= 100; ns++)
        histogram_add(&a, ns);
    assert_true(histogram_percentile(&a, 0.01) == 1);
    assert_true(histogram_percentile(&a, 0.5) == 50);
    assert_true(histogram_percentile(&a, 0.99) == 99);
    assert_true(histogram_percentile(&a, 1) == 100);
}

/* A value alone in the middle must come back within the promised error, at every
 * boundary between two widths and around it. */
static void each_value_is_kept_within_one_part_in_128(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < HISTOGRAM_TOP_BIT; bit++) {
        for (int offset = -1; offset <= 1; offset++) {
            uint64_t ns = (UINT64_C(1) << bit) + (uint64_t)(int64_t)offset;
            a = (struct histogram){ 0 };
            histogram_add(&a, ns);
            histogram_add(&a, HISTOGRAM_LIMIT); /* so that max does not help */
            uint64_t got = histogram_percentile(&a, 0.5);
            assert_true(got >= ns);
            assert_true(got - ns <= ns / HISTOGRAM_STEPS);
        }
    }
}

static void values_beyond_the_limit_are_counted_and_the_maximum_is_exact(void **state)
{
    (void)state;
    histogram_add(&a, 0);
    histogram_add(&a, UINT64_MAX);
    histogram_add(&a, UINT64_MAX - 5);
    assert_true(a.count == 3);
    assert_true(histogram_percentile(&a, 0) == 0);
    assert_true(histogram_percentile(&a, 0.5) == HISTOGRAM_LIMIT);
    assert_true(histogram_percentile(&a, 1) == UINT64_MAX);
}

static void one_slow_request_in_a_thousand_shows_at_p999_only(void **state)
{
    (void)state;
    for (int i = 0; i < 9980; i++)
        histogram_add(&a, 10000);
    for (int i = 0; i < 20; i++)
        histogram_add(&a, 5000000);
    assert_true(histogram_percentile(&a, 0.99) < 10100);
    assert_true(histogram_percentile(&a, 0.999) >= 5000000);
}

static void merging_is_adding(void **state)
{
    (void)state;
    static struct histogram all;
    all = (struct histogram){ 0 };
    for (uint64_t i = 0; i < 2000; i++) {
        uint64_t ns = i * i * 37 % 10000019;
        histogram_add(i % 3 ? &a : &b, ns);
        histogram_add(&all, ns);
    }
    histogram_merge(&a, &b);
    assert_memory_equal(&a, &all, sizeof a);
}

static void ask_for_p200(void *argument)
{
    (void)argument;
    histogram_percentile(&a, 2);
}

static void a_percentile_above_one_is_a_bug(void **state)
{
    (void)state;
    assert_dies(ask_for_p200, NULL, "a percentile of 2.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_empty_histogram_says_zero, empty),
        cmocka_unit_test_setup(small_values_are_exact, empty),
        cmocka_unit_test_setup(each_value_is_kept_within_one_part_in_128, empty),
        cmocka_unit_test_setup(
            values_beyond_the_limit_are_counted_and_the_maximum_is_exact, empty),
        cmocka_unit_test_setup(one_slow_request_in_a_thousand_shows_at_p999_only,
                               empty),
        cmocka_unit_test_setup(merging_is_adding, empty),
        cmocka_unit_test(a_percentile_above_one_is_a_bug),
    };
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
