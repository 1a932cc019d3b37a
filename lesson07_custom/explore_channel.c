/* Every order of steps of a channel: sends and receives that wait, are cancelled, or meet
 * the end. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson07_custom/channel.h"

static struct channel *channel;
static struct sleeper sleepers[2];
static struct channel_send sends[2];
static struct channel_recv receives[2];
static const int values[3] = { 7, 8, 9 };
static int out[3];
static _Atomic int dropped;

static void count_drop(void *value)
{
    (void)value;
    atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
}

static void open_channel(size_t capacity)
{
    struct channel_config config = { .capacity = capacity,
                                     .value_size = sizeof(int),
                                     .drop = count_drop };
    CHECK(channel_create(&channel, &config) == 0, "no channel");
    for (int i = 0; i < 2; i++) {
        sends[i] = channel_send(channel, &values[i]);
        receives[i] = channel_recv(channel, &out[i]);
    }
}

static void sleeper_sends(int which)
{
    sleepers[which].waiter = &sends[which].waiter;
    sleeper_poll(&sleepers[which], &sends[which].future);
}

static void sleeper_receives(int which)
{
    sleepers[which].waiter = &receives[which].waiter;
    sleeper_poll(&sleepers[which], &receives[which].future);
}

/* All is over, and there is one share of each side left. */
static void close_channel(const char *rule)
{
    sleepers_end(sleepers, 2, rule);
    channel_drop_sender(channel);
    channel_drop_receiver(channel);
}

/* ---- a receiver waits */

static void *send_first(void *unused)
{
    explore_name("sender");
    EXPLORE_RULE("send", channel_try_send(channel, &values[0]) == 0, "no room");
    return unused;
}

static void receive_against_send(void)
{
    pthread_t other;
    explore_name("receiver");
    open_channel(1);
    pthread_create(&other, NULL, send_first, NULL);
    sleeper_receives(0);
    pthread_join(other, NULL);
    close_channel("W1");
    EXPLORE_RULE("once", receives[0].result == 0 && out[0] == 7, "%d received", out[0]);
}

static void *send_and_drop(void *unused)
{
    send_first(unused);
    channel_drop_sender(channel);
    return unused;
}

/* What was sent before the end is received before the end. */
static void receive_against_the_end(void)
{
    pthread_t other;
    explore_name("receiver");
    open_channel(1);
    pthread_create(&other, NULL, send_and_drop, NULL);
    sleeper_receives(0);
    pthread_join(other, NULL);
    sleepers_end(sleepers, 2, "W1");
    EXPLORE_RULE("close", receives[0].result == 0 && out[0] == 7,
                 "the end came before what was sent: %d", receives[0].result);
    channel_drop_receiver(channel);
}

/* Two are in line. The first is granted a look and is cancelled: the second gets it. */
static void *cancel_first(void *unused)
{
    explore_name("cancelled");
    sleeper_cancel(&sleepers[0]);
    return unused;
}

static void granted_look_is_passed_on(void)
{
    pthread_t other;
    explore_name("sender");
    open_channel(1);
    sleeper_receives(0);
    sleeper_receives(1);
    pthread_create(&other, NULL, cancel_first, NULL);
    send_first(NULL);
    pthread_join(other, NULL);
    close_channel("W9");
    EXPLORE_RULE("once", receives[1].result == 0 && out[1] == 7,
                 "the value went to nobody");
}

/* Somebody who did not wait takes the value that a waiting receiver was told of. */
static void *take_one(void *unused)
{
    explore_name("taker");
    if (channel_try_recv(channel, &out[2]) == -EAGAIN)
        out[2] = 0;
    return unused;
}

static void receive_against_taker_and_sender(void)
{
    pthread_t sender, taker;
    explore_name("receiver");
    open_channel(2);
    pthread_create(&sender, NULL, send_first, NULL);
    pthread_create(&taker, NULL, take_one, NULL);
    sleeper_receives(0);
    pthread_join(sender, NULL);
    pthread_join(taker, NULL);
    sleepers_run(sleepers, 1);
    bool waits = sleepers[0].future;
    EXPLORE_RULE("once", waits == (out[2] == 7), "the value is received %d times",
                 !waits + (out[2] == 7));
    channel_close(channel);
    close_channel("W1");
}

/* ---- a sender waits */

static void send_against_take(void)
{
    pthread_t other;
    explore_name("sender");
    open_channel(1);
    channel_try_send(channel, &values[2]);
    pthread_create(&other, NULL, take_one, NULL);
    sleeper_sends(0);
    pthread_join(other, NULL);
    close_channel("W1");
    EXPLORE_RULE("send", sends[0].result == 0, "not sent: %d", sends[0].result);
    EXPLORE_RULE("once", out[2] == 9 && dropped == 1, "%d values are gone",
                 1 - dropped);
}

/* A cancelled send that says -ECANCELED was not sent; one that says 0 was. */
static void cancelled_send_against_take(void)
{
    pthread_t other;
    explore_name("sender");
    open_channel(1);
    channel_try_send(channel, &values[2]);
    pthread_create(&other, NULL, take_one, NULL);
    sleeper_sends(0);
    sleeper_cancel(&sleepers[0]);
    pthread_join(other, NULL);
    close_channel("W1");
    EXPLORE_RULE("once", dropped == (sends[0].result == 0),
                 "the send says %d, and the channel held %d values", sends[0].result,
                 dropped);
}

static void *close_it(void *unused)
{
    explore_name("receiver");
    channel_drop_receiver(channel);
    return unused;
}

/* The receiving side goes while a send waits. The value is the sender's again, and the last
 * share frees the channel. */
static void send_against_the_end(void)
{
    pthread_t other;
    explore_name("sender");
    open_channel(1);
    channel_try_send(channel, &values[2]);
    pthread_create(&other, NULL, close_it, NULL);
    sleeper_sends(0);
    pthread_join(other, NULL);
    sleepers_end(sleepers, 2, "W1");
    EXPLORE_RULE("close", sends[0].result == -EPIPE, "%d, not -EPIPE", sends[0].result);
    EXPLORE_RULE("once", dropped == 1, "%d of 1 values dropped", dropped);
    channel_drop_sender(channel);
}

/* ---- shares */

static void both_sides_leave(void)
{
    pthread_t other;
    explore_name("sender");
    open_channel(2);
    pthread_create(&other, NULL, close_it, NULL);
    int err = channel_try_send(channel, &values[0]);
    channel_drop_sender(channel);
    pthread_join(other, NULL);
    EXPLORE_RULE("once", dropped == (err == 0),
                 "the send says %d, and %d values were dropped", err, dropped);
}

#define CHANNEL_CASE(scenario_name, what)                                              \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name, .rules = what, .models = 7, \
    }

EXPLORE_MAIN({ .name = "channel_receive_against_send",
               .scenario = receive_against_send,
               .rules = "W1",
               .models = 7 },
             CHANNEL_CASE(receive_against_the_end, "W1"),
             CHANNEL_CASE(granted_look_is_passed_on, "W9"),
             CHANNEL_CASE(receive_against_taker_and_sender, "W1"),
             { .name = "channel_send_against_take",
               .scenario = send_against_take,
               .rules = "W1",
               .models = 7 },
             CHANNEL_CASE(cancelled_send_against_take, "W9"),
             CHANNEL_CASE(send_against_the_end, "W1"),
             CHANNEL_CASE(both_sides_leave, ""), )
