/* rounds: the order of the runs, and which of them count.
 *
 * Row by row, round by round, contestant by contestant; each round starts with another
 * contestant, so that nobody always runs right after the same neighbour. A run that was
 * disturbed (the hypervisor stole time, or another process used our CPUs) is repeated,
 * and the report says how often.
 *
 * A run whose load generator was nearly out of CPU says more about the generator than
 * about the server. In a closed loop over a machine's own loopback that is the normal
 * case, since a request costs both sides about the same: its requests a second are then
 * a lower bound. In the rows with limits it does not count; those rows are paced, so
 * that the generator has time to spare. */
#include "lesson08_compare/lab.h"

#include <stdio.h>
#include <string.h>

#include "common/check.h"
#include "lesson08_compare/process.h"

#define STOLEN_LIMIT 0.05
#define OTHERS_LIMIT 0.15
#define BUSY_LIMIT 0.90
#define ATTEMPTS 3

static bool disturbed(const struct lab_run *run)
{
    return run->stolen > STOLEN_LIMIT || run->others > OTHERS_LIMIT;
}

static const char *problem_of(const struct lab_run *run)
{
    if (run->errors > 0)
        return "wrong or lost answers";
    if (run->requests <= 0)
        return "no request was answered";
    if (run->at_limit && lab_rows[run->row].has_limits)
        return "load generator over 90 % busy";
    return NULL;
}

/* The peak of the raw epoll loop, which sets the rate of the open rows. */
static double reference_peak(const struct lab *lab, const char *name)
{
    for (int row = 0; row < lab_row_count; row++)
        if (strcmp(lab_rows[row].name, name) == 0)
            return lab_spread(lab, row, 0, lab_value_per_second).median;
    return 0;
}

static void one_run(struct lab *lab, int row, int contestant, int round, double rate)
{
    struct lab_run run = { 0 };
    CHECK(lab->run_count < LAB_RUNS_MAX, "more than %d runs", LAB_RUNS_MAX);
    for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
        run = (struct lab_run){ .row = row,
                                .contestant = contestant,
                                .round = round,
                                .rate = rate,
                                .syscalls = -1,
                                .attempts = attempt };
        bool ok = lab_measure(lab, &run);
        if (process_interrupted)
            return;
        if (!ok) {
            run.problem = "failed";
            fprintf(stderr, "lab: %s %s: %s\n", lab_rows[row].name,
                    lab_contestants[contestant].name, lab->note);
            break;
        }
        run.at_limit = run.load_busy > BUSY_LIMIT;
        run.problem = problem_of(&run);
        if (!disturbed(&run) || lab->repeats_left == 0)
            break;
        lab->repeats_left--;
    }
    lab->runs[lab->run_count++] = run;
}

static bool failed_before(const struct lab *lab, int row, int contestant)
{
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row == row && run->contestant == contestant && run->problem &&
            strcmp(run->problem, "failed") == 0)
            return true;
    }
    return false;
}

static bool anybody_wanted(const struct lab *lab, int row)
{
    for (int c = 0; c < lab_contestant_count; c++)
        if (lab_wanted(lab, row, c))
            return true;
    return false;
}

static void run_row(struct lab *lab, int row)
{
    double rate = 0;
    if (lab_rows[row].of_peak > 0 && anybody_wanted(lab, row)) {
        rate = lab_rows[row].of_peak * reference_peak(lab, lab_rows[row].peak_of);
        if (rate < 1) {
            printf("%s needs the peak of raw-epoll in %s: left out\n",
                   lab_rows[row].name, lab_rows[row].peak_of);
            return;
        }
    }
    for (int round = 0; round < lab->rounds; round++)
        for (int i = 0; i < lab_contestant_count && !process_interrupted; i++) {
            int contestant = (i + round) % lab_contestant_count;
            if (lab_wanted(lab, row, contestant) &&
                lab_present(lab, contestant, lab_rows[row].proto) &&
                !failed_before(lab, row, contestant))
                one_run(lab, row, contestant, round, rate);
        }
}

bool lab_run_all(struct lab *lab)
{
    for (int row = 0; row < lab_row_count && !process_interrupted; row++) {
        int before = lab->run_count;
        run_row(lab, row);
        if (lab->run_count > before)
            fprintf(stderr, "lab: %s: %d runs\n", lab_rows[row].name,
                    lab->run_count - before);
    }
    return !process_interrupted;
}
