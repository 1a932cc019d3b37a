/* by_hand: what a compiler does with an async function, written out.
 *
 * The function to translate, in words: wait for `first_ms`, then wait for `second_ms`,
 * then say how many waits were finished. Its states are the places where it can stop.
 * async.h abbreviates exactly this; the same function with the macros is in
 * demo_futures.c.
 *
 * Ownership: the struct owns its two slots. Threads: as for any future. */
#ifndef LESSON01_BY_HAND_H
#define LESSON01_BY_HAND_H

#include "lesson01_futures/countdown.h"

enum two_waits_state {
    TWO_WAITS_START,
    TWO_WAITS_IN_FIRST,
    TWO_WAITS_IN_SECOND,
    TWO_WAITS_END
};

struct two_waits {
    struct future future;
    enum two_waits_state state; /* where it stopped */
    unsigned first_ms;          /* argument */
    unsigned second_ms;         /* argument */
    struct countdown wait;      /* the wait in flight; one slot serves both in turn */
    bool cancelled;
    int finished; /* output: waits that were not cancelled */
};

struct two_waits two_waits(unsigned first_ms, unsigned second_ms);

/* "START", "IN_FIRST", ... for the demo. */
const char *two_waits_state_name(enum two_waits_state state);

#endif
