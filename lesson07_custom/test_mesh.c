/* The mesh: who sent it, turns, the end of a lane; every lane to every lane, each asleep
 * whenever it has nothing to do. */
#include "lesson07_custom/sync_testing.h"

#include "common/testing/faults.h"
#include "lesson01_futures/future_contract.h"
#include "lesson07_custom/mesh.h"

struct world {
    struct observers observers; /* first: observers_context */
    struct mesh *mesh;
    int into[4];
};

static struct world world;

static void open_world(void *argument)
{
    struct world *self = argument;
    observers_init(&self->observers);
    assert_int_equal(mesh_create(&self->mesh, 3, 4, sizeof(int)), 0);
}

static void close_world(void *argument)
{
    struct world *self = argument;
    mesh_destroy(self->mesh);
    observers_check(&self->observers);
}

static void make_recv(void *argument, void *storage)
{
    struct world *self = argument;
    *(struct mesh_recv *)storage = mesh_recv(self->mesh, 1, self->into, 4);
}

static void send_from_two(void *argument, void *storage)
{
    struct world *self = argument;
    (void)storage;
    CHECK(mesh_try_send(self->mesh, 2, 1, &(int){ 7 }) == 0, "no room");
}

static int64_t result_of_recv(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct mesh_recv *)storage)->result;
}

static struct future_subject a_receive = {
    .name = "mesh_recv",
    .size = sizeof(struct mesh_recv),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_recv,
    .let_finish = send_from_two,
    .context = observers_context,
    .wakes = observers_wakes,
    .result = result_of_recv,
    .finished = 1,
    .cancelled = -ECANCELED,
};

static void a_mesh_without_sense_is_refused(void **state)
{
    (void)state;
    struct mesh *mesh;
    assert_int_equal(mesh_create(&mesh, 0, 4, 4), -EINVAL);
    assert_int_equal(mesh_create(&mesh, 2, 0, 4), -EINVAL);
    assert_int_equal(mesh_create(&mesh, 2, 4, 0), -EINVAL);
    assert_int_equal(mesh_create(&mesh, 1u << 20, 4, 4), -EINVAL);
    mesh_destroy(NULL);
}

static void failed_allocations_leave_nothing_behind(void **state)
{
    (void)state;
    const char *calls[] = { "calloc", "aligned_alloc" };
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
        long n;
        for (n = 1; fault_sweep(n, calls[i], ENOMEM); n++) {
            struct mesh *mesh = NULL;
            int err = mesh_create(&mesh, 2, 4, 4);
            assert_int_equal(err, fault_count() ? -ENOMEM : 0);
            mesh_destroy(mesh);
        }
        assert_true(n > 2);
    }
}

static struct mesh_recv receive(struct world *self, size_t max)
{
    struct mesh_recv recv = mesh_recv(self->mesh, 1, self->into, max);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_READY);
    return recv;
}

static void lanes_take_turns(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    for (unsigned from = 0; from < 3; from++)
        for (int i = 0; i < 2; i++)
            assert_int_equal(
                mesh_try_send(self->mesh, from, 1, &(int){ (int)from * 10 + i }), 0);
    for (unsigned i = 0; i < 6; i++) {
        struct mesh_recv recv = receive(self, 1);
        assert_int_equal(recv.result, 1);
        assert_int_equal(recv.from, i % 3);
        assert_int_equal(self->into[0], (i % 3) * 10 + i / 3);
    }
    close_world(self);
}

static void a_lane_that_leaves_is_seen_to_end(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    struct mesh_recv recv = mesh_recv(self->mesh, 1, self->into, 4);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_PENDING);
    assert_int_equal(mesh_try_send(self->mesh, 0, 1, &(int){ 5 }), 0);
    mesh_leave(self->mesh, 0);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_READY);
    assert_int_equal(self->into[0], 5); /* what it sent before */
    assert_int_equal(mesh_try_send(self->mesh, 1, 0, &(int){ 6 }), -EPIPE);
    recv = mesh_recv(self->mesh, 1, self->into, 4);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_PENDING);
    mesh_leave(self->mesh, 2);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_PENDING);
    mesh_leave(self->mesh, 1);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_READY);
    assert_int_equal(recv.result, -EPIPE);
    close_world(self);
}

static void one_lane_that_left_is_not_all(void **state)
{
    (void)state;
    struct world *self = &world;
    for (unsigned left = 0; left < 3; left++) {
        open_world(self);
        struct mesh_recv recv = mesh_recv(self->mesh, 1, self->into, 4);
        mesh_leave(self->mesh, left);
        assert_int_equal(observer_poll(&self->observers, 0, &recv.future),
                         POLL_PENDING);
        future_cancel(&recv.future);
        assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_READY);
        close_world(self);
    }
}

static void ask_for_no_lane(void *argument)
{
    open_world(argument);
    mesh_try_send(((struct world *)argument)->mesh, 0, 3, &(int){ 0 });
}

static void *poll_receive(void *argument)
{
    struct context context = { NULL, CONTEXT_BUDGET };
    future_poll(argument, &context);
    return NULL;
}

static void receive_on_two_threads(void *argument)
{
    struct world *self = argument;
    open_world(self);
    struct mesh_recv recv = mesh_recv(self->mesh, 1, self->into, 4);
    poll_receive(&recv.future);
    pthread_t thread = start_thread(poll_receive, &recv.future);
    pthread_join(thread, NULL);
}

static void a_lane_on_two_threads_dies(void **state)
{
    (void)state;
    assert_dies(receive_on_two_threads, &world, "lane 1 of a mesh receives on two");
}

static void a_lane_that_is_not_there_dies(void **state)
{
    (void)state;
    assert_dies(ask_for_no_lane, &world, "a mesh of 3 lanes was asked for");
}

/* ---- three lanes: an executor and a thread each */

#define LANES 3
#define EACH 800 /* messages from each lane to each lane */
#define SENDERS 2

struct note {
    unsigned from;
    unsigned number;
};

struct telling {
    ASYNC_FRAME;
    struct mesh *mesh; /* borrows */
    unsigned *telling; /* borrows: tasks of this lane that still send */
    unsigned from, first;
    unsigned i;
    struct note note;
    struct mailbox_send send;
};

/* Several tasks of a lane share its row. */
static enum poll_state telling_poll(struct future *future, struct context *context)
{
    struct telling *self = ASYNC_SELF(telling, future);
    ASYNC_BEGIN(self, context);
    for (self->i = self->first; self->i < EACH * LANES; self->i += SENDERS) {
        self->note = (struct note){ self->from, self->i };
        AWAIT(self->send,
              mesh_send(self->mesh, self->from, self->i % LANES, &self->note));
        if (self->send.result < 0)
            break;
    }
    --*self->telling;
    ASYNC_END;
}

static const struct future_ops telling_ops = ASYNC_OPS(telling);

static struct telling telling(struct mesh *mesh, unsigned *counter, unsigned from,
                              unsigned first)
{
    return (struct telling){ .future = { &telling_ops },
                             .mesh = mesh,
                             .telling = counter,
                             .from = from,
                             .first = first };
}

struct hearing {
    ASYNC_FRAME;
    struct mesh *mesh; /* borrows */
    unsigned lane;
    struct note notes[8];
    unsigned heard, wrong;
    struct mesh_recv recv;
};

static void check_notes(struct hearing *self)
{
    for (int64_t i = 0; i < self->recv.result; i++) {
        self->wrong += self->notes[i].from != self->recv.from;
        self->wrong += self->notes[i].number % LANES != self->lane;
        self->heard++;
    }
}

static enum poll_state hearing_poll(struct future *future, struct context *context)
{
    struct hearing *self = ASYNC_SELF(hearing, future);
    ASYNC_BEGIN(self, context);
    while (self->heard < EACH * LANES) {
        AWAIT(self->recv, mesh_recv(self->mesh, self->lane, self->notes, 8));
        if (self->recv.result < 0)
            break;
        check_notes(self);
    }
    ASYNC_END;
}

static const struct future_ops hearing_ops = ASYNC_OPS(hearing);

static struct hearing hearing(struct mesh *mesh, unsigned lane)
{
    return (struct hearing){ .future = { &hearing_ops }, .mesh = mesh, .lane = lane };
}

struct lane_main {
    struct mesh *mesh;
    unsigned lane;
    int err;
    unsigned heard, wrong, still_telling;
};

static void *run_lane(void *argument)
{
    struct lane_main *lane = argument;
    struct executor executor;
    struct task_handle handle = { 0 };
    struct hearing hear = hearing(lane->mesh, lane->lane);
    lane->still_telling = SENDERS;
    lane->err = executor_init(&executor, NULL);
    if (lane->err)
        return NULL;
    for (unsigned i = 0; i < SENDERS && lane->err == 0; i++)
        lane->err = SPAWN(&executor.scheduler, NULL,
                          telling(lane->mesh, &lane->still_telling, lane->lane, i));
    if (lane->err == 0)
        lane->err =
            task_spawn(&executor.scheduler, &hear.future, SPAWN_SHARED, &handle);
    if (lane->err == 0)
        lane->err = executor_run(&executor);
    if (handle.task) {
        lane->heard = TASK_OUTPUT(&handle, hearing)->heard;
        lane->wrong = TASK_OUTPUT(&handle, hearing)->wrong;
        task_detach(&handle);
    }
    executor_finish(&executor);
    return NULL;
}

static void C13_mesh_every_lane_hears_every_lane(void **state)
{
    (void)state;
    struct mesh *mesh;
    struct lane_main lanes[LANES] = { 0 };
    pthread_t threads[LANES];
    assert_int_equal(mesh_create(&mesh, LANES, 4, sizeof(struct note)), 0);
    for (unsigned i = 0; i < LANES; i++)
        lanes[i] = (struct lane_main){ .mesh = mesh, .lane = i };
    for (unsigned i = 0; i < LANES; i++)
        threads[i] = start_thread(run_lane, &lanes[i]);
    for (unsigned i = 0; i < LANES; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < LANES; i++) {
        assert_int_equal(lanes[i].err, 0);
        assert_int_equal(lanes[i].still_telling, 0);
        assert_int_equal(lanes[i].heard, EACH * LANES);
        assert_int_equal(lanes[i].wrong, 0);
    }
    mesh_destroy(mesh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(a_receive),
        FUTURE_CONTRACT_WAKES(a_receive),
        cmocka_unit_test(a_mesh_without_sense_is_refused),
        cmocka_unit_test(failed_allocations_leave_nothing_behind),
        cmocka_unit_test(lanes_take_turns),
        cmocka_unit_test(a_lane_that_leaves_is_seen_to_end),
        cmocka_unit_test(one_lane_that_left_is_not_all),
        cmocka_unit_test(a_lane_that_is_not_there_dies),
        cmocka_unit_test(a_lane_on_two_threads_dies),
        cmocka_unit_test(C13_mesh_every_lane_hears_every_lane),
    };
    return cmocka_run_group_tests_name("mesh", tests, NULL, NULL);
}
