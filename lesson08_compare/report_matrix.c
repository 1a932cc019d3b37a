/* report_matrix: scheduler x driver.
 *
 * Six cells of a factorial design answer two questions that two products cannot: what
 * comes from the scheduler, what from the driver. Each effect is a geometric mean of
 * ratios in which only the one factor changes: work stealing over one thread on the same
 * driver, io_uring over epoll below the same scheduler. Where effects differ much between
 * the cells (an interaction), the six medians beside them show it. */
#include "lesson08_compare/report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CURRENT, STEAL, CORE, SCHEDULERS };
enum { EPOLL, URING, DRIVERS };

/* The geometric mean of n ratios, of those that are known; 0 if none is. */
static double mean(const double *above, const double *below, int n)
{
    double sum = 0;
    int known = 0;
    for (int i = 0; i < n; i++)
        if (above[i] > 0 && below[i] > 0) {
            sum += log(above[i] / below[i]);
            known++;
        }
    return known ? exp(sum / known) : 0;
}

struct report_matrix report_matrix_of(const struct lab *lab, int row)
{
    static const char *const schedulers[] = { "current", "steal", "core" };
    static const char *const drivers[] = { "epoll", "uring" };
    double factor = lab_rows[row].kind == LAB_SERVER ? 1 : 1000;
    double epoll[SCHEDULERS], uring[SCHEDULERS];
    struct report_matrix m = { .known = 0 };
    for (int s = 0; s < SCHEDULERS; s++)
        for (int d = 0; d < DRIVERS; d++) {
            char name[64];
            snprintf(name, sizeof name, "%s/%s", schedulers[s], drivers[d]);
            struct spread cpu =
                lab_spread(lab, row, lab_contestant_named(name), lab_value_cpu);
            m.at[s][d] = cpu.count ? cpu.median * factor : 0;
            m.known += cpu.count > 0;
        }
    for (int s = 0; s < SCHEDULERS; s++) {
        epoll[s] = m.at[s][EPOLL];
        uring[s] = m.at[s][URING];
    }
    m.steal = mean(m.at[STEAL], m.at[CURRENT], DRIVERS);
    m.core = mean(m.at[CORE], m.at[CURRENT], DRIVERS);
    m.uring = mean(uring, epoll, SCHEDULERS);
    return m;
}

/* 0: not known. */
static void number(double value, int width)
{
    report_print_number(value > 0 ? value : -1, width);
}

static void print_row(int row, const struct report_matrix *m)
{
    printf("  %-17s", lab_rows[row].name);
    for (int d = 0; d < DRIVERS; d++)
        for (int s = 0; s < SCHEDULERS; s++)
            number(m->at[s][d], 7);
    number(m->steal, 9);
    number(m->core, 8);
    number(m->uring, 9);
    printf("\n");
}

void report_matrix(const struct lab *lab)
{
    bool headed = false;
    for (int row = 0; row < lab_row_count; row++) {
        struct report_matrix m = report_matrix_of(lab, row);
        if (m.known < 3)
            continue;
        if (!headed) {
            printf("\nscheduler x driver: CPU of one operation, medians (us a request, "
                   "ns anything else)\n");
            printf("  %-17s %-23s %-23s  %s\n", "", "-------- epoll --------",
                   "------- io_uring ------", "---- what a change does ----");
            printf("  %-17s %7s %7s %7s %7s %7s %7s %9s %8s %9s\n", "", "current",
                   "steal", "core", "current", "steal", "core", "cur>steal", "cur>core",
                   "ep>uring");
            headed = true;
        }
        print_row(row, &m);
    }
}
