/* The ring parker: one token that is never lost, a sleeping ring that hears other
 * threads (C13), and lesson 2's executor that sleeps where its I/O completes. */
#include "lesson03_iouring/ring_testing.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/testing/faults.h"
#include "lesson01_futures/combine.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/join.h"
#include "lesson02_wakers/parker_contract.h"
#include "lesson03_iouring/ring_future.h"
#include "lesson03_iouring/ring_parker.h"

struct bed {
    struct ring ring;
    struct ring_parker parker;
};

static void open_bed(struct bed *bed, enum ring_mode mode)
{
    open_ring(&bed->ring, mode, 8);
    assert_int_equal(ring_parker_init(&bed->parker, &bed->ring), 0);
}

static void close_bed(struct bed *bed)
{
    ring_parker_finish(&bed->parker);
    ring_parker_finish(&bed->parker);
    ring_finish(&bed->ring); /* CHECKs that the parker's watch is gone */
}

static int park(struct bed *bed, int64_t timeout_ns)
{
    return parker_park(&bed->parker.parker, timeout_ns);
}

static void unpark(struct bed *bed)
{
    parker_unpark(&bed->parker.parker);
}

/* ---- the contract of every parker */

static struct bed contract_bed;

static struct parker *open_single(void *world)
{
    open_bed(world, RING_SINGLE);
    return &((struct bed *)world)->parker.parker;
}

static struct parker *open_shared(void *world)
{
    open_bed(world, RING_SHARED);
    return &((struct bed *)world)->parker.parker;
}

static void close_world(void *world)
{
    close_bed(world);
}

static struct parker_subject single_ring = {
    .name = "a ring of one thread",
    .world = &contract_bed,
    .open = open_single,
    .close = close_world,
    .signal_safe = true,
};

static struct parker_subject shared_ring = {
    .name = "a shared ring",
    .world = &contract_bed,
    .open = open_shared,
    .close = close_world,
    .signal_safe = true,
};

static void refused(void **state)
{
    (void)state;
    needs_io_uring();
}

/* ---- the token */

static void a_token_before_the_park_is_not_lost(void **state)
{
    (void)state;
    needs_io_uring();
    int before = open_fds();
    struct bed bed;
    open_bed(&bed, RING_SINGLE);
    unpark(&bed);
    unpark(&bed);
    assert_int_equal(park(&bed, PARK_FOREVER), 0); /* or the test never ends */
    assert_int_equal(bed.parker.sleeps, 0);
    assert_int_equal(park(&bed, 1000), 0); /* two unparks were one token */
    assert_int_equal(bed.parker.sleeps, 1);
    unpark(&bed);
    assert_int_equal(park(&bed, 0), 0); /* also takes it */
    assert_int_equal(park(&bed, 1000), 0);
    assert_int_equal(bed.parker.sleeps, 2);
    close_bed(&bed);
    assert_int_equal(open_fds(), before);
}

static void an_unpark_without_a_sleeper_makes_no_system_call(void **state)
{
    (void)state;
    needs_io_uring();
    struct bed bed;
    open_bed(&bed, RING_SINGLE);
    fault_arm_always("write", EBADF); /* it would be a CHECK */
    for (int i = 0; i < 1000; i++)
        unpark(&bed);
    fault_disarm();
    assert_int_equal(atomic_load_explicit(&bed.parker.kicks, memory_order_relaxed), 0);
    close_bed(&bed);
}

/* ---- C13: other threads */

struct rally {
    struct bed *bed;
    _Atomic unsigned served;   /* by the other thread */
    _Atomic unsigned returned; /* by the test */
    unsigned rounds;
};

static void *serve(void *argument)
{
    struct rally *rally = argument;
    for (unsigned i = 1; i <= rally->rounds; i++) {
        /* relaxed: the token carries what is published; the test reads nothing else */
        atomic_store_explicit(&rally->served, i, memory_order_relaxed);
        unpark(rally->bed);
        while (atomic_load_explicit(&rally->returned, memory_order_relaxed) < i)
            testing_pause();
    }
    return NULL;
}

static void play(enum ring_mode mode)
{
    struct bed bed;
    open_bed(&bed, mode);
    struct rally rally = { .bed = &bed, .rounds = 300 };
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, serve, &rally), 0);
    for (unsigned i = 1; i <= rally.rounds; i++) {
        while (atomic_load_explicit(&rally.served, memory_order_relaxed) < i)
            assert_int_equal(park(&bed, PARK_FOREVER), 0);
        atomic_store_explicit(&rally.returned, i, memory_order_relaxed);
    }
    pthread_join(thread, NULL);
    close_bed(&bed);
}

static void C13_a_thread_kicks_a_sleeping_ring_each_time(void **state)
{
    (void)state;
    needs_io_uring();
    play(RING_SINGLE);
    play(RING_SHARED);
}

static void *unpark_when_it_sleeps(void *argument)
{
    struct bed *bed = argument;
    while (atomic_load_explicit(&bed->parker.state, memory_order_relaxed) !=
           2 /* PARKED */)
        testing_pause();
    unpark(bed);
    unpark(bed);
    return NULL;
}

static void C13_a_kick_is_one_system_call(void **state)
{
    (void)state;
    needs_io_uring();
    struct bed bed;
    open_bed(&bed, RING_SINGLE);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, unpark_when_it_sleeps, &bed), 0);
    while (atomic_load_explicit(&bed.parker.kicks, memory_order_relaxed) == 0)
        assert_int_equal(park(&bed, PARK_FOREVER), 0);
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load_explicit(&bed.parker.kicks, memory_order_relaxed),
                     1); /* the second found the token */
    close_bed(&bed);
}

/* ---- the ring's work */

static void park_delivers_completions_with_and_without_sleeping(void **state)
{
    (void)state;
    needs_io_uring();
    struct bed bed;
    open_bed(&bed, RING_SINGLE);
    struct ring_future nop = ring_nop(&bed.ring);
    assert_int_equal(poll_future(&nop.future), POLL_PENDING);
    assert_int_equal(park(&bed, 0), 0);
    assert_int_equal(nop.state, RING_FUTURE_DONE);
    struct ring_future timer = ring_timeout(&bed.ring, NS_PER_MS);
    assert_int_equal(poll_future(&timer.future), POLL_PENDING);
    while (timer.state != RING_FUTURE_DONE)
        assert_int_equal(park(&bed, PARK_FOREVER), 0);
    close_bed(&bed);
}

static void C12_a_busy_executor_that_never_sleeps_gets_its_completions(void **state)
{
    (void)state;
    needs_io_uring();
    struct bed bed;
    int ends[2];
    char byte = 0;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    open_bed(&bed, RING_SINGLE);
    struct ring_future recv = ring_recv(&bed.ring, ends[0], &byte, 1, 0);
    assert_int_equal(poll_future(&recv.future), POLL_PENDING);
    assert_int_equal(park(&bed, 0), 0);
    assert_int_equal(send(ends[1], "x", 1, 0), 1);
    WAIT_UNTIL(park(&bed, 0) == 0 && recv.state == RING_FUTURE_DONE);
    assert_int_equal(bed.parker.sleeps, 0);
    close_bed(&bed);
    close(ends[0]);
    close(ends[1]);
}

/* ---- failures */

static void C7_a_ring_that_takes_nothing_makes_park_return_early(void **state)
{
    (void)state;
    needs_io_uring();
    struct bed bed;
    open_bed(&bed, RING_SINGLE);
    fault_arm("io_uring_submit_and_wait_timeout", 1, EAGAIN);
    assert_int_equal(park(&bed, PARK_FOREVER), 0); /* it must not sleep unkickable */
    assert_int_equal(fault_count(), 1);
    fault_disarm();
    unpark(&bed);
    assert_int_equal(park(&bed, PARK_FOREVER), 0);
    close_bed(&bed);
}

static void C13_a_full_queue_cannot_hide_the_watch(void **state)
{
    (void)state;
    needs_io_uring();
    struct bed bed;
    open_bed(&bed, RING_SINGLE);
    while (io_uring_sq_space_left(&bed.ring.uring) > 0) {
        struct io_uring_sqe *sqe = recorded_sqe(&bed.ring);
        io_uring_prep_nop(sqe);
        ring_sqe_forget(&bed.ring, sqe);
    }
    fault_arm_always("io_uring_submit", EAGAIN);
    assert_int_equal(park(&bed, PARK_FOREVER), 0); /* no watch, so no sleep */
    fault_disarm();
    assert_int_equal(bed.parker.sleeps, 0);
    close_bed(&bed);
    assert_int_equal(ring_in_flight(&bed.ring), 0);
}

static void a_broken_ring_is_reported(void **state)
{
    (void)state;
    needs_io_uring();
    struct bed bed;
    open_bed(&bed, RING_SINGLE);
    fault_arm("io_uring_submit_and_wait_timeout", 1, ENOMEM);
    assert_int_equal(park(&bed, PARK_FOREVER), -ENOMEM);
    fault_disarm();
    close_bed(&bed);
}

static void a_failed_eventfd_is_an_error(void **state)
{
    (void)state;
    needs_io_uring();
    struct bed bed;
    open_ring(&bed.ring, RING_SINGLE, 8);
    fault_arm("eventfd", 1, EMFILE);
    assert_int_equal(ring_parker_init(&bed.parker, &bed.ring), -EMFILE);
    fault_disarm();
    close_bed(&bed);
}

/* ---- lesson 2's executor on it */

struct echo {
    ASYNC_FRAME;
    struct ring *ring;
    int fd;
    char text[16];
    struct ring_future step;
    unsigned rounds;
    int result;
};

static enum poll_state echo_poll(struct future *future, struct context *context)
{
    struct echo *self = ASYNC_SELF(echo, future);
    ASYNC_BEGIN(self, context);
    for (;;) {
        AWAIT(self->step,
              ring_recv(self->ring, self->fd, self->text, sizeof self->text, 0));
        if (self->step.result <= 0)
            break;
        AWAIT(self->step, ring_send(self->ring, self->fd, self->text,
                                    (unsigned)self->step.result, 0));
        if (self->step.result < 0)
            break;
        self->rounds++;
    }
    self->result = self->step.result;
    ASYNC_END;
}

static const struct future_ops echo_ops = ASYNC_OPS(echo);

static struct echo echo(struct ring *ring, int fd)
{
    return (struct echo){ .future = { &echo_ops }, .ring = ring, .fd = fd };
}

static void *talk(void *argument)
{
    int fd = *(int *)argument;
    char text[16];
    for (int i = 0; i < 50; i++)
        if (send(fd, "ping", 4, 0) != 4 || recv(fd, text, sizeof text, 0) != 4)
            break;
    shutdown(fd, SHUT_RDWR);
    return NULL;
}

static void an_executor_sleeps_where_its_io_completes(void **state)
{
    (void)state;
    needs_io_uring();
    enum { TASKS = 4 };
    struct bed bed;
    struct executor executor;
    struct task_handle handles[TASKS] = { { 0 } };
    pthread_t threads[TASKS];
    int ends[TASKS][2];
    open_bed(&bed, RING_SINGLE);
    assert_int_equal(executor_init(&executor, &bed.parker.parker), 0);
    for (int i = 0; i < TASKS; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends[i]),
                         0);
        assert_int_equal(
            SPAWN(&executor.scheduler, &handles[i], echo(&bed.ring, ends[i][0])), 0);
        assert_int_equal(pthread_create(&threads[i], NULL, talk, &ends[i][1]), 0);
    }
    assert_int_equal(executor_run(&executor), 0);
    for (int i = 0; i < TASKS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(task_status(&handles[i]), JOIN_OK);
        assert_int_equal(TASK_OUTPUT(&handles[i], echo)->rounds, 50);
        assert_int_equal(TASK_OUTPUT(&handles[i], echo)->result, 0);
        task_detach(&handles[i]);
        close(ends[i][0]);
        close(ends[i][1]);
    }
    assert_int_equal(executor_finish(&executor), 0);
    close_bed(&bed);
}

static void C3_an_executor_that_stops_cancels_and_awaits_what_is_in_flight(void **state)
{
    (void)state;
    needs_io_uring();
    struct bed bed;
    struct executor executor;
    struct task_handle handle = { 0 };
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    open_bed(&bed, RING_SINGLE);
    assert_int_equal(executor_init(&executor, &bed.parker.parker), 0);
    struct ring_future nop = ring_nop(&bed.ring);
    struct task_handle first = { 0 };
    assert_int_equal(SPAWN(&executor.scheduler, &handle, echo(&bed.ring, ends[0])), 0);
    assert_int_equal(executor_block_on(&executor, &nop.future, &first), 0);
    assert_false(task_is_done(&handle));
    assert_int_equal(executor_finish(&executor), 0);
    assert_int_equal(task_status(&handle), JOIN_CANCELLED);
    assert_int_equal(TASK_OUTPUT(&handle, echo)->result, -ECANCELED);
    task_detach(&handle);
    task_detach(&first);
    close_bed(&bed);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    struct CMUnitTest tests[] = {
        PARKER_CONTRACT(single_ring),
        PARKER_CONTRACT(shared_ring),
        cmocka_unit_test(a_token_before_the_park_is_not_lost),
        cmocka_unit_test(an_unpark_without_a_sleeper_makes_no_system_call),
        cmocka_unit_test(C13_a_thread_kicks_a_sleeping_ring_each_time),
        cmocka_unit_test(C13_a_kick_is_one_system_call),
        cmocka_unit_test(park_delivers_completions_with_and_without_sleeping),
        cmocka_unit_test(C12_a_busy_executor_that_never_sleeps_gets_its_completions),
        cmocka_unit_test(C7_a_ring_that_takes_nothing_makes_park_return_early),
        cmocka_unit_test(C13_a_full_queue_cannot_hide_the_watch),
        cmocka_unit_test(a_broken_ring_is_reported),
        cmocka_unit_test(a_failed_eventfd_is_an_error),
        cmocka_unit_test(an_executor_sleeps_where_its_io_completes),
        cmocka_unit_test(
            C3_an_executor_that_stops_cancels_and_awaits_what_is_in_flight),
    };
    if (testing_probe()->err) /* every case needs a ring: skip each by its name */
        for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
            tests[i].test_func = refused;
    return cmocka_run_group_tests_name("ring_parker", tests, NULL, NULL);
}
