/* report: what its tables share - values of runs, spreads, ratios. Threads: one. */
#ifndef LESSON08_REPORT_H
#define LESSON08_REPORT_H

#include "lesson08_compare/lab.h"

lab_value lab_value_cpu, lab_value_wall, lab_value_p50, lab_value_p99, lab_value_p999,
    lab_value_bytes, lab_value_fairness, lab_value_busy, lab_value_at_limit;

/* The value that a row is decided by. */
lab_value *report_metric(int row);

/* One contestant's values over another's of the same round. */
struct spread report_ratio(const struct lab *lab, int row, int contestant, int over,
                           lab_value *value);

/* Its system calls an operation: out of the runs that counted them if the row has any,
 * else what it counted itself. */
struct spread report_syscalls(const struct lab *lab, int row, int contestant);
/* Who counted in this row: "kernel", "strace", "itself" or "". */
const char *report_counted_by(const struct lab *lab, int row);

/* The user part of its CPU time an operation in us, over all runs; < 0: not known. */
double report_user(const struct lab *lab, int row, int contestant);

/* In three digits that count, in a column of this width; "-" if negative. */
void report_print_number(double value, int width);

/* Instructions an operation; count 0 if nobody counted. */
struct spread report_instructions(const struct lab *lab, int row, int contestant);

bool report_has_instructions(const struct lab *lab, int row);
/* Who does not run under valgrind, and why: NULL where that is not known. */
const char *report_why_no_instructions(const struct lab *lab, int row, int contestant);

/* How many rounds this row was given. */
int report_rounds(const struct lab *lab, int row);

/* A number that only some workloads have, by its name; -1 if this run has not. */
double report_extra(const struct lab_run *run, const char *name);

/* The columns of a program row's table: the one that decides, and two more. */
struct report_column {
    const char *name;
    lab_value *value; /* NULL: report_user */
    double factor;    /* from the run's microseconds to what is shown */
};
const struct report_column *report_columns(int row); /* three */
double report_column_of(const struct lab *lab, int row, int contestant,
                        const struct report_column *column); /* < 0: not known */

/* Who has numbers in a row, best first, by the value that decides; how many. */
struct report_place {
    int contestant;
    struct spread spread;
};
int report_rank(const struct lab *lab, int row,
                struct report_place places[LAB_CONTESTANTS_MAX]);

/* How large the work was; contestant < 0: of whoever comes first. */
uint64_t report_n(const struct lab *lab, int row, int contestant);

/* Scheduler x driver in a row: CPU medians, and the mean effects; 0: not known. */
struct report_matrix {
    double at[3][2]; /* current, steal, core; epoll, uring */
    int known;
    double steal, core, uring; /* over current, over current, over epoll */
};
struct report_matrix report_matrix_of(const struct lab *lab, int row);

/* Why a contestant has no number in a row; NULL if it has. */
const char *report_why_nothing(const struct lab *lab, int row, int contestant);

/* The end of a row's title: "; 3 rounds" where that is not what the lab says. */
void report_print_rounds(const struct lab *lab, int row);

/* " 1.07 [0.94..1.25]", and " ~" where no difference is resolved. */
void report_print_ratio(struct spread ratio, struct spread a, struct spread b);

/* The tables of one row. */
void report_server_row(const struct lab *lab, int row);
void report_program_row(const struct lab *lab, int row);
void report_static_row(const struct lab *lab, int row);

/* Below all rows: the limits, and scheduler x driver. */
void report_limits(const struct lab *lab);
void report_matrix(const struct lab *lab);

/* The tools, and who competes in which version, and who is missing, with the reason. */
void report_contestants(const struct lab *lab);

#endif
