/* source_pool: blocks of sources, a list of the vacant ones, and a counter in each.
 *
 * Invariant: the generation changes exactly when a tenant leaves, so a (pointer,
 * generation) pair names one tenancy. */
#include "lesson05_reactor/source_pool.h"

#include <stdlib.h>
#include <sys/socket.h>

#define BLOCK_SLOTS 64

struct source_block {
    struct source_block *next; /* owns */
    _Alignas(max_align_t) char slots[];
};

int source_pool_init(struct source_pool *pool, size_t slot_size)
{
    size_t align = _Alignof(max_align_t);
    *pool =
        (struct source_pool){ .slot_size = (slot_size + align - 1) / align * align };
    return -pthread_mutex_init(&pool->lock, NULL);
}

void source_pool_finish(struct source_pool *pool)
{
    if (!pool->slot_size)
        return;
    CHECK(pool->in_use == 0, "%zu source(s) still attached when their driver ends",
          pool->in_use);
    while (pool->blocks) {
        struct source_block *next = pool->blocks->next;
        free(pool->blocks);
        pool->blocks = next;
    }
    pthread_mutex_destroy(&pool->lock);
    pool->slot_size = 0;
}

static struct io_source *vacant_next(const struct io_source *source)
{
    return (struct io_source *)(void *)source->driver;
}

static void push_vacant(struct source_pool *pool, struct io_source *source)
{
    source->driver = (struct io_driver *)(void *)pool->vacant;
    source->fd = -1;
    pool->vacant = source;
}

static bool grow(struct source_pool *pool)
{
    struct source_block *block =
        calloc(1, sizeof *block + BLOCK_SLOTS * pool->slot_size);
    if (!block)
        return false;
    block->next = pool->blocks;
    pool->blocks = block;
    for (size_t i = BLOCK_SLOTS; i-- > 0;)
        push_vacant(pool,
                    (struct io_source *)(void *)(block->slots + i * pool->slot_size));
    return true;
}

struct io_source *source_pool_take(struct source_pool *pool, struct io_driver *driver,
                                   int fd, enum io_type type)
{
    pthread_mutex_lock(&pool->lock);
    struct io_source *source = NULL;
    if (pool->vacant || grow(pool)) {
        source = pool->vacant;
        pool->vacant = vacant_next(source);
        pool->in_use++;
        source->driver = driver;
        source->fd = fd;
        source->type = type;
        source->drain_at_stop = false;
        source->pool = pool;
    }
    pthread_mutex_unlock(&pool->lock);
    return source;
}

void source_pool_give_back(struct source_pool *pool, struct io_source *source)
{
    pthread_mutex_lock(&pool->lock);
    CHECK(source->fd >= 0, "a source was closed or detached twice");
    source->generation++;
    push_vacant(pool, source);
    pool->in_use--;
    pthread_mutex_unlock(&pool->lock);
}

/* With the lock held, under which no source loses its descriptor: it is given back before
 * the descriptor is closed. */
static void see_the_end(const struct io_source *source)
{
    shutdown(source->fd, SHUT_RD); /* not connected, no socket: nothing to be ended */
}

void io_source_drain_at_stop(struct io_source *source)
{
    struct source_pool *pool = source->pool;
    pthread_mutex_lock(&pool->lock);
    source->drain_at_stop = true;
    if (pool->draining)
        see_the_end(source);
    pthread_mutex_unlock(&pool->lock);
}

void io_source_keep_at_stop(struct io_source *source)
{
    struct source_pool *pool = source->pool;
    pthread_mutex_lock(&pool->lock);
    source->drain_at_stop = false;
    pthread_mutex_unlock(&pool->lock);
}

void source_pool_drain(struct source_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->draining = true;
    for (struct source_block *block = pool->blocks; block; block = block->next)
        for (size_t i = 0; i < BLOCK_SLOTS; i++) {
            struct io_source *source =
                (struct io_source *)(void *)(block->slots + i * pool->slot_size);
            if (source->fd >= 0 && source->drain_at_stop)
                see_the_end(source);
        }
    pthread_mutex_unlock(&pool->lock);
}
