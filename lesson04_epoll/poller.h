/* poller: one thread asks the kernel which of many descriptors can make progress.
 *
 * A thin cover over epoll. It adds four things and hides none: names for the bits,
 * time-outs in nanoseconds, an answer for signals, and an answer for fork. A wait is
 * one epoll_wait (or epoll_pwait2) and no more; events land in the caller's own array.
 *
 * Ownership: the poller owns its epoll descriptor, and borrows every descriptor and
 * user pointer that is registered with it. Remove a descriptor before you close it:
 * while a duplicate is alive (dup, fork) close alone leaves the registration, and its
 * user pointer, in place (RULES R4). Events that a wait has already returned are the
 * caller's; removing a descriptor does not take them back.
 *
 * Threads: add, modify and remove from any thread, also while another one waits; wait
 * from any thread, though several that wait at once share the events between them.
 * After fork the child may only finish its copy; everything else is -ESTALE (R11).
 * Errors: negative errno. Time-outs: nanoseconds. */
#ifndef LESSON04_POLLER_H
#define LESSON04_POLLER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/* What to watch for. HUP and ERR are watched always, asked for or not. */
#define POLLER_READABLE ((uint32_t)EPOLLIN)  /* a read would not block */
#define POLLER_WRITABLE ((uint32_t)EPOLLOUT) /* a write would not block */
#define POLLER_RDHUP ((uint32_t)EPOLLRDHUP)  /* the peer has sent its last byte */
#define POLLER_HUP ((uint32_t)EPOLLHUP)      /* both directions are over */
#define POLLER_ERR ((uint32_t)EPOLLERR)      /* an error waits for the next syscall */

/* How to watch. Neither bit: level-triggered, reported as long as it is true. */
#define POLLER_EDGE ((uint32_t)EPOLLET)         /* reported when it becomes true */
#define POLLER_ONESHOT ((uint32_t)EPOLLONESHOT) /* once; poller_modify arms again */

#define POLLER_FOREVER INT64_C(-1)

struct poller {
    int fd;              /* owns; close-on-exec; 0 or -1 when not initialised */
    unsigned forks;      /* how many forks deep the process was that made it */
    _Atomic bool coarse; /* any thread: the kernel refused epoll_pwait2 */
};

/* The kernel's own layout under neutral names: nothing is copied after a wait. */
struct poller_event {
    struct epoll_event raw;
};
_Static_assert(sizeof(struct poller_event) == sizeof(struct epoll_event),
               "an array of one is an array of the other");

static inline uint32_t poller_event_bits(const struct poller_event *event)
{
    return event->raw.events;
}

static inline void *poller_event_user(const struct poller_event *event)
{
    return event->raw.data.ptr;
}

/* -EMFILE, -ENFILE, -ENOMEM. */
int poller_init(struct poller *poller);
void poller_finish(struct poller *poller);

/* Starts to watch `fd`; what is true already is reported by the next wait, in every
 * mode. -EEXIST: watched already; -EPERM: a regular file or directory, which epoll
 * cannot watch; -ENOSPC, -ENOMEM: the user's or the machine's limit. */
int poller_add(struct poller *poller, int fd, uint32_t events, void *user);

/* Replaces bits and user pointer, arms a oneshot again, and reports what is true now
 * even if its edge was reported before. -ENOENT: not watched. */
int poller_modify(struct poller *poller, int fd, uint32_t events, void *user);

/* -ENOENT: not watched; -EBADF: closed too early. */
int poller_remove(struct poller *poller, int fd);

/* Sleeps until something is ready or the time is over; returns how many events were
 * stored, 0 at the time-out. A time-out is never cut short; 0 never sleeps; signals
 * neither end the wait nor stretch it (a handler that wants to be heard uses a
 * notifier). */
int poller_wait(struct poller *poller, struct poller_event *events, int capacity,
                int64_t timeout_ns);

/* Nanoseconds to whole milliseconds for epoll_wait: upwards, 0 stays 0, at most
 * INT_MAX (R10). */
int poller_round_up_ms(int64_t ns);

#endif
