/* offers: who is there, and for what.
 *
 * Nobody is assumed to be there. A program that is missing, hangs, dies or says nonsense
 * when it is asked for its list costs the lab a few seconds and one sentence, and the
 * others are measured. Each program is asked once, however many of its modes compete. */
#include "lesson08_compare/lab.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/container.h"
#include "common/errname.h"
#include "lesson08_compare/command.h"
#include "lesson08_compare/process.h"

#define ANSWER_PATIENCE (5 * NS_PER_S)

void lab_program_path(const struct lab *lab, const char *program, char path[600])
{
    bool peer = strncmp(program, "peer_", 5) == 0;
    snprintf(path, 600, "%s/%s", peer ? lab->peers : lab->bin, program);
}

static bool exists(const struct lab *lab, const char *program)
{
    char path[600];
    lab_program_path(lab, program, path);
    return access(path, X_OK) == 0;
}

/* Is this contestant a mode of that program? */
static bool shares(int contestant, const char *program)
{
    const char *its = lab_contestants[contestant].program;
    return its && strcmp(its, program) == 0;
}

static void for_all(struct lab *lab, const char *program, const char *problem,
                    const char *version)
{
    for (int c = 0; c < lab_contestant_count; c++) {
        struct lab_offer *offer = &lab->offers[c];
        if (!shares(c, program))
            continue;
        offer->asked = true;
        if (problem && !offer->problem[0])
            snprintf(offer->problem, sizeof offer->problem, "%s", problem);
        if (version)
            snprintf(offer->version, sizeof offer->version, "%s", version);
    }
}

/* "MODE WORKLOAD": notes it for the contestant that is this mode. */
static bool take_offer(struct lab *lab, const char *program, const char *line)
{
    char mode[64], workload[64], rest[2];
    if (sscanf(line, "%63s %63s %1s", mode, workload, rest) != 2)
        return false;
    for (int c = 0; c < lab_contestant_count; c++) {
        struct lab_offer *offer = &lab->offers[c];
        size_t used = strlen(offer->workloads);
        if (!shares(c, program) || strcmp(lab_contestants[c].mode, mode) != 0 ||
            used + strlen(workload) + 3 > sizeof offer->workloads)
            continue;
        snprintf(offer->workloads + used, sizeof offer->workloads - used, "%s%s ",
                 used ? "" : " ", workload);
    }
    return true;
}

/* Runs PROGRAM --WHAT and hands on each line. False with the reason in `problem`. */
static bool ask(struct lab *lab, const char *program, const char *what,
                bool (*take)(struct lab *lab, const char *program, const char *line),
                char problem[120])
{
    struct command command;
    struct process process;
    char path[600], line[256];
    bool understood = true;
    lab_program_path(lab, program, path);
    command_begin(&command, path);
    command_word(&command, what);
    int err = process_start(&process, command.argv, PROCESS_ANY_CPU, lab->log);
    if (err < 0) {
        snprintf(problem, 120, "cannot be started: %s", errtext(err));
        return false;
    }
    uint64_t limit = lab->limit_ms * NS_PER_MS;
    uint64_t patience = limit < ANSWER_PATIENCE ? limit : ANSWER_PATIENCE;
    uint64_t deadline = clock_now() + patience;
    while ((err = process_read_line(&process, line, sizeof line, deadline)) == 0)
        understood = take(lab, program, line) && understood;
    struct process_end end =
        process_stop(&process, err == -EPIPE ? 0 : SIGKILL, deadline);
    if (err != -EPIPE && err != -ETIMEDOUT)
        snprintf(problem, 120, "%s: %s", what, errtext(err));
    else if (err == -ETIMEDOUT)
        snprintf(problem, 120, "%s: no end of its answer within %.1f s", what,
                 (double)patience / 1e9);
    else if (end.status != 0)
        snprintf(problem, 120, "%s: status %d", what, end.status);
    else if (!understood)
        snprintf(problem, 120, "%s: not as WORKLOADS.md says", what);
    else
        return true;
    return false;
}

static bool take_version(struct lab *lab, const char *program, const char *line)
{
    for_all(lab, program, NULL, line);
    return true;
}

static void ask_program(struct lab *lab, const char *program)
{
    char problem[120] = "";
    if (!exists(lab, program))
        snprintf(problem, sizeof problem, "not built");
    else if (ask(lab, program, "--list", take_offer, problem))
        ask(lab, program, "--version", take_version, problem);
    for_all(lab, program, problem, NULL);
}

static bool competes(const struct lab *lab, int contestant)
{
    for (int row = 0; row < lab_row_count; row++)
        if (lab_wanted(lab, row, contestant))
            return true;
    return false;
}

void lab_ask(struct lab *lab)
{
    for (int c = 0; c < lab_contestant_count && !process_interrupted; c++)
        if (lab_contestants[c].program && !lab->offers[c].asked && competes(lab, c))
            ask_program(lab, lab_contestants[c].program);
}

static bool offers_workload(const struct lab_offer *offer, const char *workload)
{
    char wanted[72];
    snprintf(wanted, sizeof wanted, " %s ", workload);
    return strstr(offer->workloads, wanted) != NULL;
}

/* Does it serve? Our cells have their own programs for it; peers say what they offer. */
static bool serves(const struct lab *lab, int row, int contestant, const char **why)
{
    const struct lab_contestant *c = &lab_contestants[contestant];
    bool http = lab_rows[row].proto == WORKLOAD_HTTP;
    const char *program = lab_server(row, contestant);
    if (!program)
        return false;
    if (c->kind == LAB_PEER) {
        *why = lab->offers[contestant].problem;
        return !**why &&
               offers_workload(&lab->offers[contestant], http ? "http" : "echo");
    }
    *why = exists(lab, program) ? "" : "not built";
    return !**why;
}

/* Limits have no driver; two of them are ways to use a ring. */
bool lab_needs_uring(int contestant)
{
    static const char *const rings[] = { "limit/uring", "limit/msgring" };
    const struct lab_contestant *c = &lab_contestants[contestant];
    for (size_t i = 0; i < ARRAY_SIZE(rings); i++)
        if (strcmp(c->name, rings[i]) == 0)
            return true;
    return c->driver && strcmp(c->driver, "uring") == 0;
}

bool lab_offers(const struct lab *lab, int row, int contestant, const char **why)
{
    static const char *nobody_asks;
    const struct lab_contestant *c = &lab_contestants[contestant];
    const struct lab_row *r = &lab_rows[row];
    why = why ? why : &nobody_asks;
    *why = "";
    if (r->kind == LAB_STATIC)
        return c->product && lab->weigh;
    if (lab->no_uring[0] && lab_needs_uring(contestant)) {
        *why = lab->no_uring;
        return false;
    }
    if (r->kind == LAB_SERVER)
        return serves(lab, row, contestant, why);
    if (!c->program || (r->workers > 1 && !c->many))
        return false;
    *why = lab->offers[contestant].problem;
    return !**why && offers_workload(&lab->offers[contestant], r->workload);
}
