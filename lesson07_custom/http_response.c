/* http_response: append, append, append.
 *
 * A format interpreter is the wrong tool for a dozen constant strings and one number:
 * it costs more than the request's system calls would like to share. Everything here is
 * memcpy behind a cursor that knows its end; the cursor remembers that something did
 * not fit, and one test at the end tells the caller.
 *
 * Invariant: nothing that a peer sent reaches a head unchecked. `why` is static text by
 * its type's contract (http_error), and a location with a control character would be a
 * way to write lines of one's own into the response, so it is a bug of the caller. */
#include "lesson07_custom/http_response.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/check.h"
#include "common/container.h"

struct cursor {
    char *at;
    char *end;
    bool full;
};

static void put(struct cursor *out, const char *bytes, size_t size)
{
    if ((size_t)(out->end - out->at) < size) {
        out->full = true;
        return;
    }
    memcpy(out->at, bytes, size);
    out->at += size;
}

static void put_text(struct cursor *out, const char *text)
{
    put(out, text, strlen(text));
}

static void put_number(struct cursor *out, uint64_t number)
{
    char digits[20];
    size_t first = sizeof digits;
    do {
        digits[--first] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    put(out, digits + first, sizeof digits - first);
}

static void put_line(struct cursor *out, const char *name, const char *value,
                     size_t size)
{
    put_text(out, name);
    put(out, value, size);
    put(out, "\r\n", 2);
}

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        { 200, "OK" },
        { 301, "Moved Permanently" },
        { 400, "Bad Request" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 408, "Request Timeout" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 417, "Expectation Failed" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 503, "Service Unavailable" },
        { 505, "HTTP Version Not Supported" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

static void put_status(struct cursor *out, int status)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\n";
    if (status == 200) {
        put(out, ok, sizeof ok - 1);
        return;
    }
    put_text(out, "HTTP/1.1 ");
    put_number(out, (uint64_t)status);
    put_line(out, " ", http_reason(status), strlen(http_reason(status)));
}

int http_response_head(const struct http_response *response, char *out, size_t capacity)
{
    struct cursor cursor = { .at = out, .end = out + capacity };
    CHECK(response->status >= 200 && response->status <= 599,
          "%d is no final status code", response->status);
    put_status(&cursor, response->status);
    put_text(&cursor, "Content-Length: ");
    put_number(&cursor, response->content_length);
    put(&cursor, "\r\n", 2);
    if (response->content_type != NULL)
        put_line(&cursor, "Content-Type: ", response->content_type,
                 strlen(response->content_type));
    if (response->date != NULL)
        put_line(&cursor, "Date: ", response->date, HTTP_DATE_SIZE);
    if (response->location != NULL) {
        size_t size = strlen(response->location);
        CHECK(http_all(response->location, size, HTTP_VALUE),
              "a Location holds a control character");
        put_line(&cursor, "Location: ", response->location, size);
    }
    if (response->allow)
        put_text(&cursor, "Allow: GET, HEAD\r\n");
    if (response->connection == HTTP_CLOSES)
        put_text(&cursor, "Connection: close\r\n");
    else if (response->connection == HTTP_KEEPS_ALIVE)
        put_text(&cursor, "Connection: keep-alive\r\n");
    put(&cursor, "\r\n", 2);
    return cursor.full ? -ENOBUFS : (int)(cursor.at - out);
}

int http_response_whole(struct http_response response, const char *body,
                        size_t body_size, char *out, size_t capacity)
{
    response.content_length = body_size;
    int head = http_response_head(&response, out, capacity);
    if (head < 0 || response.head_only)
        return head;
    if (capacity - (size_t)head < body_size)
        return -ENOBUFS;
    memcpy(out + head, body, body_size);
    return head + (int)body_size;
}

int http_response_error(struct http_response base, int status, const char *why,
                        char *out, size_t capacity)
{
    char body[160];
    struct cursor text = { .at = body, .end = body + sizeof body };
    put_number(&text, (uint64_t)status);
    put_text(&text, " ");
    put_text(&text, http_reason(status));
    if (why != NULL) {
        put_text(&text, ": ");
        put_text(&text, why);
    }
    put_text(&text, "\n");
    base.status = status;
    base.content_type = "text/plain";
    base.allow = status == 405;
    return http_response_whole(base, body, (size_t)(text.at - body), out, capacity);
}

const char *http_content_type(const char *path)
{
    static const struct {
        const char *suffix;
        const char *type;
    } types[] = {
        { "html", "text/html; charset=utf-8" },
        { "htm", "text/html; charset=utf-8" },
        { "css", "text/css; charset=utf-8" },
        { "js", "text/javascript; charset=utf-8" },
        { "mjs", "text/javascript; charset=utf-8" },
        { "txt", "text/plain; charset=utf-8" },
        { "md", "text/markdown; charset=utf-8" },
        { "c", "text/plain; charset=utf-8" },
        { "h", "text/plain; charset=utf-8" },
        { "json", "application/json" },
        { "xml", "application/xml" },
        { "pdf", "application/pdf" },
        { "wasm", "application/wasm" },
        { "svg", "image/svg+xml" },
        { "png", "image/png" },
        { "jpg", "image/jpeg" },
        { "jpeg", "image/jpeg" },
        { "gif", "image/gif" },
        { "webp", "image/webp" },
        { "ico", "image/x-icon" },
    };
    const char *slash = strrchr(path, '/');
    const char *dot = strrchr(slash != NULL ? slash + 1 : path, '.');
    for (size_t i = 0; dot != NULL && i < ARRAY_SIZE(types); i++) {
        if (strcasecmp(dot + 1, types[i].suffix) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}
