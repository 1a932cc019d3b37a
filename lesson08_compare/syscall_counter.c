/* syscall_counter: the kernel's tracepoint, and strace where that is refused.
 *
 * A server can count its own calls at its call sites, as ours do, but nobody will add
 * that to Tokio or to Go's runtime. The kernel passes the tracepoint raw_syscalls:sys_enter
 * at every system call of every process, and perf_event_open counts how often one
 * process passes it; with `inherit`, its threads and children as well. Opened on a child
 * that has not called exec yet, and enabled by the exec, it misses nobody.
 *
 * The tracepoint's number is a file of tracefs. Where tracefs is not mounted, a child
 * that has moved into a mount namespace of its own mounts it, reads, and goes; nobody
 * else ever sees the mount.
 *
 * strace stops the process twice a call, which slows it down and so changes how many
 * events a wait finds. Its count is a hint where nothing better is to be had. */
#include "lesson08_compare/syscall_counter.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "lesson08_compare/command.h"

#define TRACING "/sys/kernel/tracing"
#define ID_FILE "/events/raw_syscalls/sys_enter/id"
#define STRACE_PATIENCE (5 * NS_PER_S)

static int read_id(const char *path)
{
    int id = -1;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    if (fscanf(file, "%d", &id) != 1)
        id = -ENODATA;
    fclose(file);
    return id;
}

/* The same in a mount namespace of one's own. */
static int read_id_apart(void)
{
    int ends[2], id = -EACCES;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0) {
        if (unshare(CLONE_NEWNS) < 0 ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tracefs", TRACING, "tracefs", 0, NULL) < 0)
            _exit(1);
        id = read_id(TRACING ID_FILE);
        _exit(write(ends[1], &id, sizeof id) != sizeof id);
    }
    close(ends[1]);
    if (pid < 0 || read(ends[0], &id, sizeof id) != sizeof id)
        id = -EACCES;
    close(ends[0]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return id;
}

static int tracepoint_id(void)
{
    static int id;
    if (id == 0)
        id = read_id(TRACING ID_FILE);
    if (id < 0)
        id = read_id("/sys/kernel/debug/tracing" ID_FILE);
    if (id < 0)
        id = read_id_apart();
    return id;
}

int syscall_counter_attach(struct syscall_counter *counter, pid_t pid)
{
    *counter = (struct syscall_counter){ .fd = -1 };
    int id = tracepoint_id();
    if (id < 0)
        return id;
    struct perf_event_attr event = {
        .type = PERF_TYPE_TRACEPOINT,
        .size = sizeof event,
        .config = (uint64_t)id,
        .disabled = 1,
        .enable_on_exec = 1,
        .inherit = 1,
    };
    long fd = syscall(SYS_perf_event_open, &event, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0)
        return -errno;
    counter->fd = (int)fd;
    counter->how = "kernel";
    return 0;
}

static int read_counter(const struct syscall_counter *counter, uint64_t *count)
{
    ssize_t n = read(counter->fd, count, sizeof *count);
    return n < 0 ? -errno : n == sizeof *count ? 0 : -ENODATA;
}

/* Is somebody tracing it? */
static bool is_traced(pid_t pid)
{
    char path[64], line[128];
    int tracer = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "TracerPid: %d", &tracer) == 1)
            break;
    fclose(file);
    return tracer > 0;
}

static int begin_strace(struct syscall_counter *counter, pid_t pid, const char *folder,
                        int log)
{
    struct command command;
    uint64_t deadline = clock_now() + STRACE_PATIENCE;
    char text[32], line[64];
    snprintf(counter->file, sizeof counter->file, "%s/strace.txt", folder);
    snprintf(text, sizeof text, "%d", (int)pid);
    command_begin(&command, "strace");
    command_word(&command, "-fcqo");
    command_word(&command, counter->file);
    command_word(&command, "-p");
    command_word(&command, text);
    int err = process_start(&counter->strace, command.argv, PROCESS_ANY_CPU, log);
    if (err < 0)
        return err;
    counter->how = "strace";
    while (err == 0 && !is_traced(pid)) { /* it says nothing; it may end */
        err = process_read_line(&counter->strace, line, sizeof line,
                                clock_now() + NS_PER_MS);
        if (err == -ETIMEDOUT && clock_now() < deadline)
            err = 0;
    }
    return err == -EPIPE ? -ENOENT : err;
}

int syscall_counter_begin(struct syscall_counter *counter, pid_t pid,
                          const char *folder, int log)
{
    if (counter->fd >= 0)
        return read_counter(counter, &counter->before);
    int err = begin_strace(counter, pid, folder, log);
    if (err < 0)
        syscall_counter_close(counter);
    return err;
}

/* The last line of strace -c: "100.00 0.000395 2 144 18 total", the fourth is calls. */
static int read_strace(const char *path, uint64_t *count)
{
    char line[256];
    int err = -ENODATA;
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    while (fgets(line, sizeof line, file)) {
        uint64_t calls;
        if (strstr(line, " total") &&
            sscanf(line, "%*f %*f %*u %" SCNu64, &calls) == 1) {
            *count = calls;
            err = 0;
        }
    }
    fclose(file);
    return err;
}

int syscall_counter_end(struct syscall_counter *counter, uint64_t *count)
{
    if (counter->fd >= 0) {
        uint64_t after;
        int err = read_counter(counter, &after);
        *count = err < 0 ? 0 : after - counter->before;
        return err;
    }
    if (counter->strace.pid <= 0)
        return -ENOENT;
    process_stop(&counter->strace, SIGINT, clock_now() + STRACE_PATIENCE);
    return read_strace(counter->file, count);
}

void syscall_counter_close(struct syscall_counter *counter)
{
    process_stop(&counter->strace, SIGINT, clock_now() + STRACE_PATIENCE);
    if (counter->file[0])
        unlink(counter->file);
    if (counter->fd >= 0)
        close(counter->fd);
    *counter = (struct syscall_counter){ .fd = -1 };
}
