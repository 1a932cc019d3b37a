/* injector: the queue that all workers share.
 *
 * Tasks come here from threads that are no workers, and from workers whose own queue is
 * full. First in, first out, unbounded, never fails: the link is in the task. A lock is
 * right here, since it is entered seldom: tasks leave in batches, and a worker looks at
 * the length before it takes the lock.
 *
 * Ownership: shares the tasks in it, all SCHEDULED. Threads: any. */
#ifndef LESSON06_INJECTOR_H
#define LESSON06_INJECTOR_H

#include <pthread.h>
#include <stdatomic.h>

struct task;

struct injector {
    /* guarded by lock */
    pthread_mutex_t lock;
    struct task *head; /* linked by task->next */
    struct task **tail;
    /* any thread, atomic; written with the lock held */
    _Atomic unsigned length;
};

/* 0 or negative errno. */
int injector_init(struct injector *injector);

/* Must be empty. */
void injector_finish(struct injector *injector);

/* Each is visible to every thread that announces its sleep later and then looks at the
 * length (W1). */
void injector_push(struct injector *injector, struct task *task);
void injector_push_batch(struct injector *injector, struct task **tasks,
                         unsigned count);

/* Moves the oldest, at most max, to tasks[]; returns how many. */
unsigned injector_pop_batch(struct injector *injector, struct task **tasks,
                            unsigned max);

/* A moment's truth. */
static inline unsigned injector_length(struct injector *injector)
{
    /* seq_cst: pairs with the store in injector_push_batch, for the look after
     * idle_announce */
    return atomic_load_explicit(&injector->length, memory_order_seq_cst);
}

#endif
