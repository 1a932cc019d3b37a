/* net: the socket calls that are made once in a connection's life.
 *
 * Problem: between "a port" and "a source" stand a dozen calls, each with an error path
 * and a flag that is forgotten once. Idea: each kind of descriptor is made by one
 * function here, complete: non-blocking, close-on-exec, bound, listening, or closed
 * again. Invariant: a function that fails leaves no descriptor behind.
 *
 * Sources: ip(7), ipv6(7), unix(7), RFC 3986 section 3.2.2 for [v6]:port. */
#include "lesson05_reactor/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lesson04_epoll/poller.h"

#define UNIX_PREFIX "unix:"
#define SOCKET_FLAGS (SOCK_NONBLOCK | SOCK_CLOEXEC)

/* ---- addresses */

struct net_address net_any_address(void)
{
    struct net_address address;
    memset(&address, 0, sizeof address);
    address.size = sizeof address.local; /* the largest of them */
    return address;
}

static int parse_unix(const char *path, struct net_address *address)
{
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address->local.sun_path)
        return -EINVAL;
    address->local.sun_family = AF_UNIX;
    memcpy(address->local.sun_path, path, length + 1);
    address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    return 0;
}

static int parse_port(const char *text, in_port_t *port)
{
    unsigned value = 0;
    if (!*text)
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        value = value * 10 + (unsigned)(*text - '0');
        if (value > 65535)
            return -EINVAL;
    }
    *port = htons((uint16_t)value);
    return 0;
}

int net_parse(const char *text, struct net_address *address)
{
    char host[INET6_ADDRSTRLEN + 2];
    *address = net_any_address();
    if (strncmp(text, UNIX_PREFIX, strlen(UNIX_PREFIX)) == 0)
        return parse_unix(text + strlen(UNIX_PREFIX), address);
    const char *colon = strrchr(text, ':');
    if (!colon || (size_t)(colon - text) >= sizeof host)
        return -EINVAL;
    size_t length = (size_t)(colon - text);
    memcpy(host, text, length);
    host[length] = '\0';
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = '\0';
        address->v6.sin6_family = AF_INET6;
        address->size = sizeof address->v6;
        if (inet_pton(AF_INET6, host + 1, &address->v6.sin6_addr) != 1)
            return -EINVAL;
        return parse_port(colon + 1, &address->v6.sin6_port);
    }
    address->v4.sin_family = AF_INET;
    address->size = sizeof address->v4;
    if (inet_pton(AF_INET, host, &address->v4.sin_addr) != 1)
        return -EINVAL;
    return parse_port(colon + 1, &address->v4.sin_port);
}

/* sun_path need not end with a 0, and is empty for a socket without a name. */
static void format_unix(const struct net_address *address, char *text, size_t size)
{
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t length = address->size > start ? address->size - start : 0;
    if (length > sizeof address->local.sun_path)
        length = sizeof address->local.sun_path;
    length = strnlen(address->local.sun_path, length);
    snprintf(text, size, UNIX_PREFIX "%.*s", (int)length, address->local.sun_path);
}

void net_format(const struct net_address *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    switch (address->any.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &address->v4.sin_addr, host, sizeof host);
        snprintf(text, size, "%s:%u", host, net_port(address));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof host);
        snprintf(text, size, "[%s]:%u", host, net_port(address));
        break;
    case AF_UNIX:
        format_unix(address, text, size);
        break;
    default:
        snprintf(text, size, "(family %d)", address->any.sa_family);
    }
}

int net_local_address(int fd, struct net_address *address)
{
    *address = net_any_address();
    return getsockname(fd, &address->any, &address->size) < 0 ? -errno : 0;
}

int net_peer_address(int fd, struct net_address *address)
{
    *address = net_any_address();
    return getpeername(fd, &address->any, &address->size) < 0 ? -errno : 0;
}

unsigned net_port(const struct net_address *address)
{
    switch (address->any.sa_family) {
    case AF_INET:
        return ntohs(address->v4.sin_port);
    case AF_INET6:
        return ntohs(address->v6.sin6_port);
    default:
        return 0;
    }
}

void net_set_port(struct net_address *address, unsigned port)
{
    if (address->any.sa_family == AF_INET)
        address->v4.sin_port = htons((uint16_t)port);
    else if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons((uint16_t)port);
}

/* ---- sockets */

static int make_socket(const struct net_address *address, int type)
{
    int fd = socket(address->any.sa_family, type | SOCKET_FLAGS, 0);
    return fd < 0 ? -errno : fd;
}

static int turn_on(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof on) < 0 ? -errno : 0;
}

/* A Unix socket's file outlives its process. It is stale when nobody answers. */
static int unlink_stale(const struct net_address *address)
{
    struct stat about;
    const char *path = address->local.sun_path;
    if (lstat(path, &about) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(about.st_mode))
        return -EADDRINUSE;
    int fd = make_socket(address, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int err = connect(fd, &address->any, address->size) < 0 ? -errno : 0;
    close(fd);
    if (err != -ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(path) < 0 && errno != ENOENT ? -errno : 0;
}

static int bind_and_listen(int fd, const struct net_address *address,
                           const struct net_listen_options *options)
{
    int err = 0;
    if (address->any.sa_family == AF_UNIX)
        err = unlink_stale(address);
    else if (!options->refuse_reuse)
        err = turn_on(fd, SOL_SOCKET, SO_REUSEADDR);
    if (err == 0 && options->reuse_port)
        err = turn_on(fd, SOL_SOCKET, SO_REUSEPORT);
    if (err < 0)
        return err;
    if (bind(fd, &address->any, address->size) < 0)
        return -errno;
    /* The kernel cuts the backlog to net.core.somaxconn. */
    return listen(fd, options->backlog > 0 ? options->backlog : 65535) < 0 ? -errno : 0;
}

int net_listen(const struct net_address *address,
               const struct net_listen_options *options)
{
    int fd = make_socket(address, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int err = bind_and_listen(fd, address, options);
    if (err == 0)
        return fd;
    close(fd);
    return err;
}

int net_udp(const struct net_address *address)
{
    int fd = make_socket(address, SOCK_DGRAM);
    if (fd < 0)
        return fd;
    if (bind(fd, &address->any, address->size) == 0)
        return fd;
    int err = -errno;
    close(fd);
    return err;
}

int net_pair(int fds[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCKET_FLAGS, 0, fds) < 0 ? -errno : 0;
}

int net_pipe(int fds[2])
{
    return pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0 ? -errno : 0;
}

void net_no_delay(int fd)
{
    (void)turn_on(fd, IPPROTO_TCP, TCP_NODELAY);
}

/* ---- any descriptor */

static enum io_type type_of_socket(int fd)
{
    int value = 0;
    socklen_t size = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &size) == 0 && value)
        return IO_TYPE_LISTENER;
    size = sizeof value;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size) < 0)
        return IO_TYPE_ANY;
    return value == SOCK_STREAM ? IO_TYPE_STREAM : IO_TYPE_DATAGRAM;
}

/* A terminal has, /dev/null has not; epoll knows: 1, 0, or why it could not be asked. */
static int has_readiness(int fd)
{
    struct poller poller;
    int err = poller_init(&poller);
    if (err == 0)
        err = poller_add(&poller, fd, POLLER_READABLE, NULL);
    poller_finish(&poller);
    return err == 0 ? 1 : err == -EPERM ? 0 : err;
}

/* An enum io_type, or negative errno. */
static int type_of(int fd, const struct stat *about)
{
    int ready;
    switch (about->st_mode & S_IFMT) {
    case S_IFSOCK:
        return type_of_socket(fd);
    case S_IFIFO:
        return IO_TYPE_STREAM;
    case S_IFCHR:
        ready = has_readiness(fd);
        return ready < 0 ? ready : ready ? IO_TYPE_ANY : IO_TYPE_FILE;
    default:
        return IO_TYPE_FILE;
    }
}

int net_wrap(int fd, struct io_source **source)
{
    struct stat about;
    if (fstat(fd, &about) < 0)
        return -errno;
    int type = type_of(fd, &about);
    if (type < 0)
        return type;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return io_attach(fd, (enum io_type)type, source);
}

/* ---- connect */

static int open_for_connect(struct net_connect *self)
{
    int fd = make_socket(&self->address, SOCK_STREAM);
    if (fd < 0)
        return fd;
    int err = io_attach(fd, IO_TYPE_STREAM, &self->source);
    if (err < 0)
        close(fd);
    return err;
}

static enum poll_state net_connect_poll(struct future *future, struct context *context)
{
    struct net_connect *self = ASYNC_SELF(net_connect, future);
    ASYNC_BEGIN(self, context);
    self->result = open_for_connect(self);
    if (self->result < 0)
        ASYNC_RETURN;
    AWAIT(self->op, io_connect(self->source, &self->address.any, self->address.size));
    self->result = self->op.result;
    if (self->result < 0) {
        AWAIT_SHIELDED(self->op, io_close(self->source));
        self->source = NULL;
    }
    ASYNC_END;
}

static void net_connect_discard(struct future *future)
{
    struct net_connect *self = container_of(future, struct net_connect, future);
    if (self->source)
        io_close_now(self->source);
    self->source = NULL;
}

static const struct future_ops net_connect_ops =
    ASYNC_OPS_DISCARD(net_connect, net_connect_discard);

struct net_connect net_connect(const struct net_address *address)
{
    return (struct net_connect){ .future = { &net_connect_ops }, .address = *address };
}
