/* condition: a condition variable whose deadlines are on clock_now()'s clock.
 *
 * By default they are on the wall clock, which people and NTP set: a wait would then end
 * early, or an hour late. Threads: as pthread_cond_init. */
#ifndef COMMON_CONDITION_H
#define COMMON_CONDITION_H

#include <pthread.h>

/* 0 or negative errno. Undo it with pthread_cond_destroy. */
int condition_init(pthread_cond_t *condition);

#endif
