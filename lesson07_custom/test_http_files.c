/* Only regular files below the root are opened, by whichever way the path is walked.
 *
 * Each case runs twice: with openat2, and with the fallback that walks by itself. Beside
 * the served folder lies a secret; no test may ever read it. */
#include "common/testing/testing.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "lesson07_custom/http_files.h"
#include "lesson07_custom/http_target.h"

#define SECRET "the secret"
#define EACH_WALK(files)                                                               \
    for (int walk_ = 0; walk_ < 2; walk_++)                                            \
        for (bool once_ = begin_walk(&(files), walk_ == 1); once_;                     \
             once_ = end_walk(&(files)))

static char root[256];

/* Without openat2 there is no first pass; the first test says so. */
static bool begin_walk(struct http_files *files, bool walking)
{
    assert_int_equal(http_files_init(files, root), 0);
    bool run = walking || !files->walking;
    files->walking = walking;
    if (!run)
        http_files_finish(files);
    return run;
}

static bool end_walk(struct http_files *files)
{
    http_files_finish(files);
    return false;
}

static const char *in_root(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", root, name);
    return path;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_folder(const char *name)
{
    assert_int_equal(mkdir(in_root(name), 0755), 0);
}

static void link_to(const char *name, const char *target)
{
    assert_int_equal(symlink(target, in_root(name)), 0);
}

static void make_socket(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_true(strlen(path) < sizeof address.sun_path);
    strcpy(address.sun_path, path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
}

static int make_tree(void **state)
{
    (void)state;
    write_file(testing_path("secret"), SECRET);
    snprintf(root, sizeof root, "%s", testing_path("root"));
    assert_int_equal(mkdir(root, 0755), 0);
    make_folder("docs");
    make_folder("docs/deep");
    make_folder("bare");
    make_folder("weird");
    make_folder("weird/index.html");
    write_file(in_root("index.html"), "root index");
    write_file(in_root("a.txt"), "hello");
    write_file(in_root("empty"), "");
    write_file(in_root("docs/index.html"), "docs index");
    write_file(in_root("docs/deep/x.css"), "style");
    write_file(in_root("locked.txt"), "locked");
    assert_int_equal(chmod(in_root("locked.txt"), 0), 0);
    link_to("inside", "docs/deep/x.css");
    link_to("docs/up", "../a.txt");
    link_to("escape", "../secret");
    link_to("parent", "..");
    link_to("absolute", testing_path("secret"));
    link_to("etc", "/etc");
    link_to("loop", "loop");
    link_to("dangling", "nothing");
    assert_int_equal(mkfifo(in_root("pipe"), 0644), 0);
    make_socket(in_root("socket"));
    return 0;
}

/* The content of an opened file, at most 63 bytes; closes it. */
static const char *take_content(struct http_file *file)
{
    static char text[64];
    ssize_t size = read(file->fd, text, sizeof text - 1);
    assert_true(size >= 0);
    text[size] = '\0';
    close(file->fd);
    return text;
}

static void openat2_is_there(void **state)
{
    (void)state;
    struct http_files files;
    assert_int_equal(http_files_init(&files, root), 0);
    bool there = !files.walking;
    assert_int_equal(fcntl(files.root, F_GETFD), FD_CLOEXEC);
    http_files_finish(&files);
    assert_int_equal(files.root, -1);
    if (!there)
        skip_because("no openat2 here, so only the fallback is tested");
}

static void files_below_the_root_are_opened(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool folder;
        const char *content, *type;
    } cases[] = {
        { "a.txt", false, "hello", "text/plain; charset=utf-8" },
        { "empty", false, "", "application/octet-stream" },
        { "docs/deep/x.css", false, "style", "text/css; charset=utf-8" },
        { "", true, "root index", "text/html; charset=utf-8" },
        { "docs", true, "docs index", "text/html; charset=utf-8" },
    };
    int before = open_fds();
    struct http_files files;
    EACH_WALK(files)
    {
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            struct http_file file;
            assert_int_equal(
                http_files_open(&files, cases[i].path, cases[i].folder, &file), 0);
            assert_int_equal(file.size, strlen(cases[i].content));
            assert_string_equal(file.content_type, cases[i].type);
            assert_int_equal(fcntl(file.fd, F_GETFL) & O_NONBLOCK, 0);
            assert_int_equal(fcntl(file.fd, F_GETFD), FD_CLOEXEC);
            assert_string_equal(take_content(&file), cases[i].content);
        }
    }
    assert_int_equal(open_fds(), before);
}

static void all_else_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool folder;
        int err, walking_err;
    } cases[] = {
        { "nothing", false, -ENOENT, -ENOENT },
        { "docs/nothing", false, -ENOENT, -ENOENT },
        { "a.txt/x", false, -ENOTDIR, -ENOTDIR },
        { "a.txt", true, -ENOTDIR, -ENOTDIR },
        { "docs", false, -EISDIR, -EISDIR },
        { "", false, -EISDIR, -EISDIR },
        { "bare", true, -ENOENT, -ENOENT },
        { "weird", true, -EACCES, -EACCES },
        { "pipe", false, -EACCES, -EACCES },
        { "socket", false, -ENXIO, -ENXIO },
        /* links: out of the root, nowhere, round in circles */
        { "escape", false, -EXDEV, -ELOOP },
        { "absolute", false, -EXDEV, -ELOOP },
        { "parent/secret", false, -EXDEV, -ENOTDIR },
        { "etc/passwd", false, -EXDEV, -ENOTDIR },
        { "loop", false, -ELOOP, -ELOOP },
        { "dangling", false, -ENOENT, -ELOOP },
        /* what http_target would never let through */
        { "..", false, -EXDEV, -EXDEV },
        { "../secret", false, -EXDEV, -EXDEV },
        { "docs/../../secret", false, -EXDEV, -EXDEV },
        { "..", true, -EXDEV, -EXDEV },
        { "/etc/passwd", false, -EXDEV, -EXDEV },
    };
    int before = open_fds();
    struct http_files files;
    EACH_WALK(files)
    {
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            struct http_file file;
            int err = http_files_open(&files, cases[i].path, cases[i].folder, &file);
            int wanted = files.walking ? cases[i].walking_err : cases[i].err;
            if (err != wanted)
                fail_msg("%s (walking %d): %d, not %d", cases[i].path, files.walking,
                         err, wanted);
            assert_in_range(http_files_status(err), 301, 404);
        }
    }
    assert_int_equal(open_fds(), before);
}

/* The one difference between the two ways, on purpose: see http_files.h. */
static void links_that_stay_inside_work_with_openat2_only(void **state)
{
    (void)state;
    struct http_files files;
    EACH_WALK(files)
    {
        struct http_file file;
        int err = http_files_open(&files, "inside", false, &file);
        assert_int_equal(err, files.walking ? -ELOOP : 0);
        if (err == 0)
            assert_string_equal(take_content(&file), "style");
        err = http_files_open(&files, "docs/up", false, &file);
        assert_int_equal(err, files.walking ? -ELOOP : 0);
        if (err == 0)
            assert_string_equal(take_content(&file), "hello");
    }
}

static void magic_links_are_no_way_out(void **state)
{
    (void)state;
    for (int walking = 0; walking < 2; walking++) {
        struct http_files files;
        struct http_file file;
        assert_int_equal(http_files_init(&files, "/proc/self"), 0);
        files.walking = files.walking || walking;
        assert_int_equal(http_files_open(&files, "exe", false, &file), -ELOOP);
        assert_true(http_files_open(&files, "root/etc/passwd", false, &file) < 0);
        assert_true(http_files_open(&files, "cwd/Makefile", false, &file) < 0);
        http_files_finish(&files);
    }
}

static void long_names_are_refused(void **state)
{
    (void)state;
    static char path[5000];
    struct http_files files;
    EACH_WALK(files)
    {
        struct http_file file;
        for (size_t size = 250; size < sizeof path; size += 250) {
            memset(path, 'x', size);
            path[size] = '\0';
            assert_int_equal(http_files_open(&files, path, false, &file),
                             size < 256 ? -ENOENT : -ENAMETOOLONG);
        }
    }
    assert_int_equal(http_files_status(-ENAMETOOLONG), 414);
}

/* Exactly at the limits, where a buffer would be overrun by one. */
static void names_at_the_limits_overrun_nothing(void **state)
{
    (void)state;
    static char path[PATH_MAX + 10];
    struct http_files files;
    EACH_WALK(files)
    {
        struct http_file file;
        for (size_t size = NAME_MAX - 1; size < NAME_MAX + 4; size++) {
            memset(path, 'x', size);
            path[size] = '\0';
            assert_int_equal(http_files_open(&files, path, false, &file),
                             size <= NAME_MAX ? -ENOENT : -ENAMETOOLONG);
        }
        for (size_t size = PATH_MAX - 20; size < sizeof path; size++) {
            for (size_t i = 0; i < size; i++)
                path[i] = i % 2 ? '/' : 'x';
            path[size] = '\0';
            assert_true(http_files_open(&files, path, true, &file) < 0);
            assert_true(http_files_open(&files, path, false, &file) < 0);
        }
    }
}

static void open_locked(void *argument)
{
    struct http_file file;
    if (geteuid() == 0 && seteuid(65534) < 0)
        _exit(255);
    _exit(-http_files_open(argument, "locked.txt", false, &file));
}

static void an_unreadable_file_is_forbidden(void **state)
{
    (void)state;
    struct http_files files;
    EACH_WALK(files)
    {
        assert_int_equal(run_in_child(open_locked, &files, NULL, 0), EACCES);
    }
    assert_int_equal(http_files_status(-EACCES), 403);
}

static void a_deleted_file_is_gone_for_new_requests_only(void **state)
{
    (void)state;
    struct http_files files;
    EACH_WALK(files)
    {
        struct http_file file, again;
        write_file(in_root("brief"), "still here");
        assert_int_equal(http_files_open(&files, "brief", false, &file), 0);
        assert_int_equal(unlink(in_root("brief")), 0);
        assert_int_equal(http_files_open(&files, "brief", false, &again), -ENOENT);
        assert_string_equal(take_content(&file), "still here");
    }
}

/* From the raw target of a request to the status of its answer. */
static int ask(const struct http_files *files, const char *raw)
{
    char path[1024];
    bool folder;
    struct http_file file;
    struct http_slice slice = { raw, strlen(raw) };
    int err = http_target_path(slice, path, sizeof path, &folder);
    if (err < 0)
        return err == -EINVAL ? 400 : 414;
    err = http_files_open(files, path, folder, &file);
    if (err < 0)
        return http_files_status(err);
    bool leaked = strcmp(take_content(&file), SECRET) == 0;
    return leaked ? 999 : 200;
}

static void attacks_on_the_whole_way_fail(void **state)
{
    (void)state;
    static const struct {
        const char *raw;
        int status;
    } cases[] = {
        { "/a.txt", 200 },
        { "/docs/../a.txt", 200 },
        { "/%61.txt", 200 },
        { "/docs/", 200 },
        { "/docs", 301 },
        { "/../secret", 400 },
        { "/%2e%2e/secret", 400 },
        { "/docs/%2e%2e/%2e%2e/secret", 400 },
        { "/%252e%252e/secret", 404 },
        { "/..%2fsecret", 400 },
        { "/..%5csecret", 400 },
        { "/..\\secret", 400 },
        { "/%c0%ae%c0%ae/secret", 404 },
        { "/a.txt%00.html", 400 },
        { "//etc/passwd", 404 },
        { "/a.txt/", 404 },
        { "/escape", 404 },
        { "/parent/secret", 404 },
        { "/pipe", 403 },
    };
    struct http_files files;
    EACH_WALK(files)
    {
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            int status = ask(&files, cases[i].raw);
            if (status != cases[i].status)
                fail_msg("%s: %d, not %d", cases[i].raw, status, cases[i].status);
        }
    }
}

static void running_out_of_descriptors_leaks_none(void **state)
{
    (void)state;
    struct rlimit usual;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    int before = open_fds();
    struct http_files files;
    EACH_WALK(files)
    {
        struct http_file file = { .fd = -1 };
        unsigned failures = 0;
        int err = -EMFILE;
        for (rlim_t limit = 0; err == -EMFILE && limit < 1024; limit++) {
            struct rlimit tight = { .rlim_cur = limit, .rlim_max = usual.rlim_max };
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
            err = http_files_open(&files, "docs/deep/x.css", false, &file);
            assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
            failures += err == -EMFILE;
            assert_int_equal(open_fds(), before + 1 + (err == 0));
        }
        assert_int_equal(err, 0);
        assert_true(failures > 0);
        close(file.fd);
    }
    assert_int_equal(open_fds(), before);
    assert_int_equal(http_files_status(-EMFILE), 503);
}

static void the_root_must_be_a_folder(void **state)
{
    (void)state;
    struct http_files files;
    assert_int_equal(http_files_init(&files, in_root("nothing")), -ENOENT);
    http_files_finish(&files);
    assert_int_equal(http_files_init(&files, in_root("a.txt")), -ENOTDIR);
    http_files_finish(&files);
    http_files_finish(&files);
    http_files_finish(NULL);
}

static void refuse_openat2(int err)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        _exit(77);
}

static void serve_without_openat2(void *argument)
{
    struct http_files files;
    refuse_openat2(*(int *)argument);
    if (http_files_init(&files, root) < 0 || !files.walking)
        _exit(1);
    bool right = ask(&files, "/a.txt") == 200 && ask(&files, "/escape") == 404;
    http_files_finish(&files);
    _exit(right ? 0 : 2);
}

static void without_openat2_the_fallback_is_chosen(void **state)
{
    (void)state;
    int refusals[] = { ENOSYS, EPERM };
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        int status = run_in_child(serve_without_openat2, &refusals[i], NULL, 0);
        if (status == 77)
            skip_because("no seccomp filter can be set here");
        assert_int_equal(status, 0);
    }
}

static void open_while_the_tree_changes(void *argument)
{
    struct http_files files;
    struct http_file file;
    if (http_files_init(&files, root) < 0)
        _exit(1);
    if (files.walking)
        _exit(77);
    refuse_openat2(*(int *)argument);
    _exit(-http_files_open(&files, "a.txt", false, &file));
}

/* The kernel says EAGAIN when something is renamed in mid-walk. That is tried again, but
 * not for ever. */
static void retries_end(void **state)
{
    (void)state;
    int again[] = { EAGAIN, EINTR };
    for (size_t i = 0; i < ARRAY_SIZE(again); i++) {
        int status = run_in_child(open_while_the_tree_changes, &again[i], NULL, 0);
        if (status == 77)
            skip_because("no openat2, or no seccomp filter can be set here");
        assert_int_equal(status, again[i]);
        assert_int_equal(http_files_status(-again[i]), 503);
    }
}

struct swapper {
    char here[280], there[280];
    _Atomic bool stop;
    _Atomic unsigned swaps;
};

static void *swap_on(void *argument)
{
    struct swapper *swapper = argument;
    while (!atomic_load_explicit(&swapper->stop, memory_order_relaxed)) {
        if (renameat2(AT_FDCWD, swapper->here, AT_FDCWD, swapper->there,
                      RENAME_EXCHANGE) == 0)
            atomic_fetch_add_explicit(&swapper->swaps, 1, memory_order_relaxed);
    }
    return NULL;
}

/* A folder and a link to the outside change places all the time; both hold a file of the
 * same name. A server that looks first and opens afterwards loses this one. */
static void a_link_that_appears_in_mid_walk_is_no_way_out(void **state)
{
    (void)state;
    static struct swapper swapper;
    pthread_t thread;
    unsigned secret = 0;
    make_folder("flip");
    write_file(in_root("flip/secret"), "harmless");
    link_to("flop", "..");
    snprintf(swapper.here, sizeof swapper.here, "%s/flip", root);
    snprintf(swapper.there, sizeof swapper.there, "%s/flop", root);
    assert_int_equal(pthread_create(&thread, NULL, swap_on, &swapper), 0);
    WAIT_UNTIL(atomic_load_explicit(&swapper.swaps, memory_order_relaxed) > 0);
    struct http_files files;
    EACH_WALK(files)
    {
        for (int i = 0; i < 1000; i++) {
            secret += ask(&files, "/flip/secret") == 999;
        }
    }
    atomic_store_explicit(&swapper.stop, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    assert_int_equal(secret, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openat2_is_there),
        cmocka_unit_test(files_below_the_root_are_opened),
        cmocka_unit_test(all_else_is_refused),
        cmocka_unit_test(links_that_stay_inside_work_with_openat2_only),
        cmocka_unit_test(magic_links_are_no_way_out),
        cmocka_unit_test(long_names_are_refused),
        cmocka_unit_test(names_at_the_limits_overrun_nothing),
        cmocka_unit_test(an_unreadable_file_is_forbidden),
        cmocka_unit_test(a_deleted_file_is_gone_for_new_requests_only),
        cmocka_unit_test(attacks_on_the_whole_way_fail),
        cmocka_unit_test(running_out_of_descriptors_leaks_none),
        cmocka_unit_test(the_root_must_be_a_folder),
        cmocka_unit_test(without_openat2_the_fallback_is_chosen),
        cmocka_unit_test(retries_end),
        cmocka_unit_test(a_link_that_appears_in_mid_walk_is_no_way_out),
    };
    return cmocka_run_group_tests(tests, make_tree, NULL);
}
