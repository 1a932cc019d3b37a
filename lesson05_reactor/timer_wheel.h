/* timer_wheel: all pending deadlines, the earliest first, one million if need be.
 *
 * A hierarchical timing wheel after Varghese and Lauck, "Hashed and Hierarchical Timing
 * Wheels" (SOSP 1987), with a tick of one nanosecond and no end: a deadline is read as
 * eleven digits of six bits, and each digit has a level of 64 slots.
 *
 *     a deadline, 64 bits      digit 10   ...   digit 2    digit 1    digit 0
 *                             [ 4 bits ]       [ 6 bits ] [ 6 bits ] [ 6 bits ]
 *     its level, if this is
 *     the highest digit in     level 10         level 2    level 1    level 0
 *     which it differs         64 slots   ...   64 slots   64 slots   64 slots
 *     from the time            of 2^60 ns       of 4096 ns of 64 ns   of 1 ns
 *
 * So a near deadline sits in a narrow slot and a far one in a wide slot; when time
 * enters a wide slot, its timers move to narrower ones ("cascade"). Whatever is on a
 * lower level is earlier than all that is above it, hence the earliest timer is in the
 * first occupied slot of the lowest occupied level: two bit scans away.
 *
 *     timer_wheel_advance(&wheel, clock_now());
 *     while ((timer = timer_wheel_pop(&wheel)) != NULL)
 *         ... it is unlinked: wake its owner, or insert it again ...
 *     sleep until timer_wheel_next(&wheel)
 *
 * Ownership: a timer lives in its owner's memory (the frame of a sleeping future). The
 * wheel borrows it from insert until pop or remove, during which it may not move. So
 * the wheel allocates nothing, and no operation can fail. Threads: no lock of its own;
 * its owner guards it. Unit: nanoseconds of one clock, real or virtual. */
#ifndef LESSON05_TIMER_WHEEL_H
#define LESSON05_TIMER_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/list.h"

/* Of a digit: 64 slots, so that one word says which are occupied. Measured beside 4, 5
 * and 8 with bench_timers: 6 expires 1,000,000 timers fastest, insert is the same. */
#define WHEEL_BITS 6
#define WHEEL_SLOTS (1 << WHEEL_BITS)
#define WHEEL_LEVELS ((64 + WHEEL_BITS - 1) / WHEEL_BITS)

/* One deadline, three words. {0} is a timer that is not linked, and may be copied. */
struct wheel_timer {
    struct list link;  /* next is NULL: not linked */
    uint64_t deadline; /* absolute; the owner may read it, only insert writes it */
};

struct wheel_slot {
    struct list timers; /* borrows; in order of insertion */
    uint64_t earliest;  /* no timer here is earlier; exact unless the slot is stale */
};

/* Bit i of each word is about slots[i]; if that is empty, only `occupied` counts. */
struct wheel_level {
    uint64_t occupied;
    uint64_t unordered; /* some timer is earlier than its predecessor in the list */
    uint64_t stale;     /* the earliest timer was removed: look for the new one */
    struct wheel_slot slots[WHEEL_SLOTS];
};

struct timer_wheel {
    uint64_t now;   /* the last advance; the batch is all with deadline <= now */
    uint64_t swept; /* <= now; the time around which the slots are arranged */
    uint64_t levels_in_use; /* bit i: levels[i] has an occupied slot */
    struct list due;        /* the part of the batch that was found, in order */
    struct list overdue;    /* inserted with a deadline <= now: for the next batch */
    struct wheel_level levels[WHEEL_LEVELS]; /* 17 KiB */
};

/* An empty wheel at the time `now`. Nothing needs to be undone at the end: a wheel that
 * is thrown away forgets the timers that it borrowed. */
void timer_wheel_init(struct timer_wheel *wheel, uint64_t now);

/* Borrows the timer, which is not linked, until it is popped or removed. O(1). A
 * deadline that is not after the wheel's `now` is kept for the next advance, not added
 * to the batch that is being popped: a timer which is inserted again and again with no
 * delay cannot trap the loop above. Every deadline up to CLOCK_NEVER - 1 is a real one;
 * CLOCK_NEVER means "none", so to insert it is a bug (CHECK). */
void timer_wheel_insert(struct timer_wheel *wheel, struct wheel_timer *timer,
                        uint64_t deadline);

/* Gives the timer back, whether it is pending or belongs to the batch; nothing happens
 * if it is not linked. O(1). */
void timer_wheel_remove(struct timer_wheel *wheel, struct wheel_timer *timer);

/* Moves time to `now`, which begins a batch: every timer with deadline <= now, to the
 * nanosecond, never early, never a tick late. An earlier `now` than before leaves time
 * where it is. O(1): the work is done by pop, so that an owner who holds a lock may
 * pop a few, unlock, wake, and come back. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now);

/* The next timer of the batch, which is unlinked and its owner's again; NULL when there
 * are no more. First come those that were overdue when inserted, in order of insertion,
 * then the others by deadline, equal ones in order of insertion. (Timers that an owner
 * left unpopped belong to the next batch too; their order within it is not promised.)
 * Between two pops anything may be inserted or removed. Cost: a few steps for each
 * timer, none for the time that passed. */
struct wheel_timer *timer_wheel_pop(struct timer_wheel *wheel);

/* How long the owner may sleep: the exact earliest deadline; the wheel's `now` while
 * some timer is due or overdue; CLOCK_NEVER when the wheel is empty. */
uint64_t timer_wheel_next(struct timer_wheel *wheel);

static inline bool wheel_timer_linked(const struct wheel_timer *timer)
{
    return timer->link.next != NULL;
}

#endif
