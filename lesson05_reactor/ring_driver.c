/* ring_driver: submit, sleep, reap - and the way in and out.
 *
 * The parker is where it all meets: park submits what the tasks queued since the last
 * park, sleeps until there is a completion, an unpark or a deadline, and delivers. So
 * the system calls of many operations are one.
 *
 * Shared between threads, the submission has to be thought through: a worker that queues
 * an operation while the only submitter sleeps must submit it itself. Invariant: PARKED
 * is set before the parker's last submit, and a worker looks for PARKED after it queued,
 * both under the SQ lock; so either that submit takes the operation, or the worker sees
 * PARKED. */
#include "lesson05_reactor/ring_driver.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/forks.h"
#include "lesson02_wakers/pace.h"
#include "lesson05_reactor/ring_source.h"

enum { EMPTY = 0, TOKEN = 1, PARKED = 2 };

#define DEFAULT_ENTRIES 256
#define DEFAULT_LENT_SIZE 2048
#define DEFAULT_LENT_BUFFERS 1024
#define REAP_BATCH 64
#define BUSY_TURNS 4
#define FINISH_TRIES 1000

bool ring_driver_is_ours(const struct ring_driver *self)
{
    return self->forks == forks_count();
}

/* ---- the two sides */

void ring_driver_sq_unlock(struct ring_driver *self)
{
    bool refused = false;
    /* acquire: pairs with the swap in fall_asleep; ordered with it by the lock */
    if (atomic_load_explicit(&self->token, memory_order_acquire) == PARKED)
        refused = ring_submit(&self->ring) < 0;
    pthread_mutex_unlock(&self->sq_lock);
    if (refused) /* still queued (C7); the parker tries again, but it has to be awake */
        parker_unpark(&self->parker);
}

/* Delivers what has completed; the callbacks run without a lock. Returns how many. Shared,
 * it is one batch: about as many as a worker runs until its next look, for more would
 * overflow its queue. The rest stays in the CQ, and a sleep finds it there. */
static unsigned reap(struct ring_driver *self)
{
    if (!self->shared)
        return ring_reap(&self->ring);
    struct ring_completion batch[REAP_BATCH];
    pthread_mutex_lock(&self->cq_lock);
    unsigned taken = ring_take(&self->ring, batch, REAP_BATCH);
    pthread_mutex_unlock(&self->cq_lock);
    for (unsigned i = 0; i < taken; i++)
        ring_op_deliver(&batch[i]);
    return taken;
}

/* What the full ring did not take. Inside the brackets. */
static void retry_backlog(struct ring_driver *self)
{
    ring_lent_retry_stops(self);
    struct io_op *cancel = self->cancels;
    self->cancels = NULL;
    while (cancel) {
        struct io_op *next = cancel->next;
        ring_op_pass_cancel_on(self, cancel);
        cancel = next;
    }
    struct io_op *op = self->backlog;
    self->backlog = NULL;
    while (op) {
        struct io_op *next = op->next;
        ring_op_submit(self, op); /* or back into the backlog, in order */
        op = next;
    }
}

/* ---- parker_ops */

static void on_kick(struct ring_op *op, int result, unsigned flags)
{
    struct ring_driver *self = container_of(op, struct ring_driver, kick);
    (void)flags;
    self->kick_armed = false;
    if (result > 0)
        notifier_drain(&self->notifier);
}

/* Inside the brackets. False: the ring takes nothing now, so nobody could kick us. */
static bool arm_kick(struct ring_driver *self)
{
    if (self->kick_armed)
        return true;
    struct io_uring_sqe *sqe = ring_get_sqe(&self->ring);
    if (!sqe)
        return false;
    io_uring_prep_poll_add(sqe, self->notifier.fd, POLLIN);
    self->kick = (struct ring_op){ .complete = on_kick };
    ring_op_attach(sqe, &self->kick);
    self->kick_armed = true;
    return true;
}

/* Does anything wait for room on the ring? Inside the brackets. */
static bool has_backlog(const struct ring_driver *self)
{
    return self->backlog || self->cancels || self->stops;
}

/* May we sleep? Takes a token that is there. */
static bool fall_asleep(struct ring_driver *self)
{
    unsigned seen = EMPTY;
    if (has_backlog(self) || !arm_kick(self))
        return false;
    /* acquire: pairs with the release in unpark; release: with the load in sq_end */
    if (atomic_compare_exchange_strong_explicit(
            &self->token, &seen, PARKED, memory_order_acq_rel, memory_order_acquire))
        return true;
    atomic_exchange_explicit(&self->token, EMPTY, memory_order_acquire);
    return false;
}

/* The kernel may end epoll_wait late, by the thread's timer slack (50 us as a rule), so
 * that one interrupt and one wake-up serve several deadlines. It ends an enter's wait on
 * the nanosecond, which is a wake-up for each. So the slack is added here. Who wants to be
 * woken exactly lowers it (PR_SET_TIMERSLACK) before the driver is made, for both. */
static int64_t with_slack(const struct ring_driver *self, int64_t sleep)
{
    return sleep > 0 && sleep <= INT64_MAX - self->slack ? sleep + self->slack : sleep;
}

static int64_t timer_slack(void)
{
    int slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    return slack > 0 ? slack : 0;
}

static int submit_and_sleep(struct ring_driver *self, int64_t timeout_ns, bool *quiet)
{
    bool parked;
    ring_driver_sq_begin(self);
    retry_backlog(self);
    parked = timeout_ns != 0 && fall_asleep(self);
    int64_t sleep = parked ? timers_sleep_for(&self->timers, timeout_ns) : 0;
    sleep = with_slack(self, sleep);
    int err;
    if (self->shared) {
        err = ring_submit(&self->ring);
        ring_driver_sq_end(self);
        if (err == 0 && sleep != 0)
            err = ring_sleep(&self->ring, sleep);
    } else {
        err = ring_wait(&self->ring, sleep);
    }
    /* acquire: pairs with the release in unpark */
    *quiet = parked && atomic_exchange_explicit(&self->token, EMPTY,
                                                memory_order_acquire) == PARKED;
    *quiet = *quiet && err == 0; /* what was not handed over may have an answer */
    return err == -EAGAIN || err == -EBUSY ? 0 : err; /* still queued: next time (C7) */
}

/* A busy executor parks with 0 every PARK_INTERVAL polls. An enter each time would cut
 * the batches of a ring to pieces, so most of these turns only fire timers: I/O gets one
 * every BUSY_TURNS, or when the submission queue is half full, or when the last one is
 * long ago, since polls may be long (RULES S8, S9). */
static bool may_skip(struct ring_driver *self)
{
    ring_driver_sq_begin(self);
    bool urgent = has_backlog(self) || io_uring_sq_space_left(&self->ring.uring) <
                                           self->ring.uring.sq.ring_entries / 2;
    ring_driver_sq_end(self);
    return !urgent && ++self->skipped < BUSY_TURNS &&
           clock_now() - self->entered < PACE_NS;
}

static int ring_driver_park(struct parker *parker, int64_t timeout_ns)
{
    struct ring_driver *self = container_of(parker, struct ring_driver, parker);
    if (!ring_driver_is_ours(self))
        return -ESTALE;
    if (timeout_ns == 0 && may_skip(self)) {
        timers_fire(&self->timers);
        return 0;
    }
    self->skipped = 0;
    uint64_t before = atomic_load_explicit(&self->ring.enters, memory_order_relaxed);
    bool quiet;
    int err = submit_and_sleep(self, timeout_ns, &quiet);
    self->entered = clock_now();
    if (reap(self) == 0 && quiet)
        timers_jump(&self->timers, timeout_ns);
    timers_fire(&self->timers);
    uint64_t enters =
        atomic_load_explicit(&self->ring.enters, memory_order_relaxed) - before;
    while (enters-- > 0)
        io_count_syscall();
    return err;
}

static void ring_driver_unpark(struct parker *parker)
{
    struct ring_driver *self = container_of(parker, struct ring_driver, parker);
    /* release: pairs with the acquires above; a swap, so that merged unparks all publish */
    if (atomic_exchange_explicit(&self->token, TOKEN, memory_order_release) == PARKED)
        notifier_notify(&self->notifier);
}

static const struct parker_ops ring_driver_parker_ops = {
    .name = "io_uring",
    .park = ring_driver_park,
    .unpark = ring_driver_unpark,
};

/* ---- life */

/* The buffer group is a bonus: without it recv_lent receives plainly. */
static int init_group(struct ring_driver *self, const struct ring_driver_config *config)
{
    unsigned count = config->lent_buffers ? config->lent_buffers : DEFAULT_LENT_BUFFERS;
    unsigned size = (unsigned)self->lent.size;
    if (self->shared ||
        ring_buffers_init(&self->group, &self->ring, 0, count, size) < 0)
        return 0;
    self->segments = calloc(count, sizeof *self->segments);
    if (!self->segments) {
        ring_buffers_finish(&self->group);
        return -ENOMEM;
    }
    self->group_works = true;
    return 0;
}

static int init_ring(struct ring_driver *self, const struct ring_driver_config *config)
{
    struct ring_config ring = {
        .entries = config->entries ? config->entries : DEFAULT_ENTRIES,
        .cq_entries = config->cq_entries,
        .mode = self->shared ? RING_SHARED : RING_SINGLE,
        .sqpoll = config->sqpoll,
        .sqpoll_idle_ms = config->sqpoll_idle_ms,
    };
    if (!ring.cq_entries)
        ring.cq_entries = ring.entries * 16;
    self->slack = timer_slack();
    self->forks = forks_count();
    int err = ring_init(&self->ring, &ring);
    if (err == 0)
        ring_files_init(self);
    return err;
}

int ring_driver_init(struct ring_driver *driver,
                     const struct ring_driver_config *config)
{
    *driver = (struct ring_driver){
        .driver = { &ring_driver_ops },
        .parker = { &ring_driver_parker_ops },
        .shared = config->shared,
    };
    io_survive_sigpipe();
    size_t lent_size = config->lent_size ? config->lent_size : DEFAULT_LENT_SIZE;
    int err = forks_watch();
    if (err == 0)
        err = timers_init(&driver->timers, config->shared, config->clock,
                          &driver->parker);
    if (err < 0)
        goto fail_timers;
    err = source_pool_init(&driver->sources, sizeof(struct ring_source));
    if (err < 0)
        goto fail_sources;
    err = lent_pool_init(&driver->lent, lent_size, config->shared);
    if (err < 0)
        goto fail_lent;
    err = notifier_init(&driver->notifier);
    if (err < 0)
        goto fail_notifier;
    err = -pthread_mutex_init(&driver->sq_lock, NULL);
    if (err < 0)
        goto fail_sq_lock;
    err = -pthread_mutex_init(&driver->cq_lock, NULL);
    if (err < 0)
        goto fail_cq_lock;
    err = init_ring(driver, config);
    if (err < 0)
        goto fail_ring;
    err = init_group(driver, config);
    if (err == 0)
        return 0;
    ring_finish(&driver->ring);
fail_ring:
    pthread_mutex_destroy(&driver->cq_lock);
fail_cq_lock:
    pthread_mutex_destroy(&driver->sq_lock);
fail_sq_lock:
    notifier_finish(&driver->notifier);
fail_notifier:
    lent_pool_finish(&driver->lent);
fail_lent:
    source_pool_finish(&driver->sources);
fail_sources:
    timers_finish(&driver->timers);
fail_timers:
    driver->driver.ops = NULL;
    return err;
}

void ring_driver_finish(struct ring_driver *driver)
{
    if (!driver || !driver->driver.ops)
        return;
    /* Our own: the kick, multishots of orphans. An enter that fails is made again; what a
     * ring that never recovers still has in flight, ring_finish says. */
    for (int tries = FINISH_TRIES; tries > 0; tries--)
        if (ring_drain(&driver->ring) >= 0)
            break;
    ring_buffers_finish(&driver->group);
    free(driver->segments);
    ring_finish(&driver->ring);
    pthread_mutex_destroy(&driver->cq_lock);
    pthread_mutex_destroy(&driver->sq_lock);
    notifier_finish(&driver->notifier);
    lent_pool_finish(&driver->lent);
    source_pool_finish(&driver->sources);
    timers_finish(&driver->timers);
    driver->driver.ops = NULL;
}
