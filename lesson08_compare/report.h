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

/* Why a contestant has no number in a row; NULL if it has. */
const char *report_why_nothing(const struct lab *lab, int row, int contestant);

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
