/* slots_players: what the explored programs of the slots share: players that take and
 * give by a script, and the count at the end.
 *
 * A script is a string, a letter an operation: t take a slot and keep it; 0 give back
 * the first of those that one keeps, 1 the second. */
#ifndef LESSON06_EXERCISES_SLOTS_PLAYERS_H
#define LESSON06_EXERCISES_SLOTS_PLAYERS_H

#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson06_worksteal/exercises/slots.h"

enum { KEEP = 8 };

static struct slots slots;

struct player {
    const char *name, *script;
    int kept[KEEP]; /* oldest first */
    unsigned length;
    unsigned in_vain; /* takes that got nothing */
};

static inline void give_one(struct player *player, unsigned at)
{
    int slot = player->kept[at];
    player->length--;
    for (unsigned i = at; i < player->length; i++)
        player->kept[i] = player->kept[i + 1];
    slots_give(&slots, (unsigned)slot);
}

static inline void take_one(struct player *player)
{
    int slot = slots_take(&slots);
    if (slot < 0)
        player->in_vain++;
    else
        player->kept[player->length++] = slot;
}

static inline void play(struct player *player)
{
    for (const char *what = player->script; *what; what++) {
        if (*what == 't')
            take_one(player);
        else if ((unsigned)(*what - '0') < player->length)
            give_one(player, (unsigned)(*what - '0'));
    }
}

static inline void *player_main(void *player)
{
    explore_name(((struct player *)player)->name);
    play(player);
    return NULL;
}

static inline void note(unsigned *seen, int slot, const char *where)
{
    EXPLORE_RULE("S1", !(*seen >> slot & 1), "slot %d is %s, and somebody has it", slot,
                 where);
    *seen |= 1u << slot;
}

/* Everybody has stopped: each slot is with one player, or free. */
static inline void each_slot_once(const struct player *a, const struct player *b)
{
    unsigned seen = 0;
    int slot;
    for (unsigned i = 0; i < a->length; i++)
        note(&seen, a->kept[i], "handed out");
    for (unsigned i = 0; i < b->length; i++)
        note(&seen, b->kept[i], "handed out");
    while ((slot = slots_take(&slots)) >= 0)
        note(&seen, slot, "free");
    for (unsigned i = 0; i < slots.count; i++)
        EXPLORE_RULE("S1", seen >> i & 1,
                     "slot %u is lost: nobody has it, and it is not free", i);
}

static inline void two_players(unsigned count, struct player *mine,
                               struct player *other)
{
    pthread_t thread;
    explore_name(mine->name);
    CHECK(slots_init(&slots, count) == 0, "no slots");
    pthread_create(&thread, NULL, player_main, other);
    play(mine);
    pthread_join(thread, NULL);
}

#endif
