/* demo_reactor: one wake on its whole way, then hundreds of connections on both drivers.
 *
 * Every claim is checked where it is made; the program ends with status 1 when one of
 * them did not come true. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/errname.h"
#include "common/say.h"
#include "lesson02_wakers/executor.h"
#include "lesson03_iouring/probe.h"
#include "lesson05_reactor/epoll_source.h"
#include "lesson05_reactor/net.h"
#include "lesson05_reactor/ring_driver.h"
#include "lesson05_reactor/timeout.h"

#define CONNECTIONS 300
#define MESSAGES 20

static void must(bool so, const char *what)
{
    if (so)
        return;
    fprintf(stderr, "this did not happen: %s (%s)\n", what, errtext(errno));
    exit(1);
}

/* ---- 1: one wake */

struct reader {
    ASYNC_FRAME;
    struct io_source *source; /* borrows */
    struct io_op op;
    char byte;
};

static enum poll_state reader_poll(struct future *future, struct context *context)
{
    struct reader *self = ASYNC_SELF(reader, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->op, io_recv(self->source, &self->byte, 1));
    ASYNC_END;
}

static const struct future_ops reader_ops = ASYNC_OPS(reader);

static void look_at(const char *stage, const struct epoll_source *source,
                    const struct task_handle *task)
{
    char where[64];
    const struct direction *reading = &source->directions[READING];
    future_describe(task_future(task->task), where, sizeof where);
    say("%-30s ready %d, tick %u, %s; task %s, %s", stage, direction_is_ready(reading),
        readiness_tick(&reading->readiness),
        direction_is_armed(reading) ? "armed    " : "not armed",
        task_state_name(task->task), task_is_done(task) ? "returned" : where);
}

static void one_wake(void)
{
    static struct reactor reactor;
    struct executor executor;
    struct io_stats stats = { 0 };
    struct task_handle task;
    struct io_source *base = NULL;
    int ends[2];
    must(reactor_init(&reactor, &(struct reactor_config){ 0 }) == 0, "a reactor");
    must(executor_init(&executor, &reactor.parker) == 0, "an executor");
    struct io_services services = { &reactor.driver, &reactor.timers, NULL, &stats };
    const struct io_services *before = io_services_enter(&services);
    must(net_pair(ends) == 0 && io_attach(ends[0], IO_TYPE_STREAM, &base) == 0,
         "a pair");
    const struct epoll_source *source = source_of(base);

    say_step("One wake travels the whole figure");
    must(SPAWN(&executor.scheduler, &task,
               ((struct reader){ .future = { &reader_ops }, .source = base })) == 0,
         "a task");
    executor_run_for(&executor, NS_PER_MS);
    look_at("the task ran, and waits:", source, &task);
    must(direction_is_armed(&source->directions[READING]), "the operation is armed");
    must(write(ends[1], "!", 1) == 1, "a byte is sent");
    look_at("the kernel has an event:", source, &task);
    parker_park(&reactor.parker,
                0); /* epoll_wait, ready bit, waker, SCHEDULED, queue */
    look_at("epoll_wait has reported it:", source, &task);
    must(direction_is_ready(&source->directions[READING]) && executor.inbox.head &&
             !executor.inbox.head->next,
         "a wake");
    must(executor_run(&executor) == 0 && task_is_done(&task), "the task goes on");
    look_at("it was polled again:", source, &task);
    say_look("the edge only set a bit and moved a task; the task itself read the byte");

    io_close_now(base);
    close(ends[1]);
    task_detach(&task);
    io_services_leave(before);
    must(executor_finish(&executor) == 0, "the executor ends");
    reactor_finish(&reactor);
}

/* ---- 2: hundreds of connections, the same source on both drivers */

static struct net_address address;
static struct scheduler *scheduler;
static unsigned answers, open_now, most_open;

struct server {
    ASYNC_FRAME;
    int fd;
    struct io_source *source;
    struct io_op receive, send;
};

static enum poll_state server_poll(struct future *future, struct context *context)
{
    struct server *self = ASYNC_SELF(server, future);
    ASYNC_BEGIN(self, context);
    must(io_attach(self->fd, IO_TYPE_STREAM, &self->source) == 0, "attach");
    most_open = ++open_now > most_open ? open_now : most_open;
    for (;;) {
        AWAIT(self->receive, io_recv_lent(self->source));
        if (self->receive.result <= 0)
            break;
        AWAIT(self->send, io_send(self->source, self->receive.with.bytes.buffer,
                                  (size_t)self->receive.result));
        io_give_back(&self->receive);
    }
    open_now--;
    AWAIT(self->send, io_close(self->source));
    ASYNC_END;
}

static const struct future_ops server_ops = ASYNC_OPS(server);

struct listener {
    ASYNC_FRAME;
    struct io_source *source;
    struct io_op op;
    int left;
};

static enum poll_state listener_poll(struct future *future, struct context *context)
{
    struct listener *self = ASYNC_SELF(listener, future);
    ASYNC_BEGIN(self, context);
    for (self->left = CONNECTIONS; self->left > 0; self->left--) {
        AWAIT(self->op, io_accept(self->source, NULL, NULL));
        must(self->op.result >= 0, "accept");
        must(SPAWN(scheduler, NULL,
                   ((struct server){ .future = { &server_ops },
                                     .fd = self->op.result })) == 0,
             "a task for it");
    }
    AWAIT(self->op, io_close(self->source));
    ASYNC_END;
}

static const struct future_ops listener_ops = ASYNC_OPS(listener);

struct client {
    ASYNC_FRAME;
    unsigned number, round;
    unsigned sent, got;
    struct net_connect connect;
    struct io_op op;
    struct sleep sleep;
};

static enum poll_state client_poll(struct future *future, struct context *context)
{
    struct client *self = ASYNC_SELF(client, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->connect, net_connect(&address));
    must(self->connect.result == 0, "connect");
    for (self->round = 0; self->round < MESSAGES; self->round++) {
        self->sent = self->number * MESSAGES + self->round;
        AWAIT(self->op, io_send(self->connect.source, &self->sent, sizeof self->sent));
        AWAIT(self->op, io_recv(self->connect.source, &self->got, sizeof self->got));
        answers += self->op.result == sizeof self->got && self->got == self->sent;
        if (self->round == 0) /* until everybody is here */
            AWAIT(self->sleep, sleep_ms(50));
    }
    AWAIT(self->op, io_close(self->connect.source));
    ASYNC_END;
}

static const struct future_ops client_ops = ASYNC_OPS(client);

static void echo(struct io_driver *driver, struct timers *timers, struct parker *parker)
{
    struct executor executor;
    struct io_stats stats = { 0 };
    struct io_services services = { driver, timers, NULL, &stats };
    const struct io_services *before = io_services_enter(&services);
    struct io_source *source;
    answers = most_open = 0;
    must(executor_init(&executor, parker) == 0, "an executor");
    scheduler = &executor.scheduler;
    must(net_parse("127.0.0.1:0", &address) == 0, "an address");
    int fd = net_listen(&address, &(struct net_listen_options){ 0 });
    must(fd >= 0 && net_local_address(fd, &address) == 0, "a port");
    must(io_attach(fd, IO_TYPE_LISTENER, &source) == 0, "a listener");
    uint64_t cpu = clock_process_cpu();
    SPAWN(scheduler, NULL,
          ((struct listener){ .future = { &listener_ops }, .source = source }));
    for (unsigned i = 0; i < CONNECTIONS; i++)
        SPAWN(scheduler, NULL,
              ((struct client){ .future = { &client_ops }, .number = i }));
    must(executor_run(&executor) == 0, "everybody is served");
    cpu = clock_process_cpu() - cpu;
    double each = CONNECTIONS * MESSAGES;
    say("%-8s  %u of %u answers right, %u connections at once; an echo: %.1f system "
        "calls, %.1f us of CPU",
        driver->ops->name, answers, CONNECTIONS * MESSAGES, most_open,
        (double)stats.syscalls / each, (double)cpu / 1e3 / each);
    must(answers == CONNECTIONS * MESSAGES, "every answer is right");
    must(executor_finish(&executor) == 0, "the executor ends");
    io_services_leave(before);
}

static void many_connections(void)
{
    static struct reactor reactor;
    static struct ring_driver ring;
    struct ring_probe probe;
    say_step("%d connections, both ends in this process, one thread, one source",
             CONNECTIONS);
    must(reactor_init(&reactor, &(struct reactor_config){ 0 }) == 0, "a reactor");
    echo(&reactor.driver, &reactor.timers, &reactor.parker);
    reactor_finish(&reactor);
    if (ring_probe(&probe) < 0) {
        say("io_uring  skipped: %s", probe.sentence);
        return;
    }
    must(ring_driver_init(&ring, &(struct ring_driver_config){ 0 }) == 0, "a ring");
    echo(&ring.driver, &ring.timers, &ring.parker);
    ring_driver_finish(&ring);
    say_look(
        "the ring batches: one system call submits and reaps for many connections");
}

/* ---- 3: virtual time */

struct patient {
    ASYNC_FRAME;
    struct sleep day;
    struct timeout limit;
};

static enum poll_state patient_poll(struct future *future, struct context *context)
{
    struct patient *self = ASYNC_SELF(patient, future);
    ASYNC_BEGIN(self, context);
    self->day = sleep_ms(24 * 3600 * UINT64_C(1000));
    AWAIT(self->limit, timeout(&self->day.future, 3600 * NS_PER_S));
    ASYNC_END;
}

static const struct future_ops patient_ops = ASYNC_OPS(patient);

static void an_hour(void)
{
    static struct reactor reactor;
    struct virtual_clock clock;
    struct executor executor;
    struct io_stats stats = { 0 };
    say_step("An hour's time-out, in virtual time");
    virtual_clock_init(&clock, 0);
    must(reactor_init(&reactor, &(struct reactor_config){ .clock = &clock }) == 0,
         "a reactor");
    must(executor_init(&executor, &reactor.parker) == 0, "an executor");
    struct io_services services = { &reactor.driver, &reactor.timers, NULL, &stats };
    const struct io_services *before = io_services_enter(&services);
    struct patient patient = { .future = { &patient_ops } };
    struct task_handle handle;
    uint64_t real = clock_now();
    must(executor_block_on(&executor, &patient.future, &handle) == 0, "it ran");
    real = clock_now() - real;
    const struct patient *done = TASK_OUTPUT(&handle, patient);
    say("expired: %s; virtual time: %llu s exactly; real time: %.2f ms",
        done->limit.expired ? "yes" : "no",
        (unsigned long long)(timers_now(&reactor.timers) / NS_PER_S),
        (double)real / 1e6);
    must(done->limit.expired && timers_now(&reactor.timers) == 3600 * NS_PER_S,
         "exactly an hour");
    say_look("nobody had anything to do, so time jumped to the next deadline");
    task_detach(&handle);
    io_services_leave(before);
    must(executor_finish(&executor) == 0, "the executor ends");
    reactor_finish(&reactor);
}

/* Both ends of every connection are ours. */
static void raise_limit(void)
{
    struct rlimit limit;
    must(getrlimit(RLIMIT_NOFILE, &limit) == 0, "a limit");
    if (limit.rlim_cur < limit.rlim_max)
        limit.rlim_cur = limit.rlim_max;
    must(setrlimit(RLIMIT_NOFILE, &limit) == 0, "a higher one");
    must(limit.rlim_cur > 2 * CONNECTIONS + 20, "descriptors for all connections");
}

int main(void)
{
    raise_limit();
    one_wake();
    many_connections();
    an_hour();
    say_next(
        "read lesson05_reactor/README.md, then run chat (in build/bin) and talk to "
        "yourself with nc");
    return 0;
}
