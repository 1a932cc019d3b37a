/* timer_wheel, made in another way: a radix heap (Ahuja, Mehlhorn, Orlin and Tarjan,
 * "Faster Algorithms for the Shortest Path Problem", 1990). One bucket for each bit, no
 * slots: a deadline lies in the bucket of the highest bit in which it differs from the
 * last one that came out. The first bucket that is not empty holds the earliest, and it
 * is searched for; nothing is remembered of it. The buckets lie in the struct's
 * slots. */
#include "lesson05_reactor/timer_wheel.h"

#include "common/check.h"
#include "common/container.h"

static struct wheel_timer *timer_of(struct list *link)
{
    return container_of(link, struct wheel_timer, link);
}

static struct list *bucket(struct timer_wheel *wheel, unsigned bit)
{
    return &wheel->levels[0].slots[bit].timers;
}

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now)
{
    *wheel = (struct timer_wheel){ .now = now, .swept = now };
    list_init(&wheel->due);
    list_init(&wheel->overdue);
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        list_init(bucket(wheel, i));
}

static void put(struct timer_wheel *wheel, struct wheel_timer *timer)
{
    uint64_t differs = timer->deadline ^ wheel->swept;
    unsigned bit = 0;
    while (differs >>= 1)
        bit++;
    list_push_back(bucket(wheel, bit), &timer->link);
}

void timer_wheel_insert(struct timer_wheel *wheel, struct wheel_timer *timer,
                        uint64_t deadline)
{
    CHECK(!wheel_timer_linked(timer), "a timer was inserted that is linked already");
    CHECK(deadline != CLOCK_NEVER,
          "CLOCK_NEVER says that there is no deadline: there is nothing to insert");
    timer->deadline = deadline;
    if (deadline <= wheel->now)
        list_push_back(&wheel->overdue, &timer->link);
    else
        put(wheel, timer);
}

void timer_wheel_remove(struct timer_wheel *wheel, struct wheel_timer *timer)
{
    (void)wheel;
    if (!wheel_timer_linked(timer))
        return;
    list_remove(&timer->link);
    timer->link.next = NULL;
}

/* The first bucket with something in it, and its earliest deadline. */
static struct list *first_bucket(struct timer_wheel *wheel, uint64_t *earliest)
{
    *earliest = CLOCK_NEVER;
    for (unsigned i = 0; i < WHEEL_SLOTS; i++) {
        struct list *first = bucket(wheel, i);
        if (list_empty(first))
            continue;
        list_for_each (link, first)
            if (timer_of(link)->deadline < *earliest)
                *earliest = timer_of(link)->deadline;
        return first;
    }
    return NULL;
}

uint64_t timer_wheel_next(struct timer_wheel *wheel)
{
    uint64_t earliest;
    if (!list_empty(&wheel->due) || !list_empty(&wheel->overdue))
        return wheel->now;
    first_bucket(wheel, &earliest);
    return earliest > wheel->now ? earliest : wheel->now;
}

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now)
{
    CHECK(now != CLOCK_NEVER, "no clock reaches CLOCK_NEVER: was the wheel empty?");
    if (now > wheel->now)
        wheel->now = now;
    list_splice_back(&wheel->due, &wheel->overdue);
}

struct wheel_timer *timer_wheel_pop(struct timer_wheel *wheel)
{
    uint64_t earliest;
    struct list *first;
    if (list_empty(&wheel->due) && (first = first_bucket(wheel, &earliest)) != NULL &&
        earliest <= wheel->now) {
        struct list timers, *link;
        list_init(&timers);
        list_splice_back(&timers, first);
        wheel->swept = earliest;
        while ((link = list_pop_front(&timers)) != NULL) {
            if (timer_of(link)->deadline == earliest)
                list_push_back(&wheel->due, link);
            else
                put(wheel, timer_of(link));
        }
    }
    struct list *link = list_pop_front(&wheel->due);
    if (!link)
        return NULL;
    link->next = NULL;
    return timer_of(link);
}
