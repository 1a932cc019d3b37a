/* echo_machine: the loop around the callbacks.
 *
 * wait, call back, call those again that have work left, free the dead: every event
 * loop has this shape, and the order is what matters. Invariants:
 *   1. Nothing is freed while an event of the same batch may still point to it (R4), so
 *      the dead are buried last.
 *   2. The machine sleeps only if nobody has work that no event will report: neither in
 *      `again`, nor a backlog that was left standing.
 * A connection closed by one event and named by a later one of the same batch is met as
 * CLOSED. Its descriptor's number may belong to a new connection by then, which is why
 * the user pointer, never the number, says whom an event is for. */
#include "lesson04_epoll/echo_machine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/container.h"

#define BATCH 64
#define DEFAULT_TURN 16

static void wake_on_event(struct watch *watch, uint32_t events)
{
    struct echo_machine *machine = container_of(watch, struct echo_machine, wake_watch);
    (void)events;
    machine->stats.wakes++;
    notifier_drain(&machine->wake);
}

static int open_listener(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int err;
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* a convenience */
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        err = -errno;
        goto fail_close;
    }
    if (listen(fd, SOMAXCONN) < 0) {
        err = -errno;
        goto fail_close;
    }
    return fd;
fail_close:
    close(fd);
    return err;
}

static void set_options(struct echo_machine *machine,
                        const struct echo_options *options)
{
    machine->options = *options;
    size_t *read_max = &machine->options.read_max;
    if (*read_max == 0 || *read_max > ECHO_BUFFER)
        *read_max = ECHO_BUFFER;
    if (machine->options.turn == 0)
        machine->options.turn = DEFAULT_TURN;
}

int echo_machine_init(struct echo_machine *machine, const struct echo_options *options)
{
    *machine = (struct echo_machine){ .listener = -1 };
    machine->listener_watch.on_event = echo_accept_on_event;
    machine->wake_watch.on_event = wake_on_event;
    set_options(machine, options);
    list_init(&machine->open);
    list_init(&machine->again);
    list_init(&machine->dead);
    int err = poller_init(&machine->poller);
    if (err < 0)
        return err;
    err = notifier_init(&machine->wake);
    if (err < 0)
        goto fail_poller;
    /* Level-triggered: a notify that finds the counter full makes no edge (R8). */
    err = poller_add(&machine->poller, machine->wake.fd, POLLER_READABLE,
                     &machine->wake_watch);
    if (err < 0)
        goto fail_notifier;
    err = machine->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (err < 0) {
        err = -errno;
        goto fail_notifier;
    }
    err = machine->listener = open_listener(options->port);
    if (err < 0)
        goto fail_reserve;
    err = poller_add(&machine->poller, machine->listener, POLLER_READABLE | POLLER_EDGE,
                     &machine->listener_watch);
    if (err < 0)
        goto fail_listener;
    return 0;
fail_listener:
    close(machine->listener);
fail_reserve:
    close(machine->reserve);
fail_notifier:
    notifier_finish(&machine->wake);
fail_poller:
    poller_finish(&machine->poller);
    *machine = (struct echo_machine){ .listener = -1 };
    return err;
}

void echo_machine_finish(struct echo_machine *machine)
{
    if (!machine || machine->poller.fd <= 0)
        return;
    while (!list_empty(&machine->open))
        echo_conn_close(container_of(machine->open.next, struct echo_conn, link));
    echo_conn_free_dead(machine);
    close(machine->listener);
    if (machine->reserve >= 0)
        close(machine->reserve);
    notifier_finish(&machine->wake);
    poller_finish(&machine->poller);
}

uint16_t echo_machine_port(const struct echo_machine *machine)
{
    struct sockaddr_in address = { 0 };
    socklen_t size = sizeof address;
    int err = getsockname(machine->listener, (struct sockaddr *)&address, &size);
    return err ? 0 : ntohs(address.sin_port);
}

/* Invariant 2 in code. */
static int64_t shorten(const struct echo_machine *machine, int64_t timeout_ns)
{
    if (!list_empty(&machine->again))
        return 0;
    if (!machine->may_accept)
        return timeout_ns;
    uint64_t now = clock_now();
    if (machine->accept_again_at <= now)
        return 0;
    int64_t rest = (int64_t)(machine->accept_again_at - now);
    return timeout_ns < 0 || rest < timeout_ns ? rest : timeout_ns;
}

int echo_machine_step(struct echo_machine *machine, int64_t timeout_ns)
{
    struct poller_event events[BATCH];
    machine->stats.waits++;
    int n = poller_wait(&machine->poller, events, BATCH, shorten(machine, timeout_ns));
    /* Taken before the callbacks: what they postpone has had its turn. */
    struct list again;
    list_init(&again);
    list_splice_back(&again, &machine->again);
    for (int i = 0; i < n; i++) {
        struct watch *watch = poller_event_user(&events[i]);
        watch->on_event(watch, poller_event_bits(&events[i]));
    }
    while (!list_empty(&again))
        echo_conn_advance(container_of(again.next, struct echo_conn, again));
    if (machine->may_accept)
        echo_accept_some(machine);
    echo_conn_free_dead(machine);
    return n;
}

int echo_machine_run(struct echo_machine *machine)
{
    /* acquire: pairs with the release in echo_machine_stop */
    while (!atomic_load_explicit(&machine->stop, memory_order_acquire)) {
        int n = echo_machine_step(machine, POLLER_FOREVER);
        if (n < 0)
            return n;
    }
    return 0;
}

void echo_machine_stop(struct echo_machine *machine)
{
    /* release: pairs with the acquire in echo_machine_run. The flag first, then the
     * notifier: whoever is woken must find the flag set. */
    atomic_store_explicit(&machine->stop, true, memory_order_release);
    notifier_notify(&machine->wake);
}
