/* bench_pool: what one step of the pool costs.
 *
 * Prints for each shape the CPU time and the wall time of one operation, in ns: the median
 * of the rounds, and the spread (fastest to slowest). CPU time is that of the whole
 * process, so workers that search in vain are counted, too.
 *
 *     bench_pool [WORKERS [ROUNDS]]     default: 1 and 2 workers, 7 rounds */
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/errname.h"
#include "lesson02_wakers/waker_cell.h"
#include "lesson02_wakers/yield.h"
#include "lesson06_worksteal/pool.h"
#include "lesson06_worksteal/samples.h"

#define ROUNDS_MAX 101
#define SPAWNS 100000
#define YIELDS 500000
#define TRIPS 200000
#define FIB_N 21

/* ---- spawn and join, one after the other */

struct nothing {
    ASYNC_FRAME;
};

static enum poll_state nothing_poll(struct future *future, struct context *context)
{
    struct nothing *self = ASYNC_SELF(nothing, future);
    ASYNC_BEGIN(self, context);
    ASYNC_END;
}

static const struct future_ops nothing_ops = ASYNC_OPS(nothing);

struct spawner {
    ASYNC_FRAME;
    struct scheduler *scheduler;
    struct task_handle handle;
    struct task_join join;
    int left;
};

static enum poll_state spawner_poll(struct future *future, struct context *context)
{
    struct spawner *self = ASYNC_SELF(spawner, future);
    ASYNC_BEGIN(self, context);
    for (self->left = SPAWNS; self->left > 0; self->left--) {
        if (SPAWN(self->scheduler, &self->handle,
                  (struct nothing){ .future = { &nothing_ops } }) < 0)
            ASYNC_RETURN;
        AWAIT(self->join, task_join(&self->handle));
        task_detach(&self->handle);
    }
    ASYNC_END;
}

static const struct future_ops spawner_ops = ASYNC_OPS(spawner);

/* ---- yield */

struct yielder {
    ASYNC_FRAME;
    struct yield yield;
    int left;
};

static enum poll_state yielder_poll(struct future *future, struct context *context)
{
    struct yielder *self = ASYNC_SELF(yielder, future);
    ASYNC_BEGIN(self, context);
    for (self->left = YIELDS; self->left > 0; self->left--)
        AWAIT(self->yield, yield_now());
    ASYNC_END;
}

static const struct future_ops yielder_ops = ASYNC_OPS(yielder);

/* ---- ping-pong: two tasks hand a ball to and fro */

struct court {
    struct waker_cell cells[2];
    _Atomic int side; /* where the ball is */
};

struct catch_ball {
    struct future future;
    struct court *court;
    int side;
};

static enum poll_state catch_ball_poll(struct future *future, struct context *context)
{
    struct catch_ball *self = container_of(future, struct catch_ball, future);
    struct court *court = self->court;
    /* acquire: pairs with throw_ball */
    if (atomic_load_explicit(&court->side, memory_order_acquire) == self->side)
        return POLL_READY;
    waker_cell_register(&court->cells[self->side], context);
    return atomic_load_explicit(&court->side, memory_order_acquire) == self->side
               ? POLL_READY
               : POLL_PENDING;
}

static void catch_ball_cancel(struct future *future)
{
    (void)future; /* the game is never cancelled */
}

static const struct future_ops catch_ball_ops = {
    .name = "catch",
    .size = sizeof(struct catch_ball),
    .poll = catch_ball_poll,
    .cancel = catch_ball_cancel,
};

static void throw_ball(struct court *court, int side)
{
    /* release: pairs with catch_ball_poll */
    atomic_store_explicit(&court->side, 1 - side, memory_order_release);
    waker_cell_wake(&court->cells[1 - side]);
}

struct player {
    ASYNC_FRAME;
    struct court *court;
    struct catch_ball ball;
    int side;
    int left;
};

static enum poll_state player_poll(struct future *future, struct context *context)
{
    struct player *self = ASYNC_SELF(player, future);
    ASYNC_BEGIN(self, context);
    for (self->left = TRIPS; self->left > 0; self->left--) {
        AWAIT(self->ball, (struct catch_ball){ .future = { &catch_ball_ops },
                                               .court = self->court,
                                               .side = self->side });
        throw_ball(self->court, self->side);
    }
    ASYNC_END;
}

static const struct future_ops player_ops = ASYNC_OPS(player);

struct game {
    ASYNC_FRAME;
    struct scheduler *scheduler;
    struct court *court;
    struct task_handle handles[2];
    struct task_join join;
    int side;
};

static enum poll_state game_poll(struct future *future, struct context *context)
{
    struct game *self = ASYNC_SELF(game, future);
    ASYNC_BEGIN(self, context);
    for (self->side = 0; self->side < 2; self->side++)
        if (SPAWN(self->scheduler, &self->handles[self->side],
                  (struct player){ .future = { &player_ops },
                                   .court = self->court,
                                   .side = self->side }) < 0)
            exit(1);
    for (self->side = 0; self->side < 2; self->side++) {
        AWAIT(self->join, task_join(&self->handles[self->side]));
        task_detach(&self->handles[self->side]);
    }
    ASYNC_END;
}

static const struct future_ops game_ops = ASYNC_OPS(game);

/* ---- rounds */

struct sample {
    double cpu, wall;
};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(const char *name, int workers, struct sample *samples, int rounds)
{
    double cpu[ROUNDS_MAX], wall[ROUNDS_MAX];
    for (int i = 0; i < rounds; i++) {
        cpu[i] = samples[i].cpu;
        wall[i] = samples[i].wall;
    }
    qsort(cpu, (size_t)rounds, sizeof *cpu, by_size);
    qsort(wall, (size_t)rounds, sizeof *wall, by_size);
    printf("%-22s %7d %8.1f (%.1f-%.1f) %10.1f (%.1f-%.1f)\n", name, workers,
           cpu[rounds / 2], cpu[0], cpu[rounds - 1], wall[rounds / 2], wall[0],
           wall[rounds - 1]);
}

static struct court court;

static void run_shape(struct pool *pool, int shape, double *operations)
{
    struct scheduler *scheduler = &pool->scheduler;
    struct spawner spawner = { .future = { &spawner_ops }, .scheduler = scheduler };
    struct yielder yielder = { .future = { &yielder_ops } };
    struct game game = { .future = { &game_ops },
                         .scheduler = scheduler,
                         .court = &court };
    struct fib root = fib(scheduler, FIB_N);
    struct future *futures[] = { &spawner.future, &root.future, &yielder.future,
                                 &game.future };
    double counts[] = { SPAWNS, (double)fib_tasks(FIB_N), YIELDS, TRIPS };
    int status = pool_run(pool, futures[shape]);
    if (status != JOIN_OK) {
        fprintf(stderr, "bench_pool: the root task ended with %d\n", status);
        exit(1);
    }
    *operations = counts[shape];
}

static void bench(int workers, int rounds)
{
    static const char *const names[] = { "spawn, join", "fork-join fib, a task",
                                         "yield", "ping-pong, round trip" };
    struct sample samples[ROUNDS_MAX];
    struct pool *pool;
    int err = pool_create(&pool, &(struct pool_config){ .workers = workers });
    if (err < 0) {
        fprintf(stderr, "bench_pool: %d workers: %s\n", workers, errtext(err));
        exit(1);
    }
    for (int shape = 0; shape < 4; shape++) {
        double operations;
        run_shape(pool, shape, &operations); /* warm up */
        for (int i = 0; i < rounds; i++) {
            uint64_t cpu = clock_process_cpu(), wall = clock_now();
            run_shape(pool, shape, &operations);
            samples[i].cpu = (double)(clock_process_cpu() - cpu) / operations;
            samples[i].wall = (double)(clock_now() - wall) / operations;
        }
        report(names[shape], workers, samples, rounds);
    }
    pool_destroy(pool);
}

int main(int argc, char **argv)
{
    int workers = argc > 1 ? atoi(argv[1]) : 0;
    int rounds = argc > 2 ? atoi(argv[2]) : 7;
    if (rounds < 1 || rounds > ROUNDS_MAX || workers < 0) {
        fprintf(stderr, "usage: bench_pool [WORKERS [ROUNDS, at most %d]]\n",
                ROUNDS_MAX);
        return 2;
    }
    printf("%-22s %7s %22s %22s\n", "", "workers", "CPU ns an operation",
           "wall ns an operation");
    for (int n = workers ? workers : 1; n <= (workers ? workers : 2); n++)
        bench(n, rounds);
    waker_cell_finish(&court.cells[0]);
    waker_cell_finish(&court.cells[1]);
    return 0;
}
