/* source_pool: memory that stays a source for ever.
 *
 * The kernel keeps our pointer to a source in its own tables and may still hand it out in
 * an event that was on its way when we closed the descriptor. If that memory were freed,
 * the event would be a use after free; if it became another descriptor's state, it would
 * be a stale event (RULES R4). So sources are recycled as sources only, and each new
 * tenant has a new generation, which the event must match.
 *
 * Ownership: owns all its memory until finish. Threads: any (a lock inside). */
#ifndef LESSON05_SOURCE_POOL_H
#define LESSON05_SOURCE_POOL_H

#include <pthread.h>
#include <stddef.h>

#include "lesson05_reactor/io.h"

struct source_block;

struct source_pool {
    /* immutable: of the driver's struct, which starts with io_source */
    size_t slot_size;
    /* guarded by lock */
    pthread_mutex_t lock;
    struct io_source *vacant;    /* owns; linked through the driver field */
    struct source_block *blocks; /* owns */
    size_t in_use;
    bool draining;
};

int source_pool_init(struct source_pool *pool, size_t slot_size);

/* CHECKs that every source was given back. Accepts a zeroed pool. */
void source_pool_finish(struct source_pool *pool);

/* A source with `fd`, `type` and a generation of its own; everything after struct
 * io_source is as its last tenant left it, zero at first. NULL: no memory. */
struct io_source *source_pool_take(struct source_pool *pool, struct io_driver *driver,
                                   int fd, enum io_type type);

void source_pool_give_back(struct source_pool *pool, struct io_source *source);

/* The first phase of a stop: calls shutdown(fd, SHUT_RD) on every attached source that
 * asked for it (io_source_drain_at_stop), now and from now on. A listener accepts no
 * more (its io_accept is -EINVAL), a connection that reads gets what had arrived and
 * then the end. Any thread; calling it twice does no harm. Takes time in proportion to
 * the number of sources. */
void source_pool_drain(struct source_pool *pool);

#endif
