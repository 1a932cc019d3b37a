/* fuzz: any command line is taken, or refused with one sentence about one of its words.
 *
 * The input is the words, one a line. */
#include "common/fuzzing/fuzz.h"

#include <getopt.h>
#include <stdio.h>

#include "lesson07_custom/server_options.h"

#define WORDS 12

static bool takes_ms(struct server *server, const char *name, const char *value)
{
    uint64_t ns = 0;
    (void)server;
    bool is_ms = strlen(name) > 3 && strcmp(name + strlen(name) - 3, "-ms") == 0;
    bool taken = is_ms && server_option_ms(value, &ns);
    CHECK(!taken || (ns >= NS_PER_MS && ns <= 86400 * NS_PER_S), "%s ms", value);
    return taken;
}

/* The lines of the text as words; behind them a NULL. */
static int words_of(char *text, char *words[WORDS + 1])
{
    int count = 0;
    words[count++] = (char *)(uintptr_t) "fuzz";
    while (*text && count < WORDS) {
        words[count++] = text;
        text += strcspn(text, "\n");
        if (*text)
            *text++ = '\0';
    }
    words[count] = NULL;
    return count;
}

static bool is_quoted(const char *quote, const char *word)
{
    size_t n = strlen(word);
    return strncmp(quote, word, n) == 0 && quote[n] == '\'';
}

/* What stands in quotes was given, as a word or behind its '='. An option that was
 * abbreviated is called by its whole name. */
static void must_name_a_word(const char *sentence, char *const words[], int count)
{
    const char *quote = strchr(sentence, '\'');
    CHECK(quote, "a sentence about nothing: %s", sentence);
    quote++;
    for (int i = 1; i < count; i++) {
        const char *value = strchr(words[i], '=');
        if (is_quoted(quote, words[i]) || (value && is_quoted(quote, value + 1)))
            return;
    }
    CHECK(strncmp(quote, "--", 2) == 0, "nobody gave the word in: %s", sentence);
}

static void must_be_taken(const struct server_options *options)
{
    const struct runtime_config *r = &options->runtime;
    CHECK(!runtime_config_problem(r), "%s", runtime_config_problem(r));
    CHECK(options->grace_ns <= 86400 * NS_PER_S, "a grace of days");
    CHECK(r->spin_before_park_ns <= NS_PER_S, "a long spin");
    CHECK(r->ring_entries <= 32768, "a large ring");
    CHECK(net_port(&options->address) <= 65535, "a port");
    CHECK(options->address.any.sa_family == AF_INET ||
              options->address.any.sa_family == AF_INET6,
          "no numeric address");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), *words[WORDS + 1], *said = NULL;
    size_t length = 0;
    int count = words_of(text, words);
    struct server server = { .name = "fuzz", .purpose = "x", .option = takes_ms };
    struct server_options options;
    FILE *out = stdout, *err = stderr;
    stdout = stderr = open_memstream(&said, &length);
    CHECK(stderr, "no memory");
    optind = 0; /* getopt begins anew */
    int status = server_options_parse(&options, &server, count, words);
    fclose(stderr);
    stdout = out;
    stderr = err;
    CHECK(status == -1 || status == 0 || status == 2, "status %d", status);
    CHECK(strlen(said) == length, "a 0 is in what it said");
    CHECK((status == -1) == (length == 0), "status %d, and %zu bytes said", status,
          length);
    if (status == -1)
        must_be_taken(&options);
    if (status == 2) {
        CHECK(strchr(said, '\n') == said + length - 1, "not one line: %s", said);
        CHECK(strncmp(said, "fuzz: ", 6) == 0, "who speaks? %s", said);
        if (strchr(said, '\''))
            must_name_a_word(said, words, count);
    }
    free(said);
    free(text);
    return 0;
}
