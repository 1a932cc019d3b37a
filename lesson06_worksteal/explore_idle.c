/* Every order of steps of the idle protocol: workers that look, announce, look again and
 * sleep, and somebody who brings work. What idle.c, the deque and the parkers do is real;
 * the worker is worker_loop.c's, cut down to what the protocol needs.
 *
 * No limit of the watch and no I/O saves a worker that nobody wakes: it sleeps for ever.
 * A task that runs does not come back: its worker is gone. With as many tasks as workers
 * all must be gone in the end; whoever is left sleeps beside a task. */
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/thread_parker.h"
#include "lesson06_worksteal/deque.h"
#include "lesson06_worksteal/idle.h"

enum { WORKERS = 2 };

struct worker_model {
    unsigned index;
    bool searching;
    bool asleep; /* begins behind the announce that the set-up has made */
    enum idle_place place;
    struct thread_parker parker;
};

static struct worker_model workers[WORKERS];
static unsigned worker_count;
static struct thread_parker watch;
static struct idle idle;
static struct deque queue; /* everybody's; the main thread owns it */
static int tasks[WORKERS]; /* plain: what is behind a task */

/* ---- parkers */

static void unpark(int whom)
{
    if (whom == IDLE_WATCH)
        parker_unpark(&watch.parker);
    else if (whom != IDLE_NOBODY)
        parker_unpark(&workers[whom].parker.parker);
}

static void park(struct worker_model *me)
{
    bool own = me->place == IDLE_OWN_PARKER;
    parker_park(own ? &me->parker.parker : &watch.parker, PARK_FOREVER);
}

/* ---- a worker */

static void run_task(struct worker_model *me, int *task)
{
    CHECK(*task == 7, "a task is not what was pushed");
    if (me->searching)
        unpark(idle_end_search(&idle)); /* S5 */
    me->searching = false;
}

static void wake_up(struct worker_model *me)
{
    idle_retract(&idle, me->index);
    me->searching = true;
}

static void sleep_until_woken(struct worker_model *me)
{
    me->place = idle_announce(&idle, me->index, me->searching);
    if (deque_is_empty(&queue))
        park(me);
    wake_up(me);
}

static void *worker_main(void *argument)
{
    static const char *const names[WORKERS] = { "worker 0", "worker 1" };
    struct worker_model *me = argument;
    int *task = NULL;
    explore_name(names[me->index]);
    if (me->asleep) {
        park(me);
        wake_up(me);
    }
    for (;;) {
        if (!me->searching)
            me->searching = idle_start_search(&idle);
        if (me->searching)
            task = (int *)(uintptr_t)deque_steal(&queue);
        if (task)
            break;
        sleep_until_woken(me);
    }
    run_task(me, task);
    return NULL;
}

/* ---- the one who brings work */

static struct task *new_task(unsigned number)
{
    tasks[number] = 7;
    return (struct task *)(uintptr_t)&tasks[number];
}

static void submit(unsigned number)
{
    deque_push(&queue, new_task(number));
    unpark(idle_pick(&idle));
}

static void submit_two(void)
{
    struct task *batch[2] = { new_task(0), new_task(1) };
    deque_push_many(&queue, batch, 2);
    unpark(idle_pick(&idle));
}

/* ---- a game */

static void begin(unsigned count)
{
    explore_name("submitter");
    worker_count = count;
    idle_init(&idle, count);
    thread_parker_init(&watch);
    CHECK(deque_init(&queue, DEQUE_FIFO, 2) == 0, "no deque");
    for (unsigned i = 0; i < count; i++) {
        workers[i].index = i;
        thread_parker_init(&workers[i].parker);
    }
}

static void begin_asleep(unsigned worker)
{
    workers[worker].place = idle_announce(&idle, worker, false);
    workers[worker].asleep = true;
}

static void begin_searching(unsigned worker)
{
    workers[worker].searching = idle_start_search(&idle);
}

static void start(pthread_t *threads)
{
    for (unsigned i = 0; i < worker_count; i++)
        pthread_create(&threads[i], NULL, worker_main, &workers[i]);
}

static void end(pthread_t *threads)
{
    for (unsigned i = 0; i < worker_count; i++)
        pthread_join(threads[i], NULL);
    unsigned searching = idle_searching(&idle), sleeping = idle_sleeping(&idle);
    EXPLORE_RULE("S6", !searching && !sleeping,
                 "all workers are busy; the word says that %u search and %u sleep",
                 searching, sleeping);
    deque_finish(&queue);
}

/* W1 and nothing else. */
static void one_worker(void)
{
    pthread_t threads[1];
    begin(1);
    start(threads);
    submit(0);
    end(threads);
}

/* Worker 0 searches and worker 1 sleeps, so nobody is woken for the two tasks: whoever
 * finds the first must see to the second (S5). */
static void last_searcher(void)
{
    pthread_t threads[2];
    begin(2);
    begin_searching(0);
    begin_asleep(1);
    submit_two();
    start(threads);
    end(threads);
}

static void searcher_and_sleeper(void)
{
    pthread_t threads[2];
    begin(2);
    begin_searching(0);
    begin_asleep(1);
    start(threads);
    submit_two();
    end(threads);
}

/* Worker 0 searches, so worker 1 is not let in and goes to sleep without a search. */
static void not_let_in(void)
{
    pthread_t threads[2];
    begin(2);
    begin_searching(0);
    submit(0);
    start(threads);
    submit(1);
    end(threads);
}

static void both_asleep(void)
{
    pthread_t threads[2];
    begin(2);
    begin_asleep(0);
    begin_asleep(1);
    start(threads);
    submit(0);
    submit(1);
    end(threads);
}

static void two_busy_workers(void)
{
    pthread_t threads[2];
    begin(2);
    submit(0);
    start(threads);
    submit(1);
    end(threads);
}

/* ---- the other arrows of idle.h's picture */

static _Atomic bool mail;

static void *mail_main(void *unused)
{
    explore_name("worker 0");
    workers[0].place = idle_announce(&idle, 0, false);
    /* acquire: pairs with mail_against_sleep; ordered after announce by idle_claim */
    if (!atomic_load_explicit(&mail, memory_order_acquire))
        park(&workers[0]);
    idle_retract(&idle, 0);
    return unused;
}

/* What only one worker can do is published by a release alone: (4), claim. */
static void mail_against_sleep(void)
{
    pthread_t thread;
    begin(1);
    pthread_create(&thread, NULL, mail_main, NULL);
    /* release: pairs with mail_main */
    atomic_store_explicit(&mail, true, memory_order_release);
    unpark(idle_claim(&idle, 0));
    pthread_join(thread, NULL);
    EXPLORE_RULE("S6", idle_searching(&idle) == 1, "one worker searches");
    deque_finish(&queue);
}

static void *alarm_main(void *unused)
{
    explore_name("worker 0");
    idle_announce(&idle, 0, false);
    idle_retract(&idle, 0); /* I/O has come before it even slept */
    return unused;
}

/* A worker wakes by itself (5) while somebody picks it (4): it counts once. */
static void alarm_against_pick(void)
{
    pthread_t thread;
    begin(2);
    begin_asleep(1);
    pthread_create(&thread, NULL, alarm_main, NULL);
    int picked = idle_pick(&idle);
    pthread_join(thread, NULL);
    unsigned expected = picked == IDLE_WATCH ? 2 : 1, says = idle_searching(&idle);
    EXPLORE_RULE("S6", says == expected, "%u workers search, the word says %u",
                 expected, says);
    deque_finish(&queue);
}

static void *announce_main(void *searching)
{
    explore_name("worker 1");
    idle_announce(&idle, 1, searching != NULL);
    return NULL;
}

/* Busy worker 0 gives the watch back (6) while worker 1 falls asleep. */
static void watch_against_sleep(void)
{
    pthread_t thread;
    begin(2);
    begin_searching(1);
    CHECK(idle_try_watch(&idle, 0), "somebody has the watch");
    pthread_create(&thread, NULL, announce_main, &workers[1]);
    int woken = idle_leave_watch(&idle);
    pthread_join(thread, NULL);
    EXPLORE_RULE("S9", woken != IDLE_NOBODY || idle_watch(&idle) == 1,
                 "worker 1 sleeps, and nobody keeps watch");
    deque_finish(&queue);
}

/* Both fall asleep: one has the watch, and knows that it is the last. */
static void both_announce(void)
{
    pthread_t thread;
    begin(2);
    pthread_create(&thread, NULL, announce_main, NULL);
    enum idle_place place = idle_announce(&idle, 0, false);
    pthread_join(thread, NULL);
    unsigned sleeping = idle_sleeping(&idle);
    EXPLORE_RULE("S6", sleeping == 2, "both sleep, the word says %u", sleeping);
    EXPLORE_RULE("S9", (place == IDLE_OWN_PARKER) == (idle_watch(&idle) == 1),
                 "both keep watch, or none");
    deque_finish(&queue);
}

static void *round_main(void *argument)
{
    struct worker_model *me = argument;
    explore_name("worker 0");
    me->searching = idle_start_search(&idle);
    idle_announce(&idle, me->index, me->searching);
    idle_retract(&idle, me->index); /* its second look found something */
    return NULL;
}

/* Two threads, three operations each: a worker searches, announces its sleep and takes
 * that back; somebody brings work for anybody, for this worker, for anybody. */
static void three_against_three(void)
{
    pthread_t thread;
    int woken[3];
    begin(2);
    pthread_create(&thread, NULL, round_main, &workers[0]);
    woken[0] = idle_pick(&idle);
    woken[1] = idle_claim(&idle, 0);
    woken[2] = idle_pick(&idle);
    pthread_join(thread, NULL);
    unsigned times = 0;
    for (int i = 0; i < 3; i++)
        times += woken[i] != IDLE_NOBODY;
    EXPLORE_RULE("S6", times <= 1, "one sleep was ended %u times", times);
    unsigned searching = idle_searching(&idle);
    EXPLORE_RULE("S6", searching == 1, "one worker searches, the word says %u",
                 searching);
    EXPLORE_RULE("S6", idle_sleeping(&idle) == 0,
                 "nobody sleeps, the word says otherwise");
    EXPLORE_RULE("S9", idle_watch(&idle) == IDLE_NOBODY, "who is awake keeps watch");
    deque_finish(&queue);
}

#define CASE(scenario_, rules_, ...)                                                   \
    {                                                                                  \
        .name = #scenario_, .scenario = scenario_, .rules = rules_,                    \
        .hang_rule = __VA_ARGS__                                                       \
    }

EXPLORE_MAIN(CASE(one_worker, "W1, S6", "W1", .models = 7),
             CASE(last_searcher, "S5, S6", "S5", .models = 7),
             CASE(searcher_and_sleeper, "W1, S5, S6", "S5", .models = 7),
             CASE(both_asleep, "S5, S6", "S5"), CASE(not_let_in, "W1, S5", "W1"),
             CASE(two_busy_workers, "W1, S5, S6", "W1", .deep = true),
             CASE(mail_against_sleep, "W1, S6", "W1", .models = 7),
             CASE(alarm_against_pick, "S6", NULL, .models = 7),
             CASE(watch_against_sleep, "S9", NULL, .models = 7),
             CASE(both_announce, "S6, S9", NULL, .models = 7),
             CASE(three_against_three, "S6, S9", NULL, .models = 7), )
