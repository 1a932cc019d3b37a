/* httpd_testing: the real httpd in a child process, and a client that trusts nothing.
 *
 * For the test_httpd*.c files; include it first. A server is started with a cell of the
 * matrix and options of its own, and stopped with SIGTERM; it must then exit with 0.
 * Its stderr goes to a file, so that a test can wait for a sentence. */
#ifndef LESSON07_HTTPD_TESTING_H
#define LESSON07_HTTPD_TESTING_H

#include "common/testing/testing.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/testing/forbid.h"
#include "lesson03_iouring/probe.h"

#define HTTPD_OPTIONS_MAX 24
#define BIG_SIZE (3 * 1024 * 1024 + 17)
#define GET_HELLO "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n"

struct httpd {
    pid_t pid;
    int out; /* owns; its stdout */
    int port;
    char said[1024];    /* its stdout so far */
    char errors[256];   /* where its stderr goes */
    rlim_t descriptors; /* a limit for it, or 0 */
    int forbidden;      /* errno of a filter against io_uring, or 0 */
    int status;         /* after httpd_wait: exit status, or -signal */
};

static const char *const httpd_schedulers[] = { "current", "steal", "core" };

/* Names of the cells: the state of a test is its driver. */
#define ON_BOTH_DRIVERS(test)                                                          \
    { #test "_epoll", test, NULL, NULL, (void *)(uintptr_t) "epoll" },                 \
    {                                                                                  \
#test "_uring", test, NULL, NULL, (void *)(uintptr_t) "uring"                  \
    }

static inline void probe_and_tell(void *argument)
{
    struct ring_probe probe;
    (void)argument;
    if (ring_probe(&probe) < 0)
        fprintf(stderr, "%s", probe.sentence);
}

/* Why io_uring cannot be used here; "" if it can. Asked in a child: the end of a ring
 * interrupts system calls of the process that had it, and our client wants none. */
static inline const char *uring_refusal(void)
{
    static char sentence[400];
    static bool asked;
    if (!asked)
        run_in_child(probe_and_tell, NULL, sentence, sizeof sentence);
    asked = true;
    return sentence;
}

/* Ends the test as skipped when its driver is io_uring and this machine refuses it. */
#define NEEDS_DRIVER(state)                                                            \
    do {                                                                               \
        if (strcmp(*(state), "uring") == 0 && uring_refusal()[0])                      \
            skip_because("%s", uring_refusal());                                       \
    } while (0)

static inline const char *httpd_program(void)
{
    static char path[512];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 16);
    assert_true(n > 0);
    path[n] = '\0';
    for (int up = 0; up < 3; up++) /* test/lesson07_custom/test_httpd */
        *strrchr(path, '/') = '\0';
    strcat(path, "/bin/httpd");
    return path;
}

_Noreturn static inline void httpd_become(struct httpd *server, char **argv, int out)
{
    struct rlimit limit = { server->descriptors, server->descriptors };
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing behind */
    int err = open(server->errors, O_CREAT | O_TRUNC | O_WRONLY | O_APPEND, 0600);
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    if (server->descriptors)
        setrlimit(RLIMIT_NOFILE, &limit);
    if (server->forbidden && forbid_io_uring(server->forbidden) < 0)
        _exit(126);
    execv(httpd_program(), argv);
    _exit(127);
}

/* Starts it with `options` (space-separated), without waiting for it. */
static inline void httpd_launch(struct httpd *server, const char *options)
{
    char text[512], *argv[HTTPD_OPTIONS_MAX + 1] = { text };
    int count = 1, ends[2];
    snprintf(text, sizeof text, "httpd %s", options);
    for (char *at = strchr(text, ' '); at && count < HTTPD_OPTIONS_MAX;
         at = strchr(at, ' ')) {
        *at++ = '\0';
        if (*at && *at != ' ')
            argv[count++] = at;
    }
    snprintf(server->errors, sizeof server->errors, "%s", testing_path("stderr"));
    server->said[0] = '\0';
    server->port = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        httpd_become(server, argv, ends[1]);
    close(ends[1]);
    server->out = ends[0];
}

/* Reads its stdout until it holds `words`, or ends. */
static inline bool httpd_says(struct httpd *server, const char *words)
{
    size_t size = strlen(server->said);
    while (!strstr(server->said, words)) {
        struct pollfd ready = { .fd = server->out, .events = POLLIN };
        if (poll(&ready, 1, TEST_PATIENCE_S * 1000) <= 0)
            return false;
        ssize_t n =
            read(server->out, server->said + size, sizeof server->said - 1 - size);
        if (n <= 0)
            return false;
        size += (size_t)n;
        server->said[size] = '\0';
    }
    return true;
}

static inline const char *httpd_errors(const struct httpd *server)
{
    static char text[65536];
    int fd = open(server->errors, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = '\0';
    if (fd >= 0)
        close(fd);
    return text;
}

/* Waits until it has ended by itself; its exit status, or -signal. */
static inline int httpd_wait(struct httpd *server)
{
    int status = 0;
    uint64_t give_up = testing_deadline();
    while (waitpid(server->pid, &status, WNOHANG) == 0) {
        if (testing_expired(give_up)) {
            kill(server->pid, SIGKILL);
            waitpid(server->pid, &status, 0);
            close(server->out);
            fail_msg("the server did not end; it said: %s", httpd_errors(server));
        }
        testing_pause();
    }
    httpd_says(server, "nothing that it says"); /* takes in all that is left */
    close(server->out);
    server->pid = 0;
    server->status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    return server->status;
}

/* Starts it and waits until it listens. */
static inline void httpd_start(struct httpd *server, const char *options)
{
    httpd_launch(server, options);
    const char *at = httpd_says(server, "task\n") ? strstr(server->said, "on ") : NULL;
    at = at ? strchr(at, ':') : NULL;
    server->port = at ? atoi(at + 1) : 0;
    if (server->port <= 0)
        fail_msg("httpd %s: no port in \"%s\"; %s", options, server->said,
                 httpd_errors(server));
}

/* In one cell of the matrix, on a port that it picks. */
static inline void httpd_start_in(struct httpd *server, const char *scheduler,
                                  const char *driver, const char *options)
{
    char text[480];
    snprintf(text, sizeof text, "--port 0 --scheduler %s --driver %s %s %s", scheduler,
             driver, strcmp(scheduler, "current") == 0 ? "" : "--workers 2", options);
    httpd_start(server, text);
}

static inline void httpd_stop(struct httpd *server)
{
    kill(server->pid, SIGTERM);
    int status = httpd_wait(server);
    if (status != 0)
        fail_msg("the server ended with %d: %s", status, httpd_errors(server));
}

/* Descriptors that the server has open. */
static inline int httpd_fds(const struct httpd *server)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)server->pid);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    int count = -2; /* . and .. */
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* One server after the other, in the three cells of a driver. */
#define FOR_EACH_CELL(server, state, options)                                          \
    for (int cell_ = 0;                                                                \
         cell_ < 3 &&                                                                  \
         (httpd_start_in(&(server), httpd_schedulers[cell_], *(state), (options)),     \
          true);                                                                       \
         httpd_stop(&(server)), cell_++)

/* ---- files to serve */

static inline void httpd_make_file(const char *folder, const char *name,
                                   const char *bytes, size_t size)
{
    char path[400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static inline char httpd_big_byte(size_t at)
{
    return (char)(at * 31 + (at >> 11));
}

/* big.bin, of BIG_SIZE bytes. */
static inline void httpd_make_big(const char *folder)
{
    char *bytes = malloc(BIG_SIZE);
    assert_non_null(bytes);
    for (size_t i = 0; i < BIG_SIZE; i++)
        bytes[i] = httpd_big_byte(i);
    httpd_make_file(folder, "big.bin", bytes, BIG_SIZE);
    free(bytes);
}

/* ---- the client */

static inline int client_connect(const struct httpd *server)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)server->port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct timeval patience = { .tv_sec = TEST_PATIENCE_S };
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail_msg("cannot connect: %s", strerror(errno));
    return fd;
}

static inline void client_send(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* what it answered, or did not, is the test's business */
        bytes += n;
        size -= (size_t)n;
    }
}

static inline void client_say(int fd, const char *text)
{
    client_send(fd, text, strlen(text));
}

struct reply {
    int status; /* 0: the connection ended before a whole head came */
    char head[2048];
    long length; /* Content-Length, -1 without */
    size_t size; /* bytes of the body that came */
    char *body;  /* owns; 0-terminated */
};

static inline void reply_free(struct reply *reply)
{
    free(reply->body);
    reply->body = NULL;
}

static inline bool client_read_head(int fd, struct reply *reply)
{
    size_t size = 0;
    *reply = (struct reply){ .length = -1 };
    while (size < 4 || memcmp(reply->head + size - 4, "\r\n\r\n", 4) != 0) {
        if (size == sizeof reply->head - 1 || recv(fd, reply->head + size, 1, 0) != 1)
            return false;
        reply->head[++size] = '\0';
    }
    const char *length = strstr(reply->head, "Content-Length: ");
    reply->length = length ? atol(length + 16) : -1;
    reply->status =
        strncmp(reply->head, "HTTP/1.1 ", 9) == 0 ? atoi(reply->head + 9) : 0;
    return reply->status > 0;
}

/* Reads one response; `bodiless`: it answers a HEAD. Free it. */
static inline void client_read(int fd, bool bodiless, struct reply *reply)
{
    if (!client_read_head(fd, reply) || bodiless || reply->length < 0)
        return;
    reply->body = malloc((size_t)reply->length + 1);
    assert_non_null(reply->body);
    while (reply->size < (size_t)reply->length) {
        ssize_t n =
            recv(fd, reply->body + reply->size, (size_t)reply->length - reply->size, 0);
        if (n <= 0)
            break;
        reply->size += (size_t)n;
    }
    reply->body[reply->size] = '\0';
}

/* Has the peer closed, with or without manners? Reads and forgets what is left. */
static inline bool client_sees_end(int fd)
{
    char bytes[4096];
    ssize_t n;
    while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0)
        ;
    return n == 0 || errno == ECONNRESET;
}

/* One request on a connection of its own: the status; the end must follow a close. */
static inline int client_status(const struct httpd *server, const char *request,
                                size_t size)
{
    struct reply reply;
    int fd = client_connect(server);
    client_send(fd, request, size);
    client_read(fd, strncmp(request, "HEAD", 4) == 0, &reply);
    if (strstr(reply.head, "Connection: close") && !client_sees_end(fd))
        fail_msg("it said that it would close, and did not: %s", reply.head);
    close(fd);
    int status = reply.status;
    reply_free(&reply);
    return status;
}

static inline void server_answers(const struct httpd *server)
{
    assert_int_equal(client_status(server, GET_HELLO, sizeof GET_HELLO - 1), 200);
}

#endif
