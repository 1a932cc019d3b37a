/* The program httpd from outside: how it starts or says why not, how it ends, and what it
 * tells about its tasks meanwhile. */
#include "lesson07_custom/httpd_testing.h"

static char root_option[300];

static int make_root(void **state)
{
    (void)state;
    char root[256];
    snprintf(root, sizeof root, "%s", testing_path("root"));
    snprintf(root_option, sizeof root_option, "--root %s", root);
    assert_int_equal(mkdir(root, 0755), 0);
    httpd_make_big(root);
    return 0;
}

/* ---- the end */

/* A request of which the server has half. Its task has come round: it answered the
 * request before, and, with one worker, a request on another connection after that. */
static int half_a_request(const struct httpd *server)
{
    struct reply reply;
    int fd = client_connect(server);
    client_say(fd, GET_HELLO "GET /hello HT");
    client_read(fd, false, &reply);
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
    server_answers(server);
    return fd;
}

static void read_big(int fd)
{
    struct reply reply;
    client_read(fd, false, &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.size, BIG_SIZE);
    for (size_t i = 0; i < BIG_SIZE; i++)
        if (reply.body[i] != httpd_big_byte(i))
            fail_msg("byte %zu of the big file is wrong", i);
    reply_free(&reply);
}

static void SIGTERM_lets_requests_in_progress_finish(void **state)
{
    NEEDS_DRIVER(state);
    char options[400];
    snprintf(options, sizeof options, "%s --workers 1 --grace 60", root_option);
    for (int cell = 0; cell < 3; cell++) {
        struct httpd server = { 0 };
        struct reply reply;
        httpd_start_in(&server, httpd_schedulers[cell], *state, options);
        int idle = client_connect(&server);
        int half = half_a_request(&server);
        int big = client_connect(&server);
        client_say(big, "GET /big.bin HTTP/1.1\r\nHost: t\r\n\r\n");
        char first;
        assert_int_equal(recv(big, &first, 1, MSG_PEEK), 1);
        kill(server.pid, SIGTERM);
        assert_true(client_sees_end(idle)); /* phase 1 has begun */
        read_big(big);
        assert_true(client_sees_end(big));
        client_say(half, "TP/1.1\r\nHost: t\r\n\r\n");
        client_read(half, false, &reply);
        assert_int_equal(reply.status, 200);
        assert_non_null(strstr(reply.head, "Connection: close"));
        assert_true(client_sees_end(half));
        reply_free(&reply);
        close(idle);
        close(half);
        close(big);
        assert_int_equal(httpd_wait(&server), 0);
        assert_string_equal(httpd_errors(&server), "");
    }
}

static void a_request_that_does_not_end_is_cancelled_at_the_limit(void **state)
{
    NEEDS_DRIVER(state);
    for (int cell = 0; cell < 3; cell++) {
        struct httpd server = { 0 };
        httpd_start_in(&server, httpd_schedulers[cell], *state,
                       "--workers 1 --grace 0");
        int half = half_a_request(&server);
        kill(server.pid, SIGTERM);
        assert_true(client_sees_end(half));
        close(half);
        assert_int_equal(httpd_wait(&server), 0);
    }
}

static void SIGTERM_under_load_ends_in_order(void **state)
{
    NEEDS_DRIVER(state);
    enum { CLIENTS = 32 };
    struct httpd server = { 0 };
    for (int cell = 0; cell < 3; cell++) {
        int fds[CLIENTS], answered = 0;
        httpd_start_in(&server, httpd_schedulers[cell], *state, "");
        for (int i = 0; i < CLIENTS; i++) {
            fds[i] = client_connect(&server);
            client_say(fds[i], GET_HELLO GET_HELLO GET_HELLO);
        }
        struct reply reply;
        client_read(fds[0], false, &reply);
        reply_free(&reply);
        kill(server.pid, SIGTERM);
        kill(server.pid, SIGUSR1); /* a dump in the midst of it */
        for (int i = 0; i < CLIENTS; i++) {
            int status;
            do { /* whole answers, then the end: never half of one */
                client_read(fds[i], false, &reply);
                status = reply.status;
                assert_true(status == 0 || status == 200);
                assert_true(status == 0 || reply.size == 12);
                answered += status == 200;
                reply_free(&reply);
            } while (status == 200);
            close(fds[i]);
        }
        assert_int_equal(httpd_wait(&server), 0);
        assert_true(answered > 0);
    }
}

/* ---- what it tells */

static bool errors_have(const struct httpd *server, const char *words)
{
    return strstr(httpd_errors(server), words) != NULL;
}

static void SIGUSR1_prints_every_task_with_its_line(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, "")
    {
        int fd = client_connect(&server);
        struct reply reply;
        client_say(fd, GET_HELLO);
        client_read(fd, false, &reply);
        reply_free(&reply);
        kill(server.pid, SIGUSR1);
        WAIT_UNTIL(
            errors_have(&server, "http_session at lesson07_custom/http_session.c:"));
        WAIT_UNTIL(errors_have(&server, "acceptor at lesson07_custom/server.c:"));
        WAIT_UNTIL(errors_have(&server, "root at lesson07_custom/server.c:"));
        server_answers(&server);   /* it goes on */
        kill(server.pid, SIGUSR1); /* and may end right after */
        close(fd);
    }
}

static void the_counters_are_printed_when_asked_for(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    for (int cell = 0; cell < 3; cell++) {
        httpd_start_in(&server, httpd_schedulers[cell], *state, "--stats");
        for (int i = 0; i < 5; i++)
            server_answers(&server);
        httpd_stop(&server);
        assert_non_null(strstr(server.said, "stats: requests=5 syscalls="));
    }
}

/* ---- no start */

static void check_refused(const char *options, int status, const char *words)
{
    struct httpd server = { 0 };
    httpd_launch(&server, options);
    int got = httpd_wait(&server);
    const char *errors = httpd_errors(&server);
    if (got != status || !strstr(errors, words))
        fail_msg("httpd %s: expected exit %d and \"%s\", got %d and: %s", options,
                 status, words, got, errors);
    const char *newline = strchr(errors, '\n');
    assert_true(strncmp(errors, "httpd: ", 7) == 0 && newline && !newline[1]);
}

static void S10_wrong_options_are_answered_by_one_sentence(void **state)
{
    (void)state;
    check_refused("--nonsense", 2, "unknown option");
    check_refused("-port", 2, "'-port'"); /* not the word before it */
    check_refused("--port", 2, "wants a value");
    check_refused("--port 65536", 2, "wants a port");
    check_refused("--port -1", 2, "wants a port");
    check_refused("--scheduler tokio", 2, "current, steal or core");
    check_refused("--driver kqueue", 2, "epoll, uring or auto");
    check_refused("--workers -1", 2, "a number");
    check_refused("--workers 1000000 --scheduler steal", 2, "48 workers");
    check_refused("--workers 1000000 --scheduler core", 2, "1,024 workers");
    check_refused("--workers 2 --scheduler current", 2, "exactly one worker");
    check_refused("--spin 10 --scheduler steal", 2, "spin_before_park");
    check_refused("--sqpoll --driver epoll", 2, "sqpoll");
    check_refused("--address example.org", 2, "numeric address");
    check_refused("--idle-ms 0", 2, "milliseconds");
    check_refused("--grace never", 2, "seconds");
    check_refused("now", 2, "one word too many");
}

static void what_cannot_be_served_is_said(void **state)
{
    (void)state;
    char options[400];
    check_refused("--port 0 --root /nowhere/at/all", 1, "cannot serve files");
    snprintf(options, sizeof options, "--port 0 --root %s/big.bin",
             testing_path("root"));
    check_refused(options, 1, "cannot serve files");
    check_refused("--port 0 --address 192.0.2.1", 1, "cannot listen on");
}

static void a_port_in_use_is_refused_in_every_cell(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, "")
    {
        for (int other = 0; other < 3; other++) {
            char options[200];
            snprintf(options, sizeof options, "--port %d --scheduler %s --driver %s",
                     server.port, httpd_schedulers[other], (const char *)*state);
            check_refused(options, 1, "cannot listen on");
        }
        server_answers(&server);
    }
}

static void C14_where_io_uring_is_refused_epoll_takes_over(void **state)
{
    (void)state;
    static const int errors[] = { EPERM, ENOSYS, ENOMEM };
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
        for (int cell = 0; cell < 3; cell++) {
            struct httpd server = { .forbidden = errors[i] };
            httpd_start_in(&server, httpd_schedulers[cell], "uring", "");
            assert_non_null(strstr(server.said, "(driver: epoll)"));
            const char *said = httpd_errors(&server);
            assert_non_null(strstr(said, "Using epoll instead."));
            assert_int_equal(strchr(said, '\n')[1], '\0'); /* one line */
            server_answers(&server);
            httpd_stop(&server);
        }
    struct httpd server = { .forbidden = EPERM };
    httpd_launch(&server, "--port 0 --driver uring --driver-required");
    assert_int_equal(httpd_wait(&server), 1);
    assert_non_null(strstr(httpd_errors(&server), "cannot start the runtime: "));
    assert_non_null(strstr(httpd_errors(&server), "io_uring"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_DRIVERS(SIGTERM_lets_requests_in_progress_finish),
        ON_BOTH_DRIVERS(a_request_that_does_not_end_is_cancelled_at_the_limit),
        ON_BOTH_DRIVERS(SIGTERM_under_load_ends_in_order),
        ON_BOTH_DRIVERS(SIGUSR1_prints_every_task_with_its_line),
        ON_BOTH_DRIVERS(the_counters_are_printed_when_asked_for),
        cmocka_unit_test(S10_wrong_options_are_answered_by_one_sentence),
        cmocka_unit_test(what_cannot_be_served_is_said),
        ON_BOTH_DRIVERS(a_port_in_use_is_refused_in_every_cell),
        cmocka_unit_test(C14_where_io_uring_is_refused_epoll_takes_over),
    };
    return cmocka_run_group_tests_name("httpd, start and stop", tests, make_root, NULL);
}
