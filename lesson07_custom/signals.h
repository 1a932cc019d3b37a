/* signals: waiting for a signal as one waits for a byte.
 *
 *     sigset_t set;
 *     signals_block(&set, (int[]){ SIGTERM, SIGINT }, 2);   // first thing in main()
 *     ...
 *     err = signals_open(&self->signals, &set);
 *     AWAIT(self->wait, signals_next(&self->signals));
 *     if (self->wait.result == SIGTERM) ...
 *     signals_finish(&self->signals);
 *
 * A signal handler may do next to nothing; a descriptor (signalfd) can be awaited, and
 * what follows is ordinary code. Block the signals first, in every thread: one that is
 * not blocked is delivered the old way, and its default action ends the process before
 * the descriptor is ever asked. Threads inherit the mask of who creates them, hence: in
 * main(), before the runtime.
 *
 * Signals of one number that come while one is pending are one (that is how they are).
 *
 * Ownership: caller-owned memory; owns the source while open. Threads: one wait at a
 * time (-EBUSY), on a thread with I/O services. Errors: negative errno. */
#ifndef LESSON07_SIGNALS_H
#define LESSON07_SIGNALS_H

#include <signal.h>
#include <sys/signalfd.h>

#include "lesson01_futures/async.h"
#include "lesson05_reactor/io.h"

/* Makes the set and blocks it in the calling thread. -EINVAL: no such signal. */
int signals_block(sigset_t *set, const int *numbers, size_t count);

struct signals {
    struct io_source *source; /* owns; NULL: not open */
};

int signals_open(struct signals *signals, const sigset_t *set);

/* At once, where nothing can be awaited. Accepts NULL, zeroed, and twice. */
void signals_finish(struct signals *signals);

struct signals_next {
    ASYNC_FRAME;
    struct signals *signals;      /* borrows */
    struct signalfd_siginfo info; /* output: who sent it, and more */
    int result;                   /* output: the signal's number */
    struct io_op op;
};

struct signals_next signals_next(struct signals *signals);

#endif
