/* The injector: order, batches, and nothing lost between many threads. */
#include "common/testing/testing.h"

#include <pthread.h>
#include <sched.h>

#include "common/thread_local.h"

static TLS_DEFINE(unsigned, pause_dice);

static void test_pause(void)
{
    TLS(pause_dice) = TLS(pause_dice) * 1103515245u + 12345u;
    if (TLS(pause_dice) >> 16 & 1)
        sched_yield();
}
#define PAUSE(place) test_pause()

#include "lesson06_worksteal/injector.c"

static void first_in_first_out_in_batches(void **state)
{
    (void)state;
    struct injector injector;
    static struct task tasks[6];
    struct task *batch[3] = { &tasks[1], &tasks[2], &tasks[3] };
    struct task *got[6];
    assert_int_equal(injector_init(&injector), 0);
    assert_int_equal(injector_pop_batch(&injector, got, 6), 0);
    injector_push(&injector, &tasks[0]);
    injector_push_batch(&injector, batch, 3);
    injector_push_batch(&injector, batch, 0);
    assert_int_equal(injector_length(&injector), 4);
    assert_int_equal(injector_pop_batch(&injector, got, 2), 2);
    assert_ptr_equal(got[0], &tasks[0]);
    assert_ptr_equal(got[1], &tasks[1]);
    injector_push(&injector, &tasks[4]);
    assert_int_equal(injector_pop_batch(&injector, got, 6), 3);
    assert_ptr_equal(got[0], &tasks[2]);
    assert_ptr_equal(got[2], &tasks[4]);
    assert_int_equal(injector_length(&injector), 0);
    injector_push(&injector, &tasks[5]); /* after it ran dry */
    assert_int_equal(injector_pop_batch(&injector, got, 6), 1);
    assert_ptr_equal(got[0], &tasks[5]);
    injector_finish(&injector);
}

#define TASKS 4000
#define THREADS 2

struct shared {
    struct injector injector;
    struct task tasks[THREADS][TASKS];
    _Atomic unsigned seen[THREADS][TASKS];
    _Atomic unsigned popped;
};

struct pusher {
    struct shared *shared;
    unsigned index;
    pthread_t thread;
};

static void *push_all(void *argument)
{
    struct pusher *me = argument;
    struct task *tasks = me->shared->tasks[me->index];
    TLS(pause_dice) = me->index;
    for (unsigned i = 0; i < TASKS;) {
        struct task *batch[3];
        unsigned n = 1 + i % 3;
        for (unsigned k = 0; k < n; k++)
            batch[k] = &tasks[i + k < TASKS ? i + k : TASKS - 1];
        if (i + n > TASKS)
            n = TASKS - i;
        injector_push_batch(&me->shared->injector, batch, n);
        i += n;
    }
    return NULL;
}

static void *pop_all(void *argument)
{
    struct shared *shared = ((struct pusher *)argument)->shared;
    while (shared->popped < THREADS * TASKS) {
        struct task *got[5];
        unsigned n = injector_pop_batch(&shared->injector, got, 5);
        for (unsigned i = 0; i < n; i++) {
            size_t at = (size_t)(got[i] - &shared->tasks[0][0]);
            shared->seen[at / TASKS][at % TASKS]++;
        }
        shared->popped += n;
        if (n == 0)
            sched_yield();
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    (void)state;
    static struct shared shared;
    struct pusher pushers[THREADS], poppers[THREADS];
    assert_int_equal(injector_init(&shared.injector), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        pushers[i] = poppers[i] = (struct pusher){ .shared = &shared, .index = i };
        assert_int_equal(
            pthread_create(&pushers[i].thread, NULL, push_all, &pushers[i]), 0);
        assert_int_equal(pthread_create(&poppers[i].thread, NULL, pop_all, &poppers[i]),
                         0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(pushers[i].thread, NULL);
        pthread_join(poppers[i].thread, NULL);
    }
    for (unsigned i = 0; i < THREADS; i++)
        for (unsigned k = 0; k < TASKS; k++)
            assert_int_equal(shared.seen[i][k], 1);
    injector_finish(&shared.injector);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out_in_batches),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };
    return cmocka_run_group_tests_name("injector", tests, NULL, NULL);
}
