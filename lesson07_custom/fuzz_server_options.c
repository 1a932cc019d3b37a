/* fuzz: any command line is taken, or refused with one sentence about one of its words. */
#include "common/fuzzing/words.h"
#include "lesson07_custom/server_options.h"

static bool takes_ms(struct server *server, const char *name, const char *value)
{
    uint64_t ns = 0;
    (void)server;
    bool is_ms = strlen(name) > 3 && strcmp(name + strlen(name) - 3, "-ms") == 0;
    bool taken = is_ms && server_option_ms(value, &ns);
    CHECK(!taken || (ns >= NS_PER_MS && ns <= 86400 * NS_PER_S), "%s ms", value);
    return taken;
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
    struct words words;
    struct server server = { .name = "fuzz", .purpose = "x", .option = takes_ms };
    struct server_options options;
    words_begin(&words, data, size);
    int status = server_options_parse(&options, &server, words.count, words.all);
    words_end(&words);
    CHECK(status == -1 || status == 0 || status == 2, "status %d", status);
    CHECK((status == -1) == (words.length == 0), "status %d, and %zu bytes said",
          status, words.length);
    if (status == -1)
        must_be_taken(&options);
    if (status == 2)
        words_must_be_one_sentence(&words);
    words_finish(&words);
    return 0;
}
