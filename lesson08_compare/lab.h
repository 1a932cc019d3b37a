/* lab: the words of the comparison.
 *
 * A row is a workload (HTTP with 64 connections), a contestant is a server (a cell of
 * the matrix scheduler x driver, or a baseline without a runtime), a run is one
 * measurement of one contestant in one row, and a round is one run of each contestant.
 * Rounds are interleaved - A B C, B C A, C A B - so that a machine that slows down in
 * the course of minutes slows everybody down.
 *
 * Threads: one. */
#ifndef LESSON08_LAB_H
#define LESSON08_LAB_H

#include <stdbool.h>
#include <stdint.h>

#include "lesson08_compare/machine.h"
#include "lesson08_compare/stats.h"
#include "lesson08_compare/workload.h"

#define LAB_RUNS_MAX 4096

struct lab_contestant {
    const char *name;      /* "steal/epoll" */
    const char *scheduler; /* NULL for a baseline */
    const char *driver;
    const char *program; /* a baseline's program, NULL for a cell of the matrix */
    int baseline;        /* index of the raw loop on the same backend; itself for one */
};

struct lab_row {
    const char *name; /* "echo-64" */
    const char *title;
    enum workload_proto proto;
    unsigned connections;
    unsigned size;
    double of_peak; /* open loop: fraction of the raw epoll loop's peak; 0: closed */
    const char *peak_of; /* open loop: the row with that peak */
    bool burst;          /* open loop: all connections at once */
    bool full_only;      /* not in the short form */
    bool has_limits;     /* the verdict lines look at this row */
};

struct lab_run {
    int row, contestant, round;
    double per_second;
    double cpu_us;   /* the server's, a request */
    double syscalls; /* the server's, a request; < 0: it does not count them */
    double p50_us, p99_us, p999_us, max_us;
    double fair_min, fair_median, fair_max; /* requests a connection; < 0: not known */
    double load_busy;                       /* of the load generator, 0 .. 1 */
    double stolen, others;                  /* of the two CPUs' time, 0 .. 1 */
    double requests;
    double errors;
    double rate;         /* open loop: requests a second asked for */
    const char *tool;    /* "wrk" or "load" */
    const char *problem; /* why this run does not count; NULL if it does. static */
    bool at_limit;       /* the load generator was: the server could have done more */
    int attempts;
};

struct lab {
    struct machine machine;
    char bin[512];     /* the folder of the programs */
    char results[512]; /* the folder for results */
    const char *only;  /* pattern, or NULL */
    bool full;
    bool has_wrk;
    int rounds;
    uint64_t warmup_ms, measure_ms;
    int log; /* owns; where servers' complaints go */
    int run_count;
    int repeats_left; /* disturbed runs may be repeated so many times more */
    struct lab_run runs[LAB_RUNS_MAX];
    char note[256]; /* why the last run failed */
};

extern const struct lab_contestant lab_contestants[];
extern const int lab_contestant_count;
extern const struct lab_row lab_rows[];
extern const int lab_row_count;

/* lab_plan.c: does this contestant's program exist, is this row's run wanted? */
bool lab_present(const struct lab *lab, int contestant, enum workload_proto proto);
bool lab_wanted(const struct lab *lab, int row, int contestant);
double lab_expected_minutes(const struct lab *lab);

/* measure.c: one run. False: it failed, lab->note says why. */
bool lab_measure(struct lab *lab, struct lab_run *run);

/* rounds.c: all runs, in their order. False if interrupted. */
bool lab_run_all(struct lab *lab);

/* report.c: the values of one contestant in one row, and what they say. */
struct spread lab_spread(const struct lab *lab, int row, int contestant,
                         double (*value)(const struct lab_run *run));
double lab_value_per_second(const struct lab_run *run);
void lab_report(const struct lab *lab);

/* record.c: every single run, as CSV and JSON. Negative errno. */
int lab_record(const struct lab *lab);

#endif
