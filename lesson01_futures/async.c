/* async: the three operations that every async function shares.
 *
 * The one pointer `child` gives two things for free: a cancel travels down to whatever
 * the function is waiting for, and a backtrace travels the same way. Invariant: child is
 * NULL exactly while the body runs, so a cancel that comes from within the body (the
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

static const struct select *loose_set(const struct async *async)
{
    const char *frame = (const char *)async;
    return (const struct select *)(const void *)(frame + (size_t)async->loose * 8);
}

struct future *async_child(const struct future *future, unsigned i)
{
    const struct async *async = async_of(future);
    if (async->child) {
        if (i == 0)
            return async->child;
        i--;
    }
    return async->loose ? select_in_flight(loose_set(async), i) : NULL;
}

enum poll_state async_finish_loose(struct async *async)
{
    const struct future *left = select_in_flight(loose_set(async), 0);
    CHECK(!left,
          "an async function returned at line %d while '%s' of its select_any was still "
          "in flight (rule F4: await cancel_all first)",
          async->line, left->ops->name);
    return POLL_READY;
}
