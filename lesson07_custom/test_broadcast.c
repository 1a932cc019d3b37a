/* The broadcast: every value to every reader, what was missed is counted, close and
 * cancel. */
#include "lesson07_custom/sync_testing.h"

#include "common/testing/faults.h"
#include "lesson01_futures/future_contract.h"
#include "lesson07_custom/broadcast.h"

struct world {
    struct observers observers; /* first: observers_context */
    struct broadcast broadcast;
    struct broadcast_reader reader;
    int into;
};

static struct world world;

static void open_world(void *argument)
{
    struct world *self = argument;
    observers_init(&self->observers);
    assert_int_equal(broadcast_init(&self->broadcast, 4, sizeof(int)), 0);
    self->reader = broadcast_subscribe(&self->broadcast);
}

static void close_world(void *argument)
{
    struct world *self = argument;
    broadcast_finish(&self->broadcast);
    observers_check(&self->observers);
}

static void make_recv(void *argument, void *storage)
{
    struct world *self = argument;
    *(struct broadcast_recv *)storage = broadcast_recv(&self->reader, &self->into);
}

static void send_seven(void *argument, void *storage)
{
    (void)storage;
    CHECK(broadcast_send(&((struct world *)argument)->broadcast, &(int){ 7 }) == 0,
          "closed");
}

static int64_t result_of_recv(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct broadcast_recv *)storage)->result;
}

static unsigned long values_taken(void *argument)
{
    return ((struct world *)argument)->reader.next;
}

static struct future_subject a_receive = {
    .name = "broadcast_recv",
    .size = sizeof(struct broadcast_recv),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_recv,
    .let_finish = send_seven,
    .context = observers_context,
    .wakes = observers_wakes,
    .effects = values_taken,
    .result = result_of_recv,
    .finished = 0,
    .cancelled = -ECANCELED,
};

static void failures_are_reported(void **state)
{
    (void)state;
    struct broadcast broadcast;
    assert_int_equal(broadcast_init(&broadcast, 0, 4), -EINVAL);
    assert_int_equal(broadcast_init(&broadcast, 4, 0), -EINVAL);
    assert_int_equal(broadcast_init(&broadcast, SIZE_MAX, 4), -EINVAL);
    fault_arm("calloc", 1, ENOMEM);
    assert_int_equal(broadcast_init(&broadcast, 4, 4), -ENOMEM);
    fault_disarm();
    broadcast_finish(&broadcast);
    broadcast_finish(NULL);
}

/* Receives at once: the value, or the error. */
static int receive(struct world *self, uint64_t *missed)
{
    struct broadcast_recv recv = broadcast_recv(&self->reader, &self->into);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_READY);
    *missed = recv.missed;
    return recv.result < 0 ? recv.result : self->into;
}

static void a_slow_reader_is_told_how_many_it_missed(void **state)
{
    (void)state;
    struct world *self = &world;
    uint64_t missed;
    open_world(self);
    for (int i = 0; i < 4; i++)
        assert_int_equal(broadcast_send(&self->broadcast, &i), 0);
    assert_int_equal(receive(self, &missed), 0); /* full, and nothing lost yet */
    assert_int_equal(missed, 0);
    for (int i = 4; i < 11; i++)
        assert_int_equal(broadcast_send(&self->broadcast, &i), 0);
    assert_int_equal(receive(self, &missed), 7); /* 1 .. 6 are gone */
    assert_int_equal(missed, 6);
    for (int i = 8; i < 11; i++) {
        assert_int_equal(receive(self, &missed), i);
        assert_int_equal(missed, 0);
    }
    for (int i = 11; i < 16; i++) /* one more than there is room for */
        assert_int_equal(broadcast_send(&self->broadcast, &i), 0);
    assert_int_equal(receive(self, &missed), 12);
    assert_int_equal(missed, 1);
    close_world(self);
}

static void W11_broadcast_close_loses_nothing_that_was_sent(void **state)
{
    (void)state;
    struct world *self = &world;
    uint64_t missed;
    open_world(self);
    send_seven(self, NULL);
    broadcast_close(&self->broadcast);
    assert_int_equal(broadcast_send(&self->broadcast, &(int){ 8 }), -EPIPE);
    struct broadcast_reader late = broadcast_subscribe(&self->broadcast);
    assert_int_equal(receive(self, &missed), 7);
    assert_int_equal(receive(self, &missed), -EPIPE);
    self->reader = late;
    assert_int_equal(receive(self, &missed), -EPIPE);
    close_world(self);
}

static void W9_broadcast_cancelled_reader_stands_where_it_stood(void **state)
{
    (void)state;
    struct world *self = &world;
    uint64_t missed;
    open_world(self);
    struct broadcast_recv recv = broadcast_recv(&self->reader, &self->into);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_PENDING);
    send_seven(self, NULL);
    future_cancel(&recv.future);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_READY);
    assert_int_equal(recv.result, -ECANCELED);
    assert_int_equal(receive(self, &missed), 7);
    close_world(self);
}

static void a_close_wakes_more_readers_than_a_batch(void **state)
{
    (void)state;
    struct world *self = &world;
    struct broadcast_reader readers[40];
    struct broadcast_recv recvs[40];
    int into[40];
    open_world(self);
    for (unsigned i = 0; i < 40; i++) {
        readers[i] = broadcast_subscribe(&self->broadcast);
        recvs[i] = broadcast_recv(&readers[i], &into[i]);
        observer_poll(&self->observers, 0, &recvs[i].future);
    }
    broadcast_close(&self->broadcast);
    assert_int_equal(observer_wakes(&self->observers, 0), 40);
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(observer_poll(&self->observers, 0, &recvs[i].future),
                         POLL_READY);
        assert_int_equal(recvs[i].result, -EPIPE);
    }
    close_world(self);
}

/* ---- many tasks */

#define READERS 12
#define VALUES 800

struct reading {
    ASYNC_FRAME;
    struct broadcast_reader reader;
    int value;
    int last;
    uint64_t got, missed;
    unsigned wrong;
    struct broadcast_recv recv;
};

static enum poll_state reading_poll(struct future *future, struct context *context)
{
    struct reading *self = ASYNC_SELF(reading, future);
    ASYNC_BEGIN(self, context);
    for (;;) {
        AWAIT(self->recv, broadcast_recv(&self->reader, &self->value));
        if (self->recv.result < 0)
            break;
        self->got++;
        self->missed += self->recv.missed;
        self->wrong += self->value != self->last + 1 + (int)self->recv.missed;
        self->last = self->value;
    }
    ASYNC_END;
}

static const struct future_ops reading_ops = ASYNC_OPS(reading);

static struct reading reading(struct broadcast *broadcast)
{
    return (struct reading){ .future = { &reading_ops },
                             .reader = broadcast_subscribe(broadcast),
                             .last = -1 };
}

struct sending {
    ASYNC_FRAME;
    struct broadcast *broadcast; /* borrows */
    int i;
    struct yield yield;
};

static enum poll_state sending_poll(struct future *future, struct context *context)
{
    struct sending *self = ASYNC_SELF(sending, future);
    ASYNC_BEGIN(self, context);
    for (self->i = 0; self->i < VALUES; self->i++) {
        broadcast_send(self->broadcast, &self->i);
        if (self->i % 7 == 0) /* bursts, longer than the ring */
            AWAIT(self->yield, yield_now());
    }
    broadcast_close(self->broadcast);
    ASYNC_END;
}

static const struct future_ops sending_ops = ASYNC_OPS(sending);

static struct sending sending(struct broadcast *broadcast)
{
    return (struct sending){ .future = { &sending_ops }, .broadcast = broadcast };
}

static void got_and_missed_make_up_all(struct stage *stage)
{
    struct broadcast broadcast;
    struct task_handle readers[READERS];
    assert_int_equal(broadcast_init(&broadcast, 4, sizeof(int)), 0);
    for (unsigned i = 0; i < READERS; i++)
        assert_int_equal(SPAWN(stage->scheduler, &readers[i], reading(&broadcast)), 0);
    assert_int_equal(SPAWN(stage->scheduler, NULL, sending(&broadcast)), 0);
    stage_run(stage);
    for (unsigned i = 0; i < READERS; i++) {
        struct reading *read = TASK_OUTPUT(&readers[i], reading);
        assert_int_equal(read->got + read->missed, VALUES);
        assert_int_equal(read->last, VALUES - 1);
        assert_int_equal(read->wrong, 0);
        task_detach(&readers[i]);
    }
    broadcast_finish(&broadcast);
}
ON_EACH_STAGE(got_and_missed_make_up_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(a_receive),
        FUTURE_CONTRACT_WAKES(a_receive),
        cmocka_unit_test(failures_are_reported),
        cmocka_unit_test(a_slow_reader_is_told_how_many_it_missed),
        cmocka_unit_test(W11_broadcast_close_loses_nothing_that_was_sent),
        cmocka_unit_test(W9_broadcast_cancelled_reader_stands_where_it_stood),
        cmocka_unit_test(a_close_wakes_more_readers_than_a_batch),
        ON_EACH_STAGE_TESTS(got_and_missed_make_up_all),
    };
    return cmocka_run_group_tests_name("broadcast", tests, NULL, NULL);
}
