/* driver_cases_lent: buffers that the driver lends, and files; part of
 * driver_contract.h. Subjects should have few and small lent buffers, so that the limits
 * are met. */
#ifndef LESSON05_DRIVER_CASES_LENT_H
#define LESSON05_DRIVER_CASES_LENT_H

#include <fcntl.h>

#include "lesson05_reactor/driver_cases_streams.h"

static inline void a_buffer_is_lent_and_given_back(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    struct io_source *source = half_pair(&peer);
    for (int i = 0; i < 20; i++) {
        struct io_op op = io_recv_lent(source);
        if (i & 1)
            start_pending(&w, &op);
        write_raw(peer, "lent", 4);
        assert_int_equal(drive_op(&w, &op), 4);
        assert_memory_equal(op.with.bytes.buffer, "lent", 4);
        io_give_back(&op);
    }
    struct io_op op = io_recv_lent(source);
    start_pending(&w, &op);
    close(peer);
    assert_int_equal(drive_op(&w, &op), 0);
    op = io_recv_lent(source);
    assert_int_equal(drive_op(&w, &op), 0); /* the end stays */
    close_source_in(&w, source);
    close_world(&w);
}

/* More than one buffer holds, and more than all of them. */
static inline void C10_a_flood_comes_through_a_few_buffers(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    unsigned got = 0, total = 100 * 1000;
    char *sent = malloc(total);
    bool same = true;
    assert_non_null(sent);
    for (unsigned i = 0; i < total; i++)
        sent[i] = (char)(i * 13 + i / 509);
    struct io_source *source = half_pair(&peer);
    unsigned written = 0;
    while (got < total) {
        if (written < total) {
            ssize_t n = send(peer, sent + written, total - written, MSG_DONTWAIT);
            written += n > 0 ? (unsigned)n : 0;
        }
        struct io_op op = io_recv_lent(source);
        int n = drive_op(&w, &op);
        assert_true(n > 0);
        same = same && memcmp(op.with.bytes.buffer, sent + got, (size_t)n) == 0;
        got += (unsigned)n;
        io_give_back(&op);
    }
    free(sent);
    assert_int_equal(got, total);
    assert_true(same);
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

#define HOLDERS 20

/* One that gives nothing back may not stop another one's data. */
static inline void C10_buffers_that_are_held_starve_nobody(void **state)
{
    OPEN_WORLD(w, state);
    int peers[HOLDERS];
    struct io_source *sources[HOLDERS];
    struct io_op ops[HOLDERS];
    for (int i = 0; i < HOLDERS; i++) {
        sources[i] = half_pair(&peers[i]);
        ops[i] = io_recv_lent(sources[i]);
        start_pending(&w, &ops[i]);
    }
    for (int i = 0; i < HOLDERS; i++) {
        write_raw(peers[i], "hold", 4);
        assert_int_equal(drive_op(&w, &ops[i]), 4);
        assert_memory_equal(ops[i].with.bytes.buffer, "hold", 4);
    }
    for (int round = 0; round < 2; round++) /* and all of them once more */
        for (int i = 0; i < HOLDERS; i++) {
            io_give_back(&ops[i]);
            write_raw(peers[i], "more", 4);
            ops[i] = io_recv_lent(sources[i]);
            assert_int_equal(drive_op(&w, &ops[i]), 4);
            assert_memory_equal(ops[i].with.bytes.buffer, "more", 4);
        }
    for (int i = 0; i < HOLDERS; i++) {
        io_give_back(&ops[i]);
        close_source_in(&w, sources[i]);
        close(peers[i]);
    }
    close_world(&w);
}

static inline void a_cancelled_loan_loses_no_byte(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    struct io_source *source = half_pair(&peer);
    for (int i = 0; i < 8; i++) {
        struct io_op op = io_recv_lent(source);
        const struct future_ops *ops = op.future.ops;
        start_pending(&w, &op);
        if (i & 1)
            write_raw(peer, "early", 5);
        if (i & 2)
            turn(&w);
        future_cancel(&op.future);
        drive(&w, &op.future);
        bool won = op.result == 5;
        assert_true(won || op.result == -ECANCELED);
        ops->discard(&op.future);
        write_raw(peer, "later", 5);
        if ((i & 1) && !won) {
            op = io_recv_lent(source);
            int n = drive_op(&w, &op);
            assert_true(n == 5 || n == 10);
            assert_memory_equal(op.with.bytes.buffer, "early", 5);
            io_give_back(&op);
            if (n == 10)
                continue;
        }
        op = io_recv_lent(source);
        assert_int_equal(drive_op(&w, &op), 5);
        assert_memory_equal(op.with.bytes.buffer, "later", 5);
        io_give_back(&op);
    }
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

/* C4: nothing waits, but the driver may still have a receive armed behind the scene. */
static inline void C4_closing_after_a_loan_stops_what_is_armed(void **state)
{
    OPEN_WORLD(w, state);
    for (int i = 0; i < 6; i++) {
        int peer;
        char got[4];
        struct io_source *source = half_pair(&peer);
        struct io_op op = io_recv_lent(source);
        start_pending(&w, &op);
        future_cancel(&op.future);
        assert_int_equal(drive_op(&w, &op), -ECANCELED);
        if (i & 1)
            write_raw(peer, "unwanted", 8);
        if (i & 2)
            turn(&w);
        if (i & 4)
            io_close_now(source);
        else
            close_source_in(&w, source);
        turn(&w);
        ssize_t n = read(peer, got, sizeof got);
        assert_true(n == 0 || (n < 0 && errno == ECONNRESET));
        close(peer);
    }
    close_world(&w);
}

/* A stream of counted bytes, received in either way. */
struct counted {
    struct driver_world *world;
    struct io_source *source;
    int peer;
    char sent, got; /* the next of each */
    char plain[5];
};

static inline void send_counted(struct counted *self)
{
    char bytes[9];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = self->sent++;
    write_raw(self->peer, bytes, sizeof bytes);
}

static inline struct io_op receive_counted(struct counted *self, bool lent)
{
    return lent ? io_recv_lent(self->source)
                : io_recv(self->source, self->plain, sizeof self->plain);
}

static inline void check_counted(struct counted *self, struct io_op *op, bool lent)
{
    assert_true(drive_op(self->world, op) > 0);
    const char *bytes = op->with.bytes.buffer;
    for (int i = 0; i < op->result; i++)
        assert_int_equal(bytes[i], self->got++);
    if (lent)
        io_give_back(op);
}

/* Headers with a loan, the body into memory of one's own: in order, whatever lay in the
 * driver's buffers when the kind of receive changed. */
static inline void lent_and_plain_receives_take_turns(void **state)
{
    OPEN_WORLD(w, state);
    struct counted c = { .world = &w };
    c.source = half_pair(&c.peer);
    for (int round = 0; round < 40; round++) {
        bool lent = round % 3 != 1;
        struct io_op op = receive_counted(&c, lent);
        if (c.got == c.sent)
            start_pending(&w, &op); /* it waits for what comes */
        send_counted(&c);
        if (round & 1)
            turn(&w);
        check_counted(&c, &op, lent);
        while (round % 5 == 0 && c.got != c.sent) {
            op = receive_counted(&c, round % 2);
            check_counted(&c, &op, round % 2);
        }
    }
    while (c.got != c.sent) {
        struct io_op op = receive_counted(&c, true);
        check_counted(&c, &op, true);
    }
    for (int lent = 1; lent >= 0; lent--) {
        struct io_op op = receive_counted(&c, lent);
        start_pending(&w, &op);
        future_cancel(&op.future);
        assert_int_equal(drive_op(&w, &op), -ECANCELED);
    }
    struct io_op op = receive_counted(&c, false);
    start_pending(&w, &op);
    close(c.peer);
    assert_int_equal(drive_op(&w, &op), 0);
    close_source_in(&w, c.source);
    close_world(&w);
}

static inline void a_second_borrower_is_told_that_it_is_busy(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    char got[4];
    struct io_source *source = half_pair(&peer);
    struct io_op first = io_recv_lent(source), second = io_recv_lent(source);
    struct io_op third = io_recv(source, got, sizeof got);
    start_pending(&w, &first);
    assert_int_equal(drive_op(&w, &second), -EBUSY);
    assert_int_equal(drive_op(&w, &third), -EBUSY);
    write_raw(peer, "x", 1);
    assert_int_equal(drive_op(&w, &first), 1);
    io_give_back(&first);
    close(peer);
    close_source_in(&w, source);
    close_world(&w);
}

static inline void R12_a_loan_sees_data_and_the_end(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    struct io_source *source = tcp_half(&peer);
    struct io_op op = io_recv_lent(source);
    start_pending(&w, &op);
    write_raw(peer, "bye", 3);
    close(peer);
    assert_int_equal(drive_op(&w, &op), 3);
    io_give_back(&op);
    op = io_recv_lent(source);
    assert_int_equal(drive_op(&w, &op), 0);
    close_source_in(&w, source);
    close_world(&w);
}

/* ---- files: on the ring, or through the (fake) offload */

static inline struct io_source *open_file(struct driver_world *w, const char *name,
                                          int flags)
{
    struct io_op op = io_openat(AT_FDCWD, testing_path(name), flags, 0600);
    drive(w, &op.future);
    assert_true(op.result >= 0);
    assert_true(fcntl(op.result, F_GETFD) & FD_CLOEXEC);
    return attach_fd(op.result, IO_TYPE_FILE);
}

static inline void files_are_written_synced_and_read(void **state)
{
    OPEN_WORLD(w, state);
    char got[16] = "";
    struct io_source *file = open_file(&w, "file", O_RDWR | O_CREAT | O_TRUNC);
    struct io_op op = io_write(file, "0123456789", 10, 0);
    assert_int_equal(drive_op(&w, &op), 10);
    op = io_write(file, "ab", 2, 4);
    assert_int_equal(drive_op(&w, &op), 2);
    op = io_fsync(file);
    assert_int_equal(drive_op(&w, &op), 0);
    op = io_read(file, got, 4, 3);
    assert_int_equal(drive_op(&w, &op), 4);
    assert_memory_equal(got, "3ab6", 4);
    struct io_op one = io_read(file, got, 1, 0), two = io_read(file, got + 1, 1, 9);
    assert_int_equal(poll_in(&w, &one.future), POLL_PENDING);
    assert_int_equal(drive_op(&w, &two), 1); /* no direction of a file is ever busy */
    assert_int_equal(drive_op(&w, &one), 1);
    assert_memory_equal(got, "09", 2);
    close_source_in(&w, file);
    unlink(testing_path("file"));
    close_world(&w);
}

static inline void C9_a_file_that_ends_early_is_a_short_read(void **state)
{
    OPEN_WORLD(w, state);
    char got[16];
    struct io_source *file = open_file(&w, "short", O_RDWR | O_CREAT | O_TRUNC);
    struct io_op op = io_write(file, "1234567", 7, 0);
    assert_int_equal(drive_op(&w, &op), 7);
    assert_int_equal(ftruncate(file->fd, 5), 0);
    op = io_read(file, got, sizeof got, 2);
    assert_int_equal(drive_op(&w, &op), 3);
    op = io_read(file, got, sizeof got, 5);
    assert_int_equal(drive_op(&w, &op), 0);
    close_source_in(&w, file);
    unlink(testing_path("short"));
    close_world(&w);
}

static inline void a_file_that_is_missing(void **state)
{
    OPEN_WORLD(w, state);
    struct io_op op = io_openat(AT_FDCWD, testing_path("missing"), O_RDONLY, 0);
    assert_int_equal(drive_op(&w, &op), -ENOENT);
    op = io_openat(AT_FDCWD, testing_path("missing"), O_RDONLY, 0);
    const struct future_ops *ops = op.future.ops;
    future_cancel(&op.future);
    assert_int_equal(poll_in(&w, &op.future), POLL_READY);
    assert_int_equal(op.result, -ECANCELED);
    op = io_openat(AT_FDCWD, "/dev/null", O_RDONLY, 0);
    assert_true(drive_op(&w, &op) >= 0);
    ops->discard(&op.future); /* its descriptor is closed */
    op = io_openat(AT_FDCWD, "/dev/null", O_RDONLY, 0);
    assert_int_equal(poll_in(&w, &op.future), POLL_PENDING);
    future_cancel(&op.future);
    drive(&w, &op.future); /* either way */
    ops->discard(&op.future);
    close_world(&w);
}

#define DRIVER_LENT(subject)                                                           \
    DRIVER_CASE(a_buffer_is_lent_and_given_back, subject),                             \
        DRIVER_CASE(C10_a_flood_comes_through_a_few_buffers, subject),                 \
        DRIVER_CASE(C10_buffers_that_are_held_starve_nobody, subject),                 \
        DRIVER_CASE(a_cancelled_loan_loses_no_byte, subject),                          \
        DRIVER_CASE(C4_closing_after_a_loan_stops_what_is_armed, subject),             \
        DRIVER_CASE(lent_and_plain_receives_take_turns, subject),                      \
        DRIVER_CASE(a_second_borrower_is_told_that_it_is_busy, subject),               \
        DRIVER_CASE(R12_a_loan_sees_data_and_the_end, subject),                        \
        DRIVER_CASE(files_are_written_synced_and_read, subject),                       \
        DRIVER_CASE(C9_a_file_that_ends_early_is_a_short_read, subject),               \
        DRIVER_CASE(a_file_that_is_missing, subject)

#endif
