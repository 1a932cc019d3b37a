/* parker_contract: what every parker must do, as a list of tests that any of them runs.
 *
 *     static struct parker_subject a_ring = {
 *         .name = "ring",
 *         .world = &world,          // given back to each function below
 *         .open = open_ring_parker, // a fresh parker, made on the parking thread
 *         .close = close_ring_parker,
 *         .signal_safe = true,      // unpark may be called from a signal handler
 *     };
 *     const struct CMUnitTest tests[] = { PARKER_CONTRACT(a_ring) };
 *
 * The cases park on the test's main thread only, which is the one that opened the
 * parker. A wake that is lost is seen by the patience of a whole park running out; no
 * case depends on how long anything takes, except that a sleep is not shorter than
 * asked for every single time (P3 lets some be). */
#ifndef LESSON02_PARKER_CONTRACT_H
#define LESSON02_PARKER_CONTRACT_H

#include <signal.h>

#include "common/clock.h"
#include "lesson02_wakers/parker.h"
#include "lesson02_wakers/waker_probe.h"

struct parker_subject {
    const char *name;
    void *world; /* borrows */
    struct parker *(*open)(void *world);
    void (*close)(void *world);
    bool signal_safe;
};

struct parker_bench {
    struct parker *parker;
    _Atomic long work; /* brought by other threads */
    long rounds;
};

/* Parks; fails the test when nothing ended the sleep before its patience ran out. */
static inline void parker_must_wake(struct parker *parker)
{
    uint64_t before = clock_now(), patience = TEST_PATIENCE_S * NS_PER_S;
    assert_int_equal(parker_park(parker, (int64_t)patience), 0);
    if (clock_now() - before > patience / 2)
        fail_msg("a park slept for %d s: the unpark was lost", TEST_PATIENCE_S / 2);
}

/* True when, of a few sleeps, one lasted as long as it was asked to: no token is left
 * over, and the parker does sleep. */
static inline bool parker_sleeps(struct parker *parker)
{
    const uint64_t asked = 5 * NS_PER_MS;
    for (int i = 0; i < 10; i++) {
        uint64_t before = clock_now();
        assert_int_equal(parker_park(parker, (int64_t)asked), 0);
        if (clock_now() - before >= asked)
            return true;
    }
    return false;
}

static inline void P1_an_unpark_before_a_park_is_not_lost(void **state)
{
    const struct parker_subject *subject = *state;
    struct parker *parker = subject->open(subject->world);
    assert_non_null(parker->ops->name);
    for (int i = 0; i < 100; i++) {
        parker_unpark(parker);
        parker_must_wake(parker);
    }
    parker_unpark(parker); /* and one that nobody takes */
    subject->close(subject->world);
}

static inline void P2_two_unparks_are_one_token(void **state)
{
    const struct parker_subject *subject = *state;
    struct parker *parker = subject->open(subject->world);
    for (int i = 0; i < 20; i++)
        parker_unpark(parker);
    parker_must_wake(parker);
    assert_true(parker_sleeps(parker));
    subject->close(subject->world);
}

static inline void P3_a_park_with_a_limit_returns(void **state)
{
    const struct parker_subject *subject = *state;
    struct parker *parker = subject->open(subject->world);
    assert_true(parker_sleeps(parker));
    for (int64_t limit = 1; limit < INT64_C(2000000); limit *= 10)
        assert_int_equal(parker_park(parker, limit), 0);
    parker_unpark(parker);
    parker_must_wake(parker);
    subject->close(subject->world);
}

static inline void P5_park_0_never_sleeps(void **state)
{
    const struct parker_subject *subject = *state;
    struct parker *parker = subject->open(subject->world);
    uint64_t before = clock_now();
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(parker_park(parker, 0), 0);
        if (i % 100 == 0)
            parker_unpark(parker);
    }
    assert_true(clock_now() - before < TEST_PATIENCE_S * NS_PER_S);
    subject->close(subject->world);
}

static inline void *parker_bring_work(void *argument)
{
    struct parker_bench *bench = argument;
    for (long i = 0; i < bench->rounds; i++) {
        probe_count(&bench->work, 1);
        parker_unpark(bench->parker);
        if (i % 7 == 0)
            sched_yield();
    }
    return NULL;
}

/* Takes work until all of it came, sleeping whenever there is none (W1). */
static inline void parker_take_work(struct parker_bench *bench, long expected)
{
    long taken = 0;
    while (taken < expected) {
        /* acquire: pairs with probe_count */
        long got = atomic_exchange_explicit(&bench->work, 0, memory_order_acquire);
        taken += got;
        if (!got)
            parker_must_wake(bench->parker);
    }
    assert_int_equal(taken, expected);
}

static inline void P4_an_unpark_comes_from_another_thread(void **state)
{
    const struct parker_subject *subject = *state;
    struct parker_bench bench = { .parker = subject->open(subject->world),
                                  .rounds = 1 };
    for (int i = 0; i < 50; i++) {
        pthread_t thread = start_thread(parker_bring_work, &bench);
        parker_take_work(&bench, 1);
        pthread_join(thread, NULL);
    }
    subject->close(subject->world);
}

static inline void W1_hammering_from_several_threads_loses_no_wake(void **state)
{
    const struct parker_subject *subject = *state;
    struct parker_bench bench = { .parker = subject->open(subject->world),
                                  .rounds = 1000 };
    pthread_t threads[3];
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        threads[i] = start_thread(parker_bring_work, &bench);
    parker_take_work(&bench, (long)ARRAY_SIZE(threads) * bench.rounds);
    for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    subject->close(subject->world);
}

static struct parker *parker_of_signal;

static inline void parker_on_signal(int number)
{
    (void)number;
    parker_unpark(parker_of_signal);
}

static inline void P4_an_unpark_comes_from_a_signal_handler(void **state)
{
    const struct parker_subject *subject = *state;
    if (!subject->signal_safe)
        skip_because("unpark of %s is not for signal handlers", subject->name);
    struct sigaction action = { .sa_handler = parker_on_signal }, before;
    parker_of_signal = subject->open(subject->world);
    sigaction(SIGUSR2, &action, &before);
    for (int i = 0; i < 20; i++) {
        errno = EXDEV;
        raise(SIGUSR2);
        assert_int_equal(errno, EXDEV);
        parker_must_wake(parker_of_signal);
    }
    sigaction(SIGUSR2, &before, NULL);
    subject->close(subject->world);
}

#define PARKER_CASE(case_name, subject)                                                \
    {                                                                                  \
#case_name ": " #subject, case_name, NULL, NULL, &(subject)                    \
    }

#define PARKER_CONTRACT(subject)                                                       \
    PARKER_CASE(P1_an_unpark_before_a_park_is_not_lost, subject),                      \
        PARKER_CASE(P2_two_unparks_are_one_token, subject),                            \
        PARKER_CASE(P3_a_park_with_a_limit_returns, subject),                          \
        PARKER_CASE(P5_park_0_never_sleeps, subject),                                  \
        PARKER_CASE(P4_an_unpark_comes_from_a_signal_handler, subject),                \
        PARKER_CASE(P4_an_unpark_comes_from_another_thread, subject),                  \
        PARKER_CASE(W1_hammering_from_several_threads_loses_no_wake, subject)

#endif
