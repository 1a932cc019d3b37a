/* slots: which places of a small store are free.
 *
 * A pool that keeps its tasks in a fixed store has to know which places are free. Who
 * spawns takes one, who ends a task gives its place back. Any thread may do either at
 * any time, and the kernel may hold a thread up between any two of its steps for as
 * long as it likes: a second is nothing, and a hundred million changes fit into it.
 *
 * Promises: a slot that was taken is nobody else's until it is given back. What its
 * last holder wrote before giving it back, its next holder sees. A slot that was given
 * back can be taken again: none is lost. Which one of the free slots a take gets is not
 * promised.
 *
 * Ownership: caller-owned memory, nothing to finish. Threads: any. */
#ifndef LESSON06_EXERCISES_SLOTS_H
#define LESSON06_EXERCISES_SLOTS_H

#include <stdatomic.h>
#include <stdint.h>

#define SLOTS_MAX 64

struct slots {
    /* any thread, atomic; the picture is in the .c file */
    _Atomic uint64_t head;
    _Atomic uint32_t below[SLOTS_MAX];
    /* constant after init */
    unsigned count;
};

/* All are free. count: 1 .. SLOTS_MAX, else -EINVAL. */
int slots_init(struct slots *slots, unsigned count);

/* A free slot, 0 .. count - 1; -1: at some moment of the call none was free. */
int slots_take(struct slots *slots);

/* The slot was taken, and not given back since. */
void slots_give(struct slots *slots, unsigned slot);

#endif
