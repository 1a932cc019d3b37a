/* locks: pthread's threads, mutexes and condition variables, as steps of a schedule.
 *
 * A mutex is its owner's number, kept in the first bytes of the pthread_mutex_t itself:
 * zero is free, which PTHREAD_MUTEX_INITIALIZER says already. A condition variable keeps
 * nothing: who waits on it is known from the threads' pending steps. To wait is two
 * steps, as in POSIX: give the mutex back and start to wait, in one; then, woken, take it
 * again. Nobody is woken without a signal: add that as a choice of the scenario's own. */
#include "common/explore/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum { DESTROYED = -1 }; /* as an owner */

static int *owner_of(pthread_mutex_t *mutex)
{
    return (int *)(void *)mutex;
}

bool locks_is_ready(const struct thread *thread)
{
    const struct op *op = &thread->op;
    int owner = *(const int *)op->address;
    if (!atomics_buffer_empty(thread))
        return false;
    switch (op->kind) {
    case OP_LOCK:
        return owner == 0 || owner == DESTROYED;
    case OP_RELOCK: /* its time may be over while another has the mutex */
        return thread->woken || thread->timed_out
                   ? owner == 0
                   : op->timed && engine->timeouts_left > 0;
    default:
        return true;
    }
}

static struct op lock_op(enum op_kind kind, const void *mutex, uintptr_t pc)
{
    return (struct op){ .kind = kind,
                        .order = memory_order_seq_cst,
                        .address = (uintptr_t)mutex,
                        .size = 4,
                        .pc = pc };
}

static void take(struct thread *self, pthread_mutex_t *mutex)
{
    *owner_of(mutex) = engine->current + 1;
    order_acquire(self, (uintptr_t)mutex, memory_order_acquire);
    atomics_wrote(self);
}

static void give(struct thread *self, pthread_mutex_t *mutex, uintptr_t pc)
{
    if (*owner_of(mutex) != engine->current + 1)
        engine_fail("bad unlock",
                    "a mutex is unlocked by a thread that does not hold it "
                    "(%s)",
                    symbol_place(pc));
    *owner_of(mutex) = 0;
    order_release(self, (uintptr_t)mutex, memory_order_release, true);
    atomics_wrote(self);
}

static int lock(pthread_mutex_t *mutex, enum op_kind kind, uintptr_t pc)
{
    struct op op = lock_op(kind, mutex, pc);
    if (kind == OP_LOCK && *owner_of(mutex) == engine->current + 1)
        engine_fail("deadlock", "a thread locks a mutex that it holds (%s)",
                    symbol_place(pc));
    struct thread *self = engine_announce(&op);
    shade_access((uintptr_t)mutex, 4, ACCESS_ATOMIC, pc);
    if (*owner_of(mutex) == DESTROYED)
        engine_fail("bad lock", "a mutex is locked that was destroyed (%s)",
                    symbol_place(pc));
    bool free = *owner_of(mutex) == 0;
    engine_note(&op, 0, 0, free, false);
    if (!free)
        return EBUSY;
    take(self, mutex);
    return 0;
}

static void unlock(pthread_mutex_t *mutex, uintptr_t pc)
{
    struct op op = lock_op(OP_UNLOCK, mutex, pc);
    struct thread *self = engine_announce(&op);
    shade_access((uintptr_t)mutex, 4, ACCESS_ATOMIC, pc);
    engine_note(&op, 0, 0, true, false);
    give(self, mutex, pc);
}

static uint64_t nanoseconds(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

static int wait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                const struct timespec *until, uintptr_t pc)
{
    struct op op = lock_op(OP_WAIT, mutex, pc);
    op.also = (uintptr_t)condition;
    struct thread *self = engine_announce(&op);
    shade_access((uintptr_t)condition, 4, ACCESS_ATOMIC, pc);
    shade_access((uintptr_t)mutex, 4, ACCESS_ATOMIC, pc);
    engine_note(&op, 0, 0, true, false);
    give(self, mutex, pc);
    self->woken = self->timed_out = false;
    op.kind = OP_RELOCK;
    op.timed = until != NULL;
    op.deadline = until ? nanoseconds(until) : 0;
    bool late = !engine_wait(&op);
    self->timed_out = late;
    if (*owner_of(mutex) != 0) { /* late, and the mutex is not free */
        op.timed = false;
        engine_announce(&op);
        op.kind = OP_LOCK;
        engine_note(&op, 0, 0, true, false);
    }
    shade_access((uintptr_t)mutex, 4, ACCESS_ATOMIC, pc);
    take(self, mutex);
    return late ? ETIMEDOUT : 0;
}

static bool waits_on(int t, const void *condition)
{
    const struct thread *thread = &engine->threads[t];
    return !thread->done && thread->op.kind == OP_RELOCK && !thread->woken &&
           !thread->timed_out && thread->op.also == (uintptr_t)condition;
}

static void wake_waiters(pthread_cond_t *condition, bool all, uintptr_t pc)
{
    struct op op = lock_op(OP_SIGNAL, condition, pc);
    engine_announce(&op);
    shade_access((uintptr_t)condition, 4, ACCESS_ATOMIC, pc);
    int waiting[EXPLORE_THREADS], count = 0;
    for (int t = 0; t < engine->thread_count; t++)
        if (waits_on(t, condition))
            waiting[count++] = t;
    engine_note(&op, (uint64_t)count, all, true, false);
    for (int i = 0; all && i < count; i++)
        engine->threads[waiting[i]].woken = true;
    if (!all && count > 0)
        engine->threads[waiting[explore_choose(count)]].woken = true;
}

/* A thread may be joined or detached once. */
static void check_thread(pthread_t thread, uintptr_t pc)
{
    if (thread >= (pthread_t)engine->thread_count || engine->threads[thread].let_go)
        engine_fail("bad join", "there is no such thread to be joined or detached (%s)",
                    symbol_place(pc));
}

/* ---- what the explored program calls */

#define OUTSIDE (!engine || !engine->inside)
#define WRAP_OF(type, name, parameters)                                                \
    type __real_##name parameters;                                                     \
    type __wrap_##name parameters

WRAP_OF(int, pthread_mutex_init,
        (pthread_mutex_t * mutex, const pthread_mutexattr_t *how));

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *how)
{
    if (OUTSIDE)
        return __real_pthread_mutex_init(mutex, how);
    int type = PTHREAD_MUTEX_DEFAULT;
    if (how)
        pthread_mutexattr_gettype(how, &type);
    if (type != PTHREAD_MUTEX_DEFAULT)
        engine_fail("explorer", "a mutex of a type of its own is not modelled (%s)",
                    symbol_place(CALLER));
    shade_access((uintptr_t)mutex, sizeof *mutex, ACCESS_WRITE, CALLER);
    memset(mutex, 0, sizeof *mutex);
    return 0;
}

WRAP_OF(int, pthread_mutex_destroy, (pthread_mutex_t * mutex));

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    if (OUTSIDE)
        return __real_pthread_mutex_destroy(mutex);
    shade_access((uintptr_t)mutex, sizeof *mutex, ACCESS_WRITE, CALLER);
    if (*owner_of(mutex) != 0)
        engine_fail("bad destroy", "a locked mutex is destroyed (%s)",
                    symbol_place(CALLER));
    *owner_of(mutex) = DESTROYED;
    return 0;
}

WRAP_OF(int, pthread_mutex_lock, (pthread_mutex_t * mutex));

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (OUTSIDE)
        return __real_pthread_mutex_lock(mutex);
    return lock(mutex, OP_LOCK, CALLER);
}

WRAP_OF(int, pthread_mutex_trylock, (pthread_mutex_t * mutex));

int __wrap_pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    if (OUTSIDE)
        return __real_pthread_mutex_trylock(mutex);
    return lock(mutex, OP_TRYLOCK, CALLER);
}

WRAP_OF(int, pthread_mutex_unlock, (pthread_mutex_t * mutex));

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (OUTSIDE)
        return __real_pthread_mutex_unlock(mutex);
    unlock(mutex, CALLER);
    return 0;
}

WRAP_OF(int, pthread_cond_init,
        (pthread_cond_t * condition, const pthread_condattr_t *how));

int __wrap_pthread_cond_init(pthread_cond_t *condition, const pthread_condattr_t *how)
{
    if (OUTSIDE)
        return __real_pthread_cond_init(condition, how);
    shade_access((uintptr_t)condition, sizeof *condition, ACCESS_WRITE, CALLER);
    memset(condition, 0, sizeof *condition);
    return 0;
}

WRAP_OF(int, pthread_cond_destroy, (pthread_cond_t * condition));

int __wrap_pthread_cond_destroy(pthread_cond_t *condition)
{
    if (OUTSIDE)
        return __real_pthread_cond_destroy(condition);
    shade_access((uintptr_t)condition, sizeof *condition, ACCESS_WRITE, CALLER);
    for (int t = 0; t < engine->thread_count; t++)
        if (waits_on(t, condition))
            engine_fail("bad destroy",
                        "a condition variable is destroyed that a thread "
                        "waits on (%s)",
                        symbol_place(CALLER));
    return 0;
}

WRAP_OF(int, pthread_cond_wait, (pthread_cond_t * condition, pthread_mutex_t *mutex));

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    if (OUTSIDE)
        return __real_pthread_cond_wait(condition, mutex);
    return wait(condition, mutex, NULL, CALLER);
}

WRAP_OF(int, pthread_cond_timedwait,
        (pthread_cond_t * condition, pthread_mutex_t *mutex,
         const struct timespec *until));

int __wrap_pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex,
                                  const struct timespec *until)
{
    if (OUTSIDE)
        return __real_pthread_cond_timedwait(condition, mutex, until);
    return wait(condition, mutex, until, CALLER);
}

WRAP_OF(int, pthread_cond_signal, (pthread_cond_t * condition));

int __wrap_pthread_cond_signal(pthread_cond_t *condition)
{
    if (OUTSIDE)
        return __real_pthread_cond_signal(condition);
    wake_waiters(condition, false, CALLER);
    return 0;
}

WRAP_OF(int, pthread_cond_broadcast, (pthread_cond_t * condition));

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition)
{
    if (OUTSIDE)
        return __real_pthread_cond_broadcast(condition);
    wake_waiters(condition, true, CALLER);
    return 0;
}

WRAP_OF(int, pthread_create,
        (pthread_t * thread, const pthread_attr_t *how, void *(*start)(void *argument),
         void *argument));

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *how,
                          void *(*start)(void *argument), void *argument)
{
    if (OUTSIDE)
        return __real_pthread_create(thread, how, start, argument);
    shade_access((uintptr_t)thread, sizeof *thread, ACCESS_WRITE, CALLER);
    if (engine->allocation_failures_left > 0 && explore_choose(2) == 1) {
        engine->allocation_failures_left--;
        return EAGAIN;
    }
    engine_start_thread(start, argument, CALLER, thread);
    int state = PTHREAD_CREATE_JOINABLE;
    if (how)
        pthread_attr_getdetachstate(how, &state);
    if (state == PTHREAD_CREATE_DETACHED)
        engine->threads[*thread].let_go = true;
    return 0;
}

WRAP_OF(int, pthread_join, (pthread_t thread, void **returned));

int __wrap_pthread_join(pthread_t thread, void **returned)
{
    if (OUTSIDE)
        return __real_pthread_join(thread, returned);
    check_thread(thread, CALLER);
    struct op op = { .kind = OP_JOIN, .value = thread, .pc = CALLER };
    struct thread *self = engine_announce(&op);
    order_join(&self->clock, &engine->threads[op.value].clock);
    engine->threads[op.value].let_go = true;
    engine_note(&op, op.value, 0, true, false);
    if (returned)
        *returned = engine->threads[op.value].returned;
    return 0;
}

WRAP_OF(int, pthread_detach, (pthread_t thread));

int __wrap_pthread_detach(pthread_t thread)
{
    if (OUTSIDE)
        return __real_pthread_detach(thread);
    check_thread(thread, CALLER);
    engine->threads[thread].let_go = true;
    return 0;
}

WRAP_OF(pthread_t, pthread_self, (void));

pthread_t __wrap_pthread_self(void)
{
    if (OUTSIDE)
        return __real_pthread_self();
    return (pthread_t)engine->current;
}

WRAP_OF(int, pthread_setname_np, (pthread_t thread, const char *name));

int __wrap_pthread_setname_np(pthread_t thread, const char *name)
{
    if (OUTSIDE)
        return __real_pthread_setname_np(thread, name);
    return 0;
}

WRAP_OF(int, sched_yield, (void));

int __wrap_sched_yield(void)
{
    if (OUTSIDE)
        return __real_sched_yield();
    struct op op = { .kind = OP_YIELD, .pc = CALLER };
    struct thread *self = engine_announce(&op);
    engine_note(&op, 0, 0, true, false);
    unsigned seen = engine->all_writes - self->writes;
    self->yields =
        self->yielded_at == op.pc && self->looked == seen ? self->yields + 1 : 0;
    self->looked = seen;
    self->yielded_at = op.pc;
    return 0;
}
