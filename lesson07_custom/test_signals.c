/* Signals as futures: on both drivers, in order, with who sent them; cancel in every
 * state; in a task. */
#include "lesson05_reactor/driver_testing.h"

#include <signal.h>
#include <sys/resource.h>

#include "lesson01_futures/future_contract.h"
#include "lesson02_wakers/executor.h"
#include "lesson02_wakers/join.h"
#include "lesson07_custom/signals.h"

static struct driver_subject on_epoll = { .name = "epoll",
                                          .open = open_reactor,
                                          .close = close_reactor };
static struct driver_subject on_uring = { .name = "io_uring",
                                          .open = open_ring_driver,
                                          .close = close_ring_driver };

static sigset_t blocked; /* SIGUSR1 and SIGUSR2, by main */

struct signal_world {
    struct driver_world driver;
    struct wake_count counts[2];
    struct waker wakers[2];
    struct signals signals;
};

static struct signal_world signal_world;

/* Takes what a case has left pending. */
static void forget_signals(void)
{
    struct timespec none = { 0 };
    while (sigtimedwait(&blocked, NULL, &none) > 0)
        ;
}

static bool open_signal_world(struct signal_world *self,
                              const struct driver_subject *subject)
{
    memset(self, 0, sizeof *self);
    forget_signals();
    if (!open_world(&self->driver, subject))
        return false;
    for (unsigned i = 0; i < 2; i++)
        self->wakers[i] = (struct waker){ &wake_count_ops, &self->counts[i] };
    assert_int_equal(signals_open(&self->signals, &blocked), 0);
    return true;
}

static void close_signal_world(void *argument)
{
    struct signal_world *self = argument;
    turn(&self->driver);
    signals_finish(&self->signals);
    signals_finish(&self->signals);
    assert_int_equal(self->counts[0].references, 0);
    assert_int_equal(self->counts[1].references, 0);
    close_world(&self->driver);
    forget_signals();
}

#define ON_EACH_DRIVER(name)                                                           \
    static void name##_on_epoll(void **state)                                          \
    {                                                                                  \
        (void)state;                                                                   \
        assert_true(open_signal_world(&signal_world, &on_epoll));                      \
        name(&signal_world);                                                           \
        close_signal_world(&signal_world);                                             \
    }                                                                                  \
    static void name##_on_io_uring(void **state)                                       \
    {                                                                                  \
        (void)state;                                                                   \
        needs_io_uring();                                                              \
        assert_true(open_signal_world(&signal_world, &on_uring));                      \
        name(&signal_world);                                                           \
        close_signal_world(&signal_world);                                             \
    }

#define ON_EACH_DRIVER_TESTS(name)                                                     \
    cmocka_unit_test(name##_on_epoll), cmocka_unit_test(name##_on_io_uring)

/* ---- the contract, on both */

static void open_on_epoll(void *argument)
{
    assert_true(open_signal_world(argument, &on_epoll));
}

static void open_on_uring(void *argument)
{
    assert_true(open_signal_world(argument, &on_uring));
}

static void make_next(void *argument, void *storage)
{
    struct signal_world *self = argument;
    *(struct signals_next *)storage = signals_next(&self->signals);
}

static void send_usr1(void *argument, void *storage)
{
    (void)argument;
    (void)storage;
    kill(getpid(), SIGUSR1);
}

static void turn_signal_world(void *argument)
{
    turn(&((struct signal_world *)argument)->driver);
}

static struct context signal_context(void *argument, unsigned which)
{
    return (struct context){ &((struct signal_world *)argument)->wakers[which],
                             CONTEXT_BUDGET };
}

static unsigned long signal_wakes(void *argument, unsigned which)
{
    return ((struct signal_world *)argument)->counts[which].wakes;
}

static int64_t result_of_next(void *argument, const void *storage)
{
    (void)argument;
    return ((const struct signals_next *)storage)->result;
}

#define SIGNAL_SUBJECT(opener)                                                         \
    {                                                                                  \
        .name = "signals_next", .size = sizeof(struct signals_next),                   \
        .world = &signal_world, .setup = (opener), .teardown = close_signal_world,     \
        .make = make_next, .let_finish = send_usr1, .turn = turn_signal_world,         \
        .context = signal_context, .wakes = signal_wakes, .result = result_of_next,    \
        .finished = SIGUSR1, .cancelled = -ECANCELED, .runs_when_cancelled = true      \
    }

static struct future_subject next_on_epoll = SIGNAL_SUBJECT(open_on_epoll);
static struct future_subject next_on_uring = SIGNAL_SUBJECT(open_on_uring);

/* ---- by hand */

static int next_signal(struct signal_world *self, struct signals_next *next)
{
    *next = signals_next(&self->signals);
    drive(&self->driver, &next->future);
    return next->result;
}

static void signals_arrive_with_who_sent_them(struct signal_world *self)
{
    struct signals_next next;
    kill(getpid(), SIGUSR1); /* before anybody waits */
    kill(getpid(), SIGUSR1); /* the same once more is one */
    assert_int_equal(next_signal(self, &next), SIGUSR1);
    assert_int_equal(next.info.ssi_pid, getpid());
    kill(getpid(), SIGUSR2);
    assert_int_equal(next_signal(self, &next), SIGUSR2);
    next = signals_next(&self->signals);
    assert_int_equal(poll_in(&self->driver, &next.future), POLL_PENDING);
    future_cancel(&next.future);
    drive(&self->driver, &next.future);
    assert_int_equal(next.result, -ECANCELED);
}
ON_EACH_DRIVER(signals_arrive_with_who_sent_them)

static void W9_signals_cancelled_wait_leaves_the_signal_pending(
    struct signal_world *self)
{
    struct signals_next next = signals_next(&self->signals);
    assert_int_equal(poll_in(&self->driver, &next.future), POLL_PENDING);
    turn(&self->driver);
    future_cancel(&next.future);
    kill(getpid(), SIGUSR2);
    if (poll_in(&self->driver, &next.future) == POLL_PENDING)
        drive(&self->driver, &next.future);
    if (next.result != SIGUSR2) { /* else it came first, and is reported */
        assert_int_equal(next.result, -ECANCELED);
        assert_int_equal(next_signal(self, &next), SIGUSR2);
    }
}
ON_EACH_DRIVER(W9_signals_cancelled_wait_leaves_the_signal_pending)

static void failures_are_reported(struct signal_world *self)
{
    struct signals other;
    sigset_t set;
    struct rlimit before, none;
    assert_int_equal(signals_block(&set, (int[]){ SIGUSR1, 12345 }, 2), -EINVAL);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int err = signals_open(&other, &blocked);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(err, -EMFILE);
    signals_finish(&other);
    signals_finish(NULL);
    struct signals_next first = signals_next(&self->signals);
    struct signals_next second = signals_next(&self->signals);
    assert_int_equal(poll_in(&self->driver, &first.future), POLL_PENDING);
    drive(&self->driver, &second.future);
    assert_int_equal(second.result, -EBUSY);
    future_cancel(&first.future);
    drive(&self->driver, &first.future);
}
ON_EACH_DRIVER(failures_are_reported)

/* ---- in a task that sleeps in the driver, while a thread sends */

struct listening {
    ASYNC_FRAME;
    struct signals *signals; /* borrows */
    unsigned first;          /* SIGUSR1 seen */
    struct signals_next next;
};

static enum poll_state listening_poll(struct future *future, struct context *context)
{
    struct listening *self = ASYNC_SELF(listening, future);
    ASYNC_BEGIN(self, context);
    do {
        AWAIT(self->next, signals_next(self->signals));
        self->first += self->next.result == SIGUSR1;
    } while (self->next.result == SIGUSR1);
    ASYNC_END;
}

static const struct future_ops listening_ops = ASYNC_OPS(listening);

static struct listening listening(struct signals *signals)
{
    return (struct listening){ .future = { &listening_ops }, .signals = signals };
}

static void *send_two(void *argument)
{
    (void)argument;
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    return NULL;
}

static void C13_signals_wake_a_sleeping_task(struct signal_world *self)
{
    struct executor executor;
    struct task_handle handle;
    pthread_t thread;
    assert_int_equal(executor_init(&executor, self->driver.parker), 0);
    assert_int_equal(SPAWN(&executor.scheduler, &handle, listening(&self->signals)), 0);
    assert_int_equal(executor_run_for(&executor, NS_PER_MS), -ETIMEDOUT);
    assert_int_equal(pthread_create(&thread, NULL, send_two, NULL), 0);
    assert_int_equal(executor_run(&executor), 0);
    pthread_join(thread, NULL);
    assert_int_equal(TASK_OUTPUT(&handle, listening)->first, 1);
    assert_int_equal(TASK_OUTPUT(&handle, listening)->next.result, SIGUSR2);
    task_detach(&handle);
    assert_int_equal(executor_finish(&executor), 0);
}
ON_EACH_DRIVER(C13_signals_wake_a_sleeping_task)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FUTURE_CONTRACT(next_on_epoll),
        FUTURE_CONTRACT_WAKES(next_on_epoll),
        ON_EACH_DRIVER_TESTS(signals_arrive_with_who_sent_them),
        ON_EACH_DRIVER_TESTS(W9_signals_cancelled_wait_leaves_the_signal_pending),
        ON_EACH_DRIVER_TESTS(failures_are_reported),
        ON_EACH_DRIVER_TESTS(C13_signals_wake_a_sleeping_task),
    };
    const struct CMUnitTest uring_tests[] = {
        FUTURE_CONTRACT(next_on_uring),
        FUTURE_CONTRACT_WAKES(next_on_uring),
    };
    if (signals_block(&blocked, (int[]){ SIGUSR1, SIGUSR2 }, 2) < 0)
        return 1;
    int failed = cmocka_run_group_tests_name("signals", tests, NULL, NULL);
    if (testing_probe()->err) {
        fprintf(stderr, "skipped the contract on io_uring: %s\n",
                testing_probe()->sentence);
        return failed;
    }
    return failed +
           cmocka_run_group_tests_name("signals, io_uring", uring_tests, NULL, NULL);
}
