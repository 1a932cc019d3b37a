/* board: a telephone switchboard.
 *
 * A call has two lines. What is said on one is heard on the other; when one of the two
 * hangs up, the call is over and both lines are closed. The board has room for a few
 * calls; who comes later waits, in order, and is connected when a call is over.
 *
 * A line is a non-blocking socket of type SOCK_SEQPACKET: one recv is one message. What
 * was said before somebody hung up is heard. A message that the other side has no room
 * for is lost.
 *
 * Ownership: the board owns the descriptors of its calls, those that wait included; but
 * somebody else may have a duplicate of one (a forked child has). Threads: one. Errors:
 * negative errno. */
#ifndef EXERCISES_BOARD_H
#define EXERCISES_BOARD_H

#include <stdint.h>

enum { BOARD_CALLS = 2, BOARD_WAITING = 8, BOARD_MESSAGE = 256 };

struct board;

/* 0; -ENOMEM, -EMFILE. */
int board_create(struct board **board);

/* Closes all lines. Accepts NULL. */
void board_destroy(struct board *board);

/* Connects two lines, or lets them wait. -EAGAIN: too many wait; any other error: they
 * cannot be watched. Then the descriptors are still the caller's. */
int board_connect(struct board *board, int left, int right);

/* One wait of at most `timeout_ns` (POLLER_FOREVER), and all that follows from it: when
 * it returns, no call waits while there is room. Returns how many events there were. */
int board_step(struct board *board, int64_t timeout_ns);

unsigned board_calls(const struct board *board);
unsigned board_waiting(const struct board *board);

#endif
