/* broadcast: every value to every receiver, and the slow ones are told what they missed.
 *
 *     struct broadcast_reader reader = broadcast_subscribe(broadcast);
 *     AWAIT(self->next, broadcast_recv(&self->reader, &self->line));
 *     if (self->next.missed > 0) ...       // so many were overwritten before we came
 *
 * The last `capacity` values are kept. A sender never waits: when the ring is full, the
 * oldest value goes, whether everybody has read it or not. So one slow receiver can
 * neither stop the senders nor make the memory grow; it loses values, and knows how many.
 *
 * Ownership: caller-owned memory; owns its ring. Values are bytes, and must own nothing:
 * they are copied to every receiver. Readers are plain structs that borrow the broadcast;
 * nothing is registered until one waits. Threads: any; a reader: one at a time. */
#ifndef LESSON07_BROADCAST_H
#define LESSON07_BROADCAST_H

#include "lesson02_wakers/wait_queue.h"

struct broadcast {
    struct wait_queue queue;
    size_t capacity;   /* values; immutable */
    size_t value_size; /* bytes; immutable */
    /* guarded by queue.lock */
    unsigned char *ring; /* owns: value n is in slot n modulo capacity */
    uint64_t sent;       /* values, ever */
    bool closed;
};

/* -EINVAL: capacity or size of 0, or more than memory can have; -ENOMEM. */
int broadcast_init(struct broadcast *broadcast, size_t capacity, size_t value_size);

/* Nobody may be waiting (CHECK). Accepts NULL and zeroed. */
void broadcast_finish(struct broadcast *broadcast);

/* Never waits. -EPIPE: closed. */
int broadcast_send(struct broadcast *broadcast, const void *value);

/* Receivers get what was sent, then -EPIPE. */
void broadcast_close(struct broadcast *broadcast);

struct broadcast_reader {
    struct broadcast *broadcast; /* borrows */
    uint64_t next;               /* number of the value to receive next */
};

/* Receives what is sent from now on. */
struct broadcast_reader broadcast_subscribe(struct broadcast *broadcast);

struct broadcast_recv {
    struct future future;
    struct broadcast_reader *reader; /* borrows until READY */
    void *value;                     /* borrows until READY: room for one value */
    struct waiter waiter;
    bool cancelled;
    uint64_t
        missed; /* output: values between the last one and this one that were lost */
    int result; /* output: 0, -EPIPE, or -ECANCELED: the reader stands where it stood */
};

struct broadcast_recv broadcast_recv(struct broadcast_reader *reader, void *value);

#endif
