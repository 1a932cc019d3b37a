/* timers: sleeping, for tasks.
 *
 * A timer wheel with an owner: the parker that sleeps until the next deadline and fires
 * what is due. One a thread (no lock) or one for several workers (with its lock).
 *
 * Time is real, or virtual: a virtual clock stands still while anybody has work to do,
 * and jumps to the next deadline when nobody has. A test of an hour's time-out then
 * takes a millisecond, and always takes the same course.
 *
 * Ownership: sleeping futures embed their timers; the wheel borrows them until they fire
 * or are cancelled. Threads: sleep futures on threads whose services name these timers;
 * fire and next from whoever parks. Unit: nanoseconds. */
#ifndef LESSON05_TIMERS_H
#define LESSON05_TIMERS_H

#include <pthread.h>
#include <stdatomic.h>

#include "lesson02_wakers/completion.h"
#include "lesson02_wakers/parker.h"
#include "lesson05_reactor/timer_wheel.h"

/* Time that jumps. Whoever may still cause something to happen holds it: each worker
 * that is not parked, each blocking job, each operation outside. */
struct virtual_clock {
    _Atomic uint64_t now;
    _Atomic int64_t holds;
    struct parker *jumper; /* borrows; woken when nobody holds the clock any more */
};

void virtual_clock_init(struct virtual_clock *clock, uint64_t start);
void virtual_clock_hold(struct virtual_clock *clock);
void virtual_clock_release(struct virtual_clock *clock);

struct timers {
    struct timer_wheel wheel; /* guarded by lock when shared */
    uint64_t sleeping_until;  /* guarded likewise: what the sleeper knows */
    bool stays;               /* the sleeper's own: virtual time shall not jump here */
    struct virtual_clock *clock; /* borrows; NULL: real time */
    struct parker *sleeper;      /* borrows; woken for an earlier deadline */
    bool shared;                 /* immutable */
    uint64_t tick;               /* immutable: the kernel's */
    pthread_mutex_t lock;
};

/* `shared`: used by several threads. `sleeper` (may be NULL) is unparked when a deadline
 * is inserted that is earlier than what it sleeps for; with shared false only its own
 * thread inserts, and it is never asleep then. */
int timers_init(struct timers *timers, bool shared, struct virtual_clock *clock,
                struct parker *sleeper);

/* Accepts a zeroed struct. CHECKs that nothing sleeps any more. */
void timers_finish(struct timers *timers);

uint64_t timers_now(const struct timers *timers);

/* Wakes everything that is due. Returns how many. */
unsigned timers_fire(struct timers *timers);

/* How long its parker may sleep: `timeout_ns` (PARK_FOREVER: no limit) or less. 0 when
 * something is due, and when virtual time may jump: the parker then looks at the outside
 * without sleeping, and calls timers_jump if nothing happened there. */
int64_t timers_sleep_for(struct timers *timers, int64_t timeout_ns);

/* Under a virtual clock that nobody holds: jumps to the next deadline, if it lies within
 * timeout_ns. True if it did. */
bool timers_jump(struct timers *timers, int64_t timeout_ns);

/* The same clock that the current services' timers have; real time without any. */
uint64_t timers_current_time(void);

/* A moment that is not before now, and at most two of the kernel's ticks after it; read
 * for a third of the price. Under a virtual clock, now. Good for deadlines that may come
 * a little late. */
uint64_t timers_about_now(void);

struct sleep {
    struct future future;
    struct wheel_timer timer;
    struct completion completion;
    struct timers *timers; /* borrows; set by the first poll */
    uint64_t when;         /* delay, or deadline if absolute */
    bool absolute;
    bool cancelled;
    _Atomic bool rang; /* whoever fires it, before it wakes */
    int result;        /* output: 0, or -ECANCELED */
};

/* Was it fired? For who keeps one in flight and would rather not poll it each time:
 * false means that it is pending, and that the waker of its last poll will be woken. */
static inline bool sleep_rang(const struct sleep *sleep)
{
    /* relaxed: a poll follows if it did, and it takes the acquire of completion_poll */
    return atomic_load_explicit(&sleep->rang, memory_order_relaxed);
}

/* READY this long after the first poll. */
CONSTRUCTOR struct sleep sleep_ns(uint64_t delay);
CONSTRUCTOR struct sleep sleep_ms(uint64_t delay);

/* READY when timers_current_time() has reached the deadline. */
CONSTRUCTOR struct sleep sleep_until(uint64_t deadline);

/* A deadline every `period`: AWAIT(self->sleep, interval_tick(&self->interval)). Missed
 * ticks are not made up for: the next one is the next multiple in the future. */
struct interval {
    uint64_t period;
    uint64_t last; /* deadline, once it has started */
    bool started;  /* if not, the next tick is at once */
};

struct sleep interval_tick(struct interval *interval);

#endif
