/* task_stack: the newest spawned tasks, newest first.
 *
 * Run first in, first out, a program that splits its work in two, again and again, has
 * all the pieces of one size in memory before it makes the next smaller ones: it walks
 * its tree breadth first. Run newest first it walks depth first and holds one path of the
 * tree, in the cache. The price is that old tasks wait, so the stack is short: when it is
 * full, its oldest task leaves it and stands in line with all others.
 *
 * Source: the order is that of Cilk's workers (Blumofe, Leiserson 1999); lesson 6 has it
 * for several threads, with thieves at the other end.
 * Ownership: shares tasks that are SCHEDULED. Threads: one. */
#ifndef LESSON02_TASK_STACK_H
#define LESSON02_TASK_STACK_H

#include <stdbool.h>
#include <stddef.h>

struct task;

#define TASK_STACK_SLOTS 128u /* a power of two */

/* {0} is empty. The tasks are slots bottom .. top - 1, modulo TASK_STACK_SLOTS. */
struct task_stack {
    unsigned bottom, top;
    struct task *slots[TASK_STACK_SLOTS];
};

static inline bool task_stack_is_empty(const struct task_stack *stack)
{
    return stack->bottom == stack->top;
}

static inline struct task *task_stack_take_oldest(struct task_stack *stack)
{
    if (task_stack_is_empty(stack))
        return NULL;
    return stack->slots[stack->bottom++ % TASK_STACK_SLOTS];
}

static inline struct task *task_stack_pop(struct task_stack *stack)
{
    if (task_stack_is_empty(stack))
        return NULL;
    return stack->slots[--stack->top % TASK_STACK_SLOTS];
}

/* Returns the task that has to leave, or NULL. */
static inline struct task *task_stack_push(struct task_stack *stack, struct task *task)
{
    struct task *leaves = NULL;
    if (stack->top - stack->bottom == TASK_STACK_SLOTS)
        leaves = task_stack_take_oldest(stack);
    stack->slots[stack->top++ % TASK_STACK_SLOTS] = task;
    return leaves;
}

#endif
