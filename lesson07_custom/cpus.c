/* cpus: how many workers make sense.
 *
 * Problem: the machine's CPU count is not what a container gets. Two limits count: the
 * affinity mask (which CPUs) and the cgroup's quota (how much time, cpu.max: "quota
 * period"). A quota of 150 % of a CPU makes two workers worthwhile. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "lesson07_custom/runtime_inside.h"

/* The nearest limit on the way from our cgroup to the root; 0: none. */
static unsigned quota_of_path(char *path)
{
    unsigned least = 0;
    for (;;) {
        char name[4200];
        long long quota = 0, period = 0;
        snprintf(name, sizeof name, "/sys/fs/cgroup%s/cpu.max", path);
        FILE *file = fopen(name, "re");
        if (file) {
            if (fscanf(file, "%lld %lld", &quota, &period) == 2 && quota > 0 &&
                period > 0) {
                unsigned cpus = (unsigned)((quota + period - 1) / period);
                least = least && least < cpus ? least : cpus;
            }
            fclose(file);
        }
        char *slash = strrchr(path, '/');
        if (!slash || !path[0])
            return least;
        *slash = '\0';
    }
}

static unsigned cgroup_quota(void)
{
    char line[4096];
    unsigned quota = 0;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "0::", 3) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        char *path = line + 3;
        if (strcmp(path, "/") == 0)
            path[0] = '\0';
        quota = quota_of_path(path);
    }
    fclose(file);
    return quota;
}

unsigned cpus_available(void)
{
    cpu_set_t set;
    unsigned count = 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        count = (unsigned)CPU_COUNT(&set);
    unsigned quota = cgroup_quota();
    if (quota && quota < count)
        count = quota;
    return count ? count : 1;
}

int cpus_pin(unsigned i)
{
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
        return -errno;
    unsigned count = (unsigned)CPU_COUNT(&allowed);
    unsigned wanted = count ? i % count : 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &allowed) || wanted-- > 0)
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        return sched_setaffinity(0, sizeof one, &one) < 0 ? -errno : 0;
    }
    return -EINVAL;
}
