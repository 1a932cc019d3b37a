/* http_field: what a request's header fields say about framing and the connection.
 *
 * Field lines are checked and understood one at a time, as they arrive; the five fields
 * that decide how the connection goes on are kept, the others only have to be well
 * formed. Judgements that need all fields (both lengths given, no Host) are made by
 * http_fields_end.
 *
 * Ownership: plain data; places in the head are kept as offsets, so that the caller may
 * move its buffer between calls. Threads: one at a time. Source: RFC 9110 sections 5,
 * 7, 8.6, 10.1.1; RFC 9112 sections 3.2, 5, 6. */
#ifndef LESSON07_HTTP_FIELD_H
#define LESSON07_HTTP_FIELD_H

#include "lesson07_custom/http_text.h"

struct http_span {
    uint32_t at; /* bytes from the start of the head */
    uint32_t size;
};

struct http_fields {
    uint64_t content_length;
    struct http_span host;
    unsigned count;
    bool has_host;
    bool has_length;
    bool has_coding;     /* a Transfer-Encoding was given */
    bool chunked_last;   /* the last transfer coding so far is chunked */
    bool coding_unknown; /* some transfer coding is not chunked */
    bool close;
    bool keep_alive;
    bool expects_continue;
    bool expects_other;
};

/* Takes the field line at head[begin..end); its line end follows: head[end] is CR. */
struct http_error http_fields_add(struct http_fields *fields, const char *head,
                                  size_t begin, size_t end);

/* All fields are in; `minor` is the request's HTTP/1.minor. */
struct http_error http_fields_end(const struct http_fields *fields, unsigned minor);

/* host [":" port], where host is a name, an IPv4 address or a bracketed literal. */
bool http_authority_valid(struct http_slice authority);

#endif
