/* runtime_inside: what the files of the runtime share. Applications do not include it.
 *
 * A mode is a scheduler with its threads; a device is a driver with its parker and
 * timers. The modes are three small tables; the devices two. */
#ifndef LESSON07_RUNTIME_INSIDE_H
#define LESSON07_RUNTIME_INSIDE_H

#include <pthread.h>

#include "lesson05_reactor/reactor.h"
#include "lesson05_reactor/ring_driver.h"
#include "lesson06_worksteal/blocking.h"
#include "lesson07_custom/runtime.h"

/* ---- device */

struct device {
    bool uring;
    struct io_driver *driver; /* borrows: of the union below; NULL: not initialised */
    struct parker *parker;
    struct timers *timers;
    struct source_pool *sources;
    union {
        struct reactor reactor;
        struct ring_driver ring;
    } is;
};

/* On the thread that will use it (a ring of one thread belongs to its maker). */
int device_init(struct device *device, const struct runtime_config *config, bool uring,
                bool shared);
void device_finish(struct device *device);

/* ---- place: what a worker's thread knows about where it is */

struct place {
    struct runtime *runtime;
    struct scheduler *scheduler; /* where SPAWN_HERE goes */
    unsigned flags;              /* enum task_spawn_flags */
    unsigned lane;
    unsigned worker;
    struct io_services services;
    struct io_stats stats;
    _Atomic uint64_t counted;
    const struct io_services *before; /* what the thread had */
};

void place_enter(struct place *place);
void place_leave(struct place *place);

/* ---- mode */

struct mode_ops {
    const char *name;
    int (*start)(struct runtime *runtime);
    int (*run)(struct runtime *runtime, struct future *root,
               struct task_handle *handle);
    struct scheduler *(*lane)(struct runtime *runtime, unsigned lane);
    void (*spawned)(struct runtime *runtime,
                    unsigned lane); /* from elsewhere; or NULL */
    int (*stop)(struct runtime *runtime, uint64_t grace_ns);
    void (*destroy)(struct runtime *runtime); /* after a stop that returned 0 */
    void (*dump)(struct runtime *runtime);
    void (*metrics)(struct runtime *runtime, struct runtime_metrics *metrics);
};

extern const struct mode_ops current_mode_ops;
extern const struct mode_ops steal_mode_ops;
extern const struct mode_ops core_mode_ops;

struct monitor {
    pthread_t thread;
    bool running;
    _Atomic bool ending;
    sigset_t before; /* the creating thread's mask */
};

struct runtime {
    /* immutable after create */
    struct runtime_config config; /* with defaults filled in */
    const struct mode_ops *mode;
    unsigned workers;
    unsigned lanes;
    bool uring;
    char reason[400];               /* why not io_uring; empty: no reason needed */
    struct blocking_pool *blocking; /* owns */
    struct monitor monitor;
    /* any thread, atomic */
    _Atomic bool stopping;
    bool stopped;     /* the thread that stops: a stop returned 0 */
    bool straggled;   /* a stop returned -ETIMEDOUT */
    void *mode_state; /* owned by the mode */
};

/* SIGUSR1, if the config wants it. */
int monitor_start(struct runtime *runtime);
void monitor_stop(struct runtime *runtime);

/* ---- cpus */

/* CPUs that this process may use: affinity, and the cgroup's quota rounded up. >= 1. */
unsigned cpus_available(void);

/* Binds the calling thread to the i-th CPU of those it may run on (modulo their
 * number). 0 or negative errno. */
int cpus_pin(unsigned i);

#endif
