/* heap: allocations of the explored program, each at an address of its own.
 *
 * Nothing is used twice within a schedule: so a pointer to freed memory points to freed
 * memory, not to somebody's new block, and is recognised for sure. Between schedules the
 * whole heap starts again at its first byte, hence every schedule sees the same
 * addresses; and so do the program's variables with initial values, which are saved
 * before the first schedule and set back before each. */
#include "common/explore/engine.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>

#define HEAP_SIZE ((size_t)1 << 28)
enum { BLOCKS = 4096, FILLED = 8192, LARGE = 1 << 18, GAP = 16 };

static struct heap {
    uintptr_t start, next;
    unsigned count;
    struct heap_block blocks[BLOCKS];
    size_t variables_size;
    char variables[];
} * heap;

/* Set by the linker: all of the program's variables. */
extern char __data_start[], _end[];

int heap_map(void)
{
    size_t size = (size_t)(_end - __data_start);
    void *area = mmap(NULL, HEAP_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    void *own = mmap(NULL, sizeof *heap + size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED || own == MAP_FAILED)
        return -ENOMEM;
    heap = own;
    heap->start = (uintptr_t)area;
    heap->variables_size = size;
    return 0;
}

void __real_free(void *pointer);

void heap_save_variables(void)
{
    memcpy(heap->variables, __data_start, heap->variables_size);
}

void heap_restore_variables(void)
{
    memcpy(__data_start, heap->variables, heap->variables_size);
}

void heap_begin(void)
{
    heap->next = heap->start;
    heap->count = 0;
}

bool heap_owns(uintptr_t address)
{
    return address - heap->start < HEAP_SIZE;
}

struct heap_block *heap_block_of(uintptr_t address)
{
    unsigned low = 0, high = heap->count; /* they are in ascending order */
    while (low < high) {
        unsigned middle = (low + high) / 2;
        struct heap_block *block = &heap->blocks[middle];
        if (address < block->start)
            high = middle;
        else if (address >= block->start + (block->size + 7) / 8 * 8)
            low = middle + 1;
        else
            return block;
    }
    return NULL;
}

unsigned heap_number_of(uintptr_t address)
{
    const struct heap_block *block = heap_owns(address) ? heap_block_of(address) : NULL;
    return block ? (unsigned)(block - heap->blocks) + 1 : 0;
}

static bool fails(void)
{
    if (engine->allocation_failures_left == 0 || explore_choose(2) == 0)
        return false;
    engine->allocation_failures_left--;
    errno = ENOMEM;
    return true;
}

/* What an earlier schedule has left there is gone, also what no access of ours wrote. */
static void set_bytes(uintptr_t start, size_t size, int byte)
{
    uintptr_t end = start + size, first = (start + 4095) & ~(uintptr_t)4095,
              last = end & ~(uintptr_t)4095;
    if (size <= LARGE) {
        memset((void *)start, byte, size);
        return;
    }
    memset((void *)start, 0, first - start);
    madvise((void *)first, last - first, MADV_DONTNEED);
    memset((void *)last, 0, end - last);
}

/* fill: the byte that it is filled with; large blocks are zero. */
static void *allocate(size_t size, size_t align, int fill, uintptr_t pc)
{
    if (fails())
        return NULL;
    uintptr_t start = (heap->next + align - 1) & ~(uintptr_t)(align - 1);
    if (heap->count == BLOCKS || size > HEAP_SIZE / 2 ||
        start + size + GAP > heap->start + HEAP_SIZE)
        engine_fail("explorer", "the scenario allocates too much");
    heap->next = start + size + GAP;
    heap->blocks[heap->count++] =
        (struct heap_block){ .start = start,
                             .size = size,
                             .pc = pc,
                             .made_by = engine->current,
                             .made_at = engine_self()->clock.at[engine->current] };
    set_bytes(start, size, size <= FILLED ? fill : 0);
    return (void *)start;
}

static struct heap_block *block_at(void *pointer, const char *what, uintptr_t pc)
{
    struct heap_block *block =
        heap_owns((uintptr_t)pointer) ? heap_block_of((uintptr_t)pointer) : NULL;
    if (!block || block->start != (uintptr_t)pointer)
        engine_fail("bad free", "%s of %p, which is no allocation (%s)", what, pointer,
                    symbol_place(pc));
    return block;
}

static void release(void *pointer, uintptr_t pc)
{
    if (!pointer)
        return;
    struct heap_block *block = block_at(pointer, "free", pc);
    struct op op = {
        .kind = OP_PLAIN, .address = block->start, .pc = pc, .value = ACCESS_FREE
    };
    engine_note(&op, 0, 0, true, false);
    if (block->dead)
        engine_fail("double free", "%s is freed twice, at %s and at %s",
                    symbol_place(block->pc), symbol_place(block->freed_pc),
                    symbol_place(pc));
    shade_free(block, pc);
    block->dead = true;
    block->freed_pc = pc;
    block->freed_by = engine->current;
}

void heap_check_leaks(void)
{
    unsigned lost = 0;
    const struct heap_block *first = NULL;
    for (unsigned i = 0; i < heap->count; i++) {
        if (heap->blocks[i].dead)
            continue;
        lost++;
        if (!first)
            first = &heap->blocks[i];
    }
    if (first)
        engine_fail("leak", "%u allocation%s never freed; the first: %zu bytes, %s",
                    lost, lost > 1 ? "s are" : " is", first->size,
                    symbol_place(first->pc));
}

/* ---- what the explored program calls */

#define OUTSIDE (!engine || !engine->inside)

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *pointer, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *pointer, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
void __wrap_free(void *pointer);

void *__wrap_malloc(size_t size)
{
    return OUTSIDE ? __real_malloc(size) : allocate(size, 16, 0xa5, CALLER);
}

void *__wrap_calloc(size_t count, size_t size)
{
    if (OUTSIDE)
        return __real_calloc(count, size);
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return allocate(bytes, 16, 0, CALLER);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return OUTSIDE ? __real_aligned_alloc(align, size)
                   : allocate(size, align < 16 ? 16 : align, 0xa5, CALLER);
}

void *__wrap_realloc(void *pointer, size_t size)
{
    if (OUTSIDE)
        return __real_realloc(pointer, size);
    void *new = allocate(size, 16, 0xa5, CALLER);
    if (!new || !pointer)
        return new;
    size_t old = block_at(pointer, "realloc", CALLER)->size;
    shade_access((uintptr_t)pointer, old < size ? old : size, ACCESS_READ, CALLER);
    memcpy(new, pointer, old < size ? old : size);
    release(pointer, CALLER);
    return new;
}

void __wrap_free(void *pointer)
{
    if (OUTSIDE)
        __real_free(pointer);
    else
        release(pointer, CALLER);
}

void *__real_mmap(void *at, size_t size, int protection, int flags, int fd,
                  off_t offset);
int __real_munmap(void *pointer, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd,
                  off_t offset);
int __wrap_munmap(void *pointer, size_t size);

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd,
                  off_t offset)
{
    if (OUTSIDE || !(flags & MAP_ANONYMOUS))
        return __real_mmap(at, size, protection, flags, fd, offset);
    void *memory = allocate(size, 4096, 0, CALLER);
    return memory ? memory : MAP_FAILED;
}

/* All of a mapping, or one of its ends. */
int __wrap_munmap(void *pointer, size_t size)
{
    uintptr_t from = (uintptr_t)pointer, to = from + size;
    if (OUTSIDE || !heap_owns(from))
        return __real_munmap(pointer, size);
    struct heap_block *block = heap_block_of(from);
    if (!block || block->dead)
        engine_fail("bad free", "munmap of %p, which is not mapped (%s)", pointer,
                    symbol_place(CALLER));
    if (block->start != from && to < block->start + block->size)
        engine_fail("explorer",
                    "munmap from the middle of a mapping is not modelled (%s)",
                    symbol_place(CALLER));
    if (block->start == from && size >= block->size) {
        release(pointer, CALLER);
        return 0;
    }
    shade_cut(block, from, to, CALLER);
    uintptr_t end = block->start + block->size;
    if (block->start == from)
        block->start = to;
    else
        end = from;
    block->size = end - block->start;
    return 0;
}
