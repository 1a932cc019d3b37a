/* Each call that this lesson makes fails once, in its turn: what is lost, and what is told
 * (common/testing/FAULTS.md). */
#include "common/testing/testing.h"

#include "common/testing/faults.h"
#include "lesson02_wakers/alarm_clock.h"
#include "lesson02_wakers/block_on.h"
#include "lesson02_wakers/oneshot.h"
#include "lesson02_wakers/slab.h"
#include "lesson02_wakers/task_testing.h"

/* ---- executor, task_home */

static int run_two_tasks(void *argument)
{
    struct executor own;
    struct task_handle handle = { NULL };
    struct steps at_home = steps(3, NULL);
    struct steps posted = steps(2, NULL);
    (void)argument;
    int err = executor_init(&own, NULL);
    if (err < 0)
        return err;
    err = SPAWN(&own.scheduler, NULL, posted); /* as from another thread */
    if (err == 0)
        err = executor_block_on(&own, &at_home.future, &handle);
    bool ran = err < 0 || TASK_OUTPUT(&handle, steps)->result == 30;
    task_detach(&handle);
    FAULT_EXPECT(executor_finish(&own) == 0);
    FAULT_EXPECT(ran);
    return err;
}

static void an_executor_without_memory_says_so(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "calloc", ENOMEM, FAULT_REPORTED },
        { "mmap", ENOMEM, FAULT_REPORTED },
        { "pthread_mutex_init", ENOMEM, FAULT_REPORTED },
    };
    SWEEP(run_two_tasks, NULL, faults);
}

/* ---- alarm_clock, thread_parker */

static int sleep_a_little(void *argument)
{
    struct alarm_clock clock;
    struct executor own;
    struct task_handle handle = { NULL };
    (void)argument;
    int err = alarm_clock_start(&clock);
    if (err < 0)
        return err;
    struct alarm_wait wait = alarm_ms(&clock, 2);
    err = executor_init(&own, NULL);
    if (err == 0) {
        err = executor_block_on(&own, &wait.future, &handle);
        bool in_time =
            err < 0 || (TASK_OUTPUT(&handle, alarm_wait)->deadline <= clock_now());
        task_detach(&handle);
        FAULT_EXPECT(executor_finish(&own) == 0);
        FAULT_EXPECT(in_time);
    }
    alarm_clock_stop(&clock);
    return err;
}

static void R9_a_sleep_that_ends_for_no_reason_goes_on(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "pthread_condattr_init", ENOMEM, FAULT_REPORTED },
        { "pthread_cond_init", ENOMEM, FAULT_REPORTED },
        { "pthread_create", EAGAIN, FAULT_REPORTED },
        /* whether the clock's thread comes to wait depends on who is faster */
        { "pthread_cond_wait", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "pthread_cond_timedwait", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "futex", EINTR, FAULT_SURVIVED | FAULT_RARE },
        { "futex", EAGAIN, FAULT_SURVIVED | FAULT_RARE },
    };
    SWEEP(sleep_a_little, NULL, faults);
}

/* The word says PARKED, the kernel says no: the token that comes then is not lost. */
static void P3_a_park_that_the_kernel_refuses_is_an_early_return(void **state)
{
    (void)state;
    static const int errors[] = { EINTR, EAGAIN, ETIMEDOUT };
    struct thread_parker own;
    thread_parker_init(&own);
    for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
        fault_arm("futex", 1, errors[i]);
        assert_int_equal(parker_park(&own.parker, PARK_FOREVER), 0);
        assert_int_equal(fault_count(), 1);
        fault_disarm();
        parker_unpark(&own.parker);
        assert_int_equal(parker_park(&own.parker, PARK_FOREVER), 0); /* at once */
    }
}

/* ---- oneshot, block_on */

static int send_one(void *argument)
{
    struct oneshot_sender sender = { NULL };
    struct oneshot_receiver receiver = { NULL };
    int err = oneshot_create(&sender, &receiver, NULL);
    if (err < 0)
        return err;
    FAULT_EXPECT(oneshot_send(&sender, argument) == 0);
    struct oneshot_receive receive = oneshot_receive(&receiver);
    err = block_on(&receive.future);
    oneshot_receiver_drop(&receiver);
    FAULT_EXPECT(err < 0 || receive.value == argument);
    return err;
}

static void a_value_that_cannot_be_sent_is_reported(void **state)
{
    static const struct fault faults[] = { { "malloc", ENOMEM, FAULT_REPORTED } };
    SWEEP(send_one, state, faults);
}

/* ---- slab */

static int allocate_each_kind(void *argument)
{
    static const size_t sizes[] = { 16, 64, 300, 4096, 100 * 1000, (size_t)3 << 20 };
    struct slab slab;
    void *slots[2 * ARRAY_SIZE(sizes)] = { NULL };
    (void)argument;
    int err = slab_init(&slab, NULL);
    if (err < 0)
        return err;
    for (unsigned i = 0; i < ARRAY_SIZE(slots); i++) {
        struct slab *before = slab_is_mine(&slab) ? NULL : slab_enter(&slab);
        if (i % 2) /* as another thread does */
            slab_leave(before);
        slots[i] = slab_alloc(&slab, sizes[i / 2]);
        if (i % 2 == 0)
            slab_leave(before);
        if (!slots[i])
            err = -ENOMEM;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(slots); i++)
        if (slots[i])
            slab_free(slots[i]);
    slab_close(&slab);
    return err;
}

static void a_block_that_cannot_be_mapped_costs_one_slot(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "mmap", ENOMEM, FAULT_REPORTED },
        { "pthread_mutex_init", ENOMEM, FAULT_REPORTED },
    };
    SWEEP(allocate_each_kind, NULL, faults);
}

/* ---- panic */

struct mine {
    ASYNC_FRAME;
};

static enum poll_state mine_poll(struct future *future, struct context *context)
{
    (void)future;
    (void)context;
    task_panic("with %d words", 3);
}

static const struct future_ops mine_ops = ASYNC_OPS(mine);

static int panic_once(void *argument)
{
    struct mine mine = { .future = { &mine_ops } };
    struct task_handle handle = { NULL };
    struct executor own;
    (void)argument;
    fault_pause();
    int err = executor_init(&own, NULL);
    fault_resume();
    if (err == 0)
        err = executor_block_on(&own, &mine.future, &handle);
    bool told = task_status(&handle) == JOIN_PANICKED;
    const char *text = task_panic_text(&handle);
    bool right = !text || strcmp(text, "with 3 words") == 0;
    task_detach(&handle);
    FAULT_EXPECT(executor_finish(&own) == 0);
    FAULT_EXPECT(told && right && err == 0);
    return err;
}

static void a_panic_without_memory_is_a_panic_without_words(void **state)
{
    (void)state;
    static const struct fault faults[] = { { "malloc", ENOMEM, FAULT_SURVIVED } };
    SWEEP(panic_once, NULL, faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_executor_without_memory_says_so),
        cmocka_unit_test(R9_a_sleep_that_ends_for_no_reason_goes_on),
        cmocka_unit_test(P3_a_park_that_the_kernel_refuses_is_an_early_return),
        cmocka_unit_test(a_value_that_cannot_be_sent_is_reported),
        cmocka_unit_test(a_block_that_cannot_be_mapped_costs_one_slot),
        cmocka_unit_test(a_panic_without_memory_is_a_panic_without_words),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
