/* Every order of steps of the slots: two threads that take and give, and two workers
 * that keep their tasks in them. The letters of the scripts are explained in
 * slots_players.h. */
#include "lesson06_worksteal/exercises/slots_players.h"

static void two_takers(void)
{
    struct player mine = { .name = "main", .script = "t0t" };
    struct player other = { .name = "other", .script = "t0t" };
    two_players(2, &mine, &other);
    each_slot_once(&mine, &other);
}

static void a_slow_taker(void)
{
    struct player mine = { .name = "main", .script = "tt0" };
    struct player other = { .name = "slow taker", .script = "t" };
    two_players(3, &mine, &other);
    each_slot_once(&mine, &other);
}

static void no_slot_is_lost(void)
{
    struct player mine = { .name = "main", .script = "ttt110" };
    struct player other = { .name = "slow taker", .script = "t" };
    two_players(3, &mine, &other);
    each_slot_once(&mine, &other);
}

/* ---- what slots are for: the tasks of two workers */

enum { TASKS = 3 };

static int store[TASKS]; /* plain: task n lies in slot n, and says whose it is */

struct worker {
    const char *name;
    int number;
    int *line[TASKS]; /* its tasks, the oldest first; it spawns two */
    unsigned first, last;
};

static struct worker workers[2] = { { .name = "worker 1", .number = 1 },
                                    { .name = "worker 2", .number = 2 } };

static void spawn(struct worker *me)
{
    int slot = slots_take(&slots);
    if (slot < 0)
        return;
    store[slot] = me->number;
    me->line[me->last++] = &store[slot];
}

/* Runs the oldest task of a worker, and gives its slot back. */
static void run(struct worker *whose)
{
    if (whose->first == whose->last)
        return;
    int *task = whose->line[whose->first++];
    EXPLORE_RULE("S1", *task == whose->number,
                 "worker %d spawned a task, and it has become worker %d's",
                 whose->number, *task);
    *task = 0;
    slots_give(&slots, (unsigned)(task - store));
}

static void *second_main(void *unused)
{
    explore_name(workers[1].name);
    spawn(&workers[1]);
    spawn(&workers[1]);
    return unused;
}

static void tasks_in_slots(void)
{
    pthread_t second;
    explore_name(workers[0].name);
    CHECK(slots_init(&slots, TASKS) == 0, "no slots");
    pthread_create(&second, NULL, second_main, NULL);
    spawn(&workers[0]);
    spawn(&workers[0]);
    run(&workers[0]);
    pthread_join(second, NULL);
    for (int i = 0; i < 2 * TASKS; i++)
        run(&workers[i % 2]);
}

#define CASE(scenario_)                                                                \
    {                                                                                  \
        .name = #scenario_, .scenario = scenario_, .rules = "S1"                       \
    }

EXPLORE_MAIN(CASE(two_takers), CASE(a_slow_taker), CASE(no_slot_is_lost),
             CASE(tasks_in_slots), )
