/* The timer wheel: to the nanosecond, in order, whatever the distance. */
#include "common/testing/testing.h"

#include "lesson05_reactor/timer_wheel.h"

/* ---- helpers */

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13; /* xorshift64 */
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static int pop_all(struct timer_wheel *wheel)
{
    int popped = 0;
    while (timer_wheel_pop(wheel))
        popped++;
    return popped;
}

static int expire(struct timer_wheel *wheel, uint64_t now)
{
    timer_wheel_advance(wheel, now);
    return pop_all(wheel);
}

/* What a failure says of a wheel: where it began, what was inserted, what it did. */
static void expect(bool holds, uint64_t from, uint64_t deadline, const char *what)
{
    if (!holds)
        fail_msg("a wheel that begins at %#llx, a timer of %#llx: %s",
                 (unsigned long long)from, (unsigned long long)deadline, what);
}

static void expect_next(struct timer_wheel *wheel, uint64_t expected, const char *when)
{
    uint64_t got = timer_wheel_next(wheel);
    if (got != expected)
        fail_msg("%s: timer_wheel_next should be %llu, got %llu", when,
                 (unsigned long long)expected, (unsigned long long)got);
}

/* Time moves on to `now`, and so many timers are due. */
static void expect_expired(struct timer_wheel *wheel, uint64_t now, int expected,
                           const char *when)
{
    int got = expire(wheel, now);
    if (got != expected)
        fail_msg("%s: advanced to %llu, %d should be due, got %d", when,
                 (unsigned long long)now, expected, got);
}

/* NULL: the batch is over. */
static void expect_pop(struct timer_wheel *wheel, const struct wheel_timer *expected,
                       const char *when)
{
    const struct wheel_timer *got = timer_wheel_pop(wheel);
    if (got != expected)
        fail_msg("%s: pop should give %s, it gave %s", when,
                 expected ? "a timer" : "NULL",
                 !got       ? "NULL"
                 : expected ? "another timer"
                            : "a timer");
}

/* The batch is exactly these timers, in this order. */
static void expect_batch(struct timer_wheel *wheel, const struct wheel_timer *timers,
                         int count)
{
    for (int i = 0; i <= count; i++) {
        const struct wheel_timer *got = timer_wheel_pop(wheel);
        int which = got ? (int)(got - timers) : -1;
        if (which != (i < count ? i : -1))
            fail_msg("pop number %d gave timer %d (-1: NULL), expected timer %d", i,
                     which, i < count ? i : -1);
    }
}

/* Each edge of the structure: digits that are full, digits that begin, the last level,
 * the ends of the range. */
static const uint64_t edges[] = {
    0,
    1,
    62,
    63,
    64,
    65,
    4095,
    4096,
    (UINT64_C(1) << 36) - 1,
    UINT64_C(1) << 36,
    (UINT64_C(1) << 36) + 1,
    (UINT64_C(1) << 60) - 1,
    UINT64_C(1) << 60,
    (UINT64_C(1) << 63) - 1,
    UINT64_C(1) << 63,
    UINT64_MAX - 63,
    UINT64_MAX - 2,
    UINT64_MAX - 1,
};

/* ---- T1, T2, T3 */

static void T1_each_deadline_fires_at_its_own_nanosecond(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    for (size_t from = 0; from < ARRAY_SIZE(edges); from++) {
        for (size_t to = from + 1; to < ARRAY_SIZE(edges); to++) {
            struct wheel_timer timer = { 0 };
            timer_wheel_init(&wheel, edges[from]);
            timer_wheel_insert(&wheel, &timer, edges[to]);
            uint64_t start = edges[from], end = edges[to];
            expect(timer_wheel_next(&wheel) == end, start, end, "is not the next");
            expect(expire(&wheel, end - 1) == 0, start, end,
                   "fires a nanosecond early");
            expect(timer_wheel_next(&wheel) == end, start, end,
                   "is not the next a nanosecond before it is due");
            timer_wheel_advance(&wheel, end);
            expect(timer_wheel_pop(&wheel) == &timer, start, end,
                   "does not fire when it is due");
            expect(!wheel_timer_linked(&timer), start, end, "is linked after it fired");
            expect(timer_wheel_next(&wheel) == CLOCK_NEVER, start, end,
                   "was the last, and next says that there is one more");
        }
    }
}

static void T1_a_saturated_deadline_is_a_real_one(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    struct wheel_timer timer = { 0 };
    timer_wheel_init(&wheel, 5);
    timer_wheel_insert(&wheel, &timer, clock_after(5, UINT64_MAX));
    assert_true(timer_wheel_next(&wheel) != CLOCK_NEVER);
    assert_int_equal(expire(&wheel, CLOCK_NEVER - 2), 0);
    assert_int_equal(expire(&wheel, CLOCK_NEVER - 1), 1);
}

static void insert_the_sentinel(void *argument)
{
    struct timer_wheel *wheel = argument;
    struct wheel_timer timer = { 0 };
    timer_wheel_insert(wheel, &timer, CLOCK_NEVER);
}

static void advance_to_the_sentinel(void *argument)
{
    struct timer_wheel *wheel = argument;
    timer_wheel_advance(wheel, timer_wheel_next(wheel));
}

static void T1_the_sentinel_is_no_deadline(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    timer_wheel_init(&wheel, 0);
    assert_dies(insert_the_sentinel, &wheel, "nothing to insert");
    assert_dies(advance_to_the_sentinel, &wheel, "was the wheel empty?");
}

/* A virtual clock that always goes to the next deadline finds each timer at exactly its
 * own time, and nothing is due a nanosecond before. */
static void T2_a_virtual_clock_meets_each_deadline_exactly(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    static struct wheel_timer timers[COUNT];
    struct timer_wheel wheel;
    uint64_t seed = 7, next;
    int popped = 0;
    timer_wheel_init(&wheel, 0);
    for (int i = 0; i < COUNT; i++)
        timer_wheel_insert(&wheel, &timers[i],
                           1 + next_random(&seed) % (i % 2 ? 1000 : NS_PER_S));
    while ((next = timer_wheel_next(&wheel)) != CLOCK_NEVER) {
        struct wheel_timer *timer;
        assert_int_equal(expire(&wheel, next - 1), 0);
        timer_wheel_advance(&wheel, next);
        assert_non_null(timer = timer_wheel_pop(&wheel));
        do {
            assert_true(timer->deadline == next);
            popped++;
        } while ((timer = timer_wheel_pop(&wheel)) != NULL);
    }
    assert_int_equal(popped, COUNT);
}

/* tokio#6866: a slot whose index is lower than that of now is not in the past. */
static void T2_digits_that_wrap_are_not_late(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    struct wheel_timer near = { 0 }, far = { 0 };
    timer_wheel_init(&wheel, 4095 - 2);
    timer_wheel_insert(&wheel, &far, 4096 + 1);
    timer_wheel_insert(&wheel, &near, 4096);
    const char *when = "at 4093, inserted 4097 and 4096";
    expect_expired(&wheel, 4095, 0, when);
    expect_next(&wheel, 4096, when);
    expect_expired(&wheel, 4096, 1, when);
    expect_next(&wheel, 4097, when);
    expect_expired(&wheel, 4097, 1, when);
}

static void T3_a_very_short_sleep_after_a_long_one_ends(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    struct wheel_timer hour = { 0 }, brief = { 0 };
    uint64_t start = 123456789;
    timer_wheel_init(&wheel, start);
    timer_wheel_insert(&wheel, &hour, start + 3600 * NS_PER_S);
    assert_int_equal(timer_wheel_next(&wheel), hour.deadline);
    timer_wheel_insert(&wheel, &brief, start + NS_PER_US);
    assert_int_equal(timer_wheel_next(&wheel), start + NS_PER_US);
    timer_wheel_advance(&wheel, start + NS_PER_US);
    assert_ptr_equal(timer_wheel_pop(&wheel), &brief);
    assert_null(timer_wheel_pop(&wheel));
    assert_int_equal(expire(&wheel, hour.deadline), 1);
    timer_wheel_insert(&wheel, &brief, hour.deadline + 1); /* and after its end */
    assert_int_equal(expire(&wheel, hour.deadline + 1), 1);
}

/* ---- order, batches */

static void equal_deadlines_expire_in_order_of_insertion(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    struct wheel_timer timers[4] = { 0 }, other = { 0 };
    timer_wheel_init(&wheel, 0);
    timer_wheel_insert(&wheel, &timers[0], 5000);
    timer_wheel_insert(&wheel, &other, 4990);
    timer_wheel_insert(&wheel, &timers[1], 5000);
    const char *when = "inserted 5000, 4990, 5000";
    expect_expired(&wheel, 4990, 1, when); /* the others cascade */
    timer_wheel_insert(&wheel, &timers[2], 5000);
    expect_expired(&wheel, 4999, 0, "three of 5000 are left");
    timer_wheel_insert(&wheel, &timers[3], 5000);
    timer_wheel_advance(&wheel, 6000);
    expect_batch(&wheel, timers, 4);
}

static void what_is_overdue_waits_for_the_next_advance(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    struct wheel_timer again = { 0 }, later = { 0 };
    timer_wheel_init(&wheel, 100);
    timer_wheel_insert(&wheel, &later, 101);
    timer_wheel_insert(&wheel, &again, 3);
    const char *when = "at 100, inserted 101, and 3, which is over";
    expect_next(&wheel, 100, when);
    expect_pop(&wheel, NULL, when);
    timer_wheel_advance(&wheel, 101);
    when = "advanced to 101, the overdue one first";
    for (int i = 0; i < 3; i++) { /* again and again does not trap the loop */
        expect_pop(&wheel, &again, when);
        timer_wheel_insert(&wheel, &again, 101);
        if (i == 0)
            expect_pop(&wheel, &later, "at 101, the overdue one is out, 101 is due");
        when = "at 101, popped and inserted for 101 again";
        expect_pop(&wheel, NULL, when);
        expect_next(&wheel, 101, when);
        timer_wheel_advance(&wheel, 101);
        when = "advanced to 101 once more";
    }
    timer_wheel_remove(&wheel, &again);
    expect_pop(&wheel, NULL, "the last one was removed");
    expect_next(&wheel, CLOCK_NEVER, "the last one was removed");
}

static void a_timer_of_the_batch_can_still_be_removed(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    struct wheel_timer timers[5] = { 0 };
    timer_wheel_init(&wheel, 0);
    for (int i = 0; i < 4; i++)
        timer_wheel_insert(&wheel, &timers[i], 200); /* found together */
    timer_wheel_insert(&wheel, &timers[4], 7000);    /* not found yet */
    timer_wheel_advance(&wheel, 8000);
    assert_ptr_equal(timer_wheel_pop(&wheel), &timers[0]);
    timer_wheel_remove(&wheel, &timers[1]);
    timer_wheel_remove(&wheel, &timers[1]);
    timer_wheel_remove(&wheel, &timers[3]);
    timer_wheel_remove(&wheel, &timers[4]);
    assert_int_equal(timer_wheel_next(&wheel), 8000);
    assert_ptr_equal(timer_wheel_pop(&wheel), &timers[2]);
    assert_null(timer_wheel_pop(&wheel));
    assert_int_equal(timer_wheel_next(&wheel), CLOCK_NEVER);
}

static void an_unfinished_batch_goes_on(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    struct wheel_timer timers[3] = { 0 };
    timer_wheel_init(&wheel, 0);
    for (int i = 0; i < 3; i++)
        timer_wheel_insert(&wheel, &timers[i], 10 + 100 * i);
    timer_wheel_advance(&wheel, 1000);
    expect_pop(&wheel, &timers[0], "inserted 10, 110, 210, advanced to 1000");
    expect_next(&wheel, 1000, "of 10, 110, 210 one was popped"); /* do not sleep yet */
    timer_wheel_insert(&wheel, &timers[0], 1001);
    /* backwards: time stays */
    expect_expired(&wheel, 50, 2, "at 1000, 110 and 210 not popped yet, 1001 inserted");
    expect_next(&wheel, 1001, "at 1000, 1001 is left");
}

/* ---- next, remove */

static void next_is_exact_when_the_earliest_is_removed(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    for (int ordered = 0; ordered < 2; ordered++) {
        static struct wheel_timer timers[COUNT];
        struct timer_wheel wheel;
        timer_wheel_init(&wheel, 0);
        for (uint64_t i = 0; i < COUNT; i++) /* 77 and 200: every number once */
            timer_wheel_insert(&wheel, &timers[ordered ? i : i * 77 % COUNT],
                               NS_PER_S + (ordered ? i : i * 77 % COUNT) * 300);
        for (uint64_t i = 0; i < COUNT; i++) {
            expect_next(&wheel, NS_PER_S + i * 300,
                        ordered ? "inserted in order, all that were earlier are removed"
                                : "inserted in disorder, all that were earlier are "
                                  "removed");
            timer_wheel_remove(&wheel, &timers[i]);
        }
        expect_next(&wheel, CLOCK_NEVER, "all 200 were removed");
    }
}

static void a_timer_that_is_not_linked_is_removed_in_peace(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    struct wheel_timer timer = { 0 }, copy;
    timer_wheel_init(&wheel, 9);
    timer_wheel_remove(&wheel, &timer);
    copy = timer;
    timer_wheel_insert(&wheel, &copy, 10);
    assert_int_equal(expire(&wheel, 10), 1);
    timer_wheel_remove(&wheel, &copy);
    assert_int_equal(timer_wheel_next(&wheel), CLOCK_NEVER);
}

static void insert_twice(void *argument)
{
    struct wheel_timer timer = { 0 };
    timer_wheel_insert(argument, &timer, 10);
    timer_wheel_insert(argument, &timer, 20);
}

static void a_linked_timer_cannot_be_inserted(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    timer_wheel_init(&wheel, 0);
    assert_dies(insert_twice, &wheel, "linked already");
}

/* A wheel that walked over empty slots would not come back from this one. */
static void a_gap_of_centuries_is_one_step(void **state)
{
    (void)state;
    struct timer_wheel wheel;
    struct wheel_timer first = { 0 }, last = { 0 };
    for (int i = 0; i < 1000; i++) {
        timer_wheel_init(&wheel, 0);
        timer_wheel_insert(&wheel, &last, UINT64_MAX - 1);
        timer_wheel_insert(&wheel, &first, 1 + i);
        const char *when = "one within a microsecond, one at 2^64 - 2";
        expect_expired(&wheel, UINT64_MAX / 2, 1, when);
        expect_expired(&wheel, UINT64_MAX - 2, 0, when);
        expect_expired(&wheel, UINT64_MAX - 1, 1, when);
    }
}

static void a_million_deadlines_come_out_in_order(void **state)
{
    (void)state;
    size_t count = testing_instrumented() ? 20000 : 1000000;
    struct wheel_timer *timers = calloc(count, sizeof *timers);
    struct timer_wheel wheel;
    uint64_t seed = 11, last = 0;
    size_t popped = 0, disorder = 0;
    assert_non_null(timers);
    timer_wheel_init(&wheel, 0);
    for (size_t i = 0; i < count; i++)
        timer_wheel_insert(&wheel, &timers[i], 1 + next_random(&seed) % NS_PER_S);
    for (uint64_t now = 0; now <= NS_PER_S; now += 10 * NS_PER_MS) {
        struct wheel_timer *timer;
        timer_wheel_advance(&wheel, now);
        while ((timer = timer_wheel_pop(&wheel)) != NULL) {
            disorder += timer->deadline < last || timer->deadline > now;
            last = timer->deadline;
            popped++;
        }
    }
    free(timers);
    assert_int_equal(popped, count);
    assert_int_equal(disorder, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(T1_each_deadline_fires_at_its_own_nanosecond),
        cmocka_unit_test(T1_a_saturated_deadline_is_a_real_one),
        cmocka_unit_test(T1_the_sentinel_is_no_deadline),
        cmocka_unit_test(T2_a_virtual_clock_meets_each_deadline_exactly),
        cmocka_unit_test(T2_digits_that_wrap_are_not_late),
        cmocka_unit_test(T3_a_very_short_sleep_after_a_long_one_ends),
        cmocka_unit_test(equal_deadlines_expire_in_order_of_insertion),
        cmocka_unit_test(what_is_overdue_waits_for_the_next_advance),
        cmocka_unit_test(a_timer_of_the_batch_can_still_be_removed),
        cmocka_unit_test(an_unfinished_batch_goes_on),
        cmocka_unit_test(next_is_exact_when_the_earliest_is_removed),
        cmocka_unit_test(a_timer_that_is_not_linked_is_removed_in_peace),
        cmocka_unit_test(a_linked_timer_cannot_be_inserted),
        cmocka_unit_test(a_gap_of_centuries_is_one_step),
        cmocka_unit_test(a_million_deadlines_come_out_in_order),
    };
    return cmocka_run_group_tests_name("timer_wheel", tests, NULL, NULL);
}
