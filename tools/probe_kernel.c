/* probe_kernel: what does this kernel let this process do?
 *
 * For `make doctor`. Nothing is looked up by version: each feature is used once, the
 * way the lessons use it. One line a feature, "name=yes" or "name=no ERRNO", or for
 * io_uring itself "uring=no ERRNO STEP". A set-up that succeeds proves nothing, since a
 * filter may let it pass and refuse what follows, so each ring does a NOP round trip.
 *
 * Uses liburing 2.3 or later. Exit status 0, also when all is refused. */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static void report(const char *name, int err)
{
    if (err == 0)
        printf("%s=yes\n", name);
    else
        printf("%s=no %s\n", name, strerrorname_np(-err));
}

/* Submits what is queued and waits for one completion; at most one second. */
static int reap(struct io_uring *ring, int *result, unsigned *flags)
{
    struct io_uring_cqe *cqe = NULL;
    struct __kernel_timespec limit = { .tv_sec = 1 };
    int err = io_uring_submit_and_wait_timeout(ring, &cqe, 1, &limit, NULL);
    if (err < 0)
        return err;
    if (!cqe)
        return -ETIME;
    *result = cqe->res;
    if (flags)
        *flags = cqe->flags;
    io_uring_cqe_seen(ring, cqe);
    return 0;
}

static int round_trip(unsigned setup_flags, const char **step)
{
    struct io_uring ring;
    int result = 0;
    *step = "setup";
    int err = io_uring_queue_init(4, &ring, setup_flags);
    if (err < 0)
        return err;
    *step = "enter";
    io_uring_prep_nop(io_uring_get_sqe(&ring));
    err = reap(&ring, &result, NULL);
    io_uring_queue_exit(&ring);
    return err < 0 ? err : result;
}

/* Multishot recv into a provided buffer: two sends, two completions, one request. */
static int multishot_into(struct io_uring *ring, const int ends[2])
{
    int result = 0;
    unsigned flags = 0;
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    io_uring_prep_recv_multishot(sqe, ends[0], NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 1;
    for (int i = 0; i < 2; i++) {
        if (send(ends[1], "x", 1, 0) != 1)
            return -errno;
        int err = reap(ring, &result, &flags);
        if (err < 0)
            return err;
        if (result != 1)
            return result < 0 ? result : -EPROTO;
        if (!(flags & IORING_CQE_F_MORE))
            return -EINVAL;
    }
    return 0;
}

static void probe_with_group(struct io_uring *ring, struct io_uring_buf_ring *group,
                             const int ends[2])
{
    enum { COUNT = 4, SIZE = 64 };
    static char buffers[COUNT][SIZE];
    struct io_uring_buf_reg reg = { .ring_addr = (unsigned long)group,
                                    .ring_entries = COUNT,
                                    .bgid = 1 };
    io_uring_buf_ring_init(group);
    int err = io_uring_register_buf_ring(ring, &reg, 0);
    report("provided_buffers", err);
    if (err < 0)
        return;
    for (int i = 0; i < COUNT; i++)
        io_uring_buf_ring_add(group, buffers[i], SIZE, (unsigned short)i, COUNT - 1, i);
    io_uring_buf_ring_advance(group, COUNT);
    report("multishot", multishot_into(ring, ends));
}

static void probe_buffers_and_multishot(void)
{
    struct io_uring ring;
    void *group = NULL;
    int ends[2];
    if (io_uring_queue_init(4, &ring, 0) < 0)
        return;
    if (posix_memalign(&group, 4096, 4096) == 0 &&
        socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0) {
        probe_with_group(&ring, group, ends);
        close(ends[0]);
        close(ends[1]);
    }
    io_uring_queue_exit(&ring);
    free(group);
}

static void probe_registered_memory(void)
{
    struct io_uring ring;
    struct iovec one = { .iov_len = 1 << 20 };
    if (io_uring_queue_init(4, &ring, 0) < 0)
        return;
    one.iov_base = calloc(1, one.iov_len);
    report("registered_memory",
           one.iov_base ? io_uring_register_buffers(&ring, &one, 1) : -ENOMEM);
    io_uring_queue_exit(&ring);
    free(one.iov_base);
}

static void probe_epoll_pwait2(void)
{
    struct epoll_event event;
    struct timespec soon = { .tv_nsec = 1000 };
    int ep = epoll_create1(EPOLL_CLOEXEC);
    int n = epoll_pwait2(ep, &event, 1, &soon, NULL);
    report("epoll_pwait2", n < 0 ? -errno : 0);
    close(ep);
}

int main(void)
{
    const char *step = "";
    int err = round_trip(0, &step);
    if (err < 0)
        printf("uring=no %s %s\n", strerrorname_np(-err), step);
    else
        printf("uring=yes\n");
    if (err == 0) {
        report(
            "defer_taskrun",
            round_trip(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, &step));
        report("sqpoll", round_trip(IORING_SETUP_SQPOLL, &step));
        probe_buffers_and_multishot();
        probe_registered_memory();
    }
    probe_epoll_pwait2();
    return 0;
}
