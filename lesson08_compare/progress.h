/* progress: how far the lab is, on stderr. On a terminal one line that is written over;
 * elsewhere a line now and then. Threads: one. */
#ifndef LESSON08_PROGRESS_H
#define LESSON08_PROGRESS_H

#include "lesson08_compare/lab.h"

struct progress {
    double *seconds;     /* owns; a row and a purpose: the sum of what its runs took */
    int *runs;           /* owns; how many */
    uint64_t said;       /* when the last line was written */
    bool terminal, open; /* open: the cursor is behind a line */
};

int progress_init(struct progress *progress, const struct lab *lab);
void progress_finish(struct progress *progress);

/* A step took so long. */
void progress_note(struct progress *progress, const struct lab_step *step,
                   double seconds);

/* Seconds that the steps which are not done will take, as far as one can know. */
double progress_left(const struct progress *progress, const struct lab *lab);

/* This step is next; says so if it is time to. */
void progress_say(struct progress *progress, const struct lab *lab, int step);

/* Makes room for another message on stderr. */
void progress_pause(struct progress *progress);

#endif
