/* Copies are byte-identical or say which step failed; every call may fail. */
#include "lesson03_iouring/ring_testing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/testing/faults.h"
#include "lesson03_iouring/copy.h"

enum { SIZE = 100 * 1000 + 7 };
static char content[SIZE], copied[SIZE + 1];

static void open_files(struct copy_plan *plan)
{
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (char)(i * 31 + i / 4096);
    plan->from =
        open(testing_path("from"), O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
    plan->to = open(testing_path("to"), O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(plan->from >= 0 && plan->to >= 0);
    assert_int_equal(pwrite(plan->from, content, SIZE, 0), SIZE);
}

static void close_files(const struct copy_plan *plan)
{
    close(plan->from);
    close(plan->to);
}

static bool identical(const struct copy_plan *plan)
{
    return pread(plan->to, copied, sizeof copied, 0) == SIZE &&
           memcmp(copied, content, SIZE) == 0;
}

static void a_ring_copies_at_any_depth(void **state)
{
    (void)state;
    needs_io_uring();
    static const unsigned depths[] = { 1, 2, 7, 64 };
    for (unsigned i = 0; i < ARRAY_SIZE(depths); i++) {
        struct copy_plan plan = { .depth = depths[i], .block = 4096 };
        struct copy_report report;
        open_files(&plan);
        assert_int_equal(copy_by_ring(&plan, &report), 0);
        assert_true(identical(&plan));
        assert_int_equal(report.bytes, SIZE);
        close_files(&plan);
    }
}

static void C9_the_loop_goes_on_after_interruptions(void **state)
{
    (void)state;
    static const char *const calls[] = { "read", "write" };
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
        struct copy_plan plan = { .block = 4096 };
        struct copy_report report;
        open_files(&plan);
        fault_arm(calls[i], 2, EINTR);
        assert_int_equal(copy_by_loop(&plan, &report), 0);
        assert_int_equal(fault_count(), 1);
        fault_disarm();
        assert_true(identical(&plan));
        close_files(&plan);
    }
}

static void the_loop_says_which_step_failed(void **state)
{
    (void)state;
    struct copy_plan plan = { .block = 4096 };
    struct copy_report report;
    open_files(&plan);
    fault_arm("read", 2, EIO);
    assert_int_equal(copy_by_loop(&plan, &report), -EIO);
    assert_int_equal(report.step, COPY_READ);
    fault_arm("write", 2, ENOSPC);
    assert_int_equal(copy_by_loop(&plan, &report), -ENOSPC);
    assert_int_equal(report.step, COPY_WRITE);
    fault_arm("malloc", 1, ENOMEM);
    assert_int_equal(copy_by_loop(&plan, &report), -ENOMEM);
    assert_int_equal(report.step, COPY_SETUP);
    fault_disarm();
    close_files(&plan);
}

static void the_ring_says_which_step_failed(void **state)
{
    (void)state;
    needs_io_uring();
    struct copy_plan plan = { .depth = 8, .block = 4096 };
    struct copy_report report;
    open_files(&plan);
    int to = plan.to;
    plan.to = open(testing_path("from"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(copy_by_ring(&plan, &report), -EBADF);
    assert_int_equal(report.step, COPY_WRITE);
    close(plan.to);
    plan.to = to;
    int from = plan.from;
    plan.from = open(testing_path("to"), O_WRONLY | O_CLOEXEC);
    assert_int_equal(copy_by_ring(&plan, &report), -EBADF);
    assert_int_equal(report.step, COPY_READ);
    close(plan.from);
    plan.from = from;
    close_files(&plan);
}

static void every_failed_call_ends_in_a_copy_or_an_error(void **state)
{
    (void)state;
    needs_io_uring();
    static const struct {
        const char *call;
        int err;
    } faults[] = {
        { "malloc", ENOMEM },
        { "calloc", ENOMEM },
        { "mmap", ENOMEM },
        { "aligned_alloc", ENOMEM },
        { "io_uring_queue_init_params", ENOMEM },
        { "eventfd", EMFILE },
        { "io_uring_submit", EAGAIN },
        { "io_uring_submit", EBUSY },
        { "io_uring_submit_and_wait_timeout", EAGAIN },
        { "io_uring_submit_and_wait_timeout", ENOMEM },
    };
    int before = open_fds();
    for (unsigned i = 0; i < ARRAY_SIZE(faults); i++) {
        for (long n = 1; n < 40 && fault_sweep(n, faults[i].call, faults[i].err); n++) {
            struct copy_plan plan = { .depth = 4, .block = 16384 };
            struct copy_report report;
            open_files(&plan);
            int err = copy_by_ring(&plan, &report);
            fault_disarm();
            if (!err)
                assert_true(identical(&plan));
            else
                assert_int_equal(err, -faults[i].err);
            close_files(&plan);
            assert_int_equal(open_fds(), before);
        }
        fault_disarm();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_copies_at_any_depth),
        cmocka_unit_test(C9_the_loop_goes_on_after_interruptions),
        cmocka_unit_test(the_loop_says_which_step_failed),
        cmocka_unit_test(the_ring_says_which_step_failed),
        cmocka_unit_test(every_failed_call_ends_in_a_copy_or_an_error),
    };
    return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
