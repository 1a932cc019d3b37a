/* notifier: an eventfd that turns "something happened" into a readable file descriptor.
 *
 * A thread that sleeps in epoll_wait or in io_uring_enter can only be woken through a
 * descriptor. The notifier's counter is a single bit for us: any number of notify calls
 * before a drain are one wake. Lesson 4 teaches it; lesson 3 needs it first.
 *
 * Threads: notify from any thread and from a signal handler; drain from the sleeper.
 * Errors: negative errno from init only. */
#ifndef COMMON_NOTIFIER_H
#define COMMON_NOTIFIER_H

struct notifier {
    int fd; /* owns; close-on-exec, non-blocking; -1 when not initialised */
};

int notifier_init(struct notifier *notifier);
void notifier_finish(struct notifier *notifier);

/* Makes the descriptor readable. A full counter means "already readable" and is no
 * error (RULES R8). Preserves errno. */
void notifier_notify(struct notifier *notifier);

/* Makes the descriptor unreadable again, if it was readable. */
void notifier_drain(struct notifier *notifier);

#endif
