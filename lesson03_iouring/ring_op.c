/* ring_op: the two decisions that each completion may need.
 *
 * Problem 1: valgrind does not see the kernel write, so it calls the bytes that a read
 * brought uninitialised; and neither it nor ASan sees the kernel write into memory that
 * was freed in the meantime. Idea: each op says what the kernel fills, the SQE what it
 * reads, and the reaping side, the first that may look, settles it here and nowhere else.
 *
 * Problem 2: a multishot operation ends without being asked (no buffer left, CQ full),
 * and a program that only looks at the result waits for ever. Idea: F_MORE decides, the
 * result only says why. */
#include "lesson03_iouring/ring_op.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/container.h"
#include "lesson03_iouring/ring_buffers.h"

/* For a person who looks for the operation in the program. */
static const char *name_of(uint8_t opcode)
{
    static const char *const names[] = {
        [IORING_OP_READ] = "read",       [IORING_OP_READ_FIXED] = "read",
        [IORING_OP_WRITE] = "write",     [IORING_OP_WRITE_FIXED] = "write",
        [IORING_OP_RECV] = "recv",       [IORING_OP_SEND] = "send",
        [IORING_OP_RECVMSG] = "recvmsg", [IORING_OP_SENDMSG] = "sendmsg",
        [IORING_OP_SEND_ZC] = "send_zc", [IORING_OP_ACCEPT] = "accept",
        [IORING_OP_CONNECT] = "connect", [IORING_OP_OPENAT] = "openat",
        [IORING_OP_STATX] = "statx",
    };
    const char *name = opcode < ARRAY_SIZE(names) ? names[opcode] : NULL;
    return name ? name : "operation";
}

static void reads(struct ring_op *op, const void *memory, size_t size)
{
    op->fills = RING_READS_SIZE;
    op->target = (void *)(uintptr_t)memory;
    op->size = (uint32_t)size;
}

void ring_op_note_memory(const struct io_uring_sqe *sqe, struct ring_op *op)
{
    const void *memory = (const void *)(uintptr_t)sqe->addr;
    op->opcode = sqe->opcode;
    if (op->fills == RING_READS_SIZE)
        op->fills = RING_FILLS_NOTHING; /* of the SQE before */
    switch (sqe->opcode) {
    case IORING_OP_READ:
    case IORING_OP_READ_FIXED:
    case IORING_OP_RECV:
        if (op->fills == RING_FILLS_RESULT)
            op->size = sqe->len; /* all of it is the kernel's, whatever the result */
        break;
    case IORING_OP_WRITE:
    case IORING_OP_WRITE_FIXED:
    case IORING_OP_SEND:
    case IORING_OP_SEND_ZC:
        reads(op, memory, sqe->len);
        break;
    case IORING_OP_SENDMSG:
        reads(op, ((const struct msghdr *)memory)->msg_iov->iov_base,
              ((const struct msghdr *)memory)->msg_iov->iov_len);
        break;
    case IORING_OP_CONNECT:
        reads(op, memory, (size_t)sqe->off);
        break;
    case IORING_OP_OPENAT:
        reads(op, memory, strlen(memory) + 1);
        break;
    default: /* none, or none that is not the op's own */
        break;
    }
}

void ring_op_take_back(const struct ring_op *op, const char *what, void *memory,
                       size_t size, bool filled)
{
    if (!memory || !size)
        return;
    CHECK(!MEM_IS_DEAD(memory, size),
          "%s: the kernel had its %s, %zu bytes at %p, which were freed while it owned "
          "them (rule C1: wait for the operation's own completion)",
          name_of(op->opcode), what, size, memory);
    if (filled)
        MEM_KERNEL_FILLED(memory, size);
}

void ring_op_take_memory_back(const struct ring_op *op, int result, unsigned flags)
{
    CHECK(!MEM_IS_DEAD(op, sizeof *op),
          "the operation at %p was freed while the kernel owned it (rule C1)",
          (const void *)op);
    size_t filled = result > 0 ? (size_t)result : 0;
    const char *what = op->opcode == IORING_OP_CONNECT  ? "address"
                       : op->opcode == IORING_OP_OPENAT ? "path"
                                                        : "buffer";
    switch ((enum ring_fill)op->fills) {
    case RING_FILLS_NOTHING:
        break;
    case RING_READS_SIZE:
    case RING_FILLS_SIZE:
        ring_op_take_back(op, what, op->target, op->size,
                          op->fills == RING_FILLS_SIZE && result >= 0);
        break;
    case RING_FILLS_RESULT:
        ring_op_take_back(op, what, op->target, op->size, false);
        ring_op_take_back(op, what, op->target, filled, true);
        break;
    case RING_FILLS_PROVIDED:
        if (flags & IORING_CQE_F_BUFFER) /* else no buffer was used */
            ring_op_take_back(op, what,
                              ring_buffers_at(op->target, ring_buffers_id(flags)),
                              filled, true);
        break;
    }
}

enum ring_multishot ring_multishot_next(int result, unsigned flags)
{
    if (flags & IORING_CQE_F_MORE)
        return RING_SHOT_MORE;
    /* It ended. With a result it was cut short; without a buffer it waits for one to be
     * recycled. Anything else (bad descriptor, unknown opcode, cancelled) would come
     * back at once: arming it again would spin. */
    return result >= 0 || result == -ENOBUFS ? RING_SHOT_REARM : RING_SHOT_OVER;
}
