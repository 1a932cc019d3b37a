/* The ring's corners: full queues, partial submits, overflow, deferred completions, the
 * end with operations in flight, and who may submit. */
#include "lesson03_iouring/ring_testing.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "common/testing/faults.h"
#include "lesson03_iouring/ring_buffers.h"

static void queue_nop(struct ring *ring, struct ring_op *op)
{
    struct io_uring_sqe *sqe = recorded_sqe(ring);
    io_uring_prep_nop(sqe);
    if (op)
        ring_op_attach(sqe, op);
    else
        ring_sqe_forget(ring, sqe);
}

static void queue_read(struct ring *ring, struct recorded_op *read, int fd,
                       void *buffer, unsigned size)
{
    struct io_uring_sqe *sqe = recorded_sqe(ring);
    io_uring_prep_read(sqe, fd, buffer, size, (uint64_t)-1);
    *read = (struct recorded_op){ .op = { .complete = record_completion,
                                          .target = buffer,
                                          .fills = RING_FILLS_RESULT } };
    ring_op_attach(sqe, &read->op);
}

/* ---- C3: the end */

static void finish_with_a_read_in_flight(void *argument)
{
    (void)argument;
    struct ring ring;
    struct recorded_op read;
    int ends[2];
    char byte;
    struct ring_config config = { .entries = 4 };
    if (pipe2(ends, O_CLOEXEC) < 0 || ring_init(&ring, &config) < 0)
        return;
    queue_read(&ring, &read, ends[0], &byte, 1);
    ring_submit(&ring);
    ring_finish(&ring);
}

static void C3_a_ring_is_not_finished_with_operations_in_flight(void **state)
{
    (void)state;
    needs_io_uring();
    assert_dies(finish_with_a_read_in_flight, NULL, "1 operations in flight");
}

static void C3_drain_ends_everything_that_is_in_flight(void **state)
{
    (void)state;
    needs_feature(cancel_any);
    int before = open_fds();
    struct ring ring;
    struct recorded_op reads[3];
    char bytes[3];
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    open_ring(&ring, RING_SINGLE, 2);
    for (int i = 0; i < 3; i++)
        queue_read(&ring, &reads[i], ends[0], &bytes[i], 1);
    assert_int_equal(ring_in_flight(&ring), 3);
    assert_int_equal(ring_drain(&ring), 0);
    assert_int_equal(ring_in_flight(&ring), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(reads[i].completions, 1);
        assert_int_equal(reads[i].result, -ECANCELED);
    }
    ring_finish(&ring);
    ring_finish(&ring);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(open_fds(), before);
}

static void C3_a_request_that_nobody_waits_for_does_not_hold_the_ring(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    struct recorded_op nop = { .op = { .complete = record_completion } };
    open_ring(&ring, RING_SINGLE, 4);
    queue_nop(&ring, &nop.op);
    assert_int_equal(ring_cancel(&ring, &nop.op), 0);
    assert_int_equal(ring_in_flight(&ring), 1);
    while (ring_in_flight(&ring))
        turn_ring(&ring);
    assert_int_equal(nop.completions, 1);
    assert_int_equal(ring_cancel(&ring, &nop.op), 0); /* queued, and never reaped */
    ring_finish(&ring);
}

/* ---- C6, C7: the SQ side */

static void C6_a_full_queue_flushes_and_retries(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    struct recorded_op nop = { .op = { .complete = record_completion } };
    open_ring(&ring, RING_SINGLE, 2);
    for (int i = 0; i < 100; i++) { /* never an explicit submit */
        queue_nop(&ring, &nop.op);
        if (i % 3 == 2)
            ring_reap(&ring);
    }
    ring_submit(&ring);
    while (ring_in_flight(&ring))
        turn_ring(&ring);
    assert_int_equal(nop.completions, 100);
    ring_finish(&ring);
}

static void C6_no_sqe_while_the_kernel_takes_none(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    struct recorded_op nop = { .op = { .complete = record_completion } };
    open_ring(&ring, RING_SINGLE, 2);
    queue_nop(&ring, &nop.op);
    queue_nop(&ring, &nop.op);
    fault_arm_always("io_uring_submit", EAGAIN);
    assert_null(ring_get_sqe(&ring));
    assert_int_equal(ring_reserve(&ring, 1), -EAGAIN);
    assert_int_equal(ring_in_flight(&ring), 2); /* the refused one does not count */
    fault_disarm();
    queue_nop(&ring, &nop.op);
    while (ring_in_flight(&ring))
        turn_ring(&ring);
    assert_int_equal(nop.completions, 3);
    ring_finish(&ring);
}

static void C7_a_bad_request_in_the_middle_does_not_hold_up_the_rest(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    struct recorded_op good = { .op = { .complete = record_completion } };
    struct recorded_op bad = good;
    open_ring(&ring, RING_SINGLE, 8);
    queue_nop(&ring, &good.op);
    struct io_uring_sqe *sqe = recorded_sqe(&ring);
    io_uring_prep_nop(sqe);
    sqe->opcode = 255;
    ring_op_attach(sqe, &bad.op);
    queue_nop(&ring, &good.op);
    queue_nop(&ring, &good.op);
    assert_int_equal(ring_submit(&ring), 0); /* the kernel stops behind the bad one */
    assert_int_equal(io_uring_sq_ready(&ring.uring), 0); /* we do not */
    while (ring_in_flight(&ring))
        turn_ring(&ring);
    assert_int_equal(good.completions, 3);
    assert_int_equal(bad.completions, 1);
    assert_int_equal(bad.result, -EINVAL);
    ring_finish(&ring);
}

static void C7_a_submit_that_fails_keeps_what_was_queued(void **state)
{
    (void)state;
    needs_io_uring();
    static const int reasons[] = { EAGAIN, EBUSY };
    for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++) {
        struct ring ring;
        struct recorded_op nop = { .op = { .complete = record_completion } };
        open_ring(&ring, RING_SHARED, 4);
        queue_nop(&ring, &nop.op);
        fault_arm("io_uring_submit", 1, reasons[i]);
        assert_int_equal(ring_submit(&ring), -reasons[i]);
        fault_arm("io_uring_submit_and_wait_timeout", 1, reasons[i]);
        assert_int_equal(ring_wait(&ring, -1), -reasons[i]); /* it did not sleep */
        assert_int_equal(fault_count(), 1);
        fault_disarm();
        assert_int_equal(io_uring_sq_ready(&ring.uring), 1);
        while (ring_in_flight(&ring))
            turn_ring(&ring);
        assert_int_equal(nop.completions, 1);
        ring_finish(&ring);
    }
}

static void C7_an_interrupted_submit_is_made_again(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    struct recorded_op nop = { .op = { .complete = record_completion } };
    open_ring(&ring, RING_SHARED, 4);
    queue_nop(&ring, &nop.op);
    fault_arm("io_uring_submit", 1, EINTR);
    assert_int_equal(ring_submit(&ring), 0);
    assert_int_equal(fault_count(), 1);
    fault_disarm();
    assert_int_equal(io_uring_sq_ready(&ring.uring), 0);
    while (ring_in_flight(&ring))
        turn_ring(&ring);
    ring_finish(&ring);
}

/* ---- C8, C12: the CQ side */

static void overflow(enum ring_mode mode)
{
    struct ring ring;
    struct recorded_op nop = { .op = { .complete = record_completion } };
    struct ring_config config = { .entries = 2, .cq_entries = 4, .mode = mode };
    assert_int_equal(ring_init(&ring, &config), 0);
    unsigned queued = 0;
    while (queued < 1000) {
        struct io_uring_sqe *sqe = ring_get_sqe(&ring);
        if (!sqe) { /* an older kernel: it wants us to reap first */
            ring_reap(&ring);
            continue;
        }
        io_uring_prep_nop(sqe);
        ring_op_attach(sqe, &nop.op);
        queued++;
    }
    assert_int_equal(ring_submit(&ring), 0);
    assert_int_equal(io_uring_cq_ready(&ring.uring), 4); /* the rest has overflowed */
    while (ring_in_flight(&ring))
        assert_true(ring_reap(&ring) > 0); /* without a wait, which would flush, too */
    assert_int_equal(nop.completions, 1000);
    ring_finish(&ring);
}

static void C8_an_overflowed_completion_queue_loses_nothing(void **state)
{
    (void)state;
    needs_io_uring();
    overflow(RING_SHARED);
    overflow(RING_SINGLE);
}

static void C12_a_busy_loop_sees_deferred_completions(void **state)
{
    (void)state;
    needs_feature(defer_taskrun);
    struct ring ring;
    struct recorded_op read;
    int ends[2];
    char byte = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    open_ring(&ring, RING_SINGLE, 4);
    assert_true(ring.deferred);
    queue_read(&ring, &read, ends[0], &byte, 1);
    assert_int_equal(ring_wait(&ring, 0), 0);
    assert_int_equal(ring_reap(&ring), 0);
    uint64_t enters = atomic_load_explicit(&ring.enters, memory_order_relaxed);
    assert_int_equal(ring_wait(&ring, 0), 0); /* nothing there, so no system call */
    assert_int_equal(ring_reap(&ring), 0);
    assert_int_equal(atomic_load_explicit(&ring.enters, memory_order_relaxed), enters);
    assert_int_equal(write(ends[1], "x", 1), 1);
    WAIT_UNTIL(ring_wait(&ring, 0) == 0 && ring_reap(&ring) == 1); /* never sleeps */
    assert_int_equal(read.result, 1);
    assert_int_equal(byte, 'x');
    ring_finish(&ring);
    close(ends[0]);
    close(ends[1]);
}

static void C12_a_reap_alone_sees_deferred_completions(void **state)
{
    (void)state;
    needs_feature(defer_taskrun);
    struct ring ring;
    struct recorded_op read;
    int ends[2];
    char byte = 0;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    open_ring(&ring, RING_SINGLE, 4);
    queue_read(&ring, &read, ends[0], &byte, 1);
    assert_int_equal(ring_submit(&ring), 0);
    assert_int_equal(write(ends[1], "x", 1), 1);
    WAIT_UNTIL(ring_reap(&ring) == 1);
    ring_finish(&ring);
    close(ends[0]);
    close(ends[1]);
}

static void a_wait_ends_when_the_time_is_over(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    open_ring(&ring, RING_SINGLE, 4);
    assert_int_equal(ring_wait(&ring, 1000), 0);
    assert_int_equal(ring_sleep(&ring, 1000), 0);
    assert_int_equal(ring_reap(&ring), 0);
    ring_finish(&ring);
}

/* complete() queues the next operation, as a task that it wakes would. */
struct chain {
    struct ring_op op;
    struct ring *ring;
    unsigned left;
};

static void next_of_chain(struct ring_op *op, int result, unsigned flags)
{
    struct chain *self = container_of(op, struct chain, op);
    (void)result;
    (void)flags;
    if (self->left-- > 1) {
        queue_nop(self->ring, &self->op);
        ring_submit(self->ring);
        ring_reap(self->ring); /* also from within */
    }
}

static void a_completion_may_submit_and_reap(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    open_ring(&ring, RING_SINGLE, 2);
    struct chain chain = { { .complete = next_of_chain }, &ring, 50 };
    queue_nop(&ring, &chain.op);
    while (ring_in_flight(&ring))
        turn_ring(&ring);
    assert_int_equal(chain.left, 0);
    ring_finish(&ring);
}

/* ---- links, fixed files and buffers */

static void a_short_read_breaks_the_chain(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    struct recorded_op ops[3];
    char buffer[8] = { 0 };
    int fd = open(testing_path("link"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    open_ring(&ring, RING_SINGLE, 4);
    queue_nop(&ring, NULL);
    queue_nop(&ring, NULL);
    assert_int_equal(ring_reserve(&ring, 5), -EINVAL);
    assert_int_equal(ring_reserve(&ring, 3), 0); /* submits the two, so that ... */
    assert_int_equal(io_uring_sq_ready(&ring.uring), 0);
    for (int i = 0; i < 3; i++)
        ops[i] = (struct recorded_op){ .op = { .complete = record_completion } };
    struct io_uring_sqe *sqe = recorded_sqe(&ring);
    io_uring_prep_write(sqe, fd, "abc", 3, 0);
    ring_link_next(sqe);
    ring_op_attach(sqe, &ops[0].op);
    sqe = recorded_sqe(&ring);
    io_uring_prep_read(sqe, fd, buffer, sizeof buffer, 0);
    ring_link_next(sqe);
    ring_op_attach(sqe, &ops[1].op);
    queue_nop(&ring, &ops[2].op); /* ... the chain goes as a whole */
    assert_int_equal(io_uring_sq_ready(&ring.uring), 3);
    while (ring_in_flight(&ring))
        turn_ring(&ring);
    assert_int_equal(ops[0].result, 3);
    assert_int_equal(ops[1].result, 3); /* of 8: it succeeded, but not in full */
    assert_int_equal(ops[2].result, -ECANCELED);
    ring_finish(&ring);
    close(fd);
}

static void registered_files_and_buffers_are_found_by_index(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    struct recorded_op read = { .op = { .complete = record_completion } };
    int fd = open(testing_path("fixed"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "registered", 10), 10);
    open_ring(&ring, RING_SINGLE, 4);
    static char memory[4096];
    struct iovec buffer = { memory, sizeof memory };
    assert_int_equal(ring_register_files(&ring, &fd, 1), 0);
    int err = ring_register_buffers(&ring, &buffer, 1);
    assert_true(err == 0 || err == -ENOMEM);
    close(fd); /* the ring holds its own reference */
    if (err) {
        ring_finish(&ring);
        skip_because("no locked memory for registered buffers (see ulimit -l)");
    }
    struct io_uring_sqe *sqe = recorded_sqe(&ring);
    io_uring_prep_read_fixed(sqe, 0, memory, sizeof memory, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    read.op.target = memory;
    read.op.fills = RING_FILLS_RESULT;
    ring_op_attach(sqe, &read.op);
    while (ring_in_flight(&ring))
        turn_ring(&ring);
    assert_int_equal(read.result, 10);
    assert_memory_equal(memory, "registered", 10);
    ring_finish(&ring);
}

/* ---- who may submit */

static void *make_single_ring(void *argument)
{
    struct ring_config config = { .entries = 4, .mode = RING_SINGLE };
    return ring_init(argument, &config) == 0 ? argument : NULL;
}

static void use_another_threads_ring(void *argument)
{
    (void)argument;
    struct ring ring;
    pthread_t thread;
    void *made;
    if (pthread_create(&thread, NULL, make_single_ring, &ring))
        return;
    pthread_join(thread, &made);
    if (!made)
        return;
    queue_nop(&ring, NULL);
    ring_submit(&ring);
}

static void a_single_ring_is_for_the_thread_that_made_it(void **state)
{
    (void)state;
    needs_feature(defer_taskrun);
    assert_dies(use_another_threads_ring, NULL,
                "used by a thread that did not make it");
}

struct submitter {
    struct ring ring;
    struct recorded_op read;
    int ends[2];
    char byte;
    bool submits;
};

static void *submit_and_exit(void *argument)
{
    struct submitter *self = argument;
    struct io_uring_sqe *sqe = ring_get_sqe(&self->ring);
    if (!sqe)
        return NULL;
    io_uring_prep_read(sqe, self->ends[0], &self->byte, 1, (uint64_t)-1);
    self->read = (struct recorded_op){ .op = { .complete = record_completion,
                                               .target = &self->byte,
                                               .fills = RING_FILLS_RESULT } };
    ring_op_attach(sqe, &self->read.op);
    if (self->submits)
        ring_submit(&self->ring);
    return NULL;
}

static int result_after_the_thread_is_gone(bool submits)
{
    struct submitter self = { .submits = submits };
    pthread_t thread;
    assert_int_equal(pipe2(self.ends, O_CLOEXEC), 0);
    open_ring(&self.ring, RING_SHARED, 4);
    assert_int_equal(pthread_create(&thread, NULL, submit_and_exit, &self), 0);
    pthread_join(thread, NULL);
    assert_int_equal(ring_submit(&self.ring), 0);
    /* For the first, this byte is no data any more: some kernels end the read when the
     * thread exits, others when something happens on the pipe. */
    assert_int_equal(write(self.ends[1], "x", 1), 1);
    while (ring_in_flight(&self.ring))
        turn_ring(&self.ring);
    ring_finish(&self.ring);
    close(self.ends[0]);
    close(self.ends[1]);
    return self.read.result;
}

static void C16_what_a_thread_submitted_ends_with_it(void **state)
{
    (void)state;
    needs_io_uring();
    assert_int_equal(result_after_the_thread_is_gone(true), -ECANCELED);
}

static void C16_preparing_binds_nobody_submitting_does(void **state)
{
    (void)state;
    needs_io_uring();
    assert_int_equal(result_after_the_thread_is_gone(false), 1);
}

/* ---- a shared ring: one thread submits, another reaps, each side under its lock */

struct counted_op {
    struct ring_op op;
    _Atomic unsigned completions; /* relaxed: a count, looked at after the join */
};

static void count_completion(struct ring_op *op, int result, unsigned flags)
{
    struct counted_op *self = container_of(op, struct counted_op, op);
    (void)result;
    (void)flags;
    atomic_fetch_add_explicit(&self->completions, 1, memory_order_relaxed);
}

struct two_sides {
    struct ring ring;
    struct counted_op ops[8];
    pthread_mutex_t sq, cq;
    _Atomic bool submitted; /* relaxed: only ends the loop */
};

enum { SHARED_ROUNDS = 500 };

static void *submit_side(void *argument)
{
    struct two_sides *self = argument;
    for (unsigned i = 0; i < SHARED_ROUNDS; i++) {
        pthread_mutex_lock(&self->sq);
        struct io_uring_sqe *sqe = ring_get_sqe(&self->ring);
        if (sqe) {
            io_uring_prep_nop(sqe);
            ring_op_attach(sqe, &self->ops[i % 8].op);
        }
        ring_submit(&self->ring);
        pthread_mutex_unlock(&self->sq);
    }
    atomic_store_explicit(&self->submitted, true, memory_order_relaxed);
    return NULL;
}

static void a_shared_ring_has_two_sides(void **state)
{
    (void)state;
    needs_io_uring();
    struct two_sides self = { .sq = PTHREAD_MUTEX_INITIALIZER,
                              .cq = PTHREAD_MUTEX_INITIALIZER };
    struct ring_completion taken[4];
    pthread_t thread;
    unsigned total = 0;
    for (unsigned i = 0; i < 8; i++)
        self.ops[i].op.complete = count_completion;
    open_ring(&self.ring, RING_SHARED, 4);
    assert_int_equal(pthread_create(&thread, NULL, submit_side, &self), 0);
    while (!atomic_load_explicit(&self.submitted, memory_order_relaxed) ||
           ring_in_flight(&self.ring)) {
        assert_int_equal(ring_sleep(&self.ring, 1000 * 1000), 0);
        pthread_mutex_lock(&self.cq);
        unsigned n = ring_take(&self.ring, taken, ARRAY_SIZE(taken));
        pthread_mutex_unlock(&self.cq);
        for (unsigned i = 0; i < n; i++)
            ring_op_deliver(&taken[i]);
        total += n;
    }
    pthread_join(thread, NULL);
    unsigned counted = 0;
    for (unsigned i = 0; i < 8; i++)
        counted += atomic_load_explicit(&self.ops[i].completions, memory_order_relaxed);
    assert_int_equal(total, SHARED_ROUNDS);
    assert_int_equal(counted, SHARED_ROUNDS);
    ring_finish(&self.ring);
}

/* ---- failures */

static void a_failed_setup_is_an_error(void **state)
{
    (void)state;
    needs_io_uring();
    int before = open_fds();
    struct ring ring;
    struct ring_config config = { .entries = 4, .mode = RING_SINGLE };
    for (long n = 1; fault_sweep(n, "io_uring_queue_init_params", ENOMEM); n++) {
        int err = ring_init(&ring, &config);
        assert_int_equal(err, fault_count() ? -ENOMEM : 0);
        ring_finish(&ring);
    }
    config.entries = 0;
    assert_int_equal(ring_init(&ring, &config), -EINVAL);
    ring_finish(&ring);
    assert_int_equal(open_fds(), before);
}

static void an_older_kernel_gets_plain_flags(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    struct ring_config config = { .entries = 4, .mode = RING_SINGLE };
    fault_arm("io_uring_queue_init_params", 1, EINVAL); /* as before Linux 6.1 */
    assert_int_equal(ring_init(&ring, &config), 0);
    fault_disarm();
    assert_false(ring.deferred);
    struct recorded_op nop = { .op = { .complete = record_completion } };
    queue_nop(&ring, &nop.op);
    turn_ring(&ring);
    assert_int_equal(nop.completions, 1);
    ring_finish(&ring);
}

static void sqpoll_submits_by_itself(void **state)
{
    (void)state;
    needs_feature(sqpoll);
    struct ring ring;
    struct recorded_op nop = { .op = { .complete = record_completion } };
    struct ring_config config = { .entries = 2, .sqpoll = true, .sqpoll_idle_ms = 1 };
    assert_int_equal(ring_init(&ring, &config), 0);
    for (int i = 0; i < 100; i++) {
        struct io_uring_sqe *sqe;
        while (!(sqe = ring_get_sqe(&ring)))
            ring_reap(&ring);
        io_uring_prep_nop(sqe);
        ring_op_attach(sqe, &nop.op);
    }
    while (ring_in_flight(&ring))
        turn_ring(&ring);
    assert_int_equal(nop.completions, 100);
    ring_finish(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C3_a_ring_is_not_finished_with_operations_in_flight),
        cmocka_unit_test(C3_a_request_that_nobody_waits_for_does_not_hold_the_ring),
        cmocka_unit_test(C3_drain_ends_everything_that_is_in_flight),
        cmocka_unit_test(C6_a_full_queue_flushes_and_retries),
        cmocka_unit_test(C6_no_sqe_while_the_kernel_takes_none),
        cmocka_unit_test(C7_a_bad_request_in_the_middle_does_not_hold_up_the_rest),
        cmocka_unit_test(C7_a_submit_that_fails_keeps_what_was_queued),
        cmocka_unit_test(C7_an_interrupted_submit_is_made_again),
        cmocka_unit_test(C8_an_overflowed_completion_queue_loses_nothing),
        cmocka_unit_test(C12_a_busy_loop_sees_deferred_completions),
        cmocka_unit_test(C12_a_reap_alone_sees_deferred_completions),
        cmocka_unit_test(a_wait_ends_when_the_time_is_over),
        cmocka_unit_test(a_completion_may_submit_and_reap),
        cmocka_unit_test(a_short_read_breaks_the_chain),
        cmocka_unit_test(registered_files_and_buffers_are_found_by_index),
        cmocka_unit_test(a_single_ring_is_for_the_thread_that_made_it),
        cmocka_unit_test(C16_what_a_thread_submitted_ends_with_it),
        cmocka_unit_test(C16_preparing_binds_nobody_submitting_does),
        cmocka_unit_test(a_shared_ring_has_two_sides),
        cmocka_unit_test(a_failed_setup_is_an_error),
        cmocka_unit_test(an_older_kernel_gets_plain_flags),
        cmocka_unit_test(sqpoll_submits_by_itself),
    };
    return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
