/* injector, as right as the lesson's, made in another way: the list is circular, and
 * one pointer is enough, to the link of the last task, which points at the first one. A
 * pop takes the lock without a look at the length first, and the length is counted by
 * read-modify-writes. */
#include "lesson06_worksteal/injector.h"

#include "common/check.h"
#include "lesson02_wakers/task.h"

/* injector->tail is the last task's link, NULL when there is none; head is not used. */

int injector_init(struct injector *injector)
{
    injector->head = NULL;
    injector->tail = NULL;
    atomic_init(&injector->length, 0);
    return -pthread_mutex_init(&injector->lock, NULL);
}

void injector_finish(struct injector *injector)
{
    CHECK(!injector->tail, "an injector is finished with tasks in it");
    pthread_mutex_destroy(&injector->lock);
}

/* The lock is held. */
static void append(struct injector *injector, struct task *task)
{
    if (injector->tail) {
        task->next = *injector->tail;
        *injector->tail = task;
    } else {
        task->next = task;
    }
    injector->tail = &task->next;
}

/* The lock is held, and there is a task. */
static struct task *remove_first(struct injector *injector)
{
    struct task *first = *injector->tail;
    if (&first->next == injector->tail)
        injector->tail = NULL;
    else
        *injector->tail = first->next;
    return first;
}

void injector_push_batch(struct injector *injector, struct task **tasks, unsigned count)
{
    pthread_mutex_lock(&injector->lock);
    /* seq_cst: pairs with injector_length (W1) */
    atomic_fetch_add_explicit(&injector->length, count, memory_order_seq_cst);
    for (unsigned i = 0; i < count; i++)
        append(injector, tasks[i]);
    pthread_mutex_unlock(&injector->lock);
}

void injector_push(struct injector *injector, struct task *task)
{
    injector_push_batch(injector, &task, 1);
}

unsigned injector_pop_batch(struct injector *injector, struct task **tasks,
                            unsigned max)
{
    unsigned count = 0;
    pthread_mutex_lock(&injector->lock);
    while (count < max && injector->tail)
        tasks[count++] = remove_first(injector);
    /* seq_cst: as in push */
    atomic_fetch_sub_explicit(&injector->length, count, memory_order_seq_cst);
    pthread_mutex_unlock(&injector->lock);
    return count;
}
