/* lab: the words of the comparison.
 *
 * A row is a workload (HTTP with 64 connections; a million tasks spawned), a contestant
 * is who does it (a cell of the matrix scheduler x driver, a baseline without a runtime,
 * a peer), a run is one measurement of one contestant in one row, and a round is one run
 * of each contestant. Rounds are interleaved - A B C, B C A, C A B - so that a machine
 * that slows down in the course of minutes slows everybody down.
 *
 * Two kinds of rows are measured. In a server row the contestant serves and a load
 * generator on another CPU asks. In a program row the contestant does the work itself and
 * prints one line of JSON (WORKLOADS.md). A third kind, the static row, weighs what a
 * runtime is before it runs: compile time, size, lines.
 *
 * Three purposes of a run, never mixed: timed runs, runs that count system calls (which
 * slows them), runs that count instructions (under valgrind).
 *
 * Threads: one. */
#ifndef LESSON08_LAB_H
#define LESSON08_LAB_H

#include <stdbool.h>
#include <stdint.h>

#include "lesson08_compare/machine.h"
#include "lesson08_compare/stats.h"
#include "lesson08_compare/workload.h"

enum lab_kind { LAB_CELL, LAB_BASELINE, LAB_PEER, LAB_LIMIT };

struct lab_contestant {
    const char *name; /* "steal/epoll" */
    enum lab_kind kind;
    const char *scheduler; /* of a cell, else NULL */
    const char *driver;    /* "epoll" or "uring": which raw loop it is compared with */
    const char *server; /* a baseline's server, else NULL: a cell has two, below, and a
                              peer's program serves as well */
    const char *echo, *web; /* a cell's servers; NULL: it does not take part */
    const char *program;    /* who speaks WORKLOADS.md, NULL for a baseline */
    const char *mode;       /* what its --mode is */
    int baseline;           /* index of the raw loop on the same backend */
    bool many;              /* takes part in rows with more than one worker */
    bool uncountable;       /* valgrind, which counts instructions, does not run it */
    const char *product; /* what the static rows weigh it as, NULL: somebody else's */
};

enum lab_row_kind { LAB_SERVER, LAB_PROGRAM, LAB_STATIC };

/* What a program row is decided by; the first column of its table. */
enum lab_metric { LAB_BY_CPU, LAB_BY_WALL, LAB_BY_P50, LAB_BY_P99, LAB_BY_BYTES };

struct lab_row {
    const char *name; /* "echo-64", "spawn-2w" */
    const char *title;
    enum lab_row_kind kind;
    bool full_only;              /* not in the short form */
    uint64_t count_n1, count_n2; /* sizes for counting instructions (of a server:
                                    requests); 0: not counted */

    /* server rows */
    enum workload_proto proto;
    unsigned connections;
    unsigned size;
    double of_peak; /* open loop: fraction of the raw epoll loop's peak; 0: closed */
    const char *peak_of; /* open loop: the row with that peak */
    bool burst;          /* open loop: all connections at once */
    unsigned pipeline;   /* requests sent at once, by wrk only; 0: one */
    bool own_load;   /* HTTP closed loop by our load generator, also if wrk is there */
    bool has_limits; /* the verdict lines look at this row */

    /* program rows */
    const char *group;    /* "scheduler", "io" ...: tables that belong together */
    const char *workload; /* the name in WORKLOADS.md */
    const char *op;       /* what one operation is called */
    enum lab_metric metric;
    uint64_t n_short, n_full;
    unsigned workers;
    unsigned threads; /* remote-spawn; 0: no such option */
    unsigned depth;   /* read; 0: no such option */
    bool needs_file, direct;
    bool both_cpus; /* may use the server's and the load generator's CPU */
};

enum lab_purpose { LAB_TIMED, LAB_SYSCALLS, LAB_INSTRUCTIONS };

#define LAB_EXTRAS 16

struct lab_number {
    char name[28];
    double value;
};

/* What is not known is negative. Per operation: in a server row an operation is a
 * request, in a program row what the row says. */
struct lab_run {
    int row, contestant, round;
    enum lab_purpose purpose;
    double ops;             /* operations in the measured time */
    double wall_ns, cpu_ns; /* the measured time, the contestant's CPU time in it */
    double per_second;      /* operations */
    double cpu_us;          /* the contestant's, an operation */
    double user_us, sys_us; /* the two parts of it */
    double syscalls;        /* an operation */
    double instructions;    /* an operation */
    double bytes;           /* an operation (program rows that measure memory) */
    double p50_us, p99_us, p999_us, max_us;
    double fair_min, fair_median, fair_max; /* requests a connection */
    double load_busy;                       /* of the load generator, 0 .. 1 */
    double stolen, others;                  /* of the CPUs' time, 0 .. 1 */
    double errors;
    double rate;         /* open loop: requests a second asked for; 0: closed */
    double took_s;       /* the whole run, with start, stop and repetitions */
    uint64_t n, check;   /* program rows */
    char tool[12];       /* "wrk", "load", "program", "callgrind", "weigh" */
    char counted_by[12]; /* syscalls: "kernel", "strace" or "itself"; "" if not */
    char problem[120];   /* why this run does not count; "" if it does */
    bool at_limit;       /* the load generator was: the server could have done more */
    int attempts;
    int extra_count; /* numbers that only this workload has, by name */
    struct lab_number extra[LAB_EXTRAS];
};

/* One run that is to be made. */
struct lab_step {
    int row, contestant, round;
    enum lab_purpose purpose;
    bool done;
};

/* What a contestant's program said when it was asked. */
struct lab_offer {
    bool asked;
    char version[64];
    char problem[120];    /* why it is not there; "" if it is */
    char workloads[1024]; /* " spawn yield echo ", with spaces around each */
};

#define LAB_CONTESTANTS_MAX 64

struct lab {
    struct machine machine;
    char bin[512];        /* the folder of our programs */
    const char *programs; /* the same as an option; NULL: the lab's own */
    char peers[540];      /* the folder of the peers' programs */
    char results[512];    /* the folder for all labs */
    char folder[600];     /* the folder for this one, below it */
    const char *only;     /* pattern, or NULL */
    const char *weigh;    /* the program for static rows, or NULL */
    bool full;
    bool instructions; /* count them, where valgrind is there */
    bool has_wrk;
    int rounds;
    int few_rounds; /* of a row on which no verdict hangs; 0: as many as the others */
    uint64_t warmup_ms, measure_ms;
    uint64_t limit_ms;   /* a program that takes longer is ended */
    uint64_t file_bytes; /* of the file for reads */
    int log;             /* owns; where contestants' complaints go; -1: ours */
    int runlog;          /* owns; where each finished run goes at once; -1: nowhere */
    char no_uring[320];  /* why io_uring cannot be used here; "" if it can */
    struct lab_offer offers[LAB_CONTESTANTS_MAX];
    struct lab_step *steps; /* owns */
    int step_count;
    struct lab_run *runs; /* owns */
    int run_count, run_room;
    int repeats_left; /* disturbed runs may be repeated so many times more */
    char note[256];   /* why the last run failed */
};

/* lab_contestants.c, lab_rows.c */
extern const struct lab_contestant lab_contestants[];
extern const int lab_contestant_count;
extern const struct lab_row lab_rows[];
extern const int lab_row_count;

/* -1 if there is none of that name. */
int lab_row_named(const char *name);
int lab_contestant_named(const char *name);

/* offers.c: asks the programs of the contestants that are wanted what they offer, each
 * program once. */
void lab_ask(struct lab *lab);
/* Does this contestant do the row's work? Where the answer is no and `why` is not NULL,
 * it points to the reason, "" where the contestant simply does not take part. */
bool lab_offers(const struct lab *lab, int row, int contestant, const char **why);
/* Is it nothing without io_uring? Our own servers would go on, but on epoll. */
bool lab_needs_uring(int contestant);
/* The program that serves this row for this contestant; NULL: none does. */
const char *lab_server(int row, int contestant);
/* The path of a program: ours, or a peer's. */
void lab_program_path(const struct lab *lab, const char *program, char path[600]);

/* lab_plan.c: what is to be run, in which order. */
bool lab_wanted(const struct lab *lab, int row, int contestant);
bool lab_row_in_form(const struct lab *lab, int row);
uint64_t lab_n(const struct lab *lab, int row, int contestant);
int lab_rounds(const struct lab *lab, int row); /* timed ones */
int lab_plan(struct lab *lab);                  /* fills in the steps. Negative errno */

/* lab_estimate.c: how long a step takes before any of its kind has been measured, and
 * the plan as a table, a line a row. */
double lab_expected_seconds(const struct lab *lab, const struct lab_step *step);
void lab_plan_print(const struct lab *lab);

/* runs.c: the runs, a list that grows. */
struct lab_run lab_run_blank(const struct lab_step *step);
int lab_add_run(struct lab *lab, const struct lab_run *run); /* negative errno */
bool lab_has_runs(const struct lab *lab, int row, int contestant);
const struct lab_run *lab_find_run(const struct lab *lab, int row, int contestant,
                                   int round);
const char *lab_purpose_name(enum lab_purpose purpose);
void lab_forget(struct lab *lab); /* frees steps and runs */

/* One run each. False: it failed, lab->note says why. */
bool lab_measure_server(struct lab *lab, struct lab_run *run);
bool lab_measure_program(struct lab *lab, struct lab_run *run);
bool lab_measure_instructions(struct lab *lab, struct lab_run *run);
bool lab_measure_static(struct lab *lab, struct lab_run *run);

/* rounds.c: all steps that are not done, in their order. False if interrupted. */
bool lab_run_all(struct lab *lab);

/* report.c: the values of one contestant in one row, and what they say. */
typedef double lab_value(const struct lab_run *run);
struct spread lab_spread(const struct lab *lab, int row, int contestant,
                         lab_value *value);
double lab_value_per_second(const struct lab_run *run);
void lab_report(const struct lab *lab);

/* record.c: every single run, as CSV and JSON. Negative errno. */
int lab_record(const struct lab *lab);

#endif
