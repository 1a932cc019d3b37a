/* fuzz: a connection's bytes mean the same, however they are cut and with any limits.
 *
 * http_play.h checks what holds for any request: slices inside the head, a full buffer
 * never waits for more. Here the same bytes are played in one piece, cut in two with a
 * parser that is made anew for each request, and (if they are few, since a block is copied
 * for each) byte by byte. */
#include "common/fuzzing/fuzz.h"

#include "lesson07_custom/http_play.h"

static void must_be_same(const struct play *whole, const struct play *cut,
                         const char *how)
{
    CHECK(whole->start == cut->start && whole->over == cut->over &&
              strcmp(whole->transcript, cut->transcript) == 0,
          "%s at %zu, whole at %zu:\n%s\nbut whole:\n%s", how, cut->start, whole->start,
          cut->transcript, whole->transcript);
}

static void play_all_ways(const char *bytes, size_t size,
                          const struct http_limits *limits)
{
    static struct play whole, cut;
    play_whole(&whole, limits, bytes, size);
    CHECK(whole.start <= size, "%zu bytes of %zu", whole.start, size);
    play_begin(&cut, limits);
    cut.anew = true;
    play_on(&cut, bytes, 1 + fuzz_choose(bytes, size, size, 0));
    play_on(&cut, bytes, size);
    must_be_same(&whole, &cut, "cut in two");
    if (size > 512)
        return;
    play_begin(&cut, limits);
    for (size_t at = 1; at <= size; at++)
        play_on(&cut, bytes, at);
    must_be_same(&whole, &cut, "byte by byte");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *bytes = (const char *)data;
    struct http_limits limits = {
        .line = 16 + fuzz_choose(data, size, 100, 1),
        .head = 16 + fuzz_choose(data, size, 300, 2),
        .fields = (unsigned)fuzz_choose(data, size, 8, 3),
        .body = fuzz_choose(data, size, 40, 4),
    };
    if (size == 0)
        return 0;
    play_all_ways(bytes, size, &limits);
    play_all_ways(bytes, size, &http_default_limits);
    return 0;
}
