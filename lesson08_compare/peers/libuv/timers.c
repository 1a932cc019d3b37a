/* timers: libuv's heap of timers.
 *
 * Its resolution is a millisecond: uv_timer_start takes whole milliseconds, and adds
 * them to the loop's clock, which is in milliseconds as well. Deadlines are rounded up.
 * A "task that sleeps" is a timer handle and its callback. */
#include "lesson08_compare/peers/libuv/peer.h"

#include <stdlib.h>

/* ---- timers: n handles, each starts once ---- */

#define TIMERS_A_LOOK 1024 /* that many starts between two looks at the clock */

static void slept(uv_timer_t *timer)
{
    struct run *run = timer->data;
    if (++run->check == run->n)
        peer_done(run);
}

void start_timers(struct run *run)
{
    /* They live until the process ends. */
    uv_timer_t *timers = peer_alloc(run->n, sizeof *timers);
    run->ops = run->n;
    for (uint64_t i = 0; i < run->n; i++) {
        uint64_t us = 1000000 + peer_mix(i) % 2000000;
        /* The loop's clock stands still during a callback, and this one is long. */
        if (i % TIMERS_A_LOOK == 0)
            uv_update_time(run->loop);
        uv_timer_init(run->loop, &timers[i]);
        timers[i].data = run;
        uv_timer_start(&timers[i], slept, (us + 999) / 1000, 0);
    }
}

/* ---- timer-churn: a time-out around one yield, again and again ----
 *
 * The nearest to a yield is an idle handle: the loop calls it once in each round, after
 * it has called all others. */

struct churner {
    uv_idle_t yield; /* must be first: the callback gets its address */
    uv_timer_t time_out;
    struct run *run;
    uint64_t left;
};

static void too_late(uv_timer_t *timer)
{
    peer_fail(timer->data, "a time-out came before the yield", UV_ETIMEDOUT);
}

static void begin(struct churner *c)
{
    uv_timer_start(&c->time_out, too_late, 10000, 0);
}

static void yielded(uv_idle_t *idle)
{
    struct churner *c = (struct churner *)idle;
    uv_timer_stop(&c->time_out);
    c->run->check++;
    if (--c->left > 0) {
        begin(c);
        return;
    }
    uv_idle_stop(idle);
    if (c->run->check == c->run->ops)
        peer_done(c->run);
}

void start_timer_churn(struct run *run)
{
    struct churner *churners = peer_alloc(CHURNERS, sizeof *churners);
    uint64_t each = run->n / CHURNERS;
    run->ops = run->n;
    for (int i = 0; i < CHURNERS; i++) {
        struct churner *c = &churners[i];
        *c = (struct churner){ .run = run, .left = each };
        uv_idle_init(run->loop, &c->yield);
        uv_timer_init(run->loop, &c->time_out);
        c->time_out.data = run;
        begin(c);
        uv_idle_start(&c->yield, yielded);
    }
}
