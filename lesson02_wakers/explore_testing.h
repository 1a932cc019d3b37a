/* explore_testing: what the explored cases of tasks share. For them only; nothing of it
 * is in the archive.
 *
 * A whole executor would multiply the orders by its own locks. So here is the smallest
 * scheduler that a task can have: its queue is one pointer, its runner a loop. And a
 * leaf, gate, whose waker is handed over in the set-up, so that no cell stands between
 * the wake and the task.
 *
 * Threads: begin and end on one; what stands in between as marked. */
#ifndef LESSON02_EXPLORE_TESTING_H
#define LESSON02_EXPLORE_TESTING_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/join.h"
#include "lesson02_wakers/task_home.h"
#include "lesson02_wakers/waker_probe.h"

/* ---- the smallest scheduler */

struct single {
    struct scheduler scheduler;
    struct task_home *home;
    _Atomic(struct task *) queue; /* of one */
    _Atomic int posts;
    /* guarded by the task: whoever runs it */
    int live;
    int stalled;
};

static inline struct single *single_of(struct scheduler *scheduler)
{
    return container_of(scheduler, struct single, scheduler);
}

static inline int single_admit(struct scheduler *scheduler)
{
    single_of(scheduler)->live++;
    return 0;
}

static inline void single_schedule(struct scheduler *scheduler, struct task *task,
                                   enum schedule_why why)
{
    (void)why;
    /* acq_rel: as a queue's lock, pairs with itself */
    struct task *before = atomic_exchange_explicit(&single_of(scheduler)->queue, task,
                                                   memory_order_acq_rel);
    EXPLORE_RULE("W3", before == NULL, "the task is in the queue twice");
}

static inline void single_retire(struct scheduler *scheduler)
{
    single_of(scheduler)->live--;
}

static inline struct task_home *single_home(struct scheduler *scheduler)
{
    return single_of(scheduler)->home;
}

static inline void single_post(struct scheduler *scheduler, struct task_home *home)
{
    (void)home;
    /* relaxed: has_mail is looked at with an acquire of its own */
    atomic_fetch_add_explicit(&single_of(scheduler)->posts, 1, memory_order_relaxed);
}

static inline void single_stalled(struct scheduler *scheduler, int change)
{
    single_of(scheduler)->stalled += change;
}

/* On the heap: whoever touches it after its end is found. */
static inline struct single *single_begin(void)
{
    static const struct scheduler_ops ops = {
        .name = "single",
        .admit = single_admit,
        .schedule = single_schedule,
        .retire = single_retire,
        .home = single_home,
        .post = single_post,
        .stalled = single_stalled,
    };
    struct single *single = calloc(1, sizeof *single);
    single->scheduler.ops = &ops;
    single->home = task_home_create(&single->scheduler);
    return single;
}

/* Every task is DONE; handles and wakers may be left. */
static inline void single_end(struct single *single)
{
    task_home_close(single->home);
    free(single);
}

/* Runs what is in the queue, if anything is. */
static inline bool single_run_one(struct single *single)
{
    /* acquire: pairs with single_schedule */
    struct task *task =
        atomic_exchange_explicit(&single->queue, NULL, memory_order_acq_rel);
    struct task_runner runner; /* no task panics here: its trap is never used */
    if (task)
        task_run(&runner, task);
    return task != NULL;
}

/* Until no task is live: a task that nobody schedules is waited for for ever. */
static inline void single_run(struct single *single)
{
    while (single->live > 0) {
        /* To the explorer a load that repeats is a wait for a change, and cheaper than a
         * yield, which every step of another thread would end. */
        while (!atomic_load_explicit(&single->queue, memory_order_relaxed))
            ;
        single_run_one(single);
    }
}

static inline void *single_run_thread(void *single)
{
    explore_name("runner");
    single_run(single);
    return NULL;
}

/* ---- gate: a leaf that one other thread opens */

struct gate {
    struct waker waker; /* moved: by the first poll, then by whoever opens it */
    _Atomic bool open;
    int news; /* plain: published with open */
    _Atomic int discards;
};

static inline void gate_open(struct gate *gate)
{
    gate->news = 7;
    /* release: pairs with the load in gate_wait_poll */
    atomic_store_explicit(&gate->open, true, memory_order_release);
    waker_wake(&gate->waker);
}

static inline void *gate_open_thread(void *gate)
{
    explore_name("waker");
    gate_open(gate);
    return NULL;
}

struct gate_wait {
    struct future future;
    struct gate *gate; /* borrows */
    bool cancelled;
    int polls;
    int result; /* output: the news, or -ECANCELED */
};

static inline enum poll_state gate_wait_poll(struct future *future,
                                             struct context *context)
{
    struct gate_wait *self = container_of(future, struct gate_wait, future);
    if (self->polls++ == 0)
        self->gate->waker = waker_clone(context->waker);
    /* acquire: pairs with the release in gate_open */
    bool open = atomic_load_explicit(&self->gate->open, memory_order_acquire);
    if (!open && !self->cancelled)
        return POLL_PENDING;
    self->result = open ? self->gate->news : -ECANCELED;
    return POLL_READY;
}

static inline void gate_wait_cancel(struct future *future)
{
    container_of(future, struct gate_wait, future)->cancelled = true;
}

static inline void gate_wait_discard(struct future *future)
{
    struct gate_wait *self = container_of(future, struct gate_wait, future);
    EXPLORE_RULE("W4", self->result != 0, "an output was discarded that is not there");
    atomic_fetch_add_explicit(&self->gate->discards, 1, memory_order_relaxed);
}

static inline struct gate_wait gate_wait(struct gate *gate)
{
    static const struct future_ops ops = { .name = "gate",
                                           .size = FUTURE_SIZE(struct gate_wait),
                                           .poll = gate_wait_poll,
                                           .cancel = gate_wait_cancel,
                                           .discard = gate_wait_discard };
    return (struct gate_wait){ .future = { &ops }, .gate = gate };
}

#endif
