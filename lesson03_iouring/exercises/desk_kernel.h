/* desk_kernel: the kernel that the tests of a desk play, and the readers.
 *
 * The desk's SQEs land in an array. The test decides when the kernel writes the bytes
 * of a read, when it answers, and in which order. As with the real one, no tool sees
 * the write: what is wrong with it shows later. To be included once, by a test
 * program. */
#ifndef EXERCISES_DESK_KERNEL_H
#define EXERCISES_DESK_KERNEL_H

#include "common/testing/testing.h"
#include "lesson03_iouring/exercises/desk.h"

enum { SQES_MAX = 16 };

static struct io_uring_sqe sqes[SQES_MAX]; /* in the order in which they were written */
static unsigned sqe_count;
static bool kernel_is_full; /* no SQE for anybody */
static struct desk *desk;

static inline struct io_uring_sqe *hand_out_sqe(void *unused)
{
    (void)unused;
    return kernel_is_full || sqe_count == SQES_MAX ? NULL : &sqes[sqe_count++];
}

/* The kernel writes where the SQE of this number says. */
__attribute__((no_sanitize_address)) static inline void kernel_writes(unsigned number,
                                                                      const char *text)
{
    volatile char *to = (volatile char *)(uintptr_t)sqes[number].addr;
    for (size_t i = 0; i <= strlen(text); i++)
        to[i] = text[i];
}

/* The completion of the SQE of this number. */
static inline void kernel_answers(unsigned number, int result)
{
    struct ring_completion completion = {
        .op = (struct ring_op *)(uintptr_t)sqes[number].user_data, .result = result
    };
    ring_op_deliver(&completion);
}

/* ---- readers */

struct reader {
    const char *name;
    int number;
    unsigned calls;
    int result;
    char bytes[DESK_BYTES];
};

static inline void reader_done(void *argument, const char *bytes, int result)
{
    struct reader *reader = argument;
    reader->calls++;
    reader->result = result;
    if (result > 0)
        memcpy(reader->bytes, bytes, (size_t)result);
}

/* `reader` asks for a page and gets one of the two buffers. */
static inline void asks(struct reader *reader)
{
    reader->number = desk_read(desk, 7, 0, reader_done, reader);
    if (reader->number < 0)
        fail_msg("%s asks for a page, a buffer is free: got %d", reader->name,
                 reader->number);
}

/* `reader` gives up; the desk asks the kernel to stop the read of this SQE. */
static inline void gives_up(const struct reader *reader, unsigned read)
{
    unsigned before = sqe_count;
    desk_give_up(desk, reader->number);
    if (sqe_count != before + 1)
        fail_msg("%s gives up: expected 1 SQE, got %u", reader->name,
                 sqe_count - before);
    const struct io_uring_sqe *sqe = &sqes[before];
    if (sqe->opcode != IORING_OP_ASYNC_CANCEL || sqe->addr != sqes[read].user_data)
        fail_msg("%s gives up: expected a cancel of her or his read, got opcode %u",
                 reader->name, sqe->opcode);
}

static inline void expect_calls(const struct reader *reader, unsigned calls,
                                const char *when)
{
    if (reader->calls != calls)
        fail_msg("%s, %s: expected %u calls, got %u (result %d)", reader->name, when,
                 calls, reader->calls, reader->result);
}

static inline void expect_text(const struct reader *reader, const char *text)
{
    if (strcmp(reader->bytes, text) != 0)
        fail_msg("%s reads \"%.40s\", expected \"%s\"", reader->name, reader->bytes,
                 text);
}

/* A new desk, and a kernel that has nothing to do. Readers are new in each test. */
static inline int open_desk(void **state)
{
    (void)state;
    memset(sqes, 0, sizeof sqes);
    sqe_count = 0;
    kernel_is_full = false;
    desk = desk_create(hand_out_sqe, NULL);
    return desk ? 0 : -1;
}

#endif
