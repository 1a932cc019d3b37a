/* work_result: the clocks, and the line that says what they showed.
 *
 * All four clocks are read at both ends, the wall clock innermost: the calls themselves
 * (a microsecond) then count for none but the CPU clock. */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/errname.h"
#include "lesson08_compare/histogram.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/work.h"

static uint64_t ns_of(struct timeval time)
{
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_usec * NS_PER_US;
}

static void read_usage(struct work_clocks *clocks)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    clocks->user_ns = ns_of(usage.ru_utime);
    clocks->sys_ns = ns_of(usage.ru_stime);
}

void work_begin(struct work *work)
{
    read_usage(&work->begun);
    work->begun.cpu_ns = clock_process_cpu();
    work->begun.wall_ns = clock_now();
}

void work_end(struct work *work, uint64_t ops, uint64_t check)
{
    struct work_clocks now;
    now.wall_ns = clock_now();
    now.cpu_ns = clock_process_cpu();
    read_usage(&now);
    work->used = (struct work_clocks){
        .wall_ns = now.wall_ns - work->begun.wall_ns,
        .cpu_ns = now.cpu_ns - work->begun.cpu_ns,
        .user_ns = now.user_ns - work->begun.user_ns,
        .sys_ns = now.sys_ns - work->begun.sys_ns,
    };
    work->ops = ops;
    work->check = check;
}

void work_note(struct work *work, const char *name, uint64_t value)
{
    CHECK(work->extra_count < WORK_EXTRAS_MAX, "no room for %s in the result", name);
    work->extras[work->extra_count].name = name;
    work->extras[work->extra_count++].value = value;
}

void work_note_latencies(struct work *work, const struct histogram *latencies)
{
    work_note(work, "p50_ns", histogram_percentile(latencies, 0.5));
    work_note(work, "p99_ns", histogram_percentile(latencies, 0.99));
}

void work_print_result(const struct work_program *program, const struct work *work)
{
    struct json json;
    json_begin(&json, stdout);
    json_text(&json, "runtime", program->runtime);
    json_text(&json, "version", program->version);
    json_text(&json, "mode", work->mode);
    json_text(&json, "workload", work->workload);
    json_count(&json, "workers", work->workers);
    json_count(&json, "n", work->n);
    json_count(&json, "ops", work->ops);
    json_count(&json, "check", work->check);
    json_count(&json, "wall_ns", work->used.wall_ns);
    json_count(&json, "cpu_ns", work->used.cpu_ns);
    json_count(&json, "user_ns", work->used.user_ns);
    json_count(&json, "sys_ns", work->used.sys_ns);
    for (unsigned i = 0; i < work->extra_count; i++)
        json_count(&json, work->extras[i].name, work->extras[i].value);
    json_end(&json);
}

_Noreturn void work_fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s (%s)\n", what, errtext(err), errname(err));
    _exit(EXIT_FAILURE); /* tasks still run: nothing can be torn down */
}

void *work_alloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        work_fail("memory for the work", -ENOMEM);
    return memory;
}

uint64_t work_block_number(const void *block)
{
    uint64_t number;
    memcpy(&number, block, sizeof number);
    return le64toh(number);
}

int work_open_file(const struct work *work, uint64_t *blocks)
{
    struct stat info;
    int fd = open(work->file, O_RDONLY | O_CLOEXEC | (work->direct ? O_DIRECT : 0));
    if (fd < 0)
        return -errno;
    int err = fstat(fd, &info) < 0 ? -errno : 0;
    if (err == 0 && info.st_size < WORK_BLOCK)
        err = -EINVAL;
    if (err < 0) {
        close(fd);
        return err;
    }
    *blocks = (uint64_t)info.st_size / WORK_BLOCK;
    return fd;
}
