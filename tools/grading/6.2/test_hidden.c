/* Hidden test of exercise 6.2: thousands of arrows in seeded order, of 1 to 48 workers,
 * beside a plain model. Which of several sleepers with parkers of their own is woken is
 * the module's choice. */
#include "common/testing/testing.h"

#include "lesson06_worksteal/idle.h"

enum state { BUSY, POLLS, SEARCHES, SLEEPS, WOKEN };

static struct idle idle;
static uint64_t dice = 6002;

static struct {
    unsigned workers;
    enum state at[IDLE_WORKERS_MAX];
    int watch;
    bool deep;
} model;

static unsigned throw_dice(unsigned sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)(dice % sides);
}

static unsigned count(enum state at)
{
    unsigned n = 0;
    for (unsigned i = 0; i < model.workers; i++)
        n += model.at[i] == at;
    return n;
}

static unsigned searching(void)
{
    return count(SEARCHES) + count(WOKEN);
}

static void expect(const char *what, unsigned worker, long got, long expected)
{
    if (got != expected)
        fail_msg("%s, worker %u of %u: expected %ld, got %ld", what, worker,
                 model.workers, expected, got);
}

/* What a function that wakes a sleeper, if there is one, has returned. */
static void expect_one_woken(const char *what, unsigned worker, int got)
{
    bool watch_sleeps = model.watch >= 0 && model.at[model.watch] == SLEEPS;
    if (count(SLEEPS) == 0) {
        expect(what, worker, got, IDLE_NOBODY);
    } else if (watch_sleeps && (model.deep || count(SLEEPS) == 1)) {
        expect(what, worker, got, IDLE_WATCH);
        model.at[model.watch] = WOKEN;
    } else if (got < 0 || got >= (int)model.workers || got == model.watch ||
               model.at[got] != SLEEPS) {
        fail_msg("%s, worker %u of %u: woke %d, which does not sleep in a parker of "
                 "its own",
                 what, worker, model.workers, got);
    } else {
        model.at[got] = WOKEN;
    }
}

static void lose_watch(void)
{
    model.watch = IDLE_NOBODY;
    model.deep = false;
}

static void announce(unsigned me)
{
    bool searched = model.at[me] == SEARCHES;
    enum idle_place place = IDLE_OWN_PARKER;
    model.at[me] = SLEEPS;
    if (model.watch < 0) {
        model.watch = (int)me;
        model.deep = count(SLEEPS) == model.workers;
        place = model.deep ? IDLE_WATCH_DEEP : IDLE_WATCH_LIMITED;
    }
    expect("announce (0 own parker, 1 limited, 2 deep)", me,
           (long)idle_announce(&idle, me, searched), (long)place);
}

static void busy(unsigned me)
{
    unsigned what = throw_dice(3);
    if (what == 0) {
        announce(me);
    } else if (what == 1) {
        bool may = 2 * searching() < model.workers;
        expect("start_search", me, idle_start_search(&idle), may);
        model.at[me] = may ? SEARCHES : BUSY;
    } else {
        bool may = model.watch < 0;
        expect("try_watch", me, idle_try_watch(&idle, me), may);
        if (may) {
            model.at[me] = POLLS;
            model.watch = (int)me;
        }
    }
}

static void stop_searching(unsigned me)
{
    model.at[me] = BUSY;
    bool last = searching() == 0;
    int woken = idle_end_search(&idle);
    if (last)
        expect_one_woken("end_search of the last searcher", me, woken);
    else
        expect("end_search, others search", me, woken, IDLE_NOBODY);
}

static void leave_watch(unsigned me)
{
    model.at[me] = BUSY;
    lose_watch();
    int woken = idle_leave_watch(&idle);
    if (searching() == 0)
        expect_one_woken("leave_watch", me, woken);
    else
        expect("leave_watch while one searches", me, woken, IDLE_NOBODY);
}

static void turn(unsigned me)
{
    switch (model.at[me]) {
    case BUSY:
        busy(me);
        break;
    case POLLS:
        leave_watch(me);
        break;
    case SEARCHES:
        if (throw_dice(2))
            announce(me);
        else
            stop_searching(me);
        break;
    case SLEEPS:
    case WOKEN:
        if (model.at[me] == SLEEPS && throw_dice(4))
            break; /* sleeps on */
        expect("retract", me, idle_retract(&idle, me), model.at[me] == WOKEN);
        model.at[me] = SEARCHES;
        if (model.watch == (int)me)
            lose_watch();
        break;
    }
}

static void bring_work(unsigned whom)
{
    if (throw_dice(2)) {
        int woken = idle_pick(&idle);
        if (searching() == 0)
            expect_one_woken("pick", whom, woken);
        else
            expect("pick while one searches", whom, woken, IDLE_NOBODY);
    } else {
        long expected = model.at[whom] != SLEEPS   ? IDLE_NOBODY
                        : model.watch == (int)whom ? IDLE_WATCH
                                                   : (int)whom;
        expect("claim", whom, idle_claim(&idle, whom), expected);
        if (expected != IDLE_NOBODY)
            model.at[whom] = WOKEN;
    }
}

static void thousands_of_arrows(void **state)
{
    (void)state;
    static const unsigned workers[] = { 1, 2, 3, 7, 48 };
    for (size_t i = 0; i < ARRAY_SIZE(workers); i++) {
        memset(&model, 0, sizeof model);
        model.workers = workers[i];
        lose_watch();
        idle_init(&idle, workers[i]);
        for (unsigned step = 0; step < 20000; step++) {
            unsigned worker = throw_dice(model.workers);
            if (throw_dice(4))
                turn(worker);
            else
                bring_work(worker);
            expect("asleep", worker, idle_sleeping(&idle), count(SLEEPS));
            expect("searching", worker, idle_searching(&idle), searching());
            expect("the watch", worker, idle_watch(&idle), model.watch);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_of_arrows),
    };
    return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
