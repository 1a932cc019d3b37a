/* claims: verdicts, and how they are printed. */
#include "lesson08_compare/claims.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 96

const char *claim_verdict_name(enum claim_verdict verdict)
{
    static const char *const names[] = { "confirmed", "refuted", "not resolved here" };
    return names[verdict];
}

void claim_judge(const struct lab *lab, const struct claim *claim,
                 struct claim_result *result)
{
    *result = (struct claim_result){ .verdict = CLAIM_OPEN };
    claim->test(lab, claim, result);
}

void claim_wrapped(FILE *out, const char *text, int indent)
{
    int at = indent;
    for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
        int length = (int)strcspn(text, " ");
        if (at > indent && at + 1 + length > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            at = indent;
        }
        at += fprintf(out, "%s%.*s", at > indent ? " " : "", length, text);
        text += length;
    }
    fputc('\n', out);
}

static void line(const char *name, const char *text)
{
    printf("    %-8s", name);
    claim_wrapped(stdout, text, 12);
}

static void print_counts(const int counts[CLAIM_VERDICTS])
{
    printf("\n%d claims: %d confirmed, %d refuted, %d not resolved here\n", claim_count,
           counts[CLAIM_CONFIRMED], counts[CLAIM_REFUTED], counts[CLAIM_OPEN]);
}

void claims_print(const struct lab *lab)
{
    int counts[CLAIM_VERDICTS] = { 0 };
    const char *topic = "";
    printf(
        "\nthe article's claims (lessons of 2025), in these runs and these versions\n");
    for (int i = 0; i < claim_count; i++) {
        const struct claim *claim = &claims[i];
        struct claim_result result;
        claim_judge(lab, claim, &result);
        counts[result.verdict]++;
        if (strcmp(topic, claim->topic) != 0)
            printf("\n---- %s\n", topic = claim->topic);
        printf("\n  %s: %s\n", claim->id, claim_verdict_name(result.verdict));
        line("claim", claim->quote);
        if (claim->test != claim_untested)
            line("tested", claim->how);
        line("found", result.why);
        if (claim->test != claim_untested && claim->remark)
            line("note", claim->remark);
    }
    print_counts(counts);
}

/* A line of at most 100 columns each; what does not fit is in --claims. */
void claims_print_short(const struct lab *lab)
{
    int counts[CLAIM_VERDICTS] = { 0 };
    printf("\nthe article's claims (in full: lab --claims FILE)\n");
    for (int i = 0; i < claim_count; i++) {
        struct claim_result result;
        claim_judge(lab, &claims[i], &result);
        counts[result.verdict]++;
        bool fits = strlen(result.why) <= 58;
        printf("  %-21s %-17s %.*s%s\n", claims[i].id,
               result.verdict == CLAIM_OPEN ? "not resolved"
                                            : claim_verdict_name(result.verdict),
               fits ? 58 : 55, result.why, fits ? "" : "...");
    }
    print_counts(counts);
}
