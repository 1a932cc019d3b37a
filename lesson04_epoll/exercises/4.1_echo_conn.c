/* Exercise 4.1: A connection that never waits.
 * What to do stands in 4.1_echo_conn.md. */
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
#include "common/todo.h"
#include "lesson04_epoll/echo_machine.h"

static void echo_conn_on_event(struct watch *watch, uint32_t events)
{
    /* Yours: whose event is it, and what may be tried now? */
    EXERCISE_TODO("4.1", watch, events);
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

void echo_conn_advance(struct echo_conn *conn)
{
    /* Yours: go on until nothing more can be done, or the turn is over */
    EXERCISE_TODO("4.1", conn);
}

void echo_conn_close(struct echo_conn *conn)
{
    struct echo_machine *machine = conn->machine;
    /* Yours: no event, no descriptor, no list but machine->dead */
    EXERCISE_TODO("4.1", conn);
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
