/* Every order of steps of the reactor's sources: a task that tries and waits, against edges
 * that arrive. */
#include "common/explore/explore.h"
#include "lesson05_reactor/epoll_source.h"
#include "lesson05_reactor/explore_kernel.h"
#include "lesson05_reactor/explore_sleepers.h"

static struct reactor reactor;
static struct io_source *source;
static struct io_op receives, sends;
static struct sleeper sleepers[3];
static int fd;
static char bytes[8], more[8];

/* A socket with so much room to send into. */
static void open_source(enum io_type type, int room)
{
    kernel_start();
    CHECK(reactor_init(&reactor, &(struct reactor_config){ .shared = true,
                                                           .events = KERNEL_FDS }) == 0,
          "no reactor");
    fd = kernel_socket(room);
    CHECK(reactor.driver.ops->attach(&reactor.driver, fd, type, &source) == 0,
          "not attached");
    receives = io_recv(source, bytes, sizeof bytes);
    sends = io_send(source, more, 1);
}

static void pump(void)
{
    CHECK(parker_park(&reactor.parker, 0) == 0, "no park");
}

/* The edges that are left come in, and whoever was woken goes on. */
static void close_source(const char *rule)
{
    do {
        pump();
        sleepers_run(sleepers, 3);
    } while (kernel_has_news());
    sleepers_end(sleepers, 3, rule);
    EXPLORE_RULE("C4", io_detach(source) == fd, "another descriptor");
    reactor_finish(&reactor);
    kernel_stop();
}

/* Registered, and said to be ready, although nothing is there any more: as after a read
 * that took all and did not know it. */
static void read_one_before(void)
{
    struct io_op first = io_recv(source, bytes, 1);
    struct sleeper reader = { .future = NULL };
    sleeper_poll(&reader, &first.future);
    kernel_arrives(fd, 1);
    pump();
    sleepers_end(&reader, 1, "W1");
}

static void *arrives(void *unused)
{
    explore_name("peer");
    kernel_arrives(fd, 1);
    pump();
    return unused;
}

/* The descriptor is registered by the first operation that waits. */
static void first_wait_against_arrival(void)
{
    explore_name("task");
    open_source(IO_TYPE_ANY, 1);
    sleeper_poll_against(&sleepers[0], &receives.future, arrives);
    close_source("W1");
    EXPLORE_RULE("R1", receives.result == 1, "%d received", receives.result);
}

/* EAGAIN, and then an edge, and then the clearing. */
static void clearing_against_edge(void)
{
    explore_name("task");
    open_source(IO_TYPE_ANY, 1);
    read_one_before();
    sleeper_poll_against(&sleepers[0], &receives.future, arrives);
    close_source("R2");
    EXPLORE_RULE("R1", receives.result == 1, "%d received", receives.result);
}

static void *ends(void *unused)
{
    explore_name("peer");
    kernel_arrives(fd, 1);
    kernel_arrives_and_ends(fd, 1);
    pump();
    return unused;
}

/* A short read empties a stream, unless it has ended. */
static void short_reads_until_the_end(void)
{
    explore_name("task");
    open_source(IO_TYPE_STREAM, 1);
    int got = 0, reads = 0;
    pthread_t other;
    pthread_create(&other, NULL, ends, NULL);
    bool joined = false;
    do {
        receives = io_recv(source, bytes, sizeof bytes);
        if (!sleeper_poll(&sleepers[0], &receives.future)) {
            if (!joined)
                pthread_join(other, NULL);
            joined = true;
            pump();
            sleepers_end(sleepers, 1, "R12");
        }
        got += receives.result;
    } while (receives.result > 0 && ++reads < 4);
    if (!joined)
        pthread_join(other, NULL);
    EXPLORE_RULE("R12", got == 2 && receives.result == 0, "%d bytes, and %d", got,
                 receives.result);
    close_source("R12");
}

/* A cancel takes its waker back, or an edge has it. The next read finds what came. */
static void cancel_against_edge(void)
{
    pthread_t other;
    explore_name("task");
    open_source(IO_TYPE_ANY, 1);
    pthread_create(&other, NULL, arrives, NULL);
    sleeper_poll(&sleepers[0], &receives.future);
    sleeper_cancel(&sleepers[0]);
    int first = receives.result;
    receives = io_recv(source, bytes, sizeof bytes);
    sleeper_poll(&sleepers[1], &receives.future);
    pthread_join(other, NULL);
    if (first == 1) /* nothing is left for the second */
        sleeper_cancel(&sleepers[1]);
    close_source("R2");
    EXPLORE_RULE("R1", (first == 1) != (receives.result == 1), "%d and %d received",
                 first, receives.result);
}

/* ---- both directions at once */

static void *waits_to_send(void *unused)
{
    explore_name("sends");
    sleeper_poll(&sleepers[1], &sends.future);
    return unused;
}

/* Both register the descriptor, each for its own direction: the set must have both. */
static void two_directions_register(void)
{
    explore_name("receives");
    open_source(IO_TYPE_ANY, 0);
    sends.length = 1;
    /* a new source is taken for writable: the send's first try says that it is not */
    sleeper_poll_against(&sleepers[0], &receives.future, waits_to_send);
    pump();
    sleepers_run(sleepers, 2);
    kernel_arrives(fd, 1);
    kernel_makes_room(fd, 1);
    close_source("W1");
    EXPLORE_RULE("both", sends.result == 1 && receives.result == 1,
                 "sent %d, received %d", sends.result, receives.result);
}

static void *arrives_and_makes_room(void *unused)
{
    explore_name("peer");
    kernel_makes_room(fd, 1);
    kernel_arrives(fd, 1);
    pump();
    return unused;
}

static void two_directions_against_edges(void)
{
    pthread_t other, peer;
    explore_name("receives");
    open_source(IO_TYPE_ANY, 0);
    pthread_create(&other, NULL, waits_to_send, NULL);
    pthread_create(&peer, NULL, arrives_and_makes_room, NULL);
    sleeper_poll(&sleepers[0], &receives.future);
    pthread_join(other, NULL);
    pthread_join(peer, NULL);
    close_source("W1");
    EXPLORE_RULE("both", sends.result == 1 && receives.result == 1,
                 "sent %d, received %d", sends.result, receives.result);
}

/* epoll refuses one of them: that one fails, the other registers the descriptor itself. */
static void one_registration_fails(void)
{
    explore_name("receives");
    open_source(IO_TYPE_ANY, 0);
    kernel.failures_left = 1;
    sleeper_poll_against(&sleepers[0], &receives.future, waits_to_send);
    kernel.failures_left = 0;
    kernel_arrives(fd, 1);
    kernel_makes_room(fd, 1);
    close_source("W1");
    bool both = sends.result == 1 && receives.result == 1;
    bool one = (sends.result == 1 && receives.result == -ENOMEM) ||
               (sends.result == -ENOMEM && receives.result == 1);
    EXPLORE_RULE("both", both || one, "sent %d, received %d", sends.result,
                 receives.result);
}

/* ---- one direction, two operations */

static struct io_op second;

static void *receives_as_well(void *unused)
{
    explore_name("second");
    sleeper_poll(&sleepers[1], &second.future);
    return unused;
}

/* The second is refused, or comes after the first: then it has the direction. */
static void two_readers(void)
{
    pthread_t other, peer;
    explore_name("first");
    open_source(IO_TYPE_ANY, 1);
    read_one_before();
    receives.length = 1;
    second = io_recv(source, more, 1);
    pthread_create(&other, NULL, receives_as_well, NULL);
    pthread_create(&peer, NULL, arrives, NULL);
    sleeper_poll(&sleepers[0], &receives.future);
    pthread_join(other, NULL);
    pthread_join(peer, NULL);
    kernel_arrives(fd, 1);
    close_source("W1");
    EXPLORE_RULE("R1", receives.result == 1 || receives.result == -EBUSY, "first: %d",
                 receives.result);
    EXPLORE_RULE("R1", second.result == 1 || second.result == -EBUSY, "second: %d",
                 second.result);
    EXPLORE_RULE("R1", receives.result == 1 || second.result == 1, "both are refused");
}

/* ---- the next tenant of a source's memory (R4) */

/* An edge of the tenant before may be on its way when the next one waits already. */
static void next_tenant_against_late_edge(void)
{
    pthread_t other;
    explore_name("task");
    open_source(IO_TYPE_ANY, 1);
    int next = kernel_socket(1);
    sleeper_poll(&sleepers[0], &receives.future);
    pthread_create(&other, NULL, arrives, NULL);
    sleeper_cancel(&sleepers[0]);
    io_detach(source);
    CHECK(reactor.driver.ops->attach(&reactor.driver, next, IO_TYPE_ANY, &source) == 0,
          "not attached");
    second = io_recv(source, more, 1);
    sleeper_poll(&sleepers[1], &second.future);
    pthread_join(other, NULL);
    fd = next;
    kernel_arrives(fd, 1);
    close_source("R4");
    EXPLORE_RULE("R4", second.result == 1, "%d received", second.result);
}

/* ---- the reactor as a parker */

static void *unparks(void *unused)
{
    explore_name("unparks");
    parker_unpark(&reactor.parker);
    return unused;
}

static void park_against_unpark(void)
{
    pthread_t other;
    explore_name("parks");
    open_source(IO_TYPE_ANY, 1);
    pthread_create(&other, NULL, unparks, NULL);
    parker_park(&reactor.parker, PARK_FOREVER);
    pthread_join(other, NULL);
    close_source("P1");
}

/* The token that a park(0) left there, and one that came with an edge. */
static void *arrives_and_unparks(void *unused)
{
    explore_name("peer");
    kernel_arrives(fd, 1);
    parker_unpark(&reactor.parker);
    return unused;
}

static void *registers(void *unused)
{
    explore_name("task");
    sleeper_poll(&sleepers[0], &receives.future);
    return unused;
}

/* Another thread registers a descriptor while the reactor sleeps: what arrives there ends
 * the sleep. */
static void park_against_registration(void)
{
    pthread_t other;
    explore_name("parks");
    open_source(IO_TYPE_ANY, 1);
    kernel_arrives(fd, 1);
    pthread_create(&other, NULL, registers, NULL);
    parker_park(&reactor.parker, PARK_FOREVER);
    pthread_join(other, NULL);
    close_source("W1");
}

static void two_parks_against_edge_and_unpark(void)
{
    pthread_t other;
    explore_name("parks");
    open_source(IO_TYPE_ANY, 1);
    sleeper_poll(&sleepers[0], &receives.future);
    pthread_create(&other, NULL, arrives_and_unparks, NULL);
    while (!sleeper_was_woken(&sleepers[0]))
        parker_park(&reactor.parker, PARK_FOREVER);
    pthread_join(other, NULL);
    close_source("W1");
}

/* ---- the stop's first phase */

static void *drains(void *unused)
{
    explore_name("stops");
    source_pool_drain(&reactor.sources);
    return unused;
}

/* Who says it a moment too late for the drain sees the end at once. */
static void drain_against_drain_at_stop(void)
{
    pthread_t other;
    explore_name("task");
    open_source(IO_TYPE_STREAM, 1);
    pthread_create(&other, NULL, drains, NULL);
    io_source_drain_at_stop(source);
    sleeper_poll(&sleepers[0], &receives.future);
    pthread_join(other, NULL);
    EXPLORE_RULE("stop", kernel_fd(fd)->hung_up, "the stop has passed this source by");
    close_source("stop");
}

#define REACTOR_CASE(scenario_name, what, ...)                                         \
    {                                                                                  \
        .name = #scenario_name, .scenario = scenario_name, .rules = what, __VA_ARGS__  \
    }

EXPLORE_MAIN(REACTOR_CASE(first_wait_against_arrival, "W1", .models = 7),
             REACTOR_CASE(clearing_against_edge, "R2", .models = 7),
             REACTOR_CASE(short_reads_until_the_end, "R12", .models = 7),
             REACTOR_CASE(cancel_against_edge, "R2, W8", .models = 7),
             REACTOR_CASE(two_directions_register, "W1", .models = 7),
             REACTOR_CASE(two_directions_against_edges, "W1", .deep = true),
             REACTOR_CASE(one_registration_fails, "W1", .models = 7),
             REACTOR_CASE(two_readers, "W1", .deep = true),
             REACTOR_CASE(next_tenant_against_late_edge, "R4", .models = 0),
             REACTOR_CASE(drain_against_drain_at_stop, "S12", .models = 7),
             REACTOR_CASE(park_against_unpark, "P1", .hang_rule = "P1", .models = 7),
             REACTOR_CASE(park_against_registration, "W1", .hang_rule = "W1",
                          .models = 7),
             REACTOR_CASE(two_parks_against_edge_and_unpark, "W1", .hang_rule = "W1",
                          .models = 7), )
