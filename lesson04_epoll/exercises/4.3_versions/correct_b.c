/* poller, for kernels of any age: it never asks for epoll_pwait2, sleeps in
 * milliseconds, a day at most at once, and looks at the clock after each sleep. */
#include "lesson04_epoll/poller.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/forks.h"

enum { DAY_MS = 24 * 3600 * 1000 };

int poller_init(struct poller *poller)
{
    int err = forks_watch();
    poller->fd = -1;
    poller->coarse = true;
    if (err < 0)
        return err;
    poller->forks = forks_count();
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    return poller->fd < 0 ? -errno : 0;
}

void poller_finish(struct poller *poller)
{
    if (poller && poller->fd > 0) {
        int fd = poller->fd;
        poller->fd = -1;
        close(fd);
    }
}

static int change(struct poller *poller, int what, int fd, uint32_t events, void *user)
{
    struct epoll_event event = { .events = events, .data.ptr = user };
    if (poller->forks != forks_count())
        return -ESTALE;
    return epoll_ctl(poller->fd, what, fd, &event) < 0 ? -errno : 0;
}

int poller_add(struct poller *poller, int fd, uint32_t events, void *user)
{
    return change(poller, EPOLL_CTL_ADD, fd, events, user);
}

int poller_modify(struct poller *poller, int fd, uint32_t events, void *user)
{
    return change(poller, EPOLL_CTL_MOD, fd, events, user);
}

int poller_remove(struct poller *poller, int fd)
{
    return change(poller, EPOLL_CTL_DEL, fd, 0, NULL);
}

int poller_round_up_ms(int64_t ns)
{
    if (ns > (int64_t)INT_MAX * (int64_t)NS_PER_MS)
        return INT_MAX;
    return (int)((ns + (int64_t)NS_PER_MS - 1) / (int64_t)NS_PER_MS);
}

int poller_wait(struct poller *poller, struct poller_event *events, int capacity,
                int64_t timeout_ns)
{
    CHECK(capacity > 0 && timeout_ns >= POLLER_FOREVER,
          "a wait of %lld ns for %d events", (long long)timeout_ns, capacity);
    if (poller->forks != forks_count())
        return -ESTALE;
    uint64_t end =
        timeout_ns < 0 ? CLOCK_NEVER : clock_after(clock_now(), (uint64_t)timeout_ns);
    do {
        int ms = -1;
        if (timeout_ns >= 0) {
            uint64_t now = clock_now();
            ms = now < end ? poller_round_up_ms((int64_t)(end - now)) : 0;
            ms = ms < DAY_MS ? ms : DAY_MS;
        }
        int n = epoll_wait(poller->fd, &events->raw, capacity, ms);
        if (n > 0)
            return n;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0 && timeout_ns == 0)
            return 0;
    } while (timeout_ns <= 0 || clock_now() < end);
    return 0;
}
