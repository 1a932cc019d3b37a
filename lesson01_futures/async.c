/* async: the three operations that every async function shares.
 *
 * The one pointer `child` gives two things for free: a cancel travels down to whatever
 * the function is waiting for, and a backtrace travels the same way. Invariant: child
 * is NULL exactly while the body runs, so a cancel that comes from within the body (the
 * function cancels the tree it is part of) only sets the flag, and the next await sees
 * it. */
#include "lesson01_futures/async.h"

#include "lesson01_futures/combine.h"

void async_cancel(struct future *future)
{
    struct async *async = async_of(future);
    if (async->cancelled)
        return;
    async->cancelled = true;
    if (async->child && !async->shielded)
        future_cancel(async->child);
}

struct future *async_child(const struct future *future, unsigned i)
{
    const struct async *async = async_of(future);
    const struct select *loose = select_loose(async);
    if (async->child) {
        if (i == 0)
            return async->child;
        i--;
    }
    /* A select set that is being awaited again shows its children itself. */
    if (!loose || async->child == &loose->future)
        return NULL;
    return select_in_flight(loose, i);
}

void async_forget_loose(struct async *async)
{
    if (!select_in_flight(select_loose(async), 0))
        async->loose = 0;
}

enum poll_state async_finish_loose(struct async *async)
{
    const struct future *left = select_in_flight(select_loose(async), 0);
    CHECK(
        !left,
        "an async function returned at line %d while '%s' of its select_any was still "
        "in flight (rule F4: await cancel_all first)",
        async->line, left->ops->name);
    return POLL_READY;
}
