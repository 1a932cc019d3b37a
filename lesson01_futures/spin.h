/* spin: an executor that asks again and again.
 *
 * It is correct, and it is terrible: it burns a whole core to find out that nothing has
 * happened. It is also the only executor that can run a future which tells nobody when
 * it can go on. Lesson 2 replaces it.
 *
 * Ownership: borrows the future, which is READY when spin returns. Threads: any. */
#ifndef LESSON01_SPIN_H
#define LESSON01_SPIN_H

#include "lesson01_futures/future.h"

/* Polls until READY; returns how many polls that took. */
uint64_t spin(struct future *future);

#endif
