/* soak: valid, mutated and random input for httpd and chat, in every cell of the matrix.
 *
 * Problem: tests send what their author thought of. Idea: for a given time, clients that
 * behave at random - whole requests, requests with bytes changed, noise, half a request,
 * a reset in the middle - and then one question: is the server alive, does it still answer
 * a plain request, does it end in order? What was sent follows from a seed, which is
 * printed; when it arrives does not.
 *
 * One thread, non-blocking sockets, poll. Invariant: every client ends after a bounded
 * number of steps, so each server gets its share of the time and no more. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/container.h"
#include "common/errname.h"

#define CLIENTS 48
#define SCRIPT_MAX 4096
#define STEPS_MAX 60

struct subject {
    const char *program, *scheduler, *driver; /* static */
};

static const struct subject subjects[] = {
    { "httpd", "current", "epoll" }, { "httpd", "current", "uring" },
    { "httpd", "steal", "epoll" },   { "httpd", "steal", "uring" },
    { "httpd", "core", "epoll" },    { "httpd", "core", "uring" },
    { "chat", NULL, "epoll" },       { "chat", NULL, "uring" },
};

struct server {
    pid_t pid;
    int out; /* owns; its stdout */
    int port;
    bool fell_back; /* to epoll */
};

struct client {
    int fd; /* owns; -1: none */
    size_t size, sent;
    unsigned steps;
    char script[SCRIPT_MAX];
};

struct tally {
    unsigned long connections;
    unsigned long long sent, received;
};

/* ---- chance: xorshift64, Marsaglia 2003 */

static uint64_t chance_state;

static unsigned chance(unsigned bound)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (unsigned)(chance_state >> 20) % bound;
}

/* ---- scripts */

static const char *const requests[] = {
    "GET /hello HTTP/1.1\r\nHost: soak\r\n\r\n",
    "HEAD /hello HTTP/1.1\r\nHost: soak\r\n\r\n",
    "GET /soak HTTP/1.1\r\nHost: soak\r\n\r\n",
    "GET /../%2e%2e/etc/passwd HTTP/1.1\r\nHost: soak\r\n\r\n",
    "GET /hello HTTP/1.0\r\n\r\n",
    "GET /hello?a=b HTTP/1.1\r\nHost: soak\r\nConnection: close\r\n\r\n",
    "POST /x HTTP/1.1\r\nHost: soak\r\nContent-Length: 11\r\n\r\nhello world",
    "PUT /x HTTP/1.1\r\nHost: soak\r\nTransfer-Encoding: chunked\r\n\r\n"
    "4;a=b\r\nabcd\r\n0\r\nT: u\r\n\r\n",
    "GET /hello HTTP/1.1\r\nHost: soak\r\nExpect: 100-continue\r\n"
    "Content-Length: 2\r\n\r\nab",
    "a line of chat\n",
    "\n\n/nick soak\r\n",
};

static void append(struct client *client, const char *text)
{
    size_t size = strlen(text);
    if (size > SCRIPT_MAX - client->size)
        size = SCRIPT_MAX - client->size;
    memcpy(client->script + client->size, text, size);
    client->size += size;
}

/* Up to eight changes: a byte, a cut, a piece that comes twice. */
static void mutate(struct client *client)
{
    for (unsigned n = chance(8) + 1; n > 0 && client->size > 1; n--) {
        size_t at = chance((unsigned)client->size);
        switch (chance(4)) {
        case 0:
            client->script[at] = (char)chance(256);
            break;
        case 1:
            client->size = at;
            break;
        case 2:
            client->script[at] = "\r\n :;,/%\0"[chance(9)];
            break;
        default:
            if (2 * (client->size - at) + at <= SCRIPT_MAX) {
                memcpy(client->script + client->size, client->script + at,
                       client->size - at);
                client->size += client->size - at;
            }
        }
    }
}

static void write_script(struct client *client)
{
    unsigned kind = chance(10);
    client->size = client->sent = 0;
    client->steps = 0;
    if (kind == 0) {
        client->size = chance(SCRIPT_MAX);
        for (size_t i = 0; i < client->size; i++)
            client->script[i] = (char)chance(256);
        return;
    }
    for (unsigned n = chance(20) + 1; n > 0; n--)
        append(client, requests[chance(ARRAY_SIZE(requests))]);
    if (kind < 6)
        mutate(client);
}

/* ---- clients */

static int connect_to(const struct server *server, int flags)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)server->port),
                                   .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
        errno == EINPROGRESS)
        return fd;
    int err = -errno;
    close(fd);
    return err;
}

/* With manners, or with a reset. */
static void leave(struct client *client)
{
    struct linger now = { .l_onoff = 1 };
    if (chance(4) == 0)
        setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(client->fd);
    client->fd = -1;
}

static void step(struct client *client, short events, struct tally *tally)
{
    char bytes[8192];
    if (events & (POLLIN | POLLHUP | POLLERR)) {
        ssize_t n = recv(client->fd, bytes, 1 + chance(sizeof bytes), 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            leave(client);
            return;
        }
        tally->received += n > 0 ? (unsigned long long)n : 0;
    }
    if ((events & POLLOUT) && client->sent < client->size) {
        size_t left = client->size - client->sent;
        size_t piece = chance(3) == 0 ? 1 + chance(64) : left;
        ssize_t n = send(client->fd, client->script + client->sent,
                         piece < left ? piece : left, MSG_NOSIGNAL);
        if (n > 0) {
            client->sent += (size_t)n;
            tally->sent += (unsigned long long)n;
        }
        if (client->sent == client->size && chance(3) == 0)
            shutdown(client->fd, SHUT_WR);
    }
    if (++client->steps > STEPS_MAX || chance(50) == 0)
        leave(client);
}

static void one_round(const struct server *server, struct client *clients,
                      struct tally *tally)
{
    struct pollfd ready[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        struct client *client = &clients[i];
        if (client->fd < 0) {
            client->fd = connect_to(server, SOCK_NONBLOCK);
            write_script(client);
            tally->connections += client->fd >= 0;
        }
        short out = client->sent < client->size ? POLLOUT : 0;
        ready[i] = (struct pollfd){ client->fd, (short)(POLLIN | out), 0 };
    }
    poll(ready, CLIENTS, 5);
    for (int i = 0; i < CLIENTS; i++)
        if (clients[i].fd >= 0 && (ready[i].revents || chance(20) == 0))
            step(&clients[i], ready[i].revents, tally);
}

/* Looks without reaping, so that the pid stays ours. */
static bool is_alive(const struct server *server)
{
    siginfo_t info = { 0 };
    return waitid(P_PID, (id_t)server->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

static void play(const struct server *server, uint64_t until, struct tally *tally)
{
    static struct client clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        clients[i].fd = -1;
    while (clock_now() < until && is_alive(server))
        one_round(server, clients, tally);
    for (int i = 0; i < CLIENTS; i++)
        if (clients[i].fd >= 0)
            close(clients[i].fd);
}

/* ---- the server */

_Noreturn static void become(const struct subject *subject, const char *folder, int out)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, subject->program);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    if (subject->scheduler)
        execl(path, subject->program, "--port", "0", "--driver", subject->driver,
              "--scheduler", subject->scheduler, "--workers",
              strcmp(subject->scheduler, "current") == 0 ? "1" : "2", "--root", folder,
              "--idle-ms", "500", "--request-ms", "300", "--send-ms", "500", NULL);
    else
        execl(path, subject->program, "--port", "0", "--driver", subject->driver, NULL);
    perror(path);
    _exit(127);
}

/* 0, or negative errno. */
static int start(struct server *server, const struct subject *subject,
                 const char *folder)
{
    char said[512] = "";
    size_t size = 0;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    server->pid = fork();
    if (server->pid == 0)
        become(subject, folder, ends[1]);
    close(ends[1]);
    server->out = ends[0];
    while (size < sizeof said - 1 && !strstr(said, ")\n")) {
        ssize_t n = read(server->out, said + size, sizeof said - 1 - size);
        if (n <= 0)
            return -EPIPE;
        size += (size_t)n;
        said[size] = '\0';
    }
    const char *at = strstr(said, "on ");
    at = at ? strchr(at, ':') : NULL;
    server->port = at ? atoi(at + 1) : 0;
    server->fell_back =
        strcmp(subject->driver, "uring") == 0 && strstr(said, "epoll") != NULL;
    return server->port > 0 ? 0 : -EPROTO;
}

/* Does it still answer? NULL: it does; else what is wrong. */
static const char *question(const struct server *server, const struct subject *subject)
{
    char bytes[64] = "";
    struct timeval patience = { .tv_sec = 20 };
    if (!is_alive(server))
        return "it died";
    int fd = connect_to(server, 0);
    if (fd < 0)
        return "it takes no connection";
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    bool answers = true;
    if (subject->scheduler) {
        send(fd, requests[0], strlen(requests[0]), MSG_NOSIGNAL);
        answers = recv(fd, bytes, 15, MSG_WAITALL) == 15 &&
                  memcmp(bytes, "HTTP/1.1 200 OK", 15) == 0;
    }
    close(fd);
    return answers ? NULL : "it does not answer /hello";
}

static const char *finish(struct server *server)
{
    uint64_t limit = clock_after(clock_now(), 20 * NS_PER_S);
    int status = 0;
    kill(server->pid, SIGTERM);
    while (waitpid(server->pid, &status, WNOHANG) == 0) {
        if (clock_now() > limit) {
            kill(server->pid, SIGKILL);
            waitpid(server->pid, NULL, 0);
            return "it did not end within 20 s of SIGTERM";
        }
        poll(NULL, 0, 5);
    }
    return status == 0 ? NULL : "it ended badly";
}

static bool soak(const struct subject *subject, const char *folder, uint64_t share)
{
    struct server server = { .out = -1 };
    struct tally tally = { 0 };
    printf("%-6s %-8s %-6s ", subject->program,
           subject->scheduler ? subject->scheduler : "", subject->driver);
    fflush(stdout);
    const char *problem = NULL;
    if (start(&server, subject, folder) < 0) {
        problem = "it did not start";
        if (server.pid > 0)
            finish(&server);
    } else if (!server.fell_back) {
        play(&server, clock_after(clock_now(), share), &tally);
        problem = question(&server, subject);
        const char *at_end = finish(&server);
        problem = problem ? problem : at_end;
    } else {
        finish(&server);
    }
    if (server.out >= 0)
        close(server.out);
    printf("%8lu %12llu %12llu  %s\n", tally.connections, tally.sent, tally.received,
           problem            ? problem
           : server.fell_back ? "skipped: io_uring is refused here"
                              : "ok");
    return problem == NULL;
}

/* Where this program is, the servers are. */
static void own_folder(char *folder, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", folder, size - 1);
    folder[n < 0 ? 0 : n] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
}

int main(int argc, char **argv)
{
    static const struct option options[] = { { "seconds", required_argument, NULL,
                                               's' },
                                             { "seed", required_argument, NULL, 'r' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    unsigned long seconds = 60;
    chance_state = clock_now() | 1;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 's')
            seconds = strtoul(optarg, NULL, 10);
        else if (option == 'r')
            chance_state = strtoull(optarg, NULL, 10) | 1;
        else {
            printf("usage: soak [--seconds N] [--seed N]\nSends random and malformed "
                   "input to httpd and chat, N seconds in all (60).\n");
            return option == 'h' ? 0 : 2;
        }
    }
    char folder[512];
    bool fine = true;
    own_folder(folder, sizeof folder);
    uint64_t share = (seconds ? seconds : 1) * NS_PER_S / ARRAY_SIZE(subjects);
    printf("seed %llu, %.1f s for each server\n", (unsigned long long)chance_state,
           (double)share / (double)NS_PER_S);
    printf("%-6s %-8s %-6s %8s %12s %12s\n", "server", "mode", "driver", "clients",
           "bytes out", "bytes in");
    for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
        fine &= soak(&subjects[i], folder, share);
    puts(fine ? "soak: every server lived, answered and ended in order"
              : "soak: FAILED; the seed above makes the same clients again");
    return fine ? 0 : 1;
}
