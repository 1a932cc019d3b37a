/* grow: a list on the heap that grows by doubling. Threads: one at a time for each list. */
#ifndef LESSON08_GROW_H
#define LESSON08_GROW_H

#include <stddef.h>

/* The list with room for at least one more than `count` items of `size` bytes: the same,
 * or a larger copy, with *room updated. NULL: no memory, and the list is as it was. */
void *grow(void *list, int count, int *room, size_t size);

#endif
