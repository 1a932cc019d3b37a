/* ring_future: one io_uring operation as a future.
 *
 * An SQE is a system call written down: opcode, descriptor, address, length, offset,
 * flags. A ring future keeps those six until its first poll puts them on the ring; the
 * completion stores the result and wakes the task.
 *
 *   NEW --poll: SQE written--> IN_FLIGHT --last CQE: complete()--> DONE --poll--> READY
 *    |                          |  ^
 *    |                          +--+ cancel: a request is sent; the state stays
 *    +--cancel, poll--> READY(-ECANCELED), nothing was started
 *
 * A cancelled operation is DONE at its own completion and not before (C1, C17), with
 * -ECANCELED or with its real result, whichever came first (C2). That is why the buffer
 * may lie in the awaiting frame: the frame cannot go away while the kernel owns it.
 *
 * Output: result, negative errno or what the system call returns.
 * Ownership: borrows the ring and whatever its arguments point to, until READY. discard
 * closes the descriptor of an accept or openat that nobody looked at.
 * Threads: the ring's thread polls and reaps. */
#ifndef LESSON03_RING_FUTURE_H
#define LESSON03_RING_FUTURE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lesson02_wakers/waker.h"
#include "lesson03_iouring/ring.h"

struct statx;

/* "Where the file stands", for what has no offsets: pipes, sockets, terminals. */
#define RING_NO_OFFSET UINT64_MAX

enum ring_future_state { RING_FUTURE_NEW, RING_FUTURE_IN_FLIGHT, RING_FUTURE_DONE };

struct ring_future {
    struct future future;
    struct ring *ring;  /* borrows */
    struct ring_op op;  /* the kernel's while IN_FLIGHT */
    struct waker waker; /* owns, while IN_FLIGHT */
    union {
        struct {
            uint64_t address; /* borrows what it points to */
            uint64_t offset;
        };
        struct __kernel_timespec limit; /* of a timeout: must outlive the submit (C5) */
    };
    uint32_t length;
    uint32_t flags; /* of the operation (O_*, MSG_*, ...) */
    int fd;
    int result;     /* output */
    uint8_t opcode; /* IORING_OP_* */
    uint8_t state;  /* enum ring_future_state */
    bool cancelled;
    bool cancel_sent;
};

struct ring_future ring_nop(struct ring *ring);
struct ring_future ring_read(struct ring *ring, int fd, void *buffer, unsigned size,
                             uint64_t offset);
struct ring_future ring_write(struct ring *ring, int fd, const void *buffer,
                              unsigned size, uint64_t offset);
struct ring_future ring_fsync(struct ring *ring, int fd);

/* `path` until READY. The output is a descriptor (close-on-exec), the caller's. */
struct ring_future ring_openat(struct ring *ring, int folder, const char *path,
                               int flags, mode_t mode);

/* Consumes the descriptor, unless cancelled before its first poll: await it shielded.
 * Does not end operations that are in flight on it (C4). */
struct ring_future ring_close(struct ring *ring, int fd);
struct ring_future ring_statx(struct ring *ring, int folder, const char *path,
                              int flags, unsigned mask, struct statx *out);

/* 0 once the time is over. */
struct ring_future ring_timeout(struct ring *ring, uint64_t delay_ns);

/* The output is a descriptor (close-on-exec), the caller's. */
struct ring_future ring_accept(struct ring *ring, int fd);
struct ring_future ring_connect(struct ring *ring, int fd,
                                const struct sockaddr *address, socklen_t size);
struct ring_future ring_recv(struct ring *ring, int fd, void *buffer, unsigned size,
                             int flags);

/* A peer that is gone is -EPIPE, never SIGPIPE. */
struct ring_future ring_send(struct ring *ring, int fd, const void *buffer,
                             unsigned size, int flags);

/* The same without copying: READY when the buffer is the caller's again, at the second
 * completion (C11). Linux 6.0; -EINVAL before. */
struct ring_future ring_send_zc(struct ring *ring, int fd, const void *buffer,
                                unsigned size, int flags);

#endif
