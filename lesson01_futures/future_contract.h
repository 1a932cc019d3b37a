/* future_contract: what every future must do, as a list of tests that any of them runs.
 *
 * The list is born here and used on the whole staircase: a later lesson that writes a
 * leaf (a timer, a read, a lock) describes it once and gets all cases. In the test
 * file:
 *
 *     static struct future_subject a_sleep = {
 *         .name = "sleep",
 *         .size = sizeof(struct sleep),
 *         .world = &world,              // given back to each function below
 *         .setup = open_world,          // before each case; may be NULL
 *         .teardown = close_world,      // after each case; may be NULL
 *         .make = make_sleep,           // a fresh future in the storage, never polled
 *         .let_finish = expire,         // from now on it can finish; once a case
 *         .turn = run_driver,           // lets the world move on; may be NULL
 *         .context = context_of_probe,  // asked before each poll: a context with
 *                                       // counting waker 0 or 1, and the place to set
 *                                       // what polls of this world need; may be NULL
 *         .wakes = wakes_of_probe,      // how often that waker was woken; may be NULL
 *         .result = result_of_sleep,    // the output of a READY future as one number
 *         .finished = 0,
 *         .cancelled = -ECANCELED,
 *     };
 *     const struct CMUnitTest tests[] = {
 *         FUTURE_CONTRACT(a_sleep),        // F1, F3 .. F7
 *         FUTURE_CONTRACT_WAKES(a_sleep),  // F2, W7: needs .context and .wakes
 *         FUTURE_CONTRACT_HOLDS(a_fd),     // discard: needs .held
 *     };
 *
 * A case is named "F3_a_spurious_poll_is_harmless: a_sleep". A fresh future must not be
 * able to finish before let_finish; one that can (it is ready in its first poll) says
 * so in .ready_at_once and let_finish may be NULL; the cases that need a pending future
 * are then left out, with the reason printed.
 *
 * Each future lives in a heap block of exactly its size, which is freed as soon as it
 * is READY and before the world is closed: a pointer that stayed behind is a report of
 * valgrind or ASan. turn is called between polls while a case waits, never inside one.
 *
 * Threads: cases run on the test's main thread; let_finish may use others. */
#ifndef LESSON01_FUTURE_CONTRACT_H
#define LESSON01_FUTURE_CONTRACT_H

#include "common/testing/testing.h"
#include "lesson01_futures/future.h"

struct future_subject {
    const char *name;
    size_t size; /* of the concrete struct, in bytes */
    void *world; /* borrows */
    void (*setup)(void *world);
    void (*teardown)(void *world);
    void (*make)(void *world, void *storage);
    void (*let_finish)(void *world, void *storage);
    void (*turn)(void *world);
    struct context (*context)(void *world, unsigned which);
    unsigned long (*wakes)(void *world, unsigned which);
    int64_t (*result)(void *world, const void *storage);
    /* What it did to the outside so far (syscalls, entries in a list, ...): a future
     * that was cancelled or thrown away before its first poll must not change it. NULL:
     * not looked at. An async function that runs when cancelled counts only what its
     * awaits would have done. */
    unsigned long (*effects)(void *world);
    /* How many things finished outputs hold now (fds, locks); discard gives them back.
     */
    long (*held)(void *world);
    int64_t finished;  /* result after let_finish */
    int64_t cancelled; /* result after a cancel */
    bool ready_at_once;
    bool runs_when_cancelled; /* an async function: may take several polls to end */
    bool may_win; /* what it waits for cannot be stopped once begun: a cancel
                     may end in the real result, let_finish or not */
};

/* ---- helpers of the cases */

static inline struct context contract_context(const struct future_subject *subject,
                                              unsigned which)
{
    if (subject->context)
        return subject->context(subject->world, which);
    return (struct context){ .waker = NULL, .budget = CONTEXT_BUDGET };
}

static inline enum poll_state contract_poll(const struct future_subject *subject,
                                            struct future *future, unsigned which)
{
    struct context context = contract_context(subject, which);
    return future_poll(future, &context);
}

static inline void contract_turn(const struct future_subject *subject)
{
    if (subject->turn)
        subject->turn(subject->world);
    else
        testing_pause();
}

static inline struct future *contract_make(const struct future_subject *subject)
{
    struct future *storage = malloc(subject->size);
    assert_non_null(storage);
    memset(storage, 0xa5, subject->size); /* what make forgets to set is seen */
    subject->make(subject->world, storage);
    assert_int_equal(storage->ops->size, subject->size);
    return storage;
}

static inline void contract_let_finish(const struct future_subject *subject,
                                       struct future *future)
{
    if (subject->let_finish)
        subject->let_finish(subject->world, future);
}

/* Polls until READY, letting the world move on in between; returns the result. */
static inline int64_t contract_drive(const struct future_subject *subject,
                                     struct future *future)
{
    uint64_t give_up = testing_deadline();
    while (contract_poll(subject, future, 0) == POLL_PENDING) {
        if (testing_expired(give_up))
            fail_msg("%s is still pending after %d s", subject->name, TEST_PATIENCE_S);
        contract_turn(subject);
    }
    return subject->result(subject->world, future);
}

/* A cancelled one reports `cancelled`, or its real result where that may come first. */
static inline void contract_check_cancelled(const struct future_subject *subject,
                                            int64_t result, bool may_win)
{
    if (result == subject->cancelled || (may_win && result == subject->finished))
        return;
    fail_msg("%s was cancelled and reports %lld instead of %lld", subject->name,
             (long long)result, (long long)subject->cancelled);
}

static inline unsigned long contract_effects(const struct future_subject *subject)
{
    return subject->effects ? subject->effects(subject->world) : 0;
}

static inline long contract_held(const struct future_subject *subject)
{
    return subject->held ? subject->held(subject->world) : 0;
}

/* Frees a READY future of which nobody looks at the output. `ops` are those that it had
 * before it was READY. */
static inline void contract_throw_away(const struct future_subject *subject,
                                       const struct future_ops *ops,
                                       struct future *future)
{
    if (ops->discard)
        ops->discard(future);
    free(future);
    contract_turn(subject);
    assert_int_equal(contract_held(subject), 0);
}

static inline int contract_setup(void **state)
{
    const struct future_subject *subject = *state;
    if (subject->setup)
        subject->setup(subject->world);
    return 0;
}

static inline int contract_teardown(void **state)
{
    const struct future_subject *subject = *state;
    if (subject->teardown)
        subject->teardown(subject->world);
    return 0;
}

/* ---- the cases for every future */

static inline void F1_thrown_away_before_its_first_poll(void **state)
{
    const struct future_subject *subject = *state;
    unsigned long before = contract_effects(subject);
    struct future *future = contract_make(subject);
    free(future);
    contract_turn(subject);
    assert_int_equal(contract_effects(subject), before);
    assert_int_equal(contract_held(subject), 0);
}

static inline void F1_copied_before_its_first_poll(void **state)
{
    const struct future_subject *subject = *state;
    struct future *first = contract_make(subject);
    struct future *copy = malloc(subject->size);
    assert_non_null(copy);
    memcpy(copy, first, subject->size);
    memset(first, 0xa5, subject->size);
    free(first);
    const struct future_ops *ops = copy->ops;
    contract_let_finish(subject, copy);
    assert_int_equal(contract_drive(subject, copy), subject->finished);
    contract_throw_away(subject, ops, copy);
}

static inline void F3_a_spurious_poll_is_harmless(void **state)
{
    const struct future_subject *subject = *state;
    if (subject->ready_at_once)
        skip_because("%s is never pending", subject->name);
    struct future *future = contract_make(subject);
    const struct future_ops *ops = future->ops;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(contract_poll(subject, future, 0), POLL_PENDING);
        contract_turn(subject);
    }
    contract_let_finish(subject, future);
    assert_int_equal(contract_drive(subject, future), subject->finished);
    contract_throw_away(subject, ops, future);
}

static inline void contract_poll_again(void *future)
{
    struct context context = { .waker = NULL, .budget = CONTEXT_BUDGET };
    future_poll(future, &context);
}

static inline void F5_a_poll_after_ready_dies(void **state)
{
    const struct future_subject *subject = *state;
    struct future *future = contract_make(subject);
    const struct future_ops *ops = future->ops;
    contract_let_finish(subject, future);
    contract_drive(subject, future);
    assert_dies(contract_poll_again, future, "was polled after it was READY");
    contract_throw_away(subject, ops, future);
}

static inline void F6_cancelled_before_its_first_poll(void **state)
{
    const struct future_subject *subject = *state;
    unsigned long before = contract_effects(subject);
    struct future *future = contract_make(subject);
    const struct future_ops *ops = future->ops;
    future_cancel(future);
    contract_let_finish(subject, future); /* too late: it must not even begin */
    if (!subject->runs_when_cancelled) {
        assert_int_equal(contract_poll(subject, future, 0), POLL_READY);
        assert_int_equal(subject->result(subject->world, future), subject->cancelled);
    } else {
        assert_int_equal(contract_drive(subject, future), subject->cancelled);
    }
    assert_int_equal(contract_effects(subject), before);
    contract_throw_away(subject, ops, future);
}

static inline void F6_cancelled_while_pending(void **state)
{
    const struct future_subject *subject = *state;
    if (subject->ready_at_once)
        skip_because("%s is never pending", subject->name);
    struct future *future = contract_make(subject);
    const struct future_ops *ops = future->ops;
    assert_int_equal(contract_poll(subject, future, 0), POLL_PENDING);
    future_cancel(future);
    contract_check_cancelled(subject, contract_drive(subject, future),
                             subject->may_win);
    contract_throw_away(subject, ops, future);
}

static inline void F6_cancelled_when_the_result_may_have_come_first(void **state)
{
    const struct future_subject *subject = *state;
    if (subject->ready_at_once)
        skip_because("%s is never pending", subject->name);
    struct future *future = contract_make(subject);
    const struct future_ops *ops = future->ops;
    assert_int_equal(contract_poll(subject, future, 0), POLL_PENDING);
    contract_let_finish(subject, future);
    contract_turn(subject);
    future_cancel(future);
    contract_check_cancelled(subject, contract_drive(subject, future), true);
    contract_throw_away(subject, ops, future);
}

static inline void F7_cancelled_twice(void **state)
{
    const struct future_subject *subject = *state;
    if (subject->ready_at_once)
        skip_because("%s is never pending", subject->name);
    struct future *future = contract_make(subject);
    const struct future_ops *ops = future->ops;
    assert_int_equal(contract_poll(subject, future, 0), POLL_PENDING);
    future_cancel(future);
    future_cancel(future);
    contract_check_cancelled(subject, contract_drive(subject, future),
                             subject->may_win);
    contract_throw_away(subject, ops, future);
}

static inline void F7_cancelled_after_ready(void **state)
{
    const struct future_subject *subject = *state;
    struct future *future = contract_make(subject);
    const struct future_ops *ops = future->ops;
    contract_let_finish(subject, future);
    assert_int_equal(contract_drive(subject, future), subject->finished);
    future_cancel(future);
    contract_turn(subject);
    assert_int_equal(subject->result(subject->world, future), subject->finished);
    assert_true(future_is_done(future));
    contract_throw_away(subject, ops, future);
}

static inline void F4_what_is_in_flight_has_a_name(void **state)
{
    const struct future_subject *subject = *state;
    char text[128] = "";
    struct future *future = contract_make(subject);
    const struct future_ops *ops = future->ops;
    future_describe(future, text, sizeof text);
    assert_true(strstr(text, ops->name) == text && text[0]);
    contract_let_finish(subject, future);
    contract_drive(subject, future);
    contract_throw_away(subject, ops, future);
}

/* ---- the cases for a future that has somebody told */

/* Waits until waker `which` was woken more often than `before`. */
static inline void contract_wait_for_wake(const struct future_subject *subject,
                                          unsigned which, unsigned long before)
{
    uint64_t give_up = testing_deadline();
    while (subject->wakes(subject->world, which) == before) {
        if (testing_expired(give_up))
            fail_msg("%s returned POLL_PENDING and did not wake within %d s (rule F2)",
                     subject->name, TEST_PATIENCE_S);
        contract_turn(subject);
    }
}

/* Never polls unasked: a PENDING without a wake (or an empty budget) fails. */
static inline void F2_pending_means_a_wake_will_come(void **state)
{
    const struct future_subject *subject = *state;
    struct future *future = contract_make(subject);
    const struct future_ops *ops = future->ops;
    bool may_finish = false;
    for (;;) {
        unsigned long before = subject->wakes(subject->world, 0);
        struct context context = contract_context(subject, 0);
        if (future_poll(future, &context) == POLL_READY)
            break;
        if (!may_finish)
            contract_let_finish(subject, future);
        may_finish = true;
        if (context.budget >= 0)
            contract_wait_for_wake(subject, 0, before);
    }
    assert_int_equal(subject->result(subject->world, future), subject->finished);
    contract_throw_away(subject, ops, future);
}

static inline void W7_the_waker_of_the_last_poll_counts(void **state)
{
    const struct future_subject *subject = *state;
    if (subject->ready_at_once)
        skip_because("%s is never pending", subject->name);
    struct future *future = contract_make(subject);
    const struct future_ops *ops = future->ops;
    assert_int_equal(contract_poll(subject, future, 0), POLL_PENDING);
    unsigned long before = subject->wakes(subject->world, 1);
    assert_int_equal(contract_poll(subject, future, 1), POLL_PENDING);
    contract_let_finish(subject, future);
    contract_wait_for_wake(subject, 1, before);
    assert_int_equal(contract_drive(subject, future), subject->finished);
    contract_throw_away(subject, ops, future);
}

/* ---- the cases for a future whose output holds something */

static inline void discard_gives_back_what_the_output_holds(void **state)
{
    const struct future_subject *subject = *state;
    struct future *future = contract_make(subject);
    const struct future_ops *ops = future->ops;
    assert_non_null(ops->discard);
    contract_let_finish(subject, future);
    assert_int_equal(contract_drive(subject, future), subject->finished);
    assert_true(contract_held(subject) > 0);
    contract_throw_away(subject, ops, future);
}

static inline void discard_of_a_future_that_never_ran_does_nothing(void **state)
{
    const struct future_subject *subject = *state;
    struct future *future = contract_make(subject);
    contract_throw_away(subject, future->ops, future);
}

static inline void discard_by_whoever_cannot_look(void **state)
{
    const struct future_subject *subject = *state;
    struct future *future = contract_make(subject);
    contract_let_finish(subject, future);
    struct context context = contract_context(subject, 0);
    uint64_t give_up = testing_deadline();
    while (future_poll_discarding(future, &context) == POLL_PENDING) {
        assert_false(testing_expired(give_up));
        contract_turn(subject);
        context = contract_context(subject, 0);
    }
    free(future);
    assert_int_equal(contract_held(subject), 0);
}

/* ---- the lists */

#define FUTURE_CASE(case_name, subject)                                                \
    {                                                                                  \
#case_name ": " #subject, case_name, contract_setup, contract_teardown,        \
            &(subject)                                                                 \
    }

#define FUTURE_CONTRACT(subject)                                                       \
    FUTURE_CASE(F1_thrown_away_before_its_first_poll, subject),                        \
        FUTURE_CASE(F1_copied_before_its_first_poll, subject),                         \
        FUTURE_CASE(F3_a_spurious_poll_is_harmless, subject),                          \
        FUTURE_CASE(F4_what_is_in_flight_has_a_name, subject),                         \
        FUTURE_CASE(F5_a_poll_after_ready_dies, subject),                              \
        FUTURE_CASE(F6_cancelled_before_its_first_poll, subject),                      \
        FUTURE_CASE(F6_cancelled_while_pending, subject),                              \
        FUTURE_CASE(F6_cancelled_when_the_result_may_have_come_first, subject),        \
        FUTURE_CASE(F7_cancelled_twice, subject),                                      \
        FUTURE_CASE(F7_cancelled_after_ready, subject)

#define FUTURE_CONTRACT_WAKES(subject)                                                 \
    FUTURE_CASE(F2_pending_means_a_wake_will_come, subject),                           \
        FUTURE_CASE(W7_the_waker_of_the_last_poll_counts, subject)

#define FUTURE_CONTRACT_HOLDS(subject)                                                 \
    FUTURE_CASE(discard_gives_back_what_the_output_holds, subject),                    \
        FUTURE_CASE(discard_of_a_future_that_never_ran_does_nothing, subject),         \
        FUTURE_CASE(discard_by_whoever_cannot_look, subject)

#endif
