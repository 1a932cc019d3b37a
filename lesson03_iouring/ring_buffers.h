/* ring_buffers: buffers that the kernel picks from.
 *
 * Ten thousand idle connections with one receive buffer each are ten thousand buffers
 * that hold nothing. A buffer group turns that round: the program provides a few, and
 * the kernel takes one when data has arrived, and says which in the completion's flags.
 *
 *   ours --recycle--> provided --data arrives--> ours again (id in the CQE's flags)
 *
 * liburing 2.3 has no helper to set the shared ring up, so it is registered by hand;
 * the inline helpers that fill it are liburing's.
 *
 * Also here: registered ("fixed") buffers and files, which the kernel looks up once
 * instead of on each operation.
 *
 * Ownership: the struct owns two mappings; the registration belongs to the ring, which
 * it borrows. A provided buffer is the kernel's until a completion names it. Threads:
 * those of the ring's SQ side. Errors: negative errno; -EINVAL where the kernel is too
 * old (ring_probe: buffer_ring). */
#ifndef LESSON03_RING_BUFFERS_H
#define LESSON03_RING_BUFFERS_H

#include <liburing.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

struct ring_buffers {
    struct ring *ring;                /* borrows; NULL: not initialised */
    struct io_uring_buf_ring *shared; /* owns: the queue of provided buffers */
    size_t shared_bytes;
    char *memory; /* owns: count buffers of size bytes */
    unsigned count;
    unsigned size;
    uint16_t group;
};

/* Provides `count` (a power of two, at most 32768) buffers of `size` bytes as `group`.
 */
int ring_buffers_init(struct ring_buffers *buffers, struct ring *ring, uint16_t group,
                      unsigned count, unsigned size);

/* Unregisters and frees. No operation that selects from the group may be in flight. */
void ring_buffers_finish(struct ring_buffers *buffers);

/* Makes the SQE take its buffer from the group. Call it after io_uring_prep_*. */
static inline void ring_buffers_select(const struct ring_buffers *buffers,
                                       struct io_uring_sqe *sqe)
{
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = buffers->group;
}

/* Which buffer a completion with IORING_CQE_F_BUFFER in its flags used. */
static inline unsigned ring_buffers_id(unsigned flags)
{
    return flags >> IORING_CQE_BUFFER_SHIFT;
}

static inline void *ring_buffers_at(const struct ring_buffers *buffers, unsigned id)
{
    return buffers->memory + (size_t)id * buffers->size;
}

/* Gives a buffer back to the kernel; its contents are gone. */
void ring_buffers_recycle(struct ring_buffers *buffers, unsigned id);

/* Registers buffers for IORING_OP_READ_FIXED and WRITE_FIXED (sqe->buf_index),
 * replacing none: once per ring. They stay pinned in memory and count against the
 * user's RLIMIT_MEMLOCK (-ENOMEM; root is exempt). The ring shares them until it is
 * finished. */
int ring_register_buffers(struct ring *ring, const struct iovec *buffers,
                          unsigned count);

/* Registers descriptors; an SQE with IOSQE_FIXED_FILE names them by index. The ring
 * holds its own references, so the descriptors may be closed afterwards. */
int ring_register_files(struct ring *ring, const int *fds, unsigned count);

#endif
