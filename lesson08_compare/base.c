/* base: the plain parts of a server, so that the loops contain nothing but the loop.
 *
 * SIGTERM is blocked and read from a descriptor: a handler that sets a flag leaves a
 * gap between looking at the flag and going to sleep, in which the signal is lost. */
#include "lesson08_compare/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/errname.h"

#define EXIT_USAGE 2

static const char *program = "base";

struct base_options {
    uint64_t port;
    enum workload_proto proto;
    bool stats;
    bool help;
};

int base_fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s: %s (%s)\n", program, what, errtext(err), errname(err));
    return err;
}

static bool parse_options(int argc, char **argv, struct base_options *options)
{
    static const struct option known[] = {
        { "port", required_argument, NULL, 'p' },
        { "proto", required_argument, NULL, 'P' },
        { "stats", no_argument, NULL, 's' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    int option;
    optind = 0; /* getopt begins anew, wherever it stood before */
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'p':
            if (workload_parse_number(optarg, 0, 65535, &options->port))
                break;
            fprintf(stderr, "%s: --port takes 0 to 65535, not '%s'\n", program, optarg);
            return false;
        case 'P':
            if (workload_proto_parse(optarg, &options->proto))
                break;
            fprintf(stderr, "%s: --proto takes echo or http, not '%s'\n", program,
                    optarg);
            return false;
        case 's':
            options->stats = true;
            break;
        case 'h':
            options->help = true;
            break;
        default:
            return false; /* getopt_long has said why */
        }
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument '%s'\n", program, argv[optind]);
        return false;
    }
    return true;
}

static int open_listener(struct base *base, uint16_t port)
{
    int one = 1;
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    base->listener =
        socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
    if (base->listener < 0)
        return base_fail("cannot make a socket", -errno);
    if (setsockopt(base->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0)
        return base_fail("cannot set SO_REUSEADDR", -errno);
    /* Accepted sockets inherit this one: no system call for each connection. */
    if (setsockopt(base->listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0)
        return base_fail("cannot set TCP_NODELAY", -errno);
    if (bind(base->listener, (struct sockaddr *)&address, sizeof address) < 0)
        return base_fail("cannot bind to 127.0.0.1 at this port", -errno);
    if (listen(base->listener, 4096) < 0)
        return base_fail("cannot listen", -errno);
    socklen_t size = sizeof address;
    if (getsockname(base->listener, (struct sockaddr *)&address, &size) < 0)
        return base_fail("cannot ask for the port", -errno);
    base->port = ntohs(address.sin_port);
    return 0;
}

void base_announce(const struct base *base)
{
    printf("listening on 127.0.0.1:%u\n", (unsigned)base->port);
    fflush(stdout);
}

static int open_signals(struct base *base)
{
    sigset_t leave;
    sigemptyset(&leave);
    sigaddset(&leave, SIGTERM);
    sigaddset(&leave, SIGINT);
    pthread_sigmask(SIG_BLOCK, &leave, NULL);
    base->signals = signalfd(-1, &leave, SFD_NONBLOCK | SFD_CLOEXEC);
    return base->signals < 0 ? base_fail("cannot make a signalfd", -errno) : 0;
}

/* Ten thousand connections need ten thousand descriptors; take what we may have. */
static void raise_fd_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void usage(const char *about)
{
    printf("usage: %s [--port P] [--proto echo|http] [--stats]\n\n%s\n\n"
           "  --port P      listen on 127.0.0.1:P; 0 (the default) picks a free port\n"
           "  --proto NAME  echo (the default) or http (GET " WORKLOAD_PATH ")\n"
           "  --stats       at the end, print what was done and what it took\n"
           "  --help        this text\n\nSIGTERM ends it.\n",
           program, about);
}

int base_main(int argc, char **argv, const char *about, int (*serve)(struct base *base))
{
    struct base_options options = { .proto = WORKLOAD_ECHO };
    const char *slash = strrchr(argv[0], '/');
    program = slash ? slash + 1 : argv[0];
    if (!parse_options(argc, argv, &options)) {
        fprintf(stderr, "%s: --help says what there is\n", program);
        return EXIT_USAGE;
    }
    if (options.help) {
        usage(about);
        return EXIT_SUCCESS;
    }
    raise_fd_limit();
    struct base base = { .proto = options.proto, .listener = -1, .signals = -1 };
    int err = open_signals(&base);
    if (err == 0)
        err = open_listener(&base, (uint16_t)options.port);
    if (err == 0)
        err = serve(&base);
    if (err == 0 && options.stats)
        workload_print_stats(stdout, base.served);
    if (base.listener >= 0)
        close(base.listener);
    if (base.signals >= 0)
        close(base.signals);
    return err == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
