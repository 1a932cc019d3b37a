/* timers, made in another way: a correct version for exercise 5.4.
 *
 * The sleeper is told whenever the earliest deadline has changed, asleep or not:
 * nothing is remembered of what it sleeps for. What is due is taken out one at a time,
 * and woken before the next one is looked for. The clock is always read exactly. */
#include "lesson05_reactor/timers.h"

#include <errno.h>

#include "common/clock.h"
#include "lesson05_reactor/io.h"

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
    return timers_current_time();
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
    timers->tick = 0;
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

/* One that is due, or NULL. It may not be gone before its completion is completed, so
 * it is marked with the lock held. */
static struct completion *take_due(struct timers *timers)
{
    lock(timers);
    struct wheel_timer *timer = timer_wheel_pop(&timers->wheel);
    struct completion *completion = NULL;
    if (timer) {
        struct sleep *sleep = container_of(timer, struct sleep, timer);
        atomic_store_explicit(&sleep->rang, true, memory_order_relaxed);
        completion = &sleep->completion;
    }
    unlock(timers);
    return completion;
}

unsigned timers_fire(struct timers *timers)
{
    unsigned count = 0;
    struct completion *due;
    lock(timers);
    timer_wheel_advance(&timers->wheel, timers_now(timers));
    unlock(timers);
    while ((due = take_due(timers)) != NULL) {
        completion_complete(due);
        count++;
    }
    return count;
}

/* With the lock held. What is left of the time-out at most; UINT64_MAX: no limit. */
static uint64_t until_next(struct timers *timers)
{
    uint64_t next = timer_wheel_next(&timers->wheel), now = timers_now(timers);
    if (next == CLOCK_NEVER)
        return UINT64_MAX;
    return next > now ? next - now : 0;
}

static bool may_jump(struct timers *timers, uint64_t distance, int64_t timeout_ns)
{
    if (!timers->clock || timers->stays || distance == UINT64_MAX)
        return false;
    if (timeout_ns >= 0 && distance > (uint64_t)timeout_ns)
        return false;
    return nobody_holds(timers->clock);
}

bool timers_jump(struct timers *timers, int64_t timeout_ns)
{
    lock(timers);
    uint64_t distance = until_next(timers);
    bool jumps = may_jump(timers, distance, timeout_ns);
    if (jumps)
        /* relaxed: as in timers_now; nobody else moves a clock that nobody holds */
        atomic_fetch_add_explicit(&timers->clock->now, distance, memory_order_relaxed);
    unlock(timers);
    return jumps;
}

int64_t timers_sleep_for(struct timers *timers, int64_t timeout_ns)
{
    lock(timers);
    uint64_t distance = until_next(timers);
    bool jumps = may_jump(timers, distance, timeout_ns);
    unlock(timers);
    if (timeout_ns == 0 || distance == 0 || jumps)
        return 0;
    if (timers->clock || distance > INT64_MAX)
        return timeout_ns;
    return timeout_ns < 0 || distance < (uint64_t)timeout_ns ? (int64_t)distance
                                                             : timeout_ns;
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
    self->timers = timers;
    completion_arm(&self->completion, context);
    lock(timers);
    uint64_t before = timer_wheel_next(&timers->wheel);
    timer_wheel_insert(&timers->wheel, &self->timer,
                       deadline < CLOCK_NEVER ? deadline : CLOCK_NEVER - 1);
    bool earlier = timer_wheel_next(&timers->wheel) < before;
    unlock(timers);
    if (earlier && timers->sleeper)
        parker_unpark(timers->sleeper);
    return POLL_PENDING;
}

static enum poll_state sleep_poll(struct future *future, struct context *context)
{
    struct sleep *self = container_of(future, struct sleep, future);
    if (!self->timers) {
        self->result = -ECANCELED;
        return self->cancelled ? POLL_READY : sleep_start(self, context);
    }
    if (completion_poll(&self->completion, context)) {
        self->result = 0;
        return POLL_READY;
    }
    if (!self->cancelled)
        return POLL_PENDING;
    lock(self->timers);
    bool withdrawn = wheel_timer_linked(&self->timer);
    timer_wheel_remove(&self->timers->wheel, &self->timer);
    unlock(self->timers);
    if (!withdrawn) /* it is firing this moment, and will wake */
        return POLL_PENDING;
    completion_disarm(&self->completion);
    self->result = -ECANCELED;
    return POLL_READY;
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
    uint64_t steps = 0;
    if (!interval->started)
        interval->last = now;
    else
        steps = now < interval->last ? 1 : (now - interval->last) / period + 1;
    interval->started = true;
    bool fits = steps <= (CLOCK_NEVER - 1 - interval->last) / period;
    interval->last = fits ? interval->last + steps * period : CLOCK_NEVER - 1;
    return sleep_until(interval->last);
}
