/* blocking_call: leaving a job behind, safely.
 *
 * Problem: a cancelled await must end soon, but a function that is inside getaddrinfo or
 * read cannot be stopped, and it uses its argument until it returns. Idea: what the
 * function uses lives in a job on the heap, and one atomic word decides who of the two -
 * the future that waits, the thread that runs - is the last to use it:
 *
 *   WAITED --finish (thread)---> FINISHED   the thread completes the future, which frees
 *   WAITED --abandon (future)--> ABANDONED  the thread frees, the future is READY now
 *
 * Invariant: the thread touches the future's frame only after it has moved WAITED to
 * FINISHED; then the future is not READY before the completion says so (C15). */
#include "lesson06_worksteal/blocking_call.h"

#include <errno.h>
#include <stdlib.h>

#include "lesson06_worksteal/pause.h"

enum { WAITED, FINISHED, ABANDONED };

struct blocking_job {
    struct offload_job job;
    blocking_function *function;
    void *argument; /* owns */
    void (*release)(void *argument);
    struct completion
        *completion; /* borrows: in the frame; valid while not ABANDONED */
    int64_t result;
    _Atomic int state;
};

static void run_owned(struct offload_job *base)
{
    struct blocking_job *job = container_of(base, struct blocking_job, job);
    job->result = job->function(job->argument);
    /* acquire: pairs with the release in owned_let_go, after which the job is ours to
     * free. No release: a future that finds FINISHED reads nothing, it waits for the
     * completion, which publishes the result. */
    if (atomic_exchange_explicit(&job->state, FINISHED, memory_order_acquire) ==
        WAITED) {
        PAUSE("blocking call: finished, not completed");
        completion_complete(job->completion); /* the job is the future's from here on */
        return;
    }
    if (job->release)
        job->release(job->argument);
    free(job);
}

static enum poll_state owned_ready(struct blocking_call *self, int64_t result,
                                   bool given_back)
{
    self->result = result;
    self->given_back = given_back;
    if (!given_back && self->release)
        self->release(self->argument);
    return POLL_READY;
}

static enum poll_state owned_start(struct blocking_call *self, struct context *context)
{
    if (self->cancelled)
        return owned_ready(self, -ECANCELED, false);
    if (!self->offload)
        return owned_ready(self, -EOPNOTSUPP, true);
    struct blocking_job *job = malloc(sizeof *job);
    if (!job)
        return owned_ready(self, -ENOMEM, true);
    *job = (struct blocking_job){ .job = { .run = run_owned },
                                  .function = self->function,
                                  .argument = self->argument,
                                  .release = self->release,
                                  .completion = &self->completion,
                                  .state = WAITED };
    completion_arm(&self->completion, context);
    int err = self->offload->ops->submit(self->offload, &job->job);
    if (err < 0) {
        completion_disarm(&self->completion);
        free(job);
        return owned_ready(self, err, true);
    }
    self->job = job;
    return POLL_PENDING;
}

/* false: it has finished, and the completion is on its way. */
static bool owned_let_go(struct blocking_call *self)
{
    struct blocking_job *job = self->job;
    if (self->offload->ops->withdraw(self->offload, &job->job)) {
        completion_disarm(&self->completion);
        if (job->release)
            job->release(job->argument);
        free(job);
        return true;
    }
    int state = WAITED;
    /* release pairs with the acquire in run_owned: the thread frees the job */
    if (!atomic_compare_exchange_strong_explicit(
            &job->state, &state, ABANDONED, memory_order_release, memory_order_relaxed))
        return false;
    completion_disarm(&self->completion);
    return true;
}

static enum poll_state owned_poll(struct future *future, struct context *context)
{
    struct blocking_call *self = container_of(future, struct blocking_call, future);
    if (!self->job)
        return owned_start(self, context);
    if (completion_poll(&self->completion, context)) {
        int64_t result = self->job->result;
        free(self->job);
        return owned_ready(self, result, true);
    }
    if (self->cancelled && owned_let_go(self)) {
        self->result = -ECANCELED;
        return POLL_READY;
    }
    return POLL_PENDING;
}

static void owned_cancel(struct future *future)
{
    container_of(future, struct blocking_call, future)->cancelled = true;
}

static void owned_discard(struct future *future)
{
    struct blocking_call *self = container_of(future, struct blocking_call, future);
    if (self->given_back && self->release)
        self->release(self->argument);
}

static const struct future_ops blocking_call_ops = {
    .name = "blocking call",
    .size = sizeof(struct blocking_call),
    .poll = owned_poll,
    .cancel = owned_cancel,
    .discard = owned_discard,
};

struct blocking_call blocking_call(struct offload *offload, blocking_function *function,
                                   void *argument, void (*release)(void *argument))
{
    return (struct blocking_call){ .future = { &blocking_call_ops },
                                   .offload = offload,
                                   .function = function,
                                   .argument = argument,
                                   .release = release };
}

/* ---- the borrowing kind */

static void run_borrowed(struct offload_job *base)
{
    struct blocking_borrow *self = container_of(base, struct blocking_borrow, job);
    self->result = self->function(self->argument);
    completion_complete(&self->completion); /* the frame is its owner's from here on */
}

static enum poll_state borrow_poll(struct future *future, struct context *context)
{
    struct blocking_borrow *self = container_of(future, struct blocking_borrow, future);
    if (!self->started) {
        self->result = self->cancelled ? -ECANCELED : -EOPNOTSUPP;
        if (self->cancelled || !self->offload)
            return POLL_READY;
        completion_arm(&self->completion, context);
        self->started = true;
        int err = self->offload->ops->submit(self->offload, &self->job);
        if (err == 0)
            return POLL_PENDING;
        completion_disarm(&self->completion);
        self->result = err;
        return POLL_READY;
    }
    if (completion_poll(&self->completion, context))
        return POLL_READY;
    if (self->cancelled && self->offload->ops->withdraw(self->offload, &self->job)) {
        completion_disarm(&self->completion);
        self->result = -ECANCELED;
        return POLL_READY;
    }
    return POLL_PENDING;
}

static void borrow_cancel(struct future *future)
{
    container_of(future, struct blocking_borrow, future)->cancelled = true;
}

static const struct future_ops blocking_borrow_ops = {
    .name = "blocking call with a borrowed argument",
    .size = sizeof(struct blocking_borrow),
    .poll = borrow_poll,
    .cancel = borrow_cancel,
};

struct blocking_borrow blocking_borrow(struct offload *offload,
                                       blocking_function *function, void *argument)
{
    return (struct blocking_borrow){ .future = { &blocking_borrow_ops },
                                     .offload = offload,
                                     .function = function,
                                     .argument = argument,
                                     .job = { .run = run_borrowed } };
}
