/* epoll_source: what the reactor knows about one descriptor.
 *
 * For reactor.c, reactor_io.c and epoll_ops.c only. */
#ifndef LESSON05_EPOLL_SOURCE_H
#define LESSON05_EPOLL_SOURCE_H

#include <limits.h>

#include "lesson05_reactor/reactor.h"
#include "lesson05_reactor/readiness.h"

enum { READING, WRITING };

#define TAG_ADDRESS_BITS 48

struct direction {
    struct readiness readiness; /* edges set it, tries clear it, a wait arms it */
    /* The operation that is PENDING here, from when it was armed until it has its result
     * or is cancelled. The direction is its own meanwhile, and only it leaves; whoever
     * else looks compares the pointer and does not follow it. */
    _Atomic(const struct io_op *) waits;
};

static inline const struct io_op *direction_waits(const struct direction *direction)
{
    /* relaxed: a question of identity, nothing behind it is read */
    return atomic_load_explicit(&direction->waits, memory_order_relaxed);
}

static inline bool direction_is_ready(const struct direction *direction)
{
    return readiness_look(&direction->readiness) & READINESS_READY;
}

/* Is there a waker for the next edge to take? */
static inline bool direction_is_armed(const struct direction *direction)
{
    return readiness_look(&direction->readiness) & READINESS_ARMED;
}

/* What the descriptor is in the epoll set for; 0: it is not there. */
enum { WATCHED_READS = 1, WATCHED_WRITES = 2, WATCH_CHANGES = 4 };

struct epoll_source {
    struct io_source base;
    _Atomic int jobs;         /* operations on their way to or in the offload */
    _Atomic unsigned watched; /* who sets WATCH_CHANGES may change it */
    /* What an event must carry to be for this tenant; NULL: no event is (R4). */
    _Atomic(void *) tag;
    struct direction directions[2];
};

static inline struct reactor *reactor_of(struct io_driver *driver)
{
    return container_of(driver, struct reactor, driver);
}

static inline struct epoll_source *source_of(struct io_source *source)
{
    return container_of(source, struct epoll_source, base);
}

/* The source's address and 16 bits of its generation. */
static inline void *event_tag(const struct epoll_source *source)
{
    uint64_t address = (uint64_t)(uintptr_t)source;
    CHECK(address >> TAG_ADDRESS_BITS == 0, "an address with more than 48 bits");
    uint64_t generation = (uint64_t)source->base.generation << TAG_ADDRESS_BITS;
    return (void *)(uintptr_t)(generation | address);
}

/* ---- epoll_ops.c */

/* What an attempt answers instead of bytes or negative errno. No errno is as small. */
#define NOT_READY INT_MIN       /* EAGAIN: wait for an edge */
#define TRY_AGAIN (INT_MIN + 1) /* EINTR, for one: nothing has happened */

struct epoll_kind {
    /* Makes the operation's syscall. NULL: epoll cannot wait for that. */
    int (*attempt)(struct reactor *reactor, struct io_op *op);
    uint8_t direction;   /* READING or WRITING */
    bool short_is_empty; /* on a stream, less than op->length says that it is drained */
};

/* By enum io_kind. */
extern const struct epoll_kind epoll_kinds[];

/* Is this an operation that epoll cannot wait for? */
bool epoll_op_blocks(const struct io_op *op);

/* Runs it on a thread that may block: sets op->result. */
void epoll_op_run_blocking(struct io_op *op);

/* ---- reactor_io.c: the driver's operations */
extern const struct io_driver_ops reactor_driver_ops;

#endif
