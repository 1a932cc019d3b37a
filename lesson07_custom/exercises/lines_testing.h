/* lines_testing: some queries that are polled by hand, when they were woken and not
 * otherwise, and a backend that answers when it is told to. */
#ifndef LESSON07_EXERCISES_LINES_TESTING_H
#define LESSON07_EXERCISES_LINES_TESTING_H

#include "common/testing/testing.h"

#include <errno.h>
#include <inttypes.h>

#include "lesson02_wakers/waker_probe.h"
#include "lesson07_custom/exercises/lines.h"

#define SLOTS 64
#define ANSWER 1000 /* the answer to 7 is 1007 */

static struct lines lines;

static struct slot {
    struct query query;
    struct waker_probe probe;
    bool runs;
    long heard; /* wakes before the last poll */
} slots[SLOTS];

/* ---- the backend */

/* The answer to what was asked on this line; false: nothing was, or no room. */
static inline bool backend_serves(unsigned line)
{
    int64_t question;
    if (channel_length(lines.line[line].answers) ||
        channel_try_recv(lines.line[line].questions, &question) < 0)
        return false;
    question += ANSWER;
    return channel_try_send(lines.line[line].answers, &question) == 0;
}

static inline bool backend_serves_all(void)
{
    bool any = false;
    for (unsigned i = 0; i < lines.count; i++)
        any |= backend_serves(i);
    return any;
}

/* ---- queries */

static inline void poll_slot(struct slot *slot)
{
    slot->heard = probe_read(&slot->probe.wakes);
    slot->runs = probe_poll(&slot->probe, &slot->query.future) == POLL_PENDING;
}

static inline void start(unsigned i, int64_t question)
{
    slots[i] = (struct slot){ .query = query(&lines, question) };
    poll_slot(&slots[i]);
}

/* Who cancels polls next. */
static inline void cancel(unsigned i)
{
    if (!slots[i].runs)
        return;
    future_cancel(&slots[i].query.future);
    poll_slot(&slots[i]);
}

/* Polls who was woken, until nobody is. */
static inline bool run(void)
{
    bool any = false;
    for (bool again = true; again; any |= again) {
        again = false;
        for (unsigned i = 0; i < SLOTS; i++) {
            if (!slots[i].runs || probe_read(&slots[i].probe.wakes) == slots[i].heard)
                continue;
            poll_slot(&slots[i]);
            again = true;
        }
    }
    return any;
}

/* And lets the backend serve, until nothing happens any more. */
static inline void run_with_backend(void)
{
    while (run() | backend_serves_all())
        ;
}

/* ---- what is expected */

static inline void expect_result(const char *when, unsigned i, int64_t expected)
{
    const struct query *query = &slots[i].query;
    if (slots[i].runs) {
        future_print_tree(&query->future, "    ");
        fail_msg("%s: query %u for %" PRId64 ": expected the result %" PRId64
                 ", got none: it waits, and nobody will wake it (above: for what)",
                 when, i, query->question, expected);
    }
    if (query->result != expected)
        fail_msg("%s: query %u for %" PRId64 ": expected the result %" PRId64
                 ", got %" PRId64,
                 when, i, query->question, expected, query->result);
}

static inline void expect_idle(const char *when, size_t expected)
{
    size_t got = lines_idle(&lines);
    if (got != expected)
        fail_msg("%s: expected %zu idle lines of %u, got %zu", when, expected,
                 lines.count, got);
}

static inline void open_lines(unsigned count)
{
    memset(slots, 0, sizeof slots);
    assert_int_equal(lines_init(&lines, count), 0);
}

/* All queries are over. */
static inline void close_lines(void)
{
    expect_idle("no query is running", lines.count);
    for (unsigned i = 0; i < SLOTS; i++)
        assert_false(slots[i].runs);
    lines_finish(&lines);
}

#endif
