/* slab: size classes, cut from aligned blocks.
 *
 * Problem: malloc's header and rounding make a 64-byte task cost 80 bytes, and a free
 * on another thread costs an atomic or a lock every time. Idea: blocks are aligned to
 * their size, so a slot finds its block's header by masking its address: no header a
 * slot. Invariant: a slot is in exactly one place - in use, in `local`, in `shared`, or
 * on the `returned` stack; the stack is only pushed to and taken whole, so there is no
 * ABA.
 *
 * `live` is biased: open, it holds BIAS plus what other threads did (allocated minus
 * freed, which may be negative); the owner counts in `local_live` without an atomic.
 * slab_close replaces the bias by the owner's count; whoever brings the word to 0 ends
 * the slab. */
#include "lesson02_wakers/slab.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "common/check.h"
#include "common/memcheck.h"
#include "common/thread_local.h"

#define BLOCK_SIZE ((size_t)1 << 20)
#define BIAS (INT64_C(1) << 60)
#define LARGE_CLASS (SLAB_CLASSES - 1)

struct slab_slot {
    _Atomic uint32_t life; /* 0: free; relaxed: slab_each may look at any time */
    uint32_t unused;
    struct slab_slot *next;
};

struct slab_block {
    struct slab *slab;       /* borrows */
    struct slab_block *next; /* owns */
    size_t mapped;           /* bytes, from the start of the block */
    uint32_t slot_size;
    uint32_t class;
    uint32_t cut_to; /* slots handed out so far, ever; guarded as the class's list */
    uint32_t slots;
};

#define BLOCK_HEADER ((sizeof(struct slab_block) + 63) / 64 * 64)

static TLS_DEFINE(struct slab *, slab_owned);

static struct slab_block *block_of(const void *slot)
{
    return (struct slab_block *)((uintptr_t)slot & ~(uintptr_t)(BLOCK_SIZE - 1));
}

struct slab *slab_of(const void *slot)
{
    return block_of(slot)->slab;
}

bool slab_is_mine(const struct slab *slab)
{
    return TLS(slab_owned) == slab;
}

struct slab *slab_enter(struct slab *slab)
{
    struct slab *before = TLS(slab_owned);
    TLS(slab_owned) = slab;
    return before;
}

void slab_leave(struct slab *before)
{
    TLS(slab_owned) = before;
}

/* Classes: 16-byte steps up to 256, then four a doubling up to 4 KiB; larger slots get
 * a block of their own. */
COLD static unsigned big_class_of(size_t size)
{
    unsigned class = 16;
    for (size_t base = 256; base < 4096; base *= 2)
        for (unsigned quarter = 1; quarter <= 4; quarter++, class ++)
            if (size <= base + base / 4 * quarter)
                return class < LARGE_CLASS ? class : LARGE_CLASS;
    return LARGE_CLASS;
}

static unsigned class_of(size_t size)
{
    if (size <= 256)
        return size ? (unsigned)(size - 1) / 16 : 0; /* 0..15 */
    return big_class_of(size);
}

static size_t class_size(unsigned class)
{
    if (class < 16)
        return (class + 1) * (size_t)16;
    size_t base = (size_t)256 << ((class - 16) / 4);
    return base + base / 4 * ((class - 16) % 4 + 1);
}

int slab_init(struct slab *slab, void (*on_end)(struct slab *slab))
{
    *slab = (struct slab){ .on_end = on_end };
    atomic_init(&slab->live, BIAS);
    return -pthread_mutex_init(&slab->lock, NULL);
}

/* BLOCK_SIZE-aligned memory from the kernel; NULL when there is none. */
static void *map_aligned(size_t size)
{
    size_t asked = size + BLOCK_SIZE;
    char *raw =
        mmap(NULL, asked, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED)
        return NULL;
    uintptr_t start = ((uintptr_t)raw + BLOCK_SIZE - 1) & ~(uintptr_t)(BLOCK_SIZE - 1);
    size_t before = start - (uintptr_t)raw;
    if (before)
        munmap(raw, before);
    if (asked - before - size)
        munmap(raw + before + size, asked - before - size);
    return (void *)start;
}

/* A new block for `class`; the lock is held. */
COLD static struct slab_block *block_create(struct slab *slab, unsigned class,
                                            size_t size)
{
    bool large = class == LARGE_CLASS;
    size_t page = 4096;
    size_t mapped = large ? (BLOCK_HEADER + size + page - 1) / page * page : BLOCK_SIZE;
    struct slab_block *block = map_aligned(mapped);
    if (!block)
        return NULL;
    *block = (struct slab_block){
        .slab = slab,
        .next = slab->blocks,
        .mapped = mapped,
        .class = class,
        .slot_size = large ? 0 : (uint32_t)class_size(class),
    };
    block->slots =
        large ? 1 : (uint32_t)((BLOCK_SIZE - BLOCK_HEADER) / block->slot_size);
    slab->blocks = block;
    MEM_ROOT_ADD(block, mapped);
    return block;
}

static struct slab_slot *slot_at(const struct slab_block *block, uint32_t i)
{
    char *first = (char *)(uintptr_t)block + BLOCK_HEADER;
    return (struct slab_slot *)(void *)(first + (size_t)i * block->slot_size);
}

static size_t slot_bytes(const struct slab_block *block)
{
    return block->slot_size ? block->slot_size : block->mapped - BLOCK_HEADER;
}

/* Cuts the next slot from *cut, with a new block when it is used up. `locked`: the
 * caller holds the lock. */
static inline struct slab_slot *cut_slot(struct slab *slab, struct slab_block **cut,
                                         unsigned class, size_t size, bool locked)
{
    struct slab_block *block = *cut;
    if (!block || block->cut_to == block->slots) {
        if (!locked)
            pthread_mutex_lock(&slab->lock);
        block = block_create(slab, class, size);
        if (!locked)
            pthread_mutex_unlock(&slab->lock);
        if (!block)
            return NULL;
        if (class != LARGE_CLASS)
            *cut = block;
    }
    return slot_at(block, block->cut_to++);
}

/* Sorts what other threads gave back into the free lists; true when there was any. */
COLD static bool take_returned(struct slab *slab, struct slab_slot **lists)
{
    /* acquire: pairs with the release push in slab_free */
    struct slab_slot *slot =
        atomic_exchange_explicit(&slab->returned, NULL, memory_order_acquire);
    bool any = slot != NULL;
    while (slot) {
        struct slab_slot *next = slot->next;
        unsigned class = block_of(slot)->class;
        slot->next = lists[class];
        lists[class] = slot;
        slot = next;
    }
    return any;
}

static inline struct slab_slot *pop_or_cut(struct slab *slab, struct slab_slot **lists,
                                           struct slab_block **cut, unsigned class,
                                           size_t size, bool locked)
{
    /* A large slot fits only the request that it was mapped for. */
    if (class != LARGE_CLASS) {
        struct slab_slot *slot = lists[class];
        if (!slot &&
            atomic_load_explicit(&slab->returned, memory_order_relaxed) != NULL &&
            take_returned(slab, lists))
            slot = lists[class];
        if (slot) {
            lists[class] = slot->next;
            return slot;
        }
    }
    return cut_slot(slab, &cut[class], class, size, locked);
}

COLD static struct slab_slot *alloc_shared(struct slab *slab, unsigned class,
                                           size_t size)
{
    pthread_mutex_lock(&slab->lock);
    struct slab_slot *slot =
        pop_or_cut(slab, slab->shared, slab->shared_cut, class, size, true);
    pthread_mutex_unlock(&slab->lock);
    if (slot)
        atomic_fetch_add_explicit(&slab->live, 1, memory_order_relaxed);
    return slot;
}

/* The list is empty. A call of its own, so that the way past it needs no stack. */
SELDOM static struct slab_slot *refill(struct slab *slab, unsigned class, size_t size)
{
    struct slab_slot *slot =
        pop_or_cut(slab, slab->local, slab->cut, class, size, false);
    slab->local_live += slot != NULL;
    return slot;
}

static struct slab_slot *alloc_mine(struct slab *slab, unsigned class, size_t size)
{
    struct slab_slot *slot = slab->local[class];
    if (!slot)
        return refill(slab, class, size);
    slab->local[class] = slot->next;
    slab->local_live++;
    return slot;
}

void *slab_alloc(struct slab *slab, size_t size)
{
    unsigned class = class_of(size);
    struct slab_slot *slot = slab_is_mine(slab) ? alloc_mine(slab, class, size)
                                                : alloc_shared(slab, class, size);
    if (slot) /* all but the life sign, which is 0 and stays so until it is set */
        MEM_UNPOISON((char *)slot + sizeof slot->life,
                     slot_bytes(block_of(slot)) - sizeof slot->life);
    return slot;
}

COLD static void slab_end(struct slab *slab)
{
    struct slab_block *block = slab->blocks;
    while (block) {
        struct slab_block *next = block->next;
        size_t mapped = block->mapped;
        MEM_UNPOISON(block, mapped);
        MEM_ROOT_REMOVE(block, mapped);
        munmap(block, mapped);
        block = next;
    }
    pthread_mutex_destroy(&slab->lock);
    if (slab->on_end)
        slab->on_end(slab);
}

/* Takes a large block out of the slab's list and gives it back at once. */
COLD static void free_large(struct slab *slab, struct slab_block *block)
{
    pthread_mutex_lock(&slab->lock);
    struct slab_block **at = &slab->blocks;
    while (*at != block)
        at = &(*at)->next;
    *at = block->next;
    pthread_mutex_unlock(&slab->lock);
    size_t mapped = block->mapped;
    MEM_UNPOISON(block, mapped);
    MEM_ROOT_REMOVE(block, mapped);
    munmap(block, mapped);
}

static void push_returned(struct slab *slab, struct slab_slot *slot)
{
    struct slab_slot *top = atomic_load_explicit(&slab->returned, memory_order_relaxed);
    do
        slot->next = top;
    /* release: pairs with the acquire in take_returned */
    while (!atomic_compare_exchange_weak_explicit(
        &slab->returned, &top, slot, memory_order_release, memory_order_relaxed));
}

void slab_free(void *pointer)
{
    struct slab_slot *slot = pointer;
    struct slab_block *block = block_of(slot);
    struct slab *slab = block->slab;
    bool mine = slab_is_mine(slab);
    atomic_store_explicit(&slot->life, 0, memory_order_relaxed);
    if (block->class == LARGE_CLASS) {
        free_large(slab, block);
    } else {
        size_t kept = sizeof(struct slab_slot);
        if (slot_bytes(block) > kept)
            MEM_POISON((char *)slot + kept, slot_bytes(block) - kept);
        if (mine) {
            slot->next = slab->local[block->class];
            slab->local[block->class] = slot;
        } else {
            push_returned(slab, slot);
        }
    }
    if (mine)
        slab->local_live--;
    /* acq_rel: the last one must see every other thread's last use of the slab */
    else if (atomic_fetch_sub_explicit(&slab->live, 1, memory_order_acq_rel) == 1)
        slab_end(slab);
}

void slab_close(struct slab *slab)
{
    CHECK(!slab_is_mine(slab), "slab_close while a thread still owns the slab");
    int64_t change = slab->local_live - BIAS;
    /* acq_rel: as in slab_free */
    if (atomic_fetch_add_explicit(&slab->live, change, memory_order_acq_rel) == -change)
        slab_end(slab);
}

/* With the lock held, since other threads cut blocks and give large ones back. */
void slab_each(struct slab *slab, void (*visit)(void *slot, void *argument),
               void *argument)
{
    pthread_mutex_lock(&slab->lock);
    for (struct slab_block *block = slab->blocks; block; block = block->next) {
        for (uint32_t i = 0; i < block->cut_to; i++) {
            struct slab_slot *slot = slot_at(block, i);
            /* acquire: pairs with the release of whoever took the slot into use, so
             * that visit sees what is in it */
            if (atomic_load_explicit(&slot->life, memory_order_acquire))
                visit(slot, argument);
        }
    }
    pthread_mutex_unlock(&slab->lock);
}
