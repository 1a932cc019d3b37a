/* outside: the kernel, as far as parkers need it.
 *
 * A futex: FUTEX_WAIT compares and starts to wait in one step; FUTEX_WAKE wakes as many
 * as it is told, whom, is a choice. It orders nothing else: code that relies on the
 * kernel's own barriers is not clean. An eventfd: a counter behind a number that no real
 * descriptor has. Time stands still, except that a timed wait which nobody else can end
 * ends at its deadline. Every other system call goes to the real kernel. */
#include "common/explore/engine.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_FD = 100000, FDS = 16 };

static struct counter {
    bool open, nonblocking;
    uint64_t value;
    uintptr_t opened_at;
} counters[FDS]; /* set back before each schedule, as all variables are */

void outside_begin(void)
{
    memset(counters, 0, sizeof counters);
}

bool outside_is_ready(const struct thread *thread)
{
    const struct op *op = &thread->op;
    if (!atomics_buffer_empty(thread))
        return false;
    if (op->kind == OP_WOKEN)
        return thread->woken || (op->timed && engine->timeouts_left > 0);
    if (op->kind == OP_DRAIN) {
        const struct counter *counter = (const struct counter *)op->address;
        return counter->nonblocking || counter->value > 0;
    }
    return true;
}

static struct op call_op(enum op_kind kind, const volatile void *address, uintptr_t pc)
{
    return (struct op){ .kind = kind,
                        .order = memory_order_seq_cst,
                        .address = (uintptr_t)address,
                        .size = 4,
                        .pc = pc };
}

/* ---- futex */

static long fail(int err)
{
    errno = err;
    return -1;
}

static long futex_wait(volatile uint32_t *word, uint32_t value,
                       const struct timespec *timeout, uintptr_t pc)
{
    struct op op = call_op(OP_SLEEP, word, pc);
    op.value = value;
    struct thread *self = engine_announce(&op);
    shade_access((uintptr_t)word, 4, ACCESS_ATOMIC, pc);
    bool same = *word == value;
    engine_note(&op, *word, value, same, false);
    if (!same)
        return fail(EAGAIN);
    self->woken = false;
    op.kind = OP_WOKEN;
    op.timed = timeout != NULL;
    if (timeout)
        op.deadline = engine->now + (uint64_t)timeout->tv_sec * 1000000000u +
                      (uint64_t)timeout->tv_nsec;
    return engine_wait(&op) ? 0 : fail(ETIMEDOUT);
}

static long futex_wake(volatile uint32_t *word, uint32_t most, uintptr_t pc)
{
    struct op op = call_op(OP_WAKE, word, pc);
    engine_announce(&op);
    long woken = 0;
    int noted = engine->event_count;
    engine_note(&op, 0, 0, true, false);
    while (woken < (long)most) {
        int waiting[EXPLORE_THREADS], count = 0;
        for (int t = 0; t < engine->thread_count; t++) {
            const struct thread *thread = &engine->threads[t];
            if (!thread->done && thread->op.kind == OP_WOKEN && !thread->woken &&
                thread->op.address == (uintptr_t)word)
                waiting[count++] = t;
        }
        if (count == 0)
            break;
        engine->threads[waiting[explore_choose(count)]].woken = true;
        woken++;
    }
    engine->events[noted].before = (uint64_t)woken;
    return woken;
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

/* The futex calls, and any other of up to six arguments. */
long __wrap_syscall(long number, ...)
{
    long a[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    if (number != SYS_futex || !engine || !engine->inside)
        return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    int operation = (int)a[1] & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    if (operation == FUTEX_WAIT)
        return futex_wait((volatile uint32_t *)a[0], (uint32_t)a[2],
                          (const struct timespec *)a[3], CALLER);
    if (operation == FUTEX_WAKE)
        return futex_wake((volatile uint32_t *)a[0], (uint32_t)a[2], CALLER);
    engine_fail("explorer", "futex operation %d is not modelled (%s)", operation,
                symbol_place(CALLER));
}

/* ---- eventfd */

static struct counter *counter_of(int fd)
{
    if (fd < FIRST_FD || fd >= FIRST_FD + FDS || !engine || !engine->inside)
        return NULL;
    struct counter *counter = &counters[fd - FIRST_FD];
    if (!counter->open)
        engine_fail("use after close", "an eventfd is used that is closed");
    return counter;
}

#define OUTSIDE (!engine || !engine->inside)

int __real_eventfd(unsigned initial, int flags);
int __wrap_eventfd(unsigned initial, int flags);

int __wrap_eventfd(unsigned initial, int flags)
{
    if (OUTSIDE)
        return __real_eventfd(initial, flags);
    if (flags & EFD_SEMAPHORE)
        engine_fail("explorer", "EFD_SEMAPHORE is not modelled (%s)",
                    symbol_place(CALLER));
    if (engine->allocation_failures_left > 0 && explore_choose(2) == 1) {
        engine->allocation_failures_left--;
        return (int)fail(EMFILE);
    }
    for (int i = 0; i < FDS; i++) {
        if (counters[i].open)
            continue;
        counters[i] = (struct counter){ .open = true,
                                        .nonblocking = (flags & EFD_NONBLOCK) != 0,
                                        .value = initial,
                                        .opened_at = CALLER };
        return FIRST_FD + i;
    }
    return (int)fail(EMFILE);
}

ssize_t __real_write(int fd, const void *buffer, size_t size);
ssize_t __wrap_write(int fd, const void *buffer, size_t size);
ssize_t __real_read(int fd, void *buffer, size_t size);
ssize_t __wrap_read(int fd, void *buffer, size_t size);
int __real_close(int fd);
int __wrap_close(int fd);

ssize_t __wrap_write(int fd, const void *buffer, size_t size)
{
    struct counter *counter = counter_of(fd);
    if (!counter)
        return __real_write(fd, buffer, size);
    if (size < sizeof(uint64_t))
        return fail(EINVAL);
    struct op op = call_op(OP_COUNT, counter, CALLER);
    struct thread *self = engine_announce(&op);
    counter = counter_of(fd);
    uint64_t add;
    memcpy(&add, buffer, sizeof add);
    engine_note(&op, counter->value, counter->value + add, true, false);
    counter->value += add;
    order_release(self, (uintptr_t)counter, memory_order_release, true);
    atomics_wrote(self);
    return (ssize_t)sizeof add;
}

ssize_t __wrap_read(int fd, void *buffer, size_t size)
{
    struct counter *counter = counter_of(fd);
    if (!counter)
        return __real_read(fd, buffer, size);
    if (size < sizeof(uint64_t))
        return fail(EINVAL);
    struct op op = call_op(OP_DRAIN, counter, CALLER);
    struct thread *self = engine_announce(&op);
    counter = counter_of(fd);
    uint64_t value = counter->value;
    engine_note(&op, value, 0, value > 0, false);
    if (value == 0)
        return fail(EAGAIN);
    counter->value = 0;
    order_acquire(self, (uintptr_t)counter, memory_order_acquire);
    atomics_wrote(self);
    memcpy(buffer, &value, sizeof value);
    return (ssize_t)sizeof value;
}

int __wrap_close(int fd)
{
    struct counter *counter = counter_of(fd);
    if (!counter)
        return __real_close(fd);
    struct op op = call_op(OP_CLOSE, counter, CALLER);
    engine_announce(&op);
    counter = counter_of(fd);
    engine_note(&op, 0, 0, true, false);
    counter->open = false;
    return 0;
}

void outside_check_leaks(void)
{
    for (int i = 0; i < FDS; i++)
        if (counters[i].open)
            engine_fail("leak", "an eventfd is never closed (%s)",
                        symbol_place(counters[i].opened_at));
}

/* ---- time */

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    if (OUTSIDE)
        return __real_clock_gettime(clock, time);
    time->tv_sec = (time_t)(engine->now / 1000000000u);
    time->tv_nsec = (long)(engine->now % 1000000000u);
    return 0;
}
