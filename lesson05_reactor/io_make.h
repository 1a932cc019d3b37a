/* io_make: the constructors of operations. Included by io.h.
 *
 * Nothing happens until they are awaited. They are inline for a reason that can be
 * measured: a constructor in another file builds 128 bytes on the stack and the caller
 * copies them into its slot; an inline one writes into the slot.
 *
 * Ownership: buffers, paths and addresses are borrowed until the operation is READY. */
#ifndef LESSON05_IO_MAKE_H
#define LESSON05_IO_MAKE_H

#include "lesson05_reactor/io.h"

/* By kind. */
extern const struct future_ops io_ops_of_kind[];

/* The kernel moves at most this much in one call; also keeps results positive. */
#define IO_LENGTH_MAX ((size_t)0x7ffff000)

/* What is not set here is the driver's: it writes it before it reads it. */
static inline struct io_op io_make(enum io_kind kind, struct io_source *source,
                                   size_t size)
{
    struct io_op op;
    op.future.ops = &io_ops_of_kind[kind];
    op.source = source;
    atomic_init(&op.completion.stage, 0);
    op.completion.waker.ops = NULL;
    op.completion.waker.data = NULL;
    op.length = (uint32_t)(size > IO_LENGTH_MAX ? IO_LENGTH_MAX : size);
    op.moved = 0;
    op.result = 0;
    op.kind = (uint8_t)kind;
    op.stage = IO_NEW;
    op.cancelled = false;
    op.driver_use = 0;
    atomic_init(&op.cancel, 0);
    op.cancel_waits = false;
    return op;
}

static inline struct io_op io_make_bytes(enum io_kind kind, struct io_source *source,
                                         void *buffer, size_t size, uint64_t offset)
{
    struct io_op op = io_make(kind, source, size);
    op.with.bytes.buffer = buffer;
    op.with.bytes.offset = offset;
    return op;
}

/* Up to `size` bytes; 0 is the end. `offset` for regular files, else IO_NO_OFFSET. */
static inline struct io_op io_read(struct io_source *source, void *buffer, size_t size,
                                   uint64_t offset)
{
    return io_make_bytes(IO_READ, source, buffer, size, offset);
}

/* All bytes (a short write goes on where it stopped, RULES R7): result is size, or
 * negative errno. The buffer is only read through, here and in io_send. */
static inline struct io_op io_write(struct io_source *source, const void *buffer,
                                    size_t size, uint64_t offset)
{
    return io_make_bytes(IO_WRITE, source, (void *)(uintptr_t)buffer, size, offset);
}

static inline struct io_op io_recv(struct io_source *source, void *buffer, size_t size)
{
    return io_make_bytes(IO_RECV, source, buffer, size, IO_NO_OFFSET);
}

static inline struct io_op io_send(struct io_source *source, const void *buffer,
                                   size_t size)
{
    return io_make_bytes(IO_SEND, source, (void *)(uintptr_t)buffer, size,
                         IO_NO_OFFSET);
}

/* Receives into a buffer of the driver's, which exists only once there is data: ten
 * thousand idle connections need no buffers. (On a shared ring, and on a kernel without
 * buffer rings, each receive that waits holds one.) result > 0: the bytes are at
 * op.with.bytes.buffer, and io_give_back(&op) returns it when you are done with it. */
static inline struct io_op io_recv_lent(struct io_source *source)
{
    return io_make_bytes(IO_RECV_LENT, source, NULL, 0, IO_NO_OFFSET);
}

/* result: a new descriptor, non-blocking and close-on-exec, which you own. name and size
 * may be NULL. -EMFILE, -ENFILE: wait before you try again (RULES R5). */
static inline struct io_op io_accept(struct io_source *listener, struct sockaddr *name,
                                     socklen_t *size)
{
    struct io_op op = io_make(IO_ACCEPT, listener, 0);
    op.with.address.name = name;
    op.with.address.size = size;
    return op;
}

/* -EAGAIN: a Unix listener's queue is full; the kernel will not tell when it is not. */
static inline struct io_op io_connect(struct io_source *source,
                                      const struct sockaddr *name, socklen_t size)
{
    struct io_op op = io_make(IO_CONNECT, source, size);
    op.with.address.name = (struct sockaddr *)(uintptr_t)name; /* only read through */
    return op;
}

static inline struct io_packet io_recvfrom(struct io_source *source, void *packet,
                                           size_t size, struct sockaddr *name,
                                           socklen_t *name_size)
{
    return (struct io_packet){ .op = io_make(IO_RECVFROM, source, size),
                               .bytes = packet,
                               .name = name,
                               .name_size = name_size };
}

static inline struct io_packet io_sendto(struct io_source *source, const void *packet,
                                         size_t size, const struct sockaddr *name,
                                         socklen_t name_size)
{
    return (struct io_packet){
        .op = io_make(IO_SENDTO, source, size),
        .bytes = (void *)(uintptr_t)packet, /* only read through, as the name */
        .name = (struct sockaddr *)(uintptr_t)name,
        .header.msg_namelen = name_size,
    };
}

/* result: a descriptor, which you own. `folder`: AT_FDCWD or a directory. */
static inline struct io_op io_openat(int folder, const char *path, int flags,
                                     mode_t mode)
{
    struct io_op op = io_make(IO_OPENAT, NULL, 0);
    op.with.open.path = path;
    op.with.open.folder = folder;
    op.with.open.flags = flags;
    op.with.open.mode = mode;
    return op;
}

static inline struct io_op io_fsync(struct io_source *source)
{
    return io_make(IO_FSYNC, source, 0);
}

/* Ends the source: nothing may be waiting on it (CHECK). Consumes the source, whatever
 * the result; it cannot be cancelled. */
static inline struct io_op io_close(struct io_source *source)
{
    return io_make(IO_CLOSE, source, 0);
}

#endif
