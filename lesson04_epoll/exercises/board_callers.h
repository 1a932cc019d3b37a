/* board_callers: who calls by the board of the tests. Each call has two callers, and
 * each of them the far end of a line. To be included once, by a test program. */
#ifndef EXERCISES_BOARD_CALLERS_H
#define EXERCISES_BOARD_CALLERS_H

#include "common/testing/testing.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lesson04_epoll/exercises/board.h"

static struct board *board;

struct caller {
    int fd;     /* the far end; -1: hung up */
    int number; /* of the board's end, while it is open */
};

struct talk {
    const char *name;
    struct caller left, right;
};

static inline void make_line(struct caller *caller, int *near_end)
{
    int ends[2];
    int flags = SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (socketpair(AF_UNIX, flags, 0, ends) != 0)
        fail_msg("socketpair: errno %d", errno);
    caller->fd = ends[0];
    caller->number = *near_end = ends[1];
}

/* A new call of two callers, which the board connects or lets wait. */
static inline struct talk calls(const char *name)
{
    struct talk talk = { .name = name };
    int left, right;
    make_line(&talk.left, &left);
    make_line(&talk.right, &right);
    int err = board_connect(board, left, right);
    if (err)
        fail_msg("board_connect for the call \"%s\": expected 0, got %d", name, err);
    return talk;
}

static inline void hangs_up(struct caller *caller)
{
    close(caller->fd);
    caller->fd = -1;
}

static inline void says(const struct caller *caller, const char *text)
{
    if (send(caller->fd, text, strlen(text) + 1, MSG_NOSIGNAL) < 0)
        fail_msg("a caller says \"%s\": errno %d, the board has hung up", text, errno);
}

static inline void hears(const struct talk *talk, const struct caller *caller,
                         const char *text)
{
    char heard[BOARD_MESSAGE] = "";
    ssize_t n = recv(caller->fd, heard, sizeof heard, 0);
    if (n == 0)
        fail_msg("call \"%s\": expected to hear \"%s\", but the board has hung up",
                 talk->name, text);
    if (n < 0)
        fail_msg("call \"%s\": expected to hear \"%s\", heard nothing (errno %d)",
                 talk->name, text, errno);
    if (strcmp(heard, text) != 0)
        fail_msg("call \"%s\": expected to hear \"%s\", heard \"%s\"", talk->name, text,
                 heard);
}

/* Has the board hung up on this caller? */
static inline bool is_cut_off(const struct caller *caller)
{
    char heard[BOARD_MESSAGE];
    return recv(caller->fd, heard, sizeof heard, 0) == 0;
}

/* Steps until there is nothing to do. A board that always has something is stuck. */
static inline void run_board(void)
{
    for (int i = 0; i < 100; i++)
        if (board_step(board, 0) == 0)
            return;
    fail_msg("100 steps, and each of them had an event: the board never rests");
}

/* Both can still talk. */
static inline void expect_alive(const struct talk *talk)
{
    if (is_cut_off(&talk->left) || is_cut_off(&talk->right))
        fail_msg("the call \"%s\" was hung up; none of its callers did", talk->name);
    says(&talk->left, "hello");
    run_board();
    hears(talk, &talk->right, "hello");
}

static inline void expect_counts(unsigned talking, unsigned waiting)
{
    if (board_calls(board) != talking || board_waiting(board) != waiting)
        fail_msg("expected %u calls, %u waiting; got %u calls, %u waiting", talking,
                 waiting, board_calls(board), board_waiting(board));
}

static inline int open_board(void **state)
{
    (void)state;
    return board_create(&board);
}

static inline void over(struct talk *talk)
{
    if (talk->left.fd >= 0)
        hangs_up(&talk->left);
    if (talk->right.fd >= 0)
        hangs_up(&talk->right);
}

#endif
