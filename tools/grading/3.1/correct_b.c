/* raw_ring, another way: a slot is filled in place and then published, every access to
 * an index is seq_cst, which pairs with each of the kernel's, and answers are copied
 * field by field. */
#include "lesson03_iouring/raw_ring.h"

#include <errno.h>
#include <linux/io_uring.h>

/* How many entries a queue holds. */
static unsigned entries(_Atomic unsigned *head, _Atomic unsigned *tail)
{
    unsigned first = atomic_load_explicit(head, memory_order_seq_cst);
    return atomic_load_explicit(tail, memory_order_seq_cst) - first;
}

/* The slot that the next request is written to; NULL when there is none. */
static struct io_uring_sqe *next_slot(struct raw_ring *ring)
{
    if (entries(ring->sq_head, ring->sq_tail) >= ring->sq_entries)
        return NULL;
    return ring->sqes +
           (atomic_load_explicit(ring->sq_tail, memory_order_seq_cst) & ring->sq_mask);
}

static void publish(struct raw_ring *ring, const struct io_uring_sqe *slot)
{
    ring->sq_array[atomic_load_explicit(ring->sq_tail, memory_order_seq_cst) &
                   ring->sq_mask] = (unsigned)(slot - ring->sqes);
    atomic_fetch_add_explicit(ring->sq_tail, 1, memory_order_seq_cst);
}

static int put(struct raw_ring *ring, struct io_uring_sqe request)
{
    struct io_uring_sqe *slot = next_slot(ring);
    if (!slot)
        return -EBUSY;
    *slot = request;
    publish(ring, slot);
    return 0;
}

int raw_ring_nop(struct raw_ring *ring, uint64_t user_data)
{
    struct io_uring_sqe request = { .opcode = IORING_OP_NOP, .user_data = user_data };
    return put(ring, request);
}

int raw_ring_read(struct raw_ring *ring, int fd, void *buffer, unsigned size,
                  uint64_t offset, uint64_t user_data)
{
    struct io_uring_sqe request = { .opcode = IORING_OP_READ,
                                    .fd = fd,
                                    .addr = (uintptr_t)buffer,
                                    .len = size,
                                    .off = offset,
                                    .user_data = user_data };
    return put(ring, request);
}

int raw_ring_write(struct raw_ring *ring, int fd, const void *buffer, unsigned size,
                   uint64_t offset, uint64_t user_data)
{
    struct io_uring_sqe request = { 0 };
    request.opcode = IORING_OP_WRITE;
    request.fd = fd;
    request.addr = (uintptr_t)buffer;
    request.len = size;
    request.off = offset;
    request.user_data = user_data;
    return put(ring, request);
}

int raw_ring_enter(struct raw_ring *ring, unsigned wait_for)
{
    unsigned flags = 0;
    if (wait_for > 0)
        flags |= IORING_ENTER_GETEVENTS;
    return raw_enter(ring->fd, entries(ring->sq_head, ring->sq_tail), wait_for, flags);
}

bool raw_ring_pop(struct raw_ring *ring, struct raw_completion *completion)
{
    if (entries(ring->cq_head, ring->cq_tail) == 0)
        return false;
    const struct io_uring_cqe *cqe = ring->cqes;
    cqe += atomic_load_explicit(ring->cq_head, memory_order_seq_cst) & ring->cq_mask;
    completion->user_data = cqe->user_data;
    completion->result = cqe->res;
    completion->flags = cqe->flags;
    atomic_fetch_add_explicit(ring->cq_head, 1, memory_order_seq_cst);
    return true;
}
