/* What the hidden tests of exercise 2.1 ask: whether a wake that the registering side
 * delivers itself brings along what was written before it; whether a context without a
 * waker may meet a wake; whether a cell is as good as new after the two sides have met
 * in it. */
#include <pthread.h>
#include <stdatomic.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/waker_cell.h"
#include "lesson02_wakers/waker_probe.h"

static struct waker_cell cell;
static struct waker_probe probe, older;
static int news; /* plain: whoever is woken may read it */

static void register_waker(const struct waker *waker)
{
    struct context context = { .waker = waker, .budget = CONTEXT_BUDGET };
    waker_cell_register(&cell, &context);
}

static void register_probe(struct waker_probe *mine)
{
    struct waker waker = probe_waker(mine);
    register_waker(&waker);
}

static void *write_and_wake(void *unused)
{
    explore_name("waker");
    news = 7;
    waker_cell_wake(&cell);
    return unused;
}

static void begin(void)
{
    explore_name("waiter");
    waker_cell_init(&cell);
}

static void check_the_end(void)
{
    waker_cell_finish(&cell);
    long live = probe_read(&probe.live) + probe_read(&older.live);
    EXPLORE_RULE("W5", live == 0, "%ld wakers are left over", live);
}

static void woken_means_it_is_there(void)
{
    pthread_t other;
    begin();
    pthread_create(&other, NULL, write_and_wake, NULL);
    register_probe(&probe);
    if (probe_read(&probe.wakes) > 0)
        EXPLORE_RULE("W1", news == 7, "woken, and the news is not there");
    pthread_join(other, NULL);
    check_the_end();
}

static void nobody_registers_against_a_wake(void)
{
    pthread_t other;
    begin();
    register_probe(&older);
    pthread_create(&other, NULL, write_and_wake, NULL);
    register_waker(NULL);
    pthread_join(other, NULL);
    long before = probe_read(&older.wakes);
    waker_cell_wake(&cell);
    EXPLORE_RULE("W7", probe_read(&older.wakes) == before,
                 "the older waker was replaced, and is woken all the same");
    check_the_end();
}

static void after_a_meeting_the_cell_is_as_new(void)
{
    pthread_t other;
    begin();
    pthread_create(&other, NULL, write_and_wake, NULL);
    register_probe(&probe);
    pthread_join(other, NULL);
    long before = probe_read(&probe.wakes);
    register_probe(&probe);
    EXPLORE_RULE("W2", probe_read(&probe.wakes) == before,
                 "registered again with nobody waking: expected %ld wakes, got %ld",
                 before, probe_read(&probe.wakes));
    waker_cell_wake(&cell);
    EXPLORE_RULE("W1", probe_read(&probe.wakes) == before + 1,
                 "registered again, then woken: expected %ld wakes, got %ld",
                 before + 1, probe_read(&probe.wakes));
    check_the_end();
}

EXPLORE_MAIN({ .name = "woken_means_it_is_there",
               .scenario = woken_means_it_is_there,
               .rules = "W1",
               .models = 7 },
             { .name = "nobody_registers_against_a_wake",
               .scenario = nobody_registers_against_a_wake,
               .rules = "W7",
               .models = 7 },
             { .name = "after_a_meeting_the_cell_is_as_new",
               .scenario = after_a_meeting_the_cell_is_as_new,
               .rules = "W1, W2",
               .models = 7 }, )
