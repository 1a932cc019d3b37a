/* Every order of steps of a completion: the completer, and a waiter whose memory is
 * something else as soon as it is done. */
#include "lesson02_wakers/completion.h"

#include "lesson02_wakers/explore_testing.h"

static struct operation {
    struct completion completion;
    int result; /* plain: published by the completion */
} * operation;
static struct waker_probe probe, newer;

static void *complete(void *unused)
{
    explore_name("completer");
    operation->result = 7;
    completion_complete(&operation->completion);
    return unused;
}

static struct context context_of(const struct waker *waker)
{
    return (struct context){ .waker = waker, .budget = CONTEXT_BUDGET };
}

static void start(void)
{
    struct waker waker = probe_waker(&probe);
    struct context context = context_of(&waker);
    explore_name("waiter");
    operation = malloc(sizeof *operation);
    completion_arm(&operation->completion, &context);
}

/* Done: the frame goes at once. */
static bool poll_and_free(struct waker_probe *mine)
{
    struct waker waker = probe_waker(mine);
    struct context context = context_of(&waker);
    if (!completion_poll(&operation->completion, &context))
        return false;
    EXPLORE_RULE("C15", operation->result == 7, "done, and the result is not there");
    free(operation);
    return true;
}

static void check_the_end(void)
{
    long live = probe_read(&probe.live) + probe_read(&newer.live);
    EXPLORE_RULE("W5", live == 0, "%ld wakers are left over", live);
}

static void poll_against_complete(struct waker_probe *mine, const char *rule)
{
    pthread_t other;
    start();
    pthread_create(&other, NULL, complete, NULL);
    bool freed = poll_and_free(mine);
    pthread_join(other, NULL);
    EXPLORE_RULE(rule, freed || probe_read(&mine->wakes) > 0,
                 "the waker of the last poll was not woken");
    if (!freed)
        EXPLORE_RULE("W1", poll_and_free(mine), "completed, and not done");
    check_the_end();
}

/* Polled for another reason, it finds "done" before the completer has come to its end. */
static void free_against_complete(void)
{
    poll_against_complete(&probe, "W1");
}

/* The same with another waker, which must be the one that is woken. */
static void renewal_against_complete(void)
{
    poll_against_complete(&newer, "W7");
}

/* Two renewals against it. */
static void two_renewals_against_complete(void)
{
    pthread_t other;
    start();
    pthread_create(&other, NULL, complete, NULL);
    bool freed = poll_and_free(&newer);
    long before = probe_read(&probe.wakes);
    freed = freed || poll_and_free(&probe);
    pthread_join(other, NULL);
    EXPLORE_RULE("W7", freed || probe_read(&probe.wakes) > before,
                 "the waker of the last poll was not woken");
    if (!freed)
        EXPLORE_RULE("W1", poll_and_free(&probe), "completed, and not done");
    check_the_end();
}

/* ---- the operation in a task's frame, as lesson 5 has it */

struct operation_wait {
    struct future future;
    struct operation operation;
    bool started;
};

static enum poll_state operation_poll(struct future *future, struct context *context)
{
    struct operation_wait *self = container_of(future, struct operation_wait, future);
    if (!self->started) {
        self->started = true;
        operation = &self->operation;
        completion_arm(&operation->completion, context);
        waker_wake_by_ref(context->waker); /* for another reason */
        return POLL_PENDING;
    }
    if (!completion_poll(&self->operation.completion, context)) {
        /* Between the completer's two steps it is asked again and again. Without a yield
         * there is an order in which nobody else ever gets to run. */
        sched_yield();
        return POLL_PENDING;
    }
    EXPLORE_RULE("C15", self->operation.result == 7, "done, and there is no result");
    return POLL_READY;
}

/* The task that is polled for another reason finds "done", ends, and its frame is freed;
 * the completer has yet to wake it, and holds a share of it for that. */
static void operation_in_a_task(void)
{
    static const struct future_ops ops = { .name = "operation",
                                           .size = FUTURE_SIZE(struct operation_wait),
                                           .poll = operation_poll };
    struct operation_wait wait = { .future = { &ops } };
    pthread_t other;
    explore_name("runner");
    struct single *single = single_begin();
    task_spawn(&single->scheduler, &wait.future, SPAWN_SHARED, NULL);
    single_run_one(single);
    pthread_create(&other, NULL, complete, NULL);
    single_run(single);
    single_end(single);
    pthread_join(other, NULL);
}

EXPLORE_MAIN({ .name = "free_against_complete",
               .scenario = free_against_complete,
               .rules = "C15, W1",
               .models = 7 },
             { .name = "renewal_against_complete",
               .scenario = renewal_against_complete,
               .rules = "C15, W7",
               .models = 7 },
             { .name = "two_renewals_against_complete",
               .scenario = two_renewals_against_complete,
               .rules = "C15, W7",
               .models = 7 },
             { .name = "operation_in_a_task",
               .scenario = operation_in_a_task,
               .rules = "C15, W5",
               .hang_rule = "W1",
               .models = 7,
               .deep = true }, )
