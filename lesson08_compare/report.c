/* report: the table on the screen, and what it entitles us to say.
 *
 * A ratio is formed round by round - this contestant's run over the raw loop's run of
 * the same round, a few seconds apart - and then the median of the ratios is taken: what
 * disturbed both cancels out. Where the spread of the ratios includes 1, or the spreads
 * of the two sets overlap, the table says "no difference resolved", whatever the medians
 * are. */
#include "lesson08_compare/lab.h"

#include <stdio.h>
#include <string.h>

#define CPU_LIMIT 1.25

double lab_value_per_second(const struct lab_run *run)
{
    return run->per_second;
}

static double value_cpu(const struct lab_run *run)
{
    return run->cpu_us;
}

static double value_syscalls(const struct lab_run *run)
{
    return run->syscalls;
}

static double value_p50(const struct lab_run *run)
{
    return run->p50_us;
}

static double value_p99(const struct lab_run *run)
{
    return run->p99_us;
}

static double value_p999(const struct lab_run *run)
{
    return run->p999_us;
}

static double value_fairness(const struct lab_run *run)
{
    return run->fair_max > 0 ? run->fair_min / run->fair_max : -1;
}

static double value_busy(const struct lab_run *run)
{
    return run->load_busy;
}

static double value_at_limit(const struct lab_run *run)
{
    return run->at_limit;
}

static const struct lab_run *find(const struct lab *lab, int row, int contestant,
                                  int round)
{
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row == row && run->contestant == contestant && run->round == round)
            return run;
    }
    return NULL;
}

/* Negative values mean "not known" and are left out. */
struct spread lab_spread(const struct lab *lab, int row, int contestant,
                         double (*value)(const struct lab_run *run))
{
    double values[STATS_MAX];
    int n = 0;
    for (int i = 0; i < lab->run_count && n < STATS_MAX; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row == row && run->contestant == contestant && !run->problem &&
            value(run) >= 0)
            values[n++] = value(run);
    }
    return stats_spread(values, n);
}

static struct spread ratio_to_baseline(const struct lab *lab, int row, int contestant,
                                       double (*value)(const struct lab_run *run))
{
    double values[STATS_MAX];
    int n = 0;
    for (int round = 0; round < lab->rounds && n < STATS_MAX; round++) {
        const struct lab_run *ours = find(lab, row, contestant, round);
        const struct lab_run *raw =
            find(lab, row, lab_contestants[contestant].baseline, round);
        if (ours && raw && !ours->problem && !raw->problem && value(raw) > 0 &&
            value(ours) >= 0)
            values[n++] = value(ours) / value(raw);
    }
    return stats_spread(values, n);
}

static void number(struct spread spread, int width, int decimals)
{
    if (spread.count > 0)
        printf(" %*.*f", width, decimals, spread.median);
    else
        printf(" %*s", width, "-");
}

/* Why a contestant has no number in a row; NULL if it has. */
static const char *why_nothing(const struct lab *lab, int row, int contestant)
{
    const char *why = NULL;
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row != row || run->contestant != contestant)
            continue;
        if (!run->problem)
            return NULL;
        why = run->problem;
    }
    return why;
}

static void print_line(const struct lab *lab, int row, int contestant)
{
    const struct lab_contestant *c = &lab_contestants[contestant];
    printf("  %-14s", c->name);
    const char *why = why_nothing(lab, row, contestant);
    if (why) {
        printf(" does not count: %s\n", why);
        return;
    }
    struct spread cpu = lab_spread(lab, row, contestant, value_cpu);
    struct spread raw = lab_spread(lab, row, c->baseline, value_cpu);
    struct spread ratio = ratio_to_baseline(lab, row, contestant, value_cpu);
    bool at_limit = lab_spread(lab, row, contestant, value_at_limit).median > 0;
    printf("%s", at_limit ? ">" : " ");
    number(lab_spread(lab, row, contestant, lab_value_per_second), 8, 0);
    number(cpu, 7, 2);
    number(lab_spread(lab, row, contestant, value_syscalls), 7, 2);
    number(lab_spread(lab, row, contestant, value_p50), 8, 0);
    number(lab_spread(lab, row, contestant, value_p99), 8, 0);
    number(lab_spread(lab, row, contestant, value_p999), 8, 0);
    number(lab_spread(lab, row, contestant, value_fairness), 5, 2);
    number(lab_spread(lab, row, contestant, value_busy), 5, 2);
    if (contestant != c->baseline && ratio.count > 0) {
        printf("  %.2f [%.2f..%.2f]", ratio.median, ratio.low, ratio.high);
        if (!stats_differs_from_one(ratio) || stats_overlap(cpu, raw))
            printf(" no difference resolved");
    }
    printf("\n");
}

static bool row_has_runs(const struct lab *lab, int row)
{
    for (int i = 0; i < lab->run_count; i++)
        if (lab->runs[i].row == row)
            return true;
    return false;
}

static bool has_runs(const struct lab *lab, int row, int contestant)
{
    for (int i = 0; i < lab->run_count; i++)
        if (lab->runs[i].row == row && lab->runs[i].contestant == contestant)
            return true;
    return false;
}

static void print_row(const struct lab *lab, int row)
{
    const char *tool = "load";
    for (int i = 0; i < lab->run_count; i++)
        if (lab->runs[i].row == row && lab->runs[i].tool)
            tool = lab->runs[i].tool;
    printf("\n%s: %s (%s)\n", lab_rows[row].name, lab_rows[row].title, tool);
    if (lab_rows[row].of_peak > 0)
        printf("  (the peak is raw-epoll's in %s; everybody gets the same rate)\n",
               lab_rows[row].peak_of);
    printf("  %-14s %9s %7s %7s %8s %8s %8s %5s %5s  %s\n", "", "req/s", "CPU us",
           "syscall", "p50 us", "p99 us", "p99.9", "fair", "load",
           "CPU ratio to the raw loop");
    for (int c = 0; c < lab_contestant_count; c++)
        if (has_runs(lab, row, c))
            print_line(lab, row, c);
}

/* The two limits that the course sets itself. Syscalls: not resolvably more. */
static void print_verdict(const struct lab *lab, int row, int contestant)
{
    const struct lab_contestant *c = &lab_contestants[contestant];
    struct spread cpu = ratio_to_baseline(lab, row, contestant, value_cpu);
    struct spread ours = lab_spread(lab, row, contestant, value_syscalls);
    struct spread raw = lab_spread(lab, row, c->baseline, value_syscalls);
    printf("  %-8s %-14s", lab_rows[row].name, c->name);
    if (cpu.count == 0) {
        printf(" not judged: no pair of runs that count\n");
        return;
    }
    if (ours.count == 0 || raw.count == 0)
        printf(" syscalls: not counted;");
    else
        printf(" syscalls %.2f against %.2f: %s;", ours.median, raw.median,
               ours.median <= raw.median  ? "kept"
               : stats_overlap(ours, raw) ? "kept (not told apart)"
                                          : "MISSED");
    printf(" CPU %.2f x, limit %.2f: %s\n", cpu.median, CPU_LIMIT,
           cpu.median <= CPU_LIMIT ? "kept" : "MISSED");
}

static void print_verdicts(const struct lab *lab)
{
    bool headed = false;
    for (int row = 0; row < lab_row_count; row++)
        for (int c = 0; c < lab_contestant_count; c++) {
            if (!lab_rows[row].has_limits || !lab_contestants[c].scheduler ||
                !has_runs(lab, row, c))
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

static void print_disturbances(const struct lab *lab)
{
    int repeated = 0, dropped = 0;
    double stolen = 0, others = 0;
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        repeated += run->attempts - 1;
        dropped += run->problem != NULL;
        stolen = run->stolen > stolen ? run->stolen : stolen;
        others = run->others > others ? run->others : others;
    }
    printf("\n%d runs; %d repeated because the machine was disturbed; %d do not count; "
           "most time stolen in a run %.0f %%, used by others %.0f %%\n",
           lab->run_count, repeated, dropped, stolen * 100, others * 100);
    if (lab->repeats_left == 0 && repeated > 0)
        printf(
            "the machine was too busy to repeat every disturbed run: read the spreads, "
            "not the medians\n");
}

void lab_report(const struct lab *lab)
{
    printf("\n%d rounds, interleaved; medians; [spread]: %s\n", lab->rounds,
           lab->rounds < 5 ? "smallest to largest" : "first to third quartile");
    printf(
        "> the load generator was over 90 %% busy: the server can do more than this\n");
    for (int row = 0; row < lab_row_count; row++)
        if (row_has_runs(lab, row))
            print_row(lab, row);
    print_verdicts(lab);
    print_disturbances(lab);
}
