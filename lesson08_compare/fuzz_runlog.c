/* fuzz: any file is read as a run log, and what was read can be written and read again.
 *
 * A log lies on a disk for weeks, is mailed, cut and edited. What it holds has to be
 * inside the lab's tables, and the report has to come to an end. */
#include "common/fuzzing/fuzz.h"

#include <fcntl.h>
#include <math.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lesson08_compare/record_fields.h"
#include "lesson08_compare/runlog.h"

/* Reads the bytes as a log; how many runs nobody knew. */
static int read_log(struct lab *lab, const void *bytes, size_t size, bool *ended)
{
    char path[64];
    int fd = memfd_create("log", MFD_CLOEXEC);
    CHECK(fd >= 0 && write(fd, bytes, size) == (ssize_t)size, "no file");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    memset(lab, 0, sizeof *lab);
    lab->runlog = lab->log = -1;
    int unknown = runlog_read(lab, path, ended);
    CHECK(unknown >= 0, "error %d", unknown);
    close(fd);
    return unknown;
}

#define CHECK_TEXT(text) CHECK(memchr(text, '\0', sizeof(text)), #text " has no end")

static void run_must_be_well(struct lab_run *run)
{
    CHECK(run->row >= 0 && run->row < lab_row_count, "row %d", run->row);
    CHECK(run->contestant >= 0 && run->contestant < lab_contestant_count,
          "contestant %d", run->contestant);
    CHECK(run->purpose <= LAB_INSTRUCTIONS, "purpose %d", (int)run->purpose);
    CHECK(run->round >= 0 && run->round < STATS_MAX && run->attempts >= 0,
          "round %d, %d attempts", run->round, run->attempts);
    CHECK(run->extra_count >= 0 && run->extra_count <= LAB_EXTRAS, "%d numbers more",
          run->extra_count);
    CHECK_TEXT(run->tool);
    CHECK_TEXT(run->counted_by);
    CHECK_TEXT(run->problem);
    for (int i = 0; i < run->extra_count; i++)
        CHECK_TEXT(run->extra[i].name);
    for (int i = 0; i < record_field_count; i++)
        CHECK(isfinite(*record_field(run, i)), "%s is %g", record_fields[i].name,
              *record_field(run, i));
}

static void lab_must_be_well(struct lab *lab)
{
    const struct machine *m = &lab->machine;
    CHECK(lab->rounds >= 0 && m->cpus >= 0 && m->server_cpu >= 0 && m->load_cpu >= 0,
          "a number below 0");
    CHECK_TEXT(m->kernel);
    CHECK_TEXT(m->date);
    CHECK_TEXT(m->tools);
    for (int c = 0; c < lab_contestant_count; c++) {
        CHECK_TEXT(lab->offers[c].version);
        CHECK_TEXT(lab->offers[c].problem);
        CHECK_TEXT(lab->offers[c].workloads);
    }
    for (int i = 0; i < lab->run_count; i++)
        run_must_be_well(&lab->runs[i]);
}

/* All of it as text, but for what identifies the programs of today. */
static char *written(const struct lab *lab, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    CHECK(out, "no memory");
    record_json_head(lab, out);
    for (int c = 0; c < lab_contestant_count; c++)
        record_json_contestant(lab, c, out);
    for (int i = 0; i < lab->run_count; i++)
        record_json_run(lab, &lab->runs[i], out);
    CHECK(fclose(out) == 0, "no memory");
    return text;
}

static void write_and_read(const struct lab *lab)
{
    static struct lab again;
    size_t size, other_size;
    char *text = written(lab, &size);
    int unknown = read_log(&again, text, size, NULL);
    CHECK(unknown == 0 && again.run_count == lab->run_count, "%d runs became %d",
          lab->run_count, again.run_count);
    char *other = written(&again, &other_size);
    for (char *a = text, *b = other; *a;
         a += strcspn(a, "\n") + 1, b += strcspn(b, "\n") + 1)
        CHECK(strcspn(a, "\n") == strcspn(b, "\n") &&
                  strncmp(a, b, strcspn(a, "\n")) == 0,
              "written\n%.*s\nread and written again\n%.*s", (int)strcspn(a, "\n"), a,
              (int)strcspn(b, "\n"), b);
    free(text);
    free(other);
    lab_forget(&again);
}

static void report(const struct lab *lab)
{
    char *said = NULL;
    size_t size = 0;
    FILE *out = stdout;
    stdout = open_memstream(&said, &size);
    CHECK(stdout, "no memory");
    lab_report(lab);
    fclose(stdout);
    stdout = out;
    free(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct lab lab;
    bool ended = false;
    size_t lines = 0;
    char *bytes = fuzz_copy(data, size);
    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    int unknown = read_log(&lab, bytes, size, &ended);
    CHECK((size_t)unknown + (size_t)lab.run_count + ended <= lines,
          "more runs than lines: %d and %d", unknown, lab.run_count);
    lab_must_be_well(&lab);
    write_and_read(&lab);
    if (lab.run_count > 0)
        report(&lab);
    lab_forget(&lab);
    free(bytes);
    return 0;
}
