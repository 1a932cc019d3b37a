/* The reactor itself: as a parker, between two threads, and when calls fail. What it has
 * in common with the ring driver is in driver_contract.h. */
#include "lesson05_reactor/driver_testing.h"

#include <fcntl.h>
#include <pthread.h>

#include "common/testing/faults.h"
#include "lesson02_wakers/parker_contract.h"
#include "lesson05_reactor/epoll_source.h"

static struct driver_subject alone = { .name = "epoll",
                                       .open = open_reactor,
                                       .close = close_reactor };
static struct driver_subject shared = {
    .name = "epoll", .open = open_reactor, .close = close_reactor, .shared = true
};

/* ---- as a parker */

struct parking {
    struct reactor reactor;
    bool shared;
};

static struct parking parking_alone, parking_shared = { .shared = true };

static struct parker *open_parker(void *world)
{
    struct parking *self = world;
    struct reactor_config config = { .shared = self->shared };
    assert_int_equal(reactor_init(&self->reactor, &config), 0);
    return &self->reactor.parker;
}

static void close_parker(void *world)
{
    reactor_finish(&((struct parking *)world)->reactor);
}

static struct parker_subject a_reactor = { .name = "reactor",
                                           .world = &parking_alone,
                                           .open = open_parker,
                                           .close = close_parker,
                                           .signal_safe = true };
static struct parker_subject a_shared_reactor = { .name = "shared reactor",
                                                  .world = &parking_shared,
                                                  .open = open_parker,
                                                  .close = close_parker,
                                                  .signal_safe = true };

/* ---- edges */

struct edge {
    struct driver_world *world;
    int peer;
};

static void an_edge_comes(void *argument)
{
    struct edge *edge = argument;
    write_raw(edge->peer, "!", 1);
    turn(edge->world);
}

/* R2: the syscall said EAGAIN; before the task can clear the ready bit, the reactor notes
 * a new edge. Whoever clears it now waits for ever. */
static void R2_an_edge_between_eagain_and_clear_is_not_lost(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    char got;
    assert_true(open_world(&w, &alone));
    struct edge edge = { .world = &w };
    struct io_source *source = half_pair(&edge.peer);
    struct io_op op = io_recv(source, &got, 1);
    start_pending(&w, &op);
    write_raw(edge.peer, "?", 1);
    assert_int_equal(drive_op(&w, &op), 1); /* it was filled, so the bit is still on */
    op = io_recv(source, &got, 1);
    fault_call_then(an_edge_comes, &edge);
    fault_arm("sys_recv", 1, EAGAIN);
    enum poll_state first = poll_in(&w, &op.future);
    long failed = fault_count();
    fault_disarm();
    fault_call_then(NULL, NULL);
    assert_int_equal(failed, 1);
    if (first == POLL_PENDING)
        drive(&w, &op.future);
    assert_int_equal(op.result, 1);
    assert_int_equal(got, '!');
    close(edge.peer);
    close_source_in(&w, source);
    close_world(&w);
}

/* A waker that changes tenants while the batch is being handled, as another worker may. */
struct mover {
    struct driver_world *world;
    struct io_source *leaves, *comes;
    struct io_op op;
    int peer;
    char got;
};

static struct waker mover_clone(void *data);

static void mover_wake(void *data)
{
    struct mover *self = data;
    int fd = self->leaves->fd;
    io_close_now(self->leaves);
    self->comes = half_pair(&self->peer);
    self->op = io_recv(self->comes, &self->got, 1);
    enum poll_state state = poll_in(self->world, &self->op.future);
    CHECK(self->comes == self->leaves && self->comes->fd == fd && state == POLL_PENDING,
          "the same memory, the same number, and it waits");
}

static void mover_drop(void *data)
{
    (void)data;
}

static const struct waker_ops mover_ops = { mover_clone, mover_wake, mover_wake,
                                            mover_drop };

static struct waker mover_clone(void *data)
{
    return (struct waker){ &mover_ops, data };
}

static void R4_an_event_of_this_batch_for_an_earlier_tenant_is_dropped(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    int first_peer, second_peer;
    char got, spare;
    assert_true(open_world(&w, &alone));
    struct io_source *first = half_pair(&first_peer);
    struct mover mover = { .world = &w, .leaves = half_pair(&second_peer) };
    struct io_op watched = io_recv(mover.leaves, &spare, 1);
    start_pending(&w, &watched);
    future_cancel(&watched.future); /* it stays registered */
    assert_int_equal(drive_op(&w, &watched), -ECANCELED);
    struct waker waker = mover_clone(&mover);
    struct context context = { .waker = &waker, .budget = CONTEXT_BUDGET };
    struct io_op op = io_recv(first, &got, 1);
    assert_int_equal(future_poll(&op.future, &context), POLL_PENDING);
    turn(&w);
    write_raw(first_peer, "1", 1);
    write_raw(second_peer, "2", 1); /* two events, one batch, in this order */
    turn_for(&w, 0);
    assert_non_null(mover.comes);
    assert_false(direction_is_ready(&source_of(mover.comes)->directions[READING]));
    assert_true(direction_is_armed(&source_of(mover.comes)->directions[READING]));
    assert_int_equal(drive_op(&w, &op), 1);
    write_raw(mover.peer, "3", 1);
    assert_int_equal(drive_op(&w, &mover.op), 1);
    close(first_peer);
    close(second_peer);
    close(mover.peer);
    close_source_in(&w, first);
    close_source_in(&w, mover.comes);
    close_world(&w);
}

/* The extra EAGAIN that a short read saves, and the one that it may not save. */
static void R12_a_short_read_saves_a_call_unless_the_peer_hung_up(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    int peer;
    char got[8];
    assert_true(open_world(&w, &alone));
    struct io_source *source = half_pair(&peer);
    const struct direction *reading = &source_of(source)->directions[READING];
    struct io_op op = io_recv(source, got, sizeof got);
    start_pending(&w, &op);
    write_raw(peer, "short", 5);
    assert_int_equal(drive_op(&w, &op), 5);
    assert_false(direction_is_ready(reading));
    op = io_recv(source, got, sizeof got);
    start_pending(&w, &op);
    write_raw(peer, "short", 5);
    shutdown(peer, SHUT_WR); /* the same edge says both */
    assert_int_equal(drive_op(&w, &op), 5);
    assert_true(direction_is_ready(reading));
    assert_int_equal(recv_bytes(&w, source, got, sizeof got), 0);
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

static void only_eagain_drains_what_is_no_stream(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    int fds[2];
    char got[8];
    assert_true(open_world(&w, &alone));
    assert_int_equal(net_pair(fds), 0);
    struct io_source *source = attach_fd(fds[0], IO_TYPE_ANY);
    struct io_op op = io_recv(source, got, sizeof got);
    start_pending(&w, &op);
    write_raw(fds[1], "short", 5);
    assert_int_equal(drive_op(&w, &op), 5);
    assert_true(direction_is_ready(&source_of(source)->directions[READING]));
    close(fds[1]);
    close_source_in(&w, source);
    close_world(&w);
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

static void *echo_bytes(void *argument)
{
    int fd = *(int *)argument;
    char byte;
    while (recv(fd, &byte, 1, 0) == 1)
        if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
            break;
    return NULL;
}

#define ROUNDS 2000

/* One thread reports edges while another one tries, clears and arms. */
static void R2_two_threads_lose_no_edge(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    pthread_t parker, echo;
    int peer;
    bool good = true;
    assert_true(open_world(&w, &shared));
    struct io_source *source = tcp_half(&peer);
    struct parked_thread parked = { .world = &w };
    assert_int_equal(pthread_create(&parker, NULL, park_until_stopped, &parked), 0);
    assert_int_equal(pthread_create(&echo, NULL, echo_bytes, &peer), 0);
    for (int i = 0; i < ROUNDS && good; i++) {
        char byte = (char)i, got[2] = "";
        struct io_op tx = io_send(source, &byte, 1);
        struct io_op rx = io_recv(source, got, 1 + (i & 1)); /* filled, or short */
        good = drive_from_afar(&tx.future) && drive_from_afar(&rx.future) &&
               rx.result == 1 && got[0] == byte;
    }
    atomic_store_explicit(&parked.stop, true, memory_order_release);
    parker_unpark(w.parker);
    pthread_join(parker, NULL);
    shutdown(peer, SHUT_RDWR);
    pthread_join(echo, NULL);
    close_source_in(&w, source);
    close(peer);
    close_world(&w);
    assert_true(good);
}

#define MUCH (1 << 20)

static void *take_and_answer(void *argument)
{
    int fd = *(int *)argument;
    char bytes[4096];
    ssize_t n = 1;
    for (ssize_t left = MUCH; left > 0 && n > 0; left -= n)
        n = recv(fd, bytes, sizeof bytes, 0);
    send(fd, "!", 1, MSG_NOSIGNAL);
    return NULL;
}

/* A task of its own for each direction, on a thread of its own. */
static void *send_much(void *argument)
{
    static const char much[MUCH];
    static struct waker_probe probe;
    struct waker waker = probe_waker(&probe);
    struct context context = { .waker = &waker, .budget = CONTEXT_BUDGET };
    struct io_op op = io_send(argument, much, MUCH);
    uint64_t give_up = testing_deadline();
    long seen = probe_read(&probe.wakes);
    for (; future_poll(&op.future, &context) == POLL_PENDING; seen++)
        while (probe_read(&probe.wakes) <= seen)
            CHECK(!testing_expired(give_up), "the writer was woken");
    CHECK(op.result == MUCH, "all was sent");
    return NULL;
}

/* Both directions find that the descriptor is not watched yet, at about the same time. */
static void two_threads_start_to_watch_one_descriptor(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    pthread_t parker;
    bool good = true;
    assert_true(open_world(&w, &shared));
    struct parked_thread parked = { .world = &w };
    struct waker_probe early = {
        0
    }; /* until the parker is gone: it may hold a waker */
    assert_int_equal(pthread_create(&parker, NULL, park_until_stopped, &parked), 0);
    for (int i = 0; i < 50 && good; i++) {
        int peer, flags;
        char got;
        struct io_source *source = half_pair(&peer);
        flags = fcntl(peer, F_GETFL);
        assert_int_equal(fcntl(peer, F_SETFL, flags & ~O_NONBLOCK), 0);
        pthread_t writer = start_thread(send_much, source);
        struct io_op rx = io_recv(source, &got, 1);
        if (probe_poll(&early, &rx.future) == POLL_PENDING) {
            pthread_t answer = start_thread(take_and_answer, &peer);
            good = drive_from_afar(&rx.future) && rx.result == 1;
            pthread_join(answer, NULL);
        }
        pthread_join(writer, NULL);
        close_source_in(&w, source);
        close(peer);
    }
    atomic_store_explicit(&parked.stop, true, memory_order_release);
    parker_unpark(w.parker);
    pthread_join(parker, NULL);
    close_world(&w);
    assert_true(good);
    assert_int_equal(probe_read(&early.live), 0);
}

/* ---- failures */

static void init_leaves_nothing_behind_when_a_call_fails(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        int err;
    } faults[] = { { "epoll_create1", EMFILE },
                   { "eventfd", ENFILE },
                   { "epoll_ctl", ENOSPC },
                   { "calloc", ENOMEM },
                   { "malloc", ENOMEM } };
    int fds = open_fds();
    for (unsigned i = 0; i < ARRAY_SIZE(faults); i++)
        for (long n = 1; fault_sweep(n, faults[i].call, faults[i].err); n++) {
            struct reactor reactor;
            struct reactor_config config = { .shared = n & 1 };
            int err = reactor_init(&reactor, &config);
            long failed = fault_count();
            fault_disarm();
            assert_int_equal(err, failed ? -faults[i].err : 0);
            if (err == 0)
                reactor_finish(&reactor);
            assert_int_equal(open_fds(), fds);
        }
    reactor_finish(NULL);
    struct reactor zero = { .shared = false };
    reactor_finish(&zero);
}

static void an_operation_reports_what_failed(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    struct io_source *source = NULL;
    int peer, fds[2];
    char got;
    assert_true(open_world(&w, &alone));
    assert_int_equal(net_pair(fds), 0);
    fault_arm("calloc", 1, ENOMEM); /* the pool's first block */
    assert_int_equal(io_attach(fds[0], IO_TYPE_STREAM, &source), -ENOMEM);
    fault_disarm();
    close(fds[0]);
    close(fds[1]);
    source = half_pair(&peer);
    struct io_op op = io_recv(source, &got, 1);
    fault_arm("epoll_ctl", 1, ENOSPC);
    assert_int_equal(drive_op(&w, &op), -ENOSPC);
    fault_arm("malloc", 1, ENOMEM);
    op = io_recv_lent(source);
    start_pending(&w, &op); /* no buffer is needed before there is data */
    assert_int_equal(fault_count(), 0);
    write_raw(peer, "x", 1);
    assert_int_equal(drive_op(&w, &op), -ENOBUFS);
    fault_disarm();
    assert_int_equal(recv_bytes(&w, source, &got, 1), 1); /* and nothing was lost */
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

static void interruptions_and_false_alarms_are_no_results(void **state)
{
    (void)state;
    static const int errors[] = { EINTR, EAGAIN };
    struct driver_world w = { 0 };
    struct net_address address;
    assert_true(open_world(&w, &alone));
    for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
        int peer;
        char got;
        struct io_source *source = half_pair(&peer);
        fault_arm("sys_send", 1, errors[i]);
        assert_int_equal(send_bytes(&w, source, "x", 1), 1);
        assert_int_equal(fault_count(), 1);
        fault_disarm();
        assert_int_equal(recv(peer, &got, 1, 0), 1);
        struct io_op op = io_recv(source, &got, 1);
        start_pending(&w, &op);
        fault_arm("sys_recv", 1, EINTR);
        assert_int_equal(send(peer, "y", 1, 0), 1);
        assert_int_equal(drive_op(&w, &op), 1);
        fault_disarm();
        close(peer);
        close_source_in(&w, source);
    }
    struct io_source *listener = attach_fd(listen_locally(&address), IO_TYPE_LISTENER);
    static const int refusals[] = { EINTR, ECONNABORTED, EMFILE };
    for (unsigned i = 0; i < ARRAY_SIZE(refusals); i++) {
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(client, &address.any, address.size), 0);
        struct io_op op = io_accept(listener, NULL, NULL);
        fault_arm("accept4", 1, refusals[i]);
        int fd = drive_op(&w, &op);
        fault_disarm();
        if (refusals[i] == EMFILE) {
            assert_int_equal(fd, -EMFILE);
            op = io_accept(listener, NULL, NULL);
            fd = drive_op(&w, &op);
        }
        assert_true(fd >= 0);
        close(fd);
        close(client);
    }
    close_source_in(&w, listener);
    close_world(&w);
}

static void files_need_an_offload(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    assert_true(open_world(&w, &alone));
    w.services.offload = NULL;
    struct io_op op = io_openat(AT_FDCWD, "/", O_RDONLY, 0);
    assert_int_equal(drive_op(&w, &op), -EOPNOTSUPP);
    w.services.offload = &w.offload.offload;
    w.offload.refuse = -EAGAIN;
    op = io_openat(AT_FDCWD, "/", O_RDONLY, 0);
    assert_int_equal(drive_op(&w, &op), -EAGAIN);
    close_world(&w);
}

struct closing {
    struct driver_world *world;
    struct io_source *source;
};

static void close_it(void *argument)
{
    io_close_now(((struct closing *)argument)->source);
}

static void close_now(void *source)
{
    io_close_now(source);
}

static void poll_elsewhere(void *op)
{
    struct driver_world other = { 0 };
    struct io_op *stranger = op;
    CHECK(open_world(&other, &alone), "a second reactor");
    poll_in(&other, &stranger->future);
}

static void an_operation_on_another_runtimes_thread_dies(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    int peer;
    char got;
    assert_true(open_world(&w, &alone));
    struct io_source *source = half_pair(&peer);
    struct io_op op = io_recv(source, &got, 1);
    assert_dies(poll_elsewhere, &op, "attached to another runtime's I/O driver");
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

/* It was woken, but not polled: it would read from whoever has the source next. */
static void C4_closing_under_a_woken_operation_dies(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    int peer;
    char got;
    assert_true(open_world(&w, &alone));
    struct io_source *source = half_pair(&peer);
    struct io_op op = io_recv(source, &got, 1);
    start_pending(&w, &op);
    write_raw(peer, "x", 1);
    turn(&w);
    assert_dies(close_now, source, "is closed or detached while an operation");
    assert_int_equal(drive_op(&w, &op), 1);
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

static void C4_closing_under_a_job_dies(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    assert_true(open_world(&w, &alone));
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct io_source *file = attach_fd(fd, IO_TYPE_FILE);
    char got[4];
    struct io_op op = io_read(file, got, sizeof got, 0);
    assert_int_equal(poll_in(&w, &op.future), POLL_PENDING);
    struct closing closing = { &w, file };
    assert_dies(close_it, &closing, "while an operation is in the offload");
    future_cancel(&op.future); /* withdrawn: no thread has taken it */
    assert_int_equal(drive_op(&w, &op), -ECANCELED);
    close_source_in(&w, file);
    close_world(&w);
}

static void use_in_a_child(void *argument)
{
    struct driver_world *w = argument;
    if (parker_park(w->parker, 0) != -ESTALE)
        _exit(1);
    int peer;
    char got;
    struct io_source *source = half_pair(&peer);
    struct io_op op = io_recv(source, &got, 1);
    if (poll_in(w, &op.future) != POLL_READY || op.result != -ESTALE)
        _exit(2);
}

static void R11_the_child_of_a_fork_fails_cleanly(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    int peer;
    assert_true(open_world(&w, &alone));
    struct io_source *source = half_pair(&peer);
    assert_int_equal(run_in_child(use_in_a_child, &w, NULL, 0), 0);
    write_raw(peer, "x", 1); /* and the parent has not noticed */
    char got;
    assert_int_equal(recv_bytes(&w, source, &got, 1), 1);
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PARKER_CONTRACT(a_reactor),
        PARKER_CONTRACT(a_shared_reactor),
        cmocka_unit_test(R2_an_edge_between_eagain_and_clear_is_not_lost),
        cmocka_unit_test(R4_an_event_of_this_batch_for_an_earlier_tenant_is_dropped),
        cmocka_unit_test(R12_a_short_read_saves_a_call_unless_the_peer_hung_up),
        cmocka_unit_test(only_eagain_drains_what_is_no_stream),
        cmocka_unit_test(R2_two_threads_lose_no_edge),
        cmocka_unit_test(two_threads_start_to_watch_one_descriptor),
        cmocka_unit_test(init_leaves_nothing_behind_when_a_call_fails),
        cmocka_unit_test(an_operation_reports_what_failed),
        cmocka_unit_test(interruptions_and_false_alarms_are_no_results),
        cmocka_unit_test(files_need_an_offload),
        cmocka_unit_test(an_operation_on_another_runtimes_thread_dies),
        cmocka_unit_test(C4_closing_under_a_woken_operation_dies),
        cmocka_unit_test(C4_closing_under_a_job_dies),
        cmocka_unit_test(R11_the_child_of_a_fork_fails_cleanly),
    };
    return cmocka_run_group_tests_name("reactor", tests, NULL, NULL);
}
