/* mesh: a mailbox from every lane to every lane.
 *
 *     int err = mesh_create(&mesh, runtime_lanes(runtime), 128, sizeof(struct order));
 *     ... on lane `from`:  AWAIT(self->send, mesh_send(mesh, from, to, &self->order));
 *     ... on lane `to`:    AWAIT(self->recv, mesh_recv(mesh, to, self->orders, 16));
 *                          for (i = 0; i < self->recv.result; i++) ...
 *
 * With a thread a core nothing is shared, so a core that needs something of another's
 * asks for it. N x N mailboxes with one sender and one receiver each need no lock; a
 * lane's N incoming ones share one bell, so a lane waits in one place for all of them.
 *
 *            to 0   to 1   to 2
 *     from 0 [    ] [    ] [    ]     row:    what lane 0 sends
 *     from 1 [    ] [    ] [    ]
 *     from 2 [    ] [    ] [    ]     column: what a lane receives; one bell
 *
 * A lane is one thread: current-thread or thread-per-core mode (a receive on another one
 * is a CHECK failure). The workers of a work-stealing pool use a channel (channel.h).
 *
 * Ownership: heap; owns its mailboxes. Threads: each call names the lane whose thread it
 * is made on; create and destroy while no lane uses it. Errors: negative errno. */
#ifndef LESSON07_MESH_H
#define LESSON07_MESH_H

#include "lesson07_custom/mailbox.h"

struct mesh;

/* capacity: messages in each mailbox. -EINVAL, -ENOMEM. */
int mesh_create(struct mesh **mesh, unsigned lanes, size_t capacity,
                size_t message_size);

/* Nobody may be waiting (CHECK). What is still inside is lost. Accepts NULL. */
void mesh_destroy(struct mesh *mesh);

/* ---- on lane `from` */

/* As mailbox_try_send and mailbox_send. From a lane to itself works, too. */
int mesh_try_send(struct mesh *mesh, unsigned from, unsigned to, const void *message);
struct mailbox_send mesh_send(struct mesh *mesh, unsigned from, unsigned to,
                              const void *message);

/* ---- on lane `lane` */

/* This lane sends no more and wants no more: receivers see its end once they have got
 * what it sent, senders to it get -EPIPE. */
void mesh_leave(struct mesh *mesh, unsigned lane);

/* Waits for messages from anybody, and takes what one of them has sent, at most max. The
 * lanes take turns. One receive a lane at a time. */
struct mesh_recv {
    struct future future;
    struct mesh *mesh; /* borrows */
    unsigned lane;
    void *messages; /* borrows until READY: room for max */
    size_t max;
    bool armed;
    bool cancelled;
    unsigned from;  /* output: which lane sent them */
    int64_t result; /* output: messages received (1..max); -EPIPE: every lane has left,
                       and nothing is left; -ECANCELED: none taken */
};

struct mesh_recv mesh_recv(struct mesh *mesh, unsigned lane, void *messages,
                           size_t max);

#endif
