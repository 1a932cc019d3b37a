/* Exercise 5.3: The reader that went silent.
 * What to do stands in 5.3_find_silence.md. */
/* feed: a ready bit, and who waits for it.
 *
 * Problem: the kernel tells of news once. Idea: an edge sets `ready` and takes the waker of
 * the read that waits; a read tries as long as `ready` is on, and clears it when a try has
 * shown that nothing is left. The try is made without the lock, since it is a system call
 * and an edge may come meanwhile.
 *
 * Invariant: while a read waits, its waker is in the feed, and there was no edge since the
 * feed was last found not to be ready. */
#include "lesson05_reactor/exercises/feed.h"

#include <errno.h>

#include "common/check.h"
#include "common/container.h"

/* What was known of a feed at one moment. */
struct sight {
    bool ready;
    bool hung_up;
};

int feed_init(struct feed *feed, struct feed_port *port)
{
    *feed = (struct feed){ .port = port };
    return -pthread_mutex_init(&feed->lock, NULL);
}

void feed_finish(struct feed *feed)
{
    CHECK(!feed->waker.ops, "a feed ends, and a read still waits for it");
    pthread_mutex_destroy(&feed->lock);
}

void feed_edge(struct feed *feed, bool hung_up)
{
    pthread_mutex_lock(&feed->lock);
    feed->ready = true;
    feed->hung_up = feed->hung_up || hung_up;
    feed->edges++;
    struct waker waker = feed->waker;
    feed->waker = (struct waker){ 0 };
    pthread_mutex_unlock(&feed->lock);
    waker_wake(&waker);
}

static struct sight look(struct feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    struct sight sight = { feed->ready, feed->hung_up };
    pthread_mutex_unlock(&feed->lock);
    return sight;
}

static unsigned edges_so_far(struct feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    unsigned edges = feed->edges;
    pthread_mutex_unlock(&feed->lock);
    return edges;
}

/* Nothing is left, says a try; unless an edge has come since `edges` had. */
static void clear(struct feed *feed, unsigned edges)
{
    pthread_mutex_lock(&feed->lock);
    if (feed->edges == edges)
        feed->ready = false;
    pthread_mutex_unlock(&feed->lock);
}

/* The next edge will wake this waker, which takes the place of an older one. False: it is
 * ready, try again. */
static bool arm(struct feed *feed, const struct waker *offered)
{
    struct waker mine = offered ? waker_clone(offered) : (struct waker){ 0 };
    pthread_mutex_lock(&feed->lock);
    bool armed = !feed->ready;
    struct waker old = armed ? feed->waker : mine;
    if (armed)
        feed->waker = mine;
    pthread_mutex_unlock(&feed->lock);
    waker_drop(&old);
    return armed;
}

static void disarm(struct feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    struct waker old = feed->waker;
    feed->waker = (struct waker){ 0 };
    pthread_mutex_unlock(&feed->lock);
    waker_drop(&old);
}

/* Did a try that brought `n` of `size` empty it? */
static bool is_empty_after(int n, size_t size, bool hung_up)
{
    if (n == -EAGAIN)
        return true;
    return n > 0 && (size_t)n < size && !hung_up;
}

static enum poll_state feed_read_poll(struct future *future, struct context *context)
{
    struct feed_read *self = container_of(future, struct feed_read, future);
    struct feed *feed = self->feed;
    if (self->cancelled) {
        disarm(feed);
        self->result = -ECANCELED;
        return POLL_READY;
    }
    for (;;) {
        struct sight seen = look(feed);
        if (!seen.ready) {
            if (arm(feed, context->waker))
                return POLL_PENDING;
            continue;
        }
        int n = feed->port->take(feed->port, self->buffer, self->size);
        unsigned edges = edges_so_far(feed);
        if (is_empty_after(n, self->size, seen.hung_up))
            clear(feed, edges);
        if (n != -EAGAIN) {
            self->result = n;
            return POLL_READY;
        }
    }
}

static void feed_read_cancel(struct future *future)
{
    container_of(future, struct feed_read, future)->cancelled = true;
}

static const struct future_ops feed_read_ops = { .name = "feed_read",
                                                 .size = FUTURE_SIZE(struct feed_read),
                                                 .poll = feed_read_poll,
                                                 .cancel = feed_read_cancel };

struct feed_read feed_read(struct feed *feed, void *buffer, size_t size)
{
    return (struct feed_read){
        .future = { &feed_read_ops }, .feed = feed, .buffer = buffer, .size = size
    };
}
