/* main: the command line, the first callback, the result line.
 *
 * What it does not offer, and why: everything that needs a task (see peer.h), `jitter`
 * (there is no waker between a timer and its callback: the loop calls it at once), and
 * the demos (nothing to panic, to join or to drop). */
#include "lesson08_compare/peers/libuv/peer.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "lesson08_compare/json.h"
#include "lesson08_compare/workload.h"

#define STATUS_USAGE 2
#define STATUS_NOT_OFFERED 3
#define MANY UINT64_C(1000000000000)

static const struct workload {
    const char *name;
    uint64_t n; /* the default */
    void (*start)(struct run *run);
    bool serves; /* no result line; ends by a signal */
} workloads[] = {
    { "timers", 1000000, start_timers, false },
    { "timer-churn", 1000000, start_timer_churn, false },
    { "wake", 20000, start_wake, false },
    { "startup", 1, start_startup, false },
    { "read", 100000, start_read, false },
    { "hog", 2000, start_hog, false },
    { "echo", 0, start_echo, true },
    { "http", 0, start_http, true },
};
#define WORKLOADS (sizeof workloads / sizeof workloads[0])

uint64_t peer_mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

uint64_t peer_clock(clockid_t which)
{
    struct timespec now = { 0 };
    clock_gettime(which, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t nanoseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_usec * 1000;
}

struct times peer_times(void)
{
    struct rusage usage = { 0 };
    getrusage(RUSAGE_SELF, &usage);
    return (struct times){ peer_clock(CLOCK_MONOTONIC),
                           peer_clock(CLOCK_PROCESS_CPUTIME_ID),
                           nanoseconds(usage.ru_utime), nanoseconds(usage.ru_stime) };
}

void peer_done(struct run *run)
{
    struct times now = peer_times();
    run->took =
        (struct times){ now.wall - run->started.wall, now.cpu - run->started.cpu,
                        now.user - run->started.user, now.sys - run->started.sys };
    uv_stop(run->loop);
}

void peer_fail(struct run *run, const char *what, int err)
{
    fprintf(stderr, "peer_libuv: %s: %s (%s)\n", what, uv_strerror(err),
            uv_err_name(err));
    run->status = EXIT_FAILURE;
    uv_stop(run->loop);
}

void *peer_alloc(size_t n, size_t size)
{
    void *memory = calloc(n, size);
    if (!memory) {
        fprintf(stderr, "peer_libuv: no memory for %zu times %zu bytes\n", n, size);
        exit(EXIT_FAILURE);
    }
    return memory;
}

void start_startup(struct run *run)
{
    uint64_t since = run->options->since;
    run->ops = run->check = 1;
    peer_done(run);
    /* Both count from the start of the process, not of the first callback. */
    run->took.wall = since ? run->started.wall - since : 0;
    run->took.cpu = run->started.cpu;
    run->took.user = run->started.user;
    run->took.sys = run->started.sys;
}

/* ---- the command line ---- */

static bool number(const char *name, const char *text, uint64_t low, uint64_t high,
                   uint64_t *value)
{
    if (workload_parse_number(text, low, high, value))
        return true;
    fprintf(stderr, "peer_libuv: --%s takes a number from %llu to %llu, not '%s'\n",
            name, (unsigned long long)low, (unsigned long long)high, text);
    return false;
}

enum {
    LIST,
    VERSION,
    MODE,
    WORKLOAD,
    DEMO,
    WORKERS,
    N,
    THREADS,
    DEPTH,
    FILE_NAME,
    DIRECT,
    SINCE,
    PORT,
    STATS
};

static const struct option known[] = {
    { "list", no_argument, NULL, LIST },
    { "version", no_argument, NULL, VERSION },
    { "mode", required_argument, NULL, MODE },
    { "workload", required_argument, NULL, WORKLOAD },
    { "demo", required_argument, NULL, DEMO },
    { "workers", required_argument, NULL, WORKERS },
    { "n", required_argument, NULL, N },
    { "threads", required_argument, NULL, THREADS },
    { "depth", required_argument, NULL, DEPTH },
    { "file", required_argument, NULL, FILE_NAME },
    { "direct", no_argument, NULL, DIRECT },
    { "since", required_argument, NULL, SINCE },
    { "port", required_argument, NULL, PORT },
    { "stats", no_argument, NULL, STATS },
    { NULL, 0, NULL, 0 },
};

static bool take_number(int option, struct options *o)
{
    switch (option) {
    case WORKERS:
        return number("workers", optarg, 1, 4096, &o->workers);
    case N:
        return number("n", optarg, 1, MANY, &o->n);
    case THREADS:
        return number("threads", optarg, 1, 4096, &o->threads);
    case DEPTH:
        return number("depth", optarg, 1, 65536, &o->depth);
    case SINCE:
        return number("since", optarg, 0, UINT64_MAX, &o->since);
    default:
        return number("port", optarg, 0, 65535, &o->port);
    }
}

static bool take_option(int option, struct options *o)
{
    switch (option) {
    case LIST:
        return o->list = true;
    case VERSION:
        return o->version = true;
    case MODE:
        o->mode = optarg;
        return true;
    case WORKLOAD:
        o->workload = optarg;
        return true;
    case DEMO:
        o->demo = optarg;
        return true;
    case FILE_NAME:
        o->file = optarg;
        return true;
    case DIRECT:
        return o->direct = true;
    case STATS:
        return o->stats = true;
    default:
        return take_number(option, o);
    }
}

static bool parse(int argc, char **argv, struct options *o)
{
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (option == '?' || !take_option(option, o))
            return false; /* getopt_long or take_option has said why */
    if (optind < argc)
        fprintf(stderr, "peer_libuv: unexpected argument '%s'\n", argv[optind]);
    else if (!o->list && !o->version && !(o->mode && (o->workload || o->demo)))
        fprintf(stderr, "peer_libuv: say --list, --version, or --mode loop with"
                        " --workload NAME\n");
    else
        return true;
    return false;
}

/* What is asked for, or NULL after a sentence. */
static const struct workload *find(const struct options *o)
{
    if (o->demo)
        fprintf(stderr, "peer_libuv: there are no demos: libuv has no tasks\n");
    else if (strcmp(o->mode, "loop") != 0)
        fprintf(stderr, "peer_libuv: there is no mode %s, only loop\n", o->mode);
    else if (o->workers != 1)
        fprintf(stderr, "peer_libuv: a loop is one thread, --workers 1\n");
    else {
        for (size_t i = 0; i < WORKLOADS; i++)
            if (strcmp(workloads[i].name, o->workload) == 0)
                return &workloads[i];
        fprintf(stderr, "peer_libuv: mode loop does not offer %s\n", o->workload);
    }
    return NULL;
}

/* ---- the run ---- */

static void print_result(const struct run *run)
{
    struct json json;
    json_begin(&json, stdout);
    json_text(&json, "runtime", "libuv");
    json_text(&json, "version", uv_version_string());
    json_text(&json, "mode", run->options->mode);
    json_text(&json, "workload", run->options->workload);
    json_count(&json, "workers", run->options->workers);
    json_count(&json, "n", run->n);
    json_count(&json, "ops", run->ops);
    json_count(&json, "check", run->check);
    json_count(&json, "wall_ns", run->took.wall);
    json_count(&json, "cpu_ns", run->took.cpu);
    json_count(&json, "user_ns", run->took.user);
    json_count(&json, "sys_ns", run->took.sys);
    if (run->latencies) {
        json_count(&json, "p50_ns", histogram_percentile(run->latencies, 0.50));
        json_count(&json, "p99_ns", histogram_percentile(run->latencies, 0.99));
    }
    if (run->with_max)
        json_count(&json, "max_ns", histogram_percentile(run->latencies, 1));
    json_end(&json);
}

struct first {
    uv_idle_t idle; /* must be first: the callback gets its address */
    struct run *run;
    const struct workload *workload;
};

/* An idle handle is what a loop calls in its very first round. */
static void first_callback(uv_idle_t *idle)
{
    struct first *first = (struct first *)idle;
    first->run->started = peer_times();
    uv_idle_stop(idle);
    first->workload->start(first->run);
}

static int run_workload(const struct options *o, const struct workload *workload)
{
    struct run run = { .options = o, .n = o->n ? o->n : workload->n };
    struct first first = { .run = &run, .workload = workload };
    uv_loop_t loop;
    int err = uv_loop_init(&loop);
    if (err < 0) {
        fprintf(stderr, "peer_libuv: no loop: %s\n", uv_strerror(err));
        return EXIT_FAILURE;
    }
    run.loop = &loop;
    uv_idle_init(&loop, &first.idle);
    uv_idle_start(&first.idle, first_callback);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (run.status == EXIT_SUCCESS && !workload->serves)
        print_result(&run);
    free(run.latencies);
    /* The handles end with the process: closing a million would measure nothing. */
    return run.status;
}

int main(int argc, char **argv)
{
    struct options options = { .workers = 1, .threads = 1, .depth = 64 };
    if (!parse(argc, argv, &options))
        return STATUS_USAGE;
    if (options.list) {
        for (size_t i = 0; i < WORKLOADS; i++)
            printf("loop %s\n", workloads[i].name);
        return EXIT_SUCCESS;
    }
    if (options.version) {
        printf("libuv %s\n", uv_version_string());
        return EXIT_SUCCESS;
    }
    const struct workload *workload = find(&options);
    return workload ? run_workload(&options, workload) : STATUS_NOT_OFFERED;
}
