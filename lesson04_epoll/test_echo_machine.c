/* The echo server, driven step by step from the test's own thread: the clients are
 * non-blocking sockets here, so each interleaving is one that the test has chosen. */
#include "common/testing/testing.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/testing/faults.h"
#include "lesson04_epoll/echo_machine.h"

#define MS ((int64_t)NS_PER_MS)

static struct echo_machine machine;
static int fds_before;

static void start(struct echo_options options)
{
    fds_before = open_fds();
    assert_int_equal(echo_machine_init(&machine, &options), 0);
}

static int tear_down(void **state)
{
    (void)state;
    fault_disarm();
    echo_machine_finish(&machine);
    echo_machine_finish(&machine);
    assert_int_equal(open_fds(), fds_before);
    return 0;
}

/* Steps until the condition holds. A step sleeps 10 ms at most, since the condition may
 * depend on the kernel's network stack alone. */
#define STEP_UNTIL(condition)                                                          \
    do {                                                                               \
        uint64_t give_up_ = testing_deadline();                                        \
        while (!(condition)) {                                                         \
            if (testing_expired(give_up_))                                             \
                fail_msg("stepped %d s for: %s", TEST_PATIENCE_S, #condition);         \
            assert_true(echo_machine_step(&machine, 10 * MS) >= 0);                    \
        }                                                                              \
    } while (0)

static int client(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons(echo_machine_port(&machine)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* A connection without a network in between: what we write is there at once. */
static int local_client(struct echo_conn **conn)
{
    int ends[2];
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(echo_conn_open(&machine, ends[0]), 0);
    *conn = container_of(machine.open.prev, struct echo_conn, link);
    return ends[1];
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* Has the server ended this connection, one way or the other? */
static bool at_end(int fd)
{
    char spare[512];
    ssize_t n;
    do
        n = read(fd, spare, sizeof spare);
    while (n > 0);
    return n == 0 || errno != EAGAIN;
}

/* One client's conversation: all of `out` goes there, all of it must come back. */
struct exchange {
    int fd;
    const char *out;
    size_t size, sent, back;
    bool differs;
    bool over; /* the server ended it */
};

static void exchange_send(struct exchange *x)
{
    ssize_t n = 1;
    while (x->sent < x->size && n > 0) {
        n = write(x->fd, x->out + x->sent, x->size - x->sent);
        x->sent += n > 0 ? (size_t)n : 0;
    }
}

/* Moves as much as can be moved without waiting; true when nothing is left to move. */
static bool exchange(struct exchange *x)
{
    static char got[1 << 16];
    ssize_t n;
    exchange_send(x);
    while ((n = read(x->fd, got, sizeof got)) > 0) {
        x->differs |= memcmp(got, x->out + x->back, (size_t)n) != 0;
        x->back += (size_t)n;
    }
    x->over = n == 0 || errno != EAGAIN;
    return x->over || x->back == x->size;
}

static void expect_echo(int fd, const char *text)
{
    struct exchange x = { .fd = fd, .out = text, .size = strlen(text) };
    STEP_UNTIL(exchange(&x));
    assert_int_equal(x.back, x.size);
    assert_false(x.differs);
}

static void reset(int fd)
{
    struct linger at_once = { .l_onoff = 1 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

static void echoes_to_many_at_once(void **state)
{
    (void)state;
    enum { CLIENTS = 20 };
    static const char text[] = "each of us gets back what it sent, and in order";
    struct exchange x[CLIENTS];
    start((struct echo_options){ .read_max = 5 });
    for (int i = 0; i < CLIENTS; i++)
        x[i] = (struct exchange){ .fd = client(),
                                  .out = text + i,
                                  .size = sizeof text - (size_t)i };
    for (int i = 0; i < CLIENTS; i++) {
        STEP_UNTIL(exchange(&x[i]));
        assert_int_equal(x[i].back, x[i].size);
        assert_false(x[i].differs);
        close(x[i].fd);
    }
    STEP_UNTIL(machine.stats.ended == CLIENTS);
    assert_int_equal(machine.connections, 0);
    assert_int_equal(machine.stats.accepted, CLIENTS);
    assert_int_equal(machine.stats.broken, 0);
}

static void R1_a_reader_of_single_bytes_forgets_none(void **state)
{
    (void)state;
    static char text[1000];
    memset(text, 'x', sizeof text - 1);
    struct echo_conn *conn;
    start((struct echo_options){ .read_max = 1, .turn = 3 });
    int fd = local_client(&conn);
    expect_echo(fd, text); /* one edge for 999 reads */
    assert_int_equal(machine.stats.reads, sizeof text - 1);
    assert_true(machine.stats.postponed > 0);
    close(fd);
}

static void R1_the_backlog_is_drained(void **state)
{
    (void)state;
    enum { CLIENTS = 10 };
    int fds[CLIENTS];
    start((struct echo_options){ .turn = 2 });
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = client();
    STEP_UNTIL(machine.stats.accepted == CLIENTS);
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
}

static void a_talkative_peer_starves_nobody(void **state)
{
    (void)state;
    static char flood[60000];
    memset(flood, 'f', sizeof flood - 1);
    struct echo_conn *conn;
    start((struct echo_options){ .read_max = 1, .turn = 4 });
    int loud = local_client(&conn), quiet = local_client(&conn);
    struct exchange x = { .fd = quiet, .out = "q", .size = 1 };
    put(loud, flood);
    exchange(&x);
    for (int step = 0; step < 3; step++)
        assert_true(echo_machine_step(&machine, 0) >= 0);
    assert_true(exchange(&x));
    assert_int_equal(x.back, 1);
    close(loud);
    close(quiet);
}

static void R3_a_reset_ends_a_parked_reader(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    int fd = client();
    expect_echo(fd, "x");
    STEP_UNTIL(echo_machine_step(&machine, 0) == 0); /* now it waits for more */
    reset(fd);
    STEP_UNTIL(machine.connections == 0);
    assert_int_equal(machine.stats.broken, 1);
}

/* Does the first connection hold bytes that its peer has no room for? */
static bool jammed(void)
{
    if (list_empty(&machine.open))
        return false;
    struct echo_conn *conn = container_of(machine.open.next, struct echo_conn, link);
    return conn->state == ECHO_WRITING && !conn->may_write;
}

static void R3_a_reset_ends_a_parked_writer(void **state)
{
    (void)state;
    start((struct echo_options){ .send_buffer = 1 });
    static char flood[1 << 20];
    struct exchange x = { .fd = client(), .out = flood, .size = sizeof flood };
    STEP_UNTIL((exchange_send(&x), jammed()));
    reset(x.fd);
    STEP_UNTIL(machine.connections == 0);
    assert_int_equal(machine.stats.broken, 1);
}

static void R3_a_hangup_alone_is_enough(void **state)
{
    (void)state;
    const uint32_t alone[] = { POLLER_HUP, POLLER_ERR, POLLER_RDHUP };
    start((struct echo_options){ 0 });
    for (size_t i = 0; i < ARRAY_SIZE(alone); i++) {
        struct echo_conn *conn;
        close(local_client(&conn));
        conn->watch.on_event(&conn->watch, alone[i]);
        assert_int_equal(conn->state, ECHO_CLOSED);
    }
}

/* A callback of the test's: closes `victim` in the middle of a batch, and opens a new
 * connection that gets its number. */
struct saboteur {
    struct watch watch;
    struct notifier trigger;
    struct echo_conn *victim;
    struct echo_conn *successor;
    int number;
    int fd;
};

static void sabotage(struct watch *watch, uint32_t events)
{
    (void)events;
    struct saboteur *s = container_of(watch, struct saboteur, watch);
    notifier_drain(&s->trigger);
    s->number = s->victim->fd;
    echo_conn_close(s->victim);
    s->fd = local_client(&s->successor);
}

static void R4_a_stale_event_reaches_neither_the_dead_nor_the_new(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    struct saboteur s = { .watch.on_event = sabotage };
    int fd = local_client(&s.victim);
    STEP_UNTIL(echo_machine_step(&machine, 0) == 0);
    assert_int_equal(notifier_init(&s.trigger), 0);
    assert_int_equal(
        poller_add(&machine.poller, s.trigger.fd, POLLER_READABLE, &s.watch), 0);
    notifier_notify(&s.trigger);
    put(fd, "for a connection that will be gone");
    assert_int_equal(echo_machine_step(&machine, 0), 2); /* both in one batch */
    assert_int_equal(machine.stats.stale, 1);
    assert_int_equal(s.successor->fd, s.number);
    assert_false(s.successor->may_read);
    expect_echo(s.fd, "new");
    assert_true(at_end(fd));
    close(s.fd);
    close(fd);
    assert_int_equal(poller_remove(&machine.poller, s.trigger.fd), 0);
    notifier_finish(&s.trigger);
}

static void R4_no_event_for_a_closed_connection_whose_dup_lives(void **state)
{
    (void)state;
    struct echo_conn *conn;
    start((struct echo_options){ 0 });
    int fd = local_client(&conn);
    STEP_UNTIL(echo_machine_step(&machine, 0) == 0);
    int held =
        fcntl(conn->fd, F_DUPFD_CLOEXEC, 0); /* as a forked child would hold it */
    echo_conn_close(conn);
    assert_int_equal(echo_machine_step(&machine, 0), 0); /* frees it */
    assert_true(list_empty(&machine.dead));
    put(fd, "to whom?");
    assert_int_equal(echo_machine_step(&machine, 0), 0);
    close(held);
    close(fd);
}

static void a_full_house_closes_the_oldest(void **state)
{
    (void)state;
    start((struct echo_options){ .max_connections = 2 });
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = client();
        STEP_UNTIL(machine.stats.accepted == (uint64_t)i + 1);
    }
    STEP_UNTIL(at_end(fds[0]));
    assert_int_equal(machine.connections, 2);
    assert_int_equal(machine.stats.evicted, 1);
    expect_echo(fds[1], "still here");
    for (int i = 0; i < 3; i++)
        close(fds[i]);
}

static void R5_without_descriptors_clients_are_refused_at_once(void **state)
{
    (void)state;
    int fds[3];
    start((struct echo_options){ 0 });
    for (int i = 0; i < 3; i++)
        fds[i] = client();
    struct rlimit old, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    int lowest = dup(fds[0]);
    close(lowest);
    none.rlim_cur = (rlim_t)lowest;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    STEP_UNTIL(at_end(fds[0]) && at_end(fds[1]) && at_end(fds[2]));
    /* And then there is nothing to do, so nothing is done. */
    uint64_t begin = clock_now(), waits = machine.stats.waits;
    for (int i = 0; i < 4; i++)
        (void)echo_machine_step(&machine, 20 * MS);
    uint64_t slept = clock_now() - begin;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_true(machine.stats.shed > 0);
    assert_int_equal(machine.stats.accepted, 0);
    assert_int_equal(machine.stats.waits - waits, 4);
    assert_true(slept >= (uint64_t)(2 * 20 * MS)); /* at most a late event or two */
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    int late = client();
    expect_echo(late, "room again");
    close(late);
}

static void R5_without_even_a_reserve_accept_rests(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    int fd = client();
    fault_arm_always("accept4", ENFILE);
    uint64_t begin = clock_now();
    STEP_UNTIL(machine.stats.pauses == 3);
    /* Two whole rests lie between three tries, and a step of ten in them. */
    assert_true(clock_now() - begin >= 2 * ECHO_ACCEPT_PAUSE_MS * NS_PER_MS);
    assert_true(fault_count() <= 6);
    /* However long the caller would sleep, the client in the backlog bounds it. */
    int64_t patience = TEST_PATIENCE_S * (int64_t)NS_PER_S;
    begin = clock_now();
    assert_int_equal(echo_machine_step(&machine, patience), 0);
    assert_true(clock_now() - begin < (uint64_t)patience);
    fault_disarm();
    expect_echo(fd, "patience");
    close(fd);
}

static void R5_a_closed_connection_ends_the_rest(void **state)
{
    (void)state;
    struct echo_conn *conn;
    start((struct echo_options){ 0 });
    int local = local_client(&conn);
    int fd = client();
    fault_arm_always("accept4", EMFILE);
    STEP_UNTIL(machine.stats.pauses == 1);
    fault_disarm();
    machine.accept_again_at = clock_now() + 3600 * NS_PER_S;
    close(local);
    STEP_UNTIL(machine.stats.accepted == 2);
    close(fd);
}

static void answer(void *argument)
{
    struct echo_conn *conn = argument;
    conn->watch.on_event(&conn->watch, POLLER_READABLE | POLLER_WRITABLE);
    _exit(conn->state == ECHO_CLOSED && machine.stats.broken == 1 ? 7 : 1);
}

static void R6_a_write_to_a_closed_peer_kills_nobody(void **state)
{
    (void)state;
    struct echo_conn *conn;
    start((struct echo_options){ 0 });
    int fd = local_client(&conn);
    put(fd, "you will not hear the answer");
    assert_int_equal(shutdown(fd, SHUT_RD), 0);
    assert_int_equal(run_in_child(answer, conn, NULL, 0), 7); /* not -SIGPIPE */
    close(fd);
}

static void R7_partial_writes_go_on_where_they_stopped(void **state)
{
    (void)state;
    enum { SIZE = 1 << 20 };
    char *out = malloc(SIZE);
    assert_non_null(out);
    for (int i = 0; i < SIZE; i++)
        out[i] = (char)(i * 31 + i / 4096);
    start((struct echo_options){ .send_buffer = 1 });
    struct echo_conn *conn;
    struct exchange x = { .fd = local_client(&conn), .out = out, .size = SIZE };
    STEP_UNTIL((exchange_send(&x), jammed())); /* a peer that does not read yet */
    STEP_UNTIL(exchange(&x));
    assert_int_equal(x.back, SIZE);
    assert_false(x.differs);
    assert_true(machine.stats.partial_writes > 0);
    assert_int_equal(machine.stats.bytes, SIZE);
    close(x.fd);
    free(out);
}

static void *run_machine(void *argument)
{
    *(int *)argument = echo_machine_run(&machine);
    return NULL;
}

static void R8_stop_wakes_even_through_a_full_counter(void **state)
{
    (void)state;
    pthread_t thread;
    int result = 1;
    start((struct echo_options){ 0 });
    uint64_t full = UINT64_MAX - 1;
    assert_int_equal(write(machine.wake.fd, &full, sizeof full), sizeof full);
    assert_int_equal(pthread_create(&thread, NULL, run_machine, &result), 0);
    echo_machine_stop(&machine);
    pthread_join(thread, NULL);
    assert_int_equal(result, 0);
}

static void serves_on_its_own_thread_until_stopped(void **state)
{
    (void)state;
    pthread_t thread;
    int result = 1;
    static char text[2000];
    memset(text, 't', sizeof text);
    start((struct echo_options){ .read_max = 1, .turn = 3 });
    assert_int_equal(pthread_create(&thread, NULL, run_machine, &result), 0);
    struct exchange x = { .fd = client(), .out = text, .size = sizeof text };
    WAIT_UNTIL(exchange(&x));
    echo_machine_stop(&machine);
    pthread_join(thread, NULL);
    assert_int_equal(result, 0);
    assert_int_equal(x.back, sizeof text);
    assert_false(x.differs);
    close(x.fd);
}

static void R11_nothing_that_the_machine_opens_survives_exec(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    int fd = client();
    STEP_UNTIL(machine.stats.accepted == 1);
    struct echo_conn *conn = container_of(machine.open.next, struct echo_conn, link);
    const int all[] = { machine.poller.fd, machine.wake.fd, machine.listener,
                        machine.reserve, conn->fd };
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        assert_true(fcntl(all[i], F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void step_in_child(void *argument)
{
    (void)argument;
    bool refused = echo_machine_step(&machine, 0) == -ESTALE &&
                   echo_machine_run(&machine) == -ESTALE;
    echo_machine_finish(&machine);
    _exit(refused ? 7 : 1);
}

static void R11_a_forked_child_fails_cleanly(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    int fd = client();
    STEP_UNTIL(machine.stats.accepted == 1);
    assert_int_equal(run_in_child(step_in_child, NULL, NULL, 0), 7);
    expect_echo(fd, "the parent serves on");
    close(fd);
}

static void R12_data_and_fin_at_once_reach_the_end(void **state)
{
    (void)state;
    struct echo_conn *conn;
    start((struct echo_options){ 0 });
    int fd = local_client(&conn);
    put(fd, "bye");
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    struct exchange x = { .fd = fd, .out = "bye", .size = 3, .sent = 3 };
    assert_int_equal(echo_machine_step(&machine, 0), 1);
    exchange(&x);
    assert_int_equal(x.back, 3);
    assert_true(x.over);
    assert_int_equal(machine.stats.ended, 1);
    close(fd);
}

static int open_and_finish(void *argument)
{
    struct echo_machine *failed = argument;
    int err = echo_machine_init(failed, &(struct echo_options){ 0 });
    echo_machine_finish(failed);
    return err;
}

static const struct fault init_faults[] = {
    { "epoll_create1", EMFILE, FAULT_REPORTED },
    { "epoll_create1", ENFILE, FAULT_REPORTED },
    { "epoll_create1", ENOMEM, FAULT_REPORTED },
    { "eventfd", EMFILE, FAULT_REPORTED },
    { "epoll_ctl", ENOSPC, FAULT_REPORTED },
    { "epoll_ctl", ENOMEM, FAULT_REPORTED },
    { "open", EMFILE, FAULT_REPORTED }, /* the reserve */
    { "socket", EMFILE, FAULT_REPORTED },
    { "socket", ENOBUFS, FAULT_REPORTED },
    { "setsockopt", ENOMEM, FAULT_SURVIVED }, /* SO_REUSEADDR is a convenience */
    { "bind", EADDRINUSE, FAULT_REPORTED },
    { "listen", EADDRINUSE, FAULT_REPORTED },
    { "close", EINTR, FAULT_SURVIVED },
};

static void a_failed_init_leaves_nothing_behind(void **state)
{
    (void)state;
    struct echo_machine failed;
    fds_before = open_fds();
    SWEEP(open_and_finish, &failed, init_faults);
    assert_int_equal(echo_machine_init(&failed, &(struct echo_options){ 0 }), 0);
    struct echo_options taken = { .port = echo_machine_port(&failed) };
    fault_arm("getsockname", 1, ENOBUFS);
    assert_int_equal(echo_machine_port(&failed), 0);
    fault_disarm();
    assert_int_equal(echo_machine_init(&machine, &taken), -EADDRINUSE);
    echo_machine_finish(&failed);
    echo_machine_finish(NULL);
}

/* A whole visit, while one call somewhere fails. Whatever happens, it ends. */
static void visit(bool harmless)
{
    struct exchange x = { .fd = client(), .out = "a visitor", .size = 9 };
    STEP_UNTIL(exchange(&x));
    assert_false(x.differs);
    if (harmless)
        assert_int_equal(x.back, x.size);
    close(x.fd);
    const struct echo_stats *s = &machine.stats;
    STEP_UNTIL(machine.connections == 0 && s->accepted + s->failed + s->shed > 0);
}

static void sweep(const char *call, int err, bool harmless)
{
    long failures = 1;
    for (long n = 1; failures > 0; n++) {
        start((struct echo_options){ .read_max = 4 });
        fault_arm(call, n, err);
        visit(harmless);
        failures = fault_count();
        tear_down(NULL);
    }
}

static void one_failed_call_costs_one_visitor_at_most(void **state)
{
    (void)state;
    sweep("malloc", ENOMEM, false);
    sweep("epoll_ctl", ENOMEM, false);
    sweep("epoll_ctl", ENOSPC, false);
    sweep("accept4", ENOMEM, true);
    sweep("accept4", ENOBUFS, true);
    sweep("accept4", ECONNABORTED, true);
    sweep("accept4", EPROTO, true);
    sweep("accept4", EMFILE, false);
    sweep("accept4", ENFILE, false);
    sweep("recv", ECONNRESET, false);
    sweep("recv", ENOMEM, false);
    sweep("send", EPIPE, false); /* R6 */
    sweep("send", ECONNRESET, false);
    sweep("send", ENOBUFS, false);
    sweep("setsockopt", ENOPROTOOPT, true); /* TCP_NODELAY is a convenience */
}

static void an_interrupted_call_costs_nothing(void **state)
{
    (void)state;
    sweep("recv", FAULT_SHORT, true);
    sweep("send", FAULT_SHORT, true); /* R7 */
    sweep("close", EINTR, true);
    sweep("accept4", EINTR, true);
    sweep("recv", EINTR, true);
    sweep("send", EINTR, true);
    sweep("epoll_wait", EINTR, true);
    sweep("epoll_pwait2", EINTR, true);
}

static void a_failed_wait_ends_the_run(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    fault_arm("epoll_wait", 1, EBADF);
    assert_int_equal(echo_machine_run(&machine), -EBADF);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, tear_down)
    /* The clients' own writes; R6 runs in a child, where it is the default again. */
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        TEST(echoes_to_many_at_once),
        TEST(R1_a_reader_of_single_bytes_forgets_none),
        TEST(R1_the_backlog_is_drained),
        TEST(a_talkative_peer_starves_nobody),
        TEST(R3_a_reset_ends_a_parked_reader),
        TEST(R3_a_reset_ends_a_parked_writer),
        TEST(R3_a_hangup_alone_is_enough),
        TEST(R4_a_stale_event_reaches_neither_the_dead_nor_the_new),
        TEST(R4_no_event_for_a_closed_connection_whose_dup_lives),
        TEST(a_full_house_closes_the_oldest),
        TEST(R5_without_descriptors_clients_are_refused_at_once),
        TEST(R5_without_even_a_reserve_accept_rests),
        TEST(R5_a_closed_connection_ends_the_rest),
        TEST(R6_a_write_to_a_closed_peer_kills_nobody),
        TEST(R7_partial_writes_go_on_where_they_stopped),
        TEST(R11_nothing_that_the_machine_opens_survives_exec),
        TEST(R11_a_forked_child_fails_cleanly),
        TEST(R12_data_and_fin_at_once_reach_the_end),
        TEST(a_failed_init_leaves_nothing_behind),
        TEST(one_failed_call_costs_one_visitor_at_most),
        TEST(an_interrupted_call_costs_nothing),
        TEST(a_failed_wait_ends_the_run),
        /* Last: a forked child inherits the stacks of threads that have ended. */
        TEST(R8_stop_wakes_even_through_a_full_counter),
        TEST(serves_on_its_own_thread_until_stopped),
    };
    return cmocka_run_group_tests_name("echo_machine", tests, NULL, NULL);
}
