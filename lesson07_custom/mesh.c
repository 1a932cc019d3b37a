/* mesh: a square of mailboxes, and one bell a column.
 *
 * Problem: a lane cannot await N mailboxes one after the other, and a bell for each would
 * mean arming N of them. Idea: the mailboxes of a column ring the same bell; whoever
 * hears it looks through the column. Invariant: a receive arms the bell before its last
 * look through the whole column, so a message that it did not see rings (bell.h); and
 * each receive starts to look behind the lane that it served last, so none starves. */
#include "lesson07_custom/mesh.h"

#include <errno.h>
#include <stdlib.h>

#include "common/thread_local.h"

static TLS_DEFINE(char, this_thread); /* only its address counts: one for each thread */

struct mesh_lane {
    _Alignas(CACHE_LINE) struct bell arrived; /* any thread */
    /* the lane's thread only */
    unsigned turn;      /* where to look first */
    const char *thread; /* borrows: its this_thread; NULL before its first receive */
};

struct mesh {
    unsigned lanes;
    struct mailbox *boxes;  /* owns: box [from * lanes + to] */
    struct mesh_lane *lane; /* owns */
};

static struct mailbox *box(struct mesh *mesh, unsigned from, unsigned to)
{
    CHECK(from < mesh->lanes && to < mesh->lanes,
          "a mesh of %u lanes was asked for a mailbox from %u to %u", mesh->lanes, from,
          to);
    return &mesh->boxes[(size_t)from * mesh->lanes + to];
}

static size_t box_count(const struct mesh *mesh)
{
    return (size_t)mesh->lanes * mesh->lanes;
}

/* Zeroed, so that a half-made mesh can be destroyed. */
static int allocate(struct mesh *mesh)
{
    mesh->boxes = aligned_alloc(CACHE_LINE, box_count(mesh) * sizeof(struct mailbox));
    mesh->lane = aligned_alloc(CACHE_LINE, mesh->lanes * sizeof(struct mesh_lane));
    for (size_t i = 0; mesh->boxes && i < box_count(mesh); i++)
        mesh->boxes[i] = (struct mailbox){ 0 };
    for (unsigned i = 0; mesh->lane && i < mesh->lanes; i++)
        mesh->lane[i] = (struct mesh_lane){ 0 };
    return mesh->boxes && mesh->lane ? 0 : -ENOMEM;
}

int mesh_create(struct mesh **mesh, unsigned lanes, size_t capacity,
                size_t message_size)
{
    if (lanes == 0 || lanes > UINT16_MAX)
        return -EINVAL;
    struct mesh *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->lanes = lanes;
    int err = allocate(self);
    for (size_t i = 0; err == 0 && i < box_count(self); i++)
        err = mailbox_init(&self->boxes[i], capacity, message_size,
                           &self->lane[i % lanes].arrived);
    if (err < 0)
        mesh_destroy(self);
    else
        *mesh = self;
    return err;
}

void mesh_destroy(struct mesh *mesh)
{
    if (!mesh)
        return;
    for (size_t i = 0; mesh->boxes && i < box_count(mesh); i++)
        mailbox_finish(&mesh->boxes[i]);
    for (unsigned i = 0; mesh->lane && i < mesh->lanes; i++)
        waker_cell_finish(&mesh->lane[i].arrived.cell);
    free(mesh->boxes);
    free(mesh->lane);
    free(mesh);
}

int mesh_try_send(struct mesh *mesh, unsigned from, unsigned to, const void *message)
{
    return mailbox_try_send(box(mesh, from, to), message);
}

struct mailbox_send mesh_send(struct mesh *mesh, unsigned from, unsigned to,
                              const void *message)
{
    return mailbox_send(box(mesh, from, to), message);
}

void mesh_leave(struct mesh *mesh, unsigned lane)
{
    for (unsigned other = 0; other < mesh->lanes; other++) {
        mailbox_close_sender(box(mesh, lane, other));
        mailbox_close_receiver(box(mesh, other, lane));
    }
}

/* Found late and by luck, but better than messages that are received twice. */
static void check_thread(struct mesh_recv *self)
{
    struct mesh_lane *lane = &self->mesh->lane[self->lane];
    if (!lane->thread)
        lane->thread = &TLS(this_thread);
    CHECK(
        lane->thread == &TLS(this_thread),
        "lane %u of a mesh receives on two threads: a lane is one thread (the workers "
        "of a pool use a channel)",
        self->lane);
}

/* One look through the column. */
static int64_t look(struct mesh_recv *self)
{
    struct mesh *mesh = self->mesh;
    struct mesh_lane *lane = &mesh->lane[self->lane];
    int64_t result = -EPIPE;
    for (unsigned i = 0; i < mesh->lanes; i++) {
        unsigned from = (lane->turn + i) % mesh->lanes;
        int64_t n = mailbox_try_recv_batch(box(mesh, from, self->lane), self->messages,
                                           self->max);
        if (n > 0) {
            self->from = from;
            lane->turn = (from + 1) % mesh->lanes;
            return n;
        }
        if (n == -EAGAIN)
            result = -EAGAIN; /* at least one has not left */
    }
    return result;
}

static enum poll_state recv_poll(struct future *future, struct context *context)
{
    struct mesh_recv *self = container_of(future, struct mesh_recv, future);
    struct bell *arrived = &self->mesh->lane[self->lane].arrived;
    check_thread(self);
    self->result = -ECANCELED;
    if (!self->cancelled) {
        self->result = look(self);
        if (self->result == -EAGAIN) {
            bell_arm(arrived, context);
            self->armed = true;
            self->result = look(self);
        }
        if (self->result == -EAGAIN)
            return POLL_PENDING;
    }
    if (self->armed)
        bell_disarm(arrived);
    return POLL_READY;
}

static void recv_cancel(struct future *future)
{
    container_of(future, struct mesh_recv, future)->cancelled = true;
}

static const struct future_ops mesh_recv_ops = {
    .name = "receive from a mesh",
    .size = FUTURE_SIZE(struct mesh_recv),
    .poll = recv_poll,
    .cancel = recv_cancel,
};

struct mesh_recv mesh_recv(struct mesh *mesh, unsigned lane, void *messages, size_t max)
{
    CHECK(lane < mesh->lanes, "a mesh of %u lanes has no lane %u", mesh->lanes, lane);
    return (struct mesh_recv){ .future = { &mesh_recv_ops },
                               .mesh = mesh,
                               .lane = lane,
                               .messages = messages,
                               .max = max };
}
