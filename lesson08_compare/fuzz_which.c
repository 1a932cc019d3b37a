/* fuzz: any answers to the five questions are taken, or refused with one sentence. */
#include "common/fuzzing/fuzz.h"

#include "lesson08_compare/which.h"

static void judge(bool taken, const int answers[WHICH_QUESTIONS], const char *problem)
{
    static const int options[WHICH_QUESTIONS] = { 3, 2, 2, 2, 3 };
    if (!taken) {
        CHECK(strnlen(problem, 200) > 0 && strnlen(problem, 200) < 200, "no sentence");
        CHECK(!strchr(problem, '\n'), "more than a sentence: %s", problem);
        return;
    }
    for (int q = 0; q < WHICH_QUESTIONS; q++)
        CHECK(answers[q] >= 0 && answers[q] < options[q], "answer %d to %d", answers[q],
              q);
    const struct which_advice *advice = which_decide(answers);
    CHECK(advice && advice->name && advice->why && advice->evidence[0].what,
          "no advice");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int answers[WHICH_QUESTIONS], asked[WHICH_QUESTIONS];
    char problem[200] = "", other[200] = "", *said = NULL,
         *text = fuzz_text(data, size);
    size_t length = 0;
    bool taken = which_take(text, answers, problem);
    judge(taken, answers, problem);
    /* The same answers, a line each. */
    bool same = !strpbrk(text, "\r\n") && strlen(text) < 60;
    for (char *comma = text; (comma = strchr(comma, ','));)
        *comma = '\n';
    FILE *out = open_memstream(&said, &length);
    FILE *in = fmemopen(text, strlen(text) + 1, "r");
    CHECK(in && out, "no memory");
    bool understood = which_ask(in, out, asked, other);
    fclose(in);
    fclose(out);
    judge(understood, asked, other);
    if (taken && same)
        CHECK(understood && memcmp(answers, asked, sizeof asked) == 0,
              "not the same when asked: %s", other);
    free(said);
    free(text);
    return 0;
}
