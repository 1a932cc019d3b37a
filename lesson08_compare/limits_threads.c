/* limits_threads: a thread for each task, as one would write it without a runtime.
 *
 * Where a task awaits, a thread sleeps on a condition variable; where a task is spawned, a
 * thread is created. Stacks are as small as they may be, so that it is not their number
 * of pages that is measured. */
#include <pthread.h>
#include <stdlib.h>

#include "lesson08_compare/limits.h"
#include "lesson08_compare/work_shapes.h"

#define STACK_BYTES (64 * 1024)

static pthread_t start(void *(*run)(void *), void *argument)
{
    pthread_attr_t small;
    pthread_t thread;
    work_must(-pthread_attr_init(&small), "thread attributes");
    work_must(-pthread_attr_setstacksize(&small, STACK_BYTES), "stack size");
    work_must(-pthread_create(&thread, &small, run, argument), "thread");
    pthread_attr_destroy(&small);
    return thread;
}

/* ---- spawn */

static void *number(void *value)
{
    return value;
}

int limit_threads_spawn(struct work *work)
{
    pthread_t *threads = work_alloc(work->n, sizeof *threads);
    uint64_t sum = 0;
    work_begin(work);
    for (uint64_t i = 0; i < work->n; i++)
        threads[i] = start(number, (void *)(uintptr_t)i);
    for (uint64_t i = 0; i < work->n; i++) {
        void *value;
        work_must(-pthread_join(threads[i], &value), "join");
        sum += (uintptr_t)value;
    }
    work_end(work, work->n, sum);
    free(threads);
    return 0;
}

/* ---- a queue: bounded; of capacity 1 it is a oneshot as well */

struct queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, not_full;
    size_t capacity, first, count; /* guarded by lock */
    uint64_t *values;              /* owns; guarded by lock */
};

static void queue_init(struct queue *queue, size_t capacity)
{
    *queue = (struct queue){ .capacity = capacity };
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->not_empty, NULL);
    pthread_cond_init(&queue->not_full, NULL);
    queue->values = work_alloc(capacity, sizeof *queue->values);
}

static void queue_finish(struct queue *queue)
{
    free(queue->values);
    pthread_cond_destroy(&queue->not_full);
    pthread_cond_destroy(&queue->not_empty);
    pthread_mutex_destroy(&queue->lock);
}

static void queue_send(struct queue *queue, uint64_t value)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->count == queue->capacity)
        pthread_cond_wait(&queue->not_full, &queue->lock);
    size_t at = queue->first + queue->count++;
    queue->values[at < queue->capacity ? at : at - queue->capacity] = value;
    pthread_cond_signal(&queue->not_empty);
    pthread_mutex_unlock(&queue->lock);
}

static uint64_t queue_receive(struct queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    while (queue->count == 0)
        pthread_cond_wait(&queue->not_empty, &queue->lock);
    uint64_t value = queue->values[queue->first++];
    if (queue->first == queue->capacity)
        queue->first = 0;
    queue->count--;
    pthread_cond_signal(&queue->not_full);
    pthread_mutex_unlock(&queue->lock);
    return value;
}

/* ---- ping-pong */

struct game {
    struct queue ping, pong;
};

static void *partner(void *argument)
{
    struct game *game = argument;
    queue_send(&game->pong, queue_receive(&game->ping) + 1);
    return NULL;
}

/* Joins its partner, which a task would not: the queues are on this stack. */
static void *player(void *argument)
{
    struct game game;
    (void)argument;
    queue_init(&game.ping, 1);
    queue_init(&game.pong, 1);
    pthread_t other = start(partner, &game);
    queue_send(&game.ping, 1);
    uint64_t answer = queue_receive(&game.pong);
    work_must(-pthread_join(other, NULL), "join");
    queue_finish(&game.ping);
    queue_finish(&game.pong);
    return (void *)(uintptr_t)(answer == 2);
}

int limit_threads_ping_pong(struct work *work)
{
    static pthread_t players[WORK_PLAYERS];
    uint64_t pings = 0;
    work_begin(work);
    for (uint64_t round = 0; round < work->n / WORK_PLAYERS; round++) {
        for (int i = 0; i < WORK_PLAYERS; i++)
            players[i] = start(player, NULL);
        for (int i = 0; i < WORK_PLAYERS; i++) {
            void *answered;
            work_must(-pthread_join(players[i], &answered), "join");
            pings += (uintptr_t)answered;
        }
    }
    work_end(work, work->n, pings);
    return 0;
}

/* ---- round-trip */

struct journey {
    struct queue there, back;
    uint64_t n;
};

static void *adder(void *argument)
{
    struct journey *journey = argument;
    for (uint64_t i = 0; i < journey->n; i++)
        queue_send(&journey->back, queue_receive(&journey->there) + 1);
    return NULL;
}

int limit_threads_round_trip(struct work *work)
{
    struct journey journey = { .n = work->n };
    uint64_t sum = 0;
    queue_init(&journey.there, 1);
    queue_init(&journey.back, 1);
    pthread_t other = start(adder, &journey);
    work_begin(work);
    for (uint64_t i = 0; i < work->n; i++) {
        queue_send(&journey.there, i);
        sum += queue_receive(&journey.back);
    }
    work_end(work, work->n, sum);
    pthread_join(other, NULL);
    queue_finish(&journey.there);
    queue_finish(&journey.back);
    return 0;
}

/* ---- mpsc */

int limit_threads_mpsc(struct work *work)
{
    struct queue queue;
    uint64_t sum = 0;
    queue_init(&queue, WORK_MPSC_BATCH);
    work_begin(work);
    for (uint64_t sent = 0; sent < work->n; sent += WORK_MPSC_BATCH) {
        for (uint64_t i = 0; i < WORK_MPSC_BATCH; i++)
            queue_send(&queue, sent + i);
        for (uint64_t i = 0; i < WORK_MPSC_BATCH; i++)
            sum += queue_receive(&queue);
    }
    work_end(work, work->n, sum);
    queue_finish(&queue);
    return 0;
}

struct sender {
    pthread_t thread;
    struct queue *queue; /* borrows */
    uint64_t first, end;
};

static void *sender_main(void *argument)
{
    struct sender *sender = argument;
    for (uint64_t i = sender->first; i < sender->end; i += WORK_MPSC_SENDERS)
        queue_send(sender->queue, i);
    return NULL;
}

int limit_threads_mpsc_contended(struct work *work)
{
    struct sender senders[WORK_MPSC_SENDERS];
    struct queue queue;
    uint64_t sum = 0;
    queue_init(&queue, WORK_CONTENDED_CAPACITY);
    work_begin(work);
    for (uint64_t i = 0; i < WORK_MPSC_SENDERS; i++) {
        senders[i] = (struct sender){ .queue = &queue, .first = i, .end = work->n };
        senders[i].thread = start(sender_main, &senders[i]);
    }
    for (uint64_t i = 0; i < work->n; i++)
        sum += queue_receive(&queue);
    work_end(work, work->n, sum);
    for (uint64_t i = 0; i < WORK_MPSC_SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    queue_finish(&queue);
    return 0;
}
