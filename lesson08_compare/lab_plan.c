/* lab_plan: which runs are to be made, in which order.
 *
 * The whole lab is one list of steps: row by row; within a row round by round, each round
 * starting with another contestant, so that nobody always runs right after the same
 * neighbour; after the timed rounds of a row the runs that count system calls or
 * instructions, which would disturb them. A list can be walked, counted for the time
 * left, and gone on with where it was left. */
#include "lesson08_compare/lab.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "lesson08_compare/claims.h"
#include "lesson08_compare/grow.h"
#include "lesson08_compare/verdicts.h"

enum { RAW_EPOLL };

bool lab_row_in_form(const struct lab *lab, int row)
{
    return lab->full || !lab_rows[row].full_only;
}

static bool matches(const struct lab *lab, int row, int contestant)
{
    char name[128], pattern[256];
    /* With a space in front, so that " spawn " is that row and not spawn-idle. */
    snprintf(name, sizeof name, " %s %s", lab_rows[row].name,
             lab_contestants[contestant].name);
    for (const char *next = lab->only, *end; next; next = end) {
        end = strchr(next, ',');
        int size = end ? (int)(end++ - next) : (int)strlen(next);
        snprintf(pattern, sizeof pattern, "*%.*s*", size, next);
        if (fnmatch(pattern, name, 0) == 0)
            return true;
    }
    return false;
}

/* Was this run itself asked for, and not only by somebody who is compared with it? */
static bool asked_for(const struct lab *lab, int row, int contestant)
{
    if (!lab_row_in_form(lab, row))
        return false;
    return !lab->only || matches(lab, row, contestant);
}

/* Does an open row that somebody wants take its rate from this row? */
static bool sets_a_rate(const struct lab *lab, int row)
{
    for (int open = 0; open < lab_row_count; open++) {
        const char *peak_of = lab_rows[open].peak_of;
        if (!peak_of || strcmp(peak_of, lab_rows[row].name) != 0)
            continue;
        for (int c = 0; c < lab_contestant_count; c++)
            if (asked_for(lab, open, c))
                return true;
    }
    return false;
}

/* A raw loop has a part in a row where somebody is who is compared with it. */
static bool takes_part(const struct lab *lab, int row, int contestant)
{
    if (asked_for(lab, row, contestant))
        return true;
    if (lab_rows[row].kind != LAB_SERVER)
        return false;
    for (int c = 0; c < lab_contestant_count; c++)
        if (lab_contestants[c].baseline == contestant && asked_for(lab, row, c) &&
            lab_contestants[c].kind != LAB_LIMIT)
            return true;
    return false;
}

bool lab_wanted(const struct lab *lab, int row, int contestant)
{
    return takes_part(lab, row, contestant) ||
           (contestant == RAW_EPOLL && sets_a_rate(lab, row));
}

/* Who needs a thousand times as long for the same operation does fewer of them, so that
 * it is slow in the table and not ended at the limit; the cost of one can be compared,
 * and the table names the other n. A thread each for a million tasks is more than a
 * machine has; glommio reads beside a hog once in 200 ms. */
static const struct fewer {
    const char *contestant, *workload;
    uint64_t most;
} fewer[] = {
    { "limit/threads", "spawn", 10000 },
    { "limit/threads", "ping-pong", 2000 },
    { "limit/threads", "round-trip", 50000 },
    { "glommio", "hog", 50 },
};

uint64_t lab_n(const struct lab *lab, int row, int contestant)
{
    uint64_t n = lab->full ? lab_rows[row].n_full : lab_rows[row].n_short;
    for (size_t i = 0; i < ARRAY_SIZE(fewer); i++)
        if (strcmp(fewer[i].contestant, lab_contestants[contestant].name) == 0 &&
            strcmp(fewer[i].workload, lab_rows[row].workload) == 0 && n > fewer[i].most)
            n = fewer[i].most;
    return n;
}

struct steps {
    struct lab_step *list;
    int count, room;
};

static int add(struct steps *steps, struct lab_step step)
{
    struct lab_step *list =
        grow(steps->list, steps->count, &steps->room, sizeof *steps->list);
    if (!list)
        return -ENOMEM;
    steps->list = list;
    steps->list[steps->count++] = step;
    return 0;
}

/* All rounds are for what somebody will be judged by; the other rows are there to be
 * looked at, and an hour is what people give to a measurement that they do twice. */
int lab_rounds(const struct lab *lab, int row)
{
    if (lab_rows[row].kind == LAB_STATIC)
        return 1;
    bool judged = verdict_hangs_on(row) || claim_hangs_on(row);
    return !judged && lab->few_rounds > 0 && lab->few_rounds < lab->rounds
               ? lab->few_rounds
               : lab->rounds;
}

/* System calls are counted once; where a limit depends on them, in every round, since it
 * needs a spread, and where another verdict does, in three of the full form. So are the
 * instructions of servers, which depend a little on how many requests come together; those
 * of programs do not, once is enough. */
#define COUNT_ROUNDS 3

static int rounds_of(const struct lab *lab, int row, int contestant,
                     enum lab_purpose purpose)
{
    const struct lab_row *r = &lab_rows[row];
    const struct lab_contestant *c = &lab_contestants[contestant];
    bool judged = r->has_limits && (c->kind == LAB_CELL || c->baseline == contestant);
    bool thrice = purpose == LAB_INSTRUCTIONS
                      ? r->kind == LAB_SERVER
                      : lab->full && verdict_counts_syscalls(row);
    if (purpose == LAB_TIMED || (purpose == LAB_SYSCALLS && judged))
        return lab_rounds(lab, row);
    return thrice && lab->rounds > 1 ? COUNT_ROUNDS : 1;
}

/* A raw loop that is there only for its peak is not counted. */
static bool worth_counting(const struct lab *lab, int row, int contestant, int round,
                           enum lab_purpose purpose)
{
    const struct lab_row *r = &lab_rows[row];
    if (purpose == LAB_TIMED)
        return true;
    if (round >= rounds_of(lab, row, contestant, purpose) ||
        !takes_part(lab, row, contestant))
        return false;
    return purpose == LAB_SYSCALLS ? r->kind == LAB_SERVER
                                   : lab->instructions && r->count_n1 > 0 &&
                                         !lab_contestants[contestant].uncountable;
}

static int add_round(const struct lab *lab, struct steps *steps, int row, int round,
                     enum lab_purpose purpose)
{
    int err = 0;
    for (int i = 0; i < lab_contestant_count && err == 0; i++) {
        int c = (i + round) % lab_contestant_count;
        if (lab_wanted(lab, row, c) && lab_offers(lab, row, c, NULL) &&
            worth_counting(lab, row, c, round, purpose))
            err = add(steps, (struct lab_step){
                                 .row = row,
                                 .contestant = c,
                                 .round = round,
                                 .purpose = purpose,
                             });
    }
    return err;
}

static int add_row(const struct lab *lab, struct steps *steps, int row)
{
    int rounds = lab_rounds(lab, row), err = 0;
    for (int round = 0; round < rounds && err == 0; round++)
        err = add_round(lab, steps, row, round, LAB_TIMED);
    for (int round = 0; round < rounds && err == 0; round++)
        err = add_round(lab, steps, row, round, LAB_SYSCALLS);
    return err;
}

/* Instructions last: they take long, are exact on any machine, and nobody waits for
 * them. */
int lab_plan(struct lab *lab)
{
    struct steps steps = { 0 };
    int err = 0;
    for (int row = 0; row < lab_row_count && err == 0; row++)
        if (lab_rows[row].kind != LAB_STATIC)
            err = add_row(lab, &steps, row);
    for (int row = 0; row < lab_row_count && err == 0; row++)
        for (int round = 0; round < lab->rounds && err == 0; round++)
            err = add_round(lab, &steps, row, round, LAB_INSTRUCTIONS);
    for (int row = 0; row < lab_row_count && err == 0; row++)
        if (lab_rows[row].kind == LAB_STATIC)
            err = add_row(lab, &steps, row);
    free(lab->steps);
    lab->steps = steps.list;
    lab->step_count = steps.count;
    return err;
}
