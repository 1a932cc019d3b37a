/* select_any: what stays in flight is found, reported in turn, and never forgotten. */
#include "common/testing/testing.h"

#include "lesson01_futures/combine.h"
#include "lesson01_futures/countdown.h"
#include "lesson01_futures/gate.h"

#define SLOTS 3

/* Waits on a set in a loop and notes who was reported. The children and their array are
 * on the heap, so that a look at them after the end is seen by valgrind and ASan. */
struct watcher {
    ASYNC_FRAME;
    struct gatekeeper *keepers; /* borrows: SLOTS */
    struct gate *gates;         /* owns: SLOTS */
    struct future **children;   /* owns: SLOTS */
    struct select any[2];       /* one slot would do; the second is for a test */
    int slot;
    struct join rest;
    struct countdown pause;
    int rounds;         /* argument: how many reports to wait for */
    bool renew;         /* argument: replace the winner by a fresh gate, not by NULL */
    bool alternate;     /* argument: use both slots in turn */
    bool forget;        /* argument: return without cancel_all */
    bool second_set;    /* argument: wait on another set meanwhile */
    struct gate *other; /* borrows: the other set's child */
    struct future *other_children[1];
    int reports[8];
    int count;
};

static void watcher_build(struct watcher *self)
{
    self->gates = malloc(SLOTS * sizeof *self->gates);
    self->children = malloc(SLOTS * sizeof *self->children);
    CHECK(self->gates && self->children, "no memory for a test");
    for (int i = 0; i < SLOTS; i++) {
        self->gates[i] = gate(&self->keepers[i]);
        self->children[i] = &self->gates[i].future;
    }
}

static void watcher_note(struct watcher *self)
{
    int winner = self->any[self->slot].winner;
    self->reports[self->count++] = winner;
    if (winner < 0)
        return;
    gate_discard(&self->gates[winner].future);
    if (self->renew)
        self->gates[winner] = gate(&self->keepers[winner]);
    else
        self->children[winner] = NULL;
}

static enum poll_state watcher_poll(struct future *future, struct context *context)
{
    struct watcher *self = ASYNC_SELF(watcher, future);
    ASYNC_BEGIN(self, context);
    watcher_build(self);
    while (self->count < self->rounds) {
        self->slot = self->alternate ? self->count % 2 : 0;
        AWAIT(self->any[self->slot], select_any(&self->async, self->children, SLOTS));
        watcher_note(self);
    }
    if (self->second_set) {
        self->other_children[0] = &self->other->future;
        AWAIT(self->any[0], select_any(&self->async, self->other_children, 1));
    }
    AWAIT(self->pause, countdown_ms(0));
    if (self->forget)
        ASYNC_RETURN;
    AWAIT(self->rest, cancel_all(self->children, SLOTS));
    free(self->gates);
    free(self->children);
    ASYNC_END;
}

static const struct future_ops watcher_ops = ASYNC_OPS(watcher);

static struct watcher watcher(struct gatekeeper *keepers, int rounds)
{
    return (struct watcher){ .future = { &watcher_ops },
                             .keepers = keepers,
                             .rounds = rounds };
}

static void several_that_finish_at_once_are_each_reported(void **state)
{
    (void)state;
    struct gatekeeper keepers[SLOTS] = { { .open = true }, { .open = true }, { 0 } };
    struct watcher f = watcher(keepers, 3);
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    assert_int_equal(f.count, 2);
    assert_int_equal(f.reports[0], 0);
    assert_int_equal(f.reports[1], 1);
    keepers[2].open = true;
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.reports[2], 2);
}

static void S8_an_always_ready_child_does_not_hide_the_others(void **state)
{
    (void)state;
    struct gatekeeper keepers[SLOTS] = { { .open = true }, { .open = true }, { 0 } };
    struct watcher f = watcher(keepers, 6);
    f.renew = true;
    assert_int_equal(poll_once(&f.future), POLL_READY);
    for (int i = 0; i < 6; i++)
        assert_int_equal(f.reports[i], i % 2);
    assert_int_equal(keepers[0].held + keepers[1].held, 0);
}

static void with_nothing_left_the_winner_is_minus_one(void **state)
{
    (void)state;
    struct gatekeeper keepers[SLOTS] = { { .open = true },
                                         { .open = true },
                                         { .open = true } };
    struct watcher f = watcher(keepers, 5);
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.reports[2], 2);
    assert_int_equal(f.reports[3], -1);
    assert_int_equal(f.reports[4], -1);
}

struct found {
    unsigned gates;
    unsigned all;
};

static void count_gates(const struct future *future, unsigned depth, void *argument)
{
    struct found *found = argument;
    (void)depth;
    found->all++;
    found->gates += strcmp(future->ops->name, "gate") == 0;
}

/* Polls with a budget that ends in front of a given await: the walk must find each
 * child in flight once, whether the set is being awaited, lies loose, or is about to be
 * awaited again. */
static void F4_what_lies_loose_is_found_exactly_once(void **state)
{
    (void)state;
    struct gatekeeper keepers[SLOTS] = { { 0 } };
    struct watcher f = watcher(keepers, 2);
    struct found awaited = { 0 }, again = { 0 }, loose = { 0 };
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    future_walk(&f.future, count_gates, &awaited);
    keepers[0].open = true;
    struct context none = { .waker = NULL, .budget = 0 };
    assert_int_equal(future_poll(&f.future, &none), POLL_PENDING);
    future_walk(&f.future, count_gates, &again); /* stands before the second select */
    keepers[1].open = true;
    none.budget = 0;
    assert_int_equal(future_poll(&f.future, &none), POLL_PENDING);
    future_walk(&f.future, count_gates, &loose); /* stands before the countdown */
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(awaited.gates, 3);
    assert_int_equal(awaited.all, 5); /* watcher, select, three gates */
    assert_int_equal(again.gates, 2);
    assert_int_equal(loose.gates, 1);
    assert_int_equal(loose.all, 3); /* watcher, countdown, a gate */
    assert_int_equal(keepers[2].cancels, 1);
}

static void F4_what_lies_loose_is_found_once_in_any_slot(void **state)
{
    (void)state;
    struct gatekeeper keepers[SLOTS] = { { .open = true }, { 0 }, { 0 } };
    struct watcher f = watcher(keepers, 2);
    struct found found = { 0 };
    f.alternate = true;
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    future_walk(&f.future, count_gates, &found);
    keepers[1].open = true;
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(found.gates, 2);
}

static void W12_a_cancel_reaches_every_round_of_a_select_loop(void **state)
{
    (void)state;
    struct gatekeeper keepers[SLOTS] = { { 0 } };
    struct watcher f = watcher(keepers, 6);
    f.renew = true;
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    future_cancel(&f.future);
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(f.count, 6);
    assert_int_equal(keepers[0].starts, 1); /* the renewed ones did not begin */
}

static void return_with_one_in_flight(void *argument)
{
    (void)argument;
    struct gatekeeper keepers[SLOTS] = { { .open = true }, { 0 }, { 0 } };
    struct watcher f = watcher(keepers, 1);
    f.forget = true;
    poll_once(&f.future);
}

static void F4_returning_with_one_in_flight_dies(void **state)
{
    (void)state;
    assert_dies(return_with_one_in_flight, NULL,
                "'gate' of its select_any was still in flight (rule F4");
}

static void select_a_second_set(void *argument)
{
    (void)argument;
    struct gatekeeper keepers[SLOTS] = { { .open = true }, { 0 }, { 0 } };
    struct gate other = gate(&keepers[0]);
    struct watcher f = watcher(keepers, 1);
    f.second_set = true;
    f.other = &other;
    poll_once(&f.future);
}

static void F4_a_second_set_in_one_frame_dies(void **state)
{
    (void)state;
    assert_dies(select_a_second_set, NULL, "one select_any set a frame at a time");
}

/* A set that is over may be followed by another one. */
static void a_second_set_after_the_first_is_over(void **state)
{
    (void)state;
    struct gatekeeper keepers[SLOTS] = { { .open = true },
                                         { .open = true },
                                         { .open = true } };
    struct gatekeeper other_keeper = { .value = 9 };
    struct gate other = gate(&other_keeper);
    struct watcher f = watcher(keepers, 3);
    f.second_set = true;
    f.other = &other;
    assert_int_equal(poll_once(&f.future), POLL_PENDING);
    other_keeper.open = true;
    assert_int_equal(poll_once(&f.future), POLL_READY);
    assert_int_equal(other.result, 9);
}

static void await_from_outside(void *argument)
{
    struct gatekeeper keepers[SLOTS] = { { .open = true }, { 0 }, { 0 } };
    struct watcher f = watcher(keepers, 1);
    struct gate leaf = gate(&keepers[0]);
    struct future *children[1] = { &leaf.future };
    struct select *elsewhere = argument; /* far from the frame that it names */
    *elsewhere = select_any(&f.async, children, 1);
    poll_once(&elsewhere->future);
}

static void a_select_outside_of_its_frame_dies(void **state)
{
    (void)state;
    static struct select far_away;
    assert_dies(await_from_outside, &far_away, "in a slot of the frame that it names");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_that_finish_at_once_are_each_reported),
        cmocka_unit_test(S8_an_always_ready_child_does_not_hide_the_others),
        cmocka_unit_test(with_nothing_left_the_winner_is_minus_one),
        cmocka_unit_test(F4_what_lies_loose_is_found_exactly_once),
        cmocka_unit_test(F4_what_lies_loose_is_found_once_in_any_slot),
        cmocka_unit_test(W12_a_cancel_reaches_every_round_of_a_select_loop),
        cmocka_unit_test(F4_returning_with_one_in_flight_dies),
        cmocka_unit_test(F4_a_second_set_in_one_frame_dies),
        cmocka_unit_test(a_second_set_after_the_first_is_over),
        cmocka_unit_test(a_select_outside_of_its_frame_dies),
    };
    return cmocka_run_group_tests_name("select", tests, NULL, NULL);
}
