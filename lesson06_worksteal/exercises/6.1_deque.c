/* Exercise 6.1: The two ends of the deque. What to do stands in 6.1_deque.md. */
/* deque: one owner, many thieves, no lock.
 *
 * Problem: a worker pushes and takes tasks some ten million times a second, and almost
 * always nobody else is interested. A lock would make it pay each time for the rare
 * thief. Idea: owner and thieves work at opposite ends. Each claim at the top is a
 * compare-and-swap; the owner needs one only for the very last task, where both ends
 * meet.
 *
 * Invariants:
 *   D1  Only the owner writes bottom; top only grows, only by compare-and-swap.
 *   D2  A slot in [top, bottom) is not overwritten: push refuses when bottom - top is
 *       the capacity. So what a thief read before its swap succeeded was valid.
 *   D3  A task is owned by who moved top past it, or by the owner if it moved bottom
 *       below it and then saw top further down still.
 *
 * Sources: Chase, Lev, "Dynamic Circular Work-Stealing Deque", SPAA 2005; Le, Pop,
 * Cohen, Zappa Nardelli, "Correct and Efficient Work-Stealing for Weak Memory Models",
 * PPoPP 2013. */

#include "lesson06_worksteal/deque.h"

#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/todo.h"
#include "lesson06_worksteal/pause.h"

/* How far b is ahead of a; negative when it is behind (take on an empty deque: S4). */
static deque_distance distance(deque_index a, deque_index b)
{
    return (deque_distance)(deque_index)(b - a);
}

static _Atomic(struct task *) *slot(struct deque *deque, deque_index index)
{
    return &deque->slots[index & deque->mask];
}

int deque_init(struct deque *deque, enum deque_kind kind, unsigned capacity)
{
    if (capacity < 2 || capacity > DEQUE_CAPACITY_MAX || (capacity & (capacity - 1)))
        return -EINVAL;
    *deque = (struct deque){ .mask = (deque_index)(capacity - 1), .kind = kind };
    deque->slots = calloc(capacity, sizeof *deque->slots);
    return deque->slots ? 0 : -ENOMEM;
}

void deque_finish(struct deque *deque)
{
    CHECK(deque_is_empty(deque), "a deque is finished with %u tasks in it",
          deque_length(deque));
    free((struct task **)(uintptr_t)deque->slots);
    deque->slots = NULL;
}

/* Owner: how many tasks fit. Looks at the contended word only when the old answer is
 * not good enough. */
static unsigned room_for(struct deque *deque, deque_index bottom, unsigned wanted)
{
    unsigned capacity = deque_capacity(deque);
    unsigned used = (unsigned)distance(deque->top_seen, bottom);
    if (used + wanted > capacity) {
        /* acquire pairs with the swap in claim: the thief has read the slot that we are
         * about to overwrite (D2). */
        deque->top_seen = atomic_load_explicit(&deque->top, memory_order_acquire);
        used = (unsigned)distance(deque->top_seen, bottom);
    }
    return capacity - used;
}

/* Puts the tasks into slots that nobody looks at yet; returns how many fitted. */
static unsigned fill(struct deque *deque, deque_index bottom, struct task **tasks,
                     unsigned count)
{
    unsigned room = room_for(deque, bottom, count);
    if (count > room)
        count = room;
    for (unsigned i = 0; i < count; i++)
        atomic_store_explicit(slot(deque, (deque_index)(bottom + i)), tasks[i],
                              memory_order_relaxed);
    PAUSE("push: before the tasks are published");
    return count;
}

unsigned deque_push_many(struct deque *deque, struct task **tasks, unsigned count)
{
    deque_index bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed);
    count = fill(deque, bottom, tasks, count);
    /* Yours: publish the tasks in their slots */
    EXERCISE_TODO("6.1", bottom);
    return count;
}

bool deque_push(struct deque *deque, struct task *task)
{
    /* Yours: as push_many, of one task; both promises */
    EXERCISE_TODO("6.1", deque, task);
}

bool deque_push_quietly(struct deque *deque, struct task *task)
{
    /* Yours: the same, without the promise to sleepers */
    EXERCISE_TODO("6.1", deque, task);
}

struct task *deque_take(struct deque *deque)
{
    CHECK(deque->kind == DEQUE_LIFO, "take from the bottom of a FIFO deque");
    /* Yours: the newest task, against a thief that wants it, too */
    EXERCISE_TODO("6.1", deque);
}

/* Claims the oldest task, or the older half (rounded up, at most max), by one swap of
 * top. Lock-free: a lost swap means that somebody else's succeeded, and we look again. */
static inline unsigned claim(struct deque *deque, struct task **tasks, unsigned max,
                             bool half)
{
    /* Yours: the oldest task, or the older half */
    EXERCISE_TODO("6.1", deque, tasks, max, half);
}

struct task *deque_steal(struct deque *deque)
{
    struct task *task;
    return claim(deque, &task, 1, false) ? task : NULL;
}

unsigned deque_steal_half(struct deque *deque, struct task **tasks, unsigned max)
{
    /* The batch may reach up to the bottom. An owner inside take may already have moved
     * bottom below it without a swap, having seen that top was far away: only a claim
     * of one task is covered by the essay's argument. */
    CHECK(deque->kind == DEQUE_FIFO, "a batch is stolen from a LIFO deque");
    return claim(deque, tasks, max, true);
}

unsigned deque_shed(struct deque *deque, struct task **tasks, unsigned max)
{
    return claim(deque, tasks, max, true);
}

unsigned deque_length(struct deque *deque)
{
    /* Yours: never negative, also in the middle of a take */
    EXERCISE_TODO("6.1", deque);
}
