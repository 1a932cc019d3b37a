/* The cover over epoll: what each mode reports, time, signals, fork, and the facts of
 * the kernel on which lesson 5's reactor stands. */
#include "common/testing/testing.h"

#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/notifier.h"
#include "common/testing/faults.h"
#include "lesson04_epoll/poller.h"

/* What lesson 5 registers, once and for good. */
#define REACTOR (POLLER_READABLE | POLLER_WRITABLE | POLLER_RDHUP | POLLER_EDGE)

/* A poller, two ends of a stream, and what the last look found. */
struct fixture {
    struct poller poller;
    int ours;
    int theirs;
    struct poller_event events[8];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    int ends[2];
    if (!f || poller_init(&f->poller) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
        return -1;
    f->ours = ends[0];
    f->theirs = ends[1];
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fault_disarm();
    poller_finish(&f->poller);
    poller_finish(&f->poller);
    close(f->ours);
    if (f->theirs >= 0)
        close(f->theirs);
    free(f);
    return 0;
}

/* A wait that does not sleep. */
static int look(struct fixture *f)
{
    return poller_wait(&f->poller, f->events, 8, 0);
}

/* The bits of the one event that is there; 0: there was none. */
static uint32_t look_bits(struct fixture *f)
{
    int n = look(f);
    assert_in_range(n, 0, 1);
    return n ? poller_event_bits(&f->events[0]) : 0;
}

static void put(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void level_reports_again_and_edge_does_not(void **state)
{
    struct fixture *f = *state;
    put(f->theirs, "data");
    assert_int_equal(poller_add(&f->poller, f->ours, POLLER_READABLE, f), 0);
    assert_int_equal(look_bits(f), POLLER_READABLE);
    assert_ptr_equal(poller_event_user(&f->events[0]), f);
    assert_int_equal(look_bits(f), POLLER_READABLE);
    assert_int_equal(
        poller_modify(&f->poller, f->ours, POLLER_READABLE | POLLER_EDGE, state), 0);
    assert_int_equal(look_bits(f), POLLER_READABLE);
    assert_ptr_equal(poller_event_user(&f->events[0]), state);
    assert_int_equal(look_bits(f), 0);
}

static void oneshot_is_silent_until_modified(void **state)
{
    struct fixture *f = *state;
    const uint32_t once = POLLER_READABLE | POLLER_ONESHOT;
    assert_int_equal(poller_add(&f->poller, f->ours, once, f), 0);
    put(f->theirs, "a");
    assert_int_equal(look_bits(f), POLLER_READABLE);
    put(f->theirs, "b");
    assert_int_equal(look_bits(f), 0);
    assert_int_equal(poller_modify(&f->poller, f->ours, once, f), 0);
    assert_int_equal(look_bits(f), POLLER_READABLE);
}

static void one_registration_serves_both_directions(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(poller_add(&f->poller, f->ours, REACTOR, f), 0);
    assert_int_equal(look_bits(f), POLLER_WRITABLE);
    put(f->theirs, "a");
    assert_int_equal(look_bits(f), POLLER_READABLE | POLLER_WRITABLE);
    assert_int_equal(look_bits(f), 0);
}

static void a_small_array_gets_the_rest_next_time(void **state)
{
    struct fixture *f = *state;
    struct poller_event one;
    assert_int_equal(poller_add(&f->poller, f->ours, REACTOR, &f->ours), 0);
    assert_int_equal(poller_add(&f->poller, f->theirs, REACTOR, &f->theirs), 0);
    assert_int_equal(poller_wait(&f->poller, &one, 1, 0), 1);
    void *first = poller_event_user(&one);
    assert_int_equal(poller_wait(&f->poller, &one, 1, 0), 1);
    assert_ptr_not_equal(poller_event_user(&one), first);
    assert_int_equal(poller_wait(&f->poller, &one, 1, 0), 0);
}

static void wrong_registrations_are_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(poller_modify(&f->poller, f->ours, POLLER_READABLE, f), -ENOENT);
    assert_int_equal(poller_remove(&f->poller, f->ours), -ENOENT);
    assert_int_equal(poller_add(&f->poller, f->ours, POLLER_READABLE, f), 0);
    assert_int_equal(poller_add(&f->poller, f->ours, POLLER_READABLE, f), -EEXIST);
    assert_int_equal(poller_remove(&f->poller, f->ours), 0);
    int file =
        open(testing_path("file"), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
    assert_true(file >= 0);
    assert_int_equal(poller_add(&f->poller, file, POLLER_READABLE, f), -EPERM);
    close(file);
    assert_int_equal(poller_remove(&f->poller, file), -EBADF);
}

static void R1_an_edge_comes_once_however_much_is_left(void **state)
{
    struct fixture *f = *state;
    char byte;
    assert_int_equal(poller_add(&f->poller, f->ours, REACTOR, f), 0);
    put(f->theirs, "abc");
    assert_true(look_bits(f) & POLLER_READABLE);
    assert_int_equal(read(f->ours, &byte, 1), 1);
    assert_int_equal(look_bits(f), 0); /* two bytes wait, and nobody will say so */
    while (read(f->ours, &byte, 1) == 1)
        ;
    assert_int_equal(errno, EAGAIN);
    put(f->theirs, "d");
    assert_true(look_bits(f) & POLLER_READABLE);
}

/* A connected pair of TCP sockets; only TCP can reset. */
static void tcp_pair(int ends[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ends[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(ends[1], (struct sockaddr *)&address, size), 0);
    ends[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(ends[0] >= 0);
    close(listener);
}

/* Waits for an edge and returns its bits without WRITABLE, which rides along. */
static uint32_t next_edge(struct fixture *f)
{
    uint64_t give_up = testing_deadline();
    for (;;) {
        int n = poller_wait(&f->poller, f->events, 8, (int64_t)(10 * NS_PER_MS));
        assert_in_range(n, 0, 1);
        uint32_t bits = n ? poller_event_bits(&f->events[0]) : 0;
        if (bits & ~POLLER_WRITABLE)
            return bits & ~POLLER_WRITABLE;
        assert_false(testing_expired(give_up));
    }
}

static void R3_fin_hangup_and_reset_are_told_apart(void **state)
{
    struct fixture *f = *state;
    int tcp[2];
    tcp_pair(tcp);
    assert_int_equal(poller_add(&f->poller, tcp[0], REACTOR, f), 0);
    assert_int_equal(shutdown(tcp[1], SHUT_WR), 0);
    assert_int_equal(next_edge(f), POLLER_READABLE | POLLER_RDHUP);
    assert_int_equal(shutdown(tcp[0], SHUT_WR), 0);
    assert_true(next_edge(f) & POLLER_HUP);
    close(tcp[1]);
    close(tcp[0]);
    tcp_pair(tcp);
    assert_int_equal(poller_add(&f->poller, tcp[0], REACTOR, f), 0);
    struct linger reset = { .l_onoff = 1 };
    setsockopt(tcp[1], SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(tcp[1]);
    const uint32_t over = POLLER_HUP | POLLER_ERR;
    assert_int_equal(next_edge(f) & over, over);
    close(tcp[0]);
}

static void R3_hup_and_err_come_without_being_asked_for(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(poller_add(&f->poller, ends[1], POLLER_EDGE, f), 0);
    close(ends[0]);
    assert_int_equal(look_bits(f), POLLER_ERR);
    close(ends[1]);
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    assert_int_equal(poller_add(&f->poller, ends[0], POLLER_EDGE, f), 0);
    close(ends[1]);
    assert_int_equal(look_bits(f), POLLER_HUP); /* and no READABLE: read returns 0 */
    close(ends[0]);
}

static void R4_close_alone_leaves_the_registration_of_a_dup(void **state)
{
    struct fixture *f = *state;
    int number = f->ours;
    int held = fcntl(number, F_DUPFD_CLOEXEC, 0); /* as a forked child would hold it */
    assert_int_equal(poller_add(&f->poller, number, REACTOR, &held), 0);
    assert_int_equal(look_bits(f), POLLER_WRITABLE);
    close(number);
    put(f->theirs, "a");
    assert_true(look_bits(f) & POLLER_READABLE); /* for a handle that is closed */
    assert_ptr_equal(poller_event_user(&f->events[0]), &held);
    assert_int_equal(poller_remove(&f->poller, number), -EBADF); /* and it stays */
    /* The other order. */
    assert_int_equal(dup3(held, number, O_CLOEXEC), number);
    assert_int_equal(poller_remove(&f->poller, number), 0);
    close(number);
    put(f->theirs, "b");
    assert_int_equal(look_bits(f), 0);
    f->ours = held;
}

static void R8_a_full_notifier_still_wakes(void **state)
{
    struct fixture *f = *state;
    struct notifier n;
    assert_int_equal(notifier_init(&n), 0);
    assert_int_equal(poller_add(&f->poller, n.fd, POLLER_READABLE, &n), 0);
    uint64_t full = UINT64_MAX - 1;
    assert_int_equal(write(n.fd, &full, sizeof full), 8);
    notifier_notify(&n);
    assert_int_equal(look_bits(f), POLLER_READABLE);
    notifier_drain(&n);
    assert_int_equal(look_bits(f), 0);
    /* With edges the notify that the counter could not take is lost. */
    assert_int_equal(poller_modify(&f->poller, n.fd, POLLER_READABLE | POLLER_EDGE, &n),
                     0);
    assert_int_equal(write(n.fd, &full, sizeof full), 8);
    assert_int_equal(look_bits(f), POLLER_READABLE);
    notifier_notify(&n);
    assert_int_equal(look_bits(f), 0);
    assert_int_equal(poller_remove(&f->poller, n.fd), 0);
    notifier_finish(&n);
}

static void *notify_soon(void *argument)
{
    notifier_notify(argument);
    return NULL;
}

static void a_thread_wakes_a_wait_without_end(void **state)
{
    struct fixture *f = *state;
    struct notifier n;
    assert_int_equal(notifier_init(&n), 0);
    assert_int_equal(poller_add(&f->poller, n.fd, POLLER_READABLE, &n), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, notify_soon, &n), 0);
    assert_int_equal(poller_wait(&f->poller, f->events, 8, POLLER_FOREVER), 1);
    assert_ptr_equal(poller_event_user(&f->events[0]), &n);
    pthread_join(thread, NULL);
    notifier_finish(&n);
}

#define MANY_SIGNALS 20000 /* 20 s of them */
static volatile sig_atomic_t signals;

static void on_alarm(int number)
{
    (void)number;
    if (++signals == MANY_SIGNALS) /* a wait that starts anew each time must end too */
        setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
}

static void signals_beside_a_wait(struct fixture *f)
{
    struct sigaction old, action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
    assert_int_equal(sigaction(SIGALRM, &action, &old), 0);
    signals = 0;
    struct itimerval khz = { { 0, 1000 }, { 0, 1000 } };
    uint64_t start = clock_now();
    assert_int_equal(setitimer(ITIMER_REAL, &khz, NULL), 0);
    int n = poller_wait(&f->poller, f->events, 8, (int64_t)(50 * NS_PER_MS));
    int seen = signals;
    setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
    assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
    assert_int_equal(n, 0);
    assert_true(clock_now() - start >= 50 * NS_PER_MS);
    assert_in_range(seen, 1, MANY_SIGNALS - 1);
}

static void R9_signals_neither_cut_nor_stretch_a_wait(void **state)
{
    struct fixture *f = *state;
    signals_beside_a_wait(f);
    atomic_store_explicit(&f->poller.coarse, true, memory_order_relaxed);
    signals_beside_a_wait(f);
}

static void R9_a_wait_without_end_survives_a_signal(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(poller_add(&f->poller, f->ours, POLLER_WRITABLE, f), 0);
    fault_arm("epoll_wait", 1, EINTR);
    assert_int_equal(poller_wait(&f->poller, f->events, 8, POLLER_FOREVER), 1);
    assert_int_equal(fault_count(), 1);
    fault_arm("epoll_wait", 1, EINTR);
    assert_int_equal(look(f), 1);
    assert_int_equal(fault_count(), 1);
}

static void R10_milliseconds_round_up_and_zero_stays_zero(void **state)
{
    (void)state;
    assert_int_equal(poller_round_up_ms(0), 0);
    assert_int_equal(poller_round_up_ms(1), 1);
    assert_int_equal(poller_round_up_ms(300000), 1);
    assert_int_equal(poller_round_up_ms(1000000), 1);
    assert_int_equal(poller_round_up_ms(1000001), 2);
    assert_int_equal(poller_round_up_ms((int64_t)INT_MAX * 1000000), INT_MAX);
    assert_int_equal(poller_round_up_ms((int64_t)INT_MAX * 1000000 + 1), INT_MAX);
    assert_int_equal(poller_round_up_ms(INT64_MAX), INT_MAX);
}

static void R10_a_wait_is_never_short(void **state)
{
    struct fixture *f = *state;
    for (int coarse = 0; coarse < 2; coarse++) {
        atomic_store_explicit(&f->poller.coarse, coarse, memory_order_relaxed);
        for (int64_t ns = 1; ns < 3000000; ns = ns * 7 + 1) {
            uint64_t start = clock_now();
            assert_int_equal(poller_wait(&f->poller, f->events, 8, ns), 0);
            assert_true(clock_now() - start >= (uint64_t)ns);
        }
    }
    /* Zero asks neither for a nanosecond sleep nor for a rounded one. */
    atomic_store_explicit(&f->poller.coarse, false, memory_order_relaxed);
    fault_arm_always("epoll_pwait2", EIO);
    assert_int_equal(look(f), 0);
}

static void R10_without_pwait2_it_falls_back_for_good(void **state)
{
    struct fixture *f = *state;
    const int refusals[] = { ENOSYS, EPERM };
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        atomic_store_explicit(&f->poller.coarse, false, memory_order_relaxed);
        fault_arm_always("epoll_pwait2", refusals[i]);
        assert_int_equal(poller_wait(&f->poller, f->events, 8, 300000), 0);
        assert_int_equal(fault_count(), 1);
        assert_int_equal(poller_wait(&f->poller, f->events, 8, 300000), 0);
        assert_int_equal(fault_count(), 1); /* probed once */
        fault_disarm();
    }
    /* The longest wait there is, in both forms, with something to end it. */
    assert_int_equal(poller_add(&f->poller, f->ours, POLLER_WRITABLE, f), 0);
    assert_int_equal(poller_wait(&f->poller, f->events, 8, INT64_MAX), 1);
    atomic_store_explicit(&f->poller.coarse, false, memory_order_relaxed);
    assert_int_equal(poller_wait(&f->poller, f->events, 8, INT64_MAX), 1);
}

/* In the child: what may it do with its parent's poller? */
static void use_in_child(void *argument)
{
    struct fixture *f = argument;
    struct poller own;
    bool refused = look(f) == -ESTALE &&
                   poller_remove(&f->poller, f->ours) == -ESTALE &&
                   poller_modify(&f->poller, f->ours, 0, NULL) == -ESTALE &&
                   poller_add(&f->poller, f->theirs, 0, NULL) == -ESTALE;
    poller_finish(&f->poller);
    bool fresh = poller_init(&own) == 0 &&
                 poller_add(&own, f->ours, POLLER_WRITABLE, f) == 0 &&
                 poller_wait(&own, f->events, 8, 0) == 1;
    poller_finish(&own);
    _exit(refused && fresh ? 7 : 1);
}

static void R11_a_forked_child_is_refused_and_harms_nobody(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(poller_add(&f->poller, f->ours, REACTOR, f), 0);
    assert_int_equal(run_in_child(use_in_child, f, NULL, 0), 7);
    assert_int_equal(look_bits(f), POLLER_WRITABLE); /* the parent's set is whole */
}

static void R11_the_poller_does_not_survive_exec(void **state)
{
    struct fixture *f = *state;
    assert_true(fcntl(f->poller.fd, F_GETFD) & FD_CLOEXEC);
}

static void R12_data_and_fin_give_one_edge(void **state)
{
    struct fixture *f = *state;
    char buffer[16];
    assert_int_equal(poller_add(&f->poller, f->ours, REACTOR, f), 0);
    put(f->theirs, "bye");
    close(f->theirs);
    f->theirs = -1;
    assert_true(look_bits(f) & POLLER_RDHUP);
    assert_int_equal(read(f->ours, buffer, sizeof buffer), 3); /* a short read */
    assert_int_equal(look_bits(f), 0); /* there will be no event for the FIN */
    assert_int_equal(read(f->ours, buffer, sizeof buffer), 0);
}

static void failed_calls_are_reported(void **state)
{
    struct fixture *f = *state;
    struct poller failed;
    int fds = open_fds();
    fault_arm("epoll_create1", 1, EMFILE);
    assert_int_equal(poller_init(&failed), -EMFILE);
    poller_finish(&failed);
    poller_finish(NULL);
    poller_finish(&(struct poller){ 0 });
    fault_arm("epoll_ctl", 1, ENOSPC);
    assert_int_equal(poller_add(&f->poller, f->ours, REACTOR, f), -ENOSPC);
    fault_arm("epoll_wait", 1, EBADF);
    assert_int_equal(look(f), -EBADF);
    fault_arm("epoll_pwait2", 1, EFAULT);
    assert_int_equal(poller_wait(&f->poller, f->events, 8, 1), -EFAULT);
    assert_int_equal(open_fds(), fds);
}

static void wait_in_the_past(void *argument)
{
    struct fixture *f = argument;
    poller_wait(&f->poller, f->events, 8, -2);
}

static void wait_for_nothing(void *argument)
{
    struct fixture *f = argument;
    poller_wait(&f->poller, f->events, 0, 0);
}

static void wrong_waits_are_bugs(void **state)
{
    assert_dies(wait_in_the_past, *state, "a deadline in the past is 0");
    assert_dies(wait_for_nothing, *state, "room for at least one event");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(level_reports_again_and_edge_does_not),
        TEST(oneshot_is_silent_until_modified),
        TEST(one_registration_serves_both_directions),
        TEST(a_small_array_gets_the_rest_next_time),
        TEST(wrong_registrations_are_refused),
        TEST(R1_an_edge_comes_once_however_much_is_left),
        TEST(R3_fin_hangup_and_reset_are_told_apart),
        TEST(R3_hup_and_err_come_without_being_asked_for),
        TEST(R4_close_alone_leaves_the_registration_of_a_dup),
        TEST(R8_a_full_notifier_still_wakes),
        TEST(R9_signals_neither_cut_nor_stretch_a_wait),
        TEST(R9_a_wait_without_end_survives_a_signal),
        TEST(R10_milliseconds_round_up_and_zero_stays_zero),
        TEST(R10_a_wait_is_never_short),
        TEST(R10_without_pwait2_it_falls_back_for_good),
        TEST(R11_a_forked_child_is_refused_and_harms_nobody),
        TEST(R11_the_poller_does_not_survive_exec),
        TEST(R12_data_and_fin_give_one_edge),
        TEST(failed_calls_are_reported),
        TEST(wrong_waits_are_bugs),
        /* Last: a forked child inherits the stacks of threads that have ended. */
        TEST(a_thread_wakes_a_wait_without_end),
    };
    return cmocka_run_group_tests_name("poller", tests, NULL, NULL);
}
