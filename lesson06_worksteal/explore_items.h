/* explore_items: what the explored programs of the deque share: items to put into it in
 * place of tasks, players that act by a script, and the count at the end.
 *
 * A script is a string, a letter an operation, so that a case is one line:
 * p push, q push quietly, m push two as one, t take, s steal, h steal half, d shed. */
#ifndef LESSON06_EXPLORE_ITEMS_H
#define LESSON06_EXPLORE_ITEMS_H

#include <pthread.h>
#include <stdint.h>

#include "common/explore/explore.h"
#include "lesson06_worksteal/deque.h"

enum { ITEMS = 12 };

static int news[ITEMS]; /* item n is &news[n]; plain: who has the item may look */

struct player {
    struct deque *deque;
    struct deque *into; /* where a batch goes; NULL: the player keeps it */
    const char *name, *script;
    unsigned *next;      /* the item to be pushed next: of all who push */
    unsigned got, twice; /* bit n: item n came out, more than once */
};

static inline struct task *item(unsigned number)
{
    news[number] = 100 + (int)number;
    return (struct task *)(uintptr_t)&news[number]; /* the deque never looks into it */
}

static inline void keep(struct player *player, struct task *task)
{
    if (!task)
        return;
    unsigned number = (unsigned)((int *)(uintptr_t)task - news);
    EXPLORE_RULE("D2", news[number] == 100 + (int)number,
                 "what came out of the deque was never put in");
    player->twice |= player->got & 1u << number;
    player->got |= 1u << number;
}

static inline void keep_batch(struct player *player, struct task **batch,
                              unsigned count)
{
    unsigned moved =
        player->into && count ? deque_push_many(player->into, batch, count) : 0;
    for (unsigned i = moved; i < count; i++)
        keep(player, batch[i]);
}

static inline void act(struct player *player, char what)
{
    struct deque *deque = player->deque;
    struct task *batch[4];
    switch (what) {
    case 'p':
        *player->next += deque_push(deque, item(*player->next));
        break;
    case 'q':
        *player->next += deque_push_quietly(deque, item(*player->next));
        break;
    case 'm':
        batch[0] = item(*player->next);
        batch[1] = item(*player->next + 1);
        *player->next += deque_push_many(deque, batch, 2);
        break;
    case 't':
        keep(player, deque_take(deque));
        break;
    case 's':
        keep(player, deque_steal(deque));
        break;
    case 'h':
        keep_batch(player, batch, deque_steal_half(deque, batch, 4));
        break;
    case 'd':
        keep_batch(player, batch, deque_shed(deque, batch, 4));
        break;
    default:
        CHECK(false, "no operation is called %c", what);
    }
}

static inline void play(struct player *player)
{
    for (const char *what = player->script; *what; what++)
        act(player, *what);
}

static inline void *player_main(void *argument)
{
    struct player *player = argument;
    explore_name(player->name);
    play(player);
    return NULL;
}

/* When nobody else plays any more. */
static inline void take_the_rest(struct deque *deque, struct player *player)
{
    struct task *task;
    while ((task = deque_steal(deque)) != NULL)
        keep(player, task);
}

static inline void each_came_out_once(const char *rule, const struct player *players,
                                      unsigned count, unsigned pushed)
{
    unsigned out = 0, twice = 0;
    for (unsigned i = 0; i < count; i++) {
        twice |= players[i].twice | (out & players[i].got);
        out |= players[i].got;
    }
    for (unsigned n = 0; n < pushed; n++) {
        EXPLORE_RULE(rule, !(twice >> n & 1), "item %u came out twice", n);
        EXPLORE_RULE(rule, out >> n & 1, "item %u is lost", n);
    }
}

/* `before` is played by the owner alone, then owner and thieves against each other. */
struct game {
    enum deque_kind kind;
    unsigned capacity;
    unsigned passed; /* so many items have passed through the deque before */
    const char *before, *owner, *thieves[2];
    const char *rule; /* that is broken when an item does not come out once */
};

static inline void play_game(const struct game *game)
{
    static const char *const names[] = { "thief", "other thief" };
    struct deque deque;
    struct player players[3] = { 0 };
    pthread_t threads[2];
    unsigned next = 0, count = 1;
    CHECK(deque_init(&deque, game->kind, game->capacity) == 0, "no deque");
    for (unsigned i = 0; i < game->passed; i++)
        CHECK(deque_push(&deque, item(0)) && deque_steal(&deque), "no item passes");
    players[0] = (struct player){ .deque = &deque, .next = &next };
    players[0].script = game->before;
    explore_name("owner");
    play(&players[0]);
    for (; count < 3 && game->thieves[count - 1]; count++) {
        players[count] = (struct player){ .deque = &deque,
                                          .name = names[count - 1],
                                          .script = game->thieves[count - 1] };
        pthread_create(&threads[count - 1], NULL, player_main, &players[count]);
    }
    players[0].script = game->owner;
    play(&players[0]);
    for (unsigned i = 1; i < count; i++)
        pthread_join(threads[i - 1], NULL);
    take_the_rest(&deque, &players[0]);
    each_came_out_once(game->rule, players, count, next);
    deque_finish(&deque);
}

#define GAME(scenario_, kind_, capacity_, ...)                                         \
    static void scenario_(void)                                                        \
    {                                                                                  \
        play_game(                                                                     \
            &(struct game){ .kind = kind_, .capacity = capacity_, __VA_ARGS__ });      \
    }

/* CASE(scenario, "rules", other fields...) */
#define CASE(scenario_, ...)                                                           \
    {                                                                                  \
        .name = #scenario_, .scenario = scenario_, .models = 7, .rules = __VA_ARGS__   \
    }

#endif
