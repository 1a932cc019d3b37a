/* lab_plan: who competes, in what.
 *
 * The matrix separates two questions that published comparisons mix: what comes from the
 * scheduler (read down a column of one driver) and what from the I/O backend (compare a
 * cell with the raw loop of its own backend, never with the other's). */
#include "lesson08_compare/lab.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/container.h"

enum { RAW_EPOLL, RAW_URING };

const struct lab_contestant lab_contestants[] = {
    { "raw-epoll", NULL, "epoll", "base_epoll", RAW_EPOLL },
    { "raw-uring", NULL, "uring", "base_uring", RAW_URING },
    { "threads", NULL, "epoll", "base_threads", RAW_EPOLL },
    { "current/epoll", "current", "epoll", NULL, RAW_EPOLL },
    { "steal/epoll", "steal", "epoll", NULL, RAW_EPOLL },
    { "core/epoll", "core", "epoll", NULL, RAW_EPOLL },
    { "current/uring", "current", "uring", NULL, RAW_URING },
    { "steal/uring", "steal", "uring", NULL, RAW_URING },
    { "core/uring", "core", "uring", NULL, RAW_URING },
};
const int lab_contestant_count = (int)ARRAY_SIZE(lab_contestants);

#define ECHO(n) .proto = WORKLOAD_ECHO, .connections = (n), .size = 64
#define HTTP(n) .proto = WORKLOAD_HTTP, .connections = (n)
#define OPEN(fraction, row) .of_peak = (fraction), .peak_of = (row)

/* clang-format off */
const struct lab_row lab_rows[] = {
    { "echo-1", "echo 64 B, 1 connection", ECHO(1) },
    { "echo-64", "echo 64 B, 64 connections", ECHO(64) },
    { "echo-1000", "echo 64 B, 1000 connections", ECHO(1000) },
    { "http-16", "HTTP /hello, 16 connections", HTTP(16) },
    { "http-64", "HTTP /hello, 64 connections", HTTP(64) },
    { "http-256", "HTTP /hello, 256 connections", HTTP(256) },
    { "http-1024", "HTTP /hello, 1024 connections", HTTP(1024), .full_only = true },
    { "echo-64-paced", "echo 64 B, bursts over 64 connections at 60 % of the peak",
      ECHO(64), OPEN(0.6, "echo-64"), .burst = true, .has_limits = true },
    { "http-64-paced", "HTTP /hello, bursts over 64 connections at 60 % of the peak",
      HTTP(64), OPEN(0.6, "http-64"), .burst = true, .has_limits = true },
    { "open-50", "echo 64 B, 64 connections, open loop at 50 % of the peak",
      ECHO(64), OPEN(0.5, "echo-64"), .full_only = true },
    { "open-80", "echo 64 B, 64 connections, open loop at 80 % of the peak",
      ECHO(64), OPEN(0.8, "echo-64"), .full_only = true },
};
/* clang-format on */
const int lab_row_count = (int)ARRAY_SIZE(lab_rows);

bool lab_present(const struct lab *lab, int contestant, enum workload_proto proto)
{
    char path[600];
    const char *program = lab_contestants[contestant].program;
    if (!program)
        program = proto == WORKLOAD_HTTP ? "httpd" : "echo";
    snprintf(path, sizeof path, "%s/%s", lab->bin, program);
    return access(path, X_OK) == 0;
}

static bool matches(const struct lab *lab, int row, int contestant)
{
    char name[128], pattern[256];
    snprintf(name, sizeof name, "%s %s", lab_rows[row].name,
             lab_contestants[contestant].name);
    snprintf(pattern, sizeof pattern, "*%s*", lab->only);
    return fnmatch(pattern, name, 0) == 0;
}

/* Does an open row that somebody wants take its rate from this row? */
static bool sets_a_rate(const struct lab *lab, int row)
{
    for (int open = 0; open < lab_row_count; open++) {
        const char *peak_of = lab_rows[open].peak_of;
        if (!peak_of || strcmp(peak_of, lab_rows[row].name) != 0 ||
            (lab_rows[open].full_only && !lab->full))
            continue;
        for (int c = 0; c < lab_contestant_count; c++)
            if (matches(lab, open, c))
                return true;
    }
    return false;
}

/* A raw loop is also wanted where somebody is who is compared with it. */
bool lab_wanted(const struct lab *lab, int row, int contestant)
{
    if (lab_rows[row].full_only && !lab->full)
        return false;
    if (!lab->only || matches(lab, row, contestant))
        return true;
    if (contestant == RAW_EPOLL && sets_a_rate(lab, row))
        return true;
    for (int c = 0; c < lab_contestant_count; c++)
        if (lab_contestants[c].baseline == contestant && matches(lab, row, c))
            return true;
    return false;
}

static double seconds_of_a_run(const struct lab *lab, int row)
{
    bool wrk = lab_rows[row].proto == WORKLOAD_HTTP && lab_rows[row].of_peak <= 0;
    if (wrk && lab->has_wrk) /* counts in whole seconds */
        return (double)((lab->measure_ms + 999) / 1000);
    return (double)(lab->warmup_ms + lab->measure_ms) / 1000;
}

double lab_expected_minutes(const struct lab *lab)
{
    double seconds = 0;
    for (int row = 0; row < lab_row_count; row++)
        for (int c = 0; c < lab_contestant_count; c++)
            if (lab_wanted(lab, row, c) && lab_present(lab, c, lab_rows[row].proto))
                seconds += 0.2 + seconds_of_a_run(lab, row);
    return seconds * lab->rounds / 60;
}
