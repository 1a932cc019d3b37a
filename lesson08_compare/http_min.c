/* http_min: find the empty line, look at the head, append the answer.
 *
 * Problem: a TCP stream knows no requests; one receive may bring half of one or five of
 * them. Idea: work on the receive buffer itself as long as requests end inside it, and
 * copy only the tail that is left over. Invariant: `held` never contains a complete
 * request, and never more than HTTP_MIN_HEAD bytes between two calls - which bounds
 * both the memory of a slow sender and the time spent scanning the same bytes again. */
#include "lesson08_compare/http_min.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/thread_local.h"

/* The good answer with the current date, made once a second for each thread. */
struct hello {
    time_t second;
    char text[WORKLOAD_RESPONSE_SIZE + 1];
};
static TLS_DEFINE(struct hello, hello);

static void refresh_hello(void)
{
    struct timespec now; /* the coarse clock is read without a system call */
    struct tm utc;
    char date[64];
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (TLS(hello).second == now.tv_sec && TLS(hello).text[0])
        return;
    TLS(hello) = (struct hello){ now.tv_sec, WORKLOAD_RESPONSE };
    if (gmtime_r(&now.tv_sec, &utc) &&
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc) ==
            WORKLOAD_DATE_SIZE)
        memcpy(TLS(hello).text + WORKLOAD_DATE_AT, date, WORKLOAD_DATE_SIZE);
}

#define ANSWER(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n\r\n"
#define ANSWER_AND_CLOSE(status)                                                       \
    "HTTP/1.1 " status "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

struct answer {
    const char *text; /* borrows: a literal, or the thread's hello */
    size_t length;
    bool close;
};

#define AS_ANSWER(literal, then_close)                                                 \
    (struct answer)                                                                    \
    {                                                                                  \
        literal, sizeof(literal) - 1, then_close                                       \
    }

static struct answer bad_request(void)
{
    return AS_ANSWER(ANSWER_AND_CLOSE("400 Bad Request"), true);
}

void http_min_finish(struct http_min *http)
{
    if (!http)
        return;
    free(http->held);
    *http = (struct http_min){ 0 };
}

/* The value of the header line if its name is `name`, else NULL. Inline, so that length
 * and first letter are known where it is called: they rule out most lines. */
static inline const char *header_value(const char *line, size_t length,
                                       const char *name)
{
    size_t n = strlen(name);
    if (length <= n || line[n] != ':' || (line[0] | 0x20) != (name[0] | 0x20) ||
        strncasecmp(line, name, n) != 0)
        return NULL;
    line += n + 1;
    while (*line == ' ' || *line == '\t')
        line++; /* ends at the line's \r at the latest */
    return line;
}

/* What the header lines, from `line` to the empty line at `end`, mean for the answer.
 */
static struct answer look_at_headers(const char *line, const char *end,
                                     struct answer answer, bool needs_host)
{
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)((stop ? stop : end) - line);
        const char *value;
        if (*line == ' ' || *line == '\t' || *line == ':' || !memchr(line, ':', length))
            return bad_request();
        if (header_value(line, length, "Host"))
            needs_host = false;
        else if ((value = header_value(line, length, "Connection"))) {
            if (strncasecmp(value, "close", 5) == 0)
                answer.close = true;
            else if (strncasecmp(value, "keep-alive", 10) == 0)
                answer.close = false;
        } else if (header_value(line, length, "Transfer-Encoding") ||
                   ((value = header_value(line, length, "Content-Length")) &&
                    (value[0] != '0' || value[1] != '\r')))
            return AS_ANSWER(ANSWER_AND_CLOSE("413 Content Too Large"), true);
        line += length + 1;
    }
    return needs_host ? bad_request() : answer;
}

/* One whole head, from `head` to its last "\r\n\r\n" at `end`. */
static struct answer answer_to(const char *head, const char *end)
{
    const char *line_end = memchr(head, '\r', (size_t)(end - head) + 1);
    const char *target = memchr(head, ' ', (size_t)(line_end - head));
    if (!target || target == head || line_end[1] != '\n')
        return bad_request();
    target++;
    const char *version = memchr(target, ' ', (size_t)(line_end - target));
    if (!version || line_end - version != 9 || memcmp(version, " HTTP/1.", 8) != 0)
        return bad_request();
    bool is_1_0 = version[8] == '0';
    size_t target_len = (size_t)(version - target);
    struct answer answer = AS_ANSWER(ANSWER("404 Not Found"), false);
    if (target - head != 4 || memcmp(head, "GET", 3) != 0)
        answer = AS_ANSWER("HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n"
                           "Content-Length: 0\r\n\r\n",
                           false);
    else if (target_len == sizeof WORKLOAD_PATH - 1 &&
             memcmp(target, WORKLOAD_PATH, target_len) == 0)
        answer = (struct answer){ TLS(hello).text, WORKLOAD_RESPONSE_SIZE, false };
    answer.close = is_1_0;
    /* A head without header lines ends where its request line does. */
    const char *headers = line_end == end ? end : line_end + 2;
    return look_at_headers(headers, end, answer, !is_1_0);
}

/* Where the head's empty line is. Not memmem: for a head of two lines its preparation
 * costs more than three calls of memchr. */
static const char *head_end(const char *at, const char *limit)
{
    while ((at = memchr(at, '\r', (size_t)(limit - at))) && limit - at >= 4) {
        if (memcmp(at, "\r\n\r\n", 4) == 0)
            return at;
        at++;
    }
    return NULL;
}

static size_t append(struct http_min *http, char *out, struct answer answer)
{
    memcpy(out, answer.text, answer.length);
    http->closing = http->closing || answer.close;
    return answer.length;
}

/* Answers every whole request in `in`; *used is where the first incomplete one starts.
 */
static size_t answer_all(struct http_min *http, const char *in, size_t n, size_t *used,
                         char *out, uint64_t *requests)
{
    size_t wrote = 0;
    const char *at = in, *limit = in + n;
    while (!http->closing) {
        const char *end = head_end(at, limit);
        size_t head = (size_t)((end ? end : limit) - at);
        if (head > HTTP_MIN_HEAD) {
            static const char too_large[] =
                ANSWER_AND_CLOSE("431 Request Header Fields Too Large");
            wrote += append(http, out + wrote, AS_ANSWER(too_large, true));
            break;
        }
        if (!end)
            break;
        wrote += append(http, out + wrote, answer_to(at, end));
        ++*requests;
        at = end + 4;
    }
    *used = (size_t)(at - in);
    return wrote;
}

static int hold(struct http_min *http, const char *in, size_t n)
{
    if (!http->held && !(http->held = malloc(HTTP_MIN_HEAD + HTTP_MIN_CHUNK)))
        return -ENOMEM;
    memcpy(http->held + http->held_len, in, n);
    http->held_len += n;
    return 0;
}

ssize_t http_min_feed(struct http_min *http, const char *in, size_t n, char *out,
                      uint64_t *requests)
{
    size_t used;
    if (http->closing)
        return 0;
    refresh_hello();
    if (http->held_len == 0) {
        size_t wrote = answer_all(http, in, n, &used, out, requests);
        if (!http->closing && used < n && hold(http, in + used, n - used) < 0)
            return -ENOMEM;
        return (ssize_t)wrote;
    }
    int err = hold(http, in, n);
    if (err < 0)
        return err;
    size_t wrote = answer_all(http, http->held, http->held_len, &used, out, requests);
    http->held_len -= used;
    memmove(http->held, http->held + used, http->held_len);
    if (http->held_len == 0) {
        free(http->held);
        http->held = NULL;
    }
    return (ssize_t)wrote;
}
