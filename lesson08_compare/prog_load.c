/* load: the load generator as a program; its result is one line of JSON.
 *
 * Exit status: 0, or 1 when the run could not take place or an answer was wrong, or 2
 * for wrong options. */
#include <getopt.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>

#include "common/clock.h"
#include "lesson08_compare/json.h"
#include "lesson08_compare/load.h"

#define EXIT_USAGE 2
#define NO_CPU UINT64_MAX

struct options {
    struct load_plan plan;
    uint64_t cpu;
    bool help;
};

static const char help[] =
    "usage: load --port P [options]\n\n"
    "Sends requests to an echo or HTTP server on 127.0.0.1 and measures.\n\n"
    "  --port P          the server's port\n"
    "  --address A       the server's IPv4 address (127.0.0.1)\n"
    "  --proto NAME      echo (default) or http (GET " WORKLOAD_PATH ")\n"
    "  --connections N   1 to 10000 (64)\n"
    "  --size BYTES      of an echo message, 1 to 1048576 (64)\n"
    "  --warmup MS       not measured (100)\n"
    "  --duration MS     measured (1000)\n"
    "  --requests N      stop after N measured requests instead\n"
    "  --rate R          open loop, R requests a second (default: closed loop)\n"
    "  --burst           with --rate: one request of each connection at a time\n"
    "  --cpu N           run on this CPU only\n"
    "  --watch PID       report that process's CPU time as well\n"
    "  --help            this text\n\n"
    "Example: build/bin/base_epoll --port 7000 & build/bin/load --port 7000\n";

enum {
    OPT_PORT = 256,
    OPT_ADDRESS,
    OPT_PROTO,
    OPT_CONNECTIONS,
    OPT_SIZE,
    OPT_WARMUP,
    OPT_DURATION,
    OPT_REQUESTS,
    OPT_RATE,
    OPT_BURST,
    OPT_CPU,
    OPT_WATCH,
    OPT_HELP
};

static bool number(const char *name, uint64_t low, uint64_t high, uint64_t *value)
{
    if (workload_parse_number(optarg, low, high, value))
        return true;
    fprintf(stderr, "load: --%s takes %" PRIu64 " to %" PRIu64 ", not '%s'\n", name,
            low, high, optarg);
    return false;
}

static bool proto(enum workload_proto *value)
{
    if (workload_proto_parse(optarg, value))
        return true;
    fprintf(stderr, "load: --proto takes echo or http, not '%s'\n", optarg);
    return false;
}

static bool take_option(int option, struct options *options)
{
    struct load_plan *plan = &options->plan;
    uint64_t n = 0;
    bool ok = true;
    switch (option) {
    case OPT_PORT:
        ok = number("port", 1, 65535, &n);
        plan->port = (uint16_t)n;
        return ok;
    case OPT_ADDRESS:
        plan->address = optarg;
        return true;
    case OPT_PROTO:
        return proto(&plan->proto);
    case OPT_CONNECTIONS:
        ok = number("connections", 1, LOAD_CONNECTIONS_MAX, &n);
        plan->connections = (unsigned)n;
        return ok;
    case OPT_SIZE:
        ok = number("size", 1, LOAD_SIZE_MAX, &n);
        plan->size = (unsigned)n;
        return ok;
    case OPT_WARMUP:
        ok = number("warmup", 0, 86400000, &n);
        plan->warmup_ns = n * NS_PER_MS;
        return ok;
    case OPT_DURATION:
        ok = number("duration", 1, 86400000, &n);
        plan->duration_ns = n * NS_PER_MS;
        return ok;
    case OPT_REQUESTS:
        return number("requests", 1, UINT64_MAX / 2, &plan->requests);
    case OPT_RATE:
        return number("rate", 1, 100000000, &plan->rate);
    case OPT_BURST:
        plan->burst = true;
        return true;
    case OPT_CPU:
        return number("cpu", 0, CPU_SETSIZE - 1, &options->cpu);
    case OPT_WATCH:
        ok = number("watch", 1, INT32_MAX, &n);
        plan->watch = (pid_t)n;
        return ok;
    case OPT_HELP:
        options->help = true;
        return true;
    default:
        return false; /* getopt_long has said why */
    }
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        { "port", required_argument, NULL, OPT_PORT },
        { "address", required_argument, NULL, OPT_ADDRESS },
        { "proto", required_argument, NULL, OPT_PROTO },
        { "connections", required_argument, NULL, OPT_CONNECTIONS },
        { "size", required_argument, NULL, OPT_SIZE },
        { "warmup", required_argument, NULL, OPT_WARMUP },
        { "duration", required_argument, NULL, OPT_DURATION },
        { "requests", required_argument, NULL, OPT_REQUESTS },
        { "rate", required_argument, NULL, OPT_RATE },
        { "burst", no_argument, NULL, OPT_BURST },
        { "cpu", required_argument, NULL, OPT_CPU },
        { "watch", required_argument, NULL, OPT_WATCH },
        { "help", no_argument, NULL, OPT_HELP },
        { NULL, 0, NULL, 0 },
    };
    int option;
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (!take_option(option, options))
            return false;
    struct load_plan *plan = &options->plan;
    if (plan->requests == 0 && plan->duration_ns == 0)
        plan->duration_ns = NS_PER_S;
    if (optind < argc)
        fprintf(stderr, "load: unexpected argument '%s'\n", argv[optind]);
    else if (!options->help && plan->port == 0)
        fprintf(stderr, "load: --port is missing\n");
    else if (plan->burst && plan->rate == 0)
        fprintf(stderr, "load: --burst needs --rate\n");
    else
        return true;
    return false;
}

static void print_result(const struct load_plan *plan, const struct load_result *r)
{
    double seconds = (double)r->elapsed_ns / 1e9;
    struct json json;
    json_begin(&json, stdout);
    json_text(&json, "proto", plan->proto == WORKLOAD_HTTP ? "http" : "echo");
    json_count(&json, "connections", plan->connections);
    json_count(&json, "size", plan->size);
    json_count(&json, "rate", plan->rate);
    json_real(&json, "seconds", seconds);
    json_count(&json, "requests", r->requests);
    json_count(&json, "all_requests", r->all_requests);
    json_real(&json, "per_second", seconds > 0 ? (double)r->requests / seconds : 0);
    json_count(&json, "p50_ns", histogram_percentile(&r->latency, 0.5));
    json_count(&json, "p99_ns", histogram_percentile(&r->latency, 0.99));
    json_count(&json, "p999_ns", histogram_percentile(&r->latency, 0.999));
    json_count(&json, "max_ns", r->latency.max);
    json_count(&json, "fair_min", r->fair_min);
    json_count(&json, "fair_median", r->fair_median);
    json_count(&json, "fair_max", r->fair_max);
    json_count(&json, "lag_p99_ns", histogram_percentile(&r->lag, 0.99));
    json_count(&json, "cpu_us", r->cpu_ns / 1000);
    json_real(&json, "busy", seconds > 0 ? (double)r->cpu_ns / 1e9 / seconds : 0);
    json_count(&json, "watch_cpu_us", r->watch_cpu_ns / 1000);
    json_count(&json, "errors", r->errors);
    json_text(&json, "error", r->error);
    json_end(&json);
}

int main(int argc, char **argv)
{
    static struct load_result result;
    struct options options = { .plan = { .address = "127.0.0.1",
                                         .connections = 64,
                                         .size = 64,
                                         .warmup_ns = 100 * NS_PER_MS },
                               .cpu = NO_CPU };
    if (!parse_options(argc, argv, &options)) {
        fprintf(stderr, "load: --help says what there is\n");
        return EXIT_USAGE;
    }
    if (options.help) {
        fputs(help, stdout);
        return EXIT_SUCCESS;
    }
    if (options.cpu != NO_CPU) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(options.cpu, &set);
        if (sched_setaffinity(0, sizeof set, &set) < 0) {
            fprintf(stderr, "load: there is no CPU %" PRIu64 " for us\n", options.cpu);
            return EXIT_FAILURE;
        }
    }
    int err = load_run(&options.plan, &result);
    if (err < 0) {
        fprintf(stderr, "load: %s\n", result.error);
        return EXIT_FAILURE;
    }
    print_result(&options.plan, &result);
    return result.errors ? EXIT_FAILURE : EXIT_SUCCESS;
}
