/* say: how the demos talk.
 *
 * A demo is part of the lesson: it tells a story in under forty lines. Colour is used
 * only when stdout is a terminal and NO_COLOR is unset, and never carries meaning by
 * itself. Output is line-buffered, so that a story stays in order when it is piped.
 * Threads: one line at a time from any thread. */
#ifndef COMMON_SAY_H
#define COMMON_SAY_H

#include <stdbool.h>

#include "common/check.h"

/* A numbered headline: "1. A future that nobody polls does nothing". */
void say_step(const char *format, ...) PRINTF_LIKE(1, 2);

/* An indented line of the story. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);

/* A line that names what to look at; starts with "look:". */
void say_look(const char *format, ...) PRINTF_LIKE(1, 2);

/* The closing line: what to read or do next; starts with "next:". */
void say_next(const char *format, ...) PRINTF_LIKE(1, 2);

/* What a story claims must have happened: else says that it did not, and ends the
 * program with status 1. */
void say_claim(bool holds, const char *what);

#endif
