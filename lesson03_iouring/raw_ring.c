/* raw_ring: what liburing hides.
 *
 * Problem: a system call is a trip into the kernel and back, and the caller stands
 * still meanwhile. Idea: leave a note instead. The notes (SQEs) lie in memory that both
 * sides see, so handing over a hundred of them costs one trip, and the answers (CQEs)
 * come back the same way, in whatever order the work got done.
 *
 * Invariants:
 *   - Each index is written by one side only. tail - head is the number of entries in
 *     the queue, also after the 32-bit counters wrap, since unsigned subtraction wraps too.
 *   - Who writes an entry publishes it by a release store of the tail; who reads it
 *     loads the tail with acquire. The same pair in the other direction, on the head, says
 *     "I am done with that slot, write over it".
 *   - sq_array exists for requests that are prepared out of order; we keep it the
 *     identity.
 *
 * The system calls stand in raw_setup.c, so that here is nothing but memory.
 *
 * Source: io_uring(7), whose example program has the same shape. */
#include "lesson03_iouring/raw_ring.h"

#include <errno.h>
#include <linux/io_uring.h>

/* Writes the request into the next free slot and publishes it. */
static int push(struct raw_ring *ring, const struct io_uring_sqe *request)
{
    /* exercise 3.1 { */
    /* relaxed: nobody but us writes the tail */
    unsigned tail = atomic_load_explicit(ring->sq_tail, memory_order_relaxed);
    /* acquire: pairs with the kernel's release of the head, after it read the slot */
    unsigned head = atomic_load_explicit(ring->sq_head, memory_order_acquire);
    if (tail - head == ring->sq_entries)
        return -EBUSY;
    unsigned slot = tail & ring->sq_mask;
    ring->sqes[slot] = *request;
    ring->sq_array[slot] = slot;
    /* release: pairs with the kernel's acquire of the tail; the slot is written */
    atomic_store_explicit(ring->sq_tail, tail + 1, memory_order_release);
    return 0;
    /* } exercise 3.1: (ring, request) the program's half of the submission queue; -EBUSY when it is full */
}

int raw_ring_nop(struct raw_ring *ring, uint64_t user_data)
{
    struct io_uring_sqe request = { .opcode = IORING_OP_NOP, .user_data = user_data };
    return push(ring, &request);
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
    return push(ring, &request);
}

int raw_ring_write(struct raw_ring *ring, int fd, const void *buffer, unsigned size,
                   uint64_t offset, uint64_t user_data)
{
    /* exercise 3.1 { */
    struct io_uring_sqe request = { .opcode = IORING_OP_WRITE,
                                    .fd = fd,
                                    .addr = (uintptr_t)buffer,
                                    .len = size,
                                    .off = offset,
                                    .user_data = user_data };
    return push(ring, &request);
    /* } exercise 3.1: (ring, fd, buffer, size, offset, user_data) the request, as raw_ring_read has it */
}

int raw_ring_enter(struct raw_ring *ring, unsigned wait_for)
{
    /* exercise 3.1 { */
    /* relaxed twice: we wrote the tail, and a stale head only asks for too many */
    unsigned to_submit = atomic_load_explicit(ring->sq_tail, memory_order_relaxed) -
                         atomic_load_explicit(ring->sq_head, memory_order_relaxed);
    return raw_enter(ring->fd, to_submit, wait_for,
                     wait_for ? IORING_ENTER_GETEVENTS : 0);
    /* } exercise 3.1: (ring, wait_for) how many are there for the kernel to take, and does it wait? */
}

bool raw_ring_pop(struct raw_ring *ring, struct raw_completion *completion)
{
    /* exercise 3.1 { */
    /* relaxed: nobody but us writes the head */
    unsigned head = atomic_load_explicit(ring->cq_head, memory_order_relaxed);
    /* acquire: pairs with the kernel's release of the tail, after it wrote the CQE */
    if (head == atomic_load_explicit(ring->cq_tail, memory_order_acquire))
        return false;
    const struct io_uring_cqe *cqe = &ring->cqes[head & ring->cq_mask];
    *completion = (struct raw_completion){ cqe->user_data, cqe->res, cqe->flags };
    /* release: pairs with the kernel's acquire of the head; the slot may be reused */
    atomic_store_explicit(ring->cq_head, head + 1, memory_order_release);
    return true;
    /* } exercise 3.1: (ring, completion) the program's half of the completion queue */
}
