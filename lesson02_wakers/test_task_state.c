/* The state word: every transition of the diagram, alone and against another thread. */
#include "lesson02_wakers/waker_probe.h"

#include "lesson02_wakers/task_state.h"

struct word {
    _Atomic uint32_t state;
    bool local;
};

static uint32_t flags(const struct word *word)
{
    return atomic_load_explicit(&word->state, memory_order_relaxed) &
           (TASK_SCHEDULED | TASK_RUNNING | TASK_DONE);
}

static uint32_t wakers(const struct word *word)
{
    return TASK_WAKERS(atomic_load_explicit(&word->state, memory_order_relaxed));
}

static struct word new_word(bool local, bool handle)
{
    struct word word = { .local = local };
    atomic_init(&word.state, task_state_new(local, handle));
    return word;
}

static uint32_t start(struct word *word)
{
    bool stalled;
    return task_state_start(&word->state, word->local, &stalled);
}

static enum task_duty pause_word(struct word *word, bool again)
{
    bool stalled;
    return task_state_pause(&word->state, word->local, again, 0, &stalled);
}

static enum task_duty wake(struct word *word)
{
    return task_state_wake(&word->state, word->local, false);
}

static void for_both(void (*body)(bool local))
{
    body(false);
    body(true);
}

static void life(bool local)
{
    struct word word = new_word(local, true);
    assert_int_equal(flags(&word), TASK_SCHEDULED);
    start(&word);
    assert_int_equal(flags(&word), TASK_RUNNING);
    assert_int_equal(pause_word(&word, false), DUTY_NOTHING);
    assert_int_equal(flags(&word), 0);
    assert_int_equal(wake(&word), DUTY_SCHEDULE);
    assert_int_equal(flags(&word), TASK_SCHEDULED);
    start(&word);
    assert_int_equal(pause_word(&word, true), DUTY_SCHEDULE);
    start(&word);
    uint32_t last = task_state_finish(&word.state, local, false);
    assert_true(last & TASK_DONE);
    assert_int_equal(flags(&word), TASK_DONE);
    assert_true(task_state_drop_handle(&word.state, local));
    assert_int_equal(wakers(&word), 1);
    assert_int_equal(task_state_drop(&word.state, local),
                     local ? DUTY_NOTHING : DUTY_FREE);
}

static void spawn_run_pause_wake_finish(void **state)
{
    (void)state;
    for_both(life);
}

static void wake_while_running(bool local)
{
    struct word word = new_word(local, true);
    start(&word);
    assert_int_equal(wake(&word), DUTY_NOTHING);
    assert_int_equal(wake(&word), DUTY_NOTHING);
    assert_int_equal(pause_word(&word, false), DUTY_SCHEDULE);
    start(&word);
    assert_int_equal(pause_word(&word, false), DUTY_NOTHING); /* once, not twice */
}

static void W2_a_wake_during_the_run_schedules_once_more(void **state)
{
    (void)state;
    for_both(wake_while_running);
}

static void wake_often(bool local)
{
    struct word word = new_word(local, true);
    start(&word);
    pause_word(&word, false);
    int entries = 0;
    for (int i = 0; i < 1000000; i++)
        entries += wake(&word) == DUTY_SCHEDULE;
    assert_int_equal(entries, 1);
}

static void W3_a_million_wakes_are_one_entry(void **state)
{
    (void)state;
    for_both(wake_often);
}

static void wake_done(bool local)
{
    struct word word = new_word(local, true);
    start(&word);
    task_state_clone(&word.state, local);
    task_state_finish(&word.state, local, false);
    assert_int_equal(wake(&word), DUTY_NOTHING);
    assert_int_equal(task_state_cancel(&word.state, local), DUTY_NOTHING);
    assert_int_equal(task_state_wake(&word.state, local, true), DUTY_NOTHING);
    assert_int_equal(flags(&word), TASK_DONE);
    assert_int_equal(wakers(&word), 0);
}

static void W4_a_wake_after_the_end_does_nothing(void **state)
{
    (void)state;
    for_both(wake_done);
}

static void W5_the_last_of_handle_and_wakers_frees(void **state)
{
    (void)state;
    struct word word = new_word(false, true);
    task_state_clone(&word.state, false);
    task_state_clone(&word.state, false);
    start(&word);
    task_state_finish(&word.state, false, false);
    assert_int_equal(task_state_drop(&word.state, false), DUTY_NOTHING);
    assert_true(task_state_drop_handle(&word.state, false));
    assert_int_equal(task_state_drop(&word.state, false), DUTY_NOTHING);
    assert_int_equal(task_state_wake(&word.state, false, true), DUTY_FREE);
}

static void a_handle_given_up_early_keeps_nothing(void **state)
{
    (void)state;
    struct word word = new_word(false, true);
    assert_false(task_state_drop_handle(&word.state, false));
    start(&word);
    uint32_t last = task_state_finish(&word.state, false, false);
    assert_false(last & TASK_HANDLE);
    assert_int_equal(TASK_WAKERS(last), 0);
    word = new_word(false, false);
    start(&word);
    last = task_state_finish(&word.state, false, true); /* keep: until we have looked */
    assert_int_equal(TASK_WAKERS(last), 1);
    assert_int_equal(task_state_drop(&word.state, false), DUTY_FREE);
}

static void cancel_once(bool local)
{
    struct word word = new_word(local, true);
    assert_int_equal(task_state_cancel(&word.state, local), DUTY_NOTHING);
    assert_true(start(&word) & TASK_CANCELLED);
    pause_word(&word, false);
    assert_int_equal(task_state_cancel(&word.state, local), DUTY_SCHEDULE);
    assert_true(start(&word) & TASK_CANCELLED); /* it stays */
    word = new_word(local, true);
    assert_false(start(&word) & TASK_CANCELLED);
    assert_int_equal(task_state_cancel(&word.state, local), DUTY_NOTHING);
    assert_int_equal(pause_word(&word, false), DUTY_SCHEDULE);
    assert_true(start(&word) & TASK_CANCELLED);
    /* asked for while it ran to its end: it was never told */
    word = new_word(local, true);
    start(&word);
    task_state_cancel(&word.state, local);
    assert_false(task_state_finish(&word.state, local, false) & TASK_CANCELLED);
}

static void W12_a_cancel_is_delivered_by_the_next_run_and_stays(void **state)
{
    (void)state;
    for_both(cancel_once);
}

static void W10_a_pause_with_no_waker_is_noticed(void **state)
{
    (void)state;
    bool stalled;
    struct word word = new_word(false, true);
    start(&word);
    task_state_pause(&word.state, false, false, 0, &stalled);
    assert_true(stalled);
    assert_int_equal(wake(&word), DUTY_SCHEDULE);
    task_state_start(&word.state, false, &stalled);
    assert_true(stalled); /* it was counted as such until now */
    task_state_clone(&word.state, false);
    task_state_pause(&word.state, false, false, 0, &stalled);
    assert_false(stalled);
    assert_int_equal(wake(&word), DUTY_SCHEDULE);
    task_state_start(&word.state, false, &stalled);
    assert_false(stalled);
}

static void W10_a_local_task_counts_both_halves(void **state)
{
    (void)state;
    bool stalled;
    struct word word = new_word(true, true);
    start(&word);
    task_state_pause(&word.state, true, false, 1, &stalled); /* one waker elsewhere */
    assert_false(stalled);
    assert_int_equal(wake(&word), DUTY_SCHEDULE);
    start(&word);
    task_state_clone(&word.state, true); /* cloned here, dropped elsewhere */
    task_state_pause(&word.state, true, false, -1, &stalled);
    assert_true(stalled);
    task_state_add_wakers(&word.state, -1);
    assert_int_equal(wakers(&word), 0);
    task_state_add_wakers(&word.state, -1); /* below zero for a while, and back */
    task_state_clone(&word.state, true);
    assert_int_equal(wakers(&word), 0);
    assert_true(atomic_load_explicit(&word.state, memory_order_relaxed) & TASK_LOCAL);
}

/* ---- bugs */

static void run_idle(void *argument)
{
    struct word word = new_word(false, true);
    (void)argument;
    start(&word);
    pause_word(&word, false);
    start(&word);
}

static void drop_twice(void *argument)
{
    struct word word = new_word(false, true);
    (void)argument;
    task_state_drop(&word.state, false);
}

static void clone_too_often(void *argument)
{
    struct word word = new_word(false, true);
    (void)argument;
    for (uint32_t i = 0; i <= TASK_WAKERS(UINT32_MAX); i++)
        task_state_clone(&word.state, false);
}

static void misuse_is_a_bug(void **state)
{
    (void)state;
    assert_dies(run_idle, NULL, "a task was run that is not SCHEDULED");
    assert_dies(drop_twice, NULL, "a waker was dropped or used twice");
    assert_dies(clone_too_often, NULL, "somebody clones in a loop");
}

/* ---- against other threads */

#define WAKES 20000

struct duel {
    struct word word;
    _Atomic long entries; /* DUTY_SCHEDULE answers: how often it may start */
    _Atomic long frees;
    _Atomic long wakes;  /* done; relaxed, so that it publishes nothing itself */
    char written[WAKES]; /* one before each wake */
};

static void *wake_and_clone(void *argument)
{
    struct duel *duel = argument;
    for (int i = 0; i < WAKES; i++) {
        task_state_clone(&duel->word.state, false);
        duel->written[i] = 1;
        if (task_state_wake(&duel->word.state, false, true) == DUTY_SCHEDULE)
            probe_count(&duel->entries, 1);
        atomic_fetch_add_explicit(&duel->wakes, 1, memory_order_relaxed);
    }
    if (task_state_drop(&duel->word.state, false) == DUTY_FREE)
        probe_count(&duel->frees, 1);
    return NULL;
}

/* Sees, in a run, what was written before the wakes that were done when it began. */
static long read_published(struct duel *duel, long from)
{
    long wakes = atomic_load_explicit(&duel->wakes, memory_order_relaxed);
    start(&duel->word);
    while (from < wakes && duel->written[from])
        from++;
    return from == wakes ? wakes : -1;
}

/* The last run may have merged wakes that it did not count yet: we lost the CPU between
 * the count and the start. When all wakes are done, one of our own brings the run that
 * counts them. */
static void wake_for_the_rest(struct duel *duel)
{
    if (atomic_load_explicit(&duel->wakes, memory_order_relaxed) < WAKES)
        return;
    task_state_clone(&duel->word.state, false);
    if (task_state_wake(&duel->word.state, false, true) == DUTY_SCHEDULE)
        probe_count(&duel->entries, 1);
}

/* Also a wake that changes nothing, since the task is SCHEDULED already, publishes what
 * was written before it: TSan would see the race. */
static void W3_merged_wakes_publish_what_came_before(void **state)
{
    (void)state;
    static struct duel duel;
    duel = (struct duel){ .word = new_word(false, true), .entries = 1 };
    task_state_clone(&duel.word.state, false); /* the thread's */
    pthread_t thread = start_thread(wake_and_clone, &duel);
    long seen = 0, runs = 0;
    uint64_t give_up = testing_deadline();
    while (seen >= 0 && seen < WAKES && !testing_expired(give_up)) {
        if (probe_read(&duel.entries) == runs) {
            wake_for_the_rest(&duel);
            continue;
        }
        runs++;
        seen = read_published(&duel, seen);
        if (seen != WAKES && pause_word(&duel.word, seen % 2) == DUTY_SCHEDULE)
            probe_count(&duel.entries, 1);
    }
    assert_int_equal(seen, WAKES);
    task_state_finish(&duel.word.state, false, false);
    if (task_state_drop_handle(&duel.word.state, false) &&
        task_state_drop(&duel.word.state, false) == DUTY_FREE)
        probe_count(&duel.frees, 1);
    pthread_join(thread, NULL);
    assert_int_equal(probe_read(&duel.frees), 1);
    assert_int_equal(wakers(&duel.word), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spawn_run_pause_wake_finish),
        cmocka_unit_test(W2_a_wake_during_the_run_schedules_once_more),
        cmocka_unit_test(W3_a_million_wakes_are_one_entry),
        cmocka_unit_test(W4_a_wake_after_the_end_does_nothing),
        cmocka_unit_test(W5_the_last_of_handle_and_wakers_frees),
        cmocka_unit_test(a_handle_given_up_early_keeps_nothing),
        cmocka_unit_test(W12_a_cancel_is_delivered_by_the_next_run_and_stays),
        cmocka_unit_test(W10_a_pause_with_no_waker_is_noticed),
        cmocka_unit_test(W10_a_local_task_counts_both_halves),
        cmocka_unit_test(misuse_is_a_bug),
        cmocka_unit_test(W3_merged_wakes_publish_what_came_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
