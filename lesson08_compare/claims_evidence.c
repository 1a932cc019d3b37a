/* claims_evidence: verdicts by what a program says, or by its source.
 *
 * Some sentences are about a fact and not about a speed. The fact is looked at when the
 * report is made: a peer's demo is run (WORKLOADS.md), or the source that cargo keeps in
 * its registry's cache is searched, of the very version that the peer was built with.
 * Where the peer or the source is not there, nothing is claimed in either direction. */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "lesson08_compare/claims.h"
#include "lesson08_compare/command.h"
#include "lesson08_compare/process.h"

#define DEMO_PATIENCE (10 * NS_PER_S)

__attribute__((format(printf, 3, 4))) static void found(struct claim_result *result,
                                                        enum claim_verdict verdict,
                                                        const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(result->why, sizeof result->why, format, list);
    va_end(list);
    result->verdict = verdict;
}

void claim_untested(const struct lab *lab, const struct claim *claim,
                    struct claim_result *result)
{
    (void)lab;
    found(result, CLAIM_OPEN, "not tested: %s", claim->remark);
}

/* ---- demos */

static bool start_demo(const struct lab *lab, const struct claim *claim,
                       struct process *process)
{
    const struct lab_contestant *c = &lab_contestants[lab_contestant_named(claim->who)];
    struct command command;
    char path[600];
    lab_program_path(lab, c->program, path);
    if (!lab->peers[0] || access(path, X_OK) != 0)
        return false;
    command_begin(&command, path);
    command_option(&command, "mode", c->mode);
    command_option(&command, "demo", claim->file);
    return process_start(process, command.argv, PROCESS_ANY_CPU, lab->log) == 0;
}

void claim_demo(const struct lab *lab, const struct claim *claim,
                struct claim_result *result)
{
    struct process process;
    char line[512], last[200] = "";
    int err;
    if (!start_demo(lab, claim, &process)) {
        found(result, CLAIM_OPEN,
              "not checked here: the peer is not built (make peers)");
        return;
    }
    uint64_t deadline = clock_now() + DEMO_PATIENCE;
    while ((err = process_read_line(&process, line, sizeof line, deadline)) == 0) {
        if (result->why[0])
            continue;
        if (strstr(line, claim->text))
            found(result, CLAIM_CONFIRMED, "it printed: %.200s", line);
        snprintf(last, sizeof last, "%.199s", line);
    }
    struct process_end end =
        process_stop(&process, err == -EPIPE ? 0 : SIGKILL, clock_now() + NS_PER_S);
    if (result->why[0])
        return;
    if (end.status != 0)
        found(result, CLAIM_OPEN, "not checked here: the demo ended with status %d",
              end.status);
    else
        found(result, CLAIM_REFUTED, "it printed other things, at last: %s", last);
}

/* ---- sources */

/* ~/.cargo/registry/src, which holds a folder for each registry. */
static bool registry_folder(char path[600])
{
    const char *cargo = getenv("CARGO_HOME"), *home = getenv("HOME");
    if (cargo && cargo[0])
        snprintf(path, 600, "%.500s/registry/src", cargo);
    else if (home && home[0])
        snprintf(path, 600, "%.500s/.cargo/registry/src", home);
    else
        return false;
    return true;
}

/* Is this entry the crate, in the version asked for or any? "tokio-1.54.1" is tokio,
 * "tokio-util-0.7.1" is not. */
static bool is_crate(const char *entry, const char *crate, const char *version)
{
    size_t length = strlen(crate);
    if (strncmp(entry, crate, length) != 0 || entry[length] != '-')
        return false;
    const char *its = entry + length + 1;
    return version[0] ? strcmp(its, version) == 0 : *its >= '0' && *its <= '9';
}

static bool newest_in(const char *registry, const char *crate, const char *version,
                      char path[900])
{
    char best[200] = "";
    DIR *folder = opendir(registry);
    if (!folder)
        return false;
    for (struct dirent *e; (e = readdir(folder));)
        if (is_crate(e->d_name, crate, version) && strverscmp(e->d_name, best) > 0)
            snprintf(best, sizeof best, "%.199s", e->d_name);
    closedir(folder);
    if (best[0])
        snprintf(path, 900, "%.680s/%s", registry, best);
    return best[0] != '\0';
}

bool claim_crate_folder(const char *crate, const char *version, char path[900])
{
    char sources[600], registry[700];
    bool there = false;
    DIR *folder = registry_folder(sources) ? opendir(sources) : NULL;
    if (!folder)
        return false;
    for (struct dirent *e; !there && (e = readdir(folder));) {
        snprintf(registry, sizeof registry, "%s/%.90s", sources, e->d_name);
        there = e->d_name[0] != '.' && newest_in(registry, crate, version, path);
    }
    closedir(folder);
    return there;
}

const char *claim_crate_version(const struct lab *lab, const char *crate)
{
    size_t length = strlen(crate);
    for (int c = 0; c < lab_contestant_count; c++) {
        const char *version = lab->offers[c].version;
        if (strncmp(version, crate, length) == 0 && version[length] == ' ')
            return version + length + 1;
    }
    return "";
}

/* What is counted in a file: lines with the text, or lines of code. */
struct hunt {
    const char *text; /* NULL: lines that are neither blank nor comment */
    uint64_t lines, files;
    char first[120]; /* where the first one was */
};

static bool counts(const char *line, const char *text, bool *in_comment)
{
    const char *at = line + strspn(line, " \t\r\n");
    if (text)
        return strstr(line, text) != NULL;
    if (*in_comment) {
        *in_comment = !strstr(at, "*/");
        return false;
    }
    if (strncmp(at, "/*", 2) == 0) {
        *in_comment = !strstr(at, "*/");
        return false;
    }
    return *at != '\0' && strncmp(at, "//", 2) != 0;
}

static void hunt_file(struct hunt *hunt, const char *path, const char *name)
{
    char *line = NULL;
    size_t room = 0;
    int number = 0;
    bool in_comment = false;
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    hunt->files++;
    while (getline(&line, &room, file) > 0) {
        number++;
        if (!counts(line, hunt->text, &in_comment))
            continue;
        if (hunt->lines++ == 0)
            snprintf(hunt->first, sizeof hunt->first, "%.100s:%d", name, number);
    }
    free(line);
    fclose(file);
}

/* A file, or all .rs files of a folder. Sources are some levels deep, and end. */
static void hunt_below(struct hunt *hunt, const char *path, const char *name, int depth)
{
    char below[1200], its_name[300];
    DIR *folder = depth > 0 ? opendir(path) : NULL;
    if (!folder) {
        hunt_file(hunt, path, name);
        return;
    }
    for (struct dirent *e; (e = readdir(folder));) {
        const char *dot = strrchr(e->d_name, '.');
        if (e->d_name[0] == '.' || (dot && strcmp(dot, ".rs") != 0))
            continue;
        snprintf(below, sizeof below, "%.900s/%.200s", path, e->d_name);
        snprintf(its_name, sizeof its_name, "%.150s/%.140s", name, e->d_name);
        hunt_below(hunt, below, its_name, depth - 1);
    }
    closedir(folder);
}

/* False, with the sentence, if its source is not there. */
static bool hunt_crate(const struct lab *lab, struct hunt *hunt, const char *crate,
                       const char *below, struct claim_result *result)
{
    char folder[900], path[1100];
    const char *version = claim_crate_version(lab, crate);
    uint64_t before = hunt->files;
    if (claim_crate_folder(crate, version, folder)) {
        snprintf(path, sizeof path, "%s/%.150s", folder, below);
        hunt_below(hunt, path, below, 8);
    }
    if (hunt->files > before)
        return true;
    found(result, CLAIM_OPEN, "not checked here: no source of %s %s in cargo's cache",
          crate, version);
    return false;
}

void claim_source(const struct lab *lab, const struct claim *claim,
                  struct claim_result *result)
{
    struct hunt hunt = { .text = claim->text };
    char folder[900];
    bool wanted = claim->high >= 0;
    if (!hunt_crate(lab, &hunt, claim->crate, claim->file, result))
        return;
    claim_crate_folder(claim->crate, claim_crate_version(lab, claim->crate), folder);
    const char *name = strrchr(folder, '/') + 1;
    enum claim_verdict verdict =
        (hunt.lines > 0) == wanted ? CLAIM_CONFIRMED : CLAIM_REFUTED;
    if (hunt.lines > 0)
        found(result, verdict, "%s, %s: %s", name, hunt.first, claim->text);
    else
        found(result, verdict, "%s, %s: nothing with \"%s\"", name, claim->file,
              claim->text);
}

void claim_size(const struct lab *lab, const struct claim *claim,
                struct claim_result *result)
{
    struct hunt all = { .text = NULL };
    char parts[300] = "", crate[40];
    for (const char *at = claim->crate; *at;) {
        uint64_t before = all.lines;
        size_t used = strlen(parts);
        int length = (int)strcspn(at, " ");
        snprintf(crate, sizeof crate, "%.*s", length, at);
        at += length + (at[length] == ' ');
        if (!hunt_crate(lab, &all, crate, "src", result))
            return;
        snprintf(parts + used, sizeof parts - used, "%s%s %d", used ? ", " : "", crate,
                 (int)(all.lines - before));
    }
    bool holds = (double)all.lines >= claim->low && (double)all.lines <= claim->high;
    found(result, holds ? CLAIM_CONFIRMED : CLAIM_REFUTED, "%s: together %d lines",
          parts, (int)all.lines);
}
