/* The mailbox: order, batches and wrap-around; who waits is woken; close and cancel lose
 * nothing; two threads, and two executors that sleep. */
#include "lesson07_custom/sync_testing.h"

#include "common/testing/faults.h"
#include "lesson01_futures/future_contract.h"
#include "lesson07_custom/mailbox.h"

/* ---- the contract */

struct world {
    struct observers observers;
    struct mailbox mailbox;
    uint64_t message;
    uint64_t into[4];
};

static struct world world;

static void open_world(void *argument)
{
    struct world *self = argument;
    observers_init(&self->observers);
    assert_int_equal(mailbox_init(&self->mailbox, 2, sizeof(uint64_t), NULL), 0);
    self->message = 7;
}

static void open_full_world(void *argument)
{
    struct world *self = argument;
    open_world(self);
    assert_int_equal(mailbox_try_send(&self->mailbox, &self->message), 0);
    assert_int_equal(mailbox_try_send(&self->mailbox, &self->message), 0);
}

static void close_world(void *argument)
{
    struct world *self = argument;
    mailbox_finish(&self->mailbox);
    observers_check(&self->observers);
}

static unsigned long messages_received(void *argument)
{
    struct world *self = argument;
    return atomic_load_explicit(&self->mailbox.head, memory_order_relaxed);
}

static unsigned long messages_sent(void *argument)
{
    struct world *self = argument;
    return atomic_load_explicit(&self->mailbox.tail, memory_order_relaxed);
}

static void make_recv(void *argument, void *storage)
{
    struct world *self = argument;
    *(struct mailbox_recv *)storage = mailbox_recv(&self->mailbox, self->into, 4);
}

static void send_one(void *argument, void *storage)
{
    struct world *self = argument;
    (void)storage;
    CHECK(mailbox_try_send(&self->mailbox, &self->message) == 0, "no room");
}

static int64_t result_of_recv(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct mailbox_recv *)storage)->result;
}

static void make_send(void *argument, void *storage)
{
    struct world *self = argument;
    *(struct mailbox_send *)storage = mailbox_send(&self->mailbox, &self->message);
}

static void take_one(void *argument, void *storage)
{
    struct world *self = argument;
    (void)storage;
    CHECK(mailbox_try_recv(&self->mailbox, self->into) == 0, "nothing there");
}

static int64_t result_of_send(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct mailbox_send *)storage)->result;
}

static struct future_subject a_receive = {
    .name = "mailbox_recv",
    .size = sizeof(struct mailbox_recv),
    .world = &world,
    .setup = open_world,
    .teardown = close_world,
    .make = make_recv,
    .let_finish = send_one,
    .context = observers_context,
    .wakes = observers_wakes,
    .effects = messages_received,
    .result = result_of_recv,
    .finished = 1,
    .cancelled = -ECANCELED,
};

static struct future_subject a_send = {
    .name = "mailbox_send",
    .size = sizeof(struct mailbox_send),
    .world = &world,
    .setup = open_full_world,
    .teardown = close_world,
    .make = make_send,
    .let_finish = take_one,
    .context = observers_context,
    .wakes = observers_wakes,
    .effects = messages_sent,
    .result = result_of_send,
    .finished = 0,
    .cancelled = -ECANCELED,
};

/* ---- by hand */

static void a_config_without_sense_is_refused(void **state)
{
    (void)state;
    struct mailbox box;
    assert_int_equal(mailbox_init(&box, 0, 8, NULL), -EINVAL);
    mailbox_finish(&box);
    assert_int_equal(mailbox_init(&box, 8, 0, NULL), -EINVAL);
    assert_int_equal(mailbox_init(&box, SIZE_MAX, 1, NULL), -EINVAL);
    fault_arm("calloc", 1, ENOMEM);
    assert_int_equal(mailbox_init(&box, 8, 8, NULL), -ENOMEM);
    fault_disarm();
    mailbox_finish(&box);
    mailbox_finish(NULL);
}

static void messages_come_in_order_over_many_rounds(void **state)
{
    (void)state;
    struct mailbox box;
    uint32_t sent = 0, received = 0;
    uint32_t batch[5], into[5];
    assert_int_equal(mailbox_init(&box, 7, sizeof(uint32_t), NULL), 0);
    assert_int_equal(box.capacity, 8);
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < 5; i++)
            batch[i] = sent + i;
        int64_t n = mailbox_try_send_batch(&box, batch, 1 + round % 5);
        assert_true(n > 0 || n == -EAGAIN);
        sent += n > 0 ? (uint32_t)n : 0;
        n = mailbox_try_recv_batch(&box, into, 1 + round % 3);
        for (int64_t i = 0; i < n; i++)
            assert_int_equal(into[i], received++);
    }
    while (mailbox_try_recv(&box, into) == 0)
        assert_int_equal(into[0], received++);
    assert_int_equal(received, sent);
    assert_int_equal(mailbox_try_recv(&box, into), -EAGAIN);
    mailbox_finish(&box);
}

static void a_full_mailbox_takes_a_part_of_a_batch(void **state)
{
    (void)state;
    struct mailbox box;
    const char *text = "abcdef";
    char into[8];
    assert_int_equal(mailbox_init(&box, 4, 1, NULL), 0);
    assert_int_equal(mailbox_try_send_batch(&box, text, 6), 4);
    assert_int_equal(mailbox_try_send(&box, "x"), -EAGAIN);
    assert_int_equal(mailbox_try_recv_batch(&box, into, 3), 3);
    assert_memory_equal(into, "abc", 3);
    assert_int_equal(mailbox_try_send_batch(&box, text + 4, 2), 2); /* wraps */
    assert_int_equal(mailbox_try_recv_batch(&box, into, 8), 3);
    assert_memory_equal(into, "def", 3);
    mailbox_finish(&box);
}

static void closing_loses_nothing_that_was_sent(void **state)
{
    (void)state;
    struct mailbox box;
    char into[4];
    assert_int_equal(mailbox_init(&box, 4, 1, NULL), 0);
    assert_int_equal(mailbox_try_send_batch(&box, "ab", 2), 2);
    mailbox_close_sender(&box);
    assert_int_equal(mailbox_try_send(&box, "x"), -EPIPE);
    assert_int_equal(mailbox_try_recv(&box, into), 0);
    mailbox_close_receiver(&box); /* what is left can still be taken */
    assert_int_equal(mailbox_try_recv(&box, into + 1), 0);
    assert_memory_equal(into, "ab", 2);
    assert_int_equal(mailbox_try_recv(&box, into), -EPIPE);
    mailbox_finish(&box);
}

static void a_waiting_receiver_is_woken_by_a_close(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    struct mailbox_recv recv = mailbox_recv(&self->mailbox, self->into, 4);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_PENDING);
    mailbox_close_sender(&self->mailbox);
    assert_int_equal(observer_wakes(&self->observers, 0), 1);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_READY);
    assert_int_equal(recv.result, -EPIPE);
    close_world(self);
}

static void W3_one_wake_for_many_messages(void **state)
{
    (void)state;
    struct world *self = &world;
    open_world(self);
    struct mailbox_recv recv = mailbox_recv(&self->mailbox, self->into, 4);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_PENDING);
    assert_int_equal(mailbox_try_send(&self->mailbox, &self->message), 0);
    assert_int_equal(mailbox_try_send(&self->mailbox, &self->message), 0);
    assert_int_equal(observer_wakes(&self->observers, 0), 1);
    assert_int_equal(observer_poll(&self->observers, 0, &recv.future), POLL_READY);
    assert_int_equal(recv.result, 2);
    close_world(self);
}

/* Three sends wait in line for a full mailbox. */
static void line_up(struct world *self, struct mailbox_send sends[3])
{
    static const uint64_t numbers[3] = { 100, 101, 102 };
    open_full_world(self);
    for (unsigned i = 0; i < 3; i++) {
        sends[i] = mailbox_send(&self->mailbox, &numbers[i]);
        assert_int_equal(observer_poll(&self->observers, i, &sends[i].future),
                         POLL_PENDING);
    }
}

static void waiting_sends_go_in_their_order(void **state)
{
    (void)state;
    struct world *self = &world;
    struct mailbox_send sends[3];
    line_up(self, sends);
    take_one(self, NULL);
    take_one(self, NULL);
    assert_int_equal(observer_wakes(&self->observers, 0), 1);
    assert_int_equal(observer_wakes(&self->observers, 1), 0);
    /* There is room, but not for one that has not waited: */
    assert_int_equal(mailbox_try_send(&self->mailbox, &self->message), -EAGAIN);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(observer_wakes(&self->observers, i), 1);
        assert_int_equal(observer_poll(&self->observers, i, &sends[i].future),
                         POLL_READY);
        assert_int_equal(sends[i].result, 0);
    }
    assert_int_equal(observer_poll(&self->observers, 2, &sends[2].future),
                     POLL_PENDING);
    for (uint64_t i = 0; i < 2; i++) {
        take_one(self, NULL);
        assert_int_equal(self->into[0], 100 + i);
    }
    assert_int_equal(observer_wakes(&self->observers, 2), 2); /* first in line; room */
    assert_int_equal(observer_poll(&self->observers, 2, &sends[2].future), POLL_READY);
    take_one(self, NULL);
    assert_int_equal(self->into[0], 102);
    close_world(self);
}

static void W9_mailbox_cancelled_sender_passes_the_room_on(void **state)
{
    (void)state;
    struct world *self = &world;
    struct mailbox_send sends[3];
    line_up(self, sends);
    take_one(self, NULL); /* wakes the first, which is cancelled before it looks */
    future_cancel(&sends[0].future);
    assert_int_equal(observer_poll(&self->observers, 0, &sends[0].future), POLL_READY);
    assert_int_equal(sends[0].result, -ECANCELED);
    assert_int_equal(observer_wakes(&self->observers, 1), 1);
    future_cancel(&sends[2].future); /* one from behind leaves, too */
    assert_int_equal(observer_poll(&self->observers, 2, &sends[2].future), POLL_READY);
    assert_int_equal(observer_poll(&self->observers, 1, &sends[1].future), POLL_READY);
    assert_int_equal(sends[1].result, 0);
    take_one(self, NULL);
    take_one(self, NULL);
    assert_int_equal(self->into[0], 101);
    close_world(self);
}

static void a_close_ends_every_waiting_send(void **state)
{
    (void)state;
    for (unsigned from_receiver = 0; from_receiver < 2; from_receiver++) {
        struct world *self = &world;
        struct mailbox_send sends[3];
        line_up(self, sends);
        if (from_receiver)
            mailbox_close_receiver(&self->mailbox);
        else
            mailbox_close_sender(&self->mailbox);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(observer_wakes(&self->observers, i), 1);
            assert_int_equal(observer_poll(&self->observers, i, &sends[i].future),
                             POLL_READY);
            assert_int_equal(sends[i].result, -EPIPE);
        }
        close_world(self);
    }
}

static void finish_with_a_waiting_send(void *argument)
{
    struct mailbox_send sends[3];
    line_up(argument, sends);
    mailbox_finish(&((struct world *)argument)->mailbox);
}

static void a_finish_under_a_waiting_send_dies(void **state)
{
    (void)state;
    assert_dies(finish_with_a_waiting_send, &world, "while a send waits");
}

/* ---- two raw threads */

#define MANY 20000

static void *send_many(void *argument)
{
    struct mailbox *box = argument;
    uint64_t batch[16];
    for (uint64_t sent = 0; sent < MANY;) {
        uint64_t count = 1 + sent % 16;
        count = count < MANY - sent ? count : MANY - sent;
        for (uint64_t i = 0; i < count; i++)
            batch[i] = sent + i;
        int64_t n = mailbox_try_send_batch(box, batch, count);
        if (n > 0)
            sent += (uint64_t)n;
        else
            testing_pause();
    }
    mailbox_close_sender(box);
    return NULL;
}

static void two_threads_lose_nothing_and_keep_the_order(void **state)
{
    (void)state;
    struct mailbox box;
    uint64_t into[16], received = 0, wrong = 0;
    int64_t n;
    assert_int_equal(mailbox_init(&box, 32, sizeof(uint64_t), NULL), 0);
    pthread_t sender = start_thread(send_many, &box);
    while ((n = mailbox_try_recv_batch(&box, into, 16)) != -EPIPE) {
        for (int64_t i = 0; i < n; i++)
            wrong += into[i] != received++;
        if (n < 0)
            testing_pause();
    }
    pthread_join(sender, NULL);
    assert_int_equal(received, MANY);
    assert_int_equal(wrong, 0);
    mailbox_finish(&box);
}

#define BOXES 3000

static void *send_and_close(void *argument)
{
    struct mailbox *boxes = argument;
    for (unsigned i = 0; i < BOXES; i++) {
        CHECK(mailbox_try_send(&boxes[i], &i) == 0, "an empty mailbox is full");
        mailbox_close_sender(&boxes[i]);
    }
    return NULL;
}

/* Between the receiver's look at the messages and its look at the flag there is room for
 * a send and a close. */
static void W11_mailbox_close_right_after_a_send_loses_nothing(void **state)
{
    (void)state;
    struct mailbox *boxes = aligned_alloc(CACHE_LINE, BOXES * sizeof *boxes);
    unsigned lost = 0, message;
    assert_non_null(boxes);
    for (unsigned i = 0; i < BOXES; i++)
        assert_int_equal(mailbox_init(&boxes[i], 1, sizeof(unsigned), NULL), 0);
    pthread_t sender = start_thread(send_and_close, boxes);
    for (unsigned i = 0; i < BOXES; i++) {
        int err;
        while ((err = mailbox_try_recv(&boxes[i], &message)) == -EAGAIN)
            ;
        lost += err != 0 || message != i;
    }
    pthread_join(sender, NULL);
    assert_int_equal(lost, 0);
    for (unsigned i = 0; i < BOXES; i++)
        mailbox_finish(&boxes[i]);
    free(boxes);
}

/* One thread falls asleep on the mailbox while the other sends, over and over, each time
 * from the same starting line. Either the receive sees the message, or the send sees the
 * receive and wakes it. */
#define MEETINGS 20000

struct meeting {
    struct mailbox box;
    _Atomic unsigned begun; /* rounds, by the receiver */
    _Atomic unsigned sent;  /* rounds, by the sender */
};

static void wait_for_round(_Atomic unsigned *counter, unsigned round)
{
    for (unsigned spins = 1;
         atomic_load_explicit(counter, memory_order_acquire) < round; spins++)
        if (spins % 1000 == 0)
            testing_pause(); /* a machine with one core to spare */
}

static void *send_at_each_meeting(void *argument)
{
    struct meeting *meeting = argument;
    for (unsigned round = 1; round <= MEETINGS; round++) {
        wait_for_round(&meeting->begun, round);
        CHECK(mailbox_try_send(&meeting->box, &round) == 0, "no room");
        atomic_store_explicit(&meeting->sent, round, memory_order_release);
    }
    return NULL;
}

static void W1_mailbox_a_send_meets_a_receive_that_falls_asleep(void **state)
{
    (void)state;
    static struct meeting meeting;
    struct observers observers;
    unsigned into, lost = 0, met = 0;
    meeting = (struct meeting){ .begun = 0 };
    observers_init(&observers);
    assert_int_equal(mailbox_init(&meeting.box, 4, sizeof(unsigned), NULL), 0);
    pthread_t sender = start_thread(send_at_each_meeting, &meeting);
    for (unsigned round = 1; round <= MEETINGS; round++) {
        struct mailbox_recv recv = mailbox_recv(&meeting.box, &into, 1);
        unsigned long before = observer_wakes(&observers, 0);
        atomic_store_explicit(&meeting.begun, round, memory_order_release);
        bool asleep = observer_poll(&observers, 0, &recv.future) == POLL_PENDING;
        wait_for_round(&meeting.sent, round);
        met += asleep;
        lost += asleep && observer_wakes(&observers, 0) == before;
        if (asleep)
            observer_poll(&observers, 0, &recv.future);
    }
    pthread_join(sender, NULL);
    if (met == 0)
        fprintf(stderr, "no receive ever fell asleep: nothing was tried\n");
    assert_int_equal(lost, 0);
    mailbox_finish(&meeting.box);
    observers_check(&observers);
}

/* ---- two executors, each asleep whenever it has nothing to do */

#define ROUNDS 3000

struct player {
    ASYNC_FRAME;
    struct mailbox *in, *out; /* borrows */
    uint64_t ball;
    uint64_t expected;
    uint64_t rounds;
    uint64_t wrong;
    bool serves;
    struct mailbox_send send;
    struct mailbox_recv recv;
};

static enum poll_state player_poll(struct future *future, struct context *context)
{
    struct player *self = ASYNC_SELF(player, future);
    ASYNC_BEGIN(self, context);
    if (self->serves)
        AWAIT(self->send, mailbox_send(self->out, &self->ball));
    while (self->rounds < ROUNDS) {
        AWAIT(self->recv, mailbox_recv(self->in, &self->ball, 1));
        if (self->recv.result != 1)
            break;
        self->wrong += self->ball != self->expected;
        self->expected += 2;
        self->ball++;
        self->rounds++;
        AWAIT(self->send, mailbox_send(self->out, &self->ball));
        if (self->send.result < 0)
            break;
    }
    mailbox_close_sender(self->out);
    ASYNC_END;
}

static const struct future_ops player_ops = ASYNC_OPS(player);

static struct player player(struct mailbox *in, struct mailbox *out, bool serves)
{
    return (struct player){ .future = { &player_ops },
                            .in = in,
                            .out = out,
                            .expected = serves,
                            .serves = serves };
}

struct core {
    struct mailbox *in, *out;
    bool serves;
    int err;
    uint64_t rounds, wrong;
};

static void *run_core(void *argument)
{
    struct core *core = argument;
    struct executor executor;
    struct task_handle handle = { 0 };
    struct player play = player(core->in, core->out, core->serves);
    core->err = executor_init(&executor, NULL);
    if (core->err)
        return NULL;
    core->err = executor_block_on(&executor, &play.future, &handle); /* LOCAL */
    if (core->err == 0) {
        core->rounds = TASK_OUTPUT(&handle, player)->rounds;
        core->wrong = TASK_OUTPUT(&handle, player)->wrong;
        task_detach(&handle);
    }
    executor_finish(&executor);
    return NULL;
}

static void C13_mailbox_send_wakes_a_sleeping_core(void **state)
{
    (void)state;
    struct mailbox there, back;
    assert_int_equal(mailbox_init(&there, 1, sizeof(uint64_t), NULL), 0);
    assert_int_equal(mailbox_init(&back, 1, sizeof(uint64_t), NULL), 0);
    struct core cores[2] = { { .in = &there, .out = &back },
                             { .in = &back, .out = &there, .serves = true } };
    pthread_t thread = start_thread(run_core, &cores[0]);
    run_core(&cores[1]);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(cores[i].err, 0);
        assert_int_equal(cores[i].rounds, ROUNDS);
        assert_int_equal(cores[i].wrong, 0);
    }
    mailbox_finish(&there);
    mailbox_finish(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(a_receive),
        FUTURE_CONTRACT_WAKES(a_receive),
        FUTURE_CONTRACT(a_send),
        FUTURE_CONTRACT_WAKES(a_send),
        cmocka_unit_test(a_config_without_sense_is_refused),
        cmocka_unit_test(messages_come_in_order_over_many_rounds),
        cmocka_unit_test(a_full_mailbox_takes_a_part_of_a_batch),
        cmocka_unit_test(closing_loses_nothing_that_was_sent),
        cmocka_unit_test(a_waiting_receiver_is_woken_by_a_close),
        cmocka_unit_test(W3_one_wake_for_many_messages),
        cmocka_unit_test(waiting_sends_go_in_their_order),
        cmocka_unit_test(W9_mailbox_cancelled_sender_passes_the_room_on),
        cmocka_unit_test(a_close_ends_every_waiting_send),
        cmocka_unit_test(a_finish_under_a_waiting_send_dies),
        cmocka_unit_test(two_threads_lose_nothing_and_keep_the_order),
        cmocka_unit_test(W11_mailbox_close_right_after_a_send_loses_nothing),
        cmocka_unit_test(W1_mailbox_a_send_meets_a_receive_that_falls_asleep),
        cmocka_unit_test(C13_mailbox_send_wakes_a_sleeping_core),
    };
    return cmocka_run_group_tests_name("mailbox", tests, NULL, NULL);
}
