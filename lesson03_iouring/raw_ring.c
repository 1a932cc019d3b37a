/* raw_ring: what liburing hides.
 *
 * Problem: a system call is a trip into the kernel and back, and the caller stands
 * still meanwhile. Idea: leave a note instead. The notes (SQEs) lie in memory that both
 * sides see, so handing over a hundred of them costs one trip, and the answers (CQEs)
 * come back the same way, in whatever order the work got done.
 *
 * Invariants:
 *   - Each index is written by one side only. tail - head is the number of entries in
 * the queue, also after the 32-bit counters wrap, since unsigned subtraction wraps too.
 *   - Who writes an entry publishes it by a release store of the tail; who reads it
 * loads the tail with acquire. The same pair in the other direction, on the head, says
 * "I am done with that slot, write over it".
 *   - sq_array exists for requests that are prepared out of order; we keep it the
 * identity.
 *
 * Source: io_uring(7), whose example program has the same shape. */
#include "lesson03_iouring/raw_ring.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc has no wrappers for these two: this is all that a wrapper would be. */
static int io_uring_setup(unsigned entries, struct io_uring_params *params)
{
    long fd = syscall(SYS_io_uring_setup, entries, params);
    return fd < 0 ? -errno : (int)fd;
}

static int io_uring_enter(int fd, unsigned to_submit, unsigned wait_for, unsigned flags)
{
    long taken = syscall(SYS_io_uring_enter, fd, to_submit, wait_for, flags, NULL, 0);
    return taken < 0 ? -errno : (int)taken;
}

/* Each part of the ring is a region of the ring's file, at an offset that names it. */
static int map(struct raw_mapping *mapping, int fd, size_t size, uint64_t region)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                        fd, (off_t)region);
    if (memory == MAP_FAILED)
        return -errno;
    *mapping = (struct raw_mapping){ memory, size };
    return 0;
}

static void unmap(struct raw_mapping *mapping)
{
    if (mapping->memory)
        munmap(mapping->memory, mapping->size);
    *mapping = (struct raw_mapping){ 0 };
}

/* The kernel says where in the mapping each field lies; the layout may change, the
 * offsets are the interface. */
static void *at(const struct raw_mapping *mapping, uint32_t offset)
{
    return (char *)mapping->memory + offset;
}

static void find_fields(struct raw_ring *ring, const struct io_uring_params *params)
{
    const struct io_sqring_offsets *sq = &params->sq_off;
    ring->sq_head = at(&ring->sq_map, sq->head);
    ring->sq_tail = at(&ring->sq_map, sq->tail);
    ring->sq_array = at(&ring->sq_map, sq->array);
    ring->sq_mask = *(unsigned *)at(&ring->sq_map, sq->ring_mask);
    ring->sq_entries = params->sq_entries;
    ring->sqes = ring->sqe_map.memory;

    const struct io_cqring_offsets *cq = &params->cq_off;
    ring->cq_head = at(&ring->cq_map, cq->head);
    ring->cq_tail = at(&ring->cq_map, cq->tail);
    ring->cqes = at(&ring->cq_map, cq->cqes);
    ring->cq_mask = *(unsigned *)at(&ring->cq_map, cq->ring_mask);
    ring->cq_entries = params->cq_entries;
}

int raw_ring_init(struct raw_ring *ring, unsigned entries)
{
    struct io_uring_params params = { 0 };
    memset(ring, 0, sizeof *ring);
    ring->fd = io_uring_setup(entries, &params);
    if (ring->fd < 0) {
        int err = ring->fd;
        ring->fd = -1;
        return err;
    }
    size_t sq_size = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    size_t cq_size =
        params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    size_t sqe_size = params.sq_entries * sizeof(struct io_uring_sqe);
    int err = map(&ring->sq_map, ring->fd, sq_size, IORING_OFF_SQ_RING);
    if (!err)
        err = map(&ring->cq_map, ring->fd, cq_size, IORING_OFF_CQ_RING);
    if (!err)
        err = map(&ring->sqe_map, ring->fd, sqe_size, IORING_OFF_SQES);
    if (err) {
        raw_ring_finish(ring);
        return err;
    }
    find_fields(ring, &params);
    return 0;
}

void raw_ring_finish(struct raw_ring *ring)
{
    unmap(&ring->sqe_map);
    unmap(&ring->cq_map);
    unmap(&ring->sq_map);
    if (ring->fd > 0)
        close(ring->fd);
    ring->fd = -1;
}

/* Writes the request into the next free slot and publishes it. */
static int push(struct raw_ring *ring, const struct io_uring_sqe *request)
{
    /* relaxed: nobody but us writes the tail */
    unsigned tail = atomic_load_explicit(ring->sq_tail, memory_order_relaxed);
    /* acquire: pairs with the kernel's release of the head, after it read the slot */
    unsigned head = atomic_load_explicit(ring->sq_head, memory_order_acquire);
    if (tail - head == ring->sq_entries)
        return -EBUSY;
    unsigned slot = tail & ring->sq_mask;
    ring->sqes[slot] = *request;
    ring->sq_array[slot] = slot;
    /* release: pairs with the kernel's acquire of the tail; the slot is written */
    atomic_store_explicit(ring->sq_tail, tail + 1, memory_order_release);
    return 0;
}

int raw_ring_nop(struct raw_ring *ring, uint64_t user_data)
{
    struct io_uring_sqe request = { .opcode = IORING_OP_NOP, .user_data = user_data };
    return push(ring, &request);
}

int raw_ring_read(struct raw_ring *ring, int fd, void *buffer, unsigned size,
                  uint64_t offset, uint64_t user_data)
{
    struct io_uring_sqe request = { .opcode = IORING_OP_READ,
                                    .fd = fd,
                                    .addr = (uintptr_t)buffer,
                                    .len = size,
                                    .off = offset,
                                    .user_data = user_data };
    return push(ring, &request);
}

int raw_ring_write(struct raw_ring *ring, int fd, const void *buffer, unsigned size,
                   uint64_t offset, uint64_t user_data)
{
    struct io_uring_sqe request = { .opcode = IORING_OP_WRITE,
                                    .fd = fd,
                                    .addr = (uintptr_t)buffer,
                                    .len = size,
                                    .off = offset,
                                    .user_data = user_data };
    return push(ring, &request);
}

int raw_ring_enter(struct raw_ring *ring, unsigned wait_for)
{
    /* relaxed twice: we wrote the tail, and a stale head only asks for too many */
    unsigned to_submit = atomic_load_explicit(ring->sq_tail, memory_order_relaxed) -
                         atomic_load_explicit(ring->sq_head, memory_order_relaxed);
    return io_uring_enter(ring->fd, to_submit, wait_for,
                          wait_for ? IORING_ENTER_GETEVENTS : 0);
}

bool raw_ring_pop(struct raw_ring *ring, struct raw_completion *completion)
{
    /* relaxed: nobody but us writes the head */
    unsigned head = atomic_load_explicit(ring->cq_head, memory_order_relaxed);
    /* acquire: pairs with the kernel's release of the tail, after it wrote the CQE */
    if (head == atomic_load_explicit(ring->cq_tail, memory_order_acquire))
        return false;
    const struct io_uring_cqe *cqe = &ring->cqes[head & ring->cq_mask];
    *completion = (struct raw_completion){ cqe->user_data, cqe->res, cqe->flags };
    /* release: pairs with the kernel's acquire of the head; the slot may be reused */
    atomic_store_explicit(ring->cq_head, head + 1, memory_order_release);
    return true;
}
