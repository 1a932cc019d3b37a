/* report_server: tables of server rows, and the two limits that the course sets itself.
 *
 * Where instructions were counted they take the place of p99.9: 100 columns have no room
 * for both, those rows are closed loops, in which a high percentile says least, and it is
 * in the files.
 *
 * Everybody is divided by the raw loop on the same backend, never by another contestant:
 * a raw loop is the least that the kernel interface costs. */
#include "lesson08_compare/report.h"

#include <stdio.h>
#include <string.h>

#define CPU_LIMIT 1.10

static void number(struct spread spread, int width, int decimals)
{
    if (spread.count > 0)
        printf(" %*.*f", width, decimals, spread.median);
    else
        printf(" %*s", width, "-");
}

static void print_line(const struct lab *lab, int row, int contestant, bool counted)
{
    const struct lab_contestant *c = &lab_contestants[contestant];
    printf("  %-13s", c->name);
    const char *why = report_why_nothing(lab, row, contestant);
    if (why) {
        printf(" does not count: %s\n", why);
        return;
    }
    struct spread cpu = lab_spread(lab, row, contestant, lab_value_cpu);
    bool at_limit = lab_spread(lab, row, contestant, lab_value_at_limit).median > 0;
    printf("%s", at_limit ? ">" : " ");
    number(lab_spread(lab, row, contestant, lab_value_per_second), 7, 0);
    number(cpu, 6, 2);
    report_print_number(report_user(lab, row, contestant), 5);
    number(report_syscalls(lab, row, contestant), 7, 2);
    if (counted)
        number(report_instructions(lab, row, contestant), 8, 0);
    number(lab_spread(lab, row, contestant, lab_value_p50), counted ? 6 : 7, 0);
    number(lab_spread(lab, row, contestant, lab_value_p99), 7, 0);
    if (!counted)
        number(lab_spread(lab, row, contestant, lab_value_p999), 7, 0);
    number(lab_spread(lab, row, contestant, lab_value_fairness), 4, 2);
    number(lab_spread(lab, row, contestant, lab_value_busy), 4, 2);
    if (contestant != c->baseline)
        report_print_ratio(
            report_ratio(lab, row, contestant, c->baseline, lab_value_cpu), cpu,
            lab_spread(lab, row, c->baseline, lab_value_cpu));
    printf("\n");
}

static const char *tool_of(const struct lab *lab, int row)
{
    for (int i = 0; i < lab->run_count; i++)
        if (lab->runs[i].row == row && lab->runs[i].tool[0])
            return lab->runs[i].tool;
    return "load";
}

static void print_not_counted(const struct lab *lab, int row)
{
    for (int c = 0; c < lab_contestant_count; c++) {
        const char *why = report_why_no_instructions(lab, row, c);
        if (why)
            printf("  %-13s no instructions: %.70s\n", lab_contestants[c].name, why);
    }
}

static void print_head(bool instructions)
{
    printf("  %-13s %8s %6s %5s %7s", "", "req/s", "CPU us", "user", "syscall");
    if (instructions)
        printf(" %8s %6s %7s", "user ins", "p50 us", "p99 us");
    else
        printf(" %7s %7s %7s", "p50 us", "p99 us", "p99.9");
    printf(" %4s %4s  %s\n", "fair", "load", "CPU / raw loop's");
}

void report_server_row(const struct lab *lab, int row)
{
    const char *counted = report_counted_by(lab, row);
    bool instructions = report_has_instructions(lab, row);
    printf("\n%s: %s (%s)", lab_rows[row].name, lab_rows[row].title, tool_of(lab, row));
    report_print_rounds(lab, row);
    if (lab_rows[row].of_peak > 0)
        printf("  the peak is raw-epoll's in %s; everybody gets the same rate\n",
               lab_rows[row].peak_of);
    if (strcmp(counted, "strace") == 0)
        printf(
            "  syscalls: counted by strace, which slows a server down and so changes "
            "their number\n");
    else if (strcmp(counted, "itself") == 0)
        printf("  syscalls: each server's own count, where it has one\n");
    print_head(instructions);
    for (int c = 0; c < lab_contestant_count; c++)
        if (lab_has_runs(lab, row, c))
            print_line(lab, row, c, instructions);
    print_not_counted(lab, row);
}

/* Syscalls: not resolvably more. */
static void print_verdict(const struct lab *lab, int row, int contestant)
{
    const struct lab_contestant *c = &lab_contestants[contestant];
    struct spread cpu = report_ratio(lab, row, contestant, c->baseline, lab_value_cpu);
    struct spread ours = report_syscalls(lab, row, contestant);
    struct spread raw = report_syscalls(lab, row, c->baseline);
    printf("  %-13s %-13s", lab_rows[row].name, c->name);
    if (cpu.count == 0) {
        printf(" not judged: no pair of runs that count\n");
        return;
    }
    if (ours.count == 0 || raw.count == 0)
        printf(" syscalls: not counted;");
    else
        printf(" syscalls %.2f against %.2f: %s;", ours.median, raw.median,
               ours.median <= raw.median  ? "kept"
               : stats_overlap(ours, raw) ? "kept, not told apart"
                                          : "MISSED");
    printf(" CPU %.2f x: %s\n", cpu.median,
           cpu.median <= CPU_LIMIT ? "kept" : "MISSED");
}

void report_limits(const struct lab *lab)
{
    bool headed = false;
    for (int row = 0; row < lab_row_count; row++)
        for (int c = 0; c < lab_contestant_count; c++) {
            if (!lab_rows[row].has_limits || !lab_contestants[c].scheduler ||
                !lab_has_runs(lab, row, c))
                continue;
            if (!headed)
                printf(
                    "\nlimits: syscalls a request no more than the raw loop's, CPU a "
                    "request at most %.2f x\n",
                    CPU_LIMIT);
            headed = true;
            print_verdict(lab, row, c);
        }
}
