/* join: waiting for a task as a future.
 *
 *     AWAIT(self->join, task_join(&self->handle));
 *     if (self->join.status == JOIN_OK) use(TASK_OUTPUT(&self->handle, fib)->result);
 *     task_detach(&self->handle);
 *
 * One joiner a task at a time. Cancelling the join stops the waiting, not the task.
 *
 * Ownership: borrows the handle, which stays in place until the join is READY. Threads:
 * as for any future; for a LOCAL task on its home thread. */
#ifndef LESSON02_JOIN_H
#define LESSON02_JOIN_H

#include "lesson02_wakers/task.h"

enum join_status {
    JOIN_WAITING,   /* not READY yet, or the join itself was cancelled */
    JOIN_OK,        /* the task returned */
    JOIN_CANCELLED, /* it was asked to stop, was told so, and returned */
    JOIN_PANICKED,  /* its output is not to be looked at; `panic` says why */
};

struct task_join {
    struct future future;
    const struct task_handle *handle; /* borrows */
    struct waker waker; /* owned by us, or by the completer once it took our address */
    bool registered;
    bool cancelled;
    enum join_status status; /* output */
    int result;              /* output: 0, or -ECANCELED when the join was cancelled */
    const char *panic; /* output, JOIN_PANICKED: borrowed from the handle's task; may be
                          NULL when there was no memory to keep it */
};

CONSTRUCTOR struct task_join task_join(const struct task_handle *handle);

/* How a DONE task ended; JOIN_WAITING when it is not DONE. Any thread. */
enum join_status task_status(const struct task_handle *handle);

/* What a panicked task said; NULL if it did not panic. Borrowed from the handle. */
const char *task_panic_text(const struct task_handle *handle);

/* ---- for task.c */

/* Takes the joiner's waker out of its struct and marks the slot as final: called once,
 * before the task is DONE. The caller wakes it once the task is DONE. */
struct waker join_take_waker(struct task *task);

#endif
