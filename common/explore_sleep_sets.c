/* The sleep sets against brute force: what they leave out was seen already.
 *
 * Programs are rolled by dice from every kind of step; each is searched with sleep sets
 * and without, under each memory model. Both must see the same set of outcomes, and the
 * one must find a broken rule when the other does. This is the test that the dependency
 * relation has to pass: take `free` or the mutex out of it, and it fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "common/explore_litmus.h"

static uint64_t dice;

static unsigned roll(unsigned sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)(dice >> 20) % sides;
}

static struct litmus_step random_step(const char *kinds)
{
    static const memory_order stores[] = { memory_order_relaxed, memory_order_release,
                                           memory_order_seq_cst };
    static const memory_order loads[] = { memory_order_relaxed, memory_order_acquire,
                                          memory_order_seq_cst };
    static const memory_order both[] = { memory_order_relaxed, memory_order_acq_rel,
                                         memory_order_seq_cst };
    struct litmus_step step = { .kind = kinds[roll((unsigned)strlen(kinds))],
                                .variable = (int)roll(2),
                                .value = 1 + (int)roll(2) };
    step.order = step.kind == 'W'   ? stores[roll(3)]
                 : step.kind == 'R' ? loads[roll(3)]
                                    : both[roll(3)];
    return step;
}

static void random_program(const char *kinds)
{
    litmus = (struct litmus){ .name = "random", .final = true };
    int threads = 2 + (int)roll(2);
    for (int t = 0; t < threads; t++)
        for (int i = 0; i < (threads == 2 ? 3 : 2); i++)
            litmus.steps[t][i] = random_step(kinds);
}

static void print_program(void)
{
    for (int t = 0; t < LITMUS_THREADS && litmus.steps[t][0].kind; t++) {
        printf("  thread %d:", t);
        for (int i = 0; i < LITMUS_STEPS && litmus.steps[t][i].kind; i++) {
            const struct litmus_step *step = &litmus.steps[t][i];
            printf(" %c%d=%d(%d)", step->kind, step->variable, step->value,
                   (int)step->order);
        }
        printf("\n");
    }
}

static struct explore_result search(int model, bool brute_force)
{
    struct explore_options options = { .model = (enum explore_model)model,
                                       .bound = -1,
                                       .brute_force = brute_force };
    struct explore_result result;
    assert_int_equal(explore(&options, litmus_scenario, &result), 0);
    return result;
}

static bool same_outcomes(const struct explore_result *a,
                          const struct explore_result *b)
{
    return a->outcome_count == b->outcome_count &&
           memcmp(a->outcomes, b->outcomes, a->outcome_count * sizeof *a->outcomes) ==
               0;
}

static void compare(const char *kinds, int programs, uint64_t seed)
{
    long pruned = 0, brute = 0;
    int failures = 0;
    dice = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (int n = 0; n < programs; n++) {
        random_program(kinds);
        for (int model = 0; model < 3; model++) {
            struct explore_result few = search(model, false), all = search(model, true);
            bool same =
                few.failed == all.failed && (few.failed || same_outcomes(&few, &all));
            if (!same)
                print_program();
            assert_true(same);
            assert_true(few.schedules <= all.schedules);
            failures += few.failed;
            pruned += few.schedules;
            brute += all.schedules;
        }
    }
    printf("%d programs of %s: %ld schedules instead of %ld, %d broken\n", programs,
           kinds, pruned, brute, failures);
    assert_true(pruned < brute);
}

static void atomics_and_fences(void **state)
{
    (void)state;
    compare("WWWRRRACF", 150, 1);
}

static void with_a_mutex(void **state)
{
    (void)state;
    compare("WRAM", 80, 2);
}

static void with_plain_data(void **state)
{
    (void)state;
    compare("WRARWRApPM", 150, 3);
}

static void with_a_block_that_is_freed(void **state)
{
    (void)state;
    compare("WRARWRAuX", 150, 4);
}

static void with_sleepers(void **state)
{
    (void)state;
    compare("WRAfg", 80, 5);
    compare("MRcs", 80, 6);
}

static void with_yields(void **state)
{
    (void)state;
    compare("WRRAYM", 80, 7);
}

static struct litmus_step add_to(int variable)
{
    return (struct litmus_step){ .kind = 'A', .variable = variable };
}

/* Two threads of three independent steps: 6! / (3! 3!) orders, all of them one. */
static void twenty_orders_of_three_and_three(void **state)
{
    (void)state;
    litmus = (struct litmus){ .name = "three and three" };
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < 3; i++)
            litmus.steps[t][i] = add_to(t);
    assert_int_equal(search(EXPLORE_SC, true).schedules, 20);
    assert_int_equal(search(EXPLORE_SC, false).schedules, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_orders_of_three_and_three),
        cmocka_unit_test(atomics_and_fences),
        cmocka_unit_test(with_a_mutex),
        cmocka_unit_test(with_plain_data),
        cmocka_unit_test(with_a_block_that_is_freed),
        cmocka_unit_test(with_sleepers),
        cmocka_unit_test(with_yields),
    };
    return cmocka_run_group_tests_name("explore_sleep_sets", tests, NULL, NULL);
}
