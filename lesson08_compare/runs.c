/* runs: the list of what was measured.
 *
 * It grows, so that nobody has to guess how many runs there will be. Whoever
 * holds a pointer into it holds it until the next run is added. */
#include "lesson08_compare/lab.h"

#include <errno.h>
#include <stdlib.h>

#include "lesson08_compare/grow.h"

struct lab_run lab_run_blank(const struct lab_step *step)
{
    return (struct lab_run){
        .row = step->row,
        .contestant = step->contestant,
        .round = step->round,
        .purpose = step->purpose,
        .wall_ns = -1,
        .cpu_ns = -1,
        .per_second = -1,
        .cpu_us = -1,
        .user_us = -1,
        .sys_us = -1,
        .syscalls = -1,
        .instructions = -1,
        .bytes = -1,
        .p50_us = -1,
        .p99_us = -1,
        .p999_us = -1,
        .max_us = -1,
        .fair_min = -1,
        .fair_median = -1,
        .fair_max = -1,
        .attempts = 1,
    };
}

int lab_add_run(struct lab *lab, const struct lab_run *run)
{
    struct lab_run *runs =
        grow(lab->runs, lab->run_count, &lab->run_room, sizeof *lab->runs);
    if (!runs)
        return -ENOMEM;
    lab->runs = runs;
    lab->runs[lab->run_count++] = *run;
    return 0;
}

bool lab_has_runs(const struct lab *lab, int row, int contestant)
{
    for (int i = 0; i < lab->run_count; i++)
        if (lab->runs[i].row == row &&
            (contestant < 0 || lab->runs[i].contestant == contestant))
            return true;
    return false;
}

const struct lab_run *lab_find_run(const struct lab *lab, int row, int contestant,
                                   int round)
{
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row == row && run->contestant == contestant && run->round == round &&
            run->purpose == LAB_TIMED)
            return run;
    }
    return NULL;
}

const char *lab_purpose_name(enum lab_purpose purpose)
{
    static const char *const names[] = { "timed", "syscalls", "instructions" };
    return names[purpose];
}

void lab_forget(struct lab *lab)
{
    free(lab->runs);
    free(lab->steps);
    lab->runs = NULL;
    lab->steps = NULL;
    lab->run_count = lab->run_room = lab->step_count = 0;
}
