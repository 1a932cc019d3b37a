/* fuzz: the baselines' HTTP answers the same however the bytes come, and what lesson 7's
 * parser would serve.
 *
 * http_min knows less than lesson 7's parser, and may refuse what that one takes: a body,
 * a long head, an empty line in front. But where a request for the lab's one page is
 * plainly good, both have to serve it and to agree on who closes: else the lab compares
 * servers that do different work. */
#include "common/fuzzing/fuzz.h"

#include "lesson07_custom/http_request.h"
#include "lesson08_compare/http_min.h"

struct talk {
    struct http_min http;
    uint64_t answers;
    char *said;
    size_t size, room;
};

static void feed(struct talk *talk, const uint8_t *bytes, size_t n)
{
    char *in = fuzz_copy(bytes, n);
    size_t room = http_min_room(&talk->http, n);
    char *out = malloc(room);
    CHECK(out && room <= HTTP_MIN_ROOM(n), "room for %zu", room);
    ssize_t wrote = http_min_feed(&talk->http, in, n, out, &talk->answers);
    CHECK(wrote >= 0 && (size_t)wrote <= room, "%zd bytes", wrote);
    CHECK(talk->http.held_len < HTTP_MIN_HEAD, "%zu bytes are held",
          talk->http.held_len);
    CHECK(!talk->http.held == !talk->http.held_len, "memory for nothing");
    CHECK(!talk->http.held || !talk->http.closing,
          "what is held is not needed any more");
    memcpy(talk->said + talk->size, out, (size_t)wrote);
    talk->size += (size_t)wrote;
    talk->said[talk->size] = '\0';
    free(in);
    free(out);
}

/* The clock may go on in the middle. */
static void hide_dates(char *text)
{
    while ((text = strstr(text, "\r\nDate: "))) {
        text += 8;
        memset(text, '.', WORKLOAD_DATE_SIZE);
    }
}

/* Feeds all, `piece` bytes at a time. */
static struct talk hear(const uint8_t *data, size_t size, size_t piece)
{
    struct talk talk = { .answers = 0 };
    talk.room = 8 * HTTP_MIN_ROOM(size);
    talk.said = malloc(talk.room);
    CHECK(talk.said, "no memory");
    talk.said[0] = '\0';
    for (size_t at = 0; at < size;) {
        size_t n = size - at < piece ? size - at : piece;
        feed(&talk, data + at, n < HTTP_MIN_CHUNK ? n : HTTP_MIN_CHUNK);
        at += n < HTTP_MIN_CHUNK ? n : HTTP_MIN_CHUNK;
    }
    hide_dates(talk.said);
    return talk;
}

static void finish(struct talk *talk)
{
    http_min_finish(&talk->http);
    free(talk->said);
}

static void compare(const struct talk *whole, const uint8_t *data, size_t size,
                    size_t piece)
{
    struct talk cut = hear(data, size, piece);
    CHECK(cut.answers == whole->answers && cut.http.closing == whole->http.closing &&
              strcmp(cut.said, whole->said) == 0,
          "%zu bytes at a time: %s\nwhole: %s", piece, cut.said, whole->said);
    finish(&cut);
}

/* Is the first request one for the page, with nothing special about it? */
static bool plainly_good(const struct http_request *request, const uint8_t *data)
{
    return request->refusal == 0 && request->method == HTTP_METHOD_GET &&
           request->form == HTTP_FORM_ORIGIN && data[0] != '\r' &&
           request->path.size == sizeof WORKLOAD_PATH - 1 &&
           memcmp(request->path.at, WORKLOAD_PATH, request->path.size) == 0 &&
           request->path.at[request->path.size] == ' ' &&
           http_body_done(&request->body) && request->head_size <= HTTP_MIN_HEAD;
}

static void ask_lesson_7(const struct talk *whole, const uint8_t *data, size_t size)
{
    struct http_request request;
    http_request_init(&request, &http_default_limits);
    if (http_request_parse(&request, (const char *)data, size) != HTTP_COMPLETE ||
        !plainly_good(&request, data))
        return;
    CHECK(strncmp(whole->said, "HTTP/1.1 200 ", 13) == 0, "refused: %s", whole->said);
    struct talk one = hear(data, request.head_size, SIZE_MAX);
    CHECK(one.answers == 1, "%zu answers to one request", (size_t)one.answers);
    CHECK(one.http.closing == !request.keep_alive, "closing: %d", one.http.closing);
    finish(&one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct talk whole = hear(data, size, SIZE_MAX);
    compare(&whole, data, size, 1 + fuzz_choose(data, size, size, 0));
    compare(&whole, data, size, 1 + fuzz_choose(data, size, 7, 1));
    ask_lesson_7(&whole, data, size);
    finish(&whole);
    return 0;
}
