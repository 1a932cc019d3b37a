/* fuzz: a lab goes on where any file left it, or says why not.
 *
 * The input is a run log below its head line; for three inputs in four the right head is
 * put in front, so that the lab recognises itself. Then what the lab does: it takes the
 * runs over, opens the log again, and adds a run. After that the log has to hold what was
 * taken and the one run more, and nothing that was torn. */
#include "common/fuzzing/fuzz.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lesson08_compare/record_fields.h"
#include "lesson08_compare/runlog.h"

#define STAMP "/20260101-000000"

static void begin(struct lab *lab)
{
    const char *temporary = getenv("TMPDIR");
    memset(lab, 0, sizeof *lab);
    lab->log = lab->runlog = -1;
    lab->rounds = 3;
    snprintf(lab->results, sizeof lab->results, "%.400s/fuzz-XXXXXX",
             temporary ? temporary : "/tmp");
    CHECK(mkdtemp(lab->results), "no folder in %s", lab->results);
    snprintf(lab->folder, sizeof lab->folder, "%s" STAMP, lab->results);
    CHECK(mkdir(lab->folder, 0777) == 0, "no folder %s", lab->folder);
    lab->steps = calloc(6, sizeof *lab->steps);
    CHECK(lab->steps, "no memory");
    for (int i = 0; i < 6; i++)
        lab->steps[lab->step_count++] =
            (struct lab_step){ .row = i / 3, .contestant = i % 2, .round = i % 3 };
}

static void log_path(const struct lab *lab, char path[700])
{
    snprintf(path, 700, "%s" STAMP "/" RUNLOG_NAME, lab->results);
}

static void end(struct lab *lab)
{
    char path[700];
    log_path(lab, path);
    unlink(path);
    path[strlen(path) - strlen("/" RUNLOG_NAME)] = '\0';
    rmdir(path);
    rmdir(lab->results);
    lab_forget(lab);
}

static void write_log(const struct lab *lab, bool head, const uint8_t *data,
                      size_t size)
{
    char path[700];
    log_path(lab, path);
    FILE *file = fopen(path, "we");
    CHECK(file, "no log");
    if (head)
        record_json_head(lab, file);
    fwrite(data, 1, size, file);
    CHECK(fclose(file) == 0, "no log");
}

/* What a reader sees in the log now; how many runs. */
static int runs_in(const struct lab *lab, bool *ended)
{
    static struct lab other;
    char path[700];
    log_path(lab, path);
    memset(&other, 0, sizeof other);
    CHECK(runlog_read(&other, path, ended) >= 0, "the log cannot be read");
    int count = other.run_count;
    lab_forget(&other);
    return count;
}

/* Every step that is done was taken over, and the other way round. */
static void look_at_steps(const struct lab *lab)
{
    for (int s = 0; s < lab->step_count; s++) {
        const struct lab_step *step = &lab->steps[s];
        bool there = false;
        for (int i = 0; i < lab->run_count; i++) {
            const struct lab_run *run = &lab->runs[i];
            there = there || (run->row == step->row && run->round == step->round &&
                              run->contestant == step->contestant &&
                              run->purpose == step->purpose);
        }
        CHECK(there == step->done, "step %d: done is %d", s, step->done);
    }
}

static void go_on(struct lab *lab, int taken)
{
    bool ended = true;
    struct lab_run run = lab_run_blank(&lab->steps[5]);
    CHECK(runlog_reopen(lab) == 0 && runlog_add(lab, &run) == 0, "it cannot go on");
    runlog_close(lab);
    CHECK(runs_in(lab, &ended) == taken + 1 && !ended, "the new run is not there");
    CHECK(runlog_reopen(lab) == 0 && runlog_end(lab) == 0, "it cannot end");
    runlog_close(lab);
    CHECK(runs_in(lab, &ended) == taken + 1 && ended, "it has not ended");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct lab lab;
    char why[120];
    bool ended = false;
    begin(&lab);
    bool head = fuzz_choose(data, size, 4, 0) > 0;
    write_log(&lab, head, data, size);
    int there = runs_in(&lab, &ended);
    int taken = runlog_resume(&lab, why);
    CHECK(taken >= 0, "error %d", taken);
    CHECK(memchr(why, '\0', sizeof why), "a reason without end");
    if (head)
        CHECK(taken == (ended ? 0 : there), "%d of %d runs taken over (%s)", taken,
              there, ended ? "ended" : "open");
    look_at_steps(&lab);
    if (taken > 0)
        go_on(&lab, taken);
    else
        CHECK(strlen(why) > 0, "no reason");
    end(&lab);
    return 0;
}
