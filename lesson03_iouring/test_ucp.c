/* The program ucp from outside: identical copies, one sentence for each refusal. */
#include "lesson03_iouring/ring_testing.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/testing/forbid.h"

struct run {
    const char *arguments[8]; /* after the program's name, NULL-terminated */
    int forbidden;            /* errno of a filter, or 0 */
    bool enter_only;
    bool ordinary_user;
    long size_limit; /* bytes a file may have, or 0 */
};

static char said[4096];

static const char *program(void)
{
    static char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 16);
    assert_true(n > 0);
    path[n] = '\0';
    for (int up = 0; up < 3; up++) /* test/lesson03_iouring/test_ucp */
        *strrchr(path, '/') = '\0';
    strcat(path, "/bin/ucp");
    return path;
}

static void become_ucp(void *argument)
{
    struct run *run = argument;
    static char name[] = "ucp";
    char *argv[10] = { name };
    if (run->forbidden && (run->enter_only ? forbid_io_uring_enter(run->forbidden)
                                           : forbid_io_uring(run->forbidden)) < 0)
        return;
    if (run->size_limit) {
        struct rlimit limit = { (rlim_t)run->size_limit, (rlim_t)run->size_limit };
        if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
            return;
    }
    if (run->ordinary_user && setuid(65534) < 0)
        return;
    for (int i = 0; i < 8 && run->arguments[i]; i++)
        argv[i + 1] = (char *)(uintptr_t)run->arguments[i];
    int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC); /* the help is for people */
    dup2(quiet, STDOUT_FILENO);
    execv(program(), argv);
    perror("exec");
    _exit(127);
}

static int ucp(struct run *run)
{
    return run_in_child(become_ucp, run, said, sizeof said);
}

static void check_says(struct run *run, int status, const char *words)
{
    int got = ucp(run);
    if (got != status || !strstr(said, words))
        fail_msg("expected exit %d and \"%s\", got exit %d and: %s", status, words, got,
                 said);
    const char *newline = strchr(said, '\n');
    if (!testing_probe()->err && strncmp(said, "ucp: ", 5) == 0)
        assert_true(newline && newline[1] == '\0'); /* one sentence */
}

static char source[256], target[256];

static void names(const char *from, const char *to)
{
    snprintf(source, sizeof source, "%s", testing_path(from));
    snprintf(target, sizeof target, "%s", testing_path(to));
}

/* Mostly holes, with content at the edges and every `step` bytes. */
static void make_file(const char *path, off_t size, off_t step)
{
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    for (off_t at = 0; at < size; at += step) {
        char text[32];
        int n = snprintf(text, sizeof text, "<%lld>", (long long)at);
        off_t room = size - at;
        size_t put = (off_t)n < room ? (size_t)n : (size_t)room;
        assert_int_equal(pwrite(fd, text, put, at), put);
    }
    close(fd);
}

static void check_same(const char *a, const char *b)
{
    enum { CHUNK = 1 << 20 };
    static char from_a[CHUNK], from_b[CHUNK];
    int fd_a = open(a, O_RDONLY | O_CLOEXEC), fd_b = open(b, O_RDONLY | O_CLOEXEC);
    assert_true(fd_a >= 0 && fd_b >= 0);
    ssize_t n;
    do {
        n = read(fd_a, from_a, CHUNK);
        assert_true(n >= 0);
        assert_int_equal(read(fd_b, from_b, CHUNK), n);
        assert_memory_equal(from_a, from_b, (size_t)n);
    } while (n > 0);
    close(fd_a);
    close(fd_b);
}

static void check_copy(off_t size, off_t step, const char *depth, const char *block)
{
    names("source", "target");
    make_file(source, size, step);
    make_file(target, 5000, 100); /* an older, longer or shorter one is replaced */
    struct run run = { .arguments = { "-d", depth, "-b", block, source, target } };
    int status = ucp(&run);
    if (status)
        fail_msg("exit %d: %s", status, said);
    check_same(source, target);
    unlink(source);
    unlink(target);
}

static void an_empty_file(void **state)
{
    (void)state;
    check_copy(0, 1, "32", "128K");
}

static void odd_sizes(void **state)
{
    (void)state;
    static const off_t sizes[] = { 1, 511, 512, 513, 4095, 4097, 1234567 };
    for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
        check_copy(sizes[i], 64, "1", "512");
        check_copy(sizes[i], 64, "5", "4K");
    }
    check_copy(1234567, 64, "64", "1M");
}

static void a_large_file(void **state)
{
    (void)state;
    check_copy((off_t)(testing_instrumented() ? 16 : 256) << 20, 99991, "64", "64K");
}

static void the_mode_is_taken_along(void **state)
{
    (void)state;
    struct stat info;
    names("source", "moded");
    make_file(source, 10, 1);
    struct run run = { .arguments = { source, target } };
    assert_int_equal(ucp(&run), 0);
    assert_int_equal(stat(target, &info), 0);
    assert_int_equal(info.st_mode & 0700, 0600);
    assert_int_equal(info.st_mode & 0111, 0);
}

static void what_has_no_offsets_is_copied_by_the_loop(void **state)
{
    (void)state;
    names("source", "from-proc");
    struct run run = { .arguments = { "/proc/self/status", target } };
    assert_int_equal(ucp(&run), 0);
    struct stat info;
    assert_int_equal(stat(target, &info), 0);
    assert_true(info.st_size > 0); /* although /proc says that the size is 0 */
    run = (struct run){ .arguments = { "/dev/null", target } };
    assert_int_equal(ucp(&run), 0);
    assert_int_equal(stat(target, &info), 0);
    assert_int_equal(info.st_size, 0);
}

static void bad_arguments_exit_with_2(void **state)
{
    (void)state;
    check_says(&(struct run){ .arguments = { NULL } }, 2, "got 0 arguments");
    check_says(&(struct run){ .arguments = { "one" } }, 2, "got 1 argument ");
    check_says(&(struct run){ .arguments = { "a", "b", "c" } }, 2, "got 3 arguments");
    check_says(&(struct run){ .arguments = { "-d", "0", "a", "b" } }, 2, "depth");
    check_says(&(struct run){ .arguments = { "-d", "-1", "a", "b" } }, 2, "depth");
    check_says(&(struct run){ .arguments = { "-d", "4097", "a", "b" } }, 2, "depth");
    check_says(&(struct run){ .arguments = { "-d", "many", "a", "b" } }, 2, "depth");
    check_says(&(struct run){ .arguments = { "-b", "511", "a", "b" } }, 2, "block");
    check_says(&(struct run){ .arguments = { "-b", "65M", "a", "b" } }, 2, "block");
    check_says(&(struct run){ .arguments = { "-b", "1KB", "a", "b" } }, 2, "block");
    check_says(&(struct run){ .arguments = { "-b", "99999999999999999999", "a", "b" } },
               2, "block");
    check_says(&(struct run){ .arguments = { "-d4096", "-b1M", "a", "b" } }, 2,
               "1024M of memory");
    assert_int_equal(ucp(&(struct run){ .arguments = { "--no-such" } }), 2);
    assert_int_equal(ucp(&(struct run){ .arguments = { "--help" } }), 0);
}

static void files_that_cannot_be_used_exit_with_1(void **state)
{
    (void)state;
    names("source", "target");
    make_file(source, 100, 10);
    check_says(&(struct run){ .arguments = { "/no/such/file", target } }, 1,
               "cannot read /no/such/file: No such file");
    check_says(&(struct run){ .arguments = { source, "/no/such/folder/x" } }, 1,
               "cannot write /no/such/folder/x: No such file");
    check_says(&(struct run){ .arguments = { "/tmp", target } }, 1,
               "/tmp is a directory; ucp copies files");
    check_says(&(struct run){ .arguments = { source, "/tmp" } }, 1,
               "/tmp is a directory; name the file");
    check_says(&(struct run){ .arguments = { source, source } }, 1, "the same file");
    struct stat info;
    assert_int_equal(stat(source, &info), 0);
    assert_int_equal(info.st_size, 100); /* and it was not emptied */
}

static void an_unreadable_file(void **state)
{
    (void)state;
    names("secret", "target");
    make_file(source, 100, 10);
    assert_int_equal(chmod(source, 0), 0);
    struct run run = { .arguments = { source, target },
                       .ordinary_user = geteuid() == 0 };
    /* root's private folder already keeps others out; either way it is one sentence */
    check_says(&run, 1, "cannot read");
    assert_non_null(strstr(said, "Permission denied"));
}

static void a_full_disk(void **state)
{
    (void)state;
    names("source", "limited");
    make_file(source, 100000, 10);
    check_says(&(struct run){ .arguments = { source, "/dev/full" } }, 1,
               "cannot write /dev/full: No space left");
    check_says(
        &(struct run){ .arguments = { "-b4K", source, target }, .size_limit = 50000 },
        1, "File too large; it is incomplete");
}

static void C14_refused_io_uring_is_said_and_the_copy_is_made(void **state)
{
    (void)state;
    static const int errors[] = { EPERM, ENOSYS, ENOMEM };
    names("source", "fallback");
    make_file(source, 1234567, 64);
    for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
        check_says(
            &(struct run){ .arguments = { source, target }, .forbidden = errors[i] }, 0,
            "Copying with read and write instead");
        assert_non_null(strstr(said, "io_uring is refused"));
        check_same(source, target);
        unlink(target);
    }
    struct run run = { .arguments = { source, target },
                       .forbidden = EPERM,
                       .enter_only = true };
    check_says(&run, 0, "Copying with read and write instead");
    check_same(source, target);
    run = (struct run){ .arguments = { "-p", source, target }, .forbidden = EPERM };
    assert_int_equal(ucp(&run), 0);
    assert_string_equal(said, ""); /* who asked for the loop is told nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file),
        cmocka_unit_test(odd_sizes),
        cmocka_unit_test(a_large_file),
        cmocka_unit_test(the_mode_is_taken_along),
        cmocka_unit_test(what_has_no_offsets_is_copied_by_the_loop),
        cmocka_unit_test(bad_arguments_exit_with_2),
        cmocka_unit_test(files_that_cannot_be_used_exit_with_1),
        cmocka_unit_test(an_unreadable_file),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(C14_refused_io_uring_is_said_and_the_copy_is_made),
    };
    return cmocka_run_group_tests_name("ucp", tests, NULL, NULL);
}
