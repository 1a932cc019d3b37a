/* poller: epoll's four system calls, with their three traps closed.
 *
 * Trap one is time. epoll_wait counts in milliseconds: 300 us rounded down is 0, a busy
 * loop, so what must be rounded is rounded up (R10). epoll_pwait2 (Linux 5.11) counts
 * in nanoseconds; kernels without it answer ENOSYS and some containers EPERM, so the
 * first call that would need it is the probe, and a refusal is remembered.
 *
 * Trap two is signals. epoll_wait is never restarted after a handler ran, whatever
 * SA_RESTART says (signal(7)). Restarting with the full time-out would let a 1 kHz
 * signal keep a 50 ms wait asleep for ever (R9). Invariant: `deadline` is computed
 * once, before the first sleep, and each sleep lasts for what is left of it.
 *
 * Trap three is fork. The child inherits the number, and behind it the same epoll set
 * as its parent: a remove in the child would be a remove in the parent. Asking getpid
 * on each call would cost a system call; a counter that a fork handler raises costs a
 * load (R11; common/forks.h).
 *
 * Sources: epoll(7), epoll_wait(2), signal(7). */
#include "lesson04_epoll/poller.h"

#include <errno.h>
#include <limits.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/forks.h"
#include "common/memcheck.h"

static bool is_ours(const struct poller *poller)
{
    return poller->forks == forks_count();
}

int poller_init(struct poller *poller)
{
    *poller = (struct poller){ .fd = -1 };
    int err = forks_watch();
    if (err < 0)
        return err;
    poller->forks = forks_count();
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    return poller->fd < 0 ? -errno : 0;
}

void poller_finish(struct poller *poller)
{
    if (!poller || poller->fd <= 0)
        return;
    close(poller->fd);
    poller->fd = -1;
}

static int control(struct poller *poller, int operation, int fd,
                   struct epoll_event *event)
{
    if (!is_ours(poller))
        return -ESTALE;
    MEM_HANDED_OVER(poller); /* what `user` points to; taken over in poller_wait */
    return epoll_ctl(poller->fd, operation, fd, event) ? -errno : 0;
}

int poller_add(struct poller *poller, int fd, uint32_t events, void *user)
{
    struct epoll_event event = { .events = events, .data.ptr = user };
    return control(poller, EPOLL_CTL_ADD, fd, &event);
}

int poller_modify(struct poller *poller, int fd, uint32_t events, void *user)
{
    struct epoll_event event = { .events = events, .data.ptr = user };
    return control(poller, EPOLL_CTL_MOD, fd, &event);
}

int poller_remove(struct poller *poller, int fd)
{
    return control(poller, EPOLL_CTL_DEL, fd, NULL);
}

int poller_round_up_ms(int64_t ns)
{
    const int64_t ms = (int64_t)NS_PER_MS;
    int64_t rounded = ns / ms + (ns % ms != 0);
    return rounded > INT_MAX ? INT_MAX : (int)rounded;
}

/* Nanoseconds if the kernel can; -ENOSYS if it cannot. */
static int wait_fine(struct poller *poller, struct epoll_event *events, int capacity,
                     int64_t ns)
{
    if (atomic_load_explicit(&poller->coarse, memory_order_relaxed))
        return -ENOSYS;
    struct timespec timeout = { .tv_sec = ns / (int64_t)NS_PER_S,
                                .tv_nsec = ns % (int64_t)NS_PER_S };
    int n = epoll_pwait2(poller->fd, events, capacity, &timeout, NULL);
    if (n >= 0)
        return n;
    if (errno != ENOSYS && errno != EPERM)
        return -errno;
    atomic_store_explicit(&poller->coarse, true, memory_order_relaxed);
    return -ENOSYS;
}

static int wait_once(struct poller *poller, struct epoll_event *events, int capacity,
                     int64_t ns)
{
    /* "For ever" and "not at all" are exact in milliseconds too. */
    if (ns > 0) {
        int n = wait_fine(poller, events, capacity, ns);
        if (n != -ENOSYS)
            return n;
    }
    int ms = ns < 0 ? -1 : poller_round_up_ms(ns);
    int n = epoll_wait(poller->fd, events, capacity, ms);
    return n < 0 ? -errno : n;
}

int poller_wait(struct poller *poller, struct poller_event *events, int capacity,
                int64_t timeout_ns)
{
    CHECK(capacity > 0, "a wait needs room for at least one event, not %d", capacity);
    CHECK(timeout_ns >= POLLER_FOREVER,
          "a time-out of %lld ns: a deadline in the past is 0, not a negative number",
          (long long)timeout_ns);
    if (!is_ours(poller))
        return -ESTALE;
    uint64_t deadline = CLOCK_NEVER;
    if (timeout_ns > 0)
        deadline = clock_after(clock_now(), (uint64_t)timeout_ns);
    int64_t left = timeout_ns;
    for (;;) {
        int n = wait_once(poller, &events->raw, capacity, left);
        MEM_TAKEN_OVER(poller); /* pairs with control() */
        if (n > 0 || (n < 0 && n != -EINTR) || (n == 0 && timeout_ns <= 0))
            return n;
        if (timeout_ns <= 0)
            continue;
        /* A signal, or a time-out longer than epoll_wait's longest (24 days). */
        uint64_t now = clock_now();
        if (now >= deadline)
            return 0;
        left = (int64_t)(deadline - now);
    }
}
