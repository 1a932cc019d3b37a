/* Each call that a lab makes on its way fails once, in its turn (common/testing/FAULTS.md):
 * a disk that is full, no process, no descriptor, no memory. Whatever fails: the lab ends
 * with a sentence and a status, or goes on; what was measured is on the disk; and
 * --resume measures the rest. */
#include "lesson08_compare/lab_testing.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/errname.h"
#include "common/testing/faults.h"
#include "lesson08_compare/blocks.h"
#include "lesson08_compare/html.h"
#include "lesson08_compare/lab_main.h"
#include "lesson08_compare/runlog.h"
#include "lesson08_compare/syscall_counter.h"
#include "lesson08_compare/wrk.h"

#define ROW "spawn"
#define WHO "current/epoll"
#define ATTEMPTS 3 /* of a run, at most */

/* ---- what a lab says, on both of its outputs */

static int outputs[2] = { -1, -1 }; /* the real ones, meanwhile */

static void begin_to_listen(void)
{
    int memory = memfd_create("said", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        outputs[i] = dup(i + 1);
        dup2(memory, i + 1);
    }
    close(memory);
}

/* In `said`. */
static void end_to_listen(void)
{
    fflush(NULL);
    ssize_t n = pread(1, said, sizeof said - 1, 0);
    said[n > 0 ? n : 0] = '\0';
    for (int i = 0; i < 2; i++) {
        dup2(outputs[i], i + 1);
        close(outputs[i]);
    }
}

/* Which error it names; or the line here, if it does not say what was wrong. */
static int told(void)
{
    static const int errors[] = { ENOSPC, EMFILE, ENOMEM, EAGAIN, EIO };
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        if (strstr(said, errtext(-errors[i])))
            return -errors[i];
    fprintf(stderr, "what it said instead of the reason:\n%s\n", said);
    return __LINE__;
}

/* ---- a lab of one program, which is a script */

static int remove_one(const char *path, const struct stat *is, int type, struct FTW *at)
{
    (void)is;
    (void)type;
    (void)at;
    return remove(path);
}

static void forget_results(void)
{
    char path[600];
    snprintf(path, sizeof path, "%s", testing_path("lab"));
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* It notes each run, so that a run that is made twice is seen. */
static const char work[] = "for a; do\n"
                           "  case $last in --n) n=$a;; esac; last=$a\n"
                           "done\n"
                           "case $1 in\n"
                           "--list) echo '" WHO " " ROW "';;\n"
                           "--version) echo 'work 1.0';;\n"
                           "*) echo >>${0%/*}/../runs\n"
                           "  echo "
                           "'{\"ops\":'$n',\"check\":'$((n*(n-1)/"
                           "2))',\"wall_ns\":1000000,\"cpu_ns\":1000000}';;\n"
                           "esac\n";

static int runs_made(void)
{
    struct stat is;
    return stat(testing_path("runs"), &is) == 0 ? (int)is.st_size : 0;
}

static void small_lab(void)
{
    static const char only[] = " " ROW " " WHO;
    lab_testing_fresh();
    lab.only = only;
    lab.has_wrk = true; /* so its scripts are written */
    lab.few_rounds = 0;
    lab.rounds = 5; /* more than a run that is lost may take */
    lab.warmup_ms = 10;
    snprintf(lab.folder, sizeof lab.folder, "%s", testing_path("lab/20260202-000000"));
}

/* How often a program was run for what the log in the lab's folder holds (a run that a
 * neighbour disturbed is repeated); 0: the log does not say that all was measured. */
static int attempts_of_complete_lab(void)
{
    static struct lab read;
    char path[700];
    bool ended = false;
    int attempts = 0;
    snprintf(path, sizeof path, "%s/" RUNLOG_NAME, lab.folder);
    memset(&read, 0, sizeof read);
    int unknown = runlog_read(&read, path, &ended);
    for (int i = 0; i < read.run_count; i++)
        attempts += read.runs[i].attempts;
    lab_forget(&read);
    return unknown == 0 && ended ? attempts : 0;
}

/* What is around the lab itself does not fail. */
static int run_lab(bool resume)
{
    fault_pause();
    small_lab();
    begin_to_listen();
    fault_resume();
    int status = lab_main_run(&lab, resume);
    fault_pause();
    end_to_listen();
    fault_resume();
    return status;
}

static int make_lab(void *argument)
{
    (void)argument;
    fault_pause();
    forget_results();
    unlink(testing_path("runs"));
    fault_resume();
    int status = run_lab(false), answer = status == EXIT_SUCCESS ? 0 : told();
    fault_pause();
    if (status != EXIT_SUCCESS) {
        lab_forget(&lab);
        status = run_lab(true);
        if (status != EXIT_SUCCESS)
            fprintf(stderr, "the lab that went on said: %s\n", said);
    }
    int attempts = attempts_of_complete_lab(), made = runs_made();
    lab_forget(&lab);
    forget_results();
    fault_resume();
    FAULT_EXPECT(status == EXIT_SUCCESS && attempts > 0);
    FAULT_EXPECT(made <= attempts + ATTEMPTS); /* a run that could not be kept */
    return answer;
}

static void whatever_fails_a_lab_says_so_and_can_be_gone_on_with(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "write", ENOSPC, FAULT_REPORTED },
        { "open", EMFILE, FAULT_REPORTED },
        { "open", ENOSPC, FAULT_REPORTED },
        { "open_memstream", ENOMEM, FAULT_REPORTED },
        { "realloc", ENOMEM, FAULT_REPORTED },
        { "calloc", ENOMEM, FAULT_EITHER }, /* how long it takes is a luxury */
        { "fopen", EMFILE, FAULT_EITHER },
        { "fclose", ENOSPC, FAULT_EITHER }, /* of those that are read: nothing */
        { "pipe2", EMFILE, FAULT_EITHER },  /* a run that failed is a run */
        { "fork", EAGAIN, FAULT_EITHER },
        { "poll", EINTR, FAULT_SURVIVED },
        { "poll", ENOMEM, FAULT_EITHER },
        { "read", EIO, FAULT_EITHER },
        { "nanosleep", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "close", EINTR, FAULT_SURVIVED },
        { "stat", EIO, FAULT_EITHER },
        { "sched_getaffinity", EINVAL, FAULT_SURVIVED | FAULT_RARE },
    };
    SWEEP(make_lab, NULL, faults);
}

/* ---- a lab that was interrupted is gone on with */

/* As if it had been killed in its last but one run: the log ends in half a line. */
static bool cut_the_log(void)
{
    static char text[65536];
    char path[700];
    snprintf(path, sizeof path, "%s/" RUNLOG_NAME, lab.folder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    char *second = strstr(text, "{\"type\":\"run\"");
    second = second ? strstr(second + 1, "{\"type\":\"run\"") : NULL;
    bool cut = second && ftruncate(fd, second + 20 - text) == 0;
    close(fd);
    return cut;
}

static int go_on(void *argument)
{
    char first[600];
    (void)argument;
    fault_pause();
    forget_results();
    unlink(testing_path("runs"));
    bool ready = run_lab(false) == EXIT_SUCCESS && cut_the_log();
    int first_made = runs_made();
    snprintf(first, sizeof first, "%s", lab.folder);
    lab_forget(&lab);
    fault_resume();
    int status = run_lab(true), answer = status == EXIT_SUCCESS ? 0 : told();
    fault_pause();
    lab_forget(&lab);
    if (status != EXIT_SUCCESS)
        status = run_lab(true);
    bool same = strcmp(lab.folder, first) == 0;
    int attempts = attempts_of_complete_lab(), made = runs_made() - first_made;
    lab_forget(&lab);
    forget_results();
    fault_resume();
    FAULT_EXPECT(ready && status == EXIT_SUCCESS);
    FAULT_EXPECT(same && attempts > 0 && made <= attempts - 1 + ATTEMPTS);
    return answer;
}

static void whatever_fails_an_interrupted_lab_is_not_forgotten(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "scandir", ENOMEM, FAULT_REPORTED }, { "scandir", EMFILE, FAULT_REPORTED },
        { "getline", ENOMEM, FAULT_EITHER }, /* the last are for evidence */
        { "fopen", EMFILE, FAULT_EITHER },   /* what is asked of the machine */
        { "realloc", ENOMEM, FAULT_REPORTED }, { "open", EMFILE, FAULT_REPORTED },
        { "pread", EIO, FAULT_REPORTED },      { "ftruncate", EIO, FAULT_REPORTED },
        { "write", ENOSPC, FAULT_REPORTED },   { "close", EINTR, FAULT_SURVIVED },
    };
    SWEEP(go_on, NULL, faults);
}

/* ---- files on a disk that is full: /dev/full under their names */

static int save(const char *name, int (*print)(const struct lab *lab))
{
    char path[700];
    struct stat is;
    snprintf(path, sizeof path, "%s/%s", lab.folder, name);
    unlink(path);
    assert_int_equal(symlink("/dev/full", path), 0);
    int err = print(&lab);
    assert_int_equal(lstat(path, &is), 0);
    unlink(path);
    return err;
}

static void a_full_disk_is_called_a_full_disk(void **state)
{
    (void)state;
    struct lab_step step = { .row = lab_testing_row(ROW),
                             .contestant = lab_testing_contestant(WHO) };
    struct lab_run run = lab_run_blank(&step);
    lab_testing_fresh();
    begin_to_listen();
    int csv = save("runs.csv", lab_record), json = save("runs.json", lab_record);
    int page = save("report.html", html_save);
    int script = save("pipeline.lua", wrk_write_scripts);
    for (int i = 0; i < 500; i++) /* more than what waits for a write */
        lab_add_run(&lab, &run);
    int large = save("runs.csv", lab_record);
    lab_forget(&lab);
    end_to_listen();
    forget_results();
    assert_int_equal(csv, -ENOSPC);
    assert_int_equal(json, -ENOSPC);
    assert_int_equal(page, -ENOSPC);
    assert_int_equal(script, -ENOSPC);
    assert_int_equal(large, -ENOSPC);
    assert_null(strstr(said, "runs.json\n")); /* nothing is said to be there */
}

static int make_ready(void **state)
{
    (void)state;
    setenv("PATH", "/nowhere", 1); /* no compiler is asked for its version */
    lab_testing_fresh();
    lab_testing_script(lab_contestants[lab_testing_contestant(WHO)].program, work);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_fails_a_lab_says_so_and_can_be_gone_on_with),
        cmocka_unit_test(whatever_fails_an_interrupted_lab_is_not_forgotten),
        cmocka_unit_test(a_full_disk_is_called_a_full_disk),
    };
    return cmocka_run_group_tests_name("lab faults", tests, make_ready, NULL);
}
