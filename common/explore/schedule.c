/* schedule: one run of the scenario, its threads as coroutines.
 *
 * Problem: a real thread can neither be stopped between two instructions nor run twice in
 * the same way. Idea: a thread runs until it is about to do something that others could
 * notice. It announces that, and waits here; whoever is next is asked of the search, and
 * control jumps to that thread's stack. So between two announcements a thread runs alone,
 * and a list of choices is a schedule.
 *
 * Steps that nobody else can notice (a join of a thread that has ended, a fence with
 * nothing before it) are done at once: to order them would multiply schedules for
 * nothing.
 *
 * A switch is _setjmp and _longjmp; swapcontext, which would do as well, makes two system
 * calls each time. A broken rule jumps out to engine_run_schedule; the stacks of the
 * schedule are left as they are and used again by the next. */
#include "common/explore/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct engine *engine;

struct thread *engine_self(void)
{
    return &engine->threads[engine->current];
}

/* ---- what may happen next */

static bool can_go(const struct thread *thread)
{
    if (thread->done)
        return false;
    switch (thread->op.kind) {
    case OP_JOIN: {
        const struct thread *other = &engine->threads[thread->op.value];
        return other->done && atomics_buffer_empty(other);
    }
    case OP_YIELD: /* once more at the same place: only after somebody's change */
        return thread->yielded_at != thread->op.pc ||
               thread->looked != engine->all_writes - thread->writes;
    case OP_CHOOSE:
        return true;
    case OP_LOCK:
    case OP_TRYLOCK:
    case OP_UNLOCK:
    case OP_WAIT:
    case OP_RELOCK:
    case OP_SIGNAL:
        return locks_is_ready(thread);
    case OP_SLEEP:
    case OP_WOKEN:
    case OP_WAKE:
    case OP_COUNT:
    case OP_DRAIN:
    case OP_CLOSE:
        return outside_is_ready(thread);
    default:
        return atomics_is_ready(thread);
    }
}

static bool is_unnoticed(const struct op *op)
{
    return op->kind == OP_JOIN || op->kind == OP_SPAWN || op->kind == OP_FENCE;
}

static action_set all_enabled(void)
{
    action_set set = 0;
    for (int t = 0; t < engine->thread_count; t++) {
        if (can_go(&engine->threads[t]))
            set |= (action_set)1 << t;
        set |= atomics_flushable(&engine->threads[t]) << (EXPLORE_THREADS + t * SLOTS);
    }
    return set;
}

/* Nobody can move: the timed waits that end first do. */
static action_set timeouts(void)
{
    uint64_t first = UINT64_MAX;
    action_set set = 0;
    for (int t = 0; t < engine->thread_count; t++) {
        const struct thread *thread = &engine->threads[t];
        if (thread->done || !thread->op.timed || thread->woken ||
            thread->op.deadline > first)
            continue;
        if (thread->op.deadline < first)
            set = 0;
        first = thread->op.deadline;
        set |= (action_set)1 << t;
    }
    return set;
}

/* Nobody can move at all: who spins may look once more and perhaps give up, who yields
 * may go on. */
static action_set spinning(void)
{
    action_set set = 0;
    for (int t = 0; t < engine->thread_count; t++) {
        const struct thread *thread = &engine->threads[t];
        bool may = (thread->op.kind == OP_LOAD && thread->repeats < SPINS_MAX) ||
                   (thread->op.kind == OP_YIELD && thread->yields < SPINS_MAX);
        if (!thread->done && may)
            set |= (action_set)1 << t;
    }
    return set;
}

static const char *what_it_waits_for(const struct thread *thread)
{
    switch (thread->op.kind) {
    case OP_LOCK:
        return "waits for a mutex";
    case OP_RELOCK:
        return thread->woken ? "waits for a mutex" : "waits on a condition variable";
    case OP_WOKEN:
        return "sleeps in a futex";
    case OP_DRAIN:
        return "waits for an eventfd";
    case OP_JOIN:
        return "joins a thread";
    case OP_YIELD:
    case OP_LOAD:
        return "spins for a change that nobody makes";
    default:
        return "cannot go on";
    }
}

static const char *name_of(int t, char *number)
{
    snprintf(number, 16, "thread %d", t);
    return engine->threads[t].name ? engine->threads[t].name : number;
}

_Noreturn static void everybody_waits(void)
{
    char text[400], number[16];
    size_t n = 0;
    bool spins = true;
    for (int t = 0; t < engine->thread_count; t++) {
        const struct thread *thread = &engine->threads[t];
        if (thread->done)
            continue;
        spins = spins && (thread->op.kind == OP_YIELD || thread->op.kind == OP_LOAD ||
                          thread->op.kind == OP_JOIN);
        int more = snprintf(text + n, sizeof text - n, "%s%s %s (%s)", n ? ", " : "",
                            name_of(t, number), what_it_waits_for(thread),
                            symbol_place(thread->op.pc));
        n += more > 0 && (size_t)more < sizeof text - n ? (size_t)more : 0;
    }
    const char *rule = engine->options->hang_rule;
    engine_fail(rule    ? rule
                : spins ? "livelock"
                        : "deadlock",
                "everybody waits and nobody is left to wake them: %s", text);
}

/* A thread, or a store that reaches memory, or NOBODY: the scenario is over. */
static int next_action(void)
{
    for (int t = 0; t < engine->thread_count; t++)
        if (is_unnoticed(&engine->threads[t].op) && can_go(&engine->threads[t]))
            return t;
    action_set set = all_enabled();
    if (!set)
        set = timeouts();
    if (!set)
        set = spinning();
    if (set)
        return search_decide(set, false);
    for (int t = 0; t < engine->thread_count; t++)
        if (!engine->threads[t].done)
            everybody_waits();
    return NOBODY;
}

/* ---- switching */

_Noreturn void engine_leave(void)
{
    engine->inside = false;
    _longjmp(engine->home, 1);
}

/* Lets others run until `self` (NULL: nobody, it has ended) is chosen. */
static void give_way(struct thread *self)
{
    int next = next_action();
    while (next >= EXPLORE_THREADS) {
        atomics_flush((next - EXPLORE_THREADS) / SLOTS,
                      (next - EXPLORE_THREADS) % SLOTS);
        next = next_action();
    }
    if (next == NOBODY)
        engine_leave();
    if (self == &engine->threads[next])
        return;
    if (self && _setjmp(self->jump) != 0)
        return;
    engine->current = next;
    errno = engine->threads[next].saved_errno;
    _longjmp(engine->threads[next].jump, 1);
}

/* A load that repeats the thread's last steps spins: it waits for a change, or until
 * nobody else can move. Two or three in a row may also be calls of one function, whose
 * caller goes on whatever they return. */
static void look_for_repetition(struct thread *self)
{
    struct op *op = &self->op, *last = &self->last_load;
    bool same = self->last_was_load && op->kind == OP_LOAD && op->pc == last->pc &&
                op->address == last->address;
    self->repeats = same ? self->repeats + 1 : 0;
    op->repeated = self->repeats >= SPINS;
    op->seen = last->seen;
    self->last_was_load = op->kind == OP_LOAD;
    self->last_load = *op;
}

struct thread *engine_announce(const struct op *op)
{
    struct thread *self = engine_self();
    if (engine->failed) /* an unlock while a failure is on its way out */
        engine_leave();
    int saved = errno;
    self->op = *op;
    self->saved_errno = saved;
    look_for_repetition(self);
    engine->accesses = 0;
    if (self->starting) { /* back to engine_start_thread */
        self->starting = false;
        if (_setjmp(self->jump) == 0)
            _longjmp(*(jmp_buf *)self->returned, 1);
    } else {
        give_way(self);
    }
    errno = saved;
    self->fresh = false;
    return self;
}

void engine_note(const struct op *op, uint64_t before, uint64_t after, bool ok,
                 bool buffered)
{
    struct thread *self = engine_self();
    if (op->kind == OP_LOAD)
        self->last_load.seen = before;
    if (engine->event_count < EVENTS_MAX)
        engine->events[engine->event_count++] = (struct event){
            .op = *op,
            .thread = engine->current,
            .before = before,
            .after = after,
            .ok = ok,
            .buffered = buffered,
        };
}

bool engine_wait(const struct op *op)
{
    bool woken = engine_announce(op)->woken;
    if (!woken && engine->timeouts_left > 0)
        engine->timeouts_left--;
    if (!woken && op->deadline > engine->now)
        engine->now = op->deadline;
    engine_note(op, 0, 0, woken, false);
    return woken;
}

/* ---- a thread's life */

static void thread_main(void)
{
    struct thread *self = engine_self();
    void *returned = self->start(self->argument);
    self->done = true;
    if (self->starting) { /* it did nothing that others could notice */
        self->starting = false;
        jmp_buf *creator = self->returned;
        self->returned = returned;
        _longjmp(*creator, 1);
    }
    self->returned = returned;
    give_way(NULL);
}

/* Runs the new thread up to its first announcement, in the present step of the caller:
 * nobody can notice what it does until then. */
static void run_to_first_step(struct thread *thread)
{
    int creator = engine->current, saved = errno;
    jmp_buf back;
    errno = 0;
    thread->starting = true;
    thread->returned = &back;
    if (_setjmp(back) == 0) {
        engine->current = (int)(thread - engine->threads);
        setcontext(&thread->start_context);
    }
    engine->current = creator;
    errno = saved;
}

static struct thread *new_thread(void *(*start)(void *argument), void *argument)
{
    if (engine->thread_count == EXPLORE_THREADS)
        engine_fail("explorer", "more than %d threads", EXPLORE_THREADS);
    struct thread *thread = &engine->threads[engine->thread_count++];
    char *stack = thread->stack;
    memset(thread, 0, sizeof *thread);
    thread->stack = stack;
    thread->start = start;
    thread->argument = argument;
    getcontext(&thread->start_context);
    thread->start_context.uc_stack.ss_sp = stack;
    thread->start_context.uc_stack.ss_size = STACK_SIZE;
    thread->start_context.uc_link = NULL;
    makecontext(&thread->start_context, thread_main, 0);
    return thread;
}

void engine_start_thread(void *(*start)(void *argument), void *argument, uintptr_t pc,
                         unsigned long *id)
{
    struct op op = { .kind = OP_SPAWN, .order = 5, .pc = pc };
    struct thread *self = engine_announce(&op);
    struct thread *thread = new_thread(start, argument);
    int number = (int)(thread - engine->threads);
    engine_note(&op, (uint64_t)number, 0, true, false);
    thread->clock = self->clock;
    thread->clock.at[number]++;
    self->clock.at[engine->current]++;
    *id = (unsigned long)number;
    thread->started_pc = pc;
    run_to_first_step(thread);
}

static void *run_scenario(void *unused)
{
    engine->scenario();
    return unused;
}

static void check_leaks(void)
{
    heap_check_leaks();
    outside_check_leaks();
    for (int t = 1; t < engine->thread_count; t++)
        if (!engine->threads[t].let_go)
            engine_fail("leak", "thread %d is neither joined nor detached (%s)", t,
                        symbol_place(engine->threads[t].started_pc));
}

void engine_run_schedule(void)
{
    engine->thread_count = 0;
    engine->current = 0;
    engine->all_writes = 0;
    engine->event_count = 0;
    engine->failed = engine->pruned = false;
    engine->now = 1000000000;
    engine->timeouts_left = engine->options->timeouts;
    engine->allocation_failures_left = engine->options->failing_allocations;
    engine->weak_failures_left = engine->options->weak_failures;
    engine->accesses = 0;
    heap_restore_variables();
    heap_begin();
    order_begin();
    shade_begin();
    outside_begin();
    search_schedule_begins();
    if (_setjmp(engine->home) == 0) {
        struct thread *first = new_thread(run_scenario, NULL);
        first->clock.at[0] = 1;
        engine->inside = true;
        setcontext(&first->start_context);
    }
    bool whole = !engine->failed && !engine->pruned && !engine->misfit;
    if (whole && _setjmp(engine->home) == 0)
        check_leaks();
    shade_forget_all();
}
