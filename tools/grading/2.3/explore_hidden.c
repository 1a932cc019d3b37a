/* What the hidden tests of exercise 2.3 ask: whether the cook is woken the second time
 * as the first time, and whether it gets the last order and then the end when one
 * thread puts and closes. */
#include <errno.h>
#include <pthread.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/exercises/tray.h"
#include "lesson02_wakers/waker_probe.h"

static struct tray tray;
static struct waker_probe probe;
static struct order orders[2] = { { .number = 1 }, { .number = 2 } };

static void *put_second(void *unused)
{
    explore_name("customer");
    tray_put(&tray, &orders[1]);
    return unused;
}

static void *put_and_close(void *unused)
{
    explore_name("customer");
    tray_put(&tray, &orders[0]);
    tray_close(&tray);
    return unused;
}

/* A take in one poll, or two when it was woken in between; `other` is joined first. */
static int take(pthread_t *other, int *number)
{
    struct tray_take take = tray_take(&tray);
    long before = probe_read(&probe.wakes);
    bool sleeps = probe_poll(&probe, &take.future) == POLL_PENDING;
    if (sleeps) {
        EXPLORE_RULE("W1", *other != 0, "the cook sleeps, and all are through");
        pthread_join(*other, NULL);
        *other = 0;
        EXPLORE_RULE("W1", probe_read(&probe.wakes) > before,
                     "the cook sleeps, and nobody woke it");
        EXPLORE_RULE("W1", probe_poll(&probe, &take.future) == POLL_READY,
                     "the cook was woken for nothing");
    }
    *number = take.result == 0 ? take.order->number : 0;
    return take.result;
}

static void check_the_end(pthread_t other)
{
    if (other)
        pthread_join(other, NULL);
    tray_finish(&tray);
    EXPLORE_RULE("W5", probe_read(&probe.live) == 0, "%ld wakers are left over",
                 probe_read(&probe.live));
}

static void second_sleep_against_put(void)
{
    pthread_t other;
    int number;
    explore_name("cook");
    tray_init(&tray);
    struct tray_take first = tray_take(&tray);
    probe_poll(&probe, &first.future);
    tray_put(&tray, &orders[0]);
    EXPLORE_RULE("W1", probe_read(&probe.wakes) == 1, "the first put woke nobody");
    probe_poll(&probe, &first.future);
    pthread_create(&other, NULL, put_second, NULL);
    int result = take(&other, &number);
    EXPLORE_RULE("W1", result == 0 && number == 2,
                 "order 2 was put: expected 0 and 2, got %d and %d", result, number);
    check_the_end(other);
}

static void last_order_and_close(void)
{
    pthread_t other;
    int number;
    explore_name("cook");
    tray_init(&tray);
    pthread_create(&other, NULL, put_and_close, NULL);
    int result = take(&other, &number);
    EXPLORE_RULE("W1", result == 0 && number == 1,
                 "put 1, close; first take: expected 0 and 1, got %d and %d", result,
                 number);
    result = take(&other, &number);
    EXPLORE_RULE("W1", result == -EPIPE,
                 "put 1, close; second take: expected %d, got %d", -EPIPE, result);
    check_the_end(other);
}

EXPLORE_MAIN({ .name = "second_sleep_against_put",
               .scenario = second_sleep_against_put,
               .rules = "W1",
               .models = 7 },
             { .name = "last_order_and_close",
               .scenario = last_order_and_close,
               .rules = "W1",
               .models = 7 }, )
