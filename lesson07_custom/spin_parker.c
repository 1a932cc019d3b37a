/* spin_parker: park may return early (P3), and that is all it takes: while it spins, each
 * park is a park(0), and the executor looks at its queues in between. Invariant: it
 * sleeps only after spin_ns in which no task was polled. */
#include "lesson07_custom/spin_parker.h"

#include "common/clock.h"
#include "common/container.h"

static int spin_park(struct parker *parker, int64_t timeout_ns)
{
    struct spin_parker *self = container_of(parker, struct spin_parker, parker);
    if (timeout_ns == 0 || self->spin_ns == 0)
        return parker_park(self->inner, timeout_ns);
    uint64_t polls = atomic_load_explicit(self->polls, memory_order_relaxed);
    uint64_t now = clock_now();
    if (self->idle_since == 0 || polls != self->seen_polls) {
        self->seen_polls = polls;
        self->idle_since = now;
    }
    if (now - self->idle_since < self->spin_ns)
        return parker_park(self->inner, 0);
    self->idle_since = 0;
    return parker_park(self->inner, timeout_ns);
}

static void spin_unpark(struct parker *parker)
{
    parker_unpark(container_of(parker, struct spin_parker, parker)->inner);
}

static const struct parker_ops spin_parker_ops = {
    .name = "spin",
    .park = spin_park,
    .unpark = spin_unpark,
};

void spin_parker_init(struct spin_parker *parker, struct parker *inner,
                      const _Atomic uint64_t *polls, uint64_t spin_ns)
{
    *parker = (struct spin_parker){ .parker = { &spin_parker_ops },
                                    .inner = inner,
                                    .polls = polls,
                                    .spin_ns = spin_ns };
}
