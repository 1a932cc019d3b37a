/* spin: a loop around poll. Each turn gets a fresh budget: running out of it only means
 * "ask again soon", which spinning does anyway. */
#include "lesson01_futures/spin.h"

uint64_t spin(struct future *future)
{
    uint64_t polls = 0;
    enum poll_state state;
    do {
        struct context context = { .waker = NULL, .budget = CONTEXT_BUDGET };
        state = future_poll(future, &context);
        polls++;
    } while (state == POLL_PENDING);
    return polls;
}
