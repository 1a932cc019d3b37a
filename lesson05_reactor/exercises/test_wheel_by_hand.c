/* Exercise 5.1, the first steps of a timer wheel: each of them says what was put in,
 * what was expected and what came out. */
#include "common/testing/testing.h"

#include "lesson05_reactor/timer_wheel.h"

static struct timer_wheel wheel;

static void expect_next(uint64_t expected, const char *when)
{
    uint64_t got = timer_wheel_next(&wheel);
    if (got != expected)
        fail_msg("%s: timer_wheel_next should be %llu, got %llu", when,
                 (unsigned long long)expected, (unsigned long long)got);
}

/* The next timer of the batch is `expected` (NULL: there is none). */
static void expect_pop(const struct wheel_timer *expected, const char *when)
{
    const struct wheel_timer *got = timer_wheel_pop(&wheel);
    if (got == expected)
        return;
    if (!expected)
        fail_msg("%s: nothing is due at %llu, but pop gave the timer of %llu", when,
                 (unsigned long long)wheel.now, (unsigned long long)got->deadline);
    if (!got)
        fail_msg("%s: the timer of %llu is due at %llu, but pop gave NULL", when,
                 (unsigned long long)expected->deadline, (unsigned long long)wheel.now);
    fail_msg("%s: pop should give the timer of %llu, got that of %llu", when,
             (unsigned long long)expected->deadline, (unsigned long long)got->deadline);
}

static void a_near_deadline_is_found(void **state)
{
    (void)state;
    struct wheel_timer timer = { 0 };
    timer_wheel_init(&wheel, 100);
    expect_next(CLOCK_NEVER, "empty at 100");
    timer_wheel_insert(&wheel, &timer, 105);
    expect_next(105, "at 100, inserted 105");
    timer_wheel_advance(&wheel, 104);
    expect_pop(NULL, "inserted 105, advanced to 104");
    expect_next(105, "at 104, 105 still pending");
    timer_wheel_advance(&wheel, 105);
    expect_pop(&timer, "inserted 105, advanced to 105");
    if (wheel_timer_linked(&timer))
        fail_msg("the timer of 105 was popped and is still linked");
    expect_pop(NULL, "105 was popped");
    expect_next(CLOCK_NEVER, "105 was popped");
}

static void a_far_deadline_comes_nearer(void **state)
{
    (void)state;
    const uint64_t far = 5 * 4096 + 3 * 64 + 7; /* 5 3 7 in digits of six bits */
    struct wheel_timer timer = { 0 }, beside = { 0 };
    timer_wheel_init(&wheel, 0);
    timer_wheel_insert(&wheel, &timer, far);
    timer_wheel_insert(&wheel, &beside, far + 64);
    const uint64_t stops[] = { 1, 4096, 5 * 4096, 5 * 4096 + 3 * 64, far - 1 };
    for (unsigned i = 0; i < ARRAY_SIZE(stops); i++) {
        timer_wheel_advance(&wheel, stops[i]);
        expect_pop(NULL, "inserted 20679 and 20743 at 0");
        expect_next(far, "inserted 20679 and 20743 at 0, advanced");
    }
    timer_wheel_advance(&wheel, far);
    expect_pop(&timer, "inserted 20679 at 0, advanced there by and by");
    expect_pop(NULL, "20743 is not due at 20679");
    expect_next(far + 64, "20679 was popped");
    timer_wheel_advance(&wheel, UINT64_C(1) << 40);
    expect_pop(&beside, "inserted 20743 at 0, advanced far beyond");
}

static void what_is_removed_never_fires(void **state)
{
    (void)state;
    struct wheel_timer near = { 0 }, far = { 0 }, twin = { 0 };
    timer_wheel_init(&wheel, 10);
    timer_wheel_insert(&wheel, &near, 12);
    timer_wheel_insert(&wheel, &far, 9000);
    timer_wheel_insert(&wheel, &twin, 9000);
    timer_wheel_remove(&wheel, &near);
    if (wheel_timer_linked(&near))
        fail_msg("the timer of 12 was removed and is still linked");
    expect_next(9000, "inserted 12, 9000, 9000; removed 12");
    timer_wheel_remove(&wheel, &far);
    expect_next(9000, "removed one of two at 9000");
    timer_wheel_advance(&wheel, 8990); /* the other one cascades */
    expect_pop(NULL, "9000 is pending, advanced to 8990");
    timer_wheel_remove(&wheel, &twin);
    expect_next(CLOCK_NEVER, "all were removed");
    timer_wheel_advance(&wheel, 100000);
    expect_pop(NULL, "all were removed");
    timer_wheel_insert(&wheel, &near, 100001); /* the same slot may be used again */
    expect_next(100001, "inserted 100001 after all were removed");
    timer_wheel_advance(&wheel, 100001);
    expect_pop(&near, "inserted 100001 after all were removed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_near_deadline_is_found),
        cmocka_unit_test(a_far_deadline_comes_nearer),
        cmocka_unit_test(what_is_removed_never_fires),
    };
    return cmocka_run_group_tests_name("wheel_by_hand", tests, NULL, NULL);
}
