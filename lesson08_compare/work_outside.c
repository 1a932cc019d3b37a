/* work_outside: tasks that come from threads which run none.
 *
 * A first task says that the runtime is up and waits; a crowd of threads then spawns; the
 * last task to end tells the first of those threads, and it alone looks at the clocks.
 *
 *     root             first thread           other threads       spawned tasks
 *     up ------------> begin
 *                      barrier -------------> barrier
 *                      spawn n / T            spawn n / T
 *                      <------------------------------------------ the last one
 *     <--------- over  end
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "lesson02_wakers/block_on.h"
#include "lesson02_wakers/oneshot.h"
#include "lesson08_compare/work_runtime.h"

struct crowd {
    struct work *work;       /* borrows */
    struct runtime *runtime; /* borrows */
    uint64_t threads;
    uint64_t busy_tasks;
    pthread_barrier_t barrier;
    struct oneshot_receiver up, ended; /* the first thread's */
    struct oneshot_sender over;        /* the first thread's */
    /* any thread, atomic */
    _Atomic uint64_t left;      /* tasks that have not ended */
    struct oneshot_sender last; /* whose decrement made it 0 */
    _Atomic uint64_t busy;      /* tasks that yield */
    _Atomic bool done;          /* they may end */
};

/* ---- the tasks */

struct passer {
    ASYNC_FRAME;
    struct crowd *crowd; /* borrows */
};

static enum poll_state passer_poll(struct future *future, struct context *context)
{
    struct passer *self = ASYNC_SELF(passer, future);
    ASYNC_BEGIN(self, context);
    /* acq_rel: with the other decrements, so that the last one comes after all */
    if (atomic_fetch_sub_explicit(&self->crowd->left, 1, memory_order_acq_rel) == 1)
        work_must(oneshot_send(&self->crowd->last, NULL), "the last to end");
    ASYNC_END;
}

static struct passer passer(struct crowd *crowd)
{
    static const struct future_ops passer_ops = ASYNC_OPS(passer);
    return (struct passer){ .future = { &passer_ops }, .crowd = crowd };
}

struct busybody {
    ASYNC_FRAME;
    struct crowd *crowd; /* borrows */
    struct yield yield;
};

static enum poll_state busybody_poll(struct future *future, struct context *context)
{
    struct busybody *self = ASYNC_SELF(busybody, future);
    ASYNC_BEGIN(self, context);
    atomic_fetch_add_explicit(&self->crowd->busy, 1, memory_order_relaxed);
    while (!atomic_load_explicit(&self->crowd->done, memory_order_relaxed))
        AWAIT(self->yield, yield_now());
    /* release: pairs with the acquire in idlers, after which the crowd is gone */
    atomic_fetch_sub_explicit(&self->crowd->busy, 1, memory_order_release);
    ASYNC_END;
}

static void spawn_busybodies(struct crowd *crowd)
{
    static const struct future_ops busybody_ops = ASYNC_OPS(busybody);
    for (uint64_t i = 0; i < crowd->busy_tasks; i++)
        work_must(
            SPAWN_ON(crowd->runtime, (unsigned)(i % runtime_lanes(crowd->runtime)),
                     NULL,
                     (struct busybody){ .future = { &busybody_ops }, .crowd = crowd }),
            "spawn");
}

static uint64_t busy_now(struct crowd *crowd)
{
    /* acquire: pairs with the release at the end of a busybody */
    return atomic_load_explicit(&crowd->busy, memory_order_acquire);
}

struct host {
    ASYNC_FRAME;
    struct crowd *crowd;          /* borrows */
    struct oneshot_sender up;     /* owns */
    struct oneshot_receiver over; /* owns */
    struct oneshot_receive receive;
    struct yield yield;
};

static enum poll_state host_poll(struct future *future, struct context *context)
{
    struct host *self = ASYNC_SELF(host, future);
    ASYNC_BEGIN(self, context);
    spawn_busybodies(self->crowd);
    while (busy_now(self->crowd) < self->crowd->busy_tasks)
        AWAIT(self->yield, yield_now());
    work_must(oneshot_send(&self->up, NULL), "up");
    AWAIT(self->receive, oneshot_receive(&self->over));
    work_must(self->receive.result, "over");
    oneshot_receiver_drop(&self->over);
    atomic_store_explicit(&self->crowd->done, true, memory_order_relaxed);
    while (busy_now(self->crowd) > 0)
        AWAIT(self->yield, yield_now());
    ASYNC_END;
}

/* ---- the threads */

static void wait_for(struct oneshot_receiver *receiver)
{
    struct oneshot_receive receive = oneshot_receive(receiver);
    work_must(block_on(&receive.future), "block_on");
    work_must(receive.result, "oneshot");
    oneshot_receiver_drop(receiver);
}

static void spawn_share(struct crowd *crowd, uint64_t share)
{
    unsigned lanes = runtime_lanes(crowd->runtime);
    for (uint64_t i = 0; i < share; i++)
        work_must(SPAWN_ON(crowd->runtime, (unsigned)(i % lanes), NULL, passer(crowd)),
                  "spawn");
}

/* n / T, and one more for the first n % T threads. */
static uint64_t share_of(const struct crowd *crowd, uint64_t thread)
{
    uint64_t n = crowd->work->n;
    return n / crowd->threads + (thread < n % crowd->threads);
}

struct outsider {
    struct crowd *crowd; /* borrows */
    uint64_t index;
    pthread_t thread;
};

static void *outsider_main(void *argument)
{
    struct outsider *self = argument;
    struct crowd *crowd = self->crowd;
    bool first = self->index == 0;
    if (first) {
        wait_for(&crowd->up);
        work_begin(crowd->work);
    }
    pthread_barrier_wait(&crowd->barrier);
    spawn_share(crowd, share_of(crowd, self->index));
    if (first) {
        wait_for(&crowd->ended);
        work_end(crowd->work, crowd->work->n, crowd->work->n);
        work_must(oneshot_send(&crowd->over, NULL), "over");
    }
    return NULL;
}

static struct outsider *start_outsiders(struct crowd *crowd)
{
    struct outsider *outsiders = work_alloc(crowd->threads, sizeof *outsiders);
    work_must(-pthread_barrier_init(&crowd->barrier, NULL, (unsigned)crowd->threads),
              "barrier");
    for (uint64_t i = 0; i < crowd->threads; i++) {
        outsiders[i] = (struct outsider){ .crowd = crowd, .index = i };
        work_must(
            -pthread_create(&outsiders[i].thread, NULL, outsider_main, &outsiders[i]),
            "thread");
    }
    return outsiders;
}

static void end_outsiders(struct crowd *crowd, struct outsider *outsiders)
{
    for (uint64_t i = 0; i < crowd->threads; i++)
        pthread_join(outsiders[i].thread, NULL);
    pthread_barrier_destroy(&crowd->barrier);
    free(outsiders);
}

static int run_crowd(struct work *work, uint64_t threads, uint64_t busy_tasks)
{
    static const struct future_ops host_ops = ASYNC_OPS(host);
    struct crowd crowd = {
        .work = work, .threads = threads, .busy_tasks = busy_tasks, .left = work->n
    };
    struct host host = { .future = { &host_ops }, .crowd = &crowd };
    struct task_handle handle = { 0 };
    int err = work_open_runtime(work, &crowd.runtime);
    if (err < 0)
        return err;
    work_must(oneshot_create(&host.up, &crowd.up, NULL), "oneshot");
    work_must(oneshot_create(&crowd.last, &crowd.ended, NULL), "oneshot");
    work_must(oneshot_create(&crowd.over, &host.over, NULL), "oneshot");
    struct outsider *outsiders = start_outsiders(&crowd);
    /* If it failed, the threads would wait for ever. */
    work_must(runtime_run(crowd.runtime, &host.future, &handle), "the runtime");
    task_detach(&handle);
    end_outsiders(&crowd, outsiders);
    runtime_destroy(crowd.runtime);
    return 0;
}

int work_spawn_idle(struct work *work)
{
    return run_crowd(work, 1, 0);
}

int work_spawn_busy(struct work *work)
{
    return run_crowd(work, 1, work->workers);
}

int work_remote_spawn(struct work *work)
{
    return run_crowd(work, work->threads, 0);
}
