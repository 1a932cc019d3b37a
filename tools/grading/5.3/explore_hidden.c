/* Exercise 5.3, hidden: every order of steps of a task that reads until the end while
 * bytes and the end arrive. */
#include "common/explore/explore.h"
#include "lesson05_reactor/exercises/feed.h"
#include "lesson05_reactor/explore_sleepers.h"

#include <errno.h>

#include "common/container.h"

/* A peer's side, behind a lock: each call is one step. */
struct peer {
    struct feed_port port;
    pthread_mutex_t lock;
    int bytes;
    bool ended;
};

static struct peer peer;
static struct feed feed;
static struct feed_read reads[3];
static struct sleeper sleepers[3];
static char buffer[4];

static int take(struct feed_port *port, void *to, size_t size)
{
    struct peer *self = container_of(port, struct peer, port);
    pthread_mutex_lock(&self->lock);
    int n = self->bytes < (int)size ? self->bytes : (int)size;
    int result = n > 0 ? n : self->ended ? 0 : -EAGAIN;
    self->bytes -= n;
    pthread_mutex_unlock(&self->lock);
    if (n > 0)
        memset(to, 'x', (size_t)n);
    return result;
}

static void arrives(int bytes, bool and_ends)
{
    pthread_mutex_lock(&peer.lock);
    peer.bytes += bytes;
    peer.ended = and_ends;
    pthread_mutex_unlock(&peer.lock);
    feed_edge(&feed, and_ends);
}

static void open_feed(void)
{
    explore_name("task");
    peer.port.take = take;
    pthread_mutex_init(&peer.lock, NULL);
    CHECK(feed_init(&feed, &peer.port) == 0, "no feed");
    for (int i = 0; i < 3; i++)
        reads[i] = feed_read(&feed, buffer, sizeof buffer);
}

static void close_feed(const char *rule)
{
    sleepers_end(sleepers, 3, rule);
    feed_finish(&feed);
    pthread_mutex_destroy(&peer.lock);
}

static void *a_byte_and_then_the_end(void *unused)
{
    explore_name("kernel");
    arrives(1, false);
    arrives(0, true);
    return unused;
}

/* However the bytes and the end are spread over edges and tries, what comes out is
 * three bytes, or fewer at a time, and then the end. */
static void until_the_end(void)
{
    pthread_t kernel;
    open_feed();
    arrives(1, false);
    pthread_create(&kernel, NULL, a_byte_and_then_the_end, NULL);
    int bytes = 0, at = 0;
    while (at < 3 && sleeper_poll(&sleepers[at], &reads[at].future) &&
           reads[at].result > 0)
        bytes += reads[at++].result;
    pthread_join(kernel, NULL);
    sleepers_run(sleepers, 3);
    while (at < 3 && !sleepers[at].future && reads[at].result > 0) {
        bytes += reads[at++].result;
        if (at < 3)
            sleeper_poll(&sleepers[at], &reads[at].future);
    }
    close_feed("R12");
    EXPLORE_RULE("value", bytes == 2 && at < 3 && reads[at].result == 0,
                 "expected 2 bytes and the end, got %d bytes and then %d", bytes,
                 at < 3 ? reads[at].result : 0);
}

#define CASE(case_name, rule)                                                          \
    {                                                                                  \
        .name = #case_name, .scenario = case_name, .rules = rule,                      \
        .models = 1u << EXPLORE_SC                                                     \
    }

EXPLORE_MAIN(CASE(until_the_end, "R2, R12"))
