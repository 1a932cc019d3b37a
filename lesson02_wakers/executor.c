/* executor: take a task, poll it, take the next; nothing left, sleep.
 *
 * Problem: sleeping is only correct if whoever brings work while we fall asleep wakes
 * us (RULES W1). Idea: the parker's token. Others put the task into the inbox first and
 * unpark afterwards; we look at the inbox after every return from park and before we
 * park again. If their unpark comes between our look and our sleep, its token makes the
 * sleep return at once. Invariant: a task in the inbox has an unpark after it that no
 * park has consumed before a look at the inbox.
 *
 * Once the task is in the inbox, the owner may run it to its end and take the executor
 * down, while the other thread has not unparked yet. So it is counted as a visitor before
 * it releases the lock, and executor_finish waits until there is none (W5). To unpark
 * under the lock would do as well, but the owner, woken on another CPU, would run into
 * the lock and sleep again. */
#include "lesson02_wakers/executor.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "common/clock.h"

static struct executor *executor_of(struct scheduler *scheduler)
{
    return container_of(scheduler, struct executor, scheduler);
}

COLD static int admit_from_elsewhere(struct executor *self)
{
    int err = 0;
    pthread_mutex_lock(&self->lock);
    if (self->stopping)
        err = -ESHUTDOWN;
    else
        self->admitted++;
    pthread_mutex_unlock(&self->lock);
    return err;
}

static int executor_admit(struct scheduler *scheduler)
{
    struct executor *self = executor_of(scheduler);
    if (!task_home_is_here(self->home))
        return admit_from_elsewhere(self);
    if (self->stopping)
        return -ESHUTDOWN;
    self->live++;
    return 0;
}

/* Makes the owner look at what other threads brought, before its next poll. */
static void attract(struct executor *self)
{
    /* release: pairs with the acquire in attend */
    atomic_store_explicit(&self->attention, true, memory_order_release);
}

/* There is something to collect. The lock is held. */
static void announce(struct executor *self)
{
    attract(self);
    parker_unpark(self->parker);
}

COLD static void schedule_from_elsewhere(struct executor *self, struct task *task,
                                         enum schedule_why why)
{
    pthread_mutex_lock(&self->lock);
    /* Admitted before the stop, and too late for its round: executor_cancel_all may not
     * have seen it (S12). It is SCHEDULED already, so this does not come back here. */
    if (self->stopping && why == SCHEDULE_SPAWN)
        task_request_cancel(task);
    task_queue_push(&self->inbox, task);
    attract(self);
    /* relaxed: ordered by the lock, which executor_finish takes */
    atomic_fetch_add_explicit(&self->visitors, 1, memory_order_relaxed);
    pthread_mutex_unlock(&self->lock);
    parker_unpark(self->parker);
    /* release: pairs with the acquire in executor_wait_for_visitors; our last access */
    atomic_fetch_sub_explicit(&self->visitors, 1, memory_order_release);
}

static void executor_schedule(struct scheduler *scheduler, struct task *task,
                              enum schedule_why why)
{
    struct executor *self = executor_of(scheduler);
    if (task_home_is_here(self->home))
        run_order_push(&self->order, task, why);
    else
        schedule_from_elsewhere(self, task, why);
}

/* A spawn from elsewhere found no memory. */
COLD static void retire_from_elsewhere(struct executor *self)
{
    pthread_mutex_lock(&self->lock);
    self->admitted--;
    announce(self); /* it may have been counted as live, and all that was waited for */
    pthread_mutex_unlock(&self->lock);
}

static void executor_retire(struct scheduler *scheduler)
{
    struct executor *self = executor_of(scheduler);
    if (task_home_is_here(self->home))
        self->live--;
    else
        retire_from_elsewhere(self);
}

static struct task_home *executor_home(struct scheduler *scheduler)
{
    return executor_of(scheduler)->home;
}

static void executor_post(struct scheduler *scheduler, struct task_home *home)
{
    (void)home;
    attract(executor_of(scheduler));
    parker_unpark(executor_of(scheduler)->parker);
}

static void executor_stalled(struct scheduler *scheduler, int change)
{
    executor_of(scheduler)->stalled += (uint64_t)(int64_t)change;
}

static const struct scheduler_ops executor_ops = {
    .name = "executor",
    .admit = executor_admit,
    .schedule = executor_schedule,
    .retire = executor_retire,
    .home = executor_home,
    .post = executor_post,
    .stalled = executor_stalled,
};

/* ---- life */

int executor_init(struct executor *executor, struct parker *parker)
{
    *executor = (struct executor){ .scheduler = { &executor_ops }, .parker = parker };
    pace_init(&executor->pace);
    if (!parker) {
        thread_parker_init(&executor->own_parker);
        executor->parker = &executor->own_parker.parker;
    }
    run_order_init(&executor->order);
    task_queue_init(&executor->inbox);
    executor->home = task_home_create(&executor->scheduler);
    if (!executor->home)
        return -ENOMEM;
    int err = pthread_mutex_init(&executor->lock, NULL);
    if (err != 0) {
        task_home_close(executor->home);
        executor->home = NULL;
    }
    return -err;
}

/* Moves what other threads brought to the ready queue. */
static void collect(struct executor *self)
{
    task_home_collect(self->home);
    pthread_mutex_lock(&self->lock);
    task_queue_append(&self->order.ready, &self->inbox);
    self->live += (uint64_t)self->admitted;
    self->admitted = 0;
    pthread_mutex_unlock(&self->lock);
}

/* A spawn may be between admit and schedule. */
static bool nothing_admitted(struct executor *self)
{
    pthread_mutex_lock(&self->lock);
    bool nothing = self->admitted == 0;
    pthread_mutex_unlock(&self->lock);
    return nothing;
}

static bool nothing_left(struct executor *self)
{
    return !self->live && nothing_admitted(self);
}

/* Every task waits with nobody to wake it, and no other thread is bringing one. */
static bool is_deadlocked(struct executor *self)
{
    if (!self->live || self->live != self->stalled)
        return false;
    pthread_mutex_lock(&self->lock);
    bool quiet = self->admitted == 0 && !self->inbox.head;
    pthread_mutex_unlock(&self->lock);
    return quiet;
}

COLD static int report_deadlock(struct executor *self)
{
    fprintf(stderr,
            "executor: no runnable task, and %llu that wait with nobody left to wake "
            "them (rule W10):\n",
            (unsigned long long)self->stalled);
    executor_print_tasks(self);
    return -EDEADLK;
}

static void add_one(_Atomic uint64_t *counter)
{
    /* relaxed, no read-modify-write: only the owner writes it */
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + 1, memory_order_relaxed);
}

/* In the middle of work: the parker's turn, and a look at the clock. */
COLD static int interrupt_work(struct executor *self)
{
    uint64_t now = clock_now();
    pace_look(&self->pace, now);
    int err = parker_park(self->parker, 0);
    return err < 0 ? err : now >= self->deadline ? -ETIMEDOUT : 0;
}

static int poll_task(struct executor *self, struct task *task)
{
    add_one(&self->polls);
    atomic_store_explicit(&self->polling, task_future(task)->ops->name,
                          memory_order_relaxed);
    task_run(&self->runner, task);
    atomic_store_explicit(&self->polling, NULL, memory_order_relaxed);
    return UNLIKELY(pace_count(&self->pace)) ? interrupt_work(self) : 0;
}

/* Sleeps until the run's deadline at most; -ETIMEDOUT when it has passed. */
static int sleep_in_parker(struct executor *self)
{
    int64_t limit = PARK_FOREVER;
    if (self->deadline != CLOCK_NEVER) {
        uint64_t now = clock_now();
        if (now >= self->deadline)
            return -ETIMEDOUT;
        limit = (int64_t)(self->deadline - now);
    }
    add_one(&self->parks);
    pace_slept(&self->pace);
    return parker_park(self->parker, limit < 0 ? PARK_FOREVER : limit);
}

static void answer_call(struct executor *self)
{
    /* acquire: pairs with the release in executor_call */
    if (!atomic_load_explicit(&self->called, memory_order_relaxed) ||
        !atomic_exchange_explicit(&self->called, false, memory_order_acquire))
        return;
    if (self->on_call)
        self->on_call(self, self->on_call_argument);
}

/* What other threads want of us. */
COLD static void attend(struct executor *self)
{
    /* acquire: pairs with the release in attract. A swap, so that what was announced
     * before it is seen now, and what comes after it sets the flag again. */
    atomic_exchange_explicit(&self->attention, false, memory_order_acquire);
    collect(self);
    answer_call(self);
}

/* One flag for all of it, since this is asked before every poll. */
static void look_outside(struct executor *self)
{
    if (UNLIKELY(atomic_load_explicit(&self->attention, memory_order_relaxed)))
        attend(self);
}

/* One turn: a task if there is one, else a sleep. 1: go on; else what run returns. */
static int turn(struct executor *self, const struct task_handle *until)
{
    look_outside(self);
    if (until ? task_is_done(until) : nothing_left(self))
        return 0;
    struct task *task = run_order_pop(&self->order, self->pace.left == 1);
    int err = task                  ? poll_task(self, task)
              : is_deadlocked(self) ? report_deadlock(self)
                                    : sleep_in_parker(self);
    return UNLIKELY(err < 0) ? err : 1;
}

static int run(struct executor *self, const struct task_handle *until,
               uint64_t deadline)
{
    struct task_home *before = task_home_enter(self->home);
    self->deadline = deadline;
    task_runner_enter(&self->runner);
    if (sigsetjmp(self->runner.trap, 0)) {
        task_runner_caught(&self->runner);
        atomic_store_explicit(&self->polling, NULL, memory_order_relaxed);
    }
    int result;
    do
        result = turn(self, until);
    while (result == 1);
    task_runner_leave(&self->runner);
    task_home_leave(self->home, before);
    return result;
}

int executor_run(struct executor *executor)
{
    return run(executor, NULL, CLOCK_NEVER);
}

int executor_run_for(struct executor *executor, uint64_t limit_ns)
{
    return run(executor, NULL, clock_after(clock_now(), limit_ns));
}

void executor_call(struct executor *executor)
{
    /* release: pairs with the acquire in answer_call */
    atomic_store_explicit(&executor->called, true, memory_order_release);
    attract(executor);
    parker_unpark(executor->parker);
}

int executor_run_until(struct executor *executor, const struct task_handle *handle)
{
    return run(executor, handle, CLOCK_NEVER);
}

int executor_block_on(struct executor *executor, struct future *future,
                      struct task_handle *handle)
{
    struct task_home *before = task_home_enter(executor->home);
    int err = task_spawn(&executor->scheduler, future, SPAWN_LOCAL, handle);
    task_home_leave(executor->home, before);
    return err < 0 ? err : run(executor, handle, CLOCK_NEVER);
}

static void cancel_if_live(struct task *task, void *argument)
{
    (void)argument;
    if (task_is_live(task))
        task_request_cancel(task);
}

void executor_cancel_all(struct executor *executor)
{
    pthread_mutex_lock(&executor->lock);
    executor->stopping = true;
    pthread_mutex_unlock(&executor->lock);
    struct task_home *before = TLS(task_home_here);
    bool inside = task_home_is_here(executor->home);
    if (!inside)
        before = task_home_enter(executor->home);
    collect(executor);
    task_home_each(executor->home, cancel_if_live, NULL);
    if (!inside)
        task_home_leave(executor->home, before);
}

void executor_wait_for_visitors(struct executor *executor)
{
    pthread_mutex_lock(&executor->lock); /* who is in there shall count himself */
    pthread_mutex_unlock(&executor->lock);
    /* acquire: pairs with the release in executor_schedule */
    while (atomic_load_explicit(&executor->visitors, memory_order_acquire))
        sched_yield();
    task_home_wait_for_posts(executor->home);
}

int executor_finish(struct executor *executor)
{
    if (!executor || !executor->home)
        return 0;
    executor_cancel_all(executor);
    int err = executor_run(executor);
    if (err < 0)
        return err; /* the tasks that are left still point here */
    executor_wait_for_visitors(executor);
    task_home_close(executor->home);
    executor->home = NULL;
    pthread_mutex_destroy(&executor->lock);
    return 0;
}

static void print_if_live(struct task *task, void *argument)
{
    (void)argument;
    if (task_is_live(task))
        task_print(task);
}

void executor_print_tasks(struct executor *executor)
{
    task_home_each(executor->home, print_if_live, NULL);
}
