/* The bytes of responses, to the byte; and that no buffer is ever overrun. */
#include "common/testing/testing.h"

#include "lesson07_custom/http_response.h"

#define HELLO                                                                          \
    "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Type: text/plain\r\n"            \
    "\r\nHello, world"
#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"

static const struct http_response hello = { .status = 200,
                                            .content_type = "text/plain" };

static void must_be(const char *out, int size, const char *text)
{
    if (size != (int)strlen(text) || memcmp(out, text, strlen(text)) != 0)
        fail_msg("%d bytes:\n%.*s\nnot:\n%s", size, size > 0 ? size : 0, out, text);
}

static void hello_is_these_bytes(void **state)
{
    (void)state;
    char out[HTTP_RESPONSE_ROOM];
    must_be(out, http_response_whole(hello, "Hello, world", 12, out, sizeof out),
            HELLO);
}

static void head_gets_the_same_head_and_no_body(void **state)
{
    (void)state;
    char out[HTTP_RESPONSE_ROOM];
    struct http_response head = hello;
    head.head_only = true;
    must_be(
        out, http_response_whole(head, "Hello, world", 12, out, sizeof out),
        "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Type: text/plain\r\n\r\n");
    must_be(out, http_response_error(head, 404, NULL, out, sizeof out),
            "HTTP/1.1 404 Not Found\r\nContent-Length: 14\r\n"
            "Content-Type: text/plain\r\n\r\n");
}

static void lines_come_in_a_fixed_order(void **state)
{
    (void)state;
    char out[HTTP_RESPONSE_ROOM];
    const struct http_response all = { .status = 301,
                                       .connection = HTTP_CLOSES,
                                       .content_length = UINT64_MAX,
                                       .content_type = "a/b",
                                       .date = DATE,
                                       .location = "/x/",
                                       .allow = true };
    must_be(out, http_response_head(&all, out, sizeof out),
            "HTTP/1.1 301 Moved Permanently\r\nContent-Length: 18446744073709551615\r\n"
            "Content-Type: a/b\r\nDate: " DATE "\r\nLocation: /x/\r\n"
            "Allow: GET, HEAD\r\nConnection: close\r\n\r\n");
    const struct http_response bare = { .status = 200, .connection = HTTP_KEEPS_ALIVE };
    must_be(out, http_response_head(&bare, out, sizeof out),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
}

static void errors_have_a_short_text(void **state)
{
    (void)state;
    char out[HTTP_RESPONSE_ROOM];
    const struct http_response closes = { .connection = HTTP_CLOSES };
    const struct http_response plain = { 0 };
    must_be(out, http_response_error(closes, 400, "HTTP/1.1 needs a Host", out, 512),
            "HTTP/1.1 400 Bad Request\r\nContent-Length: 39\r\n"
            "Content-Type: text/plain\r\nConnection: close\r\n\r\n"
            "400 Bad Request: HTTP/1.1 needs a Host\n");
    must_be(out, http_response_error(plain, 405, NULL, out, sizeof out),
            "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 23\r\n"
            "Content-Type: text/plain\r\nAllow: GET, HEAD\r\n\r\n"
            "405 Method Not Allowed\n");
}

static void each_status_has_its_reason(void **state)
{
    (void)state;
    static const int statuses[] = { 200, 301, 400, 403, 404, 405, 408, 413,
                                    414, 417, 431, 500, 501, 503, 505 };
    char out[HTTP_RESPONSE_ROOM];
    char why[100];
    memset(why, 'w', sizeof why - 1);
    why[sizeof why - 1] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        assert_string_not_equal(http_reason(statuses[i]), "Unknown");
        const struct http_response fullest = { .connection = HTTP_KEEPS_ALIVE,
                                               .date = DATE };
        int size = http_response_error(fullest, statuses[i], why, out, sizeof out);
        assert_in_range(size, 100, sizeof out);
    }
    assert_string_equal(http_reason(299), "Unknown");
}

static void a_small_buffer_is_reported_and_not_overrun(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= strlen(HELLO); capacity++) {
        char *out = malloc(capacity > 0 ? capacity : 1);
        assert_non_null(out);
        int size = http_response_whole(hello, "Hello, world", 12, out, capacity);
        if (capacity < strlen(HELLO))
            assert_int_equal(size, -ENOBUFS);
        else
            must_be(out, size, HELLO);
        free(out);
    }
}

static void a_head_fits_exactly_or_is_refused(void **state)
{
    (void)state;
    char full[HTTP_RESPONSE_ROOM];
    const struct http_response all = { .status = 404,
                                       .connection = HTTP_CLOSES,
                                       .content_type = "a/b",
                                       .date = DATE,
                                       .location = "/x/",
                                       .allow = true };
    int wanted = http_response_head(&all, full, sizeof full);
    assert_true(wanted > 0);
    for (int capacity = 0; capacity <= wanted; capacity++) {
        char *out = malloc(capacity > 0 ? (size_t)capacity : 1);
        assert_non_null(out);
        int size = http_response_head(&all, out, (size_t)capacity);
        assert_int_equal(size, capacity < wanted ? -ENOBUFS : wanted);
        free(out);
    }
}

static void date_is_written_as_the_rfc_says(void **state)
{
    (void)state;
    static const struct {
        time_t at;
        const char *text;
    } cases[] = {
        { 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
        { 784111777, DATE }, /* the example of RFC 9110 section 5.6.7 */
        { 951827696, "Tue, 29 Feb 2000 12:34:56 GMT" },
        { 4102444799, "Thu, 31 Dec 2099 23:59:59 GMT" },
    };
    struct http_date date = { 0 };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_string_equal(http_date_at(&date, cases[i].at), cases[i].text);
        assert_int_equal(strlen(date.text), HTTP_DATE_SIZE);
    }
    date.text[0] = '!'; /* the same second: nothing is made again */
    assert_int_equal(http_date_at(&date, 4102444799)[0], '!');
    assert_int_equal(http_date_at(&date, 4102444798)[0], 'T');
}

static void a_canned_response_is_a_copy(void **state)
{
    (void)state;
    struct http_canned canned;
    char out[HTTP_RESPONSE_ROOM];
    struct http_response head = hello;
    head.head_only = true; /* that is the copy's affair */
    assert_int_equal(http_canned_init(&canned, &head, "Hello, world", 12), 0);
    must_be(out, http_canned_copy(&canned, false, out, sizeof out), HELLO);
    must_be(
        out, http_canned_copy(&canned, true, out, sizeof out),
        "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Type: text/plain\r\n\r\n");
    http_canned_stamp(&canned, DATE); /* it has no date: nothing to renew */
    must_be(out, http_canned_copy(&canned, false, out, sizeof out), HELLO);
    size_t size = strlen(HELLO);
    assert_int_equal(http_canned_copy(&canned, false, out, size - 1), -ENOBUFS);
    assert_int_equal(http_canned_copy(&canned, false, out, size), (int)size);
    char body[HTTP_RESPONSE_ROOM] = { 0 };
    assert_int_equal(http_canned_init(&canned, &hello, body, sizeof body), -ENOBUFS);
}

static void a_canned_date_is_renewed_in_place(void **state)
{
    (void)state;
    struct http_canned canned;
    struct http_date date = { 0 };
    char out[HTTP_RESPONSE_ROOM];
    struct http_response dated = hello;
    dated.date = http_date_at(&date, 0);
    assert_int_equal(http_canned_init(&canned, &dated, "Hello, world", 12), 0);
    http_canned_stamp(&canned, http_date_at(&date, 784111777));
    must_be(out, http_canned_copy(&canned, false, out, sizeof out),
            "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nContent-Type: text/plain\r\n"
            "Date: " DATE "\r\n\r\nHello, world");
}

static void the_suffix_decides_the_content_type(void **state)
{
    (void)state;
    assert_string_equal(http_content_type("index.html"), "text/html; charset=utf-8");
    assert_string_equal(http_content_type("a.b/X.PNG"), "image/png");
    assert_string_equal(http_content_type("a.tar.json"), "application/json");
    assert_string_equal(http_content_type("a.html/b"), "application/octet-stream");
    assert_string_equal(http_content_type("a."), "application/octet-stream");
    assert_string_equal(http_content_type(""), "application/octet-stream");
    assert_string_equal(http_content_type("html"), "application/octet-stream");
}

static void inject(void *argument)
{
    struct http_response response = { .status = 301, .location = "/\r\nSet-Cookie: x" };
    http_response_head(&response, argument, HTTP_RESPONSE_ROOM);
}

static void no_status(void *argument)
{
    http_response_head(&(struct http_response){ 0 }, argument, HTTP_RESPONSE_ROOM);
}

static void what_would_split_a_response_is_a_bug(void **state)
{
    (void)state;
    char out[HTTP_RESPONSE_ROOM];
    assert_dies(inject, out, "a Location holds a control character");
    assert_dies(no_status, out, "0 is no final status code");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_is_these_bytes),
        cmocka_unit_test(head_gets_the_same_head_and_no_body),
        cmocka_unit_test(lines_come_in_a_fixed_order),
        cmocka_unit_test(errors_have_a_short_text),
        cmocka_unit_test(each_status_has_its_reason),
        cmocka_unit_test(a_small_buffer_is_reported_and_not_overrun),
        cmocka_unit_test(a_head_fits_exactly_or_is_refused),
        cmocka_unit_test(date_is_written_as_the_rfc_says),
        cmocka_unit_test(a_canned_response_is_a_copy),
        cmocka_unit_test(a_canned_date_is_renewed_in_place),
        cmocka_unit_test(the_suffix_decides_the_content_type),
        cmocka_unit_test(what_would_split_a_response_is_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
