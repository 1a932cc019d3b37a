/* Tasks that talk, in each cell of the matrix: a channel into which every lane sends, a
 * mesh between lanes, a group whose members read files, a signal; stopped in the middle. */
#include "common/testing/testing.h"

#include <signal.h>
#include <unistd.h>

#include "lesson03_iouring/ring_testing.h"
#include "lesson07_custom/channel.h"
#include "lesson07_custom/fs.h"
#include "lesson07_custom/group.h"
#include "lesson07_custom/mesh.h"
#include "lesson07_custom/runtime.h"
#include "lesson07_custom/signals.h"

#define WORKERS 3
#define EACH 200
#define MEMBERS 10

static sigset_t blocked; /* SIGUSR2, by main */
static char path[128];

struct stage {
    struct runtime *runtime;
    struct channel *channel;
    struct mesh *mesh; /* NULL where a lane is several threads */
};

/* ---- one on each lane: sends into the channel, and to every lane of the mesh */

struct talker {
    ASYNC_FRAME;
    struct stage *stage; /* borrows */
    unsigned lane;
    unsigned i;
    struct channel_send send;
    struct mailbox_send post;
};

static enum poll_state talker_poll(struct future *future, struct context *context)
{
    struct talker *self = ASYNC_SELF(talker, future);
    struct stage *stage = self->stage;
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < EACH; self->i++) {
        AWAIT(self->send, channel_send(stage->channel, &self->i));
        if (stage->mesh)
            AWAIT(self->post,
                  mesh_send(stage->mesh, self->lane,
                            self->i % runtime_lanes(stage->runtime), &self->i));
    }
    channel_drop_sender(stage->channel);
    ASYNC_END;
}

static const struct future_ops talker_ops = ASYNC_OPS(talker);

static struct talker talker(struct stage *stage, unsigned lane)
{
    return (struct talker){ .future = { &talker_ops }, .stage = stage, .lane = lane };
}

/* ---- one on each lane: hears what the mesh brings */

struct hearer {
    ASYNC_FRAME;
    struct stage *stage; /* borrows */
    unsigned lane, heard, expected;
    unsigned into[4];
    struct mesh_recv recv;
};

static enum poll_state hearer_poll(struct future *future, struct context *context)
{
    struct hearer *self = ASYNC_SELF(hearer, future);
    ASYNC_BEGIN(self, context);
    while (self->heard < self->expected) {
        AWAIT(self->recv, mesh_recv(self->stage->mesh, self->lane, self->into, 4));
        if (self->recv.result < 0)
            break;
        self->heard += (unsigned)self->recv.result;
    }
    ASYNC_END;
}

static const struct future_ops hearer_ops = ASYNC_OPS(hearer);

static struct hearer hearer(struct stage *stage, unsigned lane)
{
    unsigned lanes = runtime_lanes(stage->runtime), expected = 0;
    for (unsigned i = 0; i < EACH; i++)
        expected += i % lanes == lane ? lanes : 0;
    return (struct hearer){
        .future = { &hearer_ops }, .stage = stage, .lane = lane, .expected = expected
    };
}

/* ---- a member of the group: reads a file and sleeps */

struct reader {
    ASYNC_FRAME;
    int result; /* output: bytes */
    struct fs_read_file read;
    struct sleep sleep;
};

static enum poll_state reader_poll(struct future *future, struct context *context)
{
    struct reader *self = ASYNC_SELF(reader, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->read, fs_read_file(path, 1000));
    self->result = self->read.result < 0 ? self->read.result : (int)self->read.size;
    free(self->read.data);
    AWAIT(self->sleep, sleep_ms(1));
    ASYNC_END;
}

static const struct future_ops reader_ops = ASYNC_OPS(reader);

static struct reader reader(void)
{
    return (struct reader){ .future = { &reader_ops } };
}

static _Atomic int bytes_read;

static int result_of_reader(const struct future *output)
{
    int result = container_of_const(output, struct reader, future)->result;
    atomic_fetch_add_explicit(&bytes_read, result, memory_order_relaxed);
    return result;
}

/* ---- the root */

struct root {
    ASYNC_FRAME;
    struct stage *stage; /* borrows */
    unsigned i, value, received;
    int group_result, signal; /* output */
    struct channel_recv recv;
    struct task_group *group;
    struct group_join all;
    struct signals signals;
    struct signals_next next;
};

static enum poll_state root_poll(struct future *future, struct context *context)
{
    struct root *self = ASYNC_SELF(root, future);
    ASYNC_BEGIN(self, context);
    do {
        AWAIT(self->recv, channel_recv(self->stage->channel, &self->value));
        self->received += self->recv.result == 0;
    } while (self->recv.result == 0);
    self->group_result = group_create(&self->group, &(struct group_config){ 0 });
    if (self->group_result < 0)
        ASYNC_RETURN;
    for (self->i = 0; self->i < MEMBERS && self->group_result == 0; self->i++)
        self->group_result = GROUP_SPAWN(self->group, result_of_reader, reader());
    AWAIT(self->all, group_join(self->group));
    if (self->group_result == 0)
        self->group_result = self->all.result;
    group_destroy(self->group);
    self->signal = signals_open(&self->signals, &blocked);
    if (self->signal < 0)
        ASYNC_RETURN;
    kill(getpid(), SIGUSR2);
    AWAIT(self->next, signals_next(&self->signals));
    self->signal = self->next.result;
    signals_finish(&self->signals);
    ASYNC_END;
}

static const struct future_ops root_ops = ASYNC_OPS(root);

/* ---- a cell */

static void open_stage(struct stage *stage, enum runtime_scheduler scheduler,
                       enum runtime_driver driver)
{
    struct runtime_config config = { .scheduler = scheduler,
                                     .driver = driver,
                                     .driver_required = true,
                                     .workers = WORKERS };
    struct channel_config values = { .capacity = 8, .value_size = sizeof(unsigned) };
    if (scheduler == RUNTIME_CURRENT)
        config.workers = 0;
    *stage = (struct stage){ 0 };
    assert_int_equal(runtime_create(&stage->runtime, &config), 0);
    assert_int_equal(channel_create(&stage->channel, &values), 0);
    if (scheduler != RUNTIME_STEAL)
        assert_int_equal(mesh_create(&stage->mesh, runtime_lanes(stage->runtime), 4,
                                     sizeof(unsigned)),
                         0);
}

static void close_stage(struct stage *stage)
{
    assert_int_equal(runtime_stop(stage->runtime, 20 * NS_PER_S), 0);
    runtime_destroy(stage->runtime);
    channel_drop_receiver(stage->channel);
    mesh_destroy(stage->mesh);
}

/* Waits on the test's own thread: for current mode, runtime_run is what runs them. */
struct joiner {
    ASYNC_FRAME;
    struct task_handle *handles; /* borrows */
    unsigned count, i;
    struct task_join join;
};

static enum poll_state joiner_poll(struct future *future, struct context *context)
{
    struct joiner *self = ASYNC_SELF(joiner, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < self->count; self->i++)
        AWAIT(self->join, task_join(&self->handles[self->i]));
    ASYNC_END;
}

static const struct future_ops joiner_ops = ASYNC_OPS(joiner);

static void run_cell(enum runtime_scheduler scheduler, enum runtime_driver driver)
{
    struct stage stage;
    struct task_handle handle = { 0 }, hearers[WORKERS] = { 0 };
    int fds = open_fds();
    atomic_store_explicit(&bytes_read, 0, memory_order_relaxed);
    open_stage(&stage, scheduler, driver);
    unsigned lanes = runtime_lanes(stage.runtime);
    for (unsigned i = 0; i < lanes; i++) {
        channel_add_sender(stage.channel);
        assert_int_equal(SPAWN_ON(stage.runtime, i, NULL, talker(&stage, i)), 0);
        if (stage.mesh)
            assert_int_equal(SPAWN_ON(stage.runtime, i, &hearers[i], hearer(&stage, i)),
                             0);
    }
    channel_drop_sender(stage.channel);
    struct root root = { .future = { &root_ops }, .stage = &stage };
    assert_int_equal(runtime_run(stage.runtime, &root.future, &handle), 0);
    struct root *seen = TASK_OUTPUT(&handle, root);
    assert_int_equal(seen->received, lanes * EACH);
    assert_int_equal(seen->group_result, 0);
    assert_int_equal(seen->signal, SIGUSR2);
    assert_int_equal(bytes_read, MEMBERS * 5);
    task_detach(&handle);
    struct joiner joining = { .future = { &joiner_ops },
                              .handles = hearers,
                              .count = stage.mesh ? lanes : 0 };
    assert_int_equal(runtime_run(stage.runtime, &joining.future, &handle), 0);
    task_detach(&handle);
    for (unsigned i = 0; stage.mesh && i < lanes; i++) {
        assert_int_equal(TASK_OUTPUT(&hearers[i], hearer)->heard,
                         TASK_OUTPUT(&hearers[i], hearer)->expected);
        task_detach(&hearers[i]);
    }
    close_stage(&stage);
    assert_int_equal(open_fds(), fds);
}

/* Everybody waits for something that never comes; the stop ends them all. */
static void stop_cell(enum runtime_scheduler scheduler, enum runtime_driver driver)
{
    struct stage stage;
    int fds = open_fds();
    open_stage(&stage, scheduler, driver);
    for (unsigned i = 0; i < runtime_lanes(stage.runtime); i++) {
        channel_add_sender(stage.channel); /* nobody receives: it waits at the ninth */
        assert_int_equal(SPAWN_ON(stage.runtime, i, NULL, talker(&stage, i)), 0);
        if (stage.mesh)
            assert_int_equal(SPAWN_ON(stage.runtime, i, NULL, hearer(&stage, i)), 0);
    }
    channel_drop_sender(stage.channel);
    assert_int_equal(runtime_stop(stage.runtime, 0), 0);
    runtime_destroy(stage.runtime);
    channel_drop_receiver(stage.channel);
    mesh_destroy(stage.mesh);
    assert_int_equal(open_fds(), fds);
}

#define CELL(name, scheduler)                                                          \
    static void tasks_talk_in_##name##_on_epoll(void **state)                          \
    {                                                                                  \
        (void)state;                                                                   \
        run_cell((scheduler), RUNTIME_EPOLL);                                          \
    }                                                                                  \
    static void tasks_talk_in_##name##_on_io_uring(void **state)                       \
    {                                                                                  \
        (void)state;                                                                   \
        needs_io_uring();                                                              \
        run_cell((scheduler), RUNTIME_URING);                                          \
    }                                                                                  \
    static void a_stop_ends_who_waits_in_##name##_on_epoll(void **state)               \
    {                                                                                  \
        (void)state;                                                                   \
        stop_cell((scheduler), RUNTIME_EPOLL);                                         \
    }                                                                                  \
    static void a_stop_ends_who_waits_in_##name##_on_io_uring(void **state)            \
    {                                                                                  \
        (void)state;                                                                   \
        needs_io_uring();                                                              \
        stop_cell((scheduler), RUNTIME_URING);                                         \
    }

#define CELL_TESTS(name)                                                               \
    cmocka_unit_test(tasks_talk_in_##name##_on_epoll),                                 \
        cmocka_unit_test(tasks_talk_in_##name##_on_io_uring),                          \
        cmocka_unit_test(a_stop_ends_who_waits_in_##name##_on_epoll),                  \
        cmocka_unit_test(a_stop_ends_who_waits_in_##name##_on_io_uring)

CELL(current, RUNTIME_CURRENT)
CELL(steal, RUNTIME_STEAL)
CELL(core, RUNTIME_CORE)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CELL_TESTS(current),
        CELL_TESTS(steal),
        CELL_TESTS(core),
    };
    if (signals_block(&blocked, (int[]){ SIGUSR2 }, 1) < 0)
        return 1;
    snprintf(path, sizeof path, "%s", testing_path("five bytes"));
    FILE *file = fopen(path, "w");
    if (!file || fputs("12345", file) < 0 || fclose(file) != 0)
        return 1;
    return cmocka_run_group_tests_name("talk", tests, NULL, NULL);
}
