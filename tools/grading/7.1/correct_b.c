/* A second solution of exercise 7.1. It remembers nothing of the other side's index and
 * loads it each time; messages are copied one by one; and a side arms its bell first
 * and tries once, where the reference tries before and after. */
#include "lesson07_custom/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- life */

int mailbox_init(struct mailbox *mailbox, size_t capacity, size_t message_size,
                 struct bell *arrived)
{
    *mailbox = (struct mailbox){ 0 };
    if (capacity == 0 || message_size == 0 || capacity > SIZE_MAX / 4 / message_size)
        return -EINVAL;
    uint64_t slots = 1;
    while (slots < capacity)
        slots *= 2;
    mailbox->slots = calloc(slots, message_size);
    if (!mailbox->slots)
        return -ENOMEM;
    mailbox->message_size = message_size;
    mailbox->capacity = slots;
    mailbox->arrived = arrived ? arrived : &mailbox->own_bell;
    list_init(&mailbox->senders);
    return 0;
}

void mailbox_finish(struct mailbox *mailbox)
{
    if (!mailbox || !mailbox->slots)
        return;
    CHECK(list_empty(&mailbox->senders), "a mailbox was finished while a send waits");
    waker_cell_finish(&mailbox->own_bell.cell);
    waker_cell_finish(&mailbox->room.cell);
    free(mailbox->slots);
    mailbox->slots = NULL;
}

/* Closing is a store that the other side may be waiting for, as an index is. */
static void close_side(_Atomic bool *flag, struct bell *bell)
{
    /* seq_cst: pairs with the look after bell_arm */
    atomic_store_explicit(flag, true, memory_order_seq_cst);
    bell_ring(bell);
}

static bool is_closed(const _Atomic bool *flag)
{
    /* seq_cst: pairs with close_side, after bell_arm. That includes acquire: all that
     * was sent before the close is seen by a look at tail that comes after this one. */
    return atomic_load_explicit(flag, memory_order_seq_cst);
}

/* ---- sending */

static unsigned char *slot_of(const struct mailbox *mailbox, uint64_t index)
{
    return mailbox->slots + (index & (mailbox->capacity - 1)) * mailbox->message_size;
}

static int64_t put(struct mailbox *mailbox, const void *messages, size_t count)
{
    const unsigned char *from = messages;
    uint64_t tail = atomic_load_explicit(&mailbox->tail, memory_order_relaxed);
    /* seq_cst: pairs with the store of head in mailbox_try_recv_batch */
    uint64_t limit =
        mailbox->capacity + atomic_load_explicit(&mailbox->head, memory_order_seq_cst);
    uint64_t at = tail;
    if (is_closed(&mailbox->sender_closed) || is_closed(&mailbox->receiver_closed))
        return -EPIPE;
    for (; at < limit && at - tail < count; at++, from += mailbox->message_size)
        memcpy(slot_of(mailbox, at), from, mailbox->message_size);
    if (at == tail)
        return -EAGAIN;
    /* seq_cst: pairs with the load of tail in mailbox_try_recv_batch */
    atomic_store_explicit(&mailbox->tail, at, memory_order_seq_cst);
    bell_ring(mailbox->arrived);
    return (int64_t)(at - tail);
}

int64_t mailbox_try_send_batch(struct mailbox *mailbox, const void *messages,
                               size_t count)
{
    return list_empty(&mailbox->senders) ? put(mailbox, messages, count) : -EAGAIN;
}

int mailbox_try_send(struct mailbox *mailbox, const void *message)
{
    int64_t n = mailbox_try_send_batch(mailbox, message, 1);
    return n < 0 ? (int)n : 0;
}

void mailbox_close_sender(struct mailbox *mailbox)
{
    close_side(&mailbox->sender_closed, mailbox->arrived);
    bell_ring(&mailbox->room);
}

static struct mailbox_send *send_of(struct list *link)
{
    return container_of(link, struct mailbox_send, link);
}

/* READY: nothing of this send stays behind. */
static void leave_line(struct mailbox_send *self)
{
    struct list *line = &self->mailbox->senders;
    bool first = line->next == &self->link;
    if (self->armed)
        bell_disarm(&self->mailbox->room);
    if (!self->queued)
        return;
    list_remove(&self->link);
    waker_drop(&self->waker);
    if (first && !list_empty(line))
        waker_wake(&send_of(line->next)->waker);
}

/* Tries, and tries once more when the bell is armed; -EAGAIN: now it is. */
static int put_or_arm(struct mailbox_send *self, struct context *context)
{
    bell_arm(&self->mailbox->room, context);
    self->armed = true;
    int64_t n = put(self->mailbox, self->message, 1);
    return n > 0 ? 0 : (int)n;
}

static enum poll_state send_poll(struct future *future, struct context *context)
{
    struct mailbox_send *self = container_of(future, struct mailbox_send, future);
    struct list *line = &self->mailbox->senders;
    bool first = list_empty(line) || line->next == &self->link;
    if (self->cancelled)
        self->result = -ECANCELED;
    else
        self->result = first ? put_or_arm(self, context) : -EAGAIN;
    if (self->result != -EAGAIN) {
        leave_line(self);
        return POLL_READY;
    }
    if (!self->queued)
        list_push_back(line, &self->link);
    self->queued = true;
    if (!first)
        waker_store(&self->waker, context);
    return POLL_PENDING;
}

static void send_cancel(struct future *future)
{
    container_of(future, struct mailbox_send, future)->cancelled = true;
}

static const struct future_ops mailbox_send_ops = {
    .name = "send to a mailbox",
    .size = FUTURE_SIZE(struct mailbox_send),
    .poll = send_poll,
    .cancel = send_cancel,
};

struct mailbox_send mailbox_send(struct mailbox *mailbox, const void *message)
{
    return (struct mailbox_send){ .future = { &mailbox_send_ops },
                                  .mailbox = mailbox,
                                  .message = message };
}

/* ---- receiving */

int64_t mailbox_try_recv_batch(struct mailbox *mailbox, void *messages, size_t max)
{
    unsigned char *to = messages;
    uint64_t head = atomic_load_explicit(&mailbox->head, memory_order_relaxed);
    bool closed = is_closed(&mailbox->sender_closed); /* before the look at tail */
    /* seq_cst: pairs with the store of tail in put */
    uint64_t tail = atomic_load_explicit(&mailbox->tail, memory_order_seq_cst);
    uint64_t at = head;
    if (head == tail)
        return closed ? -EPIPE : -EAGAIN;
    for (; at < tail && at - head < max; at++, to += mailbox->message_size)
        memcpy(to, slot_of(mailbox, at), mailbox->message_size);
    /* seq_cst: pairs with the load of head in put */
    atomic_store_explicit(&mailbox->head, at, memory_order_seq_cst);
    bell_ring(&mailbox->room);
    return (int64_t)(at - head);
}

int mailbox_try_recv(struct mailbox *mailbox, void *message)
{
    int64_t n = mailbox_try_recv_batch(mailbox, message, 1);
    return n < 0 ? (int)n : 0;
}

void mailbox_close_receiver(struct mailbox *mailbox)
{
    close_side(&mailbox->receiver_closed, &mailbox->room);
}

static enum poll_state recv_poll(struct future *future, struct context *context)
{
    struct mailbox_recv *self = container_of(future, struct mailbox_recv, future);
    struct bell *bell = self->mailbox->arrived;
    if (!self->cancelled) {
        bell_arm(bell, context);
        self->armed = true;
        self->result = mailbox_try_recv_batch(self->mailbox, self->messages, self->max);
        if (self->result == -EAGAIN)
            return POLL_PENDING;
    } else {
        self->result = -ECANCELED;
    }
    if (self->armed)
        bell_disarm(bell);
    return POLL_READY;
}

static void recv_cancel(struct future *future)
{
    container_of(future, struct mailbox_recv, future)->cancelled = true;
}

static const struct future_ops mailbox_recv_ops = {
    .name = "receive from a mailbox",
    .size = FUTURE_SIZE(struct mailbox_recv),
    .poll = recv_poll,
    .cancel = recv_cancel,
};

struct mailbox_recv mailbox_recv(struct mailbox *mailbox, void *messages, size_t max)
{
    return (struct mailbox_recv){ .future = { &mailbox_recv_ops },
                                  .mailbox = mailbox,
                                  .messages = messages,
                                  .max = max };
}
