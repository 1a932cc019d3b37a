/* peer: what the libuv peer's files share.
 *
 * libuv has no tasks, only handles and callbacks on one loop. So it takes part in what a
 * loop does - timers, wake-ups between threads, files, sockets - and in nothing that is
 * about spawning, joining or channels. "The first task" is the first callback of a loop
 * that runs.
 *
 * A workload is started in that callback; its own callbacks do the work, and the last
 * one calls peer_done, which takes the times before anything is torn down.
 *
 * Threads: the loop's own, unless a function says otherwise. */
#ifndef LESSON08_PEERS_LIBUV_PEER_H
#define LESSON08_PEERS_LIBUV_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "lesson08_compare/histogram.h"

#define BLOCK_SIZE 4096
#define CHURNERS 100 /* the tasks of timer-churn */

struct run;

struct workload {
    const char *name;
    uint64_t n;                     /* the default */
    uint64_t unit;                  /* n is a multiple of it */
    void (*start)(struct run *run); /* in the first callback; NULL: not offered */
    bool serves;                    /* no result line; ends by a signal */
};

struct options {
    const struct workload *workload;
    const char *mode;
    const char *file;
    uint64_t workers, n, threads, depth, since, port;
    bool direct, stats;
    int status; /* if there is nothing to run */
};

/* False: there is nothing to run, end with options->status. Either all was said that
 * was asked for, or one sentence that says what is wrong. */
bool options_parse(struct options *options, int argc, char **argv);

struct times {
    uint64_t wall, cpu, user, sys; /* ns */
};

/* One run of one workload. */
struct run {
    const struct options *options; /* borrows */
    uv_loop_t *loop;               /* borrows */
    uint64_t n;                    /* how much: --n, or the table's default */
    struct times started, took;
    uint64_t ops;
    uint64_t check;
    struct histogram *latencies; /* owns; NULL if the workload has none */
    bool with_max;               /* max_ns is part of the result */
    int status;                  /* what the process ends with */
};

uint64_t peer_mix(uint64_t x);
uint64_t peer_clock(clockid_t which); /* ns */

/* What it is now, of everything. */
struct times peer_times(void);

/* The work is done: takes the times, and ends the loop. */
void peer_done(struct run *run);

/* The work cannot be done: one sentence, and the loop ends. err: of libuv, negative. */
void peer_fail(struct run *run, const char *what, int err);

/* malloc or the end: the peer has no answer to a lack of memory. */
void *peer_alloc(size_t n, size_t size);

/* What starts each workload; called in the loop's first callback. */
void start_timers(struct run *run);
void start_timer_churn(struct run *run);
void start_wake(struct run *run);
void start_read(struct run *run);
void start_hog(struct run *run);
void start_startup(struct run *run);
void start_echo(struct run *run);
void start_http(struct run *run);

#endif
