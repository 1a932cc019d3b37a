/* work_runtime: our runtime around a workload.
 *
 * A workload is a root task that measures itself:
 *     work_begin(self->work); ...spawn, await... work_end(self->work, ops, check);
 * WORK_RUN makes the runtime of the mode, runs the root there, and ends the runtime.
 *
 * Spawning is SPAWN_HERE: in current and core mode the tasks then are LOCAL. A core mode
 * with several workers so has its work on one of them, unless the workload is about more
 * (spawn-idle, spawn-busy, remote-spawn), as a program would that does not spread it.
 *
 * Ownership: roots borrow the struct work. Threads: main; roots run on a worker. */
#ifndef LESSON08_WORK_RUNTIME_H
#define LESSON08_WORK_RUNTIME_H

#include "lesson07_custom/runtime.h"
#include "lesson08_compare/work.h"

/* The cells, in this order: scheduler = mode_index % 3, driver = mode_index / 3. */
extern const char *const work_modes[];
extern const struct work_program work_program;
enum {
    WORK_CURRENT = 1 << 0 | 1 << 3,
    WORK_STEAL = 1 << 1 | 1 << 4,
    WORK_CORE = 1 << 2 | 1 << 5,
    WORK_EVERY_MODE = WORK_CURRENT | WORK_STEAL | WORK_CORE
};

struct runtime_config work_config(const struct work *work);

/* As runtime_config_problem, for work_program.problem. */
const char *work_config_problem(const struct work *work);

/* A runtime of the mode. 0 or negative errno. */
int work_open_runtime(struct work *work, struct runtime **runtime);

/* Runs the root on a runtime of the mode until it is DONE, and ends the runtime. */
int work_run(struct work *work, struct future *root);
#define WORK_RUN(work, ...)                                                            \
    work_run((work), &((__typeof__(__VA_ARGS__)[1]){ __VA_ARGS__ })->future)

/* After a join: anything but JOIN_OK ends the process. */
void work_must_be_ok(const struct task_join *join);

/* ---- crew: spawns tasks of one kind, joins them in order, adds up their outputs */

struct crew_kind {
    /* Spawns the i-th with SPAWN_HERE. */
    int (*spawn)(void *shared, uint64_t i, struct task_handle *handle);
    uint64_t (*output)(const struct task_handle *handle);
};

struct crew {
    ASYNC_FRAME;
    const struct crew_kind *kind; /* borrows; static */
    void *shared;                 /* borrows: what spawn is given */
    struct task_handle *handles;  /* borrows: room for `size` of them */
    uint64_t size, i;
    uint64_t sum; /* output */
    struct task_join join;
};

struct crew crew(const struct crew_kind *kind, void *shared, uint64_t size,
                 struct task_handle *handles);

/* A whole workload: `rounds` crews of `size`, one after the other; the check is the sum
 * of all outputs. */
int work_run_crews(struct work *work, const struct crew_kind *kind, void *shared,
                   uint64_t size, uint64_t rounds, uint64_t ops);

/* ---- the workloads and demos: work_offers.c has the table */

int work_spawn(struct work *work);
int work_yield(struct work *work);
int work_ping_pong(struct work *work);
int work_chain(struct work *work);
int work_round_trip(struct work *work);
int work_mpsc(struct work *work);
int work_mpsc_contended(struct work *work);
int work_fib(struct work *work);
int work_skynet(struct work *work);
int work_tree(struct work *work);
int work_timers(struct work *work);
int work_timer_churn(struct work *work);
int work_parked(struct work *work);
int work_startup(struct work *work);
int work_jitter(struct work *work);
int work_spawn_idle(struct work *work);
int work_spawn_busy(struct work *work);
int work_remote_spawn(struct work *work);
int work_wake(struct work *work);
int work_read(struct work *work);
int work_hog(struct work *work);

int work_demo_panic(struct work *work);
int work_demo_cancel(struct work *work);
int work_demo_drop(struct work *work);
int work_demo_mix(struct work *work);

#endif
