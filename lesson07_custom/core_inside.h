/* core_inside: what core_mode.c and core_stop.c share. */
#ifndef LESSON07_CORE_INSIDE_H
#define LESSON07_CORE_INSIDE_H

#include "lesson02_wakers/waker_cell.h"
#include "lesson07_custom/lane.h"

enum { CORE_QUIET = 1 };

struct core {
    struct lane lane;
    pthread_t thread;
    struct cores *cores; /* borrows */
    unsigned index;
    struct waker_cell anchor_waker;
    int result; /* of lane_init, then of lane_cancel; guarded by cores->lock */
    _Atomic unsigned state; /* CORE_QUIET, and a count of disturbances above it */
    bool created;           /* thread exists and is not joined */
    bool quit; /* it is through the phases of the stop; guarded by cores->lock */
};

struct cores {
    struct runtime *runtime; /* borrows */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned ready; /* threads past lane_init; guarded by lock */
    bool failed;    /* one of them could not; guarded by lock */
    bool go;        /* all may start; guarded by lock */
    unsigned quit;  /* threads through the phases of the stop; guarded by lock */
    _Atomic bool stop;
    _Atomic unsigned quiet;  /* lanes that were empty when they last looked */
    uint64_t grace_ns;       /* written before stop */
    struct held_group group; /* with a virtual clock only */
    unsigned count;
    struct core cores[];
};

/* On a core's thread, when its anchor has ended. let_finish: phase 1. meet: tells that the
 * lane has ended so, and waits until every other one has. */
void core_let_finish(struct core *core);
void core_meet(struct core *core, int result);

/* A task was spawned on this core by a task of another: it may not count as quiet. */
void core_disturb(struct core *core);

/* On the thread that stops. wait: until every lane is through its phases; -ETIMEDOUT: some
 * are not. name: prints those, which do not even come back from a poll. */
int core_wait_for_phases(struct cores *cores);
void core_name_the_stuck(struct cores *cores);

#endif
