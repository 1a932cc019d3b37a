/* slab: memory for tasks, cut from big blocks.
 *
 * A task is allocated and freed millions of times, in few sizes, and mostly on one
 * thread. The slab cuts 1 MiB blocks into slots of one size, keeps freed slots in a
 * list by size, and can enumerate its live slots, which is how a dump finds every task
 * without a list that every task would have to be linked into.
 *
 * One thread may own the slab (slab_enter): its allocations and frees take no lock and
 * no atomic. Others are served under a lock; what they free goes to the owner's return
 * stack. A slab outlives its users: slab_close gives it up, and the last slab_free
 * frees it (RULES W5: a waker may outlive its executor).
 *
 * A slot's first 32-bit word is the user's life sign: non-zero while the slot is in
 * use. slab_free sets it to 0.
 *
 * Memory is given back to the system when the slab ends, not before.
 * Alignment of a slot: 16. Errors: NULL when no memory. */
#ifndef LESSON02_SLAB_H
#define LESSON02_SLAB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLAB_CLASSES 32

struct slab_slot;

struct slab {
    /* owner thread only */
    struct slab_slot *local[SLAB_CLASSES]; /* owns: free slots */
    struct slab_block *cut[SLAB_CLASSES];  /* borrows: the block slots are cut from */
    int64_t local_live;
    /* any thread, atomic */
    _Atomic(struct slab_slot *) returned; /* owns: slots freed by other threads */
    _Atomic int64_t live; /* biased while the slab is open; see slab.c */
    /* guarded by lock */
    pthread_mutex_t lock;
    struct slab_slot *shared[SLAB_CLASSES]; /* owns: free slots for other threads */
    struct slab_block *shared_cut[SLAB_CLASSES];
    struct slab_block *blocks; /* owns: all of them */
    /* immutable */
    void (*on_end)(struct slab *slab); /* called once, when the last slot is gone */
};

/* on_end (may be NULL) is told when the slab's memory is no longer in use, and frees
 * the struct that holds the slab. */
int slab_init(struct slab *slab, void (*on_end)(struct slab *slab));

/* Makes the calling thread the slab's owner until slab_leave; nests. At most one thread
 * at a time. */
struct slab *slab_enter(struct slab *slab); /* returns what was entered before */
void slab_leave(struct slab *before);

/* Is the calling thread the owner? */
bool slab_is_mine(const struct slab *slab);

/* Not zeroed, but for the life sign; the caller fills the slot, then writes a life sign
 * with release: from then on slab_each shows it. */
void *slab_alloc(struct slab *slab, size_t size);

/* From any thread. */
void slab_free(void *slot);

/* The slab that a slot came from. Any thread. */
struct slab *slab_of(const void *slot);

/* Gives the slab up: no more slab_alloc. It ends now or with the last slab_free. No
 * thread may own it. */
void slab_close(struct slab *slab);

/* Calls visit for each live slot; visit neither allocates nor frees. The owner thread, or
 * any while nobody owns it. */
void slab_each(struct slab *slab, void (*visit)(void *slot, void *argument),
               void *argument);

#endif
