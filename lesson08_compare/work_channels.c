/* work_channels: what a value costs on its way from task to task.
 *
 * round-trip is all waiting (each value wakes somebody), mpsc is all queue (nobody ever
 * waits), mpsc-contended is both, and several senders at one lock. */
#include <stdlib.h>

#include "lesson07_custom/channel.h"
#include "lesson08_compare/work_runtime.h"
#include "lesson08_compare/work_shapes.h"

/* Where all tasks stay on one thread, the kind of channel that is made for that; as the
 * thread-per-core peers take their local ones. */
static struct channel *new_channel(const struct work *work, size_t capacity)
{
    struct channel *channel;
    struct channel_config config = {
        .capacity = capacity,
        .value_size = sizeof(uint64_t),
        .local = work_config(work).scheduler != RUNTIME_STEAL,
    };
    work_must(channel_create(&channel, &config), "channel");
    return channel;
}

/* ---- round-trip */

/* Sends i + 1 back for each i, until the channel there is closed. */
struct adder {
    ASYNC_FRAME;
    struct channel *there; /* owns the receiving side */
    struct channel *back;  /* owns a sender's share */
    uint64_t value;
    struct channel_recv recv;
    struct channel_send send;
};

static enum poll_state adder_poll(struct future *future, struct context *context)
{
    struct adder *self = ASYNC_SELF(adder, future);
    ASYNC_BEGIN(self, context);
    for (;;) {
        AWAIT(self->recv, channel_recv(self->there, &self->value));
        if (self->recv.result < 0)
            break;
        self->value++;
        AWAIT(self->send, channel_send(self->back, &self->value));
        work_must(self->send.result, "send back");
    }
    channel_drop_receiver(self->there);
    channel_drop_sender(self->back);
    ASYNC_END;
}

static struct adder adder(struct channel *there, struct channel *back)
{
    static const struct future_ops adder_ops = ASYNC_OPS(adder);
    return (struct adder){ .future = { &adder_ops }, .there = there, .back = back };
}

struct traveller {
    ASYNC_FRAME;
    struct work *work;     /* borrows */
    struct channel *there; /* owns a sender's share */
    struct channel *back;  /* owns the receiving side */
    uint64_t i, value, sum;
    struct channel_send send;
    struct channel_recv recv;
};

static enum poll_state traveller_poll(struct future *future, struct context *context)
{
    struct traveller *self = ASYNC_SELF(traveller, future);
    ASYNC_BEGIN(self, context);
    work_must(SPAWN_HERE(NULL, adder(self->there, self->back)), "spawn");
    work_begin(self->work);
    for (self->i = 0; self->i < self->work->n; self->i++) {
        AWAIT(self->send, channel_send(self->there, &self->i));
        work_must(self->send.result, "send there");
        AWAIT(self->recv, channel_recv(self->back, &self->value));
        work_must(self->recv.result, "receive");
        self->sum += self->value;
    }
    work_end(self->work, self->work->n, self->sum);
    channel_drop_sender(self->there);
    channel_drop_receiver(self->back);
    ASYNC_END;
}

int work_round_trip(struct work *work)
{
    static const struct future_ops traveller_ops = ASYNC_OPS(traveller);
    return WORK_RUN(work, (struct traveller){ .future = { &traveller_ops },
                                              .work = work,
                                              .there = new_channel(work, 1),
                                              .back = new_channel(work, 1) });
}

/* ---- mpsc */

struct juggler {
    ASYNC_FRAME;
    struct work *work;       /* borrows */
    struct channel *channel; /* owns both sides */
    uint64_t sent, received, value, sum;
    struct channel_send send;
    struct channel_recv recv;
};

static enum poll_state juggler_poll(struct future *future, struct context *context)
{
    struct juggler *self = ASYNC_SELF(juggler, future);
    ASYNC_BEGIN(self, context);
    work_begin(self->work);
    while (self->received < self->work->n) {
        do {
            AWAIT(self->send, channel_send(self->channel, &self->sent));
            work_must(self->send.result, "send");
        } while (++self->sent % WORK_MPSC_BATCH != 0);
        do {
            AWAIT(self->recv, channel_recv(self->channel, &self->value));
            work_must(self->recv.result, "receive");
            self->sum += self->value;
        } while (++self->received % WORK_MPSC_BATCH != 0);
    }
    work_end(self->work, self->work->n, self->sum);
    channel_drop_sender(self->channel);
    channel_drop_receiver(self->channel);
    ASYNC_END;
}

int work_mpsc(struct work *work)
{
    static const struct future_ops juggler_ops = ASYNC_OPS(juggler);
    return WORK_RUN(work,
                    (struct juggler){ .future = { &juggler_ops },
                                      .work = work,
                                      .channel = new_channel(work, WORK_MPSC_BATCH) });
}

/* ---- mpsc-contended */

struct sender {
    ASYNC_FRAME;
    struct channel *channel; /* owns a sender's share */
    uint64_t value, end;
    struct channel_send send;
};

static enum poll_state sender_poll(struct future *future, struct context *context)
{
    struct sender *self = ASYNC_SELF(sender, future);
    ASYNC_BEGIN(self, context);
    for (; self->value < self->end; self->value += WORK_MPSC_SENDERS) {
        AWAIT(self->send, channel_send(self->channel, &self->value));
        work_must(self->send.result, "send");
    }
    channel_drop_sender(self->channel);
    ASYNC_END;
}

static void spawn_senders(struct channel *channel, uint64_t end)
{
    static const struct future_ops sender_ops = ASYNC_OPS(sender);
    for (uint64_t i = 0; i < WORK_MPSC_SENDERS; i++) {
        channel_add_sender(channel);
        work_must(SPAWN_HERE(NULL, (struct sender){ .future = { &sender_ops },
                                                    .channel = channel,
                                                    .value = i,
                                                    .end = end }),
                  "spawn");
    }
    channel_drop_sender(channel);
}

struct receiver {
    ASYNC_FRAME;
    struct work *work;       /* borrows */
    struct channel *channel; /* owns both sides */
    uint64_t value, sum;
    struct channel_recv recv;
};

static enum poll_state receiver_poll(struct future *future, struct context *context)
{
    struct receiver *self = ASYNC_SELF(receiver, future);
    ASYNC_BEGIN(self, context);
    work_begin(self->work);
    spawn_senders(self->channel, self->work->n);
    for (;;) {
        AWAIT(self->recv, channel_recv(self->channel, &self->value));
        if (self->recv.result < 0)
            break;
        self->sum += self->value;
    }
    work_end(self->work, self->work->n, self->sum);
    channel_drop_receiver(self->channel);
    ASYNC_END;
}

int work_mpsc_contended(struct work *work)
{
    static const struct future_ops receiver_ops = ASYNC_OPS(receiver);
    return WORK_RUN(work, (struct receiver){
                              .future = { &receiver_ops },
                              .work = work,
                              .channel = new_channel(work, WORK_CONTENDED_CAPACITY) });
}
