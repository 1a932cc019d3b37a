/* timer_wheel: insert, remove and expire in a few steps, whatever the number of timers.
 *
 * Problem: a server holds one time-out a connection and cancels nearly all of them. A
 * heap keeps everything in order at log n cache misses an operation, although most of
 * that order is never looked at. Idea: sort a timer only as finely as its distance asks
 * for, and sort it further when its time comes nearer. That is a radix sort, most
 * significant digit first, which is spread over the life of the timer; one that is
 * removed early never pays for the digits that were left.
 *
 * Invariants, whenever no function of this file is running:
 *   I1  A timer in a slot has deadline > swept. Its level is the highest digit in which
 *       deadline and swept differ, its index is that digit of the deadline. So where a
 *       timer sits is computed, never stored, and remove finds it without a search.
 *   I2  Everything on a lower level is earlier than everything on a higher one, because
 *       it agrees with swept in the digit where the other is already greater; on a
 *       level, a lower index is earlier. "The first slot" means first in this order.
 *   I3  Timers in slots with the same deadline share a slot, in order of insertion.
 *   I4  A timer that is in no slot is in `overdue` or in `due`.
 *
 * Two times: `now` is what the owner said last, `swept` follows it as the batch is
 * popped. Slots are emptied one after the other, the first one first. There are no
 * ticks: between two occupied slots time jumps, so that a microsecond and a century of
 * emptiness cost the same.
 *
 * The exact next deadline is the dear part of a wheel, since a wide slot is unsorted.
 * Tokio's wheel answers with the start of the slot and may wake up to find nothing due;
 * a virtual clock would stop at moments at which nothing happens. Here each slot
 * remembers its earliest deadline. Only when that very timer is removed must another be
 * found: at the list's head if the timers came in order (the same time-out for all: the
 * usual case), else by one walk through this slot. A timer picked at random from n is
 * the earliest one time in n, so the walk costs about one step a removal. The bad case
 * that remains: time-outs of mixed lengths, removed earliest first, with a call of
 * timer_wheel_next after each. */
#include "lesson05_reactor/timer_wheel.h"

#include "common/check.h"
#include "common/container.h"

struct place {
    unsigned level;
    unsigned index;
};

static struct wheel_timer *timer_of(struct list *link)
{
    return container_of(link, struct wheel_timer, link);
}

/* exercise 5.1 { */
static unsigned lowest_bit(uint64_t word)
{
    return (unsigned)__builtin_ctzll(word);
}
/* } exercise 5.1 */

static uint64_t bit_of(unsigned index)
{
    return UINT64_C(1) << index;
}

static struct place place_of(const struct timer_wheel *wheel, uint64_t deadline)
{
    /* exercise 5.1 { */
    uint64_t differs = deadline ^ wheel->swept;
    unsigned level = (63u - (unsigned)__builtin_clzll(differs | 1)) / WHEEL_BITS;
    unsigned index = (deadline >> level * WHEEL_BITS) % WHEEL_SLOTS;
    return (struct place){ level, index };
    /* } exercise 5.1: (wheel, deadline) where a timer with this deadline sits (I1) */
}

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now)
{
    wheel->now = now;
    wheel->swept = now;
    wheel->levels_in_use = 0;
    list_init(&wheel->due);
    list_init(&wheel->overdue);
    for (unsigned i = 0; i < WHEEL_LEVELS; i++) {
        struct wheel_level *level = &wheel->levels[i];
        level->occupied = level->unordered = level->stale = 0;
        for (unsigned j = 0; j < WHEEL_SLOTS; j++)
            list_init(&level->slots[j].timers);
    }
}

/* ---- slots */

static void slot_add(struct timer_wheel *wheel, struct wheel_timer *timer)
{
    struct place place = place_of(wheel, timer->deadline);
    struct wheel_level *level = &wheel->levels[place.level];
    struct wheel_slot *slot = &level->slots[place.index];
    uint64_t bit = bit_of(place.index);

    if (!(level->occupied & bit)) {
        wheel->levels_in_use |= bit_of(place.level);
        level->occupied |= bit;
        level->unordered &= ~bit;
        level->stale &= ~bit;
        slot->earliest = timer->deadline;
    } else {
        if (timer->deadline < timer_of(slot->timers.prev)->deadline)
            level->unordered |= bit;
        if (timer->deadline <= slot->earliest) {
            slot->earliest = timer->deadline;
            level->stale &= ~bit;
        }
    }
    list_push_back(&slot->timers, &timer->link);
}

/* exercise 5.1 { */
static void slot_mark_empty(struct timer_wheel *wheel, struct place place)
{
    struct wheel_level *level = &wheel->levels[place.level];
    level->occupied &= ~bit_of(place.index);
    if (!level->occupied)
        wheel->levels_in_use &= ~bit_of(place.level);
}

static void slot_find_earliest(struct wheel_slot *slot, bool ordered)
{
    uint64_t earliest = timer_of(slot->timers.next)->deadline;
    if (!ordered) {
        list_for_each (link, &slot->timers) {
            uint64_t deadline = timer_of(link)->deadline;
            earliest = deadline < earliest ? deadline : earliest;
        }
    }
    slot->earliest = earliest;
}

/* The first slot in time (I2). There must be one. */
static struct place first_slot(const struct timer_wheel *wheel)
{
    unsigned level = lowest_bit(wheel->levels_in_use);
    return (struct place){ level, lowest_bit(wheel->levels[level].occupied) };
}
/* } exercise 5.1 */

/* ---- insert, remove, next */

void timer_wheel_insert(struct timer_wheel *wheel, struct wheel_timer *timer,
                        uint64_t deadline)
{
    CHECK(!wheel_timer_linked(timer), "a timer was inserted that is linked already");
    CHECK(deadline != CLOCK_NEVER,
          "CLOCK_NEVER says that there is no deadline: there is nothing to insert");
    timer->deadline = deadline;
    if (deadline <= wheel->now)
        list_push_back(&wheel->overdue, &timer->link);
    else
        slot_add(wheel, timer);
}

void timer_wheel_remove(struct timer_wheel *wheel, struct wheel_timer *timer)
{
    /* exercise 5.1 { */
    if (!wheel_timer_linked(timer))
        return;
    list_remove(&timer->link);
    timer->link.next = NULL;
    /* If it was in `due` or `overdue` instead of its slot, the slot is empty and is
     * marked so once more, or is searched in vain for an earliest that it still has. */
    struct place place = place_of(wheel, timer->deadline);
    struct wheel_level *level = &wheel->levels[place.level];
    struct wheel_slot *slot = &level->slots[place.index];
    if (list_empty(&slot->timers))
        slot_mark_empty(wheel, place);
    else if (timer->deadline == slot->earliest)
        level->stale |= bit_of(place.index);
    /* } exercise 5.1: (wheel, timer) unlink it, wherever it is; the bits stay true */
}

uint64_t timer_wheel_next(struct timer_wheel *wheel)
{
    /* exercise 5.1 { */
    if (!list_empty(&wheel->due) || !list_empty(&wheel->overdue))
        return wheel->now;
    if (!wheel->levels_in_use)
        return CLOCK_NEVER;
    struct place first = first_slot(wheel);
    struct wheel_level *level = &wheel->levels[first.level];
    struct wheel_slot *slot = &level->slots[first.index];
    uint64_t bit = bit_of(first.index);
    if (level->stale & bit) {
        slot_find_earliest(slot, !(level->unordered & bit));
        level->stale &= ~bit;
    }
    return slot->earliest > wheel->now ? slot->earliest : wheel->now;
    /* } exercise 5.1: (wheel) the exact earliest deadline, or now, or CLOCK_NEVER */
}

/* ---- advance, pop */

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now)
{
    CHECK(now != CLOCK_NEVER, "no clock reaches CLOCK_NEVER: was the wheel empty?");
    /* exercise 5.1 { */
    if (wheel->now < now)
        wheel->now = now;
    list_splice_back(&wheel->due, &wheel->overdue);
    /* } exercise 5.1: (wheel) time moves on, and a batch begins */
}

/* exercise 5.1 { */
/* Spreads the timers of a slot over the levels below. `time` is the first moment in the
 * slot at which something may be due: all of them agree with it in this level's digit,
 * hence go to a lower level. (A timer at exactly that moment goes to level 0, the one
 * exception to I1, until sweep takes it from there.)
 *
 * The walk waits for memory at each step, because the next address is in a line that is
 * not here yet. So a second walk comes from the far end, for no purpose but to have
 * that half in the cache when the first one gets there. Measured with bench_timers: a
 * third off the cost of expiring 1,000,000 timers. */
static void cascade(struct timer_wheel *wheel, struct list *timers, uint64_t time)
{
    wheel->swept = time;
    struct list *link = timers->next;
    struct list *far = timers->prev;
    while (link != timers) {
        struct list *next = link->next; /* slot_add overwrites it */
        if (far) {
            __builtin_prefetch(far);
            far = far == link || far == next ? NULL : far->prev;
        }
        slot_add(wheel, timer_of(link));
        link = next;
    }
}

/* Empties the first slot, of which at least the beginning is not after now. */
static void expire_slot(struct timer_wheel *wheel, struct place place, uint64_t end)
{
    struct wheel_level *level = &wheel->levels[place.level];
    struct wheel_slot *slot = &level->slots[place.index];
    bool ordered = !(level->unordered & bit_of(place.index));
    struct list timers;
    list_init(&timers);
    list_splice_back(&timers, &slot->timers);
    slot_mark_empty(wheel, place);

    if (end <= wheel->now && ordered)
        list_splice_back(&wheel->due, &timers);
    else
        cascade(wheel, &timers,
                slot->earliest < wheel->now ? slot->earliest : wheel->now);
}

/* Finds the timers that are due next, slot by slot until there are some: they come out
 * in order, and are popped while they are still in the cache. When there are no more,
 * time stands between two slots, so swept may catch up: new timers then get the narrow
 * slots that their distance deserves. */
static void sweep(struct timer_wheel *wheel)
{
    while (list_empty(&wheel->due) && wheel->levels_in_use) {
        struct place first = first_slot(wheel);
        unsigned shift = first.level * WHEEL_BITS;
        uint64_t above = wheel->swept >> shift & ~(uint64_t)(WHEEL_SLOTS - 1);
        uint64_t start = (above | first.index) << shift;
        uint64_t end = start | (bit_of(shift) - 1);
        if (start > wheel->now)
            break;
        expire_slot(wheel, first, end);
    }
    if (list_empty(&wheel->due))
        wheel->swept = wheel->now;
}
/* } exercise 5.1 */

struct wheel_timer *timer_wheel_pop(struct timer_wheel *wheel)
{
    /* exercise 5.1 { */
    if (list_empty(&wheel->due))
        sweep(wheel);
    struct list *link = list_pop_front(&wheel->due);
    if (!link)
        return NULL;
    link->next = NULL;
    return timer_of(link);
    /* } exercise 5.1: (wheel) the next of the batch, unlinked; NULL: no more of it */
}
