/* fuzz: the lines that a server and the lab exchange, and the answer that all agree on.
 *
 * A line that is read says what it seems to say: digits and nothing else where a number
 * stands, no sign, no blank. The answer is right or wrong however it is cut. */
#include "common/fuzzing/fuzz.h"

#include <stdio.h>

#include "lesson08_compare/workload.h"

/* Behind `word`, which *at begins with; false: it does not. */
static bool skip_word(const char **at, const char *word)
{
    size_t n = strlen(word);
    bool is = strncmp(*at, word, n) == 0;
    *at += is ? n : 0;
    return is;
}

static bool skip_number(const char **at)
{
    size_t n = strspn(*at, "0123456789");
    *at += n;
    return n > 0;
}

static bool is_stats(const char *at)
{
    return skip_word(&at, "stats: requests=") && skip_number(&at) &&
           skip_word(&at, " syscalls=") && skip_number(&at) &&
           skip_word(&at, " cpu_us=") && skip_number(&at) && (!*at || *at == '\n');
}

static void try_stats(const char *line)
{
    struct served served = { 1, 2, 3 };
    char again[128];
    if (!workload_parse_stats(line, &served)) {
        CHECK(served.requests == 1 && served.syscalls == 2 && served.cpu_us == 3,
              "half of a line was taken");
        return;
    }
    CHECK(is_stats(line), "taken for statistics: %s", line);
    snprintf(again, sizeof again, "stats: requests=%llu syscalls=%llu cpu_us=%llu\n",
             (unsigned long long)served.requests, (unsigned long long)served.syscalls,
             (unsigned long long)served.cpu_us);
    struct served other;
    CHECK(workload_parse_stats(again, &other) && other.requests == served.requests &&
              other.syscalls == served.syscalls && other.cpu_us == served.cpu_us,
          "%s became %s", line, again);
}

static void try_listening(const char *line)
{
    int port = workload_parse_listening(line);
    CHECK(port != 0 && port <= 65535, "port %d", port);
    if (port < 0)
        return;
    size_t length = strcspn(line, "\r\n");
    size_t words = strlen("listening on ");
    length = words + strcspn(line + words, " \r\n");
    const char *at = line + length;
    while (at > line && at[-1] >= '0' && at[-1] <= '9')
        at--;
    CHECK(at > line && at[-1] == ':' && at < line + length, "no digits in %s", line);
    CHECK(strtoull(at, NULL, 10) == (unsigned)port, "%s says %d", line, port);
}

static void try_number(const char *text)
{
    uint64_t number = 5;
    bool taken = workload_parse_number(text, 1, 1000, &number);
    CHECK(taken ? number >= 1 && number <= 1000 && !text[strspn(text, "0123456789")]
                : number == 5,
          "%s is %llu", text, (unsigned long long)number);
}

static bool only_the_date_differs(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bytes[i] != WORKLOAD_RESPONSE[i] &&
            (i < WORKLOAD_DATE_AT || i >= WORKLOAD_DATE_AT + WORKLOAD_DATE_SIZE))
            return false;
    return true;
}

static void try_answer(const char *bytes, size_t size)
{
    bool right = size <= WORKLOAD_RESPONSE_SIZE && only_the_date_differs(bytes, size);
    size_t cut = fuzz_choose(bytes, size, size, 0);
    char *front = fuzz_copy(bytes, cut), *back = fuzz_copy(bytes + cut, size - cut);
    CHECK(workload_response_matches(0, bytes, size) == right, "right: %d", right);
    bool first = workload_response_matches(0, front, cut);
    bool second = cut <= WORKLOAD_RESPONSE_SIZE &&
                  workload_response_matches(cut, back, size - cut);
    CHECK((first && second) == right, "right: %d, cut at %zu: %d and %d", right, cut,
          first, second);
    free(front);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum workload_proto proto = WORKLOAD_ECHO;
    char *text = fuzz_text(data, size), *bytes = fuzz_copy(data, size);
    try_stats(text);
    try_listening(text);
    try_number(text);
    try_answer(bytes, size);
    CHECK(!workload_proto_parse(text, &proto) ||
              strcmp(text, proto == WORKLOAD_ECHO ? "echo" : "http") == 0,
          "%s is %d", text, (int)proto);
    free(bytes);
    free(text);
    return 0;
}
