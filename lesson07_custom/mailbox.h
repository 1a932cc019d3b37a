/* mailbox: messages from one thread to another, without a lock.
 *
 * A ring of slots, one side writes, the other reads: each index has one writer, so no
 * compare-exchange is needed. In a runtime with a thread a core it is how cores talk; a
 * message of fixed size is copied in and copied out.
 *
 *            tail (written by the sender)          head (written by the receiver)
 *              v                                     v
 *     [ free ][ free ] ... <- sender     [ sent ][ sent ][ sent ] -> receiver
 *
 * What makes it quick: each side keeps the last value that it saw of the other's index
 * and looks again only when that is not enough; and a batch is published by one
 * store. When the receiver sleeps on its core, its waker goes through its scheduler to its
 * parker, which kicks it (bell.h keeps that from being lost).
 *
 * Closing loses nothing: what was sent is received first, then comes -EPIPE. Cancelling
 * loses nothing either: a cancelled receive has taken nothing, a cancelled send has sent
 * nothing.
 *
 * Source: Lamport's single-producer single-consumer queue (1977/83); the seen indices are
 * those of MCRingBuffer (Lee et al. 2010).
 * Ownership: caller-owned memory; owns its slots. Messages are bytes: what they point to
 * changes hands with them. Threads: the sending side from one thread at a time, with any
 * number of tasks on it; the receiving side from one thread at a time, one receive at a
 * time. Errors: negative errno; -EAGAIN full or empty, -EPIPE closed. */
#ifndef LESSON07_MAILBOX_H
#define LESSON07_MAILBOX_H

#include <stdint.h>

#include "common/list.h"
#include "lesson06_worksteal/deque.h" /* CACHE_LINE */
#include "lesson07_custom/bell.h"

struct mailbox {
    /* immutable, but for the two flags, which change once */
    unsigned char *slots; /* owns */
    size_t message_size;  /* bytes */
    uint64_t capacity;    /* slots; a power of two */
    struct bell *arrived; /* borrows: rung for the receiver; own_bell, or shared */
    _Atomic bool sender_closed;
    _Atomic bool receiver_closed;

    /* sending thread; tail is also read by the receiver */
    _Alignas(CACHE_LINE) _Atomic uint64_t tail; /* messages sent, ever */
    uint64_t head_seen;                         /* a lower bound of head */
    struct list senders; /* borrows: sends that wait for room, in their order */

    /* receiving thread; head is also read by the sender */
    _Alignas(CACHE_LINE) _Atomic uint64_t head; /* messages received, ever */
    uint64_t tail_seen;                         /* a lower bound of tail */

    /* any thread */
    _Alignas(CACHE_LINE) struct bell own_bell; /* for the receiver */
    _Alignas(CACHE_LINE) struct bell room;     /* for the first of the senders */
};

/* capacity is rounded up to a power of two. `arrived`: a bell that several mailboxes of
 * one receiver share, borrowed; NULL: one of its own. -EINVAL: capacity or size of 0, or
 * more than memory can have; -ENOMEM. */
int mailbox_init(struct mailbox *mailbox, size_t capacity, size_t message_size,
                 struct bell *arrived);

/* Both sides are done with it (CHECK: nobody waits). Messages that are still inside are
 * lost: take them with mailbox_try_recv first if they own something. Accepts NULL and
 * zeroed. */
void mailbox_finish(struct mailbox *mailbox);

/* ---- sending thread */

/* Copies the message in. 0, -EAGAIN: full, or others wait in line; -EPIPE. */
int mailbox_try_send(struct mailbox *mailbox, const void *message);

/* As many of them as there is room for, made visible at once: their number, or as above. */
int64_t mailbox_try_send_batch(struct mailbox *mailbox, const void *messages,
                               size_t count);

/* Nothing more will be sent. Sends that wait get -EPIPE. */
void mailbox_close_sender(struct mailbox *mailbox);

struct mailbox_send {
    struct future future;
    struct mailbox *mailbox; /* borrows */
    const void *message;     /* borrows until READY */
    struct list link;        /* in senders */
    struct waker waker;      /* owns; while it waits behind another */
    bool queued;
    bool armed; /* the first in line: the room bell has its waker */
    bool cancelled;
    int result; /* output: 0, -EPIPE, or -ECANCELED: not sent */
};

/* Waits while the mailbox is full; several waiting sends go in order. */
struct mailbox_send mailbox_send(struct mailbox *mailbox, const void *message);

/* ---- receiving thread */

/* Copies one message out. 0, -EAGAIN: empty; -EPIPE: closed and empty. */
int mailbox_try_recv(struct mailbox *mailbox, void *message);

/* Copies at most max out: their number (never 0), or as above. */
int64_t mailbox_try_recv_batch(struct mailbox *mailbox, void *messages, size_t max);

/* Nothing more is wanted: sends answer -EPIPE. A send that runs at this moment may still
 * succeed; once the sender is done, try_recv finds what is left. */
void mailbox_close_receiver(struct mailbox *mailbox);

struct mailbox_recv {
    struct future future;
    struct mailbox *mailbox; /* borrows */
    void *messages;          /* borrows until READY: room for max */
    size_t max;
    bool armed;
    bool cancelled;
    int64_t
        result; /* output: messages received (1..max), -EPIPE, or -ECANCELED: none */
};

/* Waits for a message, and takes what is there, at most max. */
struct mailbox_recv mailbox_recv(struct mailbox *mailbox, void *messages, size_t max);

#endif
