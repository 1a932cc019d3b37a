/* lab_recorded: what can be said about a lab that was recorded.
 *
 * Nothing is measured. The machine that is named is the recorded one; only evidence that
 * is no measurement (a demo, a source) is looked for on this one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/errname.h"
#include "lesson08_compare/claims.h"
#include "lesson08_compare/html.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/lab_agree.h"
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

/* ---- two labs */

/* What the head line of a log says of this key; "" if there is none. */
static void head_text(const char *path, const char *key, char text[64])
{
    char line[4096];
    FILE *file = fopen(path, "re");
    text[0] = '\0';
    if (!file)
        return;
    if (fgets(line, sizeof line, file))
        json_get_text(line, key, text, 64);
    fclose(file);
}

static void print_difference(const char *first, const char *second, const char *key,
                             const char *sentence)
{
    char a[64], b[64];
    head_text(first, key, a);
    head_text(second, key, b);
    if (strcmp(a, b) != 0)
        printf("%s\n", sentence);
}

static void print_which(const struct lab *lab, const char *name, const char *path,
                        const struct recorded *recorded)
{
    printf("%s: %s, %d rounds, %d runs, %s\n", name, lab->machine.date, lab->rounds,
           lab->run_count, path);
    print_gaps(recorded);
}

int lab_main_agree(struct lab *lab, const char *first, const char *second)
{
    static struct lab other;
    struct recorded here, there;
    other = *lab; /* the same folders; the runs are each lab's own */
    other.runs = NULL;
    other.steps = NULL;
    other.run_count = other.run_room = other.step_count = 0;
    bool ok = read_lab(lab, first, &here) && read_lab(&other, second, &there);
    struct agree_result result = { 0 };
    if (ok) {
        print_which(lab, "the first lab", first, &here);
        print_which(&other, "the second", second, &there);
        print_difference(first, second, "plan",
                         "they had different plans: what only "
                         "one of them measured is not compared");
        print_difference(first, second, "machine", "they ran on different machines");
        print_difference(first, second, "programs",
                         "programs were built anew between them");
        result = agree_print(lab, &other);
    }
    lab_forget(&other);
    if (!ok)
        return EXIT_FAILURE;
    if (result.same + result.open + result.contradicted == 0)
        printf("\nthey have nothing in common on which they could agree\n");
    else
        printf("\n%s\n", result.contradicted ? "THEY CONTRADICT EACH OTHER"
                                             : "nothing in them contradicts the other");
    return result.same + result.open > 0 && result.contradicted == 0 ? EXIT_SUCCESS
                                                                     : EXIT_FAILURE;
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
