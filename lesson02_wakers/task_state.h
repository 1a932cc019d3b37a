/* task_state: the life of a task in one atomic word.
 *
 *                 spawn (1)
 *                    |
 *                    v        start (2)                finish (6)
 *     +--------> SCHEDULED ------------> RUNNING -------------------> DONE
 *     |              ^                   |  |  ^                       |
 *     | wake (4)     | pause (3b)        |  |  | wake (5)              | last waker and
 *     |              +-------------------+  |  +--+ sets SCHEDULED:    | handle gone
 * (7) |                 woken meanwhile     |     poll again           v
 *     +----- IDLE <-------------------------+                        freed
 *                       pause (3a)
 *
 * The numbered arrows are the functions below. The word holds the flags and, above
 * them, the number of wakers. A task that is not DONE is kept alive by the run that
 * will come or could come; a DONE one by its handle and its wakers.
 *
 * A LOCAL task's word is changed by its home thread only, with plain loads and stores;
 * other threads go through `remote` (task_home.h).
 *
 * Ordering, for shared tasks: every change is an acquire-release read-modify-write of
 * the same word. So whoever makes a task run (start, pause) sees everything that was
 * written before any wake that it merges (W3), and who frees it (7) sees every other
 * user's last access. */
#ifndef LESSON02_TASK_STATE_H
#define LESSON02_TASK_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    TASK_SCHEDULED = 1 << 0, /* in a queue; with RUNNING: poll again */
    TASK_RUNNING = 1 << 1, /* its poll, or its clean-up after a panic, is on a stack */
    TASK_DONE = 1 << 2,    /* its output, or its panic, may be looked at */
    TASK_HANDLE = 1 << 3,  /* somebody holds the handle */
    TASK_CANCEL = 1 << 4,  /* a cancel was asked for */
    TASK_CANCELLED = 1 << 5, /* and the future was told so before it was READY */
    TASK_PANICKED =
        1 << 6,          /* a frame of it panicked: never polled from the root again */
    TASK_LOCAL = 1 << 7, /* never leaves its home thread; immutable */
    TASK_STALLED = 1 << 8, /* IDLE, and nobody held a waker (W10) */
    TASK_LIFE = 1 << 9,    /* always set: the slab's life sign */
    TASK_WAKER = 1 << 10,  /* one waker; the count fills the bits from here up */
};

#define TASK_WAKERS(word) ((word) / TASK_WAKER)

/* What the caller of a transition has to do now. */
enum task_duty {
    DUTY_NOTHING,
    DUTY_SCHEDULE, /* hand the task to its scheduler */
    DUTY_FREE,     /* nobody else can reach it: free it */
};

/* Each takes the word; `local` is: the task is LOCAL, and this is its home thread. A
 * LOCAL task's count is only half of the truth (it may even be below zero, wrapped
 * around): other threads count in `remote`. So for LOCAL tasks DUTY_FREE is never
 * answered; the caller adds both halves up (task_home.h). */

/* (1) The word of a new task: SCHEDULED. */
uint32_t task_state_new(bool local, bool handle);

/* (2) SCHEDULED -> RUNNING. Marks a cancel as delivered. Returns the new word; *stalled
 * says whether the task had been counted as stalled. */
uint32_t task_state_start(_Atomic uint32_t *word, bool local, bool *stalled);

/* (3a) RUNNING -> IDLE, or (3b) -> SCHEDULED when it was woken meanwhile or `again` is
 * set: DUTY_SCHEDULE. `remote_wakers`: references that other threads made or dropped
 * and that the word does not show yet. *stalled: it sleeps, and nobody holds a waker.
 */
enum task_duty task_state_pause(_Atomic uint32_t *word, bool local, bool again,
                                int32_t remote_wakers, bool *stalled);

/* (4) IDLE -> SCHEDULED: DUTY_SCHEDULE. (5) RUNNING: remembered. SCHEDULED, DONE:
 * no-op. `consume`: the caller's waker is used up by this. */
enum task_duty task_state_wake(_Atomic uint32_t *word, bool local, bool consume);

/* As wake, and asks for a cancel. No-op on a DONE task. */
enum task_duty task_state_cancel(_Atomic uint32_t *word, bool local);

/* A frame panicked: RUNNING stays, PANICKED is set, and the task is to run again. */
void task_state_panic(_Atomic uint32_t *word, bool local);

/* (6) -> DONE. Returns the new word. With `keep`, and nobody holding the handle, one
 * waker is added, which the caller drops when it has looked at the output. */
uint32_t task_state_finish(_Atomic uint32_t *word, bool local, bool keep);

/* One more waker. */
void task_state_clone(_Atomic uint32_t *word, bool local);

static inline bool task_state_is_idle(uint32_t word)
{
    return !(word & (TASK_SCHEDULED | TASK_RUNNING | TASK_DONE));
}

/* One waker less. (7): DUTY_FREE. The last one of an IDLE task: DUTY_SCHEDULE; nobody
 * will ever wake it now, so it is polled once more and either finds somebody or is seen
 * to be stalled when it pauses (W10). */
enum task_duty task_state_drop(_Atomic uint32_t *word, bool local);

/* The handle is given up. True: the task is DONE, its output is ours to discard, and a
 * waker was added in the handle's place, which the caller drops afterwards. */
bool task_state_drop_handle(_Atomic uint32_t *word, bool local);

/* Adds what other threads did to a LOCAL task's references. */
void task_state_add_wakers(_Atomic uint32_t *word, int32_t wakers);

#endif
