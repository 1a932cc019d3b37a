/* fs: files, as async functions.
 *
 *     AWAIT(self->read, fs_read_file("/etc/hostname", 64 * 1024));
 *     if (self->read.result == 0) ...self->read.data, self->read.size...;
 *     free(self->read.data);
 *
 * The same call on both drivers: io_uring reads and writes files without a thread that
 * waits; on epoll, for which a file is always "ready" and a read may sleep all the same,
 * the operation goes to the blocking pool (-EOPNOTSUPP where there is none; -EAGAIN when
 * its queue is full). Metadata (fs_stat) goes there on both.
 *
 * Cancel: I/O on a regular file cannot be stopped once it runs, so a cancelled call may
 * take that long and may end in its real result (look at it). What a call has opened or
 * allocated it also closes or frees, unless its result says that it is yours now.
 *
 * Ownership: paths and buffers are borrowed until READY. Threads: as for any future, on a
 * thread with I/O services. Errors: result is negative errno. */
#ifndef LESSON07_FS_H
#define LESSON07_FS_H

#include <sys/stat.h>

#include "lesson01_futures/async.h"
#include "lesson05_reactor/io.h"
#include "lesson06_worksteal/blocking_call.h"

/* ---- one file */

/* flags and mode as for open(2); O_CLOEXEC is added. For regular files: opening a pipe
 * waits for its other end. */
struct fs_open {
    ASYNC_FRAME;
    const char *path; /* borrows */
    int flags;
    mode_t mode;
    struct io_source *source; /* output: yours when result is 0, else NULL */
    int result;               /* output */
    struct io_op op;
};

struct fs_open fs_open(const char *path, int flags, mode_t mode);

/* Reads until `size` bytes are there or the file ends. */
struct fs_read_at {
    ASYNC_FRAME;
    struct io_source *source; /* borrows */
    char *buffer;             /* borrows */
    size_t size;
    uint64_t offset;
    size_t done;    /* output: bytes read, also after an error */
    int64_t result; /* output: bytes read */
    struct io_op op;
};

struct fs_read_at fs_read_at(struct io_source *source, void *buffer, size_t size,
                             uint64_t offset);

/* Writes all, or fails. */
struct fs_write_all {
    ASYNC_FRAME;
    struct io_source *source; /* borrows */
    const char *data;         /* borrows */
    size_t size;
    uint64_t offset;
    size_t done;
    int64_t result; /* output: size */
    struct io_op op;
};

struct fs_write_all fs_write_all(struct io_source *source, const void *data,
                                 size_t size, uint64_t offset);

/* Until it is on the disk: data and metadata. */
static inline struct io_op fs_sync(struct io_source *source)
{
    return io_fsync(source);
}

/* Consumes the source; cannot be cancelled. */
static inline struct io_op fs_close(struct io_source *source)
{
    return io_close(source);
}

/* ---- whole files */

struct fs_read_file {
    ASYNC_FRAME;
    const char *path; /* borrows */
    size_t limit;     /* bytes */
    char *data;       /* output: yours to free when result is 0, else NULL; a 0 byte
                           stands behind the data */
    size_t size;      /* output: bytes of data */
    size_t capacity;  /* of data, with the 0 byte */
    int result;       /* output: 0; -EFBIG: longer than the limit */
    union {
        struct fs_open open;
        struct fs_read_at read;
        struct io_op close;
    } step;
    struct io_source *source; /* owns while open */
};

struct fs_read_file fs_read_file(const char *path, size_t limit);

/* Creates the file or replaces what is in it. A failure may leave a part written. */
struct fs_write_file {
    ASYNC_FRAME;
    const char *path; /* borrows */
    const void *data; /* borrows */
    size_t size;
    mode_t mode;
    int result; /* output */
    union {
        struct fs_open open;
        struct fs_write_all write;
        struct io_op close;
    } step;
    struct io_source *source; /* owns while open */
};

struct fs_write_file fs_write_file(const char *path, const void *data, size_t size,
                                   mode_t mode);

/* stat(2). */
struct fs_stat {
    ASYNC_FRAME;
    const char *path; /* borrows; copied by the first poll, for a cancel is at once */
    struct stat info; /* output */
    int result;       /* output */
    struct blocking_call call;
};

struct fs_stat fs_stat(const char *path);

/* ---- O_DIRECT: past the page cache, in whole blocks of aligned memory */

/* Enough for every disk that is common; buffer, size and offset are multiples of it. */
#define FS_ALIGNMENT 4096

/* At least `size` bytes, rounded up to whole blocks; free() frees it. NULL: no memory. */
void *fs_aligned_alloc(size_t size);

#endif
