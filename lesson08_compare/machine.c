/* machine: uname, /proc/cpuinfo, /proc/stat.
 *
 * "Stolen" is time in which our CPU was ready to run and the hypervisor ran another
 * guest; inside a virtual machine that is the disturbance that nobody sees. */
#include "lesson08_compare/machine.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/memcheck.h"

/* How this program was compiled, as far as the compiler tells; the servers come out of
 * the same make. */
#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif
#if defined(MEMCHECK_ASAN) || defined(MEMCHECK_TSAN)
#define SANITIZED ", with a sanitizer (do not compare)"
#else
#define SANITIZED ""
#endif
#if defined(__OPTIMIZE__)
#define FLAGS "optimised" SANITIZED
#else
#define FLAGS "not optimised (do not compare)" SANITIZED
#endif

static void look_at_cpu(struct machine *machine)
{
    char line[256];
    snprintf(machine->cpu, sizeof machine->cpu, "unknown");
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (!file)
        return;
    while (fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(machine->cpu, sizeof machine->cpu, "%.100s", colon + 2);
        break;
    }
    fclose(file);
}

/* The first two CPUs that we may use: one for the server, one for the load. */
static void choose_cpus(struct machine *machine)
{
    cpu_set_t set;
    machine->server_cpu = machine->load_cpu = -1;
    if (sched_getaffinity(0, sizeof set, &set) < 0) {
        machine->cpus = 1;
        return;
    }
    machine->cpus = CPU_COUNT(&set);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET((size_t)cpu, &set))
            continue;
        if (machine->server_cpu < 0) {
            machine->server_cpu = machine->load_cpu = cpu;
        } else {
            machine->load_cpu = cpu;
            break;
        }
    }
}

void machine_look(struct machine *machine)
{
    struct utsname name;
    struct tm utc;
    time_t now = time(NULL);
    memset(machine, 0, sizeof *machine);
    if (uname(&name) == 0)
        snprintf(machine->kernel, sizeof machine->kernel, "%.30s %.60s %.20s",
                 name.sysname, name.release, name.machine);
    snprintf(machine->compiler, sizeof machine->compiler, "%.120s", COMPILER);
    snprintf(machine->flags, sizeof machine->flags, "%s", FLAGS);
    if (gmtime_r(&now, &utc)) {
        strftime(machine->date, sizeof machine->date, "%Y-%m-%dT%H:%M:%SZ", &utc);
        strftime(machine->stamp, sizeof machine->stamp, "%Y%m%d-%H%M%S", &utc);
    }
    look_at_cpu(machine);
    choose_cpus(machine);
}

bool machine_time(int cpu, struct machine_time *time)
{
    char line[512], wanted[32];
    bool found = false;
    int length = snprintf(wanted, sizeof wanted, "cpu%d ", cpu);
    uint64_t ns_per_tick = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
    FILE *file = fopen("/proc/stat", "re");
    if (!file)
        return false;
    while (!found && fgets(line, sizeof line, file)) {
        uint64_t user, nice, system, idle, iowait, irq, softirq, steal;
        if (strncmp(line, wanted, (size_t)length) != 0)
            continue;
        found =
            sscanf(line + length,
                   "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                   " %" SCNu64 " %" SCNu64 " %" SCNu64,
                   &user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal) == 8;
        if (found) {
            time->busy = (user + nice + system + irq + softirq) * ns_per_tick;
            time->stolen = steal * ns_per_tick;
        }
    }
    fclose(file);
    return found;
}
