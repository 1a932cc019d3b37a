/* work and limits: whatever they offer ends with the right check, and whatever is wrong
 * has the status that the page says.
 *
 * A run is a forked child and not an exec, so that valgrind and the sanitizers see it,
 * too. The checks are computed here a second time, from the page. */
#include "common/testing/testing.h"

#include <inttypes.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/memcheck.h"
#include "common/testing/forbid.h"
#include "lesson03_iouring/ring_testing.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/limits.h"
#include "lesson08_compare/work_runtime.h"

#define BLOCKS 37
#define WORDS_MAX 24

/* ---- a run in a child */

struct run {
    pid_t pid;
    FILE *out, *err; /* own */
    int status;      /* exit status, or -signal */
    char said[8192]; /* its stdout */
    char told[8192]; /* its stderr */
};

static struct run last;

_Noreturn static void become(const struct work_program *program, const char *line,
                             void (*prepare)(void))
{
    char words[512], *argv[WORDS_MAX] = { words }, *rest = words;
    int argc = 0;
    snprintf(words, sizeof words, "%s %s", program->name, line);
    while (argc < WORDS_MAX && (argv[argc] = strtok_r(rest, " ", &rest)))
        argc++;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (prepare)
        prepare();
    int status = work_main(program, argc, argv);
    fflush(NULL);
    _exit(status);
}

static void start(struct run *run, const struct work_program *program, const char *line,
                  void (*prepare)(void))
{
    *run = (struct run){ .out = tmpfile(), .err = tmpfile() };
    assert_true(run->out && run->err);
    fflush(NULL);
    run->pid = fork();
    assert_true(run->pid >= 0);
    if (run->pid == 0) {
        for (int sig = 1; sig < 32; sig++)
            if (sig != SIGKILL && sig != SIGSTOP)
                signal(sig, SIG_DFL);
        dup2(fileno(run->out), STDOUT_FILENO);
        dup2(fileno(run->err), STDERR_FILENO);
        become(program, line, prepare);
    }
}

static void hear(FILE *file, char *text, size_t size)
{
    rewind(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void finish(struct run *run)
{
    uint64_t give_up = testing_deadline();
    int status = 0;
    while (waitpid(run->pid, &status, WNOHANG) == 0) {
        if (testing_expired(give_up))
            kill(run->pid, SIGKILL);
        testing_pause();
    }
    run->status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    hear(run->out, run->said, sizeof run->said);
    hear(run->err, run->told, sizeof run->told);
}

static void try(const struct work_program *program, const char *line)
{
    start(&last, program, line, NULL);
    finish(&last);
}

static int lines_of(const char *text)
{
    int lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

/* ---- the page's numbers, once more */

static uint64_t mixed(uint64_t x)
{
    uint64_t z = x + 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static uint64_t same(uint64_t n)
{
    return n;
}

static uint64_t one(uint64_t n)
{
    (void)n;
    return 1;
}

static uint64_t times_200(uint64_t n)
{
    return 200 * n;
}

static uint64_t times_64(uint64_t n)
{
    return 64 * n;
}

static uint64_t below(uint64_t n)
{
    return n * (n - 1) / 2;
}

static uint64_t up_to(uint64_t n)
{
    return n * (n + 1) / 2;
}

static uint64_t fibonacci(uint64_t n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static uint64_t fibonacci_spawns(uint64_t n)
{
    return n < 2 ? 0 : 1 + fibonacci_spawns(n - 1) + fibonacci_spawns(n - 2);
}

static uint64_t nodes_of_ten(uint64_t n)
{
    return n == 1 ? 1 : 1 + 10 * nodes_of_ten(n / 10);
}

static uint64_t nodes_below(uint64_t id, uint64_t children)
{
    uint64_t nodes = 1;
    for (uint64_t k = 0; k < children; k++) {
        uint64_t child = mixed(id + k + 1);
        nodes += nodes_below(child, mixed(child) % 1000 < 124 ? 8 : 0);
    }
    return nodes;
}

static uint64_t tree_nodes(uint64_t n)
{
    return nodes_below(0, n);
}

static uint64_t numbers_read(uint64_t n)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += mixed(i) % BLOCKS;
    return sum;
}

/* Every workload of the page that is no server; small, for valgrind. */
static const struct expected {
    const char *workload;
    uint64_t n;
    const char *options;
    uint64_t (*check)(uint64_t n);
    uint64_t (*ops)(uint64_t n);
    const char *extras; /* fields that must be there, too */
} expectations[] = {
    { "spawn", 700, "", below, same, "" },
    { "spawn-idle", 300, "", same, same, "" },
    { "spawn-busy", 300, "", same, same, "" },
    { "remote-spawn", 301, "--threads 3", same, same, "" },
    { "yield", 20, "", times_200, times_200, "" },
    { "ping-pong", 1000, "", same, same, "" },
    { "round-trip", 300, "", up_to, same, "" },
    { "chain", 2000, "", same, same, "" },
    { "mpsc", 5000, "", below, same, "" },
    { "mpsc-contended", 2000, "", below, same, "" },
    { "fib", 11, "", fibonacci, fibonacci_spawns, "" },
    { "skynet", 100, "", below, nodes_of_ten, "" },
    { "tree", 20, "", tree_nodes, tree_nodes, "" },
    { "timer-churn", 1000, "", same, same, "" },
    { "parked", 500, "", same, same, "bytes" },
    { "wake", 100, "", same, same, "p50_ns p99_ns" },
    { "jitter", 3, "", times_64, times_64,
      "p50_ns p99_ns where_woken_count where_woken_p50_ns where_woken_p99_ns "
      "moved_count moved_p50_ns moved_p99_ns" },
    { "read", 100, "--depth 7 --file %s", numbers_read, same, "" },
    { "hog", 3, "--file %s", numbers_read, same, "p50_ns p99_ns max_ns" },
    { "startup", 1, "--since 1", one, one, "" },
    { "timers", 5, "", same, same, "" },
};

static const char *blocks_file(void)
{
    static char path[512];
    unsigned char block[WORK_BLOCK] = { 0 };
    if (path[0])
        return path;
    snprintf(path, sizeof path, "%s", testing_path("blocks"));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (unsigned char k = 0; k < BLOCKS; k++) {
        block[0] = k;
        assert_int_equal(fwrite(block, sizeof block, 1, file), 1);
    }
    assert_int_equal(fclose(file), 0);
    return path;
}

static const char *line_for(const char *mode, const struct expected *expected,
                            unsigned workers)
{
    static char line[1024];
    int n =
        snprintf(line, sizeof line, "--mode %s --workload %s --workers %u --n %llu ",
                 mode, expected->workload, workers, (unsigned long long)expected->n);
    const char *file = strstr(expected->options, "%s");
    size_t before =
        file ? (size_t)(file - expected->options) : strlen(expected->options);
    snprintf(line + n, sizeof line - (size_t)n, "%.*s%s", (int)before,
             expected->options, file ? blocks_file() : "");
    return line;
}

/* ---- what a result must be */

static void has(const char *line, const char *key, uint64_t value)
{
    double got = -1;
    assert_true(json_get(line, key, &got));
    if (got != (double)value)
        fail_msg("%s is %.0f, not %" PRIu64 ", in %s", key, got, value, line);
}

static void judge(const struct run *run, const char *mode,
                  const struct expected *expected)
{
    static const char *const clocks[] = { "wall_ns", "cpu_ns", "user_ns", "sys_ns" };
    char named[128], extras[256], *rest = extras, *extra;
    double value;
    if (run->status != 0)
        fail_msg("%s %s: status %d, and said: %s", mode, expected->workload,
                 run->status, run->told);
    assert_string_equal(run->told, "");
    assert_int_equal(lines_of(run->said), 1);
    snprintf(named, sizeof named,
             "\"mode\":\"%s\",\"workload\":\"%s\",\"workers\":", mode,
             expected->workload);
    assert_non_null(strstr(run->said, named));
    has(run->said, "n", expected->n);
    has(run->said, "ops", expected->ops(expected->n));
    has(run->said, "check", expected->check(expected->n));
    for (size_t i = 0; i < ARRAY_SIZE(clocks); i++)
        assert_true(json_get(run->said, clocks[i], &value));
    snprintf(extras, sizeof extras, "%s", expected->extras);
    while ((extra = strtok_r(rest, " ", &rest)))
        assert_true(json_get(run->said, extra, &value));
}

static bool offers(const struct work_program *program, unsigned mode,
                   const char *workload)
{
    for (size_t i = 0; i < program->offer_count; i++)
        if (program->offers[i].n && program->offers[i].modes & 1u << mode &&
            strcmp(program->offers[i].name, workload) == 0)
            return true;
    return false;
}

static bool is_sleepy(const struct expected *expected)
{
    return strcmp(expected->workload, "timers") == 0;
}

static void every_workload_of(const struct work_program *program, const char *mode,
                              unsigned index, unsigned workers)
{
    for (size_t i = 0; i < ARRAY_SIZE(expectations); i++) {
        const struct expected *expected = &expectations[i];
        if (is_sleepy(expected) || !offers(program, index, expected->workload))
            continue;
        try(program, line_for(mode, expected, workers));
        judge(&last, mode, expected);
    }
}

static bool is_uring(const char *mode)
{
    return strstr(mode, "uring") || strcmp(mode, "msgring") == 0;
}

/* ---- the tests of modes: their state is the mode, or its index */

#define WITH_STATE(name, test, state)                                                  \
    {                                                                                  \
        name, test, NULL, NULL, (void *)(uintptr_t)(state)                             \
    }

static void work_does_the_right_work(void **state)
{
    unsigned index = (unsigned)(uintptr_t)*state;
    const char *mode = work_modes[index];
    if (is_uring(mode))
        needs_io_uring();
    every_workload_of(&work_program, mode, index, 1);
    if (strncmp(mode, "current", 7) != 0)
        every_workload_of(&work_program, mode, index, 2);
}

static bool under_valgrind(void)
{
#if defined(RUNNING_ON_VALGRIND)
    return RUNNING_ON_VALGRIND != 0;
#else
    return false;
#endif
}

static void limits_do_the_right_work(void **state)
{
    unsigned index = (unsigned)(uintptr_t)*state;
    const char *mode = limits_program.modes[index];
    if (is_uring(mode))
        needs_io_uring();
    if (strcmp(mode, "msgring") == 0 && under_valgrind())
        skip_because(
            "valgrind does not know that io_uring_enter may sleep, and lets no "
            "other thread run meanwhile");
    every_workload_of(&limits_program, mode, index, 1);
}

/* All at once: they sleep up to three seconds. The state is the driver. */
static void timers_all_come(void **state)
{
    static struct run runs[3];
    const struct expected *timers = &expectations[ARRAY_SIZE(expectations) - 1];
    unsigned first = is_uring(*state) ? 3 : 0;
    if (is_uring(*state))
        needs_io_uring();
    for (unsigned i = 0; i < 3; i++)
        start(&runs[i], &work_program, line_for(work_modes[first + i], timers, 1),
              NULL);
    try(&limits_program, line_for("array", timers, 1));
    for (unsigned i = 0; i < 3; i++)
        finish(&runs[i]);
    for (unsigned i = 0; i < 3; i++)
        judge(&runs[i], work_modes[first + i], timers);
    judge(&last, "array", timers);
}

static void direct_reads(void **state)
{
    const char *mode = *state;
    const struct work_program *program =
        strchr(mode, '/') ? &work_program : &limits_program;
    char line[1024];
    if (is_uring(mode))
        needs_io_uring();
    snprintf(line, sizeof line,
             "--mode %s --workload read --n 50 --depth 4 --direct --file %s", mode,
             blocks_file());
    try(program, line);
    if (last.status == 1 && strstr(last.told, "EINVAL"))
        skip_because("the file system of /tmp has no O_DIRECT");
    assert_int_equal(last.status, 0);
    has(last.said, "check", numbers_read(50));
}

/* ---- the page's other ways to end */

static void everything_that_is_offered_is_listed_and_tested(void **state)
{
    (void)state;
    try(&work_program, "--list");
    assert_int_equal(last.status, 0);
    /* All in all cells, but wake, which is for two. */
    assert_int_equal(lines_of(last.said), (int)ARRAY_SIZE(expectations) * 6 - 4);
    assert_non_null(strstr(last.said, "core/uring mpsc-contended\n"));
    assert_null(strstr(last.said, "panic"));
    for (size_t i = 0; i < work_program.offer_count; i++) {
        const struct work_offer *offer = &work_program.offers[i];
        bool tested = offer->n == 0; /* demos have their own */
        for (size_t k = 0; k < ARRAY_SIZE(expectations); k++)
            tested |= strcmp(offer->name, expectations[k].workload) == 0;
        assert_true(tested);
    }
    try(&limits_program, "--list");
    assert_int_equal(lines_of(last.said), (int)limits_program.offer_count);
    try(&work_program, "--version");
    assert_int_equal(last.status, 0);
    assert_string_equal(last.said, "ours course\n");
}

static void ends_with(const struct work_program *program, const char *line, int status)
{
    try(program, line);
    if (last.status != status)
        fail_msg("%s: status %d, not %d: %s", line, last.status, status, last.told);
    assert_string_equal(last.said, "");
    assert_int_equal(lines_of(last.told), 1);
}

static void a_word_that_is_wrong_is_status_2(void **state)
{
    static const char *const lines[] = {
        "",
        "--mode steal/epoll",
        "--workload spawn",
        "--demo panic",
        "--mode steal/epoll --workload spawn --demo panic",
        "--mode steal/epoll --workload spwan",
        "--mode steal/epoll --demo spawn",
        "--mode steal --workload spawn",
        "--mode steal/epoll --workload spawn --n",
        "--mode steal/epoll --workload spawn --n 0",
        "--mode steal/epoll --workload spawn --n -1",
        "--mode steal/epoll --workload spawn --n ten",
        "--mode steal/epoll --workload spawn --workers 0",
        "--mode steal/epoll --workload spawn --threads 0",
        "--mode steal/epoll --workload spawn --depth 0",
        "--mode steal/epoll --workload spawn --port 65536",
        "--mode steal/epoll --workload spawn --since noon",
        "--mode steal/epoll --workload spawn --nonsense",
        "--mode steal/epoll --workload spawn nonsense",
        "--mode steal/epoll --workload read",
        "--mode steal/epoll --workload startup",
        "--mode steal/epoll --workload chain --n 1500",
        "--mode steal/epoll --workload skynet --n 20",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        ends_with(&work_program, lines[i], 2);
}

static void a_pair_that_is_not_offered_is_status_3(void **state)
{
    (void)state;
    ends_with(&work_program, "--mode steal/epoll --workload wake", 3);
    ends_with(&work_program, "--mode current/epoll --workload spawn --workers 2", 3);
    ends_with(&work_program, "--mode steal/epoll --workload spawn --workers 49", 3);
    ends_with(&work_program, "--mode steal/epoll --workload echo --port 0 --stats", 3);
    ends_with(&limits_program, "--mode threads --workload timers", 3);
    ends_with(&limits_program, "--mode call --demo panic", 3);
}

static void refuse_io_uring(void)
{
    if (forbid_io_uring(EPERM) < 0)
        _exit(77);
}

static void what_fails_is_status_1(void **state)
{
    char line[1024];
    (void)state;
    ends_with(&work_program, "--mode core/epoll --workload read --file /no/such", 1);
    assert_non_null(strstr(last.told, "ENOENT"));
    ends_with(&limits_program, "--mode pread --workload read --file /dev/null", 1);
    snprintf(line, sizeof line, "--mode core/uring --workload read --file %s --n 10",
             blocks_file());
    start(&last, &work_program, line, refuse_io_uring);
    finish(&last);
    if (last.status == 77)
        skip_because("no seccomp filter can be set here");
    assert_int_equal(last.status, 1); /* and did not fall back to epoll */
    assert_string_equal(last.said, "");
    assert_int_equal(lines_of(last.told), 1);
}

/* ---- demos */

static void a_demo_says(const char *mode, const char *demo, const char *fact)
{
    char line[128];
    snprintf(line, sizeof line, "--mode %s --demo %s", mode, demo);
    try(&work_program, line);
    assert_int_equal(last.status, 0);
    assert_in_range(lines_of(last.said), 1, 10);
    if (!strstr(last.said, fact))
        fail_msg("%s %s does not say \"%s\" but: %s", mode, demo, fact, last.said);
}

static void demos_show_what_they_should(void **state)
{
    const char *mode = work_modes[(uintptr_t)*state];
    if (is_uring(mode))
        needs_io_uring();
    a_demo_says(mode, "panic", "panicked: \"the answer is not 42\"\n");
    a_demo_says(mode, "panic", "a task that was asleep at the time: returned\n");
    a_demo_says(mode, "cancel", "who joins it sees: cancelled");
    a_demo_says(mode, "drop", "it went on\n");
    a_demo_says(mode, "mix", "came out in the first: 42\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STATE("work in current/epoll", work_does_the_right_work, 0),
        WITH_STATE("work in steal/epoll", work_does_the_right_work, 1),
        WITH_STATE("work in core/epoll", work_does_the_right_work, 2),
        WITH_STATE("work in current/uring", work_does_the_right_work, 3),
        WITH_STATE("work in steal/uring", work_does_the_right_work, 4),
        WITH_STATE("work in core/uring", work_does_the_right_work, 5),
        WITH_STATE("limits: threads", limits_do_the_right_work, 0),
        WITH_STATE("limits: spin", limits_do_the_right_work, 1),
        WITH_STATE("limits: pread", limits_do_the_right_work, 2),
        WITH_STATE("limits: uring", limits_do_the_right_work, 3),
        WITH_STATE("limits: msgring", limits_do_the_right_work, 5),
        WITH_STATE("limits: call", limits_do_the_right_work, 6),
        WITH_STATE("timers come on epoll", timers_all_come, "epoll"),
        WITH_STATE("timers come on uring", timers_all_come, "uring"),
        WITH_STATE("direct reads in core/epoll", direct_reads, "core/epoll"),
        WITH_STATE("direct reads in core/uring", direct_reads, "core/uring"),
        WITH_STATE("direct reads by pread", direct_reads, "pread"),
        WITH_STATE("direct reads by uring", direct_reads, "uring"),
        WITH_STATE("demos in current/epoll", demos_show_what_they_should, 0),
        WITH_STATE("demos in steal/epoll", demos_show_what_they_should, 1),
        WITH_STATE("demos in core/epoll", demos_show_what_they_should, 2),
        WITH_STATE("demos in current/uring", demos_show_what_they_should, 3),
        WITH_STATE("demos in steal/uring", demos_show_what_they_should, 4),
        WITH_STATE("demos in core/uring", demos_show_what_they_should, 5),
        cmocka_unit_test(everything_that_is_offered_is_listed_and_tested),
        cmocka_unit_test(a_word_that_is_wrong_is_status_2),
        cmocka_unit_test(a_pair_that_is_not_offered_is_status_3),
        cmocka_unit_test(what_fails_is_status_1),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
