/* Each call of the poller fails once, in its turn (common/testing/FAULTS.md). What a failed
 * call costs the echo server is in test_echo_machine.c. */
#include "common/testing/testing.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/testing/faults.h"
#include "lesson04_epoll/poller.h"

/* First of all tests: once a handler is there, none is registered again. */
static void open_without_memory(void *argument)
{
    struct poller poller;
    (void)argument;
    fault_arm("pthread_atfork", 1, ENOMEM);
    int refused = poller_init(&poller);
    bool called = fault_count() == 1;
    poller_finish(&poller);
    int again = poller_init(&poller);
    poller_finish(&poller);
    _exit(!called ? 1 : refused != -ENOMEM ? 2 : again != 0 ? 3 : 0);
}

static void R11_a_fork_handler_that_finds_no_memory_is_tried_again(void **state)
{
    (void)state;
    int status = run_in_child(open_without_memory, NULL, NULL, 0);
    if (status == 1)
        skip_because("a poller was made before this test");
    assert_int_equal(status, 0); /* 3: one failure was remembered for ever */
}

struct waiting {
    int64_t ns;
    bool readable;
};

static int wait_for_a_byte(void *argument)
{
    const struct waiting *wait = argument;
    struct poller poller;
    struct poller_event event;
    int ends[2], n = 0;
    fault_pause();
    FAULT_EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    if (wait->readable)
        FAULT_EXPECT(send(ends[1], "x", 1, MSG_NOSIGNAL) == 1);
    fault_resume();
    uint64_t start = clock_now();
    int err = poller_init(&poller);
    if (err == 0)
        err = poller_add(&poller, ends[0], POLLER_READABLE, &poller);
    if (err == 0)
        err = poller_modify(&poller, ends[0], POLLER_READABLE | POLLER_EDGE, &poller);
    if (err == 0)
        err = n = poller_wait(&poller, &event, 1, wait->ns);
    bool slept = clock_now() - start >= (uint64_t)wait->ns;
    if (err >= 0)
        err = poller_remove(&poller, ends[0]);
    poller_finish(&poller);
    fault_pause();
    close(ends[0]);
    close(ends[1]);
    fault_resume();
    FAULT_EXPECT(err < 0 || n == (wait->readable ? 1 : 0));
    FAULT_EXPECT(err < 0 || wait->readable || slept); /* R9: not cut short */
    return err;
}

static void R9_a_poller_reports_or_goes_on(void **state)
{
    (void)state;
    static const struct fault opening[] = {
        { "epoll_create1", EMFILE, FAULT_REPORTED },
        { "epoll_create1", ENFILE, FAULT_REPORTED },
        { "epoll_create1", ENOMEM, FAULT_REPORTED },
        { "epoll_ctl", ENOMEM, FAULT_REPORTED },
        { "epoll_ctl", ENOSPC, FAULT_REPORTED },
        { "epoll_ctl", EPERM, FAULT_REPORTED },
        { "close", EINTR, FAULT_SURVIVED },
    };
    static const struct fault for_ever[] = { { "epoll_wait", EINTR, FAULT_SURVIVED },
                                             { "epoll_wait", EBADF, FAULT_REPORTED } };
    static const struct fault limited[] = {
        { "epoll_pwait2", EINTR, FAULT_SURVIVED },
        { "epoll_pwait2", ENOSYS, FAULT_SURVIVED }, /* an older kernel */
        { "epoll_pwait2", EPERM, FAULT_SURVIVED },  /* a container */
        { "epoll_pwait2", EBADF, FAULT_REPORTED },
    };
    struct waiting wait = { POLLER_FOREVER, true };
    SWEEP(wait_for_a_byte, &wait, opening);
    SWEEP(wait_for_a_byte, &wait, for_ever);
    wait = (struct waiting){ 3 * (int64_t)NS_PER_MS, false };
    SWEEP(wait_for_a_byte, &wait, limited);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(R11_a_fork_handler_that_finds_no_memory_is_tried_again),
        cmocka_unit_test(R9_a_poller_reports_or_goes_on),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
