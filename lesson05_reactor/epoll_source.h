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
    struct readiness readiness; /* edges set it, tries clear it */
    /* The operation that is PENDING here, from when it was armed until it has its result
     * or is cancelled. The direction is its own meanwhile, and only it leaves; whoever
     * else looks compares the pointer and does not follow it. */
    _Atomic(const struct io_op *) waits;
    /* The next edge takes the waker, and then nothing is armed until the operation's next
     * poll. Written under the source's lock; read by the operation without. */
    _Atomic bool armed;
    struct waker waker; /* owns; guarded by the source's lock */
};

/* Is there a waker for the next edge to take? */
static inline bool direction_is_armed(const struct direction *direction)
{
    /* acquire: pairs with the release in direction_take_waker */
    return atomic_load_explicit(&direction->armed, memory_order_acquire);
}

static inline const struct io_op *direction_waits(const struct direction *direction)
{
    /* relaxed: a question of identity, nothing behind it is read */
    return atomic_load_explicit(&direction->waits, memory_order_relaxed);
}

/* With the source's lock held. */
static inline struct waker direction_take_waker(struct direction *direction)
{
    /* release: pairs with the acquire in direction_is_armed, so that an operation which
     * finds itself disarmed may leave without the lock */
    struct waker waker = waker_take(&direction->waker);
    atomic_store_explicit(&direction->armed, false, memory_order_release);
    return waker;
}

struct epoll_source {
    struct io_source base;
    _Atomic int jobs; /* operations on their way to or in the offload */
    bool has_lock;    /* the lock was initialised; it stays for all tenants */
    pthread_mutex_t lock;
    /* guarded by lock when the reactor is shared */
    bool registered;
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

/* What an event carries: the source's address and 16 bits of its generation. */
static inline void *event_tag(const struct epoll_source *source)
{
    uint64_t address = (uint64_t)(uintptr_t)source;
    CHECK(address >> TAG_ADDRESS_BITS == 0, "an address with more than 48 bits");
    uint64_t generation = (uint64_t)source->base.generation << TAG_ADDRESS_BITS;
    return (void *)(uintptr_t)(generation | address);
}

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
static inline int epoll_op_direction(const struct io_op *op)
{
    return io_op_writes(op) ? WRITING : READING;
}

/* No errno: the descriptor is not ready. */
#define NOT_READY INT_MIN

/* Makes the operation's syscall once. Returns bytes, negative errno or NOT_READY. Handles
 * EINTR. */
int epoll_op_attempt(struct reactor *reactor, struct io_op *op);

/* reactor_io.c: the driver's operations. */
extern const struct io_driver_ops reactor_driver_ops;

/* Is this an operation that epoll cannot wait for? */
bool epoll_op_blocks(const struct io_op *op);

/* Runs it on a thread that may block: sets op->result. */
void epoll_op_run_blocking(struct io_op *op);

#endif
