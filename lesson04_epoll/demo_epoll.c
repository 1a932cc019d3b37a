/* demo_epoll: four small scenes with a poller, then the server that is made of them.
 *
 * Every claim is checked where it is made; the program ends with status 1 when one of
 * them did not come true. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/errname.h"
#include "common/notifier.h"
#include "common/say.h"
#include "lesson04_epoll/echo_machine.h"
#include "lesson04_epoll/poller.h"

#define MS ((int64_t)NS_PER_MS)

/* Ends the demo unless what it claims is so. */
static void must(bool so, const char *what)
{
    if (so)
        return;
    fprintf(stderr, "this did not happen: %s (%s)\n", what, errtext(errno));
    exit(1);
}

struct scene {
    struct poller poller;
    int reader;
    int writer;
};

static void open_scene(struct scene *scene)
{
    int ends[2];
    must(poller_init(&scene->poller) == 0, "an epoll descriptor");
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0,
         "a pair of sockets");
    scene->reader = ends[0];
    scene->writer = ends[1];
}

static void close_scene(struct scene *scene)
{
    poller_finish(&scene->poller);
    close(scene->reader);
    close(scene->writer);
}

/* Looks up to three times without reading; returns how often there was an event. */
static int events_in_three_looks(uint32_t mode)
{
    struct scene s;
    struct poller_event event;
    int seen = 0;
    open_scene(&s);
    must(poller_add(&s.poller, s.reader, POLLER_READABLE | mode, &s) == 0, "add");
    must(write(s.writer, "0123456789", 10) == 10, "ten bytes");
    for (int i = 0; i < 3; i++)
        seen += poller_wait(&s.poller, &event, 1, 0);
    close_scene(&s);
    return seen;
}

static void level_against_edge(void)
{
    say_step("Ten bytes arrive, nobody reads them, and we ask three times");
    int level = events_in_three_looks(0);
    int edge = events_in_three_looks(POLLER_EDGE);
    int oneshot = events_in_three_looks(POLLER_ONESHOT);
    say("level-triggered: %d events   edge-triggered: %d   oneshot: %d", level, edge,
        oneshot);
    must(level == 3 && edge == 1 && oneshot == 1, "3, 1 and 1 events");
    say_look("level tells you that there IS data, edge that there is NEWS.");
}

static void the_stall(void)
{
    struct scene s;
    struct poller_event event;
    char buffer[4];
    int left = 0;
    ssize_t n;
    say_step("An edge-triggered reader stops early, and sleeps beside its data");
    open_scene(&s);
    must(poller_add(&s.poller, s.reader, POLLER_READABLE | POLLER_EDGE, &s) == 0,
         "add");
    must(write(s.writer, "0123456789", 10) == 10, "ten bytes");
    must(poller_wait(&s.poller, &event, 1, 100 * MS) == 1, "the edge");
    must(read(s.reader, buffer, sizeof buffer) == 4, "four bytes");
    int events = poller_wait(&s.poller, &event, 1, 100 * MS);
    must(ioctl(s.reader, FIONREAD, &left) == 0, "FIONREAD");
    say("read 4 of 10 bytes, waited 100 ms: %d events, while %d bytes lie there",
        events, left);
    must(events == 0 && left == 6, "a stall with six bytes left");
    int reads = 0;
    while ((n = read(s.reader, buffer, sizeof buffer)) > 0)
        reads++;
    say("the cure, read until EAGAIN: %d more reads, then %s", reads, errname(errno));
    must(n < 0 && errno == EAGAIN && reads == 2, "two reads and EAGAIN");
    must(write(s.writer, "!", 1) == 1, "one more byte");
    must(poller_wait(&s.poller, &event, 1, 100 * MS) == 1, "a new edge");
    say("and the next byte makes an edge again");
    say_look("only EAGAIN says \"you will be told\"; anything else says \"go on\".");
    close_scene(&s);
}

static void the_partial_write(void)
{
    enum { SIZE = 1 << 20 };
    static char out[SIZE], spare[1 << 16];
    struct scene s;
    struct poller_event event;
    int tiny = 1, writes = 0, waits = 0;
    size_t sent = 0, received = 0, first = 0;
    say_step("One megabyte through a socket with a tiny send buffer");
    open_scene(&s);
    setsockopt(s.writer, SOL_SOCKET, SO_SNDBUF, &tiny, sizeof tiny);
    must(poller_add(&s.poller, s.writer, POLLER_WRITABLE | POLLER_EDGE, &s) == 0,
         "add");
    while (received < SIZE) {
        ssize_t n;
        while (sent < SIZE && (n = write(s.writer, out + sent, SIZE - sent)) > 0) {
            writes++;
            sent += (size_t)n;
            if (!first)
                first = (size_t)n;
        }
        while ((n = read(s.reader, spare, sizeof spare)) > 0)
            received += (size_t)n;
        must(poller_wait(&s.poller, &event, 1, POLLER_FOREVER) == 1, "room again");
        waits++;
    }
    say("asked to take %d bytes, the first write took %zu and the next said EAGAIN",
        SIZE, first);
    say("it took %d writes and %d waits for room; all %zu bytes arrived", writes, waits,
        received);
    must(writes > 1 && received == SIZE, "partial writes that add up");
    say_look("who writes must remember where it stopped. That is a state.");
    close_scene(&s);
}

static void *wake_from_afar(void *notifier)
{
    notifier_notify(notifier);
    return NULL;
}

static void the_wake(void)
{
    struct poller poller;
    struct poller_event event;
    struct notifier notifier;
    pthread_t thread;
    say_step(
        "A thread wakes another one that sleeps in epoll_wait, for ever if need be");
    must(poller_init(&poller) == 0 && notifier_init(&notifier) == 0, "a notifier");
    must(poller_add(&poller, notifier.fd, POLLER_READABLE, &notifier) == 0, "add");
    must(pthread_create(&thread, NULL, wake_from_afar, &notifier) == 0, "a thread");
    int n = poller_wait(&poller, &event, 1, POLLER_FOREVER);
    pthread_join(thread, NULL);
    must(n == 1 && poller_event_user(&event) == &notifier, "a wake");
    say("a wait without a time-out came back: its eventfd had become readable");
    notifier_drain(&notifier);
    for (int i = 0; i < 1000; i++)
        notifier_notify(&notifier);
    int events = 0;
    while (poller_wait(&poller, &event, 1, 0) == 1) {
        events++;
        notifier_drain(&notifier);
    }
    say("1000 notifies before we look: %d event", events);
    must(events == 1, "wakes that coalesce");
    poller_finish(&poller);
    notifier_finish(&notifier);
}

/* The whole server, if a thread may block: this is what echo_conn.c is in disguise. */
static void *blocking_echo(void *argument)
{
    int fd = *(int *)argument;
    char buffer[4096];
    ssize_t n;
    while ((n = recv(fd, buffer, sizeof buffer, 0)) > 0)
        for (ssize_t at = 0, m; at < n; at += m)
            if ((m = send(fd, buffer + at, (size_t)(n - at), MSG_NOSIGNAL)) < 0)
                return NULL;
    return NULL;
}

static void *run(void *machine)
{
    echo_machine_run(machine);
    return NULL;
}

/* A round trip of four bytes on a blocking socket. */
static bool echoes(int fd)
{
    char back[4] = { 0 };
    return send(fd, "ping", 4, MSG_NOSIGNAL) == 4 &&
           recv(fd, back, 4, MSG_WAITALL) == 4 && memcmp(back, "ping", 4) == 0;
}

static void one_blocking_connection(void)
{
    int ends[2];
    pthread_t thread;
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "sockets");
    must(pthread_create(&thread, NULL, blocking_echo, &ends[0]) == 0, "a thread");
    must(echoes(ends[1]), "a blocking echo");
    close(ends[1]);
    pthread_join(thread, NULL);
    close(ends[0]);
    say("with a thread for each connection: one function, one loop, no states");
}

static void the_server(void)
{
    enum { CLIENTS = 100 };
    struct echo_machine machine;
    struct echo_options options = { 0 };
    int fds[CLIENTS];
    pthread_t thread;
    say_step("An echo server made of callbacks: %d clients, one thread", CLIENTS);
    one_blocking_connection();
    must(echo_machine_init(&machine, &options) == 0, "a listening server");
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(echo_machine_port(&machine)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    must(pthread_create(&thread, NULL, run, &machine) == 0, "a thread");
    int served = 0;
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        must(connect(fds[i], (struct sockaddr *)&address, sizeof address) == 0,
             "a connection");
    }
    for (int i = CLIENTS - 1; i >= 0; i--)
        served += echoes(fds[i]);
    echo_machine_stop(&machine);
    pthread_join(thread, NULL);
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
    const struct echo_stats *stats = &machine.stats;
    say("with one thread for all: %d of %d served, %llu bytes, %llu sleeps", served,
        CLIENTS, (unsigned long long)stats->bytes, (unsigned long long)stats->waits);
    say("each connection: %zu bytes, of which %d are buffer; no stack",
        sizeof(struct echo_conn), ECHO_BUFFER);
    must(served == CLIENTS && stats->accepted == CLIENTS, "all clients served");
    echo_machine_finish(&machine);
    say_look("the loop of blocking_echo is gone. Find its pieces in echo_conn.c.");
}

int main(void)
{
    level_against_edge();
    the_stall();
    the_partial_write();
    the_wake();
    the_server();
    say_next(
        "read lesson04_epoll/README.md, then echo_conn.c with its diagram at hand.");
    return 0;
}
