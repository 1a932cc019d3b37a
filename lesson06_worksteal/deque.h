/* deque: the queue of one worker, from which others may steal.
 *
 * One thread owns it: it pushes at the bottom, and takes from the bottom (newest first)
 * or from the top (oldest first). Every other thread may steal from the top.
 *
 *            top                    bottom
 *             |                        |
 *             v                        v
 *       . . [ 41 ][ 42 ][ 43 ][ 44 ] . . . .        index i lives in slot i % capacity
 *             |                   |
 *       thieves, oldest first     the owner, newest first
 *
 * Source: Chase and Lev 2005; memory orders after Le, Pop, Cohen and Zappa Nardelli
 * 2013, with seq_cst accesses in place of their fences. Unlike theirs it has a fixed
 * capacity: a full deque gives half of itself away (deque_shed) to a queue that all
 * share.
 *
 * Ownership: borrows the tasks in it; whoever takes one out has it. The deque owns its
 * slots. Threads: "owner" means the one thread that the user has decided on; handing a
 * deque to another thread needs an outside order (a lock, pthread_create, a join). */
#ifndef LESSON06_DEQUE_H
#define LESSON06_DEQUE_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct task; /* never looked into here */

/* Indices only ever grow. At 64 bits a worker that pushes a billion tasks a second
 * needs 584 years to meet an index again; tests narrow them to 8 bits to see what
 * happens when they do come round (RULES S1). */
#ifndef DEQUE_INDEX_BITS
#define DEQUE_INDEX_BITS 64
#endif
#if DEQUE_INDEX_BITS == 64
typedef uint64_t deque_index;
typedef int64_t deque_distance;
#elif DEQUE_INDEX_BITS == 8
typedef uint8_t deque_index;
typedef int8_t deque_distance;
#else
#error "DEQUE_INDEX_BITS is 64, or 8 in a test"
#endif

#define DEQUE_CAPACITY_MAX (1u << (DEQUE_INDEX_BITS == 8 ? 6 : 20))
#define CACHE_LINE 64

enum deque_kind {
    DEQUE_LIFO, /* the owner takes at the bottom: thieves claim one task at a time */
    DEQUE_FIFO, /* the owner never takes at the bottom: thieves may claim a batch */
};

struct deque {
    /* any thread, atomic; only ever grows */
    _Alignas(CACHE_LINE) _Atomic deque_index top;

    /* written by the owner, read by any thread, atomic */
    _Alignas(CACHE_LINE) _Atomic deque_index bottom;
    deque_index top_seen; /* owner only: a lower bound of top, to look there rarely */

    /* constant after init */
    deque_index mask; /* capacity - 1 */
    enum deque_kind kind;
    _Atomic(struct task *) *slots; /* owns the array */
};

/* capacity: a power of two, 2 .. DEQUE_CAPACITY_MAX. -EINVAL, -ENOMEM. */
int deque_init(struct deque *deque, enum deque_kind kind, unsigned capacity);

/* The deque must be empty. Accepts a zeroed one. */
void deque_finish(struct deque *deque);

/* Owner. false: full, nothing happened. A true push is visible to every thread that
 * announces its sleep later and then looks here (RULES W1; see idle.h). */
bool deque_push(struct deque *deque, struct task *task);

/* Owner. The same, without that promise: for a caller that will come back to the deque
 * before it sleeps, and does not mind whether others know. Half the price. */
bool deque_push_quietly(struct deque *deque, struct task *task);

/* Owner. Pushes the whole array, in order, by one publication; returns how many found
 * room. */
unsigned deque_push_many(struct deque *deque, struct task **tasks, unsigned count);

/* Owner, DEQUE_LIFO. The newest task, NULL when there is none. */
struct task *deque_take(struct deque *deque);

/* Any thread, both kinds. The oldest task, NULL when there is none. */
struct task *deque_steal(struct deque *deque);

/* Any thread, DEQUE_FIFO. Moves the older half (rounded up), at most max, to tasks[];
 * oldest first. Returns how many; 0: empty. */
unsigned deque_steal_half(struct deque *deque, struct task **tasks, unsigned max);

/* Owner, both kinds. The same as deque_steal_half. The owner may claim a batch of
 * either kind, since it cannot be inside deque_take at the same time. */
unsigned deque_shed(struct deque *deque, struct task **tasks, unsigned max);

/* Any thread. How many tasks it held at some moment during the call. */
unsigned deque_length(struct deque *deque);

static inline bool deque_is_empty(struct deque *deque)
{
    return deque_length(deque) == 0;
}

static inline unsigned deque_capacity(const struct deque *deque)
{
    return (unsigned)deque->mask + 1;
}

#endif
