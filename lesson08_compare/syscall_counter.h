/* syscall_counter: how many system calls a process makes, counted from outside.
 *
 * Attach while the process is held before its exec; begin and end enclose the stretch
 * that counts. Counting slows the process, so it belongs into a run of its own.
 *
 * Threads: one. Errors: negative errno. */
#ifndef LESSON08_SYSCALL_COUNTER_H
#define LESSON08_SYSCALL_COUNTER_H

#include <stdint.h>
#include <sys/types.h>

#include "lesson08_compare/process.h"

struct syscall_counter {
    const char *how; /* "kernel", "strace", or NULL: nobody counts */
    int fd;          /* owns; the kernel's counter, -1 if there is none */
    uint64_t before;
    struct process strace;
    char file[620]; /* where strace leaves its table */
};

/* Asks the kernel for a counter of this process, which is held, and of all threads and
 * processes that it will start. Refused, or without such a kernel: the error; the counter
 * can still be begun, with strace. */
int syscall_counter_attach(struct syscall_counter *counter, pid_t pid);

/* From here on it counts. Where the kernel does not, strace is attached to the running
 * process; it leaves a file in `folder` for a moment. -ENOENT when there is no strace
 * either. */
int syscall_counter_begin(struct syscall_counter *counter, pid_t pid,
                          const char *folder, int log);

/* Up to here. */
int syscall_counter_end(struct syscall_counter *counter, uint64_t *count);

/* In any state, also zeroed with fd -1. */
void syscall_counter_close(struct syscall_counter *counter);

#endif
