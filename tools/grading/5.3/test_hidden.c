/* Exercise 5.3, hidden: news inside a try that was short, on one thread. */
#include "common/testing/testing.h"

#include "lesson02_wakers/waker_probe.h"
#include "lesson05_reactor/exercises/feed_testing.h"

static struct feed feed;
static struct scripted_port port;
static struct waker_probe probe;

/* One read of at most 4 bytes; NULL: it waits, and is given up. */
static void expect_read(const char *expected, const char *when)
{
    static char got[8];
    memset(got, 0, sizeof got);
    struct feed_read pending = feed_read(&feed, got, 4);
    bool ready = probe_poll(&probe, &pending.future) == POLL_READY;
    if (!ready) {
        future_cancel(&pending.future);
        probe_poll(&probe, &pending.future);
    }
    if (ready != (expected != NULL))
        fail_msg("%s: the read should %s", when,
                 expected ? "be READY, and it waits" : "wait, and it is READY");
    if (ready &&
        (pending.result != (int)strlen(expected) || strcmp(got, expected) != 0))
        fail_msg("%s: expected \"%s\", got %d \"%s\"", when, expected, pending.result,
                 got);
}

static void more_comes(struct scripted_port *self)
{
    port_receives(self, "more");
}

static void the_end_comes(struct scripted_port *self)
{
    port_ends(self);
}

static void news_inside_a_short_try(void **state)
{
    (void)state;
    for (int ends = 0; ends < 2; ends++) {
        memset(&probe, 0, sizeof probe);
        port = (struct scripted_port){ { scripted_take }, .feed = &feed, .bytes = "" };
        assert_int_equal(feed_init(&feed, &port.port), 0);
        port_receives(&port, "abcdef");
        expect_read("abcd", "\"abcdef\" has come, the buffer holds 4");
        port.during = ends ? the_end_comes : more_comes;
        expect_read("ef", "the rest of \"abcdef\"");
        if (ends) {
            expect_read("", "the end came inside the try that brought \"ef\"");
        } else {
            expect_read("more", "\"more\" came inside the try that brought \"ef\"");
            expect_read(NULL, "all was read");
        }
        feed_finish(&feed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(news_inside_a_short_try),
    };
    return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
