/* fuzz: any command line of WORKLOADS.md leads to work, or to one sentence and the status
 * that says whose mistake it was. */
#include "common/fuzzing/words.h"

#include "common/container.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/work.h"

static const char *const modes[] = { "steal", "core", NULL };
static bool worked;

/* What it is asked to do is inside what the options say they take. */
static int look(struct work *work)
{
    CHECK(work->n >= 1 || work->demo, "no work");
    CHECK(work->workers >= 1 && work->workers <= 1024, "workers");
    CHECK(work->threads >= 1 && work->threads <= 1024, "threads");
    CHECK(work->depth >= 1 && work->depth <= 4096, "depth");
    CHECK(work->mode_index < 2 && strcmp(work->mode, modes[work->mode_index]) == 0,
          "mode %s", work->mode);
    CHECK(!work->workload != !work->demo, "a workload or a demo");
    worked = true;
    work_begin(work);
    work_end(work, work->n, 7);
    return 0;
}

static int fails(struct work *work)
{
    (void)work;
    return -28; /* whatever */
}

static const struct work_offer offers[] = {
    { "spawn", 1000, 0, 3, look }, { "skynet", 1000, 0, 1, look },
    { "read", 640, 64, 2, look },  { "startup", 1, 0, 3, look },
    { "tree", 1000, 0, 3, fails }, { "cancel", 0, 0, 3, look },
};

static const struct work_program program = {
    .name = "fuzz",
    .runtime = "none",
    .version = "1",
    .modes = modes,
    .offers = offers,
    .offer_count = ARRAY_SIZE(offers),
};

static void must_be_a_result(const char *said)
{
    uint64_t check = 0;
    double ops = 0;
    if (said[0] != '{') /* a demo has none; --list and --version do not work */
        return;
    CHECK(json_get_count(said, "check", &check) && check == 7, "no check: %s", said);
    CHECK(json_get(said, "ops", &ops) && ops >= 1, "no operations: %s", said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct words words;
    worked = false;
    words_begin(&words, data, size);
    int status = work_main(&program, words.count, words.all);
    words_end(&words);
    CHECK(status >= 0 && status <= 3, "status %d", status);
    CHECK(!worked || status == 0, "status %d after the work", status);
    if (status == 0)
        must_be_a_result(words.said);
    else
        CHECK(strchr(words.said, '\n') == words.said + words.length - 1,
              "not one line: %s", words.said);
    if (status == 2)
        words_must_be_one_sentence(&words);
    words_finish(&words);
    return 0;
}
