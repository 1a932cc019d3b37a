/* shade: for each piece of memory, who used it last, and whether it is alive.
 *
 * The compiler calls us at each access to plain memory (__tsan_read4 and the like). We
 * remember, for each granule of eight bytes, when each thread has read it and who wrote
 * it last; two accesses of two threads, one of them a write, that the clocks do not order
 * are a data race, in whatever order this schedule happened to run them. As long as a
 * granule is used in one way, one record serves all eight bytes; then each byte gets one.
 *
 * free counts as a write of the whole block. So "used by one thread, freed by another,
 * with nothing in between" is found even in the schedule in which it went well.
 *
 * The table is not emptied between schedules: a record of an older generation is none. */
#include "common/explore/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { GRANULES = 1 << 16, ACCESSES_MAX = 50000000 };

struct record {
    uint16_t write_at, read_at[EXPLORE_THREADS], atomic_at[EXPLORE_THREADS],
        stored_at[EXPLORE_THREADS]; /* atomically */
    uint8_t write_by;
    bool write_was_free;
    uint32_t write_pc, read_pc[EXPLORE_THREADS], atomic_pc[EXPLORE_THREADS],
        stored_pc[EXPLORE_THREADS];
};

struct granule {
    uint32_t generation;
    uint32_t next;            /* of the same heap block; 0: none */
    uintptr_t number;         /* address / 8 */
    struct heap_block *block; /* NULL: not the heap's */
    uint8_t mask;             /* the bytes that record[0] is about */
    bool split, poisoned;
    uint8_t
        atomic_size[8]; /* of the atomic variable that begins at this byte; 0: none */
    uint32_t poisoned_pc;
    struct record record[8];
};

static struct shade {
    uint32_t generation;
    uint32_t touched_count;
    uint32_t touched[GRANULES];
    struct granule granules[GRANULES + 1]; /* 0 is none */
} * shade;

int shade_map(void)
{
    void *memory = mmap(NULL, sizeof *shade, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    shade = memory;
    return 0;
}

void shade_begin(void)
{
    shade->generation++;
    shade->touched_count = 0;
}

/* Program counters are kept as 32 bits from here. */
extern char __executable_start[];

static uint32_t near(uintptr_t pc)
{
    return (uint32_t)(pc - (uintptr_t)__executable_start);
}

static uintptr_t far(uint32_t pc)
{
    return (uintptr_t)__executable_start + pc;
}

/* ---- finding a granule */

static void note_access(uintptr_t address, size_t size, enum access access,
                        uintptr_t pc)
{
    struct op op = { .kind = OP_PLAIN,
                     .address = address,
                     .size = (unsigned)size,
                     .pc = pc,
                     .value = (uint64_t)access };
    engine_note(&op, 0, 0, true, false);
}

static void first_touch(struct granule *granule, uintptr_t number)
{
    granule->generation = shade->generation;
    granule->number = number;
    granule->mask = 0;
    granule->split = granule->poisoned = false;
    granule->next = 0;
    memset(granule->atomic_size, 0, sizeof granule->atomic_size);
    memset(&granule->record[0], 0, sizeof granule->record[0]);
    uint32_t index = (uint32_t)(granule - shade->granules);
    shade->touched[shade->touched_count++] = index;
    uintptr_t address = number * 8;
    granule->block = heap_owns(address) ? heap_block_of(address) : NULL;
    if (granule->block) {
        granule->next = granule->block->first_granule;
        granule->block->first_granule = index;
        granule->poisoned = address >= granule->block->poison_from &&
                            address < granule->block->poison_to;
    }
}

static struct granule *granule_of(uintptr_t number)
{
    size_t at = number * UINT64_C(0x9e3779b97f4a7c15) >> 48;
    for (unsigned tries = 0; tries < GRANULES / 2; tries++, at = (at + 1) % GRANULES) {
        struct granule *granule = &shade->granules[at + 1];
        if (granule->generation == shade->generation) {
            if (granule->number == number)
                return granule;
            continue;
        }
        first_touch(granule, number);
        return granule;
    }
    engine_fail("explorer", "the scenario touches more than %d KiB of memory",
                GRANULES / 2 * 8 / 1024);
}

/* ---- is it alive? */

static const char *const verbs[] = { "reads", "writes", "uses", "stores", "frees" };

static const char *who(int thread)
{
    static char number[2][16];
    static int next;
    const char *name = engine->threads[thread].name;
    if (name)
        return name;
    next = !next;
    snprintf(number[next], sizeof number[next], "thread %d", thread);
    return number[next];
}

COLD static void is_dead(const struct granule *granule, uintptr_t address, size_t size,
                         enum access access, uintptr_t pc)
{
    const struct heap_block *block = granule->block;
    note_access(address, size, access, pc);
    if (!block)
        engine_fail("out of bounds", "%s %s memory outside every allocation (%s)",
                    who(engine->current), verbs[access], symbol_place(pc));
    if (!block->dead && !granule->poisoned)
        engine_fail("out of bounds",
                    "%s %s memory past the end of the %zu bytes allocated at %s (%s)",
                    who(engine->current), verbs[access], block->size,
                    symbol_place(block->pc), symbol_place(pc));
    if (block->dead)
        engine_fail("use after free", "%s %s %zu bytes at %s, which %s has freed (%s)",
                    who(engine->current), verbs[access], size, symbol_place(pc),
                    who(block->freed_by), symbol_place(block->freed_pc));
    engine_fail("use after free", "%s %s %zu bytes at %s, which were given back (%s)",
                who(engine->current), verbs[access], size, symbol_place(pc),
                granule->poisoned_pc ? symbol_place(far(granule->poisoned_pc)) : "");
}

/* ---- is it ordered? */

COLD static void race(enum access access, uintptr_t address, size_t size, uintptr_t pc,
                      int other, const char *did, uintptr_t other_pc, bool freed)
{
    note_access(address, size, access, pc);
    engine_fail(
        freed || access == ACCESS_FREE ? "use after free" : "data race",
        "%s %s the %zu bytes at %s that %s %s at %s, and nothing orders the two",
        who(engine->current), verbs[access], size, symbol_place(pc), who(other), did,
        symbol_place(other_pc));
}

/* A plain read against atomic stores, an atomic store against plain reads. */
static void check_mixed(const struct record *record, uintptr_t address, size_t size,
                        enum access access, uintptr_t pc)
{
    const struct thread *self = engine_self();
    bool reads = access == ACCESS_READ;
    const uint16_t *at = reads ? record->stored_at : record->read_at;
    const uint32_t *pcs = reads ? record->stored_pc : record->read_pc;
    for (int t = 0; t < engine->thread_count; t++)
        if (at[t] > self->clock.at[t])
            race(access, address, size, pc, t, reads ? "stored (atomically)" : "read",
                 far(pcs[t]), false);
}

/* The block around it: is it alive, long enough, and has the thread heard of it? */
static void check_block(const struct granule *granule, uintptr_t address, size_t size,
                        enum access access, uintptr_t pc)
{
    const struct heap_block *block = granule->block;
    if (!block || block->dead || granule->poisoned ||
        address + size > block->start + block->size)
        is_dead(granule, address, size, access, pc);
    if (block->made_at > engine_self()->clock.at[block->made_by])
        race(access, address, size, pc, block->made_by, "allocated", block->pc, false);
}

static void check(struct record *record, uintptr_t address, size_t size,
                  enum access access, uintptr_t pc)
{
    const struct thread *self = engine_self();
    int me = engine->current, by = record->write_by;
    uint16_t now = (uint16_t)self->clock.at[me];
    if (record->write_at > self->clock.at[by])
        race(access, address, size, pc, by, record->write_was_free ? "freed" : "wrote",
             far(record->write_pc), record->write_was_free);
    if (access == ACCESS_READ || access == ACCESS_ATOMIC_WRITE)
        check_mixed(record, address, size, access, pc);
    if (access == ACCESS_READ) {
        record->read_at[me] = now;
        record->read_pc[me] = near(pc);
        return;
    }
    if (access == ACCESS_ATOMIC || access == ACCESS_ATOMIC_WRITE) {
        record->atomic_at[me] = now;
        record->atomic_pc[me] = near(pc);
        if (access == ACCESS_ATOMIC)
            return;
        record->stored_at[me] = now;
        record->stored_pc[me] = near(pc);
        return;
    }
    for (int t = 0; t < engine->thread_count; t++) {
        if (record->read_at[t] > self->clock.at[t])
            race(access, address, size, pc, t, "read", far(record->read_pc[t]), false);
        if (record->atomic_at[t] > self->clock.at[t])
            race(access, address, size, pc, t, "used (atomically)",
                 far(record->atomic_pc[t]), false);
    }
    record->write_at = now;
    record->write_by = (uint8_t)me;
    record->write_pc = near(pc);
    record->write_was_free = access == ACCESS_FREE;
}

static void split(struct granule *granule)
{
    struct record whole = granule->record[0], none;
    memset(&none, 0, sizeof none);
    for (int i = 0; i < 8; i++)
        granule->record[i] = granule->mask >> i & 1 ? whole : none;
    granule->split = true;
}

static void check_granule(struct granule *granule, uintptr_t address, unsigned size,
                          enum access access, uintptr_t pc)
{
    unsigned offset = address & 7;
    uint8_t mask = (uint8_t)(((1u << size) - 1) << offset);
    if (!granule->split && granule->mask != 0 && granule->mask != mask)
        split(granule);
    if (!granule->split) {
        granule->mask = mask;
        check(&granule->record[0], address, size, access, pc);
        return;
    }
    for (unsigned i = offset; i < offset + size; i++)
        check(&granule->record[i], address, size, access, pc);
}

/* One variable, one size: which steps depend on each other, and what a load sees of its
 * own thread's buffer, is known by addresses alone. */
static void check_size(struct granule *granule, uintptr_t address, unsigned size,
                       enum access access, uintptr_t pc)
{
    unsigned offset = address & 7;
    if (access == ACCESS_WRITE) /* it may be another variable now */
        memset(granule->atomic_size + offset, 0, size);
    if (access != ACCESS_ATOMIC && access != ACCESS_ATOMIC_WRITE)
        return;
    bool same = true;
    for (unsigned i = 0; i < 8; i++) {
        unsigned there = granule->atomic_size[i];
        if (there && i < offset + size && offset < i + there)
            same = same && i == offset && there == size;
    }
    if (!same)
        engine_fail("explorer",
                    "atomic accesses of several sizes to the same memory are not "
                    "modelled (%s)",
                    symbol_place(pc));
    granule->atomic_size[offset] = (uint8_t)size;
}

void shade_access(uintptr_t address, size_t size, enum access access, uintptr_t pc)
{
    if (UNLIKELY(++engine->accesses > ACCESSES_MAX))
        engine_fail("livelock", "%s loops without a step that others could notice (%s)",
                    who(engine->current), symbol_place(pc));
    while (size > 0) {
        unsigned part = 8 - (address & 7);
        if (part > size)
            part = (unsigned)size;
        struct granule *granule = granule_of(address / 8);
        if (heap_owns(address))
            check_block(granule, address, part, access, pc);
        check_size(granule, address, part, access, pc);
        check_granule(granule, address, part, access, pc);
        address += part;
        size -= part;
    }
}

/* ---- the end of a block, of a slot, of a schedule */

static void free_granule(struct granule *granule, uintptr_t pc)
{
    if (!granule->split && granule->mask)
        check(&granule->record[0], granule->number * 8, 8, ACCESS_FREE, pc);
    for (int i = 0; granule->split && i < 8; i++)
        check(&granule->record[i], granule->number * 8, 8, ACCESS_FREE, pc);
}

void shade_free(struct heap_block *block, uintptr_t pc)
{
    for (uint32_t i = block->first_granule; i; i = shade->granules[i].next)
        free_granule(&shade->granules[i], pc);
}

void shade_cut(struct heap_block *block, uintptr_t from, uintptr_t to, uintptr_t pc)
{
    for (uint32_t i = block->first_granule; i; i = shade->granules[i].next) {
        struct granule *granule = &shade->granules[i];
        if (granule->number * 8 < from || granule->number * 8 >= to)
            continue;
        free_granule(granule, pc);
        granule->poisoned = true;
        granule->poisoned_pc = near(pc);
    }
}

/* dead: nobody may touch it until it is no longer dead. */
void shade_poison(uintptr_t address, size_t size, bool dead, uintptr_t pc)
{
    if (size > 4096) { /* a block that is yet to be cut: not granule by granule */
        struct heap_block *block = heap_owns(address) ? heap_block_of(address) : NULL;
        if (!block)
            return;
        block->poison_from = dead ? address : 0;
        block->poison_to = dead ? address + size : 0;
        for (uint32_t i = block->first_granule; i; i = shade->granules[i].next) {
            struct granule *granule = &shade->granules[i];
            uintptr_t at = granule->number * 8;
            if (at >= address && at < address + size)
                granule->poisoned = dead;
        }
        return;
    }
    for (uintptr_t at = (address + 7) & ~(uintptr_t)7; at + 8 <= address + size;
         at += 8) {
        struct granule *granule = granule_of(at / 8);
        if (dead)
            check_granule(granule, at, 8, ACCESS_FREE, pc);
        memset(granule->atomic_size, 0, sizeof granule->atomic_size);
        granule->poisoned = dead;
        granule->poisoned_pc = near(pc);
    }
}

void shade_forget_all(void)
{
    for (uint32_t i = 0; i < shade->touched_count; i++) {
        const struct granule *granule = &shade->granules[shade->touched[i]];
        if (granule->block)
            memset((void *)(granule->number * 8), 0, 8);
    }
    shade->touched_count = 0;
}
