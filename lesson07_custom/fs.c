/* fs: loops around operations, written once as straight code.
 *
 * The drivers do one operation; what is left to do here is what every program needs and
 * easily gets wrong: a read that returns less than asked goes on (RULES C9), a file whose
 * length nobody knows (/proc says 0) is read to its end, and whatever is open at an error
 * or a cancel is closed. Invariant of the two whole-file functions: `source` is not NULL
 * exactly while it is open, and the last step closes it, which no cancel prevents. */
#include "lesson07_custom/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- open */

static enum poll_state fs_open_poll(struct future *future, struct context *context)
{
    struct fs_open *self = ASYNC_SELF(fs_open, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->op,
          io_openat(AT_FDCWD, self->path, self->flags | O_CLOEXEC, self->mode));
    self->result = self->op.result;
    if (self->result < 0)
        ASYNC_RETURN;
    self->result = io_attach(self->op.result, IO_TYPE_FILE, &self->source);
    if (self->result < 0)
        close(self->op.result);
    ASYNC_END;
}

static void fs_open_discard(struct future *future)
{
    struct fs_open *self = ASYNC_SELF(fs_open, future);
    if (self->source)
        io_close_now(self->source);
    self->source = NULL;
}

static const struct future_ops fs_open_ops =
    ASYNC_OPS_DISCARD(fs_open, fs_open_discard);

struct fs_open fs_open(const char *path, int flags, mode_t mode)
{
    return (struct fs_open){
        .future = { &fs_open_ops }, .path = path, .flags = flags, .mode = mode
    };
}

/* ---- read and write */

/* With O_DIRECT a read behind an odd number of bytes is refused; but only the end of the
 * file makes it odd. */
static bool ended_oddly(const struct fs_read_at *self)
{
    return self->op.result == -EINVAL && self->done % 512 != 0;
}

static enum poll_state fs_read_at_poll(struct future *future, struct context *context)
{
    struct fs_read_at *self = ASYNC_SELF(fs_read_at, future);
    ASYNC_BEGIN(self, context);
    while (self->done < self->size) {
        AWAIT(self->op, io_read(self->source, self->buffer + self->done,
                                self->size - self->done, self->offset + self->done));
        if (self->op.result == 0 || ended_oddly(self))
            break;
        self->result = self->op.result;
        if (self->op.result < 0)
            ASYNC_RETURN;
        self->done += (size_t)self->op.result;
    }
    self->result = (int64_t)self->done;
    ASYNC_END;
}

static const struct future_ops fs_read_at_ops = ASYNC_OPS(fs_read_at);

struct fs_read_at fs_read_at(struct io_source *source, void *buffer, size_t size,
                             uint64_t offset)
{
    return (struct fs_read_at){ .future = { &fs_read_at_ops },
                                .source = source,
                                .buffer = buffer,
                                .size = size,
                                .offset = offset };
}

/* One operation moves 2 GiB at most. */
static enum poll_state fs_write_all_poll(struct future *future, struct context *context)
{
    struct fs_write_all *self = ASYNC_SELF(fs_write_all, future);
    ASYNC_BEGIN(self, context);
    while (self->done < self->size) {
        AWAIT(self->op, io_write(self->source, self->data + self->done,
                                 self->size - self->done, self->offset + self->done));
        self->result = self->op.result;
        if (self->op.result < 0)
            ASYNC_RETURN;
        self->done += (size_t)self->op.result;
    }
    self->result = (int64_t)self->done;
    ASYNC_END;
}

static const struct future_ops fs_write_all_ops = ASYNC_OPS(fs_write_all);

struct fs_write_all fs_write_all(struct io_source *source, const void *data,
                                 size_t size, uint64_t offset)
{
    return (struct fs_write_all){ .future = { &fs_write_all_ops },
                                  .source = source,
                                  .data = data,
                                  .size = size,
                                  .offset = offset };
}

/* ---- read a whole file */

#define FIRST_CAPACITY (16 * 1024)

/* Room for more, but no more than the limit and two bytes: one shows that the file is
 * longer, one is the 0 behind the data. */
static int make_room(struct fs_read_file *self)
{
    size_t most = self->limit < SIZE_MAX - 2 ? self->limit + 2 : SIZE_MAX;
    size_t capacity = self->capacity ? 2 * self->capacity : FIRST_CAPACITY;
    if (self->size + 1 < self->capacity)
        return 0;
    if (capacity > most || capacity < self->capacity)
        capacity = most;
    char *data = realloc(self->data, capacity);
    if (!data)
        return -ENOMEM;
    self->data = data;
    self->capacity = capacity;
    return 0;
}

static void drop_data(struct fs_read_file *self)
{
    free(self->data);
    self->data = NULL;
    self->size = 0;
}

static enum poll_state fs_read_file_poll(struct future *future, struct context *context)
{
    struct fs_read_file *self = ASYNC_SELF(fs_read_file, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->step.open, fs_open(self->path, O_RDONLY, 0));
    self->result = self->step.open.result;
    self->source = self->step.open.source;
    while (self->result == 0) {
        self->result = make_room(self);
        if (self->result < 0)
            break;
        AWAIT(self->step.read, fs_read_at(self->source, self->data + self->size,
                                          self->capacity - 1 - self->size, self->size));
        if (self->step.read.result < 0)
            self->result = (int)self->step.read.result;
        self->size += self->step.read.done;
        if (self->result == 0 && self->size > self->limit)
            self->result = -EFBIG;
        if (self->size + 1 < self->capacity)
            break; /* not all that was asked for: the file has ended */
    }
    if (self->source)
        AWAIT(self->step.close, fs_close(self->source));
    self->source = NULL;
    if (self->result < 0)
        drop_data(self);
    else
        self->data[self->size] = '\0';
    ASYNC_END;
}

static void fs_read_file_discard(struct future *future)
{
    drop_data(ASYNC_SELF(fs_read_file, future));
}

static const struct future_ops fs_read_file_ops =
    ASYNC_OPS_DISCARD(fs_read_file, fs_read_file_discard);

struct fs_read_file fs_read_file(const char *path, size_t limit)
{
    return (struct fs_read_file){ .future = { &fs_read_file_ops },
                                  .path = path,
                                  .limit = limit };
}

/* ---- write a whole file */

static enum poll_state fs_write_file_poll(struct future *future,
                                          struct context *context)
{
    struct fs_write_file *self = ASYNC_SELF(fs_write_file, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->step.open,
          fs_open(self->path, O_WRONLY | O_CREAT | O_TRUNC, self->mode));
    self->result = self->step.open.result;
    self->source = self->step.open.source;
    if (self->result < 0)
        ASYNC_RETURN;
    AWAIT(self->step.write, fs_write_all(self->source, self->data, self->size, 0));
    self->result = self->step.write.result < 0 ? (int)self->step.write.result : 0;
    AWAIT(self->step.close, fs_close(self->source));
    self->source = NULL;
    if (self->result == 0)
        self->result = self->step.close.result; /* some disks are full only now */
    ASYNC_END;
}

static const struct future_ops fs_write_file_ops = ASYNC_OPS(fs_write_file);

struct fs_write_file fs_write_file(const char *path, const void *data, size_t size,
                                   mode_t mode)
{
    return (struct fs_write_file){ .future = { &fs_write_file_ops },
                                   .path = path,
                                   .data = data,
                                   .size = size,
                                   .mode = mode };
}

/* ---- stat */

/* What the thread works on: on the heap, since a cancel leaves it behind. */
struct stat_request {
    struct stat info;
    char path[];
};

static int64_t stat_now(void *argument)
{
    struct stat_request *request = argument;
    return stat(request->path, &request->info) < 0 ? -errno : 0;
}

static struct stat_request *make_request(const char *path)
{
    size_t size = strlen(path) + 1;
    struct stat_request *request = malloc(sizeof *request + size);
    if (request)
        memcpy(request->path, path, size);
    return request;
}

static struct offload *offload_here(void)
{
    return TLS(io_services_here) ? TLS(io_services_here)->offload : NULL;
}

static enum poll_state fs_stat_poll(struct future *future, struct context *context)
{
    struct fs_stat *self = ASYNC_SELF(fs_stat, future);
    ASYNC_BEGIN(self, context);
    self->call.argument = make_request(self->path);
    self->result = -ENOMEM;
    if (!self->call.argument)
        ASYNC_RETURN;
    AWAIT(self->call,
          blocking_call(offload_here(), stat_now, self->call.argument, free));
    self->result = (int)self->call.result;
    if (self->call.given_back) {
        if (self->result == 0)
            self->info = ((struct stat_request *)self->call.argument)->info;
        free(self->call.argument);
    }
    ASYNC_END;
}

static const struct future_ops fs_stat_ops = ASYNC_OPS(fs_stat);

struct fs_stat fs_stat(const char *path)
{
    return (struct fs_stat){ .future = { &fs_stat_ops }, .path = path };
}

/* ---- O_DIRECT */

void *fs_aligned_alloc(size_t size)
{
    if (size == 0)
        size = 1;
    if (size > SIZE_MAX - FS_ALIGNMENT)
        return NULL;
    return aligned_alloc(FS_ALIGNMENT,
                         (size + FS_ALIGNMENT - 1) / FS_ALIGNMENT * FS_ALIGNMENT);
}
