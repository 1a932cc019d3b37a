/* oneshot: one value, handed over once, from one owner to another.
 *
 * Two ends share a small block of memory. The sender sends or gives up; the receiver waits,
 * or closes its end first. Tasks, threads and any mixture of them may hold the ends.
 *
 *               send                      receive
 *     EMPTY -----------> SENT ----------------------> TAKEN
 *       |  close                 (also when the receiver is dropped: disposed of)
 *       +--------------> CLOSED        send answers -EPIPE and the value stays yours
 *       |  sender dropped
 *       +--------------> GONE          receive answers -EPIPE
 *
 * EMPTY is left by one compare-exchange, which has one winner. So close against send
 * loses nothing (RULES W11): either the value was SENT, and a receive after the close
 * still gets it, or it was not, and the sender is told so.
 *
 * Ownership: each end owns its share of the block and is used up by send or drop; {0} is
 * an empty end, move it, do not copy it. The value is owned by the sender until send
 * returned 0, then by the block, then by whoever received it. Threads: each end by one
 * at a time; both ends of a local one by the same. */
#ifndef LESSON02_ONESHOT_H
#define LESSON02_ONESHOT_H

#include "lesson02_wakers/waker.h"

struct oneshot;

struct oneshot_sender {
    struct oneshot *shared; /* shares */
};

struct oneshot_receiver {
    struct oneshot *shared; /* shares */
};

/* dispose (may be NULL) is told of a value that was sent and will never be received.
 * 0 or -ENOMEM. */
int oneshot_create(struct oneshot_sender *sender, struct oneshot_receiver *receiver,
                   void (*dispose)(void *value));

/* The same for two ends on one thread: nothing in it is atomic. Which thread that is, it
 * cannot check. */
int oneshot_create_local(struct oneshot_sender *sender,
                         struct oneshot_receiver *receiver,
                         void (*dispose)(void *value));

/* 0: consumes value and sender. -EPIPE: the receiver closed; the sender is used up, the
 * value is still the caller's. */
int oneshot_send(struct oneshot_sender *sender, void *value);

/* Would a send be refused? A moment's truth: false may be out of date. */
bool oneshot_is_closed(const struct oneshot_sender *sender);

/* Gives up without sending: the receiver gets -EPIPE. Accepts an empty end. */
void oneshot_sender_drop(struct oneshot_sender *sender);

/* Refuses sends from now on. A value that was sent before can still be received. */
void oneshot_close(struct oneshot_receiver *receiver);

/* Closes, disposes of a value that was not received. Accepts an empty end. No receive
 * may be in flight. */
void oneshot_receiver_drop(struct oneshot_receiver *receiver);

/* 0 and *value; -EAGAIN: not sent yet; -EPIPE: nothing will come (any more). */
int oneshot_try_receive(struct oneshot_receiver *receiver, void **value);

struct oneshot_receive {
    struct future future;
    struct oneshot_receiver *receiver; /* borrows */
    bool cancelled;
    bool registered; /* its waker may be in the block */
    int result;  /* output: 0, -EPIPE, or -ECANCELED: the value stays to be received */
    void *value; /* output, when result is 0: the caller owns it */
};

/* One at a time. */
CONSTRUCTOR struct oneshot_receive oneshot_receive(struct oneshot_receiver *receiver);

#endif
