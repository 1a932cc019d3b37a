/* Files: the same calls on both drivers; short reads, growing buffers, limits, cancel in
 * every state, failed allocations and operations, O_DIRECT; tasks with a real pool. */
#include "lesson05_reactor/driver_testing.h"

#include <fcntl.h>

#include "common/testing/faults.h"
#include "lesson01_futures/future_contract.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/join.h"
#include "lesson06_worksteal/blocking.h"
#include "lesson07_custom/fs.h"

static struct driver_subject on_epoll = { .name = "epoll",
                                          .open = open_reactor,
                                          .close = close_reactor };
static struct driver_subject on_uring = { .name = "io_uring",
                                          .open = open_ring_driver,
                                          .close = close_ring_driver };

#define ON_EACH_DRIVER(name)                                                           \
    static void name##_on_epoll(void **state)                                          \
    {                                                                                  \
        struct driver_world world = { 0 };                                             \
        (void)state;                                                                   \
        assert_true(open_world(&world, &on_epoll));                                    \
        name(&world);                                                                  \
        close_world(&world);                                                           \
    }                                                                                  \
    static void name##_on_io_uring(void **state)                                       \
    {                                                                                  \
        struct driver_world world = { 0 };                                             \
        (void)state;                                                                   \
        needs_io_uring();                                                              \
        assert_true(open_world(&world, &on_uring));                                    \
        name(&world);                                                                  \
        close_world(&world);                                                           \
    }

#define ON_EACH_DRIVER_TESTS(name)                                                     \
    cmocka_unit_test(name##_on_epoll), cmocka_unit_test(name##_on_io_uring)

#define LIMIT (1024 * 1024)

/* As drive; but when there are jobs for the offload, they run without a sleep after. */
static void finish(struct driver_world *world, struct future *future)
{
    for (;;) {
        unsigned long before = world->wakes.wakes;
        if (poll_in(world, future) == POLL_READY)
            return;
        if (world->offload.queue)
            turn_for(world, 0);
        wait_for_wake(world, before);
    }
}

/* A file with bytes that depend on their place; its path, static. */
static const char *make_file(const char *name, size_t size)
{
    const char *path = testing_path(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < size; i++)
        fputc((int)(i * 7 % 251), file);
    fclose(file);
    return path;
}

static size_t wrong_bytes(const char *data, size_t size, size_t offset)
{
    size_t wrong = 0;
    for (size_t i = 0; i < size; i++)
        wrong += (unsigned char)data[i] != (i + offset) * 7 % 251;
    return wrong;
}

/* ---- the contract, on epoll: an offload that waits until the test lets it go on */

struct held_world {
    struct driver_world driver;
    struct wake_count counts[2];
    struct waker wakers[2];
    struct io_source *source;
    char path[128];
    char buffer[100];
    bool released;
    int fds;
};

static struct held_world held_world;

static void open_held_world(void *argument)
{
    struct held_world *self = argument;
    memset(self, 0, sizeof *self);
    snprintf(self->path, sizeof self->path, "%s", make_file("contract", 100));
    assert_true(open_world(&self->driver, &on_epoll));
    for (unsigned i = 0; i < 2; i++)
        self->wakers[i] = (struct waker){ &wake_count_ops, &self->counts[i] };
    self->source = attach_fd(open(self->path, O_RDONLY | O_CLOEXEC), IO_TYPE_FILE);
    self->fds = open_fds();
}

static void close_held_world(void *argument)
{
    struct held_world *self = argument;
    io_close_now(self->source);
    assert_int_equal(self->counts[0].references, 0);
    assert_int_equal(self->counts[1].references, 0);
    close_world(&self->driver);
}

static void release_world(void *argument, void *storage)
{
    (void)storage;
    ((struct held_world *)argument)->released = true;
}

static void turn_held_world(void *argument)
{
    struct held_world *self = argument;
    if (self->released)
        turn_for(&self->driver, 0);
    else
        parker_park(self->driver.parker, 0);
}

static struct context held_context(void *argument, unsigned which)
{
    return (struct context){ &((struct held_world *)argument)->wakers[which],
                             CONTEXT_BUDGET };
}

static unsigned long held_wakes(void *argument, unsigned which)
{
    return ((struct held_world *)argument)->counts[which].wakes;
}

static long fds_held(void *argument)
{
    return open_fds() - ((struct held_world *)argument)->fds;
}

#define FS_SUBJECT(type, maker, getter, end, holds)                                    \
    {                                                                                  \
        .name = #type, .size = sizeof(struct type), .world = &held_world,              \
        .setup = open_held_world, .teardown = close_held_world, .make = (maker),       \
        .let_finish = release_world, .turn = turn_held_world, .context = held_context, \
        .wakes = held_wakes, .result = (getter), .held = (holds), .finished = (end),   \
        .cancelled = -ECANCELED, .runs_when_cancelled = true                           \
    }

static void make_open(void *argument, void *storage)
{
    struct held_world *self = argument;
    *(struct fs_open *)storage = fs_open(self->path, O_RDONLY, 0);
}

static int64_t result_of_open(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct fs_open *)storage)->result;
}

static void make_read(void *argument, void *storage)
{
    struct held_world *self = argument;
    *(struct fs_read_at *)storage = fs_read_at(self->source, self->buffer, 60, 50);
}

static int64_t result_of_read(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct fs_read_at *)storage)->result;
}

static void make_read_file(void *argument, void *storage)
{
    struct held_world *self = argument;
    *(struct fs_read_file *)storage = fs_read_file(self->path, LIMIT);
}

static int64_t result_of_read_file(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct fs_read_file *)storage)->result;
}

static void make_stat(void *argument, void *storage)
{
    struct held_world *self = argument;
    *(struct fs_stat *)storage = fs_stat(self->path);
}

static int64_t result_of_stat(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct fs_stat *)storage)->result;
}

static struct future_subject an_open =
    FS_SUBJECT(fs_open, make_open, result_of_open, 0, fds_held);
static struct future_subject a_read =
    FS_SUBJECT(fs_read_at, make_read, result_of_read, 50, NULL);
static struct future_subject a_read_file =
    FS_SUBJECT(fs_read_file, make_read_file, result_of_read_file, 0, NULL);
static struct future_subject a_stat =
    FS_SUBJECT(fs_stat, make_stat, result_of_stat, 0, NULL);

/* ---- one file */

static struct io_source *open_in(struct driver_world *world, const char *path,
                                 int flags)
{
    struct fs_open opening = fs_open(path, flags, 0600);
    finish(world, &opening.future);
    if (opening.result < 0)
        errno = -opening.result;
    return opening.source;
}

static void reads_and_writes_at_offsets(struct driver_world *world)
{
    char into[300];
    struct io_source *source =
        open_in(world, testing_path("offsets"), O_RDWR | O_CREAT | O_TRUNC);
    assert_non_null(source);
    struct fs_write_all writing = fs_write_all(source, "0123456789", 10, 90);
    finish(world, &writing.future);
    assert_int_equal(writing.result, 10);
    struct io_op sync = fs_sync(source);
    assert_int_equal(drive_op(world, &sync), 0);
    struct fs_read_at reading = fs_read_at(source, into, sizeof into, 85);
    finish(world, &reading.future);
    assert_int_equal(reading.result, 15); /* it ends before the buffer does */
    assert_memory_equal(into,
                        "\0\0\0\0\0"
                        "0123456789",
                        15);
    reading = fs_read_at(source, into, 4, 92);
    finish(world, &reading.future);
    assert_int_equal(reading.result, 4);
    assert_memory_equal(into, "2345", 4);
    struct io_op closing = fs_close(source);
    assert_int_equal(drive_op(world, &closing), 0);
}
ON_EACH_DRIVER(reads_and_writes_at_offsets)

static void errors_are_reported(struct driver_world *world)
{
    assert_null(open_in(world, testing_path("no such file"), O_RDONLY));
    assert_int_equal(errno, ENOENT);
    struct fs_read_file reading = fs_read_file(testing_path("nor this"), LIMIT);
    finish(world, &reading.future);
    assert_int_equal(reading.result, -ENOENT);
    assert_null(reading.data);
    reading = fs_read_file("/", LIMIT);
    finish(world, &reading.future);
    assert_int_equal(reading.result, -EISDIR);
    assert_null(reading.data);
    struct fs_write_file writing = fs_write_file("/no/such/folder/x", "x", 1, 0600);
    finish(world, &writing.future);
    assert_int_equal(writing.result, -ENOENT);
    struct fs_stat stating = fs_stat(testing_path("nor that"));
    finish(world, &stating.future);
    assert_int_equal(stating.result, -ENOENT);
    struct io_source *source = open_in(world, make_file("readable", 10), O_RDONLY);
    struct fs_write_all refused = fs_write_all(source, "x", 1, 0);
    finish(world, &refused.future);
    assert_int_equal(refused.result, -EBADF);
    close_source_in(world, source);
}
ON_EACH_DRIVER(errors_are_reported)

static void a_full_disk_is_reported(struct driver_world *world)
{
    if (access("/dev/full", W_OK) < 0)
        skip_because("there is no /dev/full");
    struct fs_write_file writing = fs_write_file("/dev/full", "x", 1, 0600);
    finish(world, &writing.future);
    assert_int_equal(writing.result, -ENOSPC);
}
ON_EACH_DRIVER(a_full_disk_is_reported)

/* ---- whole files */

static void files_of_any_size_are_read_whole(struct driver_world *world)
{
    const size_t sizes[] = { 0, 1, 16382, 16383, 16384, 16385, 100001 };
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct fs_read_file reading =
            fs_read_file(make_file("any size", sizes[i]), LIMIT);
        finish(world, &reading.future);
        assert_int_equal(reading.result, 0);
        assert_int_equal(reading.size, sizes[i]);
        assert_int_equal(wrong_bytes(reading.data, reading.size, 0), 0);
        assert_int_equal(reading.data[reading.size], '\0');
        free(reading.data);
    }
}
ON_EACH_DRIVER(files_of_any_size_are_read_whole)

/* A file of the kernel's: it says that it is empty, and gives a page at a time. */
static void C9_fs_short_reads_go_on_to_the_end(struct driver_world *world)
{
    struct fs_read_file reading = fs_read_file("/proc/self/smaps", LIMIT);
    finish(world, &reading.future);
    assert_int_equal(reading.result, 0);
    assert_true(reading.size > 2 * 4096);
    assert_non_null(strstr(reading.data, "[stack]"));
    free(reading.data);
}
ON_EACH_DRIVER(C9_fs_short_reads_go_on_to_the_end)

static void the_limit_is_a_limit(struct driver_world *world)
{
    const size_t limits[] = { 0, 99, 100, 20000 };
    for (unsigned i = 0; i < ARRAY_SIZE(limits); i++) {
        for (size_t more = 0; more < 2; more++) {
            struct fs_read_file reading =
                fs_read_file(make_file("limited", limits[i] + more), limits[i]);
            finish(world, &reading.future);
            assert_int_equal(reading.result, more ? -EFBIG : 0);
            assert_int_equal(reading.data == NULL, more);
            free(reading.data);
        }
    }
    struct fs_read_file endless = fs_read_file("/dev/zero", 100000);
    finish(world, &endless.future);
    assert_int_equal(endless.result, -EFBIG);
}
ON_EACH_DRIVER(the_limit_is_a_limit)

static void a_written_file_replaces_the_old_one(struct driver_world *world)
{
    char path[128];
    snprintf(path, sizeof path, "%s", make_file("replaced", 5000));
    struct fs_write_file writing = fs_write_file(path, "short", 5, 0600);
    finish(world, &writing.future);
    assert_int_equal(writing.result, 0);
    struct fs_stat stating = fs_stat(path);
    finish(world, &stating.future);
    assert_int_equal(stating.result, 0);
    assert_int_equal(stating.info.st_size, 5);
    struct fs_read_file reading = fs_read_file(path, LIMIT);
    finish(world, &reading.future);
    assert_string_equal(reading.data, "short");
    free(reading.data);
}
ON_EACH_DRIVER(a_written_file_replaces_the_old_one)

/* ---- cancel: nothing stays open, nothing is leaked, at whatever step it comes */

/* Polls `steps` times, cancels, and drives to the end. False: it was READY before. */
static bool cancel_after(struct driver_world *world, struct future *future,
                         unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        if (poll_in(world, future) == POLL_READY)
            return false;
        turn(world);
    }
    future_cancel(future);
    if (poll_in(world, future) == POLL_PENDING)
        finish(world, future);
    return true;
}

static void a_cancelled_read_closes_and_frees(struct driver_world *world)
{
    char path[128];
    snprintf(path, sizeof path, "%s", make_file("cancelled", 70000));
    int fds = open_fds();
    bool more = true;
    for (unsigned steps = 0; more; steps++) {
        struct fs_read_file reading = fs_read_file(path, LIMIT);
        more = cancel_after(world, &reading.future, steps);
        assert_int_equal(open_fds(), fds);
        assert_true(reading.result == 0 || reading.result == -ECANCELED);
        assert_int_equal(reading.data == NULL, reading.result != 0);
        if (steps == 0)
            assert_int_equal(reading.result, -ECANCELED);
        free(reading.data);
    }
}
ON_EACH_DRIVER(a_cancelled_read_closes_and_frees)

static void a_cancelled_write_closes(struct driver_world *world)
{
    static char data[70000];
    int fds = open_fds();
    bool more = true;
    for (unsigned steps = 0; more; steps++) {
        struct fs_write_file writing =
            fs_write_file(testing_path("unwritten"), data, sizeof data, 0600);
        more = cancel_after(world, &writing.future, steps);
        assert_int_equal(open_fds(), fds);
        assert_true(writing.result == 0 || writing.result == -ECANCELED);
    }
}
ON_EACH_DRIVER(a_cancelled_write_closes)

static void a_cancelled_stat_answers_at_once(struct driver_world *world)
{
    struct fs_stat stating = fs_stat(make_file("stat", 1));
    assert_int_equal(poll_in(world, &stating.future), POLL_PENDING);
    future_cancel(&stating.future);
    assert_int_equal(poll_in(world, &stating.future), POLL_READY);
    assert_int_equal(stating.result, -ECANCELED);
}
ON_EACH_DRIVER(a_cancelled_stat_answers_at_once)

static void discarded_outputs_are_released(struct driver_world *world)
{
    char path[128];
    snprintf(path, sizeof path, "%s", make_file("discarded", 100));
    struct fs_open opening = fs_open(path, O_RDONLY, 0);
    const struct future_ops *ops = opening.future.ops;
    finish(world, &opening.future);
    ops->discard(&opening.future); /* close_world counts descriptors */
    struct fs_read_file reading = fs_read_file(path, LIMIT);
    ops = reading.future.ops;
    finish(world, &reading.future);
    ops->discard(&reading.future); /* and the leak checkers blocks */
    assert_null(reading.data);
}
ON_EACH_DRIVER(discarded_outputs_are_released)

/* ---- faults */

static void failed_allocations_leave_nothing_behind(struct driver_world *world)
{
    char path[128];
    const char *calls[] = { "malloc", "realloc", "calloc", "aligned_alloc" };
    snprintf(path, sizeof path, "%s", make_file("faults", 70000));
    int fds = open_fds();
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
        for (long n = 1; fault_sweep(n, calls[i], ENOMEM); n++) {
            struct fs_read_file reading = fs_read_file(path, LIMIT);
            finish(world, &reading.future);
            struct fs_stat stating = fs_stat(path);
            finish(world, &stating.future);
            long failures = fault_count();
            fault_disarm();
            assert_int_equal(reading.result < 0 || stating.result < 0, failures);
            assert_true(reading.result == 0 || reading.result == -ENOMEM);
            assert_true(stating.result == 0 || stating.result == -ENOMEM);
            assert_int_equal(open_fds(), fds);
            free(reading.data);
        }
    }
}
ON_EACH_DRIVER(failed_allocations_leave_nothing_behind)

/* pread and pwrite: epoll's blocking jobs. EINTR goes on, others are reported. */
static void failed_reads_and_writes_are_reported(void **state)
{
    (void)state;
    struct driver_world world = { 0 };
    char path[128];
    snprintf(path, sizeof path, "%s", make_file("faulty", 40000));
    assert_true(open_world(&world, &on_epoll));
    for (unsigned interrupted = 0; interrupted < 2; interrupted++) {
        int err = interrupted ? EINTR : EIO;
        for (long n = 1; fault_sweep(n, "pread", err); n++) {
            struct fs_read_file reading = fs_read_file(path, LIMIT);
            finish(&world, &reading.future);
            assert_int_equal(reading.result, fault_count() && !interrupted ? -EIO : 0);
            free(reading.data);
        }
        for (long n = 1; fault_sweep(n, "pwrite", err); n++) {
            struct fs_write_file writing =
                fs_write_file(path, path, strlen(path), 0600);
            finish(&world, &writing.future);
            assert_int_equal(writing.result, fault_count() && !interrupted ? -EIO : 0);
        }
        make_file("faulty", 40000);
    }
    close_world(&world);
}

/* With O_DIRECT some file systems refuse the read that would only say "the end". */
static void an_odd_number_of_bytes_is_the_end(void **state)
{
    (void)state;
    struct driver_world world = { 0 };
    char into[5000];
    assert_true(open_world(&world, &on_epoll));
    for (size_t size = 1000; size <= 1024; size += 24) {
        struct io_source *source = open_in(&world, make_file("odd", size), O_RDONLY);
        struct fs_read_at reading = fs_read_at(source, into, sizeof into, 0);
        fault_arm("pread", 2, EINVAL);
        finish(&world, &reading.future);
        fault_disarm();
        assert_int_equal(reading.result, size % 512 ? (int)size : -EINVAL);
        assert_int_equal(reading.done, size);
        close_source_in(&world, source);
    }
    close_world(&world);
}

static void a_full_offload_is_reported(void **state)
{
    (void)state;
    struct driver_world world = { 0 };
    assert_true(open_world(&world, &on_epoll));
    world.offload.refuse = -EAGAIN;
    struct fs_read_file reading = fs_read_file("/dev/null", LIMIT);
    finish(&world, &reading.future);
    assert_int_equal(reading.result, -EAGAIN);
    struct fs_stat stating = fs_stat("/");
    finish(&world, &stating.future);
    assert_int_equal(stating.result, -EAGAIN);
    world.services.offload = NULL;
    reading = fs_read_file("/dev/null", LIMIT);
    finish(&world, &reading.future);
    assert_int_equal(reading.result, -EOPNOTSUPP);
    stating = fs_stat("/");
    finish(&world, &stating.future);
    assert_int_equal(stating.result, -EOPNOTSUPP);
    close_world(&world);
}

/* ---- O_DIRECT */

static void aligned_memory_is_whole_blocks(void **state)
{
    (void)state;
    const size_t sizes[] = { 0, 1, FS_ALIGNMENT, FS_ALIGNMENT + 1 };
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        char *block = fs_aligned_alloc(sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % FS_ALIGNMENT, 0);
        memset(block, 1, sizes[i] > FS_ALIGNMENT ? 2 * FS_ALIGNMENT : FS_ALIGNMENT);
        free(block);
    }
    assert_null(fs_aligned_alloc(SIZE_MAX));
    fault_arm("aligned_alloc", 1, ENOMEM);
    assert_null(fs_aligned_alloc(1));
    fault_disarm();
}

static void a_file_is_read_past_the_page_cache(struct driver_world *world)
{
    const size_t size = 3 * FS_ALIGNMENT + 1000;
    struct io_source *source =
        open_in(world, make_file("direct", size), O_RDONLY | O_DIRECT);
    if (!source && errno == EINVAL)
        skip_because("the file system of /tmp has no O_DIRECT");
    assert_non_null(source);
    char *block = fs_aligned_alloc(5 * FS_ALIGNMENT);
    assert_non_null(block);
    struct fs_read_at reading = fs_read_at(source, block, 5 * FS_ALIGNMENT, 0);
    finish(world, &reading.future);
    assert_int_equal(reading.result, size);
    assert_int_equal(wrong_bytes(block, size, 0), 0);
    free(block);
    close_source_in(world, source);
}
ON_EACH_DRIVER(a_file_is_read_past_the_page_cache)

/* ---- tasks, an executor that sleeps in the driver, and real blocking threads */

#define COPIES 8

struct copy {
    ASYNC_FRAME;
    const char *from; /* borrows */
    char to[160];
    int result; /* output */
    struct fs_read_file reading;
    struct fs_write_file writing;
};

static enum poll_state copy_poll(struct future *future, struct context *context)
{
    struct copy *self = ASYNC_SELF(copy, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->reading, fs_read_file(self->from, LIMIT));
    self->result = self->reading.result;
    if (self->result < 0)
        ASYNC_RETURN;
    AWAIT(self->writing,
          fs_write_file(self->to, self->reading.data, self->reading.size, 0600));
    self->result = self->writing.result;
    free(self->reading.data);
    ASYNC_END;
}

static const struct future_ops copy_ops = ASYNC_OPS(copy);

static struct copy copy(const char *from, unsigned number)
{
    struct copy self = { .future = { &copy_ops }, .from = from };
    char name[16];
    snprintf(name, sizeof name, "copy %u", number);
    snprintf(self.to, sizeof self.to, "%s", testing_path(name));
    return self;
}

static void tasks_copy_files(struct driver_world *world)
{
    char from[128];
    struct executor executor;
    struct blocking_pool *blocking;
    struct task_handle handles[COPIES];
    snprintf(from, sizeof from, "%s", make_file("original", 90000));
    struct blocking_config config = { .threads = 2 };
    assert_int_equal(blocking_create(&blocking, &config), 0);
    world->services.offload = blocking_offload(blocking);
    assert_int_equal(executor_init(&executor, world->parker), 0);
    for (unsigned i = 0; i < COPIES; i++)
        assert_int_equal(SPAWN(&executor.scheduler, &handles[i], copy(from, i)), 0);
    assert_int_equal(executor_run(&executor), 0);
    world->services.offload = &world->offload.offload;
    for (unsigned i = 0; i < COPIES; i++) {
        assert_int_equal(TASK_OUTPUT(&handles[i], copy)->result, 0);
        struct fs_read_file reading =
            fs_read_file(TASK_OUTPUT(&handles[i], copy)->to, LIMIT);
        finish(world, &reading.future);
        assert_int_equal(reading.size, 90000);
        assert_int_equal(wrong_bytes(reading.data, reading.size, 0), 0);
        free(reading.data);
        task_detach(&handles[i]);
    }
    assert_int_equal(executor_finish(&executor), 0);
    blocking_destroy(blocking);
}
ON_EACH_DRIVER(tasks_copy_files)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(an_open),
        FUTURE_CONTRACT_WAKES(an_open),
        FUTURE_CONTRACT_HOLDS(an_open),
        FUTURE_CONTRACT(a_read),
        FUTURE_CONTRACT_WAKES(a_read),
        FUTURE_CONTRACT(a_read_file),
        FUTURE_CONTRACT_WAKES(a_read_file),
        FUTURE_CONTRACT(a_stat),
        FUTURE_CONTRACT_WAKES(a_stat),
        ON_EACH_DRIVER_TESTS(reads_and_writes_at_offsets),
        ON_EACH_DRIVER_TESTS(errors_are_reported),
        ON_EACH_DRIVER_TESTS(a_full_disk_is_reported),
        ON_EACH_DRIVER_TESTS(files_of_any_size_are_read_whole),
        ON_EACH_DRIVER_TESTS(C9_fs_short_reads_go_on_to_the_end),
        ON_EACH_DRIVER_TESTS(the_limit_is_a_limit),
        ON_EACH_DRIVER_TESTS(a_written_file_replaces_the_old_one),
        ON_EACH_DRIVER_TESTS(a_cancelled_read_closes_and_frees),
        ON_EACH_DRIVER_TESTS(a_cancelled_write_closes),
        ON_EACH_DRIVER_TESTS(a_cancelled_stat_answers_at_once),
        ON_EACH_DRIVER_TESTS(discarded_outputs_are_released),
        ON_EACH_DRIVER_TESTS(failed_allocations_leave_nothing_behind),
        cmocka_unit_test(failed_reads_and_writes_are_reported),
        cmocka_unit_test(an_odd_number_of_bytes_is_the_end),
        cmocka_unit_test(a_full_offload_is_reported),
        cmocka_unit_test(aligned_memory_is_whole_blocks),
        ON_EACH_DRIVER_TESTS(a_file_is_read_past_the_page_cache),
        ON_EACH_DRIVER_TESTS(tasks_copy_files),
    };
    return cmocka_run_group_tests_name("fs", tests, NULL, NULL);
}
