/* work_options: the command line of WORKLOADS.md, and main.
 *
 * Three ways to be wrong are kept apart by the exit status, since the lab asks every
 * program for everything: a word that nobody knows (2) is a mistake in the lab, a pair
 * that is not offered (3) is a hole in the table, and whatever else fails (1) is news. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/container.h"
#include "common/errname.h"
#include "common/option_word.h"
#include "lesson08_compare/work.h"
#include "lesson08_compare/workload.h"

enum { STATUS_WRONG = 2, STATUS_NOT_OFFERED = 3 };

/* Every name on the page: "not offered" is said of these only. */
static const char *const workloads[] = {
    "spawn", "spawn-idle", "spawn-busy", "remote-spawn", "yield",          "ping-pong",
    "chain", "round-trip", "mpsc",       "fib",          "skynet",         "tree",
    "wake",  "timers",     "parked",     "jitter",       "timer-churn",    "startup",
    "read",  "hog",        "echo",       "http",         "mpsc-contended",
};
static const char *const demos[] = { "panic", "cancel", "drop", "mix" };

static bool known(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool is_demo(const struct work_offer *offer)
{
    return offer->n == 0;
}

static const struct work_offer *find_offer(const struct work_program *program,
                                           const struct work *work)
{
    const char *name = work->demo ? work->demo : work->workload;
    for (size_t i = 0; i < program->offer_count; i++) {
        const struct work_offer *offer = &program->offers[i];
        if (strcmp(offer->name, name) == 0 && is_demo(offer) == (work->demo != NULL) &&
            offer->modes & 1u << work->mode_index)
            return offer;
    }
    return NULL;
}

static void print_list(const struct work_program *program)
{
    for (unsigned mode = 0; program->modes[mode]; mode++)
        for (size_t i = 0; i < program->offer_count; i++)
            if (!is_demo(&program->offers[i]) && program->offers[i].modes & 1u << mode)
                printf("%s %s\n", program->modes[mode], program->offers[i].name);
}

static bool find_mode(const struct work_program *program, struct work *work)
{
    for (unsigned i = 0; program->modes[i]; i++)
        if (strcmp(program->modes[i], work->mode) == 0) {
            work->mode_index = i;
            return true;
        }
    return false;
}

/* One sentence: 'word' and what is wrong with it. */
static int wrong(const struct work_program *program, const char *word, const char *what)
{
    fprintf(stderr, "%s: '%s' %s\n", program->name, word, what);
    return STATUS_WRONG;
}

static const struct option options[] = {
    { "list", no_argument, NULL, 'l' },
    { "version", no_argument, NULL, 'v' },
    { "mode", required_argument, NULL, 'm' },
    { "workload", required_argument, NULL, 'w' },
    { "demo", required_argument, NULL, 'd' },
    { "workers", required_argument, NULL, 'W' },
    { "n", required_argument, NULL, 'n' },
    { "threads", required_argument, NULL, 'T' },
    { "depth", required_argument, NULL, 'D' },
    { "file", required_argument, NULL, 'f' },
    { "direct", no_argument, NULL, 'o' },
    { "since", required_argument, NULL, 's' },
    { "port", required_argument, NULL, 'p' },
    { "stats", no_argument, NULL, 'S' },
    { NULL, 0, NULL, 0 },
};

/* NULL: taken; else what is wrong with the value. */
static const char *take(struct work *work, int option)
{
    static uint64_t port; /* for servers only, which `echo` and `httpd` are */
    switch (option) {
    case 'm':
        work->mode = optarg;
        return NULL;
    case 'w':
        work->workload = optarg;
        return known(workloads, ARRAY_SIZE(workloads), optarg) ? NULL
                                                               : "is no workload";
    case 'd':
        work->demo = optarg;
        return known(demos, ARRAY_SIZE(demos), optarg) ? NULL : "is no demo";
    case 'W':
        return workload_parse_number(optarg, 1, 1024, &work->workers)
                   ? NULL
                   : "is no number of workers, 1 to 1024";
    case 'n':
        return workload_parse_number(optarg, 1, UINT64_C(1) << 40, &work->n)
                   ? NULL
                   : "is no amount of work, 1 or more";
    case 'T':
        return workload_parse_number(optarg, 1, 1024, &work->threads)
                   ? NULL
                   : "is no number of threads, 1 to 1024";
    case 'D':
        return workload_parse_number(optarg, 1, 4096, &work->depth)
                   ? NULL
                   : "is no number of reads in flight, 1 to 4096";
    case 's':
        return workload_parse_number(optarg, 1, UINT64_MAX, &work->since)
                   ? NULL
                   : "is no time of CLOCK_MONOTONIC in nanoseconds";
    case 'p':
        return workload_parse_number(optarg, 0, 65535, &port)
                   ? NULL
                   : "is no port, 0 to 65535";
    case 'f':
        work->file = optarg;
        return NULL;
    case 'o':
        work->direct = true;
        return NULL;
    default:
        return NULL; /* --stats: for servers only */
    }
}

/* -1: go on; else the exit status. */
static int parse(const struct work_program *program, struct work *work, int argc,
                 char **argv)
{
    int option;
    opterr = 0;
    optind = 0; /* getopt begins anew, wherever it stood before */
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == '?')
            return wrong(program, option_word(argv), "is no option");
        if (option == ':')
            return wrong(program, option_word(argv), "wants a value");
        if (option == 'l') {
            print_list(program);
            return 0;
        }
        if (option == 'v') {
            printf("%s %s\n", program->runtime, program->version);
            return 0;
        }
        const char *problem = take(work, option);
        if (problem)
            return wrong(program, optarg, problem);
    }
    return optind < argc ? wrong(program, argv[optind], "is one word too many") : -1;
}

static bool is_power_of_ten(uint64_t n)
{
    while (n % 10 == 0)
        n /= 10;
    return n == 1;
}

/* What only the offer, or another option, can tell. NULL: all is well. */
static const char *problem_of(const struct work_offer *offer, const struct work *work)
{
    const char *name = offer->name;
    if ((strcmp(name, "read") == 0 || strcmp(name, "hog") == 0) && !work->file)
        return "wants a --file";
    if (strcmp(name, "startup") == 0 && !work->since)
        return "wants to know --since when";
    if (strcmp(name, "skynet") == 0 && !is_power_of_ten(work->n))
        return "wants an --n that is a power of ten";
    if (offer->multiple && work->n % offer->multiple != 0)
        return "wants an --n that can be cut into its parts (WORKLOADS.md)";
    return NULL;
}

static int run(const struct work_program *program, const struct work_offer *offer,
               struct work *work)
{
    if (!work->n)
        work->n = offer->n;
    const char *problem = problem_of(offer, work);
    if (problem)
        return wrong(program, offer->name, problem);
    problem = program->problem ? program->problem(work) : NULL;
    if (problem) { /* a mode that has no such form, as two workers on one thread */
        wrong(program, work->mode, problem);
        return STATUS_NOT_OFFERED;
    }
    int err = offer->run(work);
    if (err < 0) {
        fprintf(stderr, "%s: %s %s: %s (%s)\n", program->name, work->mode, offer->name,
                work->reason[0] ? work->reason : errtext(err), errname(err));
        return EXIT_FAILURE;
    }
    if (!work->demo)
        work_print_result(program, work);
    int status = fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    if (work->leaves_tasks)
        _exit(status);
    return status;
}

int work_main(const struct work_program *program, int argc, char **argv)
{
    struct work work = { .workers = 1, .threads = 1, .depth = 64 };
    int status = parse(program, &work, argc, argv);
    if (status >= 0)
        return status;
    if (!work.mode || !work.workload == !work.demo)
        return wrong(program, work.mode ? work.mode : "--mode",
                     "is not enough: --mode MODE and either --workload or --demo NAME");
    if (!find_mode(program, &work))
        return wrong(program, work.mode, "is no mode (see --list)");
    const struct work_offer *offer = find_offer(program, &work);
    if (!offer) {
        fprintf(stderr, "%s: %s does not offer %s\n", program->name, work.mode,
                work.demo ? work.demo : work.workload);
        return STATUS_NOT_OFFERED;
    }
    return run(program, offer, &work);
}
