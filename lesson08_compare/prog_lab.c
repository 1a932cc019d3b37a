/* lab: drives every contestant through the same work, and compares them.
 *
 * Exit status: 0 when the table stands, 1 when nothing could be measured or it was
 * interrupted, 2 for wrong options. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/container.h"
#include "lesson08_compare/lab_main.h"
#include "lesson08_compare/process.h"

#define EXIT_USAGE 2

static const char help[] =
    "usage: lab [--short | --full] [--resume] [--rounds N] [--only PATTERN] ...\n\n"
    "Puts our runtime, in every cell of {current, steal, core} x {epoll, uring}, "
    "servers\n"
    "and programs without a runtime, and the peers that are built (make peers) "
    "through\n"
    "the same work, and compares them.\n\n"
    "  --short         the rows that fit into about four minutes (default)\n"
    "  --full          all rows, larger work, more rounds: an hour\n"
    "  --resume        goes on with the newest lab of the same plan that was "
    "interrupted,\n"
    "                  or begins a new one\n"
    "  --rounds N      1 to 100, of every row (3; with --full 7, and 5 of the rows "
    "on which\n"
    "                  no verdict and no claim hangs)\n"
    "  --only PATTERN  only runs whose \" ROW CONTESTANT\" contains PATTERN, or one "
    "of\n"
    "                  several with commas between; each may contain * and ?; the raw\n"
    "                  loop to compare with is added\n"
    "  --measure MS    measured time of a server's run (250; with --full 300)\n"
    "  --instructions  counts instructions as well, if valgrind is there (--full "
    "does)\n"
    "  --bin FOLDER    where our programs that compete are (beside the lab itself)\n"
    "  --weigh FILE    the program for the row of compile times and sizes "
    "(tools/weigh)\n"
    "  --report FILE   prints the tables of a recorded lab (its runs.jsonl)\n"
    "  --claims FILE   what the course's article says, against a recorded lab\n"
    "  --agree A B     do two recorded labs agree? 1 if a verdict or a claim of one "
    "contradicts\n"
    "                  the other's\n"
    "  --plan          what would be measured, and how long that takes, a line a row\n"
    "  --html FILE     a recorded lab as one page for a browser, on stdout\n"
    "  --which         asks five questions and names a runtime\n"
    "  --answers A,B,C,D,E  the same, answered in advance\n"
    "  --list          rows and contestants, and which of them are there\n"
    "  --help          this text\n\n"
    "Example: lab --only 'echo-64 steal/*' --rounds 5\n";

static void on_signal(int sig)
{
    (void)sig;
    process_interrupted = 1;
}

/* No SA_RESTART: a wait that a signal interrupts is to come back and see it. */
static void catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static bool number(const char *name, uint64_t low, uint64_t high, uint64_t *value)
{
    if (workload_parse_number(optarg, low, high, value))
        return true;
    fprintf(stderr, "lab: --%s takes %" PRIu64 " to %" PRIu64 ", not '%s'\n", name, low,
            high, optarg);
    return false;
}

enum action {
    ACTION_RUN,
    ACTION_LIST,
    ACTION_REPORT,
    ACTION_CLAIMS,
    ACTION_HTML,
    ACTION_AGREE,
    ACTION_PLAN,
    ACTION_WHICH,
    ACTION_HELP
};

struct options {
    enum action action;
    bool resume;
    const char *report;  /* the recorded lab */
    const char *second;  /* the other one, of --agree */
    const char *answers; /* to --which; NULL: it asks */
    uint64_t rounds, measure;
};

/* What is to be done instead of a lab; false for a wrong option, and getopt_long has
 * said why. */
static bool take_action(int option, struct options *options)
{
    static const struct {
        int option;
        enum action action;
    } actions[] = {
        { 'p', ACTION_REPORT }, { 'k', ACTION_CLAIMS }, { 't', ACTION_HTML },
        { 'g', ACTION_AGREE },  { 'n', ACTION_PLAN },   { 'a', ACTION_WHICH },
        { 'q', ACTION_WHICH },  { 'l', ACTION_LIST },   { 'h', ACTION_HELP },
    };
    for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
        if (actions[i].option != option)
            continue;
        options->action = actions[i].action;
        if (option == 'a')
            options->answers = optarg;
        else if (optarg)
            options->report = optarg;
        return true;
    }
    return false;
}

/* False for a wrong option. */
static bool take_option(int option, struct options *options, struct lab *lab)
{
    switch (option) {
    case 's':
    case 'f':
        lab->full = option == 'f';
        return true;
    case 'c':
        options->resume = true;
        return true;
    case 'r':
        return number("rounds", 1, STATS_MAX, &options->rounds);
    case 'm':
        return number("measure", 10, 3600000, &options->measure);
    case 'o':
        lab->only = optarg;
        return true;
    case 'i':
        lab->instructions = true;
        return true;
    case 'b':
        lab->programs = optarg;
        return true;
    case 'w':
        lab->weigh = optarg;
        return true;
    default:
        return take_action(option, options);
    }
}

static bool parse_options(int argc, char **argv, struct options *options,
                          struct lab *lab)
{
    static const struct option known[] = {
        { "short", no_argument, NULL, 's' },
        { "full", no_argument, NULL, 'f' },
        { "resume", no_argument, NULL, 'c' },
        { "rounds", required_argument, NULL, 'r' },
        { "only", required_argument, NULL, 'o' },
        { "measure", required_argument, NULL, 'm' },
        { "instructions", no_argument, NULL, 'i' },
        { "bin", required_argument, NULL, 'b' },
        { "weigh", required_argument, NULL, 'w' },
        { "report", required_argument, NULL, 'p' },
        { "claims", required_argument, NULL, 'k' },
        { "html", required_argument, NULL, 't' },
        { "agree", required_argument, NULL, 'g' },
        { "plan", no_argument, NULL, 'n' },
        { "which", no_argument, NULL, 'q' },
        { "answers", required_argument, NULL, 'a' },
        { "list", no_argument, NULL, 'l' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (!take_option(option, options, lab))
            return false;
    if (options->action == ACTION_AGREE && optind < argc)
        options->second = argv[optind++];
    if (options->action == ACTION_AGREE && !options->second) {
        fprintf(stderr, "lab: --agree takes two files\n");
        return false;
    }
    if (optind < argc) {
        fprintf(stderr, "lab: unexpected argument '%s'\n", argv[optind]);
        return false;
    }
    lab_main_defaults(lab, options->rounds, options->measure);
    return true;
}

static int act(struct lab *lab, const struct options *options)
{
    if (!lab_main_find_folders(lab))
        return EXIT_FAILURE;
    switch (options->action) {
    case ACTION_REPORT:
        return lab_main_report(lab, options->report);
    case ACTION_CLAIMS:
        return lab_main_claims(lab, options->report);
    case ACTION_HTML:
        return lab_main_html(lab, options->report);
    case ACTION_AGREE:
        return lab_main_agree(lab, options->report, options->second);
    case ACTION_PLAN:
        return lab_main_plan(lab);
    case ACTION_WHICH:
        return lab_main_which(lab, options->answers);
    case ACTION_LIST:
        lab_main_list(lab);
        return EXIT_SUCCESS;
    case ACTION_RUN:
    case ACTION_HELP:
        break;
    }
    return lab_main_run(lab, options->resume);
}

int main(int argc, char **argv)
{
    static struct lab lab;
    struct options options = { .action = ACTION_RUN };
    if (!parse_options(argc, argv, &options, &lab)) {
        fprintf(stderr, "lab: --help says what there is\n");
        return EXIT_USAGE;
    }
    if (options.action == ACTION_HELP) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    catch_signals();
    atexit(process_kill_all);
    int status = act(&lab, &options);
    lab_forget(&lab);
    return status;
}
