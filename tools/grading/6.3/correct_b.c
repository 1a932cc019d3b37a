/* Exercise 6.3, another right solution: the head is a bitmap, a bit for each free slot.
 * The word is the whole state, so a word that has come back means a state that has come
 * back: a swap that succeeds is right, however long its thread has slept, and there is
 * no turn. It ends at 64 slots, and takes the lowest instead of the warmest. */
#include "lesson06_worksteal/exercises/slots.h"

#include <errno.h>

#include "common/check.h"

int slots_init(struct slots *slots, unsigned count)
{
    if (count < 1 || count > SLOTS_MAX)
        return -EINVAL;
    slots->count = count;
    atomic_init(&slots->head, UINT64_MAX >> (64 - count));
    return 0;
}

int slots_take(struct slots *slots)
{
    /* acquire: pairs with slots_give */
    uint64_t mine, free = atomic_load_explicit(&slots->head, memory_order_acquire);
    do {
        if (free == 0)
            return -1;
        mine = free & (~free + 1); /* the lowest bit */
    } while (!atomic_compare_exchange_weak_explicit(
        &slots->head, &free, free - mine, memory_order_acquire, memory_order_acquire));
    return __builtin_ctzll(mine);
}

void slots_give(struct slots *slots, unsigned slot)
{
    CHECK(slot < slots->count, "slot %u of %u is given back", slot, slots->count);
    /* release: pairs with slots_take */
    atomic_fetch_or_explicit(&slots->head, UINT64_C(1) << slot, memory_order_release);
}
