/* atomics: memory as the model has it.
 *
 * Under TSO and PSO an atomic store that is weaker than seq_cst does not reach memory: it
 * goes into its thread's buffer, where that thread alone sees it, and some steps later
 * leaves it; when, is one more choice of the search. TSO: in the order in which the
 * stores went in. PSO: only stores to one variable keep their order, unless a release
 * lies between (an epoch). A seq_cst store, a read-modify-write, a lock, a system call
 * wait until the buffer is empty, as their instructions do on x86; under PSO a
 * read-modify-write that is no release waits for its own variable only. */
#include "common/explore/engine.h"

#include <stdatomic.h>
#include <string.h>

uint64_t memory_read(uintptr_t address, unsigned size)
{
    uint64_t value = 0;
    memcpy(&value, (const void *)address, size);
    return value;
}

static void memory_write(uintptr_t address, unsigned size, uint64_t value)
{
    memcpy((void *)address, &value, size);
}

bool atomics_buffer_empty(const struct thread *thread)
{
    for (int i = 0; i < SLOTS; i++)
        if (thread->buffer[i].used)
            return false;
    return true;
}

static bool buffer_full(const struct thread *thread)
{
    for (int i = 0; i < SLOTS; i++)
        if (!thread->buffer[i].used)
            return false;
    return true;
}

/* What a relaxed read-modify-write may not overtake: a store to the same variable, one
 * before a release. */
static bool buffer_holds_back(const struct thread *thread, uintptr_t address)
{
    for (int i = 0; i < SLOTS; i++) {
        const struct buffered *store = &thread->buffer[i];
        if (store->used &&
            (store->op.address == address || store->epoch < thread->epoch))
            return true;
    }
    return false;
}

/* The thread's own newest store to the variable that still waits; NULL: none. */
static const struct buffered *newest_own(const struct thread *thread, uintptr_t address)
{
    const struct buffered *newest = NULL;
    for (int i = 0; i < SLOTS; i++) {
        const struct buffered *store = &thread->buffer[i];
        if (store->used && store->op.address == address &&
            (!newest || store->sequence > newest->sequence))
            newest = store;
    }
    return newest;
}

/* Would the load, if it went now, show what the same load has shown before? */
bool atomics_shows_nothing_new(const struct thread *thread)
{
    const struct op *op = &thread->op;
    const struct buffered *own = newest_own(thread, op->address);
    return (own ? own->op.value : memory_read(op->address, op->size)) == op->seen;
}

bool atomics_is_direct(const struct op *op)
{
    return op->kind == OP_STORE &&
           (engine->options->model == EXPLORE_SC || op->order == memory_order_seq_cst);
}

bool atomics_is_ready(const struct thread *thread)
{
    const struct op *op = &thread->op;
    bool empty = atomics_buffer_empty(thread);
    switch (op->kind) {
    case OP_LOAD:
        return !op->repeated || !atomics_shows_nothing_new(thread);
    case OP_STORE:
        return atomics_is_direct(op) ? empty : !buffer_full(thread);
    case OP_FENCE:
        return op->order != memory_order_seq_cst || empty;
    case OP_RMW:
    case OP_CAS:
        if (engine->options->model == EXPLORE_PSO && !order_releases(op->order))
            return !buffer_holds_back(thread, op->address);
        return empty;
    default:
        return empty;
    }
}

/* Bit s: the store in slot s may reach memory now. */
action_set atomics_flushable(const struct thread *thread)
{
    action_set set = 0;
    for (int s = 0; s < SLOTS; s++) {
        const struct buffered *store = &thread->buffer[s];
        bool first = store->used;
        for (int i = 0; i < SLOTS && first; i++) {
            const struct buffered *other = &thread->buffer[i];
            first = !(other->used && other->sequence < store->sequence &&
                      (other->op.address == store->op.address ||
                       other->epoch < store->epoch));
        }
        set |= (action_set)first << s;
    }
    return set;
}

void atomics_wrote(struct thread *thread)
{
    thread->writes++;
    engine->all_writes++;
}

void atomics_flush(int number, int slot)
{
    struct thread *thread = &engine->threads[number];
    struct buffered *store = &thread->buffer[slot];
    uint64_t before = memory_read(store->op.address, store->op.size);
    memory_write(store->op.address, store->op.size, store->op.value);
    *order_location(store->op.address) = store->release;
    store->used = false;
    atomics_wrote(thread);
    struct op op = store->op;
    op.kind = OP_FLUSH;
    int running = engine->current;
    engine->current = number;
    engine_note(&op, before, store->op.value, true, false);
    engine->current = running;
}

static struct op memory_op(enum op_kind kind, int order, uintptr_t address,
                           unsigned size, uint64_t value, uintptr_t pc)
{
    return (struct op){ .kind = kind,
                        .order = order,
                        .address = address,
                        .size = size,
                        .value = value,
                        .pc = pc };
}

uint64_t atomics_load(uintptr_t address, unsigned size, int order, uintptr_t pc)
{
    struct op op = memory_op(OP_LOAD, order, address, size, 0, pc);
    struct thread *self = engine_announce(&op);
    shade_access(address, size, ACCESS_ATOMIC, pc);
    const struct buffered *newest = newest_own(self, address);
    uint64_t value = newest ? newest->op.value : memory_read(address, size);
    if (!newest)
        order_acquire(self, address, order);
    engine_note(&op, value, value, true, newest != NULL);
    return value;
}

static void put_into_buffer(struct thread *self, const struct op *op)
{
    bool release = order_releases(op->order);
    if (engine->options->model == EXPLORE_TSO || release)
        self->epoch++;
    int slot = 0;
    while (self->buffer[slot].used)
        slot++;
    self->buffer[slot] = (struct buffered){
        .used = true,
        .sequence = self->sequence++,
        .epoch = self->epoch,
        .op = *op,
        .release = release ? self->clock : self->released,
    };
    self->fresh = true;
    if (release)
        order_tick(self);
}

void atomics_store(uintptr_t address, unsigned size, uint64_t value, int order,
                   uintptr_t pc)
{
    struct op op = memory_op(OP_STORE, order, address, size, value, pc);
    struct thread *self = engine_announce(&op);
    shade_access(address, size, ACCESS_ATOMIC_WRITE, pc);
    bool direct = atomics_is_direct(&op);
    engine_note(&op, memory_read(address, size), value, true, !direct);
    if (!direct) {
        put_into_buffer(self, &op);
        return;
    }
    memory_write(address, size, value);
    order_release(self, address, order, false);
    atomics_wrote(self);
}

uint64_t atomics_changed(enum atomics_change change, uint64_t old, uint64_t with)
{
    switch (change) {
    case SET:
        return with;
    case ADD:
        return old + with;
    case SUB:
        return old - with;
    case AND:
        return old & with;
    case OR:
        return old | with;
    case XOR:
        return old ^ with;
    }
    return 0;
}

static uint64_t mask_of(unsigned size)
{
    return size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1;
}

static void replace(struct thread *self, const struct op *op, uint64_t value)
{
    /* Who takes a lock that is taken changes nothing: two who try in turns, and yield,
     * must not wake each other for ever. */
    bool changes = memory_read(op->address, op->size) != value;
    order_acquire(self, op->address, op->order);
    memory_write(op->address, op->size, value);
    order_release(self, op->address, op->order, true);
    if (changes)
        atomics_wrote(self);
}

uint64_t atomics_modify(uintptr_t address, unsigned size, enum atomics_change change,
                        uint64_t with, int order, uintptr_t pc)
{
    struct op op = memory_op(OP_RMW, order, address, size, 0, pc);
    struct thread *self = engine_announce(&op);
    shade_access(address, size, ACCESS_ATOMIC_WRITE, pc);
    uint64_t old = memory_read(address, size);
    uint64_t new = atomics_changed(change, old, with) & mask_of(size);
    engine_note(&op, old, new, true, false);
    replace(self, &op, new);
    return old;
}

static bool fails_for_no_reason(bool weak)
{
    if (!weak || engine->weak_failures_left == 0 || explore_choose(2) == 0)
        return false;
    engine->weak_failures_left--;
    return true;
}

/* Returns the old value. */
uint64_t atomics_compare_and_swap(uintptr_t address, unsigned size, uint64_t expected,
                                  uint64_t value, int order, int failure_order,
                                  bool weak, uintptr_t pc, bool *swapped)
{
    struct op op = memory_op(OP_CAS, order, address, size, value, pc);
    struct thread *self = engine_announce(&op);
    shade_access(address, size, ACCESS_ATOMIC, pc);
    uint64_t old = memory_read(address, size);
    *swapped = old == expected && !fails_for_no_reason(weak);
    engine_note(&op, old, *swapped ? value : old, *swapped, false);
    if (*swapped) { /* only now a write: one that fails is no race with a plain read */
        shade_access(address, size, ACCESS_ATOMIC_WRITE, pc);
        replace(self, &op, value);
    } else {
        order_acquire(self, address, failure_order);
    }
    return old;
}

/* Plain stores are not delayed, but none comes before an own older one to the same place:
 * waits until that has reached memory. */
void atomics_settle(uintptr_t address, size_t size, uintptr_t pc)
{
    const struct thread *self = engine_self();
    bool waits = false;
    for (int i = 0; i < SLOTS; i++) {
        const struct buffered *store = &self->buffer[i];
        waits |= store->used && store->op.address < address + size &&
                 address < store->op.address + store->op.size;
    }
    if (waits)
        atomics_fence(memory_order_seq_cst, pc);
}

void atomics_fence(int order, uintptr_t pc)
{
    struct op op = { .kind = OP_FENCE, .order = order, .pc = pc };
    struct thread *self = engine_announce(&op);
    engine_note(&op, 0, 0, true, false);
    if (order_acquires(order))
        order_join(&self->clock, &self->acquired);
    if (order_releases(order)) {
        self->released = self->clock;
        self->epoch++;
        order_tick(self);
    }
}
