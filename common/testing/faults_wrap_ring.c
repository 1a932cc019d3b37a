/* faults_wrap_ring: liburing's calls, and the operations that go through them.
 *
 * An operation cannot fail in its place as a call can: it is the kernel that answers, later.
 * So one that is to fail is replaced while it still lies in the submission queue, by an
 * IORING_OP_NOP that completes with the error (Linux 6.10). The rest of its way is real. */
#include <errno.h>
#include <liburing.h>
#include <string.h>

#include "common/testing/faults.h"
#include "common/testing/faults_inside.h"

#define NOP_INJECTS_ITS_RESULT 1u /* IORING_NOP_INJECT_RESULT of newer headers */

static void make_it_fail(struct io_uring_sqe *sqe, int err)
{
    *sqe = (struct io_uring_sqe){ .opcode = IORING_OP_NOP,
                                  .flags = sqe->flags & IOSQE_IO_LINK,
                                  .len = (unsigned)-err,
                                  .rw_flags = (int)NOP_INJECTS_ITS_RESULT,
                                  .user_data = sqe->user_data };
}

/* Before an enter: those operations that were not handed over yet. */
static void look_at_operations(struct io_uring *ring)
{
    const struct io_uring_sq *sq = &ring->sq;
    if (!fault_is_armed())
        return;
    for (unsigned i = sq->sqe_head; i != sq->sqe_tail; i++) {
        struct io_uring_sqe *sqe = &sq->sqes[i & *sq->kring_mask];
        /* user_data 0: nobody would know. A close has to close even if it fails. */
        bool may_fail = sqe->user_data && sqe->opcode != IORING_OP_CLOSE;
        int err = may_fail ? fault_strikes("sqe") : 0;
        if (err)
            make_it_fail(sqe, err);
    }
}

#define WRAP_PLAIN(name, parameters, arguments)                                        \
    WRAP(int, -err, name, parameters, arguments)
#define WRAP_SUBMIT(name, parameters, arguments)                                       \
    WRAP_AFTER(look_at_operations(ring), int, -err, name, parameters, arguments)

WRAP_PLAIN(io_uring_queue_init,
           (unsigned entries, struct io_uring *ring, unsigned flags),
           (entries, ring, flags))
WRAP_PLAIN(io_uring_queue_init_params,
           (unsigned entries, struct io_uring *ring, struct io_uring_params *params),
           (entries, ring, params))
WRAP_PLAIN(io_uring_register_buf_ring,
           (struct io_uring * ring, struct io_uring_buf_reg *group, unsigned flags),
           (ring, group, flags))
WRAP_PLAIN(io_uring_register_buffers,
           (struct io_uring * ring, const struct iovec *buffers, unsigned n),
           (ring, buffers, n))
WRAP_PLAIN(io_uring_register_files,
           (struct io_uring * ring, const int *files, unsigned n), (ring, files, n))
WRAP_PLAIN(io_uring_register_files_sparse, (struct io_uring * ring, unsigned n),
           (ring, n))
WRAP_PLAIN(io_uring_register_files_update,
           (struct io_uring * ring, unsigned offset, const int *files, unsigned n),
           (ring, offset, files, n))
WRAP_PLAIN(io_uring_register_ring_fd, (struct io_uring * ring), (ring))
WRAP_PLAIN(io_uring_get_events, (struct io_uring * ring), (ring))
WRAP_PLAIN(__io_uring_get_cqe,
           (struct io_uring * ring, struct io_uring_cqe **cqe, unsigned submit,
            unsigned n, sigset_t *mask),
           (ring, cqe, submit, n, mask))
WRAP_PLAIN(__io_uring_sqring_wait, (struct io_uring * ring), (ring))

WRAP_SUBMIT(io_uring_submit, (struct io_uring * ring), (ring))
WRAP_SUBMIT(io_uring_submit_and_wait, (struct io_uring * ring, unsigned n), (ring, n))
WRAP_SUBMIT(io_uring_submit_and_get_events, (struct io_uring * ring), (ring))
WRAP_SUBMIT(io_uring_submit_and_wait_timeout,
            (struct io_uring * ring, struct io_uring_cqe **cqe, unsigned n,
             struct __kernel_timespec *timeout, sigset_t *mask),
            (ring, cqe, n, timeout, mask))
/* Submits only on kernels that the course does not use. */
WRAP_PLAIN(io_uring_wait_cqes,
           (struct io_uring * ring, struct io_uring_cqe **cqe, unsigned n,
            struct __kernel_timespec *timeout, sigset_t *mask),
           (ring, cqe, n, timeout, mask))

static bool try_sqe(void)
{
    struct io_uring ring;
    struct io_uring_cqe *cqe = NULL;
    if (__real_io_uring_queue_init(1, &ring, 0) < 0)
        return false;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    make_it_fail(sqe, ENOBUFS);
    bool works = __real_io_uring_submit_and_wait(&ring, 1) == 1 &&
                 io_uring_peek_cqe(&ring, &cqe) == 0 && cqe->res == -ENOBUFS;
    io_uring_queue_exit(&ring);
    return works;
}

bool fault_sqe_works(void)
{
    static int works = -1;
    if (works < 0)
        works = try_sqe();
    return works != 0;
}
