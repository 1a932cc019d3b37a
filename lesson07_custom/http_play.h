/* http_play: a connection's bytes, played through the parser, and what came out as text.
 *
 * Parse, drain the body, parse what is left. The text (the transcript) lets two ways to
 * cut the same bytes be compared with one strcmp. At each call the bytes lie in a fresh
 * heap block of exactly their size: a look beyond them, or a slice into the block before,
 * is seen by valgrind and ASan. What must hold for any bytes is a CHECK.
 *
 * For tests and fuzz targets. Functions are static, since each of these is one file. */
#ifndef LESSON07_HTTP_PLAY_H
#define LESSON07_HTTP_PLAY_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "lesson07_custom/http_request.h"

#define TRANSCRIPT 4096

struct play {
    const struct http_limits *limits; /* borrows */
    struct http_request request;
    bool anew; /* init for each request, where a connection has http_request_next */
    bool in_body, over;
    size_t start; /* of what the current request, or its body, has not consumed */
    char transcript[TRANSCRIPT];
    size_t size;
};

static void note(struct play *play, const char *format, ...) PRINTF_LIKE(2, 3);

static void note(struct play *play, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(play->transcript + play->size, TRANSCRIPT - play->size, format,
                      arguments);
    va_end(arguments);
    if (n > 0 && play->size + (size_t)n < TRANSCRIPT)
        play->size += (size_t)n;
}

static inline void play_begin(struct play *play, const struct http_limits *limits)
{
    play->limits = limits;
    play->anew = play->in_body = play->over = false;
    play->start = play->size = 0;
    play->transcript[0] = '\0';
    http_request_init(&play->request, limits);
}

static enum http_verdict play_body(struct play *play, const char *data, size_t size)
{
    size_t used = 0;
    enum http_verdict verdict = http_body_skip(&play->request.body, data, size, &used);
    CHECK(used <= size, "%zu bytes of %zu", used, size);
    CHECK(verdict != HTTP_NEED_MORE || used == size, "%zu bytes of a body left",
          size - used);
    play->start += used;
    if (verdict == HTTP_ERROR)
        note(play, "body at %zu: %d %s", play->start, play->request.body.error.status,
             play->request.body.error.why);
    if (verdict == HTTP_COMPLETE) {
        note(play, "next at %zu\n", play->start);
        play->in_body = false;
        if (play->anew)
            http_request_init(&play->request, play->limits);
        else
            http_request_next(&play->request);
    }
    return verdict;
}

static void must_be_inside(struct http_slice slice, const char *data, size_t size)
{
    size_t at = (size_t)(slice.at - data);
    CHECK(at <= size && slice.size <= size - at, "a slice is not inside the head");
}

/* What holds for any request, whatever its bytes. */
static void play_look(const struct http_request *r, const char *data, size_t size)
{
    CHECK(r->head_size <= size && r->head_size <= r->limits->head,
          "a head of %zu bytes", r->head_size);
    CHECK(memcmp(data + r->head_size - 4, "\r\n\r\n", 4) == 0, "the head's end");
    must_be_inside(r->query, data, r->head_size);
    must_be_inside(r->host, data, r->head_size);
    if (r->form == HTTP_FORM_ABSOLUTE && r->path.size == 1)
        CHECK(r->path.at[0] == '/', "a path of one byte");
    else
        must_be_inside(r->path, data, r->head_size);
    CHECK(r->form == HTTP_FORM_OTHER || r->path.at[0] == '/',
          "a path without its slash");
    CHECK(r->body.left <= r->limits->body, "a body above the limit");
    CHECK(r->fields.count <= r->limits->fields, "too many fields");
}

static enum http_verdict play_head(struct play *play, const char *data, size_t size)
{
    struct http_request *r = &play->request;
    enum http_verdict verdict = http_request_parse(r, data, size);
    CHECK(verdict != HTTP_NEED_MORE || size < play->limits->head,
          "a full buffer is not enough");
    if (verdict == HTTP_ERROR)
        note(play, "error after %zu: %d %s", play->start, r->error.status,
             r->error.why);
    if (verdict == HTTP_COMPLETE) {
        play_look(r, data, size);
        note(play, "%d %d 1.%u [%.*s] [%.*s] [%.*s] %d %d %d head %zu ", (int)r->method,
             (int)r->form, r->minor, (int)r->path.size, r->path.at, (int)r->query.size,
             r->query.at, (int)r->host.size, r->host.at, r->keep_alive, r->refusal,
             r->expects_continue, r->head_size);
        play->start += r->head_size;
        play->in_body = true;
    }
    return verdict;
}

/* `arrived` bytes of the input are there now. */
static inline void play_on(struct play *play, const char *input, size_t arrived)
{
    enum http_verdict verdict = HTTP_COMPLETE;
    while (!play->over && verdict == HTTP_COMPLETE &&
           (play->in_body || play->start < arrived)) {
        size_t size = arrived - play->start;
        char *data = malloc(size > 0 ? size : 1);
        CHECK(data, "no memory");
        memcpy(data, input + play->start, size);
        verdict =
            play->in_body ? play_body(play, data, size) : play_head(play, data, size);
        free(data);
        play->over = verdict == HTTP_ERROR;
    }
}

static inline void play_whole(struct play *play, const struct http_limits *limits,
                              const char *input, size_t size)
{
    play_begin(play, limits);
    play_on(play, input, size);
}

#endif
