/* ring_buffers: a second shared queue, from us to the kernel.
 *
 * Problem: who chooses a buffer before the data is there, chooses too early. Idea: the
 * queue of free buffers lies in shared memory like the SQ; we move its tail, the kernel
 * its head. Invariant: a buffer is in the queue or ours, never both; so it is recycled
 * exactly once after each completion that names it. */
#include "lesson03_iouring/ring_buffers.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "common/check.h"
#include "common/memcheck.h"
#include "lesson03_iouring/ring.h"

enum { GROUP_MAX = 32768 };

static int map(size_t size, void **memory)
{
    *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (*memory != MAP_FAILED)
        return 0;
    *memory = NULL;
    return -errno;
}

static void provide_all(struct ring_buffers *buffers)
{
    int mask = io_uring_buf_ring_mask(buffers->count);
    io_uring_buf_ring_init(buffers->shared);
    for (unsigned i = 0; i < buffers->count; i++)
        io_uring_buf_ring_add(buffers->shared, ring_buffers_at(buffers, i),
                              buffers->size, (unsigned short)i, mask, (int)i);
    /* release, inside: pairs with the kernel's acquire of the tail */
    io_uring_buf_ring_advance(buffers->shared, (int)buffers->count);
}

int ring_buffers_init(struct ring_buffers *buffers, struct ring *ring, uint16_t group,
                      unsigned count, unsigned size)
{
    memset(buffers, 0, sizeof *buffers);
    if (count == 0 || count > GROUP_MAX || (count & (count - 1)) || size == 0)
        return -EINVAL;
    void *shared, *memory;
    struct io_uring_buf_reg registration = { .ring_entries = count, .bgid = group };
    size_t shared_bytes = count * sizeof(struct io_uring_buf);
    size_t bytes = (size_t)count * size;
    int err = map(shared_bytes, &shared);
    if (err)
        return err;
    err = map(bytes, &memory);
    if (err)
        goto fail_shared;
    registration.ring_addr = (uintptr_t)shared;
    err = io_uring_register_buf_ring(&ring->uring, &registration, 0);
    if (err)
        goto fail_memory;
    *buffers = (struct ring_buffers){ .ring = ring,
                                      .shared = shared,
                                      .shared_bytes = shared_bytes,
                                      .memory = memory,
                                      .count = count,
                                      .size = size,
                                      .group = group };
    provide_all(buffers);
    return 0;

fail_memory:
    munmap(memory, bytes);
fail_shared:
    munmap(shared, shared_bytes);
    return err;
}

void ring_buffers_finish(struct ring_buffers *buffers)
{
    if (!buffers || !buffers->ring)
        return;
    io_uring_unregister_buf_ring(&buffers->ring->uring, buffers->group);
    munmap(buffers->memory, (size_t)buffers->count * buffers->size);
    munmap(buffers->shared, buffers->shared_bytes);
    memset(buffers, 0, sizeof *buffers);
}

void ring_buffers_recycle(struct ring_buffers *buffers, unsigned id)
{
    CHECK(id < buffers->count, "buffer %u of a group of %u", id, buffers->count);
    io_uring_buf_ring_add(buffers->shared, ring_buffers_at(buffers, id), buffers->size,
                          (unsigned short)id, io_uring_buf_ring_mask(buffers->count),
                          0);
    /* release, inside: pairs with the kernel's acquire of the tail */
    io_uring_buf_ring_advance(buffers->shared, 1);
}

int ring_register_buffers(struct ring *ring, const struct iovec *buffers,
                          unsigned count)
{
    return io_uring_register_buffers(&ring->uring, buffers, count);
}

int ring_register_files(struct ring *ring, const int *fds, unsigned count)
{
    return io_uring_register_files(&ring->uring, fds, count);
}
