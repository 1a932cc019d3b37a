/* lab_estimate: how long it will take, before anything has been measured.
 *
 * What a run takes hangs on the machine, but a plan of an hour has to say so before it
 * begins: so there is a table of what a row's mean run took on a quiet virtual machine
 * with two CPUs and all peers built. Once the lab runs, its own runs replace the table
 * (progress.c). */
#include "lesson08_compare/lab.h"

#include <stdio.h>
#include <string.h>

#include "common/container.h"

/* In seconds, in the full form; the first whose name the row's begins with. */
static const struct takes {
    const char *row;
    double seconds;
} takes[] = {
    { "spawn-idle", 0.02 }, { "spawn-busy", 0.02 },  { "spawn", 0.32 },
    { "ping-pong", 0.1 },   { "round-trip", 0.2 },   { "chain", 0.1 },
    { "mpsc", 0.13 },       { "fib", 0.16 },         { "skynet", 0.85 },
    { "timers", 3.9 },      { "timer-churn", 0.18 }, { "parked", 0.35 },
    { "wake", 0.55 },       { "jitter", 0.7 },       { "read-128", 0.33 },
    { "read-1", 0.75 },     { "read", 0.33 },        { "direct-128", 0.6 },
    { "direct-1", 0.5 },    { "direct", 0.65 },      { "hog-direct", 1.2 },
    { "hog", 0.9 },         { "weight", 20 },
};

#define SHORT_TAKES 0.2 /* at most, in the short form */
#define OTHERWISE 0.04

static double of_row(const struct lab_row *row)
{
    for (size_t i = 0; i < ARRAY_SIZE(takes); i++)
        if (strncmp(takes[i].row, row->name, strlen(takes[i].row)) == 0)
            return takes[i].seconds;
    return OTHERWISE;
}

double lab_expected_seconds(const struct lab *lab, const struct lab_step *step)
{
    const struct lab_row *row = &lab_rows[step->row];
    bool wrk = row->proto == WORKLOAD_HTTP && lab->has_wrk && row->of_peak <= 0 &&
               !row->own_load;
    if (step->purpose == LAB_INSTRUCTIONS)
        return row->kind == LAB_SERVER ? 2 : 0.6;
    if (row->kind == LAB_SERVER)
        return 0.07 + 0.00004 * row->connections +
               (double)(lab->measure_ms + (wrk ? 0 : lab->warmup_ms)) / 1000;
    double seconds = of_row(row);
    return lab->full || seconds < SHORT_TAKES ? seconds : SHORT_TAKES;
}

struct sum {
    int runs[3];
    double seconds;
};

static void print_sum(const char *name, const char *rounds, const struct sum *sum)
{
    printf("  %-18s %6s %6d %9d %13d %8.0f\n", name, rounds, sum->runs[LAB_TIMED],
           sum->runs[LAB_SYSCALLS], sum->runs[LAB_INSTRUCTIONS], sum->seconds);
}

void lab_plan_print(const struct lab *lab)
{
    struct sum all = { .seconds = 0 };
    char rounds[16];
    printf("  %-18s %6s %6s %9s %13s %8s\n", "row", "rounds", "timed", "syscalls",
           "instructions", "seconds");
    for (int row = 0; row < lab_row_count; row++) {
        struct sum sum = { .seconds = 0 };
        for (int i = 0; i < lab->step_count; i++) {
            const struct lab_step *step = &lab->steps[i];
            if (step->row != row)
                continue;
            sum.runs[step->purpose]++;
            sum.seconds += lab_expected_seconds(lab, step);
        }
        for (int p = LAB_TIMED; p <= LAB_INSTRUCTIONS; p++)
            all.runs[p] += sum.runs[p];
        all.seconds += sum.seconds;
        snprintf(rounds, sizeof rounds, "%d", lab_rounds(lab, row));
        if (sum.seconds > 0)
            print_sum(lab_rows[row].name, rounds, &sum);
    }
    print_sum("together", "", &all);
    printf("about %.0f minutes on a quiet machine\n", all.seconds / 60);
}
