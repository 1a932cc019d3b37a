/* limits_read: blocks of a file, as fast as one thread can ask for them.
 *
 * pread asks for one after the other. The ring has as many in flight as it may; its file
 * and buffers are registered, so that the kernel looks neither up. */
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/memcheck.h"
#include "lesson03_iouring/probe.h"
#include "lesson08_compare/limits.h"
#include "lesson08_compare/work_shapes.h"

struct file {
    int fd; /* owns */
    uint64_t blocks;
    char *buffers; /* owns: one a read in flight */
};

static int open_file(struct file *file, const struct work *work, uint64_t depth)
{
    file->fd = work_open_file(work, &file->blocks);
    if (file->fd < 0)
        return file->fd;
    file->buffers = aligned_alloc(WORK_BLOCK, depth * WORK_BLOCK);
    if (file->buffers)
        return 0;
    close(file->fd);
    return -ENOMEM;
}

static void close_file(struct file *file)
{
    free(file->buffers);
    close(file->fd);
}

static uint64_t offset_of(const struct file *file, uint64_t i)
{
    return work_mix(i) % file->blocks * WORK_BLOCK;
}

/* ---- pread */

int limit_pread(struct work *work)
{
    struct file file;
    uint64_t sum = 0;
    int err = open_file(&file, work, 1);
    if (err < 0)
        return err;
    work_begin(work);
    for (uint64_t i = 0; i < work->n && err == 0; i++) {
        ssize_t n =
            pread(file.fd, file.buffers, WORK_BLOCK, (off_t)offset_of(&file, i));
        if (n != WORK_BLOCK)
            err = n < 0 ? -errno : -EIO;
        sum += work_block_number(file.buffers);
    }
    work_end(work, work->n, sum);
    close_file(&file);
    return err;
}

/* ---- uring */

int limit_ring(struct work *work, struct io_uring *ring, unsigned entries,
               unsigned flags)
{
    struct ring_probe probe;
    int err = io_uring_queue_init(entries, ring, flags);
    if (err < 0 && ring_probe(&probe) < 0)
        snprintf(work->reason, sizeof work->reason, "%s", probe.sentence);
    return err;
}

struct reads {
    struct work *work; /* borrows */
    struct file file;
    struct io_uring ring;
    uint64_t next; /* read that was not asked for yet */
    uint64_t done, sum;
};

/* Reads go to slots in no order: the sum is the same. */
static void ask(struct reads *reads, uint64_t slot)
{
    char *buffer = reads->file.buffers + slot * WORK_BLOCK;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&reads->ring);
    CHECK(sqe, "the ring has an entry for each read in flight");
    io_uring_prep_read_fixed(sqe, 0, buffer, WORK_BLOCK,
                             offset_of(&reads->file, reads->next++), 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    io_uring_sqe_set_data64(sqe, slot);
}

static int take(struct reads *reads, const struct io_uring_cqe *cqe)
{
    const char *buffer = reads->file.buffers + cqe->user_data * WORK_BLOCK;
    if (cqe->res != WORK_BLOCK)
        return cqe->res < 0 ? cqe->res : -EIO;
    MEM_KERNEL_FILLED(buffer, WORK_BLOCK);
    reads->sum += work_block_number(buffer);
    reads->done++;
    if (reads->next < reads->work->n)
        ask(reads, cqe->user_data);
    return 0;
}

static int read_all(struct reads *reads)
{
    struct io_uring_cqe *cqe;
    for (uint64_t slot = 0; slot < reads->work->depth; slot++)
        if (reads->next < reads->work->n)
            ask(reads, slot);
    while (reads->done < reads->work->n) {
        unsigned head, count = 0;
        int err = io_uring_submit_and_wait(&reads->ring, 1);
        if (err < 0 && err != -EINTR)
            return err;
        err = 0;
        io_uring_for_each_cqe (&reads->ring, head, cqe) {
            MEM_KERNEL_FILLED(cqe, sizeof *cqe);
            if (err == 0)
                err = take(reads, cqe);
            count++;
        }
        io_uring_cq_advance(&reads->ring, count);
        if (err < 0)
            return err;
    }
    return 0;
}

static int register_all(struct reads *reads)
{
    struct iovec all = { reads->file.buffers, reads->work->depth * WORK_BLOCK };
    int err = io_uring_register_files(&reads->ring, &reads->file.fd, 1);
    return err < 0 ? err : io_uring_register_buffers(&reads->ring, &all, 1);
}

static int make_ring(struct reads *reads)
{
    struct ring_probe probe;
    unsigned flags = 0;
    if (ring_probe(&probe) == 0 && probe.features.defer_taskrun)
        flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    int err =
        limit_ring(reads->work, &reads->ring, (unsigned)reads->work->depth, flags);
    if (err < 0)
        return err;
    err = register_all(reads);
    if (err < 0)
        io_uring_queue_exit(&reads->ring);
    return err;
}

int limit_uring_read(struct work *work)
{
    struct reads reads = { .work = work };
    int err = open_file(&reads.file, work, work->depth);
    if (err < 0)
        return err;
    err = make_ring(&reads);
    if (err == 0) {
        work_begin(work);
        err = read_all(&reads);
        work_end(work, work->n, reads.sum);
        io_uring_queue_exit(&reads.ring);
    }
    close_file(&reads.file);
    return err;
}
