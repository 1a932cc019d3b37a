/* What the hidden tests of exercise 2.2 ask, in every order of steps: whether a receive
 * that was polled with one waker and then with another, and one that follows a
 * cancelled one, is woken by a send. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/oneshot.h"
#include "lesson02_wakers/waker_probe.h"

static struct oneshot_sender sender;
static struct oneshot_receiver receiver;
static struct waker_probe first, second;
static int seven = 7;

static void *send(void *unused)
{
    explore_name("sender");
    oneshot_send(&sender, &seven);
    return unused;
}

/* It is polled by `second` while the sender sends; whatever happens, it gets the
 * value. */
static void last_poll_against_send(struct oneshot_receive *receive)
{
    pthread_t other;
    pthread_create(&other, NULL, send, NULL);
    bool waits = probe_poll(&second, &receive->future) == POLL_PENDING;
    pthread_join(other, NULL);
    if (waits) {
        EXPLORE_RULE("W7", probe_read(&second.wakes) == 1,
                     "it waits; the waker of its last poll: expected 1 wake, got %ld",
                     probe_read(&second.wakes));
        EXPLORE_RULE("W1", probe_poll(&second, &receive->future) == POLL_READY,
                     "it was woken for nothing");
    }
    EXPLORE_RULE("W11", receive->result == 0 && receive->value == &seven,
                 "7 was sent: expected 0, got %d", receive->result);
    oneshot_receiver_drop(&receiver);
    long live = probe_read(&first.live) + probe_read(&second.live);
    EXPLORE_RULE("W5", live == 0, "%ld wakers are left over", live);
}

static void renewed_waker_against_send(void)
{
    explore_name("receiver");
    oneshot_create(&sender, &receiver, NULL);
    struct oneshot_receive receive = oneshot_receive(&receiver);
    probe_poll(&first, &receive.future);
    last_poll_against_send(&receive);
}

static void receive_after_a_cancelled_one(void)
{
    explore_name("receiver");
    oneshot_create(&sender, &receiver, NULL);
    struct oneshot_receive given_up = oneshot_receive(&receiver);
    probe_poll(&first, &given_up.future);
    future_cancel(&given_up.future);
    EXPLORE_RULE("W12", probe_poll(&first, &given_up.future) == POLL_READY,
                 "cancelled, and it waits");
    EXPLORE_RULE("W5", probe_read(&first.live) == 0,
                 "the receive was cancelled, and its waker is left in the block");
    struct oneshot_receive receive = oneshot_receive(&receiver);
    last_poll_against_send(&receive);
}

EXPLORE_MAIN({ .name = "renewed_waker_against_send",
               .scenario = renewed_waker_against_send,
               .rules = "W1, W7",
               .models = 7 },
             { .name = "receive_after_a_cancelled_one",
               .scenario = receive_after_a_cancelled_one,
               .rules = "W1, W5, W12",
               .models = 7 }, )
