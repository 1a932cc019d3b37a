/* measure: what all kinds of runs have in common - who else was on the CPUs, and how CPU
 * time splits. Threads: one. */
#ifndef LESSON08_MEASURE_H
#define LESSON08_MEASURE_H

#include "lesson08_compare/lab.h"
#include "lesson08_compare/machine.h"
#include "lesson08_compare/process.h"

struct look_around {
    int cpus[2], count;
    uint64_t start;
    struct machine_time at[2];
};

/* Notes what these CPUs have done so far. */
void measure_look(struct look_around *look, const int cpus[2], int count);

/* What they did since, beyond `ours` ns of CPU time, as run->stolen and run->others. */
void measure_look_again(const struct look_around *look, uint64_t ours,
                        struct lab_run *run);

/* Splits run->cpu_us into user and system as the process's whole life was split. */
void measure_split(struct lab_run *run, struct process_end end);

#endif
