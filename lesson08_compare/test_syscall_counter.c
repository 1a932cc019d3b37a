/* System calls of another process: the kernel's count and strace's against the server's
 * own. */
#include "common/testing/testing.h"

#include <sys/wait.h>
#include <unistd.h>

#include "lesson08_compare/command.h"
#include "lesson08_compare/load.h"
#include "lesson08_compare/syscall_counter.h"

static struct process server;
static struct load_result result;

/* Starts a server, held; skips the test where there is none. */
static void start_held(const char *name)
{
    struct command command;
    struct process_how how = { .log = -1, .held = true };
    char path[600];
    const char *bin = getenv("COURSE_BIN");
    snprintf(path, sizeof path, "%s/%s", bin ? bin : "", name);
    if (!bin || access(path, X_OK) != 0)
        skip_because("COURSE_BIN names no folder with %s in it (make test sets it)",
                     name);
    command_begin(&command, path);
    command_word(&command, "--stats");
    assert_int_equal(process_start_as(&server, command.argv, &how), 0);
}

static int port_of(void)
{
    char line[256];
    process_release(&server);
    assert_int_equal(process_read_line(&server, line, sizeof line, testing_deadline()),
                     0);
    return workload_parse_listening(line);
}

static void send_requests(int port, uint64_t requests)
{
    struct load_plan plan = { .address = "127.0.0.1",
                              .port = (uint16_t)port,
                              .connections = 4,
                              .size = 64,
                              .requests = requests };
    assert_int_equal(load_run(&plan, &result), 0);
    assert_int_equal(result.errors, 0);
}

/* Ends the server; what it counted itself over its life. */
static uint64_t own_count(void)
{
    char line[256];
    struct served served = { 0, 0, 0 };
    bool found = false;
    kill(server.pid, SIGTERM);
    while (process_read_line(&server, line, sizeof line, testing_deadline()) == 0)
        found = workload_parse_stats(line, &served) || found;
    assert_int_equal(process_stop(&server, 0, testing_deadline()).status, 0);
    assert_true(found);
    return served.syscalls;
}

/* Starts a server that the kernel counts; its port. Skips the test where it may not. */
static int start_counted(const char *name, struct syscall_counter *counter)
{
    start_held(name);
    int err = syscall_counter_attach(counter, server.pid);
    if (err < 0) {
        process_stop(&server, SIGKILL, testing_deadline());
        skip_because("this kernel refuses to count system calls: error %d", -err);
    }
    assert_string_equal(counter->how, "kernel");
    int port = port_of();
    assert_int_equal(syscall_counter_begin(counter, server.pid, ".", -1), 0);
    return port;
}

static void the_kernel_and_the_server_count_the_same(void **state)
{
    (void)state;
    struct syscall_counter counter;
    uint64_t count = 0;
    int port = start_counted("base_epoll", &counter);
    send_requests(port, 2000);
    uint64_t own = own_count();
    assert_int_equal(syscall_counter_end(&counter, &count), 0);
    syscall_counter_close(&counter);
    /* The difference is its way in, which only it counted, and its way out. */
    assert_true(own > 3 * 1000);
    assert_true(count + 20 >= own);
    if (!testing_instrumented())
        assert_true(count < own + 100);
}

/* What one thread does alone must not be all that is counted. */
static void threads_that_are_started_later_are_counted(void **state)
{
    (void)state;
    struct syscall_counter counter;
    uint64_t count = 0;
    int port = start_counted("base_threads", &counter);
    send_requests(port, 500);
    assert_int_equal(syscall_counter_end(&counter, &count), 0);
    assert_true(count >= 2 * 500);
    own_count();
    syscall_counter_close(&counter);
}

static void strace_counts_where_the_kernel_does_not(void **state)
{
    (void)state;
    struct syscall_counter counter = { .fd = -1 };
    uint64_t count = 0;
    if (!program_in_path("strace"))
        skip_because("strace is not installed");
    start_held("base_epoll");
    int port = port_of();
    int err =
        syscall_counter_begin(&counter, server.pid, testing_path("."), STDERR_FILENO);
    if (err < 0) {
        process_stop(&server, SIGKILL, testing_deadline());
        skip_because("strace may not attach here: error %d", -err);
    }
    assert_string_equal(counter.how, "strace");
    send_requests(port, 200);
    assert_int_equal(syscall_counter_end(&counter, &count), 0);
    assert_true(count >= 2 * 200 && count < 10 * 200);
    syscall_counter_close(&counter);
    own_count(); /* it still serves, and ends well */
}

static void nothing_to_count_with_is_an_error_and_no_leak(void **state)
{
    (void)state;
    struct syscall_counter counter = { .fd = -1 };
    uint64_t count;
    int fds = open_fds();
    char *path = strdup(getenv("PATH"));
    assert_non_null(path);
    setenv("PATH", "/nowhere", 1);
    assert_int_equal(syscall_counter_begin(&counter, getpid(), ".", -1), -ENOENT);
    setenv("PATH", path, 1);
    free(path);
    assert_int_equal(syscall_counter_end(&counter, &count), -ENOENT);
    syscall_counter_close(&counter);
    assert_int_equal(open_fds(), fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kernel_and_the_server_count_the_same),
        cmocka_unit_test(threads_that_are_started_later_are_counted),
        cmocka_unit_test(strace_counts_where_the_kernel_does_not),
        cmocka_unit_test(nothing_to_count_with_is_an_error_and_no_leak),
    };
    return cmocka_run_group_tests_name("syscall counter", tests, NULL, NULL);
}
