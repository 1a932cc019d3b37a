/* held_parker: a lane that is awake holds the virtual clock.
 *
 * In a test time shall stand still while anybody works, and jump when nobody does. With
 * one lane that is easy; with several, each with deadlines of its own, only the lane that
 * has the earliest may let time jump. So each publishes its next deadline before it lets
 * go of the clock, and who finds that nobody holds it any more looks whose turn it is.
 *
 *   awake, holds --park: publish, let go--> PARKED --unpark: takes a hold for it--> awake
 *                                             |
 *                                             +---- I/O, a timer: takes it itself -> awake
 *
 * Ownership: borrows the inner parker, timers and group, which outlive it. Threads: park
 * from the lane's, unpark from any; add before any lane parks. Used only where the config
 * has a clock. */
#ifndef LESSON07_HELD_PARKER_H
#define LESSON07_HELD_PARKER_H

#include "lesson05_reactor/timers.h"

struct held_parker {
    struct parker parker;
    struct parker *inner;       /* borrows */
    struct timers *timers;      /* borrows; the lane's own */
    struct held_group *group;   /* borrows */
    struct held_parker *member; /* borrows; the next one of the group */
    /* any thread, atomic */
    _Atomic unsigned token;
    _Atomic uint64_t next; /* its earliest deadline when it last let go */
};

/* All lanes of a runtime; as a parker it is woken when the last hold is given up. */
struct held_group {
    struct parker jumper;
    struct virtual_clock *clock; /* borrows */
    struct held_parker *first;   /* borrows */
    /* borrows: the one that may let time jump, until it holds the clock again */
    _Atomic(struct held_parker *) turn;
    _Atomic unsigned visitors; /* who may be unparking one of them; any thread */
};

/* Becomes the clock's jumper, so make it after the lanes' timers. */
void held_group_init(struct held_group *group, struct virtual_clock *clock);
void held_group_add(struct held_group *group, struct held_parker *parker);

/* The lane is awake, so it holds the clock from here on. */
void held_parker_init(struct held_parker *parker, struct parker *inner,
                      struct timers *timers);

/* The lane will not park again, and once this returns nobody unparks it. */
void held_parker_finish(struct held_parker *parker);

#endif
