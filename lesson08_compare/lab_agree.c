/* lab_agree: question by question, the two answers side by side.
 *
 * Grouped by how they agree, contradictions first, since they are what a reader came
 * for. A group is found by asking everything again and printing only what belongs to it:
 * that takes milliseconds, and nothing has to be kept. */
#include "lesson08_compare/lab_agree.h"

#include <stdio.h>
#include <string.h>

#include "lesson08_compare/claims.h"
#include "lesson08_compare/verdicts.h"

#define NO_NUMBER (-1)

enum agreement agree_of(int a, int b, int open)
{
    if (a < 0 || b < 0)
        return AGREE_ONE_SIDED;
    if (a == open || b == open)
        return a == b ? AGREE_OPEN : a == open ? AGREE_OPEN_IN_A : AGREE_OPEN_IN_B;
    return a == b ? AGREE_SAME : AGREE_CONTRADICT;
}

/* One question with its two answers, as text. */
struct pair {
    enum agreement kind;
    char name[80], a[120], b[120];
};

struct tally {
    int count[AGREE_KINDS];
    enum agreement shown; /* only this kind is printed now */
    bool headed;
};

static const char *const titles[AGREE_KINDS] = {
    [AGREE_SAME] = "the same in both",
    [AGREE_OPEN_IN_A] = "not resolved in the first",
    [AGREE_OPEN_IN_B] = "not resolved in the second",
    [AGREE_OPEN] = "not resolved in either",
    [AGREE_CONTRADICT] = "they contradict each other",
    [AGREE_ONE_SIDED] = "no number in one of them",
};

static void take(struct tally *tally, const struct pair *pair)
{
    tally->count[pair->kind]++;
    if (pair->kind != tally->shown)
        return;
    if (!tally->headed)
        printf(" %s\n", titles[pair->kind]);
    tally->headed = true;
    printf("  %-26s %-33s  %s\n", pair->name, pair->a, pair->b);
}

/* ---- verdicts */

static int verdict_word(const struct verdict *v)
{
    return v->word == VERDICT_NONE ? NO_NUMBER : (int)v->word;
}

static void say_verdict(const struct verdict *v, char text[120])
{
    static const char *const names[] = { "ahead", "open", "behind" };
    if (v->word == VERDICT_NONE)
        snprintf(text, 120, "-");
    else
        snprintf(text, 120, "%s %.2f, %s", names[v->word], v->ratio.median,
                 lab_contestants[v->theirs].name);
}

/* Is their best a marked one in this lab, so that the question is asked twice? */
static bool asked_twice(const struct verdict_question *q, const struct verdict *v)
{
    return v->word != VERDICT_NONE && verdict_marked(lab_row_named(q->row), v->theirs);
}

static void compare_question(const struct lab *a, const struct lab *b,
                             const struct verdict_question *q, struct tally *tally)
{
    static const char *const against[] = { "peer", "tokio", "raw", "ring" };
    bool twice = false;
    for (int marked = 1; marked >= 0; marked--) {
        struct verdict x = verdict_of(a, q, marked), y = verdict_of(b, q, marked);
        struct pair pair;
        if (!marked && !twice)
            return;
        twice = asked_twice(q, &x) || asked_twice(q, &y);
        if (x.word == VERDICT_NONE && y.word == VERDICT_NONE)
            return;
        pair.kind =
            agree_of(verdict_word(&x), verdict_word(&y), (int)VERDICT_NOT_RESOLVED);
        snprintf(pair.name, sizeof pair.name, "%s %s/%s%s", q->row, verdict_by_name(q),
                 q->driver ? q->driver : against[q->against], marked ? "" : " no *");
        say_verdict(&x, pair.a);
        say_verdict(&y, pair.b);
        take(tally, &pair);
    }
}

/* ---- claims */

/* What was measured, and not looked up on the day of asking. */
static bool is_measured(const struct claim *claim)
{
    return claim->rows != NULL;
}

static void compare_claim(const struct lab *a, const struct lab *b,
                          const struct claim *claim, struct tally *tally)
{
    struct claim_result x, y;
    struct pair pair;
    claim_judge(a, claim, &x);
    claim_judge(b, claim, &y);
    pair.kind = agree_of((int)x.verdict, (int)y.verdict, (int)CLAIM_OPEN);
    snprintf(pair.name, sizeof pair.name, "%s", claim->id);
    snprintf(pair.a, sizeof pair.a, "%s", claim_verdict_name(x.verdict));
    snprintf(pair.b, sizeof pair.b, "%s", claim_verdict_name(y.verdict));
    take(tally, &pair);
}

/* ---- all of it */

static void all_verdicts(const struct lab *a, const struct lab *b, struct tally *tally)
{
    for (int g = 0; g < verdict_group_count; g++)
        for (int i = 0; i < verdict_groups[g].count; i++)
            compare_question(a, b, &verdict_groups[g].questions[i], tally);
}

static void all_claims(const struct lab *a, const struct lab *b, struct tally *tally)
{
    for (int i = 0; i < claim_count; i++)
        if (is_measured(&claims[i]))
            compare_claim(a, b, &claims[i], tally);
}

/* What was counted last is what there is, whichever kind was shown. */
static struct tally print_part(const struct lab *a, const struct lab *b,
                               const char *title,
                               void (*all)(const struct lab *a, const struct lab *b,
                                           struct tally *tally))
{
    static const enum agreement order[AGREE_KINDS] = {
        AGREE_CONTRADICT, AGREE_SAME, AGREE_OPEN_IN_A,
        AGREE_OPEN_IN_B,  AGREE_OPEN, AGREE_ONE_SIDED
    };
    struct tally tally;
    printf("\n%s\n", title);
    for (int i = 0; i < AGREE_KINDS; i++) {
        tally = (struct tally){ .shown = order[i] };
        all(a, b, &tally);
    }
    const int *n = tally.count;
    printf(" %d the same in both, %d resolved in one only, %d in neither, %d with a "
           "number in one only,\n %d contradicted\n",
           n[AGREE_SAME], n[AGREE_OPEN_IN_A] + n[AGREE_OPEN_IN_B], n[AGREE_OPEN],
           n[AGREE_ONE_SIDED], n[AGREE_CONTRADICT]);
    return tally;
}

struct agree_result agree_print(const struct lab *a, const struct lab *b)
{
    struct tally verdicts = print_part(
        a, b, "verdicts: word, ratio and best peer, in the first lab and in the second",
        all_verdicts);
    struct tally said = print_part(a, b, "claims that were measured", all_claims);
    struct agree_result result = {
        .same = verdicts.count[AGREE_SAME] + said.count[AGREE_SAME],
        .contradicted = verdicts.count[AGREE_CONTRADICT] + said.count[AGREE_CONTRADICT],
    };
    result.open = verdicts.count[AGREE_OPEN_IN_A] + verdicts.count[AGREE_OPEN_IN_B] +
                  verdicts.count[AGREE_OPEN];
    return result;
}
