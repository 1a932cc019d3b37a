/* machine: where a measurement was made, and who else was there.
 *
 * Threads: one. */
#ifndef LESSON08_MACHINE_H
#define LESSON08_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

struct machine {
    char kernel[128];
    char cpu[128];
    char compiler[128];
    char flags[128];
    char tools[256];     /* "gcc 12.2.0, wrk -": tools_there.c; "" if nobody looked */
    char allocator[128]; /* the same */
    char date[32];       /* UTC, 2026-01-31T12:00:00Z */
    char stamp[32];      /* the same for file names: 20260131-120000 */
    int cpus;            /* that we may run on */
    int server_cpu;      /* where the server is pinned */
    int load_cpu; /* where the load generator is pinned; the same if there is one CPU */
};

void machine_look(struct machine *machine);

/* One CPU's counters, in ns since boot; resolution 10 ms. */
struct machine_time {
    uint64_t busy;   /* somebody ran, or an interrupt was served */
    uint64_t stolen; /* the hypervisor gave the CPU to somebody else */
};

/* False if /proc/stat cannot be read. */
bool machine_time(int cpu, struct machine_time *time);

#endif
