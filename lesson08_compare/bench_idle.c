/* bench_idle: ten thousand connections that say nothing, and what each of them costs
 * the server.
 *
 *     bench_idle [number of connections, default 10000]
 *
 * For each server that is there: start it in a process of its own, connect, have every
 * connection answered once (so that the server has really taken it), look at the
 * server's memory and at the CPU time that it uses in a second of silence, have every
 * connection answered once more, stop it. The kernel's own memory for a socket (about
 * 3 to 4 KiB for both ends) is not in the figure: it is the same for all.
 *
 * Exit status: 0, or 1 if a server failed or the limit on descriptors is too low, or 2
 * for a wrong argument. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/container.h"
#include "common/errname.h"
#include "lesson08_compare/memory_use.h"
#include "lesson08_compare/process.h"
#include "lesson08_compare/workload.h"

#define SPARE_DESCRIPTORS 64
#define SILENCE_NS NS_PER_S
#define PATIENCE (60 * NS_PER_S)

struct server_kind {
    const char *name;
    const char *program;
    const char *options[4];
};

static const struct server_kind kinds[] = {
    { "raw-epoll", "base_epoll", { "--proto=echo" } },
    { "raw-uring", "base_uring", { "--proto=echo" } },
    { "current/epoll", "echo", { "--scheduler=current", "--driver=epoll" } },
    { "steal/epoll", "echo", { "--scheduler=steal", "--driver=epoll", "--workers=2" } },
    { "core/uring", "echo", { "--scheduler=core", "--driver=uring", "--workers=1" } },
};

static int *fds;
static uint64_t wanted = 10000;

static int sentence(const char *name, const char *what, int err)
{
    fprintf(stderr, "bench_idle: %s: %s: %s (%s)\n", name, what, errtext(err),
            errname(err));
    return err;
}

/* Both processes need one descriptor a connection; a child inherits the limit. */
static int raise_fd_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted + SPARE_DESCRIPTORS)
        return 0;
    fprintf(stderr,
            "bench_idle: %" PRIu64 " connections need %" PRIu64
            " descriptors and the limit is %" PRIu64
            "; raise it (ulimit -Hn, or LimitNOFILE) or ask for fewer connections\n",
            wanted, wanted + SPARE_DESCRIPTORS, (uint64_t)limit.rlim_cur);
    return -EMFILE;
}

static bool program_path(const char *program, char path[600])
{
    char self[512];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n < 0)
        return false;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    snprintf(path, 600, "%.*s/%s", slash ? (int)(slash - self) : 0, self, program);
    return access(path, X_OK) == 0;
}

static int start(const struct server_kind *kind, char *path, struct process *server)
{
    char options[4][64] = { "" }, port_option[] = "--port=0", line[256];
    char *argv[7] = { path, port_option };
    for (size_t i = 0; i < ARRAY_SIZE(kind->options) && kind->options[i]; i++) {
        snprintf(options[i], sizeof options[i], "%s", kind->options[i]);
        argv[i + 2] = options[i];
    }
    int port = -EINVAL;
    int err = process_start(server, argv, PROCESS_ANY_CPU, -1);
    while (err == 0 && port < 0) {
        err = process_read_line(server, line, sizeof line, clock_now() + PATIENCE);
        if (err == 0)
            port = workload_parse_listening(line);
    }
    return err < 0 ? err : port;
}

static int connect_all(int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval patience = { .tv_sec = (time_t)(PATIENCE / NS_PER_S) };
    for (uint64_t i = 0; i < wanted; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[i] < 0)
            return -errno;
        setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (connect(fds[i], (struct sockaddr *)&address, sizeof address) < 0)
            return -errno;
    }
    return 0;
}

static void disconnect_all(void)
{
    for (uint64_t i = 0; i < wanted; i++)
        if (fds[i] >= 0) {
            close(fds[i]);
            fds[i] = -1;
        }
}

/* Everybody says one thing; then everybody hears it. */
static int all_are_answered(void)
{
    for (uint64_t i = 0; i < wanted; i++)
        if (send(fds[i], "anybody?", 8, MSG_NOSIGNAL) != 8)
            return errno ? -errno : -EIO;
    for (uint64_t i = 0; i < wanted; i++) {
        char back[8];
        ssize_t n = recv(fds[i], back, sizeof back, MSG_WAITALL);
        if (n < 0)
            return -errno;
        if (n != 8 || memcmp(back, "anybody?", 8) != 0)
            return -EBADMSG;
    }
    return 0;
}

static int hold(const struct server_kind *kind, struct process *server, int port)
{
    uint64_t before = 0, with = 0;
    struct timespec silence = { .tv_sec = (time_t)(SILENCE_NS / NS_PER_S) };
    memory_private_dirty(server->pid, &before);
    int err = connect_all(port);
    if (err < 0)
        return sentence(kind->name, "cannot connect", err);
    err = all_are_answered();
    if (err < 0)
        return sentence(kind->name, "the first answer", err);
    memory_private_dirty(server->pid, &with);
    uint64_t cpu = process_cpu_ns(server->pid);
    nanosleep(&silence, NULL);
    cpu = process_cpu_ns(server->pid) - cpu;
    err = all_are_answered();
    if (err < 0)
        return sentence(kind->name, "the answer after the silence", err);
    double each = with > before ? (double)(with - before) / (double)wanted : 0;
    printf("  %-14s %8.0f bytes a connection, %6.2f ms CPU in a second of silence\n",
           kind->name, each, (double)cpu / 1e6);
    return 0;
}

static int measure(const struct server_kind *kind, char *path)
{
    struct process server;
    int port = start(kind, path, &server);
    int err = port < 0 ? sentence(kind->name, "it does not start", port) : 0;
    if (err == 0)
        err = hold(kind, &server, port);
    disconnect_all();
    struct process_end end = process_stop(&server, SIGTERM, clock_now() + PATIENCE);
    if (err == 0 && end.status != 0) {
        fprintf(stderr, "bench_idle: %s: it ended with status %d\n", kind->name,
                end.status);
        err = -EPROTO;
    }
    return err;
}

int main(int argc, char **argv)
{
    char path[600];
    int failed = 0;
    if (argc > 2 || (argc == 2 && !workload_parse_number(argv[1], 1, 28000, &wanted))) {
        fprintf(stderr, "bench_idle: the one argument is a number of connections, at "
                        "most 28000 (ports)\n");
        return 2;
    }
    if (raise_fd_limit() < 0)
        return EXIT_FAILURE;
    fds = malloc(wanted * sizeof *fds);
    if (!fds) {
        fprintf(stderr, "bench_idle: no memory\n");
        return EXIT_FAILURE;
    }
    for (uint64_t i = 0; i < wanted; i++)
        fds[i] = -1;
    atexit(process_kill_all);
    printf("%" PRIu64 " idle connections, client and server in separate processes\n",
           wanted);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (program_path(kinds[i].program, path))
            failed += measure(&kinds[i], path) < 0;
        else
            printf("  %-14s build/bin/%s is missing\n", kinds[i].name,
                   kinds[i].program);
    }
    free(fds);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
