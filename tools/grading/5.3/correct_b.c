/* feed, made in another way: the ready bit is taken before the try, not cleared after
 * it.
 *
 * Who tries takes the bit; an edge that comes meanwhile sets it again, and nobody needs
 * to count edges. A try that may have left something puts the bit back.
 *
 * Invariant: bytes or an end that nobody has read imply `ready`, or a try in progress
 * that will put it back, or an edge on its way. */
#include "lesson05_reactor/exercises/feed.h"

#include <errno.h>

#include "common/check.h"
#include "common/container.h"

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

/* True: the bit was on, and is the caller's. False: the next edge wakes this waker. */
static bool take_ready(struct feed *feed, const struct context *context)
{
    pthread_mutex_lock(&feed->lock);
    bool mine = feed->ready;
    feed->ready = false;
    if (!mine)
        waker_store(&feed->waker, context);
    pthread_mutex_unlock(&feed->lock);
    return mine;
}

/* After a try that brought `n` of `size`. Whether the peer has hung up is asked now: if
 * that has just happened, the bit is on anyway. */
static void put_back(struct feed *feed, int n, size_t size)
{
    pthread_mutex_lock(&feed->lock);
    bool is_short = n > 0 && (size_t)n < size;
    if (n != -EAGAIN && (!is_short || feed->hung_up))
        feed->ready = true;
    pthread_mutex_unlock(&feed->lock);
}

static enum poll_state feed_read_poll(struct future *future, struct context *context)
{
    struct feed_read *self = container_of(future, struct feed_read, future);
    struct feed *feed = self->feed;
    if (self->cancelled) {
        static const struct context nobody = { 0 };
        pthread_mutex_lock(&feed->lock);
        waker_store(&feed->waker, &nobody);
        pthread_mutex_unlock(&feed->lock);
        self->result = -ECANCELED;
        return POLL_READY;
    }
    while (take_ready(feed, context)) {
        int n = feed->port->take(feed->port, self->buffer, self->size);
        put_back(feed, n, self->size);
        if (n != -EAGAIN) {
            self->result = n;
            return POLL_READY;
        }
    }
    return POLL_PENDING;
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
