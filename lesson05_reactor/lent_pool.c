/* lent_pool: malloc with a short memory. Keeps up to LENT_KEEP vacant buffers, so that a
 * burst does not stay allocated for ever. */
#include "lesson05_reactor/lent_pool.h"

#include <stdlib.h>

#include "common/check.h"

#define LENT_KEEP 256

struct lent_buffer {
    struct lent_buffer *next;
};

int lent_pool_init(struct lent_pool *pool, size_t size, bool shared)
{
    size_t least = sizeof(struct lent_buffer);
    *pool = (struct lent_pool){ .size = size < least ? least : size, .shared = shared };
    return -pthread_mutex_init(&pool->lock, NULL);
}

static void lock(struct lent_pool *pool)
{
    if (pool->shared)
        pthread_mutex_lock(&pool->lock);
}

static void unlock(struct lent_pool *pool)
{
    if (pool->shared)
        pthread_mutex_unlock(&pool->lock);
}

void lent_pool_finish(struct lent_pool *pool)
{
    if (!pool->size)
        return;
    CHECK(pool->out == 0, "%zu lent buffer(s) not given back when their driver ends",
          pool->out);
    while (pool->vacant) {
        struct lent_buffer *next = pool->vacant->next;
        free(pool->vacant);
        pool->vacant = next;
    }
    pthread_mutex_destroy(&pool->lock);
    pool->size = 0;
}

void *lent_pool_lend(struct lent_pool *pool)
{
    lock(pool);
    struct lent_buffer *buffer = pool->vacant;
    if (buffer) {
        pool->vacant = buffer->next;
        pool->kept--;
    } else {
        buffer = malloc(pool->size);
    }
    pool->out += buffer != NULL;
    unlock(pool);
    return buffer;
}

void lent_pool_give_back(struct lent_pool *pool, void *memory)
{
    struct lent_buffer *buffer = memory;
    lock(pool);
    CHECK(pool->out > 0, "a lent buffer was given back twice");
    pool->out--;
    bool keep = pool->kept < LENT_KEEP;
    if (keep) {
        buffer->next = pool->vacant;
        pool->vacant = buffer;
        pool->kept++;
    }
    unlock(pool);
    if (!keep)
        free(buffer);
}
