/* The faults themselves: a table's loop must see what it is there for. And the notifier
 * under each fault that an eventfd has. */
#include "common/testing/testing.h"

#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/notifier.h"
#include "common/testing/faults.h"

/* ---- the notifier */

static bool readable(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int n;
    fault_pause();
    n = poll(&p, 1, 0);
    fault_resume();
    return n == 1;
}

static int notify_and_drain(void *argument)
{
    struct notifier n;
    (void)argument;
    int err = notifier_init(&n);
    if (err < 0)
        return err;
    notifier_notify(&n);
    bool noticed = readable(n.fd);
    notifier_drain(&n);
    bool drained = !readable(n.fd);
    notifier_finish(&n);
    FAULT_EXPECT(noticed && drained);
    return 0;
}

static void the_notifier_survives_what_an_eventfd_says(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "eventfd", EMFILE, FAULT_REPORTED }, { "eventfd", ENFILE, FAULT_REPORTED },
        { "eventfd", ENOMEM, FAULT_REPORTED }, { "write", EINTR, FAULT_SURVIVED },
        { "read", EINTR, FAULT_SURVIVED },     { "close", EINTR, FAULT_SURVIVED }
    };
    SWEEP(notify_and_drain, NULL, faults);
}

/* R8: EAGAIN means that the counter is full, so that it is readable already. */
static void R8_a_notify_that_hits_a_full_counter_is_no_error(void **state)
{
    (void)state;
    struct notifier n;
    assert_int_equal(notifier_init(&n), 0);
    fault_arm("write", 1, EAGAIN);
    errno = EDOM;
    notifier_notify(&n);
    assert_int_equal(fault_count(), 1);
    assert_int_equal(errno, EDOM);
    fault_arm("read", 1, EAGAIN); /* somebody drained before us */
    notifier_drain(&n);
    fault_disarm();
    notifier_finish(&n);
}

/* ---- what a sweep has to see */

static const struct fault no_memory[] = { { "malloc", ENOMEM, FAULT_REPORTED } };

static int honest(void *argument)
{
    (void)argument;
    char *block = malloc(10);
    if (!block)
        return -ENOMEM;
    free(block);
    return 0;
}

static int swallows_the_error(void *argument)
{
    honest(argument);
    return 0;
}

static int invents_an_error(void *argument)
{
    return honest(argument) ? -EPERM : 0;
}

static int forgets_a_block(void *argument)
{
    static void *first; /* a leak checker shall still find it */
    (void)argument;
    first = malloc(1);
    if (!first)
        return -ENOMEM;
    int err = honest(NULL);
    if (err == 0)
        free(first);
    return err;
}

static int forgets_a_descriptor(void *argument)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)argument;
    if (honest(NULL) < 0)
        return -ENOMEM;
    close(fd);
    return 0;
}

static int forgets_a_mapping(void *argument)
{
    void *page = mmap(NULL, 5000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)argument;
    if (honest(NULL) < 0)
        return -ENOMEM;
    munmap(page, 5000);
    return 0;
}

static int sees_something_wrong(void *argument)
{
    FAULT_EXPECT(honest(argument) == 0);
    return 0;
}

static int calls_nothing(void *argument)
{
    (void)argument;
    return 0;
}

static int dies(void *argument)
{
    CHECK(honest(argument) == 0, "no memory is a bug here");
    return 0;
}

struct bad {
    int (*run)(void *argument);
    const char *said;
};

static void sweep_it(void **state)
{
    const struct bad *bad = *state;
    SWEEP(bad->run, NULL, no_memory);
}

static void run_a_group(void *argument)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(sweep_it, argument),
    };
    dup2(STDERR_FILENO, STDOUT_FILENO); /* its report is no part of ours */
    _exit(cmocka_run_group_tests_name("bad", tests, NULL, NULL));
}

static void a_sweep_sees_what_it_is_there_for(void **state)
{
    (void)state;
    static struct bad bads[] = {
        { honest, "" },
        { swallows_the_error, "malloc number 1 fails with ENOMEM: expected the error" },
        { invents_an_error, "expected the error, got -1 (EPERM)" },
        { forgets_a_block, "malloc number 2 fails with ENOMEM: left behind: 0 "
                           "descriptors, 1 blocks, 0 mapped bytes" },
        { forgets_a_descriptor, "left behind: 1 descriptors, 0 blocks, 0 mapped" },
        { forgets_a_mapping, "left behind: 0 descriptors, 0 blocks, 8192 mapped" },
        { sees_something_wrong, "expects does not hold" },
        { calls_nothing, "tests nothing" },
        { dies, "malloc number 1 fails with ENOMEM: it died" },
    };
    static char output[8192];
    for (unsigned i = 0; i < ARRAY_SIZE(bads); i++) {
        int status = run_in_child(run_a_group, &bads[i], output, sizeof output);
        if ((status != 0) != (i != 0))
            fail_msg("bad scenario %u: status %d, it said: %s", i, status, output);
        if (!strstr(output, bads[i].said))
            fail_msg("bad scenario %u: expected \"%s\", it said: %s", i, bads[i].said,
                     output);
    }
}

/* ---- faults that are no errno */

static int move_bytes(void *argument)
{
    int ends[2];
    char got[8];
    (void)argument;
    fault_pause();
    int err = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    fault_resume();
    if (err < 0)
        return -errno;
    ssize_t sent = send(ends[0], "abc", 3, 0);
    ssize_t received = sent > 0 ? recv(ends[1], got, sizeof got, 0) : 0;
    fault_pause();
    close(ends[0]);
    close(ends[1]);
    fault_resume();
    FAULT_EXPECT(received == 3 || received <= 1);
    return 0;
}

static void short_calls_move_one_byte_or_none(void **state)
{
    (void)state;
    static const struct fault faults[] = { { "send", FAULT_SHORT, FAULT_SURVIVED },
                                           { "send", FAULT_NOTHING, FAULT_SURVIVED },
                                           { "recv", FAULT_SHORT, FAULT_SURVIVED } };
    SWEEP(move_bytes, NULL, faults);
}

static void an_operation_on_a_ring_fails_in_its_place(void **state)
{
    (void)state;
    struct io_uring ring;
    struct io_uring_cqe *cqe;
    if (!fault_sqe_works())
        skip_because("a NOP that fails on demand needs io_uring, and Linux 6.10");
    assert_int_equal(io_uring_queue_init(4, &ring, 0), 0);
    for (unsigned i = 0; i < 3; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
        io_uring_prep_nop(sqe);
        io_uring_sqe_set_data64(sqe, i); /* 0: nobody wants to know */
    }
    fault_arm("sqe", 2, ECONNRESET);
    assert_int_equal(io_uring_submit(&ring), 3);
    assert_int_equal(fault_count(), 1);
    fault_disarm();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(io_uring_wait_cqe(&ring, &cqe), 0);
        assert_int_equal(cqe->res, cqe->user_data == 2 ? -ECONNRESET : 0);
        io_uring_cqe_seen(&ring, cqe);
    }
    io_uring_queue_exit(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_notifier_survives_what_an_eventfd_says),
        cmocka_unit_test(R8_a_notify_that_hits_a_full_counter_is_no_error),
        cmocka_unit_test(a_sweep_sees_what_it_is_there_for),
        cmocka_unit_test(short_calls_move_one_byte_or_none),
        cmocka_unit_test(an_operation_on_a_ring_fails_in_its_place),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
