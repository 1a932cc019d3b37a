/* options: the command line of WORKLOADS.md.
 *
 * What this peer does not offer, and why: everything that needs a task (see peer.h),
 * `jitter` (there is no waker between a timer and its callback: the loop calls it at
 * once), and the demos (there is nothing to panic, to join or to drop). */
#include "lesson08_compare/peers/libuv/peer.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lesson08_compare/workload.h"

#define STATUS_USAGE 2
#define STATUS_NOT_OFFERED 3
#define MODE_NAME "loop"

static const struct workload workloads[] = {
    { "spawn", 1000000, 1, NULL, false },
    { "spawn-idle", 10000, 1, NULL, false },
    { "spawn-busy", 10000, 1, NULL, false },
    { "remote-spawn", 80000, 1, NULL, false },
    { "yield", 1000, 1, NULL, false },
    { "ping-pong", 100000, 1000, NULL, false },
    { "round-trip", 1000000, 1, NULL, false },
    { "chain", 1000000, 1000, NULL, false },
    { "mpsc", 1000000, 5000, NULL, false },
    { "mpsc-contended", 1000000, 5, NULL, false },
    { "fib", 27, 1, NULL, false },
    { "skynet", 1000000, 1, NULL, false },
    { "tree", 2000, 1, NULL, false },
    { "timers", 1000000, 1, start_timers, false },
    { "timer-churn", 1000000, CHURNERS, start_timer_churn, false },
    { "parked", 1000000, 1, NULL, false },
    { "wake", 20000, 1, start_wake, false },
    { "jitter", 500, 1, NULL, false },
    { "startup", 1, 1, start_startup, false },
    { "read", 100000, 1, start_read, false },
    { "hog", 2000, 1, start_hog, false },
    { "echo", 1, 1, start_echo, true },
    { "http", 1, 1, start_http, true },
};
#define WORKLOADS (sizeof workloads / sizeof workloads[0])

/* What was said, before it is known whether it makes sense. */
struct words {
    struct options *options;
    const char *workload, *demo;
    bool n_given, since_given, list, version;
};

static bool number(const char *name, const char *text, uint64_t low, uint64_t high,
                   uint64_t *value)
{
    if (workload_parse_number(text, low, high, value))
        return true;
    fprintf(stderr, "peer_libuv: --%s takes a number from %llu to %llu, not '%s'\n",
            name, (unsigned long long)low, (unsigned long long)high, text);
    return false;
}

enum {
    LIST,
    VERSION,
    MODE,
    WORKLOAD,
    DEMO,
    WORKERS,
    N,
    THREADS,
    DEPTH,
    FILE_NAME,
    DIRECT,
    SINCE,
    PORT,
    STATS
};

static const struct option known[] = {
    { "list", no_argument, NULL, LIST },
    { "version", no_argument, NULL, VERSION },
    { "mode", required_argument, NULL, MODE },
    { "workload", required_argument, NULL, WORKLOAD },
    { "demo", required_argument, NULL, DEMO },
    { "workers", required_argument, NULL, WORKERS },
    { "n", required_argument, NULL, N },
    { "threads", required_argument, NULL, THREADS },
    { "depth", required_argument, NULL, DEPTH },
    { "file", required_argument, NULL, FILE_NAME },
    { "direct", no_argument, NULL, DIRECT },
    { "since", required_argument, NULL, SINCE },
    { "port", required_argument, NULL, PORT },
    { "stats", no_argument, NULL, STATS },
    { NULL, 0, NULL, 0 },
};

static bool take_number(int option, struct words *w)
{
    struct options *o = w->options;
    switch (option) {
    case WORKERS:
        return number("workers", optarg, 1, 1024, &o->workers);
    case N:
        w->n_given = true;
        return number("n", optarg, 0, INT64_MAX, &o->n);
    case THREADS:
        return number("threads", optarg, 1, 1024, &o->threads);
    case DEPTH:
        return number("depth", optarg, 1, 65536, &o->depth);
    case SINCE:
        w->since_given = true;
        return number("since", optarg, 0, UINT64_MAX, &o->since);
    default:
        return number("port", optarg, 0, 65535, &o->port);
    }
}

static bool take_option(int option, struct words *w)
{
    switch (option) {
    case LIST:
        return w->list = true;
    case VERSION:
        return w->version = true;
    case MODE:
        return w->options->mode = optarg;
    case WORKLOAD:
        return w->workload = optarg;
    case DEMO:
        return w->demo = optarg;
    case FILE_NAME:
        return w->options->file = optarg;
    case DIRECT:
        return w->options->direct = true;
    case STATS:
        return w->options->stats = true;
    default:
        return take_number(option, w);
    }
}

static bool is_demo(const char *name)
{
    static const char *const demos[] = { "panic", "cancel", "drop", "mix" };
    for (size_t i = 0; i < sizeof demos / sizeof demos[0]; i++)
        if (strcmp(demos[i], name) == 0)
            return true;
    return false;
}

/* A sentence about the first word that is wrong, or NULL. */
static const char *wrong_word(const struct words *w)
{
    const struct options *o = w->options;
    if (!o->mode)
        return "--mode MODE is missing";
    if (strcmp(o->mode, MODE_NAME) != 0)
        return "there is no such mode, only " MODE_NAME;
    if (w->demo)
        return w->workload         ? "--workload and --demo exclude each other"
               : !is_demo(w->demo) ? "there is no such demo"
                                   : NULL;
    if (!w->workload)
        return "--workload NAME is missing";
    if (!o->workload)
        return "there is no such workload";
    if (o->n % o->workload->unit != 0)
        return "--n of this workload is a multiple of what WORKLOADS.md says";
    if (o->workload->start == start_startup && !w->since_given)
        return "startup needs --since NS";
    bool reads = o->workload->start == start_read || o->workload->start == start_hog;
    return reads && !o->file ? "this workload needs --file PATH" : NULL;
}

static const char *not_offered(const struct words *w)
{
    if (w->demo)
        return "there are no demos: libuv has no tasks";
    if (!w->options->workload->start)
        return "mode " MODE_NAME " does not offer this workload";
    return w->options->workers != 1 ? "a loop is one thread: --workers 1" : NULL;
}

static bool end_with(struct options *o, int status, const char *sentence)
{
    if (sentence)
        fprintf(stderr, "peer_libuv: %s\n", sentence);
    o->status = status;
    return false;
}

bool options_parse(struct options *o, int argc, char **argv)
{
    struct words w = { .options = o };
    int option;
    *o = (struct options){ .workers = 1, .threads = 1, .depth = 64 };
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (option == '?' || !take_option(option, &w)) /* has said why */
            return end_with(o, STATUS_USAGE, NULL);
    if (optind < argc)
        return end_with(o, STATUS_USAGE,
                        "every word but options' values starts with --");
    if (w.version)
        printf("libuv %s\n", uv_version_string());
    for (size_t i = 0; i < WORKLOADS; i++) {
        if (w.list && workloads[i].start)
            printf(MODE_NAME " %s\n", workloads[i].name);
        if (w.workload && strcmp(workloads[i].name, w.workload) == 0)
            o->workload = &workloads[i];
    }
    if (w.list || w.version)
        return end_with(o, EXIT_SUCCESS, NULL);
    if (o->workload && !w.n_given)
        o->n = o->workload->n;
    const char *sentence = wrong_word(&w);
    if (sentence)
        return end_with(o, STATUS_USAGE, sentence);
    sentence = not_offered(&w);
    return sentence ? end_with(o, STATUS_NOT_OFFERED, sentence) : true;
}
