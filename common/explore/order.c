/* order: what happens before what, by vector clocks.
 *
 * Each thread counts its own time, and knows how far it has heard of the others' times.
 * A release leaves that knowledge at the address that it writes; an acquire that reads
 * from there takes it over. An access of another thread is ordered before this one when
 * its time is not later than what this thread has heard.
 *
 * A thread's own time goes on after every release: what it does later must not seem
 * known to those who acquired earlier. */
#include "common/explore/engine.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

enum { LOCATIONS = 4096 };

static struct location {
    unsigned generation;
    uintptr_t address;
    struct vector released;
} * locations;
static unsigned *generation;

int order_map(void)
{
    void *memory = mmap(NULL, LOCATIONS * sizeof *locations + 64,
                        PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    locations = memory;
    generation = (unsigned *)(locations + LOCATIONS);
    return 0;
}

void order_begin(void)
{
    ++*generation;
}

void order_join(struct vector *into, const struct vector *from)
{
    for (int i = 0; i < EXPLORE_THREADS; i++)
        if (from->at[i] > into->at[i])
            into->at[i] = from->at[i];
}

struct vector *order_location(uintptr_t address)
{
    size_t at = (address >> 2) * UINT64_C(0x9e3779b97f4a7c15) >> 52;
    for (unsigned tries = 0; tries < LOCATIONS; tries++, at = (at + 1) % LOCATIONS) {
        struct location *location = &locations[at];
        if (location->generation != *generation) {
            *location = (struct location){ .generation = *generation };
            location->address = address;
        }
        if (location->address == address)
            return &location->released;
    }
    engine_fail("explorer", "more than %d atomic variables", LOCATIONS);
}

/* The thread's own time goes on. Records of accesses keep 16 bits of it (shade.c). */
void order_tick(struct thread *thread)
{
    if (++thread->clock.at[thread - engine->threads] > UINT16_MAX)
        engine_fail("explorer", "more than %d releases of one thread", UINT16_MAX);
}

bool order_acquires(int order)
{
    return order != memory_order_relaxed && order != memory_order_release;
}

bool order_releases(int order)
{
    return order == memory_order_release || order == memory_order_acq_rel ||
           order == memory_order_seq_cst;
}

void order_acquire(struct thread *thread, uintptr_t address, int order)
{
    const struct vector *there = order_location(address);
    order_join(order_acquires(order) ? &thread->clock : &thread->acquired, there);
}

/* keeps_older: a read-modify-write, which continues the release that it replaces. */
void order_release(struct thread *thread, uintptr_t address, int order,
                   bool keeps_older)
{
    struct vector *there = order_location(address);
    const struct vector *mine =
        order_releases(order) ? &thread->clock : &thread->released;
    if (keeps_older)
        order_join(there, mine);
    else
        *there = *mine;
    if (order_releases(order))
        order_tick(thread);
}

/* MEM_HANDED_OVER, MEM_TAKEN_OVER: an order that went through the kernel. */
void __tsan_acquire(void *address);
void __tsan_release(void *address);

void __tsan_acquire(void *address)
{
    if (engine && engine->inside)
        order_acquire(engine_self(), (uintptr_t)address, memory_order_acquire);
}

void __tsan_release(void *address)
{
    if (engine && engine->inside)
        order_release(engine_self(), (uintptr_t)address, memory_order_release, true);
}
