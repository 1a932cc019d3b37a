/* base_epoll: the raw readiness loop.
 *
 * One thread, one epoll, every connection registered once, edge-triggered. An edge says
 * "something changed", so whoever gets it must read until nothing is left. The obvious
 * way to know that is to read until EAGAIN, which costs one failing system call for
 * each request. The short-read rule saves it: a receive that returned less than it was
 * given room for has emptied the socket, and whatever comes later makes a new edge.
 * With one exception: data and FIN that arrive together make one edge, and then a short
 * read leaves the end of the stream unread. So after RDHUP or HUP we read to the end.
 *
 * What must survive a return to the loop is little: the half of a request that came
 * (http_min holds it) and the answers that the peer has no room for (`unsent`). While
 * there are unsent bytes we do not read: a peer that sends and never receives would
 * otherwise fill our memory instead of its own.
 *
 * Invariant: a connection that returns to the loop has either drained its socket or has
 * unsent bytes, for which the writable edge will come. */
#include "lesson08_compare/base_epoll.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/list.h"
#include "common/container.h"
#include "lesson08_compare/http_min.h"

#define EVENTS_AT_ONCE 256

struct connection {
    struct list link; /* in loop->connections */
    int fd;           /* owns */
    bool hangup;      /* RDHUP, HUP or ERR was seen: a short read proves nothing */
    struct http_min http;
    char *unsent; /* owns; NULL when the peer took everything */
    size_t unsent_at, unsent_len;
};

struct loop {
    struct base *base; /* borrows */
    int epoll;         /* owns */
    int reserve; /* owns; a spare descriptor for the day when there is none left */
    struct list connections;
    char in[HTTP_MIN_CHUNK];
    char out[HTTP_MIN_ROOM(HTTP_MIN_CHUNK)];
};

static void disconnect(struct loop *loop, struct connection *c)
{
    list_remove(&c->link);
    close(c->fd); /* ours is the only descriptor, so epoll forgets it as well */
    loop->base->served.syscalls++;
    http_min_finish(&c->http);
    free(c->unsent);
    free(c);
}

/* Sends what the peer has room for; returns how much that was, or a negative errno. */
static ssize_t send_some(struct loop *loop, int fd, const char *bytes, size_t n)
{
    size_t sent = 0;
    while (sent < n) {
        ssize_t r = send(fd, bytes + sent, n - sent, MSG_NOSIGNAL);
        loop->base->served.syscalls++;
        if (r >= 0)
            sent += (size_t)r;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            return -errno;
    }
    return (ssize_t)sent;
}

/* Sends, and keeps what could not be sent. Negative errno: the connection is over. */
static int answer(struct loop *loop, struct connection *c, const char *bytes, size_t n)
{
    ssize_t sent = send_some(loop, c->fd, bytes, n);
    if (sent < 0)
        return (int)sent;
    if ((size_t)sent == n)
        return 0;
    c->unsent_len = n - (size_t)sent;
    c->unsent_at = 0;
    c->unsent = malloc(c->unsent_len);
    if (!c->unsent)
        return -ENOMEM;
    memcpy(c->unsent, bytes + sent, c->unsent_len);
    return 0;
}

static int flush(struct loop *loop, struct connection *c)
{
    ssize_t sent =
        send_some(loop, c->fd, c->unsent + c->unsent_at, c->unsent_len - c->unsent_at);
    if (sent < 0)
        return (int)sent;
    c->unsent_at += (size_t)sent;
    if (c->unsent_at == c->unsent_len) {
        free(c->unsent);
        c->unsent = NULL;
    }
    return 0;
}

static int serve_bytes(struct loop *loop, struct connection *c, size_t n)
{
    if (loop->base->proto == WORKLOAD_ECHO) {
        loop->base->served.requests++;
        return answer(loop, c, loop->in, n);
    }
    ssize_t length =
        http_min_feed(&c->http, loop->in, n, loop->out, &loop->base->served.requests);
    if (length < 0)
        return (int)length;
    return answer(loop, c, loop->out, (size_t)length);
}

/* Reads until the socket is empty; negative when the connection is over. */
static int drain(struct loop *loop, struct connection *c)
{
    while (!c->unsent && !c->http.closing) {
        ssize_t n = recv(c->fd, loop->in, sizeof loop->in, 0);
        loop->base->served.syscalls++;
        if (n == 0)
            return -ECONNRESET;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        int err = serve_bytes(loop, c, (size_t)n);
        if (err < 0)
            return err;
        if ((size_t)n < sizeof loop->in && !c->hangup)
            break; /* the short-read rule */
    }
    return c->http.closing && !c->unsent ? -ECONNRESET : 0;
}

static void on_event(struct loop *loop, struct connection *c, uint32_t events)
{
    int err = 0;
    bool readable = events & ~(uint32_t)EPOLLOUT;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        c->hangup = true;
    if (c->unsent) {
        err = flush(loop, c);
        readable = !c->unsent; /* we may have stopped reading because of it */
    }
    if (err == 0 && readable)
        err = drain(loop, c);
    if (err < 0)
        disconnect(loop, c);
}

/* Out of descriptors: the waiting connection would keep the listener readable for ever.
 * Give up the spare one, take the connection, drop it, get the spare one back. */
static void refuse_one(struct loop *loop)
{
    close(loop->reserve);
    int fd = accept4(loop->base->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    loop->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    loop->base->served.syscalls += 4;
}

static int adopt(struct loop *loop, int fd)
{
    struct connection *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->fd = fd;
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                 .data.ptr = c };
    loop->base->served.syscalls++;
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
        int err = -errno;
        free(c);
        return err;
    }
    list_push_back(&loop->connections, &c->link);
    return 0;
}

static void accept_all(struct loop *loop)
{
    for (;;) {
        int fd =
            accept4(loop->base->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        loop->base->served.syscalls++;
        if (fd >= 0) {
            if (adopt(loop, fd) < 0)
                close(fd);
        } else if (errno == EMFILE || errno == ENFILE) {
            refuse_one(loop);
            return; /* level-triggered: if more wait, the loop comes back */
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return; /* EAGAIN, or trouble that passes (no memory): nothing to accept */
        }
    }
}

static int run(struct loop *loop)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    base_announce(loop->base);
    for (;;) {
        int n = epoll_wait(loop->epoll, events, EVENTS_AT_ONCE, -1);
        loop->base->served.syscalls++;
        if (n < 0 && errno != EINTR)
            return base_fail("cannot wait for events", -errno);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &loop->base->signals)
                return 0;
            if (events[i].data.ptr == &loop->base->listener)
                accept_all(loop);
            else
                on_event(loop, events[i].data.ptr, events[i].events);
        }
    }
}

static int watch(struct loop *loop, int *fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = fd };
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, *fd, &event) < 0)
        return base_fail("cannot watch a descriptor", -errno);
    return 0;
}

int base_epoll_serve(struct base *base)
{
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return base_fail("cannot make the loop", -ENOMEM);
    loop->base = base;
    list_init(&loop->connections);
    loop->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    int err = loop->epoll < 0 ? base_fail("cannot make an epoll", -errno) : 0;
    if (err == 0)
        err = watch(loop, &base->listener);
    if (err == 0)
        err = watch(loop, &base->signals);
    if (err == 0)
        err = run(loop);
    while (!list_empty(&loop->connections))
        disconnect(loop, container_of(loop->connections.next, struct connection, link));
    if (loop->epoll >= 0)
        close(loop->epoll);
    if (loop->reserve >= 0)
        close(loop->reserve);
    free(loop);
    return err;
}
