/* http_min: read a head line by line, append the answer when the empty line is there.
 *
 * Problem: a TCP stream knows no requests; one receive may bring half of one or five of
 * them. Idea: work on the receive buffer itself as long as requests end inside it, and
 * copy only the tail that is left over. A head is read once, from its first byte on:
 * looking for its end first and for its lines afterwards would search the same bytes
 * twice. The line that nearly every request starts with is compared as a whole; only
 * another one is taken apart. Invariant: `held` never contains a complete request, and
 * always less than HTTP_MIN_HEAD bytes between two calls - which bounds both the memory
 * of a slow sender and the time spent reading the same bytes again. */
#include "lesson08_compare/http_min.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/check.h"
#include "common/thread_local.h"

/* The good answer with the current date, made once a second for each thread. */
struct hello {
    time_t second;
    char text[WORKLOAD_RESPONSE_SIZE + 1];
};
static TLS_DEFINE(struct hello, hello);

static COLD void make_hello(time_t second)
{
    struct tm utc;
    char date[64];
    TLS(hello) = (struct hello){ second, WORKLOAD_RESPONSE };
    if (gmtime_r(&second, &utc) &&
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc) ==
            WORKLOAD_DATE_SIZE)
        memcpy(TLS(hello).text + WORKLOAD_DATE_AT, date, WORKLOAD_DATE_SIZE);
}

static inline const char *hello_now(void)
{
    struct timespec now; /* the coarse clock is read without a system call */
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (UNLIKELY(TLS(hello).second != now.tv_sec || !TLS(hello).text[0]))
        make_hello(now.tv_sec);
    return TLS(hello).text;
}

/* What is known so far of a request whose head is being read. */
struct head {
    const char *answer; /* borrows: a literal, or the thread's hello */
    size_t length;      /* of the answer, bytes */
    bool needs_host;    /* HTTP/1.1, and there was none yet */
    bool close;         /* the connection ends with this answer */
    bool told_to;       /* by a "close", which outweighs a "keep-alive" */
    bool wrong;         /* it does, since nobody knows where the next request starts */
};

#define ANSWER(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\n\r\n"
#define ANSWER_AND_CLOSE(status)                                                       \
    "HTTP/1.1 " status "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

#define SET_ANSWER(head, literal)                                                      \
    ((head)->answer = (literal), (head)->length = sizeof(literal) - 1)
#define REFUSE(head, status)                                                           \
    (SET_ANSWER(head, ANSWER_AND_CLOSE(status)), (head)->close = (head)->wrong = true)
#define BAD_REQUEST "400 Bad Request"

void http_min_finish(struct http_min *http)
{
    if (!http)
        return;
    free(http->held);
    *http = (struct http_min){ 0 };
}

/* ---- the request line */

#define GOOD_LINE "GET " WORKLOAD_PATH " HTTP/1.1\r\n"

static void answer_hello(struct head *head)
{
    head->answer = hello_now();
    head->length = WORKLOAD_RESPONSE_SIZE;
}

/* Method, target and version, from `line` to the line's last byte at `end`. */
static COLD void take_request_line(const char *line, const char *end, struct head *head)
{
    const char *line_end = memchr(line, '\r', (size_t)(end - line));
    const char *target = line_end ? memchr(line, ' ', (size_t)(line_end - line)) : NULL;
    if (!target || target++ == line || line_end + 1 != end) {
        REFUSE(head, BAD_REQUEST);
        return;
    }
    const char *version = memchr(target, ' ', (size_t)(line_end - target));
    if (!version || line_end - version != 9 || memcmp(version, " HTTP/1.", 8) != 0) {
        REFUSE(head, BAD_REQUEST);
        return;
    }
    size_t target_len = (size_t)(version - target);
    head->close = version[8] == '0';
    head->needs_host = !head->close;
    if (target - line != 4 || memcmp(line, "GET", 3) != 0)
        SET_ANSWER(head, "HTTP/1.1 405 Method Not Allowed\r\nAllow: GET\r\n"
                         "Content-Length: 0\r\n\r\n");
    else if (target_len == sizeof WORKLOAD_PATH - 1 &&
             memcmp(target, WORKLOAD_PATH, target_len) == 0)
        answer_hello(head);
    else
        SET_ANSWER(head, ANSWER("404 Not Found"));
}

/* Moves *at behind the line; false: it is not complete. */
static inline bool read_request_line(const char **at, const char *limit,
                                     struct head *head)
{
    size_t good = sizeof GOOD_LINE - 1;
    if ((size_t)(limit - *at) >= good && memcmp(*at, GOOD_LINE, good) == 0) {
        *head = (struct head){ .needs_host = true };
        answer_hello(head);
        *at += good;
        return true;
    }
    const char *end = memchr(*at, '\n', (size_t)(limit - *at));
    if (!end)
        return false;
    *head = (struct head){ 0 };
    take_request_line(*at, end, head);
    *at = end + 1;
    return true;
}

/* ---- the header lines */

/* "Host:" in any case: a letter differs from its other case in one bit. */
static inline bool is_host(const char *line, size_t length)
{
    char lower[4];
    if (length < sizeof lower + 1)
        return false;
    for (size_t i = 0; i < sizeof lower; i++)
        lower[i] = (char)(line[i] | 0x20);
    return memcmp(lower, "host", sizeof lower) == 0 && line[sizeof lower] == ':';
}

/* The first byte that is none of the set's. The bytes are no string: what ends them is the
 * line's \r, which is in no set. */
static inline const char *skip(const char *at, const char *set)
{
    while (*at && strchr(set, *at))
        at++;
    return at;
}

/* The value of the header line if its name is `name`, else NULL. */
static inline const char *header_value(const char *line, size_t length,
                                       const char *name)
{
    size_t n = strlen(name);
    if (length <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
        return NULL;
    return skip(line + n + 1, " \t");
}

/* A list of options, up to the line's \r or an odd 0; "close" wins over "keep-alive". */
static COLD void take_connection(const char *value, struct head *head)
{
    while (*value != '\r' && *value != '\0') {
        const char *word = value;
        while (!strchr(" \t,\r", *value)) /* finds a 0, too */
            value++;
        if (value - word == 5 && strncasecmp(word, "close", 5) == 0)
            head->told_to = head->close = true;
        else if (value - word == 10 && strncasecmp(word, "keep-alive", 10) == 0)
            head->close = head->told_to;
        value = skip(value, " \t,");
    }
}

static bool is_zero(const char *value)
{
    return *value == '0' && *skip(skip(value, "0"), " \t") == '\r';
}

static COLD void take_header(const char *line, size_t length, struct head *head)
{
    const char *value;
    if (!memchr(line, ':', length)) {
        REFUSE(head, BAD_REQUEST);
    } else if ((value = header_value(line, length, "Connection"))) {
        take_connection(value, head);
    } else if (header_value(line, length, "Transfer-Encoding") ||
               ((value = header_value(line, length, "Content-Length")) &&
                !is_zero(value))) {
        REFUSE(head, "413 Content Too Large");
    }
}

/* Like read_request_line; there was a line before this one. */
static inline bool read_header(const char **at, const char *limit, struct head *head)
{
    const char *line = *at;
    const char *end = memchr(line, '\n', (size_t)(limit - line));
    if (!end)
        return false;
    if (end[-1] != '\r' || (unsigned char)*line <= ' ' || *line == ':')
        REFUSE(head, BAD_REQUEST);
    else if (is_host(line, (size_t)(end - line)))
        head->needs_host = false;
    else
        take_header(line, (size_t)(end - line), head);
    *at = end + 1;
    return true;
}

/* ---- heads */

static inline bool empty_line(const char *at, const char *limit)
{
    return limit - at >= 2 && memcmp(at, "\r\n", 2) == 0;
}

/* Moves *at behind the head; false: it has no end before `limit`. A wrong one ends
 * where it is seen to be wrong. */
static inline bool read_head(const char **at, const char *limit, struct head *head)
{
    if (!read_request_line(at, limit, head))
        return false;
    while (!head->wrong && !empty_line(*at, limit)) {
        if (!read_header(at, limit, head))
            return false;
    }
    if (head->wrong)
        return true;
    if (head->needs_host)
        REFUSE(head, BAD_REQUEST);
    *at += 2;
    return true;
}

/* Takes a request off the bytes from *at to `limit` and appends its answer; false: there
 * is no whole one. */
static inline bool answer_next(struct http_min *http, const char **at,
                               const char *limit, char **out)
{
    bool full = limit - *at >= HTTP_MIN_HEAD;
    const char *end = *at;
    struct head head;
    if (read_head(&end, full ? *at + HTTP_MIN_HEAD : limit, &head))
        *at = end;
    else if (full)
        REFUSE(&head, "431 Request Header Fields Too Large");
    else
        return false;
    memcpy(*out, head.answer, head.length);
    *out += head.length;
    http->closing = head.close;
    return true;
}

/* ---- the part of a request that is left over */

static int hold(struct http_min *http, const char *in, size_t n)
{
    if (!http->held && !(http->held = malloc(HTTP_MIN_HEAD + HTTP_MIN_CHUNK)))
        return -ENOMEM;
    memmove(http->held + http->held_len, in, n); /* `in` may be in `held` */
    http->held_len += n;
    return 0;
}

/* Makes the n bytes, which may be none, what is held. */
static COLD int hold_only(struct http_min *http, const char *in, size_t n)
{
    http->held_len = 0;
    if (n > 0)
        return hold(http, in, n);
    free(http->held);
    http->held = NULL;
    return 0;
}

ssize_t http_min_feed(struct http_min *http, const char *in, size_t n, char *out,
                      uint64_t *requests)
{
    if (http->closing)
        return 0;
    if (http->held) {
        hold(http, in, n); /* has its memory */
        in = http->held;
        n = http->held_len;
    }
    char *to = out;
    const char *limit = in + n;
    while (in < limit && !http->closing && answer_next(http, &in, limit, &to))
        ++*requests;
    size_t left = http->closing ? 0 : (size_t)(limit - in);
    if (http->held || left > 0) {
        int err = hold_only(http, in, left);
        if (err < 0)
            return err;
    }
    return to - out;
}
