/* Exercise 5.3: every order of steps of one task that reads and one thread that is the
 * kernel: bytes arrive, and then their edge comes. */
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

static void expect(int which, int expected)
{
    EXPLORE_RULE("value", reads[which].result == expected,
                 "read %d: expected %d, got %d", which, expected, reads[which].result);
}

static void *two_bytes_arrive(void *unused)
{
    explore_name("kernel");
    arrives(2, false);
    return unused;
}

static void *the_end_arrives(void *unused)
{
    explore_name("kernel");
    arrives(0, true);
    return unused;
}

/* An edge has come for which there is nothing; the task tries in vain, and then
 * waits. */
static void edge_after_nothing(void)
{
    pthread_t kernel;
    open_feed();
    feed_edge(&feed, false);
    pthread_create(&kernel, NULL, two_bytes_arrive, NULL);
    sleeper_poll(&sleepers[0], &reads[0].future);
    pthread_join(kernel, NULL);
    close_feed("R2");
    expect(0, 2);
}

/* The task reads one byte, which empties the stream, and then reads on. */
static void edge_after_little(void)
{
    pthread_t kernel;
    open_feed();
    arrives(1, false);
    pthread_create(&kernel, NULL, two_bytes_arrive, NULL);
    bool more = sleeper_poll(&sleepers[0], &reads[0].future);
    EXPLORE_RULE("value", more, "a byte had come, and the read waits");
    if (reads[0].result == 1) /* else the two are in it */
        sleeper_poll(&sleepers[1], &reads[1].future);
    pthread_join(kernel, NULL);
    close_feed("R2");
    if (reads[0].result == 1)
        expect(1, 2);
    else
        expect(0, 3);
}

/* And the same with the end instead of more bytes. */
static void end_after_little(void)
{
    pthread_t kernel;
    open_feed();
    arrives(1, false);
    pthread_create(&kernel, NULL, the_end_arrives, NULL);
    sleeper_poll(&sleepers[0], &reads[0].future);
    sleeper_poll(&sleepers[1], &reads[1].future);
    pthread_join(kernel, NULL);
    close_feed("R12");
    expect(0, 1);
    expect(1, 0);
}

#define CASE(case_name, rule)                                                          \
    {                                                                                  \
        .name = #case_name, .scenario = case_name, .rules = rule,                      \
        .models = 1u << EXPLORE_SC                                                     \
    }

EXPLORE_MAIN(CASE(edge_after_nothing, "R2"), CASE(edge_after_little, "R2"),
             CASE(end_after_little, "R12"))
