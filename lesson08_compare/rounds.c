/* rounds: walks the plan, and decides which runs count.
 *
 * A run that was disturbed (the hypervisor stole time, or another process used our CPUs)
 * is repeated, and the report says how often.
 *
 * A run whose load generator was nearly out of CPU says more about the generator than
 * about the server. In a closed loop over a machine's own loopback that is the normal
 * case, since a request costs both sides about the same: its requests a second are then
 * a lower bound. In the rows with limits it does not count; those rows are paced, so
 * that the generator has time to spare. */
#include "lesson08_compare/lab.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/errname.h"
#include "lesson08_compare/blocks.h"
#include "lesson08_compare/measure_program.h"
#include "lesson08_compare/process.h"
#include "lesson08_compare/progress.h"
#include "lesson08_compare/runlog.h"

#define STOLEN_LIMIT 0.05
#define OTHERS_LIMIT 0.15
#define BUSY_LIMIT 0.90
#define ATTEMPTS 3

struct walk {
    struct lab *lab;
    struct progress progress;
    int row;              /* that was made ready; -1: none */
    const char *left_out; /* why its steps are left out, "" if they are not */
    double rate;
};

static bool disturbed(const struct lab_run *run)
{
    return run->purpose == LAB_TIMED &&
           (run->stolen > STOLEN_LIMIT || run->others > OTHERS_LIMIT);
}

static void judge(struct lab_run *run)
{
    const struct lab_row *row = &lab_rows[run->row];
    const char *problem = "";
    run->at_limit = run->load_busy > BUSY_LIMIT;
    if (run->problem[0] || row->kind != LAB_SERVER)
        return;
    if (run->errors > 0)
        problem = "wrong or lost answers";
    else if (run->ops <= 0)
        problem = "no request was answered";
    else if (run->at_limit && row->has_limits && run->purpose == LAB_TIMED)
        problem = "load generator over 90 % busy";
    snprintf(run->problem, sizeof run->problem, "%s", problem);
}

static bool measure(struct lab *lab, struct lab_run *run)
{
    if (run->purpose == LAB_INSTRUCTIONS)
        return lab_measure_instructions(lab, run);
    switch (lab_rows[run->row].kind) {
    case LAB_SERVER:
        return lab_measure_server(lab, run);
    case LAB_PROGRAM:
        return lab_measure_program(lab, run);
    case LAB_STATIC:
        return lab_measure_static(lab, run);
    }
    return false;
}

static void say_failure(struct walk *walk, const struct lab_run *run)
{
    progress_pause(&walk->progress);
    fprintf(stderr, "lab: %s %s, %s: %s\n", lab_rows[run->row].name,
            lab_contestants[run->contestant].name, lab_purpose_name(run->purpose),
            run->problem);
}

static bool gave_up(const struct lab_run *run)
{
    return strncmp(run->problem, "failed:", 7) == 0 ||
           strncmp(run->problem, "left out:", 9) == 0;
}

/* One step, repeated while it is disturbed. False if interrupted. */
static bool one_run(struct walk *walk, const struct lab_step *step)
{
    struct lab *lab = walk->lab;
    struct lab_run run;
    uint64_t start = clock_now();
    for (int attempt = 1; attempt <= ATTEMPTS; attempt++) {
        run = lab_run_blank(step);
        run.rate = walk->rate;
        run.attempts = attempt;
        if (*walk->left_out) {
            snprintf(run.problem, sizeof run.problem, "left out: %s", walk->left_out);
            break;
        }
        bool ok = measure(lab, &run);
        if (process_interrupted)
            return false;
        if (!ok) {
            snprintf(run.problem, sizeof run.problem, "failed: %.100s", lab->note);
            break;
        }
        judge(&run);
        if (!disturbed(&run) || lab->repeats_left <= 0 || attempt == ATTEMPTS)
            break;
        lab->repeats_left--;
    }
    run.took_s = (double)(clock_now() - start) / 1e9;
    progress_note(&walk->progress, step, run.took_s);
    if (gave_up(&run) && !*walk->left_out)
        say_failure(walk, &run);
    int err = lab_add_run(lab, &run);
    if (err == 0)
        err = runlog_add(lab, &run);
    if (err < 0) {
        progress_pause(&walk->progress);
        fprintf(stderr, "lab: cannot keep a run: %s\n", errtext(err));
    }
    return err == 0;
}

/* Who failed is not asked again in the same row: a hang costs its limit once. */
static bool failed_before(const struct lab *lab, const struct lab_step *step)
{
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row == step->row && run->contestant == step->contestant &&
            run->purpose == step->purpose && gave_up(run))
            return true;
    }
    return false;
}

/* The peak of the raw epoll loop, which sets the rate of the open rows. */
static const char *make_rate(struct walk *walk, const struct lab_row *row)
{
    int peak = lab_row_named(row->peak_of);
    walk->rate =
        row->of_peak * lab_spread(walk->lab, peak, 0, lab_value_per_second).median;
    return walk->rate < 1 ? "the raw loop's peak, which sets the rate, is missing" : "";
}

static const char *make_file(const struct lab *lab, const struct lab_row *row)
{
    char path[600];
    program_file(lab, path);
    int err = blocks_make(path, lab->file_bytes);
    if (err < 0)
        return "the file cannot be made (is the disk full?)";
    if (row->direct)
        return blocks_direct(path) < 0 ? "this file system does not take O_DIRECT" : "";
    return blocks_warm(path) < 0 ? "the file cannot be read" : "";
}

static void make_ready(struct walk *walk, int row)
{
    const struct lab_row *r = &lab_rows[row];
    walk->row = row;
    walk->rate = 0;
    walk->left_out = "";
    if (r->of_peak > 0)
        walk->left_out = make_rate(walk, r);
    else if (r->needs_file)
        walk->left_out = make_file(walk->lab, r);
    if (*walk->left_out) {
        progress_pause(&walk->progress);
        fprintf(stderr, "lab: %s is left out: %s\n", r->name, walk->left_out);
    }
}

bool lab_run_all(struct lab *lab)
{
    struct walk walk = { .lab = lab, .row = -1, .left_out = "" };
    int err = progress_init(&walk.progress, lab);
    bool go_on = err == 0;
    if (err < 0)
        fprintf(stderr, "lab: cannot keep count of the runs: %s\n", errtext(err));
    for (int i = 0; i < lab->step_count && go_on; i++) {
        struct lab_step *step = &lab->steps[i];
        if (step->done)
            continue;
        if (step->row != walk.row)
            make_ready(&walk, step->row);
        if (!failed_before(lab, step)) {
            progress_say(&walk.progress, lab, i);
            go_on = one_run(&walk, step);
        }
        step->done = go_on;
        go_on = go_on && !process_interrupted;
    }
    progress_finish(&walk.progress);
    return go_on;
}
