/* current_mode: one lane, on the thread that calls runtime_run.
 *
 * The lane is made by the thread that creates the runtime, and run by the one that calls
 * runtime_run: with io_uring these must be the same (a ring of one thread belongs to its
 * maker). */
#include <errno.h>
#include <stdlib.h>

#include "lesson07_custom/lane.h"

struct current {
    struct lane lane;
    struct held_group group; /* with a virtual clock only */
};

static int current_start(struct runtime *runtime)
{
    struct current *current = calloc(1, sizeof *current);
    if (!current)
        return -ENOMEM;
    int err = lane_init(&current->lane, runtime, 0);
    if (err < 0) {
        free(current);
        return err;
    }
    held_group_init(&current->group, runtime->config.clock);
    held_group_add(&current->group, &current->lane.held);
    runtime->mode_state = current;
    return 0;
}

static struct lane *lane_of(struct runtime *runtime)
{
    struct current *current = runtime->mode_state;
    return &current->lane;
}

static int current_run(struct runtime *runtime, struct future *root,
                       struct task_handle *handle)
{
    struct lane *lane = lane_of(runtime);
    place_enter(&lane->place);
    int err = executor_block_on(&lane->executor, root, handle);
    place_leave(&lane->place);
    return err;
}

static struct scheduler *current_lane(struct runtime *runtime, unsigned index)
{
    struct lane *lane = lane_of(runtime);
    (void)index;
    return &lane->executor.scheduler;
}

static int current_stop(struct runtime *runtime, uint64_t grace_ns)
{
    struct lane *lane = lane_of(runtime);
    place_enter(&lane->place);
    lane_drain(lane); /* phase 1 */
    (void)lane_run_for(lane, grace_ns);
    int err = lane_cancel(lane); /* phases 2 and 3; from here on spawns are refused */
    if (err == 0)
        lane_close(lane);
    place_leave(&lane->place);
    return err;
}

static void current_destroy(struct runtime *runtime)
{
    lane_finish(lane_of(runtime));
    free(runtime->mode_state);
}

static void current_dump(struct runtime *runtime)
{
    lane_dump(lane_of(runtime), 100 * NS_PER_MS);
}

static void current_metrics(struct runtime *runtime, struct runtime_metrics *metrics)
{
    lane_metrics(lane_of(runtime), metrics);
}

const struct mode_ops current_mode_ops = {
    .name = "current",
    .start = current_start,
    .run = current_run,
    .lane = current_lane,
    .stop = current_stop,
    .destroy = current_destroy,
    .dump = current_dump,
    .metrics = current_metrics,
};
