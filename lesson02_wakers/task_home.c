/* task_home: how other threads reach a LOCAL task.
 *
 * Problem: a LOCAL task's state is changed with plain loads and stores, but a waker may
 * be woken, cloned or dropped anywhere. Idea: other threads have a word of their own in
 * the task, `remote`: a note "wake it" and their share of the waker count, which may be
 * negative (a waker cloned at home and dropped elsewhere). They change it under the
 * home's lock; the home thread takes the notes when it collects the mail.
 *
 * Invariant: the number of wakers is the home's count plus the remote count, and a task
 * is in the mail exactly when REMOTE_MAIL is set. So a task is out of reach when it is
 * DONE, has no handle, both counts add up to 0, and it is not in the mail. The home
 * thread may read `remote` without the lock: if a reference elsewhere were still alive,
 * its count would show, since whoever holds a reference got it by a chain of hand-overs
 * that started at a counted one. */
#include "lesson02_wakers/task_home.h"

#include <sched.h>
#include <stdlib.h>

#include "lesson02_wakers/task_local.h"

TLS_DEFINE(struct task_home *, task_home_here);

enum {
    REMOTE_MAIL = 1 << 0, /* the task is in the mail */
    REMOTE_WAKE = 1 << 1, /* and is to be woken */
    REMOTE_ONE = 1 << 2,  /* one waker more than the home's count says */
};

static int32_t remote_count(uint32_t remote)
{
    return (int32_t)(remote & ~(uint32_t)(REMOTE_MAIL | REMOTE_WAKE)) / REMOTE_ONE;
}

static void home_end(struct slab *slab)
{
    struct task_home *home = container_of(slab, struct task_home, slab);
    CHECK(!home->panics, "a panic's text outlived its task");
    pthread_mutex_destroy(&home->lock);
    free(home);
}

struct task_home *task_home_create(struct scheduler *scheduler)
{
    struct task_home *home = calloc(1, sizeof *home);
    if (!home)
        return NULL;
    if (slab_init(&home->slab, home_end) < 0) {
        free(home);
        return NULL;
    }
    if (pthread_mutex_init(&home->lock, NULL) != 0) {
        pthread_mutex_destroy(&home->slab.lock);
        free(home);
        return NULL;
    }
    home->scheduler = scheduler;
    return home;
}

struct task_home *task_home_enter(struct task_home *home)
{
    struct task_home *before = TLS(task_home_here);
    /* acquire: pairs with the release in task_home_leave, of whoever was here before */
    CHECK(!atomic_exchange_explicit(&home->entered, true, memory_order_acquire),
          "two threads run the same executor at once");
    TLS(task_home_here) = home;
    slab_enter(&home->slab);
    return before;
}

void task_home_leave(struct task_home *home, struct task_home *before)
{
    TLS(task_home_here) = before;
    slab_leave(before ? &before->slab : NULL);
    /* release: pairs with the acquire in task_home_enter */
    atomic_store_explicit(&home->entered, false, memory_order_release);
}

/* In nearly all cases there is nobody; else it is a wait for the end of an unpark. */
void task_home_wait_for_posts(struct task_home *home)
{
    /* acquire: pairs with the release in remote_change */
    while (atomic_load_explicit(&home->posting, memory_order_acquire))
        sched_yield();
}

void task_home_close(struct task_home *home)
{
    pthread_mutex_lock(&home->lock);
    home->scheduler = NULL;
    struct task *mail = home->mail;
    home->mail = NULL;
    pthread_mutex_unlock(&home->lock);
    task_home_wait_for_posts(home); /* without a scheduler nobody joins them */
    while (mail) { /* all DONE: what is left is to count their references */
        struct task *next = mail->mail_next;
        task_local_merge(home, mail);
        mail = next;
    }
    slab_close(&home->slab);
}

struct each {
    void (*visit)(struct task *task, void *argument);
    void *argument;
};

static void visit_slot(void *slot, void *argument)
{
    struct each *each = argument;
    each->visit(slot, each->argument);
}

void task_home_each(struct task_home *home,
                    void (*visit)(struct task *task, void *argument), void *argument)
{
    struct each each = { visit, argument };
    slab_each(&home->slab, visit_slot, &each);
}

/* ---- LOCAL tasks, seen from home */

int32_t task_local_remote_wakers(const struct task *task)
{
    /* acquire: pairs with the release in remote_change; see the essay */
    uint32_t remote = atomic_load_explicit(&task->remote, memory_order_acquire);
    if (!(remote & REMOTE_MAIL))
        return remote_count(remote);
    /* A note is on its way, whatever the counts say: one more than home's half lacks. */
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed);
    return 1 - (int32_t)TASK_WAKERS(word);
}

/* No waker here, none elsewhere, and no note on its way. */
static bool nobody_can_wake(const struct task *task, uint32_t word)
{
    /* acquire: as above */
    uint32_t remote = atomic_load_explicit(&task->remote, memory_order_acquire);
    uint32_t wakers = TASK_WAKERS(word) + (uint32_t)remote_count(remote);
    return !(remote & REMOTE_MAIL) && (wakers & TASK_WAKERS(UINT32_MAX)) == 0;
}

bool task_local_unreachable(const struct task *task)
{
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed);
    if (!(word & TASK_DONE) || (word & TASK_HANDLE))
        return false;
    return nobody_can_wake(task, word);
}

bool task_local_abandoned(const struct task *task)
{
    uint32_t word = atomic_load_explicit(&task->state, memory_order_relaxed);
    return task_state_is_idle(word) && !(word & TASK_STALLED) &&
           nobody_can_wake(task, word);
}

/* Takes the notes of a task that was taken out of the mail. All of it under the lock:
 * once the home is closed, other threads change the state word there, too. */
void task_local_merge(struct task_home *home, struct task *task)
{
    pthread_mutex_lock(&home->lock);
    uint32_t remote = atomic_load_explicit(&task->remote, memory_order_relaxed);
    atomic_store_explicit(&task->remote, 0, memory_order_relaxed);
    task_state_add_wakers(&task->state, remote_count(remote));
    bool last = task_local_unreachable(task);
    bool wake = (remote & REMOTE_WAKE) || task_local_abandoned(task);
    pthread_mutex_unlock(&home->lock);
    if (last)
        task_free(task);
    else if (wake && task_is_live(task))
        task_local_wake(task);
}

bool task_home_collect(struct task_home *home)
{
    /* acquire: pairs with the release in remote_change */
    if (!atomic_load_explicit(&home->has_mail, memory_order_acquire))
        return false;
    pthread_mutex_lock(&home->lock);
    struct task *mail = home->mail;
    home->mail = NULL;
    atomic_store_explicit(&home->has_mail, false, memory_order_relaxed);
    pthread_mutex_unlock(&home->lock);
    bool any = mail != NULL;
    while (mail) {
        struct task *next = mail->mail_next;
        task_local_merge(home, mail);
        mail = next;
    }
    return any;
}

/* ---- LOCAL tasks, seen from another thread */

/* Changes the remote half. When nobody is home any more, the caller settles it himself,
 * still under the lock, which then guards the state word, too.
 *
 * The home thread is told after the lock is released: it wakes on another CPU at once, and
 * the first thing that it does is to take the lock. Told before, it would find it taken,
 * and go to sleep again (measured: two futex calls a wake, and twice the time). */
static void remote_change(struct task *task, int32_t wakers, bool wake, bool post)
{
    struct task_home *home = task_home_of(task);
    struct scheduler *tell = NULL;
    bool last = false;
    pthread_mutex_lock(&home->lock);
    uint32_t old = atomic_load_explicit(&task->remote, memory_order_relaxed);
    uint32_t new = old + (uint32_t)(wakers * REMOTE_ONE);
    if (!home->scheduler) {
        task_state_add_wakers(&task->state, wakers);
        last = task_local_unreachable(task);
    } else {
        new |= (wake ? REMOTE_WAKE : 0) | (post ? REMOTE_MAIL : 0);
        /* release: pairs with the acquires of the home thread, which may look at
         * `remote` without the lock */
        atomic_store_explicit(&task->remote, new, memory_order_release);
        if (post && !(old & REMOTE_MAIL)) {
            task->mail_next = home->mail;
            home->mail = task;
            /* release: pairs with the acquire in task_home_collect */
            atomic_store_explicit(&home->has_mail, true, memory_order_release);
            tell = home->scheduler;
            /* relaxed: ordered by the lock with task_home_close */
            atomic_fetch_add_explicit(&home->posting, 1, memory_order_relaxed);
        }
    }
    pthread_mutex_unlock(&home->lock);
    if (tell) { /* the task may be gone now, home and scheduler are not */
        tell->ops->post(tell, home);
        /* release: pairs with the acquire in task_home_close */
        atomic_fetch_sub_explicit(&home->posting, 1, memory_order_release);
    }
    if (last)
        task_free(task);
}

void task_remote_wake(struct task *task, bool consume)
{
    remote_change(task, consume ? -1 : 0, true, true);
}

void task_remote_clone(struct task *task)
{
    remote_change(task, 1, false, false);
}

void task_remote_drop(struct task *task)
{
    remote_change(task, -1, false, true);
}
