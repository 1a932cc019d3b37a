/* reactor: edges in, wakes out; and the parker that waits for them.
 *
 * Problem: an edge is reported once. Whoever throws it away waits for ever; whoever
 * believes an old one spins. Idea: remember it in a ready bit for each direction, with a
 * tick that says how many edges came (readiness.h); reactor_io.c tries while the bit is
 * set. Invariant: when an operation is armed, its direction's ready bit is off, the
 * descriptor is registered, and the next edge takes its waker.
 *
 * An event carries the source's address and 16 bits of its generation: an event for an
 * earlier tenant of that memory is dropped (R4). */
#include "lesson05_reactor/reactor.h"

#include <stdlib.h>

#include "lesson05_reactor/epoll_source.h"

enum { EMPTY = 0, TOKEN = 1, PARKED = 2 };

#define DEFAULT_EVENTS 256
#define DEFAULT_LENT_SIZE 2048
#define HANGUP (POLLER_RDHUP | POLLER_HUP | POLLER_ERR)

/* ---- events */

static struct epoll_source *event_source(const void *tag)
{
    uint64_t bits = (uint64_t)(uintptr_t)tag;
    uint64_t address = bits & ((UINT64_C(1) << TAG_ADDRESS_BITS) - 1);
    return (struct epoll_source *)(uintptr_t)address;
}

static void handle_event(struct reactor *self, const struct poller_event *event)
{
    void *tag = poller_event_user(event);
    uint32_t bits = poller_event_bits(event);
    if (!tag)
        return; /* the notifier: edge-triggered, so it needs no drain (R8) */
    struct epoll_source *source = event_source(tag);
    /* relaxed: see watch_more. If it changes hands right after this look, on another thread,
     * the next tenant has an edge that tells it nothing, which costs a try (F3). */
    if (atomic_load_explicit(&source->tag, memory_order_relaxed) != tag)
        return;
    struct waker reader = { 0 };
    struct waker writer = { 0 };
    bool hung_up = bits & HANGUP; /* R3: an end or an error is news, too */
    if (hung_up || (bits & POLLER_READABLE))
        reader = readiness_edge(&source->directions[READING].readiness, hung_up,
                                self->shared);
    if (bits & (POLLER_WRITABLE | POLLER_HUP | POLLER_ERR))
        writer = readiness_edge(&source->directions[WRITING].readiness, hung_up,
                                self->shared);
    waker_wake(&reader);
    waker_wake(&writer);
}

/* ---- parker_ops */

/* Says whether we may sleep; a token that is there is taken. */
static bool fall_asleep(struct reactor *self)
{
    unsigned seen = EMPTY;
    /* acquire: pairs with the release in reactor_unpark */
    if (atomic_compare_exchange_strong_explicit(
            &self->token, &seen, PARKED, memory_order_acquire, memory_order_acquire))
        return true;
    atomic_exchange_explicit(&self->token, EMPTY, memory_order_acquire);
    return false;
}

static int reactor_park(struct parker *parker, int64_t timeout_ns)
{
    struct reactor *self = container_of(parker, struct reactor, parker);
    int64_t sleep = timeout_ns;
    if (sleep != 0 && !fall_asleep(self))
        sleep = 0;
    bool parked = sleep != 0;
    if (parked)
        sleep = timers_sleep_for(&self->timers, sleep);
    io_count_syscall();
    int n = poller_wait(&self->poller, self->events, (int)self->capacity, sleep);
    /* acquire: pairs with the release in reactor_unpark */
    bool quiet = parked && atomic_exchange_explicit(&self->token, EMPTY,
                                                    memory_order_acquire) == PARKED;
    for (int i = 0; i < n; i++)
        handle_event(self, &self->events[i]);
    if (quiet && n == 0)
        timers_jump(&self->timers, timeout_ns);
    timers_fire(&self->timers);
    return n < 0 ? n : 0;
}

static void reactor_unpark(struct parker *parker)
{
    struct reactor *self = container_of(parker, struct reactor, parker);
    /* release: pairs with the acquires above; a swap, so that merged unparks all publish */
    if (atomic_exchange_explicit(&self->token, TOKEN, memory_order_release) == PARKED)
        notifier_notify(&self->notifier);
}

static const struct parker_ops reactor_parker_ops = {
    .name = "reactor",
    .park = reactor_park,
    .unpark = reactor_unpark,
};

/* ---- life */

int reactor_init(struct reactor *reactor, const struct reactor_config *config)
{
    *reactor = (struct reactor){
        .driver = { &reactor_driver_ops },
        .parker = { &reactor_parker_ops },
        .shared = config->shared,
        .capacity = config->events ? config->events : DEFAULT_EVENTS,
    };
    io_survive_sigpipe();
    size_t lent_size = config->lent_size ? config->lent_size : DEFAULT_LENT_SIZE;
    int err =
        timers_init(&reactor->timers, config->shared, config->clock, &reactor->parker);
    if (err < 0)
        return err;
    err = source_pool_init(&reactor->sources, sizeof(struct epoll_source));
    if (err < 0)
        goto fail_sources;
    err = lent_pool_init(&reactor->lent, lent_size, config->shared);
    if (err < 0)
        goto fail_lent;
    err = poller_init(&reactor->poller);
    if (err < 0)
        goto fail_poller;
    err = notifier_init(&reactor->notifier);
    if (err < 0)
        goto fail_notifier;
    err = poller_add(&reactor->poller, reactor->notifier.fd,
                     POLLER_READABLE | POLLER_EDGE, NULL);
    if (err < 0)
        goto fail_events;
    reactor->events = calloc(reactor->capacity, sizeof *reactor->events);
    if (reactor->events)
        return 0;
    err = -ENOMEM;
fail_events:
    notifier_finish(&reactor->notifier);
fail_notifier:
    poller_finish(&reactor->poller);
fail_poller:
    lent_pool_finish(&reactor->lent);
fail_lent:
    source_pool_finish(&reactor->sources);
fail_sources:
    timers_finish(&reactor->timers);
    return err;
}

void reactor_finish(struct reactor *reactor)
{
    if (!reactor || !reactor->events)
        return;
    free(reactor->events);
    reactor->events = NULL;
    notifier_finish(&reactor->notifier);
    poller_finish(&reactor->poller);
    lent_pool_finish(&reactor->lent);
    source_pool_finish(&reactor->sources);
    timers_finish(&reactor->timers);
}
