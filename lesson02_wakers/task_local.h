/* task_local: between task.c and task_home.c, for LOCAL tasks only.
 *
 * task_local_* run on the home thread; task_remote_* on any other. */
#ifndef LESSON02_TASK_LOCAL_H
#define LESSON02_TASK_LOCAL_H

#include "lesson02_wakers/task.h"
#include "lesson02_wakers/task_home.h"

static inline struct task_home *task_home_of(const struct task *task)
{
    return container_of(slab_of(task), struct task_home, slab);
}

/* Home's count of wakers plus this is 0 only when nobody can wake the task: no waker
 * anywhere, no mail on its way. */
int32_t task_local_remote_wakers(const struct task *task);

/* DONE, no handle, no waker anywhere, not in the mail. */
bool task_local_unreachable(const struct task *task);

/* IDLE, and nobody can wake it any more, but it has not been told so (W10). */
bool task_local_abandoned(const struct task *task);

void task_local_merge(struct task_home *home, struct task *task);
void task_local_wake(struct task *task);

void task_remote_wake(struct task *task, bool consume);
void task_remote_clone(struct task *task);
void task_remote_drop(struct task *task);

/* Gives the memory back; nobody can reach the task any more. Any thread. */
void task_free(struct task *task);

#endif
