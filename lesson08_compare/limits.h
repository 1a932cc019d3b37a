/* limits: what the work of WORKLOADS.md costs without a runtime.
 *
 *     threads   a thread a task; mutex, condition variable, futex
 *     spin      two threads that never sleep
 *     pread     one thread, one read after the other
 *     uring     one thread, one ring, registered file and buffers
 *     array     all deadlines known in advance, sorted
 *     msgring   two rings that send each other messages
 *     call      plain function calls: the work itself
 *
 * Ownership and threads: as work.h. */
#ifndef LESSON08_LIMITS_H
#define LESSON08_LIMITS_H

#include "lesson08_compare/work.h"

extern const struct work_program limits_program;

struct io_uring;

/* As io_uring_queue_init; if io_uring is refused, work->reason says by whom. */
int limit_ring(struct work *work, struct io_uring *ring, unsigned entries,
               unsigned flags);

int limit_threads_spawn(struct work *work);
int limit_threads_ping_pong(struct work *work);
int limit_threads_round_trip(struct work *work);
int limit_threads_mpsc(struct work *work);
int limit_threads_mpsc_contended(struct work *work);

int limit_futex_wake(struct work *work);
int limit_spin_wake(struct work *work);
int limit_msgring_wake(struct work *work);

int limit_pread(struct work *work);
int limit_uring_read(struct work *work);

int limit_call_fib(struct work *work);
int limit_call_skynet(struct work *work);
int limit_call_tree(struct work *work);
int limit_call_startup(struct work *work);
int limit_array_timers(struct work *work);

#endif
