/* core_stop: the three phases of the stop, in step over all lanes.
 *
 *   phase 1   drain, run until empty, stay as long as another lane is busy: it may still
 *             send work here. Over when all lanes were empty, or at the limit.
 *   phase 2   refuse and cancel, at most config.cancel_ns; then tell, and wait for all.
 *   close     now nobody is left who could wake or spawn here.
 *
 * Invariant: a lane's device is gone only when no other lane runs a task. A lane that does
 * not come back from a poll cannot be waited for: the stop names it at its limit and leaks
 * all (phase 3). */
#include <errno.h>
#include <time.h>

#include "lesson07_custom/core_inside.h"

/* ---- on each core's thread */

/* An empty lane looks this often whether the others are, too. */
#define LOOK_ROUND_NS INT64_C(1000000)

static bool all_quiet(struct cores *cores)
{
    return atomic_load_explicit(&cores->quiet, memory_order_relaxed) == cores->count;
}

/* This lane is empty. No effect if a task was spawned here meanwhile: the state that we
 * saw before the look has changed then. */
static void fall_quiet(struct core *core)
{
    /* acquire: pairs with the release in core_disturb: whoever disturbed us has spawned */
    unsigned seen = atomic_load_explicit(&core->state, memory_order_acquire);
    if ((seen & CORE_QUIET) || lane_has_work(&core->lane))
        return;
    if (atomic_compare_exchange_strong_explicit(&core->state, &seen, seen | CORE_QUIET,
                                                memory_order_relaxed,
                                                memory_order_relaxed))
        atomic_fetch_add_explicit(&core->cores->quiet, 1, memory_order_relaxed);
}

void core_disturb(struct core *core)
{
    unsigned seen = atomic_load_explicit(&core->state, memory_order_relaxed);
    /* release: pairs with the acquire in fall_quiet */
    while (!atomic_compare_exchange_weak_explicit(
        &core->state, &seen, (seen | CORE_QUIET) + 1, memory_order_release,
        memory_order_relaxed))
        ;
    if (seen & CORE_QUIET)
        atomic_fetch_sub_explicit(&core->cores->quiet, 1, memory_order_relaxed);
}

/* Phase 1. A lane that spawns on another disturbs it before it can fall quiet itself, so
 * "all are quiet" is never seen while work is on its way. */
void core_let_finish(struct core *core)
{
    struct cores *cores = core->cores;
    struct lane *lane = &core->lane;
    uint64_t deadline = clock_after(clock_now(), cores->grace_ns);
    lane_drain(lane);
    while (!all_quiet(cores)) {
        uint64_t now = clock_now();
        int err = lane_run_for(lane, deadline > now ? deadline - now : 0);
        if (err < 0 || now >= deadline) /* -EDEADLK: nobody can wake what is left */
            return;
        fall_quiet(core);
        if (!all_quiet(cores) && !lane_has_work(lane))
            parker_park(lane->executor.parker, LOOK_ROUND_NS);
    }
}

void core_meet(struct core *core, int result)
{
    struct cores *cores = core->cores;
    fall_quiet(core); /* if it was not: its tasks needed the cancel */
    pthread_mutex_lock(&cores->lock);
    core->result = result;
    core->quit = true;
    cores->quit++;
    pthread_cond_broadcast(&cores->changed);
    while (cores->quit < cores->count)
        pthread_cond_wait(&cores->changed, &cores->lock);
    pthread_mutex_unlock(&cores->lock);
}

/* ---- on the thread that stops */

int core_wait_for_phases(struct cores *cores)
{
    uint64_t limit =
        clock_after(cores->grace_ns, cores->runtime->config.cancel_ns + NS_PER_S);
    uint64_t deadline = clock_after(clock_now(), limit);
    struct timespec until = { .tv_sec = (time_t)(deadline / NS_PER_S),
                              .tv_nsec = (long)(deadline % NS_PER_S) };
    int err = 0;
    pthread_mutex_lock(&cores->lock);
    while (cores->quit < cores->count && err == 0)
        err = -pthread_cond_timedwait(&cores->changed, &cores->lock, &until);
    err = cores->quit < cores->count ? -ETIMEDOUT : 0;
    pthread_mutex_unlock(&cores->lock);
    return err;
}

void core_name_the_stuck(struct cores *cores)
{
    for (unsigned i = 0; i < cores->count; i++) {
        pthread_mutex_lock(&cores->lock);
        bool quit = cores->cores[i].quit;
        pthread_mutex_unlock(&cores->lock);
        if (!quit)
            lane_dump(&cores->cores[i].lane, 100 * NS_PER_MS);
    }
}
