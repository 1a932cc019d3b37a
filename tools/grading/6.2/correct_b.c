/* Exercise 6.2, another right solution: the word is taken apart into plain fields,
 * changed by plain code under one lock, and put together again. No compare-and-swap, no
 * loop; the announcer and the waker are ordered by the lock, and so are the looks
 * before and after it (W1). The word stays the state, so that a reader needs no
 * lock. */
#include "lesson06_worksteal/idle.h"

#include <pthread.h>

#include "common/check.h"

struct state {
    uint64_t asleep;
    unsigned searching;
    int watch;
    bool deep;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct state taken_apart(uint64_t word)
{
    return (struct state){
        .asleep = word & ((UINT64_C(1) << 48) - 1),
        .watch = (int)(word >> 48 & 0x7f) - 1,
        .deep = word >> 55 & 1,
        .searching = (unsigned)(word >> 56),
    };
}

static uint64_t put_together(const struct state *state)
{
    return state->asleep | (uint64_t)(state->watch + 1) << 48 |
           (uint64_t)state->deep << 55 | (uint64_t)state->searching << 56;
}

static unsigned sleepers(const struct state *state)
{
    return (unsigned)__builtin_popcountll(state->asleep);
}

static struct state look(struct idle *idle)
{
    /* seq_cst: a look without the lock comes after what its caller did before */
    return taken_apart(atomic_load_explicit(&idle->word, memory_order_seq_cst));
}

static struct state enter(struct idle *idle)
{
    pthread_mutex_lock(&lock);
    return look(idle);
}

static void leave(struct idle *idle, const struct state *state)
{
    CHECK(sleepers(state) + state->searching <= idle->workers,
          "%u workers sleep and %u search, of %u (rule S6)", sleepers(state),
          state->searching, idle->workers);
    CHECK(!state->asleep || state->searching || state->watch >= 0,
          "workers sleep, nobody searches, nobody keeps watch (rule S9)");
    atomic_store_explicit(&idle->word, put_together(state), memory_order_seq_cst);
    pthread_mutex_unlock(&lock);
}

static bool sleeps(const struct state *state, int worker)
{
    return worker >= 0 && (state->asleep >> worker & 1);
}

static void wake(struct state *state, int worker)
{
    state->asleep &= ~(UINT64_C(1) << worker);
    state->searching++;
}

static int wake_one(struct state *state)
{
    if (!state->asleep)
        return IDLE_NOBODY;
    if (sleeps(state, state->watch) && (state->deep || sleepers(state) == 1)) {
        wake(state, state->watch);
        return IDLE_WATCH;
    }
    int worker = IDLE_WORKERS_MAX - 1; /* the highest, for a change */
    while (!sleeps(state, worker) || worker == state->watch)
        worker--;
    wake(state, worker);
    return worker;
}

static void give_watch_back(struct state *state)
{
    state->watch = IDLE_NOBODY;
    state->deep = false;
}

void idle_init(struct idle *idle, unsigned workers)
{
    CHECK(workers >= 1 && workers <= IDLE_WORKERS_MAX, "%u workers", workers);
    idle->workers = workers;
    atomic_init(&idle->word, 0);
}

bool idle_start_search(struct idle *idle)
{
    struct state state = enter(idle);
    bool may = 2 * state.searching < idle->workers;
    state.searching += may;
    leave(idle, &state);
    return may;
}

int idle_end_search(struct idle *idle)
{
    struct state state = enter(idle);
    CHECK(state.searching > 0, "a worker stopped searching that had not started");
    state.searching--;
    int woken = state.searching == 0 ? wake_one(&state) : IDLE_NOBODY;
    leave(idle, &state);
    return woken;
}

enum idle_place idle_announce(struct idle *idle, unsigned worker, bool searching)
{
    enum idle_place place = IDLE_OWN_PARKER;
    struct state state = enter(idle);
    CHECK(!sleeps(&state, (int)worker), "worker %u sleeps already", worker);
    CHECK(!searching || state.searching > 0, "worker %u did not search", worker);
    state.searching -= searching;
    state.asleep |= UINT64_C(1) << worker;
    if (state.watch < 0) {
        state.watch = (int)worker;
        state.deep = sleepers(&state) == idle->workers;
        place = state.deep ? IDLE_WATCH_DEEP : IDLE_WATCH_LIMITED;
    }
    leave(idle, &state);
    return place;
}

int idle_pick(struct idle *idle)
{
    struct state state = enter(idle);
    int woken = state.searching == 0 ? wake_one(&state) : IDLE_NOBODY;
    leave(idle, &state);
    return woken;
}

int idle_claim(struct idle *idle, unsigned worker)
{
    int woken = IDLE_NOBODY;
    struct state state = enter(idle);
    if (sleeps(&state, (int)worker)) {
        woken = state.watch == (int)worker ? IDLE_WATCH : (int)worker;
        wake(&state, (int)worker);
    }
    leave(idle, &state);
    return woken;
}

bool idle_retract(struct idle *idle, unsigned worker)
{
    struct state state = enter(idle);
    bool woken = !sleeps(&state, (int)worker);
    if (!woken)
        wake(&state, (int)worker);
    if (state.watch == (int)worker)
        give_watch_back(&state);
    leave(idle, &state);
    return woken;
}

bool idle_try_watch(struct idle *idle, unsigned worker)
{
    struct state state = enter(idle);
    bool mine = state.watch < 0;
    if (mine)
        state.watch = (int)worker;
    leave(idle, &state);
    return mine;
}

int idle_leave_watch(struct idle *idle)
{
    struct state state = enter(idle);
    give_watch_back(&state);
    int woken = state.searching == 0 ? wake_one(&state) : IDLE_NOBODY;
    leave(idle, &state);
    return woken;
}

unsigned idle_sleeping(struct idle *idle)
{
    struct state state = look(idle);
    return sleepers(&state);
}

unsigned idle_searching(struct idle *idle)
{
    return look(idle).searching;
}

int idle_watch(struct idle *idle)
{
    return look(idle).watch;
}
