/* idle: which workers sleep, who keeps watch, and how many look for work.
 *
 * One atomic word holds all of it, so that no two numbers can disagree (RULES S6):
 *
 *      63      56   55    54    48 47                                  0
 *      +---------+------+---------+-------------------------------------+
 *      |searching| deep |  watch  | one bit a worker: asleep, or about  |
 *      | (count) |      |(who + 1)| to be                               |
 *      +---------+------+---------+-------------------------------------+
 *
 * The watch is the one worker that sleeps in the pool's shared parker, where I/O and
 * timers come in; the others sleep in parkers of their own. `deep`: the watch sleeps
 * without a limit, since everybody else slept, too.
 *
 *                 start_search (1)                  announce (2)
 *       +--------+ -----------------> +-----------+ ---------------> +----------+
 *       |  BUSY  |                    | SEARCHING |                  | SLEEPING |
 *       +--------+ <----------------- +-----------+ <--------------- +----------+
 *           |        end_search (3)            pick, claim (4), retract (5)   ^
 *           +-----------------------------------------------------------------+
 *                   announce (2), by a worker that was not let in at (1)
 *
 *   (1) refused when half of the workers search already: more would only fight.
 *   (2) takes the watch if it is free. After it the worker looks at every queue once
 *       more, then sleeps (W1).
 *   (3) the last one, having found work, hands its place to a sleeper (S5).
 *   (4) somebody brought work. pick wakes one sleeper, unless somebody searches already,
 *       who will find it. Who is woken counts as searching before it even runs.
 *   (5) awake again; gives the watch back. Woken by something else than (4) - I/O, a
 *       timer, a limit - it searches, too.
 *   (6) try_watch, leave_watch: a busy worker polls I/O now and then; if others fell
 *       asleep meanwhile and found the watch taken, it hands the watch to one of them.
 *
 * Invariants, checked at every arrow:
 *   I1  nobody is asleep and searching; at most `workers` are either.
 *   I2  if somebody sleeps and nobody searches, somebody holds the watch: I/O is never
 *       stranded behind busy workers while another could look after it (S9).
 * The functions that may wake somebody return whom to unpark: a worker's number,
 * IDLE_NOBODY, or IDLE_WATCH for the shared parker.
 *
 * Ownership: caller-owned memory; nothing to finish. Threads: pick and claim from any;
 * the others by the worker that they name. */
#ifndef LESSON06_IDLE_H
#define LESSON06_IDLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The width of the bitmap. */
#define IDLE_WORKERS_MAX 48

enum { IDLE_NOBODY = -1, IDLE_WATCH = -2 };

/* Where a worker that announced its sleep is to sleep. */
enum idle_place {
    IDLE_OWN_PARKER,    /* until it is unparked */
    IDLE_WATCH_LIMITED, /* in the shared parker, and look round now and then */
    IDLE_WATCH_DEEP,    /* in the shared parker, no limit: all others sleep */
};

struct idle {
    _Alignas(64) _Atomic uint64_t word;
    unsigned workers; /* immutable */
};

/* All workers are BUSY. workers: 1 .. IDLE_WORKERS_MAX. */
void idle_init(struct idle *idle, unsigned workers);

/* (1) May this worker search the others' queues? */
bool idle_start_search(struct idle *idle);

/* (2) `searching`: from SEARCHING, else from BUSY. */
enum idle_place idle_announce(struct idle *idle, unsigned worker, bool searching);

/* (3) Returns whom to unpark. */
int idle_end_search(struct idle *idle);

/* (4) The work was made visible before, by a seq_cst store or read-modify-write.
 * Returns whom to unpark. */
int idle_pick(struct idle *idle);

/* (4) for one worker that alone can do the work (its mail, a stop), which was published
 * before in any way. Returns whom to unpark; IDLE_NOBODY: it is awake, and will look
 * before it sleeps. */
int idle_claim(struct idle *idle, unsigned worker);

/* (5) SLEEPING -> SEARCHING; also right when (4) did it meanwhile. true: somebody did. */
bool idle_retract(struct idle *idle, unsigned worker);

/* (6) false: somebody else holds it. leave returns whom to unpark. */
bool idle_try_watch(struct idle *idle, unsigned worker);
int idle_leave_watch(struct idle *idle);

/* For tests and metrics: a moment's truth. */
unsigned idle_sleeping(struct idle *idle);
unsigned idle_searching(struct idle *idle);
int idle_watch(struct idle *idle); /* a worker's number, or IDLE_NOBODY */

#endif
