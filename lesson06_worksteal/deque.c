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

/* exercise 6.1 { */
/* Why D3 holds where the two ends meet: take stores bottom, then loads top; steal loads
 * top, then loads bottom. All four, and the compare-and-swap, are seq_cst, so they lie
 * in one total order S. Suppose the owner takes task b without a compare-and-swap,
 * having seen top < b, and a thief takes b too, having seen top == b. Then the owner's
 * load of top is before the swap that made top b in S, hence the owner's store to
 * bottom is before the thief's load of top, hence before the thief's load of bottom -
 * which therefore saw bottom <= b and gave up. Contradiction. With anything weaker the
 * owner's store may still sit in its store buffer while it loads top, and both get the
 * task. */
/* } exercise 6.1 */
#include "lesson06_worksteal/deque.h"

#include <errno.h>
#include <stdlib.h>

#include "common/check.h"
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
    /* exercise 6.1 { */
    /* Its release half pairs with the load of bottom in claim: who sees the index sees
     * the slot and the task behind it. Its seq_cst half pairs with idle_announce: after
     * this store we look for sleepers, and a sleeper announces itself and then looks at
     * bottom; one of the two sees the other (W1). */
    atomic_store_explicit(&deque->bottom, (deque_index)(bottom + count),
                          memory_order_seq_cst);
    /* } exercise 6.1: (bottom) publish the tasks in their slots */
    return count;
}

/* exercise 6.1 { */
/* Of most pushes: one task. `order`: of the store that publishes it. */
static inline bool push_one(struct deque *deque, struct task *task, memory_order order)
{
    deque_index bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed);
    if (UNLIKELY(room_for(deque, bottom, 1) == 0))
        return false;
    atomic_store_explicit(slot(deque, bottom), task, memory_order_relaxed);
    PAUSE("push: before the task is published");
    atomic_store_explicit(&deque->bottom, (deque_index)(bottom + 1), order);
    return true;
}
/* } exercise 6.1 */

bool deque_push(struct deque *deque, struct task *task)
{
    /* exercise 6.1 { */
    /* seq_cst: as in deque_push_many */
    return push_one(deque, task, memory_order_seq_cst);
    /* } exercise 6.1: (deque, task) as push_many, of one task; both promises */
}

bool deque_push_quietly(struct deque *deque, struct task *task)
{
    /* exercise 6.1 { */
    /* release: pairs with the load of bottom in claim, as above */
    return push_one(deque, task, memory_order_release);
    /* } exercise 6.1: (deque, task) the same, without the promise to sleepers */
}

struct task *deque_take(struct deque *deque)
{
    CHECK(deque->kind == DEQUE_LIFO, "take from the bottom of a FIFO deque");
    /* exercise 6.1 { */
    deque_index bottom = atomic_load_explicit(&deque->bottom, memory_order_relaxed);
    deque_index newest = (deque_index)(bottom - 1);
    /* relaxed: top only grows, so what looks empty is empty. Saves the two ordered steps
     * below for a worker that asks in vain. */
    if (distance(atomic_load_explicit(&deque->top, memory_order_relaxed), bottom) <= 0)
        return NULL;
    PAUSE("take: before bottom goes down");
    /* Both pair with claim's two loads and its swap: see the essay. */
    atomic_store_explicit(&deque->bottom, newest, memory_order_seq_cst);
    PAUSE("take: bottom is down, top not looked at");
    deque_index top = atomic_load_explicit(&deque->top, memory_order_seq_cst);

    deque_distance left = distance(top, newest);
    struct task *task = NULL;
    if (left >= 0)
        task = atomic_load_explicit(slot(deque, newest), memory_order_relaxed);
    if (left > 0)
        return task;
    /* The last task, or none: bottom goes back up, and the task is for whoever moves
     * top. seq_cst pairs with claim's swap. */
    if (left == 0 && !atomic_compare_exchange_strong_explicit(
                         &deque->top, &top, (deque_index)(top + 1),
                         memory_order_seq_cst, memory_order_relaxed))
        task = NULL;
    PAUSE("take: before bottom goes back up");
    /* relaxed is enough: it publishes no task, the deque is empty. */
    atomic_store_explicit(&deque->bottom, bottom, memory_order_relaxed);
    return task;
    /* } exercise 6.1: (deque) the newest task, against a thief that wants it, too */
}

/* Claims the oldest task, or the older half (rounded up, at most max), by one swap of
 * top. Lock-free: a lost swap means that somebody else's succeeded, and we look again. */
static inline unsigned claim(struct deque *deque, struct task **tasks, unsigned max,
                             bool half)
{
    /* exercise 6.1 { */
    for (;;) {
        /* Both pair with take's store to bottom and load of top: see the essay. The
         * load of bottom also pairs with push's store, for the slots' contents. */
        deque_index top = atomic_load_explicit(&deque->top, memory_order_seq_cst);
        PAUSE("claim: top seen, bottom not");
        deque_index bottom = atomic_load_explicit(&deque->bottom, memory_order_seq_cst);
        deque_distance length = distance(top, bottom);
        if (length <= 0)
            return 0;
        unsigned count = half ? ((unsigned)length + 1) / 2 : 1;
        if (count > max)
            count = max;
        for (unsigned i = 0; i < count; i++)
            tasks[i] = atomic_load_explicit(slot(deque, (deque_index)(top + i)),
                                            memory_order_relaxed);
        PAUSE("claim: tasks read, not yet ours");
        /* seq_cst pairs with take's load of top; its release half with room_for. */
        if (atomic_compare_exchange_strong_explicit(
                &deque->top, &top, (deque_index)(top + count), memory_order_seq_cst,
                memory_order_relaxed))
            return count;
    }
    /* } exercise 6.1: (deque, tasks, max, half) the oldest task, or the older half */
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
    /* exercise 6.1 { */
    /* seq_cst, both: the look after idle_announce pairs with push's store (W1). Top
     * first: a bottom that is seen later cannot be too small for it, except inside
     * take. */
    deque_index top = atomic_load_explicit(&deque->top, memory_order_seq_cst);
    deque_index bottom = atomic_load_explicit(&deque->bottom, memory_order_seq_cst);
    deque_distance length = distance(top, bottom);
    return length > 0 ? (unsigned)length : 0;
    /* } exercise 6.1: (deque) never negative, also in the middle of a take */
}
