/* wrk: a command line, a script of five lines, and its rusage.
 *
 * wrk rounds what it prints for people; its `done` hook hands the exact numbers to a
 * script. The hook runs once, after the run, and costs the requests nothing. */
#include "lesson08_compare/wrk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/errname.h"
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

static void script_path(const struct lab *lab, char path[600])
{
    snprintf(path, 600, "%s/report.lua", lab->results);
}

bool wrk_present(void)
{
    const char *path = getenv("PATH");
    char copy[4096], file[4200];
    snprintf(copy, sizeof copy, "%s", path ? path : "");
    for (char *rest = copy, *folder; (folder = strsep(&rest, ":"));) {
        snprintf(file, sizeof file, "%s/wrk", folder);
        if (access(file, X_OK) == 0)
            return true;
    }
    return false;
}

int wrk_write_script(const struct lab *lab)
{
    char path[600];
    script_path(lab, path);
    FILE *file = fopen(path, "we");
    if (!file)
        return -errno;
    bool ok = fputs(script, file) >= 0;
    return fclose(file) == 0 && ok ? 0 : -EIO;
}

static void take(struct lab_run *run, const char *line, double seconds)
{
    double value;
    run->fair_min = run->fair_median = run->fair_max = -1; /* wrk does not say */
    json_get(line, "requests", &run->requests);
    json_get(line, "errors", &run->errors);
    run->per_second = seconds > 0 ? run->requests / seconds : 0;
    run->p50_us = json_get(line, "p50_ns", &value) ? value / 1000 : 0;
    run->p99_us = json_get(line, "p99_ns", &value) ? value / 1000 : 0;
    run->p999_us = json_get(line, "p999_ns", &value) ? value / 1000 : 0;
    run->max_us = json_get(line, "max_ns", &value) ? value / 1000 : 0;
}

bool wrk_measure(struct lab *lab, struct lab_run *run, int port, pid_t server,
                 double *all, uint64_t *load_cpu)
{
    char url[64], connections[32], duration[32], path[600], line[1024];
    char wrk[] = "wrk", threads[] = "-t1", s[] = "-s";
    char *argv[] = { wrk, threads, connections, duration, s, path, url, NULL };
    struct process process;
    double seconds = 0;
    uint64_t whole = (lab->measure_ms + 999) / 1000; /* wrk counts in seconds */
    snprintf(url, sizeof url, "http://127.0.0.1:%d" WORKLOAD_PATH, port);
    snprintf(connections, sizeof connections, "-c%u", lab_rows[run->row].connections);
    snprintf(duration, sizeof duration, "-d%llus", (unsigned long long)whole);
    script_path(lab, path);
    uint64_t before = process_cpu_ns(server);
    int err = process_start(&process, argv, lab->machine.load_cpu, lab->log);
    if (err < 0) {
        snprintf(lab->note, sizeof lab->note, "cannot start wrk: %s", errtext(err));
        return false;
    }
    uint64_t deadline = clock_now() + (whole + 30) * NS_PER_S;
    do
        err = process_read_line(&process, line, sizeof line, deadline);
    while (err == 0 && line[0] != '{');
    uint64_t after = process_cpu_ns(server);
    struct process_end end =
        process_stop(&process, err < 0 ? SIGKILL : 0, clock_now() + 10 * NS_PER_S);
    *load_cpu = end.cpu_ns;
    if (err < 0 || !json_get(line, "seconds", &seconds)) {
        snprintf(lab->note, sizeof lab->note, "wrk gave no result: %s", errtext(err));
        return false;
    }
    take(run, line, seconds);
    *all = run->requests;
    run->load_busy = seconds > 0 ? (double)end.cpu_ns / 1e9 / seconds : 0;
    run->cpu_us =
        run->requests > 0 ? (double)(after - before) / 1000 / run->requests : 0;
    return true;
}
