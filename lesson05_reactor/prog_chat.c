/* chat: the program. Options, a driver, an executor, and a clean end.
 *
 * A signal handler may do next to nothing; here it asks the executor to call stop()
 * between two polls, which is an atomic store and an unpark. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/errname.h"
#include "common/option_word.h"
#include "lesson02_wakers/executor.h"
#include "lesson03_iouring/probe.h"
#include "lesson05_reactor/chat.h"
#include "lesson05_reactor/net.h"
#include "lesson05_reactor/reactor.h"
#include "lesson05_reactor/ring_driver.h"

struct settings {
    const char *driver;  /* borrows: epoll, uring or auto */
    const char *address; /* borrows */
    unsigned port;
    struct net_address listen; /* both of them */
};

/* Either driver, and what an executor needs of it. */
struct chosen {
    struct reactor reactor;
    struct ring_driver ring;
    struct parker *parker;
    struct io_stats stats;
    struct io_services services;
};

static struct executor executor;

static const char usage[] =
    "usage: chat [--driver epoll|uring|auto] [--address A] [--port P]\n"
    "A chat server for nc and telnet: each line goes to everybody else.\n"
    "  --driver D   what waits for the kernel (default auto: io_uring if it is "
    "allowed)\n"
    "  --address A  the address to listen on, in numbers (default 127.0.0.1)\n"
    "  --port P     the port (default 0: any that is free)\n"
    "  --help       this text\n"
    "Ends in order on SIGTERM and SIGINT.\n";

/* ---- arguments */

static int wrong(const char *before, const char *what, const char *after)
{
    fprintf(stderr, "chat: %s\"%s\"%s; see chat --help\n", before, what, after);
    return 2;
}

static bool parse_port(const char *text, unsigned *port)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    *port = (unsigned)value;
    return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && value <= 65535;
}

static bool parse_address(struct settings *settings)
{
    char text[NET_TEXT_MAX];
    bool v6 = strchr(settings->address, ':') != NULL;
    snprintf(text, sizeof text, v6 ? "[%s]:%u" : "%s:%u", settings->address,
             settings->port);
    return net_parse(text, &settings->listen) == 0;
}

/* -1: go on; else the exit status. */
static int parse(int argc, char **argv, struct settings *settings)
{
    static const struct option options[] = {
        { "driver", required_argument, NULL, 'd' },
        { "address", required_argument, NULL, 'a' },
        { "port", required_argument, NULL, 'p' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "d:a:p:h", options, NULL)) != -1) {
        if (option == 'd')
            settings->driver = optarg;
        else if (option == 'a')
            settings->address = optarg;
        else if (option == 'p' && !parse_port(optarg, &settings->port))
            return wrong("", optarg, " is no port, which is a number up to 65535");
        else if (option == 'h')
            return fputs(usage, stdout) < 0;
        else if (option == '?')
            return wrong("unknown or incomplete option ", option_word(argv), "");
    }
    if (optind < argc)
        return wrong("what is ", argv[optind], "?");
    if (!parse_address(settings))
        return wrong("", settings->address, " is no numeric address");
    const char *d = settings->driver;
    if (strcmp(d, "epoll") != 0 && strcmp(d, "uring") != 0 && strcmp(d, "auto") != 0)
        return wrong("no driver is called ", d, "");
    return -1;
}

/* ---- the driver */

static int use_ring(struct chosen *chosen)
{
    struct ring_driver_config config = { 0 };
    struct ring_probe probe;
    char why[320];
    /* A filter may let the setup pass and refuse the rest, so ask the probe (C14). */
    if (ring_probe(&probe) < 0) {
        fprintf(stderr, "chat: %s\n", probe.sentence);
        return probe.err;
    }
    int err = ring_driver_init(&chosen->ring, &config);
    if (err < 0) {
        ring_explain(err, why, sizeof why);
        fprintf(stderr, "chat: %s\n", why);
        return err;
    }
    chosen->parker = &chosen->ring.parker;
    chosen->services.driver = &chosen->ring.driver;
    chosen->services.timers = &chosen->ring.timers;
    return 0;
}

static int use_epoll(struct chosen *chosen)
{
    struct reactor_config config = { 0 };
    int err = reactor_init(&chosen->reactor, &config);
    if (err < 0)
        fprintf(stderr, "chat: epoll cannot be used: %s\n", errtext(err));
    chosen->parker = &chosen->reactor.parker;
    chosen->services.driver = &chosen->reactor.driver;
    chosen->services.timers = &chosen->reactor.timers;
    return err;
}

static int choose(struct chosen *chosen, const char *name)
{
    chosen->services.stats = &chosen->stats;
    int err = strcmp(name, "epoll") == 0 ? -ENOSYS : use_ring(chosen);
    if (err == 0 || strcmp(name, "uring") == 0)
        return err;
    if (strcmp(name, "auto") == 0)
        fprintf(stderr, "chat: taking epoll instead\n");
    return use_epoll(chosen);
}

/* ---- the end */

static void stop(struct executor *self, void *room)
{
    (void)self;
    chat_stop(room);
}

static void on_signal(int signal)
{
    (void)signal;
    int before = errno;
    executor_call(&executor);
    errno = before;
}

static void watch_signals(struct chat_room *room)
{
    /* SA_RESETHAND: whoever asks twice does not want to wait. */
    struct sigaction action = { .sa_handler = on_signal,
                                .sa_flags = SA_RESTART | (int)SA_RESETHAND };
    executor.on_call = stop;
    executor.on_call_argument = room;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

/* ---- the server */

static int open_listener(const struct settings *settings, struct io_source **listener)
{
    struct net_listen_options options = { 0 };
    char text[NET_TEXT_MAX];
    int fd = net_listen(&settings->listen, &options);
    int err = fd < 0 ? fd : io_attach(fd, IO_TYPE_LISTENER, listener);
    if (err == 0)
        return 0;
    net_format(&settings->listen, text, sizeof text);
    fprintf(stderr, "chat: cannot listen on %s: %s\n", text, errtext(err));
    if (fd >= 0)
        close(fd);
    return 1;
}

static int run(struct chat_room *room, struct io_source *listener)
{
    struct net_address address;
    char text[NET_TEXT_MAX];
    int err = net_local_address(listener->fd, &address);
    net_format(&address, text, sizeof text);
    const char *driver = listener->driver->ops->name;
    if (err == 0)
        err = chat_start(room, &executor.scheduler, listener);
    if (err < 0) {
        io_close_now(listener);
    } else {
        watch_signals(room);
        printf("chat: listening on %s (driver: %s)\n", text, driver);
        fflush(stdout);
        err = executor_run(&executor);
    }
    if (err < 0)
        fprintf(stderr, "chat: stopped by an error: %s\n", errtext(err));
    return err < 0;
}

int main(int argc, char **argv)
{
    static struct chosen chosen;
    static struct chat_room room;
    struct settings settings = { .driver = "auto", .address = "127.0.0.1" };
    int status = parse(argc, argv, &settings);
    if (status >= 0)
        return status;
    if (choose(&chosen, settings.driver) < 0)
        return 1;
    if (executor_init(&executor, chosen.parker) < 0) {
        fputs("chat: not enough memory\n", stderr);
        return 1;
    }
    const struct io_services *before = io_services_enter(&chosen.services);
    struct io_source *listener;
    status = open_listener(&settings, &listener);
    if (status == 0)
        status = run(&room, listener);
    if (executor_finish(&executor) == 0) {
        reactor_finish(&chosen.reactor);
        ring_driver_finish(&chosen.ring);
    }
    io_services_leave(before);
    if (status == 0)
        puts("chat: everybody has left; goodbye");
    return status;
}
