/* The channel: order, back-pressure, close and cancel in every state, senders counted,
 * many tasks on the executor and on the pool, failed allocations. */
#include "lesson07_custom/sync_testing.h"

#include "common/testing/faults.h"
#include "lesson01_futures/combine.h"
#include "lesson01_futures/future_contract.h"
#include "lesson07_custom/channel.h"

struct world {
    struct observers observers;
    struct channel *channel;
    int value;
    int into;
};

static struct world world;
static _Atomic int dropped; /* sum of the values that were dropped */

static void drop_int(void *value)
{
    atomic_fetch_add_explicit(&dropped, *(int *)value, memory_order_relaxed);
}

static struct channel *open_channel(size_t capacity)
{
    struct channel *channel;
    struct channel_config config = { .capacity = capacity,
                                     .value_size = sizeof(int),
                                     .drop = drop_int };
    assert_int_equal(channel_create(&channel, &config), 0);
    atomic_store_explicit(&dropped, 0, memory_order_relaxed);
    return channel;
}

static void put_int(struct channel *channel, int value)
{
    assert_int_equal(channel_try_send(channel, &value), 0);
}

static int take_int(struct channel *channel)
{
    int value;
    int err = channel_try_recv(channel, &value);
    return err ? err : value;
}

static void open_world(void *argument)
{
    struct world *self = argument;
    observers_init(&self->observers);
    self->channel = open_channel(2);
    self->value = 7;
}

static void open_full_world(void *argument)
{
    struct world *self = argument;
    open_world(self);
    put_int(self->channel, 1);
    put_int(self->channel, 2);
}

static void close_world(void *argument)
{
    struct world *self = argument;
    channel_drop_receiver(self->channel);
    channel_drop_sender(self->channel);
    observers_check(&self->observers);
}

/* ---- the contract */

static void make_recv(void *argument, void *storage)
{
    struct world *self = argument;
    *(struct channel_recv *)storage = channel_recv(self->channel, &self->into);
}

static void send_one(void *argument, void *storage)
{
    struct world *self = argument;
    (void)storage;
    int err = channel_try_send(self->channel, &self->value);
    CHECK(err == 0 || err == -EAGAIN, "cannot send: %d", err);
}

static int64_t result_of_recv(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct channel_recv *)storage)->result;
}

static void make_send(void *argument, void *storage)
{
    struct world *self = argument;
    *(struct channel_send *)storage = channel_send(self->channel, &self->value);
}

static void take_one(void *argument, void *storage)
{
    struct world *self = argument;
    (void)storage;
    CHECK(channel_try_recv(self->channel, &self->into) == 0, "nothing there");
}

static int64_t result_of_send(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct channel_send *)storage)->result;
}

static struct future_subject a_receive = {
    .name = "channel_recv",
    .size = sizeof(struct channel_recv),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_recv,
    .let_finish = send_one,
    .context = observers_context,
    .wakes = observers_wakes,
    .result = result_of_recv,
    .finished = 0,
    .cancelled = -ECANCELED,
};

static struct future_subject a_send = {
    .name = "channel_send",
    .size = sizeof(struct channel_send),
    .world = &world,
    .setup = open_full_world,
    .teardown = close_world,
    .make = make_send,
    .let_finish = take_one,
    .context = observers_context,
    .wakes = observers_wakes,
    .result = result_of_send,
    .finished = 0,
    .cancelled = -ECANCELED,
};

/* ---- by hand */

static void a_config_without_sense_is_refused(void **state)
{
    (void)state;
    struct channel *channel;
    assert_int_equal(channel_create(&channel, &(struct channel_config){ 0 }), -EINVAL);
    struct channel_config huge = { .capacity = SIZE_MAX / 2, .value_size = 8 };
    assert_int_equal(channel_create(&channel, &huge), -EINVAL);
}

static void failed_allocations_are_reported(void **state)
{
    (void)state;
    const char *calls[] = { "calloc", "malloc" };
    for (unsigned i = 0; i < 2; i++) {
        unsigned failures = 0;
        for (long n = 1; fault_sweep(n, calls[i], ENOMEM); n++) {
            struct channel *channel;
            struct channel_config config = { .value_size = sizeof(int),
                                             .drop = drop_int };
            int err = channel_create(&channel, &config);
            for (int value = 0; err == 0 && value < 40; value++)
                err = channel_try_send(channel, &value);
            failures += err < 0;
            assert_true(err == 0 || err == -ENOMEM);
            assert_int_equal(err != 0, fault_count() != 0);
            if (err == 0 || (i == 1 && n > 2)) { /* it exists, and goes on working */
                fault_disarm();
                assert_int_equal(take_int(channel), 0);
                channel_drop_sender(channel);
                channel_drop_receiver(channel);
            }
        }
        assert_true(failures > 0);
    }
}

static void a_full_channel_says_so_and_an_unbounded_one_grows(void **state)
{
    (void)state;
    struct channel *channel = open_channel(3);
    int value = 9;
    for (int i = 0; i < 3; i++)
        put_int(channel, i);
    assert_int_equal(channel_try_send(channel, &value), -EAGAIN);
    assert_int_equal(channel_length(channel), 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(take_int(channel), i);
    assert_int_equal(take_int(channel), -EAGAIN);
    channel_drop_receiver(channel);
    channel_drop_sender(channel);

    channel = open_channel(0);
    int next = 0;
    for (int i = 0; i < 1000; i++) {
        put_int(channel, i);
        if (i % 3 == 0)
            assert_int_equal(take_int(channel), next++);
    }
    while (next < 1000)
        assert_int_equal(take_int(channel), next++);
    channel_drop_receiver(channel);
    channel_drop_sender(channel);
}

static void waiting_sends_go_in_their_order(void **state)
{
    (void)state;
    struct world *self = &world;
    static const int numbers[3] = { 100, 101, 102 };
    struct channel_send sends[3];
    open_full_world(self);
    for (unsigned i = 0; i < 3; i++) {
        sends[i] = channel_send(self->channel, &numbers[i]);
        assert_int_equal(observer_poll(&self->observers, i, &sends[i].future),
                         POLL_PENDING);
    }
    assert_int_equal(take_int(self->channel), 1);
    assert_int_equal(observer_wakes(&self->observers, 0), 1);
    assert_int_equal(observer_wakes(&self->observers, 1), 0);
    assert_int_equal(channel_try_send(self->channel, &self->value), -EAGAIN);
    assert_int_equal(take_int(self->channel), 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(observer_poll(&self->observers, i, &sends[i].future),
                         POLL_READY);
        assert_int_equal(sends[i].result, 0);
    }
    for (int i = 0; i < 3; i++)
        assert_int_equal(take_int(self->channel), 100 + i);
    assert_int_equal(observer_poll(&self->observers, 2, &sends[2].future), POLL_READY);
    close_world(self);
}

static void a_cancelled_send_tells_whether_it_happened(void **state)
{
    (void)state;
    struct world *self = &world;
    static const int numbers[2] = { 100, 101 };
    struct channel_send sends[2];
    open_full_world(self);
    for (unsigned i = 0; i < 2; i++) {
        sends[i] = channel_send(self->channel, &numbers[i]);
        observer_poll(&self->observers, i, &sends[i].future);
    }
    take_one(self, NULL); /* the first value goes in */
    for (unsigned i = 0; i < 2; i++) {
        future_cancel(&sends[i].future);
        assert_int_equal(observer_poll(&self->observers, i, &sends[i].future),
                         POLL_READY);
    }
    assert_int_equal(sends[0].result, 0);
    assert_int_equal(sends[1].result, -ECANCELED);
    assert_int_equal(take_int(self->channel), 2);
    assert_int_equal(take_int(self->channel), 100);
    assert_int_equal(take_int(self->channel), -EAGAIN);
    close_world(self);
}

static void W9_channel_cancelled_receiver_passes_its_value_on(void **state)
{
    (void)state;
    struct world *self = &world;
    int into[3];
    struct channel_recv recvs[3];
    open_world(self);
    for (unsigned i = 0; i < 3; i++) {
        recvs[i] = channel_recv(self->channel, &into[i]);
        assert_int_equal(observer_poll(&self->observers, i, &recvs[i].future),
                         POLL_PENDING);
    }
    put_int(self->channel, 42); /* for the first, which is cancelled before it looks */
    future_cancel(&recvs[0].future);
    assert_int_equal(observer_poll(&self->observers, 0, &recvs[0].future), POLL_READY);
    assert_int_equal(recvs[0].result, -ECANCELED);
    assert_int_equal(observer_wakes(&self->observers, 1), 1);
    assert_int_equal(observer_wakes(&self->observers, 2), 0);
    assert_int_equal(observer_poll(&self->observers, 1, &recvs[1].future), POLL_READY);
    assert_int_equal(into[1], 42);
    future_cancel(&recvs[2].future); /* nothing was for this one */
    assert_int_equal(observer_poll(&self->observers, 2, &recvs[2].future), POLL_READY);
    close_world(self);
}

static void a_receiver_that_was_overtaken_waits_again(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    struct channel_recv recv = channel_recv(self->channel, &self->into);
    observer_poll(&self->observers, 0, &recv.future);
    put_int(self->channel, 1);
    assert_int_equal(take_int(self->channel), 1);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_PENDING);
    put_int(self->channel, 2);
    assert_int_equal(observer_wakes(&self->observers, 0), 2);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_READY);
    assert_int_equal(self->into, 2);
    close_world(self);
}

static void W11_channel_close_loses_nothing_that_was_sent(void **state)
{
    (void)state;
    struct world *self = &world;
    struct channel_send sends[2];
    static const int numbers[2] = { 100, 101 };
    open_full_world(self);
    for (unsigned i = 0; i < 2; i++) {
        sends[i] = channel_send(self->channel, &numbers[i]);
        observer_poll(&self->observers, i, &sends[i].future);
    }
    take_one(self, NULL); /* the first waiting value is in */
    channel_close(self->channel);
    channel_close(self->channel);
    assert_int_equal(observer_poll(&self->observers, 0, &sends[0].future), POLL_READY);
    assert_int_equal(observer_wakes(&self->observers, 1), 1);
    assert_int_equal(observer_poll(&self->observers, 1, &sends[1].future), POLL_READY);
    assert_int_equal(sends[0].result, 0); /* it was sent before */
    assert_int_equal(sends[1].result, -EPIPE);
    assert_int_equal(channel_try_send(self->channel, &self->value), -EPIPE);
    assert_int_equal(take_int(self->channel), 2);
    assert_int_equal(take_int(self->channel), 100);
    assert_int_equal(take_int(self->channel), -EPIPE);
    close_world(self);
}

static void the_last_sender_closes(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    struct channel_recv recvs[20];
    int into[20];
    for (unsigned i = 0; i < 20; i++) { /* more than one batch of wakes */
        recvs[i] = channel_recv(self->channel, &into[i]);
        observer_poll(&self->observers, 0, &recvs[i].future);
    }
    channel_add_sender(self->channel);
    channel_drop_sender(self->channel);
    assert_int_equal(observer_wakes(&self->observers, 0), 0);
    channel_drop_sender(self->channel);
    assert_int_equal(observer_wakes(&self->observers, 0), 20);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(observer_poll(&self->observers, 0, &recvs[i].future),
                         POLL_READY);
        assert_int_equal(recvs[i].result, -EPIPE);
    }
    channel_drop_receiver(self->channel);
    observers_check(&self->observers);
}

static void what_nobody_receives_is_dropped(void **state)
{
    (void)state;
    struct channel *channel = open_channel(4);
    put_int(channel, 3);
    put_int(channel, 4);
    channel_drop_receiver(channel);
    assert_int_equal(atomic_load_explicit(&dropped, memory_order_relaxed), 7);
    int value = 1;
    assert_int_equal(channel_try_send(channel, &value), -EPIPE); /* ours again */
    channel_drop_sender(channel);
    assert_int_equal(atomic_load_explicit(&dropped, memory_order_relaxed), 7);
}

static void drop_too_often(void *argument)
{
    struct channel *channel = argument;
    channel_drop_sender(channel);
    channel_drop_sender(channel);
}

static void one_drop_too_many_dies(void **state)
{
    (void)state;
    struct channel *channel = open_channel(1);
    assert_dies(drop_too_often, channel, "more senders of a channel dropped");
    channel_drop_sender(channel);
    channel_drop_receiver(channel);
}

static void *try_to_take(void *channel)
{
    int value;
    channel_try_recv(channel, &value);
    return NULL;
}

static void take_on_another_thread(void *channel)
{
    pthread_t thread;
    pthread_create(&thread, NULL, try_to_take, channel);
    pthread_join(thread, NULL);
}

static void a_local_channel_belongs_to_one_thread(void **state)
{
    (void)state;
    struct executor executor;
    struct channel *channel;
    struct channel_config config = { .value_size = sizeof(int), .local = true };
    assert_int_equal(executor_init(&executor, NULL), 0);
    assert_int_equal(channel_create(&channel, &config), 0);
    struct task_home *before = task_home_enter(executor.home);
    put_int(channel, 1);
    put_int(channel, 2);
    assert_int_equal(take_int(channel), 1);
    assert_dies(take_on_another_thread, channel, "a LOCAL channel was used on another");
    channel_drop_sender(channel);
    assert_int_equal(take_int(channel), 2);
    assert_int_equal(take_int(channel), -EPIPE);
    channel_drop_receiver(channel);
    task_home_leave(executor.home, before);
    assert_int_equal(executor_finish(&executor), 0);
}

static void *lock_and_wake;

static void wake_that_sends(void *data)
{
    (void)data;
    int value = 1;
    channel_try_send(lock_and_wake, &value);
}

static struct waker clone_that_sends(void *data)
{
    static const struct waker_ops ops = { clone_that_sends, wake_that_sends,
                                          wake_that_sends, wake_that_sends };
    return (struct waker){ &ops, data };
}

static void W6_channel_wakes_outside_its_lock(void **state)
{
    (void)state;
    struct channel *channel = open_channel(4);
    lock_and_wake = channel;
    struct waker waker = clone_that_sends(NULL);
    struct context context = { &waker, CONTEXT_BUDGET };
    int into;
    struct channel_recv recv = channel_recv(channel, &into);
    assert_int_equal(future_poll(&recv.future, &context), POLL_PENDING);
    put_int(channel, 5); /* the wake sends, too: under the lock that would hang */
    assert_int_equal(future_poll(&recv.future, &context), POLL_READY);
    assert_int_equal(into, 5);
    assert_int_equal(take_int(channel), 1);
    channel_drop_sender(channel);
    channel_drop_receiver(channel);
}

/* ---- many tasks */

#define SENDERS 8
#define EACH 400

struct sender {
    ASYNC_FRAME;
    struct channel *channel; /* owns a sender's share */
    int first;
    int i;
    int value;
    struct channel_send send;
};

static enum poll_state sender_poll(struct future *future, struct context *context)
{
    struct sender *self = ASYNC_SELF(sender, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < EACH; self->i++) {
        self->value = self->first + self->i;
        AWAIT(self->send, channel_send(self->channel, &self->value));
        if (self->send.result < 0)
            break;
    }
    channel_drop_sender(self->channel);
    ASYNC_END;
}

static const struct future_ops sender_ops = ASYNC_OPS(sender);

static struct sender sender(struct channel *channel, int first)
{
    return (
        struct sender){ .future = { &sender_ops }, .channel = channel, .first = first };
}

/* Receives until the end; each third receive is raced against a yield, whose win cancels
 * it. */
struct receiver {
    ASYNC_FRAME;
    struct channel *channel; /* borrows */
    _Atomic unsigned *seen;  /* borrows: one for each value */
    int value;
    int result;
    unsigned rounds;
    struct channel_recv recv;
    struct yield yield;
    struct future *both[2];
    struct race race;
};

static enum poll_state receiver_poll(struct future *future, struct context *context)
{
    struct receiver *self = ASYNC_SELF(receiver, future);
    ASYNC_BEGIN(self, context);
    do {
        self->recv = channel_recv(self->channel, &self->value);
        self->yield = yield_now();
        self->both[0] = &self->recv.future;
        self->both[1] = self->rounds++ % 3 ? NULL : &self->yield.future;
        AWAIT(self->race, race(self->both, 2));
        if (self->recv.result == 0)
            atomic_fetch_add_explicit(&self->seen[self->value], 1,
                                      memory_order_relaxed);
    } while (self->recv.result != -EPIPE);
    ASYNC_END;
}

static const struct future_ops receiver_ops = ASYNC_OPS(receiver);

static struct receiver receiver(struct channel *channel, _Atomic unsigned *seen)
{
    return (struct receiver){ .future = { &receiver_ops },
                              .channel = channel,
                              .seen = seen };
}

static void every_value_arrives_once(struct stage *stage)
{
    static _Atomic unsigned seen[SENDERS * EACH];
    for (unsigned receivers = 1; receivers <= 4; receivers += 3) {
        struct channel *channel = open_channel(5);
        memset(seen, 0, sizeof seen);
        for (unsigned i = 0; i < receivers; i++)
            assert_int_equal(SPAWN(stage->scheduler, NULL, receiver(channel, seen)), 0);
        for (int i = 0; i < SENDERS; i++) {
            channel_add_sender(channel);
            assert_int_equal(SPAWN(stage->scheduler, NULL, sender(channel, i * EACH)),
                             0);
        }
        channel_drop_sender(channel);
        stage_run(stage);
        for (unsigned i = 0; i < SENDERS * EACH; i++)
            assert_int_equal(atomic_load_explicit(&seen[i], memory_order_relaxed), 1);
        channel_drop_receiver(channel);
    }
}
ON_EACH_STAGE(every_value_arrives_once)

/* Senders are cancelled in mid-send: what a send said was sent arrives, nothing else. */
struct cancelled_sender {
    ASYNC_FRAME;
    struct channel *channel; /* owns a sender's share */
    _Atomic long *sum;       /* borrows */
    int value;
    struct channel_send send;
};

static enum poll_state cancelled_sender_poll(struct future *future,
                                             struct context *context)
{
    struct cancelled_sender *self = ASYNC_SELF(cancelled_sender, future);
    ASYNC_BEGIN(self, context);
    for (self->value = 1;; self->value++) {
        AWAIT(self->send, channel_send(self->channel, &self->value));
        if (self->send.result < 0)
            break;
        atomic_fetch_add_explicit(self->sum, self->value, memory_order_relaxed);
    }
    channel_drop_sender(self->channel);
    ASYNC_END;
}

static const struct future_ops cancelled_sender_ops = ASYNC_OPS(cancelled_sender);

static struct cancelled_sender cancelled_sender(struct channel *channel,
                                                _Atomic long *sum)
{
    return (struct cancelled_sender){ .future = { &cancelled_sender_ops },
                                      .channel = channel,
                                      .sum = sum };
}

struct adder {
    ASYNC_FRAME;
    struct channel *channel; /* borrows */
    struct task_handle *to_cancel;
    unsigned count;
    long sum;
    int value;
    struct channel_recv recv;
};

static enum poll_state adder_poll(struct future *future, struct context *context)
{
    struct adder *self = ASYNC_SELF(adder, future);
    ASYNC_BEGIN(self, context);
    for (;;) {
        AWAIT(self->recv, channel_recv(self->channel, &self->value));
        if (self->recv.result < 0)
            break;
        self->sum += self->value;
        if (++self->count % 50 == 0 && self->count / 50 <= SENDERS)
            task_cancel(&self->to_cancel[self->count / 50 - 1]);
    }
    ASYNC_END;
}

static const struct future_ops adder_ops = ASYNC_OPS(adder);

static struct adder adder(struct channel *channel, struct task_handle *to_cancel)
{
    return (struct adder){ .future = { &adder_ops },
                           .channel = channel,
                           .to_cancel = to_cancel };
}

static void a_cancel_neither_loses_nor_doubles_a_value(struct stage *stage)
{
    struct channel *channel = open_channel(3);
    struct task_handle senders[SENDERS] = { 0 };
    struct task_handle receiving = { 0 };
    _Atomic long sum = 0;
    for (unsigned i = 0; i < SENDERS; i++) {
        channel_add_sender(channel);
        assert_int_equal(
            SPAWN(stage->scheduler, &senders[i], cancelled_sender(channel, &sum)), 0);
    }
    channel_drop_sender(channel);
    assert_int_equal(SPAWN(stage->scheduler, &receiving, adder(channel, senders)), 0);
    stage_run(stage);
    assert_int_equal(TASK_OUTPUT(&receiving, adder)->sum,
                     atomic_load_explicit(&sum, memory_order_relaxed));
    task_detach(&receiving);
    for (unsigned i = 0; i < SENDERS; i++)
        task_detach(&senders[i]);
    channel_drop_receiver(channel);
}
ON_EACH_STAGE(a_cancel_neither_loses_nor_doubles_a_value)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(a_receive),
        FUTURE_CONTRACT_WAKES(a_receive),
        FUTURE_CONTRACT(a_send),
        FUTURE_CONTRACT_WAKES(a_send),
        cmocka_unit_test(a_config_without_sense_is_refused),
        cmocka_unit_test(failed_allocations_are_reported),
        cmocka_unit_test(a_full_channel_says_so_and_an_unbounded_one_grows),
        cmocka_unit_test(waiting_sends_go_in_their_order),
        cmocka_unit_test(a_cancelled_send_tells_whether_it_happened),
        cmocka_unit_test(W9_channel_cancelled_receiver_passes_its_value_on),
        cmocka_unit_test(a_receiver_that_was_overtaken_waits_again),
        cmocka_unit_test(W11_channel_close_loses_nothing_that_was_sent),
        cmocka_unit_test(the_last_sender_closes),
        cmocka_unit_test(what_nobody_receives_is_dropped),
        cmocka_unit_test(one_drop_too_many_dies),
        cmocka_unit_test(W6_channel_wakes_outside_its_lock),
        cmocka_unit_test(a_local_channel_belongs_to_one_thread),
        ON_EACH_STAGE_TESTS(every_value_arrives_once),
        ON_EACH_STAGE_TESTS(a_cancel_neither_loses_nor_doubles_a_value),
    };
    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
