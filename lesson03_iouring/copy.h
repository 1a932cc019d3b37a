/* copy: one file into another, by a loop and by a ring.
 *
 * The loop is read, write, read, write: one thing at a time, two system calls a block.
 * The ring copy is `depth` tasks, each of which takes the next block, reads it and writes
 * it: up to depth operations in flight, many of them handed over in one system call.
 *
 * Ownership: borrows both descriptors. Threads: everything happens on the caller's.
 * Errors: negative errno, with the step that failed in the report. */
#ifndef LESSON03_COPY_H
#define LESSON03_COPY_H

#include <stddef.h>
#include <stdint.h>

struct copy_plan {
    int from, to;   /* borrows; the ring copy needs regular files, `to` empty */
    unsigned depth; /* blocks under way at once; the loop has 1 */
    size_t block;   /* bytes */
};

enum copy_step { COPY_SETUP, COPY_READ, COPY_WRITE, COPY_CHANGED };

struct copy_report {
    enum copy_step step; /* which one failed. COPY_SETUP: the means, not the files; both
                            still stand at their beginning, so that the other copy may
                            be tried */
    uint64_t bytes;      /* written */
    uint64_t calls;      /* system calls that moved or awaited data */
};

int copy_by_loop(const struct copy_plan *plan, struct copy_report *report);
int copy_by_ring(const struct copy_plan *plan, struct copy_report *report);

#endif
