/* server_testing: a baseline in a forked child, for tests.
 *
 * A fork and not an exec, so that valgrind, the sanitizers and the fault wrappers see
 * the server as well. Include after common/testing/testing.h. */
#ifndef LESSON08_SERVER_TESTING_H
#define LESSON08_SERVER_TESTING_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lesson08_compare/base.h"

struct test_server {
    pid_t pid;
    int out; /* owns; its stdout */
    int port;
    char said[512]; /* what it printed so far */
    size_t length;
};

/* Reads its stdout until `enough` lines came, or the end. */
static inline void test_server_listen(struct test_server *server, int enough)
{
    for (;;) {
        int lines = 0;
        for (size_t i = 0; i < server->length; i++)
            lines += server->said[i] == '\n';
        if (lines >= enough || server->length == sizeof server->said - 1)
            return;
        struct pollfd ready = { .fd = server->out, .events = POLLIN };
        if (poll(&ready, 1, TEST_PATIENCE_S * 1000) <= 0)
            return;
        ssize_t n = read(server->out, server->said + server->length,
                         sizeof server->said - 1 - server->length);
        if (n <= 0)
            return;
        server->length += (size_t)n;
        server->said[server->length] = '\0';
    }
}

/* `prepare` (may be NULL) runs in the child first: to arm a fault, to set a limit. */
static inline void test_server_start(struct test_server *server,
                                     int (*serve)(struct base *base), const char *proto,
                                     void (*prepare)(void))
{
    int ends[2];
    char name[] = "server", option[] = "--proto", stats[] = "--stats", value[8];
    snprintf(value, sizeof value, "%s", proto);
    char *argv[] = { name, option, value, stats, NULL };
    *server = (struct test_server){ 0 };
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0) {
        for (int sig = 1; sig < 32; sig++)
            if (sig != SIGKILL && sig != SIGSTOP)
                signal(sig, SIG_DFL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        if (prepare)
            prepare();
        int status = base_main(4, argv, "a test", serve);
        fflush(NULL);
        _exit(status);
    }
    close(ends[1]);
    server->out = ends[0];
    test_server_listen(server, 1);
    server->port = workload_parse_listening(server->said);
}

/* Waits for its end (after SIGTERM, unless that is 0); returns the exit status, or
 * minus the signal that ended it. */
static inline int test_server_end(struct test_server *server, int sig)
{
    int status = 0;
    if (sig)
        kill(server->pid, sig);
    test_server_listen(server, 1000);
    close(server->out);
    uint64_t give_up = testing_deadline();
    while (waitpid(server->pid, &status, WNOHANG) == 0) {
        if (testing_expired(give_up))
            kill(server->pid, SIGKILL);
        testing_pause();
    }
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* A blocking connection to the server, with a time-out, so that a test can fail instead
 * of hanging; -1 if it is refused. */
static inline int test_server_connect(const struct test_server *server)
{
    int one = 1;
    struct timeval patience = { .tv_sec = TEST_PATIENCE_S };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)server->port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Receives until `n` bytes or the end of the stream; returns how many came. */
static inline size_t test_receive(int fd, char *bytes, size_t n)
{
    size_t got = 0;
    while (got < n) {
        ssize_t r = recv(fd, bytes + got, n - got, 0);
        if (r <= 0)
            break;
        got += (size_t)r;
    }
    return got;
}

static inline bool test_send(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, bytes, n, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        bytes += sent;
        n -= (size_t)sent;
    }
    return true;
}

#endif
