/* epoll_source: what the reactor knows about one descriptor.
 *
 * For reactor.c and epoll_ops.c only. */
#ifndef LESSON05_EPOLL_SOURCE_H
#define LESSON05_EPOLL_SOURCE_H

#include "lesson05_reactor/reactor.h"

enum { READING, WRITING };

struct direction {
    bool ready;    /* an attempt may succeed */
    uint32_t tick; /* edges seen; a clear is only valid for the tick it looked at */
    struct io_op *waits; /* borrows: armed, to be woken by the next edge */
};

struct epoll_source {
    struct io_source base;
    bool has_lock; /* the lock was initialised; it stays for all tenants */
    pthread_mutex_t lock;
    /* guarded by lock when the reactor is shared */
    bool registered;
    bool hung_up; /* RDHUP, HUP or ERR was seen: a short read does not mean drained */
    struct direction directions[2];
};

static inline void source_lock(const struct reactor *reactor,
                               struct epoll_source *source)
{
    if (reactor->shared)
        pthread_mutex_lock(&source->lock);
}

static inline void source_unlock(const struct reactor *reactor,
                                 struct epoll_source *source)
{
    if (reactor->shared)
        pthread_mutex_unlock(&source->lock);
}

/* READING or WRITING; which direction an operation waits for. */
int epoll_op_direction(const struct io_op *op);

/* Makes the operation's syscall once. Returns bytes or negative errno; -EAGAIN: not
 * ready. Handles EINTR. */
int epoll_op_attempt(struct reactor *reactor, struct io_op *op);

/* Is this an operation that epoll cannot wait for? */
bool epoll_op_blocks(const struct io_op *op);

/* Runs it on a thread that may block: sets op->result. */
void epoll_op_run_blocking(struct io_op *op);

#endif
