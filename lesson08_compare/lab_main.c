/* lab_main: a lab from its first line to its last.
 *
 * Ask who is there, plan, say what is missing and how long it will take, measure, print
 * the tables, write the files. Every run is on the disk before the next one begins, so
 * that whatever ends the lab loses at most one. */
#include "lesson08_compare/lab_main.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/container.h"
#include "common/errname.h"
#include "lesson03_iouring/probe.h"
#include "lesson08_compare/claims.h"
#include "lesson08_compare/html.h"
#include "lesson08_compare/process.h"
#include "lesson08_compare/progress.h"
#include "lesson08_compare/report.h"
#include "lesson08_compare/runlog.h"
#include "lesson08_compare/tools_there.h"
#include "lesson08_compare/wrk.h"

#define FILE_BYTES (UINT64_C(256) << 20)

void lab_main_defaults(struct lab *lab, uint64_t rounds, uint64_t measure_ms)
{
    lab->rounds = rounds ? (int)rounds : lab->full ? 7 : 3;
    lab->few_rounds = rounds ? 0 : 5; /* who asks for rounds gets them everywhere */
    lab->measure_ms = measure_ms ? measure_ms : lab->full ? 300 : 250;
    lab->warmup_ms = lab->full ? 100 : 50;
    lab->limit_ms = lab->full ? 120000 : 30000;
    lab->file_bytes = FILE_BYTES;
    lab->instructions = lab->instructions || lab->full;
    lab->log = lab->runlog = -1;
}

bool lab_main_find_folders(struct lab *lab)
{
    ssize_t n = readlink("/proc/self/exe", lab->bin, sizeof lab->bin - 1);
    if (n < 0) {
        fprintf(stderr, "lab: cannot find its own folder: %s\n", errtext(-errno));
        return false;
    }
    lab->bin[n] = '\0';
    char *slash = strrchr(lab->bin, '/');
    if (slash)
        *slash = '\0';
    slash = strrchr(lab->bin, '/');
    int parent = slash ? (int)(slash - lab->bin) : 0;
    snprintf(lab->results, sizeof lab->results, "%.*s/lab", parent, lab->bin);
    snprintf(lab->peers, sizeof lab->peers, "%.*s/peers/bin", parent, lab->bin);
    if (lab->programs)
        snprintf(lab->bin, sizeof lab->bin, "%s", lab->programs);
    machine_look(&lab->machine);
    snprintf(lab->folder, sizeof lab->folder, "%s/%s", lab->results,
             lab->machine.stamp);
    lab->has_wrk = program_in_path("wrk");
    struct ring_probe probe;
    if (ring_probe(&probe) < 0)
        snprintf(lab->no_uring, sizeof lab->no_uring, "%s", probe.sentence);
    return true;
}

static int make_folder(const char *path)
{
    return mkdir(path, 0777) < 0 && errno != EEXIST ? -errno : 0;
}

/* A folder that nobody else has: two labs may begin in one second. */
static int make_own_folder(struct lab *lab)
{
    for (int i = 2; i < 1000; i++) {
        if (mkdir(lab->folder, 0777) == 0)
            return 0;
        if (errno != EEXIST)
            return -errno;
        snprintf(lab->folder, sizeof lab->folder, "%s/%s-%d", lab->results,
                 lab->machine.stamp, i);
    }
    return -EEXIST;
}

/* What a lab without a run leaves is of no use; what servers said is. */
static void remove_empty(const struct lab *lab)
{
    static const char *const files[] = { RUNLOG_NAME, "report.lua", "pipeline.lua" };
    char path[700];
    struct stat is;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        snprintf(path, sizeof path, "%s/%s", lab->folder, files[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/servers.log", lab->folder);
    if (stat(path, &is) == 0 && is.st_size == 0)
        unlink(path);
    rmdir(lab->folder);
}

static int open_log(struct lab *lab)
{
    char path[700];
    snprintf(path, sizeof path, "%s/servers.log", lab->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    lab->log = fd;
    return lab->has_wrk ? wrk_write_scripts(lab) : 0;
}

static int fail(struct lab *lab, const char *what, int err)
{
    fprintf(stderr, "lab: %s %s: %s\n", what, lab->folder, errtext(err));
    return EXIT_FAILURE;
}

/* The folder of an interrupted lab, or a new one. False after a sentence. */
static bool prepare_folder(struct lab *lab, bool resume)
{
    char why[120];
    int taken = resume ? runlog_resume(lab, why) : 0;
    if (taken < 0) {
        fprintf(stderr, "lab: cannot look for a lab to go on with in %s: %s\n",
                lab->results, errtext(taken));
        return false;
    }
    if (taken > 0)
        printf("goes on with the lab of %s: %d of %d runs are there\n",
               lab->machine.date, taken, lab->step_count);
    else if (resume)
        printf("nothing to go on with: %s\n", why);
    int err = taken > 0 ? 0 : make_own_folder(lab);
    if (err == 0)
        err = open_log(lab);
    if (err == 0)
        err = taken > 0 ? runlog_reopen(lab) : runlog_create(lab);
    if (err < 0)
        fail(lab, "cannot write to", err);
    return err == 0;
}

static void print_without_uring(const struct lab *lab)
{
    printf("%s\nleft out, since they need it:", lab->no_uring);
    for (int c = 0; c < lab_contestant_count; c++)
        if (lab_needs_uring(c))
            printf(" %s", lab_contestants[c].name);
    printf("\n");
}

static void print_missing(const struct lab *lab)
{
    int missing = 0;
    if (lab->no_uring[0])
        print_without_uring(lab);
    if (!lab->has_wrk)
        printf("wrk is not installed (make setup): our own load generator does HTTP\n");
    if (lab->instructions && !program_in_path("valgrind"))
        printf("valgrind is not installed (make setup): no instructions are counted\n");
    if (lab->full && !lab->weigh)
        printf("nothing is weighed without --weigh tools/weigh (make lab does it)\n");
    for (int c = 0; c < lab_contestant_count; c++)
        missing += lab_contestants[c].kind == LAB_PEER && lab->offers[c].problem[0];
    report_contestants(lab);
    if (missing)
        printf("%d of the peers' modes are not there (make peers builds what this "
               "machine can)\n",
               missing);
}

/* Repeats are paid out of one purse, also over interruptions. */
static void count_repeats(struct lab *lab)
{
    lab->repeats_left = 10 + lab->step_count / 5;
    for (int i = 0; i < lab->run_count; i++)
        lab->repeats_left -= lab->runs[i].attempts - 1;
}

static int finish(struct lab *lab, bool complete)
{
    if (lab->run_count == 0) {
        fprintf(stderr, "lab: nothing was measured; --list says what is there\n");
        if (lab->runlog >= 0) /* else there is no folder of ours */
            remove_empty(lab);
        return EXIT_FAILURE;
    }
    lab_report(lab);
    claims_print_short(lab);
    int err = lab_record(lab), page = html_save(lab);
    err = err < 0 ? err : page;
    if (err == 0 && complete) /* else --resume has nothing to run, and saves them */
        err = runlog_end(lab);
    if (err < 0)
        fail(lab, "cannot save the runs in", err);
    if (!complete)
        fprintf(stderr, "lab: interrupted; the table holds what was measured so far, "
                        "--resume goes on\n");
    return complete && err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void say_plan(const struct lab *lab)
{
    struct progress progress;
    if (progress_init(&progress, lab) < 0)
        return;
    printf("%d rounds", lab->rounds);
    if (lab->few_rounds > 0 && lab->few_rounds < lab->rounds)
        printf(" (%d of rows on which no verdict hangs)", lab->few_rounds);
    printf(", %d runs; this takes about %.1f minutes\n", lab->step_count,
           progress_left(&progress, lab) / 60);
    progress_finish(&progress);
    fflush(stdout);
}

int lab_main_plan(struct lab *lab)
{
    lab_ask(lab);
    lab->instructions = lab->instructions && program_in_path("valgrind");
    int err = lab_plan(lab);
    if (err < 0)
        return fail(lab, "cannot make a plan for", err);
    lab_plan_print(lab);
    return EXIT_SUCCESS;
}

static int measure_and_finish(struct lab *lab)
{
    say_plan(lab);
    count_repeats(lab);
    return finish(lab, lab_run_all(lab));
}

int lab_main_run(struct lab *lab, bool resume)
{
    lab_main_print_machine(lab);
    int err = make_folder(lab->results);
    if (err < 0)
        return fail(lab, "cannot make", err);
    tools_look(&lab->machine);
    lab_ask(lab);
    print_missing(lab);
    lab->instructions = lab->instructions && program_in_path("valgrind");
    err = lab_plan(lab);
    if (err < 0)
        return fail(lab, "cannot make a plan for", err);
    bool ready = lab->step_count == 0 || prepare_folder(lab, resume);
    int status = ready ? measure_and_finish(lab) : EXIT_FAILURE;
    runlog_close(lab);
    if (lab->log >= 0)
        close(lab->log);
    lab->log = -1;
    return status;
}

static const char *there(const struct lab *lab, const char *row, int contestant)
{
    return lab_offers(lab, lab_row_named(row), contestant, NULL) ? "there" : "-";
}

void lab_main_list(struct lab *lab)
{
    static const char *const kinds[] = { "cell", "baseline", "peer", "limit" };
    printf("rows:\n");
    for (int row = 0; row < lab_row_count; row++)
        printf("  %-17s %s%s\n", lab_rows[row].name, lab_rows[row].title,
               lab_rows[row].full_only ? " (--full)" : "");
    fflush(stdout);
    lab_ask(lab);
    printf("contestants:\n");
    for (int c = 0; c < lab_contestant_count; c++) {
        const struct lab_contestant *who = &lab_contestants[c];
        printf("  %-14s %-8s echo: %-5s HTTP: %-5s ", who->name, kinds[who->kind],
               there(lab, "echo-64", c), there(lab, "http-64", c));
        if (lab->offers[c].problem[0])
            printf(" programs: %s", lab->offers[c].problem);
        else if (who->program)
            printf(" programs: there, %s", lab->offers[c].version);
        printf("\n");
    }
}
