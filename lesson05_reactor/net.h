/* net: addresses and descriptors, made ready to be attached.
 *
 * An address is written and read in numbers only: "127.0.0.1:8080", "[::1]:8080", or
 * "unix:/path". To look a name up can take seconds and blocks; that is work for a thread
 * that may block (lesson 6), not for an event loop.
 *
 *     struct net_address address;
 *     int fd = -EINVAL;
 *     if (net_parse("127.0.0.1:0", &address) == 0)
 *         fd = net_listen(&address, &(struct net_listen_options){ 0 });
 *     io_attach(fd, IO_TYPE_LISTENER, &listener);
 *
 * Every descriptor made here is non-blocking and close-on-exec (RULES R11).
 *
 * Ownership: a descriptor belongs to the caller until io_attach has succeeded. Threads:
 * any. Errors: negative errno. */
#ifndef LESSON05_NET_H
#define LESSON05_NET_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lesson01_futures/async.h"
#include "lesson05_reactor/io.h"

struct net_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un local;
    };
    socklen_t size; /* in: room for accept and recvfrom; out: bytes in use */
};

/* Room for any address as text. */
#define NET_TEXT_MAX 128

/* An empty address with room for any: for io_accept and io_recvfrom. */
struct net_address net_any_address(void);

/* "host:port" in numbers, "[v6]:port", or "unix:/path". -EINVAL. */
int net_parse(const char *text, struct net_address *address);

/* The other way round; always 0-terminated. */
void net_format(const struct net_address *address, char *text, size_t size);

/* What the descriptor is bound to (after port 0: the port that was chosen), and who is at
 * the other end. */
int net_local_address(int fd, struct net_address *address);
int net_peer_address(int fd, struct net_address *address);

/* 0 for an address without ports. */
unsigned net_port(const struct net_address *address);
void net_set_port(struct net_address *address, unsigned port);

struct net_listen_options {
    int backlog;     /* 0: as many as the system allows */
    bool reuse_port; /* several listeners share the port, the kernel spreads */
    bool
        refuse_reuse; /* no SO_REUSEADDR: a port that is still winding down is -EADDRINUSE
                        */
};

/* A listening stream socket; returns its descriptor. A Unix path at which nobody listens
 * any more is unlinked first; one that is no socket, or that somebody listens at, is
 * -EADDRINUSE. */
int net_listen(const struct net_address *address,
               const struct net_listen_options *options);

/* A bound UDP socket; returns its descriptor. */
int net_udp(const struct net_address *address);

/* Two connected Unix stream sockets. */
int net_pair(int fds[2]);

/* fds[0] is read from, fds[1] written to. */
int net_pipe(int fds[2]);

/* Small packets at once (TCP_NODELAY); nothing happens on what is no TCP socket. */
void net_no_delay(int fd);

/* Any descriptor that somebody else made (stdin, a socket from a parent): makes it
 * non-blocking, finds out what it is, and attaches it. On failure it is still the
 * caller's. A descriptor without readiness (a file, /dev/null) becomes IO_TYPE_FILE. */
int net_wrap(int fd, struct io_source **source);

/* An async function: makes a stream socket and connects it. */
struct net_connect {
    ASYNC_FRAME;
    struct net_address address;
    struct io_source *source; /* output: yours when result is 0, else NULL */
    int result;               /* output */
    struct io_op op;
};

struct net_connect net_connect(const struct net_address *address);

#endif
