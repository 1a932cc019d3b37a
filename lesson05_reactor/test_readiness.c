/* The word in which an edge and an operation meet: alone, step by step, and between two
 * threads. */
#include "lesson02_wakers/waker_probe.h"

#include "lesson05_reactor/readiness.h"

struct subject {
    bool shared;
};

static struct subject alone = { false }, shared = { true };

static bool arm(struct readiness *self, uint32_t seen, struct waker_probe *probe,
                bool is_shared)
{
    struct waker waker = probe_waker(probe);
    struct context context = { .waker = &waker, .budget = CONTEXT_BUDGET };
    return readiness_arm(self, seen, &context, is_shared);
}

static void edge(struct readiness *self, bool is_shared)
{
    struct waker waker = readiness_edge(self, false, is_shared);
    waker_wake(&waker);
}

static void R2_a_newer_edge_is_not_cleared(void **state)
{
    const struct subject *subject = *state;
    struct readiness self = { 0 };
    readiness_reset(&self, true);
    uint32_t seen = readiness_look(&self);
    edge(&self, subject->shared);
    readiness_clear(&self, seen, subject->shared);
    assert_true(readiness_look(&self) & READINESS_READY);
    readiness_clear(&self, readiness_look(&self), subject->shared);
    assert_false(readiness_look(&self) & READINESS_READY);
}

static void R2_nobody_is_armed_after_a_newer_edge(void **state)
{
    const struct subject *subject = *state;
    struct waker_probe probe = { 0 };
    struct readiness self = { 0 };
    uint32_t seen = readiness_look(&self);
    edge(&self, subject->shared);
    assert_false(arm(&self, seen, &probe, subject->shared));
    assert_int_equal(probe_read(&probe.live), 0);
    assert_int_equal(probe_read(&probe.wakes), 0);
}

static void one_edge_takes_the_waker(void **state)
{
    const struct subject *subject = *state;
    struct waker_probe probe = { 0 };
    struct readiness self = { 0 };
    assert_true(arm(&self, 0, &probe, subject->shared));
    edge(&self, subject->shared);
    edge(&self, subject->shared);
    assert_int_equal(probe_read(&probe.wakes), 1);
    assert_int_equal(probe_read(&probe.live), 0);
    readiness_disarm(&self, subject->shared); /* there is nothing left to drop */
    assert_int_equal(probe_read(&probe.live), 0);
    assert_int_equal(readiness_tick(&self), 2);
}

/* An edge is noted in two steps; between them the descriptor is closed, and its memory
 * and its word get a new tenant, who arms as the one before did. */
static void R4_an_edge_that_comes_late_leaves_the_new_tenant_its_waker(void **state)
{
    const struct subject *subject = *state;
    struct waker_probe before = { 0 }, after = { 0 };
    struct readiness self = { 0 };
    readiness_reset(&self, false);
    assert_true(arm(&self, readiness_look(&self), &before, subject->shared));
    uint32_t seen = readiness_look(&self); /* ... and it reads the slot */
    readiness_disarm(&self, subject->shared);
    readiness_reset(&self, false);
    assert_true(arm(&self, readiness_look(&self), &after, subject->shared));
    assert_false(
        readiness_change(&self, &seen, seen | READINESS_READY, subject->shared));
    edge(&self, subject->shared);
    assert_int_equal(probe_read(&after.wakes), 1);
    assert_int_equal(probe_read(&before.wakes), 0);
}

static void W7_the_waker_of_the_last_arming_counts(void **state)
{
    const struct subject *subject = *state;
    struct waker_probe one = { 0 }, two = { 0 };
    struct readiness self = { 0 };
    assert_true(arm(&self, 0, &one, subject->shared));
    assert_true(arm(&self, readiness_look(&self), &one, subject->shared));
    assert_int_equal(probe_read(&one.clones), 1); /* as good as the stored one */
    assert_true(arm(&self, readiness_look(&self), &two, subject->shared));
    assert_int_equal(probe_read(&one.live), 0);
    edge(&self, subject->shared);
    assert_int_equal(probe_read(&one.wakes), 0);
    assert_int_equal(probe_read(&two.wakes), 1);
    readiness_reset(&self, false);
    assert_true(arm(&self, readiness_look(&self), &two, subject->shared));
    uint32_t seen = readiness_look(&self);
    edge(&self, subject->shared); /* between the look and the arming of another */
    assert_false(arm(&self, seen, &one, subject->shared));
    assert_int_equal(probe_read(&one.live), 0);
    assert_int_equal(probe_read(&two.wakes), 2);
}

static void disarming_drops_the_waker(void **state)
{
    const struct subject *subject = *state;
    struct waker_probe probe = { 0 };
    struct readiness self = { 0 };
    assert_true(arm(&self, 0, &probe, subject->shared));
    uint32_t before = readiness_look(&self);
    readiness_disarm(&self, subject->shared);
    assert_int_equal(probe_read(&probe.live), 0);
    assert_true(arm(&self, readiness_look(&self), &probe, subject->shared));
    /* an edge that read the first waker must not take it for this one */
    assert_int_not_equal(readiness_look(&self), before);
    readiness_disarm(&self, subject->shared);
    edge(&self, subject->shared);
    assert_int_equal(probe_read(&probe.wakes), 0);
    assert_true(readiness_look(&self) & READINESS_READY);
}

/* A descriptor with room for one byte, whose edges come from another thread. */
struct descriptor {
    struct readiness readiness;
    _Atomic bool full, over;
};

static void *fill_again_and_again(void *argument)
{
    struct descriptor *self = argument;
    while (!atomic_load_explicit(&self->over, memory_order_relaxed)) {
        /* acq_rel: pairs with itself in take_one; a byte changes hands */
        if (!atomic_exchange_explicit(&self->full, true, memory_order_acq_rel))
            edge(&self->readiness, true);
        else
            sched_yield();
    }
    return NULL;
}

/* Tries, clears, arms with one of two wakers, and now and then gives up waiting. */
static bool take_one(struct descriptor *self, struct waker_probe *probes,
                     unsigned *step, uint64_t give_up)
{
    for (;;) {
        uint32_t seen = readiness_look(&self->readiness);
        if (seen & READINESS_READY) {
            /* acq_rel: pairs with itself in fill_again_and_again */
            if (atomic_exchange_explicit(&self->full, false, memory_order_acq_rel))
                return true;
            readiness_clear(&self->readiness, seen, true);
            continue;
        }
        struct waker_probe *probe = &probes[*step % 2];
        long wakes = probe_read(&probe->wakes);
        if (!arm(&self->readiness, seen, probe, true))
            continue;
        switch (++*step % 3) {
        case 0:
            continue; /* polled again, without a wake, by the other task */
        case 1:
            readiness_disarm(&self->readiness, true);
            continue;
        default:
            while (probe_read(&probe->wakes) == wakes) {
                if (testing_expired(give_up))
                    return false;
                sched_yield();
            }
        }
    }
}

#define BYTES 20000

static void R2_two_threads_lose_neither_edge_nor_waker(void **state)
{
    (void)state;
    struct descriptor self = { .full = false };
    struct waker_probe probes[2] = { 0 };
    unsigned step = 0;
    uint64_t give_up = testing_deadline();
    pthread_t filler = start_thread(fill_again_and_again, &self);
    int taken = 0;
    while (taken < BYTES && take_one(&self, probes, &step, give_up))
        taken++;
    atomic_store_explicit(&self.over, true, memory_order_relaxed);
    assert_int_equal(pthread_join(filler, NULL), 0);
    readiness_disarm(&self.readiness, true);
    assert_int_equal(taken, BYTES);
    assert_int_equal(probe_read(&probes[0].live), 0);
    assert_int_equal(probe_read(&probes[1].live), 0);
}

#define BOTH(test)                                                                     \
    { #test ": alone", test, NULL, NULL, &alone },                                     \
    {                                                                                  \
#test ": shared", test, NULL, NULL, &shared                                    \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(R2_a_newer_edge_is_not_cleared),
        BOTH(R2_nobody_is_armed_after_a_newer_edge),
        BOTH(one_edge_takes_the_waker),
        BOTH(R4_an_edge_that_comes_late_leaves_the_new_tenant_its_waker),
        BOTH(W7_the_waker_of_the_last_arming_counts),
        BOTH(disarming_drops_the_waker),
        cmocka_unit_test(R2_two_threads_lose_neither_edge_nor_waker),
    };
    return cmocka_run_group_tests_name("readiness", tests, NULL, NULL);
}
