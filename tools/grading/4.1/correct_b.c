/* echo_conn, another way: one function makes one system call, in whichever direction
 * the state asks for, and one place judges what came of it. */
#include "lesson04_epoll/echo_conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/container.h"
#include "lesson04_epoll/echo_machine.h"

static void on_event(struct watch *watch, uint32_t events);

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
    conn->watch.on_event = on_event;
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

enum outcome { MOVED, INTERRUPTED, BLOCKED, PEER_IS_DONE, BROKEN };

/* One recv or send; `moved` bytes. */
static enum outcome move(struct echo_conn *conn, bool reading, size_t *moved)
{
    ssize_t n = reading
                    ? recv(conn->fd, conn->buffer, conn->machine->options.read_max, 0)
                    : send(conn->fd, conn->buffer + conn->sent,
                           conn->filled - conn->sent, MSG_NOSIGNAL);
    *moved = n > 0 ? (size_t)n : 0;
    if (n > 0)
        return MOVED;
    if (n == 0)
        return reading ? PEER_IS_DONE : MOVED;
    switch (errno) {
    case EINTR:
        return INTERRUPTED;
    case EAGAIN:
        return BLOCKED;
    default:
        return BROKEN;
    }
}

static void has_read(struct echo_conn *conn, size_t moved)
{
    conn->machine->stats.reads++;
    conn->filled = moved;
    conn->sent = 0;
    conn->state = ECHO_WRITING;
}

static void has_written(struct echo_conn *conn, size_t moved)
{
    struct echo_stats *stats = &conn->machine->stats;
    stats->writes++;
    stats->bytes += moved;
    conn->sent += moved;
    stats->partial_writes += conn->sent < conn->filled;
    if (conn->sent == conn->filled)
        conn->state = ECHO_READING;
}

void echo_conn_advance(struct echo_conn *conn)
{
    struct echo_machine *machine = conn->machine;
    unsigned left = machine->options.turn;
    list_remove(&conn->again);
    while (conn->state != ECHO_CLOSED) {
        bool reading = conn->state == ECHO_READING;
        bool *ready = reading ? &conn->may_read : &conn->may_write;
        size_t moved;
        if (!*ready)
            return;
        if (left-- == 0) {
            machine->stats.postponed++;
            list_push_back(&machine->again, &conn->again);
            return;
        }
        switch (move(conn, reading, &moved)) {
        case MOVED:
            (reading ? has_read : has_written)(conn, moved);
            break;
        case INTERRUPTED:
            break;
        case BLOCKED:
            *ready = false;
            break;
        case PEER_IS_DONE:
            machine->stats.ended++;
            echo_conn_close(conn);
            break;
        case BROKEN:
            machine->stats.broken++;
            echo_conn_close(conn);
            break;
        }
    }
}

static void on_event(struct watch *watch, uint32_t events)
{
    struct echo_conn *conn = container_of(watch, struct echo_conn, watch);
    if (conn->state == ECHO_CLOSED) {
        conn->machine->stats.stale++;
        return;
    }
    /* Whatever it is but a plain "writable", a recv will say; likewise a send. */
    conn->may_read |= (events & ~POLLER_WRITABLE) != 0;
    conn->may_write |= (events & ~(POLLER_READABLE | POLLER_RDHUP)) != 0;
    echo_conn_advance(conn);
}

void echo_conn_close(struct echo_conn *conn)
{
    struct echo_machine *machine = conn->machine;
    int fd = conn->fd;
    conn->state = ECHO_CLOSED;
    conn->fd = -1;
    poller_remove(&machine->poller, fd);
    close(fd);
    list_remove(&conn->link);
    list_remove(&conn->again);
    list_push_front(&machine->dead, &conn->link);
    machine->connections--;
    if (machine->accept_again_at)
        machine->accept_again_at = 1;
}

void echo_conn_free_dead(struct echo_machine *machine)
{
    struct list *link;
    while ((link = list_pop_front(&machine->dead)) != NULL)
        free(container_of(link, struct echo_conn, link));
}
