/* wrk: a command line, a script of a few lines, and its rusage.
 *
 * wrk rounds what it prints for people; its `done` hook hands the exact numbers to a
 * script. The hook runs once, after the run, and costs the requests nothing. A second
 * script makes it send several requests at once; they are put together once, before.
 *
 * wrk counts its time in whole seconds, but at an interrupt it stops and reports as it
 * does at its end: so a run may be shorter. */
#include "lesson08_compare/wrk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/errname.h"
#include "lesson08_compare/command.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/process.h"

static const char script[] =
    "done = function(summary, latency, requests)\n"
    "  local e = summary.errors\n"
    "  local f = '{\"requests\":%d,\"seconds\":%.6f,\"p50_ns\":%d,\"p99_ns\":%d,' ..\n"
    "    '\"p999_ns\":%d,\"max_ns\":%d,\"errors\":%d}\\n'\n"
    "  io.write(string.format(f, summary.requests, summary.duration / 1e6,\n"
    "    latency:percentile(50) * 1000, latency:percentile(99) * 1000,\n"
    "    latency:percentile(99.9) * 1000, latency.max * 1000,\n"
    "    e.connect + e.read + e.write + e.status + e.timeout))\n"
    "end\n";

/* More requests at once; the number is ours. */
static const char pipeline_script[] =
    "init = function(args)\n"
    "  batch = string.rep(wrk.format('GET', '" WORKLOAD_PATH "'), tonumber(args[1]))\n"
    "end\n"
    "request = function() return batch end\n";

static void script_path(const struct lab *lab, bool pipeline, char path[700])
{
    snprintf(path, 700, "%s/%s.lua", lab->folder, pipeline ? "pipeline" : "report");
}

static int write_script(const struct lab *lab, bool pipeline)
{
    char path[700];
    script_path(lab, pipeline, path);
    FILE *file = fopen(path, "we");
    if (!file)
        return -errno;
    fprintf(file, "%s%s", script, pipeline ? pipeline_script : "");
    return fclose(file) == 0 ? 0 : -errno; /* it is less than what waits for a write */
}

int wrk_write_scripts(const struct lab *lab)
{
    int err = write_script(lab, false);
    return err < 0 ? err : write_script(lab, true);
}

/* In us; a percentile that wrk did not reach (it says 0) is not known. */
static double microseconds(const char *line, const char *key)
{
    double value;
    return json_get(line, key, &value) && value > 0 ? value / 1000 : -1;
}

static void take(struct lab_run *run, const char *line, double seconds)
{
    json_get(line, "requests", &run->ops); /* it says nothing of fairness */
    json_get(line, "errors", &run->errors);
    run->per_second = seconds > 0 ? run->ops / seconds : 0;
    run->wall_ns = seconds * 1e9;
    run->p50_us = microseconds(line, "p50_ns");
    run->p99_us = microseconds(line, "p99_ns");
    run->p999_us = microseconds(line, "p999_ns");
    run->max_us = microseconds(line, "max_ns");
}

static void wrk_command(struct command *command, const struct lab *lab, int row,
                        int port)
{
    char text[700];
    unsigned pipeline = lab_rows[row].pipeline;
    command_begin(command, "wrk");
    command_word(command, "-t1");
    snprintf(text, sizeof text, "-c%u", lab_rows[row].connections);
    command_word(command, text);
    snprintf(text, sizeof text, "-d%llus",
             (unsigned long long)(lab->measure_ms + 999) / 1000);
    command_word(command, text);
    command_word(command, "-s");
    script_path(lab, pipeline > 0, text);
    command_word(command, text);
    snprintf(text, sizeof text, "http://127.0.0.1:%d" WORKLOAD_PATH, port);
    command_word(command, text);
    if (pipeline > 0) {
        command_word(command, "--");
        snprintf(text, sizeof text, "%u", pipeline);
        command_word(command, text);
    }
}

/* Its one line of JSON; interrupts it after the measured time if that is no whole number
 * of seconds. */
static int result_of(struct process *process, const struct lab *lab, char *line,
                     size_t size)
{
    uint64_t start = clock_now(), ms = lab->measure_ms > 200 ? lab->measure_ms : 200;
    bool early = ms % 1000 != 0;
    int err;
    do {
        uint64_t deadline = start + ms * NS_PER_MS + (early ? 0 : 30 * NS_PER_S);
        err = process_read_line(process, line, size, deadline);
        if (err == -ETIMEDOUT && early) {
            kill(process->pid, SIGINT);
            early = false;
            err = 0;
            line[0] = '\0';
        }
    } while (err == 0 && line[0] != '{');
    return err;
}

bool wrk_measure(struct lab *lab, struct lab_run *run, int port, pid_t server,
                 double *all, uint64_t *load_cpu)
{
    struct command command;
    struct process process;
    char line[1024];
    double seconds = 0;
    wrk_command(&command, lab, run->row, port);
    uint64_t before = process_cpu_ns(server);
    int err = process_start(&process, command.argv, lab->machine.load_cpu, lab->log);
    if (err < 0) {
        snprintf(lab->note, sizeof lab->note, "cannot start wrk: %s", errtext(err));
        return false;
    }
    err = result_of(&process, lab, line, sizeof line);
    uint64_t after = process_cpu_ns(server);
    struct process_end end =
        process_stop(&process, err < 0 ? SIGKILL : 0, clock_now() + 10 * NS_PER_S);
    *load_cpu = end.cpu_ns;
    if (err < 0 || !json_get(line, "seconds", &seconds)) {
        snprintf(lab->note, sizeof lab->note, "wrk gave no result: %s", errtext(err));
        return false;
    }
    take(run, line, seconds);
    *all = run->ops;
    run->load_busy = seconds > 0 ? (double)end.cpu_ns / 1e9 / seconds : 0;
    run->cpu_ns = (double)(after - before);
    run->cpu_us = run->ops > 0 ? run->cpu_ns / 1000 / run->ops : 0;
    return true;
}
