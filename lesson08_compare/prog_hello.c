/* hello: a web server on our runtime that does what the baselines and the peers do.
 *
 * httpd (lesson 7) checks every byte of a request and gives each peer a time limit; the
 * raw loops and the peers' servers do not. Divided by them, it would measure our strictness
 * and not our runtime. So hello shares the raw loops' parser (http_min.h), and what is
 * left between it and them is the runtime. The lab shows httpd as well. */
#include "lesson07_custom/server.h"

#include <errno.h>
#include <stdlib.h>

#include "lesson08_compare/http_min.h"

/* A head as browsers and load generators send it without being asked for more; what needs
 * more room - a longer one, or a pipelined batch - goes through memory of its own. */
#define OUT_ROOM HTTP_MIN_ANSWERS(48)

struct session {
    ASYNC_FRAME;
    struct io_source *source; /* owns */
    struct http_min http;     /* owns */
    struct io_op received;
    struct io_op op;
    char *out; /* owns, unless it is `small` */
    size_t out_size;
    char small[OUT_ROOM];
};

/* The answers are written where they can stay until they are sent. False: the connection
 * is to be closed. */
static bool answer(struct session *self)
{
    size_t came = (size_t)self->received.result;
    size_t room = http_min_room(&self->http, came);
    uint64_t requests = 0;
    ssize_t size = -ENOMEM;
    self->out = room <= sizeof self->small ? self->small : malloc(room);
    if (self->out)
        size = http_min_feed(&self->http, self->received.with.bytes.buffer, came,
                             self->out, &requests);
    io_give_back(&self->received);
    while (requests-- > 0)
        runtime_count();
    self->out_size = size > 0 ? (size_t)size : 0;
    return size >= 0;
}

static void forget_answers(struct session *self)
{
    if (self->out != self->small)
        free(self->out);
    self->out = NULL;
}

static enum poll_state session_poll(struct future *future, struct context *context)
{
    struct session *self = ASYNC_SELF(session, future);
    ASYNC_BEGIN(self, context);
    do {
        AWAIT(self->received, io_recv_lent(self->source));
        if (self->received.result <= 0 || !answer(self))
            break;
        if (self->out_size > 0)
            AWAIT(self->op, io_send(self->source, self->out, self->out_size));
        forget_answers(self);
    } while (self->op.result >= 0 && !self->http.closing);
    forget_answers(self);
    http_min_finish(&self->http);
    AWAIT_SHIELDED(self->op, io_close(self->source));
    ASYNC_END;
}

static const struct future_ops session_ops = ASYNC_OPS(session);

static int serve(struct server *server, struct io_source *source)
{
    (void)server;
    return SPAWN_HERE(
        NULL, ((struct session){ .future = { &session_ops }, .source = source }));
}

int main(int argc, char **argv)
{
    struct server server = { .name = "hello",
                             .purpose = "Answers GET " WORKLOAD_PATH
                                        ", with the parser of the baselines.",
                             .serve = serve };
    return server_main(&server, argc, argv);
}
