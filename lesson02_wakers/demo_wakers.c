/* demo_wakers: lesson 2 as a story in five steps.
 *
 * The three countdowns of lesson 1 with somebody to wake them; a wake from another
 * thread; a wake that is lost, made certain, and cured; a task that is cancelled and one
 * that panics, seen by whoever waits for them; and a task that nobody will wake. */
#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/errname.h"
#include "common/say.h"
#include "lesson01_futures/combine.h"
#include "lesson01_futures/countdown.h"
#include "lesson01_futures/spin.h"
#include "lesson02_wakers/alarm_clock.h"
#include "lesson02_wakers/block_on.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/join.h"
#include "lesson02_wakers/oneshot.h"
#include "lesson02_wakers/waker_cell.h"

static struct alarm_clock alarms;
static struct executor executor;

static unsigned long long number(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* ---- 1 */

struct three {
    ASYNC_FRAME;
    bool spinning;
    union {
        struct countdown spun[3]; /* lesson 1: asks the clock in every poll */
        struct alarm_wait woken[3];
    };
    struct future *children[3];
    struct join all;
};

static enum poll_state three_poll(struct future *future, struct context *context)
{
    struct three *self = ASYNC_SELF(three, future);
    ASYNC_BEGIN(self, context);
    for (unsigned i = 0; i < 3; i++) {
        if (self->spinning) {
            self->spun[i] = countdown_ms(100 * (i + 1));
            self->children[i] = &self->spun[i].future;
        } else {
            self->woken[i] = alarm_ms(&alarms, 100 * (i + 1));
            self->children[i] = &self->woken[i].future;
        }
    }
    AWAIT(self->all, join_all(self->children, 3));
    ASYNC_END;
}

static const struct future_ops three_ops = ASYNC_OPS(three);

static void the_same_countdowns(void)
{
    say_step("Countdowns of 100, 200 and 300 ms at once, asked and told");
    struct three spun = { .future = { &three_ops }, .spinning = true };
    struct three woken = { .future = { &three_ops } };
    struct task_handle handle = { NULL };
    uint64_t cpu = clock_process_cpu();
    unsigned long long polls = spin(&spun.future);
    unsigned long long burnt = (clock_process_cpu() - cpu) / NS_PER_US;
    say("lesson 1, spinning: %8llu polls, %6llu us of CPU time", polls, burnt);
    cpu = clock_process_cpu();
    int err = executor_block_on(&executor, &woken.future, &handle);
    burnt = (clock_process_cpu() - cpu) / NS_PER_US;
    say("with wakers:        %8llu polls, %6llu us of CPU time, asleep %llu times",
        number(&executor.polls), burnt, number(&executor.parks));
    say_claim(err == 0 && task_status(&handle) == JOIN_OK, "the task returned");
    say_claim(number(&executor.polls) < 20 && polls > 100, "few polls instead of many");
    task_detach(&handle);
    say_look(
        "one poll to begin, and one for each alarm. In between the thread sleeps.");
}

/* ---- 2 */

struct receives {
    ASYNC_FRAME;
    struct oneshot_receiver *from;
    struct oneshot_receive receive;
    int result;
};

static enum poll_state receives_poll(struct future *future, struct context *context)
{
    struct receives *self = ASYNC_SELF(receives, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->receive, oneshot_receive(self->from));
    self->result =
        self->receive.result < 0 ? self->receive.result : *(int *)self->receive.value;
    ASYNC_END;
}

static const struct future_ops receives_ops = ASYNC_OPS(receives);

/* A plain thread: it knows the sender's end, and nothing of tasks. */
static void *send_from_a_thread(void *sender)
{
    static int answer = 42;
    struct alarm_wait wait = alarm_ms(&alarms, 20);
    say_claim(block_on(&wait.future) == 0, "the thread slept for 20 ms");
    say_claim(oneshot_send(sender, &answer) == 0, "the value was sent");
    return NULL;
}

static void from_another_thread(void)
{
    say_step("A wake from another thread");
    struct oneshot_sender sender;
    struct oneshot_receiver receiver;
    struct task_handle handle = { NULL };
    pthread_t thread;
    say_claim(oneshot_create(&sender, &receiver, NULL) == 0, "there was memory");
    say_claim(pthread_create(&thread, NULL, send_from_a_thread, &sender) == 0,
              "a thread");
    unsigned long long polls = number(&executor.polls), parks = number(&executor.parks);
    struct receives receives = { .future = { &receives_ops }, .from = &receiver };
    int err = executor_block_on(&executor, &receives.future, &handle);
    pthread_join(thread, NULL);
    say_claim(err == 0, "the task returned");
    say("received %d after %llu polls; the executor slept %llu times",
        TASK_OUTPUT(&handle, receives)->result, number(&executor.polls) - polls,
        number(&executor.parks) - parks);
    say_claim(TASK_OUTPUT(&handle, receives)->result == 42, "the value arrived");
    task_detach(&handle);
    oneshot_receiver_drop(&receiver);
}

/* ---- 3 */

/* A flag, and a leaf that waits for it in one of two ways. */
struct flag {
    bool set;
    struct waker_cell cell;
};

static void raise_flag(struct flag *flag)
{
    flag->set = true;
    waker_cell_wake(&flag->cell);
}

struct flag_wait {
    struct future future;
    struct flag *flag;
    bool look_first;                  /* the bug */
    void (*meanwhile)(struct flag *); /* what another thread does at the worst moment */
    bool cancelled;
    int result;
};

/* Stands for a thread that is quicker than we are; here it comes every time. */
static void worst_moment(struct flag_wait *self)
{
    void (*meanwhile)(struct flag *) = self->meanwhile;
    self->meanwhile = NULL;
    if (meanwhile)
        meanwhile(self->flag);
}

static enum poll_state flag_wait_poll(struct future *future, struct context *context)
{
    struct flag_wait *self = container_of(future, struct flag_wait, future);
    self->result = self->cancelled ? -ECANCELED : 0;
    if (self->look_first) {
        if (self->flag->set || self->cancelled)
            return POLL_READY;
        worst_moment(self); /* sets the flag, and finds no waker to wake */
        waker_cell_register(&self->flag->cell, context);
        return POLL_PENDING;
    }
    waker_cell_register(&self->flag->cell, context);
    worst_moment(self); /* sets the flag, and wakes */
    return self->flag->set || self->cancelled ? POLL_READY : POLL_PENDING;
}

static void flag_wait_cancel(struct future *future)
{
    container_of(future, struct flag_wait, future)->cancelled = true;
}

static const struct future_ops flag_wait_ops = { .name = "flag",
                                                 .size = sizeof(struct flag_wait),
                                                 .poll = flag_wait_poll,
                                                 .cancel = flag_wait_cancel };

static void one_order(bool look_first)
{
    struct flag flag = { .set = false };
    struct task_handle handle = { NULL };
    struct flag_wait wait = { { &flag_wait_ops }, &flag, look_first,
                              raise_flag,         false, 0 };
    say_claim(task_spawn(&executor.scheduler, &wait.future, 0, &handle) == 0, "memory");
    int err = executor_run_for(&executor, 50 * NS_PER_MS);
    say("%s  flag set: %s, after 50 ms: %s",
        look_first ? "look, then store the waker: " : "store the waker, then look: ",
        flag.set ? "yes" : "no",
        err == -ETIMEDOUT ? "still asleep, the wake was lost" : "done");
    say_claim((err == -ETIMEDOUT) == look_first && flag.set, "only one order loses it");
    task_cancel(&handle);
    say_claim(executor_run(&executor) == 0, "a cancel ends it");
    task_detach(&handle);
    waker_cell_finish(&flag.cell);
}

static void a_lost_wake(void)
{
    say_step("The event comes between our look and our sleep");
    one_order(true);
    one_order(false);
    say_look("the same two lines in another order: demo_wakers.c, flag_wait_poll.");
}

/* ---- 4 */

struct careful {
    ASYNC_FRAME;
    unsigned divisor;
    struct alarm_wait wait;
    unsigned result;
};

static enum poll_state careful_poll(struct future *future, struct context *context)
{
    struct careful *self = ASYNC_SELF(careful, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->wait, alarm_ms(&alarms, self->divisor == 2 ? 3600 * 1000 : 1));
    if (self->divisor == 0)
        task_panic("division by %u", self->divisor);
    self->result = 100 / self->divisor;
    ASYNC_END;
}

static const struct future_ops careful_ops = ASYNC_OPS(careful);

struct asks {
    ASYNC_FRAME;
    unsigned divisor;
    struct task_handle handle;
    struct task_join join;
};

static const char *const ends[] = { "waits", "returned", "cancelled", "panicked" };

static enum poll_state asks_poll(struct future *future, struct context *context)
{
    struct asks *self = ASYNC_SELF(asks, future);
    ASYNC_BEGIN(self, context);
    say_claim(SPAWN(&executor.scheduler, &self->handle,
                    (struct careful){ .future = { &careful_ops },
                                      .divisor = self->divisor }) == 0,
              "there was memory");
    if (self->divisor == 2) /* its alarm would ring in an hour */
        task_cancel(&self->handle);
    AWAIT(self->join, task_join(&self->handle));
    say("100 / %u: the joiner sees: %s%s%s", self->divisor, ends[self->join.status],
        self->join.panic ? ": " : "", self->join.panic ? self->join.panic : "");
    task_detach(&self->handle);
    ASYNC_END;
}

static const struct future_ops asks_ops = ASYNC_OPS(asks);

static void three_ends(void)
{
    static const unsigned divisors[] = { 1, 2, 0 };
    static const enum join_status expected[] = { JOIN_OK, JOIN_CANCELLED,
                                                 JOIN_PANICKED };
    say_step("Three ends of a task, told apart");
    for (unsigned i = 0; i < 3; i++) {
        struct asks asks = { .future = { &asks_ops }, .divisor = divisors[i] };
        struct task_handle handle = { NULL };
        say_claim(executor_block_on(&executor, &asks.future, &handle) == 0,
                  "it returned");
        say_claim(TASK_OUTPUT(&handle, asks)->join.status == expected[i],
                  "the joiner saw how it ended");
        task_detach(&handle);
    }
}

/* ---- 5 */

struct forgotten {
    ASYNC_FRAME;
    struct countdown wait; /* lesson 1's: it tells nobody (it breaks F2) */
};

static enum poll_state forgotten_poll(struct future *future, struct context *context)
{
    struct forgotten *self = ASYNC_SELF(forgotten, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->wait, countdown_ms(10));
    ASYNC_END;
}

static const struct future_ops forgotten_ops = ASYNC_OPS(forgotten);

static void nobody_will_wake(void)
{
    say_step("A task that waits, and nobody will ever wake it");
    say_claim(SPAWN(&executor.scheduler, NULL,
                    (struct forgotten){ .future = { &forgotten_ops } }) == 0,
              "there was memory");
    int err = executor_run(&executor);
    say("executor_run returned %s instead of sleeping for ever", errname(-err));
    say_claim(err == -EDEADLK, "the executor noticed");
    say_look("the file and line above: that AWAIT is where it hangs.");
}

int main(void)
{
    say_claim(executor_init(&executor, NULL) == 0, "there was memory");
    say_claim(alarm_clock_start(&alarms) == 0, "there was a thread");
    the_same_countdowns();
    from_another_thread();
    a_lost_wake();
    three_ends();
    nobody_will_wake();
    say_claim(executor_finish(&executor) == 0, "every task ended");
    alarm_clock_stop(&alarms);
    say_next("read lesson02_wakers/README.md, do its exercises, then: make lesson3");
    return 0;
}
