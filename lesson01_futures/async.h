/* async: functions that can stop in the middle.
 *
 * An async function is a frame (a struct that keeps what must survive a stop) and a
 * poll function that jumps to where it stopped. The macros abbreviate the state machine
 * that by_hand.c writes out; they add a budget and a trap for misuse, and nothing else.
 *
 *     struct greet {
 *         ASYNC_FRAME;             // first member
 *         const char *name;        // arguments
 *         struct countdown wait;   // one slot for each future that it awaits
 *         int result;              // output
 *     };
 *     static enum poll_state greet_poll(struct future *future, struct context *context)
 *     {
 *         struct greet *self = ASYNC_SELF(greet, future);
 *         ASYNC_BEGIN(self, context);
 *         AWAIT(self->wait, countdown_ms(10));
 *         self->result = self->wait.result;
 *         ASYNC_END;
 *     }
 *     static const struct future_ops greet_ops = ASYNC_OPS(greet);
 *     static struct greet greet(const char *name)
 *     {
 *         return (struct greet){ .future = { &greet_ops }, .name = name };
 *     }
 *
 * Four rules for a body, each with its trap:
 *   A1  What must survive an AWAIT lives in the frame. A body declares locals only
 *       inside a block that holds no AWAIT (make check lints this).
 *   A2  No AWAIT inside a switch of your own: the body already is one.
 *   A3  One AWAIT a line: the line number is the state (the compiler says "duplicate
 *       case value").
 *   A4  A function that awaits itself needs a frame on the heap for the inner call.
 *
 * Ownership: the frame owns its slots; a slot may be reused, or share a union with
 * others, once its await is over (a select_any slot: once nothing of its set is in
 * flight any more). Threads: as for any future. Source of the switch over __LINE__: Tom
 * Duff's device; Simon Tatham, "Coroutines in C". */
#ifndef LESSON01_ASYNC_H
#define LESSON01_ASYNC_H

#include "lesson01_futures/future.h"

/* What every frame starts with: 24 bytes. */
struct async {
    struct future future;
    struct future *child; /* borrows: the await in flight, NULL while the body runs */
    int line;             /* where the body waits; 0 before the first poll */
    uint16_t loose; /* where in the frame the select set is that has children in flight
                       outside an await, in steps of 8 bytes; 0: there is none */
    bool cancelled : 1; /* level-triggered: each later await is cancelled too */
    bool shielded : 1;  /* the await in flight is not to be cancelled */
    bool
        running; /* its poll is on the stack; a byte of its own, written twice a poll */
};
_Static_assert(sizeof(struct async) == 24, "a frame's base is three words");

/* A constructor names `.future` only. Of a union, C initialises the member that is named
 * and leaves the other bytes as they were (clang does, gcc may from version 15 on): so
 * the future stands in a struct with the rest of the base, which makes that zero. */
#define ASYNC_FRAME                                                                    \
    union {                                                                            \
        struct {                                                                       \
            struct future future;                                                      \
            uint64_t zeroed_[(sizeof(struct async) - sizeof(struct future)) / 8];      \
        };                                                                             \
        struct async async;                                                            \
    }

/* The frame of `future`, whose type is struct `type`. */
#define ASYNC_SELF(type, future_pointer)                                               \
    container_of((future_pointer), struct type, future)

/* The table of the async function `name`, whose frame is struct name and whose poll
 * function is name_poll. */
#define ASYNC_OPS(function)                                                            \
    {                                                                                  \
        .name = #function, .size = FUTURE_SIZE(struct function),                       \
        .poll = function##_poll, .cancel = async_cancel, .child = async_child,         \
        .file = __FILE__                                                               \
    }

/* The same for a function whose output owns something: `release` is its discard. */
#define ASYNC_OPS_DISCARD(function, release)                                           \
    {                                                                                  \
        .name = #function, .size = FUTURE_SIZE(struct function),                       \
        .poll = function##_poll, .cancel = async_cancel, .child = async_child,         \
        .discard = (release), .file = __FILE__                                         \
    }

#define ASYNC_BEGIN(self, context_pointer)                                             \
    struct async *const async_ = &(self)->async;                                       \
    struct context *const context_ = (context_pointer);                                \
    (void)context_;                                                                    \
    async_->running = true;                                                            \
    switch (async_->line) {                                                            \
    default:                                                                           \
        CHECK(false,                                                                   \
              "%s resumed at line %d, which is no AWAIT of its own switch "            \
              "(rule A2: no AWAIT inside a switch)",                                   \
              __func__, async_->line);                                                 \
    case 0:

#define ASYNC_END                                                                      \
    }                                                                                  \
    return async_finish(async_)

/* Leaves the function early. */
#define ASYNC_RETURN return async_finish(async_)

/* Puts the future into the slot and waits for it; its output is in the slot afterwards.
 * The slot may be any lvalue whose type starts with struct future. */
#define AWAIT(slot, ...) ASYNC_AWAIT_(slot, false, __VA_ARGS__)

/* The same, not to be cancelled: for clean-up that must happen. */
#define AWAIT_SHIELDED(slot, ...) ASYNC_AWAIT_(slot, true, __VA_ARGS__)

/* Waits for a future that is in place already and was not polled yet: a struct future *.
 * For a frame on the heap, or one that is too big to be copied. */
#define AWAIT_PLACED(future_pointer)                                                   \
    do {                                                                               \
        ASYNC_WAIT_(future_pointer, false);                                            \
    } while (0)

#define ASYNC_AWAIT_(slot, shield, ...)                                                \
    do {                                                                               \
        (slot) = (__VA_ARGS__);                                                        \
        ASYNC_WAIT_(&(slot).future, shield);                                           \
    } while (0)

/* `if (0) { case ...: }` lets the switch jump in here without falling in. */
#define ASYNC_WAIT_(future_pointer, shield)                                            \
    if (!async_start_await(async_, context_, (future_pointer), __LINE__, (shield)))    \
        return POLL_PENDING;                                                           \
    if (0) {                                                                           \
    case __LINE__:;                                                                    \
    }                                                                                  \
    if (async_poll_child(async_, context_) == POLL_PENDING)                            \
    return POLL_PENDING

/* Has this function been asked to stop? For bodies that compute between two awaits. */
#define ASYNC_CANCELLED (async_->cancelled)

static inline struct async *async_of(const struct future *future)
{
    return (struct async *)(uintptr_t)future;
}

static inline bool future_is_async(const struct future *future)
{
    return future->ops->file != NULL;
}

/* Records the await; false: the budget is used up, return POLL_PENDING. */
static inline bool async_start_await(struct async *async, struct context *context,
                                     struct future *child, int line, bool shield)
{
    async->child = child;
    async->line = line;
    async->shielded = shield;
    if (async->cancelled && !shield)
        future_cancel(child);
    /* Charged when an await starts, never when one resumes: a poll that only travels
     * down a deep chain of frames would otherwise never reach the leaf. */
    if (--context->budget >= 0)
        return true;
    async->running = false;
    return false;
}

/* Forgets a select set of which nothing is in flight any more: from now on its array
 * and its futures may be freed. */
void async_forget_loose(struct async *async);

static inline enum poll_state async_poll_child(struct async *async,
                                               struct context *context)
{
    if (future_poll(async->child, context) == POLL_PENDING) {
        async->running = false;
        return POLL_PENDING;
    }
    async->child = NULL;
    if (async->loose)
        async_forget_loose(async);
    return POLL_READY;
}

/* Ends the function. A select set with children in flight is a bug here (F4). */
enum poll_state async_finish_loose(struct async *async);

static inline enum poll_state async_finish(struct async *async)
{
    async->running = false;
    async->child = NULL;
    return async->loose ? async_finish_loose(async) : POLL_READY;
}

/* The operations behind ASYNC_OPS. */
void async_cancel(struct future *future);
struct future *async_child(const struct future *future, unsigned i);

#endif
