/* work_shapes: the numbers that WORKLOADS.md fixes: shapes of trees, lengths of sleeps.
 *
 * Threads: any. */
#ifndef LESSON08_WORK_SHAPES_H
#define LESSON08_WORK_SHAPES_H

#include <stdint.h>

/* The finaliser of splitmix64: a number without a pattern for each number. */
static inline uint64_t work_mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* fib: spawns, one in each call with n of 2 or more. */
static inline uint64_t work_fib_spawns(uint64_t n)
{
    uint64_t before = 0, now = 0;
    for (uint64_t i = 2; i <= n; i++) {
        uint64_t next = 1 + now + before;
        before = now;
        now = next;
    }
    return now;
}

/* skynet: nodes of a tree with that many leaves, a power of ten. */
#define WORK_SKYNET_CHILDREN 10
static inline uint64_t work_skynet_nodes(uint64_t leaves)
{
    uint64_t nodes = leaves;
    while (leaves > 1)
        nodes += leaves /= WORK_SKYNET_CHILDREN;
    return nodes;
}

/* tree: children of a node that is not the root, and the ids of all. */
#define WORK_TREE_CHILDREN 8
static inline unsigned work_tree_children(uint64_t id)
{
    return work_mix(id) % 1000 < 124 ? WORK_TREE_CHILDREN : 0;
}

static inline uint64_t work_tree_child(uint64_t id, uint64_t k)
{
    return work_mix(id + k + 1);
}

/* timers: how long task i sleeps. */
static inline uint64_t work_timer_ns(uint64_t i)
{
    return (1000000 + work_mix(i) % 2000000) * 1000;
}

/* mpsc, mpsc-contended. */
#define WORK_MPSC_BATCH 5000
#define WORK_MPSC_SENDERS 5
#define WORK_CONTENDED_CAPACITY 1000

/* ping-pong: tasks at a time. */
#define WORK_PLAYERS 1000

#endif
