/* work_tree: fork and join, three shapes of it.
 *
 * fib is narrow and deep and has no work but the tasks; skynet is wide and even; tree
 * has subtrees of a single node beside some of thousands, and nobody can know before:
 * what a scheduler cannot plan, it must steal. */
#include <errno.h>
#include <stdlib.h>

#include "lesson08_compare/work_runtime.h"
#include "lesson08_compare/work_shapes.h"

/* ---- fib */

struct fib {
    ASYNC_FRAME;
    uint64_t n;
    struct task_handle spawned;
    struct fib *inner; /* owns: rule A4, who awaits itself needs the heap */
    struct task_join join;
    uint64_t result; /* output */
};

static enum poll_state fib_poll(struct future *future, struct context *context);

static struct fib fib(uint64_t n)
{
    static const struct future_ops fib_ops = ASYNC_OPS(fib);
    return (struct fib){ .future = { &fib_ops }, .n = n };
}

static struct fib *fib_on_heap(uint64_t n)
{
    struct fib *inner = malloc(sizeof *inner);
    if (inner)
        *inner = fib(n);
    return inner;
}

static enum poll_state fib_poll(struct future *future, struct context *context)
{
    struct fib *self = ASYNC_SELF(fib, future);
    ASYNC_BEGIN(self, context);
    if (self->n < 2) {
        self->result = self->n;
        ASYNC_RETURN;
    }
    work_must(SPAWN_HERE(&self->spawned, fib(self->n - 1)), "spawn");
    self->inner = fib_on_heap(self->n - 2);
    work_must(self->inner ? 0 : -ENOMEM, "fib");
    AWAIT_PLACED(&self->inner->future);
    self->result = self->inner->result;
    free(self->inner);
    AWAIT(self->join, task_join(&self->spawned));
    work_must_be_ok(&self->join);
    self->result += TASK_OUTPUT(&self->spawned, fib)->result;
    task_detach(&self->spawned);
    ASYNC_END;
}

struct fib_root {
    ASYNC_FRAME;
    struct work *work; /* borrows */
    struct fib fib;
};

static enum poll_state fib_root_poll(struct future *future, struct context *context)
{
    struct fib_root *self = ASYNC_SELF(fib_root, future);
    ASYNC_BEGIN(self, context);
    work_begin(self->work);
    AWAIT(self->fib, fib(self->work->n));
    work_end(self->work, work_fib_spawns(self->work->n), self->fib.result);
    ASYNC_END;
}

int work_fib(struct work *work)
{
    static const struct future_ops fib_root_ops = ASYNC_OPS(fib_root);
    return WORK_RUN(work,
                    (struct fib_root){ .future = { &fib_root_ops }, .work = work });
}

/* ---- skynet */

struct skynet {
    ASYNC_FRAME;
    uint64_t first;  /* number of the first leaf below */
    uint64_t leaves; /* below */
    uint64_t sum;    /* output */
    struct task_handle children[WORK_SKYNET_CHILDREN];
    unsigned i;
    struct task_join join;
};

static enum poll_state skynet_poll(struct future *future, struct context *context);

static struct skynet skynet(uint64_t first, uint64_t leaves)
{
    static const struct future_ops skynet_ops = ASYNC_OPS(skynet);
    return (
        struct skynet){ .future = { &skynet_ops }, .first = first, .leaves = leaves };
}

static enum poll_state skynet_poll(struct future *future, struct context *context)
{
    struct skynet *self = ASYNC_SELF(skynet, future);
    ASYNC_BEGIN(self, context);
    if (self->leaves == 1) {
        self->sum = self->first;
        ASYNC_RETURN;
    }
    for (self->i = 0; self->i < WORK_SKYNET_CHILDREN; self->i++) {
        uint64_t part = self->leaves / WORK_SKYNET_CHILDREN;
        work_must(SPAWN_HERE(&self->children[self->i],
                             skynet(self->first + self->i * part, part)),
                  "spawn");
    }
    for (self->i = 0; self->i < WORK_SKYNET_CHILDREN; self->i++) {
        AWAIT(self->join, task_join(&self->children[self->i]));
        work_must_be_ok(&self->join);
        self->sum += TASK_OUTPUT(&self->children[self->i], skynet)->sum;
        task_detach(&self->children[self->i]);
    }
    ASYNC_END;
}

struct skynet_root {
    ASYNC_FRAME;
    struct work *work; /* borrows */
    struct task_handle top;
    struct task_join join;
};

static enum poll_state skynet_root_poll(struct future *future, struct context *context)
{
    struct skynet_root *self = ASYNC_SELF(skynet_root, future);
    ASYNC_BEGIN(self, context);
    work_begin(self->work);
    work_must(SPAWN_HERE(&self->top, skynet(0, self->work->n)), "spawn");
    AWAIT(self->join, task_join(&self->top));
    work_must_be_ok(&self->join);
    work_end(self->work, work_skynet_nodes(self->work->n),
             TASK_OUTPUT(&self->top, skynet)->sum);
    task_detach(&self->top);
    ASYNC_END;
}

int work_skynet(struct work *work)
{
    static const struct future_ops skynet_root_ops = ASYNC_OPS(skynet_root);
    return WORK_RUN(
        work, (struct skynet_root){ .future = { &skynet_root_ops }, .work = work });
}

/* ---- tree */

struct node {
    ASYNC_FRAME;
    uint64_t id;
    uint64_t nodes; /* output: here and below */
    unsigned count, i;
    struct task_handle children[WORK_TREE_CHILDREN];
    struct task_join join;
};

static enum poll_state node_poll(struct future *future, struct context *context);

static struct node node(uint64_t id)
{
    static const struct future_ops node_ops = ASYNC_OPS(node);
    return (struct node){ .future = { &node_ops }, .id = id };
}

static enum poll_state node_poll(struct future *future, struct context *context)
{
    struct node *self = ASYNC_SELF(node, future);
    ASYNC_BEGIN(self, context);
    self->nodes = 1;
    self->count = work_tree_children(self->id);
    for (self->i = 0; self->i < self->count; self->i++)
        work_must(SPAWN_HERE(&self->children[self->i],
                             node(work_tree_child(self->id, self->i))),
                  "spawn");
    for (self->i = 0; self->i < self->count; self->i++) {
        AWAIT(self->join, task_join(&self->children[self->i]));
        work_must_be_ok(&self->join);
        self->nodes += TASK_OUTPUT(&self->children[self->i], node)->nodes;
        task_detach(&self->children[self->i]);
    }
    ASYNC_END;
}

/* The root has more children than the others, and so is a crew. */
static int spawn_node(void *shared, uint64_t i, struct task_handle *handle)
{
    (void)shared;
    return SPAWN_HERE(handle, node(work_tree_child(0, i)));
}

static uint64_t node_output(const struct task_handle *handle)
{
    return TASK_OUTPUT(handle, node)->nodes;
}

int work_tree(struct work *work)
{
    static const struct crew_kind kind = { spawn_node, node_output };
    int err = work_run_crews(work, &kind, NULL, work->n, 1, 0);
    work->check++; /* the root itself */
    work->ops = work->check;
    return err;
}
