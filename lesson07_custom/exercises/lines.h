/* lines: a pool of lines to a backend, lent out to queries.
 *
 *     AWAIT(self->query, query(self->lines, 42));
 *     if (self->query.result < 0) ...              // cancelled, or the pool is closed
 *
 * A query waits for an idle line, sends its question, waits for the answer, and hangs
 * up. On a line questions are answered in their order, so a query that gives up after
 * it has asked owes something: its answer still comes, and must not be taken for the
 * answer to the next question on that line.
 *
 * What is promised:
 *   L1  A line is idle or in use by one query, always. When no query is running, all are
 *       idle.
 *   L2  A query's result is the answer to its own question, or a negative errno.
 *   L3  A cancelled query that waits for a line ends at once, and asks nothing. One that
 *       has asked ends with -ECANCELED, or with its answer if that came first; at once, or
 *       at the latest when the backend has answered all that was asked on its line.
 *
 * Ownership: caller-owned memory; owns its channels. The far ends of the lines are the
 * backend's: it receives from questions, and sends to answers. Threads: one; its tasks
 * may be many. Errors: negative errno. */
#ifndef LESSON07_EXERCISES_LINES_H
#define LESSON07_EXERCISES_LINES_H

#include "lesson01_futures/async.h"
#include "lesson07_custom/channel.h"

#define LINES_MOST 8

/* All values are of type int64_t. */
struct line {
    struct channel *questions; /* owns; one value */
    struct channel *answers;   /* owns; one value */
    unsigned owed;             /* asked, and not received yet */
};

struct lines {
    unsigned count;
    struct line line[LINES_MOST];
    struct channel *idle; /* owns; of struct line *: the lines that nobody uses */
};

/* All are idle. -EINVAL: none, or more than LINES_MOST; -ENOMEM. */
int lines_init(struct lines *lines, unsigned count);

/* No query may be running. Accepts zeroed. */
void lines_finish(struct lines *lines);

/* How many are idle. */
size_t lines_idle(struct lines *lines);

/* Gives a line back, when nothing is owed on it any more. */
struct hang_up {
    ASYNC_FRAME;
    struct lines *lines; /* borrows */
    struct line *line;   /* consumes */
    int64_t late;
    struct channel_recv hear;
    struct channel_send give;
};

struct query {
    ASYNC_FRAME;
    struct lines *lines; /* borrows */
    struct line *line;   /* borrowed from the pool while it runs */
    int64_t question;    /* not negative */
    int64_t result;      /* output: the answer, or a negative errno */
    struct channel_recv take;
    struct channel_send ask;
    struct channel_recv hear;
    struct hang_up hang_up;
};

struct query query(struct lines *lines, int64_t question);

#endif
