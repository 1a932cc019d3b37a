/* The baselines' HTTP: the right answer, wherever the stream is cut. */
#include "common/testing/testing.h"

#include "common/testing/faults.h"
#include "lesson08_compare/http_min.h"

#define GOOD WORKLOAD_REQUEST

static char out[HTTP_MIN_ROOM(HTTP_MIN_CHUNK) * 4];
static size_t out_len;
static struct http_min http;
static uint64_t answers;

static int fresh(void **state)
{
    (void)state;
    http_min_finish(&http);
    out_len = 0;
    answers = 0;
    return 0;
}

static int finish(void **state)
{
    (void)state;
    http_min_finish(&http);
    return 0;
}

/* The date may change in the middle of a test. */
static void hide_dates(char *text)
{
    while ((text = strstr(text, "\r\nDate: "))) {
        text += 8;
        memcpy(text, WORKLOAD_DATE, WORKLOAD_DATE_SIZE);
    }
}

static void feed(const char *bytes, size_t n)
{
    size_t room = http_min_room(&http, n);
    ssize_t wrote = http_min_feed(&http, bytes, n, out + out_len, &answers);
    assert_true(wrote >= 0);
    assert_true((size_t)wrote <= room);
    assert_true(room <= HTTP_MIN_ROOM(n));
    out_len += (size_t)wrote;
    out[out_len] = '\0';
    hide_dates(out);
}

static void answers_to(const char *request, const char *start, bool closes)
{
    fresh(NULL);
    feed(request, strlen(request));
    if (strncmp(out, start, strlen(start)) != 0)
        fail_msg("%s was answered with %s", request, out);
    if (http.closing != closes)
        fail_msg("%s: closing is %d", request, http.closing);
}

static void the_good_request_gets_the_good_answer(void **state)
{
    (void)state;
    feed(GOOD, sizeof GOOD - 1);
    assert_string_equal(out, WORKLOAD_RESPONSE);
    assert_int_equal(answers, 1);
    assert_false(http.closing);
}

static void wherever_the_stream_is_cut_the_answers_are_the_same(void **state)
{
    (void)state;
    static const char stream[] = GOOD "GET /x HTTP/1.1\r\nHost: h\r\n\r\n" GOOD;
    static char whole[1024];
    feed(stream, sizeof stream - 1);
    memcpy(whole, out, out_len + 1);
    assert_int_equal(answers, 3);
    for (size_t first = 0; first < sizeof stream; first++)
        for (size_t second = first; second < sizeof stream; second += 7) {
            fresh(NULL);
            feed(stream, first);
            feed(stream + first, second - first);
            feed(stream + second, sizeof stream - 1 - second);
            assert_string_equal(out, whole);
            assert_true(http.held_len == 0);
        }
}

static void wherever_a_bad_stream_is_cut_the_refusal_is_the_same(void **state)
{
    (void)state;
    static const char *const streams[] = {
        GOOD "GET /hello HTTP/1.1\r\n\r\n",
        GOOD "X  HTTP/1.1\r\nHost:\r\n\r\n\n",
        GOOD "GET /hello HTTP/1.1\r\nno colon\r\nContent-Length: 5\r\n\r\nhello",
        GOOD "GET /hello HTTP/1.1\r\nContent-Length: 5\r\nno colon\r\n\r\nhello",
        GOOD "GET /hello HTTP/1.1\r\nHost: h\n\r\n" GOOD,
        GOOD "GET /hello HTTP/1.0\r\n\r\n" GOOD,
    };
    static char whole[1024];
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        size_t n = strlen(streams[i]);
        fresh(NULL);
        feed(streams[i], n);
        memcpy(whole, out, out_len + 1);
        assert_true(http.closing);
        for (size_t cut = 0; cut < n; cut++) {
            fresh(NULL);
            feed(streams[i], cut);
            feed(streams[i] + cut, n - cut);
            assert_string_equal(out, whole);
        }
    }
}

static void other_requests_get_their_error(void **state)
{
    (void)state;
    answers_to("GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404", false);
    answers_to("GET /hello2 HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404", false);
    answers_to("POST /hello HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 405", false);
    answers_to("GET /hello HTTP/1.1\r\n\r\n", "HTTP/1.1 400", true);
    answers_to("GET /hello HTTP/1.1\r\nHost : h\r\n\r\n", "HTTP/1.1 400", true);
    answers_to("GET /hello HTTP/1.1\r\nnonsense\r\n\r\n", "HTTP/1.1 400", true);
    answers_to("GET /hello HTTP/2.0\r\n\r\n", "HTTP/1.1 400", true);
    answers_to("GET\r\n\r\n", "HTTP/1.1 400", true);
    answers_to("\r\n\r\n", "HTTP/1.1 400", true);
    answers_to(" \r\n\r\n", "HTTP/1.1 400", true);
    answers_to("GET /hello HTTP/1.1\rX\r\nHost: h\r\n\r\n", "HTTP/1.1 400", true);
    answers_to("GET /hello HTTP/1.1\nHost: h\r\n\r\n", "HTTP/1.1 400", true);
    answers_to("GET /hello HTTP/1.1\r\nHost: h\n\r\n", "HTTP/1.1 400", true);
    answers_to("GET /hello HTTP/1.1\r\nHost: h\r\n\n", "HTTP/1.1 400", true);
    answers_to("GET /hello HTTP/1.1\r\nHost: h\r\n folded: h\r\n\r\n", "HTTP/1.1 400",
               true);
    answers_to("GET /hello HTTP/1.1\r\nHost: h\r\n\rX: h\r\n\r\n", "HTTP/1.1 400",
               true);
    answers_to("GET /hello HTTP/1.1\r\nHost: h\r\n: h\r\n\r\n", "HTTP/1.1 400", true);
    answers_to("GET /hello HTTP/1.1\r\nHos: h\r\nHostess: h\r\n\r\n", "HTTP/1.1 400",
               true);
    answers_to("GE\rT /hello HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 400", true);
    answers_to("GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
               "HTTP/1.1 413", true);
    answers_to("GET /hello HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
               "HTTP/1.1 413", true);
    answers_to("GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
               "HTTP/1.1 200", false);
    answers_to("GET /hello HTTP/1.1\r\nHost: h\r\nContent-Length: 00 \r\n\r\n",
               "HTTP/1.1 200", false);
}

static void connection_headers_decide_who_stays(void **state)
{
    (void)state;
    answers_to("GET /hello HTTP/1.0\r\n\r\n", "HTTP/1.1 200", true);
    answers_to("GET /hello HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "HTTP/1.1 200",
               false);
    answers_to("GET /hello HTTP/1.1\r\nHost:\r\nConnection: x, close\r\n\r\n",
               "HTTP/1.1 200", true);
    answers_to("GET /hello HTTP/1.1\r\nHost:\r\nConnection: close, keep-alive\r\n\r\n",
               "HTTP/1.1 200", true);
    answers_to("GET /hello HTTP/1.1\r\nHost:\r\nConnection: closed\r\n\r\n",
               "HTTP/1.1 200", false);
    answers_to("GET /hello HTTP/1.1\r\nhOsT: h\r\nconnection:close\r\n\r\n",
               "HTTP/1.1 200", true);
    feed(GOOD, sizeof GOOD - 1);
    assert_string_equal(out, WORKLOAD_RESPONSE); /* nothing after the close */
}

static void after_a_refusal_nothing_is_held(void **state)
{
    (void)state;
    feed("GET /hello", 10);
    assert_non_null(http.held);
    feed(" HTTP/1.1\nmore", 14);
    assert_true(http.closing);
    assert_null(http.held);
    assert_int_equal(http_min_room(&http, 1), HTTP_MIN_ANSWERS(1));
}

static void an_endless_head_is_refused_however_it_comes(void **state)
{
    (void)state;
    static char endless[HTTP_MIN_HEAD];
    memset(endless, 'a', sizeof endless);
    feed(endless, sizeof endless);
    assert_true(http.closing);
    assert_true(strstr(out, "HTTP/1.1 431") == out);
    fresh(NULL);
    for (size_t i = 0; i < sizeof endless; i++) {
        assert_false(http.closing);
        feed(endless + i, 1);
    }
    assert_true(http.closing);
    assert_true(strstr(out, "HTTP/1.1 431") == out);
}

static void a_head_of_the_largest_size_is_served_and_one_byte_more_is_not(void **state)
{
    (void)state;
    static const char start[] = "GET /hello HTTP/1.1\r\nHost: h\r\nX: ";
    static char head[HTTP_MIN_HEAD + 1];
    for (size_t size = HTTP_MIN_HEAD; size <= HTTP_MIN_HEAD + 1; size++) {
        memset(head, 'x', size);
        memcpy(head, start, sizeof start - 1);
        memcpy(head + size - 4, "\r\n\r\n", 4);
        for (size_t cut = 0; cut < size; cut++) {
            fresh(NULL);
            feed(head, cut);
            feed(head + cut, size - cut);
            assert_int_equal(answers, 1);
            assert_true(http.closing == (size > HTTP_MIN_HEAD));
            assert_true(strstr(out, http.closing ? "HTTP/1.1 431" : "HTTP/1.1 200") ==
                        out);
        }
    }
}

static void a_full_chunk_of_requests_after_half_of_one_fits(void **state)
{
    (void)state;
    static char many[HTTP_MIN_CHUNK + 1];
    static const char shortest[] = "GET /hello HTTP/1.1\r\nHost:\r\n\r\n";
    size_t n = 0;
    while (n + sizeof shortest <= sizeof many) {
        memcpy(many + n, shortest, sizeof shortest);
        n += sizeof shortest - 1;
    }
    feed(GOOD, sizeof GOOD - 2);
    feed("\n", 1);
    feed(many, n);
    assert_int_equal(out_len, answers * WORKLOAD_RESPONSE_SIZE);
}

static void what_follows_the_last_answer_needs_no_memory(void **state)
{
    (void)state;
    static const char stream[] = "GET /hello HTTP/2.0\r\n\r\n" GOOD;
    fault_arm("malloc", 1, ENOMEM);
    ssize_t wrote = http_min_feed(&http, stream, sizeof stream - 1, out, &answers);
    fault_disarm();
    assert_true(wrote > 0);
    assert_true(http.closing);
    assert_null(http.held);
}

static void no_memory_is_an_error(void **state)
{
    (void)state;
    fault_arm("malloc", 1, ENOMEM);
    ssize_t wrote = http_min_feed(&http, "GET", 3, out, &answers);
    fault_disarm();
    assert_int_equal(wrote, -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_good_request_gets_the_good_answer, fresh),
        cmocka_unit_test_setup(wherever_the_stream_is_cut_the_answers_are_the_same,
                               fresh),
        cmocka_unit_test_setup(wherever_a_bad_stream_is_cut_the_refusal_is_the_same,
                               fresh),
        cmocka_unit_test_setup(other_requests_get_their_error, fresh),
        cmocka_unit_test_setup(connection_headers_decide_who_stays, fresh),
        cmocka_unit_test_setup(after_a_refusal_nothing_is_held, fresh),
        cmocka_unit_test_setup(an_endless_head_is_refused_however_it_comes, fresh),
        cmocka_unit_test_setup(
            a_head_of_the_largest_size_is_served_and_one_byte_more_is_not, fresh),
        cmocka_unit_test_setup(a_full_chunk_of_requests_after_half_of_one_fits, fresh),
        cmocka_unit_test_setup(what_follows_the_last_answer_needs_no_memory, fresh),
        cmocka_unit_test_setup(no_memory_is_an_error, fresh),
    };
    return cmocka_run_group_tests_name("http_min", tests, NULL, finish);
}
