/* Exercise 5.1, hidden: what may happen between two pops, what is left of a slot of
 * which parts were removed, and a wheel that is asked at odd moments. */
#include "common/testing/testing.h"

#include "lesson05_reactor/timer_wheel.h"

static struct timer_wheel wheel;

static void expect(bool holds, const char *what, uint64_t expected, uint64_t got)
{
    if (!holds)
        fail_msg("%s: expected %llu, got %llu", what, (unsigned long long)expected,
                 (unsigned long long)got);
}

static void expect_next(uint64_t expected, const char *when)
{
    uint64_t got = timer_wheel_next(&wheel);
    expect(got == expected, when, expected, got);
}

static void expect_pop(const struct wheel_timer *expected, const char *when)
{
    const struct wheel_timer *got = timer_wheel_pop(&wheel);
    expect(got == expected, when, expected ? expected->deadline : 0,
           got ? got->deadline : 0);
}

static void between_two_pops_anything_may_happen(void **state)
{
    (void)state;
    enum { STEP = 5000, COUNT = 6 }; /* each in a slot of its own, to be cascaded */
    struct wheel_timer batch[COUNT] = { { { 0 }, 0 } }, soon = { 0 }, overdue = { 0 };
    struct wheel_timer later = { 0 };
    const uint64_t now = COUNT * STEP;
    timer_wheel_init(&wheel, 0);
    for (unsigned i = 0; i < COUNT; i++)
        timer_wheel_insert(&wheel, &batch[i], (i + 1) * STEP);
    timer_wheel_advance(&wheel, now);
    expect_pop(&batch[0], "first of the batch");
    timer_wheel_insert(&wheel, &soon, now + 1);
    timer_wheel_insert(&wheel, &later, now + STEP);
    expect_pop(&batch[1], "second, after 30001 and 35000 were inserted");
    timer_wheel_insert(&wheel, &overdue,
                       2 * STEP + 1); /* between those that are left */
    timer_wheel_remove(&wheel, &batch[3]);
    expect_pop(&batch[2], "third, after 10001 was inserted and 20000 removed");
    timer_wheel_insert(&wheel, &batch[2], now + 2);
    expect_pop(&batch[4], "20000 was removed: 25000 is next");
    expect_pop(&batch[5], "last of the batch");
    expect_pop(NULL, "10001 was overdue when inserted: not in this batch");
    expect_next(now, "something is overdue");
    timer_wheel_advance(&wheel, now + 2);
    expect_pop(&overdue, "the overdue one comes first");
    expect_pop(&soon, "30001");
    expect_pop(&batch[2], "30002");
    expect_pop(NULL, "35000 is not due");
    expect_next(now + STEP, "35000");
    timer_wheel_remove(&wheel, &later);
}

static void a_slot_of_which_parts_were_removed(void **state)
{
    (void)state;
    const uint64_t base = UINT64_C(1) << 30;
    struct wheel_timer timers[8] = { { { 0 }, 0 } };
    const uint64_t plus[8] = { 700, 300, 500, 300, 100, 900, 300, 800 };
    timer_wheel_init(&wheel, 0);
    for (unsigned i = 0; i < 8; i++)
        timer_wheel_insert(&wheel, &timers[i], base + plus[i]);
    timer_wheel_remove(&wheel, &timers[4]); /* the earliest */
    expect_next(base + 300, "+100 was removed");
    timer_wheel_remove(&wheel, &timers[1]);
    timer_wheel_remove(&wheel, &timers[3]);
    expect_next(base + 300, "two of three at +300 were removed");
    timer_wheel_insert(&wheel, &timers[1], base + 200);
    expect_next(base + 200, "+200 was inserted");
    timer_wheel_remove(&wheel, &timers[1]);
    timer_wheel_remove(&wheel, &timers[6]);
    expect_next(base + 500, "+200 and the last of +300 were removed");
    timer_wheel_insert(&wheel, &timers[3], base + 600);
    expect_next(base + 500, "+600 was inserted");
    timer_wheel_advance(&wheel, base + 650);
    expect_pop(&timers[2], "+500");
    expect_pop(&timers[3], "+600");
    expect_pop(NULL, "nothing else up to +650");
    expect_next(base + 700, "+500 and +600 were popped");
    timer_wheel_remove(&wheel, &timers[0]);
    timer_wheel_remove(&wheel, &timers[7]);
    expect_next(base + 900, "only +900 is left");
    timer_wheel_remove(&wheel, &timers[5]);
    expect_next(CLOCK_NEVER, "all are gone");
}

/* Time goes on while nothing is due, and then a timer joins those of before. */
static void time_that_passed_in_vain_confuses_nobody(void **state)
{
    (void)state;
    const uint64_t end = 3 * 4096 + 10;
    struct wheel_timer timers[16] = { { { 0 }, 0 } };
    unsigned count = 0;
    timer_wheel_init(&wheel, 1);
    const uint64_t stops[] = { 50, 64, 4000, 4095, 4096, 8192, 12287, 12288, 12289 };
    for (unsigned i = 0; i < ARRAY_SIZE(stops); i++) {
        timer_wheel_insert(&wheel, &timers[count++], end);
        timer_wheel_advance(&wheel, stops[i]);
        if (i % 2)
            expect_pop(NULL, "nothing is due before 12298");
        expect_next(end, "all of them are of 12298");
    }
    timer_wheel_advance(&wheel, 0);                /* backwards: nothing happens */
    timer_wheel_insert(&wheel, &timers[count], 5); /* which is long over */
    expect_next(12289, "one is overdue at 12289");
    timer_wheel_advance(&wheel, end);
    expect_pop(&timers[count], "the overdue one first");
    for (unsigned i = 0; i < count; i++) {
        const struct wheel_timer *got = timer_wheel_pop(&wheel);
        int which = got ? (int)(got - timers) : -1;
        if (which != (int)i)
            fail_msg("equal deadlines: inserted as number %u, popped as %d", i, which);
    }
    expect_next(CLOCK_NEVER, "all were popped");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(between_two_pops_anything_may_happen),
        cmocka_unit_test(a_slot_of_which_parts_were_removed),
        cmocka_unit_test(time_that_passed_in_vain_confuses_nobody),
    };
    return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
