/* The deque: both ends, every claim exactly once, under seeded yields. */
#include "lesson06_worksteal/deque_testing.h"

#include "lesson06_worksteal/deque.c"

#include "common/testing/faults.h"

static void newest_first_below_oldest_first_above(void **state)
{
    (void)state;
    struct deque d;
    assert_int_equal(deque_init(&d, DEQUE_LIFO, 4), 0);
    for (uintptr_t i = 0; i < 4; i++)
        assert_true(deque_push(&d, item(i)));
    assert_false(deque_push(&d, item(9)));
    assert_int_equal(deque_length(&d), 4);
    assert_ptr_equal(deque_take(&d), item(3));
    assert_ptr_equal(deque_steal(&d), item(0));
    assert_ptr_equal(deque_take(&d), item(2));
    assert_ptr_equal(deque_steal(&d), item(1));
    assert_null(deque_steal(&d));
    assert_null(deque_take(&d));
    deque_finish(&d);
}

static void S4_take_from_an_empty_deque_does_not_underflow(void **state)
{
    (void)state;
    struct deque d;
    assert_int_equal(deque_init(&d, DEQUE_LIFO, 4), 0);
    for (int i = 0; i < 10; i++) {
        assert_null(deque_take(&d)); /* at top = bottom = 0 */
        assert_int_equal(deque_length(&d), 0);
        assert_null(deque_steal(&d));
    }
    assert_true(deque_push(&d, item(7)));
    assert_int_equal(deque_length(&d), 1);
    assert_ptr_equal(deque_take(&d), item(7));
    assert_null(deque_take(&d));
    deque_finish(&d);
}

static void a_batch_is_the_older_half(void **state)
{
    (void)state;
    struct deque d;
    struct task *batch[8];
    assert_int_equal(deque_init(&d, DEQUE_FIFO, 8), 0);
    assert_int_equal(deque_steal_half(&d, batch, 8), 0);
    struct task *seven[7];
    for (uintptr_t i = 0; i < 7; i++)
        seven[i] = item(i);
    assert_int_equal(deque_push_many(&d, seven, 7), 7);
    assert_int_equal(deque_push_many(&d, seven, 7), 1); /* one place was left */
    assert_ptr_equal(deque_steal(&d), item(0));
    assert_int_equal(deque_steal_half(&d, batch, 8), 4); /* of 7: rounded up */
    for (uintptr_t i = 0; i < 4; i++)
        assert_ptr_equal(batch[i], item(1 + i));
    assert_int_equal(deque_steal_half(&d, batch, 1), 1);
    assert_ptr_equal(batch[0], item(5));
    assert_int_equal(deque_shed(&d, batch, 8), 1);
    assert_int_equal(deque_shed(&d, batch, 8), 1);
    assert_int_equal(deque_shed(&d, batch, 8), 0);
    deque_finish(&d);
}

static void refuses_odd_capacities_and_reports_no_memory(void **state)
{
    (void)state;
    struct deque d;
    const unsigned bad[] = { 0, 1, 3, 6, DEQUE_CAPACITY_MAX * 2 };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(deque_init(&d, DEQUE_LIFO, bad[i]), -EINVAL);
    fault_arm("calloc", 1, ENOMEM);
    assert_int_equal(deque_init(&d, DEQUE_LIFO, 4), -ENOMEM);
    fault_disarm();
    d = (struct deque){ 0 };
    deque_finish(&d);
}

static void batch_from_lifo(void *argument)
{
    struct task *batch[2];
    deque_steal_half(argument, batch, 2);
}

static void take_from_fifo(void *argument)
{
    deque_take(argument);
}

static void each_kind_refuses_what_would_break_it(void **state)
{
    (void)state;
    struct deque lifo, fifo;
    assert_int_equal(deque_init(&lifo, DEQUE_LIFO, 4), 0);
    assert_int_equal(deque_init(&fifo, DEQUE_FIFO, 4), 0);
    assert_dies(batch_from_lifo, &lifo, "a batch is stolen from a LIFO deque");
    assert_dies(take_from_fifo, &fifo, "take from the bottom of a FIFO deque");
    deque_finish(&lifo);
    deque_finish(&fifo);
}

/* The same scenario as in test_deque_narrow.c, where it goes wrong. */
static void S1_a_paused_thief_cannot_claim_a_reused_index(void **state)
{
    (void)state;
    struct deque d;
    struct paused_thief thief;
    assert_int_equal(deque_init(&d, DEQUE_FIFO, 4), 0);
    assert_true(deque_push(&d, item(1000)));
    paused_thief_start(&thief, &d); /* it holds item 1000, and has claimed nothing */
    for (uintptr_t i = 0; i < 256; i++) {
        if (i > 0)
            assert_true(deque_push(&d, item(1000 + i)));
        assert_ptr_equal(deque_steal(&d), item(1000 + i));
    }
    assert_true(deque_push(&d, item(5)));
    paused_thief_finish(&thief);
    assert_ptr_equal(thief.got, item(5)); /* it looked again */
    assert_null(deque_steal(&d));
    deque_finish(&d);
}

/* ---- stress: every item out exactly once */

#define ITEMS 20000
#define THIEVES 2

struct stress {
    struct deque deque[1 + THIEVES]; /* the owner's, and one for each thief */
    _Atomic unsigned char times[ITEMS];
    _Atomic unsigned taken;
    _Atomic unsigned wrong;
    uint64_t seed;
    unsigned thief_capacity;
    bool batches;
};

struct stress_thread {
    struct stress *stress;
    unsigned index;
    pthread_t thread;
};

static void count(struct stress *s, struct task *task)
{
    uintptr_t n = number_of(task);
    bool fine = n < ITEMS && atomic_fetch_add_explicit(&s->times[n % ITEMS], 1,
                                                       memory_order_relaxed) == 0;
    if (!fine)
        atomic_fetch_add_explicit(&s->wrong, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->taken, 1, memory_order_relaxed);
}

static bool all_taken(struct stress *s)
{
    return atomic_load_explicit(&s->taken, memory_order_relaxed) >= ITEMS;
}

/* Moves half of `from` into the thief's own deque, which others steal from meanwhile. */
static void move_half(struct stress *s, struct deque *from, struct deque *own)
{
    struct task *batch[64];
    unsigned room = deque_capacity(own) - deque_length(own);
    unsigned n = deque_steal_half(from, batch, room < 64 ? room : 64);
    unsigned kept = n ? deque_push_many(own, batch, n) : 0;
    while (kept < n)
        count(s, batch[kept++]);
}

static void *thief_main(void *argument)
{
    struct stress_thread *me = argument;
    struct stress *s = me->stress;
    struct deque *own = &s->deque[me->index];
    TLS(pause_dice) = s->seed * 31 + me->index;
    while (!all_taken(s)) {
        for (unsigned v = 0; v <= THIEVES; v++) {
            if (v != me->index && s->batches)
                move_half(s, &s->deque[v], own);
            struct task *task = deque_steal(&s->deque[v]);
            if (task)
                count(s, task);
        }
        sched_yield();
    }
    TLS(pause_dice) = 0;
    return NULL;
}

static void give_away_half(struct stress *s, struct deque *d)
{
    struct task *batch[64];
    unsigned n = deque_shed(d, batch, 64);
    for (unsigned i = 0; i < n; i++)
        count(s, batch[i]);
}

static void owner_turns(struct stress *s, bool takes)
{
    struct deque *d = &s->deque[0];
    TLS(pause_dice) = s->seed | 1;
    for (uintptr_t i = 0; i < ITEMS; i++) {
        while (!deque_push(d, item(i)))
            give_away_half(s, d);
        if (takes && i % 3 == 0) {
            struct task *task = deque_take(d);
            if (task)
                count(s, task);
        }
    }
    while (!all_taken(s)) {
        struct task *task = takes ? deque_take(d) : deque_steal(d);
        if (task)
            count(s, task);
        else
            sched_yield();
    }
    TLS(pause_dice) = 0;
}

static void run_stress(enum deque_kind kind, unsigned capacity, uint64_t seed)
{
    static struct stress s;
    memset(&s, 0, sizeof s);
    s.seed = seed;
    s.batches = kind == DEQUE_FIFO;
    assert_int_equal(deque_init(&s.deque[0], kind, capacity), 0);
    struct stress_thread threads[THIEVES];
    for (unsigned i = 0; i < THIEVES; i++)
        assert_int_equal(deque_init(&s.deque[1 + i], DEQUE_FIFO, capacity), 0);
    for (unsigned i = 0; i < THIEVES; i++) {
        threads[i] = (struct stress_thread){ .stress = &s, .index = 1 + i };
        assert_int_equal(
            pthread_create(&threads[i].thread, NULL, thief_main, &threads[i]), 0);
    }
    owner_turns(&s, kind == DEQUE_LIFO);
    for (unsigned i = 0; i < THIEVES; i++)
        pthread_join(threads[i].thread, NULL);
    assert_int_equal(s.wrong, 0);
    assert_int_equal(s.taken, ITEMS);
    for (unsigned i = 0; i <= THIEVES; i++)
        deque_finish(&s.deque[i]);
}

static void each_item_once_from_both_ends(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++)
        run_stress(DEQUE_LIFO, 2, seed); /* the two ends meet all the time */
    run_stress(DEQUE_LIFO, 64, 4);
}

/* Without dice: two tasks in, two out at the bottom, thieves at the top. The order of
 * take's store and load (see deque.c) matters for some nanoseconds only. */
#define RACES 60000

struct tight {
    struct deque deque;
    _Atomic uint64_t stolen; /* sum of the numbers */
    _Atomic bool over;
};

static void *tight_thief(void *argument)
{
    struct tight *t = argument;
    /* relaxed: `over` says nothing about other memory; the join publishes `stolen` */
    while (!atomic_load_explicit(&t->over, memory_order_relaxed)) {
        struct task *task = deque_steal(&t->deque);
        if (task)
            atomic_fetch_add_explicit(&t->stolen, number_of(task),
                                      memory_order_relaxed);
    }
    return NULL;
}

static void each_item_once_in_a_tight_race(void **state)
{
    (void)state;
    static struct tight t;
    pthread_t thieves[THIEVES];
    uint64_t taken = 0, pushed = 0;
    assert_int_equal(deque_init(&t.deque, DEQUE_LIFO, 64), 0);
    for (int i = 0; i < THIEVES; i++)
        assert_int_equal(pthread_create(&thieves[i], NULL, tight_thief, &t), 0);
    for (uintptr_t i = 1; i <= RACES; i++) {
        for (int k = 0; k < 2; k++)
            pushed += deque_push(&t.deque, item(i)) ? i : 0;
        for (int k = 0; k < 2; k++) {
            struct task *task = deque_take(&t.deque);
            taken += task ? number_of(task) : 0;
        }
    }
    WAIT_UNTIL(deque_is_empty(&t.deque));
    atomic_store_explicit(&t.over, true, memory_order_relaxed);
    for (int i = 0; i < THIEVES; i++)
        pthread_join(thieves[i], NULL);
    assert_true(taken + t.stolen == pushed);
    deque_finish(&t.deque);
}

static void S2_steal_into_a_deque_that_is_stolen_from(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++)
        run_stress(DEQUE_FIFO, 4, seed);
}

/* Our deque does not grow; S3's danger, a buffer that is replaced under a thief, is
 * replaced by this: half of the deque leaves at once under the thieves' hands. */
static void S3_a_full_deque_gives_half_away_during_steals(void **state)
{
    (void)state;
    run_stress(DEQUE_LIFO, 4, 7);
    run_stress(DEQUE_FIFO, 8, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newest_first_below_oldest_first_above),
        cmocka_unit_test(S4_take_from_an_empty_deque_does_not_underflow),
        cmocka_unit_test(a_batch_is_the_older_half),
        cmocka_unit_test(refuses_odd_capacities_and_reports_no_memory),
        cmocka_unit_test(each_kind_refuses_what_would_break_it),
        cmocka_unit_test(S1_a_paused_thief_cannot_claim_a_reused_index),
        cmocka_unit_test(each_item_once_from_both_ends),
        cmocka_unit_test(each_item_once_in_a_tight_race),
        cmocka_unit_test(S2_steal_into_a_deque_that_is_stolen_from),
        cmocka_unit_test(S3_a_full_deque_gives_half_away_during_steals),
    };
    return cmocka_run_group_tests_name("deque", tests, NULL, NULL);
}
