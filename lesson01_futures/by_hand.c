/* by_hand: one async function as an explicit state machine.
 *
 * Problem: a C function that returns loses its locals and its place. Idea: keep both in
 * a struct - the locals as members, the place as an enum - and let the function start
 * with a switch over the place. Invariant: `state` names the wait that is in `wait`,
 * and a wait is constructed exactly when its state is entered. */
#include "lesson01_futures/by_hand.h"

/* Enters a state: constructs its wait, cancelled at once if we have been. */
static void enter(struct two_waits *self, enum two_waits_state state, unsigned ms)
{
    self->state = state;
    self->wait = countdown_ms(ms);
    if (self->cancelled)
        future_cancel(&self->wait.future);
}

static enum poll_state two_waits_poll(struct future *future, struct context *context)
{
    struct two_waits *self = container_of(future, struct two_waits, future);
    for (;;) {
        switch (self->state) {
        case TWO_WAITS_START:
            enter(self, TWO_WAITS_IN_FIRST, self->first_ms);
            break;
        case TWO_WAITS_IN_FIRST:
            if (future_poll(&self->wait.future, context) == POLL_PENDING)
                return POLL_PENDING;
            self->finished += self->wait.result == 0;
            enter(self, TWO_WAITS_IN_SECOND, self->second_ms);
            break;
        case TWO_WAITS_IN_SECOND:
            if (future_poll(&self->wait.future, context) == POLL_PENDING)
                return POLL_PENDING;
            self->finished += self->wait.result == 0;
            self->state = TWO_WAITS_END;
            return POLL_READY;
        case TWO_WAITS_END:
            CHECK(false, "two_waits was polled after its end (rule F5)");
        }
    }
}

static void two_waits_cancel(struct future *future)
{
    struct two_waits *self = container_of(future, struct two_waits, future);
    self->cancelled = true;
    if (self->state == TWO_WAITS_IN_FIRST || self->state == TWO_WAITS_IN_SECOND)
        future_cancel(&self->wait.future);
}

static struct future *two_waits_child(const struct future *future, unsigned i)
{
    const struct two_waits *self = container_of_const(future, struct two_waits, future);
    bool waiting =
        self->state == TWO_WAITS_IN_FIRST || self->state == TWO_WAITS_IN_SECOND;
    return waiting && i == 0 ? (struct future *)(uintptr_t)&self->wait.future : NULL;
}

static const struct future_ops two_waits_ops = {
    .name = "two_waits",
    .size = FUTURE_SIZE(struct two_waits),
    .poll = two_waits_poll,
    .cancel = two_waits_cancel,
    .child = two_waits_child,
};

struct two_waits two_waits(unsigned first_ms, unsigned second_ms)
{
    return (struct two_waits){ .future = { &two_waits_ops },
                               .state = TWO_WAITS_START,
                               .first_ms = first_ms,
                               .second_ms = second_ms };
}

const char *two_waits_state_name(enum two_waits_state state)
{
    static const char *const names[] = { "START", "IN_FIRST", "IN_SECOND", "END" };
    return names[state];
}
