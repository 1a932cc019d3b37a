/* plain: the calls that the compiler puts before each access to plain memory.
 *
 * This is the interface between -fsanitize=thread and its library, which we stand in for
 * (see explore.h): __tsan_read4(address) before four bytes are read, and so on. Copies of
 * memory come here as well. */
#include "common/explore/engine.h"

#include <errno.h>
#include <string.h>

/* Of errno each thread has its own, although here all of them share one address: what a
 * thread left in it is put back when it goes on (schedule.c). */
static void seen(const volatile void *address, size_t size, enum access access,
                 uintptr_t pc)
{
    if (!engine || !engine->inside || address == &errno)
        return;
    if (engine->options->model != EXPLORE_SC)
        atomics_settle((uintptr_t)address, size, pc);
    shade_access((uintptr_t)address, size, access, pc);
}

#define PLAIN(name, size, access)                                                      \
    void __tsan_##name(void *address);                                                 \
    void __tsan_##name(void *address)                                                  \
    {                                                                                  \
        seen(address, size, access, CALLER);                                           \
    }

#define PLAIN_ALL(size)                                                                \
    PLAIN(read##size, size, ACCESS_READ)                                               \
    PLAIN(write##size, size, ACCESS_WRITE)                                             \
    PLAIN(unaligned_read##size, size, ACCESS_READ)                                     \
    PLAIN(unaligned_write##size, size, ACCESS_WRITE)                                   \
    PLAIN(volatile_read##size, size, ACCESS_READ)                                      \
    PLAIN(volatile_write##size, size, ACCESS_WRITE)                                    \
    PLAIN(unaligned_volatile_read##size, size, ACCESS_READ)                            \
    PLAIN(unaligned_volatile_write##size, size, ACCESS_WRITE)                          \
    PLAIN(read_write##size, size, ACCESS_WRITE)                                        \
    PLAIN(unaligned_read_write##size, size, ACCESS_WRITE)

PLAIN_ALL(1)
PLAIN_ALL(2)
PLAIN_ALL(4)
PLAIN_ALL(8)
PLAIN_ALL(16)

#define RANGE(name, access)                                                            \
    void __tsan_##name(void *address, size_t size);                                    \
    void __tsan_##name(void *address, size_t size)                                     \
    {                                                                                  \
        seen(address, size, access, CALLER);                                           \
    }

RANGE(read_range, ACCESS_READ)
RANGE(write_range, ACCESS_WRITE)

void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);

void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller)
{
    (void)caller;
}

void __tsan_func_exit(void)
{
}

/* gcc leaves the names of the C library in place (the linker sends them here: --wrap);
 * clang has names of its own. */
#define COPY(name, function)                                                           \
    void *name(void *to, const void *from, size_t size);                               \
    void *name(void *to, const void *from, size_t size)                                \
    {                                                                                  \
        seen(from, size, ACCESS_READ, CALLER);                                         \
        seen(to, size, ACCESS_WRITE, CALLER);                                          \
        return function(to, from, size);                                               \
    }

#define FILL(name, function)                                                           \
    void *name(void *to, int byte, size_t size);                                       \
    void *name(void *to, int byte, size_t size)                                        \
    {                                                                                  \
        seen(to, size, ACCESS_WRITE, CALLER);                                          \
        return function(to, byte, size);                                               \
    }

COPY(__wrap_memcpy, memcpy)
COPY(__wrap_memmove, memmove)
COPY(__tsan_memcpy, memcpy)
COPY(__tsan_memmove, memmove)
FILL(__wrap_memset, memset)
FILL(__tsan_memset, memset)

void explore_poison(void *pointer, size_t size);
void explore_unpoison(void *pointer, size_t size);

void explore_poison(void *pointer, size_t size)
{
    if (engine && engine->inside)
        shade_poison((uintptr_t)pointer, size, true, CALLER);
}

void explore_unpoison(void *pointer, size_t size)
{
    if (engine && engine->inside)
        shade_poison((uintptr_t)pointer, size, false, CALLER);
}
