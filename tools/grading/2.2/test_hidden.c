/* What the hidden tests of exercise 2.2 ask, on one thread: whether NULL can be sent,
 * received and disposed of; whether a receive that waits ends when its own side
 * closes. */
#include "lesson02_wakers/waker_probe.h"

#include <errno.h>

#include "lesson02_wakers/oneshot.h"

static int disposals;

static void dispose(void *value)
{
    if (value != NULL)
        fail_msg("NULL was sent, and %p is disposed of", value);
    disposals++;
}

static void NULL_is_a_value_like_any_other(void **state)
{
    (void)state;
    struct oneshot_sender sender;
    struct oneshot_receiver receiver;
    int here = 0;
    void *value = &here;
    disposals = 0;
    assert_int_equal(oneshot_create(&sender, &receiver, dispose), 0);
    int sent = oneshot_send(&sender, NULL);
    int got = oneshot_try_receive(&receiver, &value);
    if (sent != 0 || got != 0 || value != NULL)
        fail_msg("send(NULL), then try_receive: expected 0, 0, NULL; got %d, %d, %p",
                 sent, got, value);
    oneshot_receiver_drop(&receiver);
    if (disposals != 0)
        fail_msg("NULL was received, and was disposed of all the same");
    assert_int_equal(oneshot_create(&sender, &receiver, dispose), 0);
    sent = oneshot_send(&sender, NULL);
    oneshot_receiver_drop(&receiver);
    if (sent != 0 || disposals != 1)
        fail_msg("send(NULL), then the receiver is dropped: expected 0 and 1 call of "
                 "dispose; got %d and %d",
                 sent, disposals);
}

static void close_while_it_waits(const char *kind, bool local)
{
    struct oneshot_sender sender;
    struct oneshot_receiver receiver;
    struct waker_probe probe = { 0 };
    int err = local ? oneshot_create_local(&sender, &receiver, NULL)
                    : oneshot_create(&sender, &receiver, NULL);
    assert_int_equal(err, 0);
    struct oneshot_receive receive = oneshot_receive(&receiver);
    if (probe_poll(&probe, &receive.future) != POLL_PENDING)
        fail_msg("%s: nothing was sent; expected PENDING, got READY with %d", kind,
                 receive.result);
    oneshot_close(&receiver);
    if (probe_poll(&probe, &receive.future) != POLL_READY)
        fail_msg("%s: receive, close, poll: expected READY, got PENDING", kind);
    if (receive.result != -EPIPE)
        fail_msg("%s: receive, close, poll: expected -EPIPE (%d), got %d", kind, -EPIPE,
                 receive.result);
    if (probe_read(&probe.live) != 0)
        fail_msg("%s: receive is READY; expected no waker in the block, got %ld", kind,
                 probe_read(&probe.live));
    oneshot_receiver_drop(&receiver);
    oneshot_sender_drop(&sender);
}

static void a_close_ends_the_wait_of_its_own_side(void **state)
{
    (void)state;
    close_while_it_waits("two threads", false);
    close_while_it_waits("one thread", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(NULL_is_a_value_like_any_other),
        cmocka_unit_test(a_close_ends_the_wait_of_its_own_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
