/* alarm_clock: sleep until the next deadline, complete, sleep again.
 *
 * Problem: something must notice that time has passed, and it cannot be the task, which
 * is not polled. Idea: a thread of its own that sleeps and then wakes others. Invariant:
 * a wait that is in the list belongs to both sides under the lock; the one who takes it
 * out decides how it ends. If that is the clock, completion.h brings the news, and a
 * cancel that comes now is too late; if it is the wait's own cancel, the clock has never
 * heard of it. */
#include "lesson02_wakers/alarm_clock.h"

#include <errno.h>
#include <time.h>

#include "common/clock.h"
#include "common/condition.h"

/* The next wait to end; NULL when there is none. The lock is held. */
static struct alarm_wait *earliest(struct alarm_clock *clock)
{
    struct alarm_wait *first = NULL;
    list_for_each (node, &clock->waits) {
        struct alarm_wait *wait = container_of(node, struct alarm_wait, link);
        if (!first || wait->deadline < first->deadline)
            first = wait;
    }
    return first;
}

/* Sleeps until the deadline or a change of the list. The lock is held. */
static void sleep_until(struct alarm_clock *clock, uint64_t deadline)
{
    struct timespec until = { .tv_sec = (time_t)(deadline / NS_PER_S),
                              .tv_nsec = (long)(deadline % NS_PER_S) };
    pthread_cond_timedwait(&clock->changed, &clock->lock, &until);
}

static void *run_clock(void *argument)
{
    struct alarm_clock *clock = argument;
    pthread_mutex_lock(&clock->lock);
    while (!clock->stopping) {
        struct alarm_wait *next = earliest(clock);
        if (!next) {
            pthread_cond_wait(&clock->changed, &clock->lock);
        } else if (next->deadline > clock_now()) {
            sleep_until(clock, next->deadline);
        } else {
            list_remove(&next->link);
            pthread_mutex_unlock(&clock->lock); /* W6: a wake is not for under a lock */
            completion_complete(&next->completion);
            pthread_mutex_lock(&clock->lock);
        }
    }
    pthread_mutex_unlock(&clock->lock);
    return NULL;
}

int alarm_clock_start(struct alarm_clock *clock)
{
    *clock = (struct alarm_clock){ .lock = PTHREAD_MUTEX_INITIALIZER };
    list_init(&clock->waits);
    int err = condition_init(&clock->changed);
    if (err < 0)
        return err;
    err = -pthread_create(&clock->thread, NULL, run_clock, clock);
    if (err < 0)
        pthread_cond_destroy(&clock->changed);
    return err;
}

void alarm_clock_stop(struct alarm_clock *clock)
{
    pthread_mutex_lock(&clock->lock);
    CHECK(list_empty(&clock->waits), "an alarm clock was stopped while a future waits");
    clock->stopping = true;
    pthread_cond_signal(&clock->changed);
    pthread_mutex_unlock(&clock->lock);
    pthread_join(clock->thread, NULL);
    pthread_cond_destroy(&clock->changed);
    pthread_mutex_destroy(&clock->lock);
}

/* ---- the future */

static void start_wait(struct alarm_wait *self, const struct context *context)
{
    self->started = true;
    self->deadline = clock_after(clock_now(), self->delay_ns);
    completion_arm(&self->completion, context);
    pthread_mutex_lock(&self->clock->lock);
    list_push_back(&self->clock->waits, &self->link);
    pthread_cond_signal(&self->clock->changed);
    pthread_mutex_unlock(&self->clock->lock);
}

/* True: the clock will not complete it any more. */
static bool take_back(struct alarm_wait *self)
{
    pthread_mutex_lock(&self->clock->lock);
    bool ours = !list_empty(&self->link);
    list_remove(&self->link);
    pthread_mutex_unlock(&self->clock->lock);
    if (ours)
        completion_disarm(&self->completion);
    return ours;
}

static enum poll_state alarm_poll(struct future *future, struct context *context)
{
    struct alarm_wait *self = container_of(future, struct alarm_wait, future);
    self->polls++;
    if (self->cancelled && (!self->started || take_back(self))) {
        self->result = -ECANCELED;
        return POLL_READY;
    }
    if (self->started)
        return completion_poll(&self->completion, context) ? POLL_READY : POLL_PENDING;
    start_wait(self, context);
    return POLL_PENDING;
}

static void alarm_cancel(struct future *future)
{
    container_of(future, struct alarm_wait, future)->cancelled = true;
}

static const struct future_ops alarm_ops = {
    .name = "alarm",
    .size = FUTURE_SIZE(struct alarm_wait),
    .poll = alarm_poll,
    .cancel = alarm_cancel,
};

struct alarm_wait alarm_ms(struct alarm_clock *clock, unsigned milliseconds)
{
    return (struct alarm_wait){ .future = { &alarm_ops },
                                .clock = clock,
                                .delay_ns = milliseconds * NS_PER_MS };
}
