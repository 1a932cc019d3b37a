/* process: start a program, listen to it, measure it, and never leave it behind.
 *
 * Three nets hold a child: the lab stops it; process_kill_all, which runs at exit, kills
 * what is left; and the kernel kills it when the lab dies without running anything
 * (PR_SET_PDEATHSIG).
 *
 * Threads: one. Errors: negative errno. */
#ifndef LESSON08_PROCESS_H
#define LESSON08_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_ANY_CPU (-1)

/* For a signal handler to set: from then on every wait for a line ends with -EINTR within
 * a second, also if the signal came before the wait began. */
extern volatile sig_atomic_t process_interrupted;

struct process {
    pid_t pid; /* 0 when none runs */
    int out;   /* owns; the read end of its stdout */
    int gate;  /* owns; what a held process waits for; 0 when it is not held */
    size_t length;
    char text[4096]; /* what it said and nobody has read yet */
};

struct process_end {
    int status;               /* exit status, or minus the signal that ended it */
    uint64_t cpu_ns;          /* user + system, the whole life */
    uint64_t user_ns, sys_ns; /* its parts, told apart by the timer tick only */
};

/* Where and how a process starts. */
struct process_how {
    int cpus[2];   /* it may run on these */
    int cpu_count; /* 0: on any */
    int log;       /* receives its stderr; -1: ours */
    bool held;     /* waits, before it becomes the program, for process_release */
};

/* argv[0] is a path, or a name looked up in PATH. `log` receives its stderr (-1: ours).
 * It runs on `cpu` only. An exec that fails ends the child with status 127. */
int process_start(struct process *process, char *const argv[], int cpu, int log);

/* The same with more to choose. */
int process_start_as(struct process *process, char *const argv[],
                     const struct process_how *how);

/* Lets a held process become its program. */
void process_release(struct process *process);

/* The next line of its stdout, without the newline. -ETIMEDOUT at the deadline (of
 * clock_now), -EINTR when interrupted, -EPIPE when its stdout ended. */
int process_read_line(struct process *process, char *line, size_t size,
                      uint64_t deadline);

/* Sends `sig` (0: none), waits until the deadline, then kills. Closes its stdout. */
struct process_end process_stop(struct process *process, int sig, uint64_t deadline);

/* CPU time that a running process has used, all its threads, in ns; 0 if it is gone. */
uint64_t process_cpu_ns(pid_t pid);

/* Is there a program of this name in PATH? */
bool program_in_path(const char *name);

/* Kills whatever was started and not stopped. For atexit. */
void process_kill_all(void);

#endif
