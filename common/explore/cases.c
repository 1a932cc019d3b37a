/* cases: a program of explored cases, for people and for cmocka. */
#include "common/explore/explore.h"

#include <errno.h>
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static const char usage[] =
    "usage: %s [OPTION...]\n"
    "Searches every order of steps of each case, under each of its memory models.\n"
    "  --list             the cases, a line each\n"
    "  --case NAME        this one only\n"
    "  --model sc|tso|pso under this model only\n"
    "  --deep             the cases that take long as well\n"
    "  --bound N          only orders with at most N preemptions\n"
    "  --random N         N random schedules instead of all\n"
    "  --pct N            N schedules of random priorities, --bound N changes in each\n"
    "  --seed N           of the dice; default 1\n"
    "  --limit N          gives up after N schedules\n"
    "  --replay STRING    runs this one schedule of --case and prints it\n"
    "  --find RULE        succeeds when this rule is found broken (wrong versions)\n"
    "  --command TEXT     how the printed line that repeats a schedule begins\n";

struct request {
    const struct explore_case *cases;
    unsigned count;
    const char *program, *case_name, *replay, *find, *command;
    int model; /* -1: each case's own */
    int bound; /* -2: each case's own */
    enum explore_mode mode;
    long runs, limit;
    unsigned long seed;
    bool deep, list;
};

static struct request request;

struct run {
    const struct explore_case *one;
    enum explore_model model;
    char name[120];
};

static const char *const models[] = { "sc", "tso", "pso" };

static struct explore_options options_of(const struct run *run)
{
    const struct explore_case *one = run->one;
    struct explore_options options = {
        .model = run->model,
        .mode = request.mode,
        .bound = request.bound != -2 ? request.bound
                 : one->bound        ? one->bound
                                     : -1,
        .limit = request.limit,
        .runs = request.runs,
        .seed = request.seed,
        .replay = request.replay,
        .failing_allocations = one->failing_allocations,
        .weak_failures = one->weak_failures,
        .timeouts = one->timeouts,
        .hang_rule = one->hang_rule,
    };
    if (options.mode == EXPLORE_PCT && options.bound < 0)
        options.bound = 3;
    return options;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* "--case NAME --replay ": what repeats a schedule of this run. */
static const char *command_of(const struct run *run)
{
    static char text[400];
    if (request.command)
        snprintf(text, sizeof text, "%s REPLAY=", request.command);
    else
        snprintf(text, sizeof text, "%s --case %s --replay ", request.program,
                 run->one->name);
    return text;
}

/* Searches one case under one model and says in a line what came out. */
static int search_one(const struct run *run, struct explore_result *result)
{
    struct explore_options options = options_of(run);
    double start = now();
    int err = explore(&options, run->one->scenario, result);
    if (err == -EINVAL) {
        fprintf(stderr, "%s: %s\n", request.program,
                result->message[0] ? result->message : "these options make no sense");
        return err;
    }
    if (err < 0) {
        fprintf(stderr, "%s: no memory for the explorer\n", request.program);
        return err;
    }
    const char *found = result->failed       ? result->rule
                        : options.replay     ? "nothing found in this one"
                        : !result->complete  ? "nothing found, not finished"
                        : options.bound >= 0 ? "nothing found, up to the bound"
                                             : "nothing found";
    printf("%-36s %-4s %8ld schedules %7.2f s  %s\n", run->one->name,
           models[run->model], result->schedules, now() - start, found);
    fflush(stdout);
    if (result->failed || options.mode == EXPLORE_REPLAY) {
        char title[160];
        snprintf(title, sizeof title, "\n%s, %s, after %ld schedule%s", run->one->name,
                 models[run->model], result->schedules,
                 result->schedules == 1 ? "" : "s");
        explore_print(result, title, result->failed ? command_of(run) : NULL);
    }
    return 0;
}

/* ---- as cmocka tests */

static void test_one(void **state)
{
    const struct run *run = *state;
    struct explore_result result;
    assert_int_equal(search_one(run, &result), 0);
    if (result.failed)
        fail_msg("%s under %s breaks: %s", run->one->name, models[run->model],
                 result.rule);
    if (request.mode == EXPLORE_ALL && request.limit == 0 && !result.complete)
        fail_msg("%s under %s was not searched to the end", run->one->name,
                 models[run->model]);
}

static bool is_asked_for(const struct explore_case *one, enum explore_model model)
{
    unsigned own = one->models ? one->models : 1u << EXPLORE_SC | 1u << EXPLORE_TSO;
    if (request.case_name)
        return strcmp(one->name, request.case_name) == 0 &&
               (request.model >= 0 ? (int)model == request.model : own >> model & 1);
    return own >> model & 1 && (request.deep || !one->deep) &&
           (request.model < 0 || (int)model == request.model);
}

enum { RUNS = 128 };

static unsigned collect(struct run *runs)
{
    unsigned count = 0;
    for (unsigned i = 0; i < request.count; i++)
        for (enum explore_model model = EXPLORE_SC; model <= EXPLORE_PSO; model++) {
            if (!is_asked_for(&request.cases[i], model))
                continue;
            CHECK(count < RUNS, "more than %d runs", RUNS);
            runs[count] = (struct run){ .one = &request.cases[i], .model = model };
            snprintf(runs[count].name, sizeof runs[count].name, "%s under %s",
                     request.cases[i].name, models[model]);
            count++;
        }
    return count;
}

static int run_as_tests(struct run *runs, unsigned count)
{
    static struct CMUnitTest tests[RUNS];
    for (unsigned i = 0; i < count; i++)
        tests[i] = (struct CMUnitTest){ .name = runs[i].name,
                                        .test_func = test_one,
                                        .initial_state = &runs[i] };
    const char *name = strrchr(request.program, '/');
    return _cmocka_run_group_tests(name ? name + 1 : request.program, tests, count,
                                   NULL, NULL);
}

/* ---- one case, looked at closely */

/* The first model under which it breaks is enough to read. */
static int look(const struct run *runs, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct explore_result result;
        if (search_one(&runs[i], &result) < 0)
            return 2;
        if (result.failed)
            return 1;
    }
    return 0;
}

static int find(const struct run *runs, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct explore_result result;
        if (search_one(&runs[i], &result) < 0)
            return 2;
        if (result.failed && strcmp(result.rule, request.find) == 0)
            return 0;
        if (result.failed) {
            printf("expected: %s broken; found: %s\n", request.find, result.rule);
            return 1;
        }
    }
    printf("expected: %s broken; found: nothing\n", request.find);
    return 1;
}

static int replay(const struct run *runs, unsigned count)
{
    struct explore_result result;
    if (count != 1 || !request.case_name) {
        fprintf(stderr, "%s: --replay wants one --case\n", request.program);
        return 2;
    }
    if (search_one(&runs[0], &result) < 0)
        return 2;
    return result.failed;
}

/* ---- the command line */

static void list(void)
{
    for (unsigned i = 0; i < request.count; i++) {
        const struct explore_case *one = &request.cases[i];
        unsigned own = one->models ? one->models : 3;
        printf("%-36s %-12s %s%s%s%s\n", one->name, one->rules ? one->rules : "",
               own & 1 ? "sc " : "", own & 2 ? "tso " : "", own & 4 ? "pso " : "",
               one->deep ? "(deep)" : "");
    }
}

static long number(const char *text, const char *option, long least)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < least) {
        fprintf(stderr, "%s: --%s wants a number of at least %ld, not \"%s\"\n",
                request.program, option, least, text);
        exit(2);
    }
    return value;
}

static int model_of(const char *text)
{
    for (int i = 0; i < 3; i++)
        if (strcmp(text, models[i]) == 0)
            return i;
    fprintf(stderr, "%s: the memory models are sc, tso and pso, not \"%.12s\"\n",
            request.program, text);
    exit(2);
}

/* A schedule begins with its model, which no other option may contradict. */
static void take_replay_model(void)
{
    int model = 0;
    while (model < 3 &&
           (strncmp(request.replay, models[model], strlen(models[model])) ||
            request.replay[strlen(models[model])] != ':'))
        model++;
    if (model == 3) {
        fprintf(stderr,
                "%s: a schedule looks like sc:a3b2 or tso:aA, not \"%.12s\"; "
                "copy it from a line \"see it again\"\n",
                request.program, request.replay);
        exit(2);
    }
    if (request.model >= 0 && request.model != model) {
        fprintf(stderr,
                "%s: this is a schedule of the model %s, not %s; leave out %s\n",
                request.program, models[model], models[request.model],
                request.command ? "MODEL" : "--model");
        exit(2);
    }
    request.model = model;
}

static void take_option(int option, const char *name)
{
    switch (option) {
    case 'l':
        request.list = true;
        break;
    case 'c':
        request.case_name = optarg;
        break;
    case 'm':
        request.model = model_of(optarg);
        break;
    case 'd':
        request.deep = true;
        break;
    case 'b':
        request.bound = (int)number(optarg, name, 0);
        break;
    case 'r':
    case 'p':
        request.mode = option == 'r' ? EXPLORE_RANDOM : EXPLORE_PCT;
        request.runs = number(optarg, name, 1);
        break;
    case 's':
        request.seed = (unsigned long)number(optarg, name, 0);
        break;
    case 'n':
        request.limit = number(optarg, name, 1);
        break;
    case 'y':
        request.mode = EXPLORE_REPLAY;
        request.replay = optarg;
        break;
    case 'f':
        request.find = optarg;
        break;
    case 'C':
        request.command = optarg;
        break;
    default:
        fprintf(option == 'h' ? stdout : stderr, usage, request.program);
        exit(option == 'h' ? 0 : 2);
    }
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {
        { "list", no_argument, NULL, 'l' },
        { "case", required_argument, NULL, 'c' },
        { "model", required_argument, NULL, 'm' },
        { "deep", no_argument, NULL, 'd' },
        { "bound", required_argument, NULL, 'b' },
        { "random", required_argument, NULL, 'r' },
        { "pct", required_argument, NULL, 'p' },
        { "seed", required_argument, NULL, 's' },
        { "limit", required_argument, NULL, 'n' },
        { "replay", required_argument, NULL, 'y' },
        { "find", required_argument, NULL, 'f' },
        { "command", required_argument, NULL, 'C' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1)
        take_option(option, options[index].name);
    if (request.replay)
        take_replay_model();
    if (optind < argc) {
        fprintf(stderr, "%s: \"%s\" is no option; see --help\n", request.program,
                argv[optind]);
        exit(2);
    }
}

int explore_main(int argc, char **argv, const struct explore_case *cases,
                 unsigned count)
{
    request = (struct request){ .cases = cases,
                                .count = count,
                                .program = argv[0],
                                .model = -1,
                                .bound = -2,
                                .seed = 1 };
    read_options(argc, argv);
    if (request.list) {
        list();
        return 0;
    }
    static struct run runs[RUNS];
    unsigned run_count = collect(runs);
    if (run_count == 0) {
        fprintf(stderr, "%s: no case \"%s\"; --list shows them\n", request.program,
                request.case_name ? request.case_name : "");
        return 2;
    }
    if (request.mode == EXPLORE_REPLAY)
        return replay(runs, run_count);
    if (request.find)
        return find(runs, run_count);
    return request.case_name ? look(runs, run_count) : run_as_tests(runs, run_count);
}
