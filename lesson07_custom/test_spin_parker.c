/* The spin parker: a parker like any other (the contract), that looks round before it
 * sleeps, and only then. */
#include "lesson02_wakers/parker_contract.h"

#include "lesson02_wakers/thread_parker.h"
#include "lesson07_custom/spin_parker.h"

/* ---- the contract. A nanosecond: the first park of a pause looks round, the second
 * sleeps. */

static struct bed {
    struct thread_parker inner;
    struct spin_parker spin;
    _Atomic uint64_t polls;
} bed;

static struct parker *open_subject(void *world)
{
    struct bed *self = world;
    thread_parker_init(&self->inner);
    spin_parker_init(&self->spin, &self->inner.parker, &self->polls, 1);
    return &self->spin.parker;
}

static void close_subject(void *world)
{
    (void)world;
}

static struct parker_subject a_spin_parker = { .name = "spin",
                                               .world = &bed,
                                               .open = open_subject,
                                               .close = close_subject,
                                               .signal_safe = true };

/* ---- what it asks of the parker inside */

struct inner {
    struct parker parker;
    int64_t asked; /* of the last park */
    unsigned looks, sleeps, unparks;
    int error;
};

static int inner_park(struct parker *parker, int64_t timeout_ns)
{
    struct inner *self = container_of(parker, struct inner, parker);
    self->asked = timeout_ns;
    *(timeout_ns == 0 ? &self->looks : &self->sleeps) += 1;
    return self->error;
}

static void inner_unpark(struct parker *parker)
{
    container_of(parker, struct inner, parker)->unparks++;
}

static const struct parker_ops inner_ops = { "inner", inner_park, inner_unpark };

/* Parks until the inner parker is asked to sleep; returns the number of looks before. */
static unsigned looks_before_sleep(struct spin_parker *spin, struct inner *inner)
{
    unsigned looks = inner->looks, sleeps = inner->sleeps;
    WAIT_UNTIL(parker_park(&spin->parker, 7) == 0 && inner->sleeps > sleeps);
    assert_int_equal(inner->asked, 7);
    return inner->looks - looks;
}

static void it_looks_round_before_each_sleep(void **state)
{
    (void)state;
    struct inner inner = { .parker = { &inner_ops } };
    struct spin_parker spin;
    _Atomic uint64_t polls = 1;
    spin_parker_init(&spin, &inner.parker, &polls, 1000);
    for (int i = 0; i < 3; i++)
        assert_true(looks_before_sleep(&spin, &inner) >= 1);
}

static void a_poll_begins_the_time_anew(void **state)
{
    (void)state;
    struct inner inner = { .parker = { &inner_ops } };
    struct spin_parker spin;
    _Atomic uint64_t polls = 0;
    spin_parker_init(&spin, &inner.parker, &polls, 1);
    for (int i = 0; i < 100; i++) { /* far longer than a nanosecond, and never asleep */
        atomic_store_explicit(&polls, polls + 1, memory_order_relaxed);
        assert_int_equal(parker_park(&spin.parker, PARK_FOREVER), 0);
    }
    assert_int_equal(inner.looks, 100);
    assert_int_equal(inner.sleeps, 0);
    assert_int_equal(looks_before_sleep(&spin, &inner), 0);
}

static void with_no_time_to_spin_it_sleeps_at_once(void **state)
{
    (void)state;
    struct inner inner = { .parker = { &inner_ops } };
    struct spin_parker spin;
    _Atomic uint64_t polls = 0;
    spin_parker_init(&spin, &inner.parker, &polls, 0);
    assert_int_equal(parker_park(&spin.parker, PARK_FOREVER), 0);
    assert_int_equal(inner.asked, PARK_FOREVER);
    assert_int_equal(inner.looks, 0);
}

static void unparks_and_errors_pass_through(void **state)
{
    (void)state;
    struct inner inner = { .parker = { &inner_ops }, .error = -EIO };
    struct spin_parker spin;
    _Atomic uint64_t polls = 0;
    spin_parker_init(&spin, &inner.parker, &polls, NS_PER_S);
    assert_int_equal(parker_park(&spin.parker, 0), -EIO);
    assert_int_equal(parker_park(&spin.parker, PARK_FOREVER), -EIO);
    parker_unpark(&spin.parker);
    assert_int_equal(inner.unparks, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PARKER_CONTRACT(a_spin_parker),
        cmocka_unit_test(it_looks_round_before_each_sleep),
        cmocka_unit_test(a_poll_begins_the_time_anew),
        cmocka_unit_test(with_no_time_to_spin_it_sleeps_at_once),
        cmocka_unit_test(unparks_and_errors_pass_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
