/* The arrows of idle.h's picture, one thread: who is woken, who keeps watch, who counts
 * as a searcher. */
#include "common/testing/testing.h"

#include "lesson06_worksteal/idle.h"

static struct idle idle;

static const char *whom(int woken)
{
    static char text[2][24];
    static unsigned next;
    if (woken == IDLE_NOBODY || woken == IDLE_WATCH)
        return woken == IDLE_NOBODY ? "nobody" : "the watch";
    next ^= 1;
    snprintf(text[next], sizeof text[next], "worker %d", woken);
    return text[next];
}

static void expect_woken(const char *when, int got, int expected)
{
    if (got != expected)
        fail_msg("%s: expected to wake %s, got %s", when, whom(expected), whom(got));
}

static void expect_place(const char *when, enum idle_place got,
                         enum idle_place expected)
{
    static const char *const places[] = { "its own parker", "the watch, limited",
                                          "the watch, deep" };
    if (got != expected)
        fail_msg("%s: expected %s, got %s", when, places[expected],
                 (unsigned)got < 3 ? places[got] : "no place that there is");
}

static void expect_counts(const char *when, unsigned sleeping, unsigned searching,
                          int watch)
{
    if (idle_sleeping(&idle) != sleeping)
        fail_msg("%s: expected %u asleep, got %u", when, sleeping,
                 idle_sleeping(&idle));
    if (idle_searching(&idle) != searching)
        fail_msg("%s: expected %u searching, got %u", when, searching,
                 idle_searching(&idle));
    if (idle_watch(&idle) != watch)
        fail_msg("%s: expected the watch with %d, got %d (-1: nobody)", when, watch,
                 idle_watch(&idle));
}

static void the_first_sleeper_keeps_watch(void **state)
{
    (void)state;
    idle_init(&idle, 3);
    expect_place("worker 1 announces first, of three", idle_announce(&idle, 1, false),
                 IDLE_WATCH_LIMITED);
    expect_counts("after worker 1 announced", 1, 0, 1);
    if (!idle_start_search(&idle))
        fail_msg("worker 0, of three, may not search although nobody does");
    expect_place("worker 0 announces, a searcher", idle_announce(&idle, 0, true),
                 IDLE_OWN_PARKER);
    expect_counts("after worker 0 announced, a searcher", 2, 0, 1);
    expect_place("worker 2 announces last", idle_announce(&idle, 2, false),
                 IDLE_OWN_PARKER);
    expect_counts("all asleep", 3, 0, 1);
    idle_init(&idle, 2);
    idle_start_search(&idle);
    expect_place("worker 1 of two announces", idle_announce(&idle, 1, false),
                 IDLE_WATCH_LIMITED);
    idle_retract(&idle, 1);
    expect_place("worker 0 announces, worker 1 is awake again",
                 idle_announce(&idle, 0, true), IDLE_WATCH_LIMITED);
    idle_retract(&idle, 0);
    idle_init(&idle, 1);
    expect_place("the only worker announces", idle_announce(&idle, 0, false),
                 IDLE_WATCH_DEEP);
}

static void pick_wakes_one_and_only_if_nobody_searches(void **state)
{
    (void)state;
    idle_init(&idle, 3);
    expect_woken("pick, everybody busy", idle_pick(&idle), IDLE_NOBODY);
    idle_announce(&idle, 1, false);
    idle_announce(&idle, 2, false);
    expect_woken("pick, worker 1 in the watch and worker 2 asleep", idle_pick(&idle),
                 2);
    expect_counts("after a pick", 1, 1, 1);
    expect_woken("pick again, worker 2 counts as a searcher", idle_pick(&idle),
                 IDLE_NOBODY);
    expect_counts("after a pick that wakes nobody", 1, 1, 1);
}

static void the_last_searcher_hands_its_place_on(void **state)
{
    (void)state;
    idle_init(&idle, 4);
    idle_start_search(&idle);
    idle_start_search(&idle);
    idle_announce(&idle, 2, false);
    expect_woken("end_search, another one searches on", idle_end_search(&idle),
                 IDLE_NOBODY);
    expect_counts("after one of two searchers ended", 1, 1, 2);
    expect_woken("end_search of the last searcher, worker 2 in the watch",
                 idle_end_search(&idle), IDLE_WATCH);
    expect_counts("after the last searcher ended", 0, 1, 2);
    if (!idle_retract(&idle, 2))
        fail_msg("retract of worker 2, which was woken: expected true, got false");
    expect_counts("worker 2 is awake", 0, 1, IDLE_NOBODY);
    expect_woken("end_search, nobody sleeps", idle_end_search(&idle), IDLE_NOBODY);
    expect_counts("after end_search, all awake", 0, 0, IDLE_NOBODY);
}

static void who_wakes_by_itself_searches_too(void **state)
{
    (void)state;
    idle_init(&idle, 2);
    idle_announce(&idle, 0, false);
    if (idle_retract(&idle, 0))
        fail_msg("retract, nobody woke worker 0: expected false, got true");
    expect_counts("worker 0 woke by itself", 0, 1, IDLE_NOBODY);
    idle_announce(&idle, 0, true);
    expect_woken("claim of worker 0, in the watch", idle_claim(&idle, 0), IDLE_WATCH);
    if (!idle_retract(&idle, 0))
        fail_msg("retract, claim woke worker 0: expected true, got false");
    expect_counts("worker 0 counts once", 0, 1, IDLE_NOBODY);
}

static void claim_wakes_the_one_it_names(void **state)
{
    (void)state;
    idle_init(&idle, 3);
    expect_woken("claim of worker 2, awake", idle_claim(&idle, 2), IDLE_NOBODY);
    idle_announce(&idle, 0, false);
    idle_announce(&idle, 2, false);
    expect_woken("claim of worker 2, asleep", idle_claim(&idle, 2), 2);
    expect_woken("claim of worker 2 again", idle_claim(&idle, 2), IDLE_NOBODY);
    expect_woken("claim of worker 0, in the watch, while 2 searches",
                 idle_claim(&idle, 0), IDLE_WATCH);
    expect_counts("two claimed", 0, 2, 0);
}

static void the_watch_moves_on(void **state)
{
    (void)state;
    idle_init(&idle, 2);
    if (!idle_try_watch(&idle, 0))
        fail_msg("try_watch, nobody keeps watch: expected true, got false");
    expect_woken("leave_watch, everybody awake", idle_leave_watch(&idle), IDLE_NOBODY);
    expect_counts("after leave_watch, all awake", 0, 0, IDLE_NOBODY);
    idle_try_watch(&idle, 0);
    expect_place("worker 1 announces, busy worker 0 keeps watch",
                 idle_announce(&idle, 1, false), IDLE_OWN_PARKER);
    expect_woken("leave_watch of worker 0", idle_leave_watch(&idle), 1);
    expect_counts("after leave_watch of worker 0", 0, 1, IDLE_NOBODY);
    /* Worker 1 in the watch with a limit, worker 0 asleep: 1 comes back, goes again. */
    idle_retract(&idle, 1);
    idle_announce(&idle, 1, true);
    idle_announce(&idle, 0, false);
    idle_retract(&idle, 1);
    expect_place("worker 1 announces again, all others sleep",
                 idle_announce(&idle, 1, true), IDLE_WATCH_DEEP);
    expect_woken("pick, the watch sleeps deep", idle_pick(&idle), IDLE_WATCH);
    idle_retract(&idle, 1);
    expect_place("worker 1 announces once more", idle_announce(&idle, 1, true),
                 IDLE_WATCH_DEEP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_sleeper_keeps_watch),
        cmocka_unit_test(pick_wakes_one_and_only_if_nobody_searches),
        cmocka_unit_test(the_last_searcher_hands_its_place_on),
        cmocka_unit_test(who_wakes_by_itself_searches_too),
        cmocka_unit_test(claim_wakes_the_one_it_names),
        cmocka_unit_test(the_watch_moves_on),
    };
    return cmocka_run_group_tests_name("arrows", tests, NULL, NULL);
}
