/* What the pure parts of httpd cost: nanoseconds a call, the best of several rounds (the
 * machine can only make a round slower, never faster). No I/O is measured. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/clock.h"
#include "common/container.h"
#include "lesson07_custom/http_request.h"
#include "lesson07_custom/http_response.h"
#include "lesson07_custom/http_target.h"

#define ROUNDS 7
#define CALLS 200000

static const char tiny[] = "GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n";
static const char browser[] =
    "GET /docs/index.html HTTP/1.1\r\n"
    "Host: localhost:8080\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101\r\n"
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    "Accept-Language: en-US,en;q=0.5\r\n"
    "Accept-Encoding: gzip, deflate, br, zstd\r\n"
    "Connection: keep-alive\r\n"
    "Upgrade-Insecure-Requests: 1\r\n\r\n";

static size_t sink; /* keeps the compiler from dropping what nobody looks at */

static void parse(const char *data, size_t size)
{
    struct http_request request;
    http_request_init(&request, &http_default_limits);
    enum http_verdict verdict = http_request_parse(&request, data, size);
    CHECK(verdict == HTTP_COMPLETE && request.head_size == size,
          "the benchmark's request was not understood");
    sink += request.path.size;
}

static void parse_tiny(void)
{
    parse(tiny, sizeof tiny - 1);
}

static void parse_browser(void)
{
    parse(browser, sizeof browser - 1);
}

static void parse_byte_by_byte(void)
{
    struct http_request request;
    http_request_init(&request, &http_default_limits);
    for (size_t size = 1; size < sizeof tiny; size++)
        sink += http_request_parse(&request, tiny, size) == HTTP_COMPLETE;
}

static void decode_target(void)
{
    static const char raw[] = "/docs/img/../a%20b.html";
    char path[256];
    bool folder;
    sink += (size_t)http_target_path((struct http_slice){ raw, sizeof raw - 1 }, path,
                                     sizeof path, &folder);
}

static char response[HTTP_RESPONSE_ROOM];

static void write_head(void)
{
    struct http_response head = { .status = 200,
                                  .content_length = 12345,
                                  .content_type = "text/html; charset=utf-8" };
    sink += (size_t)http_response_head(&head, response, sizeof response);
}

static struct http_canned hello;

static void copy_canned(void)
{
    sink += (size_t)http_canned_copy(&hello, false, response, sizeof response);
}

static double best_ns(void (*body)(void))
{
    uint64_t best = CLOCK_NEVER;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t start = clock_now();
        for (int call = 0; call < CALLS; call++)
            body();
        uint64_t spent = clock_now() - start;
        best = spent < best ? spent : best;
    }
    return (double)best / CALLS;
}

int main(void)
{
    static const struct {
        const char *name;
        void (*body)(void);
        size_t bytes;
    } cases[] = {
        { "parse a tiny GET", parse_tiny, sizeof tiny - 1 },
        { "parse a browser's GET", parse_browser, sizeof browser - 1 },
        { "parse the tiny GET byte by byte", parse_byte_by_byte, sizeof tiny - 1 },
        { "decode a target", decode_target, 23 },
        { "write a response head", write_head, 0 },
        { "copy the canned /hello", copy_canned, 0 },
    };
    const struct http_response ok = { .status = 200, .content_type = "text/plain" };
    CHECK(http_canned_init(&hello, &ok, "Hello, world", 12) == 0,
          "the canned response has room");
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        printf("%-34s %8.1f ns", cases[i].name, best_ns(cases[i].body));
        if (cases[i].bytes > 0)
            printf("  (%zu bytes)", cases[i].bytes);
        printf("\n");
    }
    return sink > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
