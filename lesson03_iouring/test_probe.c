/* A refusal says which, why, and what to do (C14), and a probe leaves nothing behind.
 */
#include "lesson03_iouring/ring_testing.h"

#include <sys/resource.h>
#include <unistd.h>

#include "common/testing/faults.h"
#include "common/testing/forbid.h"
#include "lesson03_iouring/ring_buffers.h"

static void C14_each_errno_has_its_own_sentence(void **state)
{
    (void)state;
    assert_int_equal(ring_refusal_of(0, 0), RING_ALLOWED);
    assert_int_equal(ring_refusal_of(-ENOSYS, -1), RING_NOT_IN_KERNEL);
    assert_int_equal(ring_refusal_of(-EPERM, 0), RING_FILTERED);
    assert_int_equal(ring_refusal_of(-EPERM, -1), RING_FILTERED);
    assert_int_equal(ring_refusal_of(-EACCES, 0), RING_FILTERED);
    assert_int_equal(ring_refusal_of(-EPERM, 1), RING_OFF_FOR_USERS);
    assert_int_equal(ring_refusal_of(-EPERM, 2), RING_OFF_FOR_ALL);
    assert_int_equal(ring_refusal_of(-ENOMEM, 0), RING_NO_MEMORY);
    assert_int_equal(ring_refusal_of(-EMFILE, 0), RING_NO_DESCRIPTORS);
    assert_int_equal(ring_refusal_of(-ENFILE, 0), RING_NO_DESCRIPTORS);
    assert_int_equal(ring_refusal_of(-EOPNOTSUPP, 0), RING_TOO_OLD);
    assert_int_equal(ring_refusal_of(-EIO, 0), RING_OTHER);
    char seen[RING_OTHER + 1][320];
    for (int i = 0; i <= RING_OTHER; i++) {
        ring_refusal_explain((enum ring_refusal)i, -EPERM, seen[i], sizeof seen[i]);
        assert_true(strlen(seen[i]) < sizeof seen[i] - 1); /* nothing was cut off */
        assert_int_equal(seen[i][strlen(seen[i]) - 1], '.');
        for (int j = 0; j < i; j++)
            assert_string_not_equal(seen[i], seen[j]);
    }
    assert_non_null(strstr(seen[RING_OFF_FOR_ALL], "io_uring_disabled=0"));
    assert_non_null(strstr(seen[RING_FILTERED], "seccomp"));
    assert_non_null(strstr(seen[RING_NO_MEMORY], "ulimit -l"));
    assert_non_null(strstr(seen[RING_OTHER], "EPERM"));
}

/* In a child: forbid, probe, and report through stderr. */
struct refusal {
    int err;
    bool enter_only;
};

static void probe_under_a_filter(void *argument)
{
    const struct refusal *refusal = argument;
    struct ring_probe probe;
    int err = refusal->enter_only ? forbid_io_uring_enter(refusal->err)
                                  : forbid_io_uring(refusal->err);
    if (err) {
        fprintf(stderr, "no seccomp");
        return;
    }
    int before = open_fds();
    err = ring_probe(&probe);
    fprintf(stderr, "err %d refusal %d leaked %d features %d: %s", err, probe.refusal,
            open_fds() - before, probe.features.sqpoll, probe.sentence);
}

static void check_refusal(int err, bool enter_only, enum ring_refusal expected,
                          const char *words)
{
    static char output[1024];
    struct refusal refusal = { err, enter_only };
    char start[64];
    snprintf(start, sizeof start, "err %d refusal %d leaked 0 features 0: ", -err,
             (int)expected);
    assert_int_equal(
        run_in_child(probe_under_a_filter, &refusal, output, sizeof output), 0);
    if (strcmp(output, "no seccomp") == 0)
        skip_because("this kernel has no seccomp filters");
    if (!strstr(output, start) || !strstr(output, words))
        fail_msg("expected \"%s...%s\", got: %s", start, words, output);
}

static void C14_a_filter_that_says_EPERM(void **state)
{
    (void)state;
    if (ring_disabled_sysctl() > 0)
        skip_because("kernel.io_uring_disabled is set, so EPERM is its doing here");
    check_refusal(EPERM, false, RING_FILTERED, "seccomp");
}

static void C14_a_filter_that_says_ENOSYS(void **state)
{
    (void)state;
    check_refusal(ENOSYS, false, RING_NOT_IN_KERNEL, "does not know io_uring");
}

static void C14_a_filter_that_says_ENOMEM(void **state)
{
    (void)state;
    check_refusal(ENOMEM, false, RING_NO_MEMORY, "ulimit -l");
}

static void C14_a_filter_that_lets_the_setup_pass(void **state)
{
    (void)state;
    needs_io_uring();
    check_refusal(EPERM, true, RING_FILTERED, "seccomp");
}

static void C14_no_descriptor_left(void **state)
{
    (void)state;
    needs_io_uring();
    struct ring_probe probe;
    fault_arm("io_uring_queue_init_params", 1, EMFILE);
    assert_int_equal(ring_probe(&probe), -EMFILE);
    fault_disarm();
    assert_int_equal(probe.refusal, RING_NO_DESCRIPTORS);
    assert_non_null(strstr(probe.sentence, "ulimit -n"));
}

/* Newer kernels count only registered buffers against RLIMIT_MEMLOCK, older ones the
 * ring as well; either way an ordinary user with a tiny limit gets ENOMEM somewhere. */
static void register_as_ordinary_user(void *argument)
{
    struct rlimit tiny = { 4096, 4096 };
    struct ring ring;
    struct ring_config config = { .entries = 8, .mode = RING_SHARED };
    (void)argument;
    if (setrlimit(RLIMIT_MEMLOCK, &tiny) < 0 || (geteuid() == 0 && setuid(65534) < 0)) {
        fprintf(stderr, "cannot drop privileges");
        return;
    }
    int err = ring_init(&ring, &config);
    if (!err) {
        size_t size = 1 << 20;
        struct iovec buffer = { malloc(size), size };
        err = ring_register_buffers(&ring, &buffer, 1);
        ring_finish(&ring);
        free(buffer.iov_base);
    }
    char text[320];
    ring_explain(err, text, sizeof text);
    fprintf(stderr, "%s", text);
}

static void C14_a_tiny_limit_on_locked_memory(void **state)
{
    (void)state;
    needs_io_uring();
    static char output[1024];
    assert_int_equal(
        run_in_child(register_as_ordinary_user, NULL, output, sizeof output), 0);
    if (strstr(output, "cannot drop privileges"))
        skip_because("this process may not become an ordinary user");
    if (strstr(output, "EPERM"))
        skip_because("ordinary users may not use io_uring here");
    if (!strstr(output, "ENOMEM") || !strstr(output, "ulimit -l"))
        fail_msg("expected the sentence about locked memory, got: %s", output);
}

static void every_failed_call_is_survived(void **state)
{
    (void)state;
    needs_io_uring();
    int before = open_fds();
    static const char *const calls[] = { "io_uring_queue_init_params", "mmap", "send",
                                         "io_uring_submit_and_wait_timeout" };
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++) {
        for (long n = 1; fault_sweep(n, calls[i], ENOMEM); n++) {
            struct ring_probe probe;
            int err = ring_probe(&probe);
            fault_disarm();
            assert_true(err == 0 || err == -ENOMEM);
            assert_true(n != 1 || err || i == 1 || i == 2); /* the first ring decides */
            assert_int_equal(open_fds(), before);
            if (fault_count() == 0)
                break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(C14_each_errno_has_its_own_sentence),
        cmocka_unit_test(C14_a_filter_that_says_EPERM),
        cmocka_unit_test(C14_a_filter_that_says_ENOSYS),
        cmocka_unit_test(C14_a_filter_that_says_ENOMEM),
        cmocka_unit_test(C14_a_filter_that_lets_the_setup_pass),
        cmocka_unit_test(C14_no_descriptor_left),
        cmocka_unit_test(C14_a_tiny_limit_on_locked_memory),
        cmocka_unit_test(every_failed_call_is_survived),
    };
    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
