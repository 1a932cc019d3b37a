/* demo_iouring: what a ring changes, counted.
 *
 * The numbers of system calls are counted where this lesson makes them: each read, each
 * write, each io_uring_enter. `strace -c -f` on this program shows them too, among those
 * of the probe and the set-up. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/errname.h"
#include "common/say.h"
#include "lesson01_futures/combine.h"
#include "lesson02_wakers/executor.h"
#include "lesson03_iouring/copy.h"
#include "lesson03_iouring/probe.h"
#include "lesson03_iouring/raw_ring.h"
#include "lesson03_iouring/ring_future.h"
#include "lesson03_iouring/ring_parker.h"

enum { FILE_BYTES = 16 << 20, BLOCK = 16 << 10, NOPS = 100 };

/* ---- 1 */

static void one_trip_for_many(void)
{
    struct raw_ring ring;
    struct raw_completion done;
    unsigned completions = 0;
    say_step("A ring by hand: %d requests, one system call", NOPS);
    say_claim(raw_ring_init(&ring, 128) == 0, "a ring was made");
    for (unsigned i = 0; i < NOPS; i++)
        say_claim(raw_ring_nop(&ring, i) == 0, "the queue had room");
    bool early = raw_ring_pop(&ring, &done);
    int taken = raw_ring_enter(&ring, NOPS);
    while (raw_ring_pop(&ring, &done))
        completions++;
    say("written to the queue: %d, completions before the call: %d", NOPS, early);
    say("io_uring_enter took %d; completions after it: %u", taken, completions);
    say_claim(!early && taken == NOPS && completions == NOPS,
              "one call moved everything");
    raw_ring_finish(&ring);
}

/* ---- 2 and 3 */

static int scratch_file(void)
{
    const char *folder = getenv("TMPDIR");
    char path[256];
    snprintf(path, sizeof path, "%s/demo-iouring-XXXXXX", folder ? folder : "/tmp");
    int fd = mkostemp(path, O_CLOEXEC);
    say_claim(fd >= 0, "a temporary file was made");
    unlink(path);
    return fd;
}

static void fill(int fd)
{
    static char block[BLOCK];
    for (int at = 0; at < FILE_BYTES; at += BLOCK) {
        memset(block, at / BLOCK, sizeof block);
        say_claim(pwrite(fd, block, sizeof block, at) == BLOCK, "the file was filled");
    }
}

struct read_blocks {
    ASYNC_FRAME;
    struct ring *ring; /* borrows */
    int fd;
    off_t *cursor; /* borrows: where the next block begins; all readers share it */
    struct ring_future step;
    char buffer[BLOCK]; /* the kernel's while step is in flight */
};

static enum poll_state read_blocks_poll(struct future *future, struct context *context)
{
    struct read_blocks *self = ASYNC_SELF(read_blocks, future);
    ASYNC_BEGIN(self, context);
    while (*self->cursor < FILE_BYTES) {
        *self->cursor += BLOCK;
        AWAIT(self->step, ring_read(self->ring, self->fd, self->buffer, BLOCK,
                                    (uint64_t)*self->cursor - BLOCK));
        say_claim(self->step.result == BLOCK, "a block was read");
    }
    ASYNC_END;
}

static const struct future_ops read_blocks_ops = ASYNC_OPS(read_blocks);

static uint64_t read_by_loop(int fd)
{
    static char buffer[BLOCK];
    uint64_t calls = 0;
    for (off_t at = 0; at < FILE_BYTES; at += BLOCK, calls++)
        say_claim(pread(fd, buffer, BLOCK, at) == BLOCK, "a block was read");
    return calls;
}

static uint64_t read_by_ring(struct ring *ring, struct executor *executor, int fd,
                             unsigned readers)
{
    static struct read_blocks reader; /* too big for a stack; spawning copies it */
    off_t cursor = 0;
    uint64_t before = atomic_load_explicit(&ring->enters, memory_order_relaxed);
    for (unsigned i = 0; i < readers; i++) {
        reader = (struct read_blocks){
            .future = { &read_blocks_ops }, .ring = ring, .fd = fd, .cursor = &cursor
        };
        say_claim(task_spawn(&executor->scheduler, &reader.future, 0, NULL) == 0,
                  "spawned");
    }
    say_claim(executor_run(executor) == 0, "the executor ran");
    return atomic_load_explicit(&ring->enters, memory_order_relaxed) - before;
}

static void reads(struct ring *ring, struct executor *executor, int fd)
{
    say_step("Read 16 MiB in blocks of 16 KiB");
    uint64_t loop = read_by_loop(fd);
    uint64_t one = read_by_ring(ring, executor, fd, 1);
    uint64_t many = read_by_ring(ring, executor, fd, 64);
    say("one read after the other: %5llu system calls", (unsigned long long)loop);
    say("ring,  1 task reading:    %5llu", (unsigned long long)one);
    say("ring, 64 tasks reading:   %5llu", (unsigned long long)many);
    say_claim(many < loop, "64 in flight need fewer calls");
    say_look("one request at a time saves nothing. Ask for many before you wait.");
}

static void copies(int from)
{
    static const unsigned depths[] = { 0, 1, 64 };
    static const char *const names[] = { "read, write, ...:", "ring,  1 in flight:",
                                         "ring, 64 in flight:" };
    say_step("Copy the same file: 1024 reads, 1024 writes");
    for (int i = 0; i < 3; i++) {
        unsigned depth = depths[i];
        struct copy_plan plan = { from, scratch_file(), depth, BLOCK };
        struct copy_report report;
        lseek(from, 0, SEEK_SET);
        uint64_t began = clock_now();
        int err = depth ? copy_by_ring(&plan, &report) : copy_by_loop(&plan, &report);
        uint64_t took = clock_now() - began;
        say_claim(err == 0 && report.bytes == FILE_BYTES, "the file was copied");
        say("%-19s %5llu system calls, %5.1f ms", names[i],
            (unsigned long long)report.calls, (double)took / (double)NS_PER_MS);
        close(plan.to);
    }
    say_look("fewer, but not a 64th: where writes cannot be done at once, a kernel");
    say("      thread does each, and they complete one by one. A ring is no magic.");
}

/* ---- 4 and 5, on lesson 2's executor */

struct wait_and_tell {
    ASYNC_FRAME;
    struct ring *ring; /* borrows */
    unsigned ms;
    unsigned *finished; /* borrows: how many were done before */
    unsigned place;     /* output */
    struct ring_future timer;
};

static enum poll_state wait_and_tell_poll(struct future *future,
                                          struct context *context)
{
    struct wait_and_tell *self = ASYNC_SELF(wait_and_tell, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->timer, ring_timeout(self->ring, self->ms * NS_PER_MS));
    self->place = ++*self->finished;
    say("done as number %u: the timer of %u ms", self->place, self->ms);
    ASYNC_END;
}

static const struct future_ops wait_and_tell_ops = ASYNC_OPS(wait_and_tell);

static struct wait_and_tell wait_and_tell(struct ring *ring, unsigned ms,
                                          unsigned *finished)
{
    return (struct wait_and_tell){
        .future = { &wait_and_tell_ops }, .ring = ring, .ms = ms, .finished = finished
    };
}

static void out_of_order(struct ring *ring, struct executor *executor)
{
    static const unsigned ms[] = { 120, 40, 80 };
    struct task_handle tasks[3] = { { 0 } };
    unsigned finished = 0;
    say_step("Started in the order 120, 40, 80 ms; they complete as they can");
    for (int i = 0; i < 3; i++)
        say_claim(SPAWN(&executor->scheduler, &tasks[i],
                        wait_and_tell(ring, ms[i], &finished)) == 0,
                  "the task was spawned");
    say_claim(executor_run(executor) == 0, "the executor ran");
    say_claim(TASK_OUTPUT(&tasks[1], wait_and_tell)->place == 1,
              "the shortest came first");
    for (int i = 0; i < 3; i++)
        task_detach(&tasks[i]);
    say_look("the completion finds its task by the 64 bits that the request carried.");
}

struct impatient {
    ASYNC_FRAME;
    struct ring *ring; /* borrows */
    int fd;
    char buffer[16]; /* the kernel's while recv is in flight */
    struct ring_future recv, timer;
    struct future *both[2];
    struct race race;
};

static enum poll_state impatient_poll(struct future *future, struct context *context)
{
    struct impatient *self = ASYNC_SELF(impatient, future);
    ASYNC_BEGIN(self, context);
    self->recv = ring_recv(self->ring, self->fd, self->buffer, sizeof self->buffer, 0);
    self->timer = ring_timeout(self->ring, 20 * NS_PER_MS);
    self->both[0] = &self->recv.future;
    self->both[1] = &self->timer.future;
    AWAIT(self->race, race(self->both, 2));
    say("winner: %s", self->race.winner == 1 ? "the timer" : "the receive");
    say("the receive ended with %s, at its own completion", errname(self->recv.result));
    ASYNC_END;
}

static const struct future_ops impatient_ops = ASYNC_OPS(impatient);

static void cancelled_in_the_frame(struct ring *ring, struct executor *executor)
{
    int ends[2];
    struct task_handle task = { 0 };
    say_step("A receive against a timer: the buffer lies in the awaiting frame");
    say_claim(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0,
              "a socket pair");
    struct impatient impatient = { .future = { &impatient_ops },
                                   .ring = ring,
                                   .fd = ends[0] };
    say_claim(executor_block_on(executor, &impatient.future, &task) == 0, "it ran");
    say_claim(TASK_OUTPUT(&task, impatient)->recv.result == -ECANCELED,
              "it was cancelled");
    task_detach(&task);
    close(ends[0]);
    close(ends[1]);
    say_look("cancel asks. Until the kernel answers, the frame and its buffer stay.");
}

int main(void)
{
    struct ring_probe probe;
    struct ring ring;
    struct ring_parker parker;
    struct executor executor;
    struct ring_config config = { .entries = 128, .mode = RING_SINGLE };
    if (ring_probe(&probe)) {
        say("%s", probe.sentence);
        say_next(
            "read lesson03_iouring/README.md; lessons 4 and 5 run without a ring.");
        return 0;
    }
    one_trip_for_many();
    say_claim(ring_init(&ring, &config) == 0, "a ring was made");
    say_claim(ring_parker_init(&parker, &ring) == 0, "a parker was made");
    say_claim(executor_init(&executor, &parker.parker) == 0, "an executor was made");
    int file = scratch_file();
    fill(file);
    reads(&ring, &executor, file);
    copies(file);
    close(file);
    out_of_order(&ring, &executor);
    cancelled_in_the_frame(&ring, &executor);
    executor_finish(&executor);
    ring_parker_finish(&parker);
    ring_finish(&ring);
    say_next(
        "build/bin/ucp --verbose SRC DST copies a file of yours; then the README.");
    return 0;
}
