/* http_file_answer: open, head, pieces, close.
 *
 * Problem: once the head with its Content-Length is out, nothing can be taken back: a file
 * that shrinks, or a disk that fails in the middle, can only be told by closing the
 * connection early (RFC 9112 section 6.3). Invariant: `broken` is set whenever fewer
 * bytes went out than the head announced. */
#include "lesson07_custom/http_file_answer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lesson07_custom/http_target.h"

/* On a blocking thread. */
static int64_t open_file(void *argument)
{
    struct http_file_answer *self = argument;
    return http_files_open(&self->service->files, self->path, self->folder,
                           &self->file);
}

/* Fills `piece` with the head, or with the whole error; its size. */
static int write_head(struct http_file_answer *self, int err)
{
    struct http_response response = {
        .status = 200,
        .connection = self->connection,
        .content_length = self->file.size,
        .content_type = self->file.content_type,
        .date = http_service_date(self->service),
        .head_only = self->head_only,
    };
    self->status = err == 0 ? 200 : http_files_status(err);
    if (err == 0)
        return http_response_head(&response, self->piece, sizeof self->piece);
    if (self->status == 301)
        response.location = self->location;
    return http_response_error(response, self->status, NULL, self->piece,
                               sizeof self->piece);
}

static enum poll_state http_file_answer_poll(struct future *future,
                                             struct context *context)
{
    struct http_file_answer *self = ASYNC_SELF(http_file_answer, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->open, blocking_borrow(runtime_offload_here(), open_file, self));
    self->size = (int)self->open.result;
    if (self->size == 0) {
        self->size = io_attach(self->file.fd, IO_TYPE_FILE, &self->source);
        if (self->size < 0)
            close(self->file.fd);
    }
    self->size = write_head(self, self->size);
    self->broken = self->size < 0;
    while (!self->broken) {
        AWAIT_LIMITED(*self->limit, self->service->send_ns, self->op,
                      io_send(self->peer, self->piece, (size_t)self->size));
        self->broken = self->op.result < 0;
        if (self->broken || !self->source || self->head_only ||
            self->offset == self->file.size)
            break;
        AWAIT(self->op,
              io_read(self->source, self->piece, sizeof self->piece, self->offset));
        self->size = self->op.result;
        self->broken = self->size <= 0;
        if (self->broken)
            break;
        if ((uint64_t)self->size > self->file.size - self->offset)
            self->size = (int)(self->file.size - self->offset); /* it has grown */
        self->offset += (uint64_t)self->size;
    }
    if (self->source) {
        AWAIT_SHIELDED(self->op, io_close(self->source));
    }
    ASYNC_END;
}

static const struct future_ops http_file_answer_ops = ASYNC_OPS(http_file_answer);

struct http_file_answer *http_file_answer_create(const struct http_service *service,
                                                 struct io_source *peer,
                                                 const struct http_request *request,
                                                 enum http_connection connection,
                                                 struct time_limit *limit, int *status)
{
    struct http_file_answer *self = malloc(sizeof *self);
    *status = 503;
    if (!self)
        return NULL;
    self->future.ops = &http_file_answer_ops;
    self->async = (struct async){ .future = { &http_file_answer_ops } };
    self->service = service;
    self->peer = peer;
    self->connection = connection;
    self->limit = limit;
    self->head_only = request->method == HTTP_METHOD_HEAD;
    self->source = NULL;
    self->offset = 0;
    self->broken = false;
    int err =
        http_target_path(request->path, self->path, sizeof self->path, &self->folder);
    if (err >= 0)
        err = http_target_folder(self->path, request->query, self->location,
                                 sizeof self->location);
    if (err >= 0)
        return self;
    *status = err == -ENAMETOOLONG ? 414 : 400;
    free(self);
    return NULL;
}
