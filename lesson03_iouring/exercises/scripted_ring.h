/* scripted_ring: a ring whose answers the test writes down beforehand.
 *
 * ring_whole.c asks for steps by ring_read and ring_write. This header brings both, in
 * the place of those of ring_future.c: each step answers what the script says next, and
 * is noted. So no io_uring is needed, and a read can be as short as the test wants it.
 *
 *     script(3, 0);                          two steps: three bytes, then the end
 *     struct ring_whole whole = ring_read_full(&no_ring, 5, into, 8, RING_NO_OFFSET);
 *     int64_t result = run(&whole);          then look at steps[0], steps[1], step_count
 *
 * There is one file behind every descriptor: the FILE_SIZE bytes at `file`. A step with
 * an offset begins there, one without (RING_NO_OFFSET) where the last step without
 * ended. Steps beyond the script answer -EPIPE: a loop that would not end ends so.
 *
 * To be included once, by the test program. */
#ifndef EXERCISES_SCRIPTED_RING_H
#define EXERCISES_SCRIPTED_RING_H

#include <limits.h>

#include "common/testing/testing.h"
#include "lesson03_iouring/ring_whole.h"

enum { FILE_SIZE = 64, STEPS_MAX = 16, POLLS_MAX = 1000 };

/* In a script: this step waits until it is cancelled; this one moves all that it was
 * asked to. No step ever moves more than that, whatever the script says. */
#define WAITS INT_MIN
#define ALL INT_MAX

/* What was asked for, step by step. */
struct step {
    bool writing;
    int fd;
    const char *memory; /* where the bytes go to, or come from */
    unsigned size;
    uint64_t offset;
};

static char file[FILE_SIZE];
static struct step steps[STEPS_MAX];
static unsigned step_count; /* may be larger than STEPS_MAX */
static struct ring no_ring; /* for the constructors; nobody touches it */

static const int *script_answers;
static unsigned script_length;
static size_t script_position; /* of a stream */

/* Writes the answers down: results as a system call's, but negative errno. The file
 * begins anew with the letters a, b, c, ... */
#define script(...)                                                                    \
    do {                                                                               \
        static const int answers_[] = { __VA_ARGS__ };                                 \
        script_begin(answers_, ARRAY_SIZE(answers_));                                  \
    } while (0)

static inline void script_begin(const int *answers, unsigned length)
{
    script_answers = answers;
    script_length = length;
    script_position = 0;
    step_count = 0;
    memset(steps, 0, sizeof steps);
    for (unsigned i = 0; i < FILE_SIZE; i++)
        file[i] = (char)('a' + i % 26);
}

/* Polls until it is READY; its result. */
static inline int64_t run(struct ring_whole *whole)
{
    struct context context = { .budget = CONTEXT_BUDGET };
    for (int polls = 0; polls < POLLS_MAX; polls++) {
        if (future_poll(&whole->future, &context) == POLL_READY)
            return whole->result;
        context.budget = CONTEXT_BUDGET;
    }
    fail_msg("still PENDING after %d polls and %u steps", POLLS_MAX, step_count);
    return 0;
}

/* ---- the steps */

/* A step that answers "4" has moved 4 bytes of the file, if there are so many. */
static inline void script_move(const struct step *step, int moved)
{
    bool stream = step->offset == RING_NO_OFFSET;
    uint64_t from = stream ? script_position : step->offset;
    if (moved <= 0 || from >= FILE_SIZE || (uint64_t)moved > FILE_SIZE - from)
        return;
    if (step->writing)
        memcpy(file + from, step->memory, (size_t)moved);
    else
        memcpy((char *)(uintptr_t)step->memory, file + from, (size_t)moved);
    if (stream)
        script_position += (size_t)moved;
}

static inline enum poll_state script_poll(struct future *future,
                                          struct context *context)
{
    struct ring_future *self = container_of(future, struct ring_future, future);
    (void)context;
    if (self->state == RING_FUTURE_NEW && !self->cancelled) {
        struct step step = { self->opcode == IORING_OP_WRITE, self->fd,
                             (const char *)(uintptr_t)self->address, self->length,
                             self->offset };
        self->result = step_count < script_length ? script_answers[step_count] : -EPIPE;
        if (self->result > 0 && (unsigned)self->result > step.size)
            self->result = (int)step.size;
        if (step_count < STEPS_MAX)
            steps[step_count] = step;
        step_count++;
        script_move(&step, self->result);
        self->state = RING_FUTURE_IN_FLIGHT;
    }
    if (self->result == WAITS && !self->cancelled)
        return POLL_PENDING;
    if (self->state == RING_FUTURE_NEW || self->result == WAITS)
        self->result = -ECANCELED;
    return POLL_READY;
}

static inline void script_cancel(struct future *future)
{
    container_of(future, struct ring_future, future)->cancelled = true;
}

static const struct future_ops script_ops = {
    .name = "scripted_step",
    .size = FUTURE_SIZE(struct ring_future),
    .poll = script_poll,
    .cancel = script_cancel,
};

static inline struct ring_future script_step(struct ring *ring, uint8_t opcode, int fd,
                                             const void *memory, unsigned size,
                                             uint64_t offset)
{
    return (struct ring_future){ .future = { &script_ops },
                                 .ring = ring,
                                 .address = (uintptr_t)memory,
                                 .offset = offset,
                                 .length = size,
                                 .fd = fd,
                                 .opcode = opcode };
}

struct ring_future ring_read(struct ring *ring, int fd, void *buffer, unsigned size,
                             uint64_t offset)
{
    return script_step(ring, IORING_OP_READ, fd, buffer, size, offset);
}

struct ring_future ring_write(struct ring *ring, int fd, const void *buffer,
                              unsigned size, uint64_t offset)
{
    return script_step(ring, IORING_OP_WRITE, fd, buffer, size, offset);
}

#endif
