/* Exercise 7.1: A mailbox between two cores. What to do stands in 7.1_mailbox.md. */
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

#include "common/todo.h"

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
    /* Yours: as many as fit */
    EXERCISE_TODO("7.1", mailbox, messages, count, is_closed, copy_in);
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
    /* Yours: try, and fall asleep without losing a wake */
    EXERCISE_TODO("7.1", self, context, put);
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
    /* Yours: what is there, at most max */
    EXERCISE_TODO("7.1", mailbox, messages, max, copy_out);
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
    /* Yours: the same for a receive, which may be cancelled */
    EXERCISE_TODO("7.1", self, context);
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
