/* Every order of steps of a deque: its owner, and one or two thieves. The letters of the
 * scripts are explained in explore_items.h; D2 and D3 in deque.c. */
#include "lesson06_worksteal/explore_items.h"

/* One item, and both want it. */
GAME(last_item, DEQUE_LIFO, 2, .before = "p", .owner = "t", .thieves = { "s" },
     .rule = "D3")

/* The thief may take both items while the owner makes up its mind. */
GAME(two_items, DEQUE_LIFO, 2, .before = "pp", .owner = "t", .thieves = { "ss" },
     .rule = "D3")

/* Three operations each, on the smallest deque there is. */
GAME(three_against_three, DEQUE_LIFO, 2, .before = "p", .owner = "ptt",
     .thieves = { "sss" }, .rule = "D3")
GAME(two_thieves, DEQUE_LIFO, 2, .before = "pp", .owner = "t", .thieves = { "s", "s" },
     .rule = "D3")
GAME(two_thieves_and_a_push, DEQUE_LIFO, 2, .before = "pp", .owner = "tp",
     .thieves = { "ss", "s" }, .rule = "D3")
GAME(three_each, DEQUE_LIFO, 2, .before = "p", .owner = "ptt",
     .thieves = { "sss", "sss" }, .rule = "D3")

/* What is behind an item must be there before the item is. */
GAME(push_against_steal, DEQUE_LIFO, 2, .before = "", .owner = "pp",
     .thieves = { "ss" }, .rule = "D3")
GAME(quiet_push_against_steal, DEQUE_FIFO, 2, .before = "", .owner = "qqs",
     .thieves = { "ss" }, .rule = "D3")

/* A full deque: a slot that a thief has read is the thief's until it has claimed it. */
GAME(full, DEQUE_LIFO, 2, .before = "pp", .owner = "ppp", .thieves = { "sss" },
     .rule = "D3")

/* The deque is empty, or becomes so while the owner is inside take. */
GAME(empty, DEQUE_LIFO, 2, .before = "tp", .owner = "ttp", .thieves = { "ss" },
     .rule = "S4")

/* Top moves on by four while a thief sleeps between its look and its swap. */
GAME(sleepy_thief, DEQUE_FIFO, 2, .before = "p", .owner = "spspspsp",
     .thieves = { "s" }, .rule = "S1")

GAME(half_against_owner, DEQUE_FIFO, 4, .before = "ppp", .owner = "ss",
     .thieves = { "hh" }, .rule = "D3")
GAME(half_against_half, DEQUE_FIFO, 4, .before = "pppp", .owner = "pp",
     .thieves = { "hh", "hh" }, .rule = "D3")
GAME(half_of_a_full_one, DEQUE_FIFO, 2, .before = "pp", .owner = "ppp",
     .thieves = { "hhh" }, .rule = "D3")
GAME(batch_against_half, DEQUE_FIFO, 4, .before = "p", .owner = "mp",
     .thieves = { "hhh" }, .rule = "D3")

/* A full deque gives half of itself away, while a thief comes. */
GAME(shed_against_steal, DEQUE_LIFO, 2, .before = "pp", .owner = "dpt",
     .thieves = { "ss" }, .rule = "D3")
GAME(shed_against_half, DEQUE_FIFO, 4, .before = "pppp", .owner = "dps",
     .thieves = { "hh" }, .rule = "D3")

/* ---- a queue that is stolen from while its owner steals into it (S2) */

enum { RING = 3 };

static struct deque ring[RING];
static struct player robbers[RING];

/* Each robs the next one's queue into its own, and takes an item from there; of the last
 * it is the main thread that does so. */
static void rob_in_a_circle(unsigned workers, const char *script)
{
    static const char *const names[] = { "robber", "its victim", "that one's" };
    pthread_t threads[RING];
    unsigned pushed = 0;
    for (unsigned i = 0; i < workers; i++) {
        CHECK(deque_init(&ring[i], DEQUE_FIFO, 4) == 0, "no deque");
        robbers[i] = (struct player){
            .deque = &ring[i], .name = names[i], .script = "pp", .next = &pushed
        };
        play(&robbers[i]);
    }
    for (unsigned i = 0; i < workers; i++) {
        robbers[i].into = &ring[i];
        robbers[i].deque = &ring[(i + 1) % workers];
        robbers[i].script = script;
        if (i + 1 < workers)
            pthread_create(&threads[i], NULL, player_main, &robbers[i]);
    }
    explore_name(names[workers - 1]);
    play(&robbers[workers - 1]);
    for (unsigned i = 0; i + 1 < workers; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < workers; i++)
        take_the_rest(&ring[i], &robbers[i]);
    each_came_out_once("S2", robbers, workers, pushed);
    for (unsigned i = 0; i < workers; i++)
        deque_finish(&ring[i]);
}

static void two_rob_each_other(void)
{
    rob_in_a_circle(2, "hhs");
}

static void three_rob_in_a_circle(void)
{
    rob_in_a_circle(RING, "hh");
}

/* ---- what push promises to one who is about to sleep (W1) */

static struct deque queue;
static _Atomic bool sleeping;
static bool overlooked;

static void *sleeper_main(void *unused)
{
    explore_name("sleeper");
    /* seq_cst: pairs with the look in push_against_sleep, as idle_announce with
     * idle_pick */
    atomic_store_explicit(&sleeping, true, memory_order_seq_cst);
    overlooked = deque_is_empty(&queue);
    return unused;
}

static void push_against_sleep(void)
{
    pthread_t sleeper;
    explore_name("owner");
    CHECK(deque_init(&queue, DEQUE_LIFO, 2) == 0, "no deque");
    pthread_create(&sleeper, NULL, sleeper_main, NULL);
    struct task *task = item(0);
    if (explore_choose(2) == 0)
        deque_push(&queue, task);
    else
        deque_push_many(&queue, &task, 1);
    /* seq_cst: pairs with sleeper_main */
    bool told = atomic_load_explicit(&sleeping, memory_order_seq_cst);
    pthread_join(sleeper, NULL);
    EXPLORE_RULE("W1", told || !overlooked,
                 "one sleeps beside an item, and the one who pushed it saw no sleeper");
    deque_steal(&queue);
    deque_finish(&queue);
}

EXPLORE_MAIN(CASE(last_item, "D3"), CASE(two_items, "D3"),
             CASE(three_against_three, "D3"), CASE(two_thieves, "D3"),
             CASE(two_thieves_and_a_push, "D3"), CASE(three_each, "D3", .deep = true),
             CASE(push_against_steal, "D2, D3"),
             CASE(quiet_push_against_steal, "D2, D3"), CASE(full, "D2, D3"),
             CASE(empty, "S4"), CASE(sleepy_thief, "S1"),
             CASE(half_against_owner, "D3"), CASE(half_against_half, "D3"),
             CASE(half_of_a_full_one, "D2, D3"), CASE(batch_against_half, "D3"),
             CASE(shed_against_steal, "D3"), CASE(shed_against_half, "D3"),
             CASE(two_rob_each_other, "S2"), CASE(three_rob_in_a_circle, "S2"),
             CASE(push_against_sleep, "W1"), )
