/* lab: drives every server of the course and the baselines through the same work.
 *
 * Exit status: 0 when the table stands, 1 when nothing could be measured or it was
 * interrupted, 2 for wrong options. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/errname.h"
#include "lesson08_compare/lab.h"
#include "lesson08_compare/process.h"
#include "lesson08_compare/wrk.h"

#define EXIT_USAGE 2

static const char help[] =
    "usage: lab [--short | --full] [--rounds N] [--only PATTERN] [--list]\n\n"
    "Puts httpd and echo, in every cell of {current, steal, core} x {epoll, uring},\n"
    "and three servers without a runtime under the same load, and compares them.\n\n"
    "  --short         the rows that fit into about three minutes (default)\n"
    "  --full          more rows, longer runs, more rounds\n"
    "  --rounds N      1 to 100 (3; with --full 7)\n"
    "  --only PATTERN  only runs whose \"ROW CONTESTANT\" contains PATTERN, which may\n"
    "                  contain * and ?; the raw loop to compare with is added\n"
    "  --measure MS    measured time of a run (400; with --full 2000)\n"
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

enum action { ACTION_RUN, ACTION_LIST, ACTION_HELP, ACTION_NONE };

static enum action parse_options(int argc, char **argv, struct lab *lab)
{
    static const struct option known[] = {
        { "short", no_argument, NULL, 's' },
        { "full", no_argument, NULL, 'f' },
        { "rounds", required_argument, NULL, 'r' },
        { "only", required_argument, NULL, 'o' },
        { "measure", required_argument, NULL, 'm' },
        { "list", no_argument, NULL, 'l' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    enum action action = ACTION_RUN;
    uint64_t rounds = 0, measure = 0;
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 's' || option == 'f')
            lab->full = option == 'f';
        else if (option == 'r' && !number("rounds", 1, STATS_MAX, &rounds))
            return ACTION_NONE;
        else if (option == 'm' && !number("measure", 10, 3600000, &measure))
            return ACTION_NONE;
        else if (option == 'o')
            lab->only = optarg;
        else if (option == 'l')
            action = ACTION_LIST;
        else if (option == 'h')
            action = ACTION_HELP;
        else if (option == '?')
            return ACTION_NONE; /* getopt_long has said why */
    }
    if (optind < argc) {
        fprintf(stderr, "lab: unexpected argument '%s'\n", argv[optind]);
        return ACTION_NONE;
    }
    lab->rounds = rounds ? (int)rounds : lab->full ? 7 : 3;
    lab->measure_ms = measure ? measure : lab->full ? 2000 : 400;
    lab->warmup_ms = lab->full ? 500 : 100;
    return action;
}

/* Our own folder, which holds the servers; results go beside it. */
static int find_folders(struct lab *lab)
{
    ssize_t n = readlink("/proc/self/exe", lab->bin, sizeof lab->bin - 1);
    if (n < 0)
        return -errno;
    lab->bin[n] = '\0';
    char *slash = strrchr(lab->bin, '/');
    if (slash)
        *slash = '\0';
    slash = strrchr(lab->bin, '/');
    int parent = slash ? (int)(slash - lab->bin) : 0;
    snprintf(lab->results, sizeof lab->results, "%.*s/lab", parent, lab->bin);
    return 0;
}

static int prepare_results(struct lab *lab)
{
    char path[600];
    if (mkdir(lab->results, 0777) < 0 && errno != EEXIST)
        return -errno;
    snprintf(path, sizeof path, "%s/servers.log", lab->results);
    lab->log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (lab->log < 0)
        return -errno;
    return lab->has_wrk ? wrk_write_script(lab) : 0;
}

static void print_machine(const struct lab *lab)
{
    const struct machine *m = &lab->machine;
    printf("%s; %s, %d CPUs; %s, %s; %s\n", m->kernel, m->cpu, m->cpus, m->compiler,
           m->flags, m->date);
    if (m->server_cpu == m->load_cpu)
        printf("shared core: server and load generator share one CPU, so requests a "
               "second "
               "measure both; CPU a request still is the server's own\n");
    else
        printf("server on CPU %d, load generator on CPU %d\n", m->server_cpu,
               m->load_cpu);
    if (!lab->has_wrk)
        printf("wrk is not installed (make setup): our own load generator does HTTP\n");
}

static void print_missing(const struct lab *lab)
{
    static const enum workload_proto protos[] = { WORKLOAD_ECHO, WORKLOAD_HTTP };
    for (int p = 0; p < 2; p++) {
        int missing = 0;
        for (int c = 0; c < lab_contestant_count; c++)
            missing += !lab_present(lab, c, protos[p]);
        if (missing)
            printf(
                "missing: %d of %d contestants have no program for %s yet (--list)\n",
                missing, lab_contestant_count, p ? "HTTP" : "echo");
    }
}

static void list(const struct lab *lab)
{
    printf("rows:\n");
    for (int row = 0; row < lab_row_count; row++)
        printf("  %-10s %s%s\n", lab_rows[row].name, lab_rows[row].title,
               lab_rows[row].full_only ? " (--full)" : "");
    printf("contestants:\n");
    for (int c = 0; c < lab_contestant_count; c++)
        printf("  %-14s echo: %-8s HTTP: %-8s compared with %s\n",
               lab_contestants[c].name,
               lab_present(lab, c, WORKLOAD_ECHO) ? "there" : "missing",
               lab_present(lab, c, WORKLOAD_HTTP) ? "there" : "missing",
               lab_contestants[lab_contestants[c].baseline].name);
}

static int run(struct lab *lab)
{
    int err = prepare_results(lab);
    if (err < 0) {
        fprintf(stderr, "lab: cannot write to %s: %s\n", lab->results, errtext(err));
        return EXIT_FAILURE;
    }
    catch_signals();
    atexit(process_kill_all);
    print_machine(lab);
    print_missing(lab);
    double minutes = lab_expected_minutes(lab);
    printf("%d rounds; this takes about %.1f minutes\n", lab->rounds, minutes);
    fflush(stdout);
    lab->repeats_left = 10 + lab->rounds * lab_contestant_count;
    bool complete = lab_run_all(lab);
    if (lab->run_count == 0) {
        fprintf(stderr, "lab: nothing was measured; --list says what is there\n");
        return EXIT_FAILURE;
    }
    lab_report(lab);
    err = lab_record(lab);
    if (err < 0)
        fprintf(stderr, "lab: cannot save the runs: %s\n", errtext(err));
    if (!complete)
        fprintf(stderr, "lab: interrupted; the table holds what was measured so far\n");
    return complete && err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct lab lab;
    enum action action = parse_options(argc, argv, &lab);
    if (action == ACTION_NONE) {
        fprintf(stderr, "lab: --help says what there is\n");
        return EXIT_USAGE;
    }
    if (action == ACTION_HELP) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    int err = find_folders(&lab);
    if (err < 0) {
        fprintf(stderr, "lab: cannot find its own folder: %s\n", errtext(err));
        return EXIT_FAILURE;
    }
    machine_look(&lab.machine);
    lab.has_wrk = wrk_present();
    if (action == ACTION_RUN)
        return run(&lab);
    list(&lab);
    return EXIT_SUCCESS;
}
