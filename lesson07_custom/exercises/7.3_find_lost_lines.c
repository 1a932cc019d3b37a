/* Exercise 7.3: The lines that never came back.
 * What to do stands in 7.3_find_lost_lines.md. */
/* lines: a query is four awaits.
 *
 * The pool is a channel of pointers: who receives one has the line, who sends it back has
 * not. No line can be in two hands, and queries that wait for one stand in the channel's
 * line, in their order. Hanging up is a function of its own, since it may have to wait:
 * what is owed on a line is received, and thrown away, by whoever owes it. */
#include "lesson07_custom/exercises/lines.h"

#include <errno.h>

/* ---- life */

static int open_channel(struct channel **channel, size_t capacity, size_t value_size)
{
    struct channel_config config = { .capacity = capacity, .value_size = value_size };
    return channel_create(channel, &config);
}

static void drop_channel(struct channel *channel)
{
    if (!channel)
        return;
    channel_drop_sender(channel);
    channel_drop_receiver(channel);
}

int lines_init(struct lines *lines, unsigned count)
{
    *lines = (struct lines){ 0 };
    if (count == 0 || count > LINES_MOST)
        return -EINVAL;
    int err = open_channel(&lines->idle, count, sizeof(struct line *));
    for (unsigned i = 0; i < count && err == 0; i++) {
        struct line *line = &lines->line[i];
        lines->count++;
        err = open_channel(&line->questions, 1, sizeof(int64_t));
        if (err == 0)
            err = open_channel(&line->answers, 1, sizeof(int64_t));
        if (err == 0)
            err = channel_try_send(lines->idle, &line);
    }
    if (err < 0)
        lines_finish(lines);
    return err;
}

void lines_finish(struct lines *lines)
{
    for (unsigned i = 0; i < lines->count; i++) {
        drop_channel(lines->line[i].questions);
        drop_channel(lines->line[i].answers);
    }
    drop_channel(lines->idle);
    *lines = (struct lines){ 0 };
}

size_t lines_idle(struct lines *lines)
{
    return channel_length(lines->idle);
}

/* ---- hanging up */

static enum poll_state hang_up_poll(struct future *future, struct context *context)
{
    struct hang_up *self = ASYNC_SELF(hang_up, future);
    ASYNC_BEGIN(self, context);
    while (self->line->owed > 0) {
        AWAIT(self->hear, channel_recv(self->line->answers, &self->late));
        if (self->hear.result < 0)
            break;
        self->line->owed--;
    }
    AWAIT(self->give, channel_send(self->lines->idle, &self->line));
    ASYNC_END;
}

static const struct future_ops hang_up_ops = ASYNC_OPS(hang_up);

static struct hang_up hang_up(struct lines *lines, struct line *line)
{
    return (struct hang_up){ .future = { &hang_up_ops }, .lines = lines, .line = line };
}

/* ---- a query */

static enum poll_state query_poll(struct future *future, struct context *context)
{
    struct query *self = ASYNC_SELF(query, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->take, channel_recv(self->lines->idle, &self->line));
    self->result = self->take.result;
    if (self->result < 0)
        ASYNC_RETURN;
    AWAIT(self->ask, channel_send(self->line->questions, &self->question));
    self->result = self->ask.result;
    if (self->ask.result == 0) {
        self->line->owed++;
        AWAIT(self->hear, channel_recv(self->line->answers, &self->result));
        if (self->hear.result == 0)
            self->line->owed--;
        else
            self->result = self->hear.result;
    }
    /* However it ended. */
    AWAIT(self->hang_up, hang_up(self->lines, self->line));
    ASYNC_END;
}

static const struct future_ops query_ops = ASYNC_OPS(query);

struct query query(struct lines *lines, int64_t question)
{
    return (
        struct query){ .future = { &query_ops }, .lines = lines, .question = question };
}
