/* desk, another way: no slots. Each read is a block of its own with its buffer in it,
 * in a list, and is given back when the last completion that names it has come: its own
 * and that of its cancel. */
#include "lesson03_iouring/exercises/desk.h"

#include <errno.h>
#include <stdlib.h>

#include "common/container.h"
#include "common/list.h"

struct read {
    struct list link;
    struct ring_op op, cancel;
    struct desk *desk;
    desk_done *done;
    void *argument;
    unsigned holders; /* completions to come, and a reader that is being called */
    int number;
    bool given_up;
    char bytes[DESK_BYTES];
};

struct desk {
    desk_get_sqe *get_sqe;
    void *argument;
    struct list reads;
    unsigned buffers; /* in use */
    int next;
};

static void release(struct read *read)
{
    if (--read->holders > 0)
        return;
    list_remove(&read->link);
    free(read);
}

static void on_read(struct ring_op *op, int result, unsigned flags)
{
    struct read *read = container_of(op, struct read, op);
    (void)flags;
    read->done(read->argument, read->bytes, result);
    read->number = -1;
    read->desk->buffers--;
    release(read);
}

static void on_cancel(struct ring_op *op, int result, unsigned flags)
{
    (void)result;
    (void)flags;
    release(container_of(op, struct read, cancel));
}

struct desk *desk_create(desk_get_sqe *get_sqe, void *argument)
{
    struct desk *desk = malloc(sizeof *desk);
    if (!desk)
        return NULL;
    desk->get_sqe = get_sqe;
    desk->argument = argument;
    desk->buffers = 0;
    desk->next = 0;
    list_init(&desk->reads);
    return desk;
}

void desk_destroy(struct desk *desk)
{
    CHECK(!desk || list_empty(&desk->reads), "a desk is destroyed that has reads");
    free(desk);
}

int desk_read(struct desk *desk, int fd, uint64_t offset, desk_done *done,
              void *argument)
{
    if (desk->buffers == DESK_BUFFERS)
        return -EAGAIN;
    struct read *read = calloc(1, sizeof *read);
    struct io_uring_sqe *sqe = read ? desk->get_sqe(desk->argument) : NULL;
    if (!sqe) {
        free(read);
        return -EAGAIN;
    }
    read->desk = desk;
    read->done = done;
    read->argument = argument;
    read->number = desk->next++;
    read->holders = 1;
    read->op = (struct ring_op){ .complete = on_read,
                                 .target = read->bytes,
                                 .fills = RING_FILLS_RESULT };
    read->cancel.complete = on_cancel;
    io_uring_prep_read(sqe, fd, read->bytes, DESK_BYTES, offset);
    ring_op_attach(sqe, &read->op);
    list_push_back(&desk->reads, &read->link);
    desk->buffers++;
    return read->number;
}

static struct read *find(struct desk *desk, int number)
{
    for (struct list *link = desk->reads.next; link != &desk->reads;
         link = link->next) {
        struct read *read = container_of(link, struct read, link);
        if (read->number == number)
            return read;
    }
    return NULL;
}

void desk_give_up(struct desk *desk, int number)
{
    struct read *read = find(desk, number);
    if (!read || read->given_up)
        return;
    struct io_uring_sqe *sqe = desk->get_sqe(desk->argument);
    if (!sqe)
        return;
    read->given_up = true;
    read->holders++;
    io_uring_prep_cancel(sqe, &read->op, 0);
    ring_op_attach(sqe, &read->cancel);
}
