/* epoll_ops: the syscall behind each kind of operation.
 *
 * Every call here is non-blocking, or runs on a thread that may block. EINTR starts the
 * call again: nothing has happened yet (except connect, which then goes on by itself). */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/sys.h"
#include "lesson05_reactor/epoll_source.h"

/* The answer of an attempt, from a result or negative errno. */
static int answer(ssize_t result)
{
    if (result >= 0)
        return (int)result;
    return result == -EAGAIN ? NOT_READY : result == -EINTR ? TRY_AGAIN : (int)result;
}

/* -1/errno to negative errno. */
static ssize_t converted(ssize_t result)
{
    return result < 0 ? -errno : result;
}

static ssize_t write_some(struct io_op *op)
{
    const char *from = (const char *)op->with.bytes.buffer + op->moved;
    size_t left = op->length - op->moved;
    if (op->with.bytes.offset == IO_NO_OFFSET)
        return converted(write(op->source->fd, from, left));
    return converted(
        pwrite(op->source->fd, from, left, (off_t)(op->with.bytes.offset + op->moved)));
}

static ssize_t read_some(struct io_op *op)
{
    if (op->with.bytes.offset == IO_NO_OFFSET)
        return converted(read(op->source->fd, op->with.bytes.buffer, op->length));
    return converted(pread(op->source->fd, op->with.bytes.buffer, op->length,
                           (off_t)op->with.bytes.offset));
}

/* Of an operation that writes everything: is it over? A device that takes nothing and
 * says nothing is an error. */
static bool wrote(struct io_op *op, ssize_t n, int *result)
{
    if (n > 0)
        op->moved += (uint32_t)n; /* RULES R7: a partial write goes on */
    bool whole = op->moved == op->length;
    *result = n < 0 ? (int)n : whole ? (int)op->moved : -EIO;
    return n <= 0 || whole;
}

/* ---- attempts */

static int attempt_read(struct reactor *reactor, struct io_op *op)
{
    (void)reactor;
    io_count_syscall();
    return answer(read_some(op));
}

static int attempt_write(struct reactor *reactor, struct io_op *op)
{
    (void)reactor;
    int result;
    do
        io_count_syscall();
    while (!wrote(op, write_some(op), &result));
    return answer(result);
}

static int attempt_send(struct reactor *reactor, struct io_op *op)
{
    (void)reactor;
    int result;
    ssize_t n;
    do {
        const char *from = op->with.bytes.buffer;
        io_count_syscall();
        n = sys_send(op->source->fd, from + op->moved, op->length - op->moved,
                     MSG_NOSIGNAL); /* R6 */
    } while (!wrote(op, n, &result));
    return answer(result);
}

static int attempt_recv(struct reactor *reactor, struct io_op *op)
{
    (void)reactor;
    io_count_syscall();
    return answer(sys_recv(op->source->fd, op->with.bytes.buffer, op->length, 0));
}

/* A buffer is borrowed from the pool only for as long as there is something in it. */
static int attempt_recv_lent(struct reactor *reactor, struct io_op *op)
{
    void *buffer = lent_pool_lend(&reactor->lent);
    if (!buffer)
        return -ENOBUFS;
    op->length = (uint32_t)reactor->lent.size;
    io_count_syscall();
    ssize_t n = sys_recv(op->source->fd, buffer, op->length, 0);
    if (n > 0)
        op->with.bytes.buffer = buffer;
    else
        lent_pool_give_back(&reactor->lent, buffer);
    return answer(n);
}

static int attempt_accept(struct reactor *reactor, struct io_op *op)
{
    (void)reactor;
    io_count_syscall();
    ssize_t n = converted(accept4(op->source->fd, op->with.address.name,
                                  op->with.address.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    /* a connection that died in the backlog is not ours to report */
    return n == -ECONNABORTED ? TRY_AGAIN : answer(n);
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

/* The first attempt starts the connection, a later one asks how it went. Its EAGAIN is a
 * result: a Unix listener's queue is full, and no edge will tell when it is not. */
static int attempt_connect(struct reactor *reactor, struct io_op *op)
{
    (void)reactor;
    io_count_syscall();
    if (op->driver_use)
        return connect_outcome(op->source->fd);
    op->driver_use = 1;
    if (connect(op->source->fd, op->with.address.name, op->length) == 0)
        return 0;
    /* Interrupted, it goes on in the background as EINPROGRESS does. */
    return errno == EINPROGRESS || errno == EINTR ? NOT_READY : -errno;
}

static int attempt_recvfrom(struct reactor *reactor, struct io_op *op)
{
    (void)reactor;
    io_count_syscall();
    return answer(converted(recvmsg(op->source->fd, io_packet_header(op), 0)));
}

static int attempt_sendto(struct reactor *reactor, struct io_op *op)
{
    (void)reactor;
    io_count_syscall();
    return answer(
        converted(sendmsg(op->source->fd, io_packet_header(op), MSG_NOSIGNAL)));
}

#define READS(how) .attempt = (how), .direction = READING
#define WRITES(how) .attempt = (how), .direction = WRITING

const struct epoll_kind epoll_kinds[] = {
    [IO_READ] = { READS(attempt_read), .short_is_empty = true },
    [IO_WRITE] = { WRITES(attempt_write) },
    [IO_RECV] = { READS(attempt_recv), .short_is_empty = true },
    [IO_RECV_LENT] = { READS(attempt_recv_lent), .short_is_empty = true },
    [IO_SEND] = { WRITES(attempt_send) },
    [IO_ACCEPT] = { READS(attempt_accept) },
    [IO_CONNECT] = { WRITES(attempt_connect) },
    [IO_RECVFROM] = { READS(attempt_recvfrom) },
    [IO_SENDTO] = { WRITES(attempt_sendto) },
    [IO_CLOSE] = { .attempt = NULL }, /* and so the two that are not named */
};

/* ---- what blocks */

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

static ssize_t block_once(struct io_op *op)
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
    bool over;
    do {
        ssize_t n = block_once(op);
        over = n != -EINTR;
        if (op->kind == IO_WRITE && over)
            over = wrote(op, n, &op->result);
        else
            op->result = (int)n;
    } while (!over);
}
