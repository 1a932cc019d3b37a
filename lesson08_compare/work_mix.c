/* work_mix: a runtime inside another one.
 *
 * A thread of the outer runtime's blocking pool is a thread like any other, so a second
 * runtime may run there, and a channel, which knows of no runtime, joins the two. An I/O
 * object belongs to the driver that it was attached to. What comes of using it in the
 * other runtime anyway is tried in a child, for it may end or hang the process. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lesson07_custom/channel.h"
#include "lesson08_compare/work_runtime.h"

#define CHILD_PATIENCE_NS (2 * NS_PER_S)

/* ---- inside: a root of the second runtime, on a thread of the first one's pool */

struct inside {
    struct work *work; /* borrows */
    int64_t (*run)(struct inside *inside);
    struct channel *channel;  /* owns a sender's share */
    struct io_source *source; /* borrows */
};

static int64_t run_inside(void *inside)
{
    return ((struct inside *)inside)->run(inside);
}

struct tell {
    ASYNC_FRAME;
    struct channel *channel; /* owns a sender's share */
    uint64_t value;
    struct channel_send send;
};

static enum poll_state tell_poll(struct future *future, struct context *context)
{
    struct tell *self = ASYNC_SELF(tell, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->send, channel_send(self->channel, &self->value));
    channel_drop_sender(self->channel);
    ASYNC_END;
}

static int64_t tell_from_inside(struct inside *inside)
{
    static const struct future_ops tell_ops = ASYNC_OPS(tell);
    return WORK_RUN(inside->work, (struct tell){ .future = { &tell_ops },
                                                 .channel = inside->channel,
                                                 .value = 42 });
}

struct use {
    ASYNC_FRAME;
    struct io_source *source; /* borrows: of the other runtime */
    char byte;
    struct io_op op;
    struct timeout limit;
};

static enum poll_state use_poll(struct future *future, struct context *context)
{
    struct use *self = ASYNC_SELF(use, future);
    ASYNC_BEGIN(self, context);
    self->op = io_read(self->source, &self->byte, 1, IO_NO_OFFSET);
    AWAIT(self->limit, timeout(&self->op.future, 100 * NS_PER_MS));
    printf("a pipe of the outer runtime, read in the inner one: %s%s\n",
           self->op.result == 1 ? "its byte came" : errname(self->op.result),
           self->limit.expired ? ", when 100 ms were over" : "");
    fflush(stdout);
    ASYNC_END;
}

static int64_t use_inside(struct inside *inside)
{
    static const struct future_ops use_ops = ASYNC_OPS(use);
    return WORK_RUN(inside->work,
                    (struct use){ .future = { &use_ops }, .source = inside->source });
}

/* ---- the outer runtime's root: a value that comes back */

struct listener {
    ASYNC_FRAME;
    struct inside *inside; /* borrows */
    uint64_t value;
    struct blocking_borrow call;
    struct channel_recv recv;
};

static enum poll_state listener_poll(struct future *future, struct context *context)
{
    struct listener *self = ASYNC_SELF(listener, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->call,
          blocking_borrow(runtime_offload_here(), run_inside, self->inside));
    printf("a second runtime on a thread of the first one's blocking pool: %s\n",
           self->call.result == 0 ? "it ran a task to its end"
                                  : errname((int)self->call.result));
    AWAIT(self->recv, channel_recv(self->inside->channel, &self->value));
    printf("what that task sent through a channel came out in the first: %" PRIu64 "\n",
           self->value);
    channel_drop_receiver(self->inside->channel);
    ASYNC_END;
}

static int show_the_channel(struct work *work)
{
    static const struct future_ops listener_ops = ASYNC_OPS(listener);
    struct inside inside = { .work = work, .run = tell_from_inside };
    struct channel_config config = { .capacity = 1, .value_size = sizeof(uint64_t) };
    int err = channel_create(&inside.channel, &config);
    if (err < 0)
        return err;
    return WORK_RUN(
        work, (struct listener){ .future = { &listener_ops }, .inside = &inside });
}

/* ---- the outer runtime's root: an I/O object that is lent */

struct lender {
    ASYNC_FRAME;
    struct inside *inside; /* borrows */
    int ends[2];           /* owns until attached */
    struct blocking_borrow call;
    struct io_op close;
};

static enum poll_state lender_poll(struct future *future, struct context *context)
{
    struct lender *self = ASYNC_SELF(lender, future);
    ASYNC_BEGIN(self, context);
    work_must(pipe2(self->ends, O_NONBLOCK | O_CLOEXEC) < 0 ? -errno : 0, "pipe");
    work_must(write(self->ends[1], "!", 1) == 1 ? 0 : -errno, "write");
    work_must(io_attach(self->ends[0], IO_TYPE_STREAM, &self->inside->source),
              "attach");
    AWAIT(self->call,
          blocking_borrow(runtime_offload_here(), run_inside, self->inside));
    AWAIT(self->close, io_close(self->inside->source));
    close(self->ends[1]);
    ASYNC_END;
}

_Noreturn static void lend(struct work *work)
{
    static const struct future_ops lender_ops = ASYNC_OPS(lender);
    struct inside inside = { .work = work, .run = use_inside };
    int err =
        WORK_RUN(work, (struct lender){ .future = { &lender_ops }, .inside = &inside });
    _exit(err < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Its wait status; -1: it did not end, and was killed. */
static int wait_for_child(pid_t child)
{
    struct timespec moment = { .tv_nsec = (long)NS_PER_MS };
    uint64_t deadline = clock_after(clock_now(), CHILD_PATIENCE_NS);
    int status = 0;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (clock_now() > deadline) {
            kill(child, SIGKILL);
            waitpid(child, NULL, 0);
            return -1;
        }
        nanosleep(&moment, NULL);
    }
    return status;
}

static int show_the_loan(struct work *work)
{
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0)
        lend(work);
    int status = wait_for_child(child);
    if (status == -1)
        printf("the process that tried hung, and was killed after 2 s\n");
    else if (WIFSIGNALED(status))
        printf("the process that tried was ended by signal %d\n", WTERMSIG(status));
    else
        printf("the process that tried ended with status %d\n", WEXITSTATUS(status));
    return 0;
}

int work_demo_mix(struct work *work)
{
    int err = show_the_loan(work); /* first: a fork wants no other thread */
    return err < 0 ? err : show_the_channel(work);
}
