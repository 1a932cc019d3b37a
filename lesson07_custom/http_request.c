/* http_request: find a line end, understand one line, repeat.
 *
 * The input comes in pieces that have nothing to do with its lines. A parser that looks
 * at each byte as it comes must remember where in the grammar it stands; one that waits
 * for whole lines must only remember how far it has searched, and can then read a line
 * as if it had always been there. Searching is memchr, which looks at 16 or 32 bytes a
 * step, and it never looks at a byte twice: a client that sends one byte at a time
 * costs no more than one that sends all at once.
 *
 *     AT_REQUEST_LINE --request_line()--> AT_FIELDS --end_of_head()--> AT_END
 *                                          ^     | http_fields_add()
 *                                          +-----+
 *
 * Invariant: a verdict is reached at a line end, or at a limit that counts bytes from
 * the start; both lie at the same byte however the input was cut.
 *
 * Policy, where RFC 9112 leaves a choice: lines end in CR LF only; a lone CR or LF is
 * an error; empty lines before the request line are skipped. */
#include "lesson07_custom/http_request.h"

#include <string.h>

#include "common/check.h"
#include "common/container.h"

const struct http_limits http_default_limits = {
    .line = 8192, /* RFC 9112 section 3 asks for at least 8,000 */
    .head = 16384,
    .fields = 100,
    .body = 1 << 20,
};

static const struct http_error fine;

static struct http_error bad(const char *why)
{
    return (struct http_error){ 400, why };
}

void http_request_init(struct http_request *request, const struct http_limits *limits)
{
    CHECK(limits->head <= 1 << 30, "a head of %zu bytes is too long", limits->head);
    CHECK(limits->body < UINT64_MAX, "a body must have a limit");
    *request = (struct http_request){ .limits = limits };
}

void http_request_next(struct http_request *request)
{
    request->method = HTTP_METHOD_UNKNOWN;
    request->keep_alive = false;
    request->error.status = 0;
    request->fields = (struct http_fields){ 0 };
    request->line = request->scanned = 0;
    request->at = HTTP_AT_REQUEST_LINE;
    /* the rest is written by the request line, or by the end of the head */
}

static bool spells(struct http_slice word, const char *text)
{
    return word.size == strlen(text) && memcmp(word.at, text, word.size) == 0;
}

static enum http_method method_of(struct http_slice name)
{
    static const char *const others[] = { "OPTIONS", "POST",  "PUT",  "DELETE",
                                          "CONNECT", "TRACE", "PATCH" };
    if (spells(name, "GET"))
        return HTTP_METHOD_GET;
    if (spells(name, "HEAD"))
        return HTTP_METHOD_HEAD;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (spells(name, others[i]))
            return HTTP_METHOD_OTHER;
    }
    return HTTP_METHOD_UNKNOWN;
}

static struct http_span span_of(const char *head, const char *from, const char *to)
{
    return (struct http_span){ (uint32_t)(from - head), (uint32_t)(to - from) };
}

/* [path]["?" query], up to `end`. True: there is nothing else in it. */
static bool path_and_query(struct http_request *request, const char *head,
                           const char *at, const char *end)
{
    const char *stop = http_skip(at, HTTP_PATH);
    request->path_span = span_of(head, at, stop);
    request->query_span = (struct http_span){ 0 };
    if (*stop == '?') {
        at = stop + 1;
        stop = http_skip(at, HTTP_TARGET);
        request->query_span = span_of(head, at, stop);
    }
    return stop == end;
}

/* http://host[:port][/path][?query]: what a client sends to a proxy, and a server must
 * accept as well (RFC 9112 section 3.2.2). `target` is what follows the scheme. */
static struct http_error absolute_target(struct http_request *request, const char *head,
                                         struct http_slice target)
{
    struct http_slice authority = { target.at, 0 };
    while (authority.size < target.size && target.at[authority.size] != '/' &&
           target.at[authority.size] != '?')
        authority.size++;
    if (authority.size == 0 || authority.at[0] == ':' ||
        !http_authority_valid(authority))
        return bad("the request target names no valid host");
    const char *path = target.at + authority.size;
    request->form = HTTP_FORM_ABSOLUTE;
    request->authority_span = span_of(head, authority.at, path);
    path_and_query(request, head, path, target.at + target.size);
    return fine;
}

/* A target that is not the path that nearly each one is. */
static struct http_error other_target(struct http_request *request, const char *head,
                                      struct http_slice method,
                                      struct http_slice target)
{
    static const char scheme[] = "http://";
    const size_t size = sizeof scheme - 1;
    if (target.at[0] == '/' || !http_all(target.at, target.size, HTTP_TARGET))
        return bad("the request target holds a byte that must be percent-encoded");
    if (target.size >= size && http_is((struct http_slice){ target.at, size }, scheme))
        return absolute_target(
            request, head, (struct http_slice){ target.at + size, target.size - size });
    request->form = HTTP_FORM_OTHER;
    request->path_span = span_of(head, target.at, target.at + target.size);
    request->query_span = (struct http_span){ 0 };
    if (spells(method, "OPTIONS") && spells(target, "*"))
        return fine;
    if (spells(method, "CONNECT") && http_authority_valid(target))
        return fine;
    return bad("the request target is neither a path nor an http URI");
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* SP HTTP/1.1; the minor version, or -1 for anything but HTTP/1.x. */
static int minor_of(const char *version)
{
    if (memcmp(version, " HTTP/1.", 8) != 0 || !digit(version[8]))
        return -1;
    return version[8] == '0' ? 0 : 1;
}

static struct http_error wrong_version(const char *version)
{
    if (memcmp(version, " HTTP/", 6) == 0 && digit(version[6]) && version[7] == '.' &&
        digit(version[8]))
        return (struct http_error){ 505, "this server speaks HTTP/1.1" };
    return bad("the request line does not end in an HTTP version");
}

/* method SP target SP HTTP/1.1, and CR at head[end]: each part is skipped in one go, and
 * what stops the skip must be what comes next. */
static struct http_error request_line(struct http_request *request, const char *head,
                                      size_t begin, size_t end)
{
    static const ptrdiff_t version_size = sizeof " HTTP/1.1" - 1;
    const char *line = head + begin;
    const char *space = http_skip(line, HTTP_TOKEN);
    if (space == line || *space != ' ')
        return bad("the request line does not start with a method");
    const char *target = space + 1;
    const char *version = head + end - version_size;
    if (head + end - target <= version_size)
        return bad("the request line has too few parts");
    int minor = minor_of(version);
    if (minor < 0)
        return wrong_version(version);
    struct http_slice method = { line, (size_t)(space - line) };
    request->minor = (unsigned)minor;
    request->method = method_of(method);
    request->form = HTTP_FORM_ORIGIN;
    request->at = HTTP_AT_FIELDS;
    if (*target == '/' && path_and_query(request, head, target, version))
        return fine;
    return other_target(request, head, method,
                        (struct http_slice){ target, (size_t)(version - target) });
}

static struct http_slice slice_of(const char *head, struct http_span span)
{
    return (struct http_slice){ head + span.at, span.size };
}

static int refusal_of(const struct http_request *request)
{
    if (request->method == HTTP_METHOD_UNKNOWN)
        return 501;
    if (request->method == HTTP_METHOD_OTHER)
        return 405;
    return request->fields.expects_other ? 417 : 0;
}

static struct http_error end_of_head(struct http_request *request, const char *head)
{
    const struct http_fields *fields = &request->fields;
    struct http_error error = http_fields_end(fields, request->minor);
    if (error.status != 0)
        return error;
    if (fields->content_length > request->limits->body)
        return (struct http_error){ 413, "the content is longer than the limit" };
    if (fields->has_coding)
        http_body_chunked(&request->body, request->limits->body);
    else
        http_body_counted(&request->body, fields->content_length);
    request->path = slice_of(head, request->path_span);
    request->query = slice_of(head, request->query_span);
    request->host = slice_of(head, fields->host);
    if (request->form == HTTP_FORM_ABSOLUTE) {
        request->host = slice_of(head, request->authority_span);
        if (request->path.size == 0) /* http://host is http://host/ */
            request->path = (struct http_slice){ "/", 1 };
    }
    request->keep_alive = !fields->close && (request->minor > 0 || fields->keep_alive);
    request->expects_continue = fields->expects_continue && request->minor > 0 &&
                                !http_body_done(&request->body);
    request->refusal = refusal_of(request);
    request->head_size = request->line;
    request->at = HTTP_AT_END;
    return fine;
}

/* The line head[begin..end) ended in the LF at `end`. */
static struct http_error take_line(struct http_request *request, const char *head,
                                   size_t begin, size_t end)
{
    if (end == begin || head[end - 1] != '\r')
        return bad("a line does not end in CR LF");
    end--;
    if (request->at == HTTP_AT_REQUEST_LINE)
        return end == begin ? fine : request_line(request, head, begin, end);
    if (end == begin)
        return end_of_head(request, head);
    if (request->fields.count == request->limits->fields)
        return (struct http_error){ 431, "too many header fields" };
    return http_fields_add(&request->fields, head, begin, end);
}

/* The request line must end before this byte. */
static size_t first_line_limit(const struct http_request *request)
{
    const struct http_limits *limits = request->limits;
    size_t room = limits->head - request->line;
    return request->line + (limits->line < room ? limits->line : room);
}

/* The first LF in data[from..end), or NULL. An empty line ends each head, and is seen
 * without a search. */
static const char *line_end(const char *data, size_t from, size_t end)
{
    if (end - from >= 2 && data[from] == '\r' && data[from + 1] == '\n')
        return data + from + 1;
    return memchr(data + from, '\n', end - from);
}

static struct http_error too_long(const struct http_request *request, const char *head,
                                  size_t limit)
{
    if (request->at == HTTP_AT_FIELDS)
        return (struct http_error){ 431, "the header fields are too long" };
    if (memchr(head + request->line, ' ', limit - request->line) == NULL)
        return bad("the request line does not start with a method");
    return (struct http_error){ 414, "the request target is too long" };
}

static enum http_verdict refuse(struct http_request *request, struct http_error error)
{
    request->error = error;
    return HTTP_ERROR;
}

enum http_verdict http_request_parse(struct http_request *request, const char *data,
                                     size_t size)
{
    CHECK(request->at != HTTP_AT_END && request->error.status == 0,
          "this request has its verdict; init before the next");
    CHECK(size >= request->scanned, "bytes that were parsed are gone: %zu of %zu left",
          size, request->scanned);
    do {
        size_t limit = request->at == HTTP_AT_FIELDS ? request->limits->head
                                                     : first_line_limit(request);
        size_t seen = size < limit ? size : limit;
        const char *lf = line_end(data, request->scanned, seen);
        if (lf == NULL) {
            request->scanned = seen;
            return size < limit ? HTTP_NEED_MORE
                                : refuse(request, too_long(request, data, limit));
        }
        size_t begin = request->line, end = (size_t)(lf - data);
        request->line = request->scanned = end + 1;
        struct http_error error = take_line(request, data, begin, end);
        if (error.status != 0)
            return refuse(request, error);
    } while (request->at != HTTP_AT_END);
    return HTTP_COMPLETE;
}
