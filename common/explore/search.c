/* search: which of the possible steps is next, this time.
 *
 * Depth first: a schedule is run to its end; then the last choice that has an alternative
 * takes it, everything before is run again as it was, and the rest is new. That needs
 * nothing but the list of choices: no state is ever saved.
 *
 * Sleep sets leave out what would repeat. When all orders that begin with step a have
 * been tried, a goes to sleep: the orders that begin with b need a only after something
 * that does not commute with it, since until then "b, a" is "a, b" again. A schedule in
 * which everybody who could move is asleep is cut. Each set of equivalent orders is run
 * to its end exactly once.
 *
 * With a bound there are no sleep sets (they might put the one cheap order of a set to
 * sleep and leave the dear ones). A preemption costs one; under TSO and PSO so does
 * letting a store wait in its buffer. Most bugs need one or two, so the bounds 0, 1, 2 in
 * turn find the shortest story. */
#include "common/explore/engine.h"

#include <errno.h>
#include <string.h>

static uint64_t next_random(void)
{
    engine->random ^= engine->random << 13;
    engine->random ^= engine->random >> 7;
    engine->random ^= engine->random << 17;
    return engine->random;
}

static int lowest(action_set set)
{
    return __builtin_ctzll(set);
}

static action_set bit(int action)
{
    return (action_set)1 << action;
}

static bool uses_sleep_sets(void)
{
    const struct explore_options *options = engine->options;
    return options->mode == EXPLORE_ALL && options->bound < 0 && !options->brute_force;
}

/* What would come next if nobody interfered; NOBODY: nothing. */
static int expected(action_set enabled)
{
    int t = engine->current;
    action_set flushes = enabled >> (EXPLORE_THREADS + t * SLOTS) & (bit(SLOTS) - 1);
    if (engine->threads[t].fresh && flushes)
        return EXPLORE_THREADS + t * SLOTS + lowest(flushes);
    return enabled & bit(t) ? t : NOBODY;
}

static int cost(int action, int usual)
{
    return usual != NOBODY && action != usual && action < EXPLORE_THREADS;
}

static action_set affordable(action_set enabled, int usual)
{
    if (engine->options->bound < 0)
        return enabled;
    action_set set = 0;
    for (action_set left = enabled; left; left &= left - 1)
        if (engine->spent + cost(lowest(left), usual) <= engine->options->bound)
            set |= bit(lowest(left));
    return set;
}

_Noreturn static void cut(void)
{
    engine->pruned = true;
    engine_leave();
}

static int pick(action_set set, int preferred)
{
    return preferred != NOBODY && (set & bit(preferred)) ? preferred : lowest(set);
}

static void new_node(struct node *node, action_set enabled, bool data, int usual)
{
    *node = (struct node){ .data = data, .spent = engine->spent };
    node->sleep = data ? 0 : engine->asleep;
    node->todo = data ? enabled : affordable(enabled, usual) & ~node->sleep;
    if (!node->todo)
        cut();
    node->action = data ? lowest(node->todo) : pick(node->todo, usual);
    node->todo &= ~bit(node->action);
}

static int decide_by_search(action_set enabled, bool data, int usual)
{
    struct node *node = &engine->nodes[engine->depth];
    if (engine->depth >= engine->length)
        new_node(node, enabled, data, usual);
    int action = node->action;
    if (data || !uses_sleep_sets())
        return action;
    engine->asleep = 0;
    for (action_set left = node->sleep; left; left &= left - 1)
        if (!depend(action, lowest(left)))
            engine->asleep |= bit(lowest(left));
    return action;
}

static int decide_by_dice(action_set enabled, bool data)
{
    int n = __builtin_popcountll(enabled);
    if (engine->options->mode == EXPLORE_RANDOM || data) {
        for (uint64_t skip = next_random() % (unsigned)n; skip > 0; skip--)
            enabled &= enabled - 1;
        return lowest(enabled);
    }
    for (int i = 0; i < 8 && i < engine->options->bound; i++)
        if (engine->change[i] == engine->depth)
            engine->priority[engine->current] = -1 - i;
    int best = lowest(enabled);
    for (action_set left = enabled; left; left &= left - 1)
        if (engine->priority[lowest(left)] > engine->priority[best])
            best = lowest(left);
    if (best < EXPLORE_THREADS && engine->threads[best].op.kind == OP_YIELD)
        engine->priority[best] = -100 - engine->depth; /* others first, from now on */
    return best;
}

/* The next step, one of the enabled ones; data: the next value of explore_choose. */
int search_decide(action_set enabled, bool data)
{
    if (engine->depth == STEPS_MAX)
        engine_fail(
            engine->options->hang_rule ? engine->options->hang_rule : "livelock",
            "more than %d steps, and no end: the threads get nowhere", STEPS_MAX);
    int action, usual = data ? NOBODY : expected(enabled);
    switch (engine->options->mode) {
    case EXPLORE_ALL:
        action = decide_by_search(enabled, data, usual);
        break;
    case EXPLORE_REPLAY:
        action = replay_next(enabled, data);
        break;
    default:
        action = decide_by_dice(enabled, data);
        break;
    }
    struct node *node = &engine->nodes[engine->depth++];
    node->action = action;
    node->data = data;
    if (!data) {
        engine->spent += cost(action, usual);
        if (action != usual)
            engine->threads[engine->current].fresh = false;
    }
    engine->result->steps++;
    return action;
}

int explore_choose(int n)
{
    struct op op = { .kind = OP_CHOOSE, .value = (uint64_t)n, .pc = CALLER };
    CHECK(n >= 1 && n <= 64, "a choice of %d", n);
    if (n == 1)
        return 0;
    int value = search_decide(n == 64 ? UINT64_MAX : bit(n) - 1, true);
    engine_note(&op, (uint64_t)value, (uint64_t)n, true, false);
    return value;
}

/* ---- from one schedule to the next */

void search_begin(void)
{
    engine->length = engine->longest = 0;
}

static void roll_the_dice(void)
{
    engine->random = (engine->options->seed + (uint64_t)engine->result->schedules) *
                         UINT64_C(0x9e3779b97f4a7c15) |
                     1;
    for (int i = 0; i < 64; i++)
        engine->priority[i] = (int)(next_random() % 1000) + 1;
    for (int i = 0; i < 8; i++)
        engine->change[i] = (int)(next_random() % (unsigned)(engine->longest + 20));
}

void search_schedule_begins(void)
{
    engine->depth = engine->spent = 0;
    engine->asleep = 0;
    const char *replay = engine->options->replay,
               *colon = replay ? strchr(replay, ':') : NULL;
    engine->replay_at = colon ? colon + 1 : replay;
    engine->replay_left = 0;
    roll_the_dice();
}

/* Back to the last choice that has something left to try. */
static bool backtrack(void)
{
    for (engine->length = engine->depth; engine->length > 0; engine->length--) {
        struct node *node = &engine->nodes[engine->length - 1];
        if (!node->data && uses_sleep_sets()) {
            node->sleep |= bit(node->action);
            node->todo &= ~node->sleep;
        }
        if (node->todo) {
            node->action = lowest(node->todo);
            node->todo &= node->todo - 1;
            return true;
        }
    }
    return false;
}

/* After a schedule; false: the search is over. */
bool search_next(void)
{
    struct explore_result *result = engine->result;
    const struct explore_options *options = engine->options;
    *(engine->pruned ? &result->cut : &result->schedules) += 1;
    if (engine->depth > engine->longest)
        engine->longest = engine->depth;
    result->longest = engine->longest;
    if (engine->failed || options->mode == EXPLORE_REPLAY)
        return false;
    if (options->mode != EXPLORE_ALL)
        return result->schedules < options->runs;
    if (!backtrack()) {
        result->complete = true;
        return false;
    }
    return options->limit == 0 || result->schedules + result->cut < options->limit;
}
