/* words: a fuzz target for a command line: the input is its words, one a line.
 *
 * What a program answers to a wrong word is captured, and has to be one sentence.
 * Functions are static, since each target is one file. */
#ifndef COMMON_FUZZING_WORDS_H
#define COMMON_FUZZING_WORDS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

#include "common/fuzzing/fuzz.h"

#define WORDS 12

struct words {
    char *text; /* owns */
    int count;
    char *all[WORDS + 2]; /* argv; borrows from text */
    char *said;           /* owns: what was written to stdout and stderr */
    size_t length;
    FILE *out, *err; /* the real ones, meanwhile */
};

/* From here on stdout and stderr are captured. The program calls itself "fuzz". */
static inline void words_begin(struct words *words, const uint8_t *data, size_t size)
{
    words->text = fuzz_text(data, size);
    words->count = 0;
    words->all[words->count++] = (char *)(uintptr_t) "fuzz";
    for (char *at = words->text; *at && words->count <= WORDS;) {
        words->all[words->count++] = at;
        at += strcspn(at, "\n");
        if (*at)
            *at++ = '\0';
    }
    words->all[words->count] = NULL;
    words->out = stdout;
    words->err = stderr;
    words->said = NULL;
    stdout = stderr = open_memstream(&words->said, &words->length);
    CHECK(stderr, "no memory");
    optind = 0; /* getopt begins anew */
}

static inline void words_end(struct words *words)
{
    fclose(stderr);
    stdout = words->out;
    stderr = words->err;
    CHECK(strlen(words->said) == words->length, "a 0 is in what it said");
}

static bool words_is_quoted(const char *quote, const char *word)
{
    size_t n = strlen(word);
    return strncmp(quote, word, n) == 0 && quote[n] == '\'';
}

/* It said one sentence; what stands there in quotes was given, as a word or behind its
 * '='. An option that was abbreviated is called by its whole name. */
static inline void words_must_be_one_sentence(const struct words *words)
{
    const char *said = words->said, *quote = strchr(said, '\'');
    CHECK(strchr(said, '\n') == said + words->length - 1, "not one line: %s", said);
    CHECK(strncmp(said, "fuzz: ", 6) == 0, "who speaks? %s", said);
    bool given = !quote || strncmp(++quote, "--", 2) == 0;
    for (int i = 1; i < words->count && !given; i++) {
        const char *value = strchr(words->all[i], '=');
        given = words_is_quoted(quote, words->all[i]) ||
                (value && words_is_quoted(quote, value + 1));
    }
    CHECK(given, "nobody gave the word in: %s", said);
}

static inline void words_finish(struct words *words)
{
    free(words->said);
    free(words->text);
}

#endif
