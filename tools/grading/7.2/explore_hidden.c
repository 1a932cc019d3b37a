/* The hidden case of exercise 7.2: the two ways to leave the line, at once. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson07_custom/semaphore.h"

static struct semaphore semaphore;
static struct sleeper sleepers[2];
static struct semaphore_acquire acquires[2];

static void *close_it(void *unused)
{
    explore_name("closes");
    semaphore_close(&semaphore);
    return unused;
}

/* Two wait for two permits each, one is free; the first is cancelled. */
static void cancel_against_close(void)
{
    pthread_t other;
    explore_name("cancelled");
    semaphore_init(&semaphore, 1);
    for (int i = 0; i < 2; i++) {
        acquires[i] = semaphore_acquire(&semaphore, 2);
        sleepers[i].waiter = &acquires[i].waiter;
        sleeper_poll(&sleepers[i], &acquires[i].future);
    }
    pthread_create(&other, NULL, close_it, NULL);
    sleeper_cancel(&sleepers[0]);
    pthread_join(other, NULL);
    sleepers_end(sleepers, 2, "W9");
    EXPLORE_RULE("close", acquires[0].result < 0, "cancelled, and its result is %d",
                 acquires[0].result);
    EXPLORE_RULE("close", acquires[1].result == -EPIPE,
                 "closed, and the result is %d and not -EPIPE", acquires[1].result);
    size_t left = semaphore_available(&semaphore);
    EXPLORE_RULE("count", left == 1, "1 permit was there, and now there are %zu", left);
    semaphore_finish(&semaphore);
}

EXPLORE_MAIN({ .name = "cancel_against_close",
               .scenario = cancel_against_close,
               .rules = "W9",
               .models = 7 }, )
