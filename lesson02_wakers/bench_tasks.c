/* bench_tasks: what one step of a task costs.
 *
 * Prints for each shape the CPU time of one operation in ns, for SHARED tasks (atomic
 * state words) and for LOCAL ones (plain loads and stores): the median of the rounds,
 * and the spread (fastest to slowest). Then the memory of a task that waits.
 *
 *     bench_tasks [ROUNDS]     default: 7 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/join.h"
#include "lesson02_wakers/mutex.h"
#include "lesson02_wakers/notify.h"
#include "lesson02_wakers/oneshot.h"
#include "lesson02_wakers/yield.h"

#define ROUNDS_MAX 101
#define COUNT 200000
#define FIB_N 22
#define FIB_CALLS 57313 /* tasks that fib(22) makes */
#define PARKED 200000

static struct executor executor;
static unsigned flags; /* of the tasks in this run */

static void must(int err, const char *what)
{
    if (err == 0)
        return;
    fprintf(stderr, "bench_tasks: %s: error %d\n", what, err);
    exit(1);
}

/* ---- spawn and join */

struct nothing {
    ASYNC_FRAME;
};

static enum poll_state nothing_poll(struct future *future, struct context *context)
{
    struct nothing *self = ASYNC_SELF(nothing, future);
    ASYNC_BEGIN(self, context);
    ASYNC_END;
}

static const struct future_ops nothing_ops = ASYNC_OPS(nothing);

struct spawns {
    ASYNC_FRAME;
    int left;
    struct task_handle handle;
    struct task_join join;
};

static enum poll_state spawns_poll(struct future *future, struct context *context)
{
    struct spawns *self = ASYNC_SELF(spawns, future);
    ASYNC_BEGIN(self, context);
    for (self->left = COUNT; self->left > 0; self->left--) {
        must(SPAWN_WITH(&executor.scheduler, &self->handle, flags,
                        (struct nothing){ .future = { &nothing_ops } }),
             "spawn");
        AWAIT(self->join, task_join(&self->handle));
        task_detach(&self->handle);
    }
    ASYNC_END;
}

static const struct future_ops spawns_ops = ASYNC_OPS(spawns);

/* ---- yield */

struct yields {
    ASYNC_FRAME;
    int left;
    struct yield yield;
};

static enum poll_state yields_poll(struct future *future, struct context *context)
{
    struct yields *self = ASYNC_SELF(yields, future);
    ASYNC_BEGIN(self, context);
    for (self->left = COUNT; self->left > 0; self->left--)
        AWAIT(self->yield, yield_now());
    ASYNC_END;
}

static const struct future_ops yields_ops = ASYNC_OPS(yields);

/* ---- ping-pong over two notifies; one operation is a trip there and back */

struct pings {
    ASYNC_FRAME;
    int left;
    struct notify *mine;
    struct notify *theirs;
    bool begins;
    struct notify_wait wait;
};

static enum poll_state pings_poll(struct future *future, struct context *context)
{
    struct pings *self = ASYNC_SELF(pings, future);
    ASYNC_BEGIN(self, context);
    for (self->left = COUNT; self->left > 0; self->left--) {
        if (self->begins)
            notify_one(self->theirs);
        AWAIT(self->wait, notify_wait(self->mine));
        if (!self->begins)
            notify_one(self->theirs);
    }
    ASYNC_END;
}

static const struct future_ops pings_ops = ASYNC_OPS(pings);

/* ---- a oneshot: make, send, receive, free */

struct shots {
    ASYNC_FRAME;
    int left;
    struct oneshot_sender sender;
    struct oneshot_receiver receiver;
    struct oneshot_receive receive;
};

static enum poll_state shots_poll(struct future *future, struct context *context)
{
    struct shots *self = ASYNC_SELF(shots, future);
    ASYNC_BEGIN(self, context);
    for (self->left = COUNT; self->left > 0; self->left--) {
        must(oneshot_create(&self->sender, &self->receiver, NULL), "oneshot");
        oneshot_send(&self->sender, NULL);
        AWAIT(self->receive, oneshot_receive(&self->receiver));
        oneshot_receiver_drop(&self->receiver);
    }
    ASYNC_END;
}

static const struct future_ops shots_ops = ASYNC_OPS(shots);

/* ---- lock and unlock, with nobody else there */

struct locks {
    ASYNC_FRAME;
    int left;
    struct async_mutex *mutex;
    struct async_mutex_lock lock;
};

static enum poll_state locks_poll(struct future *future, struct context *context)
{
    struct locks *self = ASYNC_SELF(locks, future);
    ASYNC_BEGIN(self, context);
    for (self->left = COUNT; self->left > 0; self->left--) {
        AWAIT(self->lock, async_mutex_lock(self->mutex));
        async_mutex_unlock(self->mutex);
    }
    ASYNC_END;
}

static const struct future_ops locks_ops = ASYNC_OPS(locks);

/* ---- fib: a task for each call */

struct fib {
    ASYNC_FRAME;
    int n;
    struct task_handle left;
    struct task_handle right;
    struct task_join join;
    unsigned result;
};

static enum poll_state fib_poll(struct future *future, struct context *context);
static const struct future_ops fib_ops = ASYNC_OPS(fib);

static struct fib fib(int n)
{
    return (struct fib){ .future = { &fib_ops }, .n = n };
}

static enum poll_state fib_poll(struct future *future, struct context *context)
{
    struct fib *self = ASYNC_SELF(fib, future);
    ASYNC_BEGIN(self, context);
    if (self->n < 2) {
        self->result = (unsigned)self->n;
        ASYNC_RETURN;
    }
    must(SPAWN_WITH(&executor.scheduler, &self->left, flags, fib(self->n - 1)),
         "spawn");
    must(SPAWN_WITH(&executor.scheduler, &self->right, flags, fib(self->n - 2)),
         "spawn");
    AWAIT(self->join, task_join(&self->left));
    AWAIT(self->join, task_join(&self->right));
    self->result =
        TASK_OUTPUT(&self->left, fib)->result + TASK_OUTPUT(&self->right, fib)->result;
    task_detach(&self->left);
    task_detach(&self->right);
    ASYNC_END;
}

/* ---- the shapes */

static struct notify notifies[2];
static struct async_mutex mutex;

static void spawn(struct future *future)
{
    struct task_home *before = task_home_enter(executor.home);
    must(task_spawn(&executor.scheduler, future, flags, NULL), "spawn");
    task_home_leave(executor.home, before);
}

static void begin_spawns(void)
{
    struct spawns spawns = { .future = { &spawns_ops } };
    spawn(&spawns.future);
}

static void begin_yields(void)
{
    struct yields yields = { .future = { &yields_ops } };
    spawn(&yields.future);
}

static void begin_pings(void)
{
    struct pings pings = { .future = { &pings_ops },
                           .mine = &notifies[0],
                           .theirs = &notifies[1] };
    spawn(&pings.future);
    pings = (struct pings){ .future = { &pings_ops },
                            .mine = &notifies[1],
                            .theirs = &notifies[0],
                            .begins = true };
    spawn(&pings.future);
}

static void begin_shots(void)
{
    struct shots shots = { .future = { &shots_ops } };
    spawn(&shots.future);
}

static void begin_locks(void)
{
    struct locks locks = { .future = { &locks_ops }, .mutex = &mutex };
    spawn(&locks.future);
}

static void begin_fib(void)
{
    struct fib root = fib(FIB_N);
    spawn(&root.future);
}

static const struct shape {
    const char *name;
    void (*begin)(void);
    unsigned operations;
} shapes[] = {
    { "spawn and join", begin_spawns, COUNT },
    { "yield", begin_yields, COUNT },
    { "ping-pong, there and back", begin_pings, COUNT },
    { "oneshot: make, send, receive", begin_shots, COUNT },
    { "mutex: lock and unlock", begin_locks, COUNT },
    { "fib, a task for each call", begin_fib, FIB_CALLS },
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const struct shape *shape, unsigned rounds)
{
    printf("%-30s", shape->name);
    for (flags = SPAWN_SHARED; flags <= SPAWN_LOCAL; flags++) {
        double ns[ROUNDS_MAX];
        for (unsigned i = 0; i < rounds; i++) {
            shape->begin();
            uint64_t cpu = clock_process_cpu();
            must(executor_run(&executor), "run");
            ns[i] = (double)(clock_process_cpu() - cpu) / shape->operations;
        }
        qsort(ns, rounds, sizeof ns[0], by_value);
        printf("  %7.1f (%.1f .. %.1f)", ns[rounds / 2], ns[0], ns[rounds - 1]);
    }
    printf("\n");
}

/* ---- memory: tasks that wait, the smallest that can be woken */

struct parked {
    struct future future;
    struct waker waker;
    bool cancelled;
};

static enum poll_state parked_poll(struct future *future, struct context *context)
{
    struct parked *self = container_of(future, struct parked, future);
    if (self->cancelled) {
        waker_drop(&self->waker);
        return POLL_READY;
    }
    waker_store(&self->waker, context);
    return POLL_PENDING;
}

static void parked_cancel(struct future *future)
{
    container_of(future, struct parked, future)->cancelled = true;
}

static const struct future_ops parked_ops = { .name = "parked",
                                              .size = FUTURE_SIZE(struct parked),
                                              .poll = parked_poll,
                                              .cancel = parked_cancel };

static long resident_bytes(void)
{
    long pages = 0, ignored;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file)
        return 0;
    if (fscanf(file, "%ld %ld", &ignored, &pages) != 2)
        pages = 0;
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void measure_memory(void)
{
    long before = resident_bytes();
    for (int i = 0; i < PARKED; i++) {
        struct parked parked = { .future = { &parked_ops } };
        spawn(&parked.future);
    }
    executor_run_for(&executor, 0);
    double each = (double)(resident_bytes() - before) / PARKED;
    printf("a task's header: %zu bytes; a task that waits, frame of %zu bytes: "
           "%.1f bytes all-in\n",
           sizeof(struct task), sizeof(struct parked), each);
}

int main(int count, char **arguments)
{
    long rounds = count > 1 ? strtol(arguments[1], NULL, 10) : 7;
    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "bench_tasks: ROUNDS is 1 to %d\n", ROUNDS_MAX);
        return 2;
    }
    must(executor_init(&executor, NULL), "executor");
    notify_init(&notifies[0]);
    notify_init(&notifies[1]);
    async_mutex_init(&mutex);
    printf("CPU ns an operation, median of %ld (spread)\n%-30s  %-25s  %s\n", rounds,
           "", "SHARED", "LOCAL");
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
        measure(&shapes[i], (unsigned)rounds);
    must(executor_finish(&executor), "finish");
    must(executor_init(&executor, NULL), "executor");
    flags = SPAWN_SHARED;
    measure_memory();
    must(executor_finish(&executor), "finish");
    return 0;
}
