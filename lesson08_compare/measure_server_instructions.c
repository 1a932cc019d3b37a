/* measure_server_instructions: instructions a request, exactly.
 *
 * The user part of a server's CPU time is a sample (measure_server.c), and a machine full
 * of neighbours moves it further. callgrind counts instead: the server runs on its
 * simulated CPU, our load generator asks n requests in a closed loop without a warm-up,
 * SIGTERM ends it. Two process starts with different n, and only their difference counts
 * (measure_instructions.c), over the difference of the requests that were answered. It
 * works for whoever runs under valgrind, in any language; who does not is named.
 *
 * Two things to know when reading the number. A server under valgrind is some twenty
 * times slower while its clients are not, so more requests are waiting whenever it looks:
 * what a loop does once a turn is shared by more of them than in a timed run. The order
 * of the contestants is what the number is good for, and the kernel's part is not in it.
 *
 * And valgrind runs one thread at a time; a thread that sleeps in io_uring_enter keeps
 * the turn (valgrind 3.19 does not know that the call may block). A runtime that waits
 * for SIGTERM in another thread, as glommio's and monoio's programs do, then never sees
 * it. More requests make it lose the turn; they are counted like the rest. Our own rings
 * are told that valgrind is there and sleep in poll(2) instead (ring.c), which costs them
 * a few instructions more than they need elsewhere. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/errname.h"
#include "lesson08_compare/callgrind.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/measure_server.h"

#define START_PATIENCE (15 * NS_PER_S)
#define TURN_PATIENCE NS_PER_S
#define NUDGES 10

/* Sends about n requests; run->ops grows by those that were answered, also if the server
 * went away meanwhile. Negative errno if there is no result. */
static int ask(struct lab *lab, struct lab_run *run, int port, uint64_t n)
{
    struct command command;
    struct process load;
    char line[2048];
    double answered = 0;
    server_load_command(&command, lab, &lab_rows[run->row], port);
    command_number(&command, "warmup", 0);
    command_number(&command, "requests", n);
    int err = process_start(&load, command.argv, lab->machine.load_cpu, lab->log);
    if (err < 0)
        return err;
    err = process_read_line(&load, line, sizeof line,
                            clock_now() + lab->limit_ms * NS_PER_MS);
    process_stop(&load, err < 0 ? SIGKILL : 0, clock_now() + TURN_PATIENCE);
    if (err == 0 && json_get(line, "all_requests", &answered))
        run->ops += answered;
    json_get(line, "errors", &run->errors);
    return err;
}

/* Has its output ended by then? */
static bool ends(struct process *server, uint64_t deadline)
{
    char line[256];
    int err;
    do
        err = process_read_line(server, line, sizeof line, deadline);
    while (err == 0);
    return err != -ETIMEDOUT;
}

static bool stop(struct lab *lab, struct lab_run *run, struct process *server, int port)
{
    double errors = run->errors; /* connections that the end cuts off are none */
    bool ended = false;
    kill(server->pid, SIGTERM);
    for (int i = 0; i <= NUDGES && !ended && !process_interrupted; i++) {
        if (i > 0)
            ask(lab, run, port, 1000);
        ended = ends(server, clock_now() + TURN_PATIENCE);
    }
    run->errors = errors;
    struct process_end end =
        process_stop(server, ended ? 0 : SIGKILL, clock_now() + START_PATIENCE);
    if (!ended)
        snprintf(lab->note, sizeof lab->note, "it does not end under valgrind");
    else if (end.status != 0)
        snprintf(lab->note, sizeof lab->note, "status %d under valgrind", end.status);
    return ended && end.status == 0;
}

bool callgrind_server(struct lab *lab, struct lab_run *run, uint64_t n, double *total)
{
    struct command command = { .count = 0 };
    struct process server;
    char file[640];
    run->n = n;
    run->ops = 0;
    callgrind_command(&command, lab, file);
    server_command(&command, lab, run);
    int err = process_start(&server, command.argv, lab->machine.server_cpu, lab->log);
    if (err < 0) {
        snprintf(lab->note, sizeof lab->note, "cannot be started: %s", errtext(err));
        return false;
    }
    int port = server_port(&server, clock_now() + START_PATIENCE);
    err = port < 0 ? port : ask(lab, run, port, n);
    if (err < 0) {
        process_stop(&server, SIGKILL, clock_now() + START_PATIENCE);
        snprintf(lab->note, sizeof lab->note, "%s under valgrind: %s",
                 port < 0 ? "it does not listen" : "it does not answer", errtext(err));
        unlink(file);
        return false;
    }
    bool ok = stop(lab, run, &server, port);
    if (ok && !callgrind_total(file, total)) {
        snprintf(lab->note, sizeof lab->note, "no total from callgrind");
        ok = false;
    }
    unlink(file);
    return ok;
}
