/* ring_op: the two decisions that each completion may need.
 *
 * Problem 1: valgrind does not see the kernel write, so it calls the bytes that a read
 * brought uninitialised; and neither it nor ASan sees the kernel write into memory that
 * was freed in the meantime. Idea: each op says what the kernel fills, and the reaping
 * side, the first that may look, settles it here and nowhere else.
 *
 * Problem 2: a multishot operation ends without being asked (no buffer left, CQ full),
 * and a program that only looks at the result waits for ever. Idea: F_MORE decides, the
 * result only says why. */
#include "lesson03_iouring/ring_op.h"

#include <errno.h>

#include "lesson03_iouring/ring_buffers.h"

void ring_op_mark_filled(const struct ring_op *op, int result, unsigned flags)
{
    void *memory = op->target;
    size_t size = (size_t)result;
    if (op->fills == RING_FILLS_SIZE) {
        size = op->size;
    } else if (op->fills == RING_FILLS_PROVIDED) {
        if (!(flags & IORING_CQE_F_BUFFER))
            return; /* end of stream: no buffer was used */
        memory = ring_buffers_at(op->target, ring_buffers_id(flags));
    }
    if (!memory || !size)
        return;
    CHECK(!MEM_IS_DEAD(memory, size),
          "the kernel wrote %zu bytes to %p, which was freed while it owned them "
          "(rule C1: wait for the operation's own completion)",
          size, memory);
    MEM_KERNEL_FILLED(memory, size);
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
