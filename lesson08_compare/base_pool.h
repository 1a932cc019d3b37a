/* base_pool: receive buffers that the kernel picks itself (a "provided buffer ring").
 *
 * With one buffer for each waiting receive, ten thousand idle connections pin ten
 * thousand buffers. With a pool, a buffer is taken when bytes arrive. A buffer is a
 * number below POOL_BUFFERS; the completion says which one the kernel took, and it is
 * ours until we give it back.
 *
 * Threads: the ring's thread only. */
#ifndef LESSON08_BASE_POOL_H
#define LESSON08_BASE_POOL_H

#include <liburing.h>

#define POOL_BUFFERS 4096
#define POOL_BUFFER_SIZE 2048
#define POOL_GROUP 0

/* How many of them a pool gets: a power of two up to POOL_BUFFERS. Tests shrink it, so
 * that it runs dry. */
extern unsigned base_pool_buffers;

struct base_pool {
    struct io_uring_buf_ring *returns; /* owns, mmap; shared with the kernel */
    char *memory;                      /* owns, mmap */
    int returned; /* buffers given back since the last publication */
};

/* Negative errno. The ring must outlive the pool. */
int base_pool_init(struct base_pool *pool, struct io_uring *ring);

/* After the ring is gone: until then the kernel may write to it. */
void base_pool_finish(struct base_pool *pool);

static inline char *base_pool_buffer(struct base_pool *pool, uint16_t id)
{
    return pool->memory + (size_t)id * POOL_BUFFER_SIZE;
}

/* The kernel sees it at the next publication. */
static inline void base_pool_give_back(struct base_pool *pool, uint16_t id)
{
    io_uring_buf_ring_add(pool->returns, base_pool_buffer(pool, id), POOL_BUFFER_SIZE,
                          id, io_uring_buf_ring_mask(base_pool_buffers),
                          pool->returned++);
}

/* How many buffers the kernel got back. */
static inline int base_pool_publish(struct base_pool *pool)
{
    int n = pool->returned;
    if (n > 0)
        io_uring_buf_ring_advance(pool->returns, n);
    pool->returned = 0;
    return n;
}

#endif
