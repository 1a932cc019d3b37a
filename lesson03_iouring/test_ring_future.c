/* Ring futures keep the future contract, and the rules about cancel, close, buffers and
 * memory that completion I/O adds to it. */
#include "lesson03_iouring/ring_testing.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/testing/faults.h"
#include "lesson01_futures/future_contract.h"
#include "lesson03_iouring/ring_future.h"
#include "lesson03_iouring/ring_whole.h"

/* ---- the contract, for a receive, an accept and a whole read */

struct world {
    struct ring ring;
    struct wake_count counts[2];
    struct waker wakers[2];
    int ends[2];  /* of a socket pair */
    int listener; /* or -1 */
    int client;   /* or -1 */
    struct sockaddr_in address;
    char buffer[8];
    int fds; /* open after setup */
};

static struct world world;

static int listen_on_loopback(struct sockaddr_in *address)
{
    socklen_t size = sizeof *address;
    *address = (struct sockaddr_in){ .sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)address, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)address, &size), 0);
    return listener;
}

static int connect_to(const struct sockaddr_in *address)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)address, sizeof *address),
                     0);
    return client;
}

static void make_pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static void open_world(void *argument)
{
    struct world *self = argument;
    *self = (struct world){ .client = -1 };
    open_ring(&self->ring, RING_SINGLE, 4);
    make_pair(self->ends);
    self->listener = listen_on_loopback(&self->address);
    for (unsigned i = 0; i < 2; i++)
        self->wakers[i] = (struct waker){ &wake_count_ops, &self->counts[i] };
    self->fds = open_fds();
}

static void close_world(void *argument)
{
    struct world *self = argument;
    assert_int_equal(ring_drain(&self->ring), 0); /* the cancels' own completions */
    ring_finish(&self->ring);
    close(self->ends[0]);
    close(self->ends[1]);
    close(self->listener);
    if (self->client >= 0)
        close(self->client);
    assert_int_equal(self->counts[0].references, 0); /* every waker was given up */
    assert_int_equal(self->counts[1].references, 0);
}

static void turn_world(void *argument)
{
    struct world *self = argument;
    ring_wait(&self->ring, 100 * 1000);
    ring_reap(&self->ring);
}

static struct context world_context(void *argument, unsigned which)
{
    return (struct context){ &((struct world *)argument)->wakers[which],
                             CONTEXT_BUDGET };
}

static unsigned long world_wakes(void *argument, unsigned which)
{
    return ((struct world *)argument)->counts[which].wakes;
}

static unsigned long world_effects(void *argument)
{
    return atomic_load_explicit(&((struct world *)argument)->ring.started,
                                memory_order_relaxed);
}

static void make_recv(void *argument, void *storage)
{
    struct world *self = argument;
    *(struct ring_future *)storage =
        ring_recv(&self->ring, self->ends[0], self->buffer, sizeof self->buffer, 0);
}

static void make_accept(void *argument, void *storage)
{
    struct world *self = argument;
    *(struct ring_future *)storage = ring_accept(&self->ring, self->listener);
}

static void make_read_full(void *argument, void *storage)
{
    struct world *self = argument;
    *(struct ring_whole *)storage = ring_read_full(
        &self->ring, self->ends[0], self->buffer, sizeof self->buffer, RING_NO_OFFSET);
}

static void send_to_world(void *argument, void *storage)
{
    struct world *self = argument;
    (void)storage;
    assert_int_equal(send(self->ends[1], "contract", 8, 0), 8);
}

static void connect_to_world(void *argument, void *storage)
{
    struct world *self = argument;
    (void)storage;
    self->client = connect_to(&self->address);
}

static int64_t ring_future_result(void *argument, const void *storage)
{
    const struct ring_future *future = storage;
    (void)argument;
    return future->opcode == IORING_OP_ACCEPT && future->result >= 0 ? 1
                                                                     : future->result;
}

static int64_t ring_whole_result(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct ring_whole *)storage)->result;
}

static long world_held(void *argument)
{
    struct world *self = argument;
    return open_fds() - self->fds - (self->client >= 0);
}

static struct future_subject recv_future = {
    .name = "ring_recv",
    .size = sizeof(struct ring_future),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_recv,
    .let_finish = send_to_world,
    .turn = turn_world,
    .context = world_context,
    .wakes = world_wakes,
    .effects = world_effects,
    .result = ring_future_result,
    .finished = 8,
    .cancelled = -ECANCELED,
};

static struct future_subject accept_future = {
    .name = "ring_accept",
    .size = sizeof(struct ring_future),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_accept,
    .let_finish = connect_to_world,
    .turn = turn_world,
    .context = world_context,
    .wakes = world_wakes,
    .effects = world_effects,
    .held = world_held,
    .result = ring_future_result,
    .finished = 1,
    .cancelled = -ECANCELED,
};

static struct future_subject read_full_future = {
    .name = "ring_read_full",
    .size = sizeof(struct ring_whole),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_read_full,
    .let_finish = send_to_world,
    .turn = turn_world,
    .context = world_context,
    .wakes = world_wakes,
    .effects = world_effects,
    .result = ring_whole_result,
    .finished = 8,
    .cancelled = -ECANCELED,
    .runs_when_cancelled = true,
};

/* ---- C1, C17: over at its own completion, and not before */

static void C17_the_cancels_answer_says_nothing_about_the_target(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    struct ring_future recv = ring_recv(&self->ring, self->ends[0], self->buffer, 8, 0);
    /* The request goes first and finds nothing: -ENOENT, while the target lives on. */
    assert_int_equal(ring_cancel(&self->ring, &recv.op), 0);
    assert_int_equal(poll_future(&recv.future), POLL_PENDING);
    turn_ring(&self->ring);
    assert_int_equal(ring_in_flight(&self->ring), 1);
    assert_int_equal(poll_future(&recv.future), POLL_PENDING);
    send_to_world(self, NULL);
    drive_future(&self->ring, &recv.future);
    assert_int_equal(recv.result, 8);
    close_world(self);
}

static void C17_a_disk_read_that_cannot_be_stopped_is_awaited(void **state)
{
    (void)state;
    enum { SIZE = 4 << 20 };
    struct ring ring;
    const char *path = testing_path("direct");
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    char *buffer = aligned_alloc(4096, SIZE);
    memset(buffer, 'd', SIZE);
    assert_int_equal(write(fd, buffer, SIZE), SIZE);
    fsync(fd);
    close(fd);
    fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (fd < 0) /* a file system in memory: still a regular file */
        fd = open(path, O_RDONLY | O_CLOEXEC);
    open_ring(&ring, RING_SINGLE, 4);
    for (int i = 0; i < 10; i++) {
        memset(buffer, 0, SIZE);
        struct ring_future read = ring_read(&ring, fd, buffer, SIZE, 0);
        assert_int_equal(poll_future(&read.future), POLL_PENDING);
        assert_int_equal(ring_submit(&ring), 0);
        future_cancel(&read.future);
        drive_future(&ring, &read.future);
        assert_true(read.result == -ECANCELED || read.result == SIZE);
        if (read.result == SIZE)
            assert_int_equal(buffer[SIZE - 1], 'd');
    }
    assert_int_equal(ring_drain(&ring), 0);
    ring_finish(&ring);
    free(buffer);
    close(fd);
}

static void C1_cancelled_is_not_ready(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    struct ring_future recv = ring_recv(&self->ring, self->ends[0], self->buffer, 8, 0);
    assert_int_equal(poll_future(&recv.future), POLL_PENDING);
    assert_int_equal(ring_submit(&self->ring), 0);
    future_cancel(&recv.future);
    assert_int_equal(poll_future(&recv.future), POLL_PENDING); /* still the kernel's */
    drive_future(&self->ring, &recv.future);
    assert_int_equal(recv.result, -ECANCELED);
    close_world(self);
}

static void a_cancel_that_found_no_room_is_sent_later(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    struct context context = world_context(self, 0);
    struct ring_future recv = ring_recv(&self->ring, self->ends[0], self->buffer, 8, 0);
    struct ring_future late = ring_nop(&self->ring);
    assert_int_equal(future_poll(&recv.future, &context), POLL_PENDING);
    while (io_uring_sq_space_left(&self->ring.uring) > 0) {
        struct io_uring_sqe *sqe = recorded_sqe(&self->ring);
        io_uring_prep_nop(sqe);
        ring_sqe_forget(&self->ring, sqe);
    }
    fault_arm_always("io_uring_submit", EAGAIN);
    future_cancel(&recv.future);
    assert_int_equal(future_poll(&recv.future, &context), POLL_PENDING);
    assert_int_equal(self->counts[0].wakes, 1); /* it wants to be polled again */
    assert_int_equal(future_poll(&late.future, &context), POLL_PENDING);
    assert_int_equal(self->counts[0].wakes, 2); /* and so does one that cannot start */
    assert_int_equal(late.state, RING_FUTURE_NEW);
    fault_disarm();
    drive_future(&self->ring, &recv.future);
    assert_int_equal(recv.result, -ECANCELED);
    drive_future(&self->ring, &late.future);
    assert_int_equal(late.result, 0);
    close_world(self);
}

/* ---- C2, C4: descriptors */

static void C2_a_connection_that_a_cancelled_accept_got_is_closed(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    int before = open_fds(), won = 0;
    for (int i = 0; i < 100; i++) {
        struct ring_future accept = ring_accept(&self->ring, self->listener);
        assert_int_equal(poll_future(&accept.future), POLL_PENDING);
        if (i % 3)
            ring_submit(&self->ring);
        int client = connect_to(&self->address);
        future_cancel(&accept.future);
        struct context context = { .budget = CONTEXT_BUDGET };
        while (future_poll_discarding(&accept.future, &context) == POLL_PENDING)
            turn_ring(&self->ring);
        won += accept.result >= 0;
        close(client);
        if (accept.result < 0) { /* take the connection off the queue */
            int left = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
            assert_true(left >= 0);
            close(left);
        }
    }
    assert_true(won > 0); /* or the race was never run */
    assert_int_equal(open_fds(), before);
    close_world(self);
}

static void C4_close_does_not_cancel_so_cancel_and_await_first(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    int fd = self->ends[0];
    /* The fact: a receive outlives the close, and still hears its old peer. */
    struct ring_future recv = ring_recv(&self->ring, fd, self->buffer, 8, 0);
    assert_int_equal(poll_future(&recv.future), POLL_PENDING);
    struct ring_future end = ring_close(&self->ring, fd);
    drive_future(&self->ring, &end.future);
    assert_int_equal(end.result, 0);
    int reused[2];
    make_pair(reused);
    assert_int_equal(reused[0], fd); /* the number means something else now */
    assert_int_equal(poll_future(&recv.future), POLL_PENDING);
    send_to_world(self, NULL);
    drive_future(&self->ring, &recv.future);
    assert_int_equal(recv.result, 8); /* from the old one */
    /* The rule: cancel by descriptor, await each operation, then close. */
    recv = ring_recv(&self->ring, reused[0], self->buffer, 8, 0);
    assert_int_equal(poll_future(&recv.future), POLL_PENDING);
    assert_int_equal(ring_cancel_fd(&self->ring, reused[0]), 0);
    drive_future(&self->ring, &recv.future);
    assert_int_equal(recv.result, -ECANCELED);
    close(reused[0]);
    close(reused[1]);
    self->ends[0] = dup(self->ends[1]); /* for close_world */
    close_world(self);
}

/* ---- C5: memory behind pointers. Not inlined: the frames must come and go. */

__attribute__((noinline)) static struct ring_future *timer_from_a_frame_that_is_gone(
    struct ring *ring)
{
    volatile char frame[2048];
    struct ring_future timer = ring_timeout(ring, 20 * NS_PER_MS);
    struct ring_future *moved = malloc(sizeof *moved);
    *moved = timer;
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = 0;
    return moved;
}

__attribute__((noinline)) static void scribble_on_the_stack(void)
{
    volatile char frame[4096];
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = (char)0xee;
}

static void C5_a_timers_limit_lives_as_long_as_the_timer(void **state)
{
    (void)state;
    struct ring ring;
    open_ring(&ring, RING_SINGLE, 4);
    struct ring_future *timer = timer_from_a_frame_that_is_gone(&ring);
    uint64_t began = clock_now();
    assert_int_equal(poll_future(&timer->future), POLL_PENDING);
    scribble_on_the_stack(); /* the SQE is written, the kernel has not read it yet */
    assert_int_equal(ring_submit(&ring), 0); /* now it does */
    drive_future(&ring, &timer->future);
    assert_int_equal(timer->result, 0);
    assert_true(clock_now() - began >= 20 * NS_PER_MS); /* not some other limit */
    free(timer);
    ring_finish(&ring);
}

/* ---- a peer that is gone */

static void a_write_to_a_closed_peer_is_EPIPE(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    shutdown(self->ends[1], SHUT_RDWR);
    struct ring_future send = ring_send(&self->ring, self->ends[0], "x", 1, 0);
    drive_future(&self->ring, &send.future);
    assert_int_equal(send.result, -EPIPE); /* and no SIGPIPE */
    close_world(self);
}

/* ---- C11: zero-copy */

static void C11_a_zero_copy_send_is_over_at_its_notification(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    struct ring_future send = ring_send_zc(&self->ring, self->ends[0], "x", 1, 0);
    assert_int_equal(poll_future(&send.future), POLL_PENDING);
    /* By hand, on a copy: two completions, the second says that the buffer is free. */
    struct ring_future copy = send;
    copy.op.complete(&copy.op, 5, IORING_CQE_F_MORE);
    assert_int_equal(poll_future(&copy.future), POLL_PENDING);
    copy.op.complete(&copy.op, 0, IORING_CQE_F_NOTIF);
    assert_int_equal(poll_future(&copy.future), POLL_READY);
    assert_int_equal(copy.result, 5);
    drive_future(&self->ring, &send.future); /* a Unix socket: refused, once */
    close_world(self);
}

static void C11_the_buffer_may_be_overwritten_once_ready(void **state)
{
    (void)state;
    enum { SIZE = 16384 };
    struct world *self = &world;
    open_world(self);
    self->client = connect_to(&self->address);
    int server = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
    char *out = malloc(SIZE), *in = malloc(SIZE);
    memset(out, 'z', SIZE);
    struct ring_future send = ring_send_zc(&self->ring, self->client, out, SIZE, 0);
    struct ring_whole read =
        ring_read_full(&self->ring, server, in, SIZE, RING_NO_OFFSET);
    bool arrived = false;
    assert_int_equal(poll_future(&send.future), POLL_PENDING);
    while (!future_is_done(&send.future)) {
        if (!arrived && send.result >= 0)
            arrived = poll_future(&read.future) == POLL_READY;
        turn_ring(&self->ring);
        poll_future(&send.future);
    }
    memset(out, 0, SIZE); /* ours again */
    int result = send.result;
    if (result == SIZE && !arrived)
        drive_future(&self->ring, &read.future);
    else if (!future_is_done(&read.future)) {
        future_cancel(&read.future);
        drive_future(&self->ring, &read.future);
    }
    bool intact = result == SIZE && in[0] == 'z' && in[SIZE - 1] == 'z';
    close(server);
    free(in);
    free(out);
    close_world(self);
    if (result == -EINVAL || result == -EOPNOTSUPP)
        skip_because("this kernel has no zero-copy send");
    assert_true(intact);
}

/* ---- C15: whose memory after DONE */

/* Stands for the awaiting task on another core: it is quick, and frees the future while
 * the completer is still inside wake. */
static void poll_and_free(void *data)
{
    struct ring_future **slot = data;
    if (poll_future(&(*slot)->future) == POLL_READY) {
        memset(*slot, 0xdd, sizeof **slot);
        free(*slot);
        *slot = NULL;
    }
}

static void nothing(void *data)
{
    (void)data;
}

static struct waker clone_quick(void *data);
static const struct waker_ops quick_ops = { clone_quick, poll_and_free, poll_and_free,
                                            nothing };

static struct waker clone_quick(void *data)
{
    return (struct waker){ &quick_ops, data };
}

static void C15_the_memory_is_the_frames_again_before_the_wake(void **state)
{
    (void)state;
    struct ring ring;
    open_ring(&ring, RING_SINGLE, 4);
    struct ring_future *future = malloc(sizeof *future);
    *future = ring_nop(&ring);
    struct waker quick = { &quick_ops, &future };
    struct context context = { .waker = &quick, .budget = CONTEXT_BUDGET };
    assert_int_equal(future_poll(&future->future, &context), POLL_PENDING);
    turn_ring(&ring);
    assert_null(future); /* DONE was stored before the wake, nothing touched after it */
    ring_finish(&ring);
}

/* ---- each operation does what its system call does */

static void a_file_lives_through_its_operations(void **state)
{
    (void)state;
    int before = open_fds();
    struct ring ring;
    struct statx *info = malloc(sizeof *info);
    char text[8];
    char path[256];
    snprintf(path, sizeof path, "%s", testing_path("whole-life"));
    open_ring(&ring, RING_SINGLE, 4);
    struct ring_future step =
        ring_openat(&ring, AT_FDCWD, path, O_CREAT | O_RDWR, 0600);
    drive_future(&ring, &step.future);
    int fd = step.result;
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    step = ring_write(&ring, fd, "whole", 5, 0);
    drive_future(&ring, &step.future);
    assert_int_equal(step.result, 5);
    step = ring_fsync(&ring, fd);
    drive_future(&ring, &step.future);
    assert_int_equal(step.result, 0);
    step = ring_statx(&ring, AT_FDCWD, path, 0, STATX_SIZE, info);
    drive_future(&ring, &step.future);
    assert_int_equal(step.result, 0);
    assert_int_equal(info->stx_size, 5);
    step = ring_read(&ring, fd, text, sizeof text, 0);
    drive_future(&ring, &step.future);
    assert_int_equal(step.result, 5);
    assert_memory_equal(text, "whole", 5);
    step = ring_close(&ring, fd);
    drive_future(&ring, &step.future);
    assert_int_equal(step.result, 0);
    step = ring_openat(&ring, AT_FDCWD, "/no/such/file", O_RDONLY, 0);
    drive_future(&ring, &step.future);
    assert_int_equal(step.result, -ENOENT);
    ring_finish(&ring);
    free(info);
    assert_int_equal(open_fds(), before);
}

static void a_connection_is_made_by_futures_alone(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    self->client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct ring_future accept = ring_accept(&self->ring, self->listener);
    struct ring_future connect =
        ring_connect(&self->ring, self->client, (struct sockaddr *)&self->address,
                     sizeof self->address);
    assert_int_equal(poll_future(&accept.future), POLL_PENDING);
    drive_future(&self->ring, &connect.future);
    assert_int_equal(connect.result, 0);
    drive_future(&self->ring, &accept.future);
    assert_true(accept.result >= 0);
    close(accept.result);
    close_world(self);
}

static void refused(void **state)
{
    (void)state;
    needs_io_uring();
}

int main(void)
{
    struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(recv_future),
        FUTURE_CONTRACT_WAKES(recv_future),
        FUTURE_CONTRACT(accept_future),
        FUTURE_CONTRACT_WAKES(accept_future),
        FUTURE_CONTRACT_HOLDS(accept_future),
        FUTURE_CONTRACT(read_full_future),
        FUTURE_CONTRACT_WAKES(read_full_future),
        cmocka_unit_test(C17_the_cancels_answer_says_nothing_about_the_target),
        cmocka_unit_test(C17_a_disk_read_that_cannot_be_stopped_is_awaited),
        cmocka_unit_test(C1_cancelled_is_not_ready),
        cmocka_unit_test(a_cancel_that_found_no_room_is_sent_later),
        cmocka_unit_test(C2_a_connection_that_a_cancelled_accept_got_is_closed),
        cmocka_unit_test(C4_close_does_not_cancel_so_cancel_and_await_first),
        cmocka_unit_test(C5_a_timers_limit_lives_as_long_as_the_timer),
        cmocka_unit_test(a_write_to_a_closed_peer_is_EPIPE),
        cmocka_unit_test(C11_a_zero_copy_send_is_over_at_its_notification),
        cmocka_unit_test(C11_the_buffer_may_be_overwritten_once_ready),
        cmocka_unit_test(C15_the_memory_is_the_frames_again_before_the_wake),
        cmocka_unit_test(a_file_lives_through_its_operations),
        cmocka_unit_test(a_connection_is_made_by_futures_alone),
    };
    if (testing_probe()->err) /* every case needs a ring: skip each by its name */
        for (unsigned i = 0; i < ARRAY_SIZE(tests); i++) {
            tests[i].test_func = refused;
            tests[i].setup_func = NULL;
            tests[i].teardown_func = NULL;
        }
    return cmocka_run_group_tests_name("ring_future", tests, NULL, NULL);
}
