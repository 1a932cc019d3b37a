/* testing: helpers behind testing.h. */
#include "common/testing/testing.h"

#include <dirent.h>
#include <ftw.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/memcheck.h"

bool testing_instrumented(void)
{
#if defined(MEMCHECK_ASAN) || defined(MEMCHECK_TSAN)
    return true;
#elif defined(RUNNING_ON_VALGRIND)
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

uint64_t testing_deadline(void)
{
    return clock_now() + TEST_PATIENCE_S * NS_PER_S;
}

bool testing_expired(uint64_t deadline)
{
    return clock_now() > deadline;
}

void testing_pause(void)
{
    /* One core may be all there is: give it away for a moment. */
    struct timespec moment = { .tv_nsec = 50000 };
    nanosleep(&moment, NULL);
}

static size_t drain_until_exit(int fd, char *output, size_t size)
{
    char spare[512];
    size_t kept = 0;
    uint64_t give_up = testing_deadline();
    for (;;) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        int n = poll(&ready, 1, 1000);
        if (n < 0 && errno != EINTR)
            break;
        if (n <= 0) {
            if (testing_expired(give_up))
                break;
            continue;
        }
        ssize_t got = read(fd, spare, sizeof spare);
        if (got <= 0)
            break;
        size_t room = size ? size - 1 - kept : 0;
        size_t take = (size_t)got < room ? (size_t)got : room;
        if (output && take)
            memcpy(output + kept, spare, take);
        kept += take;
    }
    return kept;
}

int run_in_child(void (*body)(void *argument), void *argument, char *output,
                 size_t size)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        /* cmocka's handlers would turn a death into a failed test of the child's. */
        for (int sig = 1; sig < 32; sig++)
            if (sig != SIGKILL && sig != SIGSTOP)
                signal(sig, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        /* A body may run tests of its own; their report is for a reader of text. */
        unsetenv("CMOCKA_MESSAGE_OUTPUT");
        cmocka_set_message_output(CM_OUTPUT_STDOUT);
        body(argument);
        fflush(NULL);
        _exit(0);
    }
    close(ends[1]);
    size_t kept = drain_until_exit(ends[0], output, size);
    if (output && size)
        output[kept] = '\0';
    close(ends[0]);
    int status = 0;
    uint64_t give_up = testing_deadline();
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (testing_expired(give_up)) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            break;
        }
        testing_pause();
    }
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

void assert_dies(void (*body)(void *argument), void *argument, const char *sentence)
{
    static char output[8192];
    int status = run_in_child(body, argument, output, sizeof output);
    /* A sanitizer turns SIGABRT into an exit status of its own. */
    if (status != -SIGABRT && !(testing_instrumented() && status != 0))
        fail_msg("expected the child to abort with \"%s\", got status %d and: %s",
                 sentence, status, output);
    if (!strstr(output, sentence))
        fail_msg("the child died, but not with \"%s\"; it said: %s", sentence, output);
}

int open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    int count = -1; /* the directory's own descriptor */
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2; /* . and .. */
}

void testing_say_skip(const char *test, const char *format, ...)
{
    char why[256];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    fprintf(stderr, "skipped %s: %s\n", test, why);
}

static char folder[64];

static int remove_entry(const char *path, const struct stat *info, int type,
                        struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static pid_t folder_owner;

static void remove_folder(void)
{
    if (folder_owner == getpid()) /* not in a forked child that called exit() */
        nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *testing_path(const char *name)
{
    static char path[256];
    if (!folder[0]) {
        snprintf(folder, sizeof folder, "/tmp/course-test-XXXXXX");
        if (!mkdtemp(folder))
            fail_msg("cannot make a temporary folder: %s", strerror(errno));
        folder_owner = getpid();
        atexit(remove_folder);
    }
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}
