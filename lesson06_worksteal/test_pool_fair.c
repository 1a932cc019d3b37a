/* Nobody starves: who talks much, who spawns much, who does not come back. All bounds are
 * counts of polls, none is a time. */
#include "lesson06_worksteal/pool_testing.h"

#include <limits.h>

/* ---- S7: two tasks that wake each other */

#define BYSTANDER_TURNS 100

struct table {
    struct waker_cell cells[2];
    _Atomic unsigned turns; /* of the pair */
    _Atomic bool over;      /* the bystander has finished */
    _Atomic unsigned turns_at_end;
    unsigned limit; /* the pair gives up after so many turns */
};

/* A player waits for its cell and then wakes the other one's. */
struct player {
    struct future future;
    struct table *table;
    int side;
    _Atomic bool *go_on;
};

static enum poll_state player_poll(struct future *future, struct context *context)
{
    struct player *self = container_of(future, struct player, future);
    struct table *table = self->table;
    unsigned turns = atomic_fetch_add_explicit(&table->turns, 1, memory_order_relaxed);
    bool over = flag_is_set(&table->over) || turns > table->limit;
    if (!over)
        waker_cell_register(&table->cells[self->side], context);
    waker_cell_wake(&table->cells[1 - self->side]);
    return over ? POLL_READY : POLL_PENDING;
}

static void player_cancel(struct future *future)
{
    set_flag(&container_of(future, struct player, future)->table->over);
}

static const struct future_ops player_ops = {
    .name = "player",
    .size = sizeof(struct player),
    .poll = player_poll,
    .cancel = player_cancel,
};

struct bystander {
    ASYNC_FRAME;
    struct table *table;
    struct yield yield;
    int turns;
};

static enum poll_state bystander_poll(struct future *future, struct context *context)
{
    struct bystander *self = ASYNC_SELF(bystander, future);
    ASYNC_BEGIN(self, context);
    for (; self->turns < BYSTANDER_TURNS; self->turns++)
        AWAIT(self->yield, yield_now());
    self->table->turns_at_end =
        atomic_load_explicit(&self->table->turns, memory_order_relaxed);
    set_flag(&self->table->over);
    ASYNC_END;
}

static const struct future_ops bystander_ops = ASYNC_OPS(bystander);

struct opening {
    struct pool *pool;
    struct table *table;
    int error;
};

/* On the worker, so that all three go through its own queues. */
static void seat_everybody(void *argument)
{
    struct opening *opening = argument;
    for (int side = 0; side < 2; side++) {
        struct player player = { .future = { &player_ops },
                                 .table = opening->table,
                                 .side = side };
        opening->error |= pool_spawn(opening->pool, &player.future, NULL);
    }
    struct bystander bystander = { .future = { &bystander_ops },
                                   .table = opening->table };
    opening->error |= pool_spawn(opening->pool, &bystander.future, NULL);
}

static void play(unsigned workers, unsigned limit, struct table *table)
{
    *table = (struct table){ .limit = limit };
    struct opening opening = { .pool = open_pool(
                                   (struct pool_config){ .workers = (int)workers }),
                               .table = table };
    struct call seat = call(seat_everybody, &opening);
    assert_int_equal(pool_run(opening.pool, &seat.future), JOIN_OK);
    assert_int_equal(opening.error, 0);
    WAIT_UNTIL(flag_is_set(&table->over) && pool_live(opening.pool) == 0);
    close_pool(opening.pool);
    waker_cell_finish(&table->cells[0]);
    waker_cell_finish(&table->cells[1]);
}

static void S7_two_that_wake_each_other_starve_no_bystander(void **state)
{
    (void)state;
    static struct table table;
    play(1, 100000, &table);
    /* At most 3 turns of the pair from the LIFO slot, and 1 or 2 from the ready queue,
     * for each of the bystander's. */
    assert_in_range(table.turns_at_end, 1, BYSTANDER_TURNS * 6 + 100);
    play(2, 1000000, &table);
    assert_true(table.turns_at_end > 0);
}

/* ---- who spawns much: an old task below, newer ones above */

struct chain {
    struct pool *pool;
    _Atomic bool old_ran;
    _Atomic unsigned links;
    unsigned links_when_old_ran;
    _Atomic bool outside_ran;
    unsigned links_when_outside_ran;
};

static void old_task(void *argument)
{
    struct chain *chain = argument;
    chain->links_when_old_ran = chain->links;
    set_flag(&chain->old_ran);
}

static void outside_task(void *argument)
{
    struct chain *chain = argument;
    chain->links_when_outside_ran = chain->links;
    set_flag(&chain->outside_ran);
}

static void link_of_chain(void *argument)
{
    struct chain *chain = argument;
    chain->links++;
    if (chain->links < 100000 &&
        !(flag_is_set(&chain->old_ran) && flag_is_set(&chain->outside_ran)))
        (void)CALL_POOL(chain->pool, NULL, link_of_chain, chain);
}

static void start_chain(void *argument)
{
    struct chain *chain = argument;
    (void)CALL_POOL(chain->pool, NULL, old_task, chain);
    (void)CALL_POOL(chain->pool, NULL, link_of_chain, chain);
    /* What an outsider's spawn would do, at a moment that the test knows. */
    struct worker *here = TLS(worker_here);
    TLS(worker_here) = NULL;
    (void)CALL_POOL(chain->pool, NULL, outside_task, chain);
    TLS(worker_here) = here;
}

static void S8_the_oldest_task_and_the_injector_get_their_turn(void **state)
{
    (void)state;
    static struct chain chain;
    chain = (struct chain){ .pool = open_pool((struct pool_config){ .workers = 1 }) };
    struct call start = call(start_chain, &chain);
    assert_int_equal(pool_run(chain.pool, &start.future), JOIN_OK);
    WAIT_UNTIL(pool_live(chain.pool) == 0);
    assert_true(flag_is_set(&chain.old_ran) && flag_is_set(&chain.outside_ran));
    assert_in_range(chain.links_when_old_ran, 0, 3 * PARK_INTERVAL);
    assert_in_range(chain.links_when_outside_ran, 0, 3 * PARK_INTERVAL);
    close_pool(chain.pool);
}

/* ---- S8, S9: the shared parker */

struct always_ready {
    ASYNC_FRAME;
    struct yield yield;
    struct gate *gate;
    unsigned turns;
};

static enum poll_state always_ready_poll(struct future *future, struct context *context)
{
    struct always_ready *self = ASYNC_SELF(always_ready, future);
    ASYNC_BEGIN(self, context);
    while (!gate_is_open(self->gate) && self->turns < 1000000) {
        self->turns++;
        AWAIT(self->yield, yield_now());
    }
    ASYNC_END;
}

static const struct future_ops always_ready_ops = ASYNC_OPS(always_ready);

static void S8_an_always_ready_task_starves_no_timer(void **state)
{
    (void)state;
    struct gate gate = { 0 };
    struct fake_reactor reactor;
    fake_reactor_init(&reactor, &gate);
    atomic_store_explicit(&reactor.data, true,
                          memory_order_relaxed); /* due since long */
    struct pool *pool =
        open_pool((struct pool_config){ .workers = 1, .parker = &reactor.parker });
    /* The worker may have slept once before the task came; so make it due again. */
    struct always_ready busy = { .future = { &always_ready_ops }, .gate = &gate };
    struct task_handle handle = { NULL };
    WAIT_UNTIL(reactor.sleeps >= 1 || gate_is_open(&gate));
    atomic_store_explicit(&gate.open, false, memory_order_relaxed);
    /* release: pairs with the acquire in fake_reactor_park, which opens the gate again */
    atomic_store_explicit(&reactor.data, true, memory_order_release);
    assert_int_equal(pool_block_on(pool, &busy.future, &handle), 0);
    assert_true(gate_is_open(&gate));
    assert_in_range(TASK_OUTPUT(&handle, always_ready)->turns, 0, 3 * PARK_INTERVAL);
    task_detach(&handle);
    close_pool(pool);
    waker_cell_finish(&gate.cell);
}

static void S9_a_busy_worker_does_not_strand_the_io(void **state)
{
    (void)state;
    for (int round = 0; round < 30; round++) {
        struct gate gate = { 0 };
        struct fake_reactor reactor;
        fake_reactor_init(&reactor, &gate);
        _Atomic bool release = false;
        struct pool *pool =
            open_pool((struct pool_config){ .workers = 2, .parker = &reactor.parker });
        struct task_handle reader = { NULL };
        assert_int_equal(SPAWN(&pool->scheduler, &reader, waiting(&gate, NULL)), 0);
        if (round % 2)
            WAIT_UNTIL(idle_sleeping(&pool->idle) == 2);
        assert_int_equal(CALL_POOL(pool, NULL, spin_until, &release), 0);
        if (round % 3)
            WAIT_UNTIL(sum_of_runs(pool) >= 2); /* it spins, and will not come back */
        fake_reactor_data(&reactor);
        WAIT_UNTIL(task_is_done(&reader)); /* the other worker has the reactor */
        set_flag(&release);
        task_detach(&reader);
        close_pool(pool);
        waker_cell_finish(&gate.cell);
    }
}

/* Is a thread really asleep in the inner parker? Its word says so (thread_parker.h). */
static bool is_parked(struct fake_reactor *reactor)
{
    return atomic_load_explicit(&reactor->inner.state, memory_order_relaxed) == 2;
}

/* The watch's I/O wakes a task while the watch still counts as a sleeper. It must not
 * wake itself for that: it would find the token later, and return from a sleep in vain. */
static void the_watch_does_not_wake_itself(void **state)
{
    (void)state;
    struct gate gate = { 0 };
    struct fake_reactor reactor;
    struct task_handle handle = { NULL };
    fake_reactor_init(&reactor, &gate);
    struct pool *pool =
        open_pool((struct pool_config){ .workers = 1, .parker = &reactor.parker });
    assert_int_equal(SPAWN(&pool->scheduler, &handle, waiting(&gate, NULL)), 0);
    WAIT_UNTIL(sum_of_runs(pool) == 1 && is_parked(&reactor));
    unsigned sleeps = reactor.sleeps;
    fake_reactor_data(&reactor);
    WAIT_UNTIL(task_is_done(&handle) && is_parked(&reactor));
    assert_int_equal(reactor.sleeps, sleeps + 1);
    task_detach(&handle);
    close_pool(pool);
    waker_cell_finish(&gate.cell);
}

/* ---- the LIFO slot of a task that does not come back */

struct hostage {
    struct gate gate;
    _Atomic bool freed;
};

static void take_hostage(void *argument)
{
    struct hostage *hostage = argument;
    gate_open(&hostage->gate);   /* the waiting task goes into our LIFO slot... */
    spin_until(&hostage->freed); /* ...and we do not come back before it has run */
}

struct hostage_waits {
    ASYNC_FRAME;
    struct hostage *hostage;
    struct gate_wait wait;
};

static enum poll_state hostage_waits_poll(struct future *future,
                                          struct context *context)
{
    struct hostage_waits *self = ASYNC_SELF(hostage_waits, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->wait, gate_wait(&self->hostage->gate));
    set_flag(&self->hostage->freed);
    ASYNC_END;
}

static const struct future_ops hostage_waits_ops = ASYNC_OPS(hostage_waits);

static void S9_a_task_in_the_lifo_slot_of_a_busy_worker_is_stolen(void **state)
{
    (void)state;
    for (int workers = 2; workers <= 3; workers++) {
        struct hostage hostage = { 0 };
        struct pool *pool = open_pool((struct pool_config){ .workers = workers });
        struct hostage_waits waits = { .future = { &hostage_waits_ops },
                                       .hostage = &hostage };
        struct task_handle handle = { NULL };
        assert_int_equal(pool_spawn(pool, &waits.future, &handle), 0);
        WAIT_UNTIL(sum_of_runs(pool) == 1); /* it waits */
        WAIT_UNTIL((int)idle_sleeping(&pool->idle) == workers);
        assert_int_equal(CALL_POOL(pool, NULL, take_hostage, &hostage), 0);
        WAIT_UNTIL(task_is_done(&handle));
        task_detach(&handle);
        close_pool(pool);
        waker_cell_finish(&hostage.gate.cell);
    }
}

/* ---- the deque of a task that does not come back */

struct spawner {
    struct pool *pool;
    _Atomic unsigned ran;
    _Atomic bool release;
};

static void count_run(void *argument)
{
    atomic_fetch_add_explicit(&((struct spawner *)argument)->ran, 1,
                              memory_order_relaxed);
}

static void spawn_and_stay(void *argument)
{
    struct spawner *spawner = argument;
    for (int i = 0; i < 50; i++)
        (void)CALL_POOL(spawner->pool, NULL, count_run, spawner);
    spin_until(&spawner->release);
}

static void S5_what_a_busy_worker_spawned_is_stolen(void **state)
{
    (void)state;
    static struct spawner s;
    for (int round = 0; round < 20; round++) {
        s = (struct spawner){ .pool = open_pool((struct pool_config){
                                  .workers = 2, .queue_capacity = 8 }) };
        assert_int_equal(CALL_POOL(s.pool, NULL, spawn_and_stay, &s), 0);
        WAIT_UNTIL(s.ran == 50);
        set_flag(&s.release);
        close_pool(s.pool);
    }
}

/* ---- S8: more connections with a request than the ready queue has room for */

#define CLIENTS 1000
#define CLIENT_TURNS 100
#define EVENTS 100 /* that one look brings; more than are polled until the next */

/* A card with a request of each connection, always: who was served queues up again. */
struct crowd {
    struct parker parker;
    struct thread_parker inner;
    struct waker queue[CLIENTS]; /* owns; the worker's thread only, as is all below */
    unsigned first, length;
    unsigned served[CLIENTS];
    unsigned polls;
    _Atomic bool all_here; /* set by the test's thread; polls count from then on */
};

static int crowd_park(struct parker *parker, int64_t timeout_ns)
{
    struct crowd *self = container_of(parker, struct crowd, parker);
    if (!self->length)
        return parker_park(&self->inner.parker, timeout_ns);
    for (unsigned i = 0; i < EVENTS && self->length; i++) {
        struct waker waker = waker_take(&self->queue[self->first]);
        self->first = (self->first + 1) % CLIENTS;
        self->length--;
        waker_wake(&waker);
    }
    return 0;
}

static void crowd_unpark(struct parker *parker)
{
    parker_unpark(&container_of(parker, struct crowd, parker)->inner.parker);
}

static const struct parker_ops crowd_ops = {
    .name = "crowd",
    .park = crowd_park,
    .unpark = crowd_unpark,
};

struct client {
    struct future future;
    struct crowd *crowd; /* borrows */
    unsigned number;
};

static enum poll_state client_poll(struct future *future, struct context *context)
{
    struct client *self = container_of(future, struct client, future);
    struct crowd *crowd = self->crowd;
    if (crowd->polls >= CLIENTS * CLIENT_TURNS)
        return POLL_READY;
    /* acquire: pairs with the test, which has spawned them all */
    if (atomic_load_explicit(&crowd->all_here, memory_order_acquire)) {
        crowd->polls++;
        crowd->served[self->number]++;
    }
    unsigned last = (crowd->first + crowd->length++) % CLIENTS;
    crowd->queue[last] = waker_clone(context->waker);
    return POLL_PENDING;
}

static void client_cancel(struct future *future)
{
    struct crowd *crowd = container_of(future, struct client, future)->crowd;
    crowd->polls = CLIENTS * CLIENT_TURNS;
}

static const struct future_ops client_ops = {
    .name = "client",
    .size = sizeof(struct client),
    .poll = client_poll,
    .cancel = client_cancel,
};

static void S8_busy_connections_are_served_in_turn(void **state)
{
    (void)state;
    static struct crowd crowd;
    crowd = (struct crowd){ .parker = { &crowd_ops } };
    thread_parker_init(&crowd.inner);
    struct pool *pool =
        open_pool((struct pool_config){ .workers = 1, .parker = &crowd.parker });
    for (unsigned i = 0; i < CLIENTS; i++) {
        struct client client = { { &client_ops }, &crowd, i };
        assert_int_equal(pool_spawn(pool, &client.future, NULL), 0);
    }
    /* release: pairs with client_poll */
    atomic_store_explicit(&crowd.all_here, true, memory_order_release);
    WAIT_UNTIL(pool_live(pool) == 0);
    unsigned least = UINT_MAX, most = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        least = crowd.served[i] < least ? crowd.served[i] : least;
        most = crowd.served[i] > most ? crowd.served[i] : most;
    }
    assert_in_range(least, CLIENT_TURNS * 9 / 10, CLIENT_TURNS);
    assert_in_range(most, CLIENT_TURNS, CLIENT_TURNS * 11 / 10);
    close_pool(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(S7_two_that_wake_each_other_starve_no_bystander),
        cmocka_unit_test(S8_the_oldest_task_and_the_injector_get_their_turn),
        cmocka_unit_test(S8_an_always_ready_task_starves_no_timer),
        cmocka_unit_test(S8_busy_connections_are_served_in_turn),
        cmocka_unit_test(S9_a_busy_worker_does_not_strand_the_io),
        cmocka_unit_test(the_watch_does_not_wake_itself),
        cmocka_unit_test(S9_a_task_in_the_lifo_slot_of_a_busy_worker_is_stolen),
        cmocka_unit_test(S5_what_a_busy_worker_spawned_is_stolen),
    };
    return cmocka_run_group_tests_name("pool, fairness", tests, NULL, NULL);
}
