/* claims_measured: verdicts by runs.
 *
 * One rule for all: a spread that lies within the bounds confirms, one that lies outside
 * refutes, one that crosses a bound resolves nothing, nor do fewer than three rounds. A
 * claim that names several rows is confirmed or refuted when those rows that can tell
 * agree; rows that contradict each other resolve nothing, and the sentence says so. */
#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lesson08_compare/claims.h"
#include "lesson08_compare/report.h"

#define ROUNDS_LEAST 3

/* ---- values */

static double value_idle(const struct lab_run *run)
{
    return report_extra(run, "idle_bytes");
}

static double value_build(const struct lab_run *run)
{
    return report_extra(run, "build_cpu_s");
}

static double value_lean(const struct lab_run *run)
{
    return report_extra(run, "lean_bytes");
}

static double value_lines(const struct lab_run *run)
{
    return report_extra(run, "all_lines");
}

static double value_crates(const struct lab_run *run)
{
    return report_extra(run, "crates");
}

/* What it costs to be stolen, in us. A runtime that steals late may be faster where it
 * steals; below zero a value is not known, so that counts as nothing added. */
static double value_moved(const struct lab_run *run)
{
    double stayed = report_extra(run, "where_woken_p50_ns"),
           moved = report_extra(run, "stolen_p50_ns");
    if (report_extra(run, "where_woken_count") < 1 ||
        report_extra(run, "stolen_count") < 1)
        return -1;
    return moved > stayed ? (moved - stayed) / 1000 : 0;
}

const struct claim_value claim_cpu = { "CPU", "us", lab_value_cpu, 1, ROUNDS_LEAST, 0 };
const struct claim_value claim_wall = {
    "wall", "us", lab_value_wall, 1, ROUNDS_LEAST, 0
};
const struct claim_value claim_p50 = { "p50", "us", lab_value_p50, 1, ROUNDS_LEAST, 0 };
const struct claim_value claim_p99 = { "p99", "us", lab_value_p99, 1, ROUNDS_LEAST, 0 };
const struct claim_value claim_bytes = { "bytes", "B",          lab_value_bytes,
                                         1,       ROUNDS_LEAST, 0 };
const struct claim_value claim_idle = { "memory",   "KiB",        value_idle,
                                        1.0 / 1024, ROUNDS_LEAST, 0 };
const struct claim_value claim_moved = {
    "added", "us", value_moved, 1, ROUNDS_LEAST, 0
};
/* Once is enough for what does not vary, and has to be for a build of minutes, whose CPU
 * time then is taken to be right within 10 percent. A program of a few percent less is not
 * called small for it. */
const struct claim_value claim_build = { "build", "CPU s", value_build, 1, 1, 0.1 };
const struct claim_value claim_binary = { "binary",   "KiB", value_lean,
                                          1.0 / 1024, 1,     0.05 };
const struct claim_value claim_lines = { "lines", "lines", value_lines, 1, 1, 0 };
const struct claim_value claim_crates = { "crates", "crates", value_crates, 1, 1, 0 };

/* ---- words */

struct words {
    char *text;
    size_t room;
};

static void say(struct words *words, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct words *words, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    int n = vsnprintf(words->text, words->room, format, list);
    va_end(list);
    size_t used = n < 0 ? 0 : (size_t)n < words->room ? (size_t)n : words->room - 1;
    words->text += used;
    words->room -= used;
}

/* In three digits that count. */
static void say_number(struct words *words, double value)
{
    say(words, "%.*f", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value);
}

static void say_spread(struct words *words, struct spread spread)
{
    say_number(words, spread.median);
    say(words, " [");
    say_number(words, spread.low);
    say(words, "..");
    say_number(words, spread.high);
    say(words, "]");
}

/* The next of names with a space between; NULL after the last. */
static const char *next_name(const char *at, char name[40])
{
    at += strspn(at, " ");
    int length = (int)strcspn(at, " ");
    if (length == 0)
        return NULL;
    snprintf(name, 40, "%.*s", length, at);
    return at + length;
}

bool claim_hangs_on(int row)
{
    char name[40];
    for (int i = 0; i < claim_count; i++)
        for (const char *at = claims[i].rows; at && (at = next_name(at, name));)
            if (lab_row_named(name) == row)
                return true;
    return false;
}

/* ---- one row, one spread, two bounds */

static enum claim_verdict judge(const struct claim *claim, struct spread spread)
{
    double high = claim->high > 0 ? claim->high : DBL_MAX;
    if (spread.count < claim->value->least)
        return CLAIM_OPEN;
    if (spread.low >= claim->low && spread.high <= high)
        return CLAIM_CONFIRMED;
    if (spread.high < claim->low || spread.low > high)
        return CLAIM_REFUTED;
    return CLAIM_OPEN;
}

struct tally {
    struct words words;
    int confirmed, refuted, crossed, overlapping, rows;
    char missing[120]; /* rows without a number */
};

static struct tally begin(struct claim_result *result)
{
    return (struct tally){ .words = { result->why, sizeof result->why } };
}

/* Does the claim say that two differ? */
static bool asserts_difference(const struct claim *claim)
{
    return claim->low >= 1 || (claim->high > 0 && claim->high <= 1);
}

/* `overlap`: the spread is a ratio, and those of its two sides overlap. */
static void add(struct tally *tally, const struct claim *claim, const char *row,
                struct spread spread, bool overlap)
{
    if (spread.count == 0) {
        size_t used = strlen(tally->missing);
        snprintf(tally->missing + used, sizeof tally->missing - used, " %s", row);
        return;
    }
    enum claim_verdict verdict = judge(claim, spread);
    if (verdict == CLAIM_CONFIRMED && overlap && asserts_difference(claim)) {
        verdict = CLAIM_OPEN;
        tally->overlapping++;
    }
    tally->confirmed += verdict == CLAIM_CONFIRMED;
    tally->refuted += verdict == CLAIM_REFUTED;
    tally->crossed += verdict == CLAIM_OPEN && spread.count >= claim->value->least;
    say(&tally->words, "%s%s ", tally->rows++ ? ", " : "", row);
    say_spread(&tally->words, spread);
    if (spread.count < claim->value->least)
        say(&tally->words, " (too few rounds: %d)", spread.count);
}

static void end(struct tally *tally, const struct claim *claim,
                struct claim_result *result)
{
    if (tally->rows == 0)
        say(&tally->words, "no runs that count: %s in %s", claim->who, claim->rows);
    else if (tally->confirmed && tally->refuted)
        say(&tally->words, ": the rows contradict each other");
    else if (tally->confirmed + tally->refuted == 0 && tally->crossed > 0)
        say(&tally->words, tally->overlapping ? ": the spreads of the two overlap"
                                              : ": the spread crosses the bound");
    else if (tally->confirmed)
        result->verdict = CLAIM_CONFIRMED;
    else if (tally->refuted)
        result->verdict = CLAIM_REFUTED;
    if (result->verdict == CLAIM_OPEN && tally->rows > 0 && tally->missing[0])
        say(&tally->words, "; nothing in%s", tally->missing);
}

/* A single value has the spread that its kind is known to have. */
static struct spread doubted(const struct claim *claim, struct spread spread)
{
    if (spread.count == 1) {
        spread.low *= 1 - claim->value->doubt;
        spread.high *= 1 + claim->value->doubt;
    }
    return spread;
}

void claim_ratio(const struct lab *lab, const struct claim *claim,
                 struct claim_result *result)
{
    struct tally tally = begin(result);
    char row[40];
    int who = lab_contestant_named(claim->who),
        than = lab_contestant_named(claim->than);
    for (const char *at = claim->rows; (at = next_name(at, row));) {
        int its = lab_row_named(row);
        lab_value *value = claim->value->value;
        add(&tally, claim, row,
            doubted(claim, report_ratio(lab, its, who, than, value)),
            stats_overlap(lab_spread(lab, its, who, value),
                          lab_spread(lab, its, than, value)));
    }
    end(&tally, claim, result);
}

static struct spread scaled(struct spread spread, double factor)
{
    spread.low *= factor;
    spread.median *= factor;
    spread.high *= factor;
    return spread;
}

static struct spread value_in(const struct lab *lab, const struct claim *claim,
                              const char *row, const char *who)
{
    struct spread spread = lab_spread(lab, lab_row_named(row),
                                      lab_contestant_named(who), claim->value->value);
    return scaled(doubted(claim, spread), claim->value->factor);
}

void claim_within(const struct lab *lab, const struct claim *claim,
                  struct claim_result *result)
{
    struct tally tally = begin(result);
    char row[40];
    for (const char *at = claim->rows; (at = next_name(at, row));)
        add(&tally, claim, row, value_in(lab, claim, row, claim->who), false);
    if (tally.rows > 0)
        say(&tally.words, " %s", claim->value->unit);
    end(&tally, claim, result);
}

/* The least ratio that the two spreads allow, and the greatest. */
void claim_across(const struct lab *lab, const struct claim *claim,
                  struct claim_result *result)
{
    char first[40], second[40];
    struct tally tally = begin(result);
    next_name(next_name(claim->rows, first), second);
    struct spread a = value_in(lab, claim, first, claim->who);
    struct spread b = value_in(lab, claim, second, claim->who);
    struct spread ratio = { .count = 0 };
    if (a.count > 0 && b.count > 0 && b.low > 0)
        ratio = (struct spread){ .count = a.count < b.count ? a.count : b.count,
                                 .low = a.low / b.high,
                                 .median = a.median / b.median,
                                 .high = a.high / b.low };
    add(&tally, claim, first, ratio, false);
    if (tally.rows > 0)
        say(&tally.words, " of %s", second);
    end(&tally, claim, result);
}

/* ---- first and last of several */

/* One name and its number. */
static void say_place(struct words *words, const char *name, struct spread spread)
{
    say(words, "%s ", name);
    say_number(words, spread.median);
}

/* Against each of the others: 1 beats it, -1 is beaten, 0 not told apart. */
static int beats(struct spread who, struct spread other, bool lowest)
{
    if (stats_overlap(who, other))
        return 0;
    return (who.median < other.median) == lowest ? 1 : -1;
}

/* False if the row has too little to say. */
static bool rank_in(const struct lab *lab, const struct claim *claim, const char *row,
                    bool lowest, struct claim_result *result)
{
    struct words words = { result->why, sizeof result->why };
    struct spread who = value_in(lab, claim, row, claim->who);
    char name[40];
    int beaten = 0, unclear = 0, others = 0, least = who.count;
    say(&words, "%s, %s: ", row, claim->value->unit);
    say_place(&words, claim->who, who);
    for (const char *at = claim->than; (at = next_name(at, name));) {
        struct spread other = value_in(lab, claim, row, name);
        if (strcmp(name, claim->who) == 0 || other.count == 0)
            continue;
        int place = beats(who, other, lowest);
        beaten += place < 0;
        unclear += place == 0;
        others++;
        least = other.count < least ? other.count : least;
        say(&words, ", ");
        say_place(&words, name, other);
    }
    if (who.count == 0 || others == 0)
        return false;
    if (least < claim->value->least)
        say(&words, ": too few rounds: %d", least);
    else if (beaten > 0)
        result->verdict = CLAIM_REFUTED;
    else if (unclear > 0)
        say(&words, ": spreads overlap");
    else
        result->verdict = CLAIM_CONFIRMED;
    return true;
}

static void rank(const struct lab *lab, const struct claim *claim, bool lowest,
                 struct claim_result *result)
{
    char row[40];
    for (const char *at = claim->rows; (at = next_name(at, row));)
        if (rank_in(lab, claim, row, lowest, result))
            return;
    snprintf(result->why, sizeof result->why,
             "no runs that count: %s and another one in %s", claim->who, claim->rows);
}

void claim_lowest(const struct lab *lab, const struct claim *claim,
                  struct claim_result *result)
{
    rank(lab, claim, true, result);
}

void claim_highest(const struct lab *lab, const struct claim *claim,
                   struct claim_result *result)
{
    rank(lab, claim, false, result);
}

void claim_between(const struct lab *lab, const struct claim *claim,
                   struct claim_result *result)
{
    char low[40], high[40];
    struct words words = { result->why, sizeof result->why };
    next_name(next_name(claim->than, low), high);
    struct spread a = value_in(lab, claim, claim->rows, low);
    struct spread who = value_in(lab, claim, claim->rows, claim->who);
    struct spread b = value_in(lab, claim, claim->rows, high);
    if (a.count < claim->value->least || b.count < claim->value->least ||
        who.count < claim->value->least) {
        say(&words, "no runs that count: %s, %s and %s in %s", low, claim->who, high,
            claim->rows);
        return;
    }
    say(&words, "%s, %s: ", claim->rows, claim->value->unit);
    say_place(&words, low, a);
    say(&words, ", ");
    say_place(&words, claim->who, who);
    say(&words, ", ");
    say_place(&words, high, b);
    if (stats_overlap(a, who) || stats_overlap(who, b))
        say(&words, ": spreads overlap");
    else
        result->verdict = a.median < who.median && who.median < b.median
                              ? CLAIM_CONFIRMED
                              : CLAIM_REFUTED;
}
