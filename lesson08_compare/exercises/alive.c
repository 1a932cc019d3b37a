/* alive: a tree of tasks, and how many of them are alive at once.
 *
 *     alive DEPTH oldest|newest
 *
 * Each task spawns two children, joins both and ends; those at the given depth end at
 * once. One executor runs them: first in, first out, or what was spawned last first
 * (run_order.h). Prints one line of JSON: how many tasks there were, how many were
 * alive at the most (spawned, and not at their end), and how many polls it took. One
 * run differs from the next only where the executor looked at its inbox sooner, because
 * polls were slow (pace.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/join.h"

#define DEPTH_MAX 16

static struct executor executor;
static uint64_t spawned, alive, most;

struct node {
    ASYNC_FRAME;
    unsigned below; /* levels below this one */
    unsigned i;
    struct task_handle children[2];
    struct task_join join;
};

static struct node node(unsigned below);

static void spawn_child(struct node *self)
{
    int err = SPAWN_ON_THIS_THREAD(&executor.scheduler, &self->children[self->i],
                                   node(self->below - 1));
    CHECK(err == 0, "a task cannot be spawned: %d", err);
    spawned++;
    if (++alive > most)
        most = alive;
}

static enum poll_state node_poll(struct future *future, struct context *context)
{
    struct node *self = ASYNC_SELF(node, future);
    ASYNC_BEGIN(self, context);
    if (self->below > 0) {
        for (self->i = 0; self->i < 2; self->i++)
            spawn_child(self);
        for (self->i = 0; self->i < 2; self->i++) {
            AWAIT(self->join, task_join(&self->children[self->i]));
            task_detach(&self->children[self->i]);
        }
    }
    alive--;
    ASYNC_END;
}

static struct node node(unsigned below)
{
    static const struct future_ops node_ops = ASYNC_OPS(node);
    return (struct node){ .future = { &node_ops }, .below = below };
}

int main(int argc, char **argv)
{
    unsigned long depth = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    bool newest = argc == 3 && strcmp(argv[2], "newest") == 0;
    if (depth < 1 || depth > DEPTH_MAX || (!newest && strcmp(argv[2], "oldest") != 0)) {
        fprintf(stderr, "usage: alive DEPTH(1 to %d) oldest|newest\n", DEPTH_MAX);
        return 2;
    }
    int err = executor_init(&executor, NULL);
    CHECK(err == 0, "no executor: %d", err);
    executor.order.newest_first = newest;
    struct node root = node((unsigned)depth);
    struct task_handle handle = { 0 };
    spawned = alive = most = 1;
    err = executor_block_on(&executor, &root.future, &handle);
    CHECK(err == 0, "the tree was not walked to its end: %d", err);
    task_detach(&handle);
    printf("{\"order\":\"%s\",\"depth\":%lu,\"tasks\":%" PRIu64
           ",\"most_alive\":%" PRIu64 ",\"polls\":%" PRIu64 "}\n",
           argv[2], depth, spawned, most,
           atomic_load_explicit(&executor.polls, memory_order_relaxed));
    executor_finish(&executor);
    return EXIT_SUCCESS;
}
