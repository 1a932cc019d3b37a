/* alarm_clock: a thread that sleeps for others, and the first leaf that keeps F2.
 *
 * One thread holds every deadline; when one has come, it completes that wait, which
 * wakes whoever waits. Enough to show what wakers are for. Lesson 5 replaces it by
 * timers that need no thread and find the next deadline faster than by looking at all.
 *
 * Ownership: caller-owned memory; the clock borrows the waits in flight. Threads: wait
 * on any. Unit: milliseconds. */
#ifndef LESSON02_ALARM_CLOCK_H
#define LESSON02_ALARM_CLOCK_H

#include <pthread.h>

#include "common/list.h"
#include "lesson02_wakers/completion.h"

struct alarm_clock {
    pthread_t thread;
    /* guarded by lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct list waits; /* borrows: in no order */
    bool stopping;
};

/* 0 or negative errno. */
int alarm_clock_start(struct alarm_clock *clock);

/* Nobody may be waiting any more. */
void alarm_clock_stop(struct alarm_clock *clock);

struct alarm_wait {
    struct future future;
    struct alarm_clock *clock; /* borrows */
    struct list link;          /* guarded by clock->lock */
    struct completion completion;
    uint64_t delay_ns;
    uint64_t deadline; /* set by the first poll */
    uint64_t polls;    /* output: how often it was asked */
    int result;        /* output: 0, or -ECANCELED */
    bool started;
    bool cancelled;
};

/* READY this long after its first poll. */
struct alarm_wait alarm_ms(struct alarm_clock *clock, unsigned milliseconds);

#endif
