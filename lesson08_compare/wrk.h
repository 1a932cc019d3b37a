/* wrk: the HTTP load generator that everybody knows, driven by the lab.
 *
 * Using a tool that is not ours keeps us honest: our own load generator could share a
 * blind spot with our own servers. It is a closed loop, has no warm-up and does not
 * compare answers; the lab has compared one before. Threads: one. */
#ifndef LESSON08_WRK_H
#define LESSON08_WRK_H

#include <sys/types.h>

#include "lesson08_compare/lab.h"

/* Writes the scripts with which wrk reports its numbers as JSON, and sends several
 * requests at once, into lab->folder. Negative errno. */
int wrk_write_scripts(const struct lab *lab);

/* One run against the server; false after a note. */
bool wrk_measure(struct lab *lab, struct lab_run *run, int port, pid_t server,
                 double *all, uint64_t *load_cpu);

#endif
