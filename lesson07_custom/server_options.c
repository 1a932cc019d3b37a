/* server_options: getopt_long, and one sentence for whatever is wrong. */
#include "lesson07_custom/server_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/option_word.h"

#define DEFAULT_PORT 8080
#define DEFAULT_GRACE_S 10

static const struct option long_options[] = {
    { "scheduler", required_argument, NULL, 's' },
    { "driver", required_argument, NULL, 'd' },
    { "driver-required", no_argument, NULL, 'Q' },
    { "workers", required_argument, NULL, 'w' },
    { "port", required_argument, NULL, 'p' },
    { "address", required_argument, NULL, 'a' },
    { "root", required_argument, NULL, 'r' },
    { "no-date", no_argument, NULL, 'D' },
    { "idle-ms", required_argument, NULL, 'i' },
    { "request-ms", required_argument, NULL, 'R' },
    { "send-ms", required_argument, NULL, 'n' },
    { "grace", required_argument, NULL, 'g' },
    { "spin", required_argument, NULL, 'S' },
    { "ring-entries", required_argument, NULL, 'e' },
    { "pin", no_argument, NULL, 'P' },
    { "sqpoll", no_argument, NULL, 'q' },
    { "stats", no_argument, NULL, 't' },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

static void print_help(const struct server *server)
{
    printf("usage: %s [options]\n%s\n\n", server->name, server->purpose);
    printf(
        "  --scheduler current|steal|core  who runs the tasks (steal)\n"
        "  --driver epoll|uring|auto       who does the I/O (auto: io_uring if this\n"
        "                                  machine lets us, else epoll)\n"
        "  --driver-required               io_uring refused: fail, do not take epoll\n"
        "  --workers N                     threads (0: as many as CPUs)\n"
        "  --address A                     numeric address to listen on (127.0.0.1)\n"
        "  --port P                        0 picks one (%d)\n"
        "  --grace SECONDS                 for requests in progress at the end (%d)\n"
        "  --spin MICROSECONDS             look round this long before sleeping (0)\n"
        "  --ring-entries N                depth of each submission queue (256)\n"
        "  --pin                           bind worker i to the i-th CPU\n"
        "  --sqpoll                        a kernel thread submits (io_uring)\n"
        "  --stats                         print counters at the end\n"
        "  --help                          this text\n%s",
        DEFAULT_PORT, DEFAULT_GRACE_S, server->more_help ? server->more_help : "");
}

static bool parse_number(const char *text, unsigned long max, unsigned long *number)
{
    char *end;
    errno = 0;
    *number = strtoul(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && text[0] != '-' &&
           *number <= max;
}

bool server_option_ms(const char *text, uint64_t *ns)
{
    unsigned long ms;
    if (!parse_number(text, 86400000, &ms) || ms == 0)
        return false;
    *ns = ms * NS_PER_MS;
    return true;
}

static bool parse_scheduler(const char *text, enum runtime_scheduler *scheduler)
{
    static const char *const names[] = { "current", "steal", "core" };
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            *scheduler = (enum runtime_scheduler)i;
            return true;
        }
    }
    return false;
}

static bool parse_driver(const char *text, struct runtime_config *config)
{
    if (strcmp(text, "epoll") == 0)
        config->driver = RUNTIME_EPOLL;
    else if (strcmp(text, "uring") == 0)
        config->driver = RUNTIME_URING;
    else if (strcmp(text, "auto") == 0)
        config->driver = RUNTIME_AUTO;
    else
        return false;
    return true;
}

static const char *option_name(int option)
{
    for (const struct option *o = long_options; o->name; o++)
        if (o->val == option)
            return o->name;
    return "?";
}

struct raw {
    const char *host;
    unsigned long port, workers, grace, spin, entries;
};

/* NULL: taken; else what the option wants, for the sentence. */
static const char *take(struct server_options *options, struct server *server,
                        struct raw *raw, int option, const char *value)
{
    switch (option) {
    case 's':
        return parse_scheduler(value, &options->runtime.scheduler)
                   ? NULL
                   : "current, steal or core";
    case 'd':
        return parse_driver(value, &options->runtime) ? NULL : "epoll, uring or auto";
    case 'w':
        return parse_number(value, 1000000, &raw->workers) ? NULL : "a number from 0";
    case 'p':
        return parse_number(value, 65535, &raw->port) ? NULL : "a port, 0 to 65535";
    case 'a':
        raw->host = value;
        return NULL;
    case 'g':
        return parse_number(value, 86400, &raw->grace) ? NULL : "seconds, 0 to 86400";
    case 'S':
        return parse_number(value, 1000000, &raw->spin) ? NULL
                                                        : "microseconds, 0 to 1000000";
    case 'e':
        return parse_number(value, 32768, &raw->entries) ? NULL
                                                         : "a number, 0 to 32768";
    case 'Q':
        options->runtime.driver_required = true;
        return NULL;
    case 'P':
        options->runtime.pin = true;
        return NULL;
    case 'q':
        options->runtime.sqpoll = true;
        return NULL;
    case 't':
        options->stats = true;
        return NULL;
    case 'i':
    case 'R':
    case 'n':
        return server->option && server->option(server, option_name(option), value)
                   ? NULL
                   : "milliseconds, 1 to 86400000, and a web server";
    default:
        return server->option && server->option(server, option_name(option), value)
                   ? NULL
                   : "another program: this one has no such option";
    }
}

static bool make_address(struct server_options *options, const struct raw *raw)
{
    char text[NET_TEXT_MAX];
    bool v6 = strchr(raw->host, ':') != NULL && raw->host[0] != '[';
    snprintf(text, sizeof text, v6 ? "[%s]:%lu" : "%s:%lu", raw->host, raw->port);
    /* net_parse also knows "unix:PATH", which is what a host named "unix" would make. */
    return net_parse(text, &options->address) == 0 &&
           options->address.any.sa_family != AF_UNIX;
}

/* One sentence: before, 'what', after. */
static int wrong(const struct server *server, const char *before, const char *what,
                 const char *after)
{
    fprintf(stderr, "%s: %s'%s'%s; try --help\n", server->name, before, what, after);
    return 2;
}

int server_options_parse(struct server_options *options, struct server *server,
                         int argc, char **argv)
{
    struct raw raw = { .host = "127.0.0.1",
                       .port = DEFAULT_PORT,
                       .grace = DEFAULT_GRACE_S };
    int option;
    *options = (struct server_options){
        .runtime = { .scheduler = RUNTIME_STEAL,
                     .driver = RUNTIME_AUTO,
                     .dump_on_signal = true,
                     .name = server->name },
    };
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (option == 'h') {
            print_help(server);
            return 0;
        }
        if (option == '?')
            return wrong(server, "unknown option ", option_word(argv), "");
        if (option == ':')
            return wrong(server, "option ", option_word(argv), " wants a value");
        const char *wants = take(options, server, &raw, option, optarg);
        if (wants) {
            fprintf(stderr, "%s: option '--%s' wants %s; try --help\n", server->name,
                    option_name(option), wants);
            return 2;
        }
    }
    if (optind < argc)
        return wrong(server, "", argv[optind], " is one word too many");
    options->runtime.workers = (int)raw.workers;
    options->runtime.spin_before_park_ns = raw.spin * NS_PER_US;
    options->runtime.ring_entries = (unsigned)raw.entries;
    options->grace_ns = raw.grace * NS_PER_S;
    if (!make_address(options, &raw))
        return wrong(server, "", raw.host, " is no numeric address");
    const char *problem = runtime_config_problem(&options->runtime);
    if (!problem)
        return -1;
    fprintf(stderr, "%s: %s; try --help\n", server->name, problem);
    return 2;
}
