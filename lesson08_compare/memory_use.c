/* memory_use: one line of /proc/PID/smaps_rollup.
 *
 * Not malloc's statistics, which do not see mmap, and not the resident set, which counts
 * shared libraries and pages that were only ever read. */
#include "lesson08_compare/memory_use.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

int memory_private_dirty(pid_t pid, uint64_t *bytes)
{
    char path[64] = "/proc/self/smaps_rollup", line[256];
    int err = -ENODATA;
    uint64_t kib;
    if (pid > 0)
        snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return -errno;
    while (err < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "Private_Dirty: %" SCNu64 " kB", &kib) == 1) {
            *bytes = kib * 1024;
            err = 0;
        }
    fclose(file);
    return err;
}
