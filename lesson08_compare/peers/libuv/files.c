/* files: uv_fs_read, which a thread of libuv's pool carries out with preadv.
 *
 * The pool has four threads unless UV_THREADPOOL_SIZE says otherwise; that is the
 * default, so it stays. (Some versions after 1.44 hand file reads to io_uring instead;
 * the version is part of every result.) A "task" is a request that its own callback
 * submits again. */
#include "lesson08_compare/peers/libuv/peer.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 4096 /* what O_DIRECT asks for */
#define COMPUTE_NS 1000000

struct reader {
    uv_fs_t request; /* must be first: the callback gets its address */
    struct files *files;
    uv_buf_t buffer;
    uint64_t number; /* of the read */
    uint64_t since;  /* ns; hog only */
};

struct files {
    struct run *run;
    uv_file file;
    uint64_t blocks; /* in the file */
    uint64_t step;   /* from one read of a reader to its next */
    uint64_t done;   /* reads */
    bool hog;
    uv_idle_t computing;
};

static void on_read(uv_fs_t *request);

static void submit(struct reader *reader)
{
    struct files *files = reader->files;
    uint64_t block = peer_mix(reader->number) % files->blocks;
    if (files->hog)
        reader->since = peer_clock(CLOCK_MONOTONIC);
    int err = uv_fs_read(files->run->loop, &reader->request, files->file,
                         &reader->buffer, 1, (int64_t)(block * BLOCK_SIZE), on_read);
    if (err < 0)
        peer_fail(files->run, "cannot submit a read", err);
}

static uint64_t number_in(const char *block)
{
    uint64_t number;
    memcpy(&number, block, sizeof number); /* the machine is little-endian */
    return number;
}

static void on_read(uv_fs_t *request)
{
    struct reader *reader = (struct reader *)request;
    struct files *files = reader->files;
    struct run *run = files->run;
    ssize_t got = request->result;
    uv_fs_req_cleanup(request);
    if (run->status != EXIT_SUCCESS)
        return;
    if (got != BLOCK_SIZE) {
        peer_fail(run, "cannot read a block", got < 0 ? (int)got : UV_EOF);
        return;
    }
    if (files->hog)
        histogram_add(run->latencies, peer_clock(CLOCK_MONOTONIC) - reader->since);
    run->check += number_in(reader->buffer.base);
    reader->number += files->step;
    if (reader->number < run->n)
        submit(reader);
    if (++files->done < run->n)
        return;
    peer_done(run);
}

/* NULL after a sentence: the run is over. */
static struct files *open_file(struct run *run)
{
    uv_fs_t request;
    const char *path = run->options->file;
    int flags = O_RDONLY | (run->options->direct ? O_DIRECT : 0);
    struct files *files = peer_alloc(1, sizeof *files);
    files->run = run;
    /* Without a callback uv_fs_* block, which is welcome before the work begins. */
    int err = files->file = uv_fs_open(run->loop, &request, path, flags, 0, NULL);
    uv_fs_req_cleanup(&request);
    if (err >= 0) {
        err = uv_fs_fstat(run->loop, &request, files->file, NULL);
        files->blocks = request.statbuf.st_size / BLOCK_SIZE;
        uv_fs_req_cleanup(&request);
    }
    if (err >= 0 && files->blocks == 0)
        err = UV_EOF;
    if (err < 0) {
        peer_fail(run, path, err);
        return NULL;
    }
    return files;
}

static void start_readers(struct files *files, uint64_t depth)
{
    struct reader *readers = peer_alloc(depth, sizeof *readers);
    files->step = depth;
    files->run->ops = files->run->n;
    files->run->started = peer_times();
    for (uint64_t i = 0; i < depth && i < files->run->n; i++) {
        char *memory = aligned_alloc(ALIGNMENT, BLOCK_SIZE);
        if (!memory) {
            peer_fail(files->run, "no buffer", UV_ENOMEM);
            return;
        }
        readers[i].files = files;
        readers[i].buffer = uv_buf_init(memory, BLOCK_SIZE);
        readers[i].number = i;
        submit(&readers[i]);
    }
}

void start_read(struct run *run)
{
    struct files *files = open_file(run);
    if (files)
        start_readers(files, run->options->depth);
}

/* The neighbour: a millisecond of work in each round of the loop. */
static void compute(uv_idle_t *idle)
{
    (void)idle;
    uint64_t until = peer_clock(CLOCK_MONOTONIC) + COMPUTE_NS;
    while (peer_clock(CLOCK_MONOTONIC) < until)
        ;
}

void start_hog(struct run *run)
{
    struct files *files = open_file(run);
    if (!files)
        return;
    files->hog = true;
    run->latencies = peer_alloc(1, sizeof *run->latencies);
    run->with_max = true;
    uv_idle_init(run->loop, &files->computing);
    uv_idle_start(&files->computing, compute);
    start_readers(files, 1);
}
