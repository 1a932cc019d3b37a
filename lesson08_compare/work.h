/* work: what every contestant of WORKLOADS.md does around its workloads.
 *
 * A program is a table of what it offers and a few names; the command line, the clocks,
 * the result line and the exit status are here, so that two programs can only differ in
 * the work. `work` is our runtime, `limits` is no runtime at all.
 *
 *     static int spawn(struct work *work)
 *     {
 *         ...make what must be there...
 *         work_begin(work);
 *         ...the work...
 *         work_end(work, ops, check);
 *         ...tear down...
 *         return 0;
 *     }
 *
 * Ownership: options borrow argv. Threads: one at a time for each struct work; work_begin
 * and work_end may be called on any. Errors: a workload returns 0 or negative errno. */
#ifndef LESSON08_WORK_H
#define LESSON08_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/check.h"

struct histogram;

#define WORK_BLOCK 4096 /* bytes of a read */
#define WORK_EXTRAS_MAX 12

struct work_clocks {
    uint64_t wall_ns, cpu_ns, user_ns, sys_ns;
};

/* One run: what was asked for, and what came out. */
struct work {
    /* the command line; borrows argv */
    const char *mode;
    unsigned mode_index; /* in program->modes */
    const char *workload;
    const char *demo; /* instead of a workload, or NULL */
    uint64_t workers, n, threads, depth, since;
    const char *file; /* or NULL */
    bool direct;
    /* the result */
    struct work_clocks begun;
    struct work_clocks used;
    uint64_t ops, check;
    struct {
        const char *name; /* borrows; static */
        uint64_t value;
    } extras[WORK_EXTRAS_MAX];
    unsigned extra_count;
    char reason[400];  /* why it failed, if an errno does not say it; else empty */
    bool leaves_tasks; /* nothing is torn down: the process ends with the result */
};

/* One row of what a program offers. A row with n of 0 is a demo. */
struct work_offer {
    const char *name;
    uint64_t n;        /* default of --n */
    uint64_t multiple; /* --n must be one of this; 0: any n will do */
    unsigned modes;    /* bit i: in modes[i] */
    int (*run)(struct work *work);
};

struct work_program {
    const char *name;    /* what its sentences begin with */
    const char *runtime; /* in the result */
    const char *version;
    const char *const *modes; /* ends with NULL */
    const struct work_offer *offers;
    size_t offer_count;
    const char *(*problem)(const struct work *work); /* one more look at the options:
                                 what is wrong with them, or NULL. NULL: no look */
};

/* The whole program; returns its exit status. */
int work_main(const struct work_program *program, int argc, char **argv);

/* ---- for workloads */

/* From here to there the clocks count. */
void work_begin(struct work *work);
void work_end(struct work *work, uint64_t ops, uint64_t check);

/* One more field of the result; `name` is static. */
void work_note(struct work *work, const char *name, uint64_t value);

/* p50_ns, p99_ns. */
void work_note_latencies(struct work *work, const struct histogram *latencies);

/* Prints the result line: for work_main. */
void work_print_result(const struct work_program *program, const struct work *work);

/* For what cannot go on, from any thread: one sentence, and the process ends with status
 * 1. A benchmark has no use for half a result. */
_Noreturn void work_fail(const char *what, int err);

static inline void work_must(int err, const char *what)
{
    if (UNLIKELY(err < 0))
        work_fail(what, err);
}

/* malloc and work_must in one; zeroed. */
void *work_alloc(size_t count, size_t size);

/* ---- for reads */

/* The number that a block begins with. */
uint64_t work_block_number(const void *block);

/* Opens work->file for reading (O_DIRECT if asked) and counts its blocks. A descriptor
 * or negative errno; -EINVAL: there is no whole block in it. */
int work_open_file(const struct work *work, uint64_t *blocks);

#endif
