/* http_session: one connection of the web server, as a task.
 *
 *   read --> parse --> answer into `out` --> ... --> send `out` --> read
 *              |  needs a file: send `out`, then http_file_answer
 *              |  makes no sense: send the error, linger, close
 *
 * Ownership: owns its source and buffers; borrows the service. Threads: as for any
 * future. */
#ifndef LESSON07_HTTP_SESSION_H
#define LESSON07_HTTP_SESSION_H

#include "lesson07_custom/http_answer.h"
#include "lesson07_custom/http_file_answer.h"
#include "lesson07_custom/http_request.h"
#include "lesson07_custom/http_service.h"

/* Responses gather here, so that a pipelined batch is one send. */
#define HTTP_OUT_ROOM 2048
_Static_assert(HTTP_OUT_ROOM >= 2 * HTTP_RESPONSE_ROOM, "room for a response and more");

struct http_session {
    ASYNC_FRAME;
    const struct http_service *service; /* borrows */
    struct io_source *source;           /* owns */
    struct io_op received;              /* owns the lent buffer while it holds one */
    struct io_op sent;
    struct time_limit limit; /* of each wait; the connection's keeper looks at it */
    size_t lent_at;          /* of the lent buffer: consumed so far */
    char *pending; /* owns: the start of a request that came in pieces, or NULL */
    size_t pending_size;
    struct http_request request;
    bool in_request; /* some bytes of a request are here */
    bool in_body;    /* its head is complete, its body is not */
    bool kept;       /* exempt from the stop's drain: half a request is here */
    bool lingers;    /* read and forget until the peer has closed */
    bool unasked;    /* it is the stop that closes, not the client */
    uint64_t until; /* when a request, or the lingering, has taken too long; 0: unset */
    unsigned lingered;
    uint8_t step; /* enum in http_session.c */
    struct http_answer answer;
    struct http_file_answer *file; /* owns: a file on its way, or NULL */
    size_t out_size;
    char out[HTTP_OUT_ROOM];
};

/* The task: a session, and the one timer of all its waits. */
struct http_visit {
    ASYNC_FRAME;
    struct timekeeper keeper;
    struct http_session session;
};

/* Consumes the source. */
struct http_visit http_visit(const struct http_service *service,
                             struct io_source *source);

#endif
