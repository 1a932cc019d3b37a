/* http_min: the least HTTP/1.1 that is still correct, for the baselines.
 *
 * Bytes in, answers out; no I/O, so that three different loops can share it and a
 * difference between them is never a difference in parsing. It knows GET /hello and
 * answers everything else with an error: 404 for another path, 405 for another method,
 * 400 for what is no request (and for HTTP/1.1 without Host), 413 for a request with a
 * body, 431 for a head of more than HTTP_MIN_HEAD bytes. The first thing that is wrong
 * decides, as soon as its line is complete. Keep-alive, pipelining and
 * `Connection: close` work; after a 400, 413 or 431 the connection must be closed,
 * because nobody knows where the next request would start.
 *
 * Source: RFC 9112. Threads: one at a time for each struct. */
#ifndef LESSON08_HTTP_MIN_H
#define LESSON08_HTTP_MIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lesson08_compare/workload.h"

#define HTTP_MIN_HEAD 2048

/* Enough room for the answers to so many bytes. Four for each byte: the good answer goes
 * to a request of 30 bytes at least, "GET /hello HTTP/1.1\r\nHost:\r\n\r\n", and
 * the others are shorter still for their requests. Only the answer that ends the
 * connection may follow fewer bytes; it has 128 at most. */
#define HTTP_MIN_ANSWERS(bytes) (4 * (bytes) + 128)
_Static_assert(WORKLOAD_RESPONSE_SIZE <= 4 * 30, "the good answer, and no byte more");

/* The same for `bytes` more of input, whatever is held already. */
#define HTTP_MIN_ROOM(bytes) HTTP_MIN_ANSWERS((bytes) + HTTP_MIN_HEAD)

struct http_min {
    char *held;      /* owns; the part of a request that has come so far, or NULL */
    size_t held_len; /* bytes */
    bool closing;    /* close once the answers so far are sent; more input is ignored */
};

/* A zeroed struct is ready for use. */
void http_min_finish(struct http_min *http);

/* Takes n bytes that came from the peer (n <= HTTP_MIN_CHUNK) and appends the answers
 * to every request that is now complete to `out`, which has http_min_room bytes.
 * Returns how many bytes it wrote; adds the number of answers to *requests. -ENOMEM. */
#define HTTP_MIN_CHUNK 4096
ssize_t http_min_feed(struct http_min *http, const char *in, size_t n, char *out,
                      uint64_t *requests);

/* At most HTTP_MIN_ROOM(n). */
static inline size_t http_min_room(const struct http_min *http, size_t n)
{
    return HTTP_MIN_ANSWERS(http->held_len + n);
}

#endif
