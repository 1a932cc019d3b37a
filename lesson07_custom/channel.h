/* channel: a queue of values between tasks, from many senders to whoever receives.
 *
 *     struct channel *channel;
 *     int err = channel_create(&channel, &(struct channel_config){
 *         .capacity = 64, .value_size = sizeof(struct job) });
 *     ... AWAIT(self->send, channel_send(self->channel, &self->job)); ...
 *     channel_drop_sender(self->channel);                        // I send no more
 *     ... AWAIT(self->recv, channel_recv(self->channel, &self->job));
 *         if (self->recv.result == -EPIPE) break; ...            // and nobody else does
 *     channel_drop_receiver(self->channel);
 *
 * Bounded, a full channel makes its senders wait: back-pressure, the sender runs at the
 * receiver's speed. Unbounded, it grows until memory is out (-ENOMEM).
 *
 * What is guaranteed:
 *   - Values of one sender arrive in its order. Each value goes to one receive.
 *   - Closing loses nothing that was sent: the receiver gets it, then -EPIPE.
 *   - Cancelling loses nothing: a cancelled send that reports -ECANCELED was not sent,
 *     one that reports 0 was; a cancelled receive has taken nothing, and if it had been
 *     woken for a value, the next receiver in line is woken for it (RULES W9).
 *
 * Ownership: heap, shared by count: each sender and the receiving side hold one share,
 * the last to be given up frees it. Values are bytes; what they point to changes hands
 * with them. Threads: any; a LOCAL channel's: one. Errors: negative errno; -EPIPE: closed. */
#ifndef LESSON07_CHANNEL_H
#define LESSON07_CHANNEL_H

#include "lesson02_wakers/wait_queue.h"

struct channel_config {
    size_t capacity;           /* values; 0: unbounded */
    size_t value_size;         /* bytes */
    bool local;                /* only one thread's tasks use it, which is checked: no
                                  lock, no atomics (for core and current) */
    void (*drop)(void *value); /* releases what a value owns that nobody will receive;
                                  any thread, no lock held. NULL: it owns nothing */
};

struct channel;

/* A channel with one sender and its receiving side. -EINVAL, -ENOMEM. */
int channel_create(struct channel **channel, const struct channel_config *config);

/* One sender more; call it while you hold a share yourself. */
void channel_add_sender(struct channel *channel);

/* Gives a sender's share up; no send of it may be waiting. The last one closes. */
void channel_drop_sender(struct channel *channel);

/* The receiving side wants no more: sends answer -EPIPE, also those that wait; what was
 * sent before can still be received. */
void channel_close(struct channel *channel);

/* Closes, drops the values that are left, and gives the receiving side's share up. */
void channel_drop_receiver(struct channel *channel);

/* Copies the value in. 0, -EAGAIN: full; -EPIPE; -ENOMEM (unbounded). */
int channel_try_send(struct channel *channel, const void *value);

/* Copies the oldest value out. 0, -EAGAIN: empty; -EPIPE: closed and empty. */
int channel_try_recv(struct channel *channel, void *value);

/* Values inside; a moment's truth. */
size_t channel_length(struct channel *channel);

struct channel_send {
    struct future future;
    struct channel *channel; /* borrows the caller's share */
    const void *value;       /* borrows until READY */
    struct waiter waiter;    /* in line while the channel is full */
    bool cancelled;
    int result; /* output: 0, -EPIPE, -ENOMEM; -ECANCELED: not sent */
};

/* Waits while the channel is full; waiting sends go in order. */
CONSTRUCTOR struct channel_send channel_send(struct channel *channel,
                                             const void *value);

struct channel_recv {
    struct future future;
    struct channel *channel; /* borrows the caller's share */
    void *value;             /* borrows until READY: room for one value */
    struct waiter waiter;    /* in line while the channel is empty */
    bool cancelled;
    int result; /* output: 0, -EPIPE: closed and empty; -ECANCELED: nothing taken */
};

CONSTRUCTOR struct channel_recv channel_recv(struct channel *channel, void *value);

#endif
