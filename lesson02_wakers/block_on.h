/* block_on: the way into async code from a thread that runs no tasks.
 *
 * Polls one future to READY on the calling thread, which sleeps in between. It is the
 * smallest executor there is: no task, no queue, one waker that unparks this thread. In
 * main() use it to wait for a task of another thread's executor (task_join is a
 * future); inside a task await instead, for a task that blocks stops its executor.
 *
 * Ownership: borrows the future, which is READY when block_on returns 0. Its wakers may
 * outlive the call and the thread (RULES W5). Threads: any that is not running a task.
 */
#ifndef LESSON02_BLOCK_ON_H
#define LESSON02_BLOCK_ON_H

#include "lesson02_wakers/waker.h"

/* 0; -ENOMEM: there was no memory for the waker, and the future was not touched. */
int block_on(struct future *future);

#endif
