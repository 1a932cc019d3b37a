/* device: one of two drivers, behind the same five pointers. */
#include "lesson07_custom/runtime_inside.h"

static int init_reactor(struct device *device, const struct runtime_config *config,
                        bool shared)
{
    struct reactor *reactor = &device->is.reactor;
    struct reactor_config wanted = {
        .shared = shared,
        /* As many as a worker runs between two looks. More would overflow its queue, and
         * what overflows waits behind all that comes later: with 1,000 connections the
         * least served one got two fifths of the best served one's requests. */
        .events = shared ? 64 : 0,
        .clock = config->clock,
    };
    int err = reactor_init(reactor, &wanted);
    if (err < 0)
        return err;
    device->driver = &reactor->driver;
    device->parker = &reactor->parker;
    device->timers = &reactor->timers;
    device->sources = &reactor->sources;
    return 0;
}

static int init_ring(struct device *device, const struct runtime_config *config,
                     bool shared)
{
    struct ring_driver *ring = &device->is.ring;
    struct ring_driver_config wanted = {
        .shared = shared,
        .entries = config->ring_entries,
        .sqpoll = config->sqpoll,
        .sqpoll_idle_ms = config->sqpoll_idle_ms,
        .clock = config->clock,
    };
    int err = ring_driver_init(ring, &wanted);
    if (err < 0)
        return err;
    device->driver = &ring->driver;
    device->parker = &ring->parker;
    device->timers = &ring->timers;
    device->sources = &ring->sources;
    return 0;
}

int device_init(struct device *device, const struct runtime_config *config, bool uring,
                bool shared)
{
    device->driver = NULL;
    device->uring = uring;
    return uring ? init_ring(device, config, shared)
                 : init_reactor(device, config, shared);
}

void device_finish(struct device *device)
{
    if (!device->driver)
        return;
    if (device->uring)
        ring_driver_finish(&device->is.ring);
    else
        reactor_finish(&device->is.reactor);
    device->driver = NULL;
}
