/* notifier: eventfd with its three surprises handled in one place.
 *
 * write may say EAGAIN: the counter is at its maximum, so the descriptor is readable
 * already, which is all a notify promises (R8). read may say EAGAIN: somebody drained
 * before us. Both may say EINTR: we try again. Anything else means that the descriptor
 * is not an eventfd any more - somebody closed a number that was not theirs - and that
 * is a bug, not an error. */
#include "common/notifier.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/check.h"

int notifier_init(struct notifier *notifier)
{
    notifier->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return notifier->fd < 0 ? -errno : 0;
}

void notifier_finish(struct notifier *notifier)
{
    if (!notifier || notifier->fd <= 0)
        return;
    close(notifier->fd);
    notifier->fd = -1;
}

void notifier_notify(struct notifier *notifier)
{
    int saved = errno; /* we may run inside a signal handler */
    uint64_t one = 1;
    ssize_t n;
    do
        n = write(notifier->fd, &one, sizeof one);
    while (n < 0 && errno == EINTR);
    CHECK(n == (ssize_t)sizeof one || errno == EAGAIN,
          "fd %d is not this notifier's eventfd any more (write: errno %d)",
          notifier->fd, errno);
    errno = saved;
}

void notifier_drain(struct notifier *notifier)
{
    uint64_t count;
    ssize_t n;
    do
        n = read(notifier->fd, &count, sizeof count);
    while (n < 0 && errno == EINTR);
    CHECK(n == (ssize_t)sizeof count || errno == EAGAIN,
          "fd %d is not this notifier's eventfd any more (read: errno %d)",
          notifier->fd, errno);
}
