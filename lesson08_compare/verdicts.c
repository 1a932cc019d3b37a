/* verdicts: a ratio, a limit, a word.
 *
 * Ours is the best of our cells in that row by that number, theirs the best of theirs; so
 * each line is its own contest, and the names are printed, since another row may have
 * another winner. Times are divided round by round, as in the tables. What was counted in
 * runs of its own has no rounds in common: there the spread of the ratio is the widest
 * that the two spreads allow.
 *
 * "ahead" and "behind" need both: the ratio's spread on one side of the limit, and spreads
 * that do not overlap once theirs is scaled by the limit. Anything else is not resolved -
 * a single run has no spread, so it resolves nothing - and a question to which a side has
 * no runs that count is not answered at all.
 *
 * A peer that is marked (verdict_marked) does not do quite the row's work. Where such a
 * one is the best, the next line asks again without all who are marked. */
#include "lesson08_compare/verdicts.h"

#include <stdio.h>
#include <string.h>

#include "lesson08_compare/report.h"

static double unfairness(const struct lab_run *run)
{
    return run->fair_median > 0 ? (run->fair_max - run->fair_min) / run->fair_median
                                : -1;
}

/* Of what every timed run says. NULL: it is counted in runs of its own. */
static lab_value *value_of(const struct verdict_question *q, int row)
{
    switch (q->by) {
    case BY_METRIC:
        return report_metric(row);
    case BY_CPU:
        return lab_value_cpu;
    case BY_UNFAIRNESS:
        return unfairness;
    case BY_SYSCALLS:
    case BY_INSTRUCTIONS:
        break;
    }
    return NULL;
}

static struct spread spread_of(const struct lab *lab, const struct verdict_question *q,
                               int row, int contestant)
{
    lab_value *value = value_of(q, row);
    if (value)
        return lab_spread(lab, row, contestant, value);
    return q->by == BY_SYSCALLS ? report_syscalls(lab, row, contestant)
                                : report_instructions(lab, row, contestant);
}

static bool is_theirs(const struct verdict_question *q, int contestant)
{
    const struct lab_contestant *c = &lab_contestants[contestant];
    switch (q->against) {
    case AGAINST_PEERS:
        return c->kind == LAB_PEER;
    case AGAINST_TOKIO:
        return strncmp(c->name, "tokio/", 6) == 0;
    case AGAINST_RAW:
        return c->kind == LAB_BASELINE && c->baseline == contestant;
    case AGAINST_LIMIT_URING:
        return strcmp(c->name, "limit/uring") == 0;
    }
    return false;
}

/* The one with the smallest median; -1: nobody has any. */
static int best(const struct lab *lab, const struct verdict_question *q, int row,
                bool ours, bool with_marked)
{
    int found = -1;
    double least = 0;
    for (int c = 0; c < lab_contestant_count; c++) {
        const char *driver = lab_contestants[c].driver;
        bool is = ours ? lab_contestants[c].kind == LAB_CELL : is_theirs(q, c);
        if (!is || (q->driver && (!driver || strcmp(driver, q->driver) != 0)) ||
            (!with_marked && verdict_marked(row, c)))
            continue;
        struct spread spread = spread_of(lab, q, row, c);
        if (spread.count > 0 && (found < 0 || spread.median < least)) {
            found = c;
            least = spread.median;
        }
    }
    return found;
}

static struct spread over(struct spread a, struct spread b)
{
    if (a.count == 0 || b.count == 0 || b.low <= 0)
        return (struct spread){ .count = 0 };
    return (struct spread){ .count = a.count < b.count ? a.count : b.count,
                            .low = a.low / b.high,
                            .median = a.median / b.median,
                            .high = a.high / b.low };
}

static struct spread times(struct spread spread, double factor)
{
    spread.low *= factor;
    spread.median *= factor;
    spread.high *= factor;
    return spread;
}

struct verdict verdict_of(const struct lab *lab, const struct verdict_question *q,
                          bool with_marked)
{
    int row = lab_row_named(q->row);
    struct verdict v = { .word = VERDICT_NONE,
                         .ours = best(lab, q, row, true, true),
                         .theirs = best(lab, q, row, false, with_marked) };
    if (v.ours < 0 || v.theirs < 0)
        return v;
    struct spread ours = spread_of(lab, q, row, v.ours);
    struct spread theirs = spread_of(lab, q, row, v.theirs);
    lab_value *value = value_of(q, row);
    v.ratio =
        value ? report_ratio(lab, row, v.ours, v.theirs, value) : over(ours, theirs);
    if (v.ratio.count == 0)
        return v;
    v.word = VERDICT_NOT_RESOLVED;
    if (v.ratio.count > 1 && !stats_overlap(ours, times(theirs, q->limit)))
        v.word = v.ratio.high < q->limit  ? VERDICT_AHEAD
                 : v.ratio.low > q->limit ? VERDICT_BEHIND
                                          : VERDICT_NOT_RESOLVED;
    return v;
}

/* ---- what is printed */

static const char *const words[] = { "ahead", "no difference resolved", "behind" };

static const char *by_name(const struct verdict_question *q, int row)
{
    static const char *const metrics[] = { "CPU", "wall", "p50", "p99", "bytes" };
    static const char *const names[] = { NULL, "CPU", "calls", "ins", "width" };
    return q->by == BY_METRIC ? metrics[lab_rows[row].metric] : names[q->by];
}

static const char *name_of(int contestant)
{
    return contestant < 0 ? "-" : lab_contestants[contestant].name;
}

struct count {
    int words[4];
    bool marked; /* somebody with a footnote was printed */
};

static void print_verdict(const struct verdict_question *q, const struct verdict *v,
                          struct count *count)
{
    int row = lab_row_named(q->row);
    bool marked = v->theirs >= 0 && verdict_marked(row, v->theirs);
    char theirs[32], ratio[48] = "";
    snprintf(theirs, sizeof theirs, "%s%s", name_of(v->theirs), marked ? "*" : "");
    count->words[v->word]++;
    count->marked = count->marked || marked;
    if (v->word != VERDICT_NONE)
        snprintf(ratio, sizeof ratio, "%.2f [%.2f..%.2f]", v->ratio.median,
                 v->ratio.low, v->ratio.high);
    else
        snprintf(ratio, sizeof ratio, "not judged:");
    printf("  %-13s %-5s %4.2f  %-13s %-14s %-18s %s\n", q->row, by_name(q, row),
           q->limit, name_of(v->ours), theirs, ratio,
           v->word != VERDICT_NONE ? words[v->word]
           : v->ours < 0           ? "ours has no number"
           : v->theirs < 0         ? "they have no number"
                                   : "no common round");
}

static void print_question(const struct lab *lab, const struct verdict_question *q,
                           struct count *count)
{
    struct verdict v = verdict_of(lab, q, true);
    print_verdict(q, &v, count);
    if (v.theirs < 0 || !verdict_marked(lab_row_named(q->row), v.theirs))
        return;
    v = verdict_of(lab, q, false);
    print_verdict(q, &v, count);
}

/* Has anybody been measured who could answer it? Instructions: only if they were counted
 * at all. */
static bool is_there(const struct lab *lab, const struct verdict_question *q)
{
    int row = lab_row_named(q->row);
    bool counted = q->by != BY_INSTRUCTIONS;
    for (int i = 0; i < lab->run_count && !counted; i++)
        counted = lab->runs[i].row == row && lab->runs[i].purpose == LAB_INSTRUCTIONS;
    return counted && lab_has_runs(lab, row, -1);
}

static void print_group(const struct lab *lab, const struct verdict_group *group,
                        struct count *count)
{
    bool headed = false;
    for (int i = 0; i < group->count; i++) {
        if (!is_there(lab, &group->questions[i]))
            continue;
        if (!headed)
            printf(" %s\n", group->title);
        headed = true;
        print_question(lab, &group->questions[i], count);
    }
}

/* Each row once, in one paragraph. */
static void print_absent(const struct lab *lab)
{
    const char *last = "";
    int column = 0;
    for (int g = 0; g < verdict_group_count; g++)
        for (int i = 0; i < verdict_groups[g].count; i++) {
            const struct verdict_question *q = &verdict_groups[g].questions[i];
            bool again = q->against == AGAINST_TOKIO ||
                         q->against == AGAINST_LIMIT_URING || q->by == BY_UNFAIRNESS ||
                         strcmp(last, q->row) == 0;
            if (again || lab_has_runs(lab, lab_row_named(q->row), -1))
                continue;
            if (column == 0)
                column = printf(" not in this lab:");
            else if (column > 80)
                column = printf("\n   ") - 1;
            column += printf(" %s", q->row);
            last = q->row;
        }
    if (column > 0)
        printf("\n");
}

bool verdict_counts_syscalls(int row)
{
    for (int g = 0; g < verdict_group_count; g++)
        for (int i = 0; i < verdict_groups[g].count; i++) {
            const struct verdict_question *q = &verdict_groups[g].questions[i];
            if (q->by == BY_SYSCALLS && lab_row_named(q->row) == row)
                return true;
        }
    return false;
}

void verdicts_print(const struct lab *lab)
{
    struct count count = { .marked = false };
    printf("\nours against the best peer: our best cell over their best; ahead: below "
           "the limit\n  %-13s %-5s %4s  %-13s %-14s %-18s\n",
           "", "by", "most", "ours", "theirs", "ratio");
    for (int g = 0; g < verdict_group_count; g++)
        print_group(lab, &verdict_groups[g], &count);
    print_absent(lab);
    if (count.marked)
        printf(
            " * not quite this work: glommio polls a child within spawn, which makes "
            "it a call and no\n   queue; Go and monoio/legacy read on the thread that "
            "runs tasks, which then waits for it\n");
    printf(" %d ahead, %d no difference resolved, %d behind, %d not judged\n",
           count.words[VERDICT_AHEAD], count.words[VERDICT_NOT_RESOLVED],
           count.words[VERDICT_BEHIND], count.words[VERDICT_NONE]);
}
