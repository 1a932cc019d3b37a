/* Each call that a connection of httpd makes, itself or through its driver, fails once, in
 * its turn (common/testing/FAULTS.md). Whatever fails: a request is answered, with the
 * file or with an error of the server's, or its connection ends; no answer is wrong; and
 * the next client is served. */
#include "lesson07_custom/runtime_testing.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/testing/faults.h"
#include "lesson07_custom/http_session.h"

#define FILE_SIZE (2 * HTTP_PIECE + 4000) /* three pieces */
#define NEVER (3600 * NS_PER_S)           /* no time is over in these tests */
#define HOST " HTTP/1.1\r\nHost: test\r\n\r\n"

struct afternoon {
    const char *driver;
    bool strict; /* the client may not notice the fault */
};

/* ---- the client: a thread, and calls that are not wrapped, so that they never fail */

struct client {
    int fd;
    int wrong;       /* the line of what it did not like, or 0 */
    unsigned errors; /* answers that it did not expect */
    bool gone;       /* the connection has ended */
    size_t used;
    char got[FILE_SIZE + 4096];
};

static void says(struct client *client, const char *text)
{
    struct iovec piece = { (char *)(uintptr_t)text, strlen(text) };
    if (!client->gone && writev(client->fd, &piece, 1) < 0)
        client->gone = true;
}

static void receive(struct client *client)
{
    struct iovec room = { client->got + client->used,
                          sizeof client->got - 1 - client->used };
    ssize_t n = client->gone ? 0 : readv(client->fd, &room, 1);
    client->gone = n <= 0;
    client->used += n > 0 ? (size_t)n : 0;
    client->got[client->used] = '\0';
}

static bool is_the_file(const char *body, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (body[i] != (char)('a' + i % 23))
            return false;
    return size == FILE_SIZE;
}

/* The next answer: it is `status`, or an error of the server's, or 400 for a request whose
 * end got lost, or there is none. */
static void expects(struct client *client, int status, bool has_body)
{
    char *end, *length;
    int said = 0;
    while (!(end = strstr(client->got, "\r\n\r\n")) && !client->gone)
        receive(client);
    if (!end)
        return;
    end += 4;
    if (sscanf(client->got, "HTTP/1.1 %d ", &said) != 1 ||
        (said != status && said != 400 && said != 500 && said != 503) ||
        !(length = strstr(client->got, "Content-Length: ")) || length > end) {
        client->wrong = __LINE__;
        return;
    }
    client->errors += said != status;
    size_t size = has_body ? strtoul(length + 16, NULL, 10) : 0;
    while (client->used < (size_t)(end - client->got) + size && !client->gone)
        receive(client);
    if (client->used < (size_t)(end - client->got) + size)
        return; /* cut off, which the length tells */
    if (size > 10000 && !is_the_file(end, size))
        client->wrong = __LINE__;
    client->used -= (size_t)(end - client->got) + size;
    memmove(client->got, end + size, client->used + 1);
}

/* All that a connection can meet: a request in two pieces, pipelining, files, one that is
 * not there, a body, and nonsense, after which the server lingers. */
static void *ask(void *argument)
{
    struct client *client = argument;
    says(client, "GET /hello" HOST "GET /hel");
    expects(client, 200, true);
    says(client, "lo" HOST);
    expects(client, 200, true);
    says(client, "GET /file.txt" HOST "HEAD /file.txt" HOST "GET /hello" HOST);
    expects(client, 200, true);
    expects(client, 200, false);
    expects(client, 200, true);
    says(client, "GET /none" HOST);
    expects(client, 404, true);
    says(client, "GET /hello HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nab");
    says(client, "cdenonsense\r\n\r\n");
    expects(client, 200, true);
    bool perfect = !client->gone && client->errors == 0;
    expects(client, 400, true);
    perfect = perfect && !client->gone && client->used == 0;
    while (!client->gone)
        receive(client);
    client->gone = !perfect;
    close(client->fd); /* so the server need not linger */
    return NULL;
}

/* ---- the server: one connection while calls fail, and one after it */

struct root {
    ASYNC_FRAME;
    struct http_service *service; /* borrows */
    int fds[2];                   /* owns: the connections' ends */
    unsigned i;
    struct io_source *source;
    struct http_visit visit;
};

static enum poll_state root_poll(struct future *future, struct context *context)
{
    struct root *self = ASYNC_SELF(root, future);
    ASYNC_BEGIN(self, context);
    for (; self->i < 2; self->i++) {
        if (self->i == 0)
            fault_resume();
        if (io_attach(self->fds[self->i], IO_TYPE_STREAM, &self->source) < 0) {
            close(self->fds[self->i]);
        } else {
            AWAIT(self->visit, http_visit(self->service, self->source));
        }
        if (self->i == 0)
            fault_pause();
    }
    ASYNC_END;
}

static const struct future_ops root_ops = ASYNC_OPS(root);

static int judge(const struct afternoon *wanted, const struct client clients[2])
{
    for (int i = 0; i < 2; i++) {
        if (clients[i].wrong)
            return clients[i].wrong;
        FAULT_EXPECT(!clients[i].gone || (i == 0 && !wanted->strict));
    }
    return 0;
}

static int serve_two(struct runtime *runtime, struct http_service *service,
                     const struct afternoon *wanted)
{
    static struct client clients[2];
    struct root root = { .future = { &root_ops }, .service = service };
    struct task_handle handle = { NULL };
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        int ends[2];
        FAULT_EXPECT(net_pair(ends) == 0 && fcntl(ends[1], F_SETFL, 0) == 0);
        root.fds[i] = ends[0];
        clients[i] = (struct client){ .fd = ends[1] };
        pthread_create(&threads[i], NULL, ask, &clients[i]);
    }
    int err = runtime_run(runtime, &root.future, &handle);
    task_detach(&handle);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return err < 0 ? err : judge(wanted, clients);
}

static const char *folder(void)
{
    static char path[200];
    char name[256], text[FILE_SIZE];
    if (path[0])
        return path;
    snprintf(path, sizeof path, "%s", testing_path("www"));
    mkdir(path, 0700);
    snprintf(name, sizeof name, "%s/file.txt", path);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 23);
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (write(fd, text, sizeof text) != sizeof text)
        path[0] = '\0';
    close(fd);
    return path;
}

static int serve(void *argument)
{
    const struct afternoon *wanted = argument;
    struct runtime_config config = cell_config(wanted->driver, RUNTIME_CURRENT);
    struct http_service service = {
        .has_files = true, .idle_ns = NEVER, .request_ns = NEVER, .send_ns = NEVER
    };
    struct runtime *runtime = NULL;
    fault_pause();
    FAULT_EXPECT(http_files_init(&service.files, folder()) == 0);
    FAULT_EXPECT(runtime_create(&runtime, &config) == 0);
    int err = serve_two(runtime, &service, wanted);
    FAULT_EXPECT(runtime_stop(runtime, 0) == 0);
    runtime_destroy(runtime);
    http_files_finish(&service.files);
    fault_resume();
    return err;
}

/* ---- what the client does not notice, and what it does */

static const struct fault unnoticed[] = {
    { "close", EINTR, FAULT_SURVIVED | FAULT_RARE }, /* a ring closes by itself */
    { "shutdown", ENOTCONN, FAULT_SURVIVED },
    { "openat2", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "openat2", EAGAIN, FAULT_SURVIVED | FAULT_RARE },
};

static const struct fault noticed[] = {
    { "malloc", ENOMEM, FAULT_SURVIVED },
    { "calloc", ENOMEM, FAULT_SURVIVED | FAULT_RARE },
    { "mmap", ENOMEM, FAULT_SURVIVED | FAULT_RARE },
    { "pthread_create", EAGAIN, FAULT_SURVIVED },
    { "openat2", EMFILE, FAULT_SURVIVED | FAULT_RARE },
    { "openat2", EIO, FAULT_SURVIVED | FAULT_RARE },
    { "fstat", EIO, FAULT_SURVIVED },
    { "fcntl", EBADF, FAULT_SURVIVED },
};

static const struct fault epoll_unnoticed[] = {
    { "sys_recv", EINTR, FAULT_SURVIVED },
    { "sys_send", EINTR, FAULT_SURVIVED },
    { "sys_send", FAULT_SHORT, FAULT_SURVIVED },
    { "pread", EINTR, FAULT_SURVIVED },
    { "pread", FAULT_SHORT, FAULT_SURVIVED },
    { "epoll_wait", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "epoll_pwait2", EINTR, FAULT_SURVIVED | FAULT_RARE },
};

static const struct fault epoll_noticed[] = {
    { "sys_recv", ECONNRESET, FAULT_SURVIVED },
    { "sys_recv", ENOMEM, FAULT_SURVIVED },
    { "sys_recv", FAULT_NOTHING, FAULT_SURVIVED },
    { "sys_send", EPIPE, FAULT_SURVIVED },
    { "sys_send", ENOBUFS, FAULT_SURVIVED },
    { "pread", EIO, FAULT_SURVIVED },
    { "pread", FAULT_NOTHING, FAULT_SURVIVED }, /* it has shrunk */
    { "epoll_ctl", ENOSPC, FAULT_SURVIVED },
};

static const struct fault ring_unnoticed[] = {
    { "io_uring_submit", EAGAIN, FAULT_SURVIVED | FAULT_RARE },
    { "io_uring_submit_and_wait_timeout", EINTR, FAULT_SURVIVED | FAULT_RARE },
};

static const struct fault ring_noticed[] = {
    { "sqe", ECONNRESET, FAULT_SURVIVED },
    { "sqe", ENOBUFS, FAULT_SURVIVED },
    { "sqe", EIO, FAULT_SURVIVED },
};

static void each_call_of_a_connection_may_fail(void **state)
{
    NEEDS_DRIVER(state);
    struct afternoon strict = { .driver = *state, .strict = true };
    struct afternoon mild = { .driver = *state };
    SWEEP(serve, &strict, unnoticed);
    SWEEP(serve, &mild, noticed);
    if (strcmp(*state, "epoll") == 0) {
        SWEEP(serve, &strict, epoll_unnoticed);
        SWEEP(serve, &mild, epoll_noticed);
    } else {
        SWEEP(serve, &strict, ring_unnoticed);
        SWEEP(serve, &mild, ring_noticed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_DRIVERS(each_call_of_a_connection_may_fail),
    };
    signal(SIGPIPE, SIG_IGN); /* the client writes to connections that have ended */
    return cmocka_run_group_tests_name("http faults", tests, NULL, NULL);
}
