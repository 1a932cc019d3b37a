/* bench_parked: a million tasks that wait, and what each of them costs.
 *
 *     bench_parked [number of tasks, default 1000000]
 *
 * Each task waits for a gate. Two kinds: a bare leaf (the smallest thing that can wait:
 * a waker and a link), and an async function that awaits it, which adds a frame. The
 * memory is what the process occupies with the tasks parked, less what it occupied
 * before, divided by their number: header, frame, padding and slab included. Then the
 * gate opens, and each task must come to its end: parked, not lost.
 *
 * Exit status: 0, or 1 if a task did not wake or memory ran out, or 2 for a wrong
 * argument. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/errname.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/waker.h"
#include "lesson08_compare/memory_use.h"
#include "lesson08_compare/workload.h"

#define GOAL_BYTES 64.0

/* ---- a leaf that waits for the gate; waiting leaves form a list through themselves */

struct wait_gate {
    struct future future;
    struct waker waker;     /* owns, while it waits */
    struct wait_gate *next; /* borrows: the next one that waits */
};

static struct {
    struct wait_gate *first; /* borrows */
    uint64_t waiting, passed;
    bool open;
} the_gate;

static enum poll_state wait_gate_poll(struct future *future, struct context *context)
{
    struct wait_gate *self = container_of(future, struct wait_gate, future);
    if (the_gate.open) {
        the_gate.passed++;
        return POLL_READY;
    }
    bool first_poll = !self->waker.ops;
    waker_store(&self->waker, context);
    if (first_poll) {
        self->next = the_gate.first;
        the_gate.first = self;
        the_gate.waiting++;
    }
    return POLL_PENDING;
}

static void wait_gate_cancel(struct future *future)
{
    (void)future; /* the gate opens for everybody */
}

static struct wait_gate wait_gate(void)
{
    static const struct future_ops ops = { .name = "wait_gate",
                                           .size = FUTURE_SIZE(struct wait_gate),
                                           .poll = wait_gate_poll,
                                           .cancel = wait_gate_cancel };
    return (struct wait_gate){ .future = { &ops } };
}

/* ---- an async function around it */

struct visitor {
    ASYNC_FRAME;
    struct wait_gate gate;
};

static enum poll_state visitor_poll(struct future *future, struct context *context)
{
    struct visitor *self = ASYNC_SELF(visitor, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->gate, wait_gate());
    ASYNC_END;
}

static struct visitor visitor(void)
{
    static const struct future_ops ops = ASYNC_OPS(visitor);
    return (struct visitor){ .future = { &ops } };
}

/* ---- the measurement */

static int spawn_one(struct executor *executor, bool async)
{
    if (async)
        return SPAWN_ON_THIS_THREAD(&executor->scheduler, NULL, visitor());
    return SPAWN_ON_THIS_THREAD(&executor->scheduler, NULL, wait_gate());
}

struct spawner {
    struct future future;
    struct executor *executor; /* borrows */
    uint64_t left;
    bool async;
    int result; /* output */
};

/* A task that makes the tasks, so that they are made where they live. */
static enum poll_state spawner_poll(struct future *future, struct context *context)
{
    struct spawner *self = container_of(future, struct spawner, future);
    (void)context;
    while (self->result == 0 && self->left > 0) {
        self->result = spawn_one(self->executor, self->async);
        self->left--;
    }
    return POLL_READY;
}

static int spawn_all(struct executor *executor, uint64_t count, bool async)
{
    static const struct future_ops ops = { .name = "spawner",
                                           .size = FUTURE_SIZE(struct spawner),
                                           .poll = spawner_poll,
                                           .cancel = wait_gate_cancel };
    struct spawner all = {
        .future = { &ops }, .executor = executor, .left = count, .async = async
    };
    struct task_handle handle = { 0 };
    int err = executor_block_on(executor, &all.future, &handle);
    if (err == 0)
        err = TASK_OUTPUT(&handle, spawner)->result;
    task_detach(&handle);
    while (err == 0 && the_gate.waiting < count) {
        err = executor_run_for(executor, NS_PER_MS);
        if (err == -ETIMEDOUT)
            err = 0;
    }
    return err;
}

static void open_gate(void)
{
    struct wait_gate *gate = the_gate.first;
    the_gate.open = true;
    while (gate) {
        struct wait_gate *next = gate->next;
        waker_wake(&gate->waker);
        gate = next;
    }
}

static int measure(uint64_t count, bool async, const char *what)
{
    static struct executor executor;
    uint64_t before = 0, with = 0;
    the_gate.first = NULL;
    the_gate.waiting = the_gate.passed = 0;
    the_gate.open = false;
    int err = executor_init(&executor, NULL);
    if (err < 0)
        return err;
    if (memory_private_dirty(0, &before) < 0)
        printf("  (this kernel has no smaps_rollup: no memory figures)\n");
    uint64_t start = clock_now();
    err = spawn_all(&executor, count, async);
    uint64_t parked = clock_now();
    memory_private_dirty(0, &with);
    if (err == 0) {
        open_gate();
        err = executor_run(&executor);
    }
    uint64_t end = clock_now();
    executor_finish(&executor);
    if (err < 0)
        return err;
    double bytes = with > before ? (double)(with - before) / (double)count : 0;
    printf("  %-34s %7.1f bytes a task, %5.0f ns to spawn and park, %5.0f ns to wake "
           "and end\n",
           what, bytes, (double)(parked - start) / (double)count,
           (double)(end - parked) / (double)count);
    if (!async)
        printf("  goal: %.0f bytes for the bare leaf: %s\n", GOAL_BYTES,
               bytes < GOAL_BYTES * 1.01 ? "reached" : "MISSED");
    if (the_gate.passed != count) {
        printf("  %" PRIu64 " tasks never woke\n", count - the_gate.passed);
        return -EDEADLK;
    }
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t count = 1000000;
    if (argc > 2 ||
        (argc == 2 && !workload_parse_number(argv[1], 1, 100000000, &count))) {
        fprintf(stderr, "bench_parked: the one argument is a number of tasks\n");
        return 2;
    }
    printf("%" PRIu64 " tasks parked; a task's header is %zu bytes\n", count,
           sizeof(struct task));
    int err = measure(count, false, "a leaf (32 bytes)");
    if (err == 0)
        err = measure(count, true, "an async function awaiting it");
    if (err < 0) {
        fprintf(stderr, "bench_parked: %s (%s)\n", errtext(err), errname(err));
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
