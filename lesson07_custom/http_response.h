/* http_response: writes responses into a caller's buffer.
 *
 * The lines of a head come in a fixed order, so that the same answer is always the same
 * bytes: status line, Content-Length, Content-Type, Date, Location, Allow, Connection;
 * each but the first only if it is wanted. HEAD gets the head that GET would get, and
 * no body.
 *
 * Ownership: borrows everything for the call, writes the caller's buffer. Threads: any;
 * a struct http_date or http_canned one at a time (one for each worker). Errors:
 * -ENOBUFS when the buffer is too small (nothing useful is in it then). Source: RFC
 * 9110 sections 6.6.1, 8, 9.3.2, 15; RFC 9112 sections 4 and 9. */
#ifndef LESSON07_HTTP_RESPONSE_H
#define LESSON07_HTTP_RESPONSE_H

#include <time.h>

#include "lesson07_custom/http_text.h"

/* The answer to "may I send my body?" (Expect: 100-continue), before the real one. */
#define HTTP_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

#define HTTP_DATE_SIZE 29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */

/* Room enough for any error response, and for any head without Location. */
#define HTTP_RESPONSE_ROOM 512

struct http_response {
    int status;
    enum http_connection connection;
    uint64_t content_length;  /* also when the body is not sent (HEAD) */
    const char *content_type; /* NULL: no such line */
    const char *date;         /* HTTP_DATE_SIZE bytes; NULL: no such line */
    const char *location;     /* 0-terminated; NULL: no such line */
    bool allow;               /* says which methods are served (405) */
    bool head_only;           /* the request was HEAD: send no body */
};

/* Writes the head with its empty line. Returns its size. */
int http_response_head(const struct http_response *response, char *out,
                       size_t capacity);

/* Head and a small body in one buffer; content_length is taken from `body_size`. */
int http_response_whole(struct http_response response, const char *body,
                        size_t body_size, char *out, size_t capacity);

/* A short text for people: "404 Not Found", and why (may be NULL). Takes connection,
 * date, location and head_only from `base`; the rest from the status.
 * HTTP_RESPONSE_ROOM bytes are enough without a location. */
int http_response_error(struct http_response base, int status, const char *why,
                        char *out, size_t capacity);

/* "Not Found" for 404; "Unknown" for a status that this server does not send. */
const char *http_reason(int status);

/* By the suffix of a file name, without regard to case; application/octet-stream for
 * an unknown one. Static. */
const char *http_content_type(const char *path);

/* The Date line's value, made once a second and not once a request. {0} is legal. */
struct http_date {
    bool made;
    time_t second;
    char text[HTTP_DATE_SIZE + 1];
};

const char *http_date_make(struct http_date *date, time_t now);

/* Borrows: the text is good until the next call. `now` is wall-clock time. */
static inline const char *http_date_at(struct http_date *date, time_t now)
{
    return date->made && date->second == now ? date->text : http_date_make(date, now);
}

/* A whole response that is always the same: made once, then copied. */
struct http_canned {
    char bytes[HTTP_RESPONSE_ROOM];
    size_t head_size;
    size_t size;
    size_t date_at; /* offset of the date's text; 0: it has none */
};

int http_canned_init(struct http_canned *canned, const struct http_response *response,
                     const char *body, size_t body_size);

/* Renews the date, if there is one. */
void http_canned_stamp(struct http_canned *canned, const char *date);

/* Writes the response, without its body for HEAD; its size, or -ENOBUFS. */
int http_canned_copy(const struct http_canned *canned, bool head_only, char *out,
                     size_t capacity);

#endif
