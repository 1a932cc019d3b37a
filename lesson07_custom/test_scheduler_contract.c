/* Every scheduler of the runtime, on both drivers, through lesson 2's list of what a
 * scheduler must do.
 *
 * The tasks come from the test's main thread, so each cell has threads of its own: the
 * current-thread one is created, run and stopped on a thread that this file starts. Of
 * the cores it is the last one that runs the tasks, since runtime_run knows lane 0 only. */
#include "lesson02_wakers/scheduler_contract.h"

#include "lesson03_iouring/probe.h"
#include "lesson07_custom/runtime_inside.h"

struct cell {
    enum runtime_scheduler scheduler;
    enum runtime_driver driver;
    struct runtime *runtime;
    /* current: its thread runs this task until the test says stop */
    pthread_t thread;
    struct event over;
    _Atomic long opened; /* 1, or a negative errno */
    long ended;          /* what run and stop answered, the first error of them */
};

static int create(struct cell *cell)
{
    const struct runtime_config config = {
        .scheduler = cell->scheduler,
        .driver = cell->driver,
        .driver_required = true,
        .workers = cell->scheduler == RUNTIME_CURRENT ? 1 : 2,
        .ring_entries = 8, /* small, so that the full ring is met, too */
    };
    return runtime_create(&cell->runtime, &config);
}

static void *run_current(void *argument)
{
    struct cell *cell = argument;
    int err = create(cell);
    probe_count(&cell->opened, err < 0 ? err : 1);
    if (err < 0)
        return NULL;
    struct wait_for root = wait_for(&cell->over);
    struct task_handle handle = { NULL };
    int ran = runtime_run(cell->runtime, &root.future, &handle);
    int stopped = runtime_stop(cell->runtime, 0);
    cell->ended = ran < 0 ? ran : stopped;
    task_detach(&handle);
    return NULL;
}

static struct scheduler *open_cell(void *argument)
{
    struct cell *cell = argument;
    struct ring_probe probe;
    if (cell->driver == RUNTIME_URING && ring_probe(&probe) < 0)
        skip_because("%s", probe.sentence);
    *cell = (struct cell){ .scheduler = cell->scheduler, .driver = cell->driver };
    if (cell->scheduler == RUNTIME_CURRENT) {
        cell->thread = start_thread(run_current, cell);
        WAIT_UNTIL(probe_read(&cell->opened) != 0);
        assert_int_equal(probe_read(&cell->opened), 1);
    } else {
        assert_int_equal(create(cell), 0);
    }
    unsigned lane = runtime_lanes(cell->runtime) - 1;
    return cell->runtime->mode->lane(cell->runtime, lane);
}

static void stop_cell(void *argument)
{
    struct cell *cell = argument;
    if (cell->scheduler != RUNTIME_CURRENT) {
        assert_int_equal(runtime_stop(cell->runtime, 0), 0);
        return;
    }
    event_set(&cell->over);
    pthread_join(cell->thread, NULL);
    assert_int_equal(cell->ended, 0);
}

static void close_cell(void *argument)
{
    struct cell *cell = argument;
    runtime_destroy(cell->runtime);
    cell->runtime = NULL;
}

#define CELL(scheduler_name, driver_name)                                              \
    {                                                                                  \
        .name = #scheduler_name " on " #driver_name,                                   \
        .world = &(struct cell){ .scheduler = RUNTIME_##scheduler_name,                \
                                 .driver = RUNTIME_##driver_name },                    \
        .open = open_cell, .stop = stop_cell, .close = close_cell                      \
    }

static struct scheduler_subject current_on_epoll = CELL(CURRENT, EPOLL);
static struct scheduler_subject current_on_uring = CELL(CURRENT, URING);
static struct scheduler_subject steal_on_epoll = CELL(STEAL, EPOLL);
static struct scheduler_subject steal_on_uring = CELL(STEAL, URING);
static struct scheduler_subject core_on_epoll = CELL(CORE, EPOLL);
static struct scheduler_subject core_on_uring = CELL(CORE, URING);

/* ---- W5 */

/* The waker of a LOCAL task, kept beyond the stop by a thread that is none of the
 * runtime's. Its lane's device is gone by then. */
static struct event *kept_by;

struct keeps {
    ASYNC_FRAME;
    struct event *event; /* borrows */
};

static enum poll_state keeps_poll(struct future *future, struct context *context)
{
    struct keeps *self = ASYNC_SELF(keeps, future);
    ASYNC_BEGIN(self, context);
    waker_cell_register(&self->event->cell, context);
    ASYNC_END;
}

static const struct future_ops keeps_ops = ASYNC_OPS(keeps);

struct spawns_keeper {
    ASYNC_FRAME;
    int err;
};

static enum poll_state spawns_keeper_poll(struct future *future,
                                          struct context *context)
{
    struct spawns_keeper *self = ASYNC_SELF(spawns_keeper, future);
    ASYNC_BEGIN(self, context);
    struct keeps keeps = { .future = { &keeps_ops }, .event = kept_by };
    self->err = runtime_spawn_here(&keeps.future, NULL);
    ASYNC_END;
}

static const struct future_ops spawns_keeper_ops = ASYNC_OPS(spawns_keeper);

static void *wake_kept(void *argument)
{
    event_set(argument);
    return NULL;
}

static void W5_a_local_waker_is_used_between_stop_and_destroy(void **state)
{
    const struct scheduler_subject *subject = *state;
    struct cell *cell = subject->world;
    struct event event = { 0 };
    kept_by = &event;
    struct scheduler *scheduler = subject->open(cell);
    struct spawns_keeper root = { .future = { &spawns_keeper_ops } };
    struct task_handle handle = { NULL };
    assert_int_equal(task_spawn(scheduler, &root.future, SPAWN_SHARED, &handle), 0);
    WAIT_UNTIL(task_is_done(&handle));
    assert_int_equal(TASK_OUTPUT(&handle, spawns_keeper)->err, 0);
    task_detach(&handle);
    subject->stop(cell);
    on_a_thread(wake_kept, &event);
    subject->close(cell);
}

#define W5(subject)                                                                    \
    SCHEDULER_CASE(W5_a_local_waker_is_used_between_stop_and_destroy, subject)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCHEDULER_CONTRACT(current_on_epoll),
        SCHEDULER_CONTRACT(current_on_uring),
        SCHEDULER_CONTRACT(steal_on_epoll),
        SCHEDULER_CONTRACT(steal_on_uring),
        SCHEDULER_CONTRACT(core_on_epoll),
        SCHEDULER_CONTRACT(core_on_uring),
        W5(current_on_epoll),
        W5(current_on_uring),
        W5(steal_on_epoll),
        W5(steal_on_uring),
        W5(core_on_epoll),
        W5(core_on_uring),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
