/* ring_op: one operation in flight, as the ring sees it.
 *
 * An SQE carries 64 bits of the caller's, user_data, which come back in the CQE. The
 * course puts the address of a struct ring_op there: what to call, and which memory the
 * kernel fills. A bigger struct embeds it (the ring futures here, the I/O operation of
 * lesson 5) and finds itself again with container_of.
 *
 *   SQE written --submit--> in flight --CQE without F_MORE--> over
 *                             |  ^
 *                             +--+ CQE with F_MORE: complete() is called, more will
 * come
 *
 * Ownership: from the SQE until the CQE without F_MORE the ring borrows the op and the
 * kernel owns the memory that it points to (RULES C1): neither may move, be freed or be
 * read. Once complete() has been called for that CQE, the ring does not touch the op
 * again, so complete() may give its memory away (C15). Threads: complete() runs on the
 * thread that reaps. */
#ifndef LESSON03_RING_OP_H
#define LESSON03_RING_OP_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/check.h"
#include "common/memcheck.h"

/* What the kernel writes into memory when the operation succeeds. */
enum ring_fill {
    RING_FILLS_NOTHING,
    RING_FILLS_RESULT,   /* `result` bytes at target (read, recv) */
    RING_FILLS_SIZE,     /* `size` bytes at target (statx, an address) */
    RING_FILLS_PROVIDED, /* `result` bytes in a buffer of the group (struct
                            ring_buffers) at target; the flags say which */
    RING_READS_SIZE,     /* none, it reads `size` bytes at target. Noted by
                            ring_op_attach, where somebody knows what is alive */
};

struct ring_op {
    /* Called once for each CQE, from ring_reap. It wakes, it does not run anything; it
     * may queue new SQEs. result: negative errno or the operation's value. */
    void (*complete)(struct ring_op *op, int result, unsigned flags);
    void *target; /* borrows: see enum ring_fill */
    uint32_t size;
    uint8_t fills;  /* enum ring_fill */
    uint8_t opcode; /* IORING_OP_*, noted by ring_op_attach as above */
};
_Static_assert(sizeof(struct ring_op) == 24, "lesson 5 embeds one in each operation");

/* Notes which memory the kernel is given: the buffer, path or address of the SQE. */
void ring_op_note_memory(const struct io_uring_sqe *sqe, struct ring_op *op);

/* Ties the SQE to the op (an SQE without one: ring_sqe_forget). Call it after
 * io_uring_prep_*, some of which clear user_data. */
static inline void ring_op_attach(struct io_uring_sqe *sqe, struct ring_op *op)
{
    io_uring_sqe_set_data(sqe, op);
    if (MEM_IS_WATCHED)
        ring_op_note_memory(sqe, op);
    MEM_HANDED_OVER(op); /* pairs with ring_op_deliver: through the kernel */
}

/* A completion that was taken from the ring and not delivered yet. */
struct ring_completion {
    struct ring_op *op; /* borrows; NULL: nobody wants to know */
    int result;
    unsigned flags;
};

/* The one place where memory that the kernel had is looked at: memory that was given away
 * too early is noticed and named (C1), memory that it filled is marked as initialised for
 * valgrind. Whatever the result: until its completion an operation may use its memory. */
void ring_op_take_memory_back(const struct ring_op *op, int result, unsigned flags);

/* The same for a second piece of memory that the operation was given (`what`: "path");
 * `filled`: the kernel has written to it. The op's owner calls it from complete(). */
void ring_op_take_back(const struct ring_op *op, const char *what, void *memory,
                       size_t size, bool filled);

static inline void ring_op_deliver(const struct ring_completion *completion)
{
    struct ring_op *op = completion->op;
    if (!op)
        return;
    MEM_TAKEN_OVER(op); /* pairs with ring_op_attach */
    if (MEM_IS_WATCHED)
        ring_op_take_memory_back(op, completion->result, completion->flags);
    op->complete(op, completion->result, completion->flags);
}

/* What a completion says about the future of a multishot operation (C10). */
enum ring_multishot {
    RING_SHOT_MORE,  /* it stays armed */
    RING_SHOT_REARM, /* it ended, and nothing is wrong: arm it again */
    RING_SHOT_OVER,  /* it ended for a reason that a new try would meet again */
};

enum ring_multishot ring_multishot_next(int result, unsigned flags);

#endif
