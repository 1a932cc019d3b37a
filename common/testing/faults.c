/* faults: the wrappers themselves.
 *
 * One macro a signature. The list of wrapped names is repeated in the Makefile (WRAP),
 * since the linker needs it; a name that is in one list only does not link. */
#include "common/testing/faults.h"

#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>

static const char *armed_call;
static int armed_errno;
static bool armed_always;
static void (*armed_then)(void *argument);
static void *armed_then_argument;
static _Atomic bool armed;
static _Atomic long countdown;
static _Atomic long failures;

static bool fails(const char *call)
{
    if (!atomic_load_explicit(&armed, memory_order_acquire)) /* pairs with arm() */
        return false;
    if (strcmp(armed_call, "*") != 0 && strcmp(armed_call, call) != 0)
        return false;
    if (!armed_always &&
        atomic_fetch_sub_explicit(&countdown, 1, memory_order_relaxed) != 1)
        return false;
    atomic_fetch_add_explicit(&failures, 1, memory_order_relaxed);
    if (armed_then) {
        fault_disarm();
        armed_then(armed_then_argument);
    }
    errno = armed_errno;
    return true;
}

static void arm(const char *call, long nth, int err, bool always)
{
    armed_call = call;
    armed_errno = err;
    armed_always = always;
    atomic_store_explicit(&countdown, nth, memory_order_relaxed);
    atomic_store_explicit(&failures, 0, memory_order_relaxed);
    atomic_store_explicit(&armed, true, memory_order_release); /* pairs with fails() */
}

void fault_arm(const char *call, long nth, int err)
{
    arm(call, nth, err, false);
}

void fault_arm_always(const char *call, int err)
{
    arm(call, 0, err, true);
}

void fault_call_then(void (*then)(void *argument), void *argument)
{
    armed_then = then;
    armed_then_argument = argument;
}

void fault_disarm(void)
{
    atomic_store_explicit(&armed, false, memory_order_release); /* pairs with fails() */
}

long fault_count(void)
{
    return atomic_load_explicit(&failures, memory_order_relaxed);
}

bool fault_sweep(long n, const char *call, int err)
{
    fault_disarm();
    if (n > 1 && fault_count() == 0)
        return false;
    fault_arm(call, n, err);
    return true;
}

/* WRAP(type, value on failure, name, (parameters), (arguments)) */
#define WRAP(type, failed, name, parameters, arguments)                                \
    type __real_##name parameters;                                                     \
    type __wrap_##name parameters;                                                     \
    type __wrap_##name parameters                                                      \
    {                                                                                  \
        return fails(#name) ? (failed) : __real_##name arguments;                      \
    }

WRAP(void *, NULL, malloc, (size_t size), (size))
WRAP(void *, NULL, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, NULL, realloc, (void *p, size_t size), (p, size))
WRAP(void *, NULL, aligned_alloc, (size_t align, size_t size), (align, size))
WRAP(void *, (void *)-1, mmap,
     (void *p, size_t size, int prot, int flags, int fd, off_t offset),
     (p, size, prot, flags, fd, offset))
WRAP(int, armed_errno, pthread_create,
     (pthread_t * thread, const pthread_attr_t *attr, void *(*start)(void *),
      void *arg),
     (thread, attr, start, arg))
WRAP(int, -1, eventfd, (unsigned initial, int flags), (initial, flags))
WRAP(int, -1, epoll_create1, (int flags), (flags))
WRAP(int, -1, epoll_ctl, (int ep, int op, int fd, struct epoll_event *event),
     (ep, op, fd, event))
WRAP(int, -1, epoll_wait, (int ep, struct epoll_event *events, int n, int timeout),
     (ep, events, n, timeout))
WRAP(int, -1, epoll_pwait2,
     (int ep, struct epoll_event *events, int n, const struct timespec *timeout,
      const sigset_t *mask),
     (ep, events, n, timeout, mask))
WRAP(ssize_t, -1, read, (int fd, void *buffer, size_t size), (fd, buffer, size))
WRAP(ssize_t, -1, write, (int fd, const void *buffer, size_t size), (fd, buffer, size))
WRAP(ssize_t, -1, pread, (int fd, void *buffer, size_t size, off_t offset),
     (fd, buffer, size, offset))
WRAP(ssize_t, -1, pwrite, (int fd, const void *buffer, size_t size, off_t offset),
     (fd, buffer, size, offset))
WRAP(ssize_t, -1, recv, (int fd, void *buffer, size_t size, int flags),
     (fd, buffer, size, flags))
WRAP(ssize_t, -1, send, (int fd, const void *buffer, size_t size, int flags),
     (fd, buffer, size, flags))
WRAP(ssize_t, -armed_errno, sys_recv, (int fd, void *buffer, size_t size, int flags),
     (fd, buffer, size, flags))
WRAP(ssize_t, -armed_errno, sys_send,
     (int fd, const void *buffer, size_t size, int flags), (fd, buffer, size, flags))
WRAP(int, -1, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, -1, bind, (int fd, const struct sockaddr *address, socklen_t size),
     (fd, address, size))
WRAP(int, -1, listen, (int fd, int backlog), (fd, backlog))
WRAP(int, -1, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags),
     (fd, address, size, flags))
WRAP(int, -1, connect, (int fd, const struct sockaddr *address, socklen_t size),
     (fd, address, size))
WRAP(int, -armed_errno, io_uring_queue_init_params,
     (unsigned entries, struct io_uring *ring, struct io_uring_params *params),
     (entries, ring, params))
WRAP(int, -armed_errno, io_uring_submit, (struct io_uring * ring), (ring))
WRAP(int, -armed_errno, io_uring_submit_and_wait_timeout,
     (struct io_uring * ring, struct io_uring_cqe **cqe, unsigned n,
      struct __kernel_timespec *timeout, sigset_t *mask),
     (ring, cqe, n, timeout, mask))
