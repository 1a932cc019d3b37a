/* html_tables: the rows in groups, each with a picture and its numbers beside it. */
#include <string.h>

#include "common/container.h"
#include "lesson08_compare/html.h"

/* ---- cells */

static int digits(double value)
{
    return value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
}

void html_cell(FILE *out, double value)
{
    if (value < 0)
        fputs("<td></td>", out);
    else
        fprintf(out, "<td>%.*f</td>", digits(value), value);
}

void html_spread_cell(FILE *out, struct spread spread)
{
    if (spread.count == 0)
        fputs("<td></td>", out);
    else
        fprintf(out, "<td>%.*f [%.*f..%.*f]</td>", digits(spread.median), spread.median,
                digits(spread.low), spread.low, digits(spread.high), spread.high);
}

void html_table_begin(FILE *out, const char *name, const char *heads)
{
    fprintf(out, "<div class=\"box\" role=\"region\" tabindex=\"0\" aria-label=\"");
    html_text(out, name);
    fputs("\"><table><thead><tr>", out);
    while (*heads) {
        int length = (int)strcspn(heads, "|");
        fprintf(out, "<th scope=\"col\">%.*s</th>", length, heads);
        heads += length + (heads[length] == '|');
    }
    fputs("</tr></thead><tbody>\n", out);
}

void html_table_end(FILE *out)
{
    fputs("</tbody></table></div>\n", out);
}

static void name_cell(FILE *out, const char *name)
{
    fputs("<tr><th scope=\"row\">", out);
    html_text(out, name);
    fputs("</th>", out);
}

static struct spread scaled(struct spread spread, double factor)
{
    spread.low *= factor;
    spread.median *= factor;
    spread.high *= factor;
    return spread;
}

/* A ratio, with the mark where nothing is resolved. */
static void ratio_cell(FILE *out, struct spread ratio, struct spread a, struct spread b)
{
    if (ratio.count == 0) {
        fputs("<td></td>", out);
        return;
    }
    bool resolved = stats_differs_from_one(ratio) && !stats_overlap(a, b);
    fprintf(out, "<td>%.*f [%.*f..%.*f]%s</td>", digits(ratio.median), ratio.median,
            digits(ratio.low), ratio.low, digits(ratio.high), ratio.high,
            resolved ? "" : " ~");
}

static double median(struct spread spread)
{
    return spread.count ? spread.median : -1;
}

static double memory_idle(const struct lab_run *run)
{
    return report_extra(run, "idle_bytes");
}

static double memory_loaded(const struct lab_run *run)
{
    return report_extra(run, "loaded_bytes");
}

/* ---- server rows */

static void server_line(const struct lab *lab, int row, int c, bool counted, FILE *out)
{
    struct spread cpu = lab_spread(lab, row, c, lab_value_cpu);
    struct spread rate = lab_spread(lab, row, c, lab_value_per_second);
    int raw = lab_contestants[c].baseline;
    bool at_limit = median(lab_spread(lab, row, c, lab_value_at_limit)) > 0;
    name_cell(out, lab_contestants[c].name);
    html_spread_cell(out, cpu);
    if (c == raw)
        fputs("<td></td>", out);
    else
        ratio_cell(out, report_ratio(lab, row, c, raw, lab_value_cpu), cpu,
                   lab_spread(lab, row, raw, lab_value_cpu));
    if (rate.count)
        fprintf(out, "<td>%s%.0f</td>", at_limit ? "&gt; " : "", rate.median);
    else
        fputs("<td></td>", out);
    html_cell(out, median(report_syscalls(lab, row, c)));
    if (counted)
        html_cell(out, median(report_instructions(lab, row, c)));
    html_spread_cell(out, lab_spread(lab, row, c, lab_value_p50));
    html_spread_cell(out, lab_spread(lab, row, c, lab_value_p99));
    html_cell(out, median(lab_spread(lab, row, c, lab_value_p999)));
    html_cell(out, median(lab_spread(lab, row, c, lab_value_fairness)));
    html_cell(out, median(lab_spread(lab, row, c, lab_value_busy)));
    html_cell(out, median(scaled(lab_spread(lab, row, c, memory_idle), 1.0 / 1024)));
    html_cell(out, median(scaled(lab_spread(lab, row, c, memory_loaded), 1.0 / 1024)));
    fputs("</tr>\n", out);
}

static void server_table(const struct lab *lab, int row, FILE *out)
{
    char heads[160];
    bool counted = report_has_instructions(lab, row);
    snprintf(heads, sizeof heads,
             "|CPU us|/ raw loop's|req/s|syscalls%s|p50 us|p99 us|p99.9 us|fair|load|"
             "idle KiB|loaded KiB",
             counted ? "|user instructions" : "");
    html_table_begin(out, lab_rows[row].title, heads);
    for (int c = 0; c < lab_contestant_count; c++)
        if (lab_has_runs(lab, row, c) && !report_why_nothing(lab, row, c))
            server_line(lab, row, c, counted, out);
    html_table_end(out);
}

/* ---- program rows */

static void program_table(const struct lab *lab, int row, FILE *out)
{
    struct report_place places[LAB_CONTESTANTS_MAX];
    const struct report_column *columns = report_columns(row);
    const struct report_place *peer = NULL;
    char heads[160];
    int n = report_rank(lab, row, places);
    for (int i = n - 1; i >= 0; i--)
        if (lab_contestants[places[i].contestant].kind == LAB_PEER)
            peer = &places[i];
    bool counted = report_has_instructions(lab, row);
    snprintf(heads, sizeof heads, "|%s|/ best peer's|%s|%s%s", columns[0].name,
             columns[1].name, columns[2].name, counted ? "|instructions" : "");
    html_table_begin(out, lab_rows[row].title, heads);
    for (int i = 0; i < n; i++) {
        int c = places[i].contestant;
        name_cell(out, lab_contestants[c].name);
        html_spread_cell(out, scaled(places[i].spread, columns[0].factor));
        if (!peer || peer->contestant == c)
            fputs(peer ? "<td>1</td>" : "<td></td>", out);
        else
            ratio_cell(out,
                       report_ratio(lab, row, c, peer->contestant, report_metric(row)),
                       places[i].spread, peer->spread);
        html_cell(out, report_column_of(lab, row, c, &columns[1]));
        html_cell(out, report_column_of(lab, row, c, &columns[2]));
        if (counted)
            html_cell(out, median(report_instructions(lab, row, c)));
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

static void static_table(const struct lab *lab, int row, FILE *out)
{
    static const char *const names[] = { "build_cpu_s", "binary_bytes", "own_lines",
                                         "all_lines", "crates" };
    html_table_begin(
        out, lab_rows[row].title,
        "|build, CPU s|binary, bytes|its lines|with all it needs|packages");
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row != row || run->problem[0])
            continue;
        name_cell(out, lab_contestants[run->contestant].product);
        for (size_t k = 0; k < ARRAY_SIZE(names); k++)
            html_cell(out, report_extra(run, names[k]));
        fputs("</tr>\n", out);
    }
    html_table_end(out);
}

/* ---- a row */

static void reason(FILE *out, int contestant, const char *what, const char *why)
{
    if (!why)
        return;
    fputs("<p class=\"soft\">", out);
    html_text(out, lab_contestants[contestant].name);
    fprintf(out, " %s: ", what);
    html_text(out, why);
    fputs("</p>\n", out);
}

/* Whoever does not count, or was not counted, with the reason. */
static void failures(const struct lab *lab, int row, FILE *out)
{
    bool counted = report_has_instructions(lab, row);
    for (int c = 0; c < lab_contestant_count; c++)
        reason(out, c, "does not count", report_why_nothing(lab, row, c));
    for (int c = 0; c < lab_contestant_count && counted; c++)
        reason(out, c, "has no instructions", report_why_no_instructions(lab, row, c));
}

/* Somebody without a runtime, for the line. */
static bool has_limit(const struct lab *lab, int row)
{
    for (int c = 0; c < lab_contestant_count; c++)
        if (lab_has_runs(lab, row, c) && !report_why_nothing(lab, row, c) &&
            (lab_contestants[c].kind == LAB_LIMIT ||
             strcmp(lab_contestants[c].name, "raw-epoll") == 0))
            return true;
    return false;
}

static void figure(const struct lab *lab, int row, const struct html_axis *axis,
                   FILE *out)
{
    fputs("<figure>", out);
    if (html_can_plot() && !html_plot(lab, row, axis, out))
        fputs("<p class=\"soft\">gnuplot gave no picture of this row.</p>", out);
    fprintf(out, "<figcaption>%s, %s", axis->name, axis->unit);
    if (has_limit(lab, row))
        fprintf(out, "; the dashed line: %s",
                lab_rows[row].kind == LAB_SERVER ? "the raw epoll loop"
                                                 : "the best without a runtime");
    fputs("</figcaption></figure>\n", out);
}

void html_row(const struct lab *lab, int row, FILE *out)
{
    const struct lab_row *r = &lab_rows[row];
    fprintf(out, "<article id=\"row-%s\"><h3>%s: ", r->name, r->name);
    html_text(out, r->title);
    if (r->kind != LAB_STATIC && report_rounds(lab, row) != lab->rounds)
        fprintf(out, " (rounds: %d)", report_rounds(lab, row));
    fputs("</h3>\n", out);
    if (r->kind == LAB_STATIC)
        static_table(lab, row, out);
    else {
        struct html_axis axis = html_axis(lab, row);
        fputs("<div class=\"row\"><div>", out);
        figure(lab, row, &axis, out);
        if (r->of_peak > 0) {
            struct html_axis tail = { lab_value_p99, "p99 latency", "us", 1 };
            figure(lab, row, &tail, out);
        }
        fputs("</div>\n<div>", out);
        if (r->kind == LAB_SERVER)
            server_table(lab, row, out);
        else
            program_table(lab, row, out);
        fputs("</div></div>\n", out);
    }
    failures(lab, row, out);
    fputs("</article>\n", out);
}

/* ---- groups */

enum group { ECHO, HTTP, ONE, TWO, TIMERS, MEMORY, FILES, WAKE, FOOTPRINT, GROUPS };

static enum group group_of(int row)
{
    const struct lab_row *r = &lab_rows[row];
    if (r->kind == LAB_STATIC)
        return FOOTPRINT;
    if (r->kind == LAB_SERVER)
        return r->proto == WORKLOAD_HTTP ? HTTP : ECHO;
    if (strncmp(r->workload, "timer", 5) == 0)
        return TIMERS;
    if (strcmp(r->workload, "parked") == 0)
        return MEMORY;
    if (strcmp(r->group, "reads") == 0)
        return FILES;
    if (r->metric == LAB_BY_P50 || r->metric == LAB_BY_WALL)
        return WAKE;
    return r->workers > 1 ? TWO : ONE;
}

static void group(const struct lab *lab, enum group which, const char *title, FILE *out)
{
    bool headed = false;
    for (int row = 0; row < lab_row_count; row++) {
        if (group_of(row) != which || !lab_has_runs(lab, row, -1))
            continue;
        if (!headed)
            fprintf(out, "<section><h2>%s</h2>\n", title);
        headed = true;
        html_row(lab, row, out);
    }
    if (headed)
        fputs("</section>\n", out);
}

void html_groups(const struct lab *lab, FILE *out)
{
    static const char *const titles[GROUPS] = {
        [ECHO] = "Echo servers",
        [HTTP] = "HTTP servers",
        [ONE] = "Scheduler, one worker",
        [TWO] = "Scheduler, two workers",
        [TIMERS] = "Timers",
        [MEMORY] = "Memory",
        [FILES] = "Files",
        [WAKE] = "Wake, jitter and start",
        [FOOTPRINT] = "Footprint",
    };
    fputs("<p id=\"rows\" class=\"soft\">In the plots, less is better; a bar is the "
          "median, the thin line its spread.",
          out);
    fputs(" <span class=\"count\"><span class=\"key\" style=\"background:#3b82c4\">"
          "</span>ours</span><span class=\"count\"><span class=\"key\" "
          "style=\"background:#c97a1b\"></span>peers</span><span class=\"count\">"
          "<span class=\"key\" style=\"background:#87909b\"></span>without a "
          "runtime</span></p>\n",
          out);
    for (int g = 0; g < GROUPS; g++)
        group(lab, (enum group)g, titles[g], out);
}

void html_matrix(const struct lab *lab, FILE *out)
{
    fputs(
        "<section id=\"matrix\"><h2>Scheduler \xc3\x97 driver</h2>\n<p>Our runtime in "
        "its six cells: CPU of one operation, medians, us a request and ns anything "
        "else. On the right what one change does: the geometric mean of the ratios in "
        "which only that factor differs.</p>\n",
        out);
    html_table_begin(out, "scheduler x driver",
                     "|current/epoll|steal/epoll|core/epoll|current/uring|steal/uring|"
                     "core/uring|current to steal|current to core|epoll to io_uring");
    for (int row = 0; row < lab_row_count; row++) {
        struct report_matrix m = report_matrix_of(lab, row);
        if (m.known < 3)
            continue;
        name_cell(out, lab_rows[row].name);
        for (int d = 0; d < 2; d++)
            for (int s = 0; s < 3; s++)
                html_cell(out, m.at[s][d] > 0 ? m.at[s][d] : -1);
        html_cell(out, m.steal > 0 ? m.steal : -1);
        html_cell(out, m.core > 0 ? m.core : -1);
        html_cell(out, m.uring > 0 ? m.uring : -1);
        fputs("</tr>\n", out);
    }
    html_table_end(out);
    fputs("</section>\n", out);
}
