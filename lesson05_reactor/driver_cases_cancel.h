/* driver_cases_cancel: who stops what, and who owns what then; part of
 * driver_contract.h. */
#ifndef LESSON05_DRIVER_CASES_CANCEL_H
#define LESSON05_DRIVER_CASES_CANCEL_H

#include "lesson05_reactor/driver_cases_streams.h"

static inline void cancelled_before_its_first_poll_it_does_nothing(void **state)
{
    OPEN_WORLD(w, state);
    struct io_source *ends[2];
    char got[4];
    whole_pair(ends);
    struct io_op tx = io_send(ends[0], "x", 1);
    future_cancel(&tx.future);
    assert_int_equal(poll_in(&w, &tx.future), POLL_READY);
    assert_int_equal(tx.result, -ECANCELED);
    struct io_op rx = io_recv(ends[1], got, sizeof got);
    start_pending(&w, &rx); /* nothing was sent */
    future_cancel(&rx.future);
    assert_int_equal(drive_op(&w, &rx), -ECANCELED);
    close_source_in(&w, ends[0]);
    close_source_in(&w, ends[1]);
    close_world(&w);
}

/* Cancelled at once, after a turn, and twice. */
static inline void cancelled_while_pending(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    char got[4];
    struct io_source *source = half_pair(&peer);
    for (int i = 0; i < 4; i++) {
        struct io_op op = io_recv(source, got, sizeof got);
        assert_int_equal(poll_in(&w, &op.future), POLL_PENDING);
        if (i & 1)
            turn(&w);
        future_cancel(&op.future);
        if (i & 2)
            future_cancel(&op.future);
        assert_int_equal(drive_op(&w, &op), -ECANCELED);
        future_cancel(&op.future); /* F7: after it is ready nothing happens */
        assert_int_equal(op.result, -ECANCELED);
    }
    write_raw(peer, "ok", 2); /* the direction is free again, and nothing is lost */
    assert_int_equal(recv_bytes(&w, source, got, sizeof got), 2);
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

/* The bytes are either in the cancelled operation's result or still in the socket. */
static inline void a_real_result_may_win_and_is_not_lost(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    struct io_source *source = half_pair(&peer);
    for (int i = 0; i < 20; i++) {
        char got[4] = "";
        struct io_op op = io_recv(source, got, 1);
        start_pending(&w, &op);
        write_raw(peer, &"abcdefghijklmnopqrst"[i], 1);
        if (i & 1)
            turn(&w);
        future_cancel(&op.future);
        if (drive_op(&w, &op) == -ECANCELED)
            assert_int_equal(recv_bytes(&w, source, got, 1), 1);
        else
            assert_int_equal(op.result, 1);
        assert_int_equal(got[0], 'a' + i);
    }
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

/* C2: whoever cancels an accept may get a connection all the same; discard closes it. */
static inline void C2_a_cancelled_accept_may_win_and_leaks_nothing(void **state)
{
    OPEN_WORLD(w, state);
    struct net_address address;
    struct io_source *listener = attach_fd(listen_locally(&address), IO_TYPE_LISTENER);
    int fds = open_fds();
    for (int i = 0; i < 12; i++) {
        struct io_op op = io_accept(listener, NULL, NULL);
        const struct future_ops *ops = op.future.ops;
        start_pending(&w, &op);
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(client, &address.any, address.size), 0);
        if (i & 1)
            turn(&w);
        future_cancel(&op.future);
        drive(&w, &op.future);
        assert_true(op.result >= 0 || op.result == -ECANCELED);
        if (op.result == -ECANCELED) { /* then it is still there to be accepted */
            op = io_accept(listener, NULL, NULL);
            assert_true(drive_op(&w, &op) >= 0);
        }
        ops->discard(&op.future);
        close(client);
        assert_int_equal(open_fds(), fds);
    }
    close_source_in(&w, listener);
    close_world(&w);
}

/* C15, C1: READY means that the memory is the frame's again: freed at once, poisoned by
 * valgrind and ASan, while the data arrives. */
static inline void C15_the_memory_is_ours_once_it_is_ready(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    char got[4];
    struct io_source *source = half_pair(&peer);
    for (int i = 0; i < 10; i++) {
        struct io_op *op = malloc(sizeof *op);
        char *buffer = malloc(1);
        assert_true(op && buffer);
        *op = io_recv(source, buffer, 1);
        start_pending(&w, op);
        if (i & 1)
            future_cancel(&op->future);
        else
            write_raw(peer, "x", 1);
        int result = drive_op(&w, op);
        memset(op, 0xa5, sizeof *op);
        free(buffer);
        free(op);
        turn(&w);
        assert_int_equal(result, i & 1 ? -ECANCELED : 1);
    }
    write_raw(peer, "late", 4);
    turn(&w);
    assert_int_equal(recv_bytes(&w, source, got, sizeof got), 4);
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

static inline void cancelled_send_stops_in_the_middle(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    size_t size = 16 << 20;
    char *much = calloc(1, size);
    assert_non_null(much);
    struct io_source *source = half_pair(&peer);
    struct io_op op = io_send(source, much, size);
    start_pending(&w, &op);
    future_cancel(&op.future);
    int result = drive_op(&w, &op);
    free(much); /* the kernel has let go of it */
    turn(&w);
    assert_int_equal(result, -ECANCELED);
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

struct closing {
    struct driver_world *world;
    struct io_source *source;
};

static inline void close_it(void *argument)
{
    struct closing *self = argument;
    struct io_op op = io_close(self->source);
    poll_in(self->world, &op.future);
}

/* C4: close cancels nothing, so to close under a pending operation is a bug. */
static inline void C4_closing_under_an_operation_dies(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    char got[4];
    struct io_source *source = half_pair(&peer);
    struct io_op op = io_recv(source, got, sizeof got);
    start_pending(&w, &op);
    struct closing closing = { &w, source };
    assert_dies(close_it, &closing, "is closed or detached while an operation");
    future_cancel(&op.future);
    assert_int_equal(drive_op(&w, &op), -ECANCELED);
    close_source_in(&w, source);
    close(peer);
    close_world(&w);
}

/* C4: closed with nothing armed, and the number used again at once. */
static inline void C4_the_number_is_free_after_close(void **state)
{
    OPEN_WORLD(w, state);
    for (int i = 0; i < 5; i++) {
        int peer;
        char got[4];
        struct io_source *source = half_pair(&peer);
        struct io_op op = io_recv(source, got, sizeof got);
        start_pending(&w, &op);
        future_cancel(&op.future);
        assert_int_equal(drive_op(&w, &op), -ECANCELED);
        close_source_in(&w, source);
        assert_int_equal(read(peer, got, sizeof got), 0); /* really closed */
        close(peer);
    }
    close_world(&w);
}

static inline void finish_it(void *argument)
{
    struct driver_world *world = argument;
    world->subject->close(world);
}

/* C3: the driver is not freed under an operation. A ring that was made before a fork may
 * not be used by the child, so the driver is made there. */
static inline void finish_under_an_accept(void *argument)
{
    struct driver_world w = { 0 };
    struct net_address address;
    if (!open_world(&w, argument))
        _exit(1);
    struct io_source *listener = attach_fd(listen_locally(&address), IO_TYPE_LISTENER);
    struct io_op op = io_accept(listener, NULL, NULL);
    poll_in(&w, &op.future);
    turn(&w);
    finish_it(&w);
}

static inline void C3_a_driver_with_operations_in_flight_is_not_freed(void **state)
{
    OPEN_WORLD(w, state); /* is there such a driver? */
    close_world(&w);
    assert_dies(finish_under_an_accept, *state,
                "still attached when their driver ends");
}

static inline void an_operation_without_a_driver_dies(void *argument)
{
    struct driver_world *world = argument;
    io_services_enter(NULL);
    struct io_op op = io_openat(0, "/", 0, 0);
    poll_in(world, &op.future);
}

static inline void no_driver_no_operation(void **state)
{
    OPEN_WORLD(w, state);
    assert_dies(an_operation_without_a_driver_dies, &w, "that has no I/O driver");
    struct io_source *source;
    assert_int_equal(io_attach(-1, IO_TYPE_ANY, &source), -EBADF);
    close_world(&w);
}

#define DRIVER_CANCEL(subject)                                                         \
    DRIVER_CASE(cancelled_before_its_first_poll_it_does_nothing, subject),             \
        DRIVER_CASE(cancelled_while_pending, subject),                                 \
        DRIVER_CASE(a_real_result_may_win_and_is_not_lost, subject),                   \
        DRIVER_CASE(C2_a_cancelled_accept_may_win_and_leaks_nothing, subject),         \
        DRIVER_CASE(C15_the_memory_is_ours_once_it_is_ready, subject),                 \
        DRIVER_CASE(cancelled_send_stops_in_the_middle, subject),                      \
        DRIVER_CASE(C4_closing_under_an_operation_dies, subject),                      \
        DRIVER_CASE(C4_the_number_is_free_after_close, subject),                       \
        DRIVER_CASE(C3_a_driver_with_operations_in_flight_is_not_freed, subject),      \
        DRIVER_CASE(no_driver_no_operation, subject)

#endif
