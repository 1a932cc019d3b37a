/* redirect: what the explorer must change in the text of explored code.
 *
 * Included before everything else in each explored file. Nearly nothing: the compiler's
 * instrumentation and the linker redirect the rest. But the threads of an explored
 * program share one system thread, so each needs its own copy of a thread-local variable;
 * initialising an atomic must not look like a store that others may see; and memory that
 * a slab recycles must be known to be dead. */
#ifndef COMMON_EXPLORE_REDIRECT_H
#define COMMON_EXPLORE_REDIRECT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define TLS_DECLARE(type, name) extern type name##_of_each[8]
#define TLS_DEFINE(type, name) type name##_of_each[8]
#define TLS(name) (name##_of_each[explore_self()])

unsigned explore_self(void); /* 0 .. EXPLORE_THREADS - 1 */

#undef atomic_init
#define atomic_init(object, value)                                                     \
    do {                                                                               \
        __typeof__(*(object)) first_ = (value);                                        \
        explore_atomic_init((volatile void *)(uintptr_t)(object), &first_,             \
                            sizeof first_);                                            \
    } while (0)

void explore_atomic_init(volatile void *object, const void *value, size_t size);

#define MEM_POISON(pointer, size) explore_poison((pointer), (size))
#define MEM_UNPOISON(pointer, size) explore_unpoison((pointer), (size))

void explore_poison(void *pointer, size_t size);
void explore_unpoison(void *pointer, size_t size);

#endif
