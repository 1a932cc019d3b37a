/* Every order of steps of a waker_cell: one who waits, one or two who wake. */
#include <pthread.h>
#include <stdatomic.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/waker_cell.h"
#include "lesson02_wakers/waker_probe.h"

static struct waker_cell cell;
static struct waker_probe probe;
static _Atomic bool happened;
static int news; /* plain: guarded by the hand-over */

/* The waiting side of every future: register, then look. */
static bool waits_after_poll(void)
{
    struct waker waker = probe_waker(&probe);
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

/* Who waits and is not woken sleeps for ever. */
static void register_against_wake(void)
{
    pthread_t other;
    explore_name("waiter");
    waker_cell_init(&cell);
    pthread_create(&other, NULL, announce, NULL);
    bool waits = waits_after_poll();
    if (!waits)
        EXPLORE_RULE("W1", news == 7, "the news is not there yet");
    pthread_join(other, NULL);
    EXPLORE_RULE("W1", !waits || probe_read(&probe.wakes) > 0,
                 "the waiter sleeps, and the wake that it needs found no waker");
    waker_cell_finish(&cell);
    EXPLORE_RULE("W8", probe_read(&probe.live) == 0, "%ld wakers are left over",
                 probe_read(&probe.live));
}

EXPLORE_MAIN({ .name = "register_against_wake",
               .scenario = register_against_wake,
               .rules = "W1, W8",
               .models = 7 }, )
