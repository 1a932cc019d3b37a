/* container: from a member back to the struct that holds it.
 *
 * Every interface of the course is a small struct that a bigger one embeds; this is the
 * way back. Threads: any. */
#ifndef COMMON_CONTAINER_H
#define COMMON_CONTAINER_H

#include <stddef.h>
#include <stdint.h>

#define container_of(pointer, type, member)                                            \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* The same for a pointer to const: the result is const as well. */
#define container_of_const(pointer, type, member)                                      \
    ((const type *)(const void *)((const char *)(pointer)-offsetof(type, member)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
