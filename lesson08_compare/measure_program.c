/* measure_program: one run of a program that does the work itself.
 *
 * It is started on the CPUs that the row allows, prints one line of JSON, and ends. The
 * times are its own, taken between its first task and the end of the work, all by the
 * same clocks (WORKLOADS.md); whether it did the work is ours to say: its `check` and its
 * number of operations are compared with what they have to be (right_answer.c).
 *
 * Everything is divided by the number of operations that there had to be. */
#include "lesson08_compare/measure_program.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/container.h"
#include "common/errname.h"
#include "lesson08_compare/blocks.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/measure.h"
#include "lesson08_compare/process.h"
#include "lesson08_compare/right_answer.h"

#define STOP_PATIENCE (2 * NS_PER_S)

void program_file(const struct lab *lab, char path[600])
{
    snprintf(path, 600, "%s/blocks-%" PRIu64 "M.bin", lab->results,
             lab->file_bytes >> 20);
}

void program_command(struct command *command, const struct lab *lab,
                     const struct lab_run *run)
{
    const struct lab_row *row = &lab_rows[run->row];
    const struct lab_contestant *c = &lab_contestants[run->contestant];
    char path[600];
    lab_program_path(lab, c->program, path);
    command_word(command, path);
    command_option(command, "mode", c->mode);
    command_option(command, "workload", row->workload);
    command_number(command, "workers", row->workers);
    command_number(command, "n", run->n);
    if (row->threads > 0)
        command_number(command, "threads", row->threads);
    if (row->depth > 0)
        command_number(command, "depth", row->depth);
    if (row->needs_file) {
        program_file(lab, path);
        command_option(command, "file", path);
    }
    if (row->direct)
        command_word(command, "--direct");
    if (strcmp(row->workload, "startup") == 0)
        command_number(command, "since", clock_now());
}

static double per_op(double ns, double ops)
{
    return ns >= 0 && ops > 0 ? ns / 1000 / ops : -1;
}

/* Numbers that are no column of their own. */
static void take_extras(struct lab_run *run, const char *line)
{
    static const char *const columns[] = { "workers", "n",       "ops",     "check",
                                           "wall_ns", "cpu_ns",  "user_ns", "sys_ns",
                                           "p50_ns",  "p99_ns",  "max_ns",  "p999_ns",
                                           "bytes",   "threads", "depth" };
    struct lab_number number = { .value = 0 };
    const char *at = line;
    while (
        (at = json_next_number(at, number.name, sizeof number.name, &number.value))) {
        bool column = false;
        for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
            column = column || strcmp(columns[i], number.name) == 0;
        if (!column && run->extra_count < LAB_EXTRAS)
            run->extra[run->extra_count++] = number;
    }
}

/* Our own idea of the answer; the contestant's is a problem when it differs. */
static double check_answer(const struct lab *lab, struct lab_run *run, double ops)
{
    const struct lab_row *row = &lab_rows[run->row];
    struct right_answer right;
    if (!right_answer(row->workload, run->n, row->threads ? row->threads : 1,
                      row->depth ? row->depth : 1, lab->file_bytes / BLOCK_SIZE,
                      &right))
        return ops;
    double expected = (double)right.ops;
    double off = ops > expected ? ops - expected : expected - ops;
    if (run->check != right.check)
        snprintf(run->problem, sizeof run->problem,
                 "wrong check: %" PRIu64 " instead of %" PRIu64, run->check,
                 right.check);
    else if (off > 1 + expected / 1000)
        snprintf(run->problem, sizeof run->problem,
                 "wrong number of operations: %.0f instead of %.0f", ops, expected);
    return expected;
}

/* More than 30 years in nanoseconds are no time, and no number of operations: divided by
 * one another, what is taken stays finite. */
static bool believable(double value)
{
    return value >= 0 && value <= 1e18;
}

bool program_take(const struct lab *lab, struct lab_run *run, const char *line)
{
    double ops = 0, user = -1, sys = -1, bytes = -1, ns;
    if (!json_get(line, "ops", &ops) || !json_get_count(line, "check", &run->check) ||
        !json_get(line, "wall_ns", &run->wall_ns) ||
        !json_get(line, "cpu_ns", &run->cpu_ns) || ops < 1 || !believable(ops) ||
        !believable(run->wall_ns) || !believable(run->cpu_ns))
        return false;
    run->ops = check_answer(lab, run, ops);
    json_get(line, "user_ns", &user);
    json_get(line, "sys_ns", &sys);
    run->cpu_us = per_op(run->cpu_ns, run->ops);
    run->user_us = per_op(user, run->ops);
    run->sys_us = per_op(sys, run->ops);
    run->per_second = run->wall_ns >= 1 ? run->ops * 1e9 / run->wall_ns : -1;
    if (json_get(line, "bytes", &bytes))
        run->bytes = bytes / run->ops;
    run->p50_us = json_get(line, "p50_ns", &ns) ? ns / 1000 : -1;
    run->p99_us = json_get(line, "p99_ns", &ns) ? ns / 1000 : -1;
    run->p999_us = json_get(line, "p999_ns", &ns) ? ns / 1000 : -1;
    run->max_us = json_get(line, "max_ns", &ns) ? ns / 1000 : -1;
    take_extras(run, line);
    return true;
}

/* Waits for the one line and for the end. */
static bool finish(struct lab *lab, struct process *process, char *line, size_t size,
                   struct process_end *end)
{
    char more[256];
    uint64_t deadline = clock_now() + lab->limit_ms * NS_PER_MS;
    int err = process_read_line(process, line, size, deadline), rest = err;
    while (rest == 0)
        rest = process_read_line(process, more, sizeof more, deadline);
    *end = process_stop(process, rest == -EPIPE ? 0 : SIGKILL,
                        clock_now() + STOP_PATIENCE);
    if (rest == -ETIMEDOUT)
        snprintf(lab->note, sizeof lab->note, "not done after %g s, ended",
                 (double)lab->limit_ms / 1000);
    else if (rest != -EPIPE)
        snprintf(lab->note, sizeof lab->note, "cannot be listened to: %s",
                 errtext(rest));
    else if (end->status != 0)
        snprintf(lab->note, sizeof lab->note, "status %d (servers.log may say why)",
                 end->status);
    else if (err < 0)
        snprintf(lab->note, sizeof lab->note, "it printed no result");
    else
        return true;
    return false;
}

bool program_run(struct lab *lab, const struct lab_run *run, struct command *command,
                 char *line, size_t size, struct process_end *end)
{
    struct process process;
    const struct lab_row *row = &lab_rows[run->row];
    const struct machine *m = &lab->machine;
    struct process_how how = { .cpus = { m->server_cpu, m->load_cpu },
                               .cpu_count = row->both_cpus ? 2 : 1,
                               .log = lab->log };
    int err = process_start_as(&process, command->argv, &how);
    if (err == 0)
        return finish(lab, &process, line, size, end);
    snprintf(lab->note, sizeof lab->note, "cannot be started: %s", errtext(err));
    return false;
}

bool lab_measure_program(struct lab *lab, struct lab_run *run)
{
    struct command command = { .count = 0 };
    struct process_end end = { 0 };
    struct look_around look;
    char line[2048];
    int cpus[2] = { lab->machine.server_cpu, lab->machine.load_cpu };
    bool both = lab_rows[run->row].both_cpus && cpus[0] != cpus[1];
    lab->note[0] = '\0';
    snprintf(run->tool, sizeof run->tool, "program");
    run->n = lab_n(lab, run->row, run->contestant);
    measure_look(&look, cpus, both ? 2 : 1);
    program_command(&command, lab, run);
    bool ok = program_run(lab, run, &command, line, sizeof line, &end);
    measure_look_again(&look, end.cpu_ns, run);
    if (!ok || program_take(lab, run, line))
        return ok;
    snprintf(lab->note, sizeof lab->note, "its result is not as WORKLOADS.md says");
    return false;
}
