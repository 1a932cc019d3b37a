/* combine: futures made of futures.
 *
 * Each combinator borrows an array of pointers to futures in the caller's frame, built
 * in the body (before the first poll a future may move, so a pointer to it would not
 * hold). The array and the futures stay in place until the combinator is READY.
 *
 *   join_all    READY when all are.
 *   race        READY when all are; the first to finish wins, the others are cancelled
 *               and awaited. Look at each child's result: a loser may still hold
 *               something real (an accepted connection, a lock, a permit).
 *   select_any  READY when one is; the others stay in flight, registered with the frame,
 *               for a loop that waits on the same things again.
 *   cancel_all  cancels what is left and is READY when all are.
 *
 * Each poll looks at every unfinished child: O(n) a wake. Right for a handful; for a
 * hundred things use tasks (lesson 2).
 *
 * Ownership: borrows array and children; an entry may be NULL, which is skipped. A
 * child that was READY before counts as finished: race and select_any report it. With
 * no child at all each is READY at once (winner -1). Threads: as for any future. */
#ifndef LESSON01_COMBINE_H
#define LESSON01_COMBINE_H

#include "lesson01_futures/async.h"

struct join {
    struct future future;
    struct future **children; /* borrows */
    unsigned count;
    bool cancelled;
    bool cancel_first; /* cancel_all: the first poll cancels */
};

struct join join_all(struct future **children, unsigned count);
struct join cancel_all(struct future **children, unsigned count);

struct race {
    struct future future;
    struct future **children; /* borrows */
    unsigned count;
    bool cancelled;
    int winner; /* output: index of the first that finished; -1: none */
};

struct race race(struct future **children, unsigned count);

struct select {
    struct future future;
    struct future **children; /* borrows */
    struct async *frame;      /* borrows: the async function that owns this slot */
    unsigned count;
    bool cancelled;
    int winner; /* output: index of the one that finished; -1: none was left */
};

/* AWAIT(self->any, select_any(&self->async, self->children, n));
 * READY as soon as one child is done, also one that was done before: so replace the
 * winner by a fresh future, or its entry by NULL, before you wait on the same set
 * again. Several may finish in one poll; each is reported in its turn. Before the
 * function returns nothing may be in flight: AWAIT(self->rest,
 * cancel_all(self->children, n)). Until then the array stays in place and the slot is
 * kept for it (no union with another slot): the frame finds what is in flight through
 * them. One select set a frame at a time. */
struct select select_any(struct async *frame, struct future **children, unsigned count);

/* The i-th child in flight, NULL when there are no more. */
struct future *select_in_flight(const struct select *select, unsigned i);

/* The set that `frame` left in flight outside an await; NULL: there is none. */
const struct select *select_loose(const struct async *frame);

#endif
