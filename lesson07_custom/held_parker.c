/* held_parker: publish, let go, look.
 *
 * Problem: two lanes fall asleep at the same time; each must not let time jump past the
 * other's deadline, and one of them must let it jump. Invariant: a lane that does not hold
 * the clock has published its next deadline before it let go (release, acquire). So the
 * last one to let go sees all of them: it parks with leave to jump if its own is the
 * earliest; else it wakes the lane that has it.
 *
 * A lane is given its hold by whoever unparks it, so that time cannot jump between the
 * unpark and the waking up. But the one that lets time jump wakes by itself, and holds the
 * clock only after that. So the leave to jump is a turn, which one lane has at a time, from
 * when it was the last to let go until it holds the clock again. Who has not the turn stays
 * where it is in time, and will be woken by a later last one. And who parks while another
 * has the turn calls that one back, for its look may have been too early. */
#include "lesson07_custom/held_parker.h"

#include <sched.h>

#include "common/check.h"
#include "common/container.h"

enum { EMPTY = 0, TOKEN = 1, PARKED = 2 };

/* As virtual_clock_release, but wakes nobody: the caller looks itself. */
static bool let_go(struct virtual_clock *clock)
{
    /* acq_rel: release pairs with the acquire of a later let_go and of nobody_holds in
     * lesson 5, for our `next`; acquire with earlier ones, for theirs */
    int64_t before = atomic_fetch_sub_explicit(&clock->holds, 1, memory_order_acq_rel);
    CHECK(before > 0, "a virtual clock was released more often than held");
    return before == 1;
}

static struct held_parker *earliest(const struct held_group *group)
{
    struct held_parker *found = group->first;
    for (struct held_parker *at = found; at; at = at->member)
        /* seq_cst: pairs with the store in held_park, see call_back */
        if (atomic_load_explicit(&at->next, memory_order_seq_cst) <
            atomic_load_explicit(&found->next, memory_order_seq_cst))
            found = at;
    return found;
}

static void held_unpark(struct parker *parker)
{
    struct held_parker *self = container_of(parker, struct held_parker, parker);
    /* A hold before the token: time stands still from here on. acq_rel: as in every
     * parker, merged unparks all publish */
    virtual_clock_hold(self->group->clock);
    if (atomic_exchange_explicit(&self->token, TOKEN, memory_order_acq_rel) != PARKED)
        virtual_clock_release(self->group->clock); /* it is awake: it holds itself */
    parker_unpark(self->inner);
}

/* Wakes the lane with the earliest deadline, if it sleeps and that is `latest` or sooner.
 * Its parker must not be finished meanwhile; who comes after held_parker_finish finds it
 * awake, with no deadline. */
static void wake_earliest(struct held_group *group, uint64_t latest)
{
    /* acq_rel: pairs with held_parker_finish, each way */
    atomic_fetch_add_explicit(&group->visitors, 1, memory_order_acq_rel);
    struct held_parker *first = earliest(group);
    if (first && atomic_load_explicit(&first->next, memory_order_relaxed) <= latest &&
        atomic_load_explicit(&first->token, memory_order_relaxed) == PARKED)
        held_unpark(&first->parker);
    /* release: pairs with the acquire in held_parker_finish */
    atomic_fetch_sub_explicit(&group->visitors, 1, memory_order_release);
}

/* The lane whose turn it is has looked for the earliest deadline, perhaps before ours was
 * published. It stores `turn` and looks at `next`, we store `next` and look at `turn`, all
 * seq_cst: one of us sees the other (as in bell.h). */
static void call_back(const struct held_parker *self)
{
    struct held_group *group = self->group;
    /* acq_rel, release: as in wake_earliest */
    atomic_fetch_add_explicit(&group->visitors, 1, memory_order_acq_rel);
    /* seq_cst: pairs with the exchange in take_turn, see above */
    struct held_parker *other =
        atomic_load_explicit(&group->turn, memory_order_seq_cst);
    if (other && other != self &&
        atomic_load_explicit(&other->token, memory_order_relaxed) == PARKED)
        held_unpark(&other->parker);
    atomic_fetch_sub_explicit(&group->visitors, 1, memory_order_release);
}

static bool take_turn(struct held_parker *self)
{
    struct held_parker *nobody = NULL;
    /* seq_cst: pairs with the load in call_back */
    return atomic_compare_exchange_strong_explicit(
        &self->group->turn, &nobody, self, memory_order_seq_cst, memory_order_relaxed);
}

static void give_turn_back(struct held_parker *self)
{
    struct held_parker *seen = self;
    /* release: pairs with take_turn, for our hold */
    atomic_compare_exchange_strong_explicit(&self->group->turn, &seen, NULL,
                                            memory_order_release, memory_order_relaxed);
}

/* The last one has let go. May it let time jump? If not, it has woken who may. */
static bool may_jump(struct held_parker *self)
{
    uint64_t mine = atomic_load_explicit(&self->next, memory_order_relaxed);
    bool ours = mine != CLOCK_NEVER && take_turn(self);
    struct held_parker *first = earliest(self->group);
    if (first != self &&
        atomic_load_explicit(&first->next, memory_order_relaxed) < mine) {
        if (ours)
            give_turn_back(self);
        wake_earliest(self->group, mine - 1);
        return false;
    }
    if (!ours)
        call_back(self);
    return ours;
}

static int held_park(struct parker *parker, int64_t timeout_ns)
{
    struct held_parker *self = container_of(parker, struct held_parker, parker);
    struct virtual_clock *clock = self->group->clock;
    unsigned seen = EMPTY;
    if (timeout_ns == 0)
        return parker_park(self->inner, 0);
    /* seq_cst: pairs with earliest, see call_back */
    atomic_store_explicit(&self->next, timer_wheel_next(&self->timers->wheel),
                          memory_order_seq_cst);
    /* acquire: pairs with held_unpark */
    if (!atomic_compare_exchange_strong_explicit(
            &self->token, &seen, PARKED, memory_order_acquire, memory_order_acquire)) {
        atomic_exchange_explicit(&self->token, EMPTY, memory_order_acquire);
        return parker_park(self->inner, 0);
    }
    call_back(self);
    self->timers->stays = !(let_go(clock) && may_jump(self));
    int err = parker_park(self->inner, timeout_ns);
    /* acquire: pairs with held_unpark */
    if (atomic_exchange_explicit(&self->token, EMPTY, memory_order_acquire) == PARKED)
        virtual_clock_hold(clock);
    give_turn_back(self);
    return err;
}

static const struct parker_ops held_parker_ops = {
    .name = "held",
    .park = held_park,
    .unpark = held_unpark,
};

void held_parker_init(struct held_parker *parker, struct parker *inner,
                      struct timers *timers)
{
    *parker = (struct held_parker){ .parker = { &held_parker_ops },
                                    .inner = inner,
                                    .timers = timers,
                                    .next = CLOCK_NEVER };
    virtual_clock_hold(timers->clock);
}

void held_parker_finish(struct held_parker *parker)
{
    atomic_store_explicit(&parker->next, CLOCK_NEVER, memory_order_relaxed);
    virtual_clock_release(parker->timers->clock);
    if (!parker->group)
        return; /* its lane was never started */
    /* Who looked before may be unparking us: then not yet. A change of nothing, so that it
     * has its place among the visitors' (acq_rel: pairs with theirs): those before it are
     * gone, those after it see that we are awake for good. */
    while (atomic_fetch_add_explicit(&parker->group->visitors, 0,
                                     memory_order_acq_rel) != 0)
        sched_yield();
}

/* ---- the group */

static void jumper_unpark(struct parker *parker)
{
    struct held_group *self = container_of(parker, struct held_group, jumper);
    wake_earliest(self, CLOCK_NEVER);
}

static const struct parker_ops jumper_ops = { .name = "jumper",
                                              .unpark = jumper_unpark };

void held_group_init(struct held_group *group, struct virtual_clock *clock)
{
    *group = (struct held_group){ .jumper = { &jumper_ops }, .clock = clock };
    if (clock)
        clock->jumper = &group->jumper;
}

void held_group_add(struct held_group *group, struct held_parker *parker)
{
    parker->group = group;
    parker->member = group->first;
    group->first = parker;
}
