/* which: a runtime for five answers.
 *
 * A table of questions, a table of advice, and a few rules between them, the most binding
 * first: a library that needs Tokio leaves no choice; a platform without io_uring leaves
 * no glommio; what is left is a matter of weight. */
#include "lesson08_compare/which.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "lesson08_compare/claims.h"
#include "lesson08_compare/runlog.h"

#define OPTIONS_MAX 3

static const struct question {
    const char *name, *text;
    struct {
        const char *word, *meaning; /* NULL: no more */
    } options[OPTIONS_MAX];
} questions[WHICH_QUESTIONS] = {
    [WHICH_ECOSYSTEM] = { "ecosystem",
                          "Which libraries does it have to work with?",
                          { { "tokio", "some that need Tokio (axum, tonic, sqlx ...)" },
                            { "any", "none, or such that run on any Rust runtime" },
                            { "c", "it is written in C" } } },
    [WHICH_WEIGHT] = { "weight",
                       "Does it matter how much code comes with it?",
                       { { "small", "yes: build time, audits, size" },
                         { "any", "no" } } },
    [WHICH_IO] = { "io",
                   "What does it mostly wait for?",
                   { { "network", "sockets and timers" },
                     { "files", "many reads and writes of files" } } },
    [WHICH_LATENCY] = { "latency",
                        "Which latency counts?",
                        { { "average", "the usual one, and throughput" },
                          { "tail", "the worst one in a hundred" } } },
    [WHICH_PLATFORM] = { "platform",
                         "Where does it run?",
                         { { "linux", "Linux 5.8 or newer, io_uring allowed" },
                           { "restricted", "Linux, but io_uring may be refused "
                                           "(many containers)" },
                           { "other", "other systems as well" } } },
};

enum {
    ADVICE_TOKIO,
    ADVICE_SMOL,
    ADVICE_GLOMMIO,
    ADVICE_CORES,
    ADVICE_LIBUV,
    ADVICE_OURS
};

#define AGAINST_SMOL(what_, rows_)                                                     \
    {                                                                                  \
        what_, rows_, "tokio/multi", "smol/multi", &claim_cpu                          \
    }

static const struct which_advice advices[] = {
    [ADVICE_TOKIO] = { "Tokio",
                       "It is what most libraries are written for, and nothing in your "
                       "answers speaks against it.",
                       { AGAINST_SMOL("CPU of an HTTP request",
                                      "http-64-paced http-256"),
                         AGAINST_SMOL("CPU of a spawn", "spawn"),
                         AGAINST_SMOL("CPU of a time-out", "timer-churn") } },
    [ADVICE_SMOL] = { "smol",
                      "Few crates, each of which can be read and replaced, and it runs "
                      "wherever polling does.",
                      { { "lines of code with all it needs", "weight", "smol/multi",
                          "tokio/multi", &claim_lines },
                        { "CPU of a clean build", "weight", "smol/multi", "tokio/multi",
                          &claim_build },
                        { "bytes of a parked task", "parked", "smol/multi",
                          "tokio/multi", &claim_bytes },
                        { "CPU of an HTTP request", "http-64-paced http-256",
                          "smol/multi", "tokio/multi", &claim_cpu } } },
    [ADVICE_GLOMMIO] = { "glommio",
                         "It reads and writes files through io_uring itself, without a "
                         "thread in between; nothing balances the load between cores.",
                         { { "CPU of a cached read", "read-64 read-128", "glommio",
                             "tokio/multi", &claim_cpu },
                           { "CPU of a read from the disk", "direct-64 direct-128",
                             "glommio", "tokio/multi", &claim_cpu },
                           { "p99 of a read beside a hog", "hog hog-direct", "glommio",
                             "tokio/multi", &claim_p99 } } },
    [ADVICE_CORES] = { "glommio",
                       "A thread a core, from which no task ever leaves; the article's "
                       "advice for tails. Look at the rows before you follow it.",
                       { { "p99 of a request", "echo-64-paced http-64-paced", "glommio",
                           "tokio/multi", &claim_p99 },
                         { "p99 from a timer's wake to the poll", "jitter", "glommio",
                           "tokio/multi", &claim_p99 },
                         { "CPU of a request", "echo-64-paced http-64-paced", "glommio",
                           "tokio/multi", &claim_cpu } } },
    [ADVICE_LIBUV] = { "libuv",
                       "The C library for this that runs everywhere and has done so "
                       "for "
                       "years.",
                       { { "CPU of an echo", "echo-64-paced", "libuv", "tokio/multi",
                           &claim_cpu },
                         { "CPU of an HTTP request", "http-64-paced http-256", "libuv",
                           "tokio/multi", &claim_cpu },
                         { "CPU of a time-out", "timer-churn", "libuv", "tokio/multi",
                           &claim_cpu } } },
    [ADVICE_OURS] = { "the runtime of this course, thread-per-core on io_uring",
                      "It is C, small, and yours to change; nobody but you maintains "
                      "it. "
                      "To ship something soon, take libuv.",
                      { { "CPU of a request", "echo-64-paced http-64-paced",
                          "core/uring", "libuv", &claim_cpu },
                        { "p99 of a request", "echo-64-paced http-64-paced",
                          "core/uring", "libuv", &claim_p99 },
                        { "CPU of a cached read", "read-64", "core/uring", "libuv",
                          &claim_cpu } } },
};

const struct which_advice *which_decide(const int answers[WHICH_QUESTIONS])
{
    bool linux_uring = answers[WHICH_PLATFORM] == WHICH_LINUX;
    bool files = answers[WHICH_IO] == WHICH_FILES;
    bool tail = answers[WHICH_LATENCY] == WHICH_TAIL;
    if (answers[WHICH_ECOSYSTEM] == WHICH_TOKIO)
        return &advices[ADVICE_TOKIO];
    if (answers[WHICH_ECOSYSTEM] == WHICH_C)
        return &advices[linux_uring ? ADVICE_OURS : ADVICE_LIBUV];
    if (files && linux_uring)
        return &advices[ADVICE_GLOMMIO];
    if (answers[WHICH_WEIGHT] == WHICH_SMALL)
        return &advices[ADVICE_SMOL];
    return &advices[tail && linux_uring ? ADVICE_CORES : ADVICE_TOKIO];
}

/* ---- answers */

/* -1 if it is none. */
static int option_of(const struct question *question, const char *text)
{
    for (int i = 0; i < OPTIONS_MAX && question->options[i].word; i++) {
        char number[2] = { (char)('1' + i), '\0' };
        if (strcmp(text, question->options[i].word) == 0 || strcmp(text, number) == 0)
            return i;
    }
    return -1;
}

static bool take_one(int which, char *text, int answers[WHICH_QUESTIONS],
                     char problem[200])
{
    const struct question *question = &questions[which];
    text += strspn(text, " \t");
    text[strcspn(text, " \t\r\n")] = '\0';
    answers[which] = option_of(question, text);
    if (answers[which] >= 0)
        return true;
    const char *third = question->options[2].word;
    snprintf(problem, 200, "'%.40s' is no answer to the question of %s: %s%s%s or %s",
             text, question->name, question->options[0].word, third ? ", " : "",
             third ? question->options[1].word : "",
             third ? third : question->options[1].word);
    return false;
}

bool which_take(const char *text, int answers[WHICH_QUESTIONS], char problem[200])
{
    for (int q = 0; q < WHICH_QUESTIONS; q++) {
        char word[64];
        size_t length = strcspn(text, ",");
        if (*text == '\0') {
            snprintf(problem, 200, "%d answers are there, %d are needed", q,
                     WHICH_QUESTIONS);
            return false;
        }
        snprintf(word, sizeof word, "%.*s", (int)(length < 63 ? length : 63), text);
        if (!take_one(q, word, answers, problem))
            return false;
        text += length + (text[length] == ',');
    }
    if (*text == '\0')
        return true;
    snprintf(problem, 200, "more than %d answers", WHICH_QUESTIONS);
    return false;
}

static void print_question(const struct question *question, FILE *out)
{
    fprintf(out, "\n%s\n", question->text);
    for (int i = 0; i < OPTIONS_MAX && question->options[i].word; i++)
        fprintf(out, "  %d %-11s %s\n", i + 1, question->options[i].word,
                question->options[i].meaning);
    fprintf(out, "> ");
    fflush(out);
}

bool which_ask(FILE *in, FILE *out, int answers[WHICH_QUESTIONS], char problem[200])
{
    char line[200];
    for (int q = 0; q < WHICH_QUESTIONS; q++) {
        print_question(&questions[q], out);
        if (!fgets(line, sizeof line, in)) {
            fputc('\n', out);
            snprintf(problem, 200, "the input ended before the question of %s",
                     questions[q].name);
            return false;
        }
        if (!take_one(q, line, answers, problem))
            return false;
    }
    return true;
}

/* ---- the newest lab */

bool which_load(struct lab *lab)
{
    struct dirent **found = NULL;
    int count = runlog_folders(lab, &found);
    for (int i = 0; i < count; i++) {
        char path[700];
        snprintf(path, sizeof path, "%s/%.40s/" RUNLOG_NAME, lab->results,
                 found[i]->d_name);
        if (lab->run_count == 0)
            runlog_read(lab, path, NULL);
        free(found[i]);
    }
    free(found);
    return lab->run_count > 0;
}

static void print_evidence(const struct lab *lab, const struct which_evidence *evidence,
                           FILE *out)
{
    static const char *const words[] = { "supports it", "does not support it",
                                         "not resolved" };
    struct claim claim = { .rows = evidence->rows,
                           .test = claim_ratio,
                           .who = evidence->who,
                           .than = evidence->than,
                           .value = evidence->value,
                           .high = 1 };
    struct claim_result result;
    claim_judge(lab, &claim, &result);
    fprintf(out, "  %s: %s over %s\n    %s: ", evidence->what, evidence->who,
            evidence->than, words[result.verdict]);
    claim_wrapped(out, result.why, 6);
}

void which_print(const struct lab *lab, const struct which_advice *advice, FILE *out)
{
    fprintf(out, "\n%s\n  ", advice->name);
    claim_wrapped(out, advice->why, 2);
    if (lab->run_count == 0) {
        fprintf(out,
                "\nNothing has been measured yet on this machine: make lesson8 takes "
                "minutes,\nmake lab an hour; make peers builds what is compared.\n");
        return;
    }
    fprintf(out, "\nwhat the lab of %s says (less than 1 supports it):\n",
            lab->machine.date);
    for (int i = 0; i < WHICH_EVIDENCE_MAX && advice->evidence[i].what; i++)
        print_evidence(lab, &advice->evidence[i], out);
}
