/* depend: which two steps may be swapped without anybody noticing.
 *
 * Everything that the sleep sets leave out, they leave out because of an answer of this
 * file; a wrong "no" hides bugs. So the rule is coarse: steps of two threads depend on
 * each other when they touch the same address and one of them writes; whatever cannot be
 * described so (a time-out, a yield) depends on everything that it could meet.
 *
 * free is no step of its own, so it is not asked about here: it counts as a write of the
 * whole block to the check of plain accesses (shade.c), which finds it in any order of
 * the same steps. */
#include "common/explore/engine.h"

int depend_owner(int action)
{
    return action < EXPLORE_THREADS ? action : (action - EXPLORE_THREADS) / SLOTS;
}

const struct op *depend_op(int action)
{
    if (action < EXPLORE_THREADS)
        return &engine->threads[action].op;
    struct thread *thread = &engine->threads[depend_owner(action)];
    return &thread->buffer[(action - EXPLORE_THREADS) % SLOTS].op;
}

static bool is_flush(int action)
{
    return action >= EXPLORE_THREADS;
}

static bool into_buffer(int action)
{
    const struct op *op = depend_op(action);
    return !is_flush(action) && op->kind == OP_STORE && !atomics_is_direct(op);
}

static bool writes(int action)
{
    const struct op *op = depend_op(action);
    if (is_flush(action))
        return true;
    switch (op->kind) {
    case OP_LOAD:
    case OP_FENCE:
    case OP_JOIN:
    case OP_SPAWN:
    case OP_YIELD:
    case OP_CHOOSE:
        return false;
    case OP_STORE:
        return atomics_is_direct(op);
    default:
        return true;
    }
}

static bool touch_the_same(const struct op *a, const struct op *b)
{
    return (a->address && (a->address == b->address || a->address == b->also)) ||
           (a->also && (a->also == b->address || a->also == b->also));
}

/* Of one thread: its own stores and its own next step. */
static bool depend_within(int a, int b)
{
    if (!is_flush(a) && !is_flush(b))
        return true;
    if (is_flush(a) && is_flush(b))
        return touch_the_same(depend_op(a), depend_op(b));
    int step = is_flush(a) ? b : a;
    return !(depend_op(step)->kind == OP_LOAD || into_buffer(step));
}

/* Steps whose turn depends on what everybody else does: a wait that times out, a look
 * that shows nothing new, a yield. */
static bool is_last_resort(int action)
{
    const struct op *op = depend_op(action);
    if (is_flush(action))
        return false;
    return op->timed || op->kind == OP_YIELD ||
           (op->repeated && atomics_shows_nothing_new(&engine->threads[action]));
}

bool depend(int a, int b)
{
    if (depend_owner(a) == depend_owner(b))
        return depend_within(a, b);
    const struct op *x = depend_op(a), *y = depend_op(b);
    if (is_last_resort(a) || is_last_resort(b))
        return true;
    if (into_buffer(a) || into_buffer(b))
        return false;
    return (writes(a) || writes(b)) && touch_the_same(x, y);
}
