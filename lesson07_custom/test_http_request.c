/* What the request parser makes of whole requests: one row of a table for each thing
 * that RFC 9110 and RFC 9112 ask for. How the bytes arrive is test_http_splits.c's
 * subject.
 *
 * Each input lies in a heap block of exactly its size, so that valgrind and ASan see a
 * look beyond it. */
#include "common/testing/testing.h"

#include "lesson07_custom/http_request.h"

#define GET "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define END "\r\n"

static char *exact(const char *bytes, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    return copy;
}

static bool same(struct http_slice slice, const char *text)
{
    return slice.size == strlen(text) && memcmp(slice.at, text, slice.size) == 0;
}

static void the_table_of_sets_is_the_grammar_of_the_rfcs(void **state)
{
    (void)state;
    static const char alnum[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789";
    for (int c = 0; c < 256; c++) {
        bool known = c != 0 && strchr(alnum, c) != NULL;
        unsigned set = 0;
        if (known || (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL))
            set |= HTTP_TOKEN;
        if (c == '\t' || (c >= ' ' && c != 0x7f))
            set |= HTTP_VALUE;
        if (c > ' ' && c < 0x7f && c != '#')
            set |= HTTP_TARGET;
        if (known || (c != 0 && strchr("-._~!$&'()*+,;=%", c) != NULL))
            set |= HTTP_HOST;
        if (known || (c != 0 && strchr("-._~/", c) != NULL))
            set |= HTTP_PLAIN;
        if (c > ' ' && c < 0x7f && c != '#' && c != '?')
            set |= HTTP_PATH;
        if (http_sets[c] != set)
            fail_msg("byte %02x: %u, not %u", (unsigned)c, http_sets[c], set);
    }
}

/* Eight bytes at a step, and the rest: each byte at each place, between bytes from which
 * a borrow or a carry could come. */
static void a_value_is_checked_as_the_table_says(void **state)
{
    (void)state;
    static const char beside[] = { ' ', '\t', '~', '\x80', '\xff' };
    char text[19];
    for (size_t i = 0; i < sizeof beside; i++) {
        for (size_t at = 0; at < sizeof text; at++) {
            for (int c = 0; c < 256; c++) {
                memset(text, beside[i], sizeof text);
                text[at] = (char)c;
                bool expected = http_all(text, sizeof text, HTTP_VALUE);
                assert_int_equal(http_all_value(text, sizeof text), expected);
            }
        }
    }
    assert_true(http_all_value(text, 0));
}

static bool is_word(const char *text, const char *lower)
{
    char *copy = exact(text, strlen(text));
    bool is = http_is((struct http_slice){ copy, strlen(text) }, lower);
    free(copy);
    return is;
}

static size_t trimmed_size(const char *text)
{
    char *copy = exact(text, strlen(text));
    size_t size = http_trim((struct http_slice){ copy, strlen(text) }).size;
    free(copy);
    return size;
}

static void words_are_compared_and_trimmed_within_their_bounds(void **state)
{
    (void)state;
    assert_true(is_word("aZ-9", "az-9"));
    assert_true(is_word("Az-9", "az-9"));
    assert_true(is_word("", ""));
    assert_false(is_word("az", "az-9"));
    assert_false(is_word("az-9", "az"));
    assert_false(is_word("", "a"));
    assert_false(is_word("@", "`")); /* beside the letters case means nothing */
    assert_false(is_word("[", "{"));
    assert_int_equal(trimmed_size(""), 0);
    assert_int_equal(trimmed_size(" \t "), 0);
    assert_int_equal(trimmed_size(" a b\t"), 3);
    char *empty = exact("", 0);
    assert_true(http_authority_valid((struct http_slice){ empty + 1, 0 }));
    free(empty);
    static const char digits[] = "0123456789abcdefABCDEF";
    for (int c = 0; c < 256; c++) {
        const char *found = c != 0 ? strchr(digits, c) : NULL;
        int value = found == NULL ? -1 : (int)(found - digits);
        assert_int_equal(http_hex((char)c), value > 15 ? value - 6 : value);
    }
}

struct good {
    const char *input;
    const char *path, *query, *host;
    enum http_method method;
    unsigned minor;
    bool keep_alive;
    int refusal;
};

static const struct good goods[] = {
    { GET END, "/", "", "a", HTTP_METHOD_GET, 1, true, 0 },
    { "HEAD /x/y.txt HTTP/1.1\r\nhOST:b:90\r\n" END, "/x/y.txt", "", "b:90",
      HTTP_METHOD_HEAD, 1, true, 0 },
    { "GET /p?q=1?2/3 HTTP/1.1\r\nHost: \t[::10]:8080 \t\r\n" END, "/p", "q=1?2/3",
      "[::10]:8080", HTTP_METHOD_GET, 1, true, 0 },
    { "GET /[]{|} HTTP/1.1\r\nHost: [::]\r\n" END, "/[]{|}", "", "[::]",
      HTTP_METHOD_GET, 1, true, 0 },
    { GET "Expect: , 100-continue\r\n" END, "/", "", "a", HTTP_METHOD_GET, 1, true, 0 },
    { "GET /? HTTP/1.1\r\nHost:\r\n" END, "/", "", "", HTTP_METHOD_GET, 1, true, 0 },
    { "\r\n\r\n" GET END, "/", "", "a", HTTP_METHOD_GET, 1, true, 0 },
    /* absolute form wins over Host (RFC 9112 3.2.2) */
    { "GET http://x.org:81/y?z HTTP/1.1\r\nHost: a\r\n" END, "/y", "z", "x.org:81",
      HTTP_METHOD_GET, 1, true, 0 },
    { "GET HTTP://x HTTP/1.1\r\nHost: a\r\n" END, "/", "", "x", HTTP_METHOD_GET, 1,
      true, 0 },
    { "GET http://x?q HTTP/1.0\r\n" END, "/", "q", "x", HTTP_METHOD_GET, 0, false, 0 },
    { "OPTIONS * HTTP/1.1\r\nHost: a\r\n" END, "*", "", "a", HTTP_METHOD_OTHER, 1, true,
      405 },
    { "CONNECT b:443 HTTP/1.1\r\nHost: b\r\n" END, "b:443", "", "b", HTTP_METHOD_OTHER,
      1, true, 405 },
    /* versions and persistence (RFC 9112 9.3) */
    { "GET / HTTP/1.0\r\n" END, "/", "", "", HTTP_METHOD_GET, 0, false, 0 },
    { "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END, "/", "", "", HTTP_METHOD_GET,
      0, true, 0 },
    { "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n" END, "/", "", "",
      HTTP_METHOD_GET, 0, false, 0 },
    { "GET / HTTP/1.9\r\nHost: a\r\n" END, "/", "", "a", HTTP_METHOD_GET, 1, true, 0 },
    { GET "Connection: CLOSE\r\n" END, "/", "", "a", HTTP_METHOD_GET, 1, false, 0 },
    { GET "Connection: x, , close ,y\r\n" END, "/", "", "a", HTTP_METHOD_GET, 1, false,
      0 },
    { GET "Connection: closed\r\n" END, "/", "", "a", HTTP_METHOD_GET, 1, true, 0 },
    { GET "Connection: x\r\nConnection: close\r\n" END, "/", "", "a", HTTP_METHOD_GET,
      1, false, 0 },
    /* well framed, but not served */
    { POST END, "/", "", "a", HTTP_METHOD_OTHER, 1, true, 405 },
    { "PATCH / HTTP/1.1\r\nHost: a\r\n" END, "/", "", "a", HTTP_METHOD_OTHER, 1, true,
      405 },
    { "BREW / HTTP/1.1\r\nHost: a\r\n" END, "/", "", "a", HTTP_METHOD_UNKNOWN, 1, true,
      501 },
    { "get / HTTP/1.1\r\nHost: a\r\n" END, "/", "", "a", HTTP_METHOD_UNKNOWN, 1, true,
      501 },
    { GET "Expect: tea\r\n" END, "/", "", "a", HTTP_METHOD_GET, 1, true, 417 },
    /* fields of no interest: any value of visible characters, blanks, obs-text */
    { GET "X:\r\nY: \x80\xff\t z\r\nHosts: q\r\n" END, "/", "", "a", HTTP_METHOD_GET, 1,
      true, 0 },
};

static enum http_form form_of(const struct good *good)
{
    if (good->path[0] != '/')
        return HTTP_FORM_OTHER;
    return strstr(good->input, "//x") != NULL ? HTTP_FORM_ABSOLUTE : HTTP_FORM_ORIGIN;
}

static void a_good_request_is_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(goods); i++) {
        const struct good *good = &goods[i];
        size_t size = strlen(good->input);
        char *data = exact(good->input, size);
        struct http_request r;
        http_request_init(&r, &http_default_limits);
        if (http_request_parse(&r, data, size) != HTTP_COMPLETE)
            fail_msg("%s: %s", good->input, r.error.why ? r.error.why : "incomplete");
        if (r.head_size != size || !same(r.path, good->path) ||
            !same(r.query, good->query) || !same(r.host, good->host) ||
            r.form != form_of(good) || r.method != good->method ||
            r.minor != good->minor || r.keep_alive != good->keep_alive ||
            r.refusal != good->refusal || !http_body_done(&r.body))
            fail_msg("%s: path %.*s query %.*s host %.*s method %d refusal %d",
                     good->input, (int)r.path.size, r.path.at, (int)r.query.size,
                     r.query.at, (int)r.host.size, r.host.at, (int)r.method, r.refusal);
        free(data);
    }
}

struct wrong {
    const char *input;
    int status;
    const char *why; /* part of the sentence */
};

static const struct wrong wrongs[] = {
    /* request line */
    { " GET / HTTP/1.1\r\n", 400, "method" },
    { "GET\r\n", 400, "method" },
    { "G\x01T / HTTP/1.1\r\n", 400, "method" },
    { "\rGET / HTTP/1.1\r\n", 400, "method" },
    { "GET /\r\n", 400, "few parts" },
    { "GET  HTTP/1.1\r\n", 400, "few parts" },
    { "GET / HTTP/1.1 \r\n", 400, "version" },
    { "GET / http/1.1\r\n", 400, "version" },
    { "GET / HTTP/1.10\r\n", 400, "version" },
    { "GET / HTTP/a.1\r\n", 400, "version" },
    { "GET /a/b/c/d HTTP/1\r\n", 400, "version" },
    { "GET / HTTP/2.0\r\n", 505, "HTTP/1.1" },
    { "GET / HTTP/0.9\r\n", 505, "HTTP/1.1" },
    { "PRI * HTTP/2.0\r\n", 505, "HTTP/1.1" },
    { "GET / x HTTP/1.1\r\n", 400, "percent" },
    { "GET  / HTTP/1.1\r\n", 400, "percent" },
    { "GET /\tx HTTP/1.1\r\n", 400, "percent" },
    { "GET /#x HTTP/1.1\r\n", 400, "percent" },
    { "GET /\xc3\xa4 HTTP/1.1\r\n", 400, "percent" },
    { "GET x HTTP/1.1\r\n", 400, "neither" },
    { "GET * HTTP/1.1\r\n", 400, "neither" },
    { "GET a:80 HTTP/1.1\r\n", 400, "neither" },
    { "OPTIONX * HTTP/1.1\r\n", 400, "neither" },
    { "CONNECX a:80 HTTP/1.1\r\n", 400, "neither" },
    { "GET http:// HTTP/1.1\r\n", 400, "host" },
    { "GET https://a/ HTTP/1.1\r\n", 400, "neither" },
    { "CONNECT a/b HTTP/1.1\r\n", 400, "neither" },
    { "GET http:///x HTTP/1.1\r\n", 400, "host" },
    { "GET http://:80/ HTTP/1.1\r\n", 400, "host" },
    { "GET http://me@a/ HTTP/1.1\r\n", 400, "host" },
    /* line ends */
    { "GET / HTTP/1.1\nHost: a\r\n", 400, "CR LF" },
    { "\n", 400, "CR LF" },
    { GET "\n", 400, "CR LF" },
    { GET "X: y\n", 400, "CR LF" },
    { GET "X: y\rz\r\n", 400, "control" },
    { GET "X: y\r\r\n", 400, "control" },
    /* field lines */
    { GET " X: y\r\n", 400, "continues" },
    { GET "X: y\r\n\tz\r\n", 400, "continues" },
    { "GET / HTTP/1.1\r\n Host: a\r\n", 400, "continues" },
    { GET "X\r\n", 400, "colon" },
    { GET ": y\r\n", 400, "name" },
    { GET "X : y\r\n", 400, "name" },
    { GET "X(: y\r\n", 400, "name" },
    { GET "X: \x01\r\n", 400, "control" },
    { GET "X: \x7f\r\n", 400, "control" },
    { GET "Connection: close;x\r\n", 400, "token" },
    /* Host */
    { "GET / HTTP/1.1\r\n\r\n", 400, "needs a Host" },
    { GET "Host: a\r\n", 400, "more than one Host" },
    { "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n", 400, "more than one Host" },
    { "GET / HTTP/1.1\r\nHost: a b\r\n", 400, "not a host" },
    { "GET / HTTP/1.1\r\nHost: a/b\r\n", 400, "not a host" },
    { "GET / HTTP/1.1\r\nHost: me@a\r\n", 400, "not a host" },
    { "GET / HTTP/1.1\r\nHost: a:8x\r\n", 400, "not a host" },
    { "GET / HTTP/1.1\r\nHost: a:1:2\r\n", 400, "not a host" },
    { "GET / HTTP/1.1\r\nHost: [::1\r\n", 400, "not a host" },
    { "GET / HTTP/1.1\r\nHost: []\r\n", 400, "not a host" },
    { "GET / HTTP/1.1\r\nHost: [::1]x\r\n", 400, "not a host" },
    { "GET / HTTP/1.1\r\nHost: [::g]\r\n", 400, "not a host" },
    /* framing */
    { POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "both" },
    { POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", 400, "both" },
    { POST "Content-Length: 5\r\nContent-Length: 6\r\n", 400, "more than one" },
    { POST "Content-Length: 5\r\ncontent-length: 5\r\n", 400, "more than one" },
    { POST "Content-Length: 5, 5\r\n", 400, "not a number" },
    { POST "Content-Length:\r\n", 400, "not a number" },
    { POST "Content-Length: +5\r\n", 400, "not a number" },
    { POST "Content-Length: -5\r\n", 400, "not a number" },
    { POST "Content-Length: 0x5\r\n", 400, "not a number" },
    { POST "Content-Length: 5 5\r\n", 400, "not a number" },
    { POST "Content-Length: 1048577\r\n\r\n", 413, "limit" },
    /* 2^64 + 5: a parser that wraps would see 5 */
    { POST "Content-Length: 18446744073709551621\r\n\r\n", 413, "limit" },
    { POST "Content-Length: 99999999999999999999999999\r\n\r\n", 413, "limit" },
    { POST "Transfer-Encoding: gzip\r\n\r\n", 400, "last" },
    { POST "Transfer-Encoding: identity\r\n\r\n", 400, "last" },
    { POST "Transfer-Encoding:\r\n\r\n", 400, "last" },
    { POST "Transfer-Encoding: chunked;q=1\r\n\r\n", 400, "last" },
    { POST "Transfer-Encoding: xchunked\r\n\r\n", 400, "last" },
    { POST "Transfer-Encoding: \x0b"
           "chunked\r\n\r\n",
      400, "control" },
    { POST "Transfer-Encoding: chunked, gzip\r\n", 400, "last" },
    { POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", 400, "last" },
    { POST "Transfer-Encoding: chunked, chunked\r\n", 400, "last" },
    { POST "Transfer-Encoding: chunked,\r\n", 400, "last" },
    { POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, "only transfer coding" },
    { POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: Chunked\r\n\r\n", 501,
      "only transfer coding" },
    { "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "HTTP/1.0" },
};

static void a_wrong_request_is_refused_and_says_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
        const struct wrong *wrong = &wrongs[i];
        size_t size = strlen(wrong->input);
        char *data = exact(wrong->input, size);
        struct http_request r;
        http_request_init(&r, &http_default_limits);
        enum http_verdict verdict = http_request_parse(&r, data, size);
        if (verdict != HTTP_ERROR || r.error.status != wrong->status ||
            strstr(r.error.why, wrong->why) == NULL)
            fail_msg("%s: verdict %d, status %d, %s", wrong->input, (int)verdict,
                     r.error.status, r.error.why != NULL ? r.error.why : "-");
        assert_int_equal(http_request_connection(&r), HTTP_CLOSES);
        free(data);
    }
}

static void a_nul_byte_is_refused_everywhere(void **state)
{
    (void)state;
    static const char whole[] = GET "Name: value\r\n" END;
    for (size_t i = 0; i < sizeof whole - 1; i++) {
        char *data = exact(whole, sizeof whole - 1);
        struct http_request r;
        data[i] = '\0';
        http_request_init(&r, &http_default_limits);
        enum http_verdict verdict = http_request_parse(&r, data, sizeof whole - 1);
        /* a NUL instead of the last LF is an empty line that has not ended yet */
        assert_int_equal(verdict, i < sizeof whole - 2 ? HTTP_ERROR : HTTP_NEED_MORE);
        free(data);
    }
}

static int status_of(const struct http_limits *limits, const char *text)
{
    struct http_request r;
    size_t size = strlen(text);
    char *data = exact(text, size);
    http_request_init(&r, limits);
    enum http_verdict verdict = http_request_parse(&r, data, size);
    int status = verdict == HTTP_COMPLETE ? 200 : r.error.status;
    free(data);
    return status; /* 0: more is needed */
}

static void each_limit_has_its_status(void **state)
{
    (void)state;
    const struct http_limits limits = {
        .line = 20, .head = 50, .fields = 2, .body = 9
    };
    assert_int_equal(status_of(&limits, "GET /3456 HTTP/1.1\r\n"), 0);
    assert_int_equal(status_of(&limits, "GET /34567 HTTP/1.1\r\n"), 414);
    assert_int_equal(status_of(&limits, "GET /345678901234567"), 414);
    assert_int_equal(status_of(&limits, "GET /34567890123456"), 0);
    assert_int_equal(status_of(&limits, "GETTTTTTTTTTTTTTTTTT"), 400);
    /* a skipped empty line does not count as part of the request line */
    assert_int_equal(status_of(&limits, "\r\nGET /3456 HTTP/1.1\r\n"), 0);
    /* a head of 50 bytes fits, one of 51 does not, nor 50 bytes without an end */
    assert_int_equal(status_of(&limits, GET "X: 345678901234567890\r\n\r\n"), 200);
    assert_int_equal(status_of(&limits, GET "X: 3456789012345678901\r\n\r\n"), 431);
    assert_int_equal(status_of(&limits, GET "X: 3456789012345678901234"), 431);
    assert_int_equal(status_of(&limits, GET "X: 345678901234567890123"), 0);
    assert_int_equal(status_of(&limits, GET "X: y\r\n\r\n"), 200);
    assert_int_equal(status_of(&limits, GET "X: y\r\nY: z\r\n"), 431);
    const struct http_limits wide = { .line = 99, .head = 99, .fields = 9, .body = 9 };
    assert_int_equal(status_of(&wide, POST "Content-Length: 9\r\n\r\n"), 200);
    assert_int_equal(status_of(&wide, POST "Content-Length: 10\r\n\r\n"), 413);
}

static void expect_100_continue_needs_http_1_1_and_a_body(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        bool expects;
    } cases[] = {
        { POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\n", true },
        { POST "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n", true },
        { POST "Expect: 100-continue\r\n\r\n", false },
        { POST "Content-Length: 1\r\n\r\n", false },
        { "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
          false },
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct http_request r;
        http_request_init(&r, &http_default_limits);
        assert_int_equal(http_request_parse(&r, cases[i].input, strlen(cases[i].input)),
                         HTTP_COMPLETE);
        assert_int_equal(r.expects_continue, cases[i].expects);
    }
}

static void the_answer_speaks_about_the_connection_as_the_version_needs(void **state)
{
    (void)state;
    struct http_request r;
    http_request_init(&r, &http_default_limits);
    assert_int_equal(http_request_connection(&r), HTTP_CLOSES);
    assert_int_equal(http_request_parse(&r, GET END, strlen(GET END)), HTTP_COMPLETE);
    assert_int_equal(http_request_connection(&r), HTTP_PERSISTS);
    static const char old[] = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    http_request_init(&r, &http_default_limits);
    assert_int_equal(http_request_parse(&r, old, sizeof old - 1), HTTP_COMPLETE);
    assert_int_equal(http_request_connection(&r), HTTP_KEEPS_ALIVE);
}

/* Whatever the request before was, and however far it came. */
static void the_next_request_remembers_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(goods) + ARRAY_SIZE(wrongs); i++) {
        size_t n = ARRAY_SIZE(goods);
        const char *input = i < n ? goods[i].input : wrongs[i - n].input;
        struct http_request r;
        memset(&r, 0xa5, sizeof r);
        http_request_init(&r, &http_default_limits);
        http_request_parse(&r, input, strlen(input));
        http_request_next(&r);
        assert_int_equal(http_request_connection(&r), HTTP_CLOSES);
        assert_int_equal(http_request_parse(&r, GET END, strlen(GET END)),
                         HTTP_COMPLETE);
        assert_true(same(r.path, "/") && same(r.query, "") && same(r.host, "a"));
        assert_int_equal(r.method, HTTP_METHOD_GET);
        assert_int_equal(r.form, HTTP_FORM_ORIGIN);
        assert_int_equal(r.refusal, 0);
        assert_true(r.keep_alive && !r.expects_continue && r.minor == 1);
        assert_true(http_body_done(&r.body));
        assert_int_equal(r.head_size, strlen(GET END));
    }
}

static void parse_past_the_verdict(void *argument)
{
    struct http_request *r = argument;
    http_request_init(r, &http_default_limits);
    http_request_parse(r, GET END, strlen(GET END));
    http_request_parse(r, GET END, strlen(GET END));
}

static void lose_bytes(void *argument)
{
    struct http_request *r = argument;
    http_request_init(r, &http_default_limits);
    http_request_parse(r, GET, strlen(GET));
    http_request_parse(r, GET, 3);
}

static void set_no_limits(void *argument)
{
    http_request_init(argument, &(struct http_limits){ .body = UINT64_MAX });
}

static void set_a_huge_head(void *argument)
{
    http_request_init(argument, &(struct http_limits){ .head = SIZE_MAX });
}

static void misuse_is_a_bug(void **state)
{
    (void)state;
    struct http_request r;
    assert_dies(parse_past_the_verdict, &r, "init before the next");
    assert_dies(set_no_limits, &r, "a body must have a limit");
    assert_dies(set_a_huge_head, &r, "is too long");
    assert_dies(lose_bytes, &r, "bytes that were parsed are gone");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_of_sets_is_the_grammar_of_the_rfcs),
        cmocka_unit_test(a_value_is_checked_as_the_table_says),
        cmocka_unit_test(words_are_compared_and_trimmed_within_their_bounds),
        cmocka_unit_test(a_good_request_is_understood),
        cmocka_unit_test(a_wrong_request_is_refused_and_says_why),
        cmocka_unit_test(a_nul_byte_is_refused_everywhere),
        cmocka_unit_test(each_limit_has_its_status),
        cmocka_unit_test(expect_100_continue_needs_http_1_1_and_a_body),
        cmocka_unit_test(the_answer_speaks_about_the_connection_as_the_version_needs),
        cmocka_unit_test(the_next_request_remembers_nothing),
        cmocka_unit_test(misuse_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
