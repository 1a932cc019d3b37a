/* What all futures share: the contract on two leaves, that the contract catches futures
 * which break it, and the helpers that walk a tree. */
#include "common/testing/testing.h"

#include <unistd.h>

#include "lesson01_futures/countdown.h"
#include "lesson01_futures/future_contract.h"
#include "lesson01_futures/gate.h"

/* Lesson 1 never looks inside a waker; in this file one is a counter. */
struct waker {
    unsigned long wakes;
};

struct gate_world {
    struct gatekeeper keeper;
    struct waker wakers[2];
    unsigned turns;
};

static struct gate_world gate_world;

static void gate_setup(void *world)
{
    *(struct gate_world *)world = (struct gate_world){ .keeper.value = 7 };
}

static void gate_make(void *world, void *storage)
{
    *(struct gate *)storage = gate(&((struct gate_world *)world)->keeper);
}

static void gate_open(void *argument, void *storage)
{
    struct gate_world *world = argument;
    (void)storage;
    world->keeper.open = true;
    if (world->keeper.waker)
        world->wakers[world->keeper.waker == &world->wakers[1]].wakes++;
}

static struct context gate_context(void *argument, unsigned which)
{
    struct gate_world *world = argument;
    return (struct context){ &world->wakers[which], CONTEXT_BUDGET };
}

static unsigned long gate_wakes(void *world, unsigned which)
{
    return ((struct gate_world *)world)->wakers[which].wakes;
}

static int64_t gate_result(void *world, const void *storage)
{
    (void)world;
    return ((const struct gate *)storage)->result;
}

static unsigned long gate_effects(void *world)
{
    return ((struct gate_world *)world)->keeper.starts;
}

static long gate_held(void *world)
{
    return ((struct gate_world *)world)->keeper.held;
}

#define GATE_SUBJECT                                                                   \
    .name = "gate", .size = sizeof(struct gate), .world = &gate_world,                 \
    .setup = gate_setup, .let_finish = gate_open, .context = gate_context,             \
    .wakes = gate_wakes, .result = gate_result, .effects = gate_effects,               \
    .held = gate_held, .finished = 7, .cancelled = -ECANCELED

static struct future_subject a_gate = { GATE_SUBJECT, .make = gate_make };

/* ---- countdown */

static void countdown_make(void *world, void *storage)
{
    (void)world;
    *(struct countdown *)storage = countdown_ms(3600 * 1000);
}

static void countdown_expire(void *world, void *storage)
{
    struct countdown *self = storage;
    (void)world;
    self->delay_ns = 0; /* before its first poll, */
    self->deadline = 0; /* and after it */
}

static int64_t countdown_result(void *world, const void *storage)
{
    (void)world;
    return ((const struct countdown *)storage)->result;
}

static struct future_subject a_countdown = {
    .name = "countdown",
    .size = sizeof(struct countdown),
    .make = countdown_make,
    .let_finish = countdown_expire,
    .result = countdown_result,
    .cancelled = -ECANCELED,
};

static void F1_a_countdown_starts_at_its_first_poll(void **state)
{
    (void)state;
    struct countdown wait = countdown_ms(3600 * 1000);
    assert_false(wait.started);
    assert_int_equal(poll_once(&wait.future), POLL_PENDING);
    assert_true(wait.started);
    assert_true(wait.deadline > 0);
    future_cancel(&wait.future);
    assert_int_equal(poll_once(&wait.future), POLL_READY);
    assert_int_equal(wait.result, -ECANCELED);
    assert_int_equal(wait.polls, 2);
}

/* ---- futures that break a rule, and the case that notices */

static enum poll_state poll_late_cancel(struct future *future, struct context *context)
{
    struct gate *self = container_of(future, struct gate, future);
    if (!self->started)
        self->cancelled = false; /* a cancel before the first poll is lost */
    return gate_poll(future, context);
}

static enum poll_state poll_one_shot(struct future *future, struct context *context)
{
    struct gate *self = container_of(future, struct gate, future);
    if (self->started)
        self->keeper->open = true; /* believes that a second poll means "go" */
    return gate_poll(future, context);
}

static enum poll_state poll_first_waker(struct future *future, struct context *context)
{
    struct gate *self = container_of(future, struct gate, future);
    const struct waker *first = self->keeper->waker;
    enum poll_state state = gate_poll(future, context);
    if (state == POLL_PENDING && first)
        self->keeper->waker = first;
    return state;
}

static enum poll_state poll_no_waker(struct future *future, struct context *context)
{
    struct gate *self = container_of(future, struct gate, future);
    enum poll_state state = gate_poll(future, context);
    self->keeper->waker = NULL;
    return state;
}

static void cancel_toggles(struct future *future)
{
    struct gate *self = container_of(future, struct gate, future);
    self->cancelled = !self->cancelled;
}

static void discard_nothing(struct future *future)
{
    (void)future;
}

static const struct future_ops *broken_ops;

static void broken_make(void *world, void *storage)
{
    gate_make(world, storage);
    ((struct gate *)storage)->future.ops = broken_ops;
}

/* Gives up long before the clock does. Called outside of polls, so it may fail. */
static void impatient_turn(void *argument)
{
    struct gate_world *world = argument;
    if (++world->turns > 100)
        fail_msg("%s waits for ever", "gate");
}

static struct future_subject a_broken_gate = { GATE_SUBJECT, .make = broken_make,
                                               .turn = impatient_turn };

static void run_contract_on_broken_gate(void *ops)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(a_broken_gate),
        FUTURE_CONTRACT_WAKES(a_broken_gate),
        FUTURE_CONTRACT_HOLDS(a_broken_gate),
    };
    broken_ops = ops;
    dup2(STDERR_FILENO, STDOUT_FILENO); /* its report is for us */
    _exit(cmocka_run_group_tests_name("broken", tests, NULL, NULL));
}

static void contract_must_catch(struct future_ops ops, const char *failing)
{
    static char said[16384];
    char line[128];
    ops.size = sizeof(struct gate);
    int failed = run_in_child(run_contract_on_broken_gate, &ops, said, sizeof said);
    snprintf(line, sizeof line, "[  FAILED  ] %s: a_broken_gate", failing);
    if (failed <= 0 || !strstr(said, line))
        fail_msg("the contract did not report %s (%d cases failed): %s", failing,
                 failed, said);
}

static void the_contract_catches_broken_futures(void **state)
{
    (void)state;
    static char said[16384];
    struct future_ops sound = { .name = "gate",
                                .size = sizeof(struct gate),
                                .poll = gate_poll,
                                .cancel = gate_cancel,
                                .discard = gate_discard };
    assert_int_equal(
        run_in_child(run_contract_on_broken_gate, &sound, said, sizeof said), 0);

    struct future_ops broken = sound;
    broken.poll = poll_late_cancel;
    contract_must_catch(broken, "F6_cancelled_before_its_first_poll");
    broken = sound;
    broken.poll = poll_one_shot;
    contract_must_catch(broken, "F3_a_spurious_poll_is_harmless");
    broken = sound;
    broken.poll = poll_first_waker;
    contract_must_catch(broken, "W7_the_waker_of_the_last_poll_counts");
    broken = sound;
    broken.poll = poll_no_waker;
    contract_must_catch(broken, "F2_pending_means_a_wake_will_come");
    broken = sound;
    broken.cancel = cancel_toggles;
    contract_must_catch(broken, "F7_cancelled_twice");
    broken = sound;
    broken.discard = discard_nothing;
    contract_must_catch(broken, "discard_gives_back_what_the_output_holds");
}

/* ---- walking */

static void describes_a_leaf_by_its_name(void **state)
{
    (void)state;
    char text[32], tiny[4];
    struct gatekeeper keeper = { 0 };
    struct gate leaf = gate(&keeper);
    future_describe(&leaf.future, text, sizeof text);
    assert_string_equal(text, "gate");
    future_describe(&leaf.future, tiny, sizeof tiny);
    assert_string_equal(tiny, "gat");
    keeper.open = true;
    assert_int_equal(poll_once(&leaf.future), POLL_READY);
    future_describe(&leaf.future, text, sizeof text);
    assert_string_equal(text, "done");
}

static void count_visit(const struct future *future, unsigned depth, void *count)
{
    (void)future;
    *(unsigned *)count += 1 + 100 * depth;
}

static void walks_a_leaf(void **state)
{
    (void)state;
    unsigned count = 0;
    struct gatekeeper keeper = { 0 };
    struct gate leaf = gate(&keeper);
    future_walk(&leaf.future, count_visit, &count);
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(a_gate),
        FUTURE_CONTRACT_WAKES(a_gate),
        FUTURE_CONTRACT_HOLDS(a_gate),
        FUTURE_CONTRACT(a_countdown),
        cmocka_unit_test(F1_a_countdown_starts_at_its_first_poll),
        cmocka_unit_test(the_contract_catches_broken_futures),
        cmocka_unit_test(describes_a_leaf_by_its_name),
        cmocka_unit_test(walks_a_leaf),
    };
    return cmocka_run_group_tests_name("future", tests, NULL, NULL);
}
