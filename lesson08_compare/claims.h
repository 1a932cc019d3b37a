/* claims: sentences of an article, held against what was measured.
 *
 * The course grew from an article that compares four runtimes. Each of its sentences that
 * can be tested or looked up is an entry of one table: who is compared with whom, in
 * which rows, by which value, within which bounds. A verdict is computed from the runs
 * (or from a demo's output, or from the runtime's source) whenever it is asked for, so
 * that it changes when the runs do.
 *
 * "Refuted" means: not so in these runs, with these versions, on this machine. It says
 * nothing about the day on which the sentence was written.
 *
 * Threads: one. */
#ifndef LESSON08_CLAIMS_H
#define LESSON08_CLAIMS_H

#include <stdio.h>

#include "lesson08_compare/lab.h"

enum claim_verdict { CLAIM_CONFIRMED, CLAIM_REFUTED, CLAIM_OPEN, CLAIM_VERDICTS };

struct claim;

struct claim_result {
    enum claim_verdict verdict;
    char why[400]; /* one sentence, with the numbers */
};

typedef void claim_test(const struct lab *lab, const struct claim *claim,
                        struct claim_result *result);

/* What is compared: a value of a run, and how it is printed. */
struct claim_value {
    const char *name; /* "CPU an operation" */
    const char *unit;
    lab_value *value;
    double factor; /* from the run's unit to the printed one */
    int least;     /* fewer runs than this resolve nothing */
    double doubt;  /* of a single value, as a part of it: its spread */
};

/* Within which bounds the claim holds is for each test to say; 0 for `high`: no bound. */
struct claim {
    const char *id;
    const char *topic;
    const char *quote; /* the article's own words */
    const char *how;   /* how it is tested, in words */
    claim_test *test;
    const char *rows; /* names, with a space between; one is enough */
    const char *who, *than;
    const struct claim_value *value;
    double low, high;
    const char *crate, *file, *text; /* evidence that is no number */
    const char *remark;              /* what a reader should know beside the verdict */
};

extern const struct claim claims[];
extern const int claim_count;

extern const struct claim_value claim_cpu, claim_wall, claim_p50, claim_p99,
    claim_bytes, claim_idle, claim_build, claim_binary, claim_lines, claim_crates,
    claim_moved;

/* ---- tests by runs. A spread that crosses a bound resolves nothing. */

/* who's value over than's of the same round is within low..high, in every row that can
 * tell. */
claim_test claim_ratio;
/* who's value itself is within low..high. */
claim_test claim_within;
/* who's value is the lowest (highest) of those in `than`, who are names with a space
 * between. */
claim_test claim_lowest, claim_highest;
/* who's value lies between those of the two in `than`. */
claim_test claim_between;
/* who's value in the first row over its own in the second is within low..high. */
claim_test claim_across;

/* ---- tests by other evidence, looked for when the verdict is asked for. "Not checked
 * here" where it is not there. */

/* who's demo, named by `file`, prints `text`. */
claim_test claim_demo;
/* `file` of the crate (a folder: all of its .rs files) holds `text`; with high < 0: does
 * not hold it. */
claim_test claim_source;
/* The crates, names with a space between, have low..high lines that are neither blank
 * nor comment. */
claim_test claim_size;
/* Nobody tests it here; the remark says why. */
claim_test claim_untested;

/* Does a claim name this row? */
bool claim_hangs_on(int row);
void claim_judge(const struct lab *lab, const struct claim *claim,
                 struct claim_result *result);
const char *claim_verdict_name(enum claim_verdict verdict);

/* ---- evidence, for the tests and their tests */

/* The folder of a crate's source in cargo's cache: of this version, "" for the newest.
 * False if it is not there. */
bool claim_crate_folder(const char *crate, const char *version, char path[900]);
/* The version in "tokio 1.54.1" as the peer said it, "" if it did not. */
const char *claim_crate_version(const struct lab *lab, const char *crate);

/* ---- on the screen, at most 100 columns */

void claims_print(const struct lab *lab);       /* all there is to say */
void claims_print_short(const struct lab *lab); /* a line each */

/* The text with its lines broken at spaces, all but the first after `indent` spaces. */
void claim_wrapped(FILE *out, const char *text, int indent);

#endif
