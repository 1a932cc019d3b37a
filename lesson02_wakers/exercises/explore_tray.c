/* Every order of steps of a tray: one cook, and one thread that brings or closes. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/exercises/tray.h"
#include "lesson02_wakers/waker_probe.h"

static struct tray tray;
static struct waker_probe probe;
static struct order order = { .number = 7 };

static void *put(void *unused)
{
    explore_name("customer");
    tray_put(&tray, &order);
    return unused;
}

static void *close_tray(void *unused)
{
    explore_name("customer");
    tray_close(&tray);
    return unused;
}

/* One poll of a take against the other thread. If it is PENDING, the other one must
 * have woken the cook, and the next poll must be READY. */
static int take_against(void *(*other)(void *), const char *what)
{
    pthread_t thread;
    explore_name("cook");
    tray_init(&tray);
    pthread_create(&thread, NULL, other, NULL);
    struct tray_take take = tray_take(&tray);
    bool sleeps = probe_poll(&probe, &take.future) == POLL_PENDING;
    pthread_join(thread, NULL);
    if (sleeps) {
        EXPLORE_RULE("W1", probe_read(&probe.wakes) > 0,
                     "the cook sleeps, %s, and nobody woke it", what);
        EXPLORE_RULE("W1", probe_poll(&probe, &take.future) == POLL_READY,
                     "the cook was woken for nothing");
    }
    if (take.result == 0)
        EXPLORE_RULE("W1", take.order->number == 7, "order 7 was put, %d was taken",
                     take.order->number);
    tray_finish(&tray);
    EXPLORE_RULE("W5", probe_read(&probe.live) == 0, "%ld wakers are left over",
                 probe_read(&probe.live));
    return take.result;
}

static void take_against_put(void)
{
    int result = take_against(put, "an order lies on the tray");
    EXPLORE_RULE("W1", result == 0, "an order was put: expected 0, got %d", result);
}

static void take_against_close(void)
{
    int result = take_against(close_tray, "the tray is closed");
    EXPLORE_RULE("W1", result == -EPIPE, "closed: expected -EPIPE, got %d", result);
}

EXPLORE_MAIN({ .name = "take_against_put",
               .scenario = take_against_put,
               .rules = "W1",
               .models = 7 },
             { .name = "take_against_close",
               .scenario = take_against_close,
               .rules = "W1",
               .models = 7 }, )
