/* lab_recorded: what can be said about a lab that was recorded.
 *
 * Nothing is measured. The machine that is named is the recorded one; only evidence that
 * is no measurement (a demo, a source) is looked for on this one. */
#include <stdio.h>
#include <stdlib.h>

#include "common/errname.h"
#include "lesson08_compare/claims.h"
#include "lesson08_compare/html.h"
#include "lesson08_compare/lab_main.h"
#include "lesson08_compare/report.h"
#include "lesson08_compare/runlog.h"
#include "lesson08_compare/which.h"

void lab_main_print_machine(const struct lab *lab)
{
    const struct machine *m = &lab->machine;
    printf("%s; %s, %d CPUs\n%s, %s; %s\n", m->kernel, m->cpu, m->cpus, m->compiler,
           m->flags, m->date);
    if (m->server_cpu == m->load_cpu)
        printf("shared core: server and load generator share one CPU, so requests a "
               "second\nmeasure both; CPU a request still is the server's own\n");
    else
        printf("server on CPU %d, load generator on CPU %d; programs on CPU %d, or on "
               "both where it says so\n",
               m->server_cpu, m->load_cpu, m->server_cpu);
}

struct recorded {
    int unknown; /* runs that nobody knows */
    bool ended;
};

/* False after a sentence. */
static bool read_lab(struct lab *lab, const char *path, struct recorded *recorded)
{
    recorded->unknown = runlog_read(lab, path, &recorded->ended);
    if (recorded->unknown < 0)
        fprintf(stderr, "lab: cannot read %s: %s\n", path, errtext(recorded->unknown));
    else if (lab->run_count == 0)
        fprintf(stderr, "lab: there are no runs in %s\n", path);
    lab->repeats_left = 1; /* nobody knows any more */
    return recorded->unknown >= 0 && lab->run_count > 0;
}

static void print_gaps(const struct recorded *recorded)
{
    if (recorded->unknown > 0)
        printf("%d runs are of rows or contestants that this lab does not know\n",
               recorded->unknown);
    if (!recorded->ended)
        printf("this lab was not complete\n");
}

int lab_main_report(struct lab *lab, const char *path)
{
    struct recorded recorded;
    if (!read_lab(lab, path, &recorded))
        return EXIT_FAILURE;
    lab_main_print_machine(lab);
    report_contestants(lab);
    lab_report(lab);
    claims_print_short(lab);
    print_gaps(&recorded);
    return EXIT_SUCCESS;
}

int lab_main_claims(struct lab *lab, const char *path)
{
    struct recorded recorded;
    if (!read_lab(lab, path, &recorded))
        return EXIT_FAILURE;
    lab_main_print_machine(lab);
    claims_print(lab);
    print_gaps(&recorded);
    return EXIT_SUCCESS;
}

/* stdout is the page and nothing else. */
int lab_main_html(struct lab *lab, const char *path)
{
    struct recorded recorded;
    if (!read_lab(lab, path, &recorded))
        return EXIT_FAILURE;
    if (html_page(lab, stdout) && fflush(stdout) == 0)
        return EXIT_SUCCESS;
    fprintf(stderr, "lab: cannot write the page\n");
    return EXIT_FAILURE;
}

int lab_main_which(struct lab *lab, const char *text)
{
    int answers[WHICH_QUESTIONS];
    char problem[200];
    bool understood = text ? which_take(text, answers, problem)
                           : which_ask(stdin, stdout, answers, problem);
    if (!understood) {
        fprintf(stderr, "lab: %s\n", problem);
        return EXIT_FAILURE;
    }
    which_load(lab);
    which_print(lab, which_decide(answers), stdout);
    return EXIT_SUCCESS;
}
