/* The program httpd from outside, in every cell of the matrix: what a polite client sees.
 * test_httpd_hostile.c has the others, test_httpd_stop.c its end. */
#include "lesson07_custom/httpd_testing.h"

#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>

/* ---- the folder that is served */

static char root[256];
static char root_option[300];

static void make_file(const char *name, const char *text, size_t size)
{
    httpd_make_file(root, name, text, size);
}

static void make_folder(const char *name)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", root, name);
    assert_int_equal(mkdir(path, 0755), 0);
}

static int make_root(void **state)
{
    (void)state;
    char link[400];
    snprintf(root, sizeof root, "%s", testing_path("secret.txt"));
    int fd = open(root, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "secret", 6), 6);
    close(fd);
    snprintf(root, sizeof root, "%s", testing_path("root"));
    snprintf(root_option, sizeof root_option, "--root %s", root);
    assert_int_equal(mkdir(root, 0755), 0);
    make_folder("sub");
    make_folder("empty");
    make_file("small.txt", "a small file\n", 13);
    make_file("empty.txt", "", 0);
    make_file("sub/index.html", "<p>index</p>", 12);
    make_file("sub/deep.css", "p {}", 4);
    httpd_make_big(root);
    snprintf(link, sizeof link, "%s/out.txt", root);
    assert_int_equal(symlink("../secret.txt", link), 0);
    snprintf(link, sizeof link, "%s/abs.txt", root);
    assert_int_equal(symlink(testing_path("secret.txt"), link), 0);
    return 0;
}

/* ---- one request, one answer */

static void ask(const struct httpd *server, const char *method, const char *target,
                struct reply *reply)
{
    char request[1024];
    int fd = client_connect(server);
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: test\r\n\r\n", method,
             target);
    client_say(fd, request);
    client_read(fd, strcmp(method, "HEAD") == 0, reply);
    close(fd);
}

static void check_answer(const struct httpd *server, const char *method,
                         const char *target, int status, const char *body)
{
    struct reply reply;
    ask(server, method, target, &reply);
    if (reply.status != status || (body && strcmp(reply.body, body) != 0))
        fail_msg("%s %s: expected %d, got %d with \"%s\"", method, target, status,
                 reply.status, reply.body ? reply.body : "");
    if (reply.body && strstr(reply.body, "secret"))
        fail_msg("%s left the folder", target);
    reply_free(&reply);
}

static void get_and_head_of_hello(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, "--no-date")
    {
        check_answer(&server, "GET", "/hello", 200, "Hello, world");
        check_answer(&server, "GET", "/hello?name=x", 200, "Hello, world");
        check_answer(&server, "GET", "/nothing", 404, NULL);
        check_answer(&server, "POST", "/hello", 405, NULL);
        check_answer(&server, "BREW", "/hello", 501, NULL);
        struct reply reply;
        ask(&server, "HEAD", "/hello", &reply);
        assert_int_equal(reply.status, 200);
        assert_int_equal(reply.length, 12);
        assert_non_null(
            strstr(server.said, strcmp(*state, "uring") == 0 ? "io_uring" : "epoll"));
    }
}

static void check_big(const struct httpd *server)
{
    struct reply reply;
    ask(server, "GET", "/big.bin", &reply);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.size, BIG_SIZE);
    for (size_t i = 0; i < BIG_SIZE; i++)
        if (reply.body[i] != httpd_big_byte(i))
            fail_msg("byte %zu of the big file is wrong", i);
    reply_free(&reply);
}

static void files_of_all_sizes(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, root_option)
    {
        struct reply reply;
        check_answer(&server, "GET", "/small.txt", 200, "a small file\n");
        check_answer(&server, "GET", "/empty.txt", 200, "");
        check_answer(&server, "GET", "/sub/", 200, "<p>index</p>");
        check_answer(&server, "GET", "/sub/deep.css?v=1", 200, "p {}");
        check_answer(&server, "GET", "/./sub/../sub/deep.css", 200, "p {}");
        check_answer(&server, "GET", "/sub/none", 404, NULL);
        check_answer(&server, "GET", "/empty/", 404, NULL);
        check_big(&server);
        ask(&server, "HEAD", "/big.bin", &reply);
        assert_int_equal(reply.length, BIG_SIZE);
        ask(&server, "GET", "/sub", &reply);
        assert_int_equal(reply.status, 301);
        assert_non_null(strstr(reply.head, "Location: /sub/\r\n"));
        reply_free(&reply);
    }
}

static void nobody_leaves_the_folder(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    static const char *const ways[] = {
        "/../secret.txt",     "/sub/../../secret.txt",  "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",   "/%2e%2e%2fsecret.txt",   "/sub/%2E%2E/%2E%2E/secret.txt",
        "/.../../secret.txt", "//../secret.txt",        "/out.txt",
        "/abs.txt",           "/sub/..;/../secret.txt", "/%00/../secret.txt",
        "/./.././secret.txt", "/%252e%252e/secret.txt", "/..\\secret.txt",
    };
    FOR_EACH_CELL(server, state, root_option)
    {
        for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
            struct reply reply;
            ask(&server, "GET", ways[i], &reply);
            if (reply.status != 404 && reply.status != 400)
                fail_msg("%s: %d", ways[i], reply.status);
            if (reply.body && strstr(reply.body, "secret"))
                fail_msg("%s left the folder", ways[i]);
            reply_free(&reply);
        }
    }
}

/* ---- connections */

static void a_connection_serves_many(void **state)
{
    NEEDS_DRIVER(state);
    static const char *const targets[] = { "/hello", "/small.txt", "/nothing",
                                           "/empty.txt", "/hello" };
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, root_option)
    {
        int fd = client_connect(&server);
        for (int i = 0; i < 20; i++) {
            struct reply reply;
            char request[200];
            snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: t\r\n%s\r\n",
                     targets[i % 5], i == 19 ? "Connection: close\r\n" : "");
            client_say(fd, request);
            client_read(fd, false, &reply);
            assert_int_equal(reply.status, i % 5 == 2 ? 404 : 200);
            assert_int_equal(reply.size, reply.length);
            assert_true((strstr(reply.head, "Connection: close") != NULL) == (i == 19));
            reply_free(&reply);
        }
        assert_true(client_sees_end(fd));
        close(fd);
        fd = client_connect(&server); /* HTTP/1.0 closes unless it is asked to stay */
        client_say(fd, "GET /hello HTTP/1.0\r\n\r\n");
        assert_true(client_sees_end(fd));
        close(fd);
    }
}

#define PIPELINED 64

static void sixty_four_requests_in_one_write(void **state)
{
    NEEDS_DRIVER(state);
    static char batch[PIPELINED * 80];
    struct httpd server = { 0 };
    size_t size = 0;
    for (int i = 0; i < PIPELINED; i++)
        size += (size_t)snprintf(batch + size, sizeof batch - size,
                                 "GET %s HTTP/1.1\r\nHost: t\r\n\r\n",
                                 i % 16 == 7 ? "/small.txt" : "/hello");
    FOR_EACH_CELL(server, state, root_option)
    {
        int fd = client_connect(&server);
        client_send(fd, batch, size);
        for (int i = 0; i < PIPELINED; i++) {
            struct reply reply;
            client_read(fd, false, &reply);
            assert_int_equal(reply.status, 200);
            assert_string_equal(reply.body,
                                i % 16 == 7 ? "a small file\n" : "Hello, world");
            reply_free(&reply);
        }
        close(fd);
    }
}

/* The client's TCP has nothing left to send, so what follows is a segment of its own. */
static void wait_until_sent(int fd)
{
    int unsent = 1;
    while (ioctl(fd, SIOCOUTQNSD, &unsent) == 0 && unsent > 0)
        sched_yield();
}

static void every_split_of_one_request(void **state)
{
    NEEDS_DRIVER(state);
    static const char request[] = "GET /sm%61ll.txt HTTP/1.1\r\nHost: t\r\n\r\n";
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, root_option)
    {
        int fd = client_connect(&server);
        for (size_t cut = 1; cut <= sizeof request - 1; cut++) {
            struct reply reply;
            for (size_t at = 0; at < sizeof request - 1;) {
                size_t size =
                    sizeof request - 1 - at < cut ? sizeof request - 1 - at : cut;
                client_send(fd, request + at, size);
                wait_until_sent(fd);
                at += size;
            }
            client_read(fd, false, &reply);
            if (reply.status != 200)
                fail_msg("pieces of %zu bytes: %d", cut, reply.status);
            assert_string_equal(reply.body, "a small file\n");
            reply_free(&reply);
        }
        close(fd);
    }
}

static void bodies_are_drained_then_refused(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    static char body[100000];
    memset(body, 'x', sizeof body);
    FOR_EACH_CELL(server, state, "")
    {
        struct reply reply;
        int fd = client_connect(&server);
        client_say(fd,
                   "POST /hello HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n");
        client_send(fd, body, sizeof body);
        client_say(fd,
                   "PUT /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "5\r\nabcde\r\n10;x=y\r\n0123456789abcdef\r\n0\r\nA: b\r\n\r\n");
        client_say(fd, GET_HELLO);
        for (int i = 0; i < 2; i++) {
            client_read(fd, false, &reply);
            assert_int_equal(reply.status, 405);
            assert_non_null(strstr(reply.head, "Allow: GET, HEAD"));
            reply_free(&reply);
        }
        client_read(fd, false, &reply); /* the connection is still in step */
        assert_int_equal(reply.status, 200);
        reply_free(&reply);
        close(fd);
    }
}

static void a_client_that_expects_100_is_told(void **state)
{
    NEEDS_DRIVER(state);
    struct httpd server = { 0 };
    FOR_EACH_CELL(server, state, "")
    {
        struct reply reply;
        int fd = client_connect(&server);
        client_say(fd, "GET /hello HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\n"
                       "Content-Length: 4\r\n\r\n");
        client_read(fd, true, &reply);
        assert_int_equal(reply.status, 100);
        client_say(fd, "body");
        client_read(fd, false, &reply);
        assert_int_equal(reply.status, 200);
        reply_free(&reply);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_DRIVERS(get_and_head_of_hello),
        ON_BOTH_DRIVERS(files_of_all_sizes),
        ON_BOTH_DRIVERS(nobody_leaves_the_folder),
        ON_BOTH_DRIVERS(a_connection_serves_many),
        ON_BOTH_DRIVERS(sixty_four_requests_in_one_write),
        ON_BOTH_DRIVERS(every_split_of_one_request),
        ON_BOTH_DRIVERS(bodies_are_drained_then_refused),
        ON_BOTH_DRIVERS(a_client_that_expects_100_is_told),
    };
    return cmocka_run_group_tests_name("httpd", tests, make_root, NULL);
}
