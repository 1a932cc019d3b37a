/* oneshot: one value between two owners; close, send, drop and receive in every order,
 * and all at once. */
#include "lesson01_futures/future_contract.h"
#include "lesson02_wakers/task_testing.h"

#include "common/testing/faults.h"
#include "lesson02_wakers/block_on.h"
#include "lesson02_wakers/oneshot.h"

static _Atomic long disposed;

static void dispose(void *value)
{
    probe_count(&disposed, 1);
    free(value);
}

static void *new_value(int number)
{
    int *value = malloc(sizeof *value);
    assert_non_null(value);
    *value = number;
    return value;
}

struct ends {
    struct oneshot_sender sender;
    struct oneshot_receiver receiver;
};

/* Which kind the test is about. */
static bool local;

static int shared_kind(void **state)
{
    (void)state;
    local = false;
    return 0;
}

static int local_kind(void **state)
{
    (void)state;
    local = true;
    return 0;
}

static int create(struct ends *ends, void (*disposes)(void *value))
{
    return local ? oneshot_create_local(&ends->sender, &ends->receiver, disposes)
                 : oneshot_create(&ends->sender, &ends->receiver, disposes);
}

static struct ends open_ends(void)
{
    struct ends ends;
    atomic_store_explicit(&disposed, 0, memory_order_relaxed);
    assert_int_equal(create(&ends, dispose), 0);
    return ends;
}

/* ---- alone */

static void send_then_receive(void **state)
{
    (void)state;
    struct ends ends = open_ends();
    void *value = NULL;
    assert_int_equal(oneshot_try_receive(&ends.receiver, &value), -EAGAIN);
    assert_false(oneshot_is_closed(&ends.sender));
    assert_int_equal(oneshot_send(&ends.sender, new_value(7)), 0);
    assert_null(ends.sender.shared);
    assert_int_equal(oneshot_try_receive(&ends.receiver, &value), 0);
    assert_int_equal(*(int *)value, 7);
    free(value);
    assert_int_equal(oneshot_try_receive(&ends.receiver, &value), -EPIPE);
    oneshot_receiver_drop(&ends.receiver);
    oneshot_receiver_drop(&ends.receiver);
    oneshot_sender_drop(&ends.sender);
    assert_int_equal(probe_read(&disposed), 0);
}

static void W11_a_send_before_the_close_is_received(void **state)
{
    (void)state;
    struct ends ends = open_ends();
    void *value = NULL;
    assert_int_equal(oneshot_send(&ends.sender, new_value(7)), 0);
    oneshot_close(&ends.receiver);
    assert_int_equal(oneshot_try_receive(&ends.receiver, &value), 0);
    free(value);
    oneshot_receiver_drop(&ends.receiver);
}

static void W11_a_send_after_the_close_is_refused_and_keeps_the_value(void **state)
{
    (void)state;
    struct ends ends = open_ends();
    void *value = NULL;
    oneshot_close(&ends.receiver);
    assert_true(oneshot_is_closed(&ends.sender));
    int *mine = new_value(7);
    assert_int_equal(oneshot_send(&ends.sender, mine), -EPIPE);
    assert_int_equal(*mine, 7);
    free(mine);
    assert_int_equal(oneshot_try_receive(&ends.receiver, &value), -EPIPE);
    oneshot_receiver_drop(&ends.receiver);
    assert_int_equal(probe_read(&disposed), 0);
}

static void what_nobody_receives_is_disposed_of(void **state)
{
    (void)state;
    struct ends ends = open_ends();
    assert_int_equal(oneshot_send(&ends.sender, new_value(7)), 0);
    oneshot_receiver_drop(&ends.receiver);
    assert_int_equal(probe_read(&disposed), 1);
}

static void a_sender_that_gives_up_is_noticed(void **state)
{
    (void)state;
    struct ends ends = open_ends();
    void *value = NULL;
    oneshot_sender_drop(&ends.sender);
    assert_int_equal(oneshot_try_receive(&ends.receiver, &value), -EPIPE);
    struct oneshot_receive receive = oneshot_receive(&ends.receiver);
    assert_int_equal(block_on(&receive.future), 0);
    assert_int_equal(receive.result, -EPIPE);
    oneshot_receiver_drop(&ends.receiver);
    ends = open_ends();
    oneshot_receiver_drop(&ends.receiver);
    assert_true(oneshot_is_closed(&ends.sender));
    oneshot_sender_drop(&ends.sender);
}

static void a_cancelled_receive_leaves_the_value(void **state)
{
    (void)state;
    struct waker_probe probe = { 0 };
    struct ends ends = open_ends();
    struct oneshot_receive receive = oneshot_receive(&ends.receiver);
    assert_int_equal(probe_poll(&probe, &receive.future), POLL_PENDING);
    assert_int_equal(oneshot_send(&ends.sender, new_value(7)), 0);
    future_cancel(&receive.future);
    assert_int_equal(probe_poll(&probe, &receive.future), POLL_READY);
    assert_int_equal(receive.result, -ECANCELED);
    receive = oneshot_receive(&ends.receiver);
    assert_int_equal(probe_poll(&probe, &receive.future), POLL_READY);
    assert_int_equal(*(int *)receive.value, 7);
    free(receive.value);
    oneshot_receiver_drop(&ends.receiver);
    assert_int_equal(probe_read(&probe.live), 0);
}

static void without_memory_there_is_no_oneshot(void **state)
{
    (void)state;
    struct ends ends = { 0 };
    fault_arm("malloc", 1, ENOMEM);
    assert_int_equal(create(&ends, NULL), -ENOMEM);
    fault_disarm();
    assert_null(ends.sender.shared);
    assert_null(ends.receiver.shared);
}

static void without_a_dispose_nothing_is_owned(void **state)
{
    (void)state;
    struct ends ends;
    int here = 3;
    assert_int_equal(create(&ends, NULL), 0);
    assert_int_equal(oneshot_send(&ends.sender, &here), 0);
    oneshot_receiver_drop(&ends.receiver);
}

static void send_twice(void *argument)
{
    struct ends ends = open_ends();
    (void)argument;
    oneshot_send(&ends.sender, NULL);
    oneshot_send(&ends.sender, NULL);
}

static void sending_twice_is_a_bug(void **state)
{
    (void)state;
    assert_dies(send_twice, NULL, "sender was used twice");
}

/* ---- the contract: a receive that gets a value */

static struct world {
    struct ends ends;
    struct waker_probe probes[2];
    struct waker wakers[2];
    long given; /* values that were received and not disposed of */
} world;

static void open_world(void *argument)
{
    struct world *self = argument;
    *self = (struct world){ .ends = open_ends() };
    for (int i = 0; i < 2; i++)
        self->wakers[i] = probe_waker(&self->probes[i]);
}

static void close_world(void *argument)
{
    struct world *self = argument;
    oneshot_sender_drop(&self->ends.sender);
    oneshot_receiver_drop(&self->ends.receiver);
    for (int i = 0; i < 2; i++)
        assert_int_equal(probe_read(&self->probes[i].live), 0);
}

static void make_receive(void *argument, void *storage)
{
    struct world *self = argument;
    struct oneshot_receive receive = oneshot_receive(&self->ends.receiver);
    memcpy(storage, &receive, sizeof receive);
}

static void send_value(void *argument, void *storage)
{
    struct world *self = argument;
    (void)storage;
    self->given = 1;
    assert_int_equal(oneshot_send(&self->ends.sender, new_value(7)), 0);
}

static struct context context_of(void *argument, unsigned which)
{
    struct world *self = argument;
    return (struct context){ &self->wakers[which], CONTEXT_BUDGET };
}

static unsigned long wakes_of(void *argument, unsigned which)
{
    struct world *self = argument;
    return (unsigned long)probe_read(&self->probes[which].wakes);
}

static int64_t result_of(void *argument, const void *storage)
{
    (void)argument;
    const struct oneshot_receive *receive = storage;
    return receive->result < 0 ? receive->result : *(int *)receive->value;
}

/* The output of a receive owns the value. */
static long held(void *argument)
{
    struct world *self = argument;
    void *value;
    if (!self->given)
        return 0;
    if (oneshot_try_receive(&self->ends.receiver, &value) == 0) {
        free(value); /* nobody had received it */
        self->given = 0;
    }
    return self->given - probe_read(&disposed);
}

static struct future_subject a_receive = {
    .name = "receive of a oneshot",
    .size = sizeof(struct oneshot_receive),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_receive,
    .let_finish = send_value,
    .context = context_of,
    .wakes = wakes_of,
    .result = result_of,
    .held = held,
    .finished = 7,
    .cancelled = -ECANCELED,
};

/* ---- between tasks and threads */

struct duel {
    struct ends ends;
    int sent; /* what send answered */
};

static void *send_it(void *argument)
{
    struct duel *duel = argument;
    int *value = malloc(sizeof *value);
    *value = 7;
    duel->sent = oneshot_send(&duel->ends.sender, value);
    if (duel->sent < 0)
        free(value);
    return NULL;
}

static void *drop_sender(void *argument)
{
    struct duel *duel = argument;
    oneshot_sender_drop(&duel->ends.sender);
    return NULL;
}

static void a_thread_waits_for_a_thread(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct duel duel = { .ends = open_ends() };
        struct oneshot_receive receive = oneshot_receive(&duel.ends.receiver);
        pthread_t thread = start_thread(round % 3 ? send_it : drop_sender, &duel);
        assert_int_equal(block_on(&receive.future), 0);
        assert_int_equal(receive.result, round % 3 ? 0 : -EPIPE);
        if (receive.result == 0)
            free(receive.value);
        oneshot_receiver_drop(&duel.ends.receiver); /* while the other may be in send */
        pthread_join(thread, NULL);
    }
}

/* Sender and receiver meet within a few instructions, earlier and later by turns: the
 * receiver's first poll is READY, or a wake comes. */
struct meeting {
    struct ends ends;
    _Atomic long round; /* begun by the receiver */
    _Atomic long sent;
};

static void spin_a_little(int times)
{
    for (volatile int i = 0; i < times;)
        i = i + 1;
}

static void *send_each_round(void *argument)
{
    struct meeting *meeting = argument;
    for (long round = 1; round <= 5000; round++) {
        while (probe_read(&meeting->round) < round)
            if (round % 64 == 0)
                sched_yield();
        spin_a_little((int)(round * 7 % 97));
        oneshot_send(&meeting->ends.sender, meeting);
        probe_count(&meeting->sent, 1);
    }
    return NULL;
}

static void W1_a_send_between_look_and_sleep_wakes(void **state)
{
    (void)state;
    struct meeting meeting = { .round = 0 };
    pthread_t thread = start_thread(send_each_round, &meeting);
    for (long round = 1; round <= 5000; round++) {
        struct waker_probe probe = { 0 };
        assert_int_equal(
            oneshot_create(&meeting.ends.sender, &meeting.ends.receiver, NULL), 0);
        struct oneshot_receive receive = oneshot_receive(&meeting.ends.receiver);
        probe_count(&meeting.round, 1);
        spin_a_little((int)(round * 11 % 89));
        while (probe_poll(&probe, &receive.future) == POLL_PENDING)
            WAIT_UNTIL(probe_read(&probe.wakes) > 0);
        WAIT_UNTIL(probe_read(&meeting.sent) == round);
        oneshot_receiver_drop(&meeting.ends.receiver);
        assert_int_equal(receive.result, 0);
    }
    pthread_join(thread, NULL);
}

/* Three operations at once: send, close, receive. The value is received, or refused, or
 * disposed of: exactly one of them. */
static void W11_send_close_and_receive_at_once_lose_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct duel duel = { .ends = open_ends() };
        struct waker_probe probe = { 0 };
        void *value = NULL;
        int received = 0;
        struct oneshot_receive receive = oneshot_receive(&duel.ends.receiver);
        pthread_t thread = start_thread(send_it, &duel);
        for (int i = 0; i < round % 4; i++)
            sched_yield();
        if (round % 2 && probe_poll(&probe, &receive.future) == POLL_READY)
            received += receive.result == 0;
        oneshot_close(&duel.ends.receiver);
        if (received)
            free(receive.value);
        else if (round % 3 && oneshot_try_receive(&duel.ends.receiver, &value) == 0) {
            free(value);
            received++;
        }
        oneshot_receiver_drop(&duel.ends.receiver);
        pthread_join(thread, NULL);
        assert_int_equal(received + probe_read(&disposed) + (duel.sent == -EPIPE), 1);
        assert_int_equal(probe_read(&probe.live), 0);
    }
}

/* A task sends to another one; both LOCAL, or both SHARED. */
struct talks {
    ASYNC_FRAME;
    struct ends *ends;
    bool sends;
    struct yield yield;
    struct oneshot_receive receive;
    int result;
};

static enum poll_state talks_poll(struct future *future, struct context *context)
{
    struct talks *self = ASYNC_SELF(talks, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->yield, yield_now());
    if (self->sends) {
        static int value = 7;
        self->result = oneshot_send(&self->ends->sender, &value);
        ASYNC_RETURN;
    }
    AWAIT(self->receive, oneshot_receive(&self->ends->receiver));
    self->result = self->receive.result < 0 ? -1 : *(int *)self->receive.value;
    oneshot_receiver_drop(&self->ends->receiver);
    ASYNC_END;
}

static const struct future_ops talks_ops = ASYNC_OPS(talks);

static void a_task_waits_for_a_task(void **state)
{
    (void)state;
    struct executor executor;
    open_executor(&executor);
    for (unsigned flags = 0; flags < 2; flags++) {
        struct ends ends;
        struct task_handle waits = { NULL };
        assert_int_equal(oneshot_create(&ends.sender, &ends.receiver, NULL), 0);
        struct talks talks = { .future = { &talks_ops }, .ends = &ends };
        assert_int_equal(spawn_on(&executor, flags, &talks.future, &waits), 0);
        talks.sends = true;
        assert_int_equal(spawn_on(&executor, flags, &talks.future, NULL), 0);
        assert_int_equal(executor_run(&executor), 0);
        assert_int_equal(TASK_OUTPUT(&waits, talks)->result, 7);
        task_detach(&waits);
    }
    close_executor(&executor);
}

/* The contract's world is opened by its cases, so its kind cannot be set by their setup:
 * a test of its own switches over for those that follow. */
static void from_here_on_local(void **state)
{
    assert_int_equal(local_kind(state), 0);
}

static void count_task(struct task *task, void *count)
{
    (void)task;
    ++*(unsigned *)count;
}

/* Its block is cut from the tasks' slab, is no task, and may be the slab's last slot. */
static void W5_it_outlives_the_executor_that_it_was_made_in(void **state)
{
    (void)state;
    struct executor executor;
    unsigned tasks = 0;
    void *value = NULL;
    assert_int_equal(executor_init(&executor, NULL), 0);
    struct task_home *before = task_home_enter(executor.home);
    struct ends ends = open_ends();
    task_home_leave(executor.home, before);
    task_home_each(executor.home, count_task, &tasks);
    assert_int_equal(tasks, 0);
    assert_int_equal(executor_finish(&executor), 0);
    assert_int_equal(oneshot_send(&ends.sender, new_value(8)), 0);
    assert_int_equal(oneshot_try_receive(&ends.receiver, &value), 0);
    assert_int_equal(*(int *)value, 8);
    free(value);
    oneshot_receiver_drop(&ends.receiver);
}

static void from_here_on_shared(void **state)
{
    assert_int_equal(shared_kind(state), 0);
}

#define OF_BOTH_KINDS(test)                                                            \
    cmocka_unit_test_setup(test, shared_kind),                                         \
    {                                                                                  \
        "local: " #test, test, local_kind, shared_kind, NULL                           \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        OF_BOTH_KINDS(send_then_receive),
        OF_BOTH_KINDS(W11_a_send_before_the_close_is_received),
        OF_BOTH_KINDS(W11_a_send_after_the_close_is_refused_and_keeps_the_value),
        OF_BOTH_KINDS(what_nobody_receives_is_disposed_of),
        OF_BOTH_KINDS(a_sender_that_gives_up_is_noticed),
        OF_BOTH_KINDS(a_cancelled_receive_leaves_the_value),
        OF_BOTH_KINDS(without_memory_there_is_no_oneshot),
        OF_BOTH_KINDS(without_a_dispose_nothing_is_owned),
        OF_BOTH_KINDS(W5_it_outlives_the_executor_that_it_was_made_in),
        OF_BOTH_KINDS(sending_twice_is_a_bug),
        FUTURE_CONTRACT(a_receive),
        FUTURE_CONTRACT_WAKES(a_receive),
        FUTURE_CONTRACT_HOLDS(a_receive),
        cmocka_unit_test(from_here_on_local),
        FUTURE_CONTRACT(a_receive),
        FUTURE_CONTRACT_WAKES(a_receive),
        FUTURE_CONTRACT_HOLDS(a_receive),
        cmocka_unit_test(from_here_on_shared),
        cmocka_unit_test(a_task_waits_for_a_task),
        cmocka_unit_test(a_thread_waits_for_a_thread),
        cmocka_unit_test(W1_a_send_between_look_and_sleep_wakes),
        cmocka_unit_test(W11_send_close_and_receive_at_once_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
