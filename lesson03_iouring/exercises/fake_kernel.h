/* fake_kernel: the other side of a raw ring, in plain memory.
 *
 * A ring is memory and one call, raw_enter. The tests of exercise 3.1 bring both, so
 * they need no io_uring, and see each index as the kernel sees it. The kernel's half of
 * the two queues is kernel_take and kernel_answer; raw_enter only notes what it was
 * asked, and a test decides what the kernel does then. */
#ifndef EXERCISES_FAKE_KERNEL_H
#define EXERCISES_FAKE_KERNEL_H

#include <errno.h>
#include <linux/io_uring.h>

#include "lesson03_iouring/raw_ring.h"

enum { FAKE_SLOTS = 4, FAKE_FD = 33 };

struct fake_kernel {
    _Atomic unsigned sq_head, sq_tail, cq_head, cq_tail;
    unsigned array[FAKE_SLOTS];
    struct io_uring_sqe sqes[FAKE_SLOTS];
    /* of struct io_uring_cqe, which C lets no array hold: it may have a tail */
    _Alignas(16) unsigned char cqes[FAKE_SLOTS][16];
};

static inline struct io_uring_cqe *fake_cqe(struct fake_kernel *kernel, unsigned slot)
{
    return (struct io_uring_cqe *)(void *)kernel->cqes[slot];
}

static inline void fake_cqe_write(struct io_uring_cqe *cqe, uint64_t user_data,
                                  int result, unsigned flags)
{
    cqe->user_data = user_data;
    cqe->res = result;
    cqe->flags = flags;
}

/* A ring of `entries` slots in each queue (a power of two, at most FAKE_SLOTS), both of
 * which have been used `start` times. The slots hold rubbish, as used ones do. */
static inline void fake_kernel_init(struct fake_kernel *kernel, struct raw_ring *ring,
                                    unsigned entries, unsigned start)
{
    atomic_store_explicit(&kernel->sq_head, start, memory_order_relaxed);
    atomic_store_explicit(&kernel->sq_tail, start, memory_order_relaxed);
    atomic_store_explicit(&kernel->cq_head, start, memory_order_relaxed);
    atomic_store_explicit(&kernel->cq_tail, start, memory_order_relaxed);
    for (unsigned i = 0; i < FAKE_SLOTS; i++) {
        kernel->array[i] = 77;
        kernel->sqes[i] = (struct io_uring_sqe){ .opcode = 99,
                                                 .flags = 99,
                                                 .ioprio = 99,
                                                 .fd = 99,
                                                 .off = 99,
                                                 .addr = 99,
                                                 .len = 99,
                                                 .rw_flags = 99,
                                                 .user_data = 99 };
        fake_cqe_write(fake_cqe(kernel, i), 99, 99, 99);
    }
    *ring = (struct raw_ring){ .fd = FAKE_FD,
                               .sq_head = &kernel->sq_head,
                               .sq_tail = &kernel->sq_tail,
                               .sq_array = kernel->array,
                               .sqes = kernel->sqes,
                               .sq_mask = entries - 1,
                               .sq_entries = entries,
                               .cq_head = &kernel->cq_head,
                               .cq_tail = &kernel->cq_tail,
                               .cqes = fake_cqe(kernel, 0),
                               .cq_mask = entries - 1,
                               .cq_entries = entries };
}

/* Takes the oldest request, if there is one. */
static inline bool kernel_take(struct fake_kernel *kernel, const struct raw_ring *ring,
                               struct io_uring_sqe *request)
{
    unsigned head = atomic_load_explicit(&kernel->sq_head, memory_order_relaxed);
    /* acquire: pairs with the program's release of the tail */
    if (head == atomic_load_explicit(&kernel->sq_tail, memory_order_acquire))
        return false;
    unsigned slot = kernel->array[head & ring->sq_mask];
    *request = kernel->sqes[slot & ring->sq_mask];
    /* release: pairs with the program's acquire of the head */
    atomic_store_explicit(&kernel->sq_head, head + 1, memory_order_release);
    return true;
}

/* Leaves an answer, if there is room. */
static inline bool kernel_answer(struct fake_kernel *kernel,
                                 const struct raw_ring *ring, uint64_t user_data,
                                 int result, unsigned flags)
{
    unsigned tail = atomic_load_explicit(&kernel->cq_tail, memory_order_relaxed);
    /* acquire: pairs with the program's release of the head */
    if (tail - atomic_load_explicit(&kernel->cq_head, memory_order_acquire) ==
        ring->cq_entries)
        return false;
    fake_cqe_write(fake_cqe(kernel, tail & ring->cq_mask), user_data, result, flags);
    /* release: pairs with the program's acquire of the tail */
    atomic_store_explicit(&kernel->cq_tail, tail + 1, memory_order_release);
    return true;
}

#endif
