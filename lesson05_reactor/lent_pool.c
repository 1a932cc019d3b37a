/* lent_pool: malloc with a short memory. Keeps up to LENT_KEEP vacant buffers and one spare
 * one, so that a burst does not stay allocated for ever. Invariant: a buffer that exists
 * is lent, in the list, or the spare one. */
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

/* Swaps what is spare. A pool of one thread needs no read-modify-write. */
static struct lent_buffer *swap_spare(struct lent_pool *pool, struct lent_buffer *spare)
{
    struct lent_buffer *before =
        atomic_load_explicit(&pool->spare, memory_order_relaxed);
    if (!pool->shared)
        atomic_store_explicit(&pool->spare, spare, memory_order_relaxed);
    else if (before != spare) /* acq_rel: pairs with itself; a buffer changes hands */
        before = atomic_exchange_explicit(&pool->spare, spare, memory_order_acq_rel);
    return before;
}

void lent_pool_finish(struct lent_pool *pool)
{
    if (!pool->size)
        return;
    struct lent_buffer *spare = swap_spare(pool, NULL);
    size_t here = pool->kept + (spare != NULL);
    CHECK(pool->made == here,
          "%zu lent buffer(s) not given back when their driver ends",
          pool->made - here);
    free(spare);
    while (pool->vacant) {
        struct lent_buffer *next = pool->vacant->next;
        free(pool->vacant);
        pool->vacant = next;
    }
    pthread_mutex_destroy(&pool->lock);
    pool->size = 0;
}

static SELDOM struct lent_buffer *take_vacant(struct lent_pool *pool)
{
    lock(pool);
    struct lent_buffer *buffer = pool->vacant;
    if (buffer) {
        pool->vacant = buffer->next;
        pool->kept--;
    } else {
        buffer = malloc(pool->size);
        pool->made += buffer != NULL;
    }
    unlock(pool);
    return buffer;
}

void *lent_pool_lend(struct lent_pool *pool)
{
    struct lent_buffer *spare = swap_spare(pool, NULL);
    return spare ? spare : take_vacant(pool);
}

static SELDOM void keep_or_free(struct lent_pool *pool, struct lent_buffer *buffer)
{
    lock(pool);
    CHECK(pool->kept < pool->made, "a lent buffer was given back twice");
    bool keep = pool->kept < LENT_KEEP;
    if (keep) {
        buffer->next = pool->vacant;
        pool->vacant = buffer;
        pool->kept++;
    } else {
        pool->made--;
    }
    unlock(pool);
    if (!keep)
        free(buffer);
}

void lent_pool_give_back(struct lent_pool *pool, void *memory)
{
    struct lent_buffer *before = swap_spare(pool, memory);
    CHECK(before != memory, "a lent buffer was given back twice");
    if (before)
        keep_or_free(pool, before);
}
