/* watch: the latest value of something, and a way to wait until it changes.
 *
 *     struct watch_reader reader = watch_read_from(watch);
 *     AWAIT(self->change, watch_changed(&self->reader, &self->config));
 *     if (self->change.result == -EPIPE) ...     // no more changes; this was the last
 *
 * For configuration, state, progress: a reader that is slow misses the values in between,
 * never the last one. Each reader keeps its own place.
 *
 * Ownership: caller-owned memory; owns room for one value. Values are bytes, and must own
 * nothing: they are copied to every reader. Readers are plain structs that borrow the
 * watch; nothing is registered until one waits. Threads: any; a reader: one at a time. */
#ifndef LESSON07_WATCH_H
#define LESSON07_WATCH_H

#include "lesson02_wakers/wait_queue.h"

struct watch {
    struct wait_queue queue;
    size_t value_size; /* bytes; immutable */
    /* guarded by queue.lock */
    void *value;      /* owns */
    uint64_t version; /* counts the values */
    bool closed;
};

/* -EINVAL: a value of no size; -ENOMEM. */
int watch_init(struct watch *watch, const void *first, size_t value_size);

/* Nobody may be waiting (CHECK). Accepts NULL and zeroed. */
void watch_finish(struct watch *watch);

/* A new value; everybody who waits is woken. -EPIPE: closed. */
int watch_set(struct watch *watch, const void *value);

/* Copies the latest value. */
void watch_get(struct watch *watch, void *value);

/* There will be no more changes. */
void watch_close(struct watch *watch);

struct watch_reader {
    struct watch *watch; /* borrows */
    uint64_t seen;       /* version */
};

/* A reader that has seen the present value, and waits for the next one. */
struct watch_reader watch_read_from(struct watch *watch);

struct watch_changed {
    struct future future;
    struct watch_reader *reader; /* borrows until READY */
    void *value;                 /* borrows until READY: room for one value */
    struct waiter waiter;
    bool cancelled;
    int result; /* output: 0: a value that this reader has not seen; -EPIPE: there is
                   none, and closed; -ECANCELED: nothing was marked as seen */
};

struct watch_changed watch_changed(struct watch_reader *reader, void *value);

#endif
