/* raw_setup: the system calls behind raw_ring.
 *
 * One call makes the ring, three mappings make its memory ours, and one more call says
 * "look at the queue". What the two sides then tell each other stands in memory alone:
 * raw_ring.c.
 *
 * Invariant: the kernel says where in a mapping each field lies; the layout may change,
 * the offsets are the interface.
 *
 * Source: io_uring_setup(2), io_uring_enter(2). */
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

int raw_enter(int fd, unsigned to_submit, unsigned wait_for, unsigned flags)
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
