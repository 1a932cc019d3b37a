/* http_min: the least HTTP/1.1 that is still correct, for the baselines.
 *
 * Bytes in, answers out; no I/O, so that three different loops can share it and a
 * difference between them is never a difference in parsing. It knows GET /hello and
 * answers everything else with an error: 404 for another path, 405 for another method,
 * 400 for what is no request (and for HTTP/1.1 without Host), 413 for a request with a
 * body, 431 for a head of more than HTTP_MIN_HEAD bytes. Keep-alive, pipelining and
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

/* Enough room for the answers to `bytes` more bytes of input. No request that keeps the
 * connection is shorter than "GET / HTTP/1.1\r\nHost:\r\n\r\n" (25 bytes) or gets a
 * longer answer than the good one; the one that ends it gets at most 128 bytes. */
#define HTTP_MIN_ROOM(bytes)                                                           \
    (((bytes) + HTTP_MIN_HEAD) / 25 * WORKLOAD_RESPONSE_SIZE + 128)

struct http_min {
    char *held;      /* owns; the part of a request that has come so far, or NULL */
    size_t held_len; /* bytes */
    bool closing;    /* close once the answers so far are sent; more input is ignored */
};

/* A zeroed struct is ready for use. */
void http_min_finish(struct http_min *http);

/* Takes n bytes that came from the peer (n <= HTTP_MIN_CHUNK) and appends the answers
 * to every request that is now complete to `out`, which has HTTP_MIN_ROOM(n) bytes.
 * Returns how many bytes it wrote; adds the number of answers to *requests. -ENOMEM. */
#define HTTP_MIN_CHUNK 4096
ssize_t http_min_feed(struct http_min *http, const char *in, size_t n, char *out,
                      uint64_t *requests);

#endif
