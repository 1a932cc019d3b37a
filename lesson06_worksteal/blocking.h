/* blocking: threads that may block, so that workers need not.
 *
 * A worker that calls getaddrinfo, or reads a file, holds up every task behind it. Such
 * calls go here: a bounded number of threads, started when needed, ended when idle for a
 * while, behind one visible, bounded queue. A full queue says so (-EAGAIN) instead of
 * growing: the caller slows down, or sheds load; that is back-pressure.
 *
 * Implements offload_ops (lesson 5), so file operations on the epoll driver come here.
 * As futures: blocking_call.h.
 *
 * Ownership: heap; borrows jobs until run returns or withdraw said true. Threads: submit,
 * withdraw and the counters from any; stop and destroy from one that is none of its own. */
#ifndef LESSON06_BLOCKING_H
#define LESSON06_BLOCKING_H

#include <stdbool.h>
#include <stdint.h>

#include "lesson05_reactor/offload.h"
#include "lesson05_reactor/timers.h"

struct blocking_config {
    unsigned threads;       /* at most; 0: 64 */
    unsigned queue;         /* jobs that wait for a thread, at most; 0: 1,024 */
    uint64_t keep_alive_ns; /* an idle thread ends after this; 0: 10 s */
    const char *name;       /* of the threads; NULL: "blocking" */
    /* borrows; held for each job that is queued or runs. Stop this pool before you finish
     * the clock's reactor: its threads release the clock last. NULL: real time */
    struct virtual_clock *clock;
};

struct blocking_pool;

/* Starts no thread yet. 0; -EINVAL (more than 4,096 threads), -ENOMEM. */
int blocking_create(struct blocking_pool **pool, const struct blocking_config *config);

/* Refuses new jobs, runs those in the queue, joins the threads. 0; -ETIMEDOUT: a job
 * still runs (timeout_ns below 0: no limit); may be called again. */
int blocking_stop(struct blocking_pool *pool, int64_t timeout_ns);

/* Stops without a limit if nobody has; after a stop that timed out the pool is leaked on
 * purpose. Accepts NULL. */
void blocking_destroy(struct blocking_pool *pool);

/* What to submit to. */
struct offload *blocking_offload(struct blocking_pool *pool);

/* A moment's truth. */
struct blocking_counts {
    unsigned threads; /* running or idle */
    unsigned idle;
    unsigned queued;
    uint64_t run;     /* jobs done, ever */
    uint64_t refused; /* -EAGAIN answers, ever */
};
struct blocking_counts blocking_counts(struct blocking_pool *pool);

#endif
