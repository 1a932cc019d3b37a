/* io: the future that every operation is, and nothing about any driver.
 *
 * Problem: readiness (epoll) and completion (io_uring) are opposite interfaces, and a
 * program should not be written twice. Idea: the completion shape can express both; the
 * driver behind it decides when "started" becomes "has a result". Invariant: an op that was
 * cancelled before it started is over, having done nothing - except close, which always
 * closes. */
#include "lesson05_reactor/io.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

TLS_DEFINE(const struct io_services *, io_services_here);

const struct io_services *io_services_enter(const struct io_services *services)
{
    const struct io_services *before = TLS(io_services_here);
    TLS(io_services_here) = services;
    return before;
}

void io_services_leave(const struct io_services *before)
{
    TLS(io_services_here) = before;
}

static struct io_driver *current_driver(void)
{
    const struct io_services *services = TLS(io_services_here);
    CHECK(services && services->driver,
          "an I/O operation was polled on a thread that has no I/O driver");
    return services->driver;
}

static void do_nothing(int signal)
{
    (void)signal;
}

void io_survive_sigpipe(void)
{
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) < 0 || action.sa_handler != SIG_DFL)
        return;
    action.sa_handler = do_nothing;
    action.sa_flags = SA_RESTART;
    sigaction(SIGPIPE, &action, NULL);
}

/* ---- the future */

/* A source belongs to one driver, and that to one runtime. On a thread of another one its
 * operation would wait for a driver that nobody here parks in: better to say so. */
static void start(struct io_op *op)
{
    const struct io_services *services = TLS(io_services_here);
    op->driver = op->source ? op->source->driver : current_driver();
    op->started = true;
    if (!services)
        return;
    CHECK(op->driver == services->driver,
          "%s on fd %d, which is attached to another runtime's I/O driver than this "
          "thread's",
          op->future.ops->name, op->source ? op->source->fd : -1);
    io_count(&services->stats->operations);
}

static enum poll_state io_poll(struct future *future, struct context *context)
{
    struct io_op *op = container_of(future, struct io_op, future);
    if (op->started)
        return op->driver->ops->poll(op->driver, op, context);
    if (op->cancelled && op->kind != IO_CLOSE) {
        op->result = -ECANCELED;
        return POLL_READY;
    }
    start(op);
    return op->driver->ops->start(op->driver, op, context);
}

/* recvfrom has a second output, the sender's name. */
static enum poll_state recvfrom_poll(struct future *future, struct context *context)
{
    struct io_packet *packet = container_of(future, struct io_packet, future);
    enum poll_state state = io_poll(future, context);
    if (state == POLL_READY && packet->op.result >= 0 && packet->name_size)
        *packet->name_size = packet->header.msg_namelen;
    return state;
}

static void io_cancel(struct future *future)
{
    struct io_op *op = container_of(future, struct io_op, future);
    if (op->cancelled)
        return;
    op->cancelled = true;
    if (op->started && op->kind != IO_CLOSE)
        op->driver->ops->cancel(op->driver, op);
}

/* ---- outputs that nobody will look at: of an op that is READY, or was never polled */

/* accept and openat: a descriptor. */
static void discard_fd(struct future *future)
{
    struct io_op *op = container_of(future, struct io_op, future);
    if (op->started && op->result >= 0)
        close(op->result);
    op->result = -ECANCELED;
}

static void discard_lent(struct future *future)
{
    struct io_op *op = container_of(future, struct io_op, future);
    if (op->started && op->result > 0)
        io_give_back(op);
    op->result = -ECANCELED;
}

#define IO_OPS(label)                                                                  \
    .name = (label), .size = sizeof(struct io_op), .poll = io_poll, .cancel = io_cancel
#define IO_PACKET_OPS(label, poll_it)                                                  \
    .name = (label), .size = sizeof(struct io_packet), .poll = (poll_it),              \
    .cancel = io_cancel

static const struct future_ops ops_of_kind[] = {
    [IO_READ] = { IO_OPS("read") },
    [IO_WRITE] = { IO_OPS("write") },
    [IO_RECV] = { IO_OPS("recv") },
    [IO_RECV_LENT] = { IO_OPS("recv_lent"), .discard = discard_lent },
    [IO_SEND] = { IO_OPS("send") },
    [IO_ACCEPT] = { IO_OPS("accept"), .discard = discard_fd },
    [IO_CONNECT] = { IO_OPS("connect") },
    [IO_RECVFROM] = { IO_PACKET_OPS("recvfrom", recvfrom_poll) },
    [IO_SENDTO] = { IO_PACKET_OPS("sendto", io_poll) },
    [IO_OPENAT] = { IO_OPS("openat"), .discard = discard_fd },
    [IO_FSYNC] = { IO_OPS("fsync") },
    [IO_CLOSE] = { IO_OPS("close") },
};

/* ---- constructors, each one compound literal: see CONSTRUCTOR in future.h */

/* The kernel moves at most this much in one call; also keeps results positive. */
#define LENGTH_MAX ((size_t)0x7ffff000)
#define LENGTH(size) ((uint32_t)((size) > LENGTH_MAX ? LENGTH_MAX : (size)))

#define OPERATION(of_kind, on_source, ...)                                             \
    {                                                                                  \
        .future = { &ops_of_kind[of_kind] }, .source = (on_source), .kind = (of_kind), \
        __VA_ARGS__                                                                    \
    }

/* The kernel, or we, only read through it. */
#define READ_ONLY(pointer) ((void *)(uintptr_t)(pointer))

struct io_op io_read(struct io_source *source, void *buffer, size_t size,
                     uint64_t offset)
{
    return (struct io_op)OPERATION(IO_READ, source, .with.bytes = { buffer, offset },
                                   .length = LENGTH(size));
}

struct io_op io_write(struct io_source *source, const void *buffer, size_t size,
                      uint64_t offset)
{
    return (struct io_op)OPERATION(IO_WRITE, source,
                                   .with.bytes = { READ_ONLY(buffer), offset },
                                   .length = LENGTH(size));
}

struct io_op io_recv(struct io_source *source, void *buffer, size_t size)
{
    return (struct io_op)OPERATION(IO_RECV, source,
                                   .with.bytes = { buffer, IO_NO_OFFSET },
                                   .length = LENGTH(size));
}

struct io_op io_send(struct io_source *source, const void *buffer, size_t size)
{
    return (struct io_op)OPERATION(IO_SEND, source,
                                   .with.bytes = { READ_ONLY(buffer), IO_NO_OFFSET },
                                   .length = LENGTH(size));
}

struct io_op io_recv_lent(struct io_source *source)
{
    return (struct io_op)OPERATION(IO_RECV_LENT, source,
                                   .with.bytes = { NULL, IO_NO_OFFSET });
}

struct io_op io_accept(struct io_source *listener, struct sockaddr *name,
                       socklen_t *size)
{
    return (struct io_op)OPERATION(IO_ACCEPT, listener, .with.address = { name, size });
}

struct io_op io_connect(struct io_source *source, const struct sockaddr *name,
                        socklen_t size)
{
    return (struct io_op)OPERATION(
        IO_CONNECT, source, .with.address.name = READ_ONLY(name), .length = size);
}

struct io_packet io_recvfrom(struct io_source *source, void *packet, size_t size,
                             struct sockaddr *name, socklen_t *name_size)
{
    return (struct io_packet){
        .op = OPERATION(IO_RECVFROM, source, .length = LENGTH(size)),
        .bytes = packet,
        .name = name,
        .name_size = name_size,
    };
}

struct io_packet io_sendto(struct io_source *source, const void *packet, size_t size,
                           const struct sockaddr *name, socklen_t name_size)
{
    return (struct io_packet){
        .op = OPERATION(IO_SENDTO, source, .length = LENGTH(size)),
        .bytes = READ_ONLY(packet),
        .name = READ_ONLY(name),
        .header.msg_namelen = name_size,
    };
}

struct io_op io_openat(int folder, const char *path, int flags, mode_t mode)
{
    return (struct io_op)OPERATION(IO_OPENAT, NULL,
                                   .with.open = { path, folder, flags, mode });
}

struct io_op io_fsync(struct io_source *source)
{
    return (struct io_op)OPERATION(IO_FSYNC, source, .length = 0);
}

struct io_op io_close(struct io_source *source)
{
    return (struct io_op)OPERATION(IO_CLOSE, source, .length = 0);
}

/* ---- for drivers */

void io_give_back(struct io_op *op)
{
    CHECK(op->kind == IO_RECV_LENT && op->with.bytes.buffer,
          "io_give_back of an operation that holds no lent buffer");
    op->driver->ops->give_back(op->driver, op);
    op->with.bytes.buffer = NULL;
}

struct msghdr *io_packet_header(struct io_op *op)
{
    struct io_packet *self = container_of(op, struct io_packet, op);
    self->vector = (struct iovec){ self->bytes, op->length };
    self->header.msg_name = self->name;
    if (self->name_size)
        self->header.msg_namelen = *self->name_size;
    self->header.msg_iov = &self->vector;
    self->header.msg_iovlen = 1;
    return &self->header;
}

/* ---- sources */

int io_attach(int fd, enum io_type type, struct io_source **source)
{
    struct io_driver *driver = current_driver();
    return fd < 0 ? -EBADF : driver->ops->attach(driver, fd, type, source);
}

int io_detach(struct io_source *source)
{
    return source->driver->ops->detach(source->driver, source);
}

void io_close_now(struct io_source *source)
{
    int fd = io_detach(source);
    io_count_syscall();
    close(fd); /* an error here has nobody to go to; the number is free all the same */
}

/* ---- memory */

int io_register_memory(void *memory, size_t size)
{
    struct io_driver *driver = current_driver();
    if (size == 0)
        return -EINVAL; /* the kernel would take it, and then there is no more room */
    if (!driver->ops->register_memory)
        return -EOPNOTSUPP;
    return driver->ops->register_memory(driver, memory, size);
}

void io_unregister_memory(void)
{
    struct io_driver *driver = current_driver();
    if (driver->ops->unregister_memory)
        driver->ops->unregister_memory(driver);
}
