/* measure: the neighbours, out of /proc/stat.
 *
 * Its counters go in steps of 10 ms, and a tick that fell into our time may have begun
 * before it. Two ticks a CPU are therefore not held against anybody: in a run of 100 ms
 * they would look like a neighbour with a fifth of the machine. */
#include "lesson08_compare/measure.h"

#include <string.h>

#include "common/clock.h"

#define TICK (10 * NS_PER_MS)

static double share(uint64_t part, uint64_t whole)
{
    if (whole == 0)
        return 0;
    return part < whole ? (double)part / (double)whole : 1;
}

void measure_look(struct look_around *look, const int cpus[2], int count)
{
    *look = (struct look_around){ .count = count, .start = clock_now() };
    for (int i = 0; i < count; i++) {
        look->cpus[i] = cpus[i];
        if (!machine_time(cpus[i], &look->at[i]))
            look->count = 0; /* nothing is known of the neighbours, then */
    }
}

void measure_look_again(const struct look_around *look, uint64_t ours,
                        struct lab_run *run)
{
    uint64_t elapsed = (clock_now() - look->start) * (uint64_t)look->count;
    uint64_t busy = 0, stolen = 0, spare = 2 * TICK * (uint64_t)look->count;
    for (int i = 0; i < look->count; i++) {
        struct machine_time after;
        if (!machine_time(look->cpus[i], &after))
            return;
        busy += after.busy - look->at[i].busy;
        stolen += after.stolen - look->at[i].stolen;
    }
    run->stolen = stolen > TICK ? share(stolen, elapsed) : 0;
    run->others = busy > ours + spare ? share(busy - ours, elapsed) : 0;
}

void measure_split(struct lab_run *run, struct process_end end)
{
    if (run->cpu_us < 0 || end.cpu_ns == 0)
        return;
    run->user_us = run->cpu_us * share(end.user_ns, end.cpu_ns);
    run->sys_us = run->cpu_us - run->user_us;
}
