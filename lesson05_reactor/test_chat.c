/* The chat program itself, as people meet it: a process, sockets, signals. */
#include "common/testing/testing.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/testing/forbid.h"
#include "lesson03_iouring/ring_testing.h"
#include "lesson05_reactor/net.h"
#include "lesson05_reactor/chat.h"

/* ---- the server */

struct server {
    pid_t pid;
    int out; /* both of its outputs */
    struct net_address address;
    char said[8192];
    size_t used;
};

struct start {
    const char *driver;
    bool forbidden; /* io_uring is refused with EPERM */
};

static const char *program(void)
{
    static char path[512];
    const char *folder = getenv("COURSE_BIN");
    if (folder) {
        snprintf(path, sizeof path, "%s/chat", folder);
        return path;
    }
    /* .../test/lesson05_reactor/test_chat, run by hand */
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    assert_true(n > 0);
    path[n] = '\0';
    for (int i = 0; i < 3; i++)
        *strrchr(path, '/') = '\0';
    strcat(path, "/bin/chat");
    return path;
}

static void become_chat(const struct start *start, int out)
{
    char *driver = (char *)(uintptr_t)start->driver;
    char option[] = "--driver", name[] = "chat";
    char *arguments[] = { name, option, driver, NULL };
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    if (start->forbidden)
        forbid_io_uring(EPERM);
    execv(program(), arguments);
    _exit(127);
}

/* Reads until `text` was said. */
static void hear(int fd, char *said, size_t *used, size_t room, const char *text)
{
    uint64_t give_up = testing_deadline();
    while (!strstr(said, text)) {
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        if (poll(&ready, 1, 100) == 1) {
            ssize_t n = read(fd, said + *used, room - 1 - *used);
            if (n <= 0)
                fail_msg("the end came before \"%s\"; heard: %s", text, said);
            *used += (size_t)n;
            said[*used] = '\0';
        }
        if (testing_expired(give_up))
            fail_msg("waited %d s for \"%s\"; heard: %s", TEST_PATIENCE_S, text, said);
    }
}

static void start_server(struct server *server, const struct start *start)
{
    int ends[2];
    char text[64];
    memset(server, 0, sizeof *server);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    server->pid = fork();
    assert_true(server->pid >= 0);
    if (server->pid == 0)
        become_chat(start, ends[1]);
    close(ends[1]);
    server->out = ends[0];
    hear(server->out, server->said, &server->used, sizeof server->said, ")\n");
    char *at = strstr(server->said, "listening on ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "listening on %63s", text), 1);
    assert_int_equal(net_parse(text, &server->address), 0);
}

static int wait_for_exit(struct server *server)
{
    int status;
    WAIT_UNTIL(waitpid(server->pid, &status, WNOHANG) == server->pid);
    close(server->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void stop_server(struct server *server)
{
    kill(server->pid, SIGTERM);
    assert_int_equal(wait_for_exit(server), 0);
}

/* ---- a person */

struct person {
    int fd;
    char heard[65536];
    size_t used;
};

static struct person *come(struct server *server)
{
    struct person *person = calloc(1, sizeof *person);
    assert_non_null(person);
    person->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(person->fd, &server->address.any, server->address.size),
                     0);
    return person;
}

static void hears(struct person *person, const char *text)
{
    hear(person->fd, person->heard, &person->used, sizeof person->heard, text);
}

static void forgets(struct person *person)
{
    person->used = 0;
    person->heard[0] = '\0';
}

static void says(struct person *person, const char *text)
{
    size_t size = strlen(text);
    assert_int_equal(send(person->fd, text, size, MSG_NOSIGNAL), (ssize_t)size);
}

static void hears_the_end(struct person *person)
{
    uint64_t give_up = testing_deadline();
    char spare[512];
    for (;;) {
        struct pollfd ready = { .fd = person->fd, .events = POLLIN };
        if (poll(&ready, 1, 100) == 1 && read(person->fd, spare, sizeof spare) <= 0)
            return;
        if (testing_expired(give_up))
            fail_msg("the connection was not ended");
    }
}

static void go(struct person *person)
{
    close(person->fd);
    free(person);
}

static struct person *come_as(struct server *server, const char *name)
{
    char text[64];
    struct person *person = come(server);
    hears(person, "* welcome, ");
    snprintf(text, sizeof text, "/nick %s\n", name);
    says(person, text);
    snprintf(text, sizeof text, "* you are %s\n", name);
    hears(person, text);
    return person;
}

/* ---- the tests, each on both drivers */

static void begin(struct server *server, void **state)
{
    struct start start = { .driver = *state };
    if (strcmp(start.driver, "uring") == 0)
        needs_io_uring();
    start_server(server, &start);
}

static void lines_go_to_all_others(void **state)
{
    struct server server;
    begin(&server, state);
    struct person *ada = come_as(&server, "ada"), *bob = come_as(&server, "bob");
    struct person *eve = come_as(&server, "eve");
    says(ada, "hello ");
    says(ada, "you two\nand a sec");
    hears(bob, "ada: hello you two\n");
    hears(eve, "ada: hello you two\n");
    says(ada, "ond line\r\n\n");
    hears(bob, "ada: and a second line\n");
    says(bob, "/who\n");
    hears(bob, "* 3 here: ada bob eve\n");
    assert_null(strstr(ada->heard, "ada: "));
    shutdown(eve->fd, SHUT_WR); /* without a word */
    hears(ada, "* eve left\n");
    hears_the_end(eve);
    go(eve);
    go(ada); /* with something unread: that is a reset */
    hears(bob, "* ada l");
    go(bob);
    stop_server(&server);
}

static void names_are_checked(void **state)
{
    struct server server;
    begin(&server, state);
    struct person *ada = come_as(&server, "ada"), *bob = come_as(&server, "bob");
    says(bob, "/nick ada\n");
    hears(bob, "* somebody is called ada already\n");
    says(bob, "/nick much-too-long-for-a-name-in-here\n");
    hears(bob, "* a name has 1 to 20 letters");
    forgets(bob);
    says(bob, "/nick\n");
    hears(bob, "* a name has");
    says(bob, "/frobnicate\n/help\n");
    hears(bob, "* no such command: /frobnicate\n");
    hears(bob, "* /nick NAME, /who");
    says(bob, "/nick bob\n"); /* one's own name is not taken */
    hears(bob, "* you are bob\n");
    says(bob, "/quit\n");
    hears(bob, "* goodbye, bob\n");
    hears_the_end(bob);
    hears(ada, "* bob left\n");
    go(ada);
    go(bob);
    stop_server(&server);
}

static void sit_down(struct chat_room *room, struct chat_member *member)
{
    *member = (struct chat_member){ .room = room, .out = calloc(1, CHAT_QUEUE + 1) };
    assert_non_null(member->out);
    waker_cell_init(&member->has_output);
    waker_cell_init(&member->has_end);
    chat_enter(member);
}

static void stand_up(struct chat_member *member)
{
    waker_cell_finish(&member->has_output);
    waker_cell_finish(&member->has_end);
    free(member->out);
}

/* Without any connection: the bytes come in the same turn as the end. */
static void who_was_dropped_says_nothing_more(void **state)
{
    (void)state;
    static struct chat_member ada, bob;
    struct chat_room room = { 0 };
    list_init(&room.members);
    sit_down(&room, &ada);
    sit_down(&room, &bob);
    chat_end(&ada, CHAT_TOO_SLOW);
    memset(ada.in, 'x', CHAT_LINE);
    memcpy(ada.in, "one\ntwo\n", 8);
    chat_received(&ada, CHAT_LINE);
    assert_null(strstr(bob.out, "one"));
    chat_leave(&ada);
    chat_leave(&bob);
    stand_up(&ada);
    stand_up(&bob);
}

static void long_lines_and_garbage_do_no_harm(void **state)
{
    struct server server;
    begin(&server, state);
    struct person *ada = come_as(&server, "ada"), *bob = come_as(&server, "bob");
    static char much[30000];
    memset(much, 'x', sizeof much - 1);
    says(ada, much);
    says(ada, "\nshort\n");
    hears(ada, "* that line is too long");
    hears(bob, "ada: xxxxx");
    hears(bob, "ada: short\n");
    assert_null(strstr(strstr(bob->heard, "ada: xxxxx") + 410, "xxxxx"));
    forgets(bob);
    unsigned random = 1;
    for (int i = 0; i < 50; i++) {
        char bytes[200];
        for (unsigned k = 0; k < sizeof bytes; k++)
            bytes[k] = (char)((random = random * 1103515245 + 12345) >> 16);
        bytes[0] = 'g';
        assert_int_equal(send(ada->fd, bytes, sizeof bytes, MSG_NOSIGNAL), 200);
    }
    says(ada, "\nstill here\n");
    hears(bob, "ada: still here\n");
    for (size_t i = 0; i < bob->used; i++)
        assert_true((unsigned char)bob->heard[i] >= ' ' || bob->heard[i] == '\n');
    go(ada);
    go(bob);
    stop_server(&server);
}

/* bob never reads. Nobody waits for him, and he is dropped. */
static void who_does_not_read_is_dropped(void **state)
{
    struct server server;
    begin(&server, state);
    struct person *ada = come_as(&server, "ada"), *eve = come_as(&server, "eve");
    struct person *bob = come(&server);
    hears(bob, "* welcome, ");
    static char line[400];
    memset(line, 'a', sizeof line - 2);
    line[sizeof line - 2] = '\n';
    uint64_t give_up = testing_deadline();
    unsigned lines = 0;
    while (!strstr(ada->heard, "did not keep up with reading and was dropped\n")) {
        char tag[32];
        says(ada, line);
        if (++lines % 16 == 0) { /* eve keeps up, and ada waits for her only */
            snprintf(tag, sizeof tag, "mark %u\n", lines);
            says(ada, tag);
            forgets(eve);
            hears(eve, tag);
        }
        ssize_t n = recv(ada->fd, ada->heard + ada->used,
                         sizeof ada->heard - 1 - ada->used, MSG_DONTWAIT);
        ada->used += n > 0 ? (size_t)n : 0;
        assert_false(testing_expired(give_up));
    }
    hears_the_end(bob);
    go(ada);
    go(bob);
    go(eve);
    stop_server(&server);
}

static void half_closed_people_still_get_their_answers(void **state)
{
    struct server server;
    begin(&server, state);
    struct person *ada = come(&server);
    says(ada, "/who\n");
    shutdown(ada->fd, SHUT_WR); /* as `echo /who | nc -N` does */
    hears(ada, "* 1 here: guest-1\n");
    hears_the_end(ada);
    go(ada);
    stop_server(&server);
}

static void R3_resets_are_survived(void **state)
{
    struct server server;
    begin(&server, state);
    struct person *ada = come_as(&server, "ada");
    for (int i = 0; i < 20; i++) {
        struct person *bob = come(&server);
        struct linger now = { .l_onoff = 1, .l_linger = 0 };
        setsockopt(bob->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        says(bob, "in the mid");
        go(bob);
    }
    says(ada, "/who\n");
    hears(ada, "here:");
    go(ada);
    stop_server(&server);
}

static uint64_t cpu_ticks(pid_t pid)
{
    char path[64], text[1024];
    unsigned long user = 0, kernel = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    assert_true(n > 0);
    text[n] = '\0';
    sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
           &user, &kernel);
    return user + kernel;
}

/* R5: no descriptor is left; the server says so once, waits without spinning, and lets the
 * next one in when somebody goes. */
static void R5_a_full_house_waits(void **state)
{
    struct server server;
    struct rlimit few = { 16, 16 };
    begin(&server, state);
    assert_int_equal(prlimit(server.pid, RLIMIT_NOFILE, &few, NULL), 0);
    struct person *people[20];
    for (unsigned i = 0; i < ARRAY_SIZE(people); i++)
        people[i] = come(&server);
    hear(server.out, server.said, &server.used, sizeof server.said,
         "cannot accept anybody for the moment: Too many open files\n");
    uint64_t before = cpu_ticks(server.pid), start_time = clock_now();
    while (clock_now() - start_time < NS_PER_S / 2)
        testing_pause();
    uint64_t ticks = cpu_ticks(server.pid) - before; /* of 10 ms */
    if (!testing_instrumented())
        assert_true(ticks < 12); /* 50 would be a spin */
    hears(people[0], "* welcome");
    for (unsigned i = 0; i < 10; i++)
        go(people[i]);
    hears(people[12], "* welcome");
    for (unsigned i = 10; i < ARRAY_SIZE(people); i++)
        go(people[i]);
    stop_server(&server);
}

/* SIGTERM with people in the room, one of whom does not read. */
static void a_signal_says_goodbye(void **state)
{
    for (int interrupt = 0; interrupt < 2; interrupt++) {
        struct server server;
        begin(&server, state);
        struct person *ada = come_as(&server, "ada"), *bob = come(&server);
        hears(bob, "* welcome");
        kill(server.pid, interrupt ? SIGINT : SIGTERM);
        hears(ada, "* the server stops; goodbye, ada\n");
        hears_the_end(ada);
        hear(server.out, server.said, &server.used, sizeof server.said,
             "everybody has left");
        assert_int_equal(wait_for_exit(&server), 0);
        go(ada);
        go(bob);
    }
}

static void C14_auto_takes_epoll_when_the_ring_is_refused(void **state)
{
    (void)state;
    struct server server;
    struct start start = { .driver = "auto", .forbidden = true };
    start_server(&server, &start);
    assert_non_null(strstr(server.said, "(driver: epoll)"));
    assert_non_null(strstr(server.said, "chat: taking epoll instead\n"));
    stop_server(&server);
}

static int run_chat(const char *const arguments[], bool forbidden, char *said,
                    size_t size)
{
    int ends[2], status;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        if (forbidden)
            forbid_io_uring(EPERM);
        execv(program(), (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    close(ends[1]);
    ssize_t n;
    size_t used = 0;
    while ((n = read(ends[0], said + used, size - 1 - used)) > 0)
        used += (size_t)n;
    said[used] = '\0';
    close(ends[0]);
    WAIT_UNTIL(waitpid(child, &status, WNOHANG) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void arguments_are_checked(void **state)
{
    (void)state;
    static const char *const lists[][4] = {
        { "chat", "--driver", "kqueue" },
        { "chat", "--port", "70000" },
        { "chat", "--port", "" },
        { "chat", "--port" },
        { "chat", "--frob" },
        { "chat", "extra" },
        { "chat", "--address", "host" },
    };
    char said[2048];
    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
        assert_int_equal(run_chat(lists[i], false, said, sizeof said), 2);
        assert_ptr_equal(strstr(said, "chat: "), said);
        assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1); /* one line */
    }
    const char *const help[] = { "chat", "--help", NULL };
    assert_int_equal(run_chat(help, false, said, sizeof said), 0);
    assert_non_null(strstr(said, "usage: chat"));
    const char *const elsewhere[] = { "chat",      "--driver",  "epoll",
                                      "--address", "192.0.2.1", NULL };
    assert_int_equal(run_chat(elsewhere, false, said, sizeof said), 1);
    assert_non_null(strstr(said, "chat: cannot listen on 192.0.2.1:0: "));
    const char *const only[] = { "chat", "--driver", "uring", NULL };
    assert_int_equal(run_chat(only, true, said, sizeof said), 1);
}

static char epoll[] = "epoll", uring[] = "uring";

#define ON_BOTH(name)                                                                  \
    { #name ": epoll", name, NULL, NULL, epoll },                                      \
    {                                                                                  \
#name ": uring", name, NULL, NULL, uring                                       \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH(lines_go_to_all_others),
        ON_BOTH(names_are_checked),
        ON_BOTH(long_lines_and_garbage_do_no_harm),
        ON_BOTH(who_does_not_read_is_dropped),
        cmocka_unit_test(who_was_dropped_says_nothing_more),
        ON_BOTH(half_closed_people_still_get_their_answers),
        ON_BOTH(R3_resets_are_survived),
        ON_BOTH(R5_a_full_house_waits),
        ON_BOTH(a_signal_says_goodbye),
        cmocka_unit_test(C14_auto_takes_epoll_when_the_ring_is_refused),
        cmocka_unit_test(arguments_are_checked),
    };
    return cmocka_run_group_tests_name("chat", tests, NULL, NULL);
}
