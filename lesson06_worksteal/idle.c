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
#include "lesson06_worksteal/pause.h"

#define ASLEEP(word) ((word) & ((UINT64_C(1) << 48) - 1))
#define WATCH_SHIFT 48
#define WATCH_MASK (UINT64_C(0x7f) << WATCH_SHIFT)
#define WATCH(word) ((int)(((word)&WATCH_MASK) >> WATCH_SHIFT) - 1)
#define WATCH_IS(worker) ((uint64_t)((worker) + 1) << WATCH_SHIFT)
#define DEEP (UINT64_C(1) << 55)
#define ONE_SEARCHING (UINT64_C(1) << 56)
#define SEARCHING(word) ((unsigned)((word) >> 56))

/* exercise 6.2 { */
static uint64_t bit_of(unsigned worker)
{
    return UINT64_C(1) << worker;
}
/* } exercise 6.2 */

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

/* exercise 6.2 { */
/* Wakes one sleeper in the new word; the word without a sleeper stays as it is. A watch
 * that sleeps without a limit goes first: it must learn that somebody is awake. Else it
 * goes last: waking it costs more, and somebody must take its place. */
static uint64_t wake_one(uint64_t word, int *woken)
{
    *woken = IDLE_NOBODY;
    uint64_t choice = ASLEEP(word);
    if (!choice)
        return word;
    uint64_t watch = WATCH(word) < 0 ? 0 : choice & bit_of((unsigned)WATCH(word));
    if (watch && ((word & DEEP) || choice == watch)) {
        *woken = IDLE_WATCH;
        return word - watch + ONE_SEARCHING;
    }
    unsigned worker = (unsigned)__builtin_ctzll(choice & ~watch);
    *woken = (int)worker;
    return word - bit_of(worker) + ONE_SEARCHING;
}
/* } exercise 6.2 */

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
    /* exercise 6.2 { */
    int woken;
    uint64_t new, old = look(idle);
    do {
        CHECK(SEARCHING(old) > 0, "a worker stopped searching that had not started");
        new = old - ONE_SEARCHING;
        woken = IDLE_NOBODY;
        if (SEARCHING(new) == 0)
            new = wake_one(new, &woken);
    } while (!step(idle, &old, new));
    return woken;
    /* } exercise 6.2: (idle) one searcher less; the last hands its place on */
}

enum idle_place idle_announce(struct idle *idle, unsigned worker, bool searching)
{
    /* exercise 6.2 { */
    enum idle_place place;
    uint64_t new, old = look(idle);
    do {
        CHECK(!(ASLEEP(old) & bit_of(worker)), "worker %u sleeps already", worker);
        CHECK(!searching || SEARCHING(old) > 0, "worker %u did not search", worker);
        new = old + bit_of(worker) - (searching ? ONE_SEARCHING : 0);
        place = IDLE_OWN_PARKER;
        if (WATCH(old) < 0) {
            bool deep = count_asleep(new) == idle->workers;
            new += WATCH_IS(worker) + (deep ? DEEP : 0);
            place = deep ? IDLE_WATCH_DEEP : IDLE_WATCH_LIMITED;
        }
    } while (!step(idle, &old, new));
    return place;
    /* } exercise 6.2: (idle, worker, searching) arrow 2: asleep, and where */
}

/* exercise 6.2 { */
static bool needs_nobody(uint64_t word)
{
    return !ASLEEP(word) || SEARCHING(word) > 0;
}

static int pick_sleeper(struct idle *idle, uint64_t old)
{
    int woken;
    uint64_t new;
    do {
        if (needs_nobody(old))
            return IDLE_NOBODY;
        new = wake_one(old, &woken);
    } while (!step(idle, &old, new));
    return woken;
}
/* } exercise 6.2 */

int idle_pick(struct idle *idle)
{
    /* exercise 6.2 { */
    uint64_t old = look(idle);
    return needs_nobody(old) ? IDLE_NOBODY : pick_sleeper(idle, old);
    /* } exercise 6.2: (idle) wake one, if anybody sleeps and nobody searches */
}

int idle_claim(struct idle *idle, unsigned worker)
{
    /* exercise 6.2 { */
    /* A read-modify-write that changes nothing, where a load would do for pick: what
     * the caller has published (its mail) need not be a seq_cst store then. If announce
     * comes later in the word's own order, it reads from this step, and its look at the
     * mail sees the mail. */
    uint64_t old = atomic_fetch_add_explicit(&idle->word, 0, memory_order_seq_cst);
    do {
        if (!(ASLEEP(old) & bit_of(worker)))
            return IDLE_NOBODY;
    } while (!step(idle, &old, old - bit_of(worker) + ONE_SEARCHING));
    return WATCH(old) == (int)worker ? IDLE_WATCH : (int)worker;
    /* } exercise 6.2: (idle, worker) wake this one, if it sleeps */
}

bool idle_retract(struct idle *idle, unsigned worker)
{
    /* exercise 6.2 { */
    bool woken;
    uint64_t new, old = look(idle);
    do {
        new = old;
        woken = !(ASLEEP(old) & bit_of(worker));
        if (!woken) /* else whoever cleared it counted us */
            new += ONE_SEARCHING - bit_of(worker);
        if (WATCH(old) == (int)worker)
            new &= ~(WATCH_MASK | DEEP);
    } while (new != old && !step(idle, &old, new));
    return woken;
    /* } exercise 6.2: (idle, worker) awake, whoever cleared the bit */
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
    /* exercise 6.2 { */
    int woken;
    uint64_t new, old = look(idle);
    do {
        new = old & ~(WATCH_MASK | DEEP);
        woken = IDLE_NOBODY;
        if (SEARCHING(new) == 0)
            new = wake_one(new, &woken);
    } while (!step(idle, &old, new));
    return woken;
    /* } exercise 6.2: (idle) give the watch back, to a sleeper if nobody searches */
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
