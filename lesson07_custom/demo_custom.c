/* demo_custom: one program in six cells, then an end in three phases.
 *
 * The program is a small world: on each lane two tasks that talk over a socket pair, with
 * a nap, a file and a blocking call in between. Nothing in it names a scheduler or a
 * driver; the table shows what they make of it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/say.h"
#include "lesson07_custom/runtime.h"

#define ROUNDS 50

static void claim(bool holds, const char *what)
{
    if (holds)
        return;
    say("this did not happen: %s", what);
    exit(1);
}

/* ---- 1: the small world */

struct answerer { /* sends back what comes, until the end */
    ASYNC_FRAME;
    struct io_source *source; /* owns */
    struct io_op op;
    char bytes[32];
};

static enum poll_state answerer_poll(struct future *future, struct context *context)
{
    struct answerer *self = ASYNC_SELF(answerer, future);
    ASYNC_BEGIN(self, context);
    for (;;) {
        AWAIT(self->op, io_recv(self->source, self->bytes, sizeof self->bytes));
        if (self->op.result <= 0)
            break;
        AWAIT(self->op, io_send(self->source, self->bytes, (size_t)self->op.result));
    }
    AWAIT(self->op, io_close(self->source));
    ASYNC_END;
}

static const struct future_ops answerer_ops = ASYNC_OPS(answerer);

static int64_t count_bits(void *argument)
{
    return __builtin_popcountll((unsigned long long)(uintptr_t)argument);
}

struct asker {
    ASYNC_FRAME;
    int fds[2];               /* owns until attached */
    struct io_source *source; /* owns */
    struct io_source *file;   /* owns while it is open */
    struct io_op op;
    struct sleep nap;
    struct blocking_borrow job;
    int round;
    int good; /* output: answers, file reads and blocking results that were right */
    char bytes[32];
};

static int attach_both(struct asker *self)
{
    struct io_source *other = NULL;
    int err = io_attach(self->fds[0], IO_TYPE_STREAM, &self->source);
    if (err == 0)
        err = io_attach(self->fds[1], IO_TYPE_STREAM, &other);
    if (err == 0)
        err = SPAWN_HERE(
            NULL, ((struct answerer){ .future = { &answerer_ops }, .source = other }));
    return err;
}

static enum poll_state asker_poll(struct future *future, struct context *context)
{
    struct asker *self = ASYNC_SELF(asker, future);
    ASYNC_BEGIN(self, context);
    claim(net_pair(self->fds) == 0 && attach_both(self) == 0, "two sockets");
    for (self->round = 0; self->round < ROUNDS; self->round++) {
        AWAIT(self->op, io_send(self->source, "question", 8));
        AWAIT(self->op, io_recv(self->source, self->bytes, sizeof self->bytes));
        self->good += self->op.result == 8;
        if (self->round % 10 == 0) {
            AWAIT(self->nap, sleep_ms(1));
        }
    }
    AWAIT(self->op, io_openat(AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC, 0));
    claim(self->op.result >= 0 &&
              io_attach(self->op.result, IO_TYPE_FILE, &self->file) == 0,
          "a file was opened");
    AWAIT(self->op, io_read(self->file, self->bytes, sizeof self->bytes, 0));
    self->good +=
        self->op.result == sizeof self->bytes && memcmp(self->bytes, "\177ELF", 4) == 0;
    AWAIT(self->op, io_close(self->file));
    AWAIT(self->job, blocking_borrow(runtime_offload_here(), count_bits, (void *)0xff));
    self->good += self->job.result == 8;
    AWAIT(self->op, io_close(self->source));
    ASYNC_END;
}

static const struct future_ops asker_ops = ASYNC_OPS(asker);

#define ASKERS 4

struct world {
    ASYNC_FRAME;
    struct task_handle handles[ASKERS];
    struct task_join join;
    unsigned i;
    int good; /* output */
};

static enum poll_state world_poll(struct future *future, struct context *context)
{
    struct world *self = ASYNC_SELF(world, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < ASKERS; self->i++)
        claim(SPAWN_ON(runtime_here(), self->i % runtime_lanes(runtime_here()),
                       &self->handles[self->i],
                       ((struct asker){ .future = { &asker_ops } })) == 0,
              "a task was spawned");
    for (self->i = 0; self->i < ASKERS; self->i++) {
        AWAIT(self->join, task_join(&self->handles[self->i]));
        self->good += TASK_OUTPUT(&self->handles[self->i], asker)->good;
        task_detach(&self->handles[self->i]);
    }
    ASYNC_END;
}

static const struct future_ops world_ops = ASYNC_OPS(world);

static void run_cell(enum runtime_scheduler scheduler, enum runtime_driver driver)
{
    struct runtime_config config = { .scheduler = scheduler,
                                     .driver = driver,
                                     .workers = scheduler == RUNTIME_CURRENT ? 1 : 2 };
    struct runtime *runtime;
    struct runtime_metrics m;
    struct task_handle handle = { 0 };
    struct world world = { .future = { &world_ops } };
    claim(runtime_create(&runtime, &config) == 0, "a runtime");
    claim(runtime_run(runtime, &world.future, &handle) == 0, "a run");
    claim(TASK_OUTPUT(&handle, world)->good == ASKERS * (ROUNDS + 2), "all answers");
    task_detach(&handle);
    claim(runtime_stop(runtime, NS_PER_S) == 0, "a stop");
    runtime_metrics(runtime, &m);
    say("%-8s %-8s %6llu %7llu %6llu %9llu %9llu", runtime_scheduler_name(runtime),
        runtime_driver_name(runtime), (unsigned long long)m.polls,
        (unsigned long long)m.steals, (unsigned long long)m.parks,
        (unsigned long long)m.syscalls, (unsigned long long)m.blocking_run);
    if (runtime_driver_reason(runtime) && scheduler == RUNTIME_CURRENT)
        say("(%s)", runtime_driver_reason(runtime));
    runtime_destroy(runtime);
}

/* ---- 2 and 3: a dump, and an end */

struct nap_for {
    ASYNC_FRAME;
    uint64_t ms;
    _Atomic int *counter; /* borrows: naps that ended, as they were meant to or not */
    struct sleep nap;
};

static enum poll_state nap_for_poll(struct future *future, struct context *context)
{
    struct nap_for *self = ASYNC_SELF(nap_for, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->nap, sleep_ms(self->ms));
    atomic_fetch_add_explicit(self->counter, self->nap.result == 0 ? 1 : 100,
                              memory_order_relaxed);
    ASYNC_END;
}

static const struct future_ops nap_for_ops = ASYNC_OPS(nap_for);

/* A future that breaks rule F3: it is asked to end, and does not. */
struct deaf {
    struct future future;
    struct waker waker;
};

static enum poll_state deaf_poll(struct future *future, struct context *context)
{
    waker_store(&container_of(future, struct deaf, future)->waker, context);
    return POLL_PENDING;
}

static void deaf_cancel(struct future *future)
{
    (void)future;
}

static const struct future_ops deaf_ops = { "deaf future", sizeof(struct deaf),
                                            .poll = deaf_poll, .cancel = deaf_cancel };

struct stubborn {
    ASYNC_FRAME;
    struct deaf deaf;
};

static enum poll_state stubborn_poll(struct future *future, struct context *context)
{
    struct stubborn *self = ASYNC_SELF(stubborn, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->deaf, ((struct deaf){ .future = { &deaf_ops } }));
    ASYNC_END;
}

static const struct future_ops stubborn_ops = ASYNC_OPS(stubborn);

static void dump_and_stop(void)
{
    _Atomic int naps = 0;
    struct runtime *runtime;
    struct runtime_config config = { .scheduler = RUNTIME_STEAL,
                                     .workers = 2,
                                     .cancel_ns = 300 * NS_PER_MS };
    struct nap_for soon = { .future = { &nap_for_ops }, .ms = 200, .counter = &naps };
    struct nap_for late = { .future = { &nap_for_ops },
                            .ms = 3600000,
                            .counter = &naps };
    claim(runtime_create(&runtime, &config) == 0, "a runtime");
    claim(runtime_spawn_on(runtime, 0, &soon.future, NULL) == 0 &&
              runtime_spawn_on(runtime, 0, &late.future, NULL) == 0 &&
              SPAWN_ON(runtime, 0, NULL,
                       ((struct stubborn){ .future = { &stubborn_ops } })) == 0,
          "three tasks");
    struct timespec moment = { .tv_nsec = 50000000 };
    nanosleep(&moment, NULL);
    say_step("What are they doing? A dump says so (kill -USR1 does the same)");
    runtime_dump(runtime);
    say_look("each line is an await that waits now; nobody had to log anything.");
    say_step("The end, in three phases: 500 ms to finish, then cancel, then names");
    int err = runtime_stop(runtime, 500 * NS_PER_MS);
    int ended = atomic_load_explicit(&naps, memory_order_relaxed);
    say("phase 1: %d nap ended by itself; phase 2: %d was cancelled; phase 3: %s",
        ended % 100, ended / 100, errname(err));
    claim(ended == 101 && err == -ETIMEDOUT, "one finished, one cancelled, one named");
    say_look("the stubborn task, and its line; its memory is leaked on purpose.");
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    dup2(STDOUT_FILENO, STDERR_FILENO); /* dumps go to stderr: keep them in order */
    say_step("One program, six cells");
    say("%-8s %-8s %6s %7s %6s %9s %9s", "mode", "driver", "polls", "steals", "parks",
        "syscalls", "blocking");
    for (int scheduler = RUNTIME_CURRENT; scheduler <= RUNTIME_CORE; scheduler++) {
        run_cell((enum runtime_scheduler)scheduler, RUNTIME_EPOLL);
        run_cell((enum runtime_scheduler)scheduler, RUNTIME_URING);
    }
    say_look("steals come from the scheduler; syscalls and blocking from the driver.");
    dump_and_stop();
    say_next("lesson07_custom/README.md; then see which cell is fastest: make lesson8");
    return 0;
}
