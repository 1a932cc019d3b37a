/* task_print: what a task is doing, for a human.
 *
 * Problem: a program with ten thousand waiting tasks has nothing on its stacks to look
 * at. Idea: the state word says how a task is, and the chain of frames says where
 * (lesson 1's future_walk). Invariant: nothing here changes anything. */
#include <stdio.h>

#include "lesson02_wakers/task.h"

const char *task_state_name(const struct task *task)
{
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed);
    if (word & TASK_DONE)
        return "done";
    if (word & TASK_RUNNING)
        return "running";
    if (word & TASK_PANICKED)
        return "panicked, cleaning up";
    if (word & TASK_SCHEDULED)
        return "scheduled";
    if (word & TASK_STALLED)
        return "waiting, and nobody holds a waker for it";
    return word & TASK_CANCELLED ? "waiting, cancelled" : "waiting";
}

void task_print(const struct task *task)
{
    const struct future *root = task_future(task);
    fprintf(stderr, "task '%s': %s\n", root->ops->name, task_state_name(task));
    if (task_is_live(task))
        future_print_tree(root, "    ");
}
