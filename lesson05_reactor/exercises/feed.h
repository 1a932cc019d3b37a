/* feed: one descriptor that is read by one task, and the edges that tell of it.
 *
 * Some reactor calls feed_edge once for each edge that the kernel reports; a task reads
 * with AWAIT(self->read, feed_read(&feed, buffer, size)). What the reading itself is
 * stands behind a port: a socket in a program, an array in a test.
 *
 * An edge comes when bytes have arrived, and when the peer has ended its side; both may
 * come as one. The last edge of a feed has `hung_up` set. No edge tells of bytes that
 * were left lying: so a feed remembers that there may be some ("ready") until a try
 * shows that there are none, and a read that finds it ready does not wait (RULES R1,
 * R2).
 *
 * To try in vain costs a system call. A try that brings less than the buffer holds has
 * emptied the stream, and the next read waits without trying, unless the peer has hung
 * up: then the end is still to be read (R12). An edge that comes while a try is going
 * on counts as news, whatever the try brings.
 *
 * Ownership: borrows the port; a read borrows the feed and the buffer. Threads: edges
 * from any; one read at a time, polled by any. */
#ifndef LESSON05_EXERCISES_FEED_H
#define LESSON05_EXERCISES_FEED_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "lesson02_wakers/waker.h"

/* Bytes that were taken (at least one, at most `size`); 0: the end; -EAGAIN: there are
 * none now; another negative errno. Called without any lock; an edge may come while it
 * runs, on this thread as well. */
struct feed_port {
    int (*take)(struct feed_port *port, void *buffer, size_t size);
};

struct feed {
    struct feed_port *port; /* borrows; immutable */
    pthread_mutex_t lock;
    /* guarded by lock */
    bool ready;         /* a try may bring something */
    bool hung_up;       /* the peer has ended its side */
    unsigned edges;     /* how many have come */
    struct waker waker; /* owns; of the read that waits, else empty */
};

/* Not ready: the first edge says so. 0 or negative errno. */
int feed_init(struct feed *feed, struct feed_port *port);

/* No read is in flight. */
void feed_finish(struct feed *feed);

/* Any thread, also one that is inside port->take. */
void feed_edge(struct feed *feed, bool hung_up);

struct feed_read {
    struct future future;
    struct feed *feed; /* borrows */
    void *buffer;      /* borrows */
    size_t size;
    bool cancelled;
    int result; /* output: as take's, never -EAGAIN; or -ECANCELED */
};

struct feed_read feed_read(struct feed *feed, void *buffer, size_t size);

#endif
