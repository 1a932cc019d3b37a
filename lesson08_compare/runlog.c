/* runlog: append, read again, go on.
 *
 * A line is written with one write, so that whatever kills the lab cuts off at most the
 * end of the last line; a reader ignores a line without its newline, and who goes on
 * first shortens the file to the last newline. No fsync: it would disturb the next run,
 * and a crash of the whole machine costs only what the kernel had not written yet.
 *
 * Going on is allowed only where the result is one experiment: the same plan (rows,
 * contestants, rounds, times), the same machine, the same programs by size and time of
 * change. Otherwise the medians would mix two things. */
#include "lesson08_compare/runlog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lesson08_compare/json.h"
#include "lesson08_compare/record_fields.h"

static void log_path(const struct lab *lab, char path[700])
{
    snprintf(path, 700, "%s/" RUNLOG_NAME, lab->folder);
}

/* Writes what print prints, in one write. */
static int append(const struct lab *lab, const struct lab_run *run,
                  void (*print)(const struct lab *lab, const struct lab_run *run,
                                FILE *out))
{
    char *text = NULL;
    size_t size = 0;
    if (lab->runlog < 0)
        return 0;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return -ENOMEM;
    print(lab, run, out);
    int err = fclose(out) == 0 ? 0 : -errno;
    if (err == 0) {
        ssize_t n = write(lab->runlog, text, size);
        err = n < 0 ? -errno : n == (ssize_t)size ? 0 : -ENOSPC;
    }
    free(text);
    return err;
}

static void print_head(const struct lab *lab, const struct lab_run *run, FILE *out)
{
    (void)run;
    record_json_head(lab, out);
    for (int c = 0; c < lab_contestant_count; c++)
        record_json_contestant(lab, c, out);
}

static void print_end(const struct lab *lab, const struct lab_run *run, FILE *out)
{
    (void)lab;
    (void)run;
    fputs("{\"type\":\"end\"}\n", out);
}

int runlog_create(struct lab *lab)
{
    char path[700];
    log_path(lab, path);
    lab->runlog = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666);
    return lab->runlog < 0 ? -errno : append(lab, NULL, print_head);
}

/* Cuts the file behind its last newline. */
static int shorten(int fd)
{
    char tail[8192];
    off_t end = lseek(fd, 0, SEEK_END);
    while (end > 0) {
        size_t size = end < (off_t)sizeof tail ? (size_t)end : sizeof tail;
        ssize_t n = pread(fd, tail, size, end - (off_t)size);
        if (n != (ssize_t)size)
            return n < 0 ? -errno : -EIO;
        const char *newline = memrchr(tail, '\n', size);
        if (newline) {
            end += newline + 1 - (tail + size);
            break;
        }
        end -= (off_t)size;
    }
    return ftruncate(fd, end) < 0 ? -errno : 0;
}

int runlog_reopen(struct lab *lab)
{
    char path[700];
    log_path(lab, path);
    lab->runlog = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    return lab->runlog < 0 ? -errno : shorten(lab->runlog);
}

int runlog_add(struct lab *lab, const struct lab_run *run)
{
    return append(lab, run, record_json_run);
}

int runlog_end(struct lab *lab)
{
    return append(lab, NULL, print_end);
}

void runlog_close(struct lab *lab)
{
    if (lab->runlog >= 0)
        close(lab->runlog);
    lab->runlog = -1;
}

/* ---- reading */

/* Files are edited and damaged: what no lab has written changes nothing. */
static void take_count(const char *line, const char *key, int most, int *value)
{
    uint64_t count;
    if (json_get_count(line, key, &count) && count <= (uint64_t)most)
        *value = (int)count;
}

static void take_fields(struct lab_run *run, const char *line)
{
    double value;
    for (int i = 0; i < record_field_count; i++)
        if (json_get(line, record_fields[i].name, &value) && value >= 0)
            *record_field(run, i) = value;
}

static void take_head(struct lab *lab, const char *line)
{
    struct machine *m = &lab->machine;
    char form[16] = "";
    json_get_text(line, "kernel", m->kernel, sizeof m->kernel);
    json_get_text(line, "cpu", m->cpu, sizeof m->cpu);
    json_get_text(line, "compiler", m->compiler, sizeof m->compiler);
    json_get_text(line, "flags", m->flags, sizeof m->flags);
    json_get_text(line, "tools", m->tools, sizeof m->tools);
    json_get_text(line, "allocator", m->allocator, sizeof m->allocator);
    json_get_text(line, "date", m->date, sizeof m->date);
    json_get_text(line, "stamp", m->stamp, sizeof m->stamp);
    json_get_text(line, "form", form, sizeof form);
    take_count(line, "cpus", INT_MAX, &m->cpus);
    take_count(line, "server_cpu", INT_MAX, &m->server_cpu);
    take_count(line, "load_cpu", INT_MAX, &m->load_cpu);
    take_count(line, "rounds", STATS_MAX, &lab->rounds);
    json_get_count(line, "warmup_ms", &lab->warmup_ms);
    json_get_count(line, "measure_ms", &lab->measure_ms);
    lab->full = strcmp(form, "full") == 0;
}

static void take_contestant(struct lab *lab, const char *line)
{
    char name[64] = "";
    json_get_text(line, "name", name, sizeof name);
    int c = lab_contestant_named(name);
    if (c < 0)
        return;
    struct lab_offer *offer = &lab->offers[c];
    json_get_text(line, "version", offer->version, sizeof offer->version);
    json_get_text(line, "problem", offer->problem, sizeof offer->problem);
    json_get_text(line, "workloads", offer->workloads, sizeof offer->workloads);
}

static bool take_names(struct lab_step *step, const char *line)
{
    char row[64] = "", contestant[64] = "", purpose[32] = "";
    uint64_t round = 0;
    json_get_text(line, "row", row, sizeof row);
    json_get_text(line, "contestant", contestant, sizeof contestant);
    json_get_text(line, "purpose", purpose, sizeof purpose);
    *step = (struct lab_step){ .row = lab_row_named(row),
                               .contestant = lab_contestant_named(contestant) };
    json_get_count(line, "round", &round);
    if (round >= STATS_MAX) /* no lab has made that one */
        return false;
    step->round = (int)round;
    for (int p = LAB_TIMED; p <= LAB_INSTRUCTIONS; p++)
        if (strcmp(purpose, lab_purpose_name((enum lab_purpose)p)) == 0) {
            step->purpose = (enum lab_purpose)p;
            return step->row >= 0 && step->contestant >= 0;
        }
    return false;
}

static void take_extras(struct lab_run *run, const char *line)
{
    struct lab_number number;
    char key[40];
    const char *at = line;
    while (run->extra_count < LAB_EXTRAS &&
           (at = json_next_number(at, key, sizeof key, &number.value)))
        if (strncmp(key, "x_", 2) == 0) {
            snprintf(number.name, sizeof number.name, "%.27s", key + 2);
            run->extra[run->extra_count++] = number;
        }
}

static bool take_run(struct lab_run *run, const char *line)
{
    struct lab_step step;
    char at_limit[8] = "";
    if (!take_names(&step, line))
        return false;
    *run = lab_run_blank(&step);
    json_get_text(line, "tool", run->tool, sizeof run->tool);
    json_get_text(line, "counted_by", run->counted_by, sizeof run->counted_by);
    json_get_text(line, "problem", run->problem, sizeof run->problem);
    json_get_text(line, "at_limit", at_limit, sizeof at_limit);
    json_get_count(line, "n", &run->n);
    json_get_count(line, "check", &run->check);
    take_count(line, "attempts", STATS_MAX, &run->attempts);
    run->at_limit = strcmp(at_limit, "yes") == 0;
    take_fields(run, line);
    take_extras(run, line);
    return true;
}

bool runlog_is(const char *line, const char *type)
{
    char text[16] = "";
    json_get_text(line, "type", text, sizeof text);
    return strcmp(text, type) == 0;
}

/* 1 for a run that nobody knows, 0 for the rest, negative errno. */
static int take_line(struct lab *lab, const char *line, bool *ended)
{
    struct lab_run run;
    if (runlog_is(line, "run"))
        return take_run(&run, line) ? lab_add_run(lab, &run) : 1;
    if (runlog_is(line, "lab"))
        take_head(lab, line);
    else if (runlog_is(line, "contestant"))
        take_contestant(lab, line);
    else if (runlog_is(line, "end"))
        *ended = true;
    return 0;
}

int runlog_read(struct lab *lab, const char *path, bool *ended)
{
    bool end = false;
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    int unknown = 0, err = 0;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    errno = 0;
    while (err >= 0 && (n = getline(&line, &room, file)) > 0)
        if (line[n - 1] == '\n') {
            err = take_line(lab, line, &end);
            unknown += err > 0;
        }
    if (err >= 0 && !feof(file)) /* the disk, or no memory for a line */
        err = errno ? -errno : -EIO;
    free(line);
    fclose(file);
    if (ended)
        *ended = end;
    return err < 0 ? err : unknown;
}
