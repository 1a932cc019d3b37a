/* The program httpd from outside, in every cell of the matrix: clients that are wrong,
 * slow, silent, many, or gone. After each the server must still answer, and must have let
 * go of every descriptor. */
#include "lesson07_custom/httpd_testing.h"

#define HUGE_SIZE (64 << 20)

static char root_option[300];

static int make_root(void **state)
{
    (void)state;
    char root[256];
    snprintf(root, sizeof root, "%s", testing_path("root"));
    snprintf(root_option, sizeof root_option, "--root %s --send-ms 300", root);
    assert_int_equal(mkdir(root, 0755), 0);
    httpd_make_file(root, "huge.bin", "", 0);
    char path[300];
    snprintf(path, sizeof path, "%s/huge.bin", root);
    return truncate(path, HUGE_SIZE); /* a hole: more than socket buffers take */
}

static void a_malformed_request_is_answered_and_ends(void **state)
{
    NEEDS_DRIVER(state);
    static const struct {
        const char *bytes;
        int status;
    } rows[] = {
        { "GET\r\n\r\n", 400 },
        { "GET /hello\r\n\r\n", 400 },
        { "GET /hello HTTP/1.1\r\n\r\n", 400 }, /* no Host */
        { "GET /hello HTTP/2.0\r\nHost: t\r\n\r\n", 505 },
        { "GET /hello HTTP/1.1\r\nHost : t\r\n\r\n", 400 },
        { "GET /hello HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n", 400 },
        { "GET /hello HTTP/1.1\r\nHost: t\r\nContent-Length: 1x\r\n\r\n", 400 },
        { "GET /hello HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n"
          "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          400 },
        { "POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
          400 },
        { "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 9999999999\r\n\r\n", 413 },
        { "\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n", 400 }, /* TLS */
    };
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, "")
    {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
            int status = client_status(&server, rows[i].bytes, strlen(rows[i].bytes));
            if (status != rows[i].status)
                fail_msg("row %zu: expected %d, got %d", i, rows[i].status, status);
        }
        server_answers(&server);
    }
}

static int status_of_long(const struct httpd *server, const char *before, size_t fill)
{
    char *request = malloc(strlen(before) + fill + 64);
    assert_non_null(request);
    size_t size = (size_t)sprintf(request, "%s", before);
    memset(request + size, 'a', fill);
    size += fill;
    size += (size_t)sprintf(request + size, " HTTP/1.1\r\nHost: t\r\n\r\n");
    int status = client_status(server, request, size);
    free(request);
    return status;
}

static void an_oversized_request_is_refused(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, root_option)
    {
        assert_int_equal(status_of_long(&server, "GET /hello?", 7000), 200);
        assert_int_equal(status_of_long(&server, "GET /", 7000), 414);
        assert_int_equal(status_of_long(&server, "GET /", 20000), 414);
        assert_int_equal(
            status_of_long(&server, "GET / HTTP/1.1\r\nHost: t\r\nX: ", 20000), 431);
        assert_int_equal(status_of_long(&server, "GET /", 2000000), 414);
        server_answers(&server);
    }
}

/* One limit for the whole request, not one for each byte. */
static void a_request_that_drips_is_told_408(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, "--request-ms 200")
    {
        struct reply reply;
        int fd = client_connect(&server);
        struct pollfd answer = { .fd = fd, .events = POLLIN };
        client_say(fd, "GET /hello HTTP/1.1\r\nHost: t\r\nX: ");
        for (int i = 0; i < 500 && poll(&answer, 1, 20) == 0; i++)
            client_send(fd, "a", 1);
        client_read(fd, false, &reply);
        assert_int_equal(reply.status, 408);
        assert_true(client_sees_end(fd));
        reply_free(&reply);
        close(fd);
        server_answers(&server);
    }
}

static void an_idle_connection_is_closed_without_a_word(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, "--idle-ms 50")
    {
        struct reply reply;
        int fd = client_connect(&server);
        client_say(fd, GET_HELLO);
        client_read(fd, false, &reply);
        reply_free(&reply);
        char byte;
        assert_int_equal(recv(fd, &byte, 1, 0), 0);
        close(fd);
    }
}

static void a_half_closed_peer_gets_its_answers(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, "")
    {
        struct reply reply;
        int fd = client_connect(&server);
        client_say(fd, GET_HELLO GET_HELLO);
        shutdown(fd, SHUT_WR);
        for (int i = 0; i < 2; i++) {
            client_read(fd, false, &reply);
            assert_int_equal(reply.status, 200);
            reply_free(&reply);
        }
        assert_true(client_sees_end(fd));
        close(fd);
        fd = client_connect(&server);
        client_say(fd, "GET /hello HTTP/1.1\r\nHo");
        shutdown(fd, SHUT_WR);
        client_read(fd, false, &reply);
        assert_int_equal(reply.status, 400);
        assert_true(client_sees_end(fd));
        reply_free(&reply);
        close(fd);
    }
}

static int ask_for_huge(const struct httpd *server)
{
    int fd = client_connect(server);
    char some[1000];
    client_say(fd, "GET /huge.bin HTTP/1.1\r\nHost: t\r\n\r\n");
    assert_true(recv(fd, some, sizeof some, 0) > 0); /* it is under way */
    return fd;
}

static void R6_peers_that_reset_in_the_middle_of_a_file(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, root_option)
    {
        server_answers(&server);
        int before = httpd_fds(&server);
        for (int i = 0; i < 20; i++) {
            struct linger now = { .l_onoff = 1 };
            int fd = ask_for_huge(&server);
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
            close(fd);
        }
        WAIT_UNTIL(httpd_fds(&server) <= before);
        server_answers(&server);
    }
}

static void a_client_that_never_reads_is_let_go(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, root_option)
    {
        int before = httpd_fds(&server);
        int fd = ask_for_huge(&server);
        WAIT_UNTIL(httpd_fds(&server) > before);
        WAIT_UNTIL(httpd_fds(&server) <= before);
        close(fd);
        server_answers(&server);
    }
}

#define MANY 1000

static void a_thousand_connections_at_once(void **state)
{
    NEEDS_DRIVER(state);
    static int fds[MANY];
    struct rlimit limit;
    struct httpd server = { .descriptors = 4096 };
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max < 4096)
        skip_because("this machine allows %llu descriptors a process",
                     (unsigned long long)limit.rlim_max);
    limit.rlim_cur = 4096;
    setrlimit(RLIMIT_NOFILE, &limit);
    FOR_EACH_CELL(server, state, "")
    {
        server_answers(&server);
        int before = httpd_fds(&server);
        for (int i = 0; i < MANY; i++)
            fds[i] = client_connect(&server);
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < MANY; i++)
                client_say(fds[i], GET_HELLO);
            for (int i = 0; i < MANY; i++) {
                struct reply reply;
                client_read(fds[i], false, &reply);
                assert_int_equal(reply.status, 200);
                reply_free(&reply);
            }
        }
        for (int i = 0; i < MANY; i++)
            close(fds[i]);
        WAIT_UNTIL(httpd_fds(&server) <= before);
    }
}

/* CPU time of the server in clock ticks. */
static unsigned long cpu_ticks(const struct httpd *server)
{
    char path[64], line[1024] = "";
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)server->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, line, sizeof line - 1) > 0);
    close(fd);
    const char *at = strrchr(line, ')');
    assert_non_null(at);
    assert_int_equal(sscanf(at, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                            &user, &system),
                     2);
    return user + system;
}

/* Reads one answer, whoever gets it first, and lets that client leave. */
static void serve_any(int *fds, nfds_t count)
{
    struct pollfd ready[64];
    struct reply reply;
    nfds_t i = 0;
    assert_true(count <= ARRAY_SIZE(ready));
    for (nfds_t k = 0; k < count; k++)
        ready[k] = (struct pollfd){ .fd = fds[k], .events = POLLIN };
    assert_true(poll(ready, count, TEST_PATIENCE_S * 1000) > 0);
    while (!ready[i].revents)
        i++;
    client_read(fds[i], false, &reply);
    assert_int_equal(reply.status, 200);
    reply_free(&reply);
    close(fds[i]);
    fds[i] = -1;
}

/* More clients than descriptors: those that got one are served, the others wait, and
 * waiting costs nothing. */
static void R5_a_full_descriptor_table_does_not_spin(void **state)
{
    NEEDS_DRIVER(state);
    enum { CLIENTS = 60 };
    int fds[CLIENTS];
    struct httpd server = { .descriptors = 40 };
    FOR_EACH_CELL(server, state, "")
    {
        for (int i = 0; i < CLIENTS; i++) {
            fds[i] = client_connect(&server);
            client_say(fds[i], GET_HELLO);
        }
        unsigned long before = cpu_ticks(&server);
        struct timespec pause = { .tv_nsec = 300000000 };
        /* lint: allow sleep, because what it does in a span of time is measured */
        nanosleep(&pause, NULL);
        unsigned long tenth = (unsigned long)sysconf(_SC_CLK_TCK) / 10;
        assert_true(cpu_ticks(&server) - before <= tenth); /* a spin takes three */
        for (int left = CLIENTS; left > 0; left--) /* each that leaves makes room */
            serve_any(fds, CLIENTS);
        server_answers(&server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_DRIVERS(a_malformed_request_is_answered_and_ends),
        ON_BOTH_DRIVERS(an_oversized_request_is_refused),
        ON_BOTH_DRIVERS(a_request_that_drips_is_told_408),
        ON_BOTH_DRIVERS(an_idle_connection_is_closed_without_a_word),
        ON_BOTH_DRIVERS(a_half_closed_peer_gets_its_answers),
        ON_BOTH_DRIVERS(R6_peers_that_reset_in_the_middle_of_a_file),
        ON_BOTH_DRIVERS(a_client_that_never_reads_is_let_go),
        ON_BOTH_DRIVERS(a_thousand_connections_at_once),
        ON_BOTH_DRIVERS(R5_a_full_descriptor_table_does_not_spin),
    };
    return cmocka_run_group_tests_name("httpd, hostile", tests, make_root, NULL);
}
