/* The timer wheel against a model of it: an array that is searched from end to end,
 * under random operations with deadlines that are chosen to hurt. */
#include "common/testing/testing.h"

#include "lesson05_reactor/timer_wheel.h"

/* Each edge of the structure: digits that are full, digits that begin, the last level,
 * the ends of the range. */
static const uint64_t edges[] = {
    0,
    1,
    62,
    63,
    64,
    65,
    4095,
    4096,
    (UINT64_C(1) << 36) - 1,
    UINT64_C(1) << 36,
    (UINT64_C(1) << 36) + 1,
    (UINT64_C(1) << 60) - 1,
    UINT64_C(1) << 60,
    (UINT64_C(1) << 63) - 1,
    UINT64_C(1) << 63,
    UINT64_MAX - 63,
    UINT64_MAX - 2,
    UINT64_MAX - 1,
};

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13; /* xorshift64 */
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

enum { MODEL_SIZE = 48 };

struct model_timer {
    struct wheel_timer timer;
    bool pending;
    bool overdue;      /* inserted with deadline <= now */
    bool next_batch;   /* overdue, and no advance since */
    uint64_t deadline; /* the model trusts nothing that the wheel keeps */
    uint64_t sequence;
};

struct model {
    struct timer_wheel wheel;
    struct model_timer timers[MODEL_SIZE];
    uint64_t now;
    uint64_t sequence;
    uint64_t seed;
    bool in_order; /* the batch before was popped to its end */
    int round, step;
};

/* Which of the random operations it was, and what the wheel did. */
static void complain(const struct model *m, const char *what, uint64_t expected,
                     uint64_t got)
{
    fail_msg("round %d, step %d, the time is %#llx: %s %#llx, the wheel says %#llx",
             m->round, m->step, (unsigned long long)m->now, what,
             (unsigned long long)expected, (unsigned long long)got);
}

static uint64_t dice(struct model *m, uint64_t sides)
{
    return next_random(&m->seed) % sides;
}

static uint64_t some_deadline(struct model *m)
{
    uint64_t distance = next_random(&m->seed) >> (24 + dice(m, 40));
    switch (dice(m, 12)) {
    case 0:
        return edges[dice(m, ARRAY_SIZE(edges))];
    case 1:
    case 2: /* the same as another's */
        return m->timers[dice(m, MODEL_SIZE)].deadline;
    case 3: /* around a power of two from here */
        return clock_after(m->now, (UINT64_C(1) << dice(m, 64)) + dice(m, 3) - 1);
    case 4:
        return m->now - (m->now ? dice(m, 2) : 0);
    default:
        return clock_after(m->now, distance);
    }
}

static void model_insert(struct model *m, struct model_timer *t)
{
    t->deadline = some_deadline(m);
    t->pending = true;
    t->overdue = t->next_batch = t->deadline <= m->now;
    t->sequence = m->sequence++;
    timer_wheel_insert(&m->wheel, &t->timer, t->deadline);
}

static void model_remove(struct model *m, struct model_timer *t)
{
    t->pending = false; /* which it may have been before */
    timer_wheel_remove(&m->wheel, &t->timer);
    assert_false(wheel_timer_linked(&t->timer));
}

static uint64_t model_next(const struct model *m)
{
    uint64_t next = CLOCK_NEVER;
    for (int i = 0; i < MODEL_SIZE; i++)
        if (m->timers[i].pending && m->timers[i].deadline < next)
            next = m->timers[i].deadline;
    return next < m->now ? m->now : next;
}

static bool in_batch(const struct model *m, const struct model_timer *t)
{
    return t->pending && t->deadline <= m->now && !t->next_batch;
}

static bool goes_before(const struct model_timer *a, const struct model_timer *b)
{
    if (a->overdue != b->overdue)
        return a->overdue;
    if (!a->overdue && a->deadline != b->deadline)
        return a->deadline < b->deadline;
    return a->sequence < b->sequence;
}

static struct model_timer *model_first(struct model *m)
{
    struct model_timer *first = NULL;
    for (int i = 0; i < MODEL_SIZE; i++)
        if (in_batch(m, &m->timers[i]) && (!first || goes_before(&m->timers[i], first)))
            first = &m->timers[i];
    return first;
}

/* Pops at most `limit`. On the way some of the others are removed, and some that were
 * popped are inserted again. */
static void model_pop(struct model *m, uint64_t limit)
{
    struct model_timer *expected;
    while ((expected = model_first(m)) != NULL && limit-- > 0) {
        struct wheel_timer *timer = timer_wheel_pop(&m->wheel);
        if (!timer)
            complain(m, "the batch is not over, it still has", expected->deadline, 0);
        struct model_timer *popped = container_of(timer, struct model_timer, timer);
        if (!in_batch(m, popped))
            complain(m, "what is not in the batch was popped instead of",
                     expected->deadline, popped->deadline);
        if (m->in_order && popped != expected)
            complain(m,
                     popped->deadline == expected->deadline
                         ? "not in order of insertion among those of"
                         : "pop should give",
                     expected->deadline, popped->deadline);
        popped->pending = false;
        if (dice(m, 4) == 0)
            model_remove(m, &m->timers[dice(m, MODEL_SIZE)]);
        if (dice(m, 4) == 0)
            model_insert(m, popped);
    }
    if (!expected) {
        const struct wheel_timer *more = timer_wheel_pop(&m->wheel);
        if (more)
            complain(m, "the batch is over: pop should give", 0, more->deadline);
    }
    m->in_order = !expected;
}

static void model_advance(struct model *m)
{
    uint64_t next = timer_wheel_next(&m->wheel);
    uint64_t now = next;
    if (dice(m, 3) == 0 || next == CLOCK_NEVER)
        now = clock_after(m->now, next_random(&m->seed) >> (24 + dice(m, 40)));
    else if (next > m->now)
        now = next - dice(m, 2);
    timer_wheel_advance(&m->wheel, now);
    m->now = now;
    for (int i = 0; i < MODEL_SIZE; i++)
        m->timers[i].next_batch = false;
    model_pop(m, dice(m, 8) ? UINT64_MAX : dice(m, 4));
}

static void the_wheel_agrees_with_a_searched_array(void **state)
{
    (void)state;
    uint64_t rounds = testing_instrumented() ? 20 : 100;
    for (uint64_t seed = 1; seed <= rounds; seed++) {
        struct model m = { .seed = seed * 0x9e3779b97f4a7c15, .in_order = true };
        m.round = (int)seed;
        m.now = seed % 3 ? next_random(&m.seed) >> dice(&m, 64) : 0;
        timer_wheel_init(&m.wheel, m.now);
        for (m.step = 0; m.step < 500; m.step++) {
            struct model_timer *t = &m.timers[dice(&m, MODEL_SIZE)];
            uint64_t what = dice(&m, 10);
            if (what < 6 && !t->pending)
                model_insert(&m, t);
            else if (what < 8)
                model_remove(&m, t);
            else
                model_advance(&m);
            uint64_t next = timer_wheel_next(&m.wheel), expected = model_next(&m);
            if (next != expected)
                complain(&m, "the next deadline is", expected, next);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wheel_agrees_with_a_searched_array),
    };
    return cmocka_run_group_tests_name("timer_wheel_model", tests, NULL, NULL);
}
