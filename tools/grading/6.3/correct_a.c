/* slots: the free slots are a stack, and its head is one atomic word.
 *
 *      63                 32 31                  0
 *      +--------------------+--------------------+
 *      |        turn        |  top: the slot on  |
 *      |                    |  top; none: NONE   |
 *      +--------------------+--------------------+
 *
 * below[s] is the slot under s while s is on the stack. A change is computed from the head
 * that was seen, and put in its place by a compare-and-swap: if the head is another one by
 * then, it starts over. The turn moves on with each change. */
#include "lesson06_worksteal/exercises/slots.h"

#include <errno.h>

#include "common/check.h"

#define NONE UINT32_MAX
#define TOP(head) ((uint32_t)(head))
#define TURN(head) ((uint32_t)((head) >> 32))

/* The head after `old`, with another top. */
static uint64_t head_after(const struct slots *slots, uint64_t old, uint32_t top)
{
    CHECK(top == NONE || top < slots->count, "slot %u of %u", top, slots->count);
    uint32_t turn = TURN(old) + 1;
    return (uint64_t)turn << 32 | top;
}

int slots_init(struct slots *slots, unsigned count)
{
    if (count < 1 || count > SLOTS_MAX)
        return -EINVAL;
    slots->count = count;
    for (uint32_t slot = 0; slot < count; slot++)
        atomic_init(&slots->below[slot], slot + 1 < count ? slot + 1 : NONE);
    atomic_init(&slots->head, 0);
    return 0;
}

int slots_take(struct slots *slots)
{
    /* acquire, here and when the swap is lost: pairs with the swap in slots_give, for
     * `below` and for what the slot's last holder wrote */
    uint64_t head = atomic_load_explicit(&slots->head, memory_order_acquire);
    uint32_t top, below;
    do {
        top = TOP(head);
        if (top == NONE)
            return -1;
        below = atomic_load_explicit(&slots->below[top], memory_order_relaxed);
    } while (!atomic_compare_exchange_weak_explicit(
        &slots->head, &head, head_after(slots, head, below), memory_order_acquire,
        memory_order_acquire));
    return (int)top;
}

void slots_give(struct slots *slots, unsigned slot)
{
    CHECK(slot < slots->count, "slot %u of %u is given back", slot, slots->count);
    uint64_t head = atomic_load_explicit(&slots->head, memory_order_relaxed);
    do {
        atomic_store_explicit(&slots->below[slot], TOP(head), memory_order_relaxed);
        /* release: pairs with the loads of the head in slots_take */
    } while (!atomic_compare_exchange_weak_explicit(
        &slots->head, &head, head_after(slots, head, slot), memory_order_release,
        memory_order_relaxed));
}
