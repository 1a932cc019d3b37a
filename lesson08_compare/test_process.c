/* Child processes: listened to, measured, and never left behind. */
#include "common/testing/testing.h"

#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "lesson08_compare/process.h"

static struct process process;

static int start_shell(const char *script)
{
    char sh[] = "/bin/sh", c[] = "-c", text[256];
    char *argv[] = { sh, c, text, NULL };
    snprintf(text, sizeof text, "%s", script);
    return process_start(&process, argv, PROCESS_ANY_CPU, -1);
}

static bool is_gone(pid_t pid)
{
    return kill(pid, 0) < 0 && errno == ESRCH;
}

static void lines_come_one_by_one_and_then_the_end(void **state)
{
    (void)state;
    char line[64];
    int fds = open_fds();
    assert_int_equal(start_shell("echo one; echo; printf 'and two\\nrest'; exit 3"), 0);
    assert_int_equal(process_read_line(&process, line, sizeof line, testing_deadline()),
                     0);
    assert_string_equal(line, "one");
    assert_int_equal(process_read_line(&process, line, sizeof line, testing_deadline()),
                     0);
    assert_string_equal(line, "");
    assert_int_equal(process_read_line(&process, line, 4, testing_deadline()), 0);
    assert_string_equal(line, "and"); /* cut to the room there is */
    assert_int_equal(process_read_line(&process, line, sizeof line, testing_deadline()),
                     -EPIPE);
    struct process_end end = process_stop(&process, 0, testing_deadline());
    assert_int_equal(end.status, 3);
    assert_int_equal(open_fds(), fds);
}

static void a_silent_process_is_waited_for_until_the_deadline_only(void **state)
{
    (void)state;
    char line[64];
    assert_int_equal(start_shell("exec sleep 1000"), 0);
    assert_int_equal(process_read_line(&process, line, sizeof line, clock_now()),
                     -ETIMEDOUT);
    assert_int_equal(
        process_read_line(&process, line, sizeof line, clock_now() + 20 * NS_PER_MS),
        -ETIMEDOUT);
    assert_int_equal(process_stop(&process, SIGTERM, testing_deadline()).status,
                     -SIGTERM);
}

static void who_ignores_the_signal_is_killed_at_the_deadline(void **state)
{
    (void)state;
    char line[64];
    assert_int_equal(start_shell("trap '' TERM; echo ready; while :; do :; done"), 0);
    assert_int_equal(process_read_line(&process, line, sizeof line, testing_deadline()),
                     0);
    WAIT_UNTIL(process_cpu_ns(process.pid) > 10 * NS_PER_MS);
    struct process_end end = process_stop(&process, SIGTERM, clock_now());
    assert_int_equal(end.status, -SIGKILL);
    assert_true(end.cpu_ns > 5 * NS_PER_MS);
}

static void a_program_that_is_not_there_ends_with_127(void **state)
{
    (void)state;
    char none[] = "/nowhere/at/all";
    char *argv[] = { none, NULL };
    char line[64];
    assert_int_equal(process_start(&process, argv, PROCESS_ANY_CPU, -1), 0);
    assert_int_equal(process_read_line(&process, line, sizeof line, testing_deadline()),
                     -EPIPE);
    assert_int_equal(process_stop(&process, 0, testing_deadline()).status, 127);
    assert_int_equal(process_stop(&process, 0, testing_deadline()).status, 0);
}

static void kill_all_leaves_nobody(void **state)
{
    (void)state;
    assert_int_equal(start_shell("trap '' TERM INT HUP; while :; do sleep 1; done"), 0);
    pid_t pid = process.pid;
    process_kill_all();
    assert_true(is_gone(pid));
    close(process.out);
}

/* The starter dies without running anything; its child must die as well. */
static void starter(void *argument)
{
    (void)argument;
    if (start_shell("while :; do sleep 1; done") == 0)
        fprintf(stderr, "%d\n", (int)process.pid);
    kill(getpid(), SIGKILL);
}

static void an_interrupt_that_came_before_the_wait_is_not_lost(void **state)
{
    (void)state;
    char line[64];
    assert_int_equal(start_shell("echo up; exec sleep 1000"), 0);
    assert_true(process_read_line(&process, line, sizeof line, testing_deadline()) >=
                0); /* a signal between fork and exec would be valgrind's to lose */
    process_interrupted = 1;
    assert_int_equal(process_read_line(&process, line, sizeof line, testing_deadline()),
                     -EINTR);
    process_interrupted = 0;
    assert_int_equal(process_stop(&process, SIGTERM, testing_deadline()).status,
                     -SIGTERM);
}

static void a_killed_starter_takes_its_children_along(void **state)
{
    (void)state;
    char said[64];
    assert_int_equal(run_in_child(starter, NULL, said, sizeof said), -SIGKILL);
    pid_t pid = (pid_t)atoi(said);
    assert_true(pid > 1);
    WAIT_UNTIL(is_gone(pid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_one_by_one_and_then_the_end),
        cmocka_unit_test(a_silent_process_is_waited_for_until_the_deadline_only),
        cmocka_unit_test(who_ignores_the_signal_is_killed_at_the_deadline),
        cmocka_unit_test(a_program_that_is_not_there_ends_with_127),
        cmocka_unit_test(kill_all_leaves_nobody),
        cmocka_unit_test(an_interrupt_that_came_before_the_wait_is_not_lost),
        cmocka_unit_test(a_killed_starter_takes_its_children_along),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
