/* raw_ring: io_uring without a library, once, so that every part of it is seen.
 *
 * Two queues in memory that we share with the kernel. We write requests (SQEs) into one
 * and read answers (CQEs) from the other; each queue has a head and a tail, each of
 * which only one side writes. Three system calls: io_uring_setup makes the ring, mmap
 * makes its memory ours too, io_uring_enter says "look at the queue" and may wait.
 *
 * The rules of both queues:
 *
 *   Q1  Each index is written by one side only, and counts on for ever: tail - head is how
 *       many entries there are, also after the 32 bits have wrapped.
 *   Q2  Who writes an entry publishes it when it is whole, by a release of the tail; who
 *       acquires the tail may read it.
 *   Q3  Who has read an entry gives its slot back after that, by a release of the head;
 *       who acquires the head may write there.
 *   Q4  A slot that is used again holds nothing of the entry before.
 *
 * For reading only: everything after this file uses liburing, which does the same with
 * more flags. Three operations: nop, read, write.
 *
 * Ownership: caller-owned struct that owns a descriptor and three mappings. A buffer
 * that is given to read or write belongs to the kernel until its completion is popped
 * (C1). Threads: one at a time. Errors: negative errno. Source: the manual pages
 * io_uring(7), io_uring_setup(2), io_uring_enter(2). */
#ifndef LESSON03_RAW_RING_H
#define LESSON03_RAW_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io_uring_sqe;
struct io_uring_cqe;

struct raw_mapping {
    void *memory; /* owns; NULL: not mapped */
    size_t size;  /* bytes */
};

struct raw_ring {
    int fd; /* owns; -1: not set up */

    /* Submission queue: we write the tail, the kernel writes the head. */
    _Atomic unsigned *sq_head;
    _Atomic unsigned *sq_tail;
    unsigned *sq_array; /* the queue proper: indices into sqes */
    struct io_uring_sqe *sqes;
    unsigned sq_mask; /* entries - 1: the indices count on for ever and are masked */
    unsigned sq_entries;

    /* Completion queue: the kernel writes the tail, we write the head. */
    _Atomic unsigned *cq_head;
    _Atomic unsigned *cq_tail;
    struct io_uring_cqe *cqes;
    unsigned cq_mask;
    unsigned cq_entries;

    struct raw_mapping sq_map;
    struct raw_mapping cq_map;
    struct raw_mapping sqe_map;
};

struct raw_completion {
    uint64_t user_data; /* what the request carried */
    int result;         /* as the system call's, but negative errno */
    unsigned flags;
};

/* A ring with at least `entries` SQEs (the kernel rounds up to a power of two). */
int raw_ring_init(struct raw_ring *ring, unsigned entries);

/* Unmaps and closes; a zeroed or failed ring is fine. Nothing may be in flight. */
void raw_ring_finish(struct raw_ring *ring);

/* Each writes one SQE; the kernel does not know of it before raw_ring_enter.
 * -EBUSY: the queue is full, enter first. */
int raw_ring_nop(struct raw_ring *ring, uint64_t user_data);
int raw_ring_read(struct raw_ring *ring, int fd, void *buffer, unsigned size,
                  uint64_t offset, uint64_t user_data);
int raw_ring_write(struct raw_ring *ring, int fd, const void *buffer, unsigned size,
                   uint64_t offset, uint64_t user_data);

/* Hands all written SQEs over and waits until `wait_for` completions are there.
 * Returns how many SQEs the kernel took, which may be fewer (C7). */
int raw_ring_enter(struct raw_ring *ring, unsigned wait_for);

/* Takes the oldest completion; false when there is none. */
bool raw_ring_pop(struct raw_ring *ring, struct raw_completion *completion);

/* Inside the lesson, raw_setup.c: io_uring_enter, which glibc has no wrapper for. Hands
 * over at most `to_submit` SQEs and returns how many it took, or negative errno. Waits for
 * `wait_for` completions only if the flags have IORING_ENTER_GETEVENTS. */
int raw_enter(int fd, unsigned to_submit, unsigned wait_for, unsigned flags);

#endif
