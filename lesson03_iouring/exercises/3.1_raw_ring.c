/* Exercise 3.1: The two queues of a ring. What to do stands in 3.1_raw_ring.md. */
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

#include "common/todo.h"

/* Writes the request into the next free slot and publishes it. */
static int push(struct raw_ring *ring, const struct io_uring_sqe *request)
{
    /* Yours: the program's half of the submission queue; -EBUSY when it is full */
    EXERCISE_TODO("3.1", ring, request);
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
    /* Yours: the request, as raw_ring_read has it */
    EXERCISE_TODO("3.1", ring, fd, buffer, size, offset, user_data);
}

int raw_ring_enter(struct raw_ring *ring, unsigned wait_for)
{
    /* Yours: how many are there for the kernel to take, and does it wait? */
    EXERCISE_TODO("3.1", ring, wait_for);
}

bool raw_ring_pop(struct raw_ring *ring, struct raw_completion *completion)
{
    /* Yours: the program's half of the completion queue */
    EXERCISE_TODO("3.1", ring, completion);
}
