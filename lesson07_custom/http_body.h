/* http_body: where does a request's body end?
 *
 * The server has no use for bodies, but it must know where they end: the next request
 * on the connection starts there. Bytes go in as they come, in pieces of any size, are
 * counted and forgotten, so a body needs no memory however long it is.
 *
 * Ownership: plain data, owns nothing, borrows the input for the call. Threads: one at
 * a time. Source: RFC 9112 sections 6 and 7.1. */
#ifndef LESSON07_HTTP_BODY_H
#define LESSON07_HTTP_BODY_H

#include "lesson07_custom/http_text.h"

/* Bytes of chunk extensions and trailer fields that one body may carry in all: they are
 * no content, so the content limit does not bound them. */
#define HTTP_BODY_EXTRAS 4096

enum http_verdict { HTTP_NEED_MORE, HTTP_COMPLETE, HTTP_ERROR };

enum http_body_state {
    HTTP_BODY_DONE, /* 0: a zeroed body is an absent one */
    HTTP_BODY_LENGTH,
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_BLANK,
    HTTP_CHUNK_EXTENSION,
    HTTP_CHUNK_SIZE_LF,
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_DATA_CR,
    HTTP_CHUNK_DATA_LF,
    HTTP_TRAILER_START,
    HTTP_TRAILER_NAME,
    HTTP_TRAILER_VALUE,
    HTTP_TRAILER_LF,
    HTTP_TRAILER_END_LF,
};

struct http_body {
    enum http_body_state state;
    unsigned digits;         /* of the chunk size being read */
    unsigned extras;         /* extension and trailer bytes so far */
    uint64_t left;           /* content bytes to come, of the body or of this chunk */
    uint64_t allowance;      /* content bytes that later chunks may still bring */
    struct http_error error; /* after HTTP_ERROR */
};

/* A body of exactly `length` bytes; 0 is a body that is complete from the start. */
static inline void http_body_counted(struct http_body *body, uint64_t length)
{
    body->state = length > 0 ? HTTP_BODY_LENGTH : HTTP_BODY_DONE;
    body->left = length;
    body->error.status = 0;
}

/* A chunked body of at most `limit` content bytes (413 beyond that). */
void http_body_chunked(struct http_body *body, uint64_t limit);

static inline bool http_body_done(const struct http_body *body)
{
    return body->state == HTTP_BODY_DONE;
}

/* Consumes body bytes; *used says how many of `size`. HTTP_NEED_MORE has used them all.
 * HTTP_COMPLETE leaves what belongs to the next request. After HTTP_ERROR the
 * connection cannot go on: nobody knows where the next request would start. */
enum http_verdict http_body_skip(struct http_body *body, const char *data, size_t size,
                                 size_t *used);

#endif
