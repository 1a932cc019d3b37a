/* The ring driver's corners that the contract of all drivers cannot reach: a multishot
 * receive that has to go while the queue is full, an interrupted close, a child that holds
 * its parent's operations, virtual time while the kernel takes nothing, and how late a
 * sleep may end. */
#include "lesson05_reactor/driver_testing.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "common/testing/faults.h"
#include "lesson05_reactor/ring_source.h"

#define FULL 8 /* entries of the tests' rings */

static struct driver_subject alone = { .name = "io_uring",
                                       .open = open_ring_driver,
                                       .close = close_ring_driver,
                                       .lent_size = 64,
                                       .lent_buffers = 8 };
static struct driver_subject shared = { .name = "io_uring",
                                        .open = open_ring_driver,
                                        .close = close_ring_driver,
                                        .shared = true };

/* ---- C1: memory that is freed while an operation has it */

struct early_free {
    const char *said;
    void (*start)(struct driver_world *w, void *memory);
    size_t size;
};

static struct io_source *early_source;
static int early_peer;

/* Starts it, frees the memory, and lets it end. */
static void free_under(struct driver_world *w, struct future *future, void *memory)
{
    if (poll_in(w, future) != POLL_PENDING)
        return;
    turn(w);
    free(memory);
    write_raw(early_peer, "late", 4); /* ends what receives */
    close(early_peer);                /* and what sends */
    drive(w, future);
}

static void free_under_recv(struct driver_world *w, void *memory)
{
    struct io_op op = io_recv(early_source, memory, 16);
    free_under(w, &op.future, memory);
}

static void free_under_send(struct driver_world *w, void *memory)
{
    struct io_op op = io_send(early_source, memory, (size_t)1 << 20); /* too much */
    free_under(w, &op.future, memory);
}

static void free_under_accept(struct driver_world *w, void *memory)
{
    struct net_address address;
    struct io_source *listener = attach_fd(listen_locally(&address), IO_TYPE_LISTENER);
    *(socklen_t *)memory = sizeof(struct sockaddr_in);
    struct sockaddr *name = (struct sockaddr *)(void *)((char *)memory + 16);
    struct io_op op = io_accept(listener, name, memory);
    assert_int_equal(poll_in(w, &op.future), POLL_PENDING);
    turn(w);
    free(memory);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connect(client, &address.any, address.size);
    drive(w, &op.future);
}

static void free_under_recvfrom(struct driver_world *w, void *memory)
{
    static char got[8];
    socklen_t size = 32;
    struct io_packet op = io_recvfrom(early_source, got, sizeof got, memory, &size);
    free_under(w, &op.future, memory);
}

static struct early_free early_frees[] = {
    { "recv: the kernel had its buffer, 16 bytes", free_under_recv, 16 },
    { "send: the kernel had its buffer", free_under_send, (size_t)1 << 20 },
    { "accept: the kernel had its buffer, 16 bytes", free_under_accept, 64 },
    { "recvmsg: the kernel had its address", free_under_recvfrom, 32 },
};

static void free_too_early(void *argument)
{
    const struct early_free *early = argument;
    struct driver_world w = { 0 };
    if (!open_world(&w, &shared))
        return;
    void *memory = malloc(early->size);
    memset(memory, 'x', early->size);
    early_source = half_pair(&early_peer);
    early->start(&w, memory);
}

static void C1_an_operation_names_what_was_freed(void **state)
{
    (void)state;
    needs_io_uring();
    needs_to_know_what_is_alive();
    for (unsigned i = 0; i < ARRAY_SIZE(early_frees); i++)
        assert_dies(free_too_early, &early_frees[i], early_frees[i].said);
}

/* ---- what the contract of all drivers cannot reach */

/* Receives that nothing comes for, enough to fill the queue. */
struct crowd {
    struct io_source *sources[FULL];
    struct io_op ops[FULL];
    int peers[FULL];
    char got;
};

/* From now on the kernel takes nothing. */
static void fill_the_queue(struct driver_world *w, struct crowd *crowd)
{
    for (int i = 0; i < FULL; i++)
        crowd->sources[i] = half_pair(&crowd->peers[i]);
    fault_arm_always("io_uring_submit", EAGAIN);
    for (int i = 0; i < FULL; i++) {
        crowd->ops[i] = io_recv(crowd->sources[i], &crowd->got, 1);
        assert_int_equal(poll_in(w, &crowd->ops[i].future), POLL_PENDING);
    }
}

static void send_home(struct driver_world *w, struct crowd *crowd)
{
    for (int i = 0; i < FULL; i++) {
        future_cancel(&crowd->ops[i].future);
        assert_int_equal(drive_op(w, &crowd->ops[i]), -ECANCELED);
        close_source_in(w, crowd->sources[i]);
        close(crowd->peers[i]);
    }
}

/* A source whose multishot receive is armed, and nobody waits for it. */
static struct io_source *armed_source(struct driver_world *w, int *peer)
{
    struct io_source *source = half_pair(peer);
    struct io_op op = io_recv_lent(source);
    start_pending(w, &op);
    future_cancel(&op.future);
    assert_int_equal(drive_op(w, &op), -ECANCELED);
    assert_true(ring_source_of(source)->armed);
    return source;
}

static void C6_a_close_that_found_no_room_for_its_cancel_ends(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_world w = { 0 };
    struct crowd crowd;
    int peer;
    assert_true(open_world(&w, &alone));
    struct io_op op = io_close(armed_source(&w, &peer));
    fill_the_queue(&w, &crowd);
    assert_int_equal(poll_in(&w, &op.future), POLL_PENDING);
    fault_disarm();
    assert_int_equal(drive_op(&w, &op), 0);
    send_home(&w, &crowd);
    close(peer);
    close_world(&w);
}

static void C6_a_detach_that_found_no_room_stops_the_multishot(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_world w = { 0 };
    struct crowd crowd;
    int peer;
    char got;
    assert_true(open_world(&w, &alone));
    struct io_source *source = armed_source(&w, &peer);
    fill_the_queue(&w, &crowd);
    int fd = io_detach(source);
    fault_disarm();
    turn(&w);
    write_raw(peer, "x", 1); /* for whoever reads from the descriptor now */
    turn(&w);
    assert_int_equal(recv(fd, &got, 1, MSG_DONTWAIT), 1);
    close(fd);
    send_home(&w, &crowd);
    close(peer);
    close_world(&w);
}

static void answer_interrupted(struct ring_op *op, int result, unsigned flags)
{
    (void)result;
    ring_op_completed(op, -EINTR, flags);
}

/* close(2) has freed the number also when it says EINTR: a second one would close what
 * somebody else has opened meanwhile. */
static void an_interrupted_close_is_not_repeated(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_world w = { 0 };
    int peer;
    assert_true(open_world(&w, &alone));
    struct io_op op = io_close(half_pair(&peer));
    assert_int_equal(poll_in(&w, &op.future), POLL_PENDING);
    op.via.ring.complete = answer_interrupted;
    assert_int_equal(drive_op(&w, &op), 0);
    close(peer);
    close_world(&w);
}

/* ---- a stop on another thread */

struct drainer {
    struct source_pool *pool;
    _Atomic bool over;
};

static void *drain_until_over(void *argument)
{
    struct drainer *self = argument;
    while (!atomic_load_explicit(&self->over, memory_order_relaxed))
        source_pool_drain(self->pool);
    return NULL;
}

/* A descriptor that was given back is not shut down any more (TSan sees the race). */
static void a_stop_meets_detaches(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_world w = { 0 };
    pthread_t thread;
    assert_true(open_world(&w, &alone));
    struct drainer drainer = { .pool = w.sources };
    assert_int_equal(pthread_create(&thread, NULL, drain_until_over, &drainer), 0);
    for (int i = 0; i < 50; i++) {
        int peer;
        int fd = io_detach(armed_source(&w, &peer));
        close(fd);
        close(peer);
        turn(&w);
    }
    atomic_store_explicit(&drainer.over, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    close_world(&w);
}

/* ---- a fork, while operations are in flight */

struct inherited {
    struct driver_world *world;
    struct io_op *op;
    struct io_source *armed; /* NULL: the ring is shared, which arms nothing */
};

static void end_it_in_a_child(void *argument)
{
    struct inherited *self = argument;
    struct io_uring *ring = &self->world->memory.ring.ring.uring;
    unsigned tail = ring->sq.sqe_tail;
    future_cancel(&self->op->future);
    if (poll_in(self->world, &self->op->future) != POLL_READY ||
        self->op->result != -ESTALE)
        _exit(1);
    if (self->armed)
        io_close_now(self->armed);
    if (ring->sq.sqe_tail != tail)
        _exit(2); /* it has written into its parent's queue */
}

static void R11_a_child_cancels_nothing_of_its_parents(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_subject *subjects[] = { &alone, &shared };
    for (unsigned s = 0; s < 2; s++) {
        struct driver_world w = { 0 };
        int peers[2];
        char got;
        assert_true(open_world(&w, subjects[s]));
        struct io_source *armed = s == 0 ? armed_source(&w, &peers[1]) : NULL;
        struct io_source *source = half_pair(&peers[0]);
        struct io_op op = io_recv(source, &got, 1);
        start_pending(&w, &op);
        struct inherited inherited = { &w, &op, armed };
        assert_int_equal(run_in_child(end_it_in_a_child, &inherited, NULL, 0), 0);
        write_raw(peers[0], "x", 1); /* and the parent has not noticed */
        assert_int_equal(drive_op(&w, &op), 1);
        close(peers[0]);
        close_source_in(&w, source);
        if (armed) {
            close_source_in(&w, armed);
            close(peers[1]);
        }
        close_world(&w);
    }
}

/* ---- virtual time */

/* What the kernel has not been given yet may have an answer: time stands still. */
static void time_does_not_jump_over_a_refused_submit(void **state)
{
    (void)state;
    needs_io_uring();
    struct virtual_clock clock;
    struct driver_world w = { .clock = &clock };
    int peer;
    char got;
    virtual_clock_init(&clock, 1);
    assert_true(open_world(&w, &alone));
    struct io_source *source = half_pair(&peer);
    struct io_op op = io_recv(source, &got, 1);
    struct sleep nap = sleep_ms(10);
    bool deferred = w.memory.ring.ring.deferred;
    write_raw(peer, "x", 1);
    assert_int_equal(poll_in(&w, &nap.future), POLL_PENDING);
    assert_int_equal(poll_in(&w, &op.future), POLL_PENDING);
    w.memory.ring.ring.deferred = false; /* the only submit that a fault reaches */
    fault_arm_always("io_uring_submit", EAGAIN);
    turn_for(&w, PARK_FOREVER);
    assert_int_equal(fault_count(), 1);
    fault_disarm();
    w.memory.ring.ring.deferred = deferred;
    assert_true(timers_now(w.timers) == 1);
    assert_int_equal(drive_op(&w, &op), 1);
    assert_true(timers_now(w.timers) == 1);
    drive(&w, &nap.future);
    assert_int_equal(nap.result, 0);
    close_source_in(&w, source);
    close(peer);
    close_world(&w);
}

/* ---- real time */

#define SLACK (20 * NS_PER_MS)
#define DEADLINES 10

/* Ten deadlines within the thread's timer slack of the first: they all come with its
 * wake-up, and that is not early for any of them. */
static void deadlines_within_the_slack_share_a_wake_up(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_world w = { 0 };
    struct sleep sleeps[DEADLINES];
    int before = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    assert_int_equal(prctl(PR_SET_TIMERSLACK, SLACK, 0, 0, 0), 0);
    assert_true(open_world(&w, &alone));
    assert_int_equal(prctl(PR_SET_TIMERSLACK, before, 0, 0, 0), 0);
    uint64_t first = clock_now() + 100 * NS_PER_MS;
    for (uint64_t i = 0; i < DEADLINES; i++) {
        sleeps[i] = sleep_until(first + i * NS_PER_MS);
        assert_int_equal(poll_in(&w, &sleeps[i].future), POLL_PENDING);
    }
    wait_for_wake(&w, 0);
    assert_true(clock_now() >= first + (DEADLINES - 1) * NS_PER_MS);
    assert_int_equal(w.wakes.wakes, DEADLINES);
    for (int i = 0; i < DEADLINES; i++)
        assert_int_equal(poll_in(&w, &sleeps[i].future), POLL_READY);
    close_world(&w);
}

/* ---- files */

/* A file that is read often gets a slot in the ring's table, goes on giving the right
 * bytes, and gives the slot back: also without a future, also when the table is full, also
 * when the kernel refuses. */
static void often_read(struct driver_world *w, struct io_source *source)
{
    for (unsigned i = 0; i < 20; i++) {
        char got = 0;
        struct io_op op = io_read(source, &got, 1, i % 4);
        assert_int_equal(drive_op(w, &op), 1);
        assert_int_equal(got, "abcd"[i % 4]);
    }
}

static struct io_source *small_file(void)
{
    int fd = memfd_create("ring_io", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abcd", 4), 4);
    return attach_fd(fd, IO_TYPE_FILE);
}

static void use_the_table(struct driver_subject *subject)
{
    struct driver_world w = { 0 };
    struct io_source *sources[RING_FILES + 2];
    assert_true(open_world(&w, subject));
    struct ring_driver *driver = &w.memory.ring;
    uint64_t vacant = driver->files_vacant;
    if (vacant == 0) {
        close_world(&w);
        skip_because("this kernel has no sparse file tables");
    }
    for (unsigned i = 0; i < RING_FILES + 2; i++) {
        sources[i] = small_file();
        often_read(&w, sources[i]);
        assert_int_equal(ring_source_of(sources[i])->slot >= 0, i < RING_FILES);
    }
    assert_true(driver->files_vacant == 0);
    io_close_now(sources[0]);
    for (unsigned i = 1; i < RING_FILES + 2; i++)
        close_source_in(&w, sources[i]);
    assert_true(driver->files_vacant == vacant);
    close_world(&w);
}

static void a_file_that_is_often_read_is_in_the_table(void **state)
{
    (void)state;
    needs_io_uring();
    use_the_table(&alone);
    use_the_table(&shared);
}

static void without_a_table_descriptors_do(void **state)
{
    (void)state;
    needs_io_uring();
    struct driver_world w = { 0 };
    assert_true(open_world(&w, &alone));
    w.memory.ring.files_vacant =
        0; /* as ring_files_init leaves it when it is refused */
    struct io_source *source = small_file();
    often_read(&w, source);
    assert_int_equal(ring_source_of(source)->slot, -1);
    close_source_in(&w, source);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C1_an_operation_names_what_was_freed),
        cmocka_unit_test(C6_a_close_that_found_no_room_for_its_cancel_ends),
        cmocka_unit_test(C6_a_detach_that_found_no_room_stops_the_multishot),
        cmocka_unit_test(an_interrupted_close_is_not_repeated),
        cmocka_unit_test(a_stop_meets_detaches),
        cmocka_unit_test(R11_a_child_cancels_nothing_of_its_parents),
        cmocka_unit_test(time_does_not_jump_over_a_refused_submit),
        cmocka_unit_test(deadlines_within_the_slack_share_a_wake_up),
        cmocka_unit_test(a_file_that_is_often_read_is_in_the_table),
        cmocka_unit_test(without_a_table_descriptors_do),
    };
    return cmocka_run_group_tests_name("ring_io", tests, NULL, NULL);
}
