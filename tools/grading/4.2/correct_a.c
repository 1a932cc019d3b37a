/* board: two lines a call, one event loop for all of them.
 *
 * Each line is watched by the poller, level-triggered, with itself as the user pointer. An
 * event says which line has something to read or is over. */
#include "lesson04_epoll/exercises/board.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/container.h"
#include "lesson04_epoll/poller.h"

enum { BATCH = 16 };

enum call_state { CALL_FREE, CALL_TALKING, CALL_OVER };

struct line {
    int fd; /* owns, while the call is talking */
    struct line *other;
    struct call *call;
};

struct call {
    enum call_state state;
    struct line lines[2];
};

struct waiting {
    int left, right; /* owns */
};

struct board {
    struct poller poller;
    unsigned talking;
    struct call calls[BOARD_CALLS];
    unsigned waiting_count;
    struct waiting waiting[BOARD_WAITING]; /* oldest first */
};

static int watch(struct board *board, struct line *line)
{
    return poller_add(&board->poller, line->fd, POLLER_READABLE | POLLER_RDHUP, line);
}

static int begin_call(struct board *board, struct call *call, int left, int right)
{
    struct line *lines = call->lines;
    lines[0] = (struct line){ .fd = left, .other = &lines[1], .call = call };
    lines[1] = (struct line){ .fd = right, .other = &lines[0], .call = call };
    int err = watch(board, &lines[0]);
    if (err)
        return err;
    err = watch(board, &lines[1]);
    if (err) {
        poller_remove(&board->poller, left);
        return err;
    }
    call->state = CALL_TALKING;
    board->talking++;
    return 0;
}

static struct call *free_call(struct board *board)
{
    for (unsigned i = 0; i < BOARD_CALLS; i++)
        if (board->calls[i].state == CALL_FREE)
            return &board->calls[i];
    return NULL;
}

/* Whoever cannot be connected is hung up: nobody is there to be told. */
static void connect_waiting(struct board *board)
{
    struct call *call;
    while (board->waiting_count > 0 && (call = free_call(board)) != NULL) {
        struct waiting next = board->waiting[0];
        board->waiting_count--;
        for (unsigned i = 0; i < board->waiting_count; i++)
            board->waiting[i] = board->waiting[i + 1];
        if (begin_call(board, call, next.left, next.right) != 0) {
            close(next.left);
            close(next.right);
        }
    }
}

static void close_line(struct board *board, struct line *line)
{
    poller_remove(&board->poller, line->fd);
    close(line->fd);
    line->fd = -1;
}

static void hang_up(struct board *board, struct call *call)
{
    close_line(board, &call->lines[0]);
    close_line(board, &call->lines[1]);
    call->state = CALL_OVER;
    board->talking--;
}

/* What was said goes to the other side. */
static void pass_on(struct line *line)
{
    char message[BOARD_MESSAGE];
    ssize_t n;
    while ((n = recv(line->fd, message, sizeof message, MSG_DONTWAIT)) > 0)
        (void)send(line->other->fd, message, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_event(struct board *board, struct line *line, uint32_t events)
{
    if (line->call->state != CALL_TALKING)
        return;
    pass_on(line);
    if (events & (POLLER_RDHUP | POLLER_HUP | POLLER_ERR))
        hang_up(board, line->call);
}

static void free_the_over(struct board *board)
{
    for (unsigned i = 0; i < BOARD_CALLS; i++)
        if (board->calls[i].state == CALL_OVER)
            board->calls[i].state = CALL_FREE;
}

int board_step(struct board *board, int64_t timeout_ns)
{
    struct poller_event events[BATCH];
    int n = poller_wait(&board->poller, events, BATCH, timeout_ns);
    for (int i = 0; i < n; i++)
        on_event(board, poller_event_user(&events[i]), poller_event_bits(&events[i]));
    free_the_over(board);
    connect_waiting(board);
    return n;
}

int board_connect(struct board *board, int left, int right)
{
    struct call *call = free_call(board);
    if (call)
        return begin_call(board, call, left, right);
    if (board->waiting_count == BOARD_WAITING)
        return -EAGAIN;
    board->waiting[board->waiting_count++] = (struct waiting){ left, right };
    return 0;
}

int board_create(struct board **board)
{
    struct board *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    int err = poller_init(&self->poller);
    if (err) {
        free(self);
        return err;
    }
    *board = self;
    return 0;
}

void board_destroy(struct board *board)
{
    if (!board)
        return;
    for (unsigned i = 0; i < board->waiting_count; i++) {
        close(board->waiting[i].left);
        close(board->waiting[i].right);
    }
    board->waiting_count = 0;
    for (unsigned i = 0; i < BOARD_CALLS; i++)
        if (board->calls[i].state == CALL_TALKING)
            hang_up(board, &board->calls[i]);
    poller_finish(&board->poller);
    free(board);
}

unsigned board_calls(const struct board *board)
{
    return board->talking;
}

unsigned board_waiting(const struct board *board)
{
    return board->waiting_count;
}
