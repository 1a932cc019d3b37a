/* Every order of steps of the thread parker: one who sleeps until there is work, one or
 * two who bring it; and block_on, which sleeps in one that may be gone before the wake. */
#include <pthread.h>
#include <stdlib.h>

#include "common/explore/explore.h"
#include "lesson02_wakers/block_on.h"
#include "lesson02_wakers/thread_parker.h"

static struct thread_parker parker;
static _Atomic int work;
static int brought[2]; /* plain: published by the token */

static void *bring(void *unused)
{
    explore_name("bringer");
    /* release: pairs with sleep_until */
    atomic_fetch_add_explicit(&work, 1, memory_order_release);
    parker_unpark(&parker.parker);
    return unused;
}

/* A plain store, as a queue with one producer has: it may wait in a store buffer. */
static void *bring_with_a_store(void *unused)
{
    explore_name("bringer");
    /* release: pairs with sleep_until */
    atomic_store_explicit(&work, 1, memory_order_release);
    parker_unpark(&parker.parker);
    return unused;
}

static void *bring_second(void *unused)
{
    explore_name("bringer 2");
    atomic_fetch_add_explicit(&work, 1, memory_order_release);
    parker_unpark(&parker.parker);
    return unused;
}

static void begin(void)
{
    explore_name("sleeper");
    thread_parker_init(&parker);
}

static void sleep_until(int enough)
{
    /* acquire: pairs with whoever brings it */
    while (atomic_load_explicit(&work, memory_order_acquire) < enough)
        parker_park(&parker.parker, PARK_FOREVER);
}

/* ---- the cases: a token that is lost is a sleep for ever */

static void park_against_unpark(void)
{
    pthread_t other;
    begin();
    pthread_create(&other, NULL, bring, NULL);
    sleep_until(1);
    pthread_join(other, NULL);
}

/* A token is there already, left over from something else. */
static void park_with_an_old_token(void)
{
    pthread_t other;
    begin();
    parker_unpark(&parker.parker);
    pthread_create(&other, NULL, bring_with_a_store, NULL);
    sleep_until(1);
    pthread_join(other, NULL);
}

static void park_against_two_unparks(void)
{
    pthread_t first, second;
    begin();
    pthread_create(&first, NULL, bring, NULL);
    pthread_create(&second, NULL, bring_second, NULL);
    sleep_until(2);
    pthread_join(first, NULL);
    pthread_join(second, NULL);
}

/* Time-outs come early, or as late as they can. */
static void timed_park_against_unpark(void)
{
    pthread_t other;
    begin();
    pthread_create(&other, NULL, bring, NULL);
    parker_park(&parker.parker, 1000);
    sleep_until(1);
    pthread_join(other, NULL);
}

static void *write_and_unpark(void *slot)
{
    explore_name("bringer");
    *(int *)slot = 7;
    parker_unpark(&parker.parker);
    return NULL;
}

/* P2: whoever takes the one token sees what was written before either unpark, if both
 * came before. The swap in unpark is all that orders it: what is told, is told relaxed. */
static _Atomic int told;

static void *write_unpark_tell(void *slot)
{
    write_and_unpark(slot);
    /* relaxed: that the unpark is over, and nothing more */
    atomic_fetch_add_explicit(&told, 1, memory_order_relaxed);
    return NULL;
}

static void one_token_publishes_both(void)
{
    pthread_t first, second;
    begin();
    pthread_create(&first, NULL, write_unpark_tell, &brought[0]);
    pthread_create(&second, NULL, write_unpark_tell, &brought[1]);
    bool both = atomic_load_explicit(&told, memory_order_relaxed) == 2;
    parker_park(&parker.parker, PARK_FOREVER);
    if (both)
        EXPLORE_RULE("P2", brought[0] == 7 && brought[1] == 7, "a write is missing");
    pthread_join(first, NULL);
    pthread_join(second, NULL);
}

/* ---- block_on */

struct flag_wait {
    struct future future;
    int polls;
};

static struct waker kept; /* moved to the thread that wakes, by its creation */
static _Atomic bool flag;
static pthread_t setter;

static void *set_and_wake(void *unused)
{
    explore_name("setter");
    /* release: pairs with the load in flag_poll */
    atomic_store_explicit(&flag, true, memory_order_release);
    waker_wake(&kept);
    return unused;
}

static enum poll_state flag_poll(struct future *future, struct context *context)
{
    struct flag_wait *self = (struct flag_wait *)future;
    if (self->polls++ == 0) {
        kept = waker_clone(context->waker);
        pthread_create(&setter, NULL, set_and_wake, NULL);
    }
    /* acquire: pairs with set_and_wake */
    return atomic_load_explicit(&flag, memory_order_acquire) ? POLL_READY
                                                             : POLL_PENDING;
}

/* The future may be READY, and block_on back, before the wake has even begun (W5). */
static void block_on_against_wake(void)
{
    static const struct future_ops ops = { .name = "flag",
                                           .size = sizeof(struct flag_wait),
                                           .poll = flag_poll };
    struct flag_wait wait = { .future = { &ops } };
    explore_name("blocked");
    int err = block_on(&wait.future);
    pthread_join(setter, NULL);
    EXPLORE_RULE("W2", err == 0 && wait.polls <= 2, "one wake, and %d polls after it",
                 wait.polls - 1);
}

EXPLORE_MAIN({ .name = "park_against_unpark",
               .scenario = park_against_unpark,
               .rules = "W1, P1",
               .hang_rule = "P1",
               .models = 7 },
             { .name = "park_with_an_old_token",
               .scenario = park_with_an_old_token,
               .rules = "W1, P1, P2",
               .hang_rule = "P1",
               .models = 7 },
             { .name = "park_against_two_unparks",
               .scenario = park_against_two_unparks,
               .rules = "W1, P1, P2",
               .hang_rule = "P1",
               .models = 7 },
             { .name = "timed_park_against_unpark",
               .scenario = timed_park_against_unpark,
               .rules = "P1, P3",
               .hang_rule = "P1",
               .models = 7,
               .timeouts = 1 },
             { .name = "one_token_publishes_both",
               .scenario = one_token_publishes_both,
               .rules = "P2",
               .hang_rule = "P1",
               .models = 7 },
             { .name = "block_on_against_wake",
               .scenario = block_on_against_wake,
               .rules = "W2, W5",
               .hang_rule = "W1",
               .models = 7 }, )
