/* resume: which lab to go on with.
 *
 * The newest of those that are not complete and are the same experiment; what makes two
 * labs one experiment is said in runlog.c, and the head line of a log holds the three
 * numbers. Small labs that were interrupted meanwhile do not hide a large one. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/errname.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/record_fields.h"
#include "lesson08_compare/runlog.h"

static bool same(const char *head, const char *key, uint64_t value)
{
    char text[32] = "";
    json_get_text(head, key, text, sizeof text);
    return strtoull(text, NULL, 16) == value;
}

/* 1 and the head of a log that was not ended; 0 if there is none; negative errno if
 * nobody knows. Whole lines only, as runlog_read sees them. */
static int read_open_head(const char *path, char *head, size_t size)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    FILE *file = fopen(path, "re");
    bool found = false, ended = false;
    if (!file)
        return errno == ENOENT ? 0 : -errno;
    errno = 0;
    while (!ended && (n = getline(&line, &room, file)) > 0 && line[n - 1] == '\n') {
        if (!found)
            snprintf(head, size, "%s", line);
        found = true;
        ended = runlog_is(line, "end");
    }
    int err = ended || feof(file) || errno == 0 ? 0 : -errno; /* no memory, no disk */
    free(line);
    fclose(file);
    return err < 0 ? err : found && !ended;
}

/* "" if it can be gone on with, else what differs. */
static const char *difference(const struct lab *lab, const char *head)
{
    struct record_key key = record_key(lab);
    if (!same(head, "plan", key.plan))
        return "it had another plan";
    if (!same(head, "machine", key.machine))
        return "it ran on another machine";
    if (!same(head, "programs", key.programs))
        return "programs have been built anew since";
    return "";
}

static int newest_first(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*b)->d_name, (*a)->d_name);
}

static int is_a_stamp(const struct dirent *entry)
{
    return entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
}

int runlog_folders(const struct lab *lab, struct dirent ***found)
{
    *found = NULL;
    return scandir(lab->results, found, is_a_stamp, newest_first);
}

static int take_over(struct lab *lab, const char *path)
{
    int before = lab->run_count;
    int err = runlog_read(lab, path, NULL);
    if (err < 0)
        return err;
    for (int i = before; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        for (int s = 0; s < lab->step_count; s++) {
            struct lab_step *step = &lab->steps[s];
            if (step->row == run->row && step->contestant == run->contestant &&
                step->round == run->round && step->purpose == run->purpose)
                step->done = true;
        }
    }
    return lab->run_count - before;
}

/* Goes on with this one if it can be: how many runs it took over; 0, with the reason in
 * `why` if it is open, if not. What is somebody else's can only be left to him. */
static int try_log(struct lab *lab, const char *name, char why[120])
{
    char path[700], head[4096];
    snprintf(path, sizeof path, "%s/%.40s/" RUNLOG_NAME, lab->results, name);
    int open = read_open_head(path, head, sizeof head);
    if (open == 0 || (open < 0 && open != -EACCES))
        return open;
    const char *what = open < 0 ? errtext(open) : difference(lab, head);
    if (*what) {
        snprintf(why, 120, "%.40s: %s", name, what);
        return 0;
    }
    int taken = take_over(lab, path);
    if (taken > 0)
        snprintf(lab->folder, sizeof lab->folder, "%s/%.40s", lab->results, name);
    return taken;
}

int runlog_resume(struct lab *lab, char why[120])
{
    static const char none[] = "there is none that was interrupted";
    struct dirent **found = NULL;
    char reason[120];
    int count = runlog_folders(lab, &found), taken = 0;
    if (count < 0 && errno != ENOENT)
        return -errno;
    memcpy(why, none, sizeof none);
    for (int i = 0; i < count; i++) {
        reason[0] = '\0';
        if (taken == 0)
            taken = try_log(lab, found[i]->d_name, reason);
        if (reason[0] && strcmp(why, none) == 0) /* of the newest */
            memcpy(why, reason, sizeof reason);
        free(found[i]);
    }
    free(found);
    return taken;
}
