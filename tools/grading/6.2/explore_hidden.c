/* Hidden cases of exercise 6.2: two arrows that would wake the same sleeper (S6), and a
 * watch that is given back while the last searcher goes (S9). */
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson06_worksteal/idle.h"

static struct idle idle;

static void *end_search_main(void *woken)
{
    explore_name("worker 1");
    *(int *)woken = idle_end_search(&idle);
    return NULL;
}

/* Worker 0 keeps watch, worker 1 searches. Worker 1 has found something and hands its
 * place on, while mail comes for worker 0. */
static void one_sleeper_two_wakers(void)
{
    pthread_t thread;
    int handed = IDLE_NOBODY;
    explore_name("sender");
    idle_init(&idle, 2);
    CHECK(idle_start_search(&idle), "worker 1 may not search");
    idle_announce(&idle, 0, false);
    pthread_create(&thread, NULL, end_search_main, &handed);
    int claimed = idle_claim(&idle, 0);
    pthread_join(thread, NULL);
    unsigned times = (handed != IDLE_NOBODY) + (claimed != IDLE_NOBODY);
    EXPLORE_RULE("S6", times == 1, "worker 0 was woken %u times", times);
    EXPLORE_RULE("S6", idle_searching(&idle) == 1 && idle_sleeping(&idle) == 0,
                 "worker 0 searches; the word says %u search and %u sleep",
                 idle_searching(&idle), idle_sleeping(&idle));
}

/* Worker 2 keeps watch, busy; worker 0 sleeps in a parker of its own; worker 1
 * searches. Now 1 stops searching, and 2 gives the watch back: one of them must wake
 * worker 0. */
static void both_let_go(void)
{
    pthread_t thread;
    int handed = IDLE_NOBODY;
    explore_name("worker 2");
    idle_init(&idle, 3);
    CHECK(idle_start_search(&idle), "worker 1 may not search");
    CHECK(idle_try_watch(&idle, 2), "somebody has the watch");
    idle_announce(&idle, 0, false);
    pthread_create(&thread, NULL, end_search_main, &handed);
    int left = idle_leave_watch(&idle);
    pthread_join(thread, NULL);
    EXPLORE_RULE("S9", handed == 0 || left == 0,
                 "worker 0 sleeps on, and nobody keeps watch");
    EXPLORE_RULE("S6", handed == IDLE_NOBODY || left == IDLE_NOBODY,
                 "one sleeper was woken twice");
    EXPLORE_RULE("S6", idle_searching(&idle) == 1 && idle_sleeping(&idle) == 0,
                 "worker 0 searches; the word says %u search and %u sleep",
                 idle_searching(&idle), idle_sleeping(&idle));
}

EXPLORE_MAIN({ .name = "one_sleeper_two_wakers",
               .scenario = one_sleeper_two_wakers,
               .rules = "S6",
               .models = 7 },
             { .name = "both_let_go", .scenario = both_let_go, .rules = "S6, S9" }, )
