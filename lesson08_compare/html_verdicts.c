/* html_verdicts: ours against the best of the others, as on the screen.
 *
 * A table of seven columns does not fit a phone, so there each line becomes a card, as
 * the claims do: question, word, and then who met whom with which ratio. */
#include "lesson08_compare/html.h"

#include "lesson08_compare/verdicts.h"

static void badge(FILE *out, enum verdict_word word)
{
    static const char *const classes[] = { "confirmed", "open", "refuted", "open" };
    static const char *const signs[] = { "\xe2\x9c\x93", "?", "\xe2\x9c\x97", "?" };
    fprintf(out,
            "<span class=\"verdict %s\"><span aria-hidden=\"true\">%s</span> %s</span>",
            classes[word], signs[word], verdict_word_name(word));
}

static const char *by_words(const struct verdict_question *q)
{
    static const char *const names[] = { NULL, "CPU a request", "syscalls a request",
                                         "user instructions a request",
                                         "unequal shares" };
    return q->by == BY_METRIC ? verdict_by_name(q) : names[q->by];
}

static void question(const struct verdict_line *line, FILE *out)
{
    const struct verdict_question *q = line->question;
    fprintf(out, "<tr><th scope=\"row\"><a href=\"#row-%s\">%s</a> %s", q->row, q->row,
            by_words(q));
    if (q->driver)
        fprintf(out, ", %s", q->driver);
    fprintf(out, "%s</th><td>", line->with_marked ? "" : ", without *");
}

static void answer(const struct verdict_line *line, FILE *out)
{
    const struct verdict *v = &line->verdict;
    const struct verdict_question *q = line->question;
    badge(out, v->word);
    fputs("</td><td>", out);
    if (v->word == VERDICT_NONE) {
        fputs(line->with_marked ? "one side has no number" : "there is nobody else",
              out);
    } else {
        html_text(out, lab_contestants[v->ours].name);
        fputs(" over ", out);
        html_text(out, lab_contestants[v->theirs].name);
        fprintf(out, "%s: <b>%.2f</b> [%.2f..%.2f], at most %.2f",
                verdict_marked(lab_row_named(q->row), v->theirs) ? "*" : "",
                v->ratio.median, v->ratio.low, v->ratio.high, q->limit);
    }
    fputs("</td></tr>\n", out);
}

static void group(const struct verdict_group *group, const struct verdict_line *lines,
                  int n, FILE *out)
{
    if (n == 0)
        return;
    fprintf(out,
            "<tr class=\"topic\"><th colspan=\"3\" scope=\"rowgroup\">%s</th></tr>\n",
            group->title);
    for (int i = 0; i < n; i++) {
        question(&lines[i], out);
        answer(&lines[i], out);
    }
}

static void counts(const struct lab *lab, FILE *out)
{
    struct verdict_line lines[VERDICT_LINES_MAX];
    int words[VERDICT_WORDS] = { 0 };
    for (int g = 0; g < verdict_group_count; g++) {
        int n = verdicts_list(lab, &verdict_groups[g], lines);
        for (int i = 0; i < n; i++)
            words[lines[i].verdict.word]++;
    }
    fputs("<p>", out);
    for (int w = 0; w < VERDICT_WORDS; w++) {
        fprintf(out, "<span class=\"count\"><b>%d</b> ", words[w]);
        badge(out, (enum verdict_word)w);
        fputs("</span>", out);
    }
    fputs("</p>\n", out);
}

void html_verdicts(const struct lab *lab, FILE *out)
{
    struct verdict_line lines[VERDICT_LINES_MAX];
    fputs(
        "<section id=\"verdicts\"><h2>Ours against the best of the others</h2>\n<p>In "
        "each row our best cell over their best. Ahead or behind: the whole spread of "
        "the ratio lies on one side of the limit; the rest is not resolved. * does not "
        "do quite this work: glommio polls a child within spawn, Go and monoio/legacy "
        "read on the thread that runs tasks.</p>\n",
        out);
    counts(lab, out);
    fputs("<div class=\"box\"><table class=\"claims\"><thead><tr><th>Row, and by what"
          "</th><th>Verdict</th><th>Ratio</th></tr></thead><tbody>\n",
          out);
    for (int g = 0; g < verdict_group_count; g++)
        group(&verdict_groups[g], lines, verdicts_list(lab, &verdict_groups[g], lines),
              out);
    fputs("</tbody></table></div></section>\n", out);
}
