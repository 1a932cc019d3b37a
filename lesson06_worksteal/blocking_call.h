/* blocking_call: a blocking function as a future.
 *
 *     AWAIT(self->call, blocking_call(offload, look_up, request, request_free));
 *     if (self->call.given_back) { ...use self->call.result and *request...;
 *                                  request_free(request); }
 *
 * A running function cannot be stopped; two answers to a cancel are possible:
 *   blocking_call    owns its argument, so a cancel leaves it behind: READY with
 *                    -ECANCELED at once, and whoever runs the function releases the
 *                    argument when it comes back.
 *   blocking_borrow  its argument is the caller's frame or buffer, so a cancel must wait
 *                    for the function, whose result then counts. Allocates nothing.
 * Both are withdrawn if no thread has started them yet.
 *
 * Threads: as for any future; the function runs on a thread of the offload's. */
#ifndef LESSON06_BLOCKING_CALL_H
#define LESSON06_BLOCKING_CALL_H

#include "lesson02_wakers/completion.h"
#include "lesson05_reactor/offload.h"

typedef int64_t blocking_function(void *argument);

struct blocking_job;

struct blocking_call {
    struct future future;
    struct offload *offload; /* borrows */
    blocking_function *function;
    void *argument;                  /* consumed by the first poll; see given_back */
    void (*release)(void *argument); /* may be NULL: nothing to release */
    struct blocking_job *job;        /* shares with the thread that runs it */
    struct completion completion;
    bool cancelled;
    /* output */
    bool given_back; /* the argument is the caller's again; else it was, or will be,
                        released (then result is -ECANCELED) */
    int64_t
        result; /* the function's; or -ECANCELED; or it never ran: -EAGAIN (the queue
                        is full), -ESHUTDOWN, -ENOMEM, -EOPNOTSUPP (offload is NULL) */
};

struct blocking_call blocking_call(struct offload *offload, blocking_function *function,
                                   void *argument, void (*release)(void *argument));

struct blocking_borrow {
    struct future future;
    struct offload *offload; /* borrows */
    blocking_function *function;
    void *argument; /* borrows until READY */
    struct offload_job job;
    struct completion completion;
    bool started;
    bool cancelled;
    int64_t result; /* output: as above */
};

struct blocking_borrow blocking_borrow(struct offload *offload,
                                       blocking_function *function, void *argument);

#endif
