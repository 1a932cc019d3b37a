/* Exercise 6.1, another right solution: both ends under a lock. The struct has no room
 * for one, so the locks stand in a table, and a deque finds its own by its address.
 * Slower for the owner, who pays for the rare thief each time; all orders are the
 * lock's. */
#include "lesson06_worksteal/deque.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/check.h"

#define LOCKS 8
#define ONE_LOCK PTHREAD_MUTEX_INITIALIZER

static pthread_mutex_t locks[LOCKS] = { ONE_LOCK, ONE_LOCK, ONE_LOCK, ONE_LOCK,
                                        ONE_LOCK, ONE_LOCK, ONE_LOCK, ONE_LOCK };

static pthread_mutex_t *lock_of(const struct deque *deque)
{
    return &locks[(uintptr_t)deque / sizeof *deque % LOCKS];
}

/* What follows is guarded by the lock; the accesses are atomic because the struct's
 * fields are. */
static deque_index top_of(struct deque *deque)
{
    return atomic_load_explicit(&deque->top, memory_order_relaxed);
}

static deque_index bottom_of(struct deque *deque)
{
    return atomic_load_explicit(&deque->bottom, memory_order_relaxed);
}

static unsigned length_of(struct deque *deque)
{
    return (unsigned)(deque_index)(bottom_of(deque) - top_of(deque));
}

static void put(struct deque *deque, struct task *task)
{
    deque_index bottom = bottom_of(deque);
    atomic_store_explicit(&deque->slots[bottom & deque->mask], task,
                          memory_order_relaxed);
    atomic_store_explicit(&deque->bottom, (deque_index)(bottom + 1),
                          memory_order_relaxed);
}

static struct task *get_oldest(struct deque *deque)
{
    deque_index top = top_of(deque);
    atomic_store_explicit(&deque->top, (deque_index)(top + 1), memory_order_relaxed);
    return atomic_load_explicit(&deque->slots[top & deque->mask], memory_order_relaxed);
}

static struct task *get_newest(struct deque *deque)
{
    deque_index bottom = (deque_index)(bottom_of(deque) - 1);
    atomic_store_explicit(&deque->bottom, bottom, memory_order_relaxed);
    return atomic_load_explicit(&deque->slots[bottom & deque->mask],
                                memory_order_relaxed);
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

unsigned deque_push_many(struct deque *deque, struct task **tasks, unsigned count)
{
    unsigned done = 0;
    pthread_mutex_lock(lock_of(deque));
    for (; done < count && length_of(deque) < deque_capacity(deque); done++)
        put(deque, tasks[done]);
    pthread_mutex_unlock(lock_of(deque));
    return done;
}

bool deque_push(struct deque *deque, struct task *task)
{
    return deque_push_many(deque, &task, 1) == 1;
}

bool deque_push_quietly(struct deque *deque, struct task *task)
{
    return deque_push(deque, task);
}

struct task *deque_take(struct deque *deque)
{
    CHECK(deque->kind == DEQUE_LIFO, "take from the bottom of a FIFO deque");
    pthread_mutex_lock(lock_of(deque));
    struct task *task = length_of(deque) ? get_newest(deque) : NULL;
    pthread_mutex_unlock(lock_of(deque));
    return task;
}

static unsigned claim_half(struct deque *deque, struct task **tasks, unsigned max)
{
    pthread_mutex_lock(lock_of(deque));
    unsigned count = (length_of(deque) + 1) / 2;
    if (count > max)
        count = max;
    for (unsigned i = 0; i < count; i++)
        tasks[i] = get_oldest(deque);
    pthread_mutex_unlock(lock_of(deque));
    return count;
}

struct task *deque_steal(struct deque *deque)
{
    pthread_mutex_lock(lock_of(deque));
    struct task *task = length_of(deque) ? get_oldest(deque) : NULL;
    pthread_mutex_unlock(lock_of(deque));
    return task;
}

unsigned deque_steal_half(struct deque *deque, struct task **tasks, unsigned max)
{
    CHECK(deque->kind == DEQUE_FIFO, "a batch is stolen from a LIFO deque");
    return claim_half(deque, tasks, max);
}

unsigned deque_shed(struct deque *deque, struct task **tasks, unsigned max)
{
    return claim_half(deque, tasks, max);
}

unsigned deque_length(struct deque *deque)
{
    pthread_mutex_lock(lock_of(deque));
    unsigned length = length_of(deque);
    pthread_mutex_unlock(lock_of(deque));
    return length;
}
