/* hello: a web server on our runtime that does what the baselines and the peers do.
 *
 * httpd (lesson 7) checks every byte of a request and gives each peer a time limit; the
 * raw loops and the peers' servers do not. Divided by them, it would measure our strictness
 * and not our runtime. So hello shares the raw loops' parser (http_min.h), and what is
 * left between it and them is the runtime. The lab shows httpd as well. */
#include "lesson07_custom/server.h"

#include <stdlib.h>
#include <string.h>

#include "lesson08_compare/http_min.h"

/* A pipelined batch of answers that is longer goes through memory of its own. */
#define OUT_ROOM 256

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

static TLS_DEFINE(char, answers_here[HTTP_MIN_ROOM(HTTP_MIN_CHUNK)]);

/* The answers stay where they are until they are sent; the thread's buffer does not. */
static bool keep_answers(struct session *self, size_t size)
{
    self->out = size <= sizeof self->small ? self->small : malloc(size);
    self->out_size = size;
    if (self->out)
        memcpy(self->out, TLS(answers_here), size);
    return self->out != NULL;
}

/* False: the connection is to be closed. */
static bool answer(struct session *self)
{
    uint64_t requests = 0;
    ssize_t size =
        http_min_feed(&self->http, self->received.with.bytes.buffer,
                      (size_t)self->received.result, TLS(answers_here), &requests);
    io_give_back(&self->received);
    while (requests-- > 0)
        runtime_count();
    return size >= 0 && keep_answers(self, (size_t)size);
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
