/* engine: what the files of the explorer share. Nothing of it is for others.
 *
 * All state that must outlive a schedule is in *engine, which is mapped by itself: before
 * each schedule the program's own variables (.data, .bss) are set back, and ours with
 * them. Engine files are compiled without instrumentation. */
#ifndef COMMON_EXPLORE_ENGINE_H
#define COMMON_EXPLORE_ENGINE_H

#include <setjmp.h>
#include <string.h>
#include <ucontext.h>

#include "common/explore/explore.h"

/* The linker sends the program's copies to plain.c; the engine's own are not seen. */
void *__real_memcpy(void *to, const void *from, size_t size);
void *__real_memmove(void *to, const void *from, size_t size);
void *__real_memset(void *to, int byte, size_t size);
#define memcpy __real_memcpy
#define memmove __real_memmove
#define memset __real_memset

enum {
    SLOTS = 7,        /* of a store buffer */
    STEPS_MAX = 4000, /* of a schedule; more are called a livelock */
    EVENTS_MAX = 2 * STEPS_MAX,
    SPINS = 4, /* so often the same load again is a loop */
    SPINS_MAX =
        200, /* so often it looks once more when nobody else can move, or yields */
    STACK_SIZE = 256 << 10,
    GUARD_SIZE = 64 << 10, /* below each stack; nobody may touch it */
    NOBODY = -1,
};

/* Bit t: thread t does its pending operation. Bit THREADS + t * SLOTS + s: the store in
 * slot s of thread t's buffer reaches memory. 8 + 8 * 7 = 64. */
typedef uint64_t action_set;

enum op_kind {
    OP_LOAD,
    OP_STORE,
    OP_RMW,
    OP_CAS,
    OP_FENCE,
    OP_LOCK,
    OP_TRYLOCK,
    OP_UNLOCK,
    OP_WAIT,   /* on a condition variable: gives the mutex back and starts to wait */
    OP_RELOCK, /* woken, and the mutex is free */
    OP_SIGNAL,
    OP_SLEEP, /* FUTEX_WAIT: compares, and starts to wait */
    OP_WOKEN,
    OP_WAKE,  /* FUTEX_WAKE */
    OP_COUNT, /* eventfd: write */
    OP_DRAIN, /* eventfd: read */
    OP_CLOSE, /* eventfd */
    OP_JOIN,
    OP_SPAWN,
    OP_YIELD,
    OP_CHOOSE,
    OP_FLUSH, /* a store leaves the buffer */
    OP_PLAIN, /* in the listing only: the access that broke a rule */
};

struct vector {
    uint32_t at[EXPLORE_THREADS];
};

struct op {
    enum op_kind kind;
    int order; /* memory_order; locks and system calls: seq_cst */
    uintptr_t address;
    uintptr_t also; /* OP_WAIT, OP_RELOCK: the condition variable; 0: nothing */
    unsigned size;
    uint64_t value; /* to be stored; OP_JOIN: whom; OP_CHOOSE: of how many */
    uintptr_t pc;   /* in the explored code */
    bool timed;     /* OP_RELOCK, OP_WOKEN: may end by itself */
    bool
        repeated; /* OP_LOAD: the same as just before; goes on when the value changes */
    uint64_t deadline;
    uint64_t seen; /* repeated: the value */
};

struct buffered {
    bool used;
    unsigned sequence;
    unsigned epoch; /* stores of a later epoch wait for those of an earlier one */
    struct op op;
    struct vector release;
};

struct thread {
    jmp_buf jump;
    ucontext_t start_context;
    char *stack;
    void *(*start)(void *argument);
    void *argument;
    void *returned;
    const char *name;
    bool done, woken, timed_out, starting;
    bool let_go; /* joined or detached */
    uintptr_t started_pc;
    int saved_errno;
    struct op op; /* pending */
    struct buffered buffer[SLOTS];
    unsigned sequence, epoch;
    bool fresh;           /* its newest store was a moment ago (bounded search) */
    unsigned writes;      /* own stores that have reached memory */
    unsigned looked;      /* others' stores at its last yield, which was at */
    uintptr_t yielded_at; /* 0: never */
    unsigned yields;      /* there when nobody else could move, in a row */
    unsigned repeats;     /* how often its last load was the same load */
    bool last_was_load;
    struct op last_load;
    struct vector clock;
    struct vector acquired; /* by relaxed loads: counts after an acquire fence */
    struct vector released; /* at the last release fence */
};

struct event {
    struct op op;
    int thread;
    uint64_t before, after;
    bool ok;
    bool buffered; /* a load from the own buffer, a store into it */
};

struct node {
    action_set todo, sleep;
    int action;
    int spent; /* preemptions before it */
    bool data; /* a choice of explore_choose: no thread's */
};

struct engine {
    const struct explore_options *options;
    void (*scenario)(void);
    struct explore_result *result, found;

    struct thread threads[EXPLORE_THREADS];
    int thread_count, current;
    jmp_buf home;
    unsigned all_writes;
    uint64_t now; /* ns, virtual */
    int timeouts_left, allocation_failures_left, weak_failures_left;
    unsigned long accesses; /* plain, since the last step */
    bool failed, pruned, inside;
    long watched; /* the number of steps, some seconds ago */

    struct event events[EVENTS_MAX];
    int event_count;

    struct node nodes[STEPS_MAX];
    int depth;  /* of the present schedule */
    int length; /* of the prefix that is run again */
    int spent;
    action_set asleep;
    int longest;
    uint64_t random;
    int priority[64];
    int change[8];
    const char *replay_at;
    int replay_left, replay_action;
    bool replay_data;
    bool misfit; /* the replay string */
};

extern struct engine *engine;

/* ---- schedule.c: who runs */

/* The calling thread is about to do this. Returns when it is its turn: the caller then
 * does it, and notes it. */
struct thread *engine_announce(const struct op *op);
/* The same for OP_RELOCK and OP_WOKEN: waits until woken (true) or until time is over. */
bool engine_wait(const struct op *op);
void engine_note(const struct op *op, uint64_t before, uint64_t after, bool ok,
                 bool buffered);
/* Stores the thread's number before it runs. */
void engine_start_thread(void *(*start)(void *argument), void *argument, uintptr_t pc,
                         unsigned long *number);
void engine_run_schedule(void);
/* Ends the schedule. */
_Noreturn void engine_fail(const char *rule, const char *format, ...) PRINTF_LIKE(2, 3);
_Noreturn void engine_leave(void);
struct thread *engine_self(void);

/* ---- search.c: which order next */
int search_decide(action_set enabled, bool data);
void search_begin(void);
void search_schedule_begins(void);
bool search_next(void); /* false: the search is over */
/* ---- replay.c */
int replay_next(action_set enabled, bool data);
void replay_write(char *text, size_t size);

/* ---- atomics.c: memory, and what waits before it */
bool atomics_is_ready(const struct thread *thread);
bool atomics_buffer_empty(const struct thread *thread);
bool atomics_shows_nothing_new(const struct thread *thread);
bool atomics_is_direct(const struct op *op);
action_set atomics_flushable(const struct thread *thread);
void atomics_flush(int thread, int slot);
void atomics_wrote(struct thread *thread);
uint64_t memory_read(uintptr_t address, unsigned size);
enum atomics_change { SET, ADD, SUB, AND, OR, XOR };
uint64_t atomics_changed(enum atomics_change change, uint64_t old, uint64_t with);
/* The steps themselves; those that return something return the old value. */
uint64_t atomics_load(uintptr_t address, unsigned size, int order, uintptr_t pc);
void atomics_store(uintptr_t address, unsigned size, uint64_t value, int order,
                   uintptr_t pc);
uint64_t atomics_modify(uintptr_t address, unsigned size, enum atomics_change change,
                        uint64_t with, int order, uintptr_t pc);
uint64_t atomics_compare_and_swap(uintptr_t address, unsigned size, uint64_t expected,
                                  uint64_t value, int order, int failure_order,
                                  bool weak, uintptr_t pc, bool *swapped);
void atomics_fence(int order, uintptr_t pc);
void atomics_settle(uintptr_t address, size_t size, uintptr_t pc);

/* ---- depend.c: which steps commute */
bool depend(int a, int b);
const struct op *depend_op(int action);
int depend_owner(int action);

/* ---- locks.c, outside.c */
bool locks_is_ready(const struct thread *thread);
bool outside_is_ready(const struct thread *thread);
void outside_begin(void);
void outside_check_leaks(void);

/* ---- order.c: what happens before what */
int order_map(void); /* -ENOMEM */
void order_begin(void);
void order_join(struct vector *into, const struct vector *from);
struct vector *order_location(uintptr_t address); /* what a release left there */
void order_tick(struct thread *thread);
void order_acquire(struct thread *thread, uintptr_t address, int memory_order);
void order_release(struct thread *thread, uintptr_t address, int memory_order,
                   bool keeps_older);
bool order_acquires(int memory_order);
bool order_releases(int memory_order);

/* ---- shade.c: plain accesses, and dead memory */
struct heap_block;
enum access {
    ACCESS_READ,
    ACCESS_WRITE,
    ACCESS_ATOMIC, /* a load; of a mutex and the like, any use */
    ACCESS_ATOMIC_WRITE,
    ACCESS_FREE
};
int shade_map(void); /* -ENOMEM */
void shade_begin(void);
void shade_poison(uintptr_t address, size_t size, bool dead, uintptr_t pc);
void shade_access(uintptr_t address, size_t size, enum access access, uintptr_t pc);
void shade_free(struct heap_block *block, uintptr_t pc);
/* The part of a block is given back; the rest lives on. */
void shade_cut(struct heap_block *block, uintptr_t from, uintptr_t to, uintptr_t pc);
void shade_forget_all(void); /* zeroes the heap where it was touched */

/* ---- heap.c */
struct heap_block {
    uintptr_t start;
    size_t size;
    bool dead;
    uintptr_t pc, freed_pc;
    int made_by, freed_by;
    uint32_t made_at;                 /* the time of made_by */
    uintptr_t poison_from, poison_to; /* where it was not touched before */
    uint32_t first_granule;           /* of those that were touched; 0: none */
};
int heap_map(void); /* -ENOMEM */
void heap_begin(void);
void heap_check_leaks(void);
bool heap_owns(uintptr_t address);
unsigned heap_number_of(uintptr_t address);          /* of the block, from 1; 0: none */
struct heap_block *heap_block_of(uintptr_t address); /* NULL: between the blocks */
void heap_save_variables(void);
void heap_restore_variables(void);

/* ---- symbols.c: from an address in the program to its text */
struct symbol {
    char file[64]; /* without folders */
    int line;
    char function[64];
    char object[64]; /* what the operation is applied to: "cell->state" */
};
int symbols_map(void); /* -ENOMEM */
const struct symbol *symbol_of(uintptr_t pc);
void symbols_prepare(const uintptr_t *pcs, unsigned count);
/* "file.c:12" for messages; a static ring of four buffers. */
const char *symbol_place(uintptr_t pc);

#define CALLER ((uintptr_t)__builtin_return_address(0) - 1)

#endif
