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

#include <string.h>

#include "common/check.h"
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

/* ---- who asks what */

/* Is there a question about this row, of this kind or (by < 0) of any? */
static bool asks(int row, int by)
{
    for (int g = 0; g < verdict_group_count; g++)
        for (int i = 0; i < verdict_groups[g].count; i++) {
            const struct verdict_question *q = &verdict_groups[g].questions[i];
            if ((by < 0 || (int)q->by == by) && lab_row_named(q->row) == row)
                return true;
        }
    return false;
}

bool verdict_hangs_on(int row)
{
    return asks(row, -1);
}

bool verdict_counts_syscalls(int row)
{
    return asks(row, BY_SYSCALLS);
}

bool verdict_row_is_there(const struct lab *lab, int row)
{
    for (int c = 0; c < lab_contestant_count; c++)
        if (lab_contestants[c].kind == LAB_CELL && lab_has_runs(lab, row, c))
            return true;
    return false;
}

/* Instructions: only if they were counted at all. */
static bool is_there(const struct lab *lab, const struct verdict_question *q)
{
    int row = lab_row_named(q->row);
    bool counted = q->by != BY_INSTRUCTIONS;
    for (int i = 0; i < lab->run_count && !counted; i++)
        counted = lab->runs[i].row == row && lab->runs[i].purpose == LAB_INSTRUCTIONS;
    return counted && verdict_row_is_there(lab, row);
}

int verdicts_list(const struct lab *lab, const struct verdict_group *group,
                  struct verdict_line lines[VERDICT_LINES_MAX])
{
    int n = 0;
    for (int i = 0; i < group->count; i++) {
        const struct verdict_question *q = &group->questions[i];
        CHECK(n + 2 <= VERDICT_LINES_MAX, "%s: too many questions", group->title);
        if (!is_there(lab, q))
            continue;
        struct verdict v = verdict_of(lab, q, true);
        lines[n++] = (struct verdict_line){ q, true, v };
        if (v.word != VERDICT_NONE && verdict_marked(lab_row_named(q->row), v.theirs))
            lines[n++] = (struct verdict_line){ q, false, verdict_of(lab, q, false) };
    }
    return n;
}

/* ---- words */

const char *verdict_word_name(enum verdict_word word)
{
    static const char *const names[] = { "ahead", "no difference resolved", "behind",
                                         "not judged" };
    return names[word];
}

const char *verdict_by_name(const struct verdict_question *q)
{
    static const char *const metrics[] = { "CPU", "wall", "p50", "p99", "bytes" };
    static const char *const names[] = { NULL, "CPU", "calls", "ins", "width" };
    return q->by == BY_METRIC ? metrics[lab_rows[lab_row_named(q->row)].metric]
                              : names[q->by];
}
