/* Every order of steps of a oneshot: its two ends on two threads. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/oneshot.h"
#include "lesson02_wakers/waker_probe.h"

static struct oneshot_sender sender;
static struct oneshot_receiver receiver;
static struct waker_probe probe;

/* The value: a block that exactly one of them frees. */
static int *new_value(void)
{
    int *value = malloc(sizeof *value);
    *value = 7;
    return value;
}

static void *send(void *unused)
{
    explore_name("sender");
    int *value = new_value();
    if (oneshot_send(&sender, value) < 0)
        free(value);
    return unused;
}

static void *send_nothing(void *unused)
{
    explore_name("sender");
    oneshot_sender_drop(&sender);
    return unused;
}

static void open_ends(void)
{
    explore_name("receiver");
    oneshot_create(&sender, &receiver, free);
}

static void take(void *value)
{
    EXPLORE_RULE("W11", *(int *)value == 7, "another value came than was sent");
    free(value);
}

static void check_wakers(void)
{
    long live = probe_read(&probe.live);
    EXPLORE_RULE("W5", live == 0, "%ld wakers are left over", live);
}

/* One poll; if it says PENDING, a second one once the sender is through. */
static int receive_once_it_came(pthread_t other, void **value)
{
    struct oneshot_receive wait = oneshot_receive(&receiver);
    bool waits = probe_poll(&probe, &wait.future) == POLL_PENDING;
    pthread_join(other, NULL);
    if (waits) {
        EXPLORE_RULE("W1", probe_read(&probe.wakes) == 1,
                     "the receiver sleeps, and the sender found no waker");
        EXPLORE_RULE("W1", probe_poll(&probe, &wait.future) == POLL_READY,
                     "the receiver was woken for nothing");
    }
    *value = wait.value;
    return wait.result;
}

static void receive_against_send(void)
{
    pthread_t other;
    void *value;
    open_ends();
    pthread_create(&other, NULL, send, NULL);
    EXPLORE_RULE("W11", receive_once_it_came(other, &value) == 0, "the value is lost");
    take(value);
    oneshot_receiver_drop(&receiver);
    check_wakers();
}

static void receive_against_sender_drop(void)
{
    pthread_t other;
    void *value;
    open_ends();
    pthread_create(&other, NULL, send_nothing, NULL);
    EXPLORE_RULE("W11", receive_once_it_came(other, &value) == -EPIPE,
                 "a value came that nobody sent");
    oneshot_receiver_drop(&receiver);
    check_wakers();
}

/* What was sent before the close can still be received; what was not, stays with the
 * sender, who is told so. The leak check counts the values. */
static void close_against_send(void)
{
    pthread_t other;
    void *value;
    open_ends();
    pthread_create(&other, NULL, send, NULL);
    oneshot_close(&receiver);
    int got = oneshot_try_receive(&receiver, &value);
    EXPLORE_RULE("W11", got != -EAGAIN, "closed, and something may still come");
    if (got == 0)
        take(value);
    pthread_join(other, NULL);
    oneshot_receiver_drop(&receiver);
}

/* Both ends are given up at once: who is last frees the block, once. */
static void receiver_drop_against_send(void)
{
    pthread_t other;
    open_ends();
    pthread_create(&other, NULL, send, NULL);
    oneshot_receiver_drop(&receiver);
    pthread_join(other, NULL);
}

static void both_ends_dropped(void)
{
    pthread_t other;
    open_ends();
    pthread_create(&other, NULL, send_nothing, NULL);
    oneshot_receiver_drop(&receiver);
    pthread_join(other, NULL);
}

/* A receive that waits is cancelled while the value comes: it stays to be received. */
static void cancel_against_send(void)
{
    pthread_t other;
    open_ends();
    struct oneshot_receive wait = oneshot_receive(&receiver);
    probe_poll(&probe, &wait.future);
    pthread_create(&other, NULL, send, NULL);
    future_cancel(&wait.future);
    EXPLORE_RULE("W12", probe_poll(&probe, &wait.future) == POLL_READY,
                 "cancelled, and it waits");
    oneshot_receiver_drop(&receiver);
    pthread_join(other, NULL);
    check_wakers();
}

/* Three operations against one: wait, close, take what came. */
static void wait_close_receive_against_send(void)
{
    pthread_t other;
    void *value;
    open_ends();
    pthread_create(&other, NULL, send, NULL);
    struct oneshot_receive wait = oneshot_receive(&receiver);
    int got = -EAGAIN;
    if (probe_poll(&probe, &wait.future) == POLL_READY) {
        got = wait.result;
        value = wait.value;
    } else {
        oneshot_close(&receiver);
        got = oneshot_try_receive(&receiver, &value);
    }
    if (got == 0)
        take(value);
    oneshot_receiver_drop(&receiver);
    pthread_join(other, NULL);
    check_wakers();
}

EXPLORE_MAIN({ .name = "receive_against_send",
               .scenario = receive_against_send,
               .rules = "W1, W11",
               .models = 7 },
             { .name = "receive_against_sender_drop",
               .scenario = receive_against_sender_drop,
               .rules = "W1, W11",
               .models = 7 },
             { .name = "close_against_send",
               .scenario = close_against_send,
               .rules = "W11",
               .models = 7 },
             { .name = "receiver_drop_against_send",
               .scenario = receiver_drop_against_send,
               .rules = "W11",
               .models = 7 },
             { .name = "both_ends_dropped",
               .scenario = both_ends_dropped,
               .rules = "W11",
               .models = 7 },
             { .name = "cancel_against_send",
               .scenario = cancel_against_send,
               .rules = "W11, W12",
               .models = 7 },
             { .name = "wait_close_receive_against_send",
               .scenario = wait_close_receive_against_send,
               .rules = "W1, W11",
               .models = 7 }, )
