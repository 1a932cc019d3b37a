/* pause: places where a test may hold a thread back.
 *
 * Between two atomic operations of one thread any other thread may run for any length
 * of time; most of the time none does, and so a test that only runs fast finds nothing.
 * A test includes the .c file under test after it has defined PAUSE(place) as a
 * function of its own: yield by a seeded dice, or stop until told. In every other build
 * a pause is nothing at all.
 *
 * Threads: any. */
#ifndef LESSON06_PAUSE_H
#define LESSON06_PAUSE_H

#ifndef PAUSE
#define PAUSE(place) ((void)0)
#endif

#endif
