/* probe: asking by trying.
 *
 * Problem: "io_uring: Operation not permitted" sends people to the wrong remedy; the
 * same number is a sysctl on a laptop and a seccomp filter in a container. Idea: on
 * EPERM look at the sysctl; if it allows io_uring, somebody else forbade it. Invariant:
 * a probe leaves nothing behind - no descriptor, no thread, no operation in flight.
 *
 * liburing is used directly here, not the course's ring: which of its flags this kernel
 * has is the question. */
#include "lesson03_iouring/probe.h"

#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/container.h"
#include "common/errname.h"

int ring_disabled_sysctl(void)
{
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    int value = -1;
    if (!file)
        return -1;
    if (fscanf(file, "%d", &value) != 1)
        value = -1;
    fclose(file);
    return value;
}

enum ring_refusal ring_refusal_of(int err, int disabled)
{
    switch (err < 0 ? -err : err) {
    case 0:
        return RING_ALLOWED;
    case ENOSYS:
        return RING_NOT_IN_KERNEL;
    case EPERM:
    case EACCES:
        if (disabled == 2)
            return RING_OFF_FOR_ALL;
        return disabled == 1 ? RING_OFF_FOR_USERS : RING_FILTERED;
    case ENOMEM:
        return RING_NO_MEMORY;
    case EMFILE:
    case ENFILE:
        return RING_NO_DESCRIPTORS;
    case EOPNOTSUPP:
        return RING_TOO_OLD;
    default:
        return RING_OTHER;
    }
}

void ring_refusal_explain(enum ring_refusal refusal, int err, char *text, int size)
{
    static const char *const sentences[] = {
        [RING_ALLOWED] = "io_uring works",
        [RING_NOT_IN_KERNEL] =
            "the kernel does not know io_uring (too old, built without it, or a filter "
            "that says so): use Linux 5.11 or newer, or run outside this container",
        [RING_OFF_FOR_ALL] =
            "io_uring is switched off for everybody on this machine: as root, "
            "sysctl kernel.io_uring_disabled=0",
        [RING_OFF_FOR_USERS] =
            "io_uring is switched off for ordinary users on this machine: join the "
            "group "
            "in kernel.io_uring_group, or as root, sysctl kernel.io_uring_disabled=0",
        [RING_FILTERED] =
            "a security filter (seccomp, as containers have, or SELinux) forbids "
            "io_uring: run outside the container, or give it a profile that allows the "
            "three io_uring calls (docker run --security-opt seccomp=FILE)",
        [RING_NO_MEMORY] =
            "the kernel has no memory for a ring within this user's limit: raise it "
            "with ulimit -l (or LimitMEMLOCK= in a service), or use fewer entries",
        [RING_NO_DESCRIPTORS] =
            "no file descriptor is left for a ring: raise the limit with ulimit -n, or "
            "close some",
        [RING_TOO_OLD] =
            "this kernel's io_uring lacks waiting with a time-out or loses completions "
            "on overflow: use Linux 5.11 or newer",
        [RING_OTHER] =
            "a ring could not be made for a reason this program does not know: look up "
            "the error in io_uring_setup(2)",
    };
    const char *sentence = (unsigned)refusal < ARRAY_SIZE(sentences)
                               ? sentences[refusal]
                               : sentences[RING_OTHER];
    if (refusal == RING_ALLOWED)
        snprintf(text, (size_t)size, "%s.", sentence);
    else
        snprintf(text, (size_t)size, "io_uring is refused (%s): %s.", errname(err),
                 sentence);
}

void ring_explain(int err, char *text, int size)
{
    ring_refusal_explain(ring_refusal_of(err, ring_disabled_sysctl()), err, text, size);
}

/* ---- one ring for a moment */

/* Submits what is queued and returns the next completion's result. At most a second: a
 * feature that a kernel only pretends to have must not hang the probe. */
static int round_trip(struct io_uring *ring, unsigned *flags)
{
    struct io_uring_cqe *cqe = NULL;
    struct __kernel_timespec limit = { .tv_sec = 1 };
    int err;
    do /* a signal is no refusal: what was submitted stays so, only the wait is made again */
        err = io_uring_submit_and_wait_timeout(ring, &cqe, 1, &limit, NULL);
    while (err == -EINTR);
    if (err < 0)
        return err;
    err = io_uring_peek_cqe(ring, &cqe);
    if (err)
        return err;
    int result = cqe->res;
    if (flags)
        *flags = cqe->flags;
    io_uring_cqe_seen(ring, cqe);
    return result;
}

static int make_and_nop(struct io_uring *ring, unsigned flags)
{
    struct io_uring_params params = { .flags = flags, .sq_thread_idle = 10 };
    memset(ring, 0, sizeof *ring);
    int err = io_uring_queue_init_params(8, ring, &params);
    if (err)
        return err;
    if (!(params.features & IORING_FEAT_NODROP) ||
        !(params.features & IORING_FEAT_EXT_ARG)) {
        io_uring_queue_exit(ring);
        return -EOPNOTSUPP;
    }
    io_uring_prep_nop(io_uring_get_sqe(ring));
    err = round_trip(ring, NULL);
    if (err)
        io_uring_queue_exit(ring);
    return err;
}

static bool works_with(unsigned flags)
{
    struct io_uring ring;
    if (make_and_nop(&ring, flags))
        return false;
    io_uring_queue_exit(&ring);
    return true;
}

/* ---- optional features, each tried once on a ring of its own */

enum { PROBE_GROUP = 1, PROBE_BUFFER = 64 };

/* Receives one byte by multishot: the kernel must pick a buffer and promise more. */
static bool receive_by_multishot(struct io_uring *ring, struct io_uring_buf_ring *group,
                                 char *buffer)
{
    int ends[2];
    unsigned flags = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return false;
    io_uring_buf_ring_init(group);
    io_uring_buf_ring_add(group, buffer, PROBE_BUFFER, 0, 0, 0);
    io_uring_buf_ring_advance(group, 1);
    struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
    io_uring_prep_recv_multishot(sqe, ends[0], NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = PROBE_GROUP;
    bool works = send(ends[1], "x", 1, MSG_NOSIGNAL) == 1 &&
                 round_trip(ring, &flags) == 1 && (flags & IORING_CQE_F_MORE);
    close(ends[1]); /* end of file: the multishot ends, too */
    if (works)
        round_trip(ring, &flags);
    close(ends[0]);
    return works;
}

static void try_buffers(struct ring_features *features)
{
    struct io_uring ring;
    char buffer[PROBE_BUFFER];
    if (make_and_nop(&ring, 0))
        return;
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page != MAP_FAILED) {
        struct io_uring_buf_reg group = { .ring_addr = (uintptr_t)page,
                                          .ring_entries = 1,
                                          .bgid = PROBE_GROUP };
        features->buffer_ring = io_uring_register_buf_ring(&ring, &group, 0) == 0;
        if (features->buffer_ring)
            features->multishot_recv = receive_by_multishot(&ring, page, buffer);
    }
    io_uring_queue_exit(&ring);
    if (page != MAP_FAILED)
        munmap(page, 4096);
}

/* Cancelling "anything" with nothing in flight: 0 or -ENOENT where it is known. */
static void try_cancel_any(struct ring_features *features)
{
    struct io_uring ring;
    if (make_and_nop(&ring, 0))
        return;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    int result = round_trip(&ring, NULL);
    features->cancel_any = result >= 0 || result == -ENOENT;
    /* Multishot accept on something that is no socket: a kernel which knows the flag
     * looks at the file (ENOTSOCK, EBADF), an older one stops at the flag (EINVAL). */
    sqe = io_uring_get_sqe(&ring);
    io_uring_prep_multishot_accept(sqe, ring.ring_fd, NULL, NULL, 0);
    result = round_trip(&ring, NULL);
    features->multishot_accept = result == -ENOTSOCK || result == -EBADF;
    io_uring_queue_exit(&ring);
}

int ring_probe(struct ring_probe *probe)
{
    struct io_uring ring;
    memset(probe, 0, sizeof *probe);
    probe->err = make_and_nop(&ring, 0);
    probe->refusal = ring_refusal_of(probe->err, ring_disabled_sysctl());
    ring_refusal_explain(probe->refusal, probe->err, probe->sentence,
                         (int)sizeof probe->sentence);
    if (probe->err)
        return probe->err;
    io_uring_queue_exit(&ring);
    probe->features.defer_taskrun =
        works_with(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    probe->features.sqpoll = works_with(IORING_SETUP_SQPOLL);
    try_buffers(&probe->features);
    try_cancel_any(&probe->features);
    return 0;
}
