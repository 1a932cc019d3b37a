/* semaphore: a number of permits, and a line of tasks that wait for some.
 *
 *     AWAIT(self->permit, semaphore_acquire(self->limit, 1));
 *     if (self->permit.result < 0) ...            // cancelled or closed: no permit held
 *     ... at most N tasks are here at a time ...
 *     semaphore_release(self->limit, 1);
 *
 * Fair: first come, first served; who asks for many is not overtaken for ever by those
 * who ask for one. A cancelled acquire holds nothing: what it had been given meanwhile
 * goes to the next in line (RULES W9). discard gives the permits back.
 *
 * Ownership: caller-owned memory; permits belong to whoever acquired them, any task may
 * release them. Threads: any. */
#ifndef LESSON07_SEMAPHORE_H
#define LESSON07_SEMAPHORE_H

#include "lesson02_wakers/wait_queue.h"

struct semaphore {
    struct wait_queue queue;
    /* guarded by queue.lock */
    size_t permits; /* that nobody has */
    bool closed;
};

/* Cannot fail. */
void semaphore_init(struct semaphore *semaphore, size_t permits);

/* Nobody may be waiting (CHECK). Accepts NULL and zeroed. */
void semaphore_finish(struct semaphore *semaphore);

/* Gives permits back, or adds new ones. */
void semaphore_release(struct semaphore *semaphore, size_t permits);

/* 0; -EAGAIN: not enough, or others wait in line; -EPIPE: closed. */
int semaphore_try_acquire(struct semaphore *semaphore, size_t permits);

/* Who waits gets -EPIPE, as does whoever asks from now on; permits that are out may
 * still be released. */
void semaphore_close(struct semaphore *semaphore);

/* A moment's truth. */
size_t semaphore_available(struct semaphore *semaphore);

struct semaphore_acquire {
    struct future future;
    struct semaphore *semaphore; /* borrows */
    size_t wanted;
    struct waiter waiter;
    bool cancelled;
    int result; /* output: 0: `wanted` permits are yours; -EPIPE; -ECANCELED */
};

struct semaphore_acquire semaphore_acquire(struct semaphore *semaphore, size_t permits);

#endif
