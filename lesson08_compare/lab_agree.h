/* lab_agree: do two recorded labs say the same?
 *
 * A verdict that another day contradicts was none. Each verdict (verdicts.h) and each
 * claim that hangs on measurements (claims.h) is asked of both labs; what one of them
 * does not resolve contradicts nothing. Claims that are looked up in demos and sources
 * are left out: both labs would get the answer of today.
 *
 * Threads: one. */
#ifndef LESSON08_LAB_AGREE_H
#define LESSON08_LAB_AGREE_H

#include "lesson08_compare/lab.h"

enum agreement {
    AGREE_SAME,       /* both resolve it, to the same word */
    AGREE_OPEN_IN_A,  /* not resolved in the first only */
    AGREE_OPEN_IN_B,  /* in the second only */
    AGREE_OPEN,       /* in neither */
    AGREE_CONTRADICT, /* each is sure of the opposite */
    AGREE_ONE_SIDED,  /* the other lab has no number for it */
    AGREE_KINDS
};

/* Words below 0 stand for "no number", `open` for the word that resolves nothing. */
enum agreement agree_of(int a, int b, int open);

/* open: verdicts with a number in both labs that one of them does not resolve. */
struct agree_result {
    int same, open, contradicted;
};

/* Prints how far they agree. */
struct agree_result agree_print(const struct lab *a, const struct lab *b);

#endif
