/* record_fields: the columns of a recorded run, in one place for all who write or read
 * them: the run log, the CSV, the JSON.
 *
 * Threads: any. */
#ifndef LESSON08_RECORD_FIELDS_H
#define LESSON08_RECORD_FIELDS_H

#include <stdio.h>

#include "lesson08_compare/lab.h"

/* A real number of struct lab_run; negative when not known. */
struct record_field {
    const char *name;
    size_t offset; /* in struct lab_run */
};

extern const struct record_field record_fields[];
extern const int record_field_count;

double *record_field(struct lab_run *run, int field); /* borrows from run */

/* One run, one contestant, the head, each as one line of JSON with a newline. */
void record_json_head(const struct lab *lab, FILE *out);
void record_json_contestant(const struct lab *lab, int contestant, FILE *out);
void record_json_run(const struct lab *lab, const struct lab_run *run, FILE *out);

/* What identifies a lab: two with the same can be one that was interrupted. */
struct record_key {
    uint64_t plan, machine, programs;
};
struct record_key record_key(const struct lab *lab);

#endif
