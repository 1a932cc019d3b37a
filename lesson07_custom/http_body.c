/* http_body: a state machine that reads a byte, or a whole run of content, at a step.
 *
 * A chunked body is a row of chunks, each with its size in hexadecimal in front; a
 * chunk of size 0 ends the row; then come trailer fields and an empty line:
 *
 *     5 [;extension] CRLF  hello CRLF   0 CRLF  [name: value CRLF]  CRLF
 *
 *       SIZE -> BLANK -> EXTENSION -> SIZE_LF -> DATA -> DATA_CR -> DATA_LF -> SIZE
 *                                        | (size 0)
 *                                        +-> TRAILER_START -> NAME -> VALUE -> LF ->
 * START
 *                                                 +-> END_LF -> DONE
 *
 * Two servers in a row that disagree about where a body ends can be made to see
 * different requests ("request smuggling"). So nothing here is lenient: a lone LF, a
 * sign, a space where none belongs, a seventeenth digit are all errors, as RFC 9112
 * section 7.1 allows. Unlimited chunk extensions were a way to keep servers busy for
 * free; hence HTTP_BODY_EXTRAS.
 *
 * Invariant: the state after n bytes depends on these n bytes only, not on how they
 * were cut into pieces. */
#include "lesson07_custom/http_body.h"

#include "common/check.h"

#define SIZE_DIGITS 16

void http_body_chunked(struct http_body *body, uint64_t limit)
{
    *body = (struct http_body){ .state = HTTP_CHUNK_SIZE, .allowance = limit };
}

static bool fail(struct http_body *body, int status, const char *why)
{
    body->error = (struct http_error){ status, why };
    return false;
}

static bool go(struct http_body *body, enum http_body_state state)
{
    body->state = state;
    return true;
}

static bool expect(struct http_body *body, char c, char wanted,
                   enum http_body_state state)
{
    if (c != wanted)
        return fail(body, 400, "a line of the chunked body does not end in CR LF");
    return go(body, state);
}

static bool size_digit(struct http_body *body, int digit)
{
    if (body->digits++ == SIZE_DIGITS)
        return fail(body, 400, "a chunk size has too many digits");
    /* left is at most UINT64_MAX / 16 here, so that this cannot wrap */
    body->left = body->left * 16 + (unsigned)digit;
    if (body->left > body->allowance || body->left > UINT64_MAX / 16)
        return fail(body, 413, "the chunks are longer than the limit");
    return true;
}

static bool size_line(struct http_body *body, char c)
{
    if (body->state == HTTP_CHUNK_SIZE) {
        int digit = http_hex(c);
        if (digit >= 0)
            return size_digit(body, digit);
        if (body->digits == 0)
            return fail(body, 400, "a chunk has no size");
    }
    if (body->state != HTTP_CHUNK_BLANK && c == '\r')
        return go(body, HTTP_CHUNK_SIZE_LF);
    if (++body->extras > HTTP_BODY_EXTRAS)
        return fail(body, 413, "too many chunk extensions");
    if (body->state == HTTP_CHUNK_EXTENSION)
        return http_all(&c, 1, HTTP_VALUE) ||
               fail(body, 400, "a chunk extension holds a control character");
    if (c == ';')
        return go(body, HTTP_CHUNK_EXTENSION);
    if (c == ' ' || c == '\t')
        return go(body, HTTP_CHUNK_BLANK);
    return fail(body, 400, "a chunk size is not a number");
}

static bool size_line_end(struct http_body *body, char c)
{
    body->digits = 0;
    body->allowance -= body->left;
    return expect(body, c, '\n', body->left > 0 ? HTTP_CHUNK_DATA : HTTP_TRAILER_START);
}

static bool trailer(struct http_body *body, char c)
{
    if (body->state == HTTP_TRAILER_START && c == '\r')
        return go(body, HTTP_TRAILER_END_LF);
    if (++body->extras > HTTP_BODY_EXTRAS)
        return fail(body, 431, "the trailer fields are too long");
    if (body->state == HTTP_TRAILER_VALUE) {
        if (c == '\r')
            return go(body, HTTP_TRAILER_LF);
        return http_all(&c, 1, HTTP_VALUE) ||
               fail(body, 400, "a trailer field holds a control character");
    }
    if (body->state == HTTP_TRAILER_NAME && c == ':')
        return go(body, HTTP_TRAILER_VALUE);
    if (!http_all(&c, 1, HTTP_TOKEN))
        return fail(body, 400, "a trailer field has no name");
    return go(body, HTTP_TRAILER_NAME);
}

static bool step(struct http_body *body, char c)
{
    switch (body->state) {
    case HTTP_CHUNK_SIZE:
    case HTTP_CHUNK_BLANK:
    case HTTP_CHUNK_EXTENSION:
        return size_line(body, c);
    case HTTP_CHUNK_SIZE_LF:
        return size_line_end(body, c);
    case HTTP_CHUNK_DATA_CR:
        return expect(body, c, '\r', HTTP_CHUNK_DATA_LF);
    case HTTP_CHUNK_DATA_LF:
        return expect(body, c, '\n', HTTP_CHUNK_SIZE);
    case HTTP_TRAILER_START:
    case HTTP_TRAILER_NAME:
    case HTTP_TRAILER_VALUE:
        return trailer(body, c);
    case HTTP_TRAILER_LF:
        return expect(body, c, '\n', HTTP_TRAILER_START);
    case HTTP_TRAILER_END_LF:
        return expect(body, c, '\n', HTTP_BODY_DONE);
    case HTTP_BODY_DONE:
    case HTTP_BODY_LENGTH:
    case HTTP_CHUNK_DATA:
        break;
    }
    CHECK(false, "state %d takes content, not single bytes", (int)body->state);
    return false;
}

static size_t content(struct http_body *body, size_t size)
{
    size_t taken = size < body->left ? size : (size_t)body->left;
    body->left -= taken;
    if (body->left == 0)
        body->state =
            body->state == HTTP_CHUNK_DATA ? HTTP_CHUNK_DATA_CR : HTTP_BODY_DONE;
    return taken;
}

enum http_verdict http_body_skip(struct http_body *body, const char *data, size_t size,
                                 size_t *used)
{
    CHECK(body->error.status == 0, "a body that failed cannot go on");
    size_t i = 0;
    while (i < size && body->state != HTTP_BODY_DONE) {
        if (body->state == HTTP_BODY_LENGTH || body->state == HTTP_CHUNK_DATA) {
            i += content(body, size - i);
        } else if (!step(body, data[i++])) {
            *used = i;
            return HTTP_ERROR;
        }
    }
    *used = i;
    return body->state == HTTP_BODY_DONE ? HTTP_COMPLETE : HTTP_NEED_MORE;
}
