/* chat: a room full of people who type lines, as one task for each of them.
 *
 *     nc 127.0.0.1 7000
 *     /nick ada
 *     hello, everybody
 *
 * The program knows nothing of epoll or io_uring; prog_chat.c makes a driver and runs it.
 * Commands: /nick NAME, /who, /help, /quit. Everything else is said to all others.
 *
 * A member's task waits for two things at once, the next bytes from its person and
 * something to write to it (select_any), and for a third: that it has to go. What is said
 * goes into a queue of CHAT_QUEUE bytes a member; a member whose queue is full is dropped,
 * so that nobody waits for the slowest.
 *
 * Ownership: the room is the caller's and outlives the tasks; the tasks own their
 * connections. Threads: one, the executor's. */
#ifndef LESSON05_CHAT_H
#define LESSON05_CHAT_H

#include "common/list.h"
#include "lesson01_futures/combine.h"
#include "lesson02_wakers/task.h"
#include "lesson02_wakers/waker_cell.h"
#include "lesson05_reactor/io.h"
#include "lesson05_reactor/timeout.h"

#define CHAT_NAME 20  /* longest name */
#define CHAT_LINE 400 /* longest line, in bytes; the rest of a longer one is skipped */
#define CHAT_QUEUE 16384u /* bytes that may wait for one member */

struct chat_room {
    struct scheduler *scheduler; /* borrows: where new members' tasks go */
    struct list members;         /* borrows: linked by their tasks */
    unsigned count;
    unsigned arrivals; /* ever; names the guests */
    bool stopping;
    struct task_handle listener; /* owns, until chat_stop */
};

enum chat_why {
    CHAT_STAYS,
    CHAT_LEAVES,   /* gets what waits for it, then the connection is closed */
    CHAT_TOO_SLOW, /* its queue was full */
    CHAT_LOST,     /* the connection is broken */
};

/* READY when the member has something to write (or has to go). */
struct chat_wait {
    struct future future;
    struct chat_member *member; /* borrows: its own */
    bool for_end;
    bool cancelled;
    int result; /* output: 0 or -ECANCELED */
};

/* An async function: waits for something to write, writes it, and is READY. */
struct chat_writer {
    ASYNC_FRAME;
    struct chat_member *member; /* borrows: its own */
    bool all;                   /* not once, but until nothing is left */
    int result;                 /* output */
    struct chat_wait wait;
    struct io_op send;
};

/* An async function: one person's connection. */
struct chat_member {
    ASYNC_FRAME;
    struct chat_room *room; /* borrows */
    int fd;                 /* owns, until it is attached */
    struct io_source *source;
    struct list link; /* in room->members */
    enum chat_why why;
    char name[CHAT_NAME + 1];
    bool skipping; /* the rest of a line that was too long */
    unsigned in_used;
    char in[CHAT_LINE + 1];
    char *out; /* owns: CHAT_QUEUE bytes, a ring */
    unsigned out_first, out_used;
    struct waker_cell has_output, has_end;
    struct future *set[3]; /* receive, writer, ended */
    struct io_op receive;
    struct chat_writer writer;
    struct chat_wait ended;
    struct select any;
    struct join rest;
    struct timeout limit;
};

/* Starts to accept. Consumes the source when it succeeds. 0, -ENOMEM, -ESHUTDOWN. */
int chat_start(struct chat_room *room, struct scheduler *scheduler,
               struct io_source *listener);

/* Says goodbye to everybody and ends every task, in about a second at most. From the
 * executor's thread, between two polls. */
void chat_stop(struct chat_room *room);

/* ---- between chat.c and chat_room.c */

/* Joins the room under a name of its own and is greeted. */
void chat_enter(struct chat_member *member);

/* Leaves it, and the others are told why. */
void chat_leave(struct chat_member *member);

/* `size` bytes have arrived behind in_used. */
void chat_received(struct chat_member *member, unsigned size);

/* Puts the text into the member's queue, or drops the member. */
void chat_say(struct chat_member *member, const char *format, ...) PRINTF_LIKE(2, 3);

/* The member's task shall end, for this reason unless there is one already. */
void chat_end(struct chat_member *member, enum chat_why why);

#endif
