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

static enum http_method method_of(struct http_slice name)
{
    static const char *const others[] = { "OPTIONS", "POST",  "PUT",  "DELETE",
                                          "CONNECT", "TRACE", "PATCH" };
    if (name.size == 3 && memcmp(name.at, "GET", 3) == 0)
        return HTTP_METHOD_GET;
    if (name.size == 4 && memcmp(name.at, "HEAD", 4) == 0)
        return HTTP_METHOD_HEAD;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        if (name.size == strlen(others[i]) &&
            memcmp(name.at, others[i], name.size) == 0)
            return HTTP_METHOD_OTHER;
    }
    return HTTP_METHOD_UNKNOWN;
}

static struct http_span span_of(const char *head, const char *from, const char *to)
{
    return (struct http_span){ (uint32_t)(from - head), (uint32_t)(to - from) };
}

static void split_query(struct http_request *request, const char *head,
                        struct http_slice target)
{
    const char *end = target.at + target.size;
    const char *mark = target.size > 0 ? memchr(target.at, '?', target.size) : NULL;
    request->path_span = span_of(head, target.at, mark != NULL ? mark : end);
    if (mark != NULL)
        request->query_span = span_of(head, mark + 1, end);
}

/* http://host[:port][/path][?query]: what a client sends to a proxy, and a server must
 * accept as well (RFC 9112 section 3.2.2). */
static struct http_error absolute_target(struct http_request *request, const char *head,
                                         struct http_slice target)
{
    size_t scheme = sizeof "http://" - 1;
    struct http_slice rest = { target.at + scheme, target.size - scheme };
    struct http_slice authority = { rest.at, 0 };
    while (authority.size < rest.size && rest.at[authority.size] != '/' &&
           rest.at[authority.size] != '?')
        authority.size++;
    if (authority.size == 0 || authority.at[0] == ':' ||
        !http_authority_valid(authority))
        return bad("the request target names no valid host");
    rest.at += authority.size;
    rest.size -= authority.size;
    request->form = HTTP_FORM_ABSOLUTE;
    request->authority_span = span_of(head, authority.at, rest.at);
    split_query(request, head, rest);
    return fine;
}

static struct http_error take_target(struct http_request *request, const char *head,
                                     struct http_slice method, struct http_slice target)
{
    static const char scheme[] = "http://";
    bool options = method.size == 7 && memcmp(method.at, "OPTIONS", 7) == 0;
    bool connect = method.size == 7 && memcmp(method.at, "CONNECT", 7) == 0;
    if (!http_all(target.at, target.size, HTTP_TARGET))
        return bad("the request target holds a byte that must be percent-encoded");
    if (target.at[0] == '/') {
        split_query(request, head, target);
        return fine;
    }
    if (target.size >= sizeof scheme - 1 &&
        http_is((struct http_slice){ target.at, sizeof scheme - 1 }, scheme))
        return absolute_target(request, head, target);
    request->form = HTTP_FORM_OTHER;
    request->path_span = span_of(head, target.at, target.at + target.size);
    if (options && target.size == 1 && target.at[0] == '*')
        return fine;
    if (connect && http_authority_valid(target))
        return fine;
    return bad("the request target is neither a path nor an http URI");
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

/* method SP target SP HTTP/1.1 */
static struct http_error request_line(struct http_request *request, const char *head,
                                      size_t begin, size_t end)
{
    static const size_t version_size = sizeof "HTTP/1.1" - 1;
    const char *line = head + begin;
    size_t size = end - begin;
    const char *space = memchr(line, ' ', size);
    if (space == NULL || space == line ||
        !http_all(line, (size_t)(space - line), HTTP_TOKEN))
        return bad("the request line does not start with a method");
    struct http_slice method = { line, (size_t)(space - line) };
    if (size < method.size + 1 + 1 + 1 + version_size)
        return bad("the request line has too few parts");
    const char *version = line + size - version_size;
    if (version[-1] != ' ' || memcmp(version, "HTTP/", 5) != 0 || !digit(version[5]) ||
        version[6] != '.' || !digit(version[7]))
        return bad("the request line does not end in an HTTP version");
    if (version[5] != '1')
        return (struct http_error){ 505, "this server speaks HTTP/1.1" };
    request->minor = version[7] == '0' ? 0 : 1;
    request->method = method_of(method);
    request->at = HTTP_AT_FIELDS;
    struct http_slice target = { space + 1, (size_t)(version - 1 - (space + 1)) };
    return take_target(request, head, method, target);
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
    if (request->path.size == 0) /* http://host is http://host/ */
        request->path = (struct http_slice){ "/", 1 };
    request->query = slice_of(head, request->query_span);
    request->host =
        slice_of(head, request->form == HTTP_FORM_ABSOLUTE ? request->authority_span
                                                           : fields->host);
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

/* The current line must end before this byte. */
static size_t line_limit(const struct http_request *request)
{
    const struct http_limits *limits = request->limits;
    if (request->at == HTTP_AT_REQUEST_LINE &&
        limits->line < limits->head - request->line)
        return request->line + limits->line;
    return limits->head;
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

enum http_verdict http_request_parse(struct http_request *request, const char *data,
                                     size_t size)
{
    CHECK(request->at != HTTP_AT_END && request->error.status == 0,
          "this request has its verdict; init before the next");
    CHECK(size >= request->scanned, "bytes that were parsed are gone: %zu of %zu left",
          size, request->scanned);
    struct http_error error = fine;
    while (request->at != HTTP_AT_END) {
        size_t limit = line_limit(request);
        size_t seen = size < limit ? size : limit;
        const char *lf = NULL;
        if (seen > request->scanned)
            lf = memchr(data + request->scanned, '\n', seen - request->scanned);
        if (lf != NULL) {
            size_t begin = request->line, end = (size_t)(lf - data);
            request->line = request->scanned = end + 1;
            error = take_line(request, data, begin, end);
        } else {
            request->scanned = seen;
            if (size < limit)
                return HTTP_NEED_MORE;
            error = too_long(request, data, limit);
        }
        if (error.status != 0) {
            request->error = error;
            return HTTP_ERROR;
        }
    }
    return HTTP_COMPLETE;
}

enum http_connection http_request_connection(const struct http_request *request)
{
    if (!request->keep_alive)
        return HTTP_CLOSES;
    return request->minor > 0 ? HTTP_PERSISTS : HTTP_KEEPS_ALIVE;
}
