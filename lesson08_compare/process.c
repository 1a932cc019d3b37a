/* process: fork, pin, exec, and the three nets.
 *
 * CPU time is read from the process's own CPU clock: nanoseconds, all threads, also
 * those that ended. /proc/PID/stat would give the same in steps of 10 ms, which is 2 %
 * of a short run. */
#include "lesson08_compare/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"

#define CHILDREN_MAX 4

volatile sig_atomic_t process_interrupted;

static pid_t children[CHILDREN_MAX];

static void remember(pid_t pid, pid_t instead_of)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i] == instead_of) {
            children[i] = pid;
            return;
        }
    CHECK(false, "more than %d processes at once", CHILDREN_MAX);
}

void process_kill_all(void)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i] > 0) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
            children[i] = 0;
        }
}

static void run_on(const struct process_how *how)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < how->cpu_count; i++)
        CPU_SET((size_t)how->cpus[i], &set);
    if (how->cpu_count > 0)
        sched_setaffinity(0, sizeof set, &set);
}

static _Noreturn void become(char *const argv[], const struct process_how *how, int out,
                             const int gate[2], pid_t parent)
{
    sigset_t none;
    char go;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(127);
    run_on(how);
    dup2(out, STDOUT_FILENO);
    if (how->log >= 0)
        dup2(how->log, STDERR_FILENO);
    if (how->held) {
        close(gate[1]);
        if (read(gate[0], &go, 1) < 0)
            _exit(127);
    }
    execvp(argv[0], argv);
    _exit(127);
}

static void close_both(const int ends[2])
{
    if (ends[0] >= 0)
        close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
}

int process_start_as(struct process *process, char *const argv[],
                     const struct process_how *how)
{
    int ends[2], gate[2] = { -1, -1 }, err = 0;
    pid_t parent = getpid(), pid;
    memset(process, 0, sizeof *process);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    if (how->held && pipe2(gate, O_CLOEXEC) < 0) {
        err = -errno;
        goto fail_pipe;
    }
    pid = fork();
    if (pid < 0) {
        err = -errno;
        goto fail_gate;
    }
    if (pid == 0)
        become(argv, how, ends[1], gate, parent);
    close(ends[1]);
    remember(pid, 0);
    process->pid = pid;
    process->out = ends[0];
    if (how->held) {
        close(gate[0]);
        process->gate = gate[1];
    }
    return 0;
fail_gate:
    close_both(gate);
fail_pipe:
    close_both(ends);
    return err;
}

int process_start(struct process *process, char *const argv[], int cpu, int log)
{
    struct process_how how = { .cpus = { cpu }, .cpu_count = cpu >= 0, .log = log };
    return process_start_as(process, argv, &how);
}

/* The end of the pipe is word enough: it reads as the end of the file. */
void process_release(struct process *process)
{
    if (process->gate > 0)
        close(process->gate);
    process->gate = 0;
}

static bool take_line(struct process *process, char *line, size_t size)
{
    char *newline = memchr(process->text, '\n', process->length);
    if (!newline)
        return false;
    size_t length = (size_t)(newline - process->text);
    size_t kept = length < size ? length : size - 1;
    memcpy(line, process->text, kept);
    line[kept] = '\0';
    process->length -= length + 1;
    memmove(process->text, newline + 1, process->length);
    return true;
}

int process_read_line(struct process *process, char *line, size_t size,
                      uint64_t deadline)
{
    while (!take_line(process, line, size)) {
        if (process->length == sizeof process->text)
            process->length = 0; /* a line that long is none of ours */
        if (process_interrupted)
            return -EINTR;
        uint64_t now = clock_now();
        if (now >= deadline)
            return -ETIMEDOUT;
        struct pollfd ready = { .fd = process->out, .events = POLLIN };
        uint64_t ms = (deadline - now) / NS_PER_MS + 1;
        int n = poll(&ready, 1, ms < 1000 ? (int)ms : 1000);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n <= 0)
            continue;
        ssize_t got = read(process->out, process->text + process->length,
                           sizeof process->text - process->length);
        if (got < 0)
            return -errno;
        if (got == 0)
            return -EPIPE;
        process->length += (size_t)got;
    }
    return 0;
}

static uint64_t nanoseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_usec * 1000;
}

struct process_end process_stop(struct process *process, int sig, uint64_t deadline)
{
    struct process_end end = { 0 };
    struct rusage usage = { 0 };
    int status = 0;
    if (process->pid <= 0)
        return end;
    if (sig)
        kill(process->pid, sig);
    while (wait4(process->pid, &status, WNOHANG, &usage) == 0) {
        struct timespec moment = { .tv_nsec = 1000000 };
        if (clock_now() >= deadline)
            kill(process->pid, SIGKILL);
        nanosleep(&moment, NULL);
    }
    close(process->out);
    process_release(process);
    remember(0, process->pid);
    process->pid = 0;
    end.status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    end.user_ns = nanoseconds(usage.ru_utime);
    end.sys_ns = nanoseconds(usage.ru_stime);
    end.cpu_ns = end.user_ns + end.sys_ns;
    return end;
}

uint64_t process_cpu_ns(pid_t pid)
{
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0)
        return 0;
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

bool program_in_path(const char *name)
{
    const char *path = getenv("PATH");
    char copy[4096], file[4200];
    snprintf(copy, sizeof copy, "%s", path ? path : "");
    for (char *rest = copy, *folder; (folder = strsep(&rest, ":"));) {
        snprintf(file, sizeof file, "%s/%.64s", folder, name);
        if (access(file, X_OK) == 0)
            return true;
    }
    return false;
}
