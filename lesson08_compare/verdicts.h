/* verdicts: ours against the best of the others, question by question.
 *
 * What the course wants of its runtime is a list of questions (verdicts_table.c): in this
 * row, by this number, our best cell against the best peer, or against Tokio's better
 * mode, or against the loop without a runtime on the same driver; at most so many times
 * as much. Each is answered from the recorded runs, with the word that the spread allows.
 *
 * Threads: one. */
#ifndef LESSON08_VERDICTS_H
#define LESSON08_VERDICTS_H

#include "lesson08_compare/lab.h"

/* What is compared; of all of them less is better. */
enum verdict_by {
    BY_METRIC,       /* what the row is decided by */
    BY_CPU,          /* of a request */
    BY_SYSCALLS,     /* of a request */
    BY_INSTRUCTIONS, /* of a request, in user space */
    BY_UNFAIRNESS    /* requests a connection: (most - least) / median */
};

enum verdict_against { AGAINST_PEERS, AGAINST_TOKIO, AGAINST_RAW, AGAINST_LIMIT_URING };

struct verdict_question {
    const char *row;
    enum verdict_by by;
    enum verdict_against against;
    double limit;       /* ours over theirs, at most */
    const char *driver; /* both sides stand on this one; NULL: on any */
};

struct verdict_group {
    const char *title;
    const struct verdict_question *questions;
    int count;
};

extern const struct verdict_group verdict_groups[];
extern const int verdict_group_count;

/* Does this peer do another work under the same name in this row: a call instead of a
 * queue, a read that blocks its thread? */
bool verdict_marked(int row, int contestant);

enum verdict_word {
    VERDICT_AHEAD,
    VERDICT_NOT_RESOLVED,
    VERDICT_BEHIND,
    VERDICT_NONE, /* one side has no number */
    VERDICT_WORDS
};

struct verdict {
    enum verdict_word word;
    int ours, theirs;    /* contestants; -1: nobody was measured */
    struct spread ratio; /* ours over theirs */
};

/* Our best against their best, with or without those who are marked. */
struct verdict verdict_of(const struct lab *lab, const struct verdict_question *q,
                          bool with_marked);

/* A line of the table. Where their best is marked, a second line follows, without all
 * who are. */
struct verdict_line {
    const struct verdict_question *question;
    bool with_marked;
    struct verdict verdict;
};
#define VERDICT_LINES_MAX 64

/* The lines of a group to which this lab has rows; how many. */
int verdicts_list(const struct lab *lab, const struct verdict_group *group,
                  struct verdict_line lines[VERDICT_LINES_MAX]);

/* Has a cell of ours been measured in it? */
bool verdict_row_is_there(const struct lab *lab, int row);

const char *verdict_word_name(enum verdict_word word);
const char *verdict_by_name(const struct verdict_question *q); /* "CPU", "bytes" ... */

/* Does a question name this row? */
bool verdict_hangs_on(int row);
/* Does a question compare the system calls of this row? They then need a spread. */
bool verdict_counts_syscalls(int row);

/* All that the runs can answer, on stdout. */
void verdicts_print(const struct lab *lab);

#endif
