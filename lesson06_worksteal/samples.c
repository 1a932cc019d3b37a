/* samples: fork, then join.
 *
 * The parts are spawned first and awaited afterwards, so that other workers may take them
 * meanwhile. Invariant: a handle that is not empty is awaited and detached before the
 * function returns, also when it was cancelled or a later spawn failed. */
#include "lesson06_worksteal/samples.h"

#include <errno.h>

/* ---- fib */

static const struct future_ops fib_ops;

struct fib fib(struct scheduler *scheduler, int n)
{
    return (struct fib){ .future = { &fib_ops }, .scheduler = scheduler, .n = n };
}

static void fib_fork(struct fib *self)
{
    for (int i = 0; i < 2 && self->error == 0; i++)
        self->error = SPAWN(self->scheduler, &self->parts[i],
                            fib(self->scheduler, self->n - 1 - i));
}

static void fib_add(struct fib *self)
{
    struct task_handle *part = &self->parts[self->part];
    int error =
        self->join.status == JOIN_PANICKED ? -ECANCELED : TASK_OUTPUT(part, fib)->error;
    if (error < 0)
        self->error = error;
    else
        self->result += TASK_OUTPUT(part, fib)->result;
    task_detach(part);
}

static enum poll_state fib_poll(struct future *future, struct context *context)
{
    struct fib *self = ASYNC_SELF(fib, future);
    ASYNC_BEGIN(self, context);
    if (self->n < 2) {
        self->result = (uint64_t)self->n;
        ASYNC_RETURN;
    }
    fib_fork(self);
    for (self->part = 0; self->part < 2; self->part++) {
        if (!self->parts[self->part].task)
            continue;
        AWAIT(self->join, task_join(&self->parts[self->part]));
        if (self->join.status == JOIN_WAITING) {
            task_cancel(&self->parts[self->part]);
            AWAIT_SHIELDED(self->join, task_join(&self->parts[self->part]));
        }
        fib_add(self);
    }
    ASYNC_END;
}

static const struct future_ops fib_ops = ASYNC_OPS(fib);

uint64_t fib_tasks(int n)
{
    return n < 2 ? 1 : 1 + fib_tasks(n - 1) + fib_tasks(n - 2);
}

/* ---- tree */

static const struct future_ops tree_ops;

struct tree tree(struct scheduler *scheduler, uint64_t seed, unsigned depth,
                 unsigned work)
{
    return (struct tree){ .future = { &tree_ops },
                          .scheduler = scheduler,
                          .seed = seed,
                          .depth = depth,
                          .work = work };
}

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* Three nodes in eight have four children: each level is 1.5 times as wide, on average. */
static int children_of(uint64_t seed, unsigned depth)
{
    return depth > 0 && mix(seed) % 8 < 3 ? TREE_FANOUT : 0;
}

static uint64_t child_seed(uint64_t seed, int i)
{
    return mix(seed ^ (uint64_t)(i + 1) << 32);
}

static void tree_fork(struct tree *self)
{
    uint64_t work = self->seed;
    for (unsigned i = 0; i < self->work; i++)
        work = mix(work);
    self->nodes = 1 + (work == 0); /* so that the compiler keeps the loop */
    int children = children_of(self->seed, self->depth);
    for (int i = 0; i < children && self->error == 0; i++)
        self->error = SPAWN(self->scheduler, &self->parts[i],
                            tree(self->scheduler, child_seed(self->seed, i),
                                 self->depth - 1, self->work));
}

static void tree_add(struct tree *self)
{
    struct task_handle *part = &self->parts[self->part];
    int error = self->join.status == JOIN_PANICKED ? -ECANCELED
                                                   : TASK_OUTPUT(part, tree)->error;
    if (error < 0)
        self->error = error;
    else
        self->nodes += TASK_OUTPUT(part, tree)->nodes;
    task_detach(part);
}

static enum poll_state tree_poll(struct future *future, struct context *context)
{
    struct tree *self = ASYNC_SELF(tree, future);
    ASYNC_BEGIN(self, context);
    tree_fork(self);
    for (self->part = 0; self->part < TREE_FANOUT; self->part++) {
        if (!self->parts[self->part].task)
            continue;
        AWAIT(self->join, task_join(&self->parts[self->part]));
        if (self->join.status == JOIN_WAITING) {
            task_cancel(&self->parts[self->part]);
            AWAIT_SHIELDED(self->join, task_join(&self->parts[self->part]));
        }
        tree_add(self);
    }
    ASYNC_END;
}

static const struct future_ops tree_ops = ASYNC_OPS(tree);

uint64_t tree_count(uint64_t seed, unsigned depth)
{
    uint64_t nodes = 1;
    for (int i = 0; i < children_of(seed, depth); i++)
        nodes += tree_count(child_seed(seed, i), depth - 1);
    return nodes;
}
