/* async, made in another way: a cancel is passed on each time that it comes, which F7
 * allows; what lies loose is shown before what is awaited. */
#include "lesson01_futures/async.h"

#include "lesson01_futures/combine.h"

void async_cancel(struct future *future)
{
    struct async *frame = async_of(future);
    struct future *below = frame->shielded ? NULL : frame->child;
    frame->cancelled = true;
    if (below)
        below->ops->cancel(below);
}

/* The select set to be shown with the frame: not one that is being awaited. */
static const struct select *beside(const struct async *frame)
{
    const struct select *set = select_loose(frame);
    return set && frame->child == &set->future ? NULL : set;
}

struct future *async_child(const struct future *future, unsigned i)
{
    const struct async *frame = async_of(future);
    const struct select *set = beside(frame);
    unsigned shown = 0;
    for (; set && select_in_flight(set, shown); shown++)
        if (shown == i)
            return select_in_flight(set, shown);
    return i == shown ? frame->child : NULL;
}

void async_forget_loose(struct async *async)
{
    const struct select *set = select_loose(async);
    unsigned left = 0;
    for (unsigned i = 0; i < set->count; i++)
        left += set->children[i] && !future_is_done(set->children[i]);
    if (left == 0)
        async->loose = 0;
}

enum poll_state async_finish_loose(struct async *async)
{
    const struct select *set = select_loose(async);
    unsigned left = 0;
    while (select_in_flight(set, left))
        left++;
    CHECK(left == 0, "the body ends at line %d and leaves %u futures behind (rule F4)",
          async->line, left);
    return POLL_READY;
}
