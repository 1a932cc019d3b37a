/* The load generator: it counts right, finds wrong answers, and omits nothing. */
#include "common/testing/testing.h"

#include <pthread.h>
#include <sys/prctl.h>

#include "common/clock.h"
#include "common/errname.h"
#include "common/testing/faults.h"
#include "lesson08_compare/base_epoll.h"
#include "lesson08_compare/load.h"
#include "lesson08_compare/server_testing.h"

static struct test_server server;
static struct load_result result;

static struct load_plan plan(unsigned connections, unsigned size, uint64_t requests)
{
    return (struct load_plan){ .address = "127.0.0.1",
                               .port = (uint16_t)server.port,
                               .connections = connections,
                               .size = size,
                               .requests = requests };
}

static int start_echo(void **state)
{
    (void)state;
    test_server_start(&server, base_epoll_serve, "echo", NULL);
    return server.port > 0 ? 0 : -1;
}

static int stop_echo(void **state)
{
    (void)state;
    return test_server_end(&server, SIGTERM);
}

static void a_closed_loop_counts_what_the_server_counts(void **state)
{
    (void)state;
    struct load_plan p = plan(5, 64, 500);
    int fds = open_fds();
    assert_int_equal(load_run(&p, &result), 0);
    assert_string_equal(result.error, "");
    assert_int_equal(result.errors, 0);
    assert_int_equal(result.requests, 500);
    assert_in_range(result.all_requests, 500, 505); /* what was out at the end */
    assert_in_range(result.latency.count, 500, 505);
    assert_true(result.latency.max > 0);
    assert_true(result.fair_min <= result.fair_median);
    assert_true(result.fair_median <= result.fair_max);
    assert_in_range(result.fair_max, 100, 500);
    assert_int_equal(open_fds(), fds);
}

static void messages_of_any_size_come_back_whole(void **state)
{
    (void)state;
    static const unsigned sizes[] = { 1, 7, 8, 9, 4096, 4097, 300000 };
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct load_plan p = plan(3, sizes[i], 12);
        assert_int_equal(load_run(&p, &result), 0);
        assert_string_equal(result.error, "");
        assert_int_equal(result.requests, 12);
    }
}

static void an_open_loop_keeps_its_rate_whatever_the_connections(void **state)
{
    (void)state;
    struct load_plan p = plan(7, 64, 0);
    p.rate = 2000;
    p.duration_ns = 200 * NS_PER_MS;
    assert_int_equal(load_run(&p, &result), 0);
    assert_string_equal(result.error, "");
    /* Every request that was due within the time has its latency, however late. */
    assert_in_range(result.latency.count, 398, 402);
    assert_in_range(result.lag.count, 398, 402);
}

/* What is started by this thread afterwards inherits it, and has timers, too. */
static void an_open_loop_leaves_the_timer_slack_as_it_was(void **state)
{
    (void)state;
    struct load_plan p = plan(2, 64, 0);
    p.rate = 1000;
    p.duration_ns = 20 * NS_PER_MS;
    int before = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    assert_int_equal(prctl(PR_SET_TIMERSLACK, 40000, 0, 0, 0), 0);
    assert_int_equal(load_run(&p, &result), 0);
    assert_int_equal(prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0), 40000);
    assert_int_equal(prctl(PR_SET_TIMERSLACK, before, 0, 0, 0), 0);
}

static void http_is_compared_as_well(void **state)
{
    (void)state;
    test_server_start(&server, base_epoll_serve, "http", NULL);
    struct load_plan p = plan(4, 1, 100);
    p.proto = WORKLOAD_HTTP;
    int err = load_run(&p, &result);
    assert_int_equal(test_server_end(&server, SIGTERM), 0);
    assert_int_equal(err, 0);
    assert_string_equal(result.error, "");
    assert_int_equal(result.requests, 100);
}

/* ---- servers that misbehave: one connection, one message of eight bytes at a time */

enum vice { ANOTHER_BYTE, ONE_MORE, HANG_UP, STALL };
#define STALL_NS (150 * NS_PER_MS)

static enum vice vice;
static int vicious_fd;

static void misbehave(int fd, int turn, char message[9])
{
    uint64_t until = clock_now() + STALL_NS;
    size_t n = 8;
    if (vice == STALL && turn == 5)
        while (clock_now() < until)
            testing_pause();
    if (vice == ANOTHER_BYTE && turn == 5)
        message[7]++;
    if (vice == ONE_MORE && turn == 5)
        message[n++] = '!';
    if (vice == HANG_UP && turn == 5)
        shutdown(fd, SHUT_RDWR);
    else
        test_send(fd, message, n);
}

static void *vicious(void *argument)
{
    char message[9];
    int fd = accept(vicious_fd, NULL, NULL);
    (void)argument;
    for (int turn = 0; fd >= 0 && test_receive(fd, message, 8) == 8; turn++)
        misbehave(fd, turn, message);
    close(fd);
    return NULL;
}

static void run_against(enum vice which, struct load_plan p)
{
    pthread_t thread;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    vice = which;
    vicious_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(vicious_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(vicious_fd, 1), 0);
    getsockname(vicious_fd, (struct sockaddr *)&address, &size);
    p.port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&thread, NULL, vicious, NULL), 0);
    int err = load_run(&p, &result);
    pthread_join(thread, NULL);
    close(vicious_fd);
    assert_int_equal(err, 0);
}

static void a_wrong_answer_is_an_error_that_says_where(void **state)
{
    (void)state;
    run_against(ANOTHER_BYTE, plan(1, 8, 100));
    assert_int_equal(result.errors, 1);
    assert_string_equal(result.error,
                        "connection 0, request 6: the answer differs from "
                        "what was expected");
    run_against(ONE_MORE, plan(1, 8, 100));
    assert_int_equal(result.errors, 1);
    assert_non_null(strstr(result.error, "more than it was asked for"));
    run_against(HANG_UP, plan(1, 8, 100));
    assert_int_equal(result.errors, 1);
    assert_non_null(strstr(result.error, "closed the connection"));
    assert_int_equal(result.all_requests, 5);
}

/* A server that stops for 150 ms, at 1,000 requests a second. A closed loop notices one
 * slow request; the 150 that should have been sent meanwhile are missing from its
 * percentiles. An open loop counts them all. */
static void a_stall_counts_once_in_a_closed_loop_and_fully_in_an_open_one(void **state)
{
    (void)state;
    const uint64_t third = STALL_NS / 3;
    struct load_plan p = plan(1, 8, 0);
    p.duration_ns = 400 * NS_PER_MS;
    p.rate = 1000;
    run_against(STALL, p);
    assert_string_equal(result.error, "");
    assert_in_range(result.latency.count, 398, 402);
    assert_true(histogram_percentile(&result.latency, 0.8) > third);

    p = plan(1, 8, 400);
    run_against(STALL, p);
    assert_string_equal(result.error, "");
    assert_true(result.latency.max >= STALL_NS);
    if (!testing_instrumented()) /* where a normal request takes less than 50 ms */
        assert_true(histogram_percentile(&result.latency, 0.8) < third);
}

static void what_cannot_start_says_why(void **state)
{
    (void)state;
    struct load_plan p = plan(2, 64, 10);
    int fds = open_fds();
    fault_arm("connect", 2, ECONNREFUSED);
    assert_int_equal(load_run(&p, &result), -ECONNREFUSED);
    fault_disarm();
    assert_non_null(strstr(result.error, "connection 2 of 2 failed"));
    fault_arm("socket", 1, EMFILE);
    assert_int_equal(load_run(&p, &result), -EMFILE);
    fault_disarm();
    assert_non_null(strstr(result.error, "ulimit -n"));
    p.address = "nowhere";
    assert_int_equal(load_run(&p, &result), -EINVAL);
    assert_string_equal(result.error, "'nowhere' is no IPv4 address");
    assert_int_equal(open_fds(), fds);
}

static void every_failed_call_is_an_error_and_no_leak(void **state)
{
    (void)state;
    static const char *const calls[] = { "malloc", "calloc", "epoll_create1",
                                         "epoll_ctl" };
    int fds = open_fds();
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        for (long n = 1; fault_sweep(n, calls[i], ENOMEM); n++) {
            struct load_plan p = plan(2, 64, 4);
            int err = load_run(&p, &result);
            if (err < 0)
                assert_string_not_equal(result.error, "");
            assert_int_equal(open_fds(), fds);
        }
}

/* The errno that a lost connection was reported with; -EIO: another reason. */
static int reported(void)
{
    static const int known[] = { ECONNRESET, ENOMEM, EPIPE };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strstr(result.error, errname(known[i])))
            return -known[i];
    return -EIO;
}

static int measure_a_little(void *argument)
{
    struct load_plan p = plan(2, 64, 4);
    (void)argument;
    int err = load_run(&p, &result);
    FAULT_EXPECT((err < 0 || result.errors > 0) == (result.error[0] != '\0'));
    return err < 0 ? err : result.errors > 0 ? reported() : 0;
}

static void each_call_is_made_again_or_reported(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "malloc", ENOMEM, FAULT_REPORTED },
        { "calloc", ENOMEM, FAULT_REPORTED },
        { "epoll_create1", EMFILE, FAULT_REPORTED },
        { "epoll_ctl", ENOSPC, FAULT_REPORTED },
        { "epoll_wait", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "epoll_pwait2", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "socket", ENFILE, FAULT_REPORTED },
        { "connect", ECONNREFUSED, FAULT_REPORTED },
        { "setsockopt", ENOPROTOOPT, FAULT_REPORTED },
        { "getrlimit", EPERM, FAULT_SURVIVED },
        { "setrlimit", EPERM, FAULT_SURVIVED },
        { "sendmsg", EINTR, FAULT_SURVIVED },
        { "sendmsg", EPIPE, FAULT_REPORTED },
        { "sendmsg", ENOMEM, FAULT_REPORTED },
        { "recv", EINTR, FAULT_SURVIVED },
        { "recv", ECONNRESET, FAULT_REPORTED },
        { "close", EINTR, FAULT_SURVIVED },
    };
    SWEEP(measure_a_little, NULL, faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_closed_loop_counts_what_the_server_counts,
                                        start_echo, stop_echo),
        cmocka_unit_test_setup_teardown(messages_of_any_size_come_back_whole,
                                        start_echo, stop_echo),
        cmocka_unit_test_setup_teardown(
            an_open_loop_keeps_its_rate_whatever_the_connections, start_echo,
            stop_echo),
        cmocka_unit_test_setup_teardown(an_open_loop_leaves_the_timer_slack_as_it_was,
                                        start_echo, stop_echo),
        cmocka_unit_test(http_is_compared_as_well),
        cmocka_unit_test(a_wrong_answer_is_an_error_that_says_where),
        cmocka_unit_test(a_stall_counts_once_in_a_closed_loop_and_fully_in_an_open_one),
        cmocka_unit_test_setup_teardown(what_cannot_start_says_why, start_echo,
                                        stop_echo),
        cmocka_unit_test_setup_teardown(every_failed_call_is_an_error_and_no_leak,
                                        start_echo, stop_echo),
        cmocka_unit_test_setup_teardown(each_call_is_made_again_or_reported, start_echo,
                                        stop_echo),
    };
    return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
