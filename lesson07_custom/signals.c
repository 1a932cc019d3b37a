/* signals: a signalfd is a source like any other.
 *
 * Nothing but a read: the kernel keeps blocked signals pending, and a read of the
 * descriptor takes one of them out. So none is lost between two waits. */
#include "lesson07_custom/signals.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

int signals_block(sigset_t *set, const int *numbers, size_t count)
{
    sigemptyset(set);
    for (size_t i = 0; i < count; i++)
        if (sigaddset(set, numbers[i]) < 0)
            return -errno;
    return -pthread_sigmask(SIG_BLOCK, set, NULL);
}

int signals_open(struct signals *signals, const sigset_t *set)
{
    *signals = (struct signals){ 0 };
    int fd = signalfd(-1, set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = io_attach(fd, IO_TYPE_ANY, &signals->source);
    if (err < 0)
        close(fd);
    return err;
}

void signals_finish(struct signals *signals)
{
    if (!signals || !signals->source)
        return;
    io_close_now(signals->source);
    signals->source = NULL;
}

static enum poll_state signals_next_poll(struct future *future, struct context *context)
{
    struct signals_next *self = ASYNC_SELF(signals_next, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->op,
          io_read(self->signals->source, &self->info, sizeof self->info, IO_NO_OFFSET));
    self->result = self->op.result;
    if (self->result >= 0)
        self->result =
            self->op.result == sizeof self->info ? (int)self->info.ssi_signo : -EIO;
    ASYNC_END;
}

static const struct future_ops signals_next_ops = ASYNC_OPS(signals_next);

struct signals_next signals_next(struct signals *signals)
{
    return (struct signals_next){ .future = { &signals_next_ops }, .signals = signals };
}
