/* desk: reads pages of a file for readers who may change their minds.
 *
 * A desk has a few buffers. Whoever wants a page asks for it; the read goes to the
 * kernel, and when it is over the reader is called, once. A reader who loses interest
 * gives up: the desk asks the kernel to stop. That may help or not; the reader is
 * called in any case.
 *
 *     desk_read --SQE--> in flight --its own completion--> done(bytes, result)
 *                         |                                  ^
 *                         +--desk_give_up: a cancel ---------+
 *
 * Requests are written to SQEs that the owner of the ring hands out, and their
 * completions come back through ring_op_deliver, as in ring.c.
 *
 * Ownership: a buffer belongs to the kernel while its read is in flight, and to the
 * reader while `done` runs. Threads: one. */
#ifndef EXERCISES_DESK_H
#define EXERCISES_DESK_H

#include "lesson03_iouring/ring_op.h"

enum { DESK_BUFFERS = 2, DESK_BYTES = 64 };

/* The end of a read: how many bytes are there, or a negative errno. -ECANCELED: the
 * kernel stopped it. A read that was given up may have succeeded all the same. The
 * bytes are the reader's until it returns; it may ask for another page. */
typedef void desk_done(void *argument, const char *bytes, int result);

/* The next SQE, empty; NULL: there is none at the moment. */
typedef struct io_uring_sqe *desk_get_sqe(void *argument);

struct desk;

/* NULL: no memory. */
struct desk *desk_create(desk_get_sqe *get_sqe, void *argument);

/* Every completion of the desk's SQEs has been delivered. Accepts NULL. */
void desk_destroy(struct desk *desk);

/* Asks for DESK_BYTES bytes at `offset`. A number, which names the read until its
 * `done` is called; or -EAGAIN: all buffers are in use, or there is no SQE. */
int desk_read(struct desk *desk, int fd, uint64_t offset, desk_done *done,
              void *argument);

/* Nobody waits for it any more. A second time it does nothing; nor when there is no
 * SQE: the read goes on then. */
void desk_give_up(struct desk *desk, int number);

#endif
