/* Hidden tests of exercise 4.1: an edge that comes while the other direction is stuck,
 * a connection closed while its turn is postponed, and an error that is not the end. */
#include "lesson04_epoll/exercises/one_conn.h"

static struct echo_conn *conn;

/* The edge is delivered by hand, in the state in which it is not wanted. */
static void a_readable_edge_in_writing_is_remembered(void **state)
{
    (void)state;
    start((struct echo_options){ .send_buffer = 1 });
    struct flood flood = { .fd = client(&conn), .size = 1 << 18 };
    flood_jam(&flood, conn);
    conn->may_read = false;
    conn->watch.on_event(&conn->watch, POLLER_READABLE);
    if (!conn->may_read)
        fail_msg("READABLE while WRITING: expected may_read to be true, got false");
    expect_state(conn, ECHO_WRITING, "READABLE while WRITING");
    flood_run(&flood);
    close(flood.fd);
    stop();
}

static void closed_with_a_turn_to_come(void **state)
{
    (void)state;
    struct echo_conn *other;
    start((struct echo_options){ .read_max = 1, .turn = 2 });
    int fd = client(&conn), other_fd = client(&other);
    put(fd, "more than one turn");
    step();
    if (list_empty(&machine.again))
        fail_msg("work is left after a turn: expected it in machine->again");
    echo_conn_close(conn); /* as make_room does */
    if (!list_empty(&machine.again))
        fail_msg("closed: expected machine->again to be empty");
    step();
    put(other_fd, "x");
    settle();
    get(other_fd, "x");
    if (machine.connections != 1)
        fail_msg("one of two was closed: expected 1 connection, got %u",
                 machine.connections);
    close(fd);
    close(other_fd);
    stop();
}

static void an_error_is_no_end_of_the_file(void **state)
{
    (void)state;
    start((struct echo_options){ 0 });
    int fd = client(&conn);
    put(fd, "x");
    fault_arm("recv", 1, ECONNRESET);
    conn->watch.on_event(&conn->watch, POLLER_READABLE | POLLER_WRITABLE);
    fault_disarm();
    expect_state(conn, ECHO_CLOSED, "recv answers ECONNRESET");
    EXPECT_STAT(broken, 1, "recv answers ECONNRESET");
    EXPECT_STAT(ended, 0, "recv answers ECONNRESET");
    close(fd);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_readable_edge_in_writing_is_remembered),
        cmocka_unit_test(closed_with_a_turn_to_come),
        cmocka_unit_test(an_error_is_no_end_of_the_file),
    };
    return cmocka_run_group_tests_name("echo_conn, hidden", tests, NULL, NULL);
}
