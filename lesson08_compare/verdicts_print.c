/* verdicts_print: the verdicts on the screen, a line each, at most 100 columns. */
#include "lesson08_compare/verdicts.h"

#include <stdio.h>
#include <string.h>

struct count {
    int words[VERDICT_WORDS];
    bool marked; /* somebody with a footnote was printed */
};

static void print_verdict(const struct verdict_line *line, struct count *count)
{
    const struct verdict *v = &line->verdict;
    const struct verdict_question *q = line->question;
    bool marked = verdict_marked(lab_row_named(q->row), v->theirs);
    char theirs[32], ratio[48];
    count->words[v->word]++;
    count->marked = count->marked || marked;
    snprintf(theirs, sizeof theirs, "%s%s", lab_contestants[v->theirs].name,
             marked ? "*" : "");
    snprintf(ratio, sizeof ratio, "%.2f [%.2f..%.2f]", v->ratio.median, v->ratio.low,
             v->ratio.high);
    printf("  %-13s %-5s %4.2f  %-13s %-14s %-18s %s\n", q->row, verdict_by_name(q),
           q->limit, lab_contestants[v->ours].name, theirs, ratio,
           verdict_word_name(v->word));
}

/* A list that goes on in the next line. */
struct list {
    int column;
};

static void print_item(struct list *list, const char *title, const char *text)
{
    if (list->column == 0)
        list->column = printf("%s", title);
    else if (list->column + strlen(text) > 95)
        list->column = printf("\n   ") - 1;
    list->column += printf(" %s", text);
}

static void end_list(const struct list *list)
{
    if (list->column > 0)
        printf("\n");
}

static void print_group(const struct lab *lab, const struct verdict_group *group,
                        struct count *count)
{
    struct verdict_line lines[VERDICT_LINES_MAX];
    struct list list = { 0 };
    int n = verdicts_list(lab, group, lines);
    if (n > 0)
        printf(" %s\n", group->title);
    for (int i = 0; i < n; i++)
        if (lines[i].verdict.word != VERDICT_NONE)
            print_verdict(&lines[i], count);
        else if (!lines[i].with_marked)
            printf("  %-13s without *: not judged, there is nobody else\n",
                   lines[i].question->row);
    for (int i = 0; i < n; i++) {
        const struct verdict_question *q = lines[i].question;
        char text[80];
        if (lines[i].verdict.word != VERDICT_NONE || !lines[i].with_marked)
            continue;
        count->words[VERDICT_NONE]++;
        snprintf(text, sizeof text, "%s (%s%s%s)", q->row, verdict_by_name(q),
                 q->driver ? ", " : "", q->driver ? q->driver : "");
        print_item(&list, "  not judged, one side has no number:", text);
    }
    end_list(&list);
}

/* Each row once. */
static void print_absent(const struct lab *lab)
{
    struct list list = { 0 };
    const char *last = "";
    for (int g = 0; g < verdict_group_count; g++)
        for (int i = 0; i < verdict_groups[g].count; i++) {
            const struct verdict_question *q = &verdict_groups[g].questions[i];
            bool again = q->against == AGAINST_TOKIO ||
                         q->against == AGAINST_LIMIT_URING || q->by == BY_UNFAIRNESS ||
                         strcmp(last, q->row) == 0;
            if (again || verdict_row_is_there(lab, lab_row_named(q->row)))
                continue;
            print_item(&list, " not in this lab:", q->row);
            last = q->row;
        }
    end_list(&list);
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
