/* The blocking pool and its futures: bounds, back-pressure, cancel in each state, and
 * what happens when no thread can be had. */
#include "lesson06_worksteal/pause_testing.h"

#include "lesson06_worksteal/blocking_call.c"

#include "common/clock.h"
#include "common/testing/faults.h"
#include "lesson06_worksteal/blocking.h"
#include "lesson06_worksteal/blocking_call.h"
#include "lesson06_worksteal/pool_testing.h"

static struct blocking_pool *open_blocking(struct blocking_config config)
{
    struct blocking_pool *pool;
    assert_int_equal(blocking_create(&pool, &config), 0);
    return pool;
}

static void close_blocking(struct blocking_pool *pool)
{
    assert_int_equal(blocking_stop(pool, TEST_PATIENCE_S * (int64_t)NS_PER_S), 0);
    assert_int_equal(blocking_counts(pool).threads, 0);
    blocking_destroy(pool);
}

static int submit(struct blocking_pool *pool, struct offload_job *job)
{
    struct offload *offload = blocking_offload(pool);
    return offload->ops->submit(offload, job);
}

static bool withdraw(struct blocking_pool *pool, struct offload_job *job)
{
    struct offload *offload = blocking_offload(pool);
    return offload->ops->withdraw(offload, job);
}

/* A job that waits until the test lets it go. */
struct held_job {
    struct offload_job job;
    _Atomic bool *release;
    _Atomic bool started;
    _Atomic bool ended;
};

static void held_run(struct offload_job *job)
{
    struct held_job *self = container_of(job, struct held_job, job);
    set_flag(&self->started);
    spin_until(self->release);
    set_flag(&self->ended);
}

static struct held_job held_job(_Atomic bool *release)
{
    return (struct held_job){ .job = { .run = held_run }, .release = release };
}

/* ---- the pool */

static void threads_come_when_needed_and_stop_at_the_bound(void **state)
{
    (void)state;
    _Atomic bool release = false;
    struct held_job jobs[6];
    struct blocking_pool *pool =
        open_blocking((struct blocking_config){ .threads = 2 });
    assert_int_equal(blocking_counts(pool).threads, 0);
    for (int i = 0; i < 6; i++) {
        jobs[i] = held_job(&release);
        assert_int_equal(submit(pool, &jobs[i].job), 0);
    }
    WAIT_UNTIL(flag_is_set(&jobs[0].started) && flag_is_set(&jobs[1].started));
    struct blocking_counts counts = blocking_counts(pool);
    assert_int_equal(counts.threads, 2);
    assert_int_equal(counts.queued, 4);
    set_flag(&release);
    for (int i = 0; i < 6; i++)
        WAIT_UNTIL(flag_is_set(&jobs[i].ended));
    WAIT_UNTIL(blocking_counts(pool).run == 6);
    WAIT_UNTIL(blocking_counts(pool).idle == 2);
    /* An idle thread takes the next job; none is started. */
    struct held_job more = held_job(&release);
    assert_int_equal(submit(pool, &more.job), 0);
    WAIT_UNTIL(flag_is_set(&more.ended));
    assert_int_equal(blocking_counts(pool).threads, 2);
    close_blocking(pool);
}

static void a_full_queue_refuses(void **state)
{
    (void)state;
    _Atomic bool release = false;
    struct held_job jobs[4];
    struct blocking_pool *pool =
        open_blocking((struct blocking_config){ .threads = 1, .queue = 2 });
    for (int i = 0; i < 4; i++)
        jobs[i] = held_job(&release);
    assert_int_equal(submit(pool, &jobs[0].job), 0);
    WAIT_UNTIL(flag_is_set(&jobs[0].started));
    assert_int_equal(submit(pool, &jobs[1].job), 0);
    assert_int_equal(submit(pool, &jobs[2].job), 0);
    assert_int_equal(submit(pool, &jobs[3].job), -EAGAIN);
    assert_int_equal(blocking_counts(pool).refused, 1);
    assert_true(withdraw(pool, &jobs[2].job)); /* the last in the queue */
    assert_int_equal(submit(pool, &jobs[3].job), 0);
    assert_true(withdraw(pool, &jobs[1].job)); /* the first */
    assert_false(withdraw(pool, &jobs[1].job));
    assert_false(withdraw(pool, &jobs[0].job)); /* it runs */
    set_flag(&release);
    WAIT_UNTIL(flag_is_set(&jobs[3].ended));
    close_blocking(pool);
    assert_false(flag_is_set(&jobs[1].started));
    assert_false(flag_is_set(&jobs[2].started));
}

static void an_idle_thread_ends_after_its_keep_alive(void **state)
{
    (void)state;
    _Atomic bool release = true;
    struct blocking_pool *pool =
        open_blocking((struct blocking_config){ .threads = 1, .keep_alive_ns = 1000 });
    for (int i = 0; i < 20; i++) { /* also when a job comes as the thread is leaving */
        struct held_job job = held_job(&release);
        assert_int_equal(submit(pool, &job.job), 0);
        WAIT_UNTIL(flag_is_set(&job.ended));
        if (i % 2)
            WAIT_UNTIL(blocking_counts(pool).threads == 0);
    }
    WAIT_UNTIL(blocking_counts(pool).run == 20);
    close_blocking(pool);
}

static void S11_a_failed_thread_creation_is_survived(void **state)
{
    (void)state;
    _Atomic bool release = false;
    struct held_job first = held_job(&release), second = held_job(&release);
    struct blocking_pool *pool =
        open_blocking((struct blocking_config){ .threads = 4 });
    /* No thread at all: the job is refused, and is ours again. */
    fault_arm("pthread_create", 1, EAGAIN);
    assert_int_equal(submit(pool, &first.job), -EAGAIN);
    fault_disarm();
    assert_int_equal(blocking_counts(pool).threads, 0);
    assert_int_equal(blocking_counts(pool).queued, 0);
    assert_int_equal(submit(pool, &first.job), 0);
    WAIT_UNTIL(flag_is_set(&first.started));
    /* One is there, and busy: the next job waits for it. */
    fault_arm_always("pthread_create", EAGAIN);
    assert_int_equal(submit(pool, &second.job), 0);
    fault_disarm();
    assert_int_equal(blocking_counts(pool).threads, 1);
    set_flag(&release);
    WAIT_UNTIL(flag_is_set(&second.ended));
    close_blocking(pool);
}

static void a_stop_runs_what_is_queued_and_refuses_the_rest(void **state)
{
    (void)state;
    _Atomic bool release = false;
    struct held_job jobs[3];
    struct blocking_pool *pool =
        open_blocking((struct blocking_config){ .threads = 1 });
    for (int i = 0; i < 3; i++) {
        jobs[i] = held_job(&release);
        assert_int_equal(submit(pool, &jobs[i].job), 0);
    }
    WAIT_UNTIL(flag_is_set(&jobs[0].started));
    assert_int_equal(blocking_stop(pool, 1000000), -ETIMEDOUT);
    struct held_job late = held_job(&release);
    assert_int_equal(submit(pool, &late.job), -ESHUTDOWN);
    set_flag(&release);
    close_blocking(pool);
    for (int i = 0; i < 3; i++)
        assert_true(flag_is_set(&jobs[i].ended));
    blocking_destroy(NULL);
}

static void create_reports_what_it_cannot_do(void **state)
{
    (void)state;
    struct blocking_pool *pool;
    assert_int_equal(
        blocking_create(&pool, &(struct blocking_config){ .threads = 1000000 }),
        -EINVAL);
    fault_arm("calloc", 1, ENOMEM);
    assert_int_equal(blocking_create(&pool, &(struct blocking_config){ 0 }), -ENOMEM);
    fault_disarm();
    assert_null(pool);
}

/* ---- as futures */

static _Atomic unsigned wakes;

static struct waker wake_clone(void *data);
static void wake_count(void *data)
{
    (void)data;
    /* release: pairs with the plain reads (seq_cst) of the main thread */
    atomic_fetch_add_explicit(&wakes, 1, memory_order_release);
}
static void wake_forget(void *data)
{
    (void)data;
}
static const struct waker_ops count_ops = { wake_clone, wake_count, wake_count,
                                            wake_forget };
static struct waker wake_clone(void *data)
{
    return (struct waker){ &count_ops, data };
}
static const struct waker counting = { &count_ops, NULL };

static enum poll_state poll_once(struct future *future)
{
    struct context context = { &counting, CONTEXT_BUDGET };
    return future_poll(future, &context);
}

struct question {
    _Atomic bool *release;
    _Atomic bool started;
    int64_t answer;
    _Atomic unsigned *released;
};

static int64_t answer_it(void *argument)
{
    struct question *question = argument;
    set_flag(&question->started);
    spin_until(question->release);
    return question->answer;
}

static void release_question(void *argument)
{
    struct question *question = argument;
    _Atomic unsigned *released = question->released;
    free(question);
    /* release: as in wake_count */
    atomic_fetch_add_explicit(released, 1, memory_order_release);
}

static struct question *ask(_Atomic bool *release, _Atomic unsigned *released)
{
    struct question *question = calloc(1, sizeof *question);
    question->release = release;
    question->released = released;
    question->answer = 42;
    return question;
}

struct scene {
    struct blocking_pool *pool;
    _Atomic bool release;
    _Atomic unsigned released;
    struct question *question;
    struct blocking_call call;
};

static void open_scene(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    scene->pool = open_blocking((struct blocking_config){ .threads = 1, .queue = 1 });
    scene->question = ask(&scene->release, &scene->released);
    scene->call = blocking_call(blocking_offload(scene->pool), answer_it,
                                scene->question, release_question);
}

static void a_call_gives_result_and_argument_back(void **state)
{
    (void)state;
    static struct scene s;
    open_scene(&s);
    unsigned before = wakes;
    assert_int_equal(poll_once(&s.call.future), POLL_PENDING);
    WAIT_UNTIL(flag_is_set(&s.question->started));
    assert_int_equal(poll_once(&s.call.future), POLL_PENDING); /* F3 */
    set_flag(&s.release);
    WAIT_UNTIL(wakes > before);
    assert_int_equal(poll_once(&s.call.future), POLL_READY);
    assert_int_equal(s.call.result, 42);
    assert_true(s.call.given_back);
    assert_int_equal(s.released, 0);
    release_question(s.question);
    close_blocking(s.pool);
}

static void a_running_call_is_abandoned_at_once(void **state)
{
    (void)state;
    static struct scene s;
    open_scene(&s);
    assert_int_equal(poll_once(&s.call.future), POLL_PENDING);
    WAIT_UNTIL(flag_is_set(&s.question->started));
    future_cancel(&s.call.future);
    assert_int_equal(poll_once(&s.call.future), POLL_READY);
    assert_int_equal(s.call.result, -ECANCELED);
    assert_false(s.call.given_back);
    memset(&s.call, 0xa5, sizeof s.call); /* C15: the frame is ours again */
    assert_int_equal(s.released, 0);      /* the function still uses its argument */
    set_flag(&s.release);
    WAIT_UNTIL(s.released == 1);
    close_blocking(s.pool);
}

static int64_t answer_slowly(void *argument)
{
    pause_set_trap("blocking call: finished, not completed");
    return answer_it(argument);
}

/* The thread has decided to complete the call, and is held up there. A cancel comes too
 * late: the frame is not ours before the thread has let go of it. */
static void C15_a_cancel_beside_the_end_waits_for_the_end(void **state)
{
    (void)state;
    static struct scene s;
    open_scene(&s);
    s.call.function = answer_slowly;
    set_flag(&s.release);
    atomic_store_explicit(&pause_reached, false, memory_order_relaxed);
    unsigned before = wakes;
    assert_int_equal(poll_once(&s.call.future), POLL_PENDING);
    WAIT_UNTIL(pause_is_reached());
    future_cancel(&s.call.future);
    enum poll_state during = poll_once(&s.call.future);
    pause_release();
    assert_int_equal(during, POLL_PENDING);
    WAIT_UNTIL(wakes > before);
    WAIT_UNTIL(poll_once(&s.call.future) == POLL_READY);
    assert_int_equal(s.call.result, 42);
    assert_true(s.call.given_back);
    release_question(s.question);
    close_blocking(s.pool);
}

static void a_queued_call_is_withdrawn(void **state)
{
    (void)state;
    static struct scene s;
    _Atomic bool release_first = false;
    struct held_job first = held_job(&release_first);
    open_scene(&s);
    assert_int_equal(submit(s.pool, &first.job), 0);
    WAIT_UNTIL(flag_is_set(&first.started));
    assert_int_equal(poll_once(&s.call.future), POLL_PENDING);
    struct question *second = ask(&s.release, &s.released);
    struct blocking_call refused =
        blocking_call(blocking_offload(s.pool), answer_it, second, release_question);
    assert_int_equal(poll_once(&refused.future), POLL_READY); /* the queue is full */
    assert_int_equal(refused.result, -EAGAIN);
    assert_true(refused.given_back);
    release_question(second);
    future_cancel(&s.call.future);
    assert_int_equal(poll_once(&s.call.future), POLL_READY);
    assert_int_equal(s.call.result, -ECANCELED);
    assert_int_equal(s.released, 2);
    set_flag(&release_first);
    close_blocking(s.pool);
}

static void F6_cancelled_before_its_first_poll_it_does_nothing(void **state)
{
    (void)state;
    static struct scene s;
    open_scene(&s);
    future_cancel(&s.call.future);
    assert_int_equal(poll_once(&s.call.future), POLL_READY);
    assert_int_equal(s.call.result, -ECANCELED);
    assert_int_equal(s.released, 1);
    assert_int_equal(blocking_counts(s.pool).threads, 0);
    close_blocking(s.pool);
}

static void a_result_that_nobody_reads_is_released(void **state)
{
    (void)state;
    static struct scene s;
    open_scene(&s);
    set_flag(&s.release);
    unsigned before = wakes;
    assert_int_equal(poll_once(&s.call.future), POLL_PENDING);
    WAIT_UNTIL(wakes > before);
    struct context context = { &counting, CONTEXT_BUDGET };
    assert_int_equal(future_poll_discarding(&s.call.future, &context), POLL_READY);
    assert_int_equal(s.released, 1);
    close_blocking(s.pool);
}

static void without_threads_or_memory_the_argument_comes_back(void **state)
{
    (void)state;
    static struct scene s;
    open_scene(&s);
    struct blocking_call nowhere =
        blocking_call(NULL, answer_it, s.question, release_question);
    assert_int_equal(poll_once(&nowhere.future), POLL_READY);
    assert_int_equal(nowhere.result, -EOPNOTSUPP);
    assert_true(nowhere.given_back);
    struct blocking_call no_memory = s.call;
    fault_arm("malloc", 1, ENOMEM);
    assert_int_equal(poll_once(&no_memory.future), POLL_READY);
    fault_disarm();
    assert_int_equal(no_memory.result, -ENOMEM);
    assert_true(no_memory.given_back);
    struct blocking_call no_thread = s.call;
    fault_arm("pthread_create", 1, EAGAIN);
    assert_int_equal(poll_once(&no_thread.future), POLL_READY);
    fault_disarm();
    assert_int_equal(no_thread.result, -EAGAIN);
    assert_int_equal(s.released, 0);
    release_question(s.question);
    close_blocking(s.pool);
}

static void a_borrowing_call_is_waited_for(void **state)
{
    (void)state;
    _Atomic bool release = false;
    struct question question = { .release = &release, .answer = 7 };
    struct blocking_pool *pool =
        open_blocking((struct blocking_config){ .threads = 1 });
    struct blocking_borrow running =
        blocking_borrow(blocking_offload(pool), answer_it, &question);
    struct blocking_borrow queued =
        blocking_borrow(blocking_offload(pool), answer_it, &question);
    unsigned before = wakes;
    assert_int_equal(poll_once(&running.future), POLL_PENDING);
    WAIT_UNTIL(flag_is_set(&question.started));
    assert_int_equal(poll_once(&queued.future), POLL_PENDING);
    future_cancel(&running.future);
    future_cancel(&queued.future);
    assert_int_equal(poll_once(&queued.future), POLL_READY);
    assert_int_equal(queued.result, -ECANCELED);
    assert_int_equal(poll_once(&running.future),
                     POLL_PENDING); /* C1: it has our frame */
    set_flag(&release);
    WAIT_UNTIL(wakes > before);
    WAIT_UNTIL(poll_once(&running.future) == POLL_READY);
    assert_int_equal(running.result, 7);
    struct blocking_borrow never = blocking_borrow(NULL, answer_it, &question);
    assert_int_equal(poll_once(&never.future), POLL_READY);
    assert_int_equal(never.result, -EOPNOTSUPP);
    close_blocking(pool);
}

/* ---- between tasks: cancel against finish */

struct racer {
    ASYNC_FRAME;
    struct offload *offload;
    struct question *question;
    struct blocking_call call;
    _Atomic unsigned *answered;
};

static enum poll_state racer_poll(struct future *future, struct context *context)
{
    struct racer *self = ASYNC_SELF(racer, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->call,
          blocking_call(self->offload, answer_it, self->question, release_question));
    if (self->call.given_back) {
        if (self->call.result == 42)
            atomic_fetch_add_explicit(self->answered, 1, memory_order_relaxed);
        release_question(self->question);
    }
    ASYNC_END;
}

static const struct future_ops racer_ops = ASYNC_OPS(racer);

static void cancel_against_finish_releases_each_argument_once(void **state)
{
    (void)state;
    enum { RACERS = 200 };
    static struct task_handle handles[RACERS];
    _Atomic bool release = true;
    _Atomic unsigned released = 0, answered = 0;
    struct blocking_pool *blocking =
        open_blocking((struct blocking_config){ .threads = 3 });
    struct pool *pool = open_pool((struct pool_config){ .workers = 2 });
    for (int i = 0; i < RACERS; i++) {
        struct racer racer = { .future = { &racer_ops },
                               .offload = blocking_offload(blocking),
                               .question = ask(&release, &released),
                               .answered = &answered };
        assert_int_equal(pool_spawn(pool, &racer.future, &handles[i]), 0);
        if (i % 3 == 0)
            task_cancel(&handles[i]);
        else if (i >= 20 && i % 3 == 1)
            task_cancel(&handles[i - 20]);
    }
    for (int i = 0; i < RACERS; i++) {
        WAIT_UNTIL(task_is_done(&handles[i]));
        task_detach(&handles[i]);
    }
    WAIT_UNTIL(released == RACERS);
    assert_true(answered > 0);
    close_pool(pool);
    close_blocking(blocking);
    assert_int_equal(released, RACERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_come_when_needed_and_stop_at_the_bound),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(an_idle_thread_ends_after_its_keep_alive),
        cmocka_unit_test(S11_a_failed_thread_creation_is_survived),
        cmocka_unit_test(a_stop_runs_what_is_queued_and_refuses_the_rest),
        cmocka_unit_test(create_reports_what_it_cannot_do),
        cmocka_unit_test(a_call_gives_result_and_argument_back),
        cmocka_unit_test(a_running_call_is_abandoned_at_once),
        cmocka_unit_test(C15_a_cancel_beside_the_end_waits_for_the_end),
        cmocka_unit_test(a_queued_call_is_withdrawn),
        cmocka_unit_test(F6_cancelled_before_its_first_poll_it_does_nothing),
        cmocka_unit_test(a_result_that_nobody_reads_is_released),
        cmocka_unit_test(without_threads_or_memory_the_argument_comes_back),
        cmocka_unit_test(a_borrowing_call_is_waited_for),
        cmocka_unit_test(cancel_against_finish_releases_each_argument_once),
    };
    return cmocka_run_group_tests_name("blocking", tests, NULL, NULL);
}
