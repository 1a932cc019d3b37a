/* echo: sends back what it receives. The smallest server there is on the runtime, and
 * the one that lesson 8 measures. */
#include "lesson07_custom/server.h"

struct serve_echo {
    ASYNC_FRAME;
    struct io_source *source; /* owns */
    struct io_op received;
    struct io_op op;
};

static enum poll_state serve_echo_poll(struct future *future, struct context *context)
{
    struct serve_echo *self = ASYNC_SELF(serve_echo, future);
    ASYNC_BEGIN(self, context);
    for (;;) {
        AWAIT(self->received, io_recv_lent(self->source));
        if (self->received.result <= 0)
            break;
        runtime_count();
        AWAIT(self->op, io_send(self->source, self->received.with.bytes.buffer,
                                (size_t)self->received.result));
        io_give_back(&self->received);
        if (self->op.result < 0)
            break;
    }
    AWAIT(self->op, io_close(self->source));
    ASYNC_END;
}

static const struct future_ops serve_echo_ops = ASYNC_OPS(serve_echo);

static int serve(struct server *server, struct io_source *source)
{
    (void)server;
    return SPAWN_HERE(
        NULL, ((struct serve_echo){ .future = { &serve_echo_ops }, .source = source }));
}

int main(int argc, char **argv)
{
    struct server server = { .name = "echo",
                             .purpose = "Sends back whatever a client sends.",
                             .serve = serve };
    return server_main(&server, argc, argv);
}
