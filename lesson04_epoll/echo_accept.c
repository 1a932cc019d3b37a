/* echo_accept: new connections, and what to do when there is no descriptor for them.
 *
 * Problem: the process is at its limit of open files and a client connects. accept4
 * says EMFILE, the client stays in the backlog, and so the listener stays readable: a
 * level-triggered server that goes back to its loop burns a core until somebody else
 * closes something (R5). An edge-triggered one does the opposite and forgets the
 * client.
 *
 * Idea: keep one descriptor in reserve. When the limit is hit, give it up, accept with
 * the number that became free, close that connection at once, and take the reserve
 * back. The client learns within a round trip that we are full, and the backlog gets
 * empty. The trick came with libev's manual ("the special problem of accept()ing when
 * you can't"). Another thread may snatch the free number, or the limit may be the whole
 * machine's (ENFILE): then accept rests, until a connection of ours closes or for
 * ECHO_ACCEPT_PAUSE_MS.
 *
 * Invariant: while may_accept is set, either the next step does not sleep or
 * accept_again_at bounds its sleep. Linux looks for a free descriptor before it looks
 * into the backlog: EMFILE does not mean that somebody is waiting. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/container.h"
#include "lesson04_epoll/echo_machine.h"

static int accept_one(struct echo_machine *machine)
{
    int fd = accept4(machine->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static void rest(struct echo_machine *machine)
{
    machine->stats.pauses++;
    machine->accept_again_at =
        clock_after(clock_now(), ECHO_ACCEPT_PAUSE_MS * NS_PER_MS);
}

static void open_reserve(struct echo_machine *machine)
{
    if (machine->reserve < 0)
        machine->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Refuses one client with the help of the reserve. */
static void shed_one(struct echo_machine *machine)
{
    if (machine->reserve < 0) {
        rest(machine);
        return;
    }
    close(machine->reserve);
    machine->reserve = -1;
    int fd = accept_one(machine);
    if (fd >= 0) {
        close(fd);
        machine->stats.shed++;
    } else if (fd == -EAGAIN) {
        machine->may_accept = false;
    } else {
        rest(machine);
    }
    open_reserve(machine);
}

static void accept_failed(struct echo_machine *machine, int err)
{
    switch (err) {
    case -EAGAIN:
        machine->may_accept = false;
        break;
    case -EMFILE:
    case -ENFILE:
        shed_one(machine);
        break;
    /* Linux passes errors of the new connection on through accept (accept(2)): that
     * client is gone, the next one may be fine. */
    case -EINTR:
    case -ECONNABORTED:
    case -EPERM:
    case -EPROTO:
    case -ENOPROTOOPT:
    case -EOPNOTSUPP:
    case -ENETDOWN:
    case -ENETUNREACH:
    case -EHOSTDOWN:
    case -EHOSTUNREACH:
    case -ENONET:
        break;
    default: /* ENOBUFS, ENOMEM and what nobody has thought of: do not spin on it */
        rest(machine);
    }
}

void echo_accept_some(struct echo_machine *machine)
{
    if (machine->accept_again_at) {
        if (clock_now() < machine->accept_again_at)
            return;
        machine->accept_again_at = 0;
        open_reserve(machine);
    }
    for (unsigned calls = 0; calls < machine->options.turn; calls++) {
        if (!machine->may_accept || machine->accept_again_at)
            return;
        int fd = accept_one(machine);
        if (fd < 0)
            accept_failed(machine, fd);
        else
            (void)echo_conn_open(machine, fd); /* counted; the client sees the end */
    }
}

void echo_accept_on_event(struct watch *watch, uint32_t events)
{
    struct echo_machine *machine =
        container_of(watch, struct echo_machine, listener_watch);
    (void)events;
    machine->may_accept = true;
    echo_accept_some(machine);
}
