/* http_request: an incremental parser for the head of an HTTP/1.1 request.
 *
 * It does no I/O and allocates nothing: the caller owns a buffer, reads bytes into it,
 * and asks after each read whether a request is there. The usual loop:
 *
 *     http_request_init(&request, &http_default_limits);
 *     while ((verdict = http_request_parse(&request, buffer, filled)) ==
 * HTTP_NEED_MORE)
 *         ...read more behind buffer + filled; at end of file give up...
 *     HTTP_COMPLETE: answer; drain request.body with http_body_skip from
 *         buffer + request.head_size on; then init again, and parse what is left
 *         (pipelined requests) before reading more.
 *     HTTP_ERROR: answer request.error, with HTTP_CLOSES, and close.
 *
 * Look the answer up, drain the body, then answer. Whoever answers before the body has
 * been read must close the connection afterwards (RFC 9112 section 9.3), since the
 * client may still be sending it; that is also the way out for a client that expects
 * 100-continue and gets a refusal instead.
 *
 * Two kinds of "no". HTTP_ERROR: the bytes make no sense, so nobody knows where the
 * next request starts. `refusal`: the request is well framed but will not be served
 * (405, 501, 417); answer that status, and the connection may go on.
 *
 * Ownership: borrows the limits until the request is done with, and the buffer's bytes
 * as the slices below. Until the verdict the buffer may move, as its bytes stay the
 * same and in order; from HTTP_COMPLETE on the slices point into it. Threads: one at a
 * time. Errors: in `error`. Source: RFC 9112 and RFC 9110. */
#ifndef LESSON07_HTTP_REQUEST_H
#define LESSON07_HTTP_REQUEST_H

#include "lesson07_custom/http_body.h"
#include "lesson07_custom/http_field.h"
#include "lesson07_custom/http_text.h"

/* All in bytes but `fields`. A buffer of `head` bytes never ends in HTTP_NEED_MORE when
 * it is full. */
struct http_limits {
    size_t line;     /* request line with its line end; 414 beyond */
    size_t head;     /* everything up to the empty line; 431 beyond; at most 1 GiB */
    unsigned fields; /* 431 beyond */
    uint64_t body;   /* content; 413 beyond */
};

extern const struct http_limits http_default_limits;

enum http_method {
    HTTP_METHOD_UNKNOWN,
    HTTP_METHOD_GET,
    HTTP_METHOD_HEAD,
    HTTP_METHOD_OTHER, /* a method of RFC 9110 (or PATCH) that is not served here */
};

enum http_form { HTTP_FORM_ORIGIN, HTTP_FORM_ABSOLUTE, HTTP_FORM_OTHER };

struct http_request {
    /* After HTTP_COMPLETE. */
    struct http_slice path;  /* not decoded; starts with '/' unless form is OTHER */
    struct http_slice query; /* without the '?'; may be empty */
    struct http_slice host;  /* from the target if that names it, else from Host */
    size_t head_size;        /* where the body, or the next request, starts */
    struct http_body body;
    enum http_method method; /* also after HTTP_ERROR; UNKNOWN if it came too early */
    enum http_form form;
    unsigned minor;  /* the request is HTTP/1.minor; above 1 counts as 1 */
    int refusal;     /* 0, or the status with which to refuse a well-framed request */
    bool keep_alive; /* may the connection serve another request? */
    bool expects_continue; /* send HTTP_CONTINUE before waiting for the body */

    /* After HTTP_ERROR. */
    struct http_error error;

    /* The parser's own. */
    const struct http_limits *limits; /* borrows */
    struct http_fields fields;
    struct http_span path_span, query_span, authority_span;
    size_t line;    /* where the current line starts */
    size_t scanned; /* no line end in [line, scanned) */
    enum { HTTP_AT_REQUEST_LINE, HTTP_AT_FIELDS, HTTP_AT_END } at;
};

void http_request_init(struct http_request *request, const struct http_limits *limits);

/* The same, with the limits that it has: for the connection's next request. */
void http_request_next(struct http_request *request);

/* `data` holds all bytes of the connection from the request's first on, `size` of them:
 * the same ones as in the call before, and more. The verdict depends on the bytes
 * alone, not on how they were cut into calls. After HTTP_COMPLETE or HTTP_ERROR, init
 * again. */
enum http_verdict http_request_parse(struct http_request *request, const char *data,
                                     size_t size);

/* How the answer to this request should speak about the connection. Also right before
 * the first byte and after an error: then the connection closes. */
static inline enum http_connection http_request_connection(
    const struct http_request *request)
{
    if (!request->keep_alive)
        return HTTP_CLOSES;
    return request->minor > 0 ? HTTP_PERSISTS : HTTP_KEEPS_ALIVE;
}

#endif
