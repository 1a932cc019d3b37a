/* copy: the first program on the staircase that does real work.
 *
 * Problem: a disk answers faster when it is asked many things at once, and a program that
 * waits for each answer asks one. Idea: depth tasks that share a cursor. No lock, since
 * all of them run on one thread and the cursor moves between two awaits. Invariants:
 *   - a block belongs to the task that moved the cursor over it; no two tasks write the
 *     same bytes;
 *   - a task's buffer is the kernel's while its await lasts, and a task is awaited to its
 *     end even when another has failed, so the buffers are freed last. */
#include "lesson03_iouring/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lesson02_wakers/executor.h"
#include "lesson03_iouring/ring_parker.h"
#include "lesson03_iouring/ring_whole.h"

/* ---- the loop */

static int fail(struct copy_report *report, enum copy_step step, int err)
{
    report->step = step;
    return err;
}

static int write_block(const struct copy_plan *plan, const char *buffer, size_t size,
                       struct copy_report *report)
{
    size_t done = 0;
    while (done < size) {
        report->calls++;
        ssize_t put = write(plan->to, buffer + done, size - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return fail(report, COPY_WRITE, put < 0 ? -errno : -EIO);
        done += (size_t)put;
        report->bytes += (size_t)put;
    }
    return 0;
}

int copy_by_loop(const struct copy_plan *plan, struct copy_report *report)
{
    *report = (struct copy_report){ .step = COPY_SETUP };
    char *buffer = malloc(plan->block);
    if (!buffer)
        return -ENOMEM;
    int err = 0;
    while (!err) {
        report->calls++;
        ssize_t got = read(plan->from, buffer, plan->block);
        if (got == 0)
            break;
        if (got > 0)
            err = write_block(plan, buffer, (size_t)got, report);
        else if (errno != EINTR)
            err = fail(report, COPY_READ, -errno);
    }
    free(buffer);
    return err;
}

/* ---- the ring */

struct copy {
    const struct copy_plan *plan; /* borrows */
    struct copy_report *report;   /* borrows */
    struct ring ring;
    uint64_t cursor; /* where the next block begins */
    uint64_t end;    /* the smallest place at which a read found the end */
    uint64_t high;   /* the largest place up to which a read found data */
    int err;         /* of the first step that failed */
};

struct copy_blocks {
    ASYNC_FRAME;
    struct copy *copy; /* borrows */
    char *buffer;      /* borrows: plan->block bytes */
    uint64_t offset;
    struct ring_whole step;
};

static void note_failure(struct copy *copy, enum copy_step step, int64_t err)
{
    if (copy->err)
        return;
    copy->err = (int)err;
    copy->report->step = step;
}

/* What a read brought: false when this task has nothing more to do. */
static bool note_read(struct copy *copy, uint64_t offset, int64_t got)
{
    if (got < 0) {
        note_failure(copy, COPY_READ, got);
        return false;
    }
    uint64_t stop = offset + (uint64_t)got;
    if ((uint64_t)got < copy->plan->block && stop < copy->end)
        copy->end = stop;
    if (got > 0 && stop > copy->high)
        copy->high = stop;
    return got > 0;
}

static enum poll_state copy_blocks_poll(struct future *future, struct context *context)
{
    struct copy_blocks *self = ASYNC_SELF(copy_blocks, future);
    struct copy *copy = self->copy;
    const struct copy_plan *plan = copy->plan;
    ASYNC_BEGIN(self, context);
    while (!copy->err && copy->cursor < copy->end) {
        self->offset = copy->cursor;
        copy->cursor += plan->block;
        AWAIT(self->step, ring_read_full(&copy->ring, plan->from, self->buffer,
                                         plan->block, self->offset));
        if (!note_read(copy, self->offset, self->step.result))
            break;
        AWAIT(self->step, ring_write_all(&copy->ring, plan->to, self->buffer,
                                         self->step.done, self->offset));
        copy->report->bytes += self->step.done;
        if (self->step.result < 0)
            note_failure(copy, COPY_WRITE, self->step.result);
    }
    ASYNC_END;
}

static const struct future_ops copy_blocks_ops = ASYNC_OPS(copy_blocks);

static struct copy_blocks copy_blocks(struct copy *copy, char *buffer)
{
    return (struct copy_blocks){ .future = { &copy_blocks_ops },
                                 .copy = copy,
                                 .buffer = buffer };
}

/* Spawns the tasks and runs them to their end; also when not all could be spawned. */
static int run_tasks(struct copy *copy, struct executor *executor, char *buffers)
{
    unsigned spawned = 0;
    int err = 0;
    while (!err && spawned < copy->plan->depth) {
        err = SPAWN(&executor->scheduler, NULL,
                    copy_blocks(copy, buffers + spawned * copy->plan->block));
        spawned += !err;
    }
    if (!spawned)
        return err; /* fewer than wanted are slower, none is an error */
    err = executor_run(executor);
    if (!err && copy->err)
        return copy->err;
    if (!err && copy->high > copy->end)
        return fail(copy->report, COPY_CHANGED, -EBUSY);
    return err;
}

static int run_on_parker(struct copy *copy, char *buffers)
{
    struct ring_parker parker;
    struct executor executor;
    int err = ring_parker_init(&parker, &copy->ring);
    if (err)
        return err;
    err = executor_init(&executor, &parker.parker);
    if (!err) {
        err = run_tasks(copy, &executor, buffers);
        executor_finish(&executor);
    }
    copy->report->calls =
        atomic_load_explicit(&copy->ring.enters, memory_order_relaxed);
    ring_parker_finish(&parker);
    return err;
}

int copy_by_ring(const struct copy_plan *plan, struct copy_report *report)
{
    struct copy copy = { .plan = plan, .report = report, .end = UINT64_MAX };
    struct ring_config config = { .entries = plan->depth + 1, .mode = RING_SINGLE };
    *report = (struct copy_report){ .step = COPY_SETUP };
    char *buffers = malloc(plan->depth * plan->block);
    if (!buffers)
        return -ENOMEM;
    int err = ring_init(&copy.ring, &config);
    if (!err) {
        err = run_on_parker(&copy, buffers);
        ring_finish(&copy.ring);
    }
    free(buffers);
    return err;
}
