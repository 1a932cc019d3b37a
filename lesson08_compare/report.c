/* report: the tables on the screen, and what they entitle us to say.
 *
 * Plain text, at most 100 columns, no colours: a table is copied into a mail as it is.
 * Everything is computed from the runs, so that a recorded lab prints the same again. */
#include "lesson08_compare/report.h"

#include <stdio.h>
#include <string.h>

#include "lesson08_compare/verdicts.h"

void report_print_number(double value, int width)
{
    if (value < 0)
        printf(" %*s", width, "-");
    else
        printf(" %*.*f", width, value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value);
}

/* The first contestant with the same program. */
static bool is_first(int contestant)
{
    for (int c = 0; c < contestant; c++)
        if (lab_contestants[c].program &&
            strcmp(lab_contestants[c].program, lab_contestants[contestant].program) ==
                0)
            return false;
    return true;
}

void report_contestants(const struct lab *lab)
{
    for (int c = 0; c < lab_contestant_count; c++) {
        const struct lab_offer *offer = &lab->offers[c];
        const char *program = lab_contestants[c].program;
        if (!program || !is_first(c))
            continue;
        if (offer->problem[0])
            printf("  %-15s missing: %s\n", program, offer->problem);
        else if (offer->version[0])
            printf("  %-15s %s\n", program, offer->version);
    }
}

static void print_disturbances(const struct lab *lab)
{
    int repeated = 0, dropped = 0;
    double stolen = 0, others = 0;
    for (int i = 0; i < lab->run_count; i++) {
        const struct lab_run *run = &lab->runs[i];
        repeated += run->attempts - 1;
        dropped += run->problem[0] != '\0';
        stolen = run->stolen > stolen ? run->stolen : stolen;
        others = run->others > others ? run->others : others;
    }
    printf("\n%d runs; %d repeated because the machine was disturbed; %d do not count\n"
           "most time stolen in a run %.0f %%, used by others %.0f %%\n",
           lab->run_count, repeated, dropped, stolen * 100, others * 100);
    if (lab->repeats_left <= 0 && repeated > 0)
        printf("the machine was too busy to repeat every disturbed run: read the "
               "spreads, not the medians\n");
}

void lab_report(const struct lab *lab)
{
    printf("\n%d rounds, interleaved; medians; [spread]: %s\n", lab->rounds,
           lab->rounds < 5 ? "smallest to largest" : "first to third quartile");
    printf(
        "~ no difference resolved: the spreads overlap, or that of the ratio "
        "includes 1\n"
        "> the load generator was over 90 %% busy: the server can do more than this\n");
    for (int row = 0; row < lab_row_count; row++) {
        if (!lab_has_runs(lab, row, -1))
            continue;
        if (lab_rows[row].kind == LAB_SERVER)
            report_server_row(lab, row);
        else if (lab_rows[row].kind == LAB_PROGRAM)
            report_program_row(lab, row);
        else
            report_static_row(lab, row);
    }
    report_matrix(lab);
    report_limits(lab);
    verdicts_print(lab);
    print_disturbances(lab);
}
