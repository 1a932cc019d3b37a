/* The ring driver itself: as a parker, with a full queue, between two threads, refused.
 * What it has in common with the reactor is in driver_contract.h. */
#include "lesson05_reactor/driver_testing.h"

#include <pthread.h>

#include "common/testing/faults.h"
#include "common/testing/forbid.h"
#include "lesson02_wakers/parker_contract.h"

static struct driver_subject alone = { .name = "io_uring",
                                       .open = open_ring_driver,
                                       .close = close_ring_driver,
                                       .lent_size = 64,
                                       .lent_buffers = 8 };
static struct driver_subject shared = { .name = "io_uring",
                                        .open = open_ring_driver,
                                        .close = close_ring_driver,
                                        .shared = true };

/* ---- as a parker */

struct parking {
    struct ring_driver ring;
    bool shared;
};

static struct parking parking_alone, parking_shared = { .shared = true };

static struct parker *open_parker(void *world)
{
    struct parking *self = world;
    struct ring_driver_config config = { .shared = self->shared };
    needs_io_uring();
    assert_int_equal(ring_driver_init(&self->ring, &config), 0);
    return &self->ring.parker;
}

static void close_parker(void *world)
{
    ring_driver_finish(&((struct parking *)world)->ring);
}

static struct parker_subject a_ring_driver = { .name = "ring driver",
                                               .world = &parking_alone,
                                               .open = open_parker,
                                               .close = close_parker,
                                               .signal_safe = true };
static struct parker_subject a_shared_ring_driver = { .name = "shared ring driver",
                                                      .world = &parking_shared,
                                                      .open = open_parker,
                                                      .close = close_parker,
                                                      .signal_safe = true };

/* ---- a queue that is full, a kernel that takes nothing */

#define MANY 20

/* C6: the SQ has 8 entries and the kernel takes nothing for a while: what was started
 * waits in line, what is cancelled meanwhile leaves it, and the rest is done in the end. */
static void C6_what_the_ring_does_not_take_waits_in_line(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_subject *subjects[] = { &alone, &shared };
    for (unsigned s = 0; s < 2; s++) {
        struct driver_world w = { 0 };
        struct io_source *sources[MANY];
        struct io_op ops[MANY];
        int peers[MANY];
        char got[MANY];
        assert_true(open_world(&w, subjects[s]));
        for (int i = 0; i < MANY; i++) {
            sources[i] = half_pair(&peers[i]);
            ops[i] = io_recv(sources[i], &got[i], 1);
        }
        fault_arm_always("io_uring_submit", EAGAIN);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(poll_in(&w, &ops[i].future), POLL_PENDING);
        assert_true(fault_count() > 0);
        for (int i = 0; i < MANY; i += 3)
            future_cancel(&ops[i].future); /* on the ring, or still in line */
        assert_int_equal(poll_in(&w, &ops[18].future), POLL_READY); /* was in line */
        assert_int_equal(ops[18].result, -ECANCELED);
        fault_disarm();
        turn(&w);
        for (int i = 0; i < MANY; i++)
            write_raw(peers[i], "x", 1);
        for (int i = 0; i < MANY; i++) {
            if (i == 18)
                continue;
            while (poll_in(&w, &ops[i].future) == POLL_PENDING)
                turn_for(&w, (int64_t)NS_PER_MS);
            if (i % 3)
                assert_int_equal(ops[i].result, 1);
        }
        for (int i = 0; i < MANY; i++) {
            close_source_in(&w, sources[i]);
            close(peers[i]);
        }
        close_world(&w);
    }
}

/* ---- two threads */

struct parked_thread {
    struct driver_world *world;
    _Atomic bool stop;
};

static void *park_until_stopped(void *argument)
{
    struct parked_thread *self = argument;
    const struct io_services *before = io_services_enter(&self->world->services);
    while (!atomic_load_explicit(&self->stop, memory_order_acquire))
        parker_park(self->world->parker, PARK_FOREVER);
    io_services_leave(before);
    return NULL;
}

static void start_parked(struct parked_thread *parked, pthread_t *thread)
{
    assert_int_equal(pthread_create(thread, NULL, park_until_stopped, parked), 0);
    struct ring_driver *ring = &parked->world->memory.ring;
    WAIT_UNTIL(atomic_load_explicit(&ring->token, memory_order_relaxed) == 2);
}

static void stop_parked(struct parked_thread *parked, pthread_t thread)
{
    atomic_store_explicit(&parked->stop, true, memory_order_release);
    parker_unpark(parked->world->parker);
    pthread_join(thread, NULL);
}

/* C7: a worker submits for the parker that sleeps; if that fails, the parker must wake up
 * and try again, for nobody else will. */
static void C7_a_submit_that_failed_is_not_slept_on(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_world w = { 0 };
    pthread_t thread;
    int peer;
    char got;
    assert_true(open_world(&w, &shared));
    struct io_source *source = half_pair(&peer);
    struct parked_thread parked = { .world = &w };
    for (int i = 0; i < 5; i++) {
        write_raw(peer, "x", 1);
        atomic_store_explicit(&parked.stop, false, memory_order_relaxed);
        start_parked(&parked, &thread);
        struct io_op op = io_recv(source, &got, 1);
        fault_arm("io_uring_submit", 1, EAGAIN);
        bool good = drive_from_afar(&op.future);
        long failed = fault_count();
        fault_disarm();
        stop_parked(&parked, thread);
        assert_true(good);
        assert_int_equal(failed, 1);
        assert_int_equal(op.result, 1);
    }
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

#define ROUNDS 500

/* C1, C15: one thread starts and cancels, the other one reaps, in every order that comes
 * up; the operation's memory is reused at once. */
static void C15_cancels_meet_completions_on_two_threads(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_world w = { 0 };
    pthread_t thread;
    int peer;
    bool good = true;
    unsigned sent = 0, received = 0;
    assert_true(open_world(&w, &shared));
    struct io_source *source = half_pair(&peer);
    struct parked_thread parked = { .world = &w };
    struct context context = { .waker = NULL, .budget = CONTEXT_BUDGET };
    start_parked(&parked, &thread);
    for (int i = 0; i < ROUNDS && good; i++) {
        char got[4];
        struct io_op op = io_recv(source, got, 1);
        enum poll_state first = future_poll(&op.future, &context);
        if (i % 4 != 3)
            sent += send(peer, "x", 1, MSG_NOSIGNAL) == 1;
        if (i % 3 == 1)
            sched_yield();
        if (i % 2 || i % 4 == 3)
            future_cancel(&op.future);
        good = first == POLL_PENDING && drive_from_afar(&op.future);
        received += op.result == 1;
        good = good && (op.result == 1 || op.result == -ECANCELED);
    }
    while (good && received < sent) {
        char got[4];
        struct io_op op = io_recv(source, got, 1);
        good = drive_from_afar(&op.future);
        received++;
    }
    stop_parked(&parked, thread);
    assert_true(good);
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

static void C13_a_wake_from_another_thread_kicks_a_sleeping_ring(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_subject *subjects[] = { &alone, &shared };
    for (unsigned s = 0; s < 2; s++) {
        struct driver_world w = { 0 };
        assert_true(open_world(&w, subjects[s]));
        if (s == 1) { /* a ring of one thread cannot be parked in by another */
            struct parked_thread parked = { .world = &w };
            pthread_t thread;
            for (int i = 0; i < 20; i++) {
                atomic_store_explicit(&parked.stop, false, memory_order_relaxed);
                start_parked(&parked, &thread);
                stop_parked(&parked, thread); /* would join for ever */
            }
        }
        parker_unpark(w.parker);
        turn_for(&w, PARK_FOREVER); /* the token was kept */
        close_world(&w);
    }
}

/* ---- refused, or broken */

static void init_refused(void *argument)
{
    int err = *(int *)argument;
    struct ring_driver ring;
    struct ring_driver_config config = { .shared = err == EPERM };
    if (forbid_io_uring(err) < 0)
        _exit(77);
    int fds = open_fds();
    if (ring_driver_init(&ring, &config) != -err || open_fds() != fds)
        _exit(1);
    ring_driver_finish(&ring); /* nothing was made */
}

static void C14_a_refusal_is_an_error_and_leaves_nothing(void **state)
{
    (void)state;
    static int errors[] = { EPERM, ENOSYS, ENOMEM };
    for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
        int status = run_in_child(init_refused, &errors[i], NULL, 0);
        if (status == 77)
            skip_because("no seccomp filters here");
        assert_int_equal(status, 0);
    }
}

static void init_leaves_nothing_behind_when_a_call_fails(void **state)
{
    (void)state;
    needs_io_uring();
    static const struct {
        const char *call;
        int err;
    } faults[] = { { "io_uring_queue_init_params", ENOMEM },
                   { "eventfd", EMFILE },
                   { "calloc", ENOMEM },
                   { "malloc", ENOMEM },
                   { "mmap", ENOMEM } };
    int fds = open_fds();
    for (unsigned i = 0; i < ARRAY_SIZE(faults); i++)
        for (long n = 1; fault_sweep(n, faults[i].call, faults[i].err); n++) {
            struct ring_driver ring;
            struct ring_driver_config config = { .lent_buffers = 8 };
            int err = ring_driver_init(&ring, &config);
            long failed = fault_count();
            fault_disarm();
            /* without memory for the buffer group it works without one */
            if (err != 0)
                assert_int_equal(err, -faults[i].err);
            else if (failed)
                assert_false(ring.group_works);
            if (err == 0)
                ring_driver_finish(&ring);
            assert_int_equal(open_fds(), fds);
        }
    ring_driver_finish(NULL);
    struct ring_driver zero = { .shared = false };
    ring_driver_finish(&zero);
}

static void a_driver_without_buffer_group_lends_all_the_same(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_world w = { 0 };
    int peer;
    fault_arm("mmap", 1, ENOMEM);
    assert_true(open_world(&w, &alone));
    fault_disarm();
    assert_false(w.memory.ring.group_works);
    struct io_source *source = half_pair(&peer);
    struct io_op op = io_recv_lent(source);
    start_pending(&w, &op);
    write_raw(peer, "lent", 4);
    assert_int_equal(drive_op(&w, &op), 4);
    io_give_back(&op);
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

/* Multishot receives came a version after buffer rings. */
static void a_kernel_without_multishot_receives_plainly(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_world w = { 0 };
    int peer;
    assert_true(open_world(&w, &alone));
    w.memory.ring.multishot_refused = true;
    struct io_source *source = half_pair(&peer);
    for (int i = 0; i < 3; i++) {
        struct io_op op = io_recv_lent(source);
        start_pending(&w, &op);
        write_raw(peer, "lent", 4);
        assert_int_equal(drive_op(&w, &op), 4);
        io_give_back(&op);
    }
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

static void use_in_a_child(void *argument)
{
    struct driver_world *w = argument;
    int peer;
    char got;
    if (parker_park(w->parker, 0) != -ESTALE)
        _exit(1);
    struct io_source *source = half_pair(&peer);
    struct io_op op = io_recv(source, &got, 1);
    if (poll_in(w, &op.future) != POLL_READY || op.result != -ESTALE)
        _exit(2);
}

static void R11_the_child_of_a_fork_fails_cleanly(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_subject *subjects[] = { &alone, &shared };
    for (unsigned s = 0; s < 2; s++) {
        struct driver_world w = { 0 };
        int peer;
        char got;
        assert_true(open_world(&w, subjects[s]));
        struct io_source *source = half_pair(&peer);
        struct io_op op = io_recv(source, &got, 1);
        start_pending(&w, &op);
        assert_int_equal(run_in_child(use_in_a_child, &w, NULL, 0), 0);
        write_raw(peer, "x", 1); /* and the parent has not noticed */
        assert_int_equal(drive_op(&w, &op), 1);
        close(peer);
        close_source_in(&w, source);
        close_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PARKER_CONTRACT(a_ring_driver),
        PARKER_CONTRACT(a_shared_ring_driver),
        cmocka_unit_test(C6_what_the_ring_does_not_take_waits_in_line),
        cmocka_unit_test(C7_a_submit_that_failed_is_not_slept_on),
        cmocka_unit_test(C15_cancels_meet_completions_on_two_threads),
        cmocka_unit_test(C13_a_wake_from_another_thread_kicks_a_sleeping_ring),
        cmocka_unit_test(R11_the_child_of_a_fork_fails_cleanly),
        cmocka_unit_test(C14_a_refusal_is_an_error_and_leaves_nothing),
        cmocka_unit_test(init_leaves_nothing_behind_when_a_call_fails),
        cmocka_unit_test(a_driver_without_buffer_group_lends_all_the_same),
        cmocka_unit_test(a_kernel_without_multishot_receives_plainly),
    };
    return cmocka_run_group_tests_name("ring_driver", tests, NULL, NULL);
}
