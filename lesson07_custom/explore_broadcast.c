/* Every order of steps of a broadcast: a reader that waits or is behind, and senders that
 * do not care. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson05_reactor/explore_sleepers.h"
#include "lesson07_custom/broadcast.h"

static struct broadcast broadcast;
static struct sleeper sleepers[2];
static struct broadcast_reader readers[2];
static struct broadcast_recv receives[2];
static int got[2];

static void open_broadcast(size_t capacity)
{
    CHECK(broadcast_init(&broadcast, capacity, sizeof(int)) == 0, "no broadcast");
    for (int i = 0; i < 2; i++) {
        readers[i] = broadcast_subscribe(&broadcast);
        receives[i] = broadcast_recv(&readers[i], &got[i]);
        sleepers[i].waiter = &receives[i].waiter;
    }
}

static void close_broadcast(void)
{
    sleepers_end(sleepers, 2, "W1");
    broadcast_finish(&broadcast);
}

static void send_value(int value)
{
    EXPLORE_RULE("send", broadcast_send(&broadcast, &value) == 0, "not sent");
}

static void *sends_one(void *unused)
{
    explore_name("sender");
    send_value(1);
    return unused;
}

static void *sends_two(void *unused)
{
    explore_name("sender");
    send_value(1);
    send_value(2);
    return unused;
}

static void *sends_and_closes(void *unused)
{
    sends_one(unused);
    broadcast_close(&broadcast);
    return unused;
}

/* Every value to every reader. */
static void *first_reader_polls(void *unused)
{
    explore_name("first");
    sleeper_poll(&sleepers[0], &receives[0].future);
    return unused;
}

static void two_readers_against_send(void)
{
    pthread_t sender, reader;
    explore_name("second");
    open_broadcast(1);
    pthread_create(&sender, NULL, sends_one, NULL);
    pthread_create(&reader, NULL, first_reader_polls, NULL);
    sleeper_poll(&sleepers[1], &receives[1].future);
    pthread_join(sender, NULL);
    pthread_join(reader, NULL);
    close_broadcast();
    EXPLORE_RULE("once", got[0] == 1 && got[1] == 1, "one got %d, the other %d", got[0],
                 got[1]);
}

/* Room for one value, and two come: what is missed is counted. */
static void slow_reader_counts_what_it_missed(void)
{
    explore_name("reader");
    open_broadcast(1);
    sleeper_poll_against(&sleepers[0], &receives[0].future, sends_two);
    sleepers_run(sleepers, 1);
    EXPLORE_RULE("once", got[0] == 1 + (int)receives[0].missed, "value %d, %lu missed",
                 got[0], (unsigned long)receives[0].missed);
    close_broadcast();
}

static void reader_against_close(void)
{
    explore_name("reader");
    open_broadcast(1);
    sleeper_poll_against(&sleepers[0], &receives[0].future, sends_and_closes);
    sleepers_run(sleepers, 1);
    EXPLORE_RULE("close", receives[0].result == 0 && got[0] == 1,
                 "closed, and what was sent is lost: %d", receives[0].result);
    close_broadcast();
}

/* A cancelled receive leaves the reader where it stood. */
static void cancelled_reader_stands_still(void)
{
    pthread_t sender;
    explore_name("reader");
    open_broadcast(1);
    pthread_create(&sender, NULL, sends_one, NULL);
    sleeper_poll(&sleepers[0], &receives[0].future);
    sleeper_cancel(&sleepers[0]);
    pthread_join(sender, NULL);
    uint64_t taken = receives[0].result == 0;
    EXPLORE_RULE("W9", readers[0].next == taken, "%lu taken, and the reader is at %lu",
                 (unsigned long)taken, (unsigned long)readers[0].next);
    close_broadcast();
}

/* Ready by a poll that nobody asked for, while the sender is at work. */
static void reader_polled_again_against_send(void)
{
    pthread_t sender;
    explore_name("reader");
    open_broadcast(2);
    pthread_create(&sender, NULL, sends_one, NULL);
    sleeper_poll_twice(&sleepers[0], &receives[0].future);
    pthread_join(sender, NULL);
    close_broadcast();
    EXPLORE_RULE("once", got[0] == 1, "the first is %d", got[0]);
}

#define BROADCAST_CASE(scenario_name, what)                                            \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name, .rules = what, .models = 7, \
    }

EXPLORE_MAIN(BROADCAST_CASE(two_readers_against_send, "W1"),
             BROADCAST_CASE(slow_reader_counts_what_it_missed, "W1"),
             BROADCAST_CASE(reader_against_close, "W1"),
             BROADCAST_CASE(cancelled_reader_stands_still, "W9"),
             BROADCAST_CASE(reader_polled_again_against_send, "W1, F3"), )
