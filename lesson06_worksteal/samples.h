/* samples: two programs that make work for a pool, for the demo, the benchmark and tests.
 *
 * Both are fork-join: a task spawns its parts, awaits each, and adds up. A cancelled one
 * cancels its parts and awaits them all the same: nothing is orphaned.
 *
 * Ownership: the frames borrow the scheduler. Threads: as for any future. */
#ifndef LESSON06_SAMPLES_H
#define LESSON06_SAMPLES_H

#include "lesson02_wakers/join.h"

/* The n-th Fibonacci number by the definition: two tasks for each n above 1. Much too
 * fine-grained on purpose: all it measures is the scheduler. */
struct fib {
    ASYNC_FRAME;
    struct scheduler *scheduler; /* borrows */
    struct task_handle parts[2];
    struct task_join join;
    int n;
    int part;
    int error;       /* output: 0, -ENOMEM, -ESHUTDOWN or -ECANCELED */
    uint64_t result; /* output */
};

struct fib fib(struct scheduler *scheduler, int n);

/* How many tasks fib(n) is, itself included. */
uint64_t fib_tasks(int n);

#define TREE_FANOUT 4

/* Counts the nodes of a tree whose shape is drawn from the seed: most subtrees are a
 * single node, some have thousands, and nobody can know before. Each node is a task and
 * `work` rounds of arithmetic. After UTS, the "unbalanced tree search" benchmark. */
struct tree {
    ASYNC_FRAME;
    struct scheduler *scheduler; /* borrows */
    struct task_handle parts[TREE_FANOUT];
    struct task_join join;
    uint64_t seed;
    unsigned depth; /* levels below this node, at most */
    unsigned work;
    int part;
    int error;      /* output, as for fib */
    uint64_t nodes; /* output */
};

struct tree tree(struct scheduler *scheduler, uint64_t seed, unsigned depth,
                 unsigned work);

/* The same count without tasks. */
uint64_t tree_count(uint64_t seed, unsigned depth);

#endif
