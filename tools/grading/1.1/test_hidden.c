/* Hidden tests of exercise 1.1. They ask for cancels that come from below, for the
 * context that children are given, and for a cancel that comes when there is a winner
 * already. */
#include "common/testing/testing.h"

#include "lesson01_futures/combine.h"
#include "lesson01_futures/gate.h"

/* ---- a child that cancels the combinator around it in its first poll */

struct rebel {
    struct future future;
    struct future *whole; /* borrows: whom it cancels */
    unsigned polls;
    bool cancelled;
};

static enum poll_state rebel_poll(struct future *future, struct context *context)
{
    struct rebel *self = container_of(future, struct rebel, future);
    (void)context;
    if (self->polls++ == 0) {
        future_cancel(self->whole);
        return POLL_PENDING;
    }
    return self->cancelled ? POLL_READY : POLL_PENDING;
}

static void rebel_cancel(struct future *future)
{
    container_of(future, struct rebel, future)->cancelled = true;
}

static struct rebel rebel(struct future *whole)
{
    static const struct future_ops ops = { .name = "rebel",
                                           .size = FUTURE_SIZE(struct rebel),
                                           .poll = rebel_poll,
                                           .cancel = rebel_cancel };
    return (struct rebel){ .future = { &ops }, .whole = whole };
}

struct choosing {
    ASYNC_FRAME;
    struct future **children; /* borrows: three */
    struct select any;
    struct join rest;
};

static enum poll_state choosing_poll(struct future *future, struct context *context)
{
    struct choosing *self = ASYNC_SELF(choosing, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->any, select_any(&self->async, self->children, 3));
    AWAIT(self->rest, cancel_all(self->children, 3));
    ASYNC_END;
}

static const struct future_ops choosing_ops = ASYNC_OPS(choosing);

static void look_at(const char *what, int place, enum poll_state got,
                    const struct gate *gates, const struct rebel *rebel)
{
    if (got != POLL_READY)
        fail_msg("%s of three; child %d cancels it from below in its first poll, the "
                 "others can be cancelled: expected READY after this poll, got PENDING",
                 what, place);
    for (int i = 0; i < 2; i++)
        if (gates[i].result != -ECANCELED)
            fail_msg("%s, cancelled from below by child %d: a sibling's result: "
                     "expected %d (-ECANCELED), got %d",
                     what, place, -ECANCELED, gates[i].result);
    if (!future_is_done(&rebel->future))
        fail_msg("%s: child %d, which cancelled, was not asked again", what, place);
}

/* The rebel in each place of three; `select`: in a select_any instead of a race. */
static void rebel_at(int place, bool select)
{
    struct gatekeeper keepers[2] = { { 0 } };
    struct gate gates[2] = { gate(&keepers[0]), gate(&keepers[1]) };
    struct rebel one = rebel(NULL);
    struct future *children[3];
    for (int i = 0, next = 0; i < 3; i++)
        children[i] = i == place ? &one.future : &gates[next++].future;
    struct race three = race(children, 3);
    struct choosing choosing = { .future = { &choosing_ops }, .children = children };
    one.whole = select ? &choosing.future : &three.future;
    enum poll_state got = poll_once(one.whole);
    look_at(select ? "select_any" : "race", place, got, gates, &one);
}

static void F7_a_child_cancels_its_race_and_its_select_from_below(void **state)
{
    (void)state;
    for (int place = 0; place < 3; place++) {
        rebel_at(place, false);
        rebel_at(place, true);
    }
}

/* ---- the context */

struct waker {
    int nothing;
};

static void F2_each_child_gets_the_context_of_the_combinator(void **state)
{
    (void)state;
    struct waker waker = { 0 };
    for (int kind = 0; kind < 3; kind++) {
        static const char *const names[] = { "join_all", "race", "select_any" };
        struct gatekeeper keepers[2] = { { 0 } };
        struct gate gates[2] = { gate(&keepers[0]), gate(&keepers[1]) };
        struct future *children[3] = { &gates[0].future, NULL, &gates[1].future };
        struct join join = join_all(children, 3);
        struct race two = race(children, 3);
        struct choosing choosing = { .future = { &choosing_ops },
                                     .children = children };
        struct future *all[] = { &join.future, &two.future, &choosing.future };
        struct context context = { &waker, 17 };
        if (future_poll(all[kind], &context) != POLL_PENDING)
            fail_msg("%s of two closed gates: expected PENDING", names[kind]);
        for (int i = 0; i < 2; i++) {
            if (keepers[i].waker != &waker)
                fail_msg("%s: child %d was polled with another waker than the %s",
                         names[kind], i, names[kind]);
            int expected = kind == 2 ? 16 : 17; /* the function's await took one */
            if (keepers[i].budget != expected)
                fail_msg("%s: child %d saw a budget of %d, expected %d", names[kind], i,
                         keepers[i].budget, expected);
        }
        future_cancel(all[kind]);
        poll_once(all[kind]);
    }
}

/* ---- a cancel when the race has been won */

static void F6_a_cancel_after_the_winner_changes_nothing(void **state)
{
    (void)state;
    struct gatekeeper keepers[3] = { { .stubborn = true, .value = 5 }, { .value = 6 } };
    struct gate gates[3] = { gate(&keepers[0]), gate(&keepers[1]), gate(&keepers[2]) };
    struct future *children[3] = { &gates[0].future, &gates[1].future,
                                   &gates[2].future };
    struct race three = race(children, 3);
    poll_once(&three.future);
    keepers[1].open = true;
    if (poll_once(&three.future) != POLL_PENDING || three.winner != 1)
        fail_msg(
            "child 1 of 3 finishes while child 0 cannot stop: expected PENDING and "
            "winner 1, got winner %d",
            three.winner);
    future_cancel(&three.future);
    future_cancel(&three.future);
    if (poll_once(&three.future) != POLL_PENDING)
        fail_msg("cancelled while a loser cannot stop: expected PENDING, got READY");
    if (keepers[0].cancels != 1)
        fail_msg("the loser was cancelled %lu times, expected once",
                 keepers[0].cancels);
    keepers[0].open = true;
    if (poll_once(&three.future) != POLL_READY)
        fail_msg("the last loser has finished: expected READY, got PENDING");
    if (three.winner != 1)
        fail_msg("the winner: expected 1 as before the cancel, got %d", three.winner);
    if (gates[0].result != 5)
        fail_msg("the loser's real result: expected 5, got %d", gates[0].result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(F7_a_child_cancels_its_race_and_its_select_from_below),
        cmocka_unit_test(F2_each_child_gets_the_context_of_the_combinator),
        cmocka_unit_test(F6_a_cancel_after_the_winner_changes_nothing),
    };
    return cmocka_run_group_tests_name("combine, hidden", tests, NULL, NULL);
}
