/* One operation in flight: whose memory it is (C1, C15), when a multishot is over (C10),
 * and the buffers that the kernel picks from. */
#include "lesson03_iouring/ring_testing.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/testing/faults.h"
#include "lesson03_iouring/ring_buffers.h"
#include "lesson03_iouring/ring_future.h"

static void make_pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

/* ---- C1: whose memory */

static void free_a_buffer_that_the_kernel_owns(void *argument)
{
    (void)argument;
    struct ring ring;
    struct ring_config config = { .entries = 4 };
    struct recorded_op read = { .op = { .complete = record_completion } };
    int ends[2];
    struct io_uring_sqe *sqe;
    if (pipe2(ends, O_CLOEXEC) < 0 || ring_init(&ring, &config) < 0)
        return;
    char *buffer = malloc(64);
    sqe = ring_get_sqe(&ring);
    if (!buffer || !sqe)
        return;
    io_uring_prep_read(sqe, ends[0], buffer, 64, 0);
    read.op.target = buffer;
    read.op.fills = RING_FILLS_RESULT;
    ring_op_attach(sqe, &read.op);
    ring_submit(&ring);
    free(buffer);
    if (write(ends[1], "late", 4) != 4)
        return;
    ring_wait(&ring, -1);
    ring_reap(&ring);
}

static void C1_a_buffer_that_was_freed_in_flight_is_noticed(void **state)
{
    (void)state;
    needs_io_uring();
    needs_to_know_what_is_alive();
    assert_dies(free_a_buffer_that_the_kernel_owns, NULL, "rule C1");
}

/* One operation of each kind, on memory of `size` bytes that is freed once it is started. */
struct early_free {
    const char *said;
    size_t size;
    struct ring_future (*make)(struct ring *ring, int ends[2], void *memory);
};

static struct ring_future read_into(struct ring *ring, int ends[2], void *memory)
{
    return ring_read(ring, ends[0], memory, 16, 0);
}

static struct ring_future write_from(struct ring *ring, int ends[2], void *memory)
{
    return ring_write(ring, ends[1], memory, 16, 0);
}

static struct ring_future recv_into(struct ring *ring, int ends[2], void *memory)
{
    return ring_recv(ring, ends[0], memory, 16, 0);
}

static struct ring_future send_from(struct ring *ring, int ends[2], void *memory)
{
    return ring_send(ring, ends[1], memory, 16, 0);
}

static struct ring_future open_path(struct ring *ring, int ends[2], void *memory)
{
    (void)ends;
    return ring_openat(ring, AT_FDCWD, memcpy(memory, "/dev/null", 10), O_RDONLY, 0);
}

static struct ring_future stat_path(struct ring *ring, int ends[2], void *memory)
{
    static struct statx about;
    (void)ends;
    return ring_statx(ring, AT_FDCWD, memcpy(memory, "/dev/null", 10), 0, STATX_SIZE,
                      &about);
}

static struct ring_future stat_into(struct ring *ring, int ends[2], void *memory)
{
    (void)ends;
    return ring_statx(ring, AT_FDCWD, "/dev/null", 0, STATX_SIZE, memory);
}

static struct ring_future connect_to(struct ring *ring, int ends[2], void *memory)
{
    memset(memory, 0, 16);
    return ring_connect(ring, ends[0], memory, 16); /* whatever it answers */
}

static struct early_free early_frees[] = {
    { "read: the kernel had its buffer, 16 bytes", 16, read_into },
    { "write: the kernel had its buffer, 16 bytes", 16, write_from },
    { "recv: the kernel had its buffer, 16 bytes", 16, recv_into },
    { "send: the kernel had its buffer, 16 bytes", 16, send_from },
    { "openat: the kernel had its path, 10 bytes", 16, open_path },
    { "statx: the kernel had its path", 16, stat_path },
    { "statx: the kernel had its buffer, 256 bytes", 256, stat_into },
    { "connect: the kernel had its address, 16 bytes", 16, connect_to },
};

static void free_too_early(void *argument)
{
    const struct early_free *early = argument;
    struct ring_config config = { .entries = 4 };
    struct ring ring;
    int ends[2];
    char *memory = malloc(early->size);
    if (!memory || ring_init(&ring, &config) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return;
    memset(memory, 'x', early->size);
    struct ring_future future = early->make(&ring, ends, memory);
    if (poll_future(&future.future) != POLL_PENDING)
        return;
    ring_submit(&ring);
    free(memory);
    if (send(ends[1], "late", 4, MSG_NOSIGNAL) == 4)
        drive_future(&ring, &future.future);
}

static void C1_each_operation_names_what_was_freed(void **state)
{
    (void)state;
    needs_io_uring();
    needs_to_know_what_is_alive();
    for (unsigned i = 0; i < ARRAY_SIZE(early_frees); i++) {
        assert_dies(free_too_early, &early_frees[i], early_frees[i].said);
        assert_dies(free_too_early, &early_frees[i], "rule C1");
    }
}

static void C1_a_cancelled_read_may_fill_its_buffer_until_its_own_completion(
    void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    int ends[2];
    char *buffer = malloc(16);
    memset(buffer, 0, 16);
    struct recorded_op read = { .op = { .complete = record_completion,
                                        .target = buffer,
                                        .fills = RING_FILLS_RESULT } };
    make_pair(ends);
    open_ring(&ring, RING_SINGLE, 4);
    struct io_uring_sqe *sqe = recorded_sqe(&ring);
    io_uring_prep_recv(sqe, ends[0], buffer, 16, 0);
    ring_op_attach(sqe, &read.op);
    assert_int_equal(ring_submit(&ring), 0);
    assert_int_equal(send(ends[1], "data", 4, 0), 4); /* before the cancel gets there */
    assert_int_equal(ring_cancel(&ring, &read.op), 0);
    while (!read.completions)
        turn_ring(&ring);
    assert_true(read.result == -ECANCELED || read.result == 4);
    if (read.result == 4)
        assert_memory_equal(buffer, "data", 4);
    free(buffer); /* only now */
    while (ring_in_flight(&ring))
        turn_ring(&ring);
    ring_finish(&ring);
    close(ends[0]);
    close(ends[1]);
}

/* ---- C15: the op's memory after its last completion */

struct disposable {
    struct ring_op op;
    unsigned *gone;
};

static void free_yourself(struct ring_op *op, int result, unsigned flags)
{
    struct disposable *self = container_of(op, struct disposable, op);
    (void)result;
    (void)flags;
    unsigned *gone = self->gone;
    free(self);
    ++*gone;
}

static void C15_complete_may_give_the_memory_away(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    unsigned gone = 0;
    open_ring(&ring, RING_SINGLE, 16);
    for (int i = 0; i < 100; i++) {
        struct disposable *op = malloc(sizeof *op);
        *op = (struct disposable){ { .complete = free_yourself }, &gone };
        struct io_uring_sqe *sqe = recorded_sqe(&ring);
        io_uring_prep_nop(sqe);
        ring_op_attach(sqe, &op->op);
    }
    while (ring_in_flight(&ring))
        turn_ring(&ring);
    assert_int_equal(gone, 100);
    ring_finish(&ring);
}

/* ---- C10: multishot */

static void C10_F_MORE_decides_and_the_result_says_why(void **state)
{
    (void)state;
    assert_int_equal(ring_multishot_next(5, IORING_CQE_F_MORE), RING_SHOT_MORE);
    assert_int_equal(ring_multishot_next(-EIO, IORING_CQE_F_MORE), RING_SHOT_MORE);
    assert_int_equal(ring_multishot_next(5, 0), RING_SHOT_REARM);
    assert_int_equal(ring_multishot_next(-ENOBUFS, 0), RING_SHOT_REARM);
    assert_int_equal(ring_multishot_next(-EINVAL, 0), RING_SHOT_OVER);
    assert_int_equal(ring_multishot_next(-EBADF, 0), RING_SHOT_OVER);
    assert_int_equal(ring_multishot_next(-ECANCELED, 0), RING_SHOT_OVER);
}

/* A receiver that stays armed: what lesson 5's ring driver does for each connection. */
struct receiver {
    struct ring_op op;
    struct ring *ring;
    struct ring_buffers *buffers;
    int fd;
    size_t bytes;
    unsigned sum; /* of all bytes: each arrived once */
    unsigned arms;
    bool over;
    int error;
};

static void arm_receiver(struct receiver *self)
{
    struct io_uring_sqe *sqe = recorded_sqe(self->ring);
    io_uring_prep_recv_multishot(sqe, self->fd, NULL, 0, 0);
    ring_buffers_select(self->buffers, sqe);
    ring_op_attach(sqe, &self->op);
    self->arms++;
}

static void received(struct ring_op *op, int result, unsigned flags)
{
    struct receiver *self = container_of(op, struct receiver, op);
    if (flags & IORING_CQE_F_BUFFER) {
        unsigned id = ring_buffers_id(flags);
        const unsigned char *bytes = ring_buffers_at(self->buffers, id);
        for (int i = 0; i < result; i++)
            self->sum += bytes[i];
        self->bytes += (size_t)result;
        ring_buffers_recycle(self->buffers, id);
    }
    enum ring_multishot next = ring_multishot_next(result, flags);
    if (next == RING_SHOT_REARM && result != 0) /* 0: the peer has finished */
        arm_receiver(self);
    else if (next != RING_SHOT_MORE)
        self->over = true;
    if (next == RING_SHOT_OVER)
        self->error = result;
}

static void C10_a_receiver_survives_the_lack_of_buffers(void **state)
{
    (void)state;
    needs_feature(multishot_recv);
    struct ring ring;
    struct ring_buffers buffers;
    int ends[2];
    unsigned char block[100];
    unsigned sum = 0;
    make_pair(ends);
    open_ring(&ring, RING_SINGLE, 8);
    assert_int_equal(ring_buffers_init(&buffers, &ring, 3, 2, 16), 0);
    struct receiver receiver = { .op = { .complete = received,
                                         .target = &buffers,
                                         .fills = RING_FILLS_PROVIDED },
                                 .ring = &ring,
                                 .buffers = &buffers,
                                 .fd = ends[0] };
    arm_receiver(&receiver);
    ring_submit(&ring);
    for (unsigned i = 0; i < sizeof block; i++)
        sum += block[i] = (unsigned char)i;
    for (int i = 0; i < 10; i++) /* 1,000 bytes against two buffers of 16 */
        assert_int_equal(send(ends[1], block, sizeof block, 0), sizeof block);
    close(ends[1]);
    while (!receiver.over)
        turn_ring(&ring);
    assert_int_equal(receiver.error, 0);
    assert_int_equal(receiver.bytes, 10 * sizeof block);
    assert_int_equal(receiver.sum, 10 * sum);
    assert_true(receiver.arms > 1); /* or the test did not test what it says */
    assert_int_equal(ring_in_flight(&ring), 0);
    ring_buffers_finish(&buffers);
    ring_buffers_finish(&buffers);
    ring_finish(&ring);
    close(ends[0]);
}

static void C10_a_fatal_error_is_not_armed_again(void **state)
{
    (void)state;
    needs_feature(multishot_recv);
    struct ring ring;
    struct ring_buffers buffers;
    open_ring(&ring, RING_SINGLE, 8);
    assert_int_equal(ring_buffers_init(&buffers, &ring, 3, 2, 16), 0);
    struct receiver receiver = {
        .op = { .complete = received, .fills = RING_FILLS_NOTHING },
        .ring = &ring,
        .buffers = &buffers,
        .fd = -1,
    };
    arm_receiver(&receiver);
    while (!receiver.over)
        turn_ring(&ring);
    assert_int_equal(receiver.arms, 1);
    assert_int_equal(receiver.error, -EBADF);
    ring_buffers_finish(&buffers);
    ring_finish(&ring);
}

static void C10_one_accept_for_many_connections(void **state)
{
    (void)state;
    needs_feature(multishot_accept);
    int before = open_fds();
    struct ring ring;
    struct recorded_op accept = { .op = { .complete = record_completion } };
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    open_ring(&ring, RING_SINGLE, 4);
    struct io_uring_sqe *sqe = recorded_sqe(&ring);
    io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
    ring_op_attach(sqe, &accept.op);
    for (unsigned i = 1; i <= 5; i++) {
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ring_submit(&ring);
        assert_int_equal(connect(client, (struct sockaddr *)&address, size), 0);
        while (accept.completions < i)
            turn_ring(&ring);
        assert_true(accept.result >= 0);
        assert_int_equal(ring_multishot_next(accept.result, accept.flags),
                         RING_SHOT_MORE);
        assert_int_equal(ring_in_flight(&ring), 1); /* still the same operation */
        close(accept.result);
        close(client);
    }
    assert_int_equal(ring_cancel(&ring, &accept.op), 0);
    while (ring_in_flight(&ring))
        turn_ring(&ring);
    assert_int_equal(accept.result, -ECANCELED);
    assert_int_equal(ring_multishot_next(accept.result, accept.flags), RING_SHOT_OVER);
    ring_finish(&ring);
    close(listener);
    assert_int_equal(open_fds(), before);
}

static void a_buffer_group_reports_its_failures(void **state)
{
    (void)state;
    needs_feature(buffer_ring);
    struct ring ring;
    struct ring_buffers buffers, twice;
    open_ring(&ring, RING_SINGLE, 4);
    assert_int_equal(ring_buffers_init(&buffers, &ring, 1, 0, 16), -EINVAL);
    assert_int_equal(ring_buffers_init(&buffers, &ring, 1, 3, 16), -EINVAL);
    assert_int_equal(ring_buffers_init(&buffers, &ring, 1, 4, 0), -EINVAL);
    for (long n = 1; fault_sweep(n, "mmap", ENOMEM); n++) {
        int err = ring_buffers_init(&buffers, &ring, 1, 4, 16);
        assert_int_equal(err, fault_count() ? -ENOMEM : 0);
        fault_disarm();
        if (!err) /* the group is taken now */
            assert_int_equal(ring_buffers_init(&twice, &ring, 1, 4, 16), -EEXIST);
        ring_buffers_finish(&buffers);
    }
    ring_finish(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C1_a_buffer_that_was_freed_in_flight_is_noticed),
        cmocka_unit_test(C1_each_operation_names_what_was_freed),
        cmocka_unit_test(
            C1_a_cancelled_read_may_fill_its_buffer_until_its_own_completion),
        cmocka_unit_test(C15_complete_may_give_the_memory_away),
        cmocka_unit_test(C10_F_MORE_decides_and_the_result_says_why),
        cmocka_unit_test(C10_a_receiver_survives_the_lack_of_buffers),
        cmocka_unit_test(C10_a_fatal_error_is_not_armed_again),
        cmocka_unit_test(C10_one_accept_for_many_connections),
        cmocka_unit_test(a_buffer_group_reports_its_failures),
    };
    return cmocka_run_group_tests_name("ring_op", tests, NULL, NULL);
}
