/* The explorer's ways to search, to choose, to repeat and to tell. */
#include <errno.h>
#include <unistd.h>

#include "common/explore_testing.h"

static _Atomic int x, y;
static int saw[2];

static void *store_then_look(void *unused)
{
    atomic_store_explicit(&x, 1, memory_order_relaxed);
    saw[0] = atomic_load_explicit(&y, memory_order_relaxed);
    return unused;
}

static void *store_then_look_too(void *unused)
{
    explore_name("the other");
    atomic_store_explicit(&y, 1, memory_order_relaxed);
    saw[1] = atomic_load_explicit(&x, memory_order_relaxed);
    return unused;
}

/* Broken under TSO only: both stores wait in their buffers. */
static void store_buffering(void)
{
    run_both(store_then_look, store_then_look_too, NULL);
    EXPLORE_RULE("SB", saw[0] || saw[1], "both threads saw 0");
}

static void *add_in_two_steps(void *unused)
{
    int old = atomic_load_explicit(&x, memory_order_relaxed);
    atomic_store_explicit(&x, old + 1, memory_order_relaxed);
    return unused;
}

/* One preemption is needed. */
static void lost_addition(void)
{
    run_both(add_in_two_steps, add_in_two_steps, NULL);
    EXPLORE_RULE("sum", atomic_load_explicit(&x, memory_order_relaxed) == 2,
                 "an addition is lost");
}

static struct explore_options options_with(enum explore_model model,
                                           enum explore_mode mode, int bound, long runs)
{
    return (struct explore_options){
        .model = model, .mode = mode, .bound = bound, .runs = runs, .seed = 1
    };
}

static void a_bound_counts_preemptions(void **state)
{
    (void)state;
    for (int bound = 0; bound < 3; bound++) {
        struct explore_options options =
            options_with(EXPLORE_SC, EXPLORE_ALL, bound, 0);
        struct explore_result result = search_with(&options, lost_addition);
        assert_int_equal(result.failed, bound >= 1);
        options.model = EXPLORE_TSO; /* one store that waits */
        result = search_with(&options, store_buffering);
        assert_int_equal(result.failed, bound >= 1);
    }
}

static void dice_find_it_and_roll_alike(void **state)
{
    (void)state;
    const enum explore_mode modes[] = { EXPLORE_RANDOM, EXPLORE_PCT };
    for (int i = 0; i < 2; i++) {
        struct explore_options options = options_with(EXPLORE_TSO, modes[i], 3, 10000);
        struct explore_result first = search_with(&options, store_buffering);
        struct explore_result again = search_with(&options, store_buffering);
        assert_true(first.failed);
        assert_int_equal(first.schedules, again.schedules);
        assert_string_equal(first.replay, again.replay);
        options.model = EXPLORE_SC;
        first = search_with(&options, store_buffering);
        assert_false(first.failed);
        assert_int_equal(first.schedules, 10000);
        assert_false(first.complete);
    }
}

static void a_limit_ends_the_search(void **state)
{
    (void)state;
    struct explore_options options = options_with(EXPLORE_SC, EXPLORE_ALL, -1, 0);
    options.limit = 2;
    struct explore_result result = search_with(&options, store_buffering);
    assert_int_equal(result.schedules + result.cut, 2);
    assert_false(result.complete);
}

/* The variables that are set back before each schedule are not to take it along. */
static void a_result_may_be_a_variable_of_the_program(void **state)
{
    (void)state;
    static struct explore_result result;
    struct explore_options options = options_with(EXPLORE_SC, EXPLORE_ALL, -1, 0);
    assert_int_equal(explore(&options, store_buffering, &result), 0);
    assert_true(result.complete);
    assert_int_equal(result.schedules,
                     search_all(EXPLORE_SC, store_buffering).schedules);
}

/* ---- a schedule again */

static void a_replay_fails_again(void **state)
{
    (void)state;
    struct explore_result found = search_all(EXPLORE_TSO, store_buffering);
    assert_true(found.failed);
    assert_memory_equal(found.replay, "tso:", 4);
    struct explore_options options = options_with(EXPLORE_TSO, EXPLORE_REPLAY, -1, 0);
    options.replay = found.replay;
    struct explore_result again = search_with(&options, store_buffering);
    assert_true(again.failed);
    assert_string_equal(again.rule, "SB");
    assert_string_equal(again.replay, found.replay);
    assert_int_equal(again.schedules, 1);
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    const char *const wrong[] = {
        "tso:h",    "tso:b?",  "tso:=9", "tso:C",   "tso:b9999999",
        "tso:A.99", "tso:a0b", "tso:=1", "tso:A.8", "tso:b2b2b2b2b2b2b2"
    };
    struct explore_result result;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct explore_options options =
            options_with(EXPLORE_TSO, EXPLORE_REPLAY, -1, 0);
        options.replay = wrong[i];
        assert_int_equal(explore(&options, store_buffering, &result), -EINVAL);
        assert_non_null(strstr(result.message, "does not fit"));
    }
    struct explore_options options = options_with(EXPLORE_SC, EXPLORE_REPLAY, -1, 0);
    assert_int_equal(explore(&options, store_buffering, &result), -EINVAL);
    options = options_with(EXPLORE_SC, EXPLORE_RANDOM, -1, 0);
    assert_int_equal(explore(&options, store_buffering, &result), -EINVAL);
    options = options_with(EXPLORE_SC, EXPLORE_ALL, -2, 0);
    assert_int_equal(explore(&options, store_buffering, &result), -EINVAL);
    options = options_with(EXPLORE_SC, EXPLORE_ALL, -1, 0);
    options.weak_failures = -1;
    assert_int_equal(explore(&options, store_buffering, &result), -EINVAL);
}

/* ---- choices */

static void choose_twice(void)
{
    int a = explore_choose(3);
    explore_outcome((uint64_t)(10 * a + explore_choose(2)));
}

static void every_value_is_chosen(void **state)
{
    (void)state;
    struct explore_result result = search_all(EXPLORE_SC, choose_twice);
    const uint64_t expected[] = { 0, 1, 10, 11, 20, 21 };
    assert_int_equal(result.schedules, 6);
    assert_int_equal(result.outcome_count, 6);
    assert_memory_equal(result.outcomes, expected, sizeof expected);
}

static void allocate_three(void)
{
    void *blocks[3] = { malloc(8), calloc(2, 4), malloc(8) };
    unsigned got = 0;
    for (int i = 0; i < 3; i++) {
        got |= (unsigned)(blocks[i] != NULL) << i;
        free(blocks[i]);
    }
    explore_outcome(got);
}

static void each_allocation_fails_once(void **state)
{
    (void)state;
    struct explore_options options = options_with(EXPLORE_SC, EXPLORE_ALL, -1, 0);
    options.failing_allocations = 1;
    struct explore_result result = search_with(&options, allocate_three);
    const uint64_t expected[] = { 3, 5, 6, 7 };
    assert_int_equal(result.outcome_count, 4);
    assert_memory_equal(result.outcomes, expected, sizeof expected);
}

static void swap_weakly(void)
{
    int expected = 0;
    explore_outcome(atomic_compare_exchange_weak_explicit(
        &x, &expected, 1, memory_order_relaxed, memory_order_relaxed));
}

static void a_weak_swap_may_fail_for_no_reason(void **state)
{
    (void)state;
    struct explore_options options = options_with(EXPLORE_SC, EXPLORE_ALL, -1, 0);
    assert_int_equal(search_with(&options, swap_weakly).outcome_count, 1);
#if defined(__clang__)
    skip(); /* clang's instrumentation does not tell a weak swap from a strong one */
#endif
    options.weak_failures = 1;
    assert_int_equal(search_with(&options, swap_weakly).outcome_count, 2);
}

/* ---- between schedules */

static int counter = 41;

static void variables_start_anew(void)
{
    EXPLORE_RULE("anew", counter == 41 && saw[0] == 0,
                 "the last schedule is still there");
    explore_choose(4);
    counter++;
    saw[0] = 1;
}

static void variables_are_set_back(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, variables_start_anew, NULL);
    assert_int_equal(counter, 41);
}

/* ---- the listing */

/* What explore_print says of the last search; to be freed. */
static char *printed(const struct explore_result *result)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stdout);
    int old = dup(STDOUT_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    explore_print(result, "title", "command");
    fflush(stdout);
    dup2(old, STDOUT_FILENO);
    close(old);
    long size = ftell(file);
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    char *text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    fclose(file);
    return text;
}

static void expect_lines_of_at_most(const char *text, size_t width, unsigned lines)
{
    unsigned count = 0;
    for (const char *at = text; *at; count++) {
        size_t length = strcspn(at, "\n");
        if (length > width)
            fail_msg("a line of %zu columns: %.*s", length, (int)length, at);
        at += length + (at[length] == '\n');
    }
    assert_true(count <= lines);
}

static void a_listing_tells_the_story(void **state)
{
    (void)state;
    struct explore_result result = search_all(EXPLORE_TSO, store_buffering);
    char *text = printed(&result), expected[sizeof result.replay + 100];
    expect_lines_of_at_most(text, 80, 20);
    const char *const parts[] = { "thread 1",         "the other", "explore_search.c:",
                                  "x = 1 (buffered)", "y is 0",    "both threads saw 0",
                                  "in memory" };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(text, parts[i]))
            fail_msg("expected \"%s\" in:\n%s", parts[i], text);
    snprintf(expected, sizeof expected, "see it again: command'%s'\nbroken: SB\n",
             result.replay);
    assert_non_null(strstr(text, expected));
    assert_string_equal(strstr(text, expected), expected); /* last */
    free(text);
}

static void *add_often(void *unused)
{
    for (int i = 0; i < 60; i++)
        atomic_fetch_add_explicit(&x, 1, memory_order_relaxed);
    EXPLORE_RULE("late", atomic_load_explicit(&x, memory_order_relaxed) < 120, "late");
    return unused;
}

static void late_failure(void)
{
    run_both(add_often, add_often, NULL);
}

static void a_long_story_is_cut_at_its_beginning(void **state)
{
    (void)state;
    struct explore_options options = options_with(EXPLORE_SC, EXPLORE_ALL, 0, 0);
    struct explore_result result = search_with(&options, late_failure);
    assert_true(result.failed);
    char *text = printed(&result);
    expect_lines_of_at_most(text, 80, 42);
    assert_non_null(strstr(text, "more before these)"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bound_counts_preemptions),
        cmocka_unit_test(dice_find_it_and_roll_alike),
        cmocka_unit_test(a_limit_ends_the_search),
        cmocka_unit_test(a_result_may_be_a_variable_of_the_program),
        cmocka_unit_test(a_replay_fails_again),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(every_value_is_chosen),
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(a_weak_swap_may_fail_for_no_reason),
        cmocka_unit_test(variables_are_set_back),
        cmocka_unit_test(a_listing_tells_the_story),
        cmocka_unit_test(a_long_story_is_cut_at_its_beginning),
    };
    return cmocka_run_group_tests_name("explore_search", tests, NULL, NULL);
}
