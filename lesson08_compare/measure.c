/* measure: one run - start the server, ask it one question, load it, stop it.
 *
 * A fresh process for every run, so that no run inherits another's heap or its luck with
 * memory placement. The server is pinned to one CPU and the load generator to another;
 * both pinnings are the lab's, so no contestant can choose better.
 *
 * What is measured where:
 *   requests, latency  by the load generator, in the measured time only
 *   CPU                the server process's CPU clock, over exactly that time (wrk: over
 *                      wrk's whole run), divided by the requests in it
 *   syscalls           the server's own count over its life, divided by all requests
 *   stolen, others     /proc/stat of both CPUs, minus what server and load used
 */
#include "lesson08_compare/lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/errname.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/load.h"
#include "lesson08_compare/process.h"
#include "lesson08_compare/wrk.h"

#define START_PATIENCE (10 * NS_PER_S)
#define STOP_PATIENCE (10 * NS_PER_S)

struct command {
    char text[12][600];
    char *argv[13];
    int count;
};

static void word(struct command *command, const char *text)
{
    snprintf(command->text[command->count], sizeof command->text[0], "%s", text);
    command->argv[command->count] = command->text[command->count];
    command->argv[++command->count] = NULL;
}

static void program(struct command *command, const struct lab *lab, const char *name)
{
    char path[600];
    command->count = 0;
    snprintf(path, sizeof path, "%s/%s", lab->bin, name);
    word(command, path);
}

static void number_option(struct command *command, const char *name, uint64_t value)
{
    char text[64];
    snprintf(text, sizeof text, "--%s=%llu", name, (unsigned long long)value);
    word(command, text);
}

static void server_command(struct command *command, const struct lab *lab,
                           const struct lab_run *run)
{
    const struct lab_contestant *c = &lab_contestants[run->contestant];
    bool http = lab_rows[run->row].proto == WORKLOAD_HTTP;
    program(command, lab, c->program ? c->program : http ? "httpd" : "echo");
    word(command, "--port=0");
    word(command, "--stats");
    if (c->program) {
        word(command, http ? "--proto=http" : "--proto=echo");
        return;
    }
    char text[64];
    snprintf(text, sizeof text, "--scheduler=%s", c->scheduler);
    word(command, text);
    snprintf(text, sizeof text, "--driver=%s", c->driver);
    word(command, text);
    word(command, "--workers=1");
    if (http) {
        word(command, "--root");
        word(command, lab->results); /* some folder that exists */
    }
}

static bool fail(struct lab *lab, const char *what, int err)
{
    snprintf(lab->note, sizeof lab->note, "%s: %s", what, errtext(err));
    return false;
}

/* Starts it and returns its port; negative errno after a note. */
static int start_server(struct lab *lab, const struct lab_run *run,
                        struct process *server)
{
    struct command command;
    char line[256];
    int port = -EINVAL;
    server_command(&command, lab, run);
    int err = process_start(server, command.argv, lab->machine.server_cpu, lab->log);
    uint64_t deadline = clock_now() + START_PATIENCE;
    while (err == 0 && port < 0) {
        err = process_read_line(server, line, sizeof line, deadline);
        if (err == 0)
            port = workload_parse_listening(line);
    }
    if (err < 0)
        fail(lab, "it never said where it listens", err);
    return err < 0 ? err : port;
}

/* One request, to see that the contestant does this work at all. The answer must be the
 * agreed bytes: a shorter one would be less work. */
static bool answers_correctly(struct lab *lab, const struct lab_row *row, int port)
{
    static struct load_result result;
    struct load_plan plan = { .address = "127.0.0.1",
                              .port = (uint16_t)port,
                              .proto = row->proto,
                              .connections = 1,
                              .size = row->size,
                              .requests = 2,
                              .duration_ns = 5 * NS_PER_S };
    if (load_run(&plan, &result) == 0 && result.errors == 0 && result.requests > 0)
        return true;
    snprintf(lab->note, sizeof lab->note, "asked one thing, it failed: %s",
             result.error[0] ? result.error : "no answer in 5 s");
    return false;
}

static bool take_numbers(struct lab_run *run, const char *line)
{
    double seconds = 0, p50 = 0, p99 = 0, p999 = 0, max = 0, server_us = 0;
    bool ok = json_get(line, "requests", &run->requests) &&
              json_get(line, "seconds", &seconds) && json_get(line, "p50_ns", &p50) &&
              json_get(line, "p99_ns", &p99) && json_get(line, "p999_ns", &p999) &&
              json_get(line, "max_ns", &max) && json_get(line, "errors", &run->errors);
    if (!ok)
        return false;
    run->per_second = seconds > 0 ? run->requests / seconds : 0;
    run->p50_us = p50 / 1000;
    run->p99_us = p99 / 1000;
    run->p999_us = p999 / 1000;
    run->max_us = max / 1000;
    run->fair_min = run->fair_median = run->fair_max = -1;
    json_get(line, "fair_min", &run->fair_min);
    json_get(line, "fair_median", &run->fair_median);
    json_get(line, "fair_max", &run->fair_max);
    json_get(line, "busy", &run->load_busy);
    if (json_get(line, "watch_cpu_us", &server_us) && run->requests > 0)
        run->cpu_us = server_us / run->requests;
    return true;
}

static void load_command(struct command *command, const struct lab *lab,
                         const struct lab_run *run, int port, pid_t server)
{
    const struct lab_row *row = &lab_rows[run->row];
    program(command, lab, "load");
    number_option(command, "port", (uint64_t)port);
    number_option(command, "connections", row->connections);
    number_option(command, "warmup", lab->warmup_ms);
    number_option(command, "duration", lab->measure_ms);
    number_option(command, "watch", (uint64_t)server);
    if (row->proto == WORKLOAD_HTTP)
        word(command, "--proto=http");
    else
        number_option(command, "size", row->size);
    if (run->rate > 0)
        number_option(command, "rate", (uint64_t)run->rate);
    if (row->burst)
        word(command, "--burst");
}

/* Runs the load generator; *all is every request that it sent. */
static bool put_under_load(struct lab *lab, struct lab_run *run, int port, pid_t server,
                           double *all, uint64_t *load_cpu)
{
    struct command command;
    struct process load;
    char line[2048];
    bool wrk =
        lab_rows[run->row].proto == WORKLOAD_HTTP && lab->has_wrk && run->rate <= 0;
    run->tool = wrk ? "wrk" : "load";
    if (wrk)
        return wrk_measure(lab, run, port, server, all, load_cpu);
    load_command(&command, lab, run, port, server);
    int err = process_start(&load, command.argv, lab->machine.load_cpu, lab->log);
    if (err < 0)
        return fail(lab, "cannot start the load generator", err);
    uint64_t patience = (lab->warmup_ms + lab->measure_ms) * NS_PER_MS + 30 * NS_PER_S;
    err = process_read_line(&load, line, sizeof line, clock_now() + patience);
    struct process_end end =
        process_stop(&load, err < 0 ? SIGKILL : 0, clock_now() + STOP_PATIENCE);
    *load_cpu = end.cpu_ns;
    if (err < 0)
        return fail(lab, "the load generator gave no result", err);
    if (!take_numbers(run, line) || !json_get(line, "all_requests", all))
        return fail(lab, "the load generator's result is incomplete", -EBADMSG);
    return true;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

/* What our two CPUs did in the time of the run that neither server nor load did. */
static void look_around(const struct lab *lab, struct lab_run *run,
                        const struct machine_time before[2], uint64_t elapsed,
                        uint64_t ours)
{
    int cpus[2] = { lab->machine.server_cpu, lab->machine.load_cpu };
    int count = cpus[0] == cpus[1] ? 1 : 2;
    uint64_t busy = 0, stolen = 0;
    for (int i = 0; i < count; i++) {
        struct machine_time after;
        if (!machine_time(cpus[i], &after))
            return;
        busy += after.busy - before[i].busy;
        stolen += after.stolen - before[i].stolen;
    }
    run->stolen = share(stolen, elapsed * (uint64_t)count);
    run->others = busy > ours ? share(busy - ours, elapsed * (uint64_t)count) : 0;
}

/* Stops the server and takes what it says about itself. */
static bool stop_server(struct lab *lab, struct lab_run *run, struct process *server,
                        double all)
{
    char line[256];
    struct served served;
    bool counted = false;
    uint64_t deadline = clock_now() + STOP_PATIENCE;
    kill(server->pid, SIGTERM);
    while (process_read_line(server, line, sizeof line, deadline) == 0)
        counted = workload_parse_stats(line, &served) || counted;
    struct process_end end = process_stop(server, 0, deadline);
    run->syscalls =
        counted && all > 0 && served.syscalls > 0 ? (double)served.syscalls / all : -1;
    if (end.status == 0)
        return true;
    snprintf(lab->note, sizeof lab->note, "it did not stop well: status %d",
             end.status);
    return false;
}

bool lab_measure(struct lab *lab, struct lab_run *run)
{
    const struct lab_row *row = &lab_rows[run->row];
    struct process server = { 0 };
    struct machine_time before[2] = { { 0 } };
    double all = 0;
    uint64_t load_cpu = 0;
    lab->note[0] = '\0';
    int port = start_server(lab, run, &server);
    if (port < 0 || !answers_correctly(lab, row, port)) {
        process_stop(&server, SIGKILL, clock_now() + STOP_PATIENCE);
        return false;
    }
    machine_time(lab->machine.server_cpu, &before[0]);
    machine_time(lab->machine.load_cpu, &before[1]);
    uint64_t start = clock_now();
    uint64_t server_cpu = process_cpu_ns(server.pid);
    bool ok = put_under_load(lab, run, port, server.pid, &all, &load_cpu);
    server_cpu = process_cpu_ns(server.pid) - server_cpu;
    look_around(lab, run, before, clock_now() - start, server_cpu + load_cpu);
    char note[sizeof lab->note];
    memcpy(note, lab->note, sizeof note);
    bool stopped = stop_server(lab, run, &server, all);
    if (!ok)
        memcpy(lab->note, note, sizeof note);
    return ok && stopped;
}
