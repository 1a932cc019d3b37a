/* one_conn: an echo machine without a listener, and one connection or more whose other
 * end the test has. Everything is a socket pair, and the test steps the machine itself,
 * so each event comes when the test wants it. To be included once, by a test
 * program. */
#ifndef EXERCISES_ONE_CONN_H
#define EXERCISES_ONE_CONN_H

#include "common/testing/testing.h"

#include <sys/socket.h>
#include <unistd.h>

#include "common/testing/faults.h"
#include "lesson04_epoll/echo_conn.h"
#include "lesson04_epoll/echo_machine.h"

static struct echo_machine machine;

static inline void start(struct echo_options options)
{
    machine = (struct echo_machine){ .listener = -1, .reserve = -1 };
    machine.options = options;
    if (machine.options.read_max == 0)
        machine.options.read_max = ECHO_BUFFER;
    if (machine.options.turn == 0)
        machine.options.turn = 16;
    list_init(&machine.open);
    list_init(&machine.again);
    list_init(&machine.dead);
    assert_int_equal(poller_init(&machine.poller), 0);
}

static inline void stop(void)
{
    fault_disarm();
    while (!list_empty(&machine.open))
        echo_conn_close(container_of(machine.open.next, struct echo_conn, link));
    echo_conn_free_dead(&machine);
    poller_finish(&machine.poller);
}

/* A new connection; returns the client's end of it. */
static inline int client(struct echo_conn **conn)
{
    int ends[2];
    int flags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    assert_int_equal(socketpair(AF_UNIX, flags, 0, ends), 0);
    assert_int_equal(echo_conn_open(&machine, ends[0]), 0);
    *conn = container_of(machine.open.prev, struct echo_conn, link);
    return ends[1];
}

static inline int step(void)
{
    return echo_machine_step(&machine, 0);
}

/* Steps until no event comes and nobody has work left. */
static inline void settle(void)
{
    for (int i = 0; i < 10000; i++)
        if (step() == 0 && list_empty(&machine.again))
            return;
    fail_msg("10000 steps, and still there is work: %llu turns were postponed",
             (unsigned long long)machine.stats.postponed);
}

static inline void put(int fd, const char *text)
{
    ssize_t n = send(fd, text, strlen(text), MSG_NOSIGNAL);
    if (n != (ssize_t)strlen(text))
        fail_msg("the client sends \"%s\": %zd (errno %d)", text, n, errno);
}

/* What has come back must be this. */
static inline void get(int fd, const char *expected)
{
    char text[4096] = "";
    ssize_t n = recv(fd, text, sizeof text - 1, 0);
    if (n < 0)
        fail_msg("the client expects \"%s\" back: nothing has come (errno %d)",
                 expected, errno);
    if (strcmp(text, expected) != 0)
        fail_msg("the client expects \"%.60s\" back: got \"%.60s\" (%zd bytes)",
                 expected, text, n);
}

/* Has the server ended this connection? */
static inline bool at_end(int fd)
{
    char spare[4096];
    ssize_t n;
    while ((n = recv(fd, spare, sizeof spare, 0)) > 0)
        ;
    return n == 0 || errno == ECONNRESET;
}

static inline const char *state_name(enum echo_state state)
{
    static const char *const names[] = { "READING", "WRITING", "CLOSED" };
    return names[state];
}

static inline void expect_state(const struct echo_conn *conn, enum echo_state state,
                                const char *when)
{
    if (conn->state != state)
        fail_msg("%s: expected the state %s, got %s", when, state_name(state),
                 state_name(conn->state));
}

#define EXPECT_STAT(name, expected, when)                                              \
    do {                                                                               \
        if (machine.stats.name != (expected))                                          \
            fail_msg("%s: expected stats.%s to be %d, got %llu", (when), #name,        \
                     (int)(expected), (unsigned long long)machine.stats.name);         \
    } while (0)

/* ---- a long conversation */

struct flood {
    int fd;
    size_t size, sent, back;
};

static inline char flood_byte(size_t i)
{
    return (char)(i * 31 + i / 4096);
}

/* The client sends as much as there is room for. */
static inline void flood_send(struct flood *flood)
{
    char piece[4096];
    for (;;) {
        size_t left = flood->size - flood->sent;
        size_t size = left < sizeof piece ? left : sizeof piece;
        for (size_t i = 0; i < size; i++)
            piece[i] = flood_byte(flood->sent + i);
        ssize_t n = size ? send(flood->fd, piece, size, MSG_NOSIGNAL) : 0;
        if (n <= 0)
            return;
        flood->sent += (size_t)n;
    }
}

/* The client reads all that has come back. */
static inline void flood_receive(struct flood *flood)
{
    char piece[4096];
    ssize_t n;
    while ((n = recv(flood->fd, piece, sizeof piece, 0)) > 0)
        for (ssize_t i = 0; i < n; i++, flood->back++)
            if (piece[i] != flood_byte(flood->back))
                fail_msg("byte %zu came back as %d, expected %d: the order is broken",
                         flood->back, piece[i], flood_byte(flood->back));
}

/* Sends, steps and receives until all is back. */
static inline void flood_run(struct flood *flood)
{
    for (int i = 0; i < 100000 && flood->back < flood->size; i++) {
        flood_send(flood);
        step();
        flood_receive(flood);
    }
    if (flood->back != flood->size)
        fail_msg("of %zu bytes %zu came back, and no more will: the connection sleeps",
                 flood->size, flood->back);
}

/* Sends without receiving until the connection holds bytes that nobody takes. */
static inline void flood_jam(struct flood *flood, const struct echo_conn *conn)
{
    for (int i = 0; i < 100000; i++) {
        flood_send(flood);
        if (step() == 0 && list_empty(&machine.again) && conn->state == ECHO_WRITING)
            return;
    }
    fail_msg(
        "the client does not read: expected the connection to wait in WRITING, it is "
        "in %s",
        state_name(conn->state));
}

#endif
