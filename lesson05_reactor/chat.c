/* chat: the tasks. One listens; one for each connection reads and writes.
 *
 * Problem: a connection waits for its person and for the others at the same time, and
 * neither wait may be given up when the other one ends: a receive that is cancelled and
 * started again for every line that somebody else says would be two system calls for
 * nothing. Idea: select_any leaves the loser in flight. Invariant: when a member's loop
 * ends, cancel_all has brought all three futures of the set to their end, so nothing is in
 * flight on the source when it is closed (C4). */
#include "lesson05_reactor/chat.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/errname.h"
#include "lesson05_reactor/net.h"

#define FLUSH_LIMIT (1 * NS_PER_S) /* for what still waits for a member that leaves */
#define BREATHER_MS UINT64_C(100)  /* before the next accept, when one failed */

/* ---- waiting for something to write, or for the end */

static enum poll_state chat_wait_poll(struct future *future, struct context *context)
{
    struct chat_wait *self = container_of(future, struct chat_wait, future);
    struct chat_member *member = self->member;
    self->result = self->cancelled ? -ECANCELED : 0;
    if (self->cancelled)
        return POLL_READY;
    /* Register, then look (W1). */
    waker_cell_register(self->for_end ? &member->has_end : &member->has_output,
                        context);
    bool ready = self->for_end ? member->why != CHAT_STAYS : member->out_used > 0;
    return ready ? POLL_READY : POLL_PENDING;
}

static void chat_wait_cancel(struct future *future)
{
    container_of(future, struct chat_wait, future)->cancelled = true;
}

static const struct future_ops chat_wait_ops = {
    .name = "chat_wait",
    .size = sizeof(struct chat_wait),
    .poll = chat_wait_poll,
    .cancel = chat_wait_cancel,
};

static struct chat_wait chat_wait(struct chat_member *member, bool for_end)
{
    return (struct chat_wait){ .future = { &chat_wait_ops },
                               .member = member,
                               .for_end = for_end };
}

/* ---- writing */

static struct io_op send_first(struct chat_member *member)
{
    unsigned until_wrap = CHAT_QUEUE - member->out_first;
    unsigned size = member->out_used < until_wrap ? member->out_used : until_wrap;
    return io_send(member->source, member->out + member->out_first, size);
}

/* `moved` is exact even if the send was cancelled half-way. */
static void sent(struct chat_member *member, const struct io_op *op)
{
    member->out_first = (member->out_first + op->moved) % CHAT_QUEUE;
    member->out_used -= op->moved;
}

static enum poll_state chat_writer_poll(struct future *future, struct context *context)
{
    struct chat_writer *self = ASYNC_SELF(chat_writer, future);
    ASYNC_BEGIN(self, context);
    do {
        AWAIT(self->wait, chat_wait(self->member, false));
        self->result = self->wait.result;
        if (self->result < 0)
            ASYNC_RETURN;
        AWAIT(self->send, send_first(self->member));
        sent(self->member, &self->send);
        self->result = self->send.result < 0 ? self->send.result : 0;
    } while (self->all && self->result == 0 && self->member->out_used > 0);
    ASYNC_END;
}

static const struct future_ops chat_writer_ops = ASYNC_OPS(chat_writer);

static struct chat_writer chat_writer(struct chat_member *member, bool all)
{
    return (struct chat_writer){ .future = { &chat_writer_ops },
                                 .member = member,
                                 .all = all };
}

/* ---- one member */

static bool open_member(struct chat_member *self)
{
    self->out = malloc(CHAT_QUEUE);
    if (!self->out || io_attach(self->fd, IO_TYPE_STREAM, &self->source) < 0) {
        free(self->out);
        close(self->fd);
        return false;
    }
    net_no_delay(self->fd);
    waker_cell_init(&self->has_output);
    waker_cell_init(&self->has_end);
    chat_enter(self);
    self->writer = chat_writer(self, false);
    self->ended = chat_wait(self, true);
    self->set[0] = &self->receive.future;
    self->set[1] = &self->writer.future;
    self->set[2] = &self->ended.future;
    return true;
}

static struct io_op receive_more(struct chat_member *self)
{
    return io_recv(self->source, self->in + self->in_used, CHAT_LINE - self->in_used);
}

/* One of the set is done: replaces it by its successor. */
static void go_on(struct chat_member *self)
{
    if (self->any.winner == 0) {
        if (self->receive.result > 0)
            chat_received(self, (unsigned)self->receive.result);
        else /* the end of what it says is no reason to withhold what others said */
            chat_end(self, self->receive.result == 0 ? CHAT_LEAVES : CHAT_LOST);
        self->receive = receive_more(self);
    } else if (self->any.winner == 1) {
        if (self->writer.result < 0)
            chat_end(self, CHAT_LOST);
        self->writer = chat_writer(self, false);
    }
}

static void close_member(struct chat_member *self)
{
    waker_cell_finish(&self->has_output);
    waker_cell_finish(&self->has_end);
    free(self->out);
}

static enum poll_state chat_member_poll(struct future *future, struct context *context)
{
    struct chat_member *self = ASYNC_SELF(chat_member, future);
    ASYNC_BEGIN(self, context);
    if (!open_member(self))
        ASYNC_RETURN;
    self->receive = receive_more(self);
    while (self->why == CHAT_STAYS && !ASYNC_CANCELLED) {
        AWAIT(self->any, select_any(&self->async, self->set, 3));
        go_on(self);
    }
    AWAIT(self->rest, cancel_all(self->set, 3));
    chat_leave(self);
    if (self->why == CHAT_LEAVES && self->out_used > 0) {
        self->writer = chat_writer(self, true);
        AWAIT(self->limit, timeout(&self->writer.future, FLUSH_LIMIT));
    }
    AWAIT_SHIELDED(self->receive, io_close(self->source));
    close_member(self);
    ASYNC_END;
}

static const struct future_ops chat_member_ops = ASYNC_OPS(chat_member);

static struct chat_member chat_member(struct chat_room *room, int fd)
{
    return (
        struct chat_member){ .future = { &chat_member_ops }, .room = room, .fd = fd };
}

/* ---- the listener */

struct chat_listener {
    ASYNC_FRAME;
    struct chat_room *room;     /* borrows */
    struct io_source *listener; /* owns */
    bool complained;            /* said once that there are too many */
    union {
        struct io_op op;
        struct sleep breather;
    };
};

static void welcome(struct chat_listener *self, int fd)
{
    self->complained = false;
    int err = SPAWN(self->room->scheduler, NULL, chat_member(self->room, fd));
    if (err == 0)
        return;
    fprintf(stderr, "chat: somebody was turned away: %s\n", errtext(err));
    close(fd);
}

/* R5: the connection that could not be accepted is still there, and accept would say so
 * again at once. So take a breath; a member may leave meanwhile. */
static void complain(struct chat_listener *self, int err)
{
    if (!self->complained)
        fprintf(stderr, "chat: cannot accept anybody for the moment: %s\n",
                errtext(err));
    self->complained = true;
}

static enum poll_state chat_listener_poll(struct future *future,
                                          struct context *context)
{
    struct chat_listener *self = ASYNC_SELF(chat_listener, future);
    ASYNC_BEGIN(self, context);
    while (!ASYNC_CANCELLED) {
        AWAIT(self->op, io_accept(self->listener, NULL, NULL));
        if (self->op.result >= 0) {
            welcome(self, self->op.result);
        } else if (self->op.result != -ECANCELED) {
            complain(self, self->op.result);
            AWAIT(self->breather, sleep_ms(BREATHER_MS));
        }
    }
    AWAIT_SHIELDED(self->op, io_close(self->listener));
    ASYNC_END;
}

static const struct future_ops chat_listener_ops = ASYNC_OPS(chat_listener);

/* ---- the room's beginning and end */

int chat_start(struct chat_room *room, struct scheduler *scheduler,
               struct io_source *listener)
{
    *room = (struct chat_room){ .scheduler = scheduler };
    list_init(&room->members);
    return SPAWN(scheduler, &room->listener,
                 ((struct chat_listener){ .future = { &chat_listener_ops },
                                          .room = room,
                                          .listener = listener }));
}

void chat_stop(struct chat_room *room)
{
    if (room->stopping)
        return;
    room->stopping = true;
    task_cancel(&room->listener);
    task_detach(&room->listener);
    list_for_each (node, &room->members) {
        struct chat_member *member = container_of(node, struct chat_member, link);
        chat_say(member, "* the server stops; goodbye, %s", member->name);
        chat_end(member, CHAT_LEAVES);
    }
}
