/* Exercise 5.2, hidden: a timeout around a timeout, and what may come while the loser
 * is awaited: another waker, polls that nobody asked for, a cancel. */
#include "lesson05_reactor/timers_testing.h"

#include "lesson05_reactor/timeout.h"

#define LIMIT (10 * NS_PER_MS)

/* Finishes when told to, and does not stop for a cancel. */
struct errand {
    struct future future;
    struct waker waker;
    bool finish, cancelled, stops;
    int result;
};

static enum poll_state errand_poll(struct future *future, struct context *context)
{
    struct errand *self = container_of(future, struct errand, future);
    waker_store(&self->waker, context);
    if (!self->finish && !(self->cancelled && self->stops))
        return POLL_PENDING;
    self->result = self->finish ? 7 : -ECANCELED;
    waker_drop(&self->waker);
    return POLL_READY;
}

static void errand_cancel(struct future *future)
{
    container_of(future, struct errand, future)->cancelled = true;
}

static const struct future_ops errand_ops = { .name = "errand",
                                              .size = sizeof(struct errand),
                                              .poll = errand_poll,
                                              .cancel = errand_cancel };

static struct timers_world world;

static void expect_poll(enum poll_state expected, struct future *future, unsigned who,
                        const char *when)
{
    struct context context = timers_world_context(&world, who);
    enum poll_state got = future_poll(future, &context);
    if (got != expected)
        fail_msg("%s: expected %s, got %s", when, expected ? "READY" : "PENDING",
                 got ? "READY" : "PENDING");
}

static void expect_outcome(const struct timeout *timeout, bool expired,
                           const struct errand *errand, int result, const char *when)
{
    if (timeout->expired != expired || errand->result != result)
        fail_msg("%s: expected expired %d and the child's result %d, got %d and %d",
                 when, expired, result, timeout->expired, errand->result);
}

static void time_passes(uint64_t delay)
{
    atomic_fetch_add_explicit(&world.clock.now, delay, memory_order_relaxed);
    timers_fire(&world.timers);
}

static void a_timeout_around_a_timeout(void **state)
{
    (void)state;
    for (int outer_first = 0; outer_first < 2; outer_first++) {
        const char *when = outer_first ? "the outer limit is over first"
                                       : "the inner limit is over first";
        memset(&world, 0, sizeof world);
        open_timers_world(&world, 0);
        struct errand errand = { .future = { &errand_ops }, .stops = true };
        struct timeout inner = timeout(&errand.future, outer_first ? 2 * LIMIT : LIMIT);
        struct timeout outer = timeout(&inner.future, outer_first ? LIMIT : 2 * LIMIT);
        expect_poll(POLL_PENDING, &outer.future, 0, "first poll");
        time_passes(LIMIT - 1);
        expect_poll(POLL_PENDING, &outer.future, 0, "a nanosecond is left");
        time_passes(1);
        expect_poll(POLL_READY, &outer.future, 0, when);
        expect_outcome(&outer, outer_first, &errand, -ECANCELED, when);
        expect_outcome(&inner, !outer_first, &errand, -ECANCELED, when);
        close_timers_world(&world);
    }
}

static void another_waker_while_the_loser_is_awaited(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    open_timers_world(&world, 0);
    struct errand errand = { .future = { &errand_ops } };
    struct timeout limit = timeout(&errand.future, LIMIT);
    expect_poll(POLL_PENDING, &limit.future, 0, "first poll");
    time_passes(LIMIT);
    expect_poll(POLL_PENDING, &limit.future, 0, "the child cannot stop yet");
    expect_poll(POLL_PENDING, &limit.future, 1, "polled by another task");
    expect_poll(POLL_PENDING, &limit.future, 1, "polled unasked");
    unsigned long before = world.wakes[1].wakes;
    errand.finish = true;
    waker_wake_by_ref(&errand.waker);
    if (world.wakes[1].wakes != before + 1)
        fail_msg("the loser has finished: the waker of the last poll was woken %lu "
                 "times, expected 1",
                 (unsigned long)(world.wakes[1].wakes - before));
    expect_poll(POLL_READY, &limit.future, 1, "the loser has finished");
    expect_outcome(&limit, true, &errand, 7, "the loser has finished");
    close_timers_world(&world);
}

static void cancelled_while_the_loser_is_awaited(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    open_timers_world(&world, 0);
    struct errand errand = { .future = { &errand_ops } };
    struct timeout limit = timeout(&errand.future, LIMIT);
    expect_poll(POLL_PENDING, &limit.future, 0, "first poll");
    time_passes(LIMIT);
    expect_poll(POLL_PENDING, &limit.future, 0, "the child cannot stop yet");
    future_cancel(&limit.future);
    expect_poll(POLL_PENDING, &limit.future, 0, "cancelled, the child cannot stop yet");
    future_cancel(&limit.future);
    errand.finish = true;
    waker_wake_by_ref(&errand.waker);
    expect_poll(POLL_READY, &limit.future, 0, "the child has finished");
    expect_outcome(&limit, true, &errand, 7, "cancelled after the time was over");
    close_timers_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_timeout_around_a_timeout),
        cmocka_unit_test(another_waker_while_the_loser_is_awaited),
        cmocka_unit_test(cancelled_while_the_loser_is_awaited),
    };
    return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
