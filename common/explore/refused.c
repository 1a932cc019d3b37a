/* refused: calls that the explorer has no model of.
 *
 * The threads of a scenario share one system thread: a call that blocks it would block
 * all of them for good, one that ends it would end the search (and, with exit(0), let it
 * look like a success), and what the C library keeps for each system thread would be
 * shared. So a scenario that makes such a call is told so. */
#include "common/explore/engine.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

_Noreturn static void refuse(const char *name, uintptr_t pc)
{
    engine_fail("explorer", "%s is not modelled (%s)", name, symbol_place(pc));
}

#define INSIDE (engine && engine->inside)
#define REFUSED(type, name, parameters, arguments)                                     \
    type __real_##name parameters;                                                     \
    type __wrap_##name parameters;                                                     \
    type __wrap_##name parameters                                                      \
    {                                                                                  \
        if (INSIDE)                                                                    \
            refuse(#name, CALLER);                                                     \
        return __real_##name arguments;                                                \
    }

REFUSED(int, pthread_once, (pthread_once_t * once, void (*run)(void)), (once, run))
REFUSED(int, pthread_cancel, (pthread_t thread), (thread))
REFUSED(int, pthread_mutex_timedlock,
        (pthread_mutex_t * lock, const struct timespec *end), (lock, end))
REFUSED(int, pthread_cond_clockwait,
        (pthread_cond_t * condition, pthread_mutex_t *lock, clockid_t clock,
         const struct timespec *end),
        (condition, lock, clock, end))
REFUSED(int, pthread_rwlock_rdlock, (pthread_rwlock_t * lock), (lock))
REFUSED(int, pthread_rwlock_wrlock, (pthread_rwlock_t * lock), (lock))
REFUSED(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t * lock), (lock))
REFUSED(int, pthread_rwlock_trywrlock, (pthread_rwlock_t * lock), (lock))
REFUSED(int, pthread_barrier_wait, (pthread_barrier_t * barrier), (barrier))
REFUSED(int, pthread_spin_lock, (pthread_spinlock_t * lock), (lock))
REFUSED(int, pthread_spin_trylock, (pthread_spinlock_t * lock), (lock))
REFUSED(int, pthread_setspecific, (pthread_key_t key, const void *value), (key, value))
REFUSED(void *, pthread_getspecific, (pthread_key_t key), (key))
REFUSED(int, sem_wait, (sem_t * semaphore), (semaphore))
REFUSED(int, sem_trywait, (sem_t * semaphore), (semaphore))
REFUSED(int, sem_timedwait, (sem_t * semaphore, const struct timespec *end),
        (semaphore, end))
REFUSED(int, thrd_create, (thrd_t * thread, thrd_start_t run, void *argument),
        (thread, run, argument))
REFUSED(int, mtx_lock, (mtx_t * lock), (lock))
REFUSED(int, nanosleep, (const struct timespec *time, struct timespec *left),
        (time, left))
REFUSED(int, clock_nanosleep,
        (clockid_t clock, int flags, const struct timespec *time,
         struct timespec *left),
        (clock, flags, time, left))
REFUSED(int, usleep, (useconds_t time), (time))
REFUSED(unsigned, sleep, (unsigned time), (time))
REFUSED(pid_t, fork, (void), ())

#define REFUSED_END(name, type)                                                        \
    _Noreturn void __real_##name(type with);                                           \
    _Noreturn void __wrap_##name(type with);                                           \
    _Noreturn void __wrap_##name(type with)                                            \
    {                                                                                  \
        if (INSIDE)                                                                    \
            refuse(#name, CALLER);                                                     \
        __real_##name(with);                                                           \
    }

REFUSED_END(exit, int)
REFUSED_END(_exit, int)
REFUSED_END(pthread_exit, void *)
