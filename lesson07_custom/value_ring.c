/* value_ring: a ring, since a queue in which everything moves up would copy each value
 * once for each that leaves.
 *
 * Invariant: the values are the slots first .. first + count - 1, modulo capacity. Growing
 * makes a straight line of them in the new block, so that the gap is in one piece. */
#include "lesson07_custom/value_ring.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 16

int value_ring_init(struct value_ring *ring, size_t capacity, size_t value_size)
{
    *ring = (struct value_ring){ .value_size = value_size,
                                 .capacity = capacity ? capacity : FIRST_CAPACITY,
                                 .grows = capacity == 0 };
    if (value_size == 0 || ring->capacity > SIZE_MAX / value_size)
        return -EINVAL;
    ring->block = malloc(ring->capacity * value_size);
    return ring->block ? 0 : -ENOMEM;
}

void value_ring_finish(struct value_ring *ring)
{
    free(ring->block);
    ring->block = NULL;
}

static unsigned char *slot(const struct value_ring *ring, size_t i)
{
    /* no modulo: a division costs more than all the rest of a push */
    size_t at = ring->first + i;
    at -= at < ring->capacity ? 0 : ring->capacity;
    return ring->block + at * ring->value_size;
}

/* Most values are one word, and a copy of known size is one instruction. */
static void copy(void *to, const void *from, size_t size)
{
    if (size == sizeof(uint64_t))
        memcpy(to, from, sizeof(uint64_t));
    else
        memcpy(to, from, size);
}

static int grow(struct value_ring *ring)
{
    if (ring->capacity > SIZE_MAX / 2 / ring->value_size)
        return -ENOMEM;
    unsigned char *block = malloc(2 * ring->capacity * ring->value_size);
    if (!block)
        return -ENOMEM;
    size_t until_end = ring->capacity - ring->first;
    size_t before = ring->count < until_end ? ring->count : until_end;
    memcpy(block, slot(ring, 0), before * ring->value_size);
    memcpy(block + before * ring->value_size, ring->block,
           (ring->count - before) * ring->value_size);
    free(ring->block);
    ring->block = block;
    ring->capacity *= 2;
    ring->first = 0;
    return 0;
}

int value_ring_push(struct value_ring *ring, const void *value)
{
    if (ring->count == ring->capacity) {
        int err = ring->grows ? grow(ring) : -EAGAIN;
        if (err < 0)
            return err;
    }
    copy(slot(ring, ring->count), value, ring->value_size);
    ring->count++;
    return 0;
}

bool value_ring_pop(struct value_ring *ring, void *value)
{
    if (ring->count == 0)
        return false;
    copy(value, slot(ring, 0), ring->value_size);
    ring->first = ring->first + 1 < ring->capacity ? ring->first + 1 : 0;
    ring->count--;
    return true;
}
