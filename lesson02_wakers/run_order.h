/* run_order: the runnable tasks of one thread, and which of them is next.
 *
 *     woken, yielded  ---> ready  (first in, first out) ----+
 *     spawned         ---> newest (newest first) -----------+-> run, by turns
 *                            | full                         |
 *                            +---> older (oldest first) ----+
 *
 * Without newest_first there is one queue, and first in, first out is fair to all.
 *
 * Ownership: shares tasks that are SCHEDULED. Threads: one. */
#ifndef LESSON02_RUN_ORDER_H
#define LESSON02_RUN_ORDER_H

#include "lesson02_wakers/scheduler.h"
#include "lesson02_wakers/task_stack.h"

struct task_queue {
    struct task *head; /* shares: SCHEDULED tasks, linked by next */
    struct task **tail;
};

void task_queue_init(struct task_queue *queue);
void task_queue_push(struct task_queue *queue, struct task *task);
struct task *task_queue_pop(struct task_queue *queue); /* NULL: empty */
void task_queue_append(struct task_queue *to, struct task_queue *from);

struct run_order {
    struct task_queue ready;
    struct task_stack newest;
    struct task_queue older; /* what the stack had no room for */
    bool newest_first;       /* may be set while there is no task */
    unsigned turn;           /* whose turn it is */
    unsigned passed_over;    /* looks at I/O since the oldest spawned task was next */
};

void run_order_init(struct run_order *order);
void run_order_push(struct run_order *order, struct task *task, enum schedule_why why);

/* The next task, or NULL. `looks`: after it the thread looks at I/O; some of these turns
 * belong to the oldest. */
struct task *run_order_pop(struct run_order *order, bool looks);

#endif
