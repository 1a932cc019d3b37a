/* The hidden tests of exercise 7.1: a bell that two mailboxes share, and batches of odd
 * messages while the seen indices are old. */
#include "lesson07_custom/sync_testing.h"

#include "lesson07_custom/mailbox.h"

/* The receiver waits at the second mailbox; the bell is one that it has made. */
static void a_shared_bell_is_rung_and_left(void **state)
{
    (void)state;
    struct bell bell = { 0 };
    struct mailbox boxes[2];
    struct observers observers;
    int message = 7, into[2] = { 0 };
    observers_init(&observers);
    for (int i = 0; i < 2; i++)
        assert_int_equal(mailbox_init(&boxes[i], 2, sizeof message, &bell), 0);
    for (int i = 0; i < 2; i++) {
        unsigned long before = observer_wakes(&observers, 0);
        struct mailbox_recv recv = mailbox_recv(&boxes[i], into, 2);
        assert_int_equal(observer_poll(&observers, 0, &recv.future), POLL_PENDING);
        assert_int_equal(mailbox_try_send(&boxes[i], &message), 0);
        if (observer_wakes(&observers, 0) != before + 1)
            fail_msg("a receive sleeps at mailbox %d, a message came: expected 1 wake, "
                     "got %lu",
                     i, observer_wakes(&observers, 0) - before);
        assert_int_equal(observer_poll(&observers, 0, &recv.future), POLL_READY);
        if (recv.result != 1 || into[0] != 7)
            fail_msg("expected 1 message, 7, got %ld, %d", (long)recv.result, into[0]);
    }
    /* One that was cancelled, polled again and again before: its waker is given up. */
    struct mailbox_recv recv = mailbox_recv(&boxes[0], into, 2);
    assert_int_equal(observer_poll(&observers, 1, &recv.future), POLL_PENDING);
    assert_int_equal(observer_poll(&observers, 2, &recv.future), POLL_PENDING);
    future_cancel(&recv.future);
    assert_int_equal(observer_poll(&observers, 2, &recv.future), POLL_READY);
    assert_int_equal(recv.result, -ECANCELED);
    for (unsigned i = 0; i < OBSERVERS; i++) {
        long left =
            atomic_load_explicit(&observers.counts[i].references, memory_order_relaxed);
        if (left != 0)
            fail_msg("after the cancelled receive: expected no waker of observer %u in "
                     "the bell, got %ld",
                     i, left);
    }
    waker_cell_finish(&bell.cell);
    for (int i = 0; i < 2; i++)
        mailbox_finish(&boxes[i]);
}

static void send_some(struct mailbox *box, unsigned *next, unsigned count,
                      int64_t expected)
{
    unsigned char batch[32][3];
    for (unsigned i = 0; i < count; i++)
        for (unsigned byte = 0; byte < 3; byte++)
            batch[i][byte] = (unsigned char)((*next + i) * 3 + byte);
    int64_t n = mailbox_try_send_batch(box, batch, count);
    if (n != expected)
        fail_msg("a batch of %u after %u messages: expected %ld sent, got %ld", count,
                 *next, (long)expected, (long)n);
    *next += n > 0 ? (unsigned)n : 0;
}

static void take_some(struct mailbox *box, unsigned *next, unsigned max,
                      int64_t expected)
{
    unsigned char into[32][3];
    int64_t n = mailbox_try_recv_batch(box, into, max);
    if (n != expected)
        fail_msg("a receive of at most %u after %u messages: expected %ld, got %ld",
                 max, *next, (long)expected, (long)n);
    for (unsigned i = 0; n > 0 && i < n; i++)
        for (unsigned byte = 0; byte < 3; byte++)
            if (into[i][byte] != (unsigned char)((*next + i) * 3 + byte))
                fail_msg("message %u, byte %u: expected %u, got %u", *next + i, byte,
                         (unsigned char)((*next + i) * 3 + byte), into[i][byte]);
    *next += n > 0 ? (unsigned)n : 0;
}

/* On one thread, what is there and what is free is known exactly. */
static void a_seen_index_is_no_excuse(void **state)
{
    (void)state;
    struct mailbox box;
    unsigned sent = 0, received = 0;
    assert_int_equal(mailbox_init(&box, 8, 3, NULL), 0);
    send_some(&box, &sent, 6, 6);
    take_some(&box, &received, 5, 5);
    send_some(&box, &sent, 7, 7); /* the sender last saw room for two */
    send_some(&box, &sent, 1, -EAGAIN);
    take_some(&box, &received, 2, 2);
    send_some(&box, &sent, 5, 2);
    take_some(&box, &received, 3, 3);
    take_some(&box, &received, 30, 5); /* the receiver last saw three of them */
    take_some(&box, &received, 1, -EAGAIN);
    send_some(&box, &sent, 4, 4);
    take_some(&box, &received, 1, 1);
    send_some(&box, &sent, 4, 4);
    mailbox_close_sender(&box);
    take_some(&box, &received, 30, 7);
    take_some(&box, &received, 30, -EPIPE);
    mailbox_finish(&box);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shared_bell_is_rung_and_left),
        cmocka_unit_test(a_seen_index_is_no_excuse),
    };
    return cmocka_run_group_tests_name("hidden tests of 7.1", tests, NULL, NULL);
}
