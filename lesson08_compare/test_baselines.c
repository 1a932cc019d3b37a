/* The three servers without a runtime: the same tests for each of them. */
#include "common/testing/testing.h"

#include <sys/resource.h>

#include "common/testing/faults.h"
#include "lesson08_compare/base_epoll.h"
#include "lesson08_compare/base_pool.h"
#include "lesson08_compare/base_threads.h"
#include "lesson08_compare/base_uring.h"
#include "lesson08_compare/server_testing.h"

struct contestant {
    int (*serve)(struct base *base);
};
enum { EPOLL, URING, THREADS };
static struct contestant contestants[] = { [EPOLL] = { base_epoll_serve },
                                           [URING] = { base_uring_serve },
                                           [THREADS] = { base_threads_serve } };
static struct test_server server;

static void start(void **state, const char *proto, void (*prepare)(void))
{
    const struct contestant *contestant = *state;
    test_server_start(&server, contestant->serve, proto, prepare);
    if (server.port < 0 && contestant->serve == base_uring_serve && !prepare) {
        test_server_end(&server, 0);
        skip_because("io_uring is refused here (the sentence is above)");
    }
    assert_true(server.port > 0);
}

static void stop_well(void)
{
    assert_int_equal(test_server_end(&server, SIGTERM), 0);
}

static void http_answers_one_request(void **state)
{
    char answer[256];
    start(state, "http", NULL);
    int fd = test_server_connect(&server);
    assert_true(test_send(fd, WORKLOAD_REQUEST, sizeof WORKLOAD_REQUEST - 1));
    size_t n = test_receive(fd, answer, WORKLOAD_RESPONSE_SIZE);
    close(fd);
    stop_well();
    assert_int_equal(n, WORKLOAD_RESPONSE_SIZE);
    assert_true(workload_response_matches(0, answer, n));
    assert_memory_not_equal(answer, WORKLOAD_RESPONSE, n); /* it has today's date */
}

static void http_answers_a_pipeline_in_order(void **state)
{
    enum { COUNT = 200 };
    static char requests[COUNT * sizeof WORKLOAD_REQUEST];
    static char answers[COUNT * WORKLOAD_RESPONSE_SIZE];
    size_t length = 0, wrong = 0;
    for (int i = 0; i < COUNT; i++)
        length += (size_t)snprintf(requests + length, sizeof requests - length, "%s",
                                   WORKLOAD_REQUEST);
    start(state, "http", NULL);
    int fd = test_server_connect(&server);
    assert_true(test_send(fd, requests, length));
    size_t n = test_receive(fd, answers, sizeof answers);
    close(fd);
    stop_well();
    assert_int_equal(n, sizeof answers);
    for (size_t i = 0; i < COUNT; i++)
        wrong += !workload_response_matches(0, answers + i * WORKLOAD_RESPONSE_SIZE,
                                            WORKLOAD_RESPONSE_SIZE);
    assert_int_equal(wrong, 0);
    struct served served;
    char *line = strchr(server.said, '\n');
    assert_non_null(line);
    assert_true(workload_parse_stats(line + 1, &served));
    assert_int_equal(served.requests, COUNT);
    assert_true(served.syscalls > 0);
}

static void http_waits_for_the_rest_of_a_request(void **state)
{
    char answer[256];
    start(state, "http", NULL);
    int fd = test_server_connect(&server);
    for (size_t i = 0; i < sizeof WORKLOAD_REQUEST - 1; i++)
        assert_true(test_send(fd, &WORKLOAD_REQUEST[i], 1));
    size_t n = test_receive(fd, answer, WORKLOAD_RESPONSE_SIZE);
    close(fd);
    stop_well();
    assert_int_equal(n, WORKLOAD_RESPONSE_SIZE);
}

static void http_closes_after_an_error_once_it_is_sent(void **state)
{
    char answer[256] = "", back[1];
    start(state, "http", NULL);
    int fd = test_server_connect(&server);
    assert_true(test_send(fd, "nonsense\r\n\r\n", 12));
    size_t n = test_receive(fd, answer, strlen("HTTP/1.1 400"));
    while (n < sizeof answer - 1 && recv(fd, answer + n, 1, 0) == 1)
        n++;
    bool ended = recv(fd, back, 1, 0) == 0; /* and not: nothing came for a minute */
    close(fd);
    stop_well();
    assert_true(ended);
    assert_true(strstr(answer, "HTTP/1.1 400") == answer);
}

/* Sends without receiving until the sockets are full, then receives it all. */
static void R7_echo_survives_a_peer_that_reads_late(void **state)
{
    enum { COUNT = 8, LIMIT = 16 << 20 };
    static char chunk[8192], back[8192];
    int fds[COUNT];
    size_t sent[COUNT], wrong = 0, missing = 0;
    start(state, "echo", NULL);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = test_server_connect(&server);
        memset(chunk, 'a' + i, sizeof chunk);
        sent[i] = 0;
        struct pollfd writable = { .fd = fds[i], .events = POLLOUT };
        while (sent[i] < LIMIT && poll(&writable, 1, 100) == 1) {
            ssize_t n = send(fds[i], chunk, sizeof chunk, MSG_DONTWAIT | MSG_NOSIGNAL);
            sent[i] += n > 0 ? (size_t)n : 0;
        }
    }
    for (int i = 0; i < COUNT; i++) {
        memset(chunk, 'a' + i, sizeof chunk);
        for (size_t got = 0; got < sent[i];) {
            size_t want = sent[i] - got < sizeof back ? sent[i] - got : sizeof back;
            size_t n = test_receive(fds[i], back, want);
            missing += want - n;
            wrong += memcmp(back, chunk, n) != 0;
            if (n < want)
                break;
            got += n;
        }
        close(fds[i]);
    }
    stop_well();
    assert_int_equal(missing, 0);
    assert_int_equal(wrong, 0);
}

static void shrink_pool(void)
{
    base_pool_buffers = 16;
}

/* RULES C10: a multishot receive that ran out of buffers is armed again. */
static void C10_a_dry_buffer_pool_delays_and_loses_nothing(void **state)
{
    enum { COUNT = 12, SIZE = 60000 };
    static char bytes[SIZE], back[SIZE];
    int fds[COUNT];
    size_t wrong = 0;
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    start(state, "echo", NULL);
    stop_well(); /* the probe whether io_uring is there at all */
    start(state, "echo", shrink_pool);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++) {
            if (round == 0)
                fds[i] = test_server_connect(&server);
            assert_true(test_send(fds[i], bytes, SIZE));
        }
        for (int i = 0; i < COUNT; i++) {
            size_t n = test_receive(fds[i], back, SIZE);
            wrong += n != SIZE || memcmp(back, bytes, SIZE) != 0;
        }
    }
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    stop_well();
    assert_int_equal(wrong, 0);
}

/* Data and FIN at once make one edge: the answer and the end must both come. The server
 * is stopped meanwhile, so that it really finds both at once. */
static void R12_a_peer_that_sends_and_closes_its_side_gets_answer_and_end(void **state)
{
    enum { ROUNDS = 5 };
    int answers = 0;
    start(state, "echo", NULL);
    for (int i = 0; i < ROUNDS && answers == i; i++) {
        char back[16];
        kill(server.pid, SIGSTOP);
        int fd = test_server_connect(&server);
        bool sent = test_send(fd, "farewell", 8);
        shutdown(fd, SHUT_WR);
        kill(server.pid, SIGCONT);
        answers += sent && test_receive(fd, back, 8) == 8 && recv(fd, back, 1, 0) == 0;
        close(fd);
    }
    stop_well();
    assert_int_equal(answers, ROUNDS);
}

static void reset(int fd)
{
    struct linger at_once = { .l_onoff = 1 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

static void R6_peers_that_hang_up_hurt_nobody(void **state)
{
    static char junk[100000];
    char back[8];
    start(state, "echo", NULL);
    int bystander = test_server_connect(&server);
    for (int i = 0; i < 30; i++) {
        int fd = test_server_connect(&server);
        if (i % 3)
            send(fd, junk, sizeof junk, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (i % 2)
            reset(fd);
        else
            close(fd);
    }
    assert_true(test_send(bystander, "still on", 8));
    size_t n = test_receive(bystander, back, 8);
    close(bystander);
    stop_well();
    assert_int_equal(n, 8);
    assert_memory_equal(back, "still on", 8);
}

static void few_descriptors(void)
{
    struct rlimit few = { 24, 24 };
    setrlimit(RLIMIT_NOFILE, &few);
}

/* Whether a connection made now is served. */
static bool is_served(void)
{
    char back[4] = "";
    int fd = test_server_connect(&server);
    bool served = fd >= 0 && test_send(fd, "ping", 4) &&
                  test_receive(fd, back, 4) == 4 && memcmp(back, "ping", 4) == 0;
    if (fd >= 0)
        close(fd);
    return served;
}

static void R5_a_server_out_of_descriptors_recovers(void **state)
{
    int fds[40];
    struct served served;
    start(state, "echo", NULL);
    stop_well(); /* the probe */
    start(state, "echo", few_descriptors);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = test_server_connect(&server);
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    WAIT_UNTIL(is_served());
    stop_well();
    char *line = strchr(server.said, '\n');
    assert_true(line && workload_parse_stats(line + 1, &served));
    assert_in_range(served.syscalls, 1, 20000); /* it did not spin meanwhile */
}

static const char *faulty_call;
static long faulty_nth;
static int faulty_errno = ENOMEM;

static void one_call_fails(void)
{
    fault_arm(faulty_call, faulty_nth, faulty_errno);
}

/* One failed call may cost one connection, or the start with exit status 1; never the
 * server while it runs. */
static void one_failed_call_costs_at_most_one_connection(void **state)
{
    static const char *const calls[] = { "calloc",    "malloc",     "mmap",
                                         "recv",      "send",       "accept4",
                                         "epoll_ctl", "epoll_wait", "pthread_create" };
    start(state, "echo", NULL);
    stop_well(); /* the probe */
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        for (faulty_nth = 1; faulty_nth <= 3; faulty_nth++) {
            faulty_call = calls[i];
            test_server_start(&server, ((struct contestant *)*state)->serve, "echo",
                              one_call_fails);
            if (server.port < 0) {
                assert_int_equal(test_server_end(&server, 0), 1);
                continue;
            }
            int served = 0;
            for (int connection = 0; connection < 4; connection++)
                served += is_served();
            int status = test_server_end(&server, SIGTERM);
            if (strcmp(faulty_call, "epoll_wait") == 0)
                continue; /* a loop that cannot wait ends, with a sentence */
            assert_int_equal(status, 0);
            assert_in_range(served, 3, 4);
        }
}

/* Of those calls that this server makes. */
static void interrupted_calls_cost_nothing(void **state)
{
    static const char *const calls[] = {
        "recv",
        "send",
        "accept4",
        "epoll_wait",
        "poll",
        "nanosleep",
        "close",
        "shutdown",
        "pthread_cond_wait",
        "io_uring_submit",
        "io_uring_submit_and_wait",
        "io_uring_register_ring_fd",
        "getrlimit",
        "setrlimit",
    };
    start(state, "echo", NULL);
    stop_well(); /* the probe */
    faulty_errno = EINTR;
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        for (faulty_nth = 1; faulty_nth <= 3; faulty_nth++) {
            faulty_call = calls[i];
            test_server_start(&server, ((struct contestant *)*state)->serve, "echo",
                              one_call_fails);
            int served = 0;
            for (int connection = 0; server.port >= 0 && connection < 4; connection++)
                served += is_served();
            int status = test_server_end(&server, server.port < 0 ? 0 : SIGTERM);
            if (status != 0 || served != 4)
                fail_msg("%s number %ld is interrupted: %d of 4 served, status %d; %s",
                         faulty_call, faulty_nth, served, status, server.said);
        }
    faulty_errno = ENOMEM;
}

/* A call that this server does not make lets it start. */
static void a_start_that_fails_is_status_1(void **state)
{
    static const char *const calls[] = {
        "socket",
        "bind",
        "listen",
        "setsockopt",
        "getsockname",
        "signalfd",
        "open",
        "epoll_create1",
        "io_uring_register_buf_ring",
        "pthread_mutex_init",
        "pthread_cond_init",
        "pthread_attr_setstacksize",
    };
    start(state, "echo", NULL);
    stop_well(); /* the probe */
    faulty_nth = 1;
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        faulty_call = calls[i];
        test_server_start(&server, ((struct contestant *)*state)->serve, "echo",
                          one_call_fails);
        int expected = server.port < 0 ? 1 : 0;
        bool served = server.port < 0 || is_served();
        int status = test_server_end(&server, server.port < 0 ? 0 : SIGTERM);
        if (!served || status != expected || (i < 6 && !expected))
            fail_msg("%s fails: status %d, expected 1; it said: %s", faulty_call,
                     status, server.said);
    }
}

static void wrong_options(void *argument)
{
    char name[] = "server";
    char *argv[] = { name, argument, NULL };
    _exit(base_main(2, argv, "a test", base_epoll_serve));
}

static void options_are_answered_with_a_sentence_and_a_status(void **state)
{
    (void)state;
    char said[1024];
    char bad_port[] = "--port=65536", bad_proto[] = "--proto=ftp", odd[] = "odd",
         unknown[] = "--unknown", ask[] = "--help";
    assert_int_equal(run_in_child(wrong_options, bad_port, said, sizeof said), 2);
    assert_non_null(strstr(said, "server: --port takes 0 to 65535, not '65536'\n"));
    assert_int_equal(run_in_child(wrong_options, bad_proto, said, sizeof said), 2);
    assert_non_null(strstr(said, "--proto takes echo or http, not 'ftp'\n"));
    assert_int_equal(run_in_child(wrong_options, odd, said, sizeof said), 2);
    assert_non_null(strstr(said, "unexpected argument 'odd'\n"));
    assert_int_equal(run_in_child(wrong_options, unknown, said, sizeof said), 2);
    assert_int_equal(run_in_child(wrong_options, ask, said, sizeof said), 0);
}

static void a_port_in_use_is_status_1(void **state)
{
    (void)state;
    char said[1024], option[32];
    test_server_start(&server, base_epoll_serve, "echo", NULL);
    snprintf(option, sizeof option, "--port=%d", server.port);
    int status = run_in_child(wrong_options, option, said, sizeof said);
    stop_well();
    assert_int_equal(status, 1);
    assert_non_null(strstr(said, "cannot bind"));
}

static int refusal;

static void refused(void *argument)
{
    char name[] = "server";
    char *argv[] = { name, NULL };
    fault_arm("io_uring_queue_init_params", 1, *(int *)argument);
    _exit(base_main(1, argv, "a test", base_uring_serve));
}

static void C14_refused_io_uring_is_one_sentence(void **state)
{
    (void)state;
    char said[1024];
    static const int reasons[] = { EPERM, ENOSYS, EINVAL, ENOMEM };
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        refusal = reasons[i];
        assert_int_equal(run_in_child(refused, &refusal, said, sizeof said), 1);
        assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
        assert_non_null(strstr(said, i < 2 ? "use base_epoll" : "server: "));
    }
}

/* The same test for each server, under a name that says which. */
#define FOR(index, test)                                                               \
    {                                                                                  \
#test " " #index, test, NULL, NULL, &contestants[index]                        \
    }
#define FOR_ALL(test) FOR(EPOLL, test), FOR(URING, test), FOR(THREADS, test)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOR_ALL(http_answers_one_request),
        FOR_ALL(http_answers_a_pipeline_in_order),
        FOR_ALL(http_waits_for_the_rest_of_a_request),
        FOR_ALL(http_closes_after_an_error_once_it_is_sent),
        FOR_ALL(R7_echo_survives_a_peer_that_reads_late),
        FOR(URING, C10_a_dry_buffer_pool_delays_and_loses_nothing),
        FOR_ALL(R12_a_peer_that_sends_and_closes_its_side_gets_answer_and_end),
        FOR_ALL(R6_peers_that_hang_up_hurt_nobody),
        FOR_ALL(R5_a_server_out_of_descriptors_recovers),
        FOR_ALL(one_failed_call_costs_at_most_one_connection),
        FOR_ALL(interrupted_calls_cost_nothing),
        FOR_ALL(a_start_that_fails_is_status_1),
        cmocka_unit_test(options_are_answered_with_a_sentence_and_a_status),
        cmocka_unit_test(a_port_in_use_is_status_1),
        cmocka_unit_test(C14_refused_io_uring_is_one_sentence),
    };
    return cmocka_run_group_tests_name("baselines", tests, NULL, NULL);
}
