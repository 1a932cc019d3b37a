/* load: a load generator for echo and for HTTP, in one thread.
 *
 * Closed loop (rate 0): each connection sends, waits for the whole answer, sends again.
 * It finds the peak, and it is what most benchmark tools do; but a server that stops
 * for a second then receives nothing for a second, so the second shows up once instead
 * of in every request that should have been sent meanwhile ("coordinated omission").
 *
 * Open loop (rate R): request number k is due at start + k / R, on connection k modulo
 * the number of connections, whatever the server does. Its latency counts from the
 * instant when it was due, not from when it could be sent. In bursts: request k of every
 * connection is due at the same instant. A server then finds many requests at once, as
 * at its peak, while the generator has time to spare.
 *
 * Each answer is compared byte by byte. Echo messages carry their connection and their
 * number, so that an answer that got swapped between two connections is found.
 *
 * Source of the open loop: Gil Tene's wrk2. Threads: the caller's only. */
#ifndef LESSON08_LOAD_H
#define LESSON08_LOAD_H

#include <sys/types.h>

#include "lesson08_compare/histogram.h"
#include "lesson08_compare/workload.h"

#define LOAD_CONNECTIONS_MAX 10000
#define LOAD_SIZE_MAX (1u << 20)

struct load_plan {
    const char *address; /* borrows; dotted IPv4 */
    uint16_t port;
    enum workload_proto proto;
    unsigned connections; /* 1 .. LOAD_CONNECTIONS_MAX */
    unsigned size;        /* bytes of an echo message, 1 .. LOAD_SIZE_MAX */
    uint64_t warmup_ns;   /* not measured */
    uint64_t duration_ns; /* measured; 0: until `requests` */
    uint64_t requests;    /* stop after so many measured ones; 0: no limit */
    uint64_t rate;        /* requests a second over all connections; 0: closed loop */
    bool burst;           /* with a rate: all connections' requests fall due at once */
    pid_t watch;          /* report this process's CPU time as well; 0: none */
};

struct load_result {
    uint64_t elapsed_ns;   /* the measured time */
    uint64_t requests;     /* answered within it */
    uint64_t all_requests; /* answered at all, with warm-up and the tail */
    uint64_t fair_min, fair_median, fair_max; /* measured requests a connection */
    uint64_t cpu_ns;                          /* our own, within the measured time */
    uint64_t watch_cpu_ns; /* the watched process's, within the measured time */
    uint64_t errors;       /* connections lost, and answers that were wrong */
    char error[160];       /* the first of them; "" if there was none */
    struct histogram latency;
    struct histogram lag; /* open loop: how late we ourselves sent */
};

/* Connects, runs, disconnects. 0 when the run took place (look at result->errors);
 * negative errno with a sentence in result->error when it could not. */
int load_run(const struct load_plan *plan, struct load_result *result);

#endif
