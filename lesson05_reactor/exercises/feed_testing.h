/* feed_testing: a port whose bytes are a string, and which counts what is asked of it.
 * For the tests of exercise 5.3 only.
 *
 * `during`: what happens inside the next try, after it has looked: the place where
 * another thread's edge hurts, without another thread. */
#ifndef LESSON05_EXERCISES_FEED_TESTING_H
#define LESSON05_EXERCISES_FEED_TESTING_H

#include <errno.h>
#include <string.h>

#include "common/container.h"
#include "lesson05_reactor/exercises/feed.h"

struct scripted_port {
    struct feed_port port;
    struct feed *feed; /* borrows */
    const char *bytes; /* borrows; what has arrived and was not taken */
    bool ended;
    unsigned takes;
    void (*during)(struct scripted_port *self); /* once */
};

static inline int scripted_take(struct feed_port *port, void *buffer, size_t size)
{
    struct scripted_port *self = container_of(port, struct scripted_port, port);
    size_t there = strlen(self->bytes);
    size_t n = there < size ? there : size;
    int result = n > 0 ? (int)n : self->ended ? 0 : -EAGAIN;
    self->takes++;
    memcpy(buffer, self->bytes, n);
    self->bytes += n;
    void (*during)(struct scripted_port *) = self->during;
    self->during = NULL;
    if (during)
        during(self);
    return result;
}

/* Bytes arrive (only when nothing is left), and their edge with them. */
static inline void port_receives(struct scripted_port *self, const char *bytes)
{
    self->bytes = bytes;
    feed_edge(self->feed, self->ended);
}

static inline void port_ends(struct scripted_port *self)
{
    self->ended = true;
    feed_edge(self->feed, true);
}

static inline void port_receives_and_ends(struct scripted_port *self, const char *bytes)
{
    self->ended = true;
    port_receives(self, bytes);
}

#endif
