/* ring_whole: reading and writing all of it.
 *
 * One read may bring less than was asked for, one write may take less, and both are no
 * error (C9). These two async functions go on where the last one stopped.
 *
 * Output: result is the number of bytes, which for a read is less than the size only at
 * the end of the file; or a negative errno, then `done` says how far it got.
 * Ownership: borrow ring and buffer until READY. Threads: the ring's. */
#ifndef LESSON03_RING_WHOLE_H
#define LESSON03_RING_WHOLE_H

#include "lesson01_futures/async.h"
#include "lesson03_iouring/ring_future.h"

struct ring_whole {
    ASYNC_FRAME;
    struct ring *ring; /* borrows */
    char *buffer;      /* borrows */
    size_t size;
    uint64_t offset; /* RING_NO_OFFSET: a stream */
    int fd;
    bool writing;
    size_t done; /* bytes so far */
    struct ring_future step;
    int64_t result; /* output */
};

struct ring_whole ring_read_full(struct ring *ring, int fd, void *buffer, size_t size,
                                 uint64_t offset);
struct ring_whole ring_write_all(struct ring *ring, int fd, const void *buffer,
                                 size_t size, uint64_t offset);

#endif
