/* run_order: two queues and a stack.
 *
 * Problem: first in, first out is fair, and walks a recursive program's tree breadth
 * first; newest first walks it depth first, and can starve what is old. Idea: newest
 * first for what is spawned and has not run yet, first in first out for the rest, by
 * turns, and now and then the oldest. Invariant: a task is in one of the three. */
#include "lesson02_wakers/run_order.h"

#include "lesson02_wakers/task.h"

void task_queue_init(struct task_queue *queue)
{
    queue->head = NULL;
    queue->tail = &queue->head;
}

void task_queue_push(struct task_queue *queue, struct task *task)
{
    task->next = NULL;
    *queue->tail = task;
    queue->tail = &task->next;
}

struct task *task_queue_pop(struct task_queue *queue)
{
    struct task *task = queue->head;
    if (!task)
        return NULL;
    queue->head = task->next;
    if (!queue->head)
        queue->tail = &queue->head;
    return task;
}

void task_queue_append(struct task_queue *to, struct task_queue *from)
{
    if (!from->head)
        return;
    *to->tail = from->head;
    to->tail = from->tail;
    task_queue_init(from);
}

/* ---- the order */

void run_order_init(struct run_order *self)
{
    *self = (struct run_order){ 0 };
    task_queue_init(&self->ready);
    task_queue_init(&self->older);
}

void run_order_push(struct run_order *self, struct task *task, enum schedule_why why)
{
    struct task_queue *queue = &self->ready;
    if (self->newest_first && why == SCHEDULE_SPAWN) {
        task = task_stack_push(&self->newest, task);
        queue = &self->older;
    }
    if (task)
        task_queue_push(queue, task);
}

/* The newest could starve the oldest (S7), so now and then an old one is next. Rarely: to
 * begin with the oldest piece of work is to walk the tree breadth first. At one in 61
 * polls fib(27) had so much of its tree in memory that it took four times as long. */
#define OLDEST_INTERVAL 64 /* looks at I/O */

COLD static struct task *take_oldest(struct run_order *self)
{
    if (++self->passed_over < OLDEST_INTERVAL)
        return NULL;
    self->passed_over = 0;
    struct task *task = task_queue_pop(&self->older);
    return task ? task : task_stack_take_oldest(&self->newest);
}

static bool nothing_spawned(const struct run_order *self)
{
    return task_stack_is_empty(&self->newest) && !self->older.head;
}

static struct task *pop_spawned(struct run_order *self)
{
    struct task *task = task_stack_pop(&self->newest);
    return task ? task : task_queue_pop(&self->older);
}

/* What was woken and what was spawned take turns, so that neither starves the other: one
 * to one; but where a thousand spawned tasks wait, sixteen to one: often it is their
 * joiner that they wake, and it can wait until there is more for it to join. */
struct task *run_order_pop(struct run_order *self, bool looks)
{
    struct task *task = UNLIKELY(looks) ? take_oldest(self) : NULL;
    if (task)
        return task;
    if (nothing_spawned(self))
        return task_queue_pop(&self->ready);
    unsigned turns = task_stack_is_empty(&self->newest) ? 16 : 2;
    bool woken_first = self->turn++ % turns == 0;
    task = woken_first ? task_queue_pop(&self->ready) : pop_spawned(self);
    if (task)
        return task;
    return woken_first ? pop_spawned(self) : task_queue_pop(&self->ready);
}
