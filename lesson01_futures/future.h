/* future: a computation that has not finished yet, as a plain struct.
 *
 * A future is any struct whose first member is `struct future`: one pointer to a table
 * of operations. A constructor returns it by value - a lazy description, nothing has
 * happened yet. Somebody polls it; each poll either gets it further (POLL_PENDING: "I
 * cannot go on now, I will have you told when I can") or finishes it (POLL_READY).
 *
 * The contract, numbered; the tests cite the numbers (future_contract.h checks them for
 * any implementation):
 *   F1  Until its first poll a future may be copied or thrown away, and holds no pointer
 *       into itself. From the first poll on it stays where it is (it is pinned).
 *   F2  poll returns POLL_PENDING only after it made sure that the context's waker will
 *       be woken, or when it ran out of budget (context.budget below 0).
 *   F3  A poll that nobody asked for (a spurious poll) is harmless.
 *   F4  Once polled, a future is polled until POLL_READY. Nobody walks away from it.
 *   F5  A poll after POLL_READY is a bug, and CHECK says so.
 *   F6  future_cancel is a request, and it stays. A leaf becomes ready with -ECANCELED,
 *       or with its real result if that came first. Cancelled before its first poll, a
 *       leaf becomes ready having done nothing; an async function runs, with each of its
 *       awaits cancelled, so that its own error path frees what it owns.
 *   F7  Who cancels polls next; so cancel wakes nobody. Only the one who may poll a
 *       future may cancel it, in any state, also from within a poll, also twice, also
 *       after it is ready (then nothing happens).
 *
 * Errors: a future's output lives in the concrete struct, negative errno for failure.
 * Threads: one at a time; a future may move between threads between two polls. */
#ifndef LESSON01_FUTURE_H
#define LESSON01_FUTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/check.h"
#include "common/container.h"

enum poll_state { POLL_PENDING, POLL_READY };

struct waker; /* whom to tell; lesson 2 completes it */

/* What a poll is given. Lives on the poller's stack for the length of one poll. */
struct context {
    const struct waker *waker; /* borrows; NULL in lesson 1: nobody to tell */
    int budget; /* awaits that may still start in this poll; below 0: it ran out, and
                   whoever polls the root must poll again soon, unasked */
};

/* How many awaits a task may start before it lets others run. */
#define CONTEXT_BUDGET 128

struct future;

/* sizeof(type), for future_ops.size. Does not compile for a struct that asks for more
 * alignment than malloc gives: whoever moves a future knows its size only. */
#define FUTURE_SIZE(type)                                                              \
    (sizeof(type) + 0 * sizeof(char[_Alignof(type) <= _Alignof(max_align_t) ? 1 : -1]))

struct future_ops {
    const char *name; /* static; what a backtrace prints */
    size_t size;      /* FUTURE_SIZE of the concrete struct, in bytes */
    enum poll_state (*poll)(struct future *future, struct context *context);
    void (*cancel)(struct future *future);
    /* The i-th future in flight below this one, NULL when there are no more. A NULL
     * operation: a leaf, nothing below. */
    struct future *(*child)(const struct future *future, unsigned i);
    /* The future is READY, or was never polled, and nobody will look at its output:
     * release what the output owns (accept closes its fd). NULL: it owns nothing. */
    void (*discard)(struct future *future);
    const char *file; /* async functions only: the source file of the body, else NULL */
};

struct future {
    const struct future_ops *ops; /* borrows; static */
};

/* For the declaration of a constructor whose future is large and often made: it stays a
 * call, also where the compiler optimises across files. Inlined, gcc (12) writes it to the
 * stack in words and copies it from there in vectors, which has to wait until the words
 * have reached the cache (a round trip through two channels: 92 ns instead of 82). */
#define CONSTRUCTOR __attribute__((noinline))

/* A finished future has these: poll is a CHECK failure, cancel does nothing. */
extern const struct future_ops future_done_ops;

static inline bool future_is_done(const struct future *future)
{
    return future->ops == &future_done_ops;
}

/* Polls once. After POLL_READY the future must not be polled again (F5). */
static inline enum poll_state future_poll(struct future *future,
                                          struct context *context)
{
    enum poll_state state = future->ops->poll(future, context);
    if (state == POLL_READY)
        future->ops = &future_done_ops;
    return state;
}

/* Asks a future to finish early (F6, F7). */
static inline void future_cancel(struct future *future)
{
    future->ops->cancel(future);
}

/* Polls once and, if that finished it, releases what its output owns. For whoever must
 * bring a future to its end without being able to look at the output. */
enum poll_state future_poll_discarding(struct future *future, struct context *context);

/* Calls visit for `future` and everything in flight below it, parents first; depth
 * starts at 0. A poll must not be running anywhere in the tree. */
void future_walk(const struct future *future,
                 void (*visit)(const struct future *future, unsigned depth,
                               void *argument),
                 void *argument);

/* Writes where a future waits, e.g. "serve at server.c:42" for an async function or
 * "sleep" for a leaf, to text (always 0-terminated). */
void future_describe(const struct future *future, char *text, size_t size);

/* Prints the async backtrace: one line a future, indented by depth, to stderr. */
void future_print_tree(const struct future *future, const char *indent);

#endif
