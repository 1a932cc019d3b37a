/* The hidden case of exercise 7.1: a receive that falls asleep twice. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson07_custom/mailbox.h"

static struct mailbox mailbox;
static struct sleeper sleepers[2];
static struct mailbox_recv receives[2];
static int out[2][4];

static void *send_two_batches(void *unused)
{
    explore_name("sender");
    EXPLORE_RULE("send", mailbox_try_send_batch(&mailbox, (int[]){ 1, 2 }, 2) == 2,
                 "there was room for two");
    EXPLORE_RULE("send", mailbox_try_send_batch(&mailbox, (int[]){ 3 }, 1) == 1,
                 "there was room for a third");
    return unused;
}

/* One receive after the other, each for at most two. */
static void two_batches_wake_once_each(void)
{
    pthread_t other;
    explore_name("receiver");
    CHECK(mailbox_init(&mailbox, 4, sizeof(int), NULL) == 0, "no mailbox");
    receives[0] = mailbox_recv(&mailbox, out[0], 2);
    receives[1] = mailbox_recv(&mailbox, out[1], 2);
    pthread_create(&other, NULL, send_two_batches, NULL);
    bool first_done = sleeper_poll(&sleepers[0], &receives[0].future);
    if (first_done)
        sleeper_poll(&sleepers[1], &receives[1].future);
    pthread_join(other, NULL);
    sleepers_run(sleepers, 1);
    if (!first_done && !sleepers[0].future)
        sleeper_poll(&sleepers[1], &receives[1].future);
    sleepers_end(sleepers, 2, "W1");
    int64_t n = receives[0].result;
    EXPLORE_RULE("once", n == 2 && receives[1].result == 1,
                 "2 and 1 were sent, and %ld and %ld received", (long)n,
                 (long)receives[1].result);
    EXPLORE_RULE("once", out[0][0] == 1 && out[0][1] == 2 && out[1][0] == 3,
                 "1 2 3 was sent, and %d %d %d received", out[0][0], out[0][1],
                 out[1][0]);
    mailbox_finish(&mailbox);
}

EXPLORE_MAIN({ .name = "two_batches_wake_once_each",
               .scenario = two_batches_wake_once_each,
               .rules = "W1",
               .models = 7 }, )
