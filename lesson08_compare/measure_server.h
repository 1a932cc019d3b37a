/* measure_server: the parts of a server run that counting instructions needs as well.
 * Threads: one. */
#ifndef LESSON08_MEASURE_SERVER_H
#define LESSON08_MEASURE_SERVER_H

#include "lesson08_compare/command.h"
#include "lesson08_compare/lab.h"
#include "lesson08_compare/process.h"

/* Adds the server and its options. */
void server_command(struct command *command, const struct lab *lab,
                    const struct lab_run *run);

/* The port that it says it listens on; negative errno. */
int server_port(struct process *server, uint64_t deadline);

/* One request, to see that the contestant does this work at all. False after a note. */
bool server_answers(struct lab *lab, const struct lab_row *row, int port);

/* A new command: the load generator, with what the row asks for; how long is not said. */
void server_load_command(struct command *command, const struct lab *lab,
                         const struct lab_row *row, int port);

#endif
