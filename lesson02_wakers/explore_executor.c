/* Every order of steps of the executor's edges: it parks, stops and is taken down while
 * another thread brings something. Executor and parker are freed at once: who comes late
 * is found. */
#include "lesson02_wakers/executor.h"

#include "lesson02_wakers/explore_testing.h"

static struct executor *executor;
static struct thread_parker *parker;
static struct gate gate;
static int spawned, calls;

static void begin(void)
{
    explore_name("executor");
    parker = malloc(sizeof *parker);
    executor = malloc(sizeof *executor);
    thread_parker_init(parker);
    executor_init(executor, &parker->parker);
}

static void end(void)
{
    EXPLORE_RULE("W10", executor_finish(executor) == 0, "a task is left over");
    free(executor);
    free(parker);
}

/* A task that has been polled once and waits at the gate. */
static void spawn_waiting(void)
{
    SPAWN(&executor->scheduler, NULL, gate_wait(&gate));
    executor_run_for(executor, 0);
}

static void *spawn_one(void *unused)
{
    explore_name("spawner");
    spawned = SPAWN(&executor->scheduler, NULL, gate_wait(&gate));
    return unused;
}

static void *call(void *unused)
{
    explore_name("caller");
    executor_call(executor);
    return unused;
}

/* ---- the cases */

/* The wake comes while the executor looks, falls asleep, sleeps; and the executor may be
 * gone before the waker has unparked it. */
static void wake_against_park(void)
{
    pthread_t other;
    begin();
    spawn_waiting();
    pthread_create(&other, NULL, gate_open_thread, &gate);
    EXPLORE_RULE("W1", executor_run(executor) == 0, "the executor gave up");
    end();
    pthread_join(other, NULL);
}

/* Two come at once: what the second brings is not taken for what the first brought. */
static void wake_and_call_against_park(void)
{
    pthread_t waker, caller;
    begin();
    spawn_waiting();
    pthread_create(&waker, NULL, gate_open_thread, &gate);
    pthread_create(&caller, NULL, call, NULL);
    EXPLORE_RULE("W1", executor_run(executor) == 0, "the executor gave up");
    pthread_join(waker, NULL);
    pthread_join(caller, NULL);
    end();
}

/* The task is cancelled by the stop, while its waker is on its way. */
static void wake_against_finish(void)
{
    pthread_t other;
    begin();
    spawn_waiting();
    pthread_create(&other, NULL, gate_open_thread, &gate);
    end();
    pthread_join(other, NULL);
}

/* A spawn from another thread is refused or run to its end, and never forgotten. */
static void spawn_against_stop(void)
{
    pthread_t other;
    begin();
    pthread_create(&other, NULL, spawn_one, NULL);
    executor_cancel_all(executor);
    EXPLORE_RULE("S12", executor_run(executor) == 0, "the executor gave up");
    executor_wait_for_visitors(executor); /* what the parker's own end waits for */
    pthread_join(other, NULL);
    EXPLORE_RULE("S12", spawned == -ESHUTDOWN || gate.discards == 1,
                 "a task that was admitted did not run");
    waker_drop(&gate.waker);
    end();
}

/* The same without a stop: run may be back before the task has come, or run it. */
static void spawn_against_run(void)
{
    pthread_t other;
    begin();
    gate.open = true;
    gate.news = 7;
    pthread_create(&other, NULL, spawn_one, NULL);
    executor_run(executor);
    pthread_join(other, NULL);
    executor_run(executor);
    EXPLORE_RULE("S12", spawned == 0 && gate.discards == 1, "the task did not run");
    waker_drop(&gate.waker);
    end();
}

static void count_and_stop(struct executor *self, void *unused)
{
    (void)unused;
    calls++;
    executor_cancel_all(self);
}

static void call_against_park(void)
{
    pthread_t other;
    begin();
    executor->on_call = count_and_stop;
    spawn_waiting();
    pthread_create(&other, NULL, call, NULL);
    EXPLORE_RULE("W1", executor_run(executor) == 0 && calls == 1,
                 "the call was answered %d times", calls);
    pthread_join(other, NULL);
    waker_drop(&gate.waker);
    end();
}

EXPLORE_MAIN({ .name = "wake_against_park",
               .scenario = wake_against_park,
               .rules = "W1, W5",
               .hang_rule = "W1",
               .models = 7 },
             { .name = "wake_and_call_against_park",
               .scenario = wake_and_call_against_park,
               .rules = "W1",
               .hang_rule = "W1" },
             { .name = "wake_against_finish",
               .scenario = wake_against_finish,
               .rules = "W5, S12",
               .hang_rule = "W1" },
             { .name = "wake_against_finish_pso",
               .scenario = wake_against_finish,
               .rules = "W5, S12",
               .hang_rule = "W1",
               .models = 4,
               .deep = true },
             { .name = "spawn_against_stop",
               .scenario = spawn_against_stop,
               .rules = "S12",
               .hang_rule = "S12" },
             { .name = "spawn_against_stop_pso",
               .scenario = spawn_against_stop,
               .rules = "S12",
               .hang_rule = "S12",
               .models = 4,
               .deep = true },
             { .name = "spawn_against_run",
               .scenario = spawn_against_run,
               .rules = "S12",
               .hang_rule = "S12",
               .models = 7 },
             { .name = "call_against_park",
               .scenario = call_against_park,
               .rules = "W1",
               .hang_rule = "W1",
               .models = 7 }, )
