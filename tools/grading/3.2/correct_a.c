/* desk: a few buffers, lent to the kernel and to readers in turn.
 *
 * Each slot is one buffer and the read that uses it. A slot is taken from the moment its
 * SQE is written. What is free is poisoned, so that ASan and valgrind know of it, and
 * ring_op_deliver asks them when a read comes back. */
#include "lesson03_iouring/exercises/desk.h"

#include <errno.h>
#include <stdlib.h>

#include "common/container.h"

struct slot {
    struct ring_op op; /* the kernel's while the read is in flight */
    struct desk *desk;
    desk_done *done;
    void *argument;
    bool taken;
    bool given_up;
    _Alignas(16) char bytes[DESK_BYTES];
};

struct desk {
    desk_get_sqe *get_sqe;
    void *argument;
    unsigned expected;     /* completions that have not come yet */
    struct ring_op cancel; /* for the answers to all cancels */
    struct slot slots[DESK_BUFFERS];
};

static struct slot *take_slot(struct desk *desk)
{
    for (unsigned i = 0; i < DESK_BUFFERS; i++)
        if (!desk->slots[i].taken) {
            desk->slots[i].taken = true;
            desk->slots[i].given_up = false;
            MEM_UNPOISON(desk->slots[i].bytes, DESK_BYTES);
            return &desk->slots[i];
        }
    return NULL;
}

static void free_slot(struct slot *slot)
{
    slot->taken = false;
    MEM_POISON(slot->bytes, DESK_BYTES);
}

/* Tells the reader, and takes the buffer back when it has looked. */
static void finish(struct slot *slot, int result)
{
    slot->done(slot->argument, slot->bytes, result);
    free_slot(slot);
}

static void read_ended(struct ring_op *op, int result, unsigned flags)
{
    struct slot *slot = container_of(op, struct slot, op);
    (void)flags;
    slot->desk->expected--;
    finish(slot, result);
}

static void cancel_answered(struct ring_op *op, int result, unsigned flags)
{
    (void)result;
    (void)flags;
    container_of(op, struct desk, cancel)->expected--;
}

struct desk *desk_create(desk_get_sqe *get_sqe, void *argument)
{
    struct desk *desk = calloc(1, sizeof *desk);
    if (!desk)
        return NULL;
    desk->get_sqe = get_sqe;
    desk->argument = argument;
    desk->cancel.complete = cancel_answered;
    for (unsigned i = 0; i < DESK_BUFFERS; i++) {
        desk->slots[i].desk = desk;
        MEM_POISON(desk->slots[i].bytes, DESK_BYTES);
    }
    return desk;
}

void desk_destroy(struct desk *desk)
{
    if (!desk)
        return;
    CHECK(desk->expected == 0, "a desk with %u completions to come (rule C3)",
          desk->expected);
    for (unsigned i = 0; i < DESK_BUFFERS; i++)
        MEM_UNPOISON(desk->slots[i].bytes, DESK_BYTES);
    free(desk);
}

int desk_read(struct desk *desk, int fd, uint64_t offset, desk_done *done,
              void *argument)
{
    struct slot *slot = take_slot(desk);
    if (!slot)
        return -EAGAIN;
    struct io_uring_sqe *sqe = desk->get_sqe(desk->argument);
    if (!sqe) {
        free_slot(slot);
        return -EAGAIN;
    }
    slot->done = done;
    slot->argument = argument;
    slot->op.complete = read_ended;
    slot->op.target = slot->bytes;
    slot->op.fills = RING_FILLS_RESULT;
    io_uring_prep_read(sqe, fd, slot->bytes, DESK_BYTES, offset);
    ring_op_attach(sqe, &slot->op);
    desk->expected++;
    return (int)(slot - desk->slots);
}

void desk_give_up(struct desk *desk, int number)
{
    struct slot *slot = &desk->slots[number];
    struct io_uring_sqe *sqe = slot->given_up ? NULL : desk->get_sqe(desk->argument);
    if (!sqe)
        return;
    slot->given_up = true;
    io_uring_prep_cancel(sqe, &slot->op, 0);
    ring_op_attach(sqe, &desk->cancel);
    desk->expected++;
}
