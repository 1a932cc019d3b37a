/* injector: a list under a lock, and its length outside.
 *
 * Problem: most looks at a shared queue find it empty; taking a lock for each would
 * make all workers wait for one another. Idea: the length is an atomic of its own,
 * written with the lock held, read without. Invariant: when a push has returned, a
 * seq_cst load of the length that comes later sees it, or somebody has taken the task
 * since. */
#include "lesson06_worksteal/injector.h"

#include "common/check.h"
#include "lesson02_wakers/task.h"
#include "lesson06_worksteal/pause.h"

int injector_init(struct injector *injector)
{
    injector->head = NULL;
    injector->tail = &injector->head;
    atomic_init(&injector->length, 0);
    return -pthread_mutex_init(&injector->lock, NULL);
}

void injector_finish(struct injector *injector)
{
    CHECK(!injector->head, "an injector is finished with tasks in it");
    pthread_mutex_destroy(&injector->lock);
}

/* The lock is held. */
static void add_length(struct injector *injector, int change)
{
    unsigned length = atomic_load_explicit(&injector->length, memory_order_relaxed);
    /* seq_cst: pairs with injector_length (W1) */
    atomic_store_explicit(&injector->length, length + (unsigned)change,
                          memory_order_seq_cst);
}

void injector_push_batch(struct injector *injector, struct task **tasks, unsigned count)
{
    if (count == 0)
        return;
    for (unsigned i = 0; i < count; i++)
        tasks[i]->next = i + 1 < count ? tasks[i + 1] : NULL;
    struct task **tail = &tasks[count - 1]->next;
    pthread_mutex_lock(&injector->lock);
    *injector->tail = tasks[0];
    injector->tail = tail;
    PAUSE("injector: linked, not yet counted");
    add_length(injector, (int)count);
    pthread_mutex_unlock(&injector->lock);
}

void injector_push(struct injector *injector, struct task *task)
{
    injector_push_batch(injector, &task, 1);
}

unsigned injector_pop_batch(struct injector *injector, struct task **tasks,
                            unsigned max)
{
    if (injector_length(injector) == 0)
        return 0;
    PAUSE("injector: seen, not locked");
    unsigned count = 0;
    pthread_mutex_lock(&injector->lock);
    while (count < max && injector->head) {
        tasks[count] = injector->head;
        injector->head = injector->head->next;
        count++;
    }
    if (!injector->head)
        injector->tail = &injector->head;
    add_length(injector, -(int)count);
    pthread_mutex_unlock(&injector->lock);
    return count;
}
