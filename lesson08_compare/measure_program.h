/* measure_program: the parts of a program run that counting instructions needs as well.
 * Threads: one. */
#ifndef LESSON08_MEASURE_PROGRAM_H
#define LESSON08_MEASURE_PROGRAM_H

#include <stddef.h>

#include "lesson08_compare/command.h"
#include "lesson08_compare/lab.h"
#include "lesson08_compare/process.h"

/* The file that rows of reads read. */
void program_file(const struct lab *lab, char path[600]);

/* Adds the program and its options, for run->n. */
void program_command(struct command *command, const struct lab *lab,
                     const struct lab_run *run);

/* Runs it on the row's CPUs; its first line of output. False after a note. */
bool program_run(struct lab *lab, const struct lab_run *run, struct command *command,
                 char *line, size_t size, struct process_end *end);

/* Takes the result; false if it is none. A wrong answer becomes run->problem. */
bool program_take(const struct lab *lab, struct lab_run *run, const char *line);

#endif
