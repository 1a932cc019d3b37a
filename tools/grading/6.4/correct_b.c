/* Exercise 6.4, another good test: one player for all, who acts by a script, a letter
 * an operation, and a table of games. 1 push one, 2 push two as a batch, p pop one, a
 * pop as many as there are. After each game whatever is left comes out, and the books
 * must balance; where one thread played alone, the order must be right as well. */
#include <pthread.h>
#include <string.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/task.h"
#include "lesson06_worksteal/injector.h"

enum { TASKS = 8, PLAYERS = 3 };

static struct injector injector;
static struct task tasks[TASKS];

struct player {
    const char *name, *script;
    unsigned next;      /* the task to push next; each has four of its own */
    int out[2 * TASKS]; /* what came out, in this order */
    unsigned count;
};

static void pop(struct player *player, unsigned max)
{
    struct task *got[TASKS + 1];
    unsigned count = injector_pop_batch(&injector, got, max);
    EXPLORE_RULE("max", count <= max, "at most %u were asked for, %u came", max, count);
    for (unsigned i = 0; i < count; i++)
        player->out[player->count++] = (int)(got[i] - tasks);
}

static void play(struct player *player)
{
    for (const char *what = player->script; *what; what++) {
        struct task *two[2] = { &tasks[player->next % TASKS],
                                &tasks[(player->next + 1) % TASKS] };
        if (*what == '1')
            injector_push(&injector, two[0]);
        else if (*what == '2')
            injector_push_batch(&injector, two, 2);
        else
            pop(player, *what == 'p' ? 1 : TASKS);
        if (*what == '1' || *what == '2')
            player->next += (unsigned)(*what - '0');
    }
}

static void *player_main(void *player)
{
    explore_name(((struct player *)player)->name);
    play(player);
    return NULL;
}

static void balance(const struct player *players, unsigned count)
{
    unsigned pushed = 0, out = 0;
    for (unsigned i = 0; i < count; i++) {
        for (unsigned t = 4 * i; t < players[i].next; t++)
            pushed |= 1u << t;
        for (unsigned k = 0; k < players[i].count; k++) {
            unsigned bit = 1u << players[i].out[k];
            EXPLORE_RULE("once", !(out & bit), "task %d came out twice",
                         players[i].out[k]);
            out |= bit;
        }
    }
    EXPLORE_RULE("once", out == pushed, "pushed %#x, out came %#x (a bit a task)",
                 pushed, out);
}

static void game(const char *before, const char *mine, const char *others[2])
{
    static const char *const names[] = { "main", "other", "third" };
    struct player players[PLAYERS];
    pthread_t threads[PLAYERS];
    unsigned count = 1;
    memset(players, 0, sizeof players);
    explore_name("main");
    CHECK(injector_init(&injector) == 0, "no injector");
    players[0].script = before;
    play(&players[0]);
    for (; count < PLAYERS && others[count - 1]; count++) {
        players[count].name = names[count];
        players[count].script = others[count - 1];
        players[count].next = 4 * count;
        pthread_create(&threads[count], NULL, player_main, &players[count]);
    }
    players[0].script = mine;
    play(&players[0]);
    for (unsigned i = 1; i < count; i++)
        pthread_join(threads[i], NULL);
    pop(&players[0], TASKS);
    balance(players, count);
    EXPLORE_RULE("length", injector_length(&injector) == 0,
                 "nothing is inside, the length says %u", injector_length(&injector));
    injector_finish(&injector);
}

static void alone(void)
{
    struct player me = { .name = "main", .script = "12p2p1ap1p" };
    explore_name(me.name);
    CHECK(injector_init(&injector) == 0, "no injector");
    play(&me);
    EXPLORE_RULE("once", me.count == me.next, "%u were pushed, %u came out", me.next,
                 me.count);
    for (unsigned i = 0; i < me.count; i++)
        EXPLORE_RULE("order", me.out[i] == (int)i, "place %u: expected task %u, got %d",
                     i, i, me.out[i]);
    struct player two = { .script = "2p" };
    play(&two);
    EXPLORE_RULE("length", injector_length(&injector) == 1,
                 "one of two was popped, the length says %u",
                 injector_length(&injector));
    pop(&two, 1);
    EXPLORE_RULE("once", two.count == 2, "two were pushed, %u came out", two.count);
    injector_finish(&injector);
}

#define GAME(name_, before_, mine_, ...)                                               \
    static void name_(void)                                                            \
    {                                                                                  \
        game(before_, mine_, (const char *[2]){ __VA_ARGS__ });                        \
    }

GAME(push_push, "", "1", "1")
GAME(push_push_pop, "", "1", "1", "p")
GAME(batch_against_pop, "1", "2", "pp")
GAME(pop_pop, "2", "a", "p")
GAME(last_one, "1", "a", "a")

#define CASE(scenario_)                                                                \
    {                                                                                  \
        .name = #scenario_, .scenario = scenario_, .rules = "W1"                       \
    }

EXPLORE_MAIN(CASE(alone), CASE(push_push), CASE(push_push_pop), CASE(batch_against_pop),
             CASE(pop_pop), CASE(last_one), )
