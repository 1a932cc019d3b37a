/* Cases for notify, in another style: a model.
 *
 * explore_choose picks four operations out of eight, in every way; after each of them
 * notify must say what a model of it says, which is a few lines of plain code. A second
 * case lets two threads in. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/notify.h"
#include "lesson02_wakers/waker_probe.h"

enum { WAITS = 2, STEPS = 4 };

enum stage { NEW, IN_LINE, GOT_ONE, GOT_ALL, OVER };

static struct notify notify;

static struct one {
    struct notify_wait *wait;
    struct waker_probe probes[2];
    /* the model */
    enum stage stage;
    bool missed; /* a notify_all since it was constructed */
    int last;    /* the probe of its last poll */
    int place;   /* in line */
    long wakes[2];
} all[WAITS];

static bool permit;
static int next_place;

/* ---- the model */

static void model_woken(struct one *one, enum stage stage)
{
    one->stage = stage;
    one->wakes[one->last]++;
}

static void model_one(void)
{
    struct one *first = NULL;
    for (int i = 0; i < WAITS; i++)
        if (all[i].stage == IN_LINE && (!first || all[i].place < first->place))
            first = &all[i];
    if (first)
        model_woken(first, GOT_ONE);
    else
        permit = true;
}

static void model_all(void)
{
    for (int i = 0; i < WAITS; i++) {
        if (all[i].stage == IN_LINE)
            model_woken(&all[i], GOT_ALL);
        all[i].missed = true;
    }
}

/* What a poll says: READY? And had it a permit in its hands? */
static bool model_poll(struct one *one, bool *had_permit)
{
    *had_permit = one->stage == GOT_ONE;
    if (one->stage == NEW && !one->missed && permit) {
        *had_permit = true;
        permit = false;
    } else if (one->stage == IN_LINE || (one->stage == NEW && !one->missed)) {
        if (one->stage == NEW)
            one->place = next_place++;
        one->stage = IN_LINE;
        return false;
    }
    one->stage = OVER;
    return true;
}

/* ---- the operations */

static void construct(struct one *one)
{
    one->wait = malloc(sizeof *one->wait);
    *one->wait = notify_wait(&notify);
    one->missed = false;
}

/* READY: the frame goes at once. */
static void poll_it(struct one *one, bool discards)
{
    bool had_permit;
    if (!one->wait)
        construct(one);
    one->last = !one->last;
    struct waker waker = probe_waker(&one->probes[one->last]);
    struct context context = { .waker = &waker, .budget = CONTEXT_BUDGET };
    bool expected = model_poll(one, &had_permit);
    enum poll_state state = discards
                                ? future_poll_discarding(&one->wait->future, &context)
                                : future_poll(&one->wait->future, &context);
    EXPLORE_RULE("model", (state == POLL_READY) == expected, "poll of %d: expected %s",
                 (int)(one - all), expected ? "READY" : "PENDING");
    if (!expected)
        return;
    EXPLORE_RULE("model", one->wait->result == 0, "poll of %d: expected 0, got %d",
                 (int)(one - all), one->wait->result);
    if (had_permit && discards)
        model_one();
    free(one->wait);
}

static void cancel_it(struct one *one)
{
    if (!one->wait)
        construct(one);
    struct waker waker = probe_waker(&one->probes[one->last]);
    struct context context = { .waker = &waker, .budget = CONTEXT_BUDGET };
    int expected = one->stage == GOT_ALL ? 0 : -ECANCELED;
    bool passes_on = one->stage == GOT_ONE;
    one->stage = OVER;
    if (passes_on)
        model_one();
    future_cancel(&one->wait->future);
    enum poll_state state = future_poll(&one->wait->future, &context);
    EXPLORE_RULE("model", state == POLL_READY, "cancelled, and it waits");
    EXPLORE_RULE("model", one->wait->result == expected,
                 "cancel of %d: expected %d, got %d", (int)(one - all), expected,
                 one->wait->result);
    free(one->wait);
}

static void compare(void)
{
    for (int i = 0; i < WAITS; i++)
        for (int p = 0; p < 2; p++) {
            long wakes = probe_read(&all[i].probes[p].wakes);
            long live = probe_read(&all[i].probes[p].live);
            long stored = all[i].stage == IN_LINE && all[i].last == p;
            EXPLORE_RULE("model", wakes == all[i].wakes[p],
                         "wakes of probe %d of wait %d: expected %ld, got %ld", p, i,
                         all[i].wakes[p], wakes);
            EXPLORE_RULE("model", live == stored,
                         "wakers of probe %d of wait %d: expected %ld, got %ld", p, i,
                         stored, live);
        }
}

static void four_operations(void)
{
    notify_init(&notify);
    construct(&all[0]);
    for (int step = 0; step < STEPS; step++) {
        int choice = explore_choose(2 + 3 * WAITS);
        struct one *one = &all[(choice + 1) % WAITS];
        if (choice == 0) {
            model_one();
            notify_one(&notify);
        } else if (choice == 1) {
            model_all();
            notify_all(&notify);
        } else if (one->stage != OVER) {
            if (choice < 2 + WAITS)
                poll_it(one, false);
            else if (choice < 2 + 2 * WAITS)
                poll_it(one, true);
            else
                cancel_it(one);
        }
        compare();
    }
    for (int i = 0; i < WAITS; i++)
        if (all[i].stage != OVER)
            cancel_it(&all[i]);
    notify_finish(&notify);
}

/* ---- two threads; and the waker looks whether the lock is free */

static _Atomic long woken;

static struct waker looker_clone(void *data);

static void looker_wake(void *data)
{
    (void)data;
    int err = pthread_mutex_trylock(&notify.queue.lock);
    if (err == 0)
        pthread_mutex_unlock(&notify.queue.lock);
    probe_count(&woken, err == 0 ? 1 : 1000);
}

static void looker_drop(void *data)
{
    (void)data;
}

static const struct waker_ops looker_ops = { looker_clone, looker_wake, looker_wake,
                                             looker_drop };

static struct waker looker_clone(void *data)
{
    return (struct waker){ &looker_ops, data };
}

static void *tell(void *unused)
{
    notify_one(&notify);
    return unused;
}

static void poll_against_notify_one(void)
{
    pthread_t thread;
    struct waker waker = { &looker_ops, NULL };
    struct context context = { .waker = &waker, .budget = CONTEXT_BUDGET };
    notify_init(&notify);
    struct notify_wait *wait = malloc(sizeof *wait);
    *wait = notify_wait(&notify);
    future_poll(&wait->future, &context);
    pthread_create(&thread, NULL, tell, NULL);
    if (future_poll(&wait->future, &context) == POLL_READY) {
        free(wait);
        wait = NULL;
    }
    pthread_join(thread, NULL);
    if (wait) {
        EXPLORE_RULE("W6", probe_read(&woken) == 1,
                     "woken with the lock held, or not once (%ld)", probe_read(&woken));
        future_poll(&wait->future, &context);
        free(wait);
    }
    notify_finish(&notify);
}

EXPLORE_MAIN({ .name = "four_operations",
               .scenario = four_operations,
               .models = 1 << EXPLORE_SC },
             { .name = "poll_against_notify_one",
               .scenario = poll_against_notify_one }, )
