/* spin_parker: look round for a while before going to sleep.
 *
 * A sleep and the wake that ends it cost two trips through the kernel's scheduler, some
 * tens of microseconds. If the next event is usually nearer than that, asking again and
 * again is cheaper in time, and dearer in CPU. So it is a knob, and 0 is its default.
 *
 * Ownership: borrows the inner parker and the poll counter. Threads: as the inner one. */
#ifndef LESSON07_SPIN_PARKER_H
#define LESSON07_SPIN_PARKER_H

#include <stdatomic.h>

#include "lesson02_wakers/parker.h"

struct spin_parker {
    struct parker parker;
    struct parker *inner;          /* borrows */
    const _Atomic uint64_t *polls; /* borrows: changes when there was something to do */
    uint64_t spin_ns;
    uint64_t seen_polls;
    uint64_t idle_since; /* 0: not idle */
};

void spin_parker_init(struct spin_parker *parker, struct parker *inner,
                      const _Atomic uint64_t *polls, uint64_t spin_ns);

#endif
