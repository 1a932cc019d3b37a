/* io: operations as futures, whatever the kernel interface below.
 *
 *     AWAIT(self->op, io_recv(self->source, self->buffer, sizeof self->buffer));
 *     if (self->op.result <= 0) ...
 *
 * The interface is completion-shaped: an operation is started; some time later it has a
 * result. A driver makes it true: the epoll driver (reactor.h) tries the syscall when
 * the descriptor is ready, the ring driver (ring_driver.h) hands it to the kernel. The
 * same program runs on both.
 *
 * A descriptor is an int until it is attached; then it is a source, which the driver
 * owns (state for each direction, a generation), until it is closed or detached. One
 * reader and one writer at a time: a second gets -EBUSY.
 *
 * Results are in op.result: bytes, a descriptor, 0, or negative errno. A cancelled
 * operation has -ECANCELED, or its real result if that came first (F6).
 *
 * Ownership: the op lives in the awaiting frame and allocates nothing. Buffers, paths and
 * addresses are borrowed until it is READY (RULES C1, C5); rule F4 keeps the frame
 * there. Threads: an op is polled on a thread whose services (below) belong to the
 * source's driver. */
#ifndef LESSON05_IO_H
#define LESSON05_IO_H

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "common/thread_local.h"
#include "lesson02_wakers/completion.h"
#include "lesson03_iouring/ring_op.h"
#include "lesson05_reactor/offload.h"

struct io_driver;
struct io_op;

/* What a descriptor is; decides how "not ready any more" is noticed. */
enum io_type {
    IO_TYPE_ANY,      /* unknown: only EAGAIN says that it is drained */
    IO_TYPE_STREAM,   /* stream socket or pipe: a short read drained it */
    IO_TYPE_LISTENER, /* listening socket */
    IO_TYPE_DATAGRAM, /* one packet a read */
    IO_TYPE_FILE,     /* regular file: never "ready", always offset-based */
};

/* Per-descriptor state, owned by its driver, in memory that stays a source for ever. */
struct io_source {
    struct io_driver *driver; /* borrows */
    int fd;                   /* owns while attached; -1 otherwise */
    enum io_type type;
    uint32_t generation;      /* which tenant of this memory it is (RULES R4) */
    bool drain_at_stop;       /* guarded by the pool's lock, as is pool->draining */
    struct source_pool *pool; /* borrows: where the memory came from */
};

enum io_kind {
    IO_READ,      /* read(2) from a stream, or pread at an offset */
    IO_WRITE,     /* writes everything, or fails */
    IO_RECV,      /* some bytes from a socket */
    IO_RECV_LENT, /* some bytes, in a buffer that the driver lends */
    IO_SEND,      /* sends everything, or fails */
    IO_ACCEPT,
    IO_CONNECT,
    IO_RECVFROM,
    IO_SENDTO,
    IO_OPENAT,
    IO_FSYNC,
    IO_CLOSE,
};

struct io_op {
    struct future future;
    struct io_source *source;     /* borrows; NULL for openat */
    struct io_driver *driver;     /* borrows; set when it starts */
    struct completion completion; /* who waits; how is the driver's business */
    union {
        struct {
            void *buffer;    /* borrows; IO_RECV_LENT: output, owned until given back */
            uint64_t offset; /* IO_NO_OFFSET: where the stream is */
        } bytes;
        struct {
            struct sockaddr *name; /* borrows; may be NULL for accept */
            socklen_t *size;       /* borrows; in: room, out: size */
        } address;
        struct {
            const char *path; /* borrows */
            int folder;
            int flags;
            mode_t mode;
        } open;
    } with;
    uint32_t length;    /* of the buffer; of the name for connect */
    uint32_t moved;     /* IO_WRITE, IO_SEND: bytes so far */
    int32_t result;     /* output */
    uint8_t kind;       /* enum io_kind */
    bool started;       /* the driver has it, or had it */
    bool cancelled;     /* asked for */
    uint8_t driver_use; /* the driver's own note */
    union {
        struct ring_op ring;    /* ring driver */
        struct offload_job job; /* epoll driver, for what epoll cannot do */
    } via;
    /* ring driver: was it asked to stop, is it over; any thread */
    _Atomic uint8_t cancel;
    bool cancel_waits;  /* ring driver, under its SQ lock: not passed on yet */
    uint8_t share;      /* ring driver: its part of its source's in_flight */
    struct io_op *next; /* borrows; the driver's queues */
};

#define IO_NO_OFFSET UINT64_MAX

/* recvfrom and sendto: an operation with the header that the kernel wants for a packet.
 * The header is filled by the first poll, for until then the struct may move (F1). */
struct io_packet {
    union {
        struct future future;
        struct io_op op; /* op.result: the output */
    };
    void *bytes;           /* borrows */
    struct sockaddr *name; /* borrows; may be NULL */
    socklen_t *name_size;  /* borrows; recvfrom: in: room, out: size. NULL for sendto */
    struct iovec vector;
    struct msghdr header;
};

/* Does the operation wait for writability? Otherwise for readability, or for neither. */
static inline bool io_op_writes(const struct io_op *op)
{
    const unsigned writers =
        1u << IO_WRITE | 1u << IO_SEND | 1u << IO_SENDTO | 1u << IO_CONNECT;
    return writers >> op->kind & 1;
}

/* ---- operations (constructors; nothing happens until they are awaited) */

/* Up to `size` bytes; 0 is the end. `offset` for regular files, else IO_NO_OFFSET. */
CONSTRUCTOR struct io_op io_read(struct io_source *source, void *buffer, size_t size,
                                 uint64_t offset);
/* All bytes (a short write goes on where it stopped, RULES R7): result is size, or
 * negative errno. */
CONSTRUCTOR struct io_op io_write(struct io_source *source, const void *buffer,
                                  size_t size, uint64_t offset);
CONSTRUCTOR struct io_op io_recv(struct io_source *source, void *buffer, size_t size);
CONSTRUCTOR struct io_op io_send(struct io_source *source, const void *buffer,
                                 size_t size);

/* Receives into a buffer of the driver's, which exists only once there is data: ten
 * thousand idle connections need no buffers. (On a shared ring, and on a kernel without
 * buffer rings, each receive that waits holds one.) result > 0: the bytes are at
 * op.with.bytes.buffer, and io_give_back(&op) returns it when you are done with it. */
CONSTRUCTOR struct io_op io_recv_lent(struct io_source *source);
void io_give_back(struct io_op *op);

/* result: a new descriptor, non-blocking and close-on-exec, which you own. name and size
 * may be NULL. -EMFILE, -ENFILE: wait before you try again (RULES R5). */
CONSTRUCTOR struct io_op io_accept(struct io_source *listener, struct sockaddr *name,
                                   socklen_t *size);
/* -EAGAIN: a Unix listener's queue is full; the kernel will not tell when it is not. */
CONSTRUCTOR struct io_op io_connect(struct io_source *source,
                                    const struct sockaddr *name, socklen_t size);
CONSTRUCTOR struct io_packet io_recvfrom(struct io_source *source, void *packet,
                                         size_t size, struct sockaddr *name,
                                         socklen_t *name_size);
CONSTRUCTOR struct io_packet io_sendto(struct io_source *source, const void *packet,
                                       size_t size, const struct sockaddr *name,
                                       socklen_t name_size);
/* result: a descriptor, which you own. `folder`: AT_FDCWD or a directory. */
CONSTRUCTOR struct io_op io_openat(int folder, const char *path, int flags,
                                   mode_t mode);
CONSTRUCTOR struct io_op io_fsync(struct io_source *source);

/* Ends the source: nothing may be waiting on it (CHECK). Consumes the source, whatever
 * the result; it cannot be cancelled. */
CONSTRUCTOR struct io_op io_close(struct io_source *source);

/* ---- sources */

/* Hands the descriptor to the current driver. On failure the caller still owns it.
 * -ENOMEM, -EBADF. Sockets and pipes must be non-blocking. */
int io_attach(int fd, enum io_type type, struct io_source **source);

/* Takes the descriptor back without closing it; nothing may be waiting on it. After
 * io_recv_lent on a ring, what arrived and was not asked for is lost, and more may be
 * until the driver's next park. */
int io_detach(struct io_source *source);

/* Closes at once, without a future: for clean-up where nothing can be awaited. Nothing
 * may be in flight on the source. */
void io_close_now(struct io_source *source);

/* When the server stops, the source shall see its end (source_pool_drain): for listeners,
 * and for connections that wait for a next request. A request that is being answered
 * still goes out. If the stop has begun already, the source sees its end at once. */
void io_source_drain_at_stop(struct io_source *source);

/* Takes that back: half a request is here, and the stop shall wait for its rest. Too late
 * if the source has seen its end. */
void io_source_keep_at_stop(struct io_source *source);

/* ---- memory */

/* Tells the current driver that files will be read into this memory, and written from it,
 * again and again. A ring registers it: the kernel pins its pages once, and not for each
 * operation. A hint, which changes no result; one region a driver. 0, -EBUSY: there is
 * one; -EOPNOTSUPP: not a ring; -ENOMEM: more than RLIMIT_MEMLOCK permits;
 * -EINVAL: no bytes; -ESTALE: this is the child of a fork; or the kernel's. */
int io_register_memory(void *memory, size_t size);

/* Before the memory is freed, from a thread with the same driver. Nothing may be in flight
 * on it. Without a region it does nothing. */
void io_unregister_memory(void);

/* ---- drivers */

/* For a driver, when it is made: a write to a pipe or socket whose other end is gone shall
 * be -EPIPE, and not a signal that ends the process (RULES R6). A SIGPIPE whose action is
 * still the default gets a handler that does nothing; unlike "ignored", that is not
 * inherited by the programs that the process starts. */
void io_survive_sigpipe(void);

/* For a driver, when it starts a packet operation: fills the header. */
struct msghdr *io_packet_header(struct io_op *op);

struct io_driver_ops {
    const char *name; /* static: "epoll", "io_uring" */
    int (*attach)(struct io_driver *driver, int fd, enum io_type type,
                  struct io_source **source);
    /* Forgets the source and answers its descriptor, still open. */
    int (*detach)(struct io_driver *driver, struct io_source *source);
    /* The first poll of an op that was not cancelled before. As poll: PENDING means that
     * the context's waker will be woken. READY: op->result is set. */
    enum poll_state (*start)(struct io_driver *driver, struct io_op *op,
                             struct context *context);
    enum poll_state (*poll)(struct io_driver *driver, struct io_op *op,
                            struct context *context);
    /* Once, for an op that was started. Who cancels polls next. */
    void (*cancel)(struct io_driver *driver, struct io_op *op);
    void (*give_back)(struct io_driver *driver, struct io_op *op);
    /* NULL: the driver has no use for it. */
    int (*register_memory)(struct io_driver *driver, void *memory, size_t size);
    void (*unregister_memory)(struct io_driver *driver);
};

struct io_driver {
    const struct io_driver_ops *ops; /* borrows; static */
};

/* ---- current services: what operations find when they are first polled */

/* Counted by the thread that they belong to, read by anybody. */
struct io_stats {
    _Atomic uint64_t syscalls;   /* made by the driver on this thread */
    _Atomic uint64_t operations; /* started */
};

struct timers;

struct io_services {
    struct io_driver *driver; /* borrows; NULL: no I/O here */
    struct timers *timers;    /* borrows; NULL: no timers here */
    struct offload *offload;  /* borrows; NULL until lesson 6 */
    struct io_stats *stats;   /* borrows; never NULL */
};

TLS_DECLARE(const struct io_services *, io_services_here);

/* Sets the calling thread's services; returns what was there before. */
const struct io_services *io_services_enter(const struct io_services *services);
void io_services_leave(const struct io_services *before);

static inline void io_count(_Atomic uint64_t *counter)
{
    /* Only this thread writes it: no read-modify-write needed. */
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, now + 1, memory_order_relaxed);
}

static inline void io_count_syscall(void)
{
    const struct io_services *services = TLS(io_services_here);
    if (services)
        io_count(&services->stats->syscalls);
}

#endif
