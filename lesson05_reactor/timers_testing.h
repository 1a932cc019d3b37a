/* timers_testing: a wheel and a virtual clock, nothing else, and two wakers that count.
 * For tests only; nothing of it is in the archive. */
#ifndef LESSON05_TIMERS_TESTING_H
#define LESSON05_TIMERS_TESTING_H

#include "lesson05_reactor/driver_testing.h"

/* May be the first member of a test's own world: the functions below take either. */
struct timers_world {
    struct virtual_clock clock;
    struct timers timers;
    struct io_stats stats;
    struct io_services services;
    const struct io_services *before;
    struct wake_count wakes[2];
    struct waker wakers[2];
};

/* `world` is zeroed. The clock starts at `start`. */
static inline void open_timers_world(struct timers_world *world, uint64_t start)
{
    virtual_clock_init(&world->clock, start);
    assert_int_equal(timers_init(&world->timers, false, &world->clock, NULL), 0);
    world->services =
        (struct io_services){ .timers = &world->timers, .stats = &world->stats };
    world->before = io_services_enter(&world->services);
    for (int i = 0; i < 2; i++)
        world->wakers[i] = wake_count_clone(&world->wakes[i]);
}

/* Dies if a sleep is pending, fails if a waker is left. */
static inline void close_timers_world(void *world)
{
    struct timers_world *self = world;
    timers_finish(&self->timers);
    io_services_leave(self->before);
    for (int i = 0; i < 2; i++) {
        waker_drop(&self->wakers[i]);
        assert_int_equal(self->wakes[i].references, 0);
    }
}

static inline struct context timers_world_context(void *world, unsigned which)
{
    struct timers_world *self = world;
    return (struct context){ &self->wakers[which], CONTEXT_BUDGET };
}

static inline unsigned long timers_world_wakes(void *world, unsigned which)
{
    return ((struct timers_world *)world)->wakes[which].wakes;
}

static inline void timers_world_fire(void *world)
{
    timers_fire(&((struct timers_world *)world)->timers);
}

#endif
