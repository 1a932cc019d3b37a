/* The idle protocol, in every order of events.
 *
 * A small world of two or three workers and somebody who submits tasks. Each step of each
 * of them is one access to something shared, and the search below tries every order of
 * steps, with the real idle.c in it, remembering the states that it has been in. At the
 * end of each order nobody may be asleep beside a task, and every task must have run.
 *
 * The explorer (explore_idle.c) runs real threads and real parkers, under weak memory as
 * well, but knows no states: it walks through each order again, so its cases are smaller. */
#include "common/testing/testing.h"

#include "lesson06_worksteal/idle.c"

#define MAX_WORKERS 3

enum step_name {
    LOOK,     /* at the queue */
    SEARCH,   /* may I? */
    LOOK_FAR, /* at the queue, as a searcher */
    TOOK,     /* a task: stop searching */
    TELL,     /* unpark whom that step named */
    RUN,
    ANNOUNCE,
    LOOK_AGAIN, /* W1 */
    ASLEEP,
    AWAKE,
    STUCK, /* in a task that does not return */
};

enum submit_name { PUSH, PICK, UNPARK, SUBMITTED };

struct model_worker {
    uint8_t at; /* enum step_name */
    bool searching;
    bool searched;
    bool in_watch;
    bool token;
    int8_t tell;
};

struct world {
    uint64_t word;
    struct model_worker workers[MAX_WORKERS];
    uint8_t queue;
    uint8_t submit; /* enum submit_name */
    uint8_t left;   /* tasks to submit */
    uint8_t ran;
    uint8_t alarms; /* how often the watch may still wake by itself: I/O, a timer */
    bool watch_token;
    bool one_sticks; /* the next task that runs does not return */
    int8_t tell;
};

static struct idle idle;
static unsigned worker_count;
static bool skip_second_look; /* W1 broken on purpose */
static bool trust_searchers;  /* W1 broken for workers that were not let in to search */
static bool skip_successor;   /* S5 broken on purpose */

/* ---- one step of one worker; false: it cannot move */

static void unpark(struct world *w, int whom)
{
    if (whom == IDLE_WATCH)
        w->watch_token = true;
    else if (whom != IDLE_NOBODY)
        w->workers[whom].token = true;
}

static bool take(struct world *w, struct model_worker *me, enum step_name otherwise)
{
    bool found = w->queue > 0;
    w->queue -= found;
    me->at = (uint8_t)(found ? TOOK : otherwise);
    return true;
}

static bool fall_asleep_or_not(struct world *w, struct model_worker *me)
{
    bool looks = !skip_second_look && (me->searched || !trust_searchers);
    bool stay = looks && w->queue > 0;
    me->at = stay ? AWAKE : ASLEEP;
    return true;
}

static bool wake_up(struct world *w, struct model_worker *me)
{
    bool *token = me->in_watch ? &w->watch_token : &me->token;
    if (*token)
        *token = false;
    else if (me->in_watch && w->alarms > 0)
        w->alarms--;
    else
        return false;
    me->at = AWAKE;
    return true;
}

static bool run(struct world *w, struct model_worker *me)
{
    w->ran++;
    me->at = w->one_sticks ? STUCK : LOOK;
    w->one_sticks = false;
    return true;
}

static bool leave_search(struct model_worker *me)
{
    me->tell = IDLE_NOBODY;
    if (me->searching)
        me->tell = (int8_t)idle_end_search(&idle);
    me->searching = false;
    if (skip_successor)
        me->tell = IDLE_NOBODY;
    me->at = TELL;
    return true;
}

static bool worker_step(struct world *w, unsigned index)
{
    struct model_worker *me = &w->workers[index];
    switch ((enum step_name)me->at) {
    case LOOK:
        return take(w, me, SEARCH);
    case SEARCH:
        me->searching = me->searching || idle_start_search(&idle);
        me->at = me->searching ? LOOK_FAR : ANNOUNCE;
        return true;
    case LOOK_FAR:
        return take(w, me, ANNOUNCE);
    case TOOK:
        return leave_search(me);
    case TELL:
        unpark(w, me->tell);
        me->tell = 0; /* forget: fewer states to tell apart */
        me->at = RUN;
        return true;
    case RUN:
        return run(w, me);
    case ANNOUNCE:
        me->searched = me->searching;
        me->in_watch = idle_announce(&idle, index, me->searching) != IDLE_OWN_PARKER;
        me->searching = false;
        me->at = LOOK_AGAIN;
        return true;
    case LOOK_AGAIN:
        return fall_asleep_or_not(w, me);
    case ASLEEP:
        return wake_up(w, me);
    case AWAKE:
        idle_retract(&idle, index);
        me->searched = me->in_watch = false;
        me->searching = true;
        me->at = LOOK;
        return true;
    case STUCK:
        break;
    }
    return false;
}

static bool submit_step(struct world *w)
{
    if (w->submit == PUSH) {
        if (w->left == 0) {
            w->submit = SUBMITTED;
            return false;
        }
        w->left--;
        w->queue++;
        w->submit = PICK;
    } else if (w->submit == PICK) {
        w->tell = (int8_t)idle_pick(&idle);
        w->submit = UNPARK;
    } else if (w->submit == UNPARK) {
        unpark(w, w->tell);
        w->tell = 0;
        w->submit = PUSH;
    } else {
        return false;
    }
    return true;
}

/* ---- every order */

#define SEEN (1u << 22)

static struct world *seen;
static unsigned states, ends, bad_ends;

static bool seen_before(const struct world *w)
{
    const unsigned char *bytes = (const unsigned char *)w;
    uint64_t hash = 14695981039346656037u;
    for (size_t i = 0; i < sizeof *w; i++)
        hash = (hash ^ bytes[i]) * 1099511628211u;
    static const struct world none;
    unsigned at = (unsigned)(hash ^ hash >> 32) % SEEN;
    for (; memcmp(&seen[at], &none, sizeof none) != 0; at = (at + 1) % SEEN)
        if (memcmp(&seen[at], w, sizeof *w) == 0)
            return true;
    CHECK(++states < SEEN / 2, "more states than expected");
    memcpy(&seen[at], w, sizeof *w); /* padding, too */
    return false;
}

static bool is_good_end(const struct world *w, unsigned tasks)
{
    return w->queue == 0 && w->left == 0 && w->ran == tasks;
}

static void explore(const struct world *w, unsigned tasks)
{
    if (seen_before(w))
        return;
    bool moved = false;
    for (unsigned i = 0; i <= worker_count; i++) {
        struct world next;
        memcpy(&next, w, sizeof next); /* padding, too: it is compared */
        atomic_store_explicit(&idle.word, next.word, memory_order_relaxed);
        if (!(i < worker_count ? worker_step(&next, i) : submit_step(&next)))
            continue;
        next.word = atomic_load_explicit(&idle.word, memory_order_relaxed);
        moved = true;
        explore(&next, tasks);
    }
    if (moved)
        return;
    ends++;
    bad_ends += !is_good_end(w, tasks);
}

static void explore_all(unsigned workers, unsigned tasks, unsigned alarms, bool sticks)
{
    static struct world start;
    memset(&start, 0, sizeof start);
    worker_count = workers;
    idle_init(&idle, workers);
    start.left = (uint8_t)tasks;
    start.alarms = (uint8_t)alarms;
    start.one_sticks = sticks;
    free(seen);
    seen = calloc(SEEN, sizeof *seen);
    assert_non_null(seen);
    states = ends = bad_ends = 0;
    explore(&start, tasks);
    if (getenv("COUNT_STATES"))
        printf("%u workers, %u tasks: %u states, %u ends\n", workers, tasks, states,
               ends);
    free(seen);
    seen = NULL;
}

static void S5_two_workers_one_submit_every_schedule(void **state)
{
    (void)state;
    explore_all(2, 1, 0, false);
    assert_true(ends > 0);
    assert_int_equal(bad_ends, 0);
    explore_all(2, 3, 1, false);
    assert_int_equal(bad_ends, 0);
}

static void S5_three_workers_every_schedule(void **state)
{
    (void)state;
    /* One thread, so valgrind and TSan have nothing to find here but time: a million
     * states less for them. */
    explore_all(3, testing_instrumented() ? 1 : 2, 0, false);
    assert_true(ends > 0);
    assert_int_equal(bad_ends, 0);
}

/* One task never returns. The other worker must run what is left, and must end up in the
 * watch, where I/O comes in. That somebody is there is invariant I2, checked at every
 * step; that the tasks run is what is left to look at. */
static void S9_a_busy_worker_strands_nobody(void **state)
{
    (void)state;
    explore_all(2, 3, 1, true);
    assert_true(ends > 0);
    assert_int_equal(bad_ends, 0);
}

static void W1_without_the_second_look_a_wake_is_lost(void **state)
{
    (void)state;
    skip_second_look = true;
    explore_all(2, 1, 0, false);
    skip_second_look = false;
    assert_true(bad_ends > 0);
}

/* It seems that a worker that was refused as a searcher need not look again: others
 * search, after all. But they may stop searching before it has announced its sleep. */
static void W1_holds_for_a_worker_that_was_not_let_in(void **state)
{
    (void)state;
    trust_searchers = true;
    explore_all(2, 3, 1, true);
    trust_searchers = false;
    assert_true(bad_ends > 0);
}

static void S5_without_a_successor_work_is_left(void **state)
{
    (void)state;
    skip_successor = true;
    explore_all(2, 2, 0, true); /* the first task sticks; who runs the second? */
    skip_successor = false;
    assert_true(bad_ends > 0);
}

/* ---- single transitions */

static void half_of_the_workers_may_search(void **state)
{
    (void)state;
    idle_init(&idle, 4);
    assert_true(idle_start_search(&idle));
    assert_true(idle_start_search(&idle));
    assert_false(idle_start_search(&idle));
    assert_int_equal(idle_end_search(&idle), IDLE_NOBODY);
    assert_true(idle_start_search(&idle));
    assert_int_equal(idle_searching(&idle), 2);
}

static void the_first_sleeper_keeps_watch_and_is_woken_last(void **state)
{
    (void)state;
    idle_init(&idle, 3);
    assert_int_equal(idle_announce(&idle, 1, false), IDLE_WATCH_LIMITED);
    assert_int_equal(idle_announce(&idle, 0, false), IDLE_OWN_PARKER);
    assert_int_equal(idle_watch(&idle), 1);
    assert_int_equal(idle_pick(&idle), 0);
    assert_int_equal(idle_pick(&idle), IDLE_NOBODY); /* 0 searches now */
    assert_int_equal(idle_end_search(&idle), IDLE_WATCH);
    assert_int_equal(idle_sleeping(&idle), 0);
    idle_retract(&idle, 1); /* it comes back from the shared parker */
    assert_int_equal(idle_watch(&idle), IDLE_NOBODY);
    assert_int_equal(idle_searching(&idle), 1);
}

static void a_watch_that_sleeps_deep_is_woken_first(void **state)
{
    (void)state;
    idle_init(&idle, 2);
    assert_int_equal(idle_announce(&idle, 0, false), IDLE_WATCH_LIMITED);
    idle_retract(&idle, 0);
    assert_int_equal(idle_announce(&idle, 0, true), IDLE_WATCH_LIMITED);
    assert_int_equal(idle_announce(&idle, 1, false), IDLE_OWN_PARKER);
    idle_retract(&idle, 0); /* its limit was over: now all others sleep */
    assert_int_equal(idle_announce(&idle, 0, true), IDLE_WATCH_DEEP);
    assert_int_equal(idle_pick(&idle), IDLE_WATCH);
}

static void a_busy_worker_hands_the_watch_over(void **state)
{
    (void)state;
    idle_init(&idle, 2);
    assert_true(idle_try_watch(&idle, 0));
    assert_false(idle_try_watch(&idle, 1));
    assert_int_equal(idle_announce(&idle, 1, false), IDLE_OWN_PARKER);
    assert_int_equal(idle_leave_watch(&idle), 1); /* so that it takes the watch */
    idle_retract(&idle, 1);
    assert_int_equal(idle_announce(&idle, 1, true), IDLE_WATCH_LIMITED);
}

static void mail_wakes_the_one_that_it_is_for(void **state)
{
    (void)state;
    idle_init(&idle, 3);
    assert_int_equal(idle_claim(&idle, 2), IDLE_NOBODY); /* it is awake */
    idle_announce(&idle, 0, false);
    idle_announce(&idle, 2, false);
    assert_int_equal(idle_claim(&idle, 2), 2);
    assert_int_equal(idle_claim(&idle, 2), IDLE_NOBODY);
    assert_int_equal(idle_claim(&idle, 0), IDLE_WATCH);
}

static void announce_twice(void *unused)
{
    (void)unused;
    idle_init(&idle, 2);
    idle_announce(&idle, 0, false);
    idle_announce(&idle, 0, false);
}

static void search_without_starting(void *unused)
{
    (void)unused;
    idle_init(&idle, 2);
    idle_announce(&idle, 0, true);
}

static void too_many(void *unused)
{
    (void)unused;
    idle_init(&idle, 1);
    idle_start_search(&idle);
    idle_announce(&idle, 0, false); /* it searches and sleeps */
}

static void S6_a_wrong_transition_stops_the_program(void **state)
{
    (void)state;
    assert_dies(announce_twice, NULL, "worker 0 sleeps already");
    assert_dies(search_without_starting, NULL, "worker 0 did not search");
    assert_dies(too_many, NULL, "rule S6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S5_two_workers_one_submit_every_schedule),
        cmocka_unit_test(S5_three_workers_every_schedule),
        cmocka_unit_test(S9_a_busy_worker_strands_nobody),
        cmocka_unit_test(W1_without_the_second_look_a_wake_is_lost),
        cmocka_unit_test(W1_holds_for_a_worker_that_was_not_let_in),
        cmocka_unit_test(S5_without_a_successor_work_is_left),
        cmocka_unit_test(half_of_the_workers_may_search),
        cmocka_unit_test(the_first_sleeper_keeps_watch_and_is_woken_last),
        cmocka_unit_test(a_watch_that_sleeps_deep_is_woken_first),
        cmocka_unit_test(a_busy_worker_hands_the_watch_over),
        cmocka_unit_test(mail_wakes_the_one_that_it_is_for),
        cmocka_unit_test(S6_a_wrong_transition_stops_the_program),
    };
    return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
