/* Hidden test of exercise 6.1: thousands of operations by one thread, on deques of
 * every small capacity and both kinds, beside a plain array that says what must come
 * out. The dice are seeded: each run is the same. */
#include "common/testing/testing.h"

#include "lesson06_worksteal/deque.h"

enum { ROUNDS = 4000, MOST = 16 };

struct model {
    int items[MOST]; /* oldest first */
    unsigned length, capacity;
};

static uint64_t dice;

static unsigned throw_dice(unsigned sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)(dice % sides);
}

static struct task *item(int number)
{
    return (struct task *)(uintptr_t)(number + 1);
}

static void expect(const char *what, unsigned capacity, int round, long got,
                   long expected)
{
    if (got != expected)
        fail_msg("%s, capacity %u, operation %d: expected %ld, got %ld", what, capacity,
                 round, expected, got);
}

static void model_remove(struct model *m, unsigned at, unsigned count)
{
    memmove(&m->items[at], &m->items[at + count],
            (m->length - at - count) * sizeof m->items[0]);
    m->length -= count;
}

static void push_some(struct deque *d, struct model *m, int round)
{
    unsigned count = throw_dice(4), room = m->capacity - m->length;
    struct task *tasks[3];
    for (unsigned i = 0; i < 3; i++)
        tasks[i] = item(round * 4 + (int)i);
    unsigned fits = count < room ? count : room;
    if (count == 1) {
        bool quietly = throw_dice(2);
        bool done = quietly ? deque_push_quietly(d, tasks[0]) : deque_push(d, tasks[0]);
        expect(quietly ? "push_quietly" : "push", m->capacity, round, done, fits);
    } else {
        expect("push_many", m->capacity, round, deque_push_many(d, tasks, count), fits);
    }
    for (unsigned i = 0; i < fits; i++)
        m->items[m->length++] = round * 4 + (int)i;
}

static void take_some(struct deque *d, enum deque_kind kind, struct model *m, int round)
{
    struct task *batch[MOST];
    unsigned what = throw_dice(3), max = 1 + throw_dice(4);
    if (what == 2) {
        unsigned half = (m->length + 1) / 2, expected = half < max ? half : max;
        bool shed = kind == DEQUE_LIFO || throw_dice(2);
        unsigned got =
            shed ? deque_shed(d, batch, max) : deque_steal_half(d, batch, max);
        expect(shed ? "shed" : "steal_half", m->capacity, round, got, expected);
        for (unsigned i = 0; i < got; i++)
            expect("an item of a batch", m->capacity, round, (long)(uintptr_t)batch[i],
                   m->items[i] + 1);
        model_remove(m, 0, got);
        return;
    }
    bool take = kind == DEQUE_LIFO && what == 0;
    struct task *task = take ? deque_take(d) : deque_steal(d);
    unsigned at = take && m->length ? m->length - 1 : 0;
    expect(take ? "take" : "steal", m->capacity, round, (long)(uintptr_t)task,
           m->length ? m->items[at] + 1 : 0);
    if (m->length)
        model_remove(m, at, 1);
}

static void play(enum deque_kind kind, unsigned capacity)
{
    struct deque d;
    struct model m = { .capacity = capacity };
    assert_int_equal(deque_init(&d, kind, capacity), 0);
    for (int round = 0; round < ROUNDS; round++) {
        if (throw_dice(2))
            push_some(&d, &m, round);
        else
            take_some(&d, kind, &m, round);
        expect("length", capacity, round, deque_length(&d), m.length);
    }
    while (deque_steal(&d))
        ;
    deque_finish(&d);
}

static void thousands_of_operations(void **state)
{
    (void)state;
    dice = 6001;
    for (unsigned capacity = 2; capacity <= MOST; capacity *= 2) {
        play(DEQUE_LIFO, capacity);
        play(DEQUE_FIFO, capacity);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thousands_of_operations),
    };
    return cmocka_run_group_tests_name("hidden", tests, NULL, NULL);
}
