/* mailbox: two indices, two writers, and a look again only when it seems full or empty.
 *
 * Problem: two cores that share a lock, or even one counter, pass its cache line back and
 * forth with each message. Idea: the sender alone writes tail, the receiver alone writes
 * head, and each remembers what it last saw of the other's. While that memory says that there
 * is enough room, or enough messages, the two cores share nothing but the slots.
 *
 * Invariants: head <= tail <= head + capacity, both only ever grow (64 bits do not wrap).
 * Slots [head, tail) are the receiver's, all others the sender's; the store of an index
 * hands slots over. head_seen <= head and tail_seen <= tail, so acting on them is safe
 * and at worst too careful.
 *
 * The two index stores are seq_cst although release would do for the slots: after it
 * comes the look at the other side's bell, and a store followed by a load of another word
 * needs that (bell.h). One such store a batch.
 *
 * Waiting sends stand in line on the sending thread; only the first listens to the bell,
 * and whoever leaves the line, sent or cancelled, wakes the next (RULES W9). */
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
    /* seq_cst: pairs with close_side, after bell_arm. That includes acquire: all that was
     * sent before the close is seen by a look at tail that comes after this one. */
    return atomic_load_explicit(flag, memory_order_seq_cst);
}

/* ---- sending */

/* exercise 7.1 { */
static uint64_t room(struct mailbox *mailbox, uint64_t tail, uint64_t wanted)
{
    if (mailbox->capacity - (tail - mailbox->head_seen) < wanted)
        /* seq_cst: pairs with the store in take; its acquire part makes the slots ours */
        mailbox->head_seen = atomic_load_explicit(&mailbox->head, memory_order_seq_cst);
    return mailbox->capacity - (tail - mailbox->head_seen);
}
/* } exercise 7.1 */

static void copy_in(struct mailbox *mailbox, uint64_t at, const unsigned char *from,
                    uint64_t count)
{
    size_t size = mailbox->message_size;
    uint64_t slot = at & (mailbox->capacity - 1);
    uint64_t before_wrap = mailbox->capacity - slot;
    uint64_t first = count < before_wrap ? count : before_wrap;
    memcpy(mailbox->slots + slot * size, from, first * size);
    memcpy(mailbox->slots, from + first * size, (count - first) * size);
}

static int64_t put(struct mailbox *mailbox, const void *messages, size_t count)
{
    /* exercise 7.1 { */
    if (is_closed(&mailbox->receiver_closed) || is_closed(&mailbox->sender_closed))
        return -EPIPE;
    uint64_t tail = atomic_load_explicit(&mailbox->tail, memory_order_relaxed);
    uint64_t n = room(mailbox, tail, count);
    n = count < n ? count : n;
    if (n == 0)
        return -EAGAIN;
    copy_in(mailbox, tail, messages, n);
    /* seq_cst: its release part pairs with the load in available; for the rest bell.h */
    atomic_store_explicit(&mailbox->tail, tail + n, memory_order_seq_cst);
    bell_ring(mailbox->arrived);
    return (int64_t)n;
    /* } exercise 7.1: (mailbox, messages, count, is_closed, copy_in) as many as fit */
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
    /* exercise 7.1 { */
    int64_t n = put(self->mailbox, self->message, 1);
    if (n != -EAGAIN)
        return n < 0 ? (int)n : 0;
    bell_arm(&self->mailbox->room, context);
    self->armed = true;
    n = put(self->mailbox, self->message, 1);
    return n < 0 ? (int)n : 0;
    /* } exercise 7.1: (self, context, put) try, and fall asleep without losing a wake */
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

/* exercise 7.1 { */
static uint64_t available(struct mailbox *mailbox, uint64_t head, uint64_t wanted)
{
    if (mailbox->tail_seen - head < wanted)
        /* seq_cst: pairs with the store in put; its acquire part makes the slots ours */
        mailbox->tail_seen = atomic_load_explicit(&mailbox->tail, memory_order_seq_cst);
    return mailbox->tail_seen - head;
}
/* } exercise 7.1 */

static void copy_out(const struct mailbox *mailbox, uint64_t at, unsigned char *to,
                     uint64_t count)
{
    size_t size = mailbox->message_size;
    uint64_t slot = at & (mailbox->capacity - 1);
    uint64_t before_wrap = mailbox->capacity - slot;
    uint64_t first = count < before_wrap ? count : before_wrap;
    memcpy(to, mailbox->slots + slot * size, first * size);
    memcpy(to + first * size, mailbox->slots, (count - first) * size);
}

int64_t mailbox_try_recv_batch(struct mailbox *mailbox, void *messages, size_t max)
{
    /* exercise 7.1 { */
    uint64_t head = atomic_load_explicit(&mailbox->head, memory_order_relaxed);
    uint64_t n = available(mailbox, head, max);
    if (n == 0) {
        if (!is_closed(&mailbox->sender_closed))
            return -EAGAIN;
        n = available(mailbox, head, max); /* it may have sent just before it closed */
        if (n == 0)
            return -EPIPE;
    }
    n = max < n ? max : n;
    copy_out(mailbox, head, messages, n);
    /* seq_cst: its release part pairs with the load in room; for the rest bell.h */
    atomic_store_explicit(&mailbox->head, head + n, memory_order_seq_cst);
    bell_ring(&mailbox->room);
    return (int64_t)n;
    /* } exercise 7.1: (mailbox, messages, max, copy_out) what is there, at most max */
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
    /* exercise 7.1 { */
    struct mailbox *mailbox = self->mailbox;
    self->result = -ECANCELED;
    if (!self->cancelled) {
        self->result = mailbox_try_recv_batch(mailbox, self->messages, self->max);
        if (self->result == -EAGAIN) {
            bell_arm(mailbox->arrived, context);
            self->armed = true;
            self->result = mailbox_try_recv_batch(mailbox, self->messages, self->max);
        }
        if (self->result == -EAGAIN)
            return POLL_PENDING;
    }
    if (self->armed)
        bell_disarm(mailbox->arrived);
    return POLL_READY;
    /* } exercise 7.1: (self, context) the same for a receive, which may be cancelled */
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
