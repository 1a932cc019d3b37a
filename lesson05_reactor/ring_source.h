/* ring_source: what the ring driver knows about one descriptor, and the parts of the
 * driver that its files share. For ring_*.c of this lesson only. */
#ifndef LESSON05_RING_SOURCE_H
#define LESSON05_RING_SOURCE_H

#include "lesson05_reactor/ring_driver.h"

#define NO_SEGMENT UINT16_MAX

/* What arrived in one buffer of the group, and was not asked for yet. */
struct lent_segment {
    uint16_t next; /* buffer id, NO_SEGMENT at the end */
    uint16_t size;
};

struct ring_source {
    struct io_source base;
    /* READER_BUSY, WRITER_BUSY, and a count for files; 0 when it is closed (CHECK) */
    _Atomic uint32_t in_flight;
    /* files only, inside the SQ's brackets */
    int16_t slot;        /* in the ring's file table, or -1 */
    uint16_t operations; /* up to where it is worth a slot */
    /* not shared only: the multishot receive behind recv_lent */
    struct ring_op multishot;
    bool armed;             /* it is in flight */
    bool stopping;          /* and its cancel was sent, or waits for room */
    bool stop_waits;        /* it waits, in the driver's list */
    bool ended;             /* the stream is over; `end` says how */
    bool orphan;            /* detached while armed: its last completion ends it */
    uint16_t head, tail;    /* segments that wait, by buffer id */
    uint16_t waiting;       /* how many */
    uint16_t consumed;      /* bytes of the first that a plain receive took */
    int end;                /* 0 or negative errno */
    struct io_op *receiver; /* borrows: the operation that waits for the multishot */
    struct io_op *closer;   /* borrows: the close that waits for the last completion */
    struct ring_source *next_stop; /* borrows; the driver's list */
};

static inline struct ring_driver *ring_driver_of(struct io_driver *driver)
{
    return container_of(driver, struct ring_driver, driver);
}

static inline struct ring_source *ring_source_of(struct io_source *source)
{
    return container_of(source, struct ring_source, base);
}

/* One reader and one writer at a time; of a file, any number. */
enum { READER_BUSY = 1, WRITER_BUSY = 2, ONE_MORE = 4 };

/* op->cancel: the waiting task asks, the reaping thread ends; whoever comes second sees
 * what the first one did. */
enum { CANCEL_NONE, CANCEL_ASKED, CANCEL_OVER };

/* Counts the operation in; false: its direction is busy. And out again. */
bool ring_op_enter(struct io_op *op);

static inline void ring_op_leave(struct io_op *op)
{
    if (!op->source)
        return;
    _Atomic uint32_t *in_flight = &ring_source_of(op->source)->in_flight;
    /* relaxed, both: as ring_op_enter */
    if (ring_driver_of(op->driver)->shared) {
        atomic_fetch_sub_explicit(in_flight, op->share, memory_order_relaxed);
        return;
    }
    uint32_t before = atomic_load_explicit(in_flight, memory_order_relaxed);
    atomic_store_explicit(in_flight, before - op->share, memory_order_relaxed);
}

/* False in the child of a fork, whose ring is its parent's. */
bool ring_driver_is_ours(const struct ring_driver *driver);

/* Brackets around everything on the SQ side. end also submits when the thread that would
 * do so is asleep. Without other threads there is nothing to be done. */
void ring_driver_sq_unlock(struct ring_driver *driver);

static inline void ring_driver_sq_begin(struct ring_driver *driver)
{
    if (driver->shared)
        pthread_mutex_lock(&driver->sq_lock);
}

static inline void ring_driver_sq_end(struct ring_driver *driver)
{
    if (driver->shared)
        ring_driver_sq_unlock(driver);
}

/* Puts the operation (or the rest of it) on the ring, or into the backlog. Inside the
 * brackets. */
void ring_op_submit(struct ring_driver *driver, struct io_op *op);

/* Asks the kernel to stop it, at once or when there is room. Inside the brackets. */
void ring_op_pass_cancel_on(struct ring_driver *driver, struct io_op *op);

/* ring_io.c: the driver's operations. */
extern const struct io_driver_ops ring_driver_ops;

/* Takes an operation out of one of the driver's lists. Inside the brackets. */
bool ring_op_unlist(struct io_op **list, struct io_op *op);

/* The completion of an operation. */
void ring_op_completed(struct ring_op *ring_op, int result, unsigned flags);

/* Gives the operation its result and wakes its task. */
void ring_op_finish(struct io_op *op, int result);

/* ---- ring_files.c, inside the brackets */

#define RING_FILES 64

void ring_files_init(struct ring_driver *driver);
/* Directs the SQE of an operation on a file to its slot, if it has one. */
void ring_files_use(struct ring_driver *driver, struct ring_source *source,
                    struct io_uring_sqe *sqe);
/* Before the descriptor is closed or detached. */
void ring_files_leave(struct ring_driver *driver, struct ring_source *source);

/* ---- ring_memory.c */

int ring_memory_register(struct io_driver *driver, void *memory, size_t size);
void ring_memory_unregister(struct io_driver *driver);
/* Lets a read or write of a file, whose SQE is written, use the registered memory if all
 * of its bytes are there. */
void ring_memory_use(const struct ring_driver *driver, const struct io_op *op,
                     struct io_uring_sqe *sqe);

/* ---- ring_lent.c */

/* Must a plain receive ask here first, for what the multishot has brought or will? */
static inline bool ring_lent_interferes(const struct ring_source *source)
{
    return source->armed || source->head != NO_SEGMENT || source->ended;
}

/* A receive of either kind, already counted in. */
enum poll_state ring_lent_start(struct ring_driver *driver, struct io_op *op,
                                struct context *context);
/* The cancelled receive stops waiting; false: it waits for a completion of its own. */
bool ring_lent_withdraw(struct io_op *op);
void ring_lent_reset(struct ring_source *source);
/* Stops the multishot receive, as soon as the ring has room for that; true when there is
 * none (any more). */
bool ring_lent_stop(struct ring_driver *driver, struct ring_source *source);
/* Tries again what found no room. */
void ring_lent_retry_stops(struct ring_driver *driver);
/* Gives back what arrived and was not asked for. */
void ring_lent_drop_segments(struct ring_driver *driver, struct ring_source *source);
void ring_lent_give_back(struct ring_driver *driver, void *buffer);

#endif
