/* base_pool: one mapping for the descriptors, one for the bytes, one registration.
 *
 * liburing 2.4 has a call that does this; with 2.3 it is done by hand, which shows what
 * it is: an array in shared memory with a tail that only we move. */
#include "lesson08_compare/base_pool.h"

#include <errno.h>
#include <sys/mman.h>

#define RETURNS_SIZE (POOL_BUFFERS * sizeof(struct io_uring_buf))
#define MEMORY_SIZE ((size_t)POOL_BUFFERS * POOL_BUFFER_SIZE)

unsigned base_pool_buffers = POOL_BUFFERS;

static void *map(size_t size)
{
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

int base_pool_init(struct base_pool *pool, struct io_uring *ring)
{
    *pool =
        (struct base_pool){ .returns = map(RETURNS_SIZE), .memory = map(MEMORY_SIZE) };
    if (!pool->returns || !pool->memory) {
        base_pool_finish(pool);
        return -ENOMEM;
    }
    struct io_uring_buf_reg registration = {
        .ring_addr = (uint64_t)(uintptr_t)pool->returns,
        .ring_entries = base_pool_buffers,
        .bgid = POOL_GROUP,
    };
    int err = io_uring_register_buf_ring(ring, &registration, 0);
    if (err < 0) {
        base_pool_finish(pool);
        return err;
    }
    io_uring_buf_ring_init(pool->returns);
    for (unsigned id = 0; id < base_pool_buffers; id++)
        base_pool_give_back(pool, (uint16_t)id);
    base_pool_publish(pool);
    return 0;
}

void base_pool_finish(struct base_pool *pool)
{
    if (pool->returns)
        munmap(pool->returns, RETURNS_SIZE);
    if (pool->memory)
        munmap(pool->memory, MEMORY_SIZE);
    *pool = (struct base_pool){ 0 };
}
