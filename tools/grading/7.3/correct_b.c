/* lines: a second solution of exercise 7.3. A cancelled query leaves at once and
 * without a wait: it puts the line back as it is. Who takes a line on which something
 * is owed hears that out first, before it asks. */
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

/* ---- a query */

/* Has room for every line that there is, so this neither waits nor fails. */
static void give_back(struct query *self)
{
    int err = channel_try_send(self->lines->idle, &self->line);
    CHECK(err == 0, "the pool has more lines than it began with");
}

static enum poll_state query_poll(struct future *future, struct context *context)
{
    struct query *self = ASYNC_SELF(query, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->take, channel_recv(self->lines->idle, &self->line));
    if (self->take.result < 0) {
        self->result = self->take.result;
        ASYNC_RETURN;
    }
    /* One for each question of others that nobody waited for, and then ours. */
    do {
        if (self->line->owed == 0) {
            AWAIT(self->ask, channel_send(self->line->questions, &self->question));
            self->result = self->ask.result;
            if (self->result < 0)
                break;
            self->line->owed = 1;
        } else {
            self->result = 1; /* not asked yet */
        }
        AWAIT(self->hear, channel_recv(self->line->answers, &self->hang_up.late));
        if (self->hear.result < 0) {
            self->result = self->hear.result;
            break;
        }
        self->line->owed--;
    } while (self->result == 1);
    if (self->result >= 0)
        self->result = self->hang_up.late;
    give_back(self);
    ASYNC_END;
}

static const struct future_ops query_ops = ASYNC_OPS(query);

struct query query(struct lines *lines, int64_t question)
{
    return (
        struct query){ .future = { &query_ops }, .lines = lines, .question = question };
}
