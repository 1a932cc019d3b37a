/* offload: a thread that may block does it for us.
 *
 * epoll cannot wait for a regular file: a read of one blocks, whatever epoll says. So
 * such operations go to a thread that is allowed to block. This lesson only defines the
 * interface; lesson 6 implements it with a bounded pool. Until then there is none, and
 * file operations on the epoll driver answer -EOPNOTSUPP.
 *
 * Ownership: the pool borrows the job until run returns or withdraw said true. Threads:
 * submit and withdraw from any. */
#ifndef LESSON05_OFFLOAD_H
#define LESSON05_OFFLOAD_H

#include <stdbool.h>

struct offload;

struct offload_job {
    void (*run)(
        struct offload_job *job); /* on a thread that may block; the job's memory
                                             may be gone when it returns */
    struct offload *offload;      /* borrows; set by the submitter, for its withdraw */
    struct offload_job *next;     /* borrows; the pool's queue */
};

struct offload_ops {
    const char *name;
    /* 0, or -EAGAIN (the queue is full: try later), -ESHUTDOWN, -ENOMEM. */
    int (*submit)(struct offload *offload, struct offload_job *job);
    /* Takes a job back that no thread has started: true, and run will not be called. */
    bool (*withdraw)(struct offload *offload, struct offload_job *job);
};

struct offload {
    const struct offload_ops *ops; /* borrows; static */
};

#endif
