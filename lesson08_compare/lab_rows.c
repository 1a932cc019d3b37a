/* lab_rows: in what they compete.
 *
 * Sizes: the full form takes those that WORKLOADS.md names. The short form takes sizes at
 * which a run lasts a fraction of a second, long enough for a CPU clock that counts in
 * nanoseconds and for /proc/stat, which counts in steps of 10 ms. Reads: 102,400 instead
 * of 100,000, so that every depth divides it and everybody reads the same blocks; with
 * O_DIRECT, where a read waits for the disk, a quarter of it, and one at a time a
 * sixteenth. Beside a hog a read takes milliseconds: 500 of them, not 2,000. Half of the
 * trips for `wake`, each of which may wait until an idle CPU is back. A run should last
 * half a second, and rounds tell more than length (lab_n knows who needs even less).
 *
 * CPUs: a program with one worker gets one CPU, and whatever threads it has besides share
 * it. Both CPUs are given to rows with two workers, and to those in which a thread from
 * outside hands work to a runtime, since the question there is what it costs to reach a
 * runtime that runs elsewhere. The titles say so. */
#include "lesson08_compare/lab.h"

#include <string.h>

#include "common/container.h"

#define ECHO(n, bytes) .proto = WORKLOAD_ECHO, .connections = (n), .size = (bytes)
#define HTTP(n) .proto = WORKLOAD_HTTP, .connections = (n)
#define OPEN(fraction, row) .of_peak = (fraction), .peak_of = (row)

#define WORK(group_, workload_, op_, short_, full_)                                    \
    .kind = LAB_PROGRAM, .group = (group_), .workload = (workload_), .op = (op_),      \
    .n_short = (short_), .n_full = (full_)
#define TASKS(workload_, op_, short_, full_)                                           \
    WORK("scheduler", workload_, op_, short_, full_)
#define COUNTED(n1, n2) .count_n1 = (n1), .count_n2 = (n2)
#define ONE .workers = 1
#define TWO .workers = 2, .both_cpus = true
#define OUTSIDE .workers = 1, .both_cpus = true
#define READ(depth_, short_, full_)                                                    \
    WORK("reads", "read", "read", short_, full_), ONE, .depth = (depth_),              \
                                                       .needs_file = true

/* clang-format off */
const struct lab_row lab_rows[] = {
    /* ---- servers */
    { "echo-1", "echo 64 B, 1 connection", ECHO(1, 64), .full_only = true },
    { "echo-64", "echo 64 B, 64 connections", ECHO(64, 64),
      COUNTED(5000, 15000) },
    { "echo-1000", "echo 64 B, 1000 connections", ECHO(1000, 64),
      COUNTED(10000, 30000), .full_only = true },
    { "echo-1k-1", "echo 1 KiB, 1 connection", ECHO(1, 1024), .full_only = true },
    { "echo-1k-64", "echo 1 KiB, 64 connections", ECHO(64, 1024), .full_only = true },
    { "echo-1k-1000", "echo 1 KiB, 1000 connections", ECHO(1000, 1024),
      .full_only = true },
    { "http-16", "HTTP /hello, 16 connections", HTTP(16), .full_only = true },
    { "http-64", "HTTP /hello, 64 connections", HTTP(64), .full_only = true,
      .own_load = true, COUNTED(5000, 15000) },
    { "http-256", "HTTP /hello, 256 connections", HTTP(256) },
    { "http-1024", "HTTP /hello, 1024 connections", HTTP(1024), .full_only = true },
    { "http-pipelined", "HTTP /hello, 64 connections, 16 requests at once", HTTP(64),
      .pipeline = 16, .full_only = true },
    { "echo-64-paced", "echo 64 B, bursts over 64 connections at 60 % of the peak",
      ECHO(64, 64), OPEN(0.6, "echo-64"), .burst = true, .has_limits = true },
    { "http-64-paced", "HTTP /hello, bursts over 64 connections at 60 % of the peak",
      HTTP(64), OPEN(0.6, "http-64"), .burst = true, .has_limits = true },
    { "open-50", "echo 64 B, 64 connections, open loop at 50 % of the peak",
      ECHO(64, 64), OPEN(0.5, "echo-64"), .full_only = true },
    { "open-80", "echo 64 B, 64 connections, open loop at 80 % of the peak",
      ECHO(64, 64), OPEN(0.8, "echo-64"), .full_only = true },

    /* ---- schedulers, one worker */
    { "spawn", "a root spawns n tasks and joins them",
      TASKS("spawn", "task", 300000, 1000000), ONE, COUNTED(2000, 4000) },
    { "spawn-idle", "a thread outside spawns n tasks, the worker idle (both CPUs)",
      TASKS("spawn-idle", "task", 10000, 10000), OUTSIDE, .full_only = true },
    { "spawn-busy", "the same, the worker busy (both CPUs)",
      TASKS("spawn-busy", "task", 10000, 10000), OUTSIDE, .full_only = true },
    { "remote-spawn-1", "1 thread outside spawns n tasks (both CPUs)", .threads = 1,
      TASKS("remote-spawn", "task", 80000, 80000), OUTSIDE, .full_only = true },
    { "remote-spawn-2", "2 threads outside spawn n tasks (both CPUs)", .threads = 2,
      TASKS("remote-spawn", "task", 80000, 80000), OUTSIDE, .full_only = true },
    { "remote-spawn-4", "4 threads outside spawn n tasks (both CPUs)", .threads = 4,
      TASKS("remote-spawn", "task", 80000, 80000), OUTSIDE, .full_only = true },
    { "remote-spawn-8", "8 threads outside spawn n tasks (both CPUs)", .threads = 8,
      TASKS("remote-spawn", "task", 80000, 80000), OUTSIDE, .full_only = true },
    { "yield", "200 tasks yield n times each", TASKS("yield", "yield", 1000, 1000), ONE,
      COUNTED(10, 20), .full_only = true },
    { "ping-pong", "a task, its partner and two oneshots",
      TASKS("ping-pong", "ping", 50000, 100000), ONE, COUNTED(1000, 2000) },
    { "round-trip", "two tasks, two channels of capacity 1",
      TASKS("round-trip", "trip", 300000, 1000000), ONE, COUNTED(1000, 2000),
      .full_only = true },
    { "chain", "each task spawns the next", TASKS("chain", "spawn", 300000, 1000000),
      ONE, COUNTED(2000, 4000), .full_only = true },
    { "mpsc", "a channel filled, then emptied, by one task",
      TASKS("mpsc", "message", 500000, 1000000), ONE, COUNTED(5000, 10000) },
    { "mpsc-contended", "5 senders, 1 receiver, capacity 1,000",
      TASKS("mpsc-contended", "message", 300000, 1000000), ONE, COUNTED(5000, 10000),
      .full_only = true },
    { "fib", "fib(n), a task a call", TASKS("fib", "spawn", 24, 27), ONE,
      COUNTED(14, 17), .full_only = true },
    { "skynet", "a tree of n leaves, 10 children a node",
      TASKS("skynet", "task", 100000, 1000000), ONE, COUNTED(1000, 10000),
      .full_only = true },
    { "tree", "an unbalanced tree", TASKS("tree", "task", 500, 2000), ONE,
      COUNTED(10, 40), .full_only = true },
    { "timers", "n tasks sleep 1 to 3 s", TASKS("timers", "timer", 100000, 1000000),
      ONE, .full_only = true },
    { "timer-churn", "time-outs that never expire",
      TASKS("timer-churn", "time-out", 200000, 1000000), ONE, COUNTED(1000, 2000) },
    { "parked", "n tasks wait for ever: bytes a task",
      TASKS("parked", "task", 200000, 1000000), ONE, .metric = LAB_BY_BYTES },
    { "wake", "two runtimes wake each other in turn (both CPUs)",
      TASKS("wake", "trip", 5000, 10000), OUTSIDE, .metric = LAB_BY_P50 },
    { "jitter", "64 tasks sleep 1 ms; from the timer's wake to the poll",
      TASKS("jitter", "wake", 100, 500), ONE, .metric = LAB_BY_P50 },
    { "startup", "from the process's start to the first task's first line",
      TASKS("startup", "start", 1, 1), ONE, .metric = LAB_BY_WALL },

    /* ---- schedulers, two workers */
    { "spawn-2w", "a root spawns n tasks and joins them, 2 workers",
      TASKS("spawn", "task", 300000, 1000000), TWO, .full_only = true },
    { "spawn-idle-2w", "a thread outside spawns n tasks, 2 idle workers",
      TASKS("spawn-idle", "task", 10000, 10000), TWO, .full_only = true },
    { "spawn-busy-2w", "the same, 2 busy workers",
      TASKS("spawn-busy", "task", 10000, 10000), TWO, .full_only = true },
    { "remote-spawn-1-2w", "1 thread outside spawns n tasks, 2 workers", .threads = 1,
      TASKS("remote-spawn", "task", 80000, 80000), TWO, .full_only = true },
    { "remote-spawn-2-2w", "2 threads outside spawn n tasks, 2 workers", .threads = 2,
      TASKS("remote-spawn", "task", 80000, 80000), TWO, .full_only = true },
    { "remote-spawn-4-2w", "4 threads outside spawn n tasks, 2 workers", .threads = 4,
      TASKS("remote-spawn", "task", 80000, 80000), TWO, .full_only = true },
    { "remote-spawn-8-2w", "8 threads outside spawn n tasks, 2 workers", .threads = 8,
      TASKS("remote-spawn", "task", 80000, 80000), TWO, .full_only = true },
    { "yield-2w", "200 tasks yield n times each, 2 workers",
      TASKS("yield", "yield", 1000, 1000), TWO, .full_only = true },
    { "ping-pong-2w", "a task, its partner and two oneshots, 2 workers",
      TASKS("ping-pong", "ping", 50000, 100000), TWO, .full_only = true },
    { "round-trip-2w", "two tasks, two channels of capacity 1, 2 workers",
      TASKS("round-trip", "trip", 300000, 1000000), TWO, .full_only = true },
    { "chain-2w", "each task spawns the next, 2 workers",
      TASKS("chain", "spawn", 300000, 1000000), TWO, .full_only = true },
    { "mpsc-2w", "a channel filled, then emptied, by one task, 2 workers",
      TASKS("mpsc", "message", 500000, 1000000), TWO, .full_only = true },
    { "mpsc-contended-2w", "5 senders, 1 receiver, capacity 1,000, 2 workers",
      TASKS("mpsc-contended", "message", 300000, 1000000), TWO, .full_only = true },
    { "fib-2w", "fib(n), a task a call, 2 workers", TASKS("fib", "spawn", 24, 27), TWO },
    { "skynet-2w", "a tree of n leaves, 10 children a node, 2 workers",
      TASKS("skynet", "task", 100000, 1000000), TWO, .full_only = true },
    { "tree-2w", "an unbalanced tree, 2 workers", TASKS("tree", "task", 500, 2000), TWO,
      .full_only = true },
    { "timers-2w", "n tasks sleep 1 to 3 s, 2 workers",
      TASKS("timers", "timer", 100000, 1000000), TWO, .full_only = true },
    { "timer-churn-2w", "time-outs that never expire, 2 workers",
      TASKS("timer-churn", "time-out", 200000, 1000000), TWO, .full_only = true },
    { "jitter-2w", "64 tasks sleep 1 ms; from the timer's wake to the poll, 2 workers",
      TASKS("jitter", "wake", 100, 500), TWO, .metric = LAB_BY_P50,
      .full_only = true },

    /* ---- reads of 4 KiB */
    { "read-1", "cached file, 1 in flight", READ(1, 10240, 102400), .full_only = true },
    { "read-8", "cached file, 8 in flight", READ(8, 10240, 102400), .full_only = true },
    { "read-32", "cached file, 32 in flight", READ(32, 10240, 102400), .full_only = true },
    { "read-64", "cached file, 64 in flight", READ(64, 10240, 102400) },
    { "read-128", "cached file, 128 in flight", READ(128, 10240, 102400), .full_only = true },
    { "direct-1", "O_DIRECT, 1 in flight", READ(1, 2048, 6400), .direct = true,
      .full_only = true },
    { "direct-8", "O_DIRECT, 8 in flight", READ(8, 2048, 25600), .direct = true,
      .full_only = true },
    { "direct-32", "O_DIRECT, 32 in flight", READ(32, 2048, 25600), .direct = true,
      .full_only = true },
    { "direct-64", "O_DIRECT, 64 in flight", READ(64, 2048, 25600), .direct = true,
      .full_only = true },
    { "direct-128", "O_DIRECT, 128 in flight", READ(128, 2048, 25600), .direct = true,
      .full_only = true },
    { "hog", "a cached read beside a task that computes for 1 ms",
      WORK("reads", "hog", "read", 100, 500), ONE, .needs_file = true,
      .metric = LAB_BY_P99, .full_only = true },
    { "hog-direct", "an O_DIRECT read beside a task that computes for 1 ms",
      WORK("reads", "hog", "read", 50, 500), ONE, .needs_file = true, .direct = true,
      .metric = LAB_BY_P99, .full_only = true },

    /* ---- what it is before it runs */
    { "weight", "clean build, stripped binary, lines of code", .kind = LAB_STATIC,
      .full_only = true },
};
/* clang-format on */
const int lab_row_count = (int)ARRAY_SIZE(lab_rows);

int lab_row_named(const char *name)
{
    for (int row = 0; row < lab_row_count; row++)
        if (strcmp(lab_rows[row].name, name) == 0)
            return row;
    return -1;
}
