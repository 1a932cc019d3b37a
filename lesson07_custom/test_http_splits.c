/* The same bytes, cut differently, mean the same; and no bytes, however wrong, make the
 * parser look where it should not.
 *
 * Each connection is played through (http_play.h) in several ways, and the transcripts are
 * compared. Random input comes from a seeded generator, so a failure can be repeated;
 * fuzz_http_request.c goes on where these inputs end. */
#include "common/testing/testing.h"

#include "lesson07_custom/http_play.h"

static const struct http_limits small_limits = {
    .line = 64, .head = 160, .fields = 6, .body = 40
};

struct random {
    uint64_t word;
};

static uint64_t draw(struct random *random, uint64_t bound)
{
    random->word ^= random->word << 13; /* xorshift64, Marsaglia 2003 */
    random->word ^= random->word >> 7;
    random->word ^= random->word << 17;
    return random->word % bound;
}

static void must_be_same(const struct play *whole, const struct play *cut,
                         const char *input, size_t size, const char *how)
{
    if (strcmp(whole->transcript, cut->transcript) != 0 || whole->start != cut->start)
        fail_msg("%.*s\nwhole: %s\n%s: %s", (int)size, input, whole->transcript, how,
                 cut->transcript);
}

#define GET "GET /a?b HTTP/1.1\r\nHost: c\r\n\r\n"
#define CHUNKED "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

static const char *const inputs[] = {
    GET GET "HEAD / HTTP/1.0\r\n\r\n" GET,
    "\r\n" GET "\r\n\r\n" GET "GET",
    "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" GET,
    "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: "
    "100-continue\r\n\r\nGET /",
    CHUNKED "5\r\nhello\r\n00A;n=\"v\"\r\n0123456789\r\n0\r\n\r\n" GET,
    CHUNKED "1 \t;x\r\na\r\n0;y\r\nName: value\r\nOther:\r\n\r\n" GET,
    CHUNKED "5\r\nhello\n0\r\n\r\n",
    CHUNKED "29\r\n",
    "GET http://h:1/p?q HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n" GET,
    GET
    "GET /0123456789012345678901234567890123456789012345678901234567890 HTTP/1.1\r\n",
    GET
    "GET / HTTP/1.1\r\nX: 0123456789012345678901234567890123456789012345678901234567890"
    "12345678901234567890123456789012345678901234567890123456789012345678901234567890"
    "\r\n\r\n",
    "GET / HTTP/1.1\r\nA:1\r\nB:2\r\nC:3\r\nD:4\r\nE:5\r\nHost:6\r\nG:7\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
    "GET / HTTP/2.0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 41\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01",
    GET "\n" GET,
};

static void every_split_in_two_means_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
        const char *input = inputs[i];
        size_t size = strlen(input);
        struct play whole, cut;
        play_whole(&whole, &small_limits, input, size);
        for (size_t at = 1; at < size; at++) {
            play_begin(&cut, &small_limits);
            play_on(&cut, input, at);
            play_on(&cut, input, size);
            must_be_same(&whole, &cut, input, size, "in two");
        }
    }
}

static void byte_by_byte_means_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
        const char *input = inputs[i];
        size_t size = strlen(input);
        struct play whole, cut;
        play_whole(&whole, &small_limits, input, size);
        play_begin(&cut, &small_limits);
        for (size_t at = 1; at <= size; at++)
            play_on(&cut, input, at);
        must_be_same(&whole, &cut, input, size, "byte by byte");
    }
}

static void transcripts_say_what_the_inputs_are_about(void **state)
{
    (void)state;
    static const struct {
        size_t input;
        const char *text;
    } expected[] = {
        { 0, "1 0 1.1 [/a] [b] [c] 1 0 0 head 30 next at 30\n"
             "1 0 1.1 [/a] [b] [c] 1 0 0 head 30 next at 60\n"
             "2 0 1.0 [/] [] [] 0 0 0 head 19 next at 79\n"
             "1 0 1.1 [/a] [b] [c] 1 0 0 head 30 next at 109\n" },
        { 2, "3 0 1.1 [/x] [] [a] 1 405 0 head 47 next at 52\n"
             "1 0 1.1 [/a] [b] [c] 1 0 0 head 30 next at 82\n" },
        { 6, "3 0 1.1 [/] [] [a] 1 405 0 head 56 body at 65: 400 a line of the chunked "
             "body does not end in CR LF" },
        { 7, "3 0 1.1 [/] [] [a] 1 405 0 head 56 body at 58: 413 the chunks are longer "
             "than the limit" },
    };
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        struct play play;
        const char *input = inputs[expected[i].input];
        play_whole(&play, &small_limits, input, strlen(input));
        assert_string_equal(play.transcript, expected[i].text);
    }
}

static const char *const words[] = {
    "GET ",
    "HEAD ",
    "POST ",
    "/",
    "/index.html",
    "http://h",
    "*",
    "?q",
    " HTTP/1.1",
    " HTTP/1.0",
    " HTTP/3.0",
    "\r\n",
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    "Host: a",
    "Host: ",
    "Connection:",
    "close",
    "keep-alive",
    "Content-Length: ",
    "5",
    "99999999999999999999",
    ",",
    "Transfer-Encoding: chunked",
    "gzip",
    "Expect: 100-continue",
    "hello",
    "0",
    "a;x",
    ":",
    GET,
    CHUNKED,
    CHUNKED "5\r\nhello\r\n",
};

/* Random pieces of requests, so that the generator gets past the first line often. */
static size_t compose(struct random *random, char *out, size_t capacity)
{
    size_t size = 0, count = 1 + draw(random, 24);
    if (draw(random, 3) == 0) {
        size = strlen(GET);
        memcpy(out, GET, size);
    }
    for (size_t i = 0; i < count; i++) {
        char byte[2] = { (char)draw(random, 256), '\0' };
        bool raw = draw(random, 12) == 0;
        const char *piece = raw ? byte : words[draw(random, ARRAY_SIZE(words))];
        size_t length = raw ? 1 : strlen(piece);
        if (size + length > capacity)
            break;
        memcpy(out + size, piece, length);
        size += length;
    }
    return size;
}

static void random_input_cut_at_random_means_the_same(void **state)
{
    (void)state;
    struct random random = { 0x9e3779b97f4a7c15 };
    unsigned complete = 0, wrong = 0;
    for (int round = 0; round < 4000; round++) {
        char input[600];
        size_t size = compose(&random, input, sizeof input), at = 0;
        struct play whole, cut;
        play_whole(&whole, &small_limits, input, size);
        play_begin(&cut, &small_limits);
        while (at < size) {
            at += 1 + draw(&random, draw(&random, 4) == 0 ? size : 8);
            at = at < size ? at : size;
            play_on(&cut, input, at);
        }
        must_be_same(&whole, &cut, input, size, "at random");
        complete += strstr(whole.transcript, "next at") != NULL;
        wrong += whole.over;
    }
    assert_in_range(complete, 200, 3800); /* the generator reaches both */
    assert_in_range(wrong, 200, 3800);
}

static void random_bytes_crash_nothing(void **state)
{
    (void)state;
    struct random random = { 42 };
    for (int round = 0; round < 2000; round++) {
        char input[400];
        struct play play;
        size_t size = draw(&random, sizeof input);
        for (size_t i = 0; i < size; i++)
            input[i] = (char)draw(&random, 256);
        play_whole(&play, &small_limits, input, size);
        assert_true(play.start <= size);
    }
}

/* One flipped byte in a good request: the parser may accept or refuse, in any split. */
static void damaged_requests_mean_the_same_in_pieces(void **state)
{
    (void)state;
    struct random random = { 7 };
    for (int round = 0; round < 2000; round++) {
        const char *good = inputs[draw(&random, ARRAY_SIZE(inputs))];
        size_t size = strlen(good);
        char *input = strdup(good);
        struct play whole, cut;
        assert_non_null(input);
        input[draw(&random, size)] = (char)draw(&random, 256);
        play_whole(&whole, &small_limits, input, size);
        play_begin(&cut, &small_limits);
        play_on(&cut, input, 1 + draw(&random, size));
        play_on(&cut, input, size);
        must_be_same(&whole, &cut, input, size, "damaged");
        free(input);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_in_two_means_the_same),
        cmocka_unit_test(byte_by_byte_means_the_same),
        cmocka_unit_test(transcripts_say_what_the_inputs_are_about),
        cmocka_unit_test(random_input_cut_at_random_means_the_same),
        cmocka_unit_test(random_bytes_crash_nothing),
        cmocka_unit_test(damaged_requests_mean_the_same_in_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
