/* measure_server: one run of a server - start it, ask it one question, load it, stop it.
 *
 * A fresh process for every run, so that no run inherits another's heap or its luck with
 * memory placement. The server is pinned to one CPU and the load generator to another;
 * both pinnings are the lab's, so no contestant can choose better.
 *
 * What is measured where:
 *   requests, latency  by the load generator, in the measured time only
 *   CPU                the server process's CPU clock, over exactly that time (wrk: over
 *                      wrk's whole run), divided by the requests in it
 *   user, system       that CPU time, split as the kernel split the process's whole life.
 *                      The sum is exact to the nanosecond, the split is not: this kernel
 *                      asks at each timer tick (4 ms or so) on which side it finds the
 *                      process, and every interface - /proc/PID/stat, taskstats, getrusage -
 *                      shows that sample. wait4's is the finest: all ticks of the life, in
 *                      microseconds; the start is one or two ticks of it, the warm-up is
 *                      the same work.
 *   syscalls           in runs of their own, by the kernel (syscall_counter.c), between
 *                      the first and the last request; in timed runs the server's own
 *                      count over its life. Both divided by all requests
 *   stolen, others     /proc/stat of both CPUs, minus what server and load used
 */
#include "lesson08_compare/measure_server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/errname.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/lab.h"
#include "lesson08_compare/load.h"
#include "lesson08_compare/memory_use.h"
#include "lesson08_compare/measure.h"
#include "lesson08_compare/process.h"
#include "lesson08_compare/syscall_counter.h"
#include "lesson08_compare/wrk.h"

#define START_PATIENCE (10 * NS_PER_S)
#define STOP_PATIENCE (10 * NS_PER_S)

/* One run while it goes on. */
struct serving {
    struct lab *lab;
    struct lab_run *run;
    struct process server;
    struct syscall_counter counter;
    double all;        /* every request that was sent */
    uint64_t load_cpu; /* the load generator's, in ns */
    struct look_around before;
};

void server_command(struct command *command, const struct lab *lab,
                    const struct lab_run *run)
{
    const struct lab_contestant *c = &lab_contestants[run->contestant];
    bool http = lab_rows[run->row].proto == WORKLOAD_HTTP;
    const char *proto = http ? "http" : "echo";
    char path[600];
    const char *program = lab_server(run->row, run->contestant);
    lab_program_path(lab, program, path);
    command_word(command, path);
    command_number(command, "port", 0);
    command_word(command, "--stats");
    if (c->kind == LAB_PEER) {
        command_option(command, "mode", c->mode);
        command_option(command, "workload", proto);
        command_number(command, "workers", 1);
    } else if (c->server) {
        command_option(command, "proto", proto);
    } else {
        command_option(command, "scheduler", c->scheduler);
        command_option(command, "driver", c->driver);
        command_number(command, "workers", 1);
        if (strcmp(program, "httpd") == 0)
            command_option(command, "root", lab->folder); /* some folder that exists */
    }
}

static bool fail(struct lab *lab, const char *what, int err)
{
    snprintf(lab->note, sizeof lab->note, "%s: %s", what, errtext(err));
    return false;
}

/* Ours take epoll where io_uring is refused, and say so; that would be another cell. */
static bool on_another_driver(const char *line, const char *driver)
{
    const char *at = strstr(line, "(driver: "); /* "io_uring" or "epoll" */
    return at && !strstr(at, driver);
}

int server_port(struct process *server, const char *driver, uint64_t deadline)
{
    char line[256];
    int port = -EINVAL, err = 0;
    while (err == 0 && port < 0) {
        err = process_read_line(server, line, sizeof line, deadline);
        if (err == 0)
            port = workload_parse_listening(line);
        if (port >= 0 && on_another_driver(line, driver))
            err = -ENOTSUP;
    }
    return err < 0 ? err : port;
}

/* Starts it and returns its port; negative errno after a note. */
static int start_server(struct serving *s)
{
    struct command command = { .count = 0 };
    struct process_how how = { .cpus = { s->lab->machine.server_cpu },
                               .cpu_count = 1,
                               .log = s->lab->log,
                               .held = s->run->purpose == LAB_SYSCALLS };
    server_command(&command, s->lab, s->run);
    int err = process_start_as(&s->server, command.argv, &how);
    if (err < 0) {
        fail(s->lab, "cannot be started", err);
        return err;
    }
    if (how.held)
        syscall_counter_attach(&s->counter, s->server.pid);
    process_release(&s->server);
    int port = server_port(&s->server, lab_contestants[s->run->contestant].driver,
                           clock_now() + START_PATIENCE);
    if (port < 0)
        fail(s->lab,
             port == -ENOTSUP ? "it serves on another driver"
                              : "it never said where it listens",
             port);
    return port;
}

/* The answer must be the agreed bytes: a shorter one would be less work. */
bool server_answers(struct lab *lab, const struct lab_row *row, int port)
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
    bool ok = json_get(line, "requests", &run->ops) &&
              json_get(line, "seconds", &seconds) && json_get(line, "p50_ns", &p50) &&
              json_get(line, "p99_ns", &p99) && json_get(line, "p999_ns", &p999) &&
              json_get(line, "max_ns", &max) && json_get(line, "errors", &run->errors);
    if (!ok)
        return false;
    run->per_second = seconds > 0 ? run->ops / seconds : 0;
    run->wall_ns = seconds * 1e9;
    run->p50_us = p50 / 1000;
    run->p99_us = p99 / 1000;
    run->p999_us = p999 / 1000;
    run->max_us = max / 1000;
    json_get(line, "fair_min", &run->fair_min);
    json_get(line, "fair_median", &run->fair_median);
    json_get(line, "fair_max", &run->fair_max);
    json_get(line, "busy", &run->load_busy);
    if (json_get(line, "watch_cpu_us", &server_us) && run->ops > 0) {
        run->cpu_ns = server_us * 1000;
        run->cpu_us = server_us / run->ops;
    }
    return true;
}

void server_load_command(struct command *command, const struct lab *lab,
                         const struct lab_row *row, int port)
{
    char path[600];
    lab_program_path(lab, "load", path);
    command_begin(command, path);
    command_number(command, "port", (uint64_t)port);
    command_number(command, "connections", row->connections);
    if (row->proto == WORKLOAD_HTTP)
        command_option(command, "proto", "http");
    else
        command_number(command, "size", row->size);
}

static void load_command(struct command *command, const struct serving *s, int port)
{
    const struct lab_row *row = &lab_rows[s->run->row];
    server_load_command(command, s->lab, row, port);
    command_number(command, "warmup", s->lab->warmup_ms);
    command_number(command, "duration", s->lab->measure_ms);
    command_number(command, "watch", (uint64_t)s->server.pid);
    if (s->run->rate > 0)
        command_number(command, "rate", (uint64_t)s->run->rate);
    if (row->burst)
        command_word(command, "--burst");
}

/* Runs the load generator. */
static bool put_under_load(struct serving *s, int port)
{
    struct command command;
    struct process load;
    struct lab *lab = s->lab;
    char line[2048];
    const struct lab_row *row = &lab_rows[s->run->row];
    bool wrk = row->proto == WORKLOAD_HTTP && lab->has_wrk && s->run->rate <= 0 &&
               !row->own_load;
    snprintf(s->run->tool, sizeof s->run->tool, "%s", wrk ? "wrk" : "load");
    if (wrk)
        return wrk_measure(lab, s->run, port, s->server.pid, &s->all, &s->load_cpu);
    load_command(&command, s, port);
    int err = process_start(&load, command.argv, lab->machine.load_cpu, lab->log);
    if (err < 0)
        return fail(lab, "cannot start the load generator", err);
    uint64_t patience = (lab->warmup_ms + lab->measure_ms) * NS_PER_MS + 30 * NS_PER_S;
    err = process_read_line(&load, line, sizeof line, clock_now() + patience);
    struct process_end end =
        process_stop(&load, err < 0 ? SIGKILL : 0, clock_now() + STOP_PATIENCE);
    s->load_cpu = end.cpu_ns;
    if (err < 0)
        return fail(lab, "the load generator gave no result", err);
    if (!take_numbers(s->run, line) || !json_get(line, "all_requests", &s->all))
        return fail(lab, "the load generator's result is incomplete", -EBADMSG);
    return true;
}

/* The load, with the system calls counted around it if that is what the run is for. */
static bool load_and_count(struct serving *s, int port)
{
    struct lab_run *run = s->run;
    uint64_t count = 0;
    int err = 0;
    if (run->purpose == LAB_SYSCALLS)
        err = syscall_counter_begin(&s->counter, s->server.pid, s->lab->folder,
                                    s->lab->log);
    bool ok = put_under_load(s, port);
    if (run->purpose != LAB_SYSCALLS || !ok)
        return ok;
    if (err == 0) {
        snprintf(run->counted_by, sizeof run->counted_by, "%s", s->counter.how);
        err = syscall_counter_end(&s->counter, &count);
    }
    if (err == 0 && s->all > 0)
        run->syscalls = (double)count / s->all;
    return true;
}

/* Stops the server and takes what it says about itself. */
static bool stop_server(struct serving *s)
{
    struct lab_run *run = s->run;
    char line[256];
    struct served served;
    bool counted = false;
    uint64_t deadline = clock_now() + STOP_PATIENCE;
    kill(s->server.pid, SIGTERM);
    while (process_read_line(&s->server, line, sizeof line, deadline) == 0)
        counted = workload_parse_stats(line, &served) || counted;
    struct process_end end = process_stop(&s->server, 0, deadline);
    if (run->syscalls < 0 && counted && s->all > 0 && served.syscalls > 0) {
        run->syscalls = (double)served.syscalls / s->all;
        snprintf(run->counted_by, sizeof run->counted_by, "itself");
    }
    measure_split(run, end);
    if (end.status == 0)
        return true;
    snprintf(s->lab->note, sizeof s->lab->note, "it did not stop well: status %d",
             end.status);
    return false;
}

/* What it occupies, as a number of the run. */
static void note_memory(struct lab_run *run, pid_t pid, const char *name)
{
    uint64_t bytes;
    if (run->extra_count == LAB_EXTRAS || memory_private_dirty(pid, &bytes) < 0)
        return;
    struct lab_number *number = &run->extra[run->extra_count++];
    snprintf(number->name, sizeof number->name, "%s", name);
    number->value = (double)bytes;
}

bool lab_measure_server(struct lab *lab, struct lab_run *run)
{
    struct serving s = { .lab = lab, .run = run, .counter = { .fd = -1 } };
    int cpus[2] = { lab->machine.server_cpu, lab->machine.load_cpu };
    lab->note[0] = '\0';
    int port = start_server(&s);
    if (port < 0 || !server_answers(lab, &lab_rows[run->row], port)) {
        process_stop(&s.server, SIGKILL, clock_now() + STOP_PATIENCE);
        syscall_counter_close(&s.counter);
        return false;
    }
    note_memory(run, s.server.pid, "idle_bytes"); /* it has answered once */
    measure_look(&s.before, cpus, cpus[0] == cpus[1] ? 1 : 2);
    uint64_t server_cpu = process_cpu_ns(s.server.pid);
    bool ok = load_and_count(&s, port);
    server_cpu = process_cpu_ns(s.server.pid) - server_cpu;
    measure_look_again(&s.before, server_cpu + s.load_cpu, run);
    note_memory(run, s.server.pid, "loaded_bytes");
    char note[sizeof lab->note];
    memcpy(note, lab->note, sizeof note);
    bool stopped = stop_server(&s);
    syscall_counter_close(&s.counter);
    if (!ok)
        memcpy(lab->note, note, sizeof note);
    return ok && stopped;
}
