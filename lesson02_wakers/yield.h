/* yield: let the others run, then go on.
 *
 * Ownership: none. Threads: as for any future. */
#ifndef LESSON02_YIELD_H
#define LESSON02_YIELD_H

#include "lesson02_wakers/waker.h"

struct yield {
    struct future future;
    bool yielded;
    int result; /* output: 0, or -ECANCELED when cancelled before it yielded */
};

struct yield yield_now(void);

#endif
