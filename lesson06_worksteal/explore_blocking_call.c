/* Every order of steps of a blocking call that is cancelled while a thread runs it: who of
 * the two is the last to touch the job, and the frame? The offload is a mailbox for one
 * job; whoever takes the job out has it. */
#include "common/explore/explore.h"
#include "lesson02_wakers/waker_probe.h"
#include "lesson06_worksteal/blocking_call.h"

static _Atomic(struct offload_job *) mailbox;

static struct offload_job *take_job(void)
{
    /* acquire: pairs with submit */
    return atomic_exchange_explicit(&mailbox, NULL, memory_order_acquire);
}

static int submit(struct offload *offload, struct offload_job *job)
{
    (void)offload;
    /* release: pairs with take_job */
    atomic_store_explicit(&mailbox, job, memory_order_release);
    return 0;
}

static bool withdraw(struct offload *offload, struct offload_job *job)
{
    (void)offload;
    return take_job() == job;
}

static const struct offload_ops ops = { .name = "mailbox",
                                        .submit = submit,
                                        .withdraw = withdraw };
static struct offload offload = { &ops };

static void *runner_main(void *unused)
{
    explore_name("runner");
    struct offload_job *job = take_job();
    if (job)
        job->run(job);
    return unused;
}

/* ---- the call, its argument, its end */

static struct waker_probe probe;
static unsigned released;

static int64_t count_up(void *argument)
{
    return ++*(int *)argument;
}

static void release(void *argument)
{
    released++;
    free(argument);
}

static pthread_t runner;

/* Polls until READY: the task that waits is woken, sooner or later, and polls again. Is
 * the runner's end the reason? */
static bool poll_to_the_end(struct future *future)
{
    if (probe_poll(&probe, future) == POLL_READY)
        return false;
    pthread_join(runner, NULL);
    EXPLORE_RULE("W1", probe_read(&probe.wakes) > 0, "nobody wakes the task");
    EXPLORE_RULE("W1", probe_poll(&probe, future) == POLL_READY,
                 "the task was woken, and there is no result");
    return true;
}

/* Queues the call, lets the runner have it, and cancels. */
static void start_and_cancel(struct future *future)
{
    explore_name("task");
    CHECK(probe_poll(&probe, future) == POLL_PENDING, "it is not queued");
    pthread_create(&runner, NULL, runner_main, NULL);
    future_cancel(future);
}

static void cancel_against_run(void)
{
    int *argument = calloc(1, sizeof *argument);
    struct blocking_call *call = malloc(sizeof *call);
    *call = blocking_call(&offload, count_up, argument, release);
    start_and_cancel(&call->future);
    bool joined = poll_to_the_end(&call->future), given_back = call->given_back;
    EXPLORE_RULE("C15", call->result == (given_back ? 1 : -ECANCELED),
                 "the result is %d", (int)call->result);
    if (given_back)
        free(argument);
    free(call); /* the frame is its owner's again */
    if (!joined)
        pthread_join(runner, NULL);
    EXPLORE_RULE("C15", released == !given_back, "the argument was released %u times",
                 released);
    EXPLORE_RULE("W8", probe_read(&probe.live) == 0, "a waker is left over");
}

static void cancel_against_borrowed_run(void)
{
    int *argument = calloc(1, sizeof *argument);
    struct blocking_borrow *call = malloc(sizeof *call);
    *call = blocking_borrow(&offload, count_up, argument);
    start_and_cancel(&call->future);
    bool joined = poll_to_the_end(&call->future);
    EXPLORE_RULE("C15", call->result == (*argument ? 1 : -ECANCELED),
                 "the result is %d", (int)call->result);
    free(argument);
    free(call);
    if (!joined)
        pthread_join(runner, NULL);
    EXPLORE_RULE("W8", probe_read(&probe.live) == 0, "a waker is left over");
}

EXPLORE_MAIN({ .name = "cancel_against_run",
               .scenario = cancel_against_run,
               .rules = "C15, W1, W8",
               .models = 7 },
             { .name = "cancel_against_borrowed_run",
               .scenario = cancel_against_borrowed_run,
               .rules = "C15, W1, W8",
               .models = 7 }, )
