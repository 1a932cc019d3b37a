/* Exercise 6.2: Who sleeps, who searches. What to do stands in 6.2_idle.md. */
/* idle: the end of every lost wake-up is in this file, or the beginning of one.
 *
 * Problem: a worker without work must sleep, or it burns a core; but work may arrive
 * from any thread at any moment, also between its last look and its sleep. Waking
 * everybody for each new task would be safe, and slow: most would find nothing.
 *
 * Idea, in two halves. First, announce and look again (W1):
 *
 *      worker:   set my bit in the word;     then look at the queues
 *      waker:    put the task in a queue;    then look at the word
 *
 * All four are seq_cst, so they have one total order. In it, one of the two first steps
 * is the later one; whoever takes it looks after both, and sees the other's: no order
 * exists in which both look too early. Second, one searcher is enough: while somebody searches, a waker
 * wakes nobody, since the searcher will meet the new task. That passes on a duty: a
 * searcher that stops because it found something may have left more behind, so the last
 * one hands its place to a sleeper (S5); one that found nothing announces itself and
 * looks again.
 *
 * The watch moves by the same rule. Its holder wakes with I/O, becomes a searcher,
 * finds what the I/O made ready, and hands its searcher's place on; the next one finds
 * work, too, or takes the watch. So "hand over the reactor" needs no code of its own.
 *
 * Each transition is a pure function from the old word to the new one, applied by
 * compare-and-swap, and checked against I1 and I2.
 *
 * Sources: Go's proc.go ("Worker thread parking/unparking"); Tokio's idle.rs, which
 * keeps the counts in a word and the sleepers in a list under a lock (tokio#8372). */
#include "lesson06_worksteal/idle.h"

#include "common/check.h"
#include "common/todo.h"
#include "lesson06_worksteal/pause.h"

#define ASLEEP(word) ((word) & ((UINT64_C(1) << 48) - 1))
#define WATCH_SHIFT 48
#define WATCH_MASK (UINT64_C(0x7f) << WATCH_SHIFT)
#define WATCH(word) ((int)(((word)&WATCH_MASK) >> WATCH_SHIFT) - 1)
#define WATCH_IS(worker) ((uint64_t)((worker) + 1) << WATCH_SHIFT)
#define DEEP (UINT64_C(1) << 55)
#define ONE_SEARCHING (UINT64_C(1) << 56)
#define SEARCHING(word) ((unsigned)((word) >> 56))

static unsigned count_asleep(uint64_t word)
{
    return (unsigned)__builtin_popcountll(ASLEEP(word));
}

/* One step from old to new; false: the word changed, *old is the present one. */
static bool step(struct idle *idle, uint64_t *old, uint64_t new)
{
    PAUSE("idle: before a step");
    /* seq_cst: every step pairs with every other step, and with the queues; see the
     * essay. The load that a failed swap is also is the waker's "then look at the
     * word". */
    if (!atomic_compare_exchange_weak_explicit(
            &idle->word, old, new, memory_order_seq_cst, memory_order_seq_cst))
        return false;
    CHECK(count_asleep(new) + SEARCHING(new) <= idle->workers,
          "%u workers sleep and %u search, of %u (rule S6)", count_asleep(new),
          SEARCHING(new), idle->workers);
    CHECK(!ASLEEP(new) || SEARCHING(new) || WATCH(new) >= 0,
          "workers %#llx sleep, nobody searches, nobody keeps watch (rule S9)",
          (unsigned long long)ASLEEP(new));
    return true;
}

static uint64_t look(struct idle *idle)
{
    /* seq_cst: pairs with announce; the waker's half of W1 */
    return atomic_load_explicit(&idle->word, memory_order_seq_cst);
}

void idle_init(struct idle *idle, unsigned workers)
{
    CHECK(workers >= 1 && workers <= IDLE_WORKERS_MAX, "%u workers", workers);
    idle->workers = workers;
    atomic_init(&idle->word, 0);
}

bool idle_start_search(struct idle *idle)
{
    uint64_t old = look(idle);
    do {
        if (2 * SEARCHING(old) >= idle->workers)
            return false;
    } while (!step(idle, &old, old + ONE_SEARCHING));
    return true;
}

int idle_end_search(struct idle *idle)
{
    /* Yours: one searcher less; the last hands its place on */
    EXERCISE_TODO("6.2", idle);
}

enum idle_place idle_announce(struct idle *idle, unsigned worker, bool searching)
{
    /* Yours: arrow 2: asleep, and where */
    EXERCISE_TODO("6.2", idle, worker, searching);
}

int idle_pick(struct idle *idle)
{
    /* Yours: wake one, if anybody sleeps and nobody searches */
    EXERCISE_TODO("6.2", idle);
}

int idle_claim(struct idle *idle, unsigned worker)
{
    /* Yours: wake this one, if it sleeps */
    EXERCISE_TODO("6.2", idle, worker);
}

bool idle_retract(struct idle *idle, unsigned worker)
{
    /* Yours: awake, whoever cleared the bit */
    EXERCISE_TODO("6.2", idle, worker);
}

bool idle_try_watch(struct idle *idle, unsigned worker)
{
    uint64_t old = look(idle);
    do {
        if (WATCH(old) >= 0)
            return false;
    } while (!step(idle, &old, old + WATCH_IS(worker)));
    return true;
}

int idle_leave_watch(struct idle *idle)
{
    /* Yours: give the watch back, to a sleeper if nobody searches */
    EXERCISE_TODO("6.2", idle);
}

unsigned idle_sleeping(struct idle *idle)
{
    return count_asleep(look(idle));
}

unsigned idle_searching(struct idle *idle)
{
    return SEARCHING(look(idle));
}

int idle_watch(struct idle *idle)
{
    return WATCH(look(idle));
}
