/* tsan_atomics: the calls that the compiler makes of atomic operations.
 *
 * The other half of the interface that plain.c stands in for. Outside a schedule - before
 * the search, or in a test's own code - they are the plain operations on the one thread
 * that there is. */
#include "common/explore/engine.h"

#include <string.h>

#define ATOMIC_MODIFY(bits, name, change)                                              \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *object,       \
                                                uint##bits##_t with, int order);       \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *object,       \
                                                uint##bits##_t with, int order)        \
    {                                                                                  \
        if (!engine || !engine->inside) {                                              \
            uint##bits##_t old = *object;                                              \
            *object = (uint##bits##_t)atomics_changed(change, old, with);              \
            return old;                                                                \
        }                                                                              \
        return (uint##bits##_t)atomics_modify((uintptr_t)object, sizeof *object,       \
                                              change, with, order, CALLER);            \
    }

#define ATOMIC_COMPARE(bits, name, weak)                                               \
    int __tsan_atomic##bits##_##name(volatile uint##bits##_t *object,                  \
                                     uint##bits##_t *expected, uint##bits##_t value,   \
                                     int order, int failure_order);                    \
    int __tsan_atomic##bits##_##name(volatile uint##bits##_t *object,                  \
                                     uint##bits##_t *expected, uint##bits##_t value,   \
                                     int order, int failure_order)                     \
    {                                                                                  \
        bool swapped = *object == *expected;                                           \
        uint##bits##_t old = *object;                                                  \
        if (engine && engine->inside)                                                  \
            old = (uint##bits##_t)atomics_compare_and_swap(                            \
                (uintptr_t)object, sizeof *object, *expected, value, order,            \
                failure_order, weak, CALLER, &swapped);                                \
        else if (swapped)                                                              \
            *object = value;                                                           \
        if (!swapped)                                                                  \
            *expected = old;                                                           \
        return swapped;                                                                \
    }

/* clang's: returns the old value, and does not tell a weak one from a strong one. */
#define ATOMIC_COMPARE_VALUE(bits)                                                     \
    uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                         \
        volatile uint##bits##_t *object, uint##bits##_t expected,                      \
        uint##bits##_t value, int order, int failure_order);                           \
    uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                         \
        volatile uint##bits##_t *object, uint##bits##_t expected,                      \
        uint##bits##_t value, int order, int failure_order)                            \
    {                                                                                  \
        uint##bits##_t old = *object;                                                  \
        bool swapped = old == expected;                                                \
        if (engine && engine->inside)                                                  \
            old = (uint##bits##_t)atomics_compare_and_swap(                            \
                (uintptr_t)object, sizeof *object, expected, value, order,             \
                failure_order, false, CALLER, &swapped);                               \
        else if (swapped)                                                              \
            *object = value;                                                           \
        return old;                                                                    \
    }

#define ATOMIC_ALL(bits)                                                               \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *object,   \
                                              int order);                              \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *object,   \
                                              int order)                               \
    {                                                                                  \
        if (!engine || !engine->inside)                                                \
            return *object;                                                            \
        return (uint##bits##_t)atomics_load((uintptr_t)object, sizeof *object, order,  \
                                            CALLER);                                   \
    }                                                                                  \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *object,                  \
                                     uint##bits##_t value, int order);                 \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *object,                  \
                                     uint##bits##_t value, int order)                  \
    {                                                                                  \
        if (!engine || !engine->inside)                                                \
            *object = value;                                                           \
        else                                                                           \
            atomics_store((uintptr_t)object, sizeof *object, value, order, CALLER);    \
    }                                                                                  \
    ATOMIC_MODIFY(bits, exchange, SET)                                                 \
    ATOMIC_MODIFY(bits, fetch_add, ADD)                                                \
    ATOMIC_MODIFY(bits, fetch_sub, SUB)                                                \
    ATOMIC_MODIFY(bits, fetch_and, AND)                                                \
    ATOMIC_MODIFY(bits, fetch_or, OR)                                                  \
    ATOMIC_MODIFY(bits, fetch_xor, XOR)                                                \
    ATOMIC_COMPARE(bits, compare_exchange_strong, false)                               \
    ATOMIC_COMPARE(bits, compare_exchange_weak, true)                                  \
    ATOMIC_COMPARE_VALUE(bits)

ATOMIC_ALL(8)
ATOMIC_ALL(16)
ATOMIC_ALL(32)
ATOMIC_ALL(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);

void __tsan_atomic_thread_fence(int order)
{
    if (engine && engine->inside)
        atomics_fence(order, CALLER);
}

void __tsan_atomic_signal_fence(int order)
{
    (void)order;
}

void explore_atomic_init(volatile void *object, const void *value, size_t size);

void explore_atomic_init(volatile void *object, const void *value, size_t size)
{
    if (engine && engine->inside) {
        atomics_settle((uintptr_t)object, size, CALLER);
        shade_access((uintptr_t)object, size, ACCESS_WRITE, CALLER);
    }
    memcpy((void *)(uintptr_t)object, value, size);
}
