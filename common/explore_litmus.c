/* The explorer against the classical litmus tests: under each memory model exactly the
 * outcomes that the model allows, no more and no less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/explore_litmus.h"

#define RLX memory_order_relaxed
#define ACQ memory_order_acquire
#define REL memory_order_release
#define AR memory_order_acq_rel
#define SEQ memory_order_seq_cst

struct expected {
    struct litmus litmus;
    const char *outcomes[3]; /* under SC, TSO, PSO; NULL: as the one before */
};

static const struct expected all[] = {
    { { "SB, relaxed",
        false,
        { { { 'W', 0, 1, RLX }, { 'R', 1, 0, RLX } },
          { { 'W', 1, 1, RLX }, { 'R', 0, 0, RLX } } } },
      { "1 10 11", "0 1 10 11", NULL } },
    { { "SB, fences seq_cst",
        false,
        { { { 'W', 0, 1, RLX }, { 'F', 0, 0, SEQ }, { 'R', 1, 0, RLX } },
          { { 'W', 1, 1, RLX }, { 'F', 0, 0, SEQ }, { 'R', 0, 0, RLX } } } },
      { "1 10 11", NULL, NULL } },
    { { "SB, fences acq_rel are too weak",
        false,
        { { { 'W', 0, 1, RLX }, { 'F', 0, 0, AR }, { 'R', 1, 0, RLX } },
          { { 'W', 1, 1, RLX }, { 'F', 0, 0, AR }, { 'R', 0, 0, RLX } } } },
      { "1 10 11", "0 1 10 11", NULL } },
    { { "SB, one fence is not enough",
        false,
        { { { 'W', 0, 1, RLX }, { 'F', 0, 0, SEQ }, { 'R', 1, 0, RLX } },
          { { 'W', 1, 1, RLX }, { 'R', 0, 0, RLX } } } },
      { "1 10 11", "0 1 10 11", NULL } },
    { { "SB, stores seq_cst",
        false,
        { { { 'W', 0, 1, SEQ }, { 'R', 1, 0, SEQ } },
          { { 'W', 1, 1, SEQ }, { 'R', 0, 0, SEQ } } } },
      { "1 10 11", NULL, NULL } },
    { { "SB, release and acquire are too weak",
        false,
        { { { 'W', 0, 1, REL }, { 'R', 1, 0, ACQ } },
          { { 'W', 1, 1, REL }, { 'R', 0, 0, ACQ } } } },
      { "1 10 11", "0 1 10 11", NULL } },
    { { "MP, relaxed",
        false,
        { { { 'W', 0, 1, RLX }, { 'W', 1, 1, RLX } },
          { { 'R', 1, 0, RLX }, { 'R', 0, 0, RLX } } } },
      { "0 1 11", NULL, "0 1 10 11" } },
    { { "MP, release",
        false,
        { { { 'W', 0, 1, RLX }, { 'W', 1, 1, REL } },
          { { 'R', 1, 0, ACQ }, { 'R', 0, 0, RLX } } } },
      { "0 1 11", NULL, NULL } },
    { { "MP, fence release",
        false,
        { { { 'W', 0, 1, RLX }, { 'F', 0, 0, REL }, { 'W', 1, 1, RLX } },
          { { 'R', 1, 0, RLX }, { 'F', 0, 0, ACQ }, { 'R', 0, 0, RLX } } } },
      { "0 1 11", NULL, NULL } },
    { { "LB: no store overtakes a load",
        false,
        { { { 'R', 0, 0, RLX }, { 'W', 1, 1, RLX } },
          { { 'R', 1, 0, RLX }, { 'W', 0, 1, RLX } } } },
      { "0 1 10", NULL, NULL } },
    { { "IRIW: all see stores in one order",
        false,
        { { { 'W', 0, 1, RLX } },
          { { 'W', 1, 1, RLX } },
          { { 'R', 0, 0, RLX }, { 'R', 1, 0, RLX } },
          { { 'R', 1, 0, RLX }, { 'R', 0, 0, RLX } } } },
      { "0 1 10 11 100 101 110 111 1000 1001 1011 1100 1101 1110 1111", NULL, NULL } },
    { { "IRIW, seq_cst",
        false,
        { { { 'W', 0, 1, SEQ } },
          { { 'W', 1, 1, SEQ } },
          { { 'R', 0, 0, SEQ }, { 'R', 1, 0, SEQ } },
          { { 'R', 1, 0, SEQ }, { 'R', 0, 0, SEQ } } } },
      { "0 1 10 11 100 101 110 111 1000 1001 1011 1100 1101 1110 1111", NULL, NULL } },
    { { "2+2W, relaxed",
        true,
        { { { 'W', 0, 1, RLX }, { 'W', 1, 2, RLX } },
          { { 'W', 1, 1, RLX }, { 'W', 0, 2, RLX } } } },
      { "12 21 22", NULL, "11 12 21 22" } },
    { { "2+2W, release",
        true,
        { { { 'W', 0, 1, RLX }, { 'W', 1, 2, REL } },
          { { 'W', 1, 1, RLX }, { 'W', 0, 2, REL } } } },
      { "12 21 22", NULL, NULL } },
    { { "2+2W, fences",
        true,
        { { { 'W', 0, 1, RLX }, { 'F', 0, 0, SEQ }, { 'W', 1, 2, RLX } },
          { { 'W', 1, 1, RLX }, { 'F', 0, 0, SEQ }, { 'W', 0, 2, RLX } } } },
      { "12 21 22", NULL, NULL } },
    { { "one variable keeps its order",
        false,
        { { { 'W', 0, 1, RLX }, { 'W', 0, 2, RLX } },
          { { 'R', 0, 0, RLX }, { 'R', 0, 0, RLX } } } },
      { "0 1 2 11 12 22", NULL, NULL } },
    { { "a thread sees its own store at once",
        false,
        { { { 'W', 0, 1, RLX }, { 'R', 0, 0, RLX } }, { { 'R', 0, 0, RLX } } } },
      { "10 11", NULL, NULL } },
    { { "two additions are two",
        true,
        { { { 'A', 0, 0, RLX } }, { { 'A', 0, 0, RLX } } } },
      { "120 1020", NULL, NULL } },
    { { "one swap wins", true, { { { 'C', 0, 1, RLX } }, { { 'C', 0, 2, RLX } } } },
      { "110 2020", NULL, NULL } },
};

static const char *const models[] = { "sc", "tso", "pso" };

static void write_outcomes(const struct explore_result *result, char *text, size_t size)
{
    size_t n = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < result->outcome_count && n + 22 < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%llu", i ? " " : "",
                              (unsigned long long)result->outcomes[i]);
}

static void exactly_these_outcomes(void **state)
{
    const struct expected *one = *state;
    const char *expected = NULL;
    litmus = one->litmus;
    for (int model = 0; model < 3; model++) {
        struct explore_options options = { .model = (enum explore_model)model,
                                           .bound = -1 };
        struct explore_result result;
        char got[400];
        assert_int_equal(explore(&options, litmus_scenario, &result), 0);
        write_outcomes(&result, got, sizeof got);
        if (one->outcomes[model])
            expected = one->outcomes[model];
        printf("%-36s %-4s %8ld schedules  outcomes %.60s\n", one->litmus.name,
               models[model], result.schedules, got);
        assert_false(result.failed);
        assert_true(result.complete);
        assert_string_equal(got, expected);
    }
}

int main(void)
{
    static struct CMUnitTest tests[sizeof all / sizeof *all];
    static struct expected copies[sizeof all / sizeof *all];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        copies[i] = all[i];
        tests[i] = (struct CMUnitTest){ .name = copies[i].litmus.name,
                                        .test_func = exactly_these_outcomes,
                                        .initial_state = &copies[i] };
    }
    return cmocka_run_group_tests_name("explore_litmus", tests, NULL, NULL);
}
