/* callgrind: what counting the instructions of programs and of servers has in common.
 * Threads: one. */
#ifndef LESSON08_CALLGRIND_H
#define LESSON08_CALLGRIND_H

#include "lesson08_compare/command.h"
#include "lesson08_compare/lab.h"

/* Begins a command with valgrind; the path that it will write to is in `file`. */
void callgrind_command(struct command *command, const struct lab *lab, char file[640]);

/* The instructions of the whole process; false if the file does not say. */
bool callgrind_total(const char *file, double *total);

/* A server's instructions from its start to its end, around about n requests; how many
 * were answered is run->ops. False after a note. */
bool callgrind_server(struct lab *lab, struct lab_run *run, uint64_t n, double *total);

#endif
