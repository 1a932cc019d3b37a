/* Exercise 1.1: join, race, select and cancel_all, one order of events a test. Each
 * failure says after which event, what was expected, and what was there. */
#include "common/testing/testing.h"

#include "lesson01_futures/combine.h"
#include "lesson01_futures/gate.h"

#define MOST 5

static struct gatekeeper keepers[MOST];
static struct gate gates[MOST];
static struct future *children[MOST];

/* Fresh gates A, B, C ..., all closed; A finishes with 10, B with 11, and so on. */
static void fresh_gates(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        keepers[i] = (struct gatekeeper){ .value = 10 + (int)i };
        gates[i] = gate(&keepers[i]);
        children[i] = &gates[i].future;
    }
}

static void poll_expecting(struct future *future, enum poll_state expected,
                           const char *when)
{
    static const char *const names[] = { "PENDING", "READY" };
    enum poll_state got = poll_once(future);
    if (got != expected)
        fail_msg("%s: the poll returned %s, expected %s", when, names[got],
                 names[expected]);
}

static void expect_number(const char *when, char child, const char *what, long expected,
                          long got)
{
    if (got != expected)
        fail_msg("%s: child %c %s: expected %ld, got %ld", when, child, what, expected,
                 got);
}

static void expect_polls(const char *when, unsigned child, unsigned expected)
{
    expect_number(when, (char)('A' + child), "was polled so many times", expected,
                  (long)keepers[child].polls);
}

static void expect_cancels(const char *when, unsigned child, unsigned expected)
{
    expect_number(when, (char)('A' + child), "was cancelled so many times", expected,
                  (long)keepers[child].cancels);
}

static void expect_result(const char *when, unsigned child, int expected)
{
    if (!future_is_done(&gates[child].future))
        fail_msg("%s: child %c is still in flight", when, 'A' + (int)child);
    expect_number(when, (char)('A' + child),
                  expected == -ECANCELED ? "has the result (-ECANCELED expected)"
                                         : "has the result",
                  expected, gates[child].result);
}

static void expect_winner(const char *when, int expected, int got)
{
    if (got != expected)
        fail_msg("%s: the winner: expected %d, got %d", when, expected, got);
}

/* ---- join */

static void F4_join_waits_for_every_child(void **state)
{
    (void)state;
    fresh_gates(3);
    children[1] = NULL;
    struct join join = join_all(children, 3);
    poll_expecting(&join.future, POLL_PENDING, "join of A, NULL, C, all closed");
    keepers[2].open = true;
    poll_expecting(&join.future, POLL_PENDING, "C opened, A is closed");
    expect_result("C opened, A is closed", 2, 12);
    keepers[0].open = true;
    poll_expecting(&join.future, POLL_READY, "A opened as well");
    expect_result("A opened as well", 0, 10);
    struct join none = join_all(NULL, 0);
    poll_expecting(&none.future, POLL_READY, "a join of no child");
}

static void F5_join_asks_who_is_not_done_and_nobody_else(void **state)
{
    (void)state;
    fresh_gates(3);
    struct join join = join_all(children, 3);
    keepers[1].open = true;
    for (int i = 0; i < 4; i++)
        poll_expecting(&join.future, POLL_PENDING, "join of A, B, C; only B is open");
    expect_polls("four polls of a join; B was done in the first", 0, 4);
    expect_polls("four polls of a join; B was done in the first", 1, 1);
    expect_polls("four polls of a join; B was done in the first", 2, 4);
}

static void F6_join_passes_a_cancel_on_once(void **state)
{
    (void)state;
    static const char when[] = "join of A (done), B, C (cannot stop), cancelled twice";
    fresh_gates(3);
    struct join join = join_all(children, 3);
    keepers[0].open = true;
    keepers[2].stubborn = true;
    poll_expecting(&join.future, POLL_PENDING, "join of A, B, C; only A is open");
    future_cancel(&join.future);
    future_cancel(&join.future);
    expect_cancels(when, 1, 1);
    expect_cancels(when, 2, 1);
    poll_expecting(&join.future, POLL_PENDING, when);
    expect_result(when, 1, -ECANCELED);
    keepers[2].open = true;
    poll_expecting(&join.future, POLL_READY, "and then C could stop");
    expect_result(when, 0, 10);
    expect_result("and then C could stop", 2, 12);
}

static void F7_cancel_all_cancels_and_asks_in_its_first_poll(void **state)
{
    (void)state;
    fresh_gates(2);
    poll_once(children[0]);
    struct join rest = cancel_all(children, 2);
    expect_cancels("cancel_all was made, and not polled", 0, 0);
    poll_expecting(&rest.future, POLL_READY, "cancel_all of A (begun) and B (not)");
    expect_result("cancel_all of A (begun) and B (not)", 0, -ECANCELED);
    expect_result("cancel_all of A (begun) and B (not)", 1, -ECANCELED);
    expect_number("cancel_all of A (begun) and B (not)", 'B', "began so many times", 0,
                  (long)keepers[1].starts);
}

/* A function that waits for a gate and for a child which cancels that function. */
struct tree {
    ASYNC_FRAME;
    struct future rebel;
    bool rebel_was_cancelled;
    struct future *both[2];
    struct join join;
};

static enum poll_state rebel_poll(struct future *future, struct context *context)
{
    struct tree *tree = container_of(future, struct tree, rebel);
    (void)context;
    if (tree->rebel_was_cancelled)
        return POLL_READY;
    future_cancel(&tree->future);
    return POLL_PENDING;
}

static void rebel_cancel(struct future *future)
{
    container_of(future, struct tree, rebel)->rebel_was_cancelled = true;
}

static const struct future_ops rebel_ops = { .name = "rebel",
                                             .size = FUTURE_SIZE(struct future),
                                             .poll = rebel_poll,
                                             .cancel = rebel_cancel };

static enum poll_state tree_poll(struct future *future, struct context *context)
{
    struct tree *self = ASYNC_SELF(tree, future);
    ASYNC_BEGIN(self, context);
    self->rebel = (struct future){ &rebel_ops };
    self->both[0] = children[0];
    self->both[1] = &self->rebel;
    AWAIT(self->join, join_all(self->both, 2));
    ASYNC_END;
}

static const struct future_ops tree_ops = ASYNC_OPS(tree);

static void F7_a_cancel_from_below_reaches_who_was_asked_before(void **state)
{
    (void)state;
    static const char when[] =
        "join of A and of a child that cancels the whole tree in "
        "its poll";
    fresh_gates(1);
    struct tree tree = { .future = { &tree_ops } };
    poll_expecting(&tree.future, POLL_READY, when);
    expect_result(when, 0, -ECANCELED);
    expect_polls(when, 0, 2);
}

/* ---- race */

static void F6_race_is_won_by_a_child_that_was_ready_before(void **state)
{
    (void)state;
    static const char when[] = "race of A and B; B was READY before the race began";
    fresh_gates(2);
    keepers[1].open = true;
    poll_once(children[1]);
    struct race two = race(children, 2);
    poll_expecting(&two.future, POLL_READY, when);
    expect_winner(when, 1, two.winner);
    expect_number(when, 'A', "began so many times", 0, (long)keepers[0].starts);
}

static void F7_race_asks_a_loser_again_after_its_cancel(void **state)
{
    (void)state;
    static const char when[] = "race of A (closed) and B (open), one poll";
    fresh_gates(2);
    keepers[1].open = true;
    struct race two = race(children, 2);
    poll_expecting(&two.future, POLL_READY, when);
    expect_winner(when, 1, two.winner);
    expect_result(when, 0, -ECANCELED);
    expect_polls(when, 0, 2);
}

static void F4_race_awaits_a_loser_that_cannot_stop(void **state)
{
    (void)state;
    fresh_gates(5);
    children[2] = NULL;
    struct race many = race(children, 5);
    poll_expecting(&many.future, POLL_PENDING, "race of A, B, NULL, D, E, all closed");
    keepers[0].stubborn = true;
    keepers[3].open = true;
    poll_expecting(&many.future, POLL_PENDING, "D opened; A cannot stop");
    expect_winner("D opened; A cannot stop", 3, many.winner);
    expect_result("D opened; A cannot stop", 1, -ECANCELED);
    expect_result("D opened; A cannot stop", 4, -ECANCELED);
    keepers[0].open = true;
    poll_expecting(&many.future, POLL_READY, "and then A ended");
    expect_winner("and then A ended", 3, many.winner);
    expect_result("and then A ended (with its real result)", 0, 10);
}

/* ---- select */

/* Waits for `rounds` reports, with a fresh gate in the place of each that was
 * reported. */
struct watcher {
    ASYNC_FRAME;
    struct select any;
    struct join rest;
    int rounds, count;
    int reports[8];
};

static void note(struct watcher *self)
{
    int winner = self->any.winner;
    self->reports[self->count++] = winner;
    if (winner < 0)
        return;
    gates[winner] = gate(&keepers[winner]);
}

static enum poll_state watcher_poll(struct future *future, struct context *context)
{
    struct watcher *self = ASYNC_SELF(watcher, future);
    ASYNC_BEGIN(self, context);
    while (self->count < self->rounds) {
        AWAIT(self->any, select_any(&self->async, children, 3));
        note(self);
    }
    AWAIT(self->rest, cancel_all(children, 3));
    ASYNC_END;
}

static const struct future_ops watcher_ops = ASYNC_OPS(watcher);

static void S8_select_reports_each_in_its_turn(void **state)
{
    (void)state;
    fresh_gates(3);
    keepers[0].open = keepers[1].open = true;
    struct watcher f = { .future = { &watcher_ops }, .rounds = 6 };
    poll_expecting(
        &f.future, POLL_READY,
        "six rounds over A and B, which are always ready, and C, which is not");
    for (int i = 0; i < 6; i++)
        if (f.reports[i] != i % 2)
            fail_msg(
                "A and B are always ready: round %d reports child %d, expected %d; "
                "the reports were %d %d %d %d %d %d",
                i, f.reports[i], i % 2, f.reports[0], f.reports[1], f.reports[2],
                f.reports[3], f.reports[4], f.reports[5]);
}

static void W12_a_cancel_reaches_every_round_of_a_select(void **state)
{
    (void)state;
    fresh_gates(3);
    struct watcher f = { .future = { &watcher_ops }, .rounds = 6 };
    poll_expecting(&f.future, POLL_PENDING, "a select of A, B, C, all closed");
    future_cancel(&f.future);
    poll_expecting(&f.future, POLL_READY, "cancelled, with six rounds to go");
    if (f.count != 6)
        fail_msg("cancelled, with six rounds to go: expected 6 reports, got %d",
                 f.count);
    for (unsigned i = 0; i < 3; i++)
        expect_number("cancelled, with six rounds to go", (char)('A' + i),
                      "began so many times", 1, (long)keepers[i].starts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(F4_join_waits_for_every_child),
        cmocka_unit_test(F5_join_asks_who_is_not_done_and_nobody_else),
        cmocka_unit_test(F6_join_passes_a_cancel_on_once),
        cmocka_unit_test(F7_cancel_all_cancels_and_asks_in_its_first_poll),
        cmocka_unit_test(F7_a_cancel_from_below_reaches_who_was_asked_before),
        cmocka_unit_test(F6_race_is_won_by_a_child_that_was_ready_before),
        cmocka_unit_test(F7_race_asks_a_loser_again_after_its_cancel),
        cmocka_unit_test(F4_race_awaits_a_loser_that_cannot_stop),
        cmocka_unit_test(S8_select_reports_each_in_its_turn),
        cmocka_unit_test(W12_a_cancel_reaches_every_round_of_a_select),
    };
    return cmocka_run_group_tests_name("rounds", tests, NULL, NULL);
}
