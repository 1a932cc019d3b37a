/* http_text: the alphabet of HTTP, and the few words that requests and responses share.
 *
 * RFC 9110 section 5.6 and RFC 3986 section 2 define sets of bytes ("token characters",
 * "what a host name may hold"). One table answers for all of them: a byte's entry has
 * one bit for each set that it is in. Threads: any; there is no state. */
#ifndef LESSON07_HTTP_TEXT_H
#define LESSON07_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Borrows: a run of bytes inside somebody's buffer, not 0-terminated. */
struct http_slice {
    const char *at;
    size_t size;
};

/* status 0: all is well. Otherwise the status code to answer with, and a sentence for
 * the answer's body. `why` is a string literal: never bytes from the peer. */
struct http_error {
    int status;
    const char *why; /* borrows, static */
};

/* What a response says about the connection: nothing (HTTP/1.1 persists by itself),
 * that it ends, or that it persists (an HTTP/1.0 client must be told). */
enum http_connection { HTTP_PERSISTS, HTTP_CLOSES, HTTP_KEEPS_ALIVE };

enum http_set {
    HTTP_TOKEN = 1,  /* tchar: methods, field names */
    HTTP_VALUE = 2,  /* field values: visible, space, tab, obs-text (0x80 and above) */
    HTTP_TARGET = 4, /* request targets: visible ASCII without '#' */
    HTTP_HOST = 8,   /* reg-name: unreserved, sub-delims, '%' */
    HTTP_PLAIN = 16, /* unreserved, and '/': what a path needs not to percent-encode */
    HTTP_PATH = 32,  /* request targets up to their query: without '?', too */
};

extern const uint8_t http_sets[256];

/* True if each byte is in the set; no early exit, since the usual answer is yes. */
static inline bool http_all(const char *at, size_t size, enum http_set set)
{
    unsigned common = set;
    for (size_t i = 0; i < size; i++)
        common &= http_sets[(unsigned char)at[i]];
    return common != 0;
}

static inline bool http_in(char c, enum http_set set)
{
    return (http_sets[(unsigned char)c] & set) != 0;
}

/* The first byte from `at` on that is not in the set. There must be one: a line is
 * followed by CR, which is in no set, so that nobody needs to count. */
static inline const char *http_skip(const char *at, enum http_set set)
{
    while (http_in(*at, set))
        at++;
    return at;
}

/* As http_all for HTTP_VALUE, which is most of what a browser sends. */
bool http_all_value(const char *at, size_t size);

/* Compares without regard to ASCII case; `lower` is 0-terminated and in lower case. */
bool http_is(struct http_slice slice, const char *lower);

static inline bool http_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The slice without spaces and tabs at its ends ("OWS"). */
static inline struct http_slice http_trim(struct http_slice slice)
{
    while (slice.size > 0 && http_blank(slice.at[0])) {
        slice.at++;
        slice.size--;
    }
    while (slice.size > 0 && http_blank(slice.at[slice.size - 1]))
        slice.size--;
    return slice;
}

/* Value of a hexadecimal digit, -1 for any other byte. */
int http_hex(char c);

#endif
