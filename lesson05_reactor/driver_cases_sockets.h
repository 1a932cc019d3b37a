/* driver_cases_sockets: listeners, connections, packets; part of driver_contract.h. */
#ifndef LESSON05_DRIVER_CASES_SOCKETS_H
#define LESSON05_DRIVER_CASES_SOCKETS_H

#include <fcntl.h>
#include <sys/resource.h>

#include "lesson05_reactor/driver_cases_streams.h"

static inline void accept_and_connect_meet(void **state)
{
    OPEN_WORLD(w, state);
    struct net_address address, peer = net_any_address(), client;
    struct io_source *listener = attach_fd(listen_locally(&address), IO_TYPE_LISTENER);
    struct io_op in = io_accept(listener, &peer.any, &peer.size);
    start_pending(&w, &in);
    struct net_connect out = net_connect(&address);
    drive(&w, &out.future);
    assert_int_equal(out.result, 0);
    int fd = drive_op(&w, &in);
    assert_true(fd >= 0);
    assert_int_equal(net_local_address(out.source->fd, &client), 0);
    assert_int_equal(net_port(&peer), net_port(&client));
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC); /* R11 */
    struct io_source *server = attach_fd(fd, IO_TYPE_STREAM);
    char got[4];
    assert_int_equal(send_bytes(&w, out.source, "hi", 2), 2);
    assert_int_equal(recv_bytes(&w, server, got, sizeof got), 2);
    close_source_in(&w, server);
    close_source_in(&w, out.source);
    close_source_in(&w, listener);
    close_world(&w);
}

static inline void a_burst_of_connections_is_accepted_whole(void **state)
{
    OPEN_WORLD(w, state);
    struct net_address address;
    int clients[10];
    struct io_source *listener = attach_fd(listen_locally(&address), IO_TYPE_LISTENER);
    for (unsigned i = 0; i < ARRAY_SIZE(clients); i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(connect(clients[i], &address.any, address.size), 0);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(clients); i++) {
        struct io_op op = io_accept(listener, NULL, NULL);
        assert_true(drive_op(&w, &op) >= 0);
        close(op.result);
        close(clients[i]);
    }
    close_source_in(&w, listener);
    close_world(&w);
}

static inline void nobody_listens(void **state)
{
    OPEN_WORLD(w, state);
    struct net_address address;
    close(listen_locally(&address));
    struct net_connect out = net_connect(&address);
    drive(&w, &out.future);
    assert_int_equal(out.result, -ECONNREFUSED);
    assert_null(out.source);
    assert_int_equal(net_parse("unix:/nowhere/at/all", &address), 0);
    out = net_connect(&address);
    drive(&w, &out.future);
    assert_int_equal(out.result, -ENOENT);
    close_world(&w);
}

/* A listener whose queue is full: TCP connections wait, Unix ones are told so. */
static inline void fill_queue(const struct net_address *address, int clients[3])
{
    for (int i = 0; i < 3; i++) {
        int type = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
        clients[i] = socket(address->any.sa_family, type, 0);
        connect(clients[i], &address->any, address->size);
    }
}

static inline void a_connection_that_waits_can_be_cancelled(void **state)
{
    OPEN_WORLD(w, state);
    struct net_address address;
    int clients[3];
    assert_int_equal(net_parse("127.0.0.1:0", &address), 0);
    int listener = net_listen(&address, &(struct net_listen_options){ .backlog = 1 });
    assert_true(listener >= 0);
    assert_int_equal(net_local_address(listener, &address), 0);
    fill_queue(&address, clients);
    struct net_connect out = net_connect(&address);
    assert_int_equal(poll_in(&w, &out.future), POLL_PENDING);
    turn(&w);
    assert_int_equal(poll_in(&w, &out.future), POLL_PENDING); /* F3 */
    turn(&w);
    future_cancel(&out.future);
    drive(&w, &out.future);
    assert_int_equal(out.result, -ECANCELED);
    assert_null(out.source);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    close(listener);
    close_world(&w);
}

static inline void unix_sockets_connect_and_say_when_the_queue_is_full(void **state)
{
    OPEN_WORLD(w, state);
    struct net_address address;
    char text[NET_TEXT_MAX];
    int clients[3];
    snprintf(text, sizeof text, "unix:%s", testing_path("queue"));
    assert_int_equal(net_parse(text, &address), 0);
    int listener = net_listen(&address, &(struct net_listen_options){ .backlog = 1 });
    assert_true(listener >= 0);
    struct net_connect out = net_connect(&address);
    drive(&w, &out.future);
    assert_int_equal(out.result, 0);
    close_source_in(&w, out.source);
    fill_queue(&address, clients);
    out = net_connect(&address);
    drive(&w, &out.future);
    assert_int_equal(out.result, -EAGAIN);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    close(listener);
    assert_int_equal(unlink(address.local.sun_path), 0);
    close_world(&w);
}

/* Asked to connect a socket that is watched already: unconnected sockets "hang up". */
static inline void a_watched_socket_connects_too(void **state)
{
    OPEN_WORLD(w, state);
    struct net_address address;
    int listener = listen_locally(&address);
    char got[2];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct io_source *source = attach_fd(fd, IO_TYPE_STREAM);
    struct io_op rx = io_recv(source, got, sizeof got);
    drive(&w, &rx.future);
    assert_int_equal(rx.result, -ENOTCONN);
    struct io_op op = io_connect(source, &address.any, address.size);
    assert_int_equal(drive_op(&w, &op), 0);
    assert_int_equal(send_bytes(&w, source, "!", 1), 1);
    close_source_in(&w, source);
    close(listener);
    close_world(&w);
}

static inline void packets_keep_their_borders_and_their_sender(void **state)
{
    OPEN_WORLD(w, state);
    struct net_address a, b, from = net_any_address();
    char got[16];
    assert_int_equal(net_parse("127.0.0.1:0", &a), 0);
    b = a;
    struct io_source *one = attach_fd(net_udp(&a), IO_TYPE_DATAGRAM);
    struct io_source *two = attach_fd(net_udp(&b), IO_TYPE_DATAGRAM);
    assert_int_equal(net_local_address(one->fd, &a), 0);
    assert_int_equal(net_local_address(two->fd, &b), 0);
    struct io_packet rx = io_recvfrom(two, got, sizeof got, &from.any, &from.size);
    assert_int_equal(poll_in(&w, &rx.future), POLL_PENDING);
    turn(&w);
    for (int i = 0; i < 2; i++) {
        struct io_packet tx = io_sendto(one, "packet", 6, &b.any, b.size);
        drive(&w, &tx.future);
        assert_int_equal(tx.op.result, 6);
    }
    drive(&w, &rx.future);
    assert_int_equal(rx.op.result, 6);
    assert_memory_equal(got, "packet", 6);
    assert_int_equal(from.size, sizeof from.v4);
    assert_int_equal(net_port(&from), net_port(&a));
    rx = io_recvfrom(two, got, 3, NULL, NULL); /* the rest of a packet is cut off */
    drive(&w, &rx.future);
    assert_int_equal(rx.op.result, 3);
    rx = io_recvfrom(two, got, 3, NULL, NULL);
    assert_int_equal(poll_in(&w, &rx.future), POLL_PENDING);
    future_cancel(&rx.future);
    drive(&w, &rx.future);
    assert_int_equal(rx.op.result, -ECANCELED);
    close_source_in(&w, one);
    close_source_in(&w, two);
    close_world(&w);
}

/* No descriptor is left: accept says so each time, and works again afterwards. */
static inline void R5_accept_without_descriptors_is_an_error_not_a_spin(void **state)
{
#if defined(RUNNING_ON_VALGRIND)
    if (RUNNING_ON_VALGRIND)
        skip_because("valgrind keeps this limit itself, by closing what was accepted");
#endif
    OPEN_WORLD(w, state);
    struct net_address address;
    struct rlimit before, none;
    struct io_source *listener = attach_fd(listen_locally(&address), IO_TYPE_LISTENER);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, &address.any, address.size), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int results[2];
    for (int i = 0; i < 2; i++) {
        struct io_op op = io_accept(listener, NULL, NULL);
        results[i] = drive_op(&w, &op);
    }
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(results[0], -EMFILE);
    assert_int_equal(results[1], -EMFILE);
    struct io_op op = io_accept(listener, NULL, NULL);
    assert_true(drive_op(&w, &op) >= 0);
    close(op.result);
    close(client);
    close_source_in(&w, listener);
    close_world(&w);
}

/* The number is taken over while the old description lives on in a duplicate. */
static inline void R4_a_reused_number_gets_no_stale_event(void **state)
{
    OPEN_WORLD(w, state);
    int peer, other;
    char got[4];
    struct io_source *source = half_pair(&peer);
    struct io_op op = io_recv(source, got, sizeof got);
    start_pending(&w, &op); /* watched from now on */
    write_raw(peer, "1", 1);
    assert_int_equal(drive_op(&w, &op), 1);
    int number = source->fd;
    int twin = dup(number);
    write_raw(peer, "2", 1); /* its event is on the way when the source goes */
    close_source_in(&w, source);
    struct io_source *next = half_pair(&other);
    assert_int_equal(next->fd, number); /* the lowest that is free */
    op = io_recv(next, got, sizeof got);
    start_pending(&w, &op);
    assert_int_equal(poll_in(&w, &op.future), POLL_PENDING);
    write_raw(peer, "3", 1); /* the old description still is somebody's */
    turn(&w);
    assert_int_equal(poll_in(&w, &op.future), POLL_PENDING);
    write_raw(other, "4", 1);
    assert_int_equal(drive_op(&w, &op), 1);
    assert_int_equal(got[0], '4');
    close_source_in(&w, next);
    close(twin);
    close(peer);
    close(other);
    close_world(&w);
}

static inline void a_detached_descriptor_is_an_int_again(void **state)
{
    OPEN_WORLD(w, state);
    int peer;
    char got[4];
    struct io_source *source = half_pair(&peer);
    struct io_op op = io_recv(source, got, sizeof got);
    start_pending(&w, &op);
    write_raw(peer, "a", 1);
    assert_int_equal(drive_op(&w, &op), 1);
    int fd = io_detach(source);
    write_raw(peer, "b", 1);
    assert_int_equal(read(fd, got, sizeof got), 1);
    source = attach_fd(fd, IO_TYPE_STREAM); /* and a source again */
    write_raw(peer, "c", 1);
    assert_int_equal(recv_bytes(&w, source, got, sizeof got), 1);
    io_close_now(source);
    assert_int_equal(read(peer, got, sizeof got), 0);
    close(peer);
    close_world(&w);
}

static inline void drained_sources_see_their_end(void **state)
{
    OPEN_WORLD(w, state);
    struct net_address address;
    int peers[3];
    char got[8];
    struct io_source *listener = attach_fd(listen_locally(&address), IO_TYPE_LISTENER);
    struct io_source *idle = tcp_half(&peers[0]), *busy = tcp_half(&peers[1]);
    io_source_drain_at_stop(listener);
    io_source_drain_at_stop(idle);
    struct io_op in = io_accept(listener, NULL, NULL);
    struct io_op rx = io_recv(idle, got, sizeof got);
    struct io_op other = io_recv(busy, got, sizeof got);
    start_pending(&w, &in);
    start_pending(&w, &rx);
    start_pending(&w, &other);
    source_pool_drain(w.sources);
    source_pool_drain(w.sources);
    assert_int_equal(drive_op(&w, &in), -EINVAL);
    assert_int_equal(drive_op(&w, &rx), 0);
    assert_int_equal(send_bytes(&w, idle, "answer", 6), 6); /* still goes out */
    assert_int_equal(recv(peers[0], got, sizeof got, 0), 6);
    assert_int_equal(poll_in(&w, &other.future), POLL_PENDING);
    write_raw(peers[1], "x", 1);
    assert_int_equal(drive_op(&w, &other), 1);
    struct io_source *late = tcp_half(&peers[2]); /* accepted just before the stop */
    io_source_drain_at_stop(late);
    assert_int_equal(recv_bytes(&w, late, got, sizeof got), 0);
    for (int i = 0; i < 3; i++)
        close(peers[i]);
    close_source_in(&w, idle);
    close_source_in(&w, busy);
    close_source_in(&w, late);
    close_source_in(&w, listener);
    close_world(&w);
}

#define DRIVER_SOCKETS(subject)                                                        \
    DRIVER_CASE(accept_and_connect_meet, subject),                                     \
        DRIVER_CASE(a_burst_of_connections_is_accepted_whole, subject),                \
        DRIVER_CASE(nobody_listens, subject),                                          \
        DRIVER_CASE(a_connection_that_waits_can_be_cancelled, subject),                \
        DRIVER_CASE(unix_sockets_connect_and_say_when_the_queue_is_full, subject),     \
        DRIVER_CASE(a_watched_socket_connects_too, subject),                           \
        DRIVER_CASE(packets_keep_their_borders_and_their_sender, subject),             \
        DRIVER_CASE(R5_accept_without_descriptors_is_an_error_not_a_spin, subject),    \
        DRIVER_CASE(R4_a_reused_number_gets_no_stale_event, subject),                  \
        DRIVER_CASE(a_detached_descriptor_is_an_int_again, subject),                   \
        DRIVER_CASE(drained_sources_see_their_end, subject)

#endif
