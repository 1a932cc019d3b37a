/* timers: the wheel, a lock if it is shared, and a clock that may be virtual.
 *
 * Problem: a parker that sleeps until the earliest deadline must hear of an earlier one
 * that another worker inserts meanwhile. Idea: `sleeping_until` says what it knows; who
 * inserts something earlier unparks it. Invariant: while the sleeper is parked, no
 * deadline in the wheel is earlier than sleeping_until, or an unpark is on its way.
 *
 * Wakes happen after unlocking (RULES W6), in batches. */
#include "lesson05_reactor/timers.h"

#include <errno.h>

#include "common/clock.h"
#include "lesson05_reactor/io.h"

/* A deadline that is further away than this is no matter of exact time yet. More than one,
 * because a tick may be late itself: on a virtual machine, say. */
#define FAR_TICKS 8

/* ---- clocks */

void virtual_clock_init(struct virtual_clock *clock, uint64_t start)
{
    atomic_init(&clock->now, start);
    atomic_init(&clock->holds, 0);
    clock->jumper = NULL;
}

void virtual_clock_hold(struct virtual_clock *clock)
{
    if (clock)
        /* relaxed: a hold is taken by somebody whom another hold still covers */
        atomic_fetch_add_explicit(&clock->holds, 1, memory_order_relaxed);
}

void virtual_clock_release(struct virtual_clock *clock)
{
    if (!clock)
        return;
    /* release: pairs with the acquire in nobody_holds, so that who lets time jump sees
     * every timer that was inserted under this hold */
    int64_t before = atomic_fetch_sub_explicit(&clock->holds, 1, memory_order_release);
    CHECK(before > 0, "a virtual clock was released more often than held");
    if (before == 1 && clock->jumper)
        parker_unpark(clock->jumper);
}

static bool nobody_holds(struct virtual_clock *clock)
{
    /* acquire: pairs with virtual_clock_release */
    return atomic_load_explicit(&clock->holds, memory_order_acquire) == 0;
}

uint64_t timers_now(const struct timers *timers)
{
    if (!timers->clock)
        return clock_now();
    return atomic_load_explicit(&timers->clock->now, memory_order_relaxed);
}

uint64_t timers_current_time(void)
{
    const struct io_services *services = TLS(io_services_here);
    return services && services->timers ? timers_now(services->timers) : clock_now();
}

uint64_t timers_about_now(void)
{
    const struct io_services *services = TLS(io_services_here);
    CHECK(services && services->timers, "no timers on this thread");
    const struct timers *timers = services->timers;
    return timers->clock ? timers_now(timers) : clock_at_last_tick() + 2 * timers->tick;
}

/* ---- the wheel and its lock */

static void lock(struct timers *timers)
{
    if (timers->shared)
        pthread_mutex_lock(&timers->lock);
}

static void unlock(struct timers *timers)
{
    if (timers->shared)
        pthread_mutex_unlock(&timers->lock);
}

int timers_init(struct timers *timers, bool shared, struct virtual_clock *clock,
                struct parker *sleeper)
{
    timers->shared = shared;
    timers->clock = clock;
    timers->sleeper = sleeper;
    timers->sleeping_until = 0;
    timers->stays = false;
    timers->tick = clock_tick();
    if (clock)
        clock->jumper = sleeper;
    timer_wheel_init(&timers->wheel, timers_now(timers));
    return -pthread_mutex_init(&timers->lock, NULL);
}

void timers_finish(struct timers *timers)
{
    if (!timers->wheel.due.next) /* zeroed: never initialised */
        return;
    CHECK(timer_wheel_next(&timers->wheel) == CLOCK_NEVER,
          "a sleep is still pending when its timers end");
    pthread_mutex_destroy(&timers->lock);
    timers->wheel.due.next = NULL;
}

/* With the lock held: the sleeper may not be gone before its completion is completed. */
static struct completion *ring(struct sleep *sleep)
{
    atomic_store_explicit(&sleep->rang, true, memory_order_relaxed);
    return &sleep->completion;
}

/* The time, as exactly as a comparison with `next` asks for. The exact clock is dear (60
 * ns where this was measured, two or three times in each turn of a server), and most
 * turns find the next deadline far away: then a moment a few ticks after now will do.
 * Nothing is due before it, and a sleep that ends early is followed by an exact one. */
static uint64_t time_for(const struct timers *timers, uint64_t next)
{
    if (next == CLOCK_NEVER)
        return 0;
    if (!timers->clock) {
        uint64_t soon = clock_at_last_tick() + FAR_TICKS * timers->tick;
        if (next > soon)
            return soon;
    }
    return timers_now(timers);
}

/* With the lock held: begins a batch, if there is anything in it. */
static bool begin_batch(struct timers *timers)
{
    uint64_t next = timer_wheel_next(&timers->wheel);
    uint64_t now = time_for(timers, next);
    if (next > now)
        return false;
    timer_wheel_advance(&timers->wheel, now);
    return true;
}

#define FIRE_BATCH 64

unsigned timers_fire(struct timers *timers)
{
    struct completion *batch[FIRE_BATCH];
    unsigned total = 0;
    unsigned count;
    do {
        struct wheel_timer *timer;
        count = 0;
        lock(timers);
        if (total == 0 && !begin_batch(timers)) {
            unlock(timers);
            return 0;
        }
        while (count < FIRE_BATCH && (timer = timer_wheel_pop(&timers->wheel)) != NULL)
            batch[count++] = ring(container_of(timer, struct sleep, timer));
        unlock(timers);
        for (unsigned i = 0; i < count; i++)
            completion_complete(batch[i]);
        total += count;
    } while (count == FIRE_BATCH);
    return total;
}

/* With the lock held: may virtual time jump to `next`? */
static bool may_jump(struct timers *timers, uint64_t next, uint64_t limit)
{
    return timers->clock && !timers->stays && next != CLOCK_NEVER && next <= limit &&
           nobody_holds(timers->clock);
}

static uint64_t limit_of(const struct timers *timers, int64_t timeout_ns)
{
    return timeout_ns < 0 ? CLOCK_NEVER
                          : clock_after(timers_now(timers), (uint64_t)timeout_ns);
}

bool timers_jump(struct timers *timers, int64_t timeout_ns)
{
    if (!timers->clock)
        return false;
    lock(timers);
    uint64_t next = timer_wheel_next(&timers->wheel);
    bool jumps = may_jump(timers, next, limit_of(timers, timeout_ns));
    if (jumps && next > timers_now(timers))
        atomic_store_explicit(&timers->clock->now, next, memory_order_relaxed);
    unlock(timers);
    return jumps;
}

int64_t timers_sleep_for(struct timers *timers, int64_t timeout_ns)
{
    int64_t sleep = timeout_ns;
    lock(timers);
    uint64_t next = timer_wheel_next(&timers->wheel);
    uint64_t now = time_for(timers, next);
    uint64_t limit = limit_of(timers, timeout_ns);
    if (timeout_ns != 0 && (next <= now || may_jump(timers, next, limit)))
        sleep = 0;
    else if (timeout_ns != 0 && next < limit && !timers->clock)
        sleep = (int64_t)(next - now > INT64_MAX ? INT64_MAX : next - now);
    timers->sleeping_until = sleep == 0 ? 0 : next < limit ? next : limit;
    unlock(timers);
    return sleep;
}

/* ---- sleep */

static enum poll_state sleep_start(struct sleep *self, struct context *context)
{
    const struct io_services *services = TLS(io_services_here);
    CHECK(services && services->timers,
          "a sleep was polled on a thread that has no timers");
    struct timers *timers = services->timers;
    uint64_t deadline =
        self->absolute ? self->when : clock_after(timers_now(timers), self->when);
    if (deadline == CLOCK_NEVER) /* RULES T1: the sentinel is no deadline */
        deadline--;
    self->timers = timers;
    completion_arm(&self->completion, context);
    lock(timers);
    timer_wheel_insert(&timers->wheel, &self->timer, deadline);
    bool earlier = deadline < timers->sleeping_until;
    if (earlier)
        timers->sleeping_until = deadline;
    unlock(timers);
    if (earlier && timers->shared && timers->sleeper)
        parker_unpark(timers->sleeper);
    return POLL_PENDING;
}

/* Takes the timer out of the wheel. False: it fired already, or is firing. */
static bool sleep_withdraw(struct sleep *self)
{
    lock(self->timers);
    bool pending = wheel_timer_linked(&self->timer);
    timer_wheel_remove(&self->timers->wheel, &self->timer);
    unlock(self->timers);
    return pending;
}

static enum poll_state sleep_poll(struct future *future, struct context *context)
{
    struct sleep *self = container_of(future, struct sleep, future);
    if (!self->timers && !self->cancelled)
        return sleep_start(self, context);
    if (self->cancelled && (!self->timers || sleep_withdraw(self))) {
        if (self->timers)
            completion_disarm(&self->completion);
        self->result = -ECANCELED;
        return POLL_READY;
    }
    return completion_poll(&self->completion, context) ? POLL_READY : POLL_PENDING;
}

static void sleep_cancel(struct future *future)
{
    container_of(future, struct sleep, future)->cancelled = true;
}

static const struct future_ops sleep_ops = {
    .name = "sleep",
    .size = sizeof(struct sleep),
    .poll = sleep_poll,
    .cancel = sleep_cancel,
};

struct sleep sleep_ns(uint64_t delay)
{
    return (struct sleep){ .future = { &sleep_ops }, .when = delay };
}

struct sleep sleep_ms(uint64_t delay)
{
    return sleep_ns(delay > UINT64_MAX / NS_PER_MS ? UINT64_MAX : delay * NS_PER_MS);
}

struct sleep sleep_until(uint64_t deadline)
{
    return (
        struct sleep){ .future = { &sleep_ops }, .when = deadline, .absolute = true };
}

struct sleep interval_tick(struct interval *interval)
{
    uint64_t now = timers_current_time();
    uint64_t period = interval->period ? interval->period : 1;
    if (!interval->started)
        interval->last = now;
    else if (now >= clock_after(interval->last, period))
        interval->last = clock_after(now, period - (now - interval->last) % period);
    else
        interval->last = clock_after(interval->last, period);
    interval->started = true;
    return sleep_until(interval->last);
}
