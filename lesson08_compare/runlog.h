/* runlog: every finished run is on the disk before the next one begins.
 *
 * A file of lines, each a flat JSON object with a "type": one "lab" (machine, plan), a
 * "contestant" for each, then "run" after "run", and "end" when all were made and saved.
 * Whatever ends a lab, the file can be read up to the last complete line, and the lab be
 * gone on with.
 *
 * Threads: one. Errors: negative errno. */
#ifndef LESSON08_RUNLOG_H
#define LESSON08_RUNLOG_H

#include "lesson08_compare/lab.h"

#define RUNLOG_NAME "runs.jsonl"

/* Begins a log in lab->folder; the steps and offers must stand. */
int runlog_create(struct lab *lab);

/* Opens the log in lab->folder to go on with: cuts off what is incomplete. */
int runlog_reopen(struct lab *lab);

int runlog_add(struct lab *lab, const struct lab_run *run);
int runlog_end(struct lab *lab); /* all runs were made and saved */
void runlog_close(struct lab *lab);

/* Reads a log: the machine, the form, the offers and the runs into `lab`. Runs of rows
 * or contestants that this lab does not know are left out; returns how many. *ended:
 * was the lab complete? (may be NULL) */
int runlog_read(struct lab *lab, const char *path, bool *ended);

/* Looks below lab->results for the newest log that was not ended and has the same plan,
 * machine and programs; makes its folder lab->folder and marks its runs as done. Returns
 * how many it took over; 0 when there is nothing to go on with, and then `why`, a text,
 * says what differed in the newest one that was not ended. Negative errno if nobody
 * knows whether there is one. */
int runlog_resume(struct lab *lab, char why[120]);

/* The folders of labs below lab->results, newest first: how many, each and the array to
 * be freed by the caller. Negative if there is no such folder. */
struct dirent;
int runlog_folders(const struct lab *lab, struct dirent ***found);

/* Is this whole line one of that "type"? */
bool runlog_is(const char *line, const char *type);

#endif
