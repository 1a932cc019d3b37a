/* Every order of steps of a mailbox: one sends, one receives, and either may sleep. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson07_custom/mailbox.h"

static struct mailbox mailbox;
static struct sleeper sleepers[2];
static struct mailbox_send sends[2];
static struct mailbox_recv receives;
static int in[2], out[4];
static int64_t taken[2];

static void open_mailbox(size_t capacity)
{
    CHECK(mailbox_init(&mailbox, capacity, sizeof(int), NULL) == 0, "no mailbox");
    receives = mailbox_recv(&mailbox, out, 4);
}

/* Runs the body beside the first poll of `future`, and then whoever was woken. */
static void against(void *(*body)(void *), struct future *future)
{
    sleeper_poll_against(&sleepers[0], future, body);
    sleepers_end(sleepers, 2, "W1");
    mailbox_finish(&mailbox);
}

/* ---- the receiver sleeps */

static void *send_one(void *unused)
{
    explore_name("sender");
    in[0] = 7;
    EXPLORE_RULE("send", mailbox_try_send(&mailbox, in) == 0, "there was room");
    return unused;
}

static void receive_against_send(void)
{
    explore_name("receiver");
    open_mailbox(2);
    against(send_one, &receives.future);
    EXPLORE_RULE("once", receives.result == 1 && out[0] == 7, "%ld received, %d",
                 (long)receives.result, out[0]);
}

static void *send_and_close(void *unused)
{
    send_one(unused);
    mailbox_close_sender(&mailbox);
    return unused;
}

/* What was sent is received first, then comes -EPIPE. */
static void receive_against_close(void)
{
    explore_name("receiver");
    open_mailbox(2);
    against(send_and_close, &receives.future);
    EXPLORE_RULE("close", receives.result == 1 && out[0] == 7,
                 "closed, and what was sent before is lost");
}

static void *close_sender(void *unused)
{
    explore_name("sender");
    mailbox_close_sender(&mailbox);
    return unused;
}

static void wait_against_close(void)
{
    explore_name("receiver");
    open_mailbox(2);
    against(close_sender, &receives.future);
    EXPLORE_RULE("close", receives.result == -EPIPE, "%ld and not -EPIPE",
                 (long)receives.result);
}

/* A cancelled receive has taken nothing. */
static void cancel_against_send(void)
{
    pthread_t other;
    explore_name("receiver");
    open_mailbox(2);
    pthread_create(&other, NULL, send_one, NULL);
    sleeper_poll(&sleepers[0], &receives.future);
    sleeper_cancel(&sleepers[0]);
    pthread_join(other, NULL);
    sleepers_end(sleepers, 1, "W1");
    int64_t left = mailbox_try_recv_batch(&mailbox, out + 1, 1);
    EXPLORE_RULE("once", (receives.result == 1) != (left == 1),
                 "received %ld, and left %ld", (long)receives.result, (long)left);
    mailbox_finish(&mailbox);
}

/* ---- the sender sleeps */

static void *take_one(void *unused)
{
    explore_name("receiver");
    taken[0] = mailbox_try_recv_batch(&mailbox, out, 1);
    return unused;
}

/* Full; `n` sends are waiting to be the next. */
static void open_full_mailbox(int n)
{
    open_mailbox(1);
    in[0] = 7;
    in[1] = 8;
    mailbox_try_send(&mailbox, (int[]){ 6 });
    for (int i = 0; i < n; i++)
        sends[i] = mailbox_send(&mailbox, &in[i]);
}

static void send_against_take(void)
{
    explore_name("sender");
    open_full_mailbox(1);
    against(take_one, &sends[0].future);
    EXPLORE_RULE("once", taken[0] == 1 && out[0] == 6, "what was first is not first");
    EXPLORE_RULE("send", sends[0].result == 0, "there was room: %d", sends[0].result);
}

static void *close_receiver(void *unused)
{
    explore_name("receiver");
    mailbox_close_receiver(&mailbox);
    return unused;
}

static void send_against_close(void)
{
    explore_name("sender");
    open_full_mailbox(1);
    against(close_receiver, &sends[0].future);
    EXPLORE_RULE("close", sends[0].result == -EPIPE, "%d and not -EPIPE",
                 sends[0].result);
}

/* The first in line is cancelled while room is made for it: the second gets it. */
static void two_sends_one_cancelled(void)
{
    pthread_t other;
    explore_name("sender");
    open_full_mailbox(2);
    sleeper_poll(&sleepers[0], &sends[0].future);
    sleeper_poll(&sleepers[1], &sends[1].future);
    pthread_create(&other, NULL, take_one, NULL);
    sleeper_cancel(&sleepers[0]);
    pthread_join(other, NULL);
    sleepers_end(sleepers, 2, "W9");
    EXPLORE_RULE("send", sends[1].result == 0, "the second send ends with %d",
                 sends[1].result);
    mailbox_finish(&mailbox);
}

/* ---- nobody sleeps: the slots change hands */

static void *send_two(void *unused)
{
    int some[3] = { 7, 8, 9 };
    explore_name("sender");
    taken[0] = mailbox_try_send_batch(&mailbox, some, 2);
    taken[1] = mailbox_try_send_batch(&mailbox, some + 2, 1);
    return unused;
}

/* Two slots, one of them full; three messages more, as far as there is room. */
static void slots_are_handed_over(void)
{
    pthread_t other;
    explore_name("receiver");
    open_mailbox(2);
    mailbox_try_send(&mailbox, (int[]){ 6 });
    pthread_create(&other, NULL, send_two, NULL);
    int64_t n = mailbox_try_recv_batch(&mailbox, out, 2);
    int64_t more = mailbox_try_recv_batch(&mailbox, out + n, 2);
    n += more > 0 ? more : 0;
    pthread_join(other, NULL);
    more = n < 4 ? mailbox_try_recv_batch(&mailbox, out + n, 4 - (size_t)n) : 0;
    n += more > 0 ? more : 0;
    int sent = 1;
    for (int i = 0; i < 2; i++)
        sent += taken[i] > 0 ? (int)taken[i] : 0;
    EXPLORE_RULE("once", n == sent, "%d sent, %ld received", sent, (long)n);
    for (int i = 0; i < n; i++)
        EXPLORE_RULE("once", i == 0 ? out[i] == 6 : out[i] > out[i - 1],
                     "message %d is %d", i, out[i]);
    mailbox_finish(&mailbox);
}

#define MAILBOX_CASE(scenario_name, what)                                              \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name, .rules = what, .models = 7, \
    }

EXPLORE_MAIN(MAILBOX_CASE(receive_against_send, "W1"),
             MAILBOX_CASE(receive_against_close, "W1"),
             MAILBOX_CASE(wait_against_close, "W1"),
             MAILBOX_CASE(cancel_against_send, "W8"),
             MAILBOX_CASE(send_against_take, "W1"),
             MAILBOX_CASE(send_against_close, "W1"),
             MAILBOX_CASE(two_sends_one_cancelled, "W9"),
             MAILBOX_CASE(slots_are_handed_over, ""), )
