/* Where bodies end. Each case is fed whole and byte by byte, with the bytes of a next
 * request behind it, which must stay untouched. */
#include "common/testing/testing.h"

#include "lesson07_custom/http_body.h"

#define LIMIT 20

struct row {
    const char *input;
    int rest;   /* bytes left for the next request; -1: incomplete; -2: error */
    int status; /* of the error */
};

static const struct row rows[] = {
    { "0\r\n\r\n", 0, 0 },
    { "0\r\n\r\nGET /", 5, 0 },
    { "5\r\nhello\r\n0\r\n\r\nG", 1, 0 },
    { "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", 0, 0 },
    { "0000000000000005\r\nhello\r\n00\r\n\r\n", 0, 0 },
    { "5;x\r\nhello\r\n0;a=b;c=\"d e\"\r\n\r\n", 0, 0 },
    { "5 \t;x\r\nhello\r\n0\r\n\r\n", 0, 0 },
    { "2\r\n\r\n\r\n0\r\n\r\n", 0, 0 }, /* content that looks like a line end */
    { "0\r\nA: b\r\nC:\r\n\r\nGET", 3, 0 },
    { "", -1, 0 },
    { "5\r\nhello\r\n0\r\n", -1, 0 },
    { "5\r\nhell", -1, 0 },
    { "0\r\nA: b\r\n", -1, 0 },
    { "\r\n", -2, 400 },
    { ";x\r\n", -2, 400 },
    { "-1\r\n", -2, 400 },
    { "+1\r\n", -2, 400 },
    { "0x5\r\n", -2, 400 },
    { " 5\r\n", -2, 400 },
    { "5 \r\n", -2, 400 },
    { "5g\r\n", -2, 400 },
    { "5\n", -2, 400 },
    { "5\rx", -2, 400 },
    { "5;x\n", -2, 400 },
    { "5;\x01\r\n", -2, 400 },
    { "5\r\nhelloX", -2, 400 },
    { "5\r\nhello\n", -2, 400 },
    { "5\r\nhello\rX", -2, 400 },
    { "0\r\n\n", -2, 400 },
    { "0\r\n\rX", -2, 400 },
    { "0\r\n: b\r\n", -2, 400 },
    { "0\r\n b\r\n", -2, 400 },
    { "0\r\nA b\r\n", -2, 400 },
    { "0\r\nA\r\n", -2, 400 },
    { "0\r\nA: b\n", -2, 400 },
    { "0\r\nA: \x7f\r\n", -2, 400 },
    { "00000000000000005\r\n", -2, 400 },
    { "15\r\n", -2, 413 },
    { "a\r\n0123456789\r\nb\r\n", -2, 413 },
    /* 2^64 + 1 would be 1 if the size wrapped */
    { "10000000000000001\r\n", -2, 413 },
    { "ffffffffffffffff\r\n", -2, 413 },
};

static void check_row(const struct row *row, struct http_body *body, size_t step)
{
    size_t size = strlen(row->input), at = 0;
    enum http_verdict verdict = HTTP_NEED_MORE;
    while (verdict == HTTP_NEED_MORE && at < size) {
        size_t piece = size - at < step ? size - at : step, used;
        char *copy = malloc(piece);
        assert_non_null(copy);
        memcpy(copy, row->input + at, piece);
        verdict = http_body_skip(body, copy, piece, &used);
        free(copy);
        if (verdict == HTTP_NEED_MORE)
            assert_int_equal(used, piece);
        at += used;
    }
    enum http_verdict wanted = row->rest >= 0    ? HTTP_COMPLETE
                               : row->rest == -1 ? HTTP_NEED_MORE
                                                 : HTTP_ERROR;
    if (verdict != wanted || body->error.status != row->status ||
        (row->rest >= 0 && size - at != (size_t)row->rest))
        fail_msg("%s: verdict %d, status %d, at %zu", row->input, (int)verdict,
                 body->error.status, at);
    assert_int_equal(http_body_done(body), verdict == HTTP_COMPLETE);
}

static void chunked_bodies_end_where_they_should(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_body body;
        http_body_chunked(&body, LIMIT);
        check_row(&rows[i], &body, SIZE_MAX);
        http_body_chunked(&body, LIMIT);
        check_row(&rows[i], &body, 1);
    }
}

static void counted_bodies_end_where_they_should(void **state)
{
    (void)state;
    static const struct row counted[] = { { "hello", 0, 0 },
                                          { "helloGET", 3, 0 },
                                          { "hell", -1, 0 } };
    for (size_t i = 0; i < ARRAY_SIZE(counted); i++) {
        struct http_body body;
        http_body_counted(&body, 5);
        check_row(&counted[i], &body, SIZE_MAX);
        http_body_counted(&body, 5);
        check_row(&counted[i], &body, 1);
    }
}

static void an_absent_body_is_done_and_takes_nothing(void **state)
{
    (void)state;
    struct http_body body = { 0 };
    size_t used = 99;
    assert_true(http_body_done(&body));
    assert_int_equal(http_body_skip(&body, "GET", 3, &used), HTTP_COMPLETE);
    assert_int_equal(used, 0);
    http_body_counted(&body, 0);
    assert_true(http_body_done(&body));
}

/* Bytes that are no content are limited too: else a client could send for ever. */
static int status_of_extras(const char *before, char filler, size_t count)
{
    struct http_body body;
    size_t used;
    http_body_chunked(&body, LIMIT);
    enum http_verdict verdict = http_body_skip(&body, before, strlen(before), &used);
    for (size_t i = 0; i < count && verdict == HTTP_NEED_MORE; i++)
        verdict = http_body_skip(&body, &filler, 1, &used);
    return verdict == HTTP_ERROR ? body.error.status : 0;
}

static void extensions_and_trailers_are_limited(void **state)
{
    (void)state;
    assert_int_equal(status_of_extras("5;", 'x', HTTP_BODY_EXTRAS - 1), 0);
    assert_int_equal(status_of_extras("5;", 'x', HTTP_BODY_EXTRAS), 413);
    assert_int_equal(status_of_extras("5", ' ', HTTP_BODY_EXTRAS + 1), 413);
    assert_int_equal(status_of_extras("0\r\nA:", 'x', HTTP_BODY_EXTRAS - 2), 0);
    assert_int_equal(status_of_extras("0\r\nA:", 'x', HTTP_BODY_EXTRAS), 431);
    assert_int_equal(status_of_extras("0\r\n", 'x', HTTP_BODY_EXTRAS + 1), 431);
    /* over all chunks together, not for each */
    assert_int_equal(status_of_extras("1;xxx\r\na\r\n1;", 'x', HTTP_BODY_EXTRAS - 5),
                     0);
    assert_int_equal(status_of_extras("1;xxx\r\na\r\n1;", 'x', HTTP_BODY_EXTRAS - 4),
                     413);
}

static void a_limit_of_any_size_does_not_wrap(void **state)
{
    (void)state;
    struct http_body body;
    size_t used;
    http_body_chunked(&body, UINT64_MAX);
    assert_int_equal(http_body_skip(&body, "ffffffffffffffff\r\n", 18, &used),
                     HTTP_ERROR);
    assert_int_equal(body.error.status, 413);
    http_body_chunked(&body, UINT64_MAX);
    assert_int_equal(http_body_skip(&body, "0fffffffffffffff\r\n", 18, &used),
                     HTTP_NEED_MORE);
    assert_true(body.left == UINT64_C(0x0fffffffffffffff));
}

static void go_on_after_an_error(void *argument)
{
    struct http_body *body = argument;
    size_t used;
    http_body_chunked(body, LIMIT);
    http_body_skip(body, "x", 1, &used);
    http_body_skip(body, "0", 1, &used);
}

static void a_failed_body_cannot_go_on(void **state)
{
    (void)state;
    struct http_body body;
    assert_dies(go_on_after_an_error, &body, "a body that failed cannot go on");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunked_bodies_end_where_they_should),
        cmocka_unit_test(counted_bodies_end_where_they_should),
        cmocka_unit_test(an_absent_body_is_done_and_takes_nothing),
        cmocka_unit_test(extensions_and_trailers_are_limited),
        cmocka_unit_test(a_limit_of_any_size_does_not_wrap),
        cmocka_unit_test(a_failed_body_cannot_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
