/* Every order of steps of a worker and what is around it: the moment before it sleeps, its
 * LIFO slot, a queue that is full. Each task must be run, once. */
#include "lesson06_worksteal/explore_pool.h"

/* ---- asleep or not: the real loop */

static void submit_against_sleep(void)
{
    pthread_t worker;
    struct pool *pool = small_pool(1);
    explore_name("submitter");
    atomic_init(&notes_due, 1);
    pthread_create(&worker, NULL, worker_main, &pool->workers[0]);
    spawn_note(pool, 0);
    pthread_join(worker, NULL);
    each_ran_once("W1", 1);
    pool_destroy(pool);
}

static void submit_two_against_sleep(void)
{
    pthread_t worker;
    struct pool *pool = small_pool(1);
    explore_name("submitter");
    atomic_init(&notes_due, 2);
    pthread_create(&worker, NULL, worker_main, &pool->workers[0]);
    spawn_note(pool, 0);
    spawn_note(pool, 1);
    pthread_join(worker, NULL);
    each_ran_once("W1", 2);
    pool_destroy(pool);
}

/* Two workers on their way to sleep, one task from outside. */
static void submit_against_two(void)
{
    pthread_t threads[2];
    struct pool *pool = small_pool(2);
    explore_name("submitter");
    atomic_init(&notes_due, 1);
    for (unsigned i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, worker_main, &pool->workers[i]);
    spawn_note(pool, 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    each_ran_once("W1", 1);
    pool_destroy(pool);
}

/* A LOCAL task that waits for a wake from another thread: its worker gets mail. */
struct waiting {
    struct future future;
    struct pool *pool;
    struct waker waker; /* owns, until it is taken out */
    bool waits;
};

static enum poll_state waiting_poll(struct future *future, struct context *context)
{
    struct waiting *self = container_of(future, struct waiting, future);
    if (self->waits) {
        pool_wake_all(self->pool, POOL_EXIT);
        return POLL_READY;
    }
    self->waits = true;
    self->waker = waker_clone(context->waker);
    return POLL_PENDING;
}

static const struct future_ops waiting_ops = { .name = "waiting",
                                               .size = sizeof(struct waiting),
                                               .poll = waiting_poll,
                                               .cancel = note_cancel };

static void mail_against_sleep(void)
{
    pthread_t thread;
    struct pool *pool = small_pool(1);
    struct worker *worker = &pool->workers[0];
    struct waiting waiting = { .future = { &waiting_ops }, .pool = pool };
    explore_name("waker");
    struct task_home *before = sit_down(worker);
    CHECK(task_spawn(&pool->scheduler, &waiting.future, SPAWN_LOCAL, NULL) == 0,
          "no task");
    struct task *task = worker_find_task(worker);
    task_run(&worker->runner, task);
    stand_up(worker, before);
    struct waker waker = container_of(task_future(task), struct waiting, future)->waker;
    pthread_create(&thread, NULL, worker_main, worker);
    waker_wake(&waker);
    pthread_join(thread, NULL);
    pool_destroy(pool);
}

/* ---- its queues, and a thief: what they find is run when nobody else plays any more */

struct hand {
    struct worker *worker;
    struct task_home *before;
    struct task *task; /* that it found; NULL: none */
};

static void find(struct hand *hand)
{
    hand->task = worker_find_task(hand->worker);
    if (hand->task) /* as run_task does */
        CHECK(task_future(hand->task)->ops == &note_ops, "this is no note");
}

static void *thief_main(void *argument)
{
    struct hand *hand = argument;
    explore_name("thief");
    hand->before = sit_down(hand->worker);
    find(hand);
    stand_up(hand->worker, hand->before);
    return NULL;
}

/* The calling thread sits at worker 0, and has spawned `count` tasks into its deque. */
static struct pool *begin(struct hand hands[2], unsigned count)
{
    struct pool *pool = small_pool(2);
    explore_name("owner");
    hands[0] = (struct hand){ .worker = &pool->workers[0] };
    hands[1] = (struct hand){ .worker = &pool->workers[1] };
    hands[0].before = sit_down(hands[0].worker);
    for (unsigned i = 0; i < count; i++)
        spawn_note(pool, i);
    return pool;
}

/* As if the running task had woken the newest task of the deque: it goes to the slot. */
static void wake_newest(struct worker *worker)
{
    struct task *task = deque_take(&worker->deque);
    worker->in_task = true;
    if (task)
        worker_enqueue(worker, task, SCHEDULE_WAKE);
    worker->in_task = false;
}

static void end(struct pool *pool, struct hand hands[2], unsigned count)
{
    stand_up(hands[0].worker, hands[0].before);
    struct task *all[NOTES + 2] = { hands[0].task, hands[1].task };
    unsigned found = collect_the_rest(pool, all + 2, NOTES) + 2;
    for (unsigned i = 0; i < found; i++)
        for (unsigned j = 0; j < i; j++)
            EXPLORE_RULE("S2", !all[i] || all[i] != all[j],
                         "a task was handed out twice");
    run_all(&pool->workers[0], all, found);
    each_ran_once("S2", count);
    pool_destroy(pool);
}

/* The owner comes back to its slot just when a thief takes it for stuck. */
static void slot_against_thief(void)
{
    pthread_t thief;
    struct hand hands[2];
    struct pool *pool = begin(hands, 1);
    wake_newest(hands[0].worker);
    pthread_create(&thief, NULL, thief_main, &hands[1]);
    find(&hands[0]);
    pthread_join(thief, NULL);
    end(pool, hands, 1);
}

/* The slot is full, and another task is woken. */
static void full_slot_against_thief(void)
{
    pthread_t thief;
    struct hand hands[2];
    struct pool *pool = begin(hands, 1);
    wake_newest(hands[0].worker);
    spawn_note(pool, 1);
    pthread_create(&thief, NULL, thief_main, &hands[1]);
    wake_newest(hands[0].worker);
    pthread_join(thief, NULL);
    end(pool, hands, 2);
}

/* A new task is woken into the slot, under the eyes of a thief. */
static void empty_slot_against_thief(void)
{
    pthread_t thief;
    struct hand hands[2];
    struct pool *pool = begin(hands, 0);
    pthread_create(&thief, NULL, thief_main, &hands[1]);
    spawn_note(pool, 0);
    wake_newest(hands[0].worker);
    pthread_join(thief, NULL);
    end(pool, hands, 1);
}

/* Two tasks fill the deque; the third drives half of it out, to the injector. */
static void overflow_against_thief(void)
{
    pthread_t thief;
    struct hand hands[2];
    struct pool *pool = begin(hands, 2);
    pthread_create(&thief, NULL, thief_main, &hands[1]);
    spawn_note(pool, 2);
    pthread_join(thief, NULL);
    end(pool, hands, 3);
}

#define CASE(scenario_, ...)                                                           \
    {                                                                                  \
        .name = #scenario_, .scenario = scenario_, .rules = __VA_ARGS__                \
    }

EXPLORE_MAIN(CASE(submit_against_sleep, "W1", .hang_rule = "W1", .models = 7),
             CASE(submit_two_against_sleep, "W1", .hang_rule = "W1", .deep = true),
             CASE(submit_against_two, "W1, S5", .hang_rule = "W1", .models = 1,
                  .bound = 2),
             CASE(mail_against_sleep, "W1", .hang_rule = "W1"),
             CASE(slot_against_thief, "S2"), CASE(full_slot_against_thief, "S2"),
             CASE(empty_slot_against_thief, "S2"), CASE(overflow_against_thief, "S2"), )
