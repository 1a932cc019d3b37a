/* panic: what remains to be done for a task whose frame panicked.
 *
 * The frames whose poll was on the stack are dead: nobody polls them again, and what
 * they hold leaks. They have nothing in flight themselves (an await in flight is their
 * child). Every healthy subtree that hangs off them - siblings under a join or a race,
 * members of a select set - is cancelled as a frame and polled to READY, so it frees
 * what it owns.
 *
 * Threads: the one that runs the task. */
#ifndef LESSON02_PANIC_H
#define LESSON02_PANIC_H

#include "lesson02_wakers/task.h"

struct task_home;

/* Cancels and polls what hangs off the dead frames; true when nothing is in flight. */
bool panic_drain(struct future *root, struct context *context);

/* Remembers why `task` panicked; when there is no memory for that, it is lost, and only
 * stderr has seen it. */
void panic_note_add(struct task_home *home, const struct task *task, const char *text);
const char *panic_note_find(struct task_home *home, const struct task *task);
void panic_note_remove(struct task_home *home, const struct task *task);

#endif
