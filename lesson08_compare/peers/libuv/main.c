/* main: the first callback, the clocks, the result line. */
#include "lesson08_compare/peers/libuv/peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "lesson08_compare/json.h"

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

/* ---- the run ---- */

static void print_result(const struct run *run)
{
    struct json json;
    json_begin(&json, stdout);
    json_text(&json, "runtime", "libuv");
    json_text(&json, "version", uv_version_string());
    json_text(&json, "mode", run->options->mode);
    json_text(&json, "workload", run->options->workload->name);
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
    if (first->run->n > 0)
        first->workload->start(first->run);
    else
        peer_done(first->run);
}

static int run_workload(const struct options *o)
{
    struct run run = { .options = o, .n = o->n };
    struct first first = { .run = &run, .workload = o->workload };
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
    if (run.status == EXIT_SUCCESS && !o->workload->serves)
        print_result(&run);
    free(run.latencies);
    /* The handles end with the process: closing a million would measure nothing. */
    return run.status;
}

int main(int argc, char **argv)
{
    struct options options;
    if (options_parse(&options, argc, argv))
        return run_workload(&options);
    return options.status;
}
