/* Addresses and descriptors: every form that is legal, and every call that can fail. */
#include "lesson05_reactor/driver_testing.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <pty.h>
#include <sys/stat.h>

#include "common/testing/faults.h"

static void numbers_are_parsed_and_names_are_not(void **state)
{
    (void)state;
    static const char *const good[] = {
        "127.0.0.1:0", "0.0.0.0:80",        "255.255.255.255:65535", "[::1]:8080",
        "[::]:0",      "[fe80::1:2:3]:443", "unix:/tmp/x",           "unix:relative"
    };
    static const char *const bad[] = {
        "",
        ":",
        "127.0.0.1",
        "127.0.0.1:",
        ":80",
        "localhost:80",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1: 1",
        "127.0.0.1:1x",
        "127.0.0.1:99999999999999999999",
        "256.0.0.1:1",
        "1.2.3:1",
        "::1:80",
        "[::1:80",
        "[::1]",
        "[]:1",
        "[127.0.0.1]:1",
        "unix:",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999]:1"
    };
    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        struct net_address address;
        char text[NET_TEXT_MAX];
        assert_int_equal(net_parse(good[i], &address), 0);
        net_format(&address, text, sizeof text);
        assert_string_equal(text, good[i]); /* and back */
    }
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        struct net_address address;
        if (net_parse(bad[i], &address) != -EINVAL)
            fail_msg("\"%s\" is no address", bad[i]);
    }
}

static void unix_paths_have_a_limit(void **state)
{
    (void)state;
    char text[200] = "unix:";
    struct net_address address;
    memset(text + 5, 'p', 107);
    assert_int_equal(net_parse(text, &address), 0);
    char back[NET_TEXT_MAX];
    net_format(&address, back, sizeof back);
    assert_string_equal(back, text);
    net_format(&address, back, 10); /* cut, and terminated */
    assert_string_equal(back, "unix:pppp");
    text[5 + 107] = 'p';
    assert_int_equal(net_parse(text, &address), -EINVAL);
    struct net_address any = net_any_address();
    net_format(&any, back, sizeof back);
    assert_string_equal(back, "(family 0)");
    any.any.sa_family = AF_UNIX;
    any.size = sizeof(sa_family_t); /* a socket without a name */
    net_format(&any, back, sizeof back);
    assert_string_equal(back, "unix:");
}

static void port_0_is_chosen(void **state)
{
    (void)state;
    struct net_listen_options options = { .backlog = 4 };
    static const char *const texts[] = { "127.0.0.1:0", "[::1]:0" };
    for (unsigned i = 0; i < ARRAY_SIZE(texts); i++) {
        struct net_address address, bound;
        assert_int_equal(net_parse(texts[i], &address), 0);
        int fd = net_listen(&address, &options);
        if (fd == -EADDRNOTAVAIL || fd == -EAFNOSUPPORT)
            continue; /* no IPv6 here */
        assert_true(fd >= 0);
        assert_int_equal(net_local_address(fd, &bound), 0);
        assert_true(net_port(&bound) > 0);
        int flags = fcntl(fd, F_GETFL);
        assert_true(flags & O_NONBLOCK);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC); /* R11 */
        assert_int_equal(net_peer_address(fd, &bound), -ENOTCONN);
        close(fd);
    }
}

static int option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t size = sizeof value;
    getsockopt(fd, level, option, &value, &size);
    return value;
}

static void listen_options_do_what_they_say(void **state)
{
    (void)state;
    struct net_address address;
    assert_int_equal(net_parse("127.0.0.1:0", &address), 0);
    int plain = net_listen(&address, &(struct net_listen_options){ 0 });
    assert_int_equal(option_of(plain, SOL_SOCKET, SO_REUSEADDR), 1);
    assert_int_equal(option_of(plain, SOL_SOCKET, SO_REUSEPORT), 0);
    assert_int_equal(net_local_address(plain, &address), 0);
    assert_int_equal(net_listen(&address, &(struct net_listen_options){ 0 }),
                     -EADDRINUSE);
    close(plain);
    net_set_port(&address, 0);
    struct net_listen_options both = { .reuse_port = true };
    int one = net_listen(&address, &both);
    assert_int_equal(net_local_address(one, &address), 0);
    int two = net_listen(&address, &both); /* the same port */
    assert_true(one >= 0 && two >= 0);
    close(one);
    close(two);
    net_set_port(&address, 0);
    int strict =
        net_listen(&address, &(struct net_listen_options){ .refuse_reuse = true });
    assert_int_equal(option_of(strict, SOL_SOCKET, SO_REUSEADDR), 0);
    close(strict);
}

static void a_stale_unix_path_is_taken_over_and_a_live_one_is_not(void **state)
{
    (void)state;
    struct net_listen_options options = { 0 };
    struct net_address address;
    char text[NET_TEXT_MAX];
    snprintf(text, sizeof text, "unix:%s", testing_path("socket"));
    assert_int_equal(net_parse(text, &address), 0);
    int first = net_listen(&address, &options);
    assert_true(first >= 0);
    assert_int_equal(net_listen(&address, &options), -EADDRINUSE);
    close(first); /* the file stays */
    int second = net_listen(&address, &options);
    assert_true(second >= 0);
    assert_int_equal(net_local_address(second, &address), 0);
    char back[NET_TEXT_MAX];
    net_format(&address, back, sizeof back);
    assert_string_equal(back, text);
    close(second);
    assert_int_equal(unlink(address.local.sun_path), 0);
    int file = open(address.local.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    close(file);
    assert_int_equal(net_listen(&address, &options), -EADDRINUSE); /* somebody's file */
    assert_int_equal(unlink(address.local.sun_path), 0);
}

static void no_delay_is_for_tcp(void **state)
{
    (void)state;
    struct net_address address;
    int fd = listen_locally(&address), pair[2];
    net_no_delay(fd);
    assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    close(fd);
    assert_int_equal(net_pair(pair), 0);
    net_no_delay(pair[0]); /* nothing happens */
    close(pair[0]);
    close(pair[1]);
}

static void each_call_may_fail_and_leaves_no_descriptor(void **state)
{
    (void)state;
    static const char *const calls[] = { "socket", "bind", "listen" };
    struct net_address address;
    assert_int_equal(net_parse("127.0.0.1:0", &address), 0);
    int fds = open_fds();
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
        for (long n = 1; fault_sweep(n, calls[i], EACCES); n++) {
            int listener = net_listen(&address, &(struct net_listen_options){ 0 });
            int udp = net_udp(&address);
            long failed = fault_count();
            fault_disarm();
            assert_int_equal((listener < 0) + (udp < 0), failed);
            assert_true(listener >= 0 || listener == -EACCES);
            if (listener >= 0)
                close(listener);
            if (udp >= 0)
                close(udp);
            assert_int_equal(open_fds(), fds);
        }
}

static struct driver_subject epoll = { .name = "epoll",
                                       .open = open_reactor,
                                       .close = close_reactor };

static void a_connect_that_fails_leaves_no_descriptor(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    struct net_address address;
    assert_true(open_world(&w, &epoll));
    int listener = listen_locally(&address), fds = open_fds();
    static const char *const calls[] = { "socket", "connect", "calloc" };
    for (unsigned i = 0; i < ARRAY_SIZE(calls); i++)
        for (long n = 1; fault_sweep(n, calls[i], EACCES); n++) {
            struct net_connect out = net_connect(&address);
            const struct future_ops *ops = out.future.ops;
            drive(&w, &out.future);
            fault_disarm();
            assert_true(out.result == 0 || !out.source);
            ops->discard(&out.future); /* closes what is there */
            assert_int_equal(open_fds(), fds);
        }
    struct net_connect out = net_connect(&address);
    future_cancel(&out.future);
    drive(&w, &out.future);
    assert_int_equal(out.result, -ECANCELED);
    assert_int_equal(open_fds(), fds);
    close(listener);
    close_world(&w);
}

static void any_descriptor_can_be_wrapped(void **state)
{
    (void)state;
    struct driver_world w = { 0 };
    struct net_address address;
    int pair[2], pipes[2], terminal, other;
    assert_true(open_world(&w, &epoll));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(openpty(&terminal, &other, NULL, NULL, NULL), 0);
    assert_int_equal(net_parse("127.0.0.1:0", &address), 0);
    const struct {
        int fd;
        enum io_type type;
    } things[] = {
        { pair[0], IO_TYPE_STREAM },
        { pair[1], IO_TYPE_STREAM },
        { pipes[0], IO_TYPE_STREAM },
        { pipes[1], IO_TYPE_STREAM },
        { terminal, IO_TYPE_ANY },
        { other, IO_TYPE_ANY },
        { net_udp(&address), IO_TYPE_DATAGRAM },
        { listen_locally(&address), IO_TYPE_LISTENER },
        { open("/dev/null", O_RDWR | O_CLOEXEC), IO_TYPE_FILE },
        { open("/proc/self/exe", O_RDONLY | O_CLOEXEC), IO_TYPE_FILE },
    };
    for (unsigned i = 0; i < ARRAY_SIZE(things); i++) {
        struct io_source *source;
        assert_int_equal(net_wrap(things[i].fd, &source), 0);
        assert_int_equal(source->type, things[i].type);
        assert_true(fcntl(things[i].fd, F_GETFL) & O_NONBLOCK);
        close_source_in(&w, source);
    }
    struct io_source *source;
    assert_int_equal(net_wrap(-1, &source), -EBADF);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_parsed_and_names_are_not),
        cmocka_unit_test(unix_paths_have_a_limit),
        cmocka_unit_test(port_0_is_chosen),
        cmocka_unit_test(listen_options_do_what_they_say),
        cmocka_unit_test(a_stale_unix_path_is_taken_over_and_a_live_one_is_not),
        cmocka_unit_test(no_delay_is_for_tcp),
        cmocka_unit_test(each_call_may_fail_and_leaves_no_descriptor),
        cmocka_unit_test(a_connect_that_fails_leaves_no_descriptor),
        cmocka_unit_test(any_descriptor_can_be_wrapped),
    };
    return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
