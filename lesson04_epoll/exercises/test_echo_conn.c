/* One connection of the echo server, event by event. */
#include "lesson04_epoll/exercises/one_conn.h"

#include <fcntl.h>

static struct echo_conn *conn;

static void what_is_sent_comes_back(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    int fd = client(&conn);
    put(fd, "hello");
    settle();
    get(fd, "hello");
    expect_state(conn, ECHO_READING, "all has come back");
    put(fd, "again");
    settle();
    get(fd, "again");
    close(fd);
    settle();
    EXPECT_STAT(ended, 1, "the client has closed");
    stop();
}

static void R1_one_edge_for_many_reads(void **state)
{
    (void)state;
    char text[101] = "";
    memset(text, 'x', sizeof text - 1);
    start((struct echo_options){ .read_max = 1, .turn = 3 });
    int fd = client(&conn);
    put(fd, text); /* one event, 100 reads of one byte, three calls a turn */
    for (int i = 0; i < 200; i++)
        step(); /* nothing else happens: who takes a byte makes an event by it */
    if (machine.stats.reads != 100)
        fail_msg(
            "one edge for 100 bytes, one byte a read: expected 100 reads, got %llu",
            (unsigned long long)machine.stats.reads);
    get(fd, text);
    close(fd);
    stop();
}

static void R1_it_rests_when_there_is_nothing(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    int fd = client(&conn);
    put(fd, "x");
    settle();
    if (conn->may_read)
        fail_msg("all was read: expected may_read to be false, got true");
    for (int i = 0; i < 10; i++)
        if (step() != 0 || !list_empty(&machine.again))
            fail_msg(
                "nothing happens: expected no work, got an event or a postponed turn");
    close(fd);
    stop();
}

static void a_turn_has_an_end(void **state)
{
    (void)state;
    struct echo_conn *quiet;
    start((struct echo_options){ .read_max = 1, .turn = 4 });
    int loud_fd = client(&conn), quiet_fd = client(&quiet);
    put(loud_fd, "a long speech that takes many turns");
    put(quiet_fd, "q");
    step();
    uint64_t calls = machine.stats.reads + machine.stats.writes;
    if (calls > 8)
        fail_msg("two turns of 4 system calls: expected 8 at most, got %llu",
                 (unsigned long long)calls);
    get(quiet_fd, "q");
    if (machine.stats.postponed == 0)
        fail_msg("the loud one has work left: expected a postponed turn, got none");
    settle();
    get(loud_fd, "a long speech that takes many turns");
    close(loud_fd);
    close(quiet_fd);
    stop();
}

static void R7_a_partial_write_goes_on_where_it_stopped(void **state)
{
    (void)state;
    start((struct echo_options){ .send_buffer = 1 });
    struct flood flood = { .fd = client(&conn), .size = 1 << 18 };
    flood_jam(&flood, conn);
    flood_run(&flood);
    EXPECT_STAT(bytes, 1 << 18, "all has come back");
    close(flood.fd);
    stop();
}

static void R12_data_and_fin_are_both_met(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    int fd = client(&conn);
    settle();
    put(fd, "bye");
    shutdown(fd, SHUT_WR); /* before the next step: one edge for both */
    settle();
    get(fd, "bye");
    if (!at_end(fd))
        fail_msg("the client has sent its last byte: expected the end, got none");
    EXPECT_STAT(ended, 1, "data and FIN within one edge");
    EXPECT_STAT(broken, 0, "data and FIN within one edge");
    close(fd);
    stop();
}

static void R3_a_hangup_alone_is_enough(void **state)
{
    (void)state;
    static const uint32_t alone[] = { POLLER_HUP, POLLER_ERR, POLLER_RDHUP };
    static const char *const names[] = { "HUP", "ERR", "RDHUP" };
    start((struct echo_options){ 0 });
    for (size_t i = 0; i < ARRAY_SIZE(alone); i++) {
        char when[40];
        close(client(&conn));
        snprintf(when, sizeof when, "%s, and no other bit", names[i]);
        conn->watch.on_event(&conn->watch, alone[i]);
        expect_state(conn, ECHO_CLOSED, when);
    }
    stop();
}

static void R4_what_is_closed_is_met_and_left_alone(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    int fd = client(&conn);
    echo_conn_close(conn);
    expect_state(conn, ECHO_CLOSED, "after echo_conn_close");
    if (machine.dead.next != &conn->link || !list_empty(&machine.open))
        fail_msg("a closed connection: expected it in machine->dead and nowhere else");
    conn->watch.on_event(&conn->watch, POLLER_READABLE | POLLER_HUP); /* same batch */
    EXPECT_STAT(stale, 1, "an event for what is closed");
    expect_state(conn, ECHO_CLOSED, "an event for what is closed");
    if (!at_end(fd))
        fail_msg("after echo_conn_close: the client's end is still connected");
    if (machine.connections != 0)
        fail_msg("after echo_conn_close: expected 0 connections, got %u",
                 machine.connections);
    close(fd);
    stop();
}

static void R4_no_event_after_the_close(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    int fd = client(&conn);
    settle();
    int held = fcntl(conn->fd, F_DUPFD_CLOEXEC, 0); /* as a forked child has it */
    echo_conn_close(conn);
    step(); /* frees it */
    put(fd, "to whom?");
    int events = 0;
    struct poller_event event;
    events = poller_wait(&machine.poller, &event, 1, 0);
    if (events != 0)
        fail_msg("closed, a duplicate is alive: expected 0 events, got %d", events);
    close(held);
    close(fd);
    stop();
}

static void R6_a_peer_that_is_gone_kills_nobody(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    int fd = client(&conn);
    put(fd, "you will not hear the answer");
    shutdown(fd, SHUT_RD);
    settle(); /* a SIGPIPE would end the program here */
    expect_state(conn, ECHO_CLOSED, "the answer met a closed peer");
    EXPECT_STAT(broken, 1, "the answer met a closed peer");
    close(fd);
    stop();
}

static void a_signal_costs_nothing(void **state)
{
    (void)state;
    static const char *const interrupted[] = { "recv", "send" };
    start((struct echo_options){ 0 });
    int fd = client(&conn);
    for (size_t i = 0; i < ARRAY_SIZE(interrupted); i++) {
        char when[40];
        snprintf(when, sizeof when, "%s answers EINTR once", interrupted[i]);
        put(fd, "hello");
        fault_arm(interrupted[i], 1, EINTR);
        settle();
        fault_disarm();
        expect_state(conn, ECHO_READING, when);
        get(fd, "hello");
    }
    close(fd);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sent_comes_back),
        cmocka_unit_test(R1_one_edge_for_many_reads),
        cmocka_unit_test(R1_it_rests_when_there_is_nothing),
        cmocka_unit_test(a_turn_has_an_end),
        cmocka_unit_test(R7_a_partial_write_goes_on_where_it_stopped),
        cmocka_unit_test(R12_data_and_fin_are_both_met),
        cmocka_unit_test(R3_a_hangup_alone_is_enough),
        cmocka_unit_test(R4_what_is_closed_is_met_and_left_alone),
        cmocka_unit_test(R4_no_event_after_the_close),
        cmocka_unit_test(R6_a_peer_that_is_gone_kills_nobody),
        cmocka_unit_test(a_signal_costs_nothing),
    };
    return cmocka_run_group_tests_name("echo_conn", tests, NULL, NULL);
}
