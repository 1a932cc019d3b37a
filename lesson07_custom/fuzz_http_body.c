/* fuzz: a chunked body ends at the same byte however it comes, and there only.
 *
 * Three ways to know better than the parser: the same bytes cut differently; a second
 * reader, which sees all of them at once and has no states; and a body that we chunked
 * ourselves, of which we know where it ends. */
#include "common/fuzzing/fuzz.h"

#include <stdio.h>

#include "lesson07_custom/http_body.h"

struct end {
    enum http_verdict verdict;
    int status;
    size_t used;
};

/* `piece` bytes at a time. */
static struct end skip_in_pieces(const char *data, size_t size, size_t piece,
                                 uint64_t limit)
{
    struct http_body body;
    struct end end = { HTTP_NEED_MORE, 0, 0 };
    http_body_chunked(&body, limit);
    for (size_t at = 0, used; at < size && end.verdict == HTTP_NEED_MORE; at += used) {
        size_t n = size - at < piece ? size - at : piece;
        char *bytes = fuzz_copy(data + at, n);
        end.verdict = http_body_skip(&body, bytes, n, &used);
        free(bytes);
        CHECK(used <= n, "%zu of %zu bytes used", used, n);
        CHECK(end.verdict != HTTP_NEED_MORE || used == n, "bytes were left");
        CHECK(http_body_done(&body) == (end.verdict == HTTP_COMPLETE), "done?");
        end.used += used;
        piece = SIZE_MAX; /* one cut */
    }
    CHECK((body.error.status != 0) == (end.verdict == HTTP_ERROR), "an error, or none");
    CHECK(body.error.status == 0 || body.error.why, "an error without a reason");
    end.status = body.error.status;
    return end;
}

static struct end skip_bytewise(const char *data, size_t size, uint64_t limit)
{
    struct http_body body;
    struct end end = { HTTP_NEED_MORE, 0, 0 };
    http_body_chunked(&body, limit);
    while (end.used < size && end.verdict == HTTP_NEED_MORE) {
        size_t used;
        end.verdict = http_body_skip(&body, data + end.used, 1, &used);
        CHECK(used == 1, "a byte that is none of the body's was looked at");
        end.used++;
    }
    end.status = body.error.status;
    return end;
}

static void must_be_same(struct end a, struct end b, const char *how)
{
    CHECK(a.verdict == b.verdict && a.status == b.status && a.used == b.used,
          "%s: verdict %d at %zu (%d), in one piece %d at %zu (%d)", how, b.verdict,
          b.used, b.status, a.verdict, a.used, a.status);
}

/* ---- the second reader: RFC 9112 section 7.1, whole */

struct reader {
    const char *at, *end;
    uint64_t content;
    size_t extras; /* bytes of extensions and trailers */
};

static bool read_line_end(struct reader *r)
{
    bool is = r->end - r->at >= 2 && r->at[0] == '\r' && r->at[1] == '\n';
    r->at += is ? 2 : 0;
    return is;
}

/* [blanks] [";" anything], to the line's end. */
static bool read_extension(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && http_blank(*r->at))
        r->at++;
    if (r->at < r->end && *r->at == ';')
        while (r->at < r->end && http_in(*r->at, HTTP_VALUE))
            r->at++;
    else if (r->at > start)
        return false; /* blanks, and then nothing */
    r->extras += (size_t)(r->at - start);
    return read_line_end(r);
}

static bool read_chunk(struct reader *r, bool *last)
{
    uint64_t size = 0;
    int digits = 0;
    for (; r->at < r->end && http_hex(*r->at) >= 0; r->at++, digits++)
        size = size << 4 | (unsigned)http_hex(*r->at);
    if (digits == 0 || digits > 16 || !read_extension(r))
        return false;
    *last = size == 0;
    if (*last)
        return true;
    if (size > (uint64_t)(r->end - r->at))
        return false;
    r->content += size;
    r->at += size;
    return read_line_end(r);
}

static bool read_trailer(struct reader *r)
{
    const char *start = r->at;
    while (r->at < r->end && http_in(*r->at, HTTP_TOKEN))
        r->at++;
    if (r->at == start || r->at == r->end || *r->at != ':')
        return false;
    for (r->at++; r->at < r->end && http_in(*r->at, HTTP_VALUE);)
        r->at++;
    r->extras += (size_t)(r->at - start) + 1; /* and its CR, as the parser counts */
    return read_line_end(r);
}

/* Where the body ends; 0: it does not, or it is none. */
static size_t second_opinion(const char *data, size_t size, uint64_t limit)
{
    struct reader r = { .at = data, .end = data + size };
    bool last = false;
    while (!last)
        if (!read_chunk(&r, &last))
            return 0;
    while (!read_line_end(&r))
        if (!read_trailer(&r))
            return 0;
    return r.content <= limit && r.extras <= HTTP_BODY_EXTRAS ? (size_t)(r.at - data)
                                                              : 0;
}

/* ---- a body of our own: the input is its content, and says how it is cut */

static void chunk_it(const char *content, size_t size, FILE *out)
{
    size_t at = 0;
    while (at < size) {
        size_t n = 1 + (unsigned char)content[at] % 37;
        n = n < size - at ? n : size - at;
        fprintf(out, n % 2 ? "%zx" : "%zX", n);
        fputs(n % 5 == 0 ? " ;x=\"y\"\r\n" : "\r\n", out);
        fwrite(content + at, 1, n, out);
        fputs("\r\n", out);
        at += n;
    }
    fputs(size % 3 == 0 ? "00\r\nName: value\r\n\r\n" : "0\r\n\r\n", out);
}

static void our_own(const char *content, size_t size)
{
    char *body = NULL;
    size_t whole = 0, ours;
    FILE *out = open_memstream(&body, &whole);
    CHECK(out, "no memory");
    chunk_it(content, size, out);
    fflush(out);
    ours = whole;
    fputs("GET / HTTP/1.1\r\n", out);
    fclose(out);
    struct end end = skip_in_pieces(body, whole, whole, size);
    /* 9 bytes of extension at each fifth size, at most */
    CHECK(end.verdict == HTTP_COMPLETE || end.status == 413, "our own body: %d",
          end.status);
    CHECK(end.verdict != HTTP_COMPLETE || end.used == ours,
          "our own body of %zu bytes ends at %zu", ours, end.used);
    if (size > 0) {
        end = skip_in_pieces(body, whole, whole, size - 1);
        CHECK(end.status == 413, "one byte above the limit: %d", end.status);
    }
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    uint64_t limit = fuzz_choose(data, size, 4, 1) ? 1 << 20 : 8;
    struct end whole = skip_in_pieces(bytes, size, size, limit);
    must_be_same(
        whole, skip_in_pieces(bytes, size, 1 + fuzz_choose(data, size, size, 2), limit),
        "cut in two");
    must_be_same(whole, skip_bytewise(bytes, size, limit), "byte by byte");
    size_t end = second_opinion(bytes, size, limit);
    CHECK((whole.verdict == HTTP_COMPLETE) == (end > 0),
          "verdict %d, but it ends at %zu", (int)whole.verdict, end);
    CHECK(end == 0 || whole.used == end, "ends at %zu, not at %zu", whole.used, end);
    our_own(bytes, size);
    return 0;
}
