/* work_tasks: what a task costs to make, to run again, and to wake from another task.
 *
 * Each workload is written as its author would write it who has read lesson 7's page:
 * an async function, SPAWN_HERE, task_join. Nothing is tuned. */
#include <stdlib.h>

#include "lesson02_wakers/oneshot.h"
#include "lesson08_compare/work_runtime.h"
#include "lesson08_compare/work_shapes.h"

/* ---- spawn */

struct number {
    ASYNC_FRAME;
    uint64_t value; /* argument, and output */
};

static enum poll_state number_poll(struct future *future, struct context *context)
{
    struct number *self = ASYNC_SELF(number, future);
    ASYNC_BEGIN(self, context);
    ASYNC_END;
}

static struct number number(uint64_t value)
{
    static const struct future_ops number_ops = ASYNC_OPS(number);
    return (struct number){ .future = { &number_ops }, .value = value };
}

/* A crew written out: its two calls through pointers would be a part of what is measured. */
struct spawner {
    ASYNC_FRAME;
    struct work *work;           /* borrows */
    struct task_handle *handles; /* borrows */
    uint64_t i, sum;
    struct task_join join;
};

static enum poll_state spawner_poll(struct future *future, struct context *context)
{
    struct spawner *self = ASYNC_SELF(spawner, future);
    ASYNC_BEGIN(self, context);
    work_begin(self->work);
    for (self->i = 0; self->i < self->work->n; self->i++)
        work_must(SPAWN_HERE(&self->handles[self->i], number(self->i)), "spawn");
    for (self->i = 0; self->i < self->work->n; self->i++) {
        AWAIT(self->join, task_join(&self->handles[self->i]));
        work_must_be_ok(&self->join);
        self->sum += TASK_OUTPUT(&self->handles[self->i], number)->value;
        task_detach(&self->handles[self->i]);
    }
    work_end(self->work, self->work->n, self->sum);
    ASYNC_END;
}

int work_spawn(struct work *work)
{
    static const struct future_ops spawner_ops = ASYNC_OPS(spawner);
    struct task_handle *handles = work_alloc(work->n, sizeof *handles);
    int err = WORK_RUN(work, (struct spawner){ .future = { &spawner_ops },
                                               .work = work,
                                               .handles = handles });
    free(handles);
    return err;
}

/* ---- yield */

#define YIELDERS 200

struct yielder {
    ASYNC_FRAME;
    uint64_t count, done;
    struct yield yield;
};

static enum poll_state yielder_poll(struct future *future, struct context *context)
{
    struct yielder *self = ASYNC_SELF(yielder, future);
    ASYNC_BEGIN(self, context);
    for (self->done = 0; self->done < self->count; self->done++)
        AWAIT(self->yield, yield_now());
    ASYNC_END;
}

static int spawn_yielder(void *shared, uint64_t i, struct task_handle *handle)
{
    static const struct future_ops yielder_ops = ASYNC_OPS(yielder);
    const struct work *work = shared;
    (void)i;
    return SPAWN_HERE(handle,
                      (struct yielder){ .future = { &yielder_ops }, .count = work->n });
}

static uint64_t yielder_output(const struct task_handle *handle)
{
    return TASK_OUTPUT(handle, yielder)->done;
}

int work_yield(struct work *work)
{
    static const struct crew_kind kind = { spawn_yielder, yielder_output };
    return work_run_crews(work, &kind, work, YIELDERS, 1, YIELDERS * work->n);
}

/* ---- ping-pong */

/* Answers 2 to what comes. */
struct partner {
    ASYNC_FRAME;
    struct oneshot_receiver ping; /* owns */
    struct oneshot_sender pong;   /* owns */
    struct oneshot_receive receive;
};

static enum poll_state partner_poll(struct future *future, struct context *context)
{
    struct partner *self = ASYNC_SELF(partner, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->receive, oneshot_receive(&self->ping));
    work_must(self->receive.result, "ping");
    oneshot_receiver_drop(&self->ping);
    work_must(oneshot_send(&self->pong, self->receive.value), "pong");
    ASYNC_END;
}

static struct partner partner(struct oneshot_receiver ping, struct oneshot_sender pong)
{
    static const struct future_ops partner_ops = ASYNC_OPS(partner);
    return (struct partner){ .future = { &partner_ops }, .ping = ping, .pong = pong };
}

struct player {
    ASYNC_FRAME;
    struct oneshot_receiver pong; /* owns */
    struct oneshot_receive receive;
    bool local;
    uint64_t pings; /* output */
};

/* Makes both oneshots, spawns the partner and serves. Where all tasks stay on one thread,
 * the oneshot that is made for that. */
static void serve(struct player *player)
{
    static char ball;
    struct oneshot_receiver ping;
    struct oneshot_sender to_partner, to_us;
    int (*create)(struct oneshot_sender *, struct oneshot_receiver *,
                  void (*)(void *)) =
        player->local ? oneshot_create_local : oneshot_create;
    work_must(create(&to_partner, &ping, NULL), "oneshot");
    work_must(create(&to_us, &player->pong, NULL), "oneshot");
    work_must(SPAWN_HERE(NULL, partner(ping, to_us)), "spawn");
    work_must(oneshot_send(&to_partner, &ball), "ping");
}

static enum poll_state player_poll(struct future *future, struct context *context)
{
    struct player *self = ASYNC_SELF(player, future);
    ASYNC_BEGIN(self, context);
    serve(self);
    AWAIT(self->receive, oneshot_receive(&self->pong));
    work_must(self->receive.result, "pong");
    oneshot_receiver_drop(&self->pong);
    self->pings = 1;
    ASYNC_END;
}

static int spawn_player(void *shared, uint64_t i, struct task_handle *handle)
{
    static const struct future_ops player_ops = ASYNC_OPS(player);
    const bool *local = shared;
    (void)i;
    return SPAWN_HERE(handle,
                      ((struct player){ .future = { &player_ops }, .local = *local }));
}

static uint64_t player_output(const struct task_handle *handle)
{
    return TASK_OUTPUT(handle, player)->pings;
}

int work_ping_pong(struct work *work)
{
    static const struct crew_kind kind = { spawn_player, player_output };
    bool local = work_config(work).scheduler != RUNTIME_STEAL;
    return work_run_crews(work, &kind, &local, WORK_PLAYERS, work->n / WORK_PLAYERS,
                          work->n);
}

/* ---- chain */

#define LINKS 1000

struct link {
    ASYNC_FRAME;
    unsigned left;               /* links that come after this one */
    struct oneshot_sender ended; /* owns: passed on from link to link */
};

static enum poll_state link_poll(struct future *future, struct context *context)
{
    static const struct future_ops link_ops = ASYNC_OPS(link);
    struct link *self = ASYNC_SELF(link, future);
    ASYNC_BEGIN(self, context);
    if (self->left == 0)
        work_must(oneshot_send(&self->ended, NULL), "the end of the chain");
    else
        work_must(SPAWN_HERE(NULL, (struct link){ .future = { &link_ops },
                                                  .left = self->left - 1,
                                                  .ended = self->ended }),
                  "spawn");
    ASYNC_END;
}

struct chains {
    ASYNC_FRAME;
    struct work *work; /* borrows */
    uint64_t spawned;
    struct oneshot_receiver ended; /* owns */
    struct oneshot_receive receive;
};

static void begin_chain(struct chains *chains)
{
    static const struct future_ops link_ops = ASYNC_OPS(link);
    struct link first = { .future = { &link_ops }, .left = LINKS - 1 };
    work_must(oneshot_create(&first.ended, &chains->ended, NULL), "oneshot");
    work_must(runtime_spawn_here(&first.future, NULL), "spawn");
}

static enum poll_state chains_poll(struct future *future, struct context *context)
{
    struct chains *self = ASYNC_SELF(chains, future);
    ASYNC_BEGIN(self, context);
    work_begin(self->work);
    while (self->spawned < self->work->n) {
        begin_chain(self);
        AWAIT(self->receive, oneshot_receive(&self->ended));
        work_must(self->receive.result, "chain");
        oneshot_receiver_drop(&self->ended);
        self->spawned += LINKS;
    }
    work_end(self->work, self->work->n, self->spawned);
    ASYNC_END;
}

int work_chain(struct work *work)
{
    static const struct future_ops chains_ops = ASYNC_OPS(chains);
    return WORK_RUN(work, (struct chains){ .future = { &chains_ops }, .work = work });
}

/* ---- startup */

struct first_line {
    ASYNC_FRAME;
    struct work *work; /* borrows */
};

static enum poll_state first_line_poll(struct future *future, struct context *context)
{
    struct first_line *self = ASYNC_SELF(first_line, future);
    ASYNC_BEGIN(self, context);
    /* What begins with the process: nothing but the wall clock has a beginning. */
    self->work->begun = (struct work_clocks){ .wall_ns = self->work->since };
    work_end(self->work, 1, 1);
    ASYNC_END;
}

int work_startup(struct work *work)
{
    static const struct future_ops first_line_ops = ASYNC_OPS(first_line);
    return WORK_RUN(work,
                    (struct first_line){ .future = { &first_line_ops }, .work = work });
}
