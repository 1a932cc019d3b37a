/* thread_parker: sleeping on a word.
 *
 * Problem: between "there is nothing to do" and "sleep", somebody may bring work; a
 * plain sleep would miss it. Idea: the kernel compares the word once more before it
 * lets us sleep (FUTEX_WAIT), so a change after our look makes the sleep fail at once.
 * Invariant: PARKED is in the word whenever the thread may be asleep, so unpark, which
 * swaps TOKEN in, learns from the old value whether it must ask the kernel.
 *
 * Why unpark is a swap and not "compare, then store": the swap is a read-modify-write,
 * so a park that takes the token sees everything that was written before any of the
 * unparks that it merges (P2); a store that is skipped because the token is there
 * already would publish nothing.
 *
 * EINTR needs no care here: park may return early (P3), and its callers recompute their
 * time-outs (RULES R9). */
#include "lesson02_wakers/thread_parker.h"

#include <errno.h>
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/container.h"

enum { EMPTY = 0, TOKEN = 1, PARKED = 2 };

static long futex(_Atomic uint32_t *word, int op, uint32_t value,
                  const struct timespec *timeout)
{
    return syscall(SYS_futex, word, op | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

static int thread_park(struct parker *base, int64_t timeout_ns)
{
    struct thread_parker *self = container_of(base, struct thread_parker, parker);
    uint32_t seen = TOKEN;
    /* (2) acquire: pairs with the release of the unparks whose token we take */
    if (atomic_compare_exchange_strong_explicit(
            &self->state, &seen, EMPTY, memory_order_acquire, memory_order_relaxed) ||
        timeout_ns == 0)
        return 0;
    seen = EMPTY;
    /* (3) acquire: as above, for an unpark that came since */
    if (atomic_compare_exchange_strong_explicit(
            &self->state, &seen, PARKED, memory_order_acquire, memory_order_acquire)) {
        struct timespec timeout = { .tv_sec = (time_t)(timeout_ns / (int64_t)NS_PER_S),
                                    .tv_nsec = (long)(timeout_ns % (int64_t)NS_PER_S) };
        long err =
            futex(&self->state, FUTEX_WAIT, PARKED, timeout_ns < 0 ? NULL : &timeout);
        CHECK(err == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT,
              "FUTEX_WAIT: errno %d", errno);
    }
    /* (2) or (5) acquire: pairs with the release in unpark */
    atomic_exchange_explicit(&self->state, EMPTY, memory_order_acquire);
    return 0;
}

static void thread_unpark(struct parker *base)
{
    struct thread_parker *self = container_of(base, struct thread_parker, parker);
    /* (1) or (4) release: pairs with the acquires in park */
    if (atomic_exchange_explicit(&self->state, TOKEN, memory_order_release) != PARKED)
        return;
    int saved = errno; /* we may run in a signal handler */
    futex(&self->state, FUTEX_WAKE, 1, NULL);
    errno = saved;
}

static const struct parker_ops thread_parker_ops = {
    .name = "thread",
    .park = thread_park,
    .unpark = thread_unpark,
};

void thread_parker_init(struct thread_parker *parker)
{
    parker->parker.ops = &thread_parker_ops;
    atomic_init(&parker->state, EMPTY);
}
