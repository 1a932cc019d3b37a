/* lent_pool: receive buffers that exist only while they hold something.
 *
 * Ownership: owns the vacant buffers; a lent one belongs to the borrower until it is
 * given back. Threads: any (a lock inside, unless it is not shared). */
#ifndef LESSON05_LENT_POOL_H
#define LESSON05_LENT_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct lent_buffer;

struct lent_pool {
    size_t size; /* immutable: bytes in a buffer */
    bool shared; /* immutable */
    /* any thread, atomic: one more vacant buffer, the one that was given back last; a
     * server that answers at once lends and takes back this one, and takes no lock */
    _Atomic(struct lent_buffer *) spare; /* owns */
    /* guarded by lock when shared */
    pthread_mutex_t lock;
    struct lent_buffer *vacant; /* owns */
    size_t made;                /* that exist: lent, vacant or spare */
    size_t kept;                /* vacant ones */
};

int lent_pool_init(struct lent_pool *pool, size_t size, bool shared);

/* CHECKs that everything was given back. Accepts a zeroed pool. */
void lent_pool_finish(struct lent_pool *pool);

/* NULL: no memory. */
void *lent_pool_lend(struct lent_pool *pool);
void lent_pool_give_back(struct lent_pool *pool, void *buffer);

#endif
