/* measure_instructions: instructions an operation, exactly.
 *
 * callgrind runs the program on a simulated CPU and counts every instruction in user
 * space. No neighbour, no cache and no clock has a part in it, so once is enough, on any
 * machine. Two sizes of the same work are run and only their difference counts: start-up,
 * the runtime's threads and the end cancel out.
 *
 *     instructions an operation = (total(n2) - total(n1)) / (ops(n2) - ops(n1))
 *
 * What it does not see: the kernel, cache misses, and what a lock costs when somebody
 * else holds it - valgrind runs one thread at a time. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/errname.h"
#include "lesson08_compare/callgrind.h"
#include "lesson08_compare/measure_program.h"

void callgrind_command(struct command *command, const struct lab *lab, char file[640])
{
    char option[700];
    snprintf(file, 640, "%s/callgrind.out", lab->folder);
    snprintf(option, sizeof option, "--callgrind-out-file=%s", file);
    command_word(command, "valgrind");
    command_word(command, "--tool=callgrind");
    command_word(command, "-q");
    command_word(command, "--max-threads=2000"); /* 500 are too few for `threads` */
    command_word(command, option);
}

bool callgrind_total(const char *path, double *total)
{
    char line[4096];
    bool found = false;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    while (fgets(line, sizeof line, file))
        found = sscanf(line, "totals: %lf", total) == 1 || found;
    fclose(file);
    return found;
}

static bool count_once(struct lab *lab, struct lab_run *run, uint64_t n, double *total)
{
    struct command command = { .count = 0 };
    struct process_end end = { 0 };
    char file[640], line[2048];
    run->n = n;
    callgrind_command(&command, lab, file);
    program_command(&command, lab, run);
    bool ok = program_run(lab, run, &command, line, sizeof line, &end);
    if (ok && (!program_take(lab, run, line) || !callgrind_total(file, total))) {
        snprintf(lab->note, sizeof lab->note, "no result under callgrind");
        ok = false;
    }
    unlink(file);
    return ok;
}

bool lab_measure_instructions(struct lab *lab, struct lab_run *run)
{
    const struct lab_row *row = &lab_rows[run->row];
    const struct lab_step step = { run->row, run->contestant, run->round, run->purpose,
                                   false };
    bool (*count)(struct lab * lab, struct lab_run * run, uint64_t n, double *total) =
        row->kind == LAB_SERVER ? callgrind_server : count_once;
    double small = 0, large = 0;
    lab->note[0] = '\0';
    if (!count(lab, run, row->count_n1, &small))
        return false;
    double ops = run->ops;
    if (run->problem[0])
        return true; /* a wrong answer says it all */
    if (!count(lab, run, row->count_n2, &large))
        return false;
    struct lab_run counted = lab_run_blank(&step); /* times under valgrind are none */
    counted.attempts = run->attempts;
    counted.n = run->n;
    counted.check = run->check;
    counted.ops = run->ops - ops;
    memcpy(counted.problem, run->problem, sizeof counted.problem);
    snprintf(counted.tool, sizeof counted.tool, "callgrind");
    if (counted.ops > 0)
        counted.instructions = (large - small) / counted.ops;
    *run = counted;
    return true;
}
