/* faults_wrap: the wrappers themselves.
 *
 * One macro a kind of signature. The list of wrapped names is repeated in the Makefile
 * (WRAP), since the linker needs it; a name that is in one list only does not link. A few
 * calls need more than "fail instead": a close closes all the same, a wait for a condition
 * wakes up for no reason, memory is counted, and an operation on a ring is replaced. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>

#include "common/testing/faults.h"
#include "common/testing/faults_inside.h"

/* Moves `size` bytes: FAULT_SHORT and FAULT_NOTHING have a meaning. */
#define WRAP_BYTES(failed, name, parameters, arguments)                                \
    ssize_t __real_##name parameters;                                                  \
    ssize_t __wrap_##name parameters;                                                  \
    ssize_t __wrap_##name parameters                                                   \
    {                                                                                  \
        int err = fault_strikes(#name);                                                \
        if (err == FAULT_NOTHING)                                                      \
            return 0;                                                                  \
        if (err == FAULT_SHORT && size > 1)                                            \
            size = 1;                                                                  \
        return err > 0 ? (failed) : __real_##name arguments;                           \
    }

/* ---- memory */

#define WRAP_MEMORY(name, parameters, arguments, change)                               \
    void *__real_##name parameters;                                                    \
    void *__wrap_##name parameters;                                                    \
    void *__wrap_##name parameters                                                     \
    {                                                                                  \
        void *block = fault_strikes(#name) ? NULL : __real_##name arguments;           \
        if (block)                                                                     \
            fault_count_blocks(change);                                                \
        return block;                                                                  \
    }

WRAP_MEMORY(malloc, (size_t size), (size), 1)
WRAP_MEMORY(calloc, (size_t n, size_t size), (n, size), 1)
WRAP_MEMORY(realloc, (void *old, size_t size), (old, size), !old)
WRAP_MEMORY(aligned_alloc, (size_t align, size_t size), (align, size), 1)

void __real_free(void *block);
void __wrap_free(void *block);
void __wrap_free(void *block)
{
    if (block)
        fault_count_blocks(-1);
    __real_free(block);
}

void *__real_mmap(void *p, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *p, size_t size, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *p, size_t size, int prot, int flags, int fd, off_t offset)
{
    void *const failed = (void *)-1;
    void *memory =
        fault_strikes("mmap") ? failed : __real_mmap(p, size, prot, flags, fd, offset);
    if (memory != failed)
        fault_count_mapped(size, 1);
    return memory;
}

int __real_munmap(void *p, size_t size);
int __wrap_munmap(void *p, size_t size);
int __wrap_munmap(void *p, size_t size)
{
    int err = __real_munmap(p, size);
    if (err == 0)
        fault_count_mapped(size, -1);
    return err;
}

/* ---- threads */

WRAP(int, err, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attr, void *(*start)(void *),
      void *arg),
     (thread, attr, start, arg))
WRAP(int, err, pthread_mutex_init,
     (pthread_mutex_t * mutex, const pthread_mutexattr_t *attr), (mutex, attr))
WRAP(int, err, pthread_cond_init,
     (pthread_cond_t * condition, const pthread_condattr_t *attr), (condition, attr))
WRAP(int, err, pthread_condattr_init, (pthread_condattr_t * attr), (attr))
WRAP(int, err, pthread_atfork,
     (void (*prepare)(void), void (*parent)(void), void (*child)(void)),
     (prepare, parent, child))
WRAP(int, err, pthread_attr_setstacksize, (pthread_attr_t * attr, size_t size),
     (attr, size))

/* Lets others at the mutex, as a real wake-up for no reason does. */
static int wake_for_no_reason(pthread_mutex_t *mutex)
{
    pthread_mutex_unlock(mutex);
    sched_yield();
    pthread_mutex_lock(mutex);
    return 0;
}

WRAP(int, wake_for_no_reason(mutex), pthread_cond_wait,
     (pthread_cond_t * condition, pthread_mutex_t *mutex), (condition, mutex))
WRAP(int, wake_for_no_reason(mutex), pthread_cond_timedwait,
     (pthread_cond_t * condition, pthread_mutex_t *mutex,
      const struct timespec *deadline),
     (condition, mutex, deadline))
WRAP(int, -1, sched_getaffinity, (pid_t thread, size_t size, cpu_set_t *set),
     (thread, size, set))
WRAP(int, -1, sched_setaffinity, (pid_t thread, size_t size, const cpu_set_t *set),
     (thread, size, set))

/* ---- descriptors */

/* The number is free all the same: so says close(2) of Linux. */
#define WRAP_CLOSE(name, type)                                                         \
    int __real_##name(type file);                                                      \
    int __wrap_##name(type file);                                                      \
    int __wrap_##name(type file)                                                       \
    {                                                                                  \
        int closed = __real_##name(file);                                              \
        return fault_strikes(#name) ? -1 : closed;                                     \
    }

WRAP_CLOSE(close, int)
WRAP_CLOSE(fclose, FILE *)

WRAP(int, -1, eventfd, (unsigned initial, int flags), (initial, flags))
WRAP(int, -1, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags))
WRAP(int, -1, pipe2, (int ends[2], int flags), (ends, flags))
WRAP(int, -1, epoll_create1, (int flags), (flags))

/* To remove fails for a wrong number only, which is a bug. */
int __real_epoll_ctl(int ep, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int ep, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int ep, int op, int fd, struct epoll_event *event)
{
    if (op != EPOLL_CTL_DEL && fault_strikes("epoll_ctl"))
        return -1;
    return __real_epoll_ctl(ep, op, fd, event);
}

WRAP(int, -1, epoll_wait, (int ep, struct epoll_event *events, int n, int timeout),
     (ep, events, n, timeout))
WRAP(int, -1, epoll_pwait2,
     (int ep, struct epoll_event *events, int n, const struct timespec *timeout,
      const sigset_t *mask),
     (ep, events, n, timeout, mask))
WRAP(int, -1, poll, (struct pollfd * fds, nfds_t n, int timeout), (fds, n, timeout))
WRAP(int, -1, ppoll,
     (struct pollfd * fds, nfds_t n, const struct timespec *timeout,
      const sigset_t *mask),
     (fds, n, timeout, mask))
WRAP_BYTES(-1, read, (int fd, void *buffer, size_t size), (fd, buffer, size))
WRAP_BYTES(-1, write, (int fd, const void *buffer, size_t size), (fd, buffer, size))
WRAP_BYTES(-1, pread, (int fd, void *buffer, size_t size, off_t offset),
           (fd, buffer, size, offset))
WRAP_BYTES(-1, pwrite, (int fd, const void *buffer, size_t size, off_t offset),
           (fd, buffer, size, offset))
WRAP_BYTES(-1, recv, (int fd, void *buffer, size_t size, int flags),
           (fd, buffer, size, flags))
WRAP_BYTES(-1, send, (int fd, const void *buffer, size_t size, int flags),
           (fd, buffer, size, flags))
WRAP_BYTES(-err, sys_recv, (int fd, void *buffer, size_t size, int flags),
           (fd, buffer, size, flags))
WRAP_BYTES(-err, sys_send, (int fd, const void *buffer, size_t size, int flags),
           (fd, buffer, size, flags))
WRAP(ssize_t, -1, recvmsg, (int fd, struct msghdr *message, int flags),
     (fd, message, flags))
WRAP(ssize_t, -1, sendmsg, (int fd, const struct msghdr *message, int flags),
     (fd, message, flags))

/* ---- sockets */

WRAP(int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, -1, socketpair, (int domain, int type, int protocol, int ends[2]),
     (domain, type, protocol, ends))
WRAP(int, -1, bind, (int fd, const struct sockaddr *address, socklen_t size),
     (fd, address, size))
WRAP(int, -1, listen, (int fd, int backlog), (fd, backlog))
WRAP(int, -1, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags),
     (fd, address, size, flags))

/* Interrupted, it goes on in the background: connect(2). */
int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    int err = fault_strikes("connect");
    if (err && err != EINTR)
        return -1;
    int connected = __real_connect(fd, address, size);
    if (err)
        errno = err;
    return err ? -1 : connected;
}

WRAP(int, -1, shutdown, (int fd, int how), (fd, how))
WRAP(int, -1, setsockopt,
     (int fd, int level, int option, const void *value, socklen_t size),
     (fd, level, option, value, size))
WRAP(int, -1, getsockopt, (int fd, int level, int option, void *value, socklen_t *size),
     (fd, level, option, value, size))
WRAP(int, -1, getsockname, (int fd, struct sockaddr *address, socklen_t *size),
     (fd, address, size))
WRAP(int, -1, getpeername, (int fd, struct sockaddr *address, socklen_t *size),
     (fd, address, size))

/* ---- files */

WRAP(FILE *, NULL, fopen, (const char *path, const char *mode), (path, mode))
WRAP(int, -1, fstat, (int fd, struct stat *info), (fd, info))
WRAP(int, -1, stat, (const char *path, struct stat *info), (path, info))
WRAP(int, -1, lstat, (const char *path, struct stat *info), (path, info))
WRAP(int, -1, fsync, (int fd), (fd))
WRAP(int, -1, ftruncate, (int fd, off_t size), (fd, size))
WRAP(int, -1, unlink, (const char *path), (path))
WRAP(int, -1, rename, (const char *from, const char *to), (from, to))

/* Their last argument is there for some values of the others only; the course always
 * means what fits into a long. */
#define WRAP_VARIADIC(name, parameters, arguments, last)                               \
    int __real_##name parameters;                                                      \
    int __wrap_##name parameters;                                                      \
    int __wrap_##name parameters                                                       \
    {                                                                                  \
        va_list rest;                                                                  \
        va_start(rest, last);                                                          \
        long extra = va_arg(rest, long);                                               \
        va_end(rest);                                                                  \
        return fault_strikes(#name) ? -1 : __real_##name arguments;                    \
    }

WRAP_VARIADIC(open, (const char *path, int flags, ...), (path, flags, extra), flags)
WRAP_VARIADIC(openat, (int folder, const char *path, int flags, ...),
              (folder, path, flags, extra), flags)
WRAP_VARIADIC(fcntl, (int fd, int command, ...), (fd, command, extra), command)

/* Blocks that libc allocates in a call of ours, and that are ours to free, are counted;
 * getline is __getdelim to the linker. */
ssize_t __real___getdelim(char **line, size_t *room, int end, FILE *file);
ssize_t __wrap___getdelim(char **line, size_t *room, int end, FILE *file);
ssize_t __wrap___getdelim(char **line, size_t *room, int end, FILE *file)
{
    bool had_none = !*line;
    ssize_t n =
        fault_strikes("getline") ? -1 : __real___getdelim(line, room, end, file);
    fault_count_blocks(had_none && *line);
    return n;
}

FILE *__real_open_memstream(char **text, size_t *size);
FILE *__wrap_open_memstream(char **text, size_t *size);
FILE *__wrap_open_memstream(char **text, size_t *size)
{
    FILE *file =
        fault_strikes("open_memstream") ? NULL : __real_open_memstream(text, size);
    fault_count_blocks(file != NULL); /* the text, from the fclose on */
    return file;
}

typedef int filter_of_scandir(const struct dirent *entry);
typedef int order_of_scandir(const struct dirent **a, const struct dirent **b);
int __real_scandir(const char *folder, struct dirent ***found,
                   filter_of_scandir *filter, order_of_scandir *order);
int __wrap_scandir(const char *folder, struct dirent ***found,
                   filter_of_scandir *filter, order_of_scandir *order);
int __wrap_scandir(const char *folder, struct dirent ***found,
                   filter_of_scandir *filter, order_of_scandir *order)
{
    int n =
        fault_strikes("scandir") ? -1 : __real_scandir(folder, found, filter, order);
    if (n >= 0)
        fault_count_blocks(n + (*found != NULL));
    return n;
}

/* ---- processes, and what is left */

WRAP(pid_t, -1, fork, (void), ())
WRAP(pid_t, -1, waitpid, (pid_t process, int *status, int options),
     (process, status, options))
WRAP(pid_t, -1, wait4, (pid_t process, int *status, int options, struct rusage *usage),
     (process, status, options, usage))
WRAP(int, -1, nanosleep, (const struct timespec *time, struct timespec *left),
     (time, left))
WRAP(int, -1, sigwaitinfo, (const sigset_t *set, siginfo_t *info), (set, info))
WRAP(int, -1, sigtimedwait,
     (const sigset_t *set, siginfo_t *info, const struct timespec *timeout),
     (set, info, timeout))
/* glibc's prototypes name enums here, which are ints to the linker. */
WRAP(int, -1, getrlimit, (int resource, struct rlimit *limit), (resource, limit))
WRAP(int, -1, setrlimit, (int resource, const struct rlimit *limit), (resource, limit))

static const char *name_of(long number, const long *arguments)
{
    switch (number) {
    case SYS_futex: /* to wake fails for a bad address only */
        return (arguments[1] & FUTEX_CMD_MASK) == FUTEX_WAIT ? "futex" : "futex wake";
    case SYS_openat2:
        return "openat2";
    case SYS_io_uring_setup:
        return "io_uring_setup";
    case SYS_io_uring_enter:
        return "io_uring_enter";
    default:
        return "syscall";
    }
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    long arguments[6];
    va_list rest;
    va_start(rest, number);
    for (unsigned i = 0; i < ARRAY_SIZE(arguments); i++)
        arguments[i] = va_arg(rest, long);
    va_end(rest);
    return fault_strikes(name_of(number, arguments))
               ? -1
               : __real_syscall(number, arguments[0], arguments[1], arguments[2],
                                arguments[3], arguments[4], arguments[5]);
}
