/* Exercise 5.3, on one thread: what a feed does when nothing comes in between, and with
 * an edge in the one place where it hurts. */
#include "common/testing/testing.h"

#include "lesson02_wakers/waker_probe.h"
#include "lesson05_reactor/exercises/feed_testing.h"

static struct feed feed;
static struct scripted_port port;
static struct waker_probe probe;
static struct feed_read pending;
static char got[64];

static int open_feed(void **state)
{
    (void)state;
    port = (struct scripted_port){ { scripted_take }, .feed = &feed, .bytes = "" };
    memset(&probe, 0, sizeof probe);
    memset(&pending, 0, sizeof pending);
    return feed_init(&feed, &port.port);
}

static int close_feed(void **state)
{
    (void)state;
    if (pending.future.ops && !future_is_done(&pending.future)) {
        future_cancel(&pending.future);
        probe_poll(&probe, &pending.future);
    }
    feed_finish(&feed);
    return 0;
}

static void begin(size_t size)
{
    memset(got, 0, sizeof got);
    pending = feed_read(&feed, got, size);
}

static void expect_pending(const char *when)
{
    if (probe_poll(&probe, &pending.future) == POLL_READY)
        fail_msg("%s: the read should wait, it is READY with %d \"%s\"", when,
                 pending.result, got);
}

/* READY with these bytes; "" is the end. */
static void expect_bytes(const char *expected, const char *when)
{
    if (probe_poll(&probe, &pending.future) == POLL_PENDING)
        fail_msg(
            "%s: the read should be READY with \"%s\", and it waits; %zu bytes lie "
            "in the port, and no edge will tell of them",
            when, expected, strlen(port.bytes));
    if (pending.result != (int)strlen(expected) || strcmp(got, expected) != 0)
        fail_msg("%s: expected %zu \"%s\", got %d \"%s\"", when, strlen(expected),
                 expected, pending.result, got);
}

static void expect_wakes(long expected, const char *when)
{
    if (probe_read(&probe.wakes) != expected)
        fail_msg("%s: expected %ld wakes, got %ld", when, expected,
                 probe_read(&probe.wakes));
}

static void bytes_come_in_order_and_then_the_end(void **state)
{
    (void)state;
    begin(4);
    expect_pending("nothing has come");
    port_receives(&port, "abcdef");
    expect_wakes(1, "\"abcdef\" has come");
    expect_bytes("abcd", "\"abcdef\" has come, the buffer holds 4");
    begin(4);
    expect_bytes("ef", "the rest of \"abcdef\"");
    begin(4);
    expect_pending("all was read");
    port_receives_and_ends(&port, "g");
    expect_wakes(2, "\"g\" and the end have come");
    expect_bytes("g", "\"g\" and the end have come as one edge");
    begin(4);
    expect_bytes("", "the end is left");
    begin(4);
    expect_bytes("", "the end stays");
}

static void a_short_read_saves_the_try_in_vain(void **state)
{
    (void)state;
    static const char *const messages[] = { "one", "two", "three" };
    for (unsigned i = 0; i < ARRAY_SIZE(messages); i++) {
        begin(sizeof got - 1);
        expect_pending("between two messages");
        port_receives(&port, messages[i]);
        expect_bytes(messages[i], "a message has come");
    }
    expect_wakes(3, "three messages have come");
    if (port.takes != 3)
        fail_msg(
            "three messages, each shorter than the buffer: expected 3 tries, got %u",
            port.takes);
}

static void a_cancelled_read_leaves_nothing_behind(void **state)
{
    (void)state;
    begin(4);
    expect_pending("nothing has come");
    future_cancel(&pending.future);
    if (probe_poll(&probe, &pending.future) != POLL_READY ||
        pending.result != -ECANCELED)
        fail_msg("cancelled: expected READY with %d, got %d", -ECANCELED,
                 pending.result);
    if (probe_read(&probe.live) != 0)
        fail_msg("cancelled, and %ld of its wakers are left", probe_read(&probe.live));
    port_receives(&port, "x");
    expect_wakes(0, "nobody waits any more");
    begin(4);
    expect_bytes("x", "a read after the cancelled one");
}

static void more_comes(struct scripted_port *self)
{
    port_receives(self, "late");
}

/* The try says -EAGAIN, and before it has returned, bytes have come. */
static void an_edge_inside_a_try_in_vain(void **state)
{
    (void)state;
    begin(4);
    expect_pending("nothing has come");
    feed_edge(&feed, false); /* about bytes that somebody else has read */
    port.during = more_comes;
    expect_bytes("late", "\"late\" and its edge came inside a try that said -EAGAIN");
}

int main(void)
{
#define FEED_TEST(name) cmocka_unit_test_setup_teardown(name, open_feed, close_feed)
    const struct CMUnitTest tests[] = {
        FEED_TEST(bytes_come_in_order_and_then_the_end),
        FEED_TEST(a_short_read_saves_the_try_in_vain),
        FEED_TEST(a_cancelled_read_leaves_nothing_behind),
        FEED_TEST(an_edge_inside_a_try_in_vain),
    };
    return cmocka_run_group_tests_name("feed", tests, NULL, NULL);
}
