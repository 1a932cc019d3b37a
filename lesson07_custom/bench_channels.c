/* bench_channels: what a message costs, in CPU nanoseconds (all threads together).
 *
 *     bench_channels [messages a row, default 300000]
 *
 * A message is 16 bytes. "by hand" is try_send and try_recv in a loop, with no task: the
 * bare queue. "tasks" is send and recv awaited, every wait a real one. In "ping-pong" one
 * message goes there and back between two threads that sleep while they wait, so it shows
 * the price of waking a sleeping thread and not that of a queue; a message is one way. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "lesson01_futures/async.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/join.h"
#include "lesson06_worksteal/pool.h"
#include "lesson07_custom/channel.h"
#include "lesson07_custom/mailbox.h"

struct message {
    uint64_t number, sum;
};

#define CAPACITY 256
#define BATCH 16

static uint64_t messages = 300000;

static void must(int err)
{
    CHECK(err >= 0, "the benchmark failed with error %d", err);
}

static struct channel *new_channel(void)
{
    struct channel *channel = NULL;
    struct channel_config config = { .capacity = CAPACITY,
                                     .value_size = sizeof(struct message) };
    must(channel_create(&channel, &config));
    return channel;
}

static struct mailbox *new_mailbox(void)
{
    static struct mailbox boxes[2];
    static unsigned next;
    struct mailbox *box = &boxes[next++ % 2];
    must(mailbox_init(box, CAPACITY, sizeof(struct message), NULL));
    return box;
}

static void drop_channel(struct channel *channel)
{
    channel_drop_sender(channel);
    channel_drop_receiver(channel);
}

/* ---- by hand, one thread */

static void channel_by_hand(void)
{
    struct channel *channel = new_channel();
    struct message message = { 0 };
    for (uint64_t i = 0; i < messages; i++) {
        must(channel_try_send(channel, &message));
        must(channel_try_recv(channel, &message));
    }
    drop_channel(channel);
}

static void mailbox_by_hand(void)
{
    struct mailbox *box = new_mailbox();
    struct message message = { 0 };
    for (uint64_t i = 0; i < messages; i++) {
        must(mailbox_try_send(box, &message));
        must(mailbox_try_recv(box, &message));
    }
    mailbox_finish(box);
}

static void mailbox_in_batches(void)
{
    struct mailbox *box = new_mailbox();
    struct message batch[BATCH] = { 0 };
    for (uint64_t i = 0; i < messages; i += BATCH) {
        must((int)mailbox_try_send_batch(box, batch, BATCH));
        must((int)mailbox_try_recv_batch(box, batch, BATCH));
    }
    mailbox_finish(box);
}

/* ---- tasks */

struct feed {
    ASYNC_FRAME;
    struct channel *channel; /* owns a sender's share */
    uint64_t count, i;
    struct message message;
    struct channel_send send;
};

static enum poll_state feed_poll(struct future *future, struct context *context)
{
    struct feed *self = ASYNC_SELF(feed, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < self->count; self->i++)
        AWAIT(self->send, channel_send(self->channel, &self->message));
    channel_drop_sender(self->channel);
    ASYNC_END;
}

static const struct future_ops feed_ops = ASYNC_OPS(feed);

static struct feed feed(struct channel *channel, uint64_t count)
{
    return (struct feed){ .future = { &feed_ops }, .channel = channel, .count = count };
}

struct eat {
    ASYNC_FRAME;
    struct channel *channel; /* owns the receiving side */
    struct message message;
    struct channel_recv recv;
};

static enum poll_state eat_poll(struct future *future, struct context *context)
{
    struct eat *self = ASYNC_SELF(eat, future);
    ASYNC_BEGIN(self, context);
    do
        AWAIT(self->recv, channel_recv(self->channel, &self->message));
    while (self->recv.result == 0);
    channel_drop_receiver(self->channel);
    ASYNC_END;
}

static const struct future_ops eat_ops = ASYNC_OPS(eat);

static struct eat eat(struct channel *channel)
{
    return (struct eat){ .future = { &eat_ops }, .channel = channel };
}

static void feed_from(struct scheduler *scheduler, struct channel *channel,
                      unsigned senders)
{
    for (unsigned i = 0; i < senders; i++) {
        channel_add_sender(channel);
        must(SPAWN(scheduler, NULL, feed(channel, messages / senders)));
    }
    channel_drop_sender(channel);
}

static void channel_tasks_one_thread(void)
{
    struct executor executor;
    struct channel *channel = new_channel();
    must(executor_init(&executor, NULL));
    must(SPAWN(&executor.scheduler, NULL, eat(channel)));
    feed_from(&executor.scheduler, channel, 1);
    must(executor_run(&executor));
    executor_finish(&executor);
}

static void on_pool(unsigned senders)
{
    struct pool *pool;
    struct channel *channel = new_channel();
    struct pool_config config = { .workers = 2 };
    must(pool_create(&pool, &config));
    feed_from(&pool->scheduler, channel, senders);
    must(pool_run(
        pool, &(struct eat[1]) { eat(channel) } -> future));
    must(pool_stop(pool, -1));
    pool_destroy(pool);
}

static void channel_tasks_on_pool(void)
{
    on_pool(1);
}

static void channel_contended_on_pool(void)
{
    on_pool(8);
}

/* ---- tasks on two threads, an executor each, as on two cores */

struct stream {
    ASYNC_FRAME;
    struct mailbox *box; /* borrows */
    uint64_t i;
    struct message message;
    struct mailbox_send send;
};

static enum poll_state stream_poll(struct future *future, struct context *context)
{
    struct stream *self = ASYNC_SELF(stream, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < messages; self->i++)
        AWAIT(self->send, mailbox_send(self->box, &self->message));
    mailbox_close_sender(self->box);
    ASYNC_END;
}

static const struct future_ops stream_ops = ASYNC_OPS(stream);

struct drain {
    ASYNC_FRAME;
    struct mailbox *box; /* borrows */
    struct message batch[BATCH];
    struct mailbox_recv recv;
};

static enum poll_state drain_poll(struct future *future, struct context *context)
{
    struct drain *self = ASYNC_SELF(drain, future);
    ASYNC_BEGIN(self, context);
    do
        AWAIT(self->recv, mailbox_recv(self->box, self->batch, BATCH));
    while (self->recv.result > 0);
    ASYNC_END;
}

static const struct future_ops drain_ops = ASYNC_OPS(drain);

/* One LOCAL task on a thread of its own, as on a core. */
static void *run_core(void *future)
{
    struct executor executor;
    struct task_handle handle = { 0 };
    must(executor_init(&executor, NULL));
    must(executor_block_on(&executor, future, &handle));
    task_detach(&handle);
    executor_finish(&executor);
    return NULL;
}

static void run_two_cores(struct future *first, struct future *second)
{
    pthread_t thread;
    must(-pthread_create(&thread, NULL, run_core, first));
    run_core(second);
    pthread_join(thread, NULL);
}

static void mailbox_two_cores(void)
{
    struct mailbox *box = new_mailbox();
    struct stream sending = { .future = { &stream_ops }, .box = box };
    struct drain receiving = { .future = { &drain_ops }, .box = box };
    run_two_cores(&sending.future, &receiving.future);
    mailbox_finish(box);
}

static void channel_two_cores(void)
{
    struct channel *channel = new_channel();
    struct feed sending = feed(channel, messages);
    struct eat receiving = eat(channel);
    run_two_cores(&sending.future, &receiving.future);
}

/* ---- ping-pong */

struct player {
    ASYNC_FRAME;
    struct mailbox *in, *out; /* borrows */
    bool serves;
    uint64_t i;
    struct message ball;
    struct mailbox_send send;
    struct mailbox_recv recv;
};

static enum poll_state player_poll(struct future *future, struct context *context)
{
    struct player *self = ASYNC_SELF(player, future);
    ASYNC_BEGIN(self, context);
    if (self->serves)
        AWAIT(self->send, mailbox_send(self->out, &self->ball));
    for (self->i = 0; self->i < messages / 2; self->i++) {
        AWAIT(self->recv, mailbox_recv(self->in, &self->ball, 1));
        AWAIT(self->send, mailbox_send(self->out, &self->ball));
    }
    ASYNC_END;
}

static const struct future_ops player_ops = ASYNC_OPS(player);

static struct player player(struct mailbox *in, struct mailbox *out, bool serves)
{
    return (struct player){
        .future = { &player_ops }, .in = in, .out = out, .serves = serves
    };
}

static void mailbox_ping_pong(void)
{
    struct mailbox *there = new_mailbox(), *back = new_mailbox();
    struct player players[2] = { player(there, back, false),
                                 player(back, there, true) };
    run_two_cores(&players[0].future, &players[1].future);
    mailbox_finish(there);
    mailbox_finish(back);
}

/* ---- the table */

static void row(const char *name, void (*run)(void), uint64_t divisor)
{
    uint64_t all = messages;
    messages = all / divisor / BATCH * BATCH;
    uint64_t start = clock_now();
    uint64_t cpu = clock_process_cpu();
    run();
    cpu = clock_process_cpu() - cpu;
    uint64_t wall = clock_now() - start;
    printf("%-44s %8.1f %8.1f\n", name, (double)cpu / (double)messages,
           (double)wall / (double)messages);
    messages = all;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        messages = strtoull(argv[1], NULL, 10);
    if (messages < 1000) {
        fprintf(stderr, "usage: bench_channels [messages, at least 1000]\n");
        return 2;
    }
    printf("%-44s %8s %8s\n", "nanoseconds a message", "CPU", "wall");
    row("channel, by hand, one thread", channel_by_hand, 1);
    row("mailbox, by hand, one thread", mailbox_by_hand, 1);
    row("mailbox, by hand, one thread, 16 at once", mailbox_in_batches, 1);
    row("channel, tasks, one thread", channel_tasks_one_thread, 1);
    row("channel, tasks, 2 workers, 1 sender", channel_tasks_on_pool, 1);
    row("channel, tasks, 2 workers, 8 senders", channel_contended_on_pool, 1);
    row("channel, tasks, two threads", channel_two_cores, 1);
    row("mailbox, tasks, two threads", mailbox_two_cores, 1);
    row("mailbox, ping-pong, two sleeping threads", mailbox_ping_pong, 10);
    return 0;
}
