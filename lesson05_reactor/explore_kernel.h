/* explore_kernel: sockets and one epoll set that the explorer can see into.
 *
 * The real kernel's state would outlive each schedule, and its answers would come from
 * outside. So an explored program brings a kernel of its own: it defines the functions of
 * poller.h and notifier.h, and recv and send, and the linker then takes no others. As in
 * the real one, each call is one step that nobody sees the middle of (a lock). An edge is
 * remembered until a wait reports it; what is reported then is what is true at that moment.
 *
 * One epoll set for each poller that is initialised, a few sockets that stay. For explored
 * programs only; include it in one file. Threads: any. */
#ifndef LESSON05_EXPLORE_KERNEL_H
#define LESSON05_EXPLORE_KERNEL_H

#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/explore/explore.h"
#include "common/notifier.h"
#include "lesson04_epoll/poller.h"

enum { KERNEL_FIRST_FD = 500, KERNEL_FDS = 6, KERNEL_SETS = 2 };

/* All guarded by lock. */
static struct kernel {
    pthread_mutex_t lock;
    pthread_cond_t edge;
    struct kernel_fd {
        int bytes; /* to be received */
        int room;  /* to be sent into; -1: a notifier, which has neither */
        bool hung_up;
        /* as a member of an epoll set */
        bool watched;
        int set;
        uint32_t interest;
        void *user;
        bool pending; /* an edge that no wait has reported */
    } fds[KERNEL_FDS];
    int fd_count;
    int set_count;
    int failures_left; /* explored choice: so many calls to add or modify fail */
} kernel;

static inline void kernel_start(void)
{
    pthread_mutex_init(&kernel.lock, NULL);
    pthread_cond_init(&kernel.edge, NULL);
}

static inline void kernel_stop(void)
{
    pthread_mutex_destroy(&kernel.lock);
    pthread_cond_destroy(&kernel.edge);
}

static inline struct kernel_fd *kernel_fd(int fd)
{
    CHECK(fd >= KERNEL_FIRST_FD && fd < KERNEL_FIRST_FD + kernel.fd_count,
          "fd %d is none of this kernel's", fd);
    return &kernel.fds[fd - KERNEL_FIRST_FD];
}

static inline int kernel_new_fd(int room)
{
    CHECK(kernel.fd_count < KERNEL_FDS, "no more descriptors in this kernel");
    kernel.fds[kernel.fd_count].room = room;
    return KERNEL_FIRST_FD + kernel.fd_count++;
}

/* ---- with the lock held */

static inline uint32_t kernel_bits(const struct kernel_fd *fd)
{
    uint32_t bits = 0;
    if (fd->bytes > 0 || fd->hung_up)
        bits |= POLLER_READABLE;
    if (fd->room > 0)
        bits |= POLLER_WRITABLE;
    return fd->hung_up ? bits | POLLER_RDHUP : bits;
}

static inline void kernel_edge(struct kernel_fd *fd)
{
    fd->pending = true;
    pthread_cond_broadcast(&kernel.edge);
}

/* ---- what a peer does */

static inline int kernel_socket(int room)
{
    return kernel_new_fd(room);
}

static inline void kernel_arrives(int fd, int bytes)
{
    pthread_mutex_lock(&kernel.lock);
    kernel_fd(fd)->bytes += bytes;
    kernel_edge(kernel_fd(fd));
    pthread_mutex_unlock(&kernel.lock);
}

/* The last bytes, and the end with them. */
static inline void kernel_arrives_and_ends(int fd, int bytes)
{
    pthread_mutex_lock(&kernel.lock);
    kernel_fd(fd)->bytes += bytes;
    kernel_fd(fd)->hung_up = true;
    kernel_edge(kernel_fd(fd));
    pthread_mutex_unlock(&kernel.lock);
}

static inline void kernel_makes_room(int fd, int room)
{
    pthread_mutex_lock(&kernel.lock);
    kernel_fd(fd)->room += room;
    kernel_edge(kernel_fd(fd));
    pthread_mutex_unlock(&kernel.lock);
}

/* ---- sockets */

static inline ssize_t kernel_moves(int *from, size_t size, bool is_over)
{
    ssize_t n = *from < (int)size ? *from : (int)size;
    *from -= (int)n;
    errno = EAGAIN;
    return n > 0 || is_over ? n : -1;
}

ssize_t recv(int number, void *buffer, size_t size, int flags)
{
    (void)flags;
    pthread_mutex_lock(&kernel.lock);
    struct kernel_fd *fd = kernel_fd(number);
    ssize_t n = kernel_moves(&fd->bytes, size, fd->hung_up);
    pthread_mutex_unlock(&kernel.lock);
    if (n > 0)
        *(char *)buffer = 'x';
    return n;
}

ssize_t send(int number, const void *buffer, size_t size, int flags)
{
    (void)flags;
    (void)*(const volatile char *)buffer;
    pthread_mutex_lock(&kernel.lock);
    ssize_t n = kernel_moves(&kernel_fd(number)->room, size, false);
    pthread_mutex_unlock(&kernel.lock);
    return n;
}

int shutdown(int number, int how)
{
    (void)how;
    pthread_mutex_lock(&kernel.lock);
    kernel_fd(number)->hung_up = true;
    kernel_edge(kernel_fd(number));
    pthread_mutex_unlock(&kernel.lock);
    return 0;
}

/* ---- poller.h */

int poller_init(struct poller *poller)
{
    CHECK(kernel.set_count < KERNEL_SETS, "no more epoll sets in this kernel");
    *poller = (struct poller){ .fd = ++kernel.set_count };
    return 0;
}

void poller_finish(struct poller *poller)
{
    poller->fd = -1;
}

static inline int kernel_watch(struct kernel_fd *fd, int set, uint32_t events,
                               void *user)
{
    if (kernel.failures_left > 0 && explore_choose(2) == 1) {
        kernel.failures_left--;
        return -ENOMEM;
    }
    fd->watched = true;
    fd->set = set;
    fd->interest = events;
    fd->user = user;
    if (kernel_bits(fd) & events)
        kernel_edge(fd);
    return 0;
}

int poller_add(struct poller *poller, int fd, uint32_t events, void *user)
{
    pthread_mutex_lock(&kernel.lock);
    int err = -EEXIST;
    if (!kernel_fd(fd)->watched)
        err = kernel_watch(kernel_fd(fd), poller->fd, events, user);
    pthread_mutex_unlock(&kernel.lock);
    return err;
}

int poller_modify(struct poller *poller, int fd, uint32_t events, void *user)
{
    pthread_mutex_lock(&kernel.lock);
    int err = -ENOENT;
    if (kernel_fd(fd)->watched)
        err = kernel_watch(kernel_fd(fd), poller->fd, events, user);
    pthread_mutex_unlock(&kernel.lock);
    return err;
}

int poller_remove(struct poller *poller, int fd)
{
    (void)poller;
    pthread_mutex_lock(&kernel.lock);
    bool there = kernel_fd(fd)->watched;
    kernel_fd(fd)->watched = false;
    kernel_fd(fd)->pending = false;
    pthread_mutex_unlock(&kernel.lock);
    return there ? 0 : -ENOENT;
}

static inline int kernel_report(struct poller_event *events, int set)
{
    int count = 0;
    for (int i = 0; i < kernel.fd_count; i++) {
        struct kernel_fd *fd = &kernel.fds[i];
        uint32_t bits = kernel_bits(fd) & fd->interest;
        if (!fd->watched || fd->set != set || !fd->pending || !bits)
            continue;
        fd->pending = false;
        events[count].raw.events = bits;
        events[count++].raw.data.ptr = fd->user;
    }
    return count;
}

/* Would a wait in one of the sets report something? When no other thread is left. */
static inline bool kernel_has_news(void)
{
    for (int i = 0; i < kernel.fd_count; i++)
        if (kernel.fds[i].watched && kernel.fds[i].pending &&
            kernel_bits(&kernel.fds[i]) & kernel.fds[i].interest)
            return true;
    return false;
}

int poller_wait(struct poller *poller, struct poller_event *events, int capacity,
                int64_t timeout_ns)
{
    uint64_t end = clock_after(clock_now(), (uint64_t)timeout_ns);
    struct timespec until = { .tv_sec = (time_t)(end / NS_PER_S),
                              .tv_nsec = (long)(end % NS_PER_S) };
    CHECK(capacity >= KERNEL_FDS, "room for %d events", capacity);
    pthread_mutex_lock(&kernel.lock);
    int n = kernel_report(events, poller->fd);
    bool late = timeout_ns == 0;
    while (n == 0 && !late) {
        if (timeout_ns < 0)
            pthread_cond_wait(&kernel.edge, &kernel.lock);
        else
            late = pthread_cond_timedwait(&kernel.edge, &kernel.lock, &until) != 0;
        n = kernel_report(events, poller->fd);
    }
    pthread_mutex_unlock(&kernel.lock);
    return n;
}

/* ---- notifier.h: a descriptor that is readable once it was notified */

int notifier_init(struct notifier *notifier)
{
    notifier->fd = kernel_new_fd(-1);
    return 0;
}

void notifier_finish(struct notifier *notifier)
{
    if (notifier)
        notifier->fd = -1;
}

void notifier_notify(struct notifier *notifier)
{
    kernel_arrives(notifier->fd, 1);
}

void notifier_drain(struct notifier *notifier)
{
    pthread_mutex_lock(&kernel.lock);
    kernel_fd(notifier->fd)->bytes = 0;
    pthread_mutex_unlock(&kernel.lock);
}

#endif
