/* Each call that the chat makes, itself or through its driver, fails once, in its turn
 * (common/testing/FAULTS.md). Whatever fails: a person is answered or her connection ends,
 * the others hear what was said, and the room goes on for the next one. */
#include "lesson05_reactor/driver_testing.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "common/testing/faults.h"
#include "lesson02_wakers/executor.h"
#include "lesson05_reactor/chat.h"

struct evening {
    const struct driver_subject *subject;
    bool strict; /* nobody may notice the fault */
    struct driver_world world;
    struct executor executor;
    struct chat_room room;
    struct io_source *listener;
    struct net_address address;
    int wrong; /* the line of what the guests did not like, or 0 */
};

/* ---- people: a thread, and calls that are not wrapped, so that they never fail */

struct person {
    int fd;
    bool gone; /* the connection has ended */
    size_t used;
    char heard[4096];
};

static struct person come(const struct evening *evening)
{
    const struct net_address *to = &evening->address;
    struct person person = { .used = 0 };
    person.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    person.gone = connect(person.fd, &to->any, to->size) < 0;
    return person;
}

static void says(struct person *person, const char *text)
{
    struct iovec piece = { (char *)(uintptr_t)text, strlen(text) };
    if (!person->gone && writev(person->fd, &piece, 1) < 0)
        person->gone = true;
}

/* Waits until the text was heard, or for the end; NULL: for the end. */
static bool hears(struct person *person, const char *text)
{
    while (!person->gone && (!text || !strstr(person->heard, text))) {
        struct iovec room = { person->heard + person->used,
                              sizeof person->heard - 1 - person->used };
        ssize_t n = readv(person->fd, &room, 1);
        person->gone = n <= 0;
        person->used += n > 0 ? (size_t)n : 0;
    }
    return text ? strstr(person->heard, text) != NULL : person->gone;
}

/* Two people while calls fail. True: they noticed nothing. */
static bool talk(struct person *ada, struct person *bob)
{
    bool ada_in = hears(ada, "* welcome"), bob_in = hears(bob, "* welcome");
    says(ada, "hello\n/who\n");
    bool answered = ada_in && hears(ada, " here:"); /* so the hello was taken, too */
    bool heard = answered && bob_in && hears(bob, ": hello");
    says(ada, "/quit\n");
    hears(ada, NULL);
    shutdown(bob->fd, SHUT_WR);
    hears(bob, NULL);
    return heard && strstr(ada->heard, "* goodbye") &&
           strstr(bob->heard, "guest-1 left") && strstr(ada->heard, "2 here: guest-1");
}

/* The next one, when nothing fails any more; she is alone. */
static bool is_served(struct person *eve)
{
    if (!hears(eve, "* welcome"))
        return false;
    says(eve, "/who\n");
    return hears(eve, "\n") && hears(eve, "* 1 here: guest-");
}

static void *spend_the_evening(void *argument)
{
    struct evening *evening = argument;
    struct person ada = come(evening);
    if (!hears(&ada, "* welcome") && evening->strict)
        evening->wrong = __LINE__;
    struct person bob = come(evening);
    if (!talk(&ada, &bob) && evening->strict)
        evening->wrong = __LINE__;
    fault_pause();
    struct person eve = come(evening);
    if (!is_served(&eve))
        evening->wrong = __LINE__;
    executor_call(&evening->executor);
    if (!hears(&eve, "goodbye") || !hears(&eve, NULL))
        evening->wrong = __LINE__;
    close(ada.fd);
    close(bob.fd);
    close(eve.fd);
    return NULL;
}

/* ---- the server */

static void stop(struct executor *executor, void *room)
{
    (void)executor;
    chat_stop(room);
}

static int listen_anywhere(struct evening *evening)
{
    struct net_listen_options options = { .backlog = 8 };
    int err = net_parse("127.0.0.1:0", &evening->address);
    int fd = err < 0 ? err : net_listen(&evening->address, &options);
    if (fd < 0)
        return fd;
    err = net_local_address(fd, &evening->address);
    return err < 0 ? err : io_attach(fd, IO_TYPE_LISTENER, &evening->listener);
}

static int serve_while_calls_fail(struct evening *evening)
{
    pthread_t people;
    fault_resume();
    int err =
        chat_start(&evening->room, &evening->executor.scheduler, evening->listener);
    if (err < 0) {
        io_close_now(evening->listener);
        fault_pause();
        return err;
    }
    evening->executor.on_call = stop;
    evening->executor.on_call_argument = &evening->room;
    pthread_create(&people, NULL, spend_the_evening, evening);
    err = executor_run(&evening->executor); /* they pause the faults */
    pthread_join(people, NULL);
    return evening->wrong ? evening->wrong : err;
}

static int hold_an_evening(void *argument)
{
    const struct evening *wanted = argument;
    static struct evening evening;
    evening = (struct evening){ .subject = wanted->subject, .strict = wanted->strict };
    struct driver_world *w = &evening.world;
    fault_pause();
    FAULT_EXPECT(open_world(w, evening.subject));
    FAULT_EXPECT(executor_init(&evening.executor, w->parker) == 0);
    int err = listen_anywhere(&evening);
    if (err == 0)
        err = serve_while_calls_fail(&evening);
    FAULT_EXPECT(executor_finish(&evening.executor) == 0);
    close_world(w);
    fault_resume();
    return err;
}

/* ---- what nobody notices, and what ends a connection */

static const struct fault epoll_unnoticed[] = {
    { "accept4", EINTR, FAULT_SURVIVED },
    { "accept4", ECONNABORTED, FAULT_SURVIVED },
    { "accept4", EMFILE, FAULT_SURVIVED }, /* R5: after a breather */
    { "accept4", ENFILE, FAULT_SURVIVED },
    { "accept4", ENOBUFS, FAULT_SURVIVED },
    { "setsockopt", ENOPROTOOPT, FAULT_SURVIVED },
    { "sys_recv", EINTR, FAULT_SURVIVED },
    { "sys_send", EINTR, FAULT_SURVIVED },
    { "sys_send", FAULT_SHORT, FAULT_SURVIVED },
    { "epoll_wait", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "epoll_pwait2", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "close", EINTR, FAULT_SURVIVED },
};

static const struct fault epoll_ending[] = {
    { "malloc", ENOMEM, FAULT_EITHER },
    { "calloc", ENOMEM, FAULT_EITHER | FAULT_RARE },
    { "mmap", ENOMEM, FAULT_EITHER | FAULT_RARE },
    { "sys_recv", ECONNRESET, FAULT_SURVIVED },
    { "sys_recv", ENOMEM, FAULT_SURVIVED },
    { "sys_recv", FAULT_NOTHING, FAULT_SURVIVED },
    { "sys_send", EPIPE, FAULT_SURVIVED },
    { "sys_send", ENOBUFS, FAULT_SURVIVED },
    { "epoll_ctl", ENOSPC, FAULT_SURVIVED },
};

static struct driver_subject epoll = { .name = "epoll",
                                       .open = open_reactor,
                                       .close = close_reactor };
static struct driver_subject uring = { .name = "io_uring",
                                       .open = open_ring_driver,
                                       .close = close_ring_driver };

static void each_call_of_the_chat_may_fail(void **state)
{
    (void)state;
    struct evening strict = { .subject = &epoll, .strict = true };
    struct evening mild = { .subject = &epoll };
    SWEEP(hold_an_evening, &strict, epoll_unnoticed);
    SWEEP(hold_an_evening, &mild, epoll_ending);
}

static const struct fault ring_unnoticed[] = {
    { "io_uring_submit", EAGAIN, FAULT_SURVIVED | FAULT_RARE },
    { "io_uring_submit_and_wait_timeout", EINTR, FAULT_SURVIVED },
    { "close", EINTR, FAULT_SURVIVED | FAULT_RARE },
};

static const struct fault ring_ending[] = {
    { "malloc", ENOMEM, FAULT_EITHER },
    { "calloc", ENOMEM, FAULT_EITHER | FAULT_RARE },
    { "mmap", ENOMEM, FAULT_EITHER | FAULT_RARE },
    { "sqe", ECONNRESET, FAULT_SURVIVED },
    { "sqe", ENOBUFS, FAULT_SURVIVED },
    { "sqe", EMFILE, FAULT_SURVIVED },
};

static void each_call_and_operation_of_the_chat_may_fail_on_a_ring(void **state)
{
    (void)state;
    needs_io_uring();
    struct evening strict = { .subject = &uring, .strict = true };
    struct evening mild = { .subject = &uring };
    SWEEP(hold_an_evening, &strict, ring_unnoticed);
    SWEEP(hold_an_evening, &mild, ring_ending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_the_chat_may_fail),
        cmocka_unit_test(each_call_and_operation_of_the_chat_may_fail_on_a_ring),
    };
    signal(SIGPIPE, SIG_IGN); /* people write to connections that have ended */
    return cmocka_run_group_tests_name("chat faults", tests, NULL, NULL);
}
