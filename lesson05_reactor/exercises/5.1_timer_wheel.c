/* Exercise 5.1: A wheel for a million deadlines.
 * What to do stands in 5.1_timer_wheel.md. */
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
#include "common/todo.h"

struct place {
    unsigned level;
    unsigned index;
};

static struct wheel_timer *timer_of(struct list *link)
{
    return container_of(link, struct wheel_timer, link);
}

static uint64_t bit_of(unsigned index)
{
    return UINT64_C(1) << index;
}

static struct place place_of(const struct timer_wheel *wheel, uint64_t deadline)
{
    /* Yours: where a timer with this deadline sits (I1) */
    EXERCISE_TODO("5.1", wheel, deadline);
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
    /* Yours: unlink it, wherever it is; the bits stay true */
    EXERCISE_TODO("5.1", wheel, timer);
}

uint64_t timer_wheel_next(struct timer_wheel *wheel)
{
    /* Yours: the exact earliest deadline, or now, or CLOCK_NEVER */
    EXERCISE_TODO("5.1", wheel);
}

/* ---- advance, pop */

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now)
{
    CHECK(now != CLOCK_NEVER, "no clock reaches CLOCK_NEVER: was the wheel empty?");
    /* Yours: time moves on, and a batch begins */
    EXERCISE_TODO("5.1", wheel);
}

struct wheel_timer *timer_wheel_pop(struct timer_wheel *wheel)
{
    /* Yours: the next of the batch, unlinked; NULL: no more of it */
    EXERCISE_TODO("5.1", wheel);
}
