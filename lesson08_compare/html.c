/* html: the page from its first line to its last.
 *
 * The claims come first, since they are what a reader came for, and the verdicts on our
 * own runtime; then under which conditions all of it was measured; then the tables, which
 * are the evidence. */
#include "lesson08_compare/html.h"

#include <errno.h>
#include <string.h>

#include "lesson08_compare/claims.h"

void html_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '&')
            fputs("&amp;", out);
        else if (c == '<')
            fputs("&lt;", out);
        else if (c == '>')
            fputs("&gt;", out);
        else if (c == '"')
            fputs("&quot;", out);
        else if (c == '\'')
            fputs("&#39;", out);
        else if (c < ' ' || c == 127)
            fputc(' ', out);
        else
            fputc(c, out);
    }
}

static void head(const struct lab *lab, FILE *out)
{
    fputs("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n"
          "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
          "style-src 'unsafe-inline'\">\n<title>Runtimes compared, ",
          out);
    html_text(out, lab->machine.date);
    fprintf(out,
            "</title>\n<style>\n%s</style>\n</head>\n<body>\n"
            "<header><h1>Runtimes compared</h1>\n<p>%d runs of %s, ",
            html_style, lab->run_count,
            lab->full ? "the lab in full" : "the lab's short form");
    html_text(out, lab->machine.date);
    fputs(". Medians; a spread goes from ", out);
    fputs(lab->rounds < 5 ? "the smallest to the largest value"
                          : "the first to the third quartile",
          out);
    fputs(". Where spreads overlap, no difference is claimed.</p>\n", out);
}

static void contents(FILE *out)
{
    fputs("<nav aria-label=\"Contents\"><ul><li><a href=\"#claims\">Claims</a></li>"
          "<li><a href=\"#verdicts\">Ours and theirs</a></li>"
          "<li><a href=\"#how\">How we measured</a></li>"
          "<li><a href=\"#rows\">Tables and plots</a></li>"
          "<li><a href=\"#matrix\">Scheduler \xc3\x97 driver</a></li>"
          "</ul></nav></header>\n<main>\n",
          out);
}

/* ---- claims */

static const char *verdict_class(enum claim_verdict verdict)
{
    static const char *const names[] = { "confirmed", "refuted", "open" };
    return names[verdict];
}

static void badge(FILE *out, enum claim_verdict verdict)
{
    static const char *const signs[] = { "\xe2\x9c\x93", "\xe2\x9c\x97", "?" };
    fprintf(out, "<span class=\"verdict %s\"><span aria-hidden=\"true\">%s</span> %s",
            verdict_class(verdict), signs[verdict], claim_verdict_name(verdict));
    fputs("</span>", out);
}

static void claim_row(const struct claim *claim, const struct claim_result *result,
                      FILE *out)
{
    fputs("<tr><th scope=\"row\"><q>", out);
    html_text(out, claim->quote);
    fputs("</q><span class=\"id\">", out);
    html_text(out, claim->id);
    fputs("</span></th><td>", out);
    badge(out, result->verdict);
    fputs("</td><td><p>", out);
    html_text(out, result->why);
    fputs("</p>", out);
    if (claim->test != claim_untested) {
        fputs("<p class=\"soft\">Tested: ", out);
        html_text(out, claim->how);
        fputs(claim->remark ? ". Note: " : "", out);
        html_text(out, claim->remark ? claim->remark : "");
        fputs(".</p>", out);
    }
    fputs("</td></tr>\n", out);
}

static void claims_table(const struct lab *lab, FILE *out)
{
    struct claim_result results[64];
    int counts[CLAIM_VERDICTS] = { 0 };
    const char *topic = "";
    for (int i = 0; i < claim_count && i < 64; i++) {
        claim_judge(lab, &claims[i], &results[i]);
        counts[results[i].verdict]++;
    }
    fputs(
        "<section id=\"claims\"><h2>What the article says, and what these runs "
        "say</h2>\n<p>The course grew from an article of 2025. \xe2\x80\x9cRefuted\xe2"
        "\x80\x9d means: not so in these runs, with these versions, on this machine; "
        "it "
        "may have been true where it was written.</p>\n<p>",
        out);
    for (int v = 0; v < CLAIM_VERDICTS; v++) {
        fprintf(out, "<span class=\"count\"><b>%d</b> ", counts[v]);
        badge(out, (enum claim_verdict)v);
        fputs("</span>", out);
    }
    fputs("</p>\n<div class=\"box\"><table class=\"claims\"><thead><tr><th>Claim</th>"
          "<th>Verdict</th><th>Found</th></tr></thead><tbody>\n",
          out);
    for (int i = 0; i < claim_count && i < 64; i++) {
        if (strcmp(topic, claims[i].topic) != 0)
            fprintf(out, "<tr class=\"topic\"><th colspan=\"3\" scope=\"rowgroup\">%s",
                    topic = claims[i].topic);
        if (i == 0 || strcmp(claims[i - 1].topic, topic) != 0)
            fputs("</th></tr>\n", out);
        claim_row(&claims[i], &results[i], out);
    }
    fputs("</tbody></table></div></section>\n", out);
}

/* ---- how we measured */

static void fact(FILE *out, const char *name, const char *value)
{
    fprintf(out, "<dt>%s</dt><dd>", name);
    html_text(out, value);
    fputs("</dd>\n", out);
}

static void machine_facts(const struct lab *lab, FILE *out)
{
    const struct machine *m = &lab->machine;
    char text[400];
    fact(out, "Kernel", m->kernel);
    snprintf(text, sizeof text, "%s, %d CPUs", m->cpu, m->cpus);
    fact(out, "CPU", text);
    snprintf(text, sizeof text, "%s, %s", m->compiler, m->flags);
    fact(out, "Compiler", text);
    if (m->server_cpu == m->load_cpu)
        snprintf(text, sizeof text, "server and load generator share CPU %d",
                 m->server_cpu);
    else
        snprintf(
            text, sizeof text,
            "server on CPU %d, load generator on CPU %d; programs on CPU %d, or on "
            "both where it says so",
            m->server_cpu, m->load_cpu, m->server_cpu);
    fact(out, "Placement", text);
    snprintf(
        text, sizeof text,
        "%d, interleaved, but where a row says otherwise; a server is warmed up for "
        "%d ms and measured for %d ms; each run is a new process",
        lab->rounds, (int)lab->warmup_ms, (int)lab->measure_ms);
    fact(out, "Rounds", text);
}

static void disturbance_facts(const struct lab *lab, FILE *out)
{
    int disturbed = 0, dropped = 0, busy = 0;
    double others = 0;
    char text[400];
    for (int i = 0; i < lab->run_count; i++) {
        disturbed += lab->runs[i].attempts > 1;
        dropped += lab->runs[i].problem[0] != '\0';
        busy += lab->runs[i].others > 0.1;
        others = lab->runs[i].others > others ? lab->runs[i].others : others;
    }
    snprintf(text, sizeof text,
             "%d of %d runs were repeated because others used the CPUs, %d kept a "
             "disturbance of more than 10 %% (at most %.0f %%), %d do not count",
             disturbed, lab->run_count, busy, others * 100, dropped);
    fact(out, "Disturbed", text);
}

static void version_facts(const struct lab *lab, FILE *out)
{
    char last[64] = "";
    fputs("<dt>Versions</dt><dd>", out);
    for (int c = 0; c < lab_contestant_count; c++) {
        const struct lab_offer *offer = &lab->offers[c];
        if (!offer->version[0] || strcmp(offer->version, last) == 0)
            continue;
        fputs(last[0] ? "; " : "", out);
        html_text(out, offer->version);
        snprintf(last, sizeof last, "%s", offer->version);
    }
    fputs("</dd>\n", out);
}

static void missing_facts(const struct lab *lab, FILE *out)
{
    char text[220];
    for (int c = 0; c < lab_contestant_count; c++)
        if (lab->offers[c].problem[0]) {
            snprintf(text, sizeof text, "%s: %s", lab_contestants[c].name,
                     lab->offers[c].problem);
            fact(out, "Not there", text);
        }
}

static void how(const struct lab *lab, FILE *out)
{
    fputs("<section id=\"how\"><h2>How we measured</h2>\n<dl>\n", out);
    machine_facts(lab, out);
    version_facts(lab, out);
    missing_facts(lab, out);
    disturbance_facts(lab, out);
    fact(out, "Plots",
         html_can_plot() ? "by gnuplot"
                         : "none: gnuplot is not installed (make setup); the tables "
                           "hold the same numbers");
    fputs(
        "</dl>\n<p>CPU time is the contestant's own, from the kernel's clock of its "
        "process. Whoever stands on epoll is divided by the raw epoll loop, whoever "
        "stands on io_uring by the raw io_uring loop. \xe2\x80\x9c~\xe2\x80\x9d marks "
        "a difference that is not resolved, \xe2\x80\x9c&gt;\xe2\x80\x9d a row in "
        "which the load generator was the limit.</p></section>\n",
        out);
}

bool html_page(const struct lab *lab, FILE *out)
{
    head(lab, out);
    contents(out);
    claims_table(lab, out);
    html_verdicts(lab, out);
    how(lab, out);
    html_groups(lab, out);
    html_matrix(lab, out);
    fputs("</main>\n</body>\n</html>\n", out);
    return !ferror(out);
}

int html_save(const struct lab *lab)
{
    char path[700];
    snprintf(path, sizeof path, "%s/report.html", lab->folder);
    FILE *out = fopen(path, "we");
    if (!out)
        return -errno;
    int err = html_page(lab, out) ? 0 : -EIO;
    if (fclose(out) != 0)
        err = -errno; /* tries once more, and knows the reason */
    if (err == 0)
        printf("as a page: %s\n", path);
    return err;
}
