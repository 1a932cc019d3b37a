/* base_connection: the steps of one connection of the raw io_uring loop.
 *
 * Split from base_uring.c, which holds the story, because of its length. Threads: the
 * loop's only. */
#ifndef LESSON08_BASE_CONNECTION_H
#define LESSON08_BASE_CONNECTION_H

#include "common/list.h"
#include "lesson08_compare/base.h"
#include "lesson08_compare/base_pool.h"
#include "lesson08_compare/http_min.h"

#define NO_BUFFER UINT16_MAX

/* What a completion is about: the low bits of user_data, the rest is the connection. */
enum base_kind {
    ON_SIGNAL,
    ON_ACCEPT,
    ON_RECEIVE,
    ON_SEND,
    ON_CANCEL,
    ON_SHUTDOWN,
    ON_CLOSE
};
#define KIND_MASK UINT64_C(7)

struct base_connection {
    struct list link;    /* in loop->connections */
    struct list hunger;  /* in loop->starving while there was no buffer for it */
    int fd;              /* owns */
    uint16_t head, tail; /* owns; the queue of filled buffers, NO_BUFFER when empty */
    uint16_t held;       /* buffers in the queue */
    bool receiving;      /* the multishot receive is armed */
    bool cancelling;     /* a cancel of it is in flight */
    bool sending;
    bool shutting; /* a shutdown is in flight */
    bool ended;    /* no more bytes will come: end of stream or an error */
    bool broken;   /* the peer takes no more answers */
    struct http_min http;
    char *out;      /* owns; the answers being sent (http) */
    const char *at; /* borrows from out or from the pool: the rest to send */
    size_t left;    /* bytes */
};

struct base_loop {
    struct base *base; /* borrows */
    struct io_uring ring;
    struct base_pool pool;
    struct list connections, starving;
    unsigned in_flight; /* operations that the kernel has not answered for good */
    bool accept_paused; /* out of descriptors; goes on when one is closed */
    bool leaving;       /* the signal came */
    int failure;        /* negative errno that ends the loop */
    uint16_t next[POOL_BUFFERS];   /* queue links */
    uint16_t filled[POOL_BUFFERS]; /* bytes in each buffer */
};

/* A submission entry; the caller prepares it and then tags it. Never NULL. */
struct io_uring_sqe *base_loop_sqe(struct base_loop *loop);
void base_loop_tag(struct base_loop *loop, struct io_uring_sqe *sqe,
                   struct base_connection *c, enum base_kind kind);

/* Consumes fd; with no memory the connection is closed at once. */
void base_connection_open(struct base_loop *loop, int fd);

/* One completion of the receive, of a send. */
void base_connection_received(struct base_loop *loop, struct base_connection *c,
                              const struct io_uring_cqe *cqe);
void base_connection_sent(struct base_loop *loop, struct base_connection *c,
                          int result);

/* After each completion, and when there are buffers again: the next step. May free c.
 */
void base_connection_advance(struct base_loop *loop, struct base_connection *c);

/* Frees c and gives its buffers back; the descriptor is the caller's then. */
void base_connection_free(struct base_loop *loop, struct base_connection *c);

#endif
