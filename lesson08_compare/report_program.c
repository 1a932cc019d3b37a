/* report_program: one table a row, the best first.
 *
 * Rows times contestants would be too wide for any screen, and nobody compares a spawn
 * with a timer anyway. The ratio is to the best peer, the runtime of others that did best
 * in this row: "as good as Tokio" is easy to claim in the row where Tokio does badly. */
#include "lesson08_compare/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS(name_, value_)                                                              \
    {                                                                                  \
        name_, value_, 1000                                                            \
    }

/* The column that decides, and two more that are worth a look beside it. */
const struct report_column *report_columns(int row)
{
    static const struct report_column cpu[] = { NS("CPU ns", lab_value_cpu),
                                                NS("user", NULL),
                                                NS("wall", lab_value_wall) };
    static const struct report_column wall[] = { NS("wall ns", lab_value_wall),
                                                 NS("CPU", lab_value_cpu),
                                                 NS("user", NULL) };
    static const struct report_column p50[] = { NS("p50 ns", lab_value_p50),
                                                NS("p99", lab_value_p99),
                                                NS("CPU", lab_value_cpu) };
    static const struct report_column p99[] = { NS("p99 ns", lab_value_p99),
                                                NS("p50", lab_value_p50),
                                                NS("CPU", lab_value_cpu) };
    static const struct report_column bytes[] = { { "bytes", lab_value_bytes, 1 },
                                                  NS("CPU ns", lab_value_cpu),
                                                  NS("wall", lab_value_wall) };
    static const struct report_column *const all[] = { cpu, wall, p50, p99, bytes };
    return all[lab_rows[row].metric];
}

static int better(const void *a, const void *b)
{
    const struct report_place *x = a, *y = b;
    return (x->spread.median > y->spread.median) -
           (x->spread.median < y->spread.median);
}

int report_rank(const struct lab *lab, int row,
                struct report_place places[LAB_CONTESTANTS_MAX])
{
    int n = 0;
    for (int c = 0; c < lab_contestant_count; c++) {
        struct spread spread = lab_spread(lab, row, c, report_metric(row));
        if (spread.count > 0)
            places[n++] = (struct report_place){ c, spread };
    }
    qsort(places, (size_t)n, sizeof *places, better);
    return n;
}

uint64_t report_n(const struct lab *lab, int row, int contestant)
{
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row == row && run->purpose == LAB_TIMED && run->n > 0 &&
            (contestant < 0 || run->contestant == contestant))
            return run->n;
    }
    return 0;
}

double report_column_of(const struct lab *lab, int row, int contestant,
                        const struct report_column *column)
{
    if (!column->value)
        return report_user(lab, row, contestant) * column->factor;
    struct spread spread = lab_spread(lab, row, contestant, column->value);
    return spread.count ? spread.median * column->factor : -1;
}

static void print_place(const struct lab *lab, int row,
                        const struct report_place *place,
                        const struct report_place *peer, bool instructions)
{
    const struct report_column *columns = report_columns(row);
    int c = place->contestant;
    char spread[40];
    double low = place->spread.low * columns[0].factor;
    double high = place->spread.high * columns[0].factor;
    printf("  %-13s", lab_contestants[c].name);
    report_print_number(place->spread.median * columns[0].factor, 9);
    snprintf(spread, sizeof spread, "[%.*f..%.*f]", low < 99.95 ? 1 : 0, low,
             high < 99.95 ? 1 : 0, high);
    printf(" %-19s", spread);
    for (int i = 1; i < 3; i++)
        report_print_number(report_column_of(lab, row, c, &columns[i]), 8);
    if (instructions) {
        struct spread counted = report_instructions(lab, row, c);
        report_print_number(counted.count ? counted.median : -1, 8);
    }
    if (peer && peer->contestant == c)
        printf("  the best peer");
    else if (peer)
        report_print_ratio(
            report_ratio(lab, row, c, peer->contestant, report_metric(row)),
            place->spread, peer->spread);
    if (report_n(lab, row, c) != report_n(lab, row, -1))
        printf(" n=%" PRIu64, report_n(lab, row, c));
    printf("\n");
}

static void print_failures(const struct lab *lab, int row)
{
    for (int c = 0; c < lab_contestant_count; c++) {
        const char *why = report_why_nothing(lab, row, c);
        if (why)
            printf("  %-13s does not count: %s\n", lab_contestants[c].name, why);
    }
}

void report_program_row(const struct lab *lab, int row)
{
    struct report_place places[LAB_CONTESTANTS_MAX];
    const struct report_place *peer = NULL;
    const struct report_column *columns = report_columns(row);
    const struct lab_row *r = &lab_rows[row];
    bool instructions = false;
    int n = report_rank(lab, row, places);
    for (int i = n - 1; i >= 0; i--) {
        if (lab_contestants[places[i].contestant].kind == LAB_PEER)
            peer = &places[i];
        if (report_instructions(lab, row, places[i].contestant).count > 0)
            instructions = true;
    }
    printf("\n%s: %s; n = %" PRIu64 ", a %s", r->name, r->title, report_n(lab, row, -1),
           r->op);
    report_print_rounds(lab, row);
    if (n > 0)
        printf("  %-13s %9s %-19s %8s %8s%s  %s\n", "", columns[0].name, "[spread]",
               columns[1].name, columns[2].name, instructions ? "    instr" : "",
               peer ? "to the best peer" : "(no peer is here)");
    for (int i = 0; i < n; i++)
        print_place(lab, row, &places[i], peer, instructions);
    print_failures(lab, row);
}

static void whole(double value, int width)
{
    if (value < 0)
        printf(" %*s", width, "-");
    else
        printf(" %*.0f", width, value);
}

void report_static_row(const struct lab *lab, int row)
{
    printf("\n%s: %s\n", lab_rows[row].name, lab_rows[row].title);
    printf("  %-13s %11s %13s %12s %14s\n", "", "build CPU s", "binary bytes",
           "its lines", "with all it needs");
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        if (run->row != row)
            continue;
        printf("  %-13s", lab_contestants[run->contestant].product);
        if (run->problem[0]) {
            printf(" %s\n", run->problem);
            continue;
        }
        whole(report_extra(run, "build_cpu_s"), 11);
        whole(report_extra(run, "binary_bytes"), 13);
        whole(report_extra(run, "own_lines"), 12);
        whole(report_extra(run, "all_lines"), 14);
        printf("\n");
    }
}
