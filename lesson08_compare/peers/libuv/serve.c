/* serve: the echo and HTTP servers.
 *
 * What comes in one read is answered by one write before the next read, so one buffer
 * for each direction serves all connections. uv_try_write sends at once what the socket
 * takes; only what is left over is copied and queued with uv_write, and until that is
 * gone the connection is not read from. */
#include "lesson08_compare/peers/libuv/peer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lesson08_compare/workload.h"

#define BACKLOG 4096
#define READ_SIZE 16384
#define END_OF_HEAD "\r\n\r\n"
/* Every four bytes that come may end a request. */
#define MOST_ANSWERS (READ_SIZE / 4 + 1)

struct connection {
    uv_tcp_t tcp; /* must be first: callbacks get its address */
    struct server *server;
    unsigned matched; /* http: so many bytes of the end of a head have come */
    uv_write_t write;
    char *unsent; /* owns, while it is being written */
};

struct server {
    struct run *run;
    bool http;
    uv_tcp_t listener;
    uv_signal_t term, interrupt;
    uint64_t requests;
    char in[READ_SIZE];
    char out[MOST_ANSWERS * WORKLOAD_RESPONSE_SIZE];
};

static void on_close(uv_handle_t *handle)
{
    struct connection *c = (struct connection *)handle;
    free(c->unsent);
    free(c);
}

static void disconnect(struct connection *c)
{
    if (!uv_is_closing((uv_handle_t *)c))
        uv_close((uv_handle_t *)c, on_close);
}

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct connection *c = (struct connection *)handle;
    (void)suggested;
    *buffer = uv_buf_init(c->server->in, READ_SIZE);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer);

static void on_written(uv_write_t *write, int status)
{
    struct connection *c = write->data;
    free(c->unsent);
    c->unsent = NULL;
    if (status < 0 || uv_read_start((uv_stream_t *)c, lend_buffer, on_read) < 0)
        disconnect(c);
}

static void send_bytes(struct connection *c, char *bytes, size_t n)
{
    uv_buf_t buffer = uv_buf_init(bytes, (unsigned)n);
    int sent = uv_try_write((uv_stream_t *)c, &buffer, 1);
    if (sent == UV_EAGAIN)
        sent = 0;
    if (sent < 0) {
        disconnect(c);
        return;
    }
    if ((size_t)sent == n)
        return;
    n -= (size_t)sent;
    c->unsent = malloc(n);
    if (!c->unsent) {
        disconnect(c);
        return;
    }
    memcpy(c->unsent, bytes + sent, n);
    buffer = uv_buf_init(c->unsent, (unsigned)n);
    uv_read_stop((uv_stream_t *)c);
    c->write.data = c;
    if (uv_write(&c->write, (uv_stream_t *)c, &buffer, 1, on_written) < 0)
        disconnect(c);
}

/* How many requests end within these n bytes; what a head begins with may have come
 * before, and its end may come later. */
static size_t heads_in(struct connection *c, const char *bytes, size_t n)
{
    size_t heads = 0;
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == END_OF_HEAD[c->matched])
            c->matched++;
        else
            c->matched = bytes[i] == '\r';
        if (c->matched == sizeof END_OF_HEAD - 1) {
            c->matched = 0;
            heads++;
        }
    }
    return heads;
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct connection *c = (struct connection *)stream;
    struct server *server = c->server;
    if (n < 0) {
        disconnect(c);
    } else if (n > 0 && server->http) {
        size_t heads = heads_in(c, buffer->base, (size_t)n);
        server->requests += heads;
        if (heads > 0)
            send_bytes(c, server->out, heads * WORKLOAD_RESPONSE_SIZE);
    } else if (n > 0) {
        server->requests++;
        send_bytes(c, buffer->base, (size_t)n);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    if (status < 0)
        return; /* out of descriptors, say: libuv has dropped the connection */
    struct connection *c = calloc(1, sizeof *c);
    if (!c)
        return; /* it stays in the backlog */
    c->server = server;
    uv_tcp_init(server->run->loop, &c->tcp);
    if (uv_accept(listener, (uv_stream_t *)c) < 0 || uv_tcp_nodelay(&c->tcp, 1) < 0 ||
        uv_read_start((uv_stream_t *)c, lend_buffer, on_read) < 0)
        disconnect(c);
}

static void on_signal(uv_signal_t *handle, int signum)
{
    struct server *server = handle->data;
    (void)signum;
    uv_stop(server->run->loop);
    if (server->run->options->stats)
        workload_print_stats(stdout, (struct served){ .requests = server->requests });
}

static int watch(struct server *server, uv_signal_t *handle, int signum)
{
    int err = uv_signal_init(server->run->loop, handle);
    handle->data = server;
    return err < 0 ? err : uv_signal_start(handle, on_signal, signum);
}

static int listen_on(struct server *server, int *port)
{
    struct sockaddr_in address;
    int size = sizeof address;
    int err = uv_ip4_addr("127.0.0.1", *port, &address);
    server->listener.data = server;
    if (err == 0)
        err = uv_tcp_init(server->run->loop, &server->listener);
    if (err == 0)
        err = uv_tcp_bind(&server->listener, (struct sockaddr *)&address, 0);
    if (err == 0)
        err = uv_listen((uv_stream_t *)&server->listener, BACKLOG, on_connection);
    if (err == 0)
        err = uv_tcp_getsockname(&server->listener, (struct sockaddr *)&address, &size);
    *port = ntohs(address.sin_port);
    return err;
}

static void raise_fd_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void serve(struct run *run, bool http)
{
    struct server *server = peer_alloc(1, sizeof *server);
    int port = (int)run->options->port;
    server->run = run;
    server->http = http;
    for (size_t i = 0; http && i < MOST_ANSWERS; i++)
        memcpy(server->out + i * WORKLOAD_RESPONSE_SIZE, WORKLOAD_RESPONSE,
               WORKLOAD_RESPONSE_SIZE);
    raise_fd_limit();
    signal(SIGPIPE, SIG_IGN); /* libuv leaves that to the program */
    int err = watch(server, &server->term, SIGTERM);
    if (err == 0)
        err = watch(server, &server->interrupt, SIGINT);
    if (err == 0)
        err = listen_on(server, &port);
    if (err < 0) {
        peer_fail(run, "cannot listen on 127.0.0.1 at this port", err);
        return;
    }
    printf("listening on 127.0.0.1:%d\n", port);
    fflush(stdout);
}

void start_echo(struct run *run)
{
    serve(run, false);
}

void start_http(struct run *run)
{
    serve(run, true);
}
