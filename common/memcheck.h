/* memcheck: what valgrind and the sanitizers cannot see by themselves.
 *
 * Three things are invisible to them: memory that a slab recycles (it was never given
 * back to malloc), memory that the kernel filled behind their back (io_uring), and an
 * order of events that went through the kernel (MSG_RING, a futex). Each macro is a
 * no-op in a plain build without valgrind's headers. Threads: any. */
#ifndef COMMON_MEMCHECK_H
#define COMMON_MEMCHECK_H

#include <stddef.h>
#include <stdint.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMCHECK_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define MEMCHECK_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define MEMCHECK_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define MEMCHECK_TSAN 1
#endif

#if defined(MEMCHECK_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#define MEM_POISON(pointer, size) __asan_poison_memory_region((pointer), (size))
#define MEM_UNPOISON(pointer, size) __asan_unpoison_memory_region((pointer), (size))
#define MEM_KERNEL_FILLED(pointer, size) ((void)(pointer), (void)(size))
/* Is any byte of it freed or poisoned? Asked before the kernel's writes are believed. */
#define MEM_IS_DEAD(pointer, size)                                                     \
    (__asan_region_is_poisoned((void *)(uintptr_t)(pointer), (size)) != 0)
/* Memory from mmap that holds pointers to malloc's: leak checkers must look inside. */
#define MEM_ROOT_ADD(pointer, size) __lsan_register_root_region((pointer), (size))
#define MEM_ROOT_REMOVE(pointer, size) __lsan_unregister_root_region((pointer), (size))
#elif !defined(MEMCHECK_TSAN) && defined(__has_include)
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#if !defined(MEMCHECK_NO_HINTS) /* VARIANT=fast: a hint costs some instructions */
#define MEM_POISON(pointer, size) (void)VALGRIND_MAKE_MEM_NOACCESS((pointer), (size))
#define MEM_UNPOISON(pointer, size) (void)VALGRIND_MAKE_MEM_UNDEFINED((pointer), (size))
#define MEM_KERNEL_FILLED(pointer, size)                                               \
    (void)VALGRIND_MAKE_MEM_DEFINED((pointer), (size))
#define MEM_IS_DEAD(pointer, size)                                                     \
    (VALGRIND_CHECK_MEM_IS_ADDRESSABLE((pointer), (size)) != 0)
#endif
#endif
#endif

#ifndef MEM_POISON
#define MEM_POISON(pointer, size) ((void)(pointer), (void)(size))
#define MEM_UNPOISON(pointer, size) ((void)(pointer), (void)(size))
#endif
#ifndef MEM_KERNEL_FILLED /* the explorer has the two above, and no kernel */
#define MEM_KERNEL_FILLED(pointer, size) ((void)(pointer), (void)(size))
#endif
/* Does anybody know which memory is alive? What is only noted for MEM_IS_DEAD need not be
 * noted otherwise. */
#ifdef MEM_IS_DEAD
#define MEM_IS_WATCHED 1
#else
#define MEM_IS_WATCHED 0
#define MEM_IS_DEAD(pointer, size) ((void)(pointer), (void)(size), 0)
#endif
#ifndef MEM_ROOT_ADD
#define MEM_ROOT_ADD(pointer, size) ((void)(pointer), (void)(size))
#define MEM_ROOT_REMOVE(pointer, size) ((void)(pointer), (void)(size))
#endif

#if defined(MEMCHECK_TSAN)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define MEM_HANDED_OVER(pointer) __tsan_release(pointer)
#define MEM_TAKEN_OVER(pointer) __tsan_acquire(pointer)
#else
#define MEM_HANDED_OVER(pointer) ((void)(pointer))
#define MEM_TAKEN_OVER(pointer) ((void)(pointer))
#endif

#endif
