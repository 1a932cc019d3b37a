/* Task groups: join all, first failure, cancel the rest, panic; nothing outlives the
 * group; wakers that come late. */
#include "lesson07_custom/sync_testing.h"

#include "common/testing/faults.h"
#include "lesson01_futures/future_contract.h"
#include "lesson02_wakers/waker_cell.h"
#include "lesson07_custom/group.h"

/* ---- a member: waits at a door, then ends as it is told */

enum ending { RETURNS, FAILS, PANICS, WAITS_FOR_EVER };

struct door {
    struct waker_cell cells[64];
    _Atomic bool open;
    _Atomic unsigned started;
    _Atomic unsigned ended;
};

struct door_wait {
    struct future future;
    struct door *door; /* borrows */
    unsigned place;
    bool never; /* only a cancel ends it */
    bool cancelled;
    int result;
};

static enum poll_state door_wait_poll(struct future *future, struct context *context)
{
    struct door_wait *self = container_of(future, struct door_wait, future);
    waker_cell_register(&self->door->cells[self->place], context);
    bool open = atomic_load_explicit(&self->door->open, memory_order_acquire);
    if (!self->cancelled && (!open || self->never))
        return POLL_PENDING;
    struct waker left = waker_cell_take(&self->door->cells[self->place]);
    waker_drop(&left);
    self->result = self->cancelled ? -ECANCELED : 0;
    return POLL_READY;
}

static void door_wait_cancel(struct future *future)
{
    container_of(future, struct door_wait, future)->cancelled = true;
}

static const struct future_ops door_wait_ops = {
    .name = "door",
    .size = FUTURE_SIZE(struct door_wait),
    .poll = door_wait_poll,
    .cancel = door_wait_cancel,
};

static struct door_wait door_wait(struct door *door, unsigned place, bool never)
{
    return (struct door_wait){
        .future = { &door_wait_ops }, .door = door, .place = place, .never = never
    };
}

static void open_door(struct door *door)
{
    atomic_store_explicit(&door->open, true, memory_order_release);
    for (unsigned i = 0; i < ARRAY_SIZE(door->cells); i++)
        waker_cell_wake(&door->cells[i]);
}

struct worker_task {
    ASYNC_FRAME;
    struct door *door; /* borrows */
    unsigned place;
    enum ending ending;
    int result; /* output */
    struct door_wait wait;
};

static void count(_Atomic unsigned *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static unsigned counted(_Atomic unsigned *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static enum poll_state worker_task_poll(struct future *future, struct context *context)
{
    struct worker_task *self = ASYNC_SELF(worker_task, future);
    ASYNC_BEGIN(self, context);
    count(&self->door->started);
    AWAIT(self->wait,
          door_wait(self->door, self->place, self->ending == WAITS_FOR_EVER));
    count(&self->door->ended);
    if (self->ending == PANICS && self->wait.result == 0)
        task_panic("member %u has lost its way", self->place);
    self->result = self->ending == FAILS ? -EIO : self->wait.result;
    ASYNC_END;
}

static const struct future_ops worker_task_ops = ASYNC_OPS(worker_task);

static struct worker_task worker_task(struct door *door, unsigned place,
                                      enum ending ending)
{
    return (struct worker_task){
        .future = { &worker_task_ops }, .door = door, .place = place, .ending = ending
    };
}

static int result_of_worker(const struct future *output)
{
    return container_of_const(output, struct worker_task, future)->result;
}

/* ---- the contract; like an async function the join runs when it is cancelled */

struct world {
    struct observers observers; /* first: observers_context */
    struct executor executor;
    struct task_group *group;
    struct door door;
    bool running;
};

static struct world world;

static void open_world(void *argument)
{
    struct world *self = argument;
    memset(self, 0, sizeof *self);
    observers_init(&self->observers);
    assert_int_equal(executor_init(&self->executor, NULL), 0);
    struct group_config config = { .scheduler = &self->executor.scheduler };
    assert_int_equal(group_create(&self->group, &config), 0);
}

static void make_join(void *argument, void *storage)
{
    struct world *self = argument;
    for (unsigned i = 0; i < 3 && group_live(self->group) < 3; i++)
        CHECK(GROUP_SPAWN(self->group, result_of_worker,
                          worker_task(&self->door, i, RETURNS)) == 0,
              "no memory");
    *(struct group_join *)storage = group_join(self->group);
}

static void let_members_end(void *argument, void *storage)
{
    (void)storage;
    open_door(&((struct world *)argument)->door);
}

static void run_a_moment(void *argument)
{
    struct world *self = argument;
    int err = executor_run_for(&self->executor, NS_PER_MS);
    CHECK(err == 0 || err == -ETIMEDOUT, "the executor: %d", err);
}

static void close_world(void *argument)
{
    struct world *self = argument;
    struct group_join join = group_join(self->group);
    future_cancel(&join.future);
    uint64_t give_up = testing_deadline();
    while (observer_poll(&self->observers, 3, &join.future) == POLL_PENDING) {
        assert_false(testing_expired(give_up));
        run_a_moment(self);
    }
    group_destroy(self->group);
    assert_int_equal(executor_finish(&self->executor), 0);
    observers_check(&self->observers);
}

static int64_t result_of_join(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct group_join *)storage)->result;
}

static struct future_subject a_join = {
    .name = "group_join",
    .size = sizeof(struct group_join),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_join,
    .let_finish = let_members_end,
    .turn = run_a_moment,
    .context = observers_context,
    .wakes = observers_wakes,
    .result = result_of_join,
    .finished = 0,
    .cancelled = -ECANCELED,
    .runs_when_cancelled = true,
};

/* ---- a group within a task */

struct owner {
    ASYNC_FRAME;
    struct scheduler *scheduler; /* borrows */
    struct door *door;           /* borrows */
    const char
        *members; /* r returns, f fails, p panics, w waits; before '|': at once */
    bool keep_going;
    bool opens;
    int err;
    int result;          /* output: of the join */
    unsigned live_after; /* output */
    struct group_failure failure;
    struct task_group *group;
    struct group_join join;
    struct yield yield;
};

static enum ending ending_of(char letter)
{
    switch (letter) {
    case 'f':
        return FAILS;
    case 'p':
        return PANICS;
    case 'w':
        return WAITS_FOR_EVER;
    default:
        return RETURNS;
    }
}

static void spawn_members(struct owner *self)
{
    for (unsigned i = 0; self->members[i] && self->err == 0; i++)
        self->err =
            GROUP_SPAWN(self->group, result_of_worker,
                        worker_task(self->door, i, ending_of(self->members[i])));
}

static enum poll_state owner_poll(struct future *future, struct context *context)
{
    struct owner *self = ASYNC_SELF(owner, future);
    ASYNC_BEGIN(self, context);
    self->err = group_create(&self->group,
                             &(struct group_config){ .scheduler = self->scheduler,
                                                     .keep_going = self->keep_going });
    if (self->err < 0)
        ASYNC_RETURN;
    spawn_members(self);
    AWAIT(self->yield, yield_now());
    if (self->opens)
        open_door(self->door);
    AWAIT(self->join, group_join(self->group));
    self->result = self->join.result;
    self->live_after = (unsigned)group_live(self->group);
    self->failure = *group_failure(self->group);
    group_destroy(self->group);
    ASYNC_END;
}

static const struct future_ops owner_ops = ASYNC_OPS(owner);

static struct owner owner(struct scheduler *scheduler, struct door *door,
                          const char *members)
{
    return (struct owner){ .future = { &owner_ops },
                           .scheduler = scheduler,
                           .door = door,
                           .members = members,
                           .opens = true };
}

/* Runs an owner to its end; its frame as it was then. */
static struct owner run_owner(struct stage *stage, struct owner owning)
{
    struct task_handle handle;
    assert_int_equal(
        task_spawn(stage->scheduler, &owning.future, SPAWN_SHARED, &handle), 0);
    stage_run(stage);
    struct owner seen = *TASK_OUTPUT(&handle, owner);
    task_detach(&handle);
    assert_int_equal(counted(&seen.door->started), counted(&seen.door->ended));
    assert_int_equal(seen.live_after, 0);
    return seen;
}

static void a_group_of_many_is_joined(struct stage *stage)
{
    struct door door = { 0 };
    struct owner seen = run_owner(
        stage, owner(stage->scheduler, &door,
                     "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr"));
    assert_int_equal(seen.err, 0);
    assert_int_equal(seen.result, 0);
    assert_null(seen.failure.name);
    assert_int_equal(counted(&door.ended), 60);
}
ON_EACH_STAGE(a_group_of_many_is_joined)

static void an_empty_group_is_joined_at_once(struct stage *stage)
{
    struct door door = { 0 };
    assert_int_equal(run_owner(stage, owner(stage->scheduler, &door, "")).result, 0);
}
ON_EACH_STAGE(an_empty_group_is_joined_at_once)

static void the_first_error_cancels_the_rest(struct stage *stage)
{
    struct door door = { 0 };
    struct owner seen = run_owner(stage, owner(stage->scheduler, &door, "wwwfww"));
    assert_int_equal(seen.result, -EIO);
    assert_string_equal(seen.failure.name, "worker_task");
    assert_int_equal(seen.failure.status, JOIN_OK);
    assert_int_equal(seen.failure.error, -EIO);
}
ON_EACH_STAGE(the_first_error_cancels_the_rest)

static void a_panic_cancels_the_rest_and_is_reported(struct stage *stage)
{
    struct door door = { 0 };
    struct owner seen = run_owner(stage, owner(stage->scheduler, &door, "wpww"));
    assert_int_equal(seen.result, -ENOTRECOVERABLE);
    assert_int_equal(seen.failure.status, JOIN_PANICKED);
    assert_non_null(strstr(seen.failure.panic, "member 1 has lost its way"));
}
ON_EACH_STAGE(a_panic_cancels_the_rest_and_is_reported)

static void keep_going_lets_the_others_finish(struct stage *stage)
{
    struct door door = { 0 };
    struct owner owning = owner(stage->scheduler, &door, "rfrrr");
    owning.keep_going = true;
    struct owner seen = run_owner(stage, owning);
    assert_int_equal(seen.result, -EIO);
    assert_int_equal(counted(&door.started), 5);
}
ON_EACH_STAGE(keep_going_lets_the_others_finish)

static void the_failure_that_came_first_is_reported(void **state)
{
    (void)state;
    struct stage stage;
    struct door door = { 0 };
    stage_open(&stage, STAGE_EXECUTOR);
    struct owner owning = owner(stage.scheduler, &door, "rfpf");
    owning.keep_going = true;
    struct owner seen = run_owner(&stage, owning);
    assert_int_equal(seen.result, -EIO);
    assert_int_equal(seen.failure.status, JOIN_OK);
    assert_string_equal(seen.failure.panic, "");
    stage_close(&stage);
}

/* ---- cancel from outside: the owner's task is cancelled while members run */

static void cancelling_the_owner_ends_its_members_first(struct stage *stage)
{
    struct door door = { 0 };
    struct owner owning = owner(stage->scheduler, &door, "wwwwwwww");
    struct task_handle handle;
    owning.opens = false;
    assert_int_equal(
        task_spawn(stage->scheduler, &owning.future, SPAWN_SHARED, &handle), 0);
    if (stage->kind == STAGE_EXECUTOR)
        assert_int_equal(executor_run_for(&stage->executor, 20 * NS_PER_MS),
                         -ETIMEDOUT);
    else
        WAIT_UNTIL(counted(&door.started) == 8);
    assert_int_equal(counted(&door.started), 8);
    task_cancel(&handle);
    stage_run(stage);
    assert_int_equal(TASK_OUTPUT(&handle, owner)->result, -ECANCELED);
    assert_int_equal(TASK_OUTPUT(&handle, owner)->live_after, 0);
    assert_int_equal(counted(&door.ended), 8);
    task_detach(&handle);
}
ON_EACH_STAGE(cancelling_the_owner_ends_its_members_first)

static void a_stop_of_the_executor_ends_groups(void **state)
{
    (void)state;
    struct door door = { 0 };
    struct executor executor;
    struct task_handle handle;
    assert_int_equal(executor_init(&executor, NULL), 0);
    struct owner owning = owner(&executor.scheduler, &door, "www");
    owning.opens = false;
    assert_int_equal(
        task_spawn(&executor.scheduler, &owning.future, SPAWN_SHARED, &handle), 0);
    assert_int_equal(executor_run_for(&executor, NS_PER_MS), -ETIMEDOUT);
    executor_cancel_all(&executor);
    assert_int_equal(executor_run(&executor), 0);
    assert_int_equal(TASK_OUTPUT(&handle, owner)->live_after, 0);
    task_detach(&handle);
    assert_int_equal(executor_finish(&executor), 0);
}

/* ---- by hand */

static void a_cancelled_group_takes_no_more(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    group_cancel(self->group);
    assert_int_equal(GROUP_SPAWN(self->group, NULL, worker_task(&self->door, 0, FAILS)),
                     -ECANCELED);
    assert_int_equal(group_live(self->group), 0);
    close_world(self);
}

static void without_a_result_function_a_return_is_no_failure(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    assert_int_equal(GROUP_SPAWN(self->group, NULL, worker_task(&self->door, 0, FAILS)),
                     0);
    open_door(&self->door);
    assert_int_equal(executor_run(&self->executor), 0);
    struct group_join join = group_join(self->group);
    assert_int_equal(observer_poll(&self->observers, 0, &join.future), POLL_READY);
    assert_int_equal(join.result, 0);
    close_world(self);
}

static void destroy_with_members(void *argument)
{
    struct world *self = argument;
    open_world(self);
    GROUP_SPAWN(self->group, NULL, worker_task(&self->door, 0, RETURNS));
    group_destroy(self->group);
}

static void a_group_cannot_be_destroyed_with_members(void **state)
{
    (void)state;
    assert_dies(destroy_with_members, &world, "was destroyed with 1 members in it");
    group_destroy(NULL);
}

/* calloc: groups and members. (Slabs of tasks are mmap, and come and go less often.) */
static void failed_allocations_leave_nothing_behind(void **state)
{
    (void)state;
    unsigned failures = 0;
    struct stage stage;
    stage_open(&stage, STAGE_EXECUTOR);
    for (long n = 1; fault_sweep(n, "calloc", ENOMEM); n++) {
        struct door door = { 0 };
        struct owner seen = run_owner(&stage, owner(stage.scheduler, &door, "rrr"));
        assert_true(seen.err == 0 || seen.err == -ENOMEM);
        assert_int_equal(seen.result, 0);
        failures += seen.err != 0;
    }
    assert_int_equal(failures, 4);
    stage_close(&stage);
}

/* The owner sees a member's end, and may free the group, while the thread that ended it
 * is still waking. ASan and TSan are the judges. */
static void W5_group_waker_may_come_after_the_group_is_gone(void **state)
{
    (void)state;
    struct stage stage;
    stage_open(&stage, STAGE_POOL);
    for (unsigned i = 0; i < 150; i++) {
        struct door door = { .open = true };
        struct owner seen = run_owner(&stage, owner(stage.scheduler, &door, "rrrrr"));
        assert_int_equal(seen.result, 0);
    }
    stage_close(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(a_join),
        FUTURE_CONTRACT_WAKES(a_join),
        cmocka_unit_test(a_group_cannot_be_destroyed_with_members), /* forks: first */
        ON_EACH_STAGE_TESTS(a_group_of_many_is_joined),
        ON_EACH_STAGE_TESTS(an_empty_group_is_joined_at_once),
        ON_EACH_STAGE_TESTS(the_first_error_cancels_the_rest),
        ON_EACH_STAGE_TESTS(a_panic_cancels_the_rest_and_is_reported),
        ON_EACH_STAGE_TESTS(keep_going_lets_the_others_finish),
        cmocka_unit_test(the_failure_that_came_first_is_reported),
        ON_EACH_STAGE_TESTS(cancelling_the_owner_ends_its_members_first),
        cmocka_unit_test(a_stop_of_the_executor_ends_groups),
        cmocka_unit_test(a_cancelled_group_takes_no_more),
        cmocka_unit_test(without_a_result_function_a_return_is_no_failure),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
        cmocka_unit_test(W5_group_waker_may_come_after_the_group_is_gone),
    };
    return cmocka_run_group_tests_name("group", tests, NULL, NULL);
}
