/* which: five questions, one runtime, and what the newest recorded lab says about it.
 *
 * The rules are the article's decision tree with one branch more for C. What they say is
 * an opinion; the rows below it are measurements, and may contradict it.
 *
 * Threads: one. */
#ifndef LESSON08_WHICH_H
#define LESSON08_WHICH_H

#include <stdio.h>

#include "lesson08_compare/lab.h"

enum which_question {
    WHICH_ECOSYSTEM,
    WHICH_WEIGHT,
    WHICH_IO,
    WHICH_LATENCY,
    WHICH_PLATFORM,
    WHICH_QUESTIONS
};

/* What each can be answered with, in the order of their numbers (from 0). */
enum { WHICH_TOKIO, WHICH_ANY_CRATE, WHICH_C };
enum { WHICH_SMALL, WHICH_ANY_WEIGHT };
enum { WHICH_NETWORK, WHICH_FILES };
enum { WHICH_AVERAGE, WHICH_TAIL };
enum { WHICH_LINUX, WHICH_RESTRICTED, WHICH_OTHER };

/* One measurement that speaks for a runtime if `who` needs less than `than`. */
struct which_evidence {
    const char *what, *rows, *who, *than;
    const struct claim_value *value;
};

#define WHICH_EVIDENCE_MAX 4

struct which_advice {
    const char *name, *why;
    struct which_evidence evidence[WHICH_EVIDENCE_MAX]; /* ends with `what` NULL */
};

/* Each reads five answers; false with one sentence in `problem` if it cannot. An answer
 * is its word or its number, counted from 1. */
bool which_ask(FILE *in, FILE *out, int answers[WHICH_QUESTIONS], char problem[200]);
bool which_take(const char *text, int answers[WHICH_QUESTIONS], char problem[200]);

/* Borrows: static. */
const struct which_advice *which_decide(const int answers[WHICH_QUESTIONS]);

/* Loads the newest recorded lab below lab->results that has runs; false if there is
 * none. */
bool which_load(struct lab *lab);

/* The advice, and each of its rows; a lab without runs says how to get some. */
void which_print(const struct lab *lab, const struct which_advice *advice, FILE *out);

#endif
