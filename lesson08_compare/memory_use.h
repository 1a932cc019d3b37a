/* memory_use: what a process really occupies. Threads: any. */
#ifndef LESSON08_MEMORY_USE_H
#define LESSON08_MEMORY_USE_H

#include <stdint.h>
#include <sys/types.h>

/* Bytes that the process has written to and shares with nobody (Private_Dirty in
 * /proc/PID/smaps_rollup): what would come free if it ended. Headers, padding, page
 * rounding and the allocator's own tables are all in it. pid 0: this process. Negative
 * errno. */
int memory_private_dirty(pid_t pid, uint64_t *bytes);

#endif
