/* epoll_ops: the syscall behind each kind of operation.
 *
 * Every call here is non-blocking, or runs on a thread that may block. EINTR starts the
 * call again: nothing has happened yet (except connect, which then goes on by itself). */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "lesson05_reactor/epoll_source.h"

bool epoll_op_blocks(const struct io_op *op)
{
    switch ((enum io_kind)op->kind) {
    case IO_OPENAT:
    case IO_FSYNC:
        return true;
    case IO_READ:
    case IO_WRITE:
        return op->source->type == IO_TYPE_FILE;
    default:
        return false;
    }
}

/* -1/errno to negative errno. */
static int converted(ssize_t result)
{
    return result < 0 ? -errno : (int)result;
}

static int write_some(struct io_op *op)
{
    const char *from = op->with.bytes.buffer;
    size_t left = op->length - op->moved;
    ssize_t n;
    if (op->kind == IO_SEND)
        n = send(op->source->fd, from + op->moved, left, MSG_NOSIGNAL); /* R6 */
    else if (op->with.bytes.offset == IO_NO_OFFSET)
        n = write(op->source->fd, from + op->moved, left);
    else
        n = pwrite(op->source->fd, from + op->moved, left,
                   (off_t)(op->with.bytes.offset + op->moved));
    return converted(n);
}

static int read_some(struct io_op *op)
{
    ssize_t n;
    if (op->with.bytes.offset == IO_NO_OFFSET)
        n = read(op->source->fd, op->with.bytes.buffer, op->length);
    else
        n = pread(op->source->fd, op->with.bytes.buffer, op->length,
                  (off_t)op->with.bytes.offset);
    return converted(n);
}

/* A buffer is borrowed from the pool only for as long as there is something in it. */
static int receive_lent(struct reactor *reactor, struct io_op *op)
{
    void *buffer = lent_pool_lend(&reactor->lent);
    if (!buffer)
        return -ENOBUFS;
    int n = converted(recv(op->source->fd, buffer, reactor->lent.size, 0));
    if (n > 0)
        op->with.bytes.buffer = buffer;
    else
        lent_pool_give_back(&reactor->lent, buffer);
    return n;
}

/* Connected, or still on its way? A socket that was watched before it had anything to
 * connect to "hangs up" at once, so an edge alone proves nothing. */
static int connect_outcome(int fd)
{
    int err = 0;
    socklen_t size = sizeof err;
    struct sockaddr_storage peer;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0)
        return -errno;
    size = sizeof peer;
    if (err == 0 && getpeername(fd, (struct sockaddr *)&peer, &size) < 0)
        return errno == ENOTCONN ? NOT_READY : -errno;
    return -err;
}

/* The first attempt starts the connection, a later one asks how it went. */
static int connect_some(struct io_op *op)
{
    if (op->driver_use)
        return connect_outcome(op->source->fd);
    op->driver_use = 1;
    if (connect(op->source->fd, op->with.address.name, op->length) == 0)
        return 0;
    /* Interrupted, it goes on in the background as EINPROGRESS does. */
    return errno == EINPROGRESS || errno == EINTR ? NOT_READY : -errno;
}

static int attempt_once(struct reactor *reactor, struct io_op *op)
{
    int fd = op->source->fd;
    switch ((enum io_kind)op->kind) {
    case IO_READ:
        return read_some(op);
    case IO_WRITE:
    case IO_SEND:
        return write_some(op);
    case IO_RECV:
        return converted(recv(fd, op->with.bytes.buffer, op->length, 0));
    case IO_RECV_LENT:
        return receive_lent(reactor, op);
    case IO_ACCEPT:
        return converted(accept4(fd, op->with.address.name, op->with.address.size,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC));
    case IO_CONNECT:
        return connect_some(op);
    case IO_RECVFROM:
        return converted(recvmsg(fd, io_packet_header(op), 0));
    case IO_SENDTO:
        return converted(sendmsg(fd, io_packet_header(op), MSG_NOSIGNAL));
    default:
        CHECK(false, "operation %d has no readiness", op->kind);
        return -ENOSYS;
    }
}

int epoll_op_attempt(struct reactor *reactor, struct io_op *op)
{
    bool whole = op->kind == IO_WRITE || op->kind == IO_SEND;
    for (;;) {
        io_count_syscall();
        int n = attempt_once(reactor, op);
        if (n == -EINTR || (n == -ECONNABORTED && op->kind == IO_ACCEPT))
            continue; /* a connection that died in the backlog is not ours to report */
        if (n == -EAGAIN && op->kind != IO_CONNECT)
            return NOT_READY;
        if (n < 0 || !whole)
            return n;
        op->moved += (uint32_t)n; /* RULES R7: a partial write goes on */
        if (op->moved == op->length)
            return (int)op->moved;
        if (n == 0)
            return -EIO; /* a device that takes nothing and says nothing */
    }
}

static int block_once(struct io_op *op)
{
    switch ((enum io_kind)op->kind) {
    case IO_OPENAT:
        return converted(openat(op->with.open.folder, op->with.open.path,
                                op->with.open.flags | O_CLOEXEC, op->with.open.mode));
    case IO_FSYNC:
        return converted(fsync(op->source->fd));
    case IO_READ:
        return read_some(op);
    default:
        return write_some(op);
    }
}

void epoll_op_run_blocking(struct io_op *op)
{
    for (;;) {
        int n = block_once(op);
        if (n == -EINTR)
            continue;
        op->result = n;
        if (op->kind != IO_WRITE || n < 0)
            return;
        op->moved += (uint32_t)n;
        op->result = op->moved == op->length ? (int)op->moved : -EIO;
        if (n == 0 || op->moved == op->length)
            return;
    }
}
