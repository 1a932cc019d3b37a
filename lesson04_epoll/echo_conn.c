/* echo_conn: read some, write all of it, read again - without ever waiting.
 *
 * With a thread for each connection this file is one loop of six lines. Here each place
 * where that loop would block is a state, and each local variable is a member:
 *
 *        echo_conn_open
 *              |
 *              v     conn_read: n bytes
 *          READING -----------------------> WRITING
 *           |  ^  <-----------------------   |  ^
 *           |  |     conn_write: all sent    |  |
 *           |  |                             |  |
 *           |  echo_conn_on_event            |  echo_conn_on_event
 *           |  (after conn_read: EAGAIN)     |  (after conn_write: EAGAIN)
 *           |                                |
 *           |  conn_read: FIN or error       |  conn_write: error
 *           +--------> echo_conn_close <-----+
 *                            |
 *                            v
 *                         CLOSED --echo_conn_free_dead--> freed
 *
 * The diagram hides that each state exists four times, once for each value of may_read
 * and may_write, and twice again, in machine->again or not. Three invariants keep that
 * in hand:
 *   1. may_read is false only if the last recv answered EAGAIN and no event has come
 *      since; likewise may_write. Edge-triggered epoll reports a change once, so the
 *      bit is the only memory of it (R1). A short read does not clear it: data and FIN may
 *      come as one edge, and the FIN would never be read (R12).
 *   2. A live connection waits for an event of the direction that its state needs, or
 *      is in machine->again. One that is neither would sleep for ever.
 *   3. A closed connection is in no list but machine->dead, and keeps its memory until
 *      every event that epoll has already reported was handled (R4). */
#include "lesson04_epoll/echo_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/container.h"
#include "lesson04_epoll/echo_machine.h"

static void echo_conn_on_event(struct watch *watch, uint32_t events)
{
    /* exercise 4.1 { */
    struct echo_conn *conn = container_of(watch, struct echo_conn, watch);
    if (conn->state == ECHO_CLOSED) {
        conn->machine->stats.stale++;
        return;
    }
    /* HUP and ERR come alone when the peer resets. They make both directions "ready":
     * the next system call will not block, it will say what is wrong (R3). */
    const uint32_t over = POLLER_HUP | POLLER_ERR;
    if (events & (POLLER_READABLE | POLLER_RDHUP | over))
        conn->may_read = true;
    if (events & (POLLER_WRITABLE | over))
        conn->may_write = true;
    echo_conn_advance(conn);
    /* } exercise 4.1: (watch, events) whose event is it, and what may be tried now? */
}

/* A socket that cannot be tuned (AF_UNIX has no Nagle) works without. */
static void tune(int fd, int send_buffer)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (send_buffer > 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
}

static void make_room(struct echo_machine *machine)
{
    unsigned limit = machine->options.max_connections;
    if (!limit || machine->connections <= limit)
        return;
    machine->stats.evicted++;
    echo_conn_close(container_of(machine->open.next, struct echo_conn, link));
}

int echo_conn_open(struct echo_machine *machine, int fd)
{
    int err = -ENOMEM;
    struct echo_conn *conn = malloc(sizeof *conn);
    if (!conn)
        goto fail_close;
    conn->watch.on_event = echo_conn_on_event;
    conn->machine = machine;
    list_init(&conn->again);
    conn->fd = fd;
    conn->state = ECHO_READING;
    conn->may_read = false;
    conn->may_write = false;
    tune(fd, machine->options.send_buffer);
    /* Once, for good, both directions: no system call when the state changes. */
    err = poller_add(&machine->poller, fd,
                     POLLER_READABLE | POLLER_WRITABLE | POLLER_RDHUP | POLLER_EDGE,
                     &conn->watch);
    if (err < 0)
        goto fail_free;
    list_push_back(&machine->open, &conn->link);
    machine->connections++;
    machine->stats.accepted++;
    make_room(machine);
    return 0;
fail_free:
    free(conn);
fail_close:
    close(fd);
    machine->stats.failed++;
    return err;
}

/* exercise 4.1 { */
/* READING. Returns whether there is more to do at once. */
static bool conn_read(struct echo_conn *conn)
{
    struct echo_stats *stats = &conn->machine->stats;
    if (!conn->may_read)
        return false;
    ssize_t n = recv(conn->fd, conn->buffer, conn->machine->options.read_max, 0);
    if (n > 0) {
        stats->reads++;
        conn->filled = (size_t)n;
        conn->sent = 0;
        conn->state = ECHO_WRITING;
        return true;
    }
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        conn->may_read = false;
        return false;
    }
    if (n == 0)
        stats->ended++;
    else
        stats->broken++;
    echo_conn_close(conn);
    return false;
}

/* WRITING. Returns whether there is more to do at once. */
static bool conn_write(struct echo_conn *conn)
{
    struct echo_stats *stats = &conn->machine->stats;
    if (!conn->may_write)
        return false;
    size_t left = conn->filled - conn->sent;
    /* MSG_NOSIGNAL: a peer that went away must not kill the whole process (R6). */
    ssize_t n = send(conn->fd, conn->buffer + conn->sent, left, MSG_NOSIGNAL);
    if (n >= 0) {
        stats->writes++;
        stats->bytes += (uint64_t)n;
        conn->sent += (size_t)n; /* R7: the next one goes on here */
        if ((size_t)n < left)
            stats->partial_writes++;
        else
            conn->state = ECHO_READING;
        return true;
    }
    if (errno == EINTR)
        return true;
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        conn->may_write = false;
        return false;
    }
    stats->broken++;
    echo_conn_close(conn);
    return false;
}

/* } exercise 4.1 */
void echo_conn_advance(struct echo_conn *conn)
{
    /* exercise 4.1 { */
    struct echo_machine *machine = conn->machine;
    list_remove(&conn->again);
    for (unsigned calls = 0; calls < machine->options.turn; calls++) {
        bool more = conn->state == ECHO_READING ? conn_read(conn) : conn_write(conn);
        if (!more)
            return;
    }
    /* A peer that sends without pause would keep us here for ever. No event will come
     * for what it has sent already, so the machine must remember it. */
    machine->stats.postponed++;
    list_push_back(&machine->again, &conn->again);
    /* } exercise 4.1: (conn) go on until nothing more can be done, or the turn is over */
}

void echo_conn_close(struct echo_conn *conn)
{
    struct echo_machine *machine = conn->machine;
    /* exercise 4.1 { */
    /* Before close, not by close: a forked child may hold a duplicate, and then close
     * would leave the registration, and its pointer to us, in the epoll set (R4). Its
     * only errors are "not registered" ones; then there is nothing to remove. */
    (void)poller_remove(&machine->poller, conn->fd);
    close(conn->fd);
    conn->fd = -1;
    conn->state = ECHO_CLOSED;
    list_remove(&conn->again);
    list_remove(&conn->link);
    list_push_back(&machine->dead, &conn->link);
    /* } exercise 4.1: (conn) no event, no descriptor, no list but machine->dead */
    machine->connections--;
    if (machine->accept_again_at)
        machine->accept_again_at = 1; /* a descriptor is free: accept may try at once */
}

void echo_conn_free_dead(struct echo_machine *machine)
{
    struct list *link;
    while ((link = list_pop_front(&machine->dead)) != NULL)
        free(container_of(link, struct echo_conn, link));
}
