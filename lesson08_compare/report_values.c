/* report_values: from runs to a spread.
 *
 * A ratio is formed round by round - this contestant's run over the other's run of the
 * same round, a few seconds apart - and then the median of the ratios is taken: what
 * disturbed both cancels out. Where the spread of the ratios includes 1, or the spreads
 * of the two sets overlap, no difference is resolved, whatever the medians are.
 *
 * One value is a mean and not a median: the user part of the CPU time. The kernel samples
 * it at timer ticks, a short run has a handful of them, and the median of many small
 * samples of a rare thing is 0. All runs together are one larger sample. */
#include "lesson08_compare/report.h"

#include <stdio.h>
#include <string.h>

double lab_value_per_second(const struct lab_run *run)
{
    return run->per_second;
}

double lab_value_cpu(const struct lab_run *run)
{
    return run->cpu_us;
}

/* Wall time an operation. */
double lab_value_wall(const struct lab_run *run)
{
    return run->ops > 0 && run->wall_ns >= 0 ? run->wall_ns / 1000 / run->ops : -1;
}

double lab_value_p50(const struct lab_run *run)
{
    return run->p50_us;
}

double lab_value_p99(const struct lab_run *run)
{
    return run->p99_us;
}

double lab_value_p999(const struct lab_run *run)
{
    return run->p999_us;
}

double lab_value_bytes(const struct lab_run *run)
{
    return run->bytes;
}

double lab_value_fairness(const struct lab_run *run)
{
    return run->fair_max > 0 ? run->fair_min / run->fair_max : -1;
}

double lab_value_busy(const struct lab_run *run)
{
    return run->load_busy;
}

double lab_value_at_limit(const struct lab_run *run)
{
    return run->at_limit;
}

static double value_syscalls(const struct lab_run *run)
{
    return run->syscalls;
}

static double value_instructions(const struct lab_run *run)
{
    return run->instructions;
}

lab_value *report_metric(int row)
{
    switch (lab_rows[row].metric) {
    case LAB_BY_WALL:
        return lab_value_wall;
    case LAB_BY_P50:
        return lab_value_p50;
    case LAB_BY_P99:
        return lab_value_p99;
    case LAB_BY_BYTES:
        return lab_value_bytes;
    case LAB_BY_CPU:
        break;
    }
    return lab_value_cpu;
}

double report_extra(const struct lab_run *run, const char *name)
{
    for (int i = 0; i < run->extra_count; i++)
        if (strcmp(run->extra[i].name, name) == 0)
            return run->extra[i].value;
    return -1;
}

/* Negative values mean "not known" and are left out. */
static struct spread spread_of(const struct lab *lab, int row, int contestant,
                               enum lab_purpose purpose, lab_value *value)
{
    double values[STATS_MAX];
    int n = 0;
    for (int i = 0; i < lab->run_count && n < STATS_MAX; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row == row && run->contestant == contestant &&
            run->purpose == purpose && !run->problem[0] && value(run) >= 0)
            values[n++] = value(run);
    }
    return stats_spread(values, n);
}

struct spread lab_spread(const struct lab *lab, int row, int contestant,
                         lab_value *value)
{
    return spread_of(lab, row, contestant, LAB_TIMED, value);
}

struct spread report_ratio(const struct lab *lab, int row, int contestant, int over,
                           lab_value *value)
{
    double values[STATS_MAX];
    int n = 0;
    for (int round = 0; round < lab->rounds && n < STATS_MAX; round++) {
        const struct lab_run *ours = lab_find_run(lab, row, contestant, round);
        const struct lab_run *base = lab_find_run(lab, row, over, round);
        if (ours && base && !ours->problem[0] && !base->problem[0] && value(base) > 0 &&
            value(ours) >= 0)
            values[n++] = value(ours) / value(base);
    }
    return stats_spread(values, n);
}

/* Nobody's own count is set beside another's kernel count. */
static bool counted_outside(const struct lab *lab, int row)
{
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row == row && run->purpose == LAB_SYSCALLS && run->syscalls >= 0 &&
            strcmp(run->counted_by, "itself") != 0)
            return true;
    }
    return false;
}

struct spread report_syscalls(const struct lab *lab, int row, int contestant)
{
    return spread_of(lab, row, contestant,
                     counted_outside(lab, row) ? LAB_SYSCALLS : LAB_TIMED,
                     value_syscalls);
}

const char *report_counted_by(const struct lab *lab, int row)
{
    const char *who = "";
    bool outside = counted_outside(lab, row);
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row == row && run->syscalls >= 0 &&
            (run->purpose == LAB_SYSCALLS) == outside)
            who = run->counted_by;
    }
    return who;
}

double report_user(const struct lab *lab, int row, int contestant)
{
    double sum = 0, ops = 0;
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row != row || run->contestant != contestant || run->problem[0] ||
            run->purpose != LAB_TIMED || run->user_us < 0 || run->ops <= 0)
            continue;
        sum += run->user_us * run->ops;
        ops += run->ops;
    }
    return ops > 0 ? sum / ops : -1;
}

struct spread report_instructions(const struct lab *lab, int row, int contestant)
{
    return spread_of(lab, row, contestant, LAB_INSTRUCTIONS, value_instructions);
}

bool report_has_instructions(const struct lab *lab, int row)
{
    for (int c = 0; c < lab_contestant_count; c++)
        if (report_instructions(lab, row, c).count > 0)
            return true;
    return false;
}

const char *report_why_no_instructions(const struct lab *lab, int row, int contestant)
{
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row == row && run->contestant == contestant &&
            run->purpose == LAB_INSTRUCTIONS && run->problem[0])
            return run->problem;
    }
    return NULL;
}

int report_rounds(const struct lab *lab, int row)
{
    int last = -1;
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row == row && run->purpose == LAB_TIMED && run->round > last)
            last = run->round;
    }
    return last + 1;
}

const char *report_why_nothing(const struct lab *lab, int row, int contestant)
{
    const char *why = NULL;
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row != row || run->contestant != contestant ||
            run->purpose != LAB_TIMED)
            continue;
        if (!run->problem[0])
            return NULL;
        why = run->problem;
    }
    return why;
}

void report_print_rounds(const struct lab *lab, int row)
{
    int rounds = report_rounds(lab, row);
    if (rounds == lab->rounds)
        printf("\n");
    else
        printf("; %d round%s\n", rounds, rounds == 1 ? "" : "s");
}

void report_print_ratio(struct spread ratio, struct spread a, struct spread b)
{
    if (ratio.count == 0)
        return;
    int digits = ratio.median < 9.995 ? 2 : ratio.median < 99.95 ? 1 : 0;
    printf("  %.*f [%.*f..%.*f]", digits, ratio.median, digits, ratio.low, digits,
           ratio.high);
    if (!stats_differs_from_one(ratio) || stats_overlap(a, b))
        printf(" ~");
}
