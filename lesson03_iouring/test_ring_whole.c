/* Short reads and writes go on (C9). The future contract of a whole read runs in
 * test_ring_future.c. */
#include "lesson03_iouring/ring_testing.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lesson03_iouring/ring_whole.h"

struct wire {
    struct ring ring;
    int ends[2]; /* of a socket pair */
};

static void open_wire(struct wire *wire)
{
    open_ring(&wire->ring, RING_SINGLE, 4);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wire->ends), 0);
}

static void close_wire(struct wire *wire)
{
    ring_finish(&wire->ring);
    close(wire->ends[0]);
    close(wire->ends[1]);
}

static void C9_a_whole_read_goes_on_until_the_end_of_the_file(void **state)
{
    (void)state;
    needs_io_uring();
    struct wire wire, *self = &wire;
    open_wire(self);
    char text[32] = { 0 };
    struct ring_whole read =
        ring_read_full(&self->ring, self->ends[0], text, sizeof text, RING_NO_OFFSET);
    for (int i = 0; i < 3; i++) { /* three arrivals of eight bytes, then the end */
        assert_int_equal(poll_future(&read.future), POLL_PENDING);
        ring_submit(&self->ring);
        assert_int_equal(send(self->ends[1], "contract", 8, 0), 8);
        turn_ring(&self->ring);
    }
    assert_int_equal(poll_future(&read.future), POLL_PENDING);
    shutdown(self->ends[1], SHUT_WR);
    drive_future(&self->ring, &read.future);
    assert_int_equal(read.result, 24);
    assert_memory_equal(text, "contractcontractcontract", 24);
    close_wire(self);
}

static void C9_a_truncated_file_ends_early_and_is_no_error(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring ring;
    char text[16] = { 0 };
    int fd = open(testing_path("short"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "0123456789", 10), 10);
    open_ring(&ring, RING_SINGLE, 4);
    struct ring_whole read = ring_read_full(&ring, fd, text, sizeof text, 4);
    drive_future(&ring, &read.future);
    assert_int_equal(read.result, 6);
    assert_string_equal(text, "456789");
    read = ring_read_full(&ring, -1, text, sizeof text, 0);
    drive_future(&ring, &read.future);
    assert_int_equal(read.result, -EBADF);
    ring_finish(&ring);
    close(fd);
}

static void C9_a_whole_write_goes_on_where_it_stopped(void **state)
{
    (void)state;
    needs_io_uring();
    enum { SIZE = 1 << 20 };
    struct wire wire, *self = &wire;
    open_wire(self);
    int small = 4096;
    setsockopt(self->ends[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    fcntl(self->ends[1], F_SETFL, O_NONBLOCK);
    char *out = malloc(SIZE), *in = calloc(1, SIZE + 1);
    for (size_t i = 0; i < SIZE; i++)
        out[i] = (char)(i * 7 + i / 256);
    struct ring_whole write =
        ring_write_all(&self->ring, self->ends[0], out, SIZE, RING_NO_OFFSET);
    size_t got = 0;
    while (got < SIZE || !future_is_done(&write.future)) {
        if (!future_is_done(&write.future))
            poll_future(&write.future);
        ssize_t n = recv(self->ends[1], in + got, SIZE + 1 - got, 0);
        got += n > 0 ? (size_t)n : 0;
        ring_wait(&self->ring, 100 * 1000);
        ring_reap(&self->ring);
    }
    assert_int_equal(write.result, SIZE);
    assert_int_equal(got, SIZE);
    assert_memory_equal(in, out, SIZE);
    free(in);
    free(out);
    close_wire(self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C9_a_whole_read_goes_on_until_the_end_of_the_file),
        cmocka_unit_test(C9_a_truncated_file_ends_early_and_is_no_error),
        cmocka_unit_test(C9_a_whole_write_goes_on_where_it_stopped),
    };
    return cmocka_run_group_tests_name("ring_whole", tests, NULL, NULL);
}
