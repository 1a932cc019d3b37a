/* driver_cases_streams: bytes through sockets and pipes; part of driver_contract.h. */
#ifndef LESSON05_DRIVER_CASES_STREAMS_H
#define LESSON05_DRIVER_CASES_STREAMS_H

#include "lesson05_reactor/driver_testing.h"

/* A case of a contract: opens the subject's driver, or is skipped. */
#define DRIVER_CASE(case_name, subject)                                                \
    {                                                                                  \
#case_name ": " #subject, case_name, NULL, NULL, &(subject)                    \
    }

#define OPEN_WORLD(world, state)                                                       \
    struct driver_world world = { 0 };                                                 \
    do {                                                                               \
        const struct driver_subject *subject_ = *(state);                              \
        if (!open_world(&world, subject_))                                             \
            skip_because("no %s driver here: %s", subject_->name,                      \
                         testing_probe()->sentence);                                   \
    } while (0)

static inline void bytes_arrive_before_and_after_the_question(void **state)
{
    OPEN_WORLD(w, state);
    struct io_source *ends[2];
    char text[8] = "";
    whole_pair(ends);
    assert_int_equal(send_bytes(&w, ends[0], "one", 3), 3);
    assert_int_equal(recv_bytes(&w, ends[1], text, sizeof text), 3);
    assert_memory_equal(text, "one", 3);
    struct io_op op = io_recv(ends[1], text, sizeof text);
    start_pending(&w, &op);
    assert_int_equal(send_bytes(&w, ends[0], "other", 5), 5);
    assert_int_equal(drive_op(&w, &op), 5);
    assert_memory_equal(text, "other", 5);
    close_source_in(&w, ends[0]);
    close_source_in(&w, ends[1]);
    close_world(&w);
}

static inline void R1_one_byte_a_read_gets_them_all(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    struct io_source *source = half_pair(&peer);
    char sent[100], got[100];
    for (unsigned i = 0; i < sizeof sent; i++)
        sent[i] = (char)i;
    struct io_op op = io_recv(source, got, 1);
    start_pending(&w, &op);
    write_raw(peer, sent, sizeof sent); /* one edge for all hundred */
    assert_int_equal(drive_op(&w, &op), 1);
    for (unsigned i = 1; i < sizeof sent; i++)
        assert_int_equal(recv_bytes(&w, source, got + i, 1), 1);
    assert_memory_equal(sent, got, sizeof sent);
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

static inline void R1_a_read_that_was_filled_is_not_the_last(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    struct io_source *source = half_pair(&peer);
    char got[16];
    for (int round = 0; round < 3; round++) {
        write_raw(peer, "0123456789abcdef", 16);
        assert_int_equal(recv_bytes(&w, source, got, 8), 8);
        assert_int_equal(recv_bytes(&w, source, got, 8), 8);
    }
    close(peer);
    assert_int_equal(recv_bytes(&w, source, got, 8), 0);
    close_source_in(&w, source);
    close_world(&w);
}

static inline void the_end_is_zero_and_stays(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    struct io_source *source = half_pair(&peer);
    char got[4];
    struct io_op op = io_recv(source, got, sizeof got);
    start_pending(&w, &op);
    close(peer);
    assert_int_equal(drive_op(&w, &op), 0);
    assert_int_equal(recv_bytes(&w, source, got, sizeof got), 0);
    close_source_in(&w, source);
    close_world(&w);
}

/* Both arrive while we look away: one edge, and a read that is shorter than asked. */
static inline void R12_data_and_its_end_together(void **state)
{
    OPEN_WORLD(w, state);
    for (int tcp = 0; tcp < 2; tcp++) {
        int peer;
        struct io_source *source = tcp ? tcp_half(&peer) : half_pair(&peer);
        char got[64];
        struct io_op op = io_recv(source, got, sizeof got);
        start_pending(&w, &op);
        write_raw(peer, "last words", 10);
        close(peer);
        assert_int_equal(drive_op(&w, &op), 10);
        assert_int_equal(recv_bytes(&w, source, got, sizeof got), 0);
        close_source_in(&w, source);
    }
    close_world(&w);
}

static inline void R3_a_reset_reaches_who_waits(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    struct io_source *source = tcp_half(&peer);
    char got[4];
    struct io_op op = io_recv(source, got, sizeof got);
    start_pending(&w, &op);
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(peer); /* RST instead of FIN */
    assert_int_equal(drive_op(&w, &op), -ECONNRESET);
    close_source_in(&w, source);
    close_world(&w);
}

static inline void R3_a_reset_reaches_a_writer_that_waits(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    struct io_source *source = tcp_half(&peer);
    size_t size = 32 << 20;
    char *much = calloc(1, size);
    assert_non_null(much);
    struct io_op op = io_send(source, much, size);
    start_pending(&w, &op);
    struct linger now = { .l_onoff = 1, .l_linger = 0 };
    assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    close(peer);
    int result = drive_op(&w, &op);
    assert_true(result == -ECONNRESET || result == -EPIPE);
    free(much);
    close_source_in(&w, source);
    close_world(&w);
}

static inline void R6_a_closed_peer_is_an_error_and_no_signal(void **state)
{
    OPEN_WORLD(w, state);
    int peer, ends[2];
    struct io_source *source = half_pair(&peer);
    close(peer);
    assert_int_equal(send_bytes(&w, source, "x", 1), -EPIPE);
    struct io_op op = io_write(source, "x", 1, IO_NO_OFFSET);
    assert_int_equal(drive_op(&w, &op), -EPIPE);
    close_source_in(&w, source);
    assert_int_equal(net_pipe(ends), 0);
    close(ends[0]);
    source = attach_fd(ends[1], IO_TYPE_STREAM);
    op = io_write(source, "x", 1, IO_NO_OFFSET);
    assert_int_equal(drive_op(&w, &op), -EPIPE);
    close_source_in(&w, source);
    close_world(&w);
}

/* 1 MiB through the smallest buffers, the reader in odd portions. */
static inline void R7_a_partial_write_goes_on(void **state)
{
    OPEN_WORLD(w, state);
    struct io_source *ends[2];
    int tiny = 1;
    bool same;
    size_t size = 1 << 20, got = 0;
    char *sent = malloc(size), *read_back = malloc(size);
    assert_true(sent && read_back);
    for (size_t i = 0; i < size; i++)
        sent[i] = (char)(i * 7 + i / 251);
    whole_pair(ends);
    setsockopt(ends[0]->fd, SOL_SOCKET, SO_SNDBUF, &tiny, sizeof tiny);
    struct io_op tx = io_send(ends[0], sent, size);
    while (got < size) {
        size_t portion = size - got > 997 ? 997 : size - got;
        struct io_op rx = io_recv(ends[1], read_back + got, portion);
        drive_beside(&w, &rx.future, &tx.future);
        assert_true(rx.result > 0);
        got += (size_t)rx.result;
    }
    if (!future_is_done(&tx.future))
        drive(&w, &tx.future);
    same = memcmp(sent, read_back, size) == 0;
    free(sent);
    free(read_back);
    assert_int_equal(tx.result, (int)size);
    assert_true(same);
    close_source_in(&w, ends[0]);
    close_source_in(&w, ends[1]);
    close_world(&w);
}

static inline void nothing_is_a_legal_amount(void **state)
{
    OPEN_WORLD(w, state);
    struct io_source *ends[2];
    whole_pair(ends);
    assert_int_equal(send_bytes(&w, ends[0], "", 0), 0);
    close_source_in(&w, ends[0]);
    close_source_in(&w, ends[1]);
    close_world(&w);
}

static inline void pipes_carry_bytes_and_their_end(void **state)
{
    OPEN_WORLD(w, state);
    int fds[2];
    char got[8];
    assert_int_equal(net_pipe(fds), 0);
    struct io_source *out = attach_fd(fds[0], IO_TYPE_STREAM);
    struct io_source *in = attach_fd(fds[1], IO_TYPE_STREAM);
    struct io_op rx = io_read(out, got, sizeof got, IO_NO_OFFSET);
    start_pending(&w, &rx);
    struct io_op tx = io_write(in, "pipe", 4, IO_NO_OFFSET);
    assert_int_equal(drive_op(&w, &tx), 4);
    assert_int_equal(drive_op(&w, &rx), 4);
    assert_memory_equal(got, "pipe", 4);
    rx = io_read(out, got, sizeof got, IO_NO_OFFSET);
    start_pending(&w, &rx);
    close_source_in(&w, in);
    assert_int_equal(drive_op(&w, &rx), 0);
    close_source_in(&w, out);
    close_world(&w);
}

static inline void a_full_pipe_makes_the_writer_wait(void **state)
{
    OPEN_WORLD(w, state);
    int fds[2];
    size_t size = 300 * 1000, got = 0;
    char *much = calloc(1, size);
    char some[4096];
    assert_non_null(much);
    assert_int_equal(net_pipe(fds), 0);
    struct io_source *out = attach_fd(fds[0], IO_TYPE_STREAM);
    struct io_source *in = attach_fd(fds[1], IO_TYPE_STREAM);
    struct io_op tx = io_write(in, much, size, IO_NO_OFFSET);
    start_pending(&w, &tx);
    while (got < size) {
        struct io_op rx = io_read(out, some, sizeof some, IO_NO_OFFSET);
        drive_beside(&w, &rx.future, &tx.future);
        assert_true(rx.result > 0);
        got += (size_t)rx.result;
    }
    if (!future_is_done(&tx.future))
        drive(&w, &tx.future);
    assert_int_equal(tx.result, (int)size);
    free(much);
    close_source_in(&w, in);
    close_source_in(&w, out);
    close_world(&w);
}

#define MANY 150

static inline void many_connections_at_once(void **state)
{
    OPEN_WORLD(w, state);
    static struct io_op ops[MANY];
    static struct io_source *sources[MANY];
    static int peers[MANY];
    static char got[MANY];
    for (int i = 0; i < MANY; i++) {
        sources[i] = half_pair(&peers[i]);
        ops[i] = io_recv(sources[i], &got[i], 1);
        assert_int_equal(poll_in(&w, &ops[i].future), POLL_PENDING);
    }
    turn(&w);
    for (int i = 0; i < MANY; i++) {
        char byte = (char)i;
        write_raw(peers[i], &byte, 1);
    }
    for (int i = MANY - 1; i >= 0; i--) {
        while (poll_in(&w, &ops[i].future) == POLL_PENDING)
            turn_for(&w, (int64_t)NS_PER_MS);
        assert_int_equal(ops[i].result, 1);
        assert_int_equal(got[i], (char)i);
    }
    for (int i = 0; i < MANY; i++) {
        close_source_in(&w, sources[i]);
        close(peers[i]);
    }
    close_world(&w);
}

static inline void a_second_reader_is_told_that_it_is_busy(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    char a[4], b[4];
    struct io_source *source = half_pair(&peer);
    struct io_op first = io_recv(source, a, sizeof a);
    struct io_op second = io_recv(source, b, sizeof b);
    start_pending(&w, &first);
    assert_int_equal(drive_op(&w, &second), -EBUSY);
    assert_int_equal(send_bytes(&w, source, "w", 1), 1); /* the other way is free */
    write_raw(peer, "r", 1);
    assert_int_equal(drive_op(&w, &first), 1);
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

/* The first one has been woken and was not polled yet: the bytes are still its own. */
static inline void a_second_reader_does_not_overtake_the_first(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    char a[4], b[4];
    struct io_source *source = half_pair(&peer);
    struct io_op first = io_recv(source, a, sizeof a);
    struct io_op second = io_recv(source, b, sizeof b);
    start_pending(&w, &first);
    write_raw(peer, "r", 1);
    turn(&w);
    if (poll_in(&w, &second.future) == POLL_READY) {
        assert_int_equal(second.result, -EBUSY);
    } else { /* the first has its result already */
        future_cancel(&second.future);
        assert_int_equal(drive_op(&w, &second), -ECANCELED);
    }
    assert_int_equal(drive_op(&w, &first), 1);
    assert_int_equal(a[0], 'r');
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

static inline void both_directions_wait_at_once(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    char byte, *much = calloc(1, 8 << 20);
    assert_non_null(much);
    struct io_source *source = half_pair(&peer);
    struct io_op rx = io_recv(source, &byte, 1);
    struct io_op tx = io_send(source, much, 8 << 20);
    start_pending(&w, &rx);
    start_pending(&w, &tx);
    write_raw(peer, "!", 1);
    while (poll_in(&w, &rx.future) == POLL_PENDING)
        turn_for(&w, (int64_t)NS_PER_MS);
    assert_int_equal(rx.result, 1);
    close(peer);
    int result = drive_op(&w, &tx);
    assert_true(result == -EPIPE || result == -ECONNRESET);
    free(much);
    close_source_in(&w, source);
    close_world(&w);
}

static inline void a_timer_ends_a_park(void **state)
{
    OPEN_WORLD(w, state);
    struct sleep nap = sleep_ms(3);
    uint64_t before = clock_now();
    drive(&w, &nap.future);
    assert_int_equal(nap.result, 0);
    assert_true(clock_now() - before >= 3 * NS_PER_MS); /* never early */
    close_world(&w);
}

#define DRIVER_STREAMS(subject)                                                        \
    DRIVER_CASE(bytes_arrive_before_and_after_the_question, subject),                  \
        DRIVER_CASE(R1_one_byte_a_read_gets_them_all, subject),                        \
        DRIVER_CASE(R1_a_read_that_was_filled_is_not_the_last, subject),               \
        DRIVER_CASE(the_end_is_zero_and_stays, subject),                               \
        DRIVER_CASE(R12_data_and_its_end_together, subject),                           \
        DRIVER_CASE(R3_a_reset_reaches_who_waits, subject),                            \
        DRIVER_CASE(R3_a_reset_reaches_a_writer_that_waits, subject),                  \
        DRIVER_CASE(R6_a_closed_peer_is_an_error_and_no_signal, subject),              \
        DRIVER_CASE(R7_a_partial_write_goes_on, subject),                              \
        DRIVER_CASE(nothing_is_a_legal_amount, subject),                               \
        DRIVER_CASE(pipes_carry_bytes_and_their_end, subject),                         \
        DRIVER_CASE(a_full_pipe_makes_the_writer_wait, subject),                       \
        DRIVER_CASE(many_connections_at_once, subject),                                \
        DRIVER_CASE(a_second_reader_is_told_that_it_is_busy, subject),                 \
        DRIVER_CASE(a_second_reader_does_not_overtake_the_first, subject),             \
        DRIVER_CASE(both_directions_wait_at_once, subject),                            \
        DRIVER_CASE(a_timer_ends_a_park, subject)

#endif
