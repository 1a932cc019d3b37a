/* work_read: blocks of a file, by lesson 5's io.h.
 *
 * The same lines on both drivers. On io_uring the kernel reads; on epoll, for which a file
 * is always "ready", each read is a job of the blocking pool. */
#include <stdatomic.h>
#include <stdlib.h>

#include "lesson07_custom/fs.h"
#include "lesson08_compare/histogram.h"
#include "lesson08_compare/work_runtime.h"
#include "lesson08_compare/work_shapes.h"

/* ---- the file, as the root opened it */

struct file {
    struct work *work; /* borrows */
    int fd;            /* owns until it is attached */
    uint64_t blocks;
    struct io_source *source; /* owns */
    char *buffers;            /* owns: a block for each read in flight */
    size_t bytes;             /* of all the buffers */
};

static int open_file(struct file *file, struct work *work, uint64_t depth)
{
    *file = (struct file){ .work = work };
    file->fd = work_open_file(work, &file->blocks);
    if (file->fd < 0)
        return file->fd;
    file->bytes = depth * WORK_BLOCK;
    file->buffers = fs_aligned_alloc(file->bytes);
    work_must(file->buffers ? 0 : -ENOMEM, "buffers");
    return 0;
}

/* One operation, as the peers' read_at is; fs_read_at would go on after a short read. */
static struct io_op read_number(const struct file *file, char *buffer, uint64_t i)
{
    uint64_t block = work_mix(i) % file->blocks;
    return io_read(file->source, buffer, WORK_BLOCK, block * WORK_BLOCK);
}

static uint64_t number_read(const struct io_op *read, const char *buffer)
{
    work_must(read->result < 0 ? read->result : 0, "read");
    work_must(read->result == WORK_BLOCK ? 0 : -EIO, "a short read");
    return work_block_number(buffer);
}

/* Runs the root, which attaches the file, awaits `inside`, and closes the file. */
struct with_file {
    ASYNC_FRAME;
    struct file *file; /* borrows */
    struct crew crew;
    struct io_op close;
};

static enum poll_state with_file_poll(struct future *future, struct context *context)
{
    struct with_file *self = ASYNC_SELF(with_file, future);
    ASYNC_BEGIN(self, context);
    work_must(io_attach(self->file->fd, IO_TYPE_FILE, &self->file->source), "attach");
    io_register_memory(self->file->buffers, self->file->bytes); /* a hint */
    work_begin(self->file->work);
    AWAIT_PLACED(&self->crew.future);
    work_end(self->file->work, self->file->work->n, self->crew.sum);
    io_unregister_memory();
    AWAIT(self->close, io_close(self->file->source));
    ASYNC_END;
}

static int run_with_file(struct file *file, const struct crew_kind *kind, void *shared,
                         uint64_t tasks)
{
    static const struct future_ops with_file_ops = ASYNC_OPS(with_file);
    struct task_handle *handles = work_alloc(tasks, sizeof *handles);
    int err = WORK_RUN(
        file->work, (struct with_file){ .future = { &with_file_ops },
                                        .file = file,
                                        .crew = crew(kind, shared, tasks, handles) });
    free(handles);
    free(file->buffers);
    return err;
}

/* ---- read */

struct reader {
    ASYNC_FRAME;
    const struct file *file; /* borrows */
    char *buffer;            /* borrows */
    uint64_t i;
    uint64_t sum; /* output */
    struct io_op read;
};

static enum poll_state reader_poll(struct future *future, struct context *context)
{
    struct reader *self = ASYNC_SELF(reader, future);
    ASYNC_BEGIN(self, context);
    for (; self->i < self->file->work->n; self->i += self->file->work->depth) {
        AWAIT(self->read, read_number(self->file, self->buffer, self->i));
        self->sum += number_read(&self->read, self->buffer);
    }
    ASYNC_END;
}

static int spawn_reader(void *shared, uint64_t i, struct task_handle *handle)
{
    static const struct future_ops reader_ops = ASYNC_OPS(reader);
    const struct file *file = shared;
    return SPAWN_HERE(handle, (struct reader){ .future = { &reader_ops },
                                               .file = file,
                                               .buffer = file->buffers + i * WORK_BLOCK,
                                               .i = i });
}

static uint64_t reader_output(const struct task_handle *handle)
{
    return TASK_OUTPUT(handle, reader)->sum;
}

int work_read(struct work *work)
{
    static const struct crew_kind kind = { spawn_reader, reader_output };
    struct file file;
    int err = open_file(&file, work, work->depth);
    return err < 0 ? err : run_with_file(&file, &kind, &file, work->depth);
}

/* ---- hog: a task that reads beside one that computes */

#define HOG_NS NS_PER_MS

struct hog {
    ASYNC_FRAME;
    _Atomic bool *over; /* borrows */
    struct yield yield;
};

static void compute(uint64_t ns)
{
    uint64_t end = clock_now() + ns;
    while (clock_now() < end)
        ;
}

static enum poll_state hog_poll(struct future *future, struct context *context)
{
    struct hog *self = ASYNC_SELF(hog, future);
    ASYNC_BEGIN(self, context);
    while (!atomic_load_explicit(self->over, memory_order_relaxed)) {
        compute(HOG_NS);
        AWAIT(self->yield, yield_now());
    }
    ASYNC_END;
}

static struct hog hog(_Atomic bool *over)
{
    static const struct future_ops hog_ops = ASYNC_OPS(hog);
    return (struct hog){ .future = { &hog_ops }, .over = over };
}

struct neighbours {
    struct file file;
    _Atomic bool over; /* all blocks are read */
    struct histogram latencies;
};

struct neighbour {
    ASYNC_FRAME;
    struct neighbours *shared; /* borrows */
    uint64_t i, began;
    uint64_t sum; /* output */
    struct io_op read;
    struct task_handle hog;
    struct task_join join;
};

static enum poll_state neighbour_poll(struct future *future, struct context *context)
{
    struct neighbour *self = ASYNC_SELF(neighbour, future);
    ASYNC_BEGIN(self, context);
    work_must(SPAWN_HERE(&self->hog, hog(&self->shared->over)), "spawn");
    for (; self->i < self->shared->file.work->n; self->i++) {
        self->began = clock_now();
        AWAIT(self->read,
              read_number(&self->shared->file, self->shared->file.buffers, self->i));
        histogram_add(&self->shared->latencies, clock_now() - self->began);
        self->sum += number_read(&self->read, self->shared->file.buffers);
    }
    atomic_store_explicit(&self->shared->over, true, memory_order_relaxed);
    AWAIT(self->join, task_join(&self->hog));
    task_detach(&self->hog);
    ASYNC_END;
}

static int spawn_neighbour(void *shared, uint64_t i, struct task_handle *handle)
{
    static const struct future_ops neighbour_ops = ASYNC_OPS(neighbour);
    (void)i;
    return SPAWN_HERE(
        handle, (struct neighbour){ .future = { &neighbour_ops }, .shared = shared });
}

static uint64_t neighbour_output(const struct task_handle *handle)
{
    return TASK_OUTPUT(handle, neighbour)->sum;
}

int work_hog(struct work *work)
{
    static const struct crew_kind kind = { spawn_neighbour, neighbour_output };
    static struct neighbours shared;
    int err = open_file(&shared.file, work, 1);
    if (err == 0)
        err = run_with_file(&shared.file, &kind, &shared, 1);
    if (err == 0) {
        work_note_latencies(work, &shared.latencies);
        work_note(work, "max_ns", shared.latencies.max);
    }
    return err;
}
