/* The ring by hand: both queues wrap, a full one says so, and its mappings can fail. */
#include "lesson03_iouring/ring_testing.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/testing/faults.h"
#include "lesson03_iouring/raw_ring.h"

static void a_nop_travels_round(void **state)
{
    (void)state;
    needs_io_uring();
    struct raw_ring ring;
    struct raw_completion done;
    assert_int_equal(raw_ring_init(&ring, 4), 0);
    assert_false(raw_ring_pop(&ring, &done));
    assert_int_equal(raw_ring_nop(&ring, 77), 0);
    assert_false(raw_ring_pop(&ring, &done)); /* the kernel does not know of it yet */
    assert_int_equal(raw_ring_enter(&ring, 1), 1);
    assert_true(raw_ring_pop(&ring, &done));
    assert_int_equal(done.user_data, 77);
    assert_int_equal(done.result, 0);
    assert_false(raw_ring_pop(&ring, &done));
    raw_ring_finish(&ring);
}

static void C6_a_full_queue_says_so_and_loses_nothing(void **state)
{
    (void)state;
    needs_io_uring();
    struct raw_ring ring;
    assert_int_equal(raw_ring_init(&ring, 2), 0);
    unsigned pushed = 0, popped = 0;
    uint64_t seen = 0;
    while (popped < 1000) { /* the indices pass the mask five hundred times */
        while (pushed < 1000 && raw_ring_nop(&ring, pushed + 1) == 0)
            pushed++;
        assert_true(pushed - popped <= 2);
        assert_int_equal(raw_ring_enter(&ring, 1), pushed - popped);
        struct raw_completion done;
        while (raw_ring_pop(&ring, &done)) {
            popped++;
            seen += done.user_data;
        }
    }
    assert_int_equal(seen, 1000 * 1001 / 2);
    assert_int_equal(raw_ring_nop(&ring, 0), 0);
    assert_int_equal(raw_ring_nop(&ring, 0), 0);
    assert_int_equal(raw_ring_nop(&ring, 0), -EBUSY);
    assert_int_equal(raw_ring_enter(&ring, 2), 2);
    raw_ring_finish(&ring);
}

static void a_file_is_written_and_read_back(void **state)
{
    (void)state;
    needs_io_uring();
    struct raw_ring ring;
    struct raw_completion done;
    int fd = open(testing_path("raw"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(raw_ring_init(&ring, 4), 0);
    assert_int_equal(raw_ring_write(&ring, fd, "hello", 5, 3, 1), 0);
    assert_int_equal(raw_ring_enter(&ring, 1), 1);
    assert_true(raw_ring_pop(&ring, &done));
    assert_int_equal(done.result, 5);
    char text[8] = { 0 }; /* initialised: nobody tells valgrind what the kernel wrote */
    assert_int_equal(raw_ring_read(&ring, fd, text, sizeof text, 3, 2), 0);
    assert_int_equal(raw_ring_enter(&ring, 1), 1);
    assert_true(raw_ring_pop(&ring, &done));
    assert_int_equal(done.result, 5);
    assert_string_equal(text, "hello");
    assert_int_equal(raw_ring_read(&ring, -1, text, 1, 0, 3), 0);
    assert_int_equal(raw_ring_enter(&ring, 1), 1);
    assert_true(raw_ring_pop(&ring, &done));
    assert_int_equal(done.result, -EBADF);
    raw_ring_finish(&ring);
    close(fd);
}

static void a_failed_mapping_leaves_nothing_behind(void **state)
{
    (void)state;
    needs_io_uring();
    int before = open_fds();
    long n;
    for (n = 1; fault_sweep(n, "mmap", ENOMEM); n++) {
        struct raw_ring ring;
        int err = raw_ring_init(&ring, 4);
        assert_int_equal(err, fault_count() ? -ENOMEM : 0);
        raw_ring_finish(&ring);
        raw_ring_finish(&ring);
    }
    assert_int_equal(n, 4 + 1); /* three mappings, and the run that succeeded */
    assert_int_equal(open_fds(), before);
}

static void refused_entries_are_an_error(void **state)
{
    (void)state;
    needs_io_uring();
    struct raw_ring ring;
    assert_int_equal(raw_ring_init(&ring, 0), -EINVAL);
    raw_ring_finish(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_nop_travels_round),
        cmocka_unit_test(C6_a_full_queue_says_so_and_loses_nothing),
        cmocka_unit_test(a_file_is_written_and_read_back),
        cmocka_unit_test(a_failed_mapping_leaves_nothing_behind),
        cmocka_unit_test(refused_entries_are_an_error),
    };
    return cmocka_run_group_tests_name("raw_ring", tests, NULL, NULL);
}
