/* future: what all futures share.
 *
 * Problem: "do not poll after READY" is the easiest rule to break and the hardest to
 * notice, since the memory of a finished future often still looks fine. Idea: a
 * finished future changes its table. Invariant: a future's ops are either its own or
 * future_done_ops, and the change happens in one place, future_poll. */
#include "lesson01_futures/future.h"

#include <stdio.h>

#include "lesson01_futures/async.h"

static enum poll_state done_poll(struct future *future, struct context *context)
{
    (void)context;
    CHECK(false, "future %p was polled after it was READY (rule F5)", (void *)future);
    return POLL_READY;
}

static void done_cancel(struct future *future)
{
    (void)future; /* F7: cancelling what has finished does nothing */
}

const struct future_ops future_done_ops = {
    .name = "done",
    .size = sizeof(struct future),
    .poll = done_poll,
    .cancel = done_cancel,
};

enum poll_state future_poll_discarding(struct future *future, struct context *context)
{
    const struct future_ops *ops = future->ops;
    if (future_poll(future, context) == POLL_PENDING)
        return POLL_PENDING;
    if (ops->discard)
        ops->discard(future);
    return POLL_READY;
}

struct walk {
    void (*visit)(const struct future *, unsigned, void *);
    void *argument;
};

static void walk_below(const struct future *future, unsigned depth, struct walk *walk)
{
    walk->visit(future, depth, walk->argument);
    if (!future->ops->child)
        return;
    const struct future *child;
    for (unsigned i = 0; (child = future->ops->child(future, i)) != NULL; i++)
        walk_below(child, depth + 1, walk);
}

void future_walk(const struct future *future,
                 void (*visit)(const struct future *, unsigned, void *), void *argument)
{
    struct walk walk = { visit, argument };
    walk_below(future, 0, &walk);
}

void future_describe(const struct future *future, char *text, size_t size)
{
    const struct future_ops *ops = future->ops;
    if (!ops->file)
        snprintf(text, size, "%s", ops->name);
    else if (async_of(future)->line == 0)
        snprintf(text, size, "%s (not started, %s)", ops->name, ops->file);
    else
        snprintf(text, size, "%s at %s:%d", ops->name, ops->file,
                 async_of(future)->line);
}

static void print_one(const struct future *future, unsigned depth, void *indent)
{
    char text[256];
    future_describe(future, text, sizeof text);
    fprintf(stderr, "%s%*s%s\n", (const char *)indent, (int)depth * 2, "", text);
}

void future_print_tree(const struct future *future, const char *indent)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%s", indent);
    future_walk(future, print_one, copy);
}
