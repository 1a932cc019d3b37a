/* What the explorer must find, and what it must not take for a bug: one small scenario
 * for each. */
#include <errno.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/explore_testing.h"
#include "common/thread_local.h"

static _Atomic int flag;
static int data;
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER, two = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void set_flag(memory_order order)
{
    atomic_store_explicit(&flag, 1, order);
}

static bool flag_is_set(memory_order order)
{
    return atomic_load_explicit(&flag, order) == 1;
}

/* ---- plain data */

static void *publish(void *unused)
{
    data = 7;
    set_flag(memory_order_release);
    return unused;
}

static void *publish_relaxed(void *unused)
{
    data = 7;
    set_flag(memory_order_relaxed);
    return unused;
}

static void *write_after_release(void *unused)
{
    set_flag(memory_order_release);
    data = 7; /* too late: whoever acquired the flag does not know of it */
    return unused;
}

static void *receive(void *unused)
{
    if (flag_is_set(memory_order_acquire))
        EXPLORE_RULE("value", data == 7, "data is %d", data);
    return unused;
}

static void published(void)
{
    run_both(publish, receive, NULL);
}

static void published_relaxed(void)
{
    run_both(publish_relaxed, receive, NULL);
}

static void written_after_release(void)
{
    run_both(write_after_release, receive, NULL);
}

static void a_race_is_found_and_an_order_is_seen(void **state)
{
    (void)state;
    for (enum explore_model model = EXPLORE_SC; model <= EXPLORE_PSO; model++) {
        expect_rule(model, published, NULL);
        expect_rule(model, published_relaxed, "data race");
        /* A clock that does not go on after a release misses this one. */
        expect_rule(model, written_after_release, "data race");
    }
}

/* ---- memory: an operation in a task's frame, and the driver that completes it (C15) */

struct operation {
    _Atomic int done;
    int result;
    void *waker;
};

struct frame {
    _Atomic int references, state;
    struct operation operation;
};

static int driver_kind; /* 0: right; 1: done, then look; 2: the waker counts nothing */
static bool driver_yields;

static void drop(struct frame *frame)
{
    if (atomic_fetch_sub_explicit(&frame->references, 1, memory_order_acq_rel) == 1)
        free(frame);
}

static void *complete(void *argument)
{
    struct frame *frame = argument;
    frame->operation.result = 7;
    void *waker = driver_kind == 1 ? NULL : frame->operation.waker;
    atomic_store_explicit(&frame->operation.done, 1, memory_order_release);
    if (driver_kind == 1) {
        if (driver_yields)
            sched_yield();
        waker = frame->operation.waker;
    }
    struct frame *woken = waker;
    atomic_fetch_or_explicit(&woken->state, 1, memory_order_acq_rel);
    if (driver_kind != 2)
        drop(woken);
    return NULL;
}

static void *poll_for_another_reason(void *argument)
{
    struct frame *frame = argument;
    if (!atomic_load_explicit(&frame->operation.done, memory_order_acquire))
        return NULL;
    EXPLORE_RULE("C15", frame->operation.result == 7, "done, and no result");
    frame->operation.waker = NULL;
    drop(frame);
    return argument;
}

static void completed(void)
{
    struct frame *frame = malloc(sizeof *frame);
    pthread_t driver, worker;
    void *finished;
    atomic_init(&frame->references, driver_kind == 2 ? 1 : 2);
    atomic_init(&frame->state, 0);
    atomic_init(&frame->operation.done, 0);
    frame->operation.waker = frame;
    pthread_create(&driver, NULL, complete, frame);
    pthread_create(&worker, NULL, poll_for_another_reason, frame);
    pthread_join(worker, &finished);
    pthread_join(driver, NULL);
    if (!finished)
        drop(frame);
}

static void C15_free_counts_as_a_write(void **state)
{
    (void)state;
    driver_kind = 0;
    expect_rule(EXPLORE_SC, completed, NULL);
    driver_kind = 2;
    expect_rule(EXPLORE_SC, completed, "use after free");
    driver_kind = 1;
    struct explore_result result = search_all(EXPLORE_SC, completed);
    assert_true(
        result.failed); /* the read of the waker against its clearing, or free */
    driver_yields = true;
    result = search_all(EXPLORE_SC, completed);
    assert_true(result.failed);
    driver_yields = false;
}

static void leaks(void)
{
    free(malloc(8));
    CHECK(malloc(24) != NULL, "no memory");
}

static void frees_twice(void)
{
    char *memory = malloc(8);
    for (int i = 0; i < 2; i++)
        free(memory);
}

static void uses_freed(void)
{
    volatile char *memory = malloc(8);
    free((char *)(uintptr_t)memory);
    memory[0] = 1;
}

static void writes_past_the_end(void)
{
    volatile char *memory = malloc(8);
    memory[8 + data] = 1;
    free((char *)(uintptr_t)memory);
}

static int *volatile nowhere;

static void crashes(void)
{
    *nowhere = 1;
}

static void memory_that_is_not_there(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, leaks, "leak");
    expect_rule(EXPLORE_SC, frees_twice, "double free");
    expect_rule(EXPLORE_SC, uses_freed, "use after free");
    expect_rule(EXPLORE_SC, writes_past_the_end, "out of bounds");
    expect_rule(EXPLORE_SC, crashes, "crash");
    expect_rule(EXPLORE_SC, published, NULL); /* and all is well afterwards */
}

/* ---- a thread's own variables */

static TLS_DEFINE(int, mine);

static void *keep_one(void *unused)
{
    TLS(mine) = 1;
    atomic_fetch_add_explicit(&flag, 1, memory_order_relaxed);
    EXPLORE_RULE("own", TLS(mine) == 1, "it is %d", TLS(mine));
    return unused;
}

static void *keep_two(void *unused)
{
    TLS(mine) = 2;
    atomic_fetch_add_explicit(&flag, 1, memory_order_relaxed);
    EXPLORE_RULE("own", TLS(mine) == 2, "it is %d", TLS(mine));
    return unused;
}

static void each_its_own(void)
{
    EXPLORE_RULE("own", TLS(mine) == 0, "it was not set back");
    run_both(keep_one, keep_two, NULL);
}

static void thread_locals_are_a_threads_own(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, each_its_own, NULL);
}

/* ---- who waits for ever */

static void *one_then_two(void *unused)
{
    pthread_mutex_lock(&one);
    pthread_mutex_lock(&two);
    pthread_mutex_unlock(&two);
    pthread_mutex_unlock(&one);
    return unused;
}

static void *two_then_one(void *unused)
{
    pthread_mutex_lock(&two);
    pthread_mutex_lock(&one);
    pthread_mutex_unlock(&one);
    pthread_mutex_unlock(&two);
    return unused;
}

static void crossed_locks(void)
{
    run_both(one_then_two, two_then_one, NULL);
}

static void ordered_locks(void)
{
    run_both(one_then_two, one_then_two, NULL);
}

static void *tell_by_signal(void *unused)
{
    pthread_mutex_lock(&one);
    data = 1;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&one);
    return unused;
}

static void *wait_for_signal(void *looks_first)
{
    pthread_mutex_lock(&one);
    while (!looks_first || data == 0) {
        pthread_cond_wait(&changed, &one);
        if (!looks_first)
            break;
    }
    pthread_mutex_unlock(&one);
    return NULL;
}

static void waits_and_looks(void)
{
    pthread_t other;
    pthread_create(&other, NULL, tell_by_signal, NULL);
    wait_for_signal(&data);
    pthread_join(other, NULL);
}

static void waits_without_looking(void)
{
    pthread_t other;
    pthread_create(&other, NULL, tell_by_signal, NULL);
    wait_for_signal(NULL);
    pthread_join(other, NULL);
}

static void *spin(void *unused)
{
    while (!flag_is_set(memory_order_acquire))
        ;
    return unused;
}

static void *spin_and_yield(void *unused)
{
    while (!flag_is_set(memory_order_acquire))
        sched_yield();
    return unused;
}

static void *loop_alone(void *unused)
{
    while (data == 0)
        ;
    return unused;
}

static void spinners(void)
{
    run_both(spin, publish, NULL);
    run_both(spin_and_yield, spin, NULL);
}

static void spins_for_nothing(void)
{
    run_both(spin_and_yield, spin_and_yield, NULL);
}

static void looks_for_nothing(void)
{
    run_both(spin, spin, NULL);
}

static void loops_for_nothing(void)
{
    loop_alone(NULL);
}

static void deadlock_and_livelock(void **state)
{
    (void)state;
    expect_rule(EXPLORE_SC, crossed_locks, "deadlock");
    expect_rule(EXPLORE_SC, ordered_locks, NULL);
    expect_rule(EXPLORE_SC, waits_and_looks, NULL);
    expect_rule(EXPLORE_SC, waits_without_looking, "deadlock");
    expect_rule(EXPLORE_TSO, spinners, NULL);
    expect_rule(EXPLORE_SC, spins_for_nothing, "livelock");
    expect_rule(EXPLORE_SC, looks_for_nothing, "livelock");
    expect_rule(EXPLORE_SC, loops_for_nothing, "livelock");
}

/* ---- the kernel's part */

static void *wake_by_futex(void *forgets)
{
    set_flag(memory_order_release);
    if (!forgets)
        syscall(SYS_futex, &flag, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return NULL;
}

static void sleep_in_futex(void)
{
    while (!flag_is_set(memory_order_acquire))
        syscall(SYS_futex, &flag, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void futex_sleeper(void)
{
    pthread_t other;
    pthread_create(&other, NULL, wake_by_futex, NULL);
    sleep_in_futex();
    pthread_join(other, NULL);
}

static void futex_sleeper_forgotten(void)
{
    pthread_t other;
    pthread_create(&other, NULL, wake_by_futex, &data);
    sleep_in_futex();
    pthread_join(other, NULL);
}

static int event_fd;

static void *count_up(void *unused)
{
    data = 7;
    uint64_t n = 1;
    CHECK(write(event_fd, &n, sizeof n) == sizeof n, "write");
    return unused;
}

static void eventfd_hands_over(void)
{
    pthread_t other;
    uint64_t n;
    event_fd = eventfd(0, EFD_CLOEXEC);
    pthread_create(&other, NULL, count_up, NULL);
    CHECK(read(event_fd, &n, sizeof n) == sizeof n && n == 1, "read");
    EXPLORE_RULE("value", data == 7, "data is %d", data);
    pthread_join(other, NULL);
    close(event_fd);
}

static void times_out(void)
{
    struct timespec now, until;
    clock_gettime(CLOCK_MONOTONIC, &now);
    until = (struct timespec){ .tv_sec = now.tv_sec + 5, .tv_nsec = now.tv_nsec };
    pthread_mutex_lock(&one);
    int err = pthread_cond_timedwait(&changed, &one, &until);
    pthread_mutex_unlock(&one);
    clock_gettime(CLOCK_MONOTONIC, &now);
    EXPLORE_RULE("R9", err == ETIMEDOUT && now.tv_sec == until.tv_sec,
                 "error %d at %ld", err, (long)now.tv_sec);
}

static void futex_eventfd_and_time(void **state)
{
    (void)state;
    expect_rule(EXPLORE_TSO, futex_sleeper, NULL);
    expect_rule(EXPLORE_TSO, futex_sleeper_forgotten, "deadlock");
    expect_rule(EXPLORE_TSO, eventfd_hands_over, NULL);
    expect_rule(EXPLORE_SC, times_out, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_race_is_found_and_an_order_is_seen),
        cmocka_unit_test(C15_free_counts_as_a_write),
        cmocka_unit_test(memory_that_is_not_there),
        cmocka_unit_test(thread_locals_are_a_threads_own),
        cmocka_unit_test(deadlock_and_livelock),
        cmocka_unit_test(futex_eventfd_and_time),
    };
    return cmocka_run_group_tests_name("explore_engine", tests, NULL, NULL);
}
