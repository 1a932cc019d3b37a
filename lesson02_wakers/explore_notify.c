/* Every order of steps of notify and the async mutex, on one line of waiters each: who
 * waits, who is told, who is cancelled in between. The waiters stand in memory that is
 * freed as soon as they are READY. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/mutex.h"
#include "lesson02_wakers/notify.h"
#include "lesson02_wakers/waker_probe.h"

static struct notify notify;
static struct async_mutex mutex;
static struct waker_probe probe, second_probe;
static _Atomic bool changed;
static int guarded; /* plain: by the async mutex */

static void *tell_one(void *unused)
{
    explore_name("teller");
    /* relaxed: notify's lock orders it */
    atomic_store_explicit(&changed, true, memory_order_relaxed);
    notify_one(&notify);
    return unused;
}

static void *tell_all(void *unused)
{
    explore_name("teller");
    atomic_store_explicit(&changed, true, memory_order_relaxed);
    notify_all(&notify);
    return unused;
}

static struct notify_wait *new_wait(void)
{
    struct notify_wait *wait = malloc(sizeof *wait);
    *wait = notify_wait(&notify);
    return wait;
}

/* READY: the frame goes at once. */
static bool poll_wait(struct waker_probe *mine, struct notify_wait **wait, int *result)
{
    if (probe_poll(mine, &(*wait)->future) == POLL_PENDING)
        return false;
    *result = (*wait)->result;
    free(*wait);
    *wait = NULL;
    return true;
}

static struct notify_wait *wait_in_line(struct waker_probe *mine)
{
    struct notify_wait *wait = new_wait();
    probe_poll(mine, &wait->future);
    return wait;
}

static void check_the_end(void)
{
    long live = probe_read(&probe.live) + probe_read(&second_probe.live);
    EXPLORE_RULE("W5", live == 0, "%ld wakers are left over", live);
    notify_finish(&notify);
}

/* Who waits must have been woken, and not for nothing. */
static void check_woken(struct waker_probe *mine, struct notify_wait **wait)
{
    int result;
    if (!*wait)
        return;
    EXPLORE_RULE("W1", probe_read(&mine->wakes) == 1,
                 "it waits, and the notify woke nobody");
    EXPLORE_RULE("W1", poll_wait(mine, wait, &result), "it was woken for nothing");
}

/* ---- notify */

static void begin(void)
{
    explore_name("waiter");
    notify_init(&notify);
}

/* It waits, or is in the middle of it, or has not begun: notify_one is not missed. */
static void wait_against_notify_one(void)
{
    pthread_t other;
    int result;
    begin();
    pthread_create(&other, NULL, tell_one, NULL);
    struct notify_wait *wait = new_wait();
    poll_wait(&probe, &wait, &result);
    pthread_join(other, NULL);
    check_woken(&probe, &wait);
    check_the_end();
}

/* The ticket, then the look, then the wait: notify_all is not missed either. */
static void ticket_against_notify_all(void)
{
    pthread_t other;
    int result;
    begin();
    pthread_create(&other, NULL, tell_all, NULL);
    struct notify_wait *wait = new_wait();
    /* relaxed: the ticket's acquire orders it, if it is of the new round */
    if (!atomic_load_explicit(&changed, memory_order_relaxed)) {
        poll_wait(&probe, &wait, &result);
    } else {
        free(wait);
        wait = NULL;
    }
    pthread_join(other, NULL);
    check_woken(&probe, &wait);
    check_the_end();
}

/* Two in line; the first is cancelled while one of them is told. */
static void cancel_against_notify_one(void)
{
    pthread_t other;
    int result;
    begin();
    struct notify_wait *first = wait_in_line(&probe);
    struct notify_wait *second = wait_in_line(&second_probe);
    pthread_create(&other, NULL, tell_one, NULL);
    future_cancel(&first->future);
    EXPLORE_RULE("W12", poll_wait(&probe, &first, &result) && result == -ECANCELED,
                 "cancelled, and it waits");
    pthread_join(other, NULL);
    EXPLORE_RULE("W9", probe_read(&second_probe.wakes) == 1,
                 "the permit went to the one that was cancelled, and no further");
    check_woken(&second_probe, &second);
    check_the_end();
}

/* Two notifies for two in line: each ends one wait, none is merged. */
static void two_waits_against_two_notifies(void)
{
    pthread_t one, two;
    int result;
    begin();
    struct notify_wait *first = wait_in_line(&probe);
    struct notify_wait *second = wait_in_line(&second_probe);
    pthread_create(&one, NULL, tell_one, NULL);
    pthread_create(&two, NULL, tell_one, NULL);
    poll_wait(&probe, &first, &result);
    pthread_join(one, NULL);
    pthread_join(two, NULL);
    check_woken(&probe, &first);
    check_woken(&second_probe, &second);
    check_the_end();
}

/* ---- the async mutex */

static void *lock_now_and_unlock(void *unused)
{
    explore_name("other");
    if (async_mutex_try_lock(&mutex)) {
        guarded++;
        async_mutex_unlock(&mutex);
    }
    return unused;
}

static void *unlock(void *unused)
{
    explore_name("owner");
    guarded++;
    async_mutex_unlock(&mutex);
    return unused;
}

static void count_and_unlock(void)
{
    guarded++;
    async_mutex_unlock(&mutex);
    async_mutex_finish(&mutex);
}

/* Locked by somebody who puts it down while we get in line. */
static void lock_against_unlock(void)
{
    pthread_t owner, other;
    explore_name("waiter");
    async_mutex_init(&mutex);
    async_mutex_try_lock(&mutex);
    pthread_create(&owner, NULL, unlock, NULL);
    pthread_create(&other, NULL, lock_now_and_unlock, NULL);
    struct async_mutex_lock lock = async_mutex_lock(&mutex);
    bool ready = probe_poll(&probe, &lock.future) == POLL_READY;
    pthread_join(owner, NULL);
    pthread_join(other, NULL);
    EXPLORE_RULE("W1", ready || probe_read(&probe.wakes) == 1,
                 "it waits for a lock, and nobody woke it");
    EXPLORE_RULE("W1", ready || probe_poll(&probe, &lock.future) == POLL_READY,
                 "woken, and the lock is not its own");
    count_and_unlock();
}

/* In line, and cancelled while the lock is handed over: whose is it? (F6) */
static void cancel_against_hand_over(void)
{
    pthread_t owner;
    explore_name("waiter");
    async_mutex_init(&mutex);
    async_mutex_try_lock(&mutex);
    struct async_mutex_lock lock = async_mutex_lock(&mutex);
    probe_poll(&probe, &lock.future);
    pthread_create(&owner, NULL, unlock, NULL);
    future_cancel(&lock.future);
    EXPLORE_RULE("W12", probe_poll(&probe, &lock.future) == POLL_READY,
                 "cancelled, and it waits");
    bool ours = lock.result == 0;
    pthread_join(owner, NULL);
    EXPLORE_RULE("W9", ours || async_mutex_try_lock(&mutex),
                 "the lock was handed to nobody, and is locked for ever");
    count_and_unlock();
}

EXPLORE_MAIN({ .name = "wait_against_notify_one",
               .scenario = wait_against_notify_one,
               .rules = "W1",
               .models = 7 },
             { .name = "ticket_against_notify_all",
               .scenario = ticket_against_notify_all,
               .rules = "W1",
               .models = 7 },
             { .name = "cancel_against_notify_one",
               .scenario = cancel_against_notify_one,
               .rules = "W9",
               .models = 7 },
             { .name = "two_waits_against_two_notifies",
               .scenario = two_waits_against_two_notifies,
               .rules = "W1",
               .models = 7 },
             { .name = "lock_against_unlock",
               .scenario = lock_against_unlock,
               .rules = "W1",
               .models = 7 },
             { .name = "cancel_against_hand_over",
               .scenario = cancel_against_hand_over,
               .rules = "W9",
               .models = 7 }, )
