/* Each call that starts, hears and counts a program, or makes its file, fails once, in its
 * turn (common/testing/FAULTS.md): the error is told, no process and no file is left, and
 * what only decorates a number is done without. */
#include "lesson08_compare/lab_testing.h"

#include <sys/wait.h>

#include "common/clock.h"
#include "common/errname.h"
#include "common/testing/faults.h"
#include "lesson08_compare/blocks.h"
#include "lesson08_compare/callgrind.h"
#include "lesson08_compare/measure.h"
#include "lesson08_compare/memory_use.h"
#include "lesson08_compare/syscall_counter.h"
#include "lesson08_compare/wrk.h"

static bool nobody_is_left(void)
{
    fault_pause();
    bool nobody = waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
    fault_resume();
    return nobody;
}

/* ---- a process, held, heard and ended */

static int hear(void *argument)
{
    char sh[] = "/bin/sh", c[] = "-c", text[] = "echo one; read x <&-; exit 3",
         line[64];
    char *argv[] = { sh, c, text, NULL };
    struct process process;
    const struct process_how how = { .log = -1, .held = *(bool *)argument };
    int err = process_start_as(&process, argv, &how);
    if (err < 0) {
        FAULT_EXPECT(nobody_is_left());
        return err;
    }
    process_release(&process);
    uint64_t deadline = testing_deadline();
    err = process_read_line(&process, line, sizeof line, deadline);
    bool right = err < 0 || strcmp(line, "one") == 0;
    int end =
        err < 0 ? -EPIPE : process_read_line(&process, line, sizeof line, deadline);
    int status = process_stop(&process, 0, deadline).status;
    /* 127: a held child's own read has failed, of which it has its copy */
    FAULT_EXPECT(right && (status == 3 || (err < 0 && status == 127)) &&
                 nobody_is_left());
    return err < 0 ? err : end == -EPIPE ? 0 : end;
}

static void a_process_that_cannot_be_started_or_heard_leaves_nothing(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "pipe2", EMFILE, FAULT_REPORTED },
        { "pipe2", ENFILE, FAULT_REPORTED },
        { "fork", EAGAIN, FAULT_REPORTED },
        { "fork", ENOMEM, FAULT_REPORTED },
        { "poll", EINTR, FAULT_SURVIVED },
        { "poll", ENOMEM, FAULT_REPORTED },
        { "read", EIO, FAULT_REPORTED },
        { "read", FAULT_SHORT, FAULT_SURVIVED },
        { "close", EINTR, FAULT_SURVIVED },
        { "nanosleep", EINTR, FAULT_SURVIVED | FAULT_RARE },
    };
    for (int held = 0; held < 2; held++)
        SWEEP(hear, &(bool){ held != 0 }, faults);
}

/* ---- system calls, counted */

/* By the kernel, by strace, or not at all: then the error is told. */
static int count(void *argument)
{
    char cat[] = "cat", *argv[] = { cat, NULL };
    const struct process_how how = { .log = -1, .held = true };
    struct syscall_counter counter;
    struct process process;
    uint64_t calls = 0;
    (void)argument;
    fault_pause();
    FAULT_EXPECT(process_start_as(&process, argv, &how) == 0);
    fault_resume();
    int err = syscall_counter_attach(&counter, process.pid);
    process_release(&process);
    if (err == 0)
        err = syscall_counter_begin(&counter, process.pid, "/nowhere", -1);
    if (err == 0)
        err = syscall_counter_end(&counter, &calls);
    syscall_counter_close(&counter);
    fault_pause();
    process_stop(&process, SIGKILL, testing_deadline());
    fault_resume();
    FAULT_EXPECT(nobody_is_left() && counter.fd < 0);
    return err;
}

static bool the_kernel_counts(void)
{
    return count(NULL) == 0;
}

static void system_calls_that_cannot_be_counted_are_an_error(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "syscall", EACCES, FAULT_REPORTED },
        { "syscall", EMFILE, FAULT_REPORTED },
        { "read", EIO, FAULT_REPORTED },
        { "close", EINTR, FAULT_SURVIVED },
    };
    if (!the_kernel_counts())
        skip_because("the kernel counts nobody's system calls here");
    SWEEP(count, NULL, faults);
}

/* ---- the file that is read */

static int make_file(void *argument)
{
    char path[600], part[700];
    (void)argument;
    snprintf(path, sizeof path, "%s", testing_path("blocks"));
    snprintf(part, sizeof part, "%s.part", path);
    int err = blocks_make(path, 300 * BLOCK_SIZE); /* two writes */
    struct stat is;
    fault_pause();
    bool whole = stat(path, &is) == 0 && is.st_size == 300 * BLOCK_SIZE;
    bool nothing = stat(path, &is) < 0, left = stat(part, &is) == 0;
    fault_resume();
    int warm = err < 0 ? 0 : blocks_warm(path);
    fault_pause();
    unlink(path);
    fault_resume();
    FAULT_EXPECT((err == 0 ? whole : nothing) && !left);
    return err < 0 ? err : warm;
}

static void a_file_is_made_as_a_whole_or_not_at_all(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "open", EMFILE, FAULT_REPORTED },   { "open", EROFS, FAULT_REPORTED },
        { "malloc", ENOMEM, FAULT_REPORTED }, { "write", ENOSPC, FAULT_REPORTED },
        { "write", EINTR, FAULT_SURVIVED },   { "write", FAULT_SHORT, FAULT_SURVIVED },
        { "fsync", EIO, FAULT_REPORTED },     { "rename", EACCES, FAULT_REPORTED },
        { "read", EINTR, FAULT_SURVIVED },    { "read", EIO, FAULT_REPORTED },
        { "close", EINTR, FAULT_SURVIVED },   { "stat", ENOENT, FAULT_SURVIVED },
    };
    SWEEP(make_file, NULL, faults);
}

static int read_directly(void *argument)
{
    return blocks_direct(argument);
}

static void a_file_that_cannot_be_read_past_the_cache_is_an_error(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "open", EINVAL, FAULT_REPORTED },
        { "aligned_alloc", ENOMEM, FAULT_REPORTED },
        { "pread", EINVAL, FAULT_REPORTED },
        { "close", EINTR, FAULT_SURVIVED },
    };
    char path[600];
    snprintf(path, sizeof path, "%s", testing_path("direct"));
    assert_int_equal(blocks_make(path, 4 * BLOCK_SIZE), 0);
    if (blocks_direct(path) < 0)
        skip_because("this file system does not take O_DIRECT");
    SWEEP(read_directly, path, faults);
}

/* ---- what is read of the machine */

static int look(void *argument)
{
    struct lab_step step = { .row = 0 };
    struct lab_run run = lab_run_blank(&step);
    struct look_around around;
    struct machine machine;
    uint64_t bytes = 0;
    double total = 0;
    int cpu[2] = { 0, 0 };
    machine_look(&machine);
    measure_look(&around, cpu, 1);
    measure_look_again(&around, UINT64_MAX / 2, &run); /* all that is busy is ours */
    int err = memory_private_dirty(0, &bytes);
    bool counted = callgrind_total(argument, &total);
    FAULT_EXPECT(machine.cpus >= 1 && machine.cpu[0] != '\0');
    FAULT_EXPECT(run.others <= 0 && run.stolen < 1);
    FAULT_EXPECT((err < 0 || bytes > 0) && (!counted || total == 7));
    return 0;
}

static void what_cannot_be_read_of_the_machine_is_unknown(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "fopen", EMFILE, FAULT_SURVIVED },
        { "fclose", EIO, FAULT_SURVIVED },
        { "sched_getaffinity", EINVAL, FAULT_SURVIVED },
    };
    char path[600];
    snprintf(path, sizeof path, "%s", testing_path("callgrind"));
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs("totals: 7\n", file);
    fclose(file);
    SWEEP(look, path, faults);
}

/* ---- one run of each kind whose program is a script; a server's port is never said */

struct kind {
    bool (*measure)(struct lab *lab, struct lab_run *run);
    const char *row, *who;
};

static bool by_wrk(struct lab *l, struct lab_run *run)
{
    double all;
    uint64_t cpu;
    return wrk_measure(l, run, 1, 0, &all, &cpu);
}

static int measure(void *argument)
{
    const struct kind *kind = argument;
    static const int errors[] = { EMFILE, EAGAIN, ENOMEM, EIO };
    fault_pause();
    struct lab_step step = { .row = lab_testing_row(kind->row),
                             .contestant = lab_testing_contestant(kind->who) };
    struct lab_run run = lab_run_blank(&step);
    lab.note[0] = '\0';
    fault_resume();
    bool ok = kind->measure(&lab, &run);
    FAULT_EXPECT(nobody_is_left() && ok == !lab.note[0]);
    for (size_t i = 0; !ok && i < ARRAY_SIZE(errors); i++)
        if (strstr(lab.note, errtext(-errors[i])))
            return -errors[i];
    FAULT_EXPECT(ok);
    return 0;
}

static void a_run_that_cannot_be_made_says_why(void **state)
{
    (void)state;
    static struct kind kinds[] = { { lab_measure_static, "weight", "current/epoll" },
                                   { by_wrk, "http-64", "current/epoll" } };
    static const struct fault faults[] = {
        { "pipe2", EMFILE, FAULT_REPORTED }, { "fork", EAGAIN, FAULT_REPORTED },
        { "poll", ENOMEM, FAULT_REPORTED },  { "poll", EINTR, FAULT_SURVIVED },
        { "read", EIO, FAULT_REPORTED },     { "close", EINTR, FAULT_SURVIVED },
    };
    static char weigh[600], path[700];
    lab_testing_fresh();
    lab_testing_script("wrk", "echo '{\"requests\":5,\"seconds\":1,\"errors\":0}'\n");
    snprintf(weigh, sizeof weigh, "%s/wrk", lab.bin); /* numbers are numbers */
    snprintf(path, sizeof path, "%s", lab.bin);
    lab.weigh = weigh;
    setenv("PATH", path, 1);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        SWEEP(measure, &kinds[i], faults);
}

/* It fails before there is a server; the sentence tells. */
static void a_server_that_cannot_be_started_is_not_said_to_be_silent(void **state)
{
    (void)state;
    struct kind server = { lab_measure_server, "echo-64", "current/epoll" };
    lab_testing_fresh();
    fault_arm("fork", 1, EAGAIN);
    int err = measure(&server);
    fault_disarm();
    assert_int_equal(err, -EAGAIN);
    assert_non_null(strstr(lab.note, "cannot be started"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_cannot_be_started_or_heard_leaves_nothing),
        cmocka_unit_test(system_calls_that_cannot_be_counted_are_an_error),
        cmocka_unit_test(a_file_is_made_as_a_whole_or_not_at_all),
        cmocka_unit_test(a_file_that_cannot_be_read_past_the_cache_is_an_error),
        cmocka_unit_test(what_cannot_be_read_of_the_machine_is_unknown),
        cmocka_unit_test(a_run_that_cannot_be_made_says_why),
        cmocka_unit_test(a_server_that_cannot_be_started_is_not_said_to_be_silent),
    };
    return cmocka_run_group_tests_name("measure faults", tests, NULL, NULL);
}
