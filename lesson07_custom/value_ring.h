/* value_ring: a queue of values of one fixed size, in one block of memory.
 *
 * What a channel keeps its values in: bounded (a push can say that it is full) or growing
 * (it doubles). Values are copied in and out as bytes.
 *
 * Ownership: owns its block. Threads: none of its own; the channel's lock guards it. */
#ifndef LESSON07_VALUE_RING_H
#define LESSON07_VALUE_RING_H

#include <stdbool.h>
#include <stddef.h>

struct value_ring {
    unsigned char *block; /* owns */
    size_t value_size;    /* bytes */
    size_t capacity;      /* values that the block has room for */
    size_t first;         /* slot of the oldest value */
    size_t count;
    bool grows;
};

/* capacity 0: grows. -EINVAL: values of no size; -ENOMEM. */
int value_ring_init(struct value_ring *ring, size_t capacity, size_t value_size);
void value_ring_finish(struct value_ring *ring);

/* 0; -EAGAIN: full; -ENOMEM: it cannot grow, and nothing has changed. */
int value_ring_push(struct value_ring *ring, const void *value);

/* The oldest value, copied out; false: empty. */
bool value_ring_pop(struct value_ring *ring, void *value);

#endif
