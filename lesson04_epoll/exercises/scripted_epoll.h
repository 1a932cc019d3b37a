/* scripted_epoll: a kernel and a clock under the test's control.
 *
 * poller.c sleeps in epoll_wait or epoll_pwait2 and asks clock_now for the time. This
 * header brings all three, in the place of the C library's and of common/clock.c. A
 * sleep takes no time: it is noted, and the clock is set forward. Registrations are the
 * real ones, and each sleep looks at them first: who is ready ends it.
 *
 *     signals(10 * MS, 10 * MS);     a signal 10 ms into the first sleep, and 10 ms into
 *                                    the second; the third is not disturbed
 *     int n = poller_wait(&poller, events, 8, 50 * MS);
 *
 * then look at n, at passed(), and at sleeps[0], sleeps[1], sleep_count. A sleep that
 * would never end answers -EDEADLK, and so does one after a thousand others: a loop
 * that spins ends so.
 *
 * To be included once, by the test program. */
#ifndef EXERCISES_SCRIPTED_EPOLL_H
#define EXERCISES_SCRIPTED_EPOLL_H

#include "common/testing/testing.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "lesson04_epoll/poller.h"

#define MS ((int64_t)NS_PER_MS)
#define DAYS ((int64_t)24 * 3600 * 1000 * MS)

enum { SLEEPS_MAX = 16, SLEEPS_LIMIT = 1000 };

/* The time-outs that the kernel was asked for, in nanoseconds; -1: none. */
static int64_t sleeps[SLEEPS_MAX];
static unsigned sleep_count; /* may be larger than SLEEPS_MAX */

/* What the kernel says to epoll_pwait2: 0, or EPERM, ENOSYS. */
static int refuse_pwait2;

static const int64_t *script_signals;
static unsigned script_length, script_next;
static uint64_t script_now = 1000 * NS_PER_S, script_start;

/* Begins a script: the i-th sleep is interrupted after so many nanoseconds. */
#define signals(...)                                                                   \
    do {                                                                               \
        static const int64_t signals_[] = { __VA_ARGS__ };                             \
        script_begin(signals_, ARRAY_SIZE(signals_));                                  \
    } while (0)

/* The same without a signal. */
#define no_signals() script_begin(NULL, 0)

static inline void script_begin(const int64_t *after, unsigned length)
{
    script_signals = after;
    script_length = length;
    script_next = 0;
    script_start = script_now;
    sleep_count = 0;
    memset(sleeps, 0, sizeof sleeps);
}

/* How much time has passed since the script began, in nanoseconds. */
static inline int64_t passed(void)
{
    return (int64_t)(script_now - script_start);
}

/* Two ends of a line, both non-blocking. */
static inline void make_line(int ends[2])
{
    int flags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    if (socketpair(AF_UNIX, flags, 0, ends) != 0)
        fail_msg("socketpair: errno %d", errno);
}

/* ---- the kernel */

static inline int script_refuses(int err)
{
    errno = err;
    return -1;
}

static inline int script_sleep(int fd, struct epoll_event *events, int capacity,
                               int64_t timeout_ns)
{
    if (sleep_count < SLEEPS_MAX)
        sleeps[sleep_count] = timeout_ns;
    if (++sleep_count > SLEEPS_LIMIT)
        return script_refuses(EDEADLK);
    if (script_next < script_length) {
        int64_t after = script_signals[script_next++];
        if (timeout_ns < 0 || after <= timeout_ns) {
            script_now += (uint64_t)after;
            return script_refuses(EINTR);
        }
    }
    int ready = epoll_pwait(fd, events, capacity, 0, NULL);
    if (ready != 0)
        return ready;
    if (timeout_ns < 0)
        return script_refuses(EDEADLK);
    script_now += (uint64_t)timeout_ns;
    return 0;
}

int epoll_wait(int fd, struct epoll_event *events, int capacity, int timeout_ms)
{
    return script_sleep(fd, events, capacity, timeout_ms < 0 ? -1 : timeout_ms * MS);
}

int epoll_pwait2(int fd, struct epoll_event *events, int capacity,
                 const struct timespec *timeout, const sigset_t *mask)
{
    (void)mask;
    if (refuse_pwait2)
        return script_refuses(refuse_pwait2);
    int64_t ns =
        timeout ? (int64_t)timeout->tv_sec * (int64_t)NS_PER_S + timeout->tv_nsec : -1;
    return script_sleep(fd, events, capacity, ns);
}

/* ---- the clock: all of common/clock.h */

uint64_t clock_now(void)
{
    return script_now;
}

uint64_t clock_at_last_tick(void)
{
    return script_now;
}

uint64_t clock_tick(void)
{
    return 1;
}

uint64_t clock_process_cpu(void)
{
    return script_now;
}

uint64_t clock_after(uint64_t now, uint64_t delay)
{
    return delay > CLOCK_NEVER - 1 - now ? CLOCK_NEVER - 1 : now + delay;
}

#endif
