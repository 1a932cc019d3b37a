/* task_home: the memory that a scheduler's tasks live in, and the mail of its LOCAL
 * ones.
 *
 * A home is what must outlive its scheduler: a waker may be dropped long after (W5). It
 * holds the slab, and it is how another thread reaches a LOCAL task, whose state word
 * only the home thread may touch: the other thread notes what it wants in the task's
 * `remote` word, under the home's lock, and posts the task into the mail; the home
 * thread collects.
 *
 * Life: create -> enter/leave by one thread at a time -> close (the scheduler lets go)
 * -> freed with its last task. Threads: as marked. */
#ifndef LESSON02_TASK_HOME_H
#define LESSON02_TASK_HOME_H

#include "common/thread_local.h"
#include "lesson02_wakers/scheduler.h"
#include "lesson02_wakers/slab.h"

struct task_home {
    struct slab slab; /* owns itself: the last slot's end frees this struct */
    /* immutable while open; guarded by lock when closing */
    struct scheduler *scheduler; /* borrows; NULL once closed */
    /* any thread, atomic */
    _Atomic bool has_mail;
    _Atomic bool entered;     /* some thread is the home thread now */
    _Atomic unsigned posting; /* threads that are about to tell the scheduler */
    /* guarded by lock */
    pthread_mutex_t lock;
    struct task *mail;         /* shares: LOCAL tasks that other threads wrote to */
    struct panic_note *panics; /* owns: why tasks panicked, until those are freed */
};

TLS_DECLARE(struct task_home *, task_home_here);

/* NULL: no memory. The creator owns the home until task_home_close. */
struct task_home *task_home_create(struct scheduler *scheduler);

/* The calling thread becomes the home thread; returns the home it was in before. */
struct task_home *task_home_enter(struct task_home *home);
void task_home_leave(struct task_home *home, struct task_home *before);

/* Is the calling thread the home thread? */
static inline bool task_home_is_here(const struct task_home *home)
{
    return TLS(task_home_here) == home;
}

/* Home thread: handles the mail; true when there was any. Cheap when there is none. */
bool task_home_collect(struct task_home *home);

/* The scheduler lets go: every task is DONE, no thread is home. The home is freed now
 * or with its last task. */
void task_home_close(struct task_home *home);

/* Waits until each thread that found a reason to tell the scheduler has done so. */
void task_home_wait_for_posts(struct task_home *home);

/* Visits each task that is not freed; home thread, or with the scheduler stopped. The
 * visit may wake and cancel tasks, but neither spawn nor free one. */
void task_home_each(struct task_home *home,
                    void (*visit)(struct task *task, void *argument), void *argument);

#endif
