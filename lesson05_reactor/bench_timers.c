/* bench_timers: what a pending deadline costs, in CPU nanoseconds a timer.
 *
 *     bench_timers [number of timers, default 1000000]
 *
 * The wheel beside a binary heap (each timer knows its place in it, so that it can be
 * removed) and a sorted array as the floor: one qsort, paid in the rows "expire", then
 * a walk. Each timer lies in a cache line of its own, as in the frame of a sleeping
 * future. Deadlines are random within a minute, from a fixed seed. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/container.h"
#include "lesson05_reactor/timer_wheel.h"

#define SPREAD (60 * NS_PER_S)
#define TIMEOUT (30 * NS_PER_S)

struct sleeper {
    _Alignas(64) struct wheel_timer timer; /* the heap uses only its deadline */
    size_t place;                          /* in the heap */
    uint64_t fired;
};

static struct sleeper *sleepers;
static size_t count;
static uint64_t seed;

static uint64_t next_random(void)
{
    seed ^= seed << 13; /* xorshift64, Marsaglia 2003 */
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* ---- three ways to hold deadlines */

struct contender {
    const char *name;
    void (*clear)(void);
    void (*insert)(struct sleeper *sleeper, uint64_t deadline);
    void (*remove)(struct sleeper *sleeper); /* NULL: this one cannot */
    uint64_t (*next)(void);
    size_t (*expire)(uint64_t now); /* how many */
};

static struct timer_wheel wheel;

static void wheel_clear(void)
{
    timer_wheel_init(&wheel, 0);
    for (size_t i = 0; i < count; i++)
        sleepers[i].timer = (struct wheel_timer){ 0 };
}

static void wheel_insert(struct sleeper *sleeper, uint64_t deadline)
{
    timer_wheel_insert(&wheel, &sleeper->timer, deadline);
}

static void wheel_remove(struct sleeper *sleeper)
{
    timer_wheel_remove(&wheel, &sleeper->timer);
}

static uint64_t wheel_next(void)
{
    return timer_wheel_next(&wheel);
}

static size_t wheel_expire(uint64_t now)
{
    size_t expired = 0;
    struct wheel_timer *timer;
    timer_wheel_advance(&wheel, now);
    while ((timer = timer_wheel_pop(&wheel)) != NULL) {
        container_of(timer, struct sleeper, timer)->fired = now;
        expired++;
    }
    return expired;
}

struct heap_entry {
    uint64_t deadline; /* a copy, so that comparing does not visit the sleeper */
    struct sleeper *sleeper;
};

static struct heap_entry *heap; /* also the sorted array */
static size_t heap_size;

static void heap_clear(void)
{
    heap_size = 0;
}

static void heap_put(size_t place, struct heap_entry entry)
{
    heap[place] = entry;
    entry.sleeper->place = place;
}

static void heap_up(size_t place, struct heap_entry entry)
{
    while (place > 0 && entry.deadline < heap[(place - 1) / 2].deadline) {
        heap_put(place, heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    heap_put(place, entry);
}

static void heap_down(size_t place, struct heap_entry entry)
{
    for (;;) {
        size_t child = 2 * place + 1;
        if (child >= heap_size)
            break;
        if (child + 1 < heap_size && heap[child + 1].deadline < heap[child].deadline)
            child++;
        if (heap[child].deadline >= entry.deadline)
            break;
        heap_put(place, heap[child]);
        place = child;
    }
    heap_put(place, entry);
}

static void heap_insert(struct sleeper *sleeper, uint64_t deadline)
{
    heap_up(heap_size++, (struct heap_entry){ deadline, sleeper });
}

static void heap_remove(struct sleeper *sleeper)
{
    size_t place = sleeper->place;
    struct heap_entry last = heap[--heap_size];
    if (place == heap_size)
        return;
    if (place > 0 && last.deadline < heap[(place - 1) / 2].deadline)
        heap_up(place, last);
    else
        heap_down(place, last);
}

static uint64_t heap_next(void)
{
    return heap_size ? heap[0].deadline : CLOCK_NEVER;
}

static size_t heap_expire(uint64_t now)
{
    size_t expired = 0;
    while (heap_size && heap[0].deadline <= now) {
        struct sleeper *sleeper = heap[0].sleeper;
        heap_remove(sleeper);
        sleeper->fired = now;
        expired++;
    }
    return expired;
}

static size_t array_at;
static bool array_sorted;

static void array_clear(void)
{
    heap_size = 0;
    array_at = 0;
    array_sorted = false;
}

static void array_insert(struct sleeper *sleeper, uint64_t deadline)
{
    heap[heap_size++] = (struct heap_entry){ deadline, sleeper };
}

static int by_deadline(const void *left, const void *right)
{
    uint64_t a = ((const struct heap_entry *)left)->deadline;
    uint64_t b = ((const struct heap_entry *)right)->deadline;
    return (a > b) - (a < b);
}

static uint64_t array_next(void)
{
    return array_at < heap_size ? heap[array_at].deadline : CLOCK_NEVER;
}

static size_t array_expire(uint64_t now)
{
    size_t expired = 0;
    if (!array_sorted)
        qsort(heap, heap_size, sizeof *heap, by_deadline);
    array_sorted = true;
    while (array_at < heap_size && heap[array_at].deadline <= now) {
        heap[array_at++].sleeper->fired = now;
        expired++;
    }
    return expired;
}

static const struct contender contenders[] = {
    { "wheel", wheel_clear, wheel_insert, wheel_remove, wheel_next, wheel_expire },
    { "heap", heap_clear, heap_insert, heap_remove, heap_next, heap_expire },
    { "sorted", array_clear, array_insert, NULL, array_next, array_expire },
};

/* ---- what is measured; each returns the CPU time of `count` timers */

/* Returns the CPU time without that of clear, which is the first to touch the memory.
 */
static uint64_t fill(const struct contender *c)
{
    seed = 20240229;
    c->clear();
    uint64_t start = clock_process_cpu();
    for (size_t i = 0; i < count; i++)
        c->insert(&sleepers[i], 1 + next_random() % SPREAD);
    return clock_process_cpu() - start;
}

static uint64_t measure_expire(const struct contender *c, uint64_t step)
{
    size_t expired = 0;
    fill(c);
    uint64_t start = clock_process_cpu();
    for (uint64_t now = step; now <= SPREAD; now += step)
        expired += c->expire(now);
    uint64_t used = clock_process_cpu() - start;
    CHECK(expired == count, "%s expired %zu of %zu", c->name, expired, count);
    return used;
}

static uint64_t measure_expire_at_once(const struct contender *c)
{
    return measure_expire(c, SPREAD);
}

static uint64_t measure_expire_by_ms(const struct contender *c)
{
    return measure_expire(c, NS_PER_MS);
}

static uint64_t measure_expire_singly(const struct contender *c)
{
    size_t expired = 0;
    fill(c);
    uint64_t start = clock_process_cpu();
    for (uint64_t next = c->next(); next != CLOCK_NEVER; next = c->next())
        expired += c->expire(next);
    uint64_t used = clock_process_cpu() - start;
    CHECK(expired == count, "%s expired %zu of %zu", c->name, expired, count);
    return used;
}

static uint64_t measure_churn_at_random(const struct contender *c)
{
    fill(c);
    uint64_t start = clock_process_cpu();
    for (size_t i = 0; i < count; i++) {
        struct sleeper *sleeper = &sleepers[next_random() % count];
        c->remove(sleeper);
        c->insert(sleeper, 1 + next_random() % SPREAD);
        c->next();
    }
    return clock_process_cpu() - start;
}

/* The same time-out for all, one new timer a microsecond; the oldest is cancelled. */
static uint64_t measure_churn_in_order(const struct contender *c)
{
    c->clear();
    for (size_t i = 0; i < count; i++)
        c->insert(&sleepers[i], TIMEOUT + i * NS_PER_US);
    uint64_t start = clock_process_cpu();
    for (size_t i = 0; i < count; i++) {
        c->remove(&sleepers[i]);
        c->insert(&sleepers[i], TIMEOUT + (count + i) * NS_PER_US);
        c->next();
        c->expire(i * NS_PER_US);
    }
    return clock_process_cpu() - start;
}

static uint64_t measure_short_sleeps(const struct contender *c)
{
    struct sleeper brief = { .place = 0 };
    uint64_t now = 0;
    c->clear();
    seed = 20240229;
    for (size_t i = 0; i < count; i++)
        c->insert(&sleepers[i], TIMEOUT + next_random() % SPREAD);
    uint64_t start = clock_process_cpu();
    for (size_t i = 0; i < count; i++) {
        c->insert(&brief, now + 10 * NS_PER_US);
        now = c->next();
        CHECK(c->expire(now) == 1, "%s: the short sleep did not end", c->name);
    }
    return clock_process_cpu() - start;
}

static const struct measurement {
    const char *what;
    uint64_t (*run)(const struct contender *contender);
    bool removes;
} measurements[] = {
    { "insert", fill, false },
    { "expire, all in one step", measure_expire_at_once, false },
    { "expire, a step each ms", measure_expire_by_ms, false },
    { "expire, one by one", measure_expire_singly, false },
    { "replace a random one", measure_churn_at_random, true },
    { "replace the oldest, same time-out", measure_churn_in_order, true },
    { "sleep 10 us beside the others", measure_short_sleeps, true },
};

int main(int argc, char **argv)
{
    count = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
    if (count == 0 || count > 20000000) { /* more would outlast the time-out above */
        fprintf(stderr, "bench_timers: a number of timers from 1 to 20000000\n");
        return 2;
    }
    sleepers = aligned_alloc(64, count * sizeof *sleepers);
    heap = calloc(count + 1, sizeof *heap);
    if (!sleepers || !heap) {
        fprintf(stderr, "bench_timers: no memory for %zu timers\n", count);
        return 1;
    }
    printf("CPU ns a timer, %zu timers pending\n%-36s", count, "");
    for (size_t i = 0; i < ARRAY_SIZE(contenders); i++)
        printf("%8s", contenders[i].name);
    for (size_t m = 0; m < ARRAY_SIZE(measurements); m++) {
        printf("\n%-36s", measurements[m].what);
        for (size_t i = 0; i < ARRAY_SIZE(contenders); i++) {
            if (measurements[m].removes && !contenders[i].remove)
                printf("%8s", "-");
            else
                printf("%8.1f",
                       (double)measurements[m].run(&contenders[i]) / (double)count);
            fflush(stdout);
        }
    }
    printf("\n");
    free(heap);
    free(sleepers);
    return 0;
}
