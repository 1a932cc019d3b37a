/* Every order of steps of a waker_cell: one who waits, one or two who wake. */
#include <pthread.h>
#include <stdatomic.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/waker_cell.h"
#include "lesson02_wakers/waker_probe.h"

static struct waker_cell cell;
static struct waker_probe probe, newer;
static _Atomic bool happened;
static int news; /* plain: guarded by the hand-over */

/* The waiting side of every future: register, then look. */
static bool waits_after_poll(struct waker_probe *mine)
{
    struct waker waker = probe_waker(mine);
    struct context context = { .waker = &waker, .budget = CONTEXT_BUDGET };
    waker_cell_register(&cell, &context);
    /* acquire: pairs with announce */
    return !atomic_load_explicit(&happened, memory_order_acquire);
}

static void *announce(void *unused)
{
    explore_name("waker");
    news = 7;
    /* release: pairs with waits_after_poll */
    atomic_store_explicit(&happened, true, memory_order_release);
    waker_cell_wake(&cell);
    return unused;
}

static void *wake_once_more(void *unused)
{
    explore_name("waker 2");
    waker_cell_wake(&cell);
    return unused;
}

/* Who waits and is not woken sleeps for ever; who holds a waker for ever keeps a task. */
static void check_the_end(bool waits, struct waker_probe *mine)
{
    EXPLORE_RULE("W1", !waits || probe_read(&mine->wakes) > 0,
                 "the waiter sleeps, and the wake that it needs found no waker");
    waker_cell_finish(&cell);
    long live = probe_read(&probe.live) + probe_read(&newer.live);
    EXPLORE_RULE("W5", live == 0, "%ld wakers are left over", live);
}

static void register_against_wake(void)
{
    pthread_t other;
    explore_name("waiter");
    waker_cell_init(&cell);
    pthread_create(&other, NULL, announce, NULL);
    bool waits = waits_after_poll(&probe);
    if (!waits)
        EXPLORE_RULE("W1", news == 7, "the news is not there yet");
    pthread_join(other, NULL);
    check_the_end(waits, &probe);
}

/* A waiter that looks after it registered would see the event itself. The cell promises
 * more: once it has the waker in its hands, a wake that begins arrives. */
static bool has_the_waker;

static void *wake_if_it_has_the_waker(void *unused)
{
    explore_name("waker");
    has_the_waker = probe_read(&probe.clones) > 0;
    waker_cell_wake(&cell);
    return unused;
}

static void wake_in_mid_registration(void)
{
    pthread_t other;
    explore_name("waiter");
    waker_cell_init(&cell);
    pthread_create(&other, NULL, wake_if_it_has_the_waker, NULL);
    waits_after_poll(&probe);
    pthread_join(other, NULL);
    check_the_end(has_the_waker, &probe);
}

static void register_against_two_wakes(void)
{
    pthread_t first, second;
    explore_name("waiter");
    waker_cell_init(&cell);
    pthread_create(&first, NULL, announce, NULL);
    pthread_create(&second, NULL, wake_once_more, NULL);
    bool waits = waits_after_poll(&probe);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    check_the_end(waits, &probe);
}

/* The task is polled a second time, with another waker: that one counts (W7). */
static void renewal_against_wake(void)
{
    pthread_t other;
    explore_name("waiter");
    waker_cell_init(&cell);
    waits_after_poll(&probe);
    pthread_create(&other, NULL, announce, NULL);
    bool waits = waits_after_poll(&newer);
    pthread_join(other, NULL);
    EXPLORE_RULE("W7", !waits || probe_read(&newer.wakes) > 0,
                 "the waker of the last poll was not woken");
    check_the_end(waits, &newer);
}

/* Three polls, each with another waker, against two wakes. */
static void three_polls_against_two_wakes(void)
{
    pthread_t first, second;
    explore_name("waiter");
    waker_cell_init(&cell);
    pthread_create(&first, NULL, announce, NULL);
    pthread_create(&second, NULL, wake_once_more, NULL);
    waits_after_poll(&probe);
    waits_after_poll(&newer);
    long before = probe_read(&probe.wakes);
    bool waits = waits_after_poll(&probe);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    EXPLORE_RULE("W7", !waits || probe_read(&probe.wakes) > before,
                 "the waker of the last poll was not woken");
    check_the_end(waits, &probe);
}

static void *wake_three_times(void *unused)
{
    announce(unused);
    wake_once_more(unused);
    wake_once_more(unused);
    explore_name("waker");
    return unused;
}

/* Two threads, three operations each: polls against wakes. */
static void three_against_three(void)
{
    pthread_t other;
    explore_name("waiter");
    waker_cell_init(&cell);
    pthread_create(&other, NULL, wake_three_times, NULL);
    waits_after_poll(&probe);
    waits_after_poll(&newer);
    long before = probe_read(&probe.wakes);
    bool waits = waits_after_poll(&probe);
    pthread_join(other, NULL);
    EXPLORE_RULE("W7", !waits || probe_read(&probe.wakes) > before,
                 "the waker of the last poll was not woken");
    check_the_end(waits, &probe);
}

/* A cancelled waiter takes its own waker back, while two others wake. */
static void take_against_wakes(void)
{
    pthread_t first, second;
    explore_name("waiter");
    waker_cell_init(&cell);
    waits_after_poll(&probe);
    pthread_create(&first, NULL, announce, NULL);
    pthread_create(&second, NULL, wake_once_more, NULL);
    struct waker mine = waker_cell_take(&cell);
    waker_drop(&mine);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
    EXPLORE_RULE("W5", probe_read(&probe.wakes) <= 1, "one waker was woken twice");
    check_the_end(false, &probe);
}

EXPLORE_MAIN({ .name = "register_against_wake",
               .scenario = register_against_wake,
               .rules = "W1, W5",
               .models = 7 },
             { .name = "wake_in_mid_registration",
               .scenario = wake_in_mid_registration,
               .rules = "W1, W5",
               .models = 7 },
             { .name = "register_against_two_wakes",
               .scenario = register_against_two_wakes,
               .rules = "W1, W5",
               .models = 7 },
             { .name = "renewal_against_wake",
               .scenario = renewal_against_wake,
               .rules = "W1, W7",
               .models = 7 },
             { .name = "three_polls_against_two_wakes",
               .scenario = three_polls_against_two_wakes,
               .rules = "W1, W7",
               .models = 7 },
             { .name = "three_against_three",
               .scenario = three_against_three,
               .rules = "W1, W5, W7",
               .models = 7 },
             { .name = "take_against_wakes",
               .scenario = take_against_wakes,
               .rules = "W5",
               .models = 7 }, )
