/* server: the way from main to a connection, and back.
 *
 * The root task runs on lane 0. It opens one listener a lane - sharing the port, so that
 * the kernel spreads the connections - spawns an acceptor on each lane, and waits for a
 * signal. The signals are blocked before the first thread is made and read from a
 * signalfd, so that they are a source like any other, and no handler runs anywhere.
 *
 * When the root returns, runtime_stop goes through its phases: listeners and idle
 * connections see the end, requests in progress are answered. */
#include "lesson07_custom/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lesson03_iouring/probe.h"
#include "lesson07_custom/server_options.h"

/* After an accept that failed: it may say the same again at once (RULES R5). */
#define ACCEPT_PAUSE_MS 100

/* ---- acceptor */

struct acceptor {
    ASYNC_FRAME;
    struct server *server; /* borrows */
    int fd;                /* owns until attached */
    struct io_source *listener;
    struct io_op op;
    struct sleep pause;
};

/* Hands a new connection to its protocol; consumes the descriptor. */
static void welcome(struct server *server, int fd)
{
    struct io_source *source;
    if (io_attach(fd, IO_TYPE_STREAM, &source) < 0) {
        close(fd);
        return;
    }
    net_no_delay(fd);
    io_source_drain_at_stop(source);
    if (server->serve(server, source) < 0)
        io_close_now(source);
}

static enum poll_state acceptor_poll(struct future *future, struct context *context)
{
    struct acceptor *self = ASYNC_SELF(acceptor, future);
    ASYNC_BEGIN(self, context);
    /* Without memory for a source: the clients wait in the backlog meanwhile. */
    while (io_attach(self->fd, IO_TYPE_LISTENER, &self->listener) < 0) {
        if (runtime_is_stopping(runtime_here()) || ASYNC_CANCELLED) {
            close(self->fd);
            ASYNC_RETURN;
        }
        AWAIT(self->pause, sleep_ms(ACCEPT_PAUSE_MS));
    }
    io_source_drain_at_stop(self->listener);
    while (!runtime_is_stopping(runtime_here())) {
        AWAIT(self->op, io_accept(self->listener, NULL, NULL));
        if (self->op.result == -ECANCELED || self->op.result == -EINVAL)
            break; /* cancelled, or shut down by the stop */
        if (self->op.result >= 0)
            welcome(self->server, self->op.result);
        else
            AWAIT(self->pause, sleep_ms(ACCEPT_PAUSE_MS));
    }
    AWAIT(self->op, io_close(self->listener));
    ASYNC_END;
}

static const struct future_ops acceptor_ops = ASYNC_OPS(acceptor);

/* ---- root */

struct root {
    ASYNC_FRAME;
    struct server *server;                /* borrows */
    const struct server_options *options; /* borrows */
    struct net_address address;           /* with the port that was chosen */
    int signals;                          /* owns until attached */
    struct io_source *source;
    struct io_op op;
    struct signalfd_siginfo info;
    int result; /* 0 or negative errno */
};

static int start_acceptor(struct root *self, unsigned lane)
{
    struct runtime *runtime = runtime_here();
    struct net_listen_options options = { .reuse_port = runtime_lanes(runtime) > 1 };
    int fd = net_listen(&self->address, &options);
    if (fd < 0)
        return fd;
    int err =
        net_local_address(fd, &self->address); /* port 0: the others take it, too */
    if (err == 0)
        err = SPAWN_ON(runtime, lane, NULL,
                       ((struct acceptor){ .future = { &acceptor_ops },
                                           .server = self->server,
                                           .fd = fd }));
    if (err < 0)
        close(fd);
    return err;
}

/* Listeners that share a port would share it with another server's, too, and the kernel
 * would hand each of us half of the clients. A plain bind says whether somebody is there. */
static int port_is_free(const struct net_address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    int err = bind(fd, &address->any, address->size) < 0 ? -errno : 0;
    close(fd);
    return err;
}

static int start_listeners(struct root *self)
{
    int err = port_is_free(&self->address);
    for (unsigned lane = 0; err == 0 && lane < runtime_lanes(runtime_here()); lane++)
        err = start_acceptor(self, lane);
    return err;
}

static int start_acceptors(struct root *self)
{
    char text[NET_TEXT_MAX];
    int err = start_listeners(self);
    if (err < 0) {
        net_format(&self->address, text, sizeof text);
        fprintf(stderr, "%s: cannot listen on %s: %s\n", self->server->name, text,
                errtext(err));
    }
    return err;
}

static void announce(const struct root *self)
{
    const struct runtime *runtime = runtime_here();
    const char *reason = runtime_driver_reason(runtime);
    char text[NET_TEXT_MAX];
    net_format(&self->address, text, sizeof text);
    if (reason)
        fprintf(stderr, "%s: %s Using epoll instead.\n", self->server->name, reason);
    printf("listening on %s (driver: %s)\n", text, runtime_driver_name(runtime));
    printf("%s scheduler, %u worker(s); end with SIGTERM, kill -USR1 %d prints every "
           "task\n",
           runtime_scheduler_name(runtime), runtime_workers(runtime), (int)getpid());
    fflush(stdout);
}

/* Without its signals nobody could end it: so it ends, and says why. */
static void say_no_signals(const struct root *self)
{
    fprintf(stderr, "%s: cannot wait for signals: %s\n", self->server->name,
            errtext(self->result));
}

static enum poll_state root_poll(struct future *future, struct context *context)
{
    struct root *self = ASYNC_SELF(root, future);
    ASYNC_BEGIN(self, context);
    self->result = io_attach(self->signals, IO_TYPE_ANY, &self->source);
    if (self->result < 0) {
        say_no_signals(self);
        ASYNC_RETURN;
    }
    self->result = start_acceptors(self);
    if (self->result == 0) {
        announce(self);
        AWAIT(self->op,
              io_read(self->source, &self->info, sizeof self->info, IO_NO_OFFSET));
        if (self->op.result < 0) {
            self->result = self->op.result;
            say_no_signals(self);
        }
    }
    io_detach(self->source); /* the descriptor is main's */
    ASYNC_END;
}

static const struct future_ops root_ops = ASYNC_OPS(root);

/* ---- main */

static int block_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    int err = pthread_sigmask(SIG_BLOCK, set, NULL);
    if (err != 0)
        return -err;
    sigset_t dump; /* to the end: one that comes after the runtime shall not kill us */
    sigemptyset(&dump);
    sigaddset(&dump, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &dump, NULL);
    int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

static void print_stats(struct runtime *runtime)
{
    struct runtime_metrics metrics;
    runtime_metrics(runtime, &metrics);
    printf("stats: requests=%llu syscalls=%llu cpu_us=%llu\n",
           (unsigned long long)metrics.counted, (unsigned long long)metrics.syscalls,
           (unsigned long long)(clock_process_cpu() / NS_PER_US));
    fflush(stdout);
}

static int serve_until_signal(struct server *server,
                              const struct server_options *options,
                              struct runtime *runtime, int signals)
{
    struct root root = { .future = { &root_ops },
                         .server = server,
                         .options = options,
                         .address = options->address,
                         .signals = signals };
    struct task_handle handle = { 0 };
    int err = runtime_run(runtime, &root.future, &handle);
    if (err == 0)
        err = TASK_OUTPUT(&handle, root)->result;
    else
        fprintf(stderr, "%s: ends early: %s\n", server->name, errtext(err));
    task_detach(&handle);
    int stopped = runtime_stop(runtime, options->grace_ns);
    if (stopped < 0)
        fprintf(stderr, "%s: not everything ended within the limit\n", server->name);
    if (options->stats)
        print_stats(runtime);
    return err < 0 || stopped < 0 ? 1 : 0;
}

/* One sentence: why there is no runtime. */
static void say_why_not(const struct server *server,
                        const struct runtime_config *config, int err)
{
    struct ring_probe probe;
    const char *why = errtext(err);
    if (err == -EINVAL && runtime_config_problem(config))
        why = runtime_config_problem(config);
    else if (config->driver_required && ring_probe(&probe) < 0)
        why = probe.sentence;
    fprintf(stderr, "%s: cannot start the runtime: %s\n", server->name, why);
}

int server_main(struct server *server, int argc, char **argv)
{
    struct server_options options;
    int status = server_options_parse(&options, server, argc, argv);
    if (status >= 0)
        return status;
    if (server->prepare && !server->prepare(server))
        return 1;
    sigset_t set;
    int signals = block_signals(&set);
    if (signals < 0) {
        fprintf(stderr, "%s: signals: %s\n", server->name, errtext(signals));
        return 1;
    }
    struct runtime *runtime;
    int err = runtime_create(&runtime, &options.runtime);
    if (err < 0) {
        say_why_not(server, &options.runtime, err);
        close(signals);
        return 1;
    }
    status = serve_until_signal(server, &options, runtime, signals);
    runtime_destroy(runtime);
    close(signals);
    return status;
}
