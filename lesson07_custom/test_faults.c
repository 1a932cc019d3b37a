/* Each call that the runtime, its files and its server make fails once, in its turn
 * (common/testing/FAULTS.md). The bytes that come as HTTP are not a call's business. */
#include "lesson07_custom/runtime_testing.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/testing/faults.h"
#include "lesson07_custom/fs.h"
#include "lesson07_custom/http_files.h"
#include "lesson07_custom/runtime_inside.h"
#include "lesson07_custom/server.h"
#include "lesson07_custom/signals.h"

/* ---- the six cells: start, use files, sleep, stop */

struct cell {
    const char *driver;
    int scheduler;
};

struct day {
    ASYNC_FRAME;
    const char *path; /* borrows */
    struct sleep sleep;
    struct fs_write_file writing;
    struct fs_read_file reading;
    struct fs_stat stating;
    struct signals signals;
    int result;
};

static sigset_t watched; /* blocked in main */

static enum poll_state day_poll(struct future *future, struct context *context)
{
    struct day *self = ASYNC_SELF(day, future);
    ASYNC_BEGIN(self, context);
    AWAIT(self->sleep, sleep_ns(1000));
    AWAIT(self->writing, fs_write_file(self->path, "content", 7, 0600));
    self->result = self->writing.result;
    if (self->result < 0)
        ASYNC_RETURN;
    AWAIT(self->reading, fs_read_file(self->path, 1000));
    self->result = self->reading.result;
    if (self->result == 0 && self->reading.size != 7)
        self->result = -EBADMSG;
    free(self->reading.data);
    AWAIT(self->stating, fs_stat(self->path));
    if (self->result == 0)
        self->result = self->stating.result;
    if (self->result == 0)
        self->result = signals_open(&self->signals, &watched);
    signals_finish(&self->signals);
    ASYNC_END;
}

static const struct future_ops day_ops = ASYNC_OPS(day);

static int live(void *argument)
{
    const struct cell *cell = argument;
    struct runtime_config config = cell_config(cell->driver, cell->scheduler);
    struct task_handle handle = { NULL };
    struct runtime *runtime;
    struct day day = { .future = { &day_ops }, .path = testing_path("day") };
    config.dump_on_signal = true;
    int err = runtime_create(&runtime, &config);
    if (err < 0)
        return err;
    err = runtime_run(runtime, &day.future, &handle);
    if (err == 0)
        err = TASK_OUTPUT(&handle, day)->result;
    task_detach(&handle);
    FAULT_EXPECT(runtime_stop(runtime, 0) == 0);
    runtime_destroy(runtime);
    return err;
}

static const struct fault cell_faults[] = {
    { "malloc", ENOMEM, FAULT_EITHER },
    { "calloc", ENOMEM, FAULT_EITHER },
    { "realloc", ENOMEM, FAULT_REPORTED },
    { "aligned_alloc", ENOMEM, FAULT_REPORTED | FAULT_RARE },
    { "mmap", ENOMEM, FAULT_EITHER },
    { "pthread_mutex_init", ENOMEM, FAULT_REPORTED },
    { "pthread_condattr_init", ENOMEM, FAULT_REPORTED },
    { "pthread_cond_init", ENOMEM, FAULT_REPORTED },
    { "pthread_create", EAGAIN,
      FAULT_EITHER }, /* a second blocking thread is a luxury */
    { "eventfd", EMFILE, FAULT_REPORTED },
    { "stat", EIO, FAULT_REPORTED },
    { "signalfd", EMFILE, FAULT_REPORTED },
    { "signalfd", ENOMEM, FAULT_REPORTED },
    { "nanosleep", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "close", EINTR, FAULT_SURVIVED },
    { "sigwaitinfo", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "pthread_cond_wait", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "pthread_cond_timedwait", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "futex", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "sched_getaffinity", EINVAL, FAULT_SURVIVED | FAULT_RARE },
};

static const struct fault epoll_faults[] = {
    { "epoll_create1", EMFILE, FAULT_REPORTED },
    { "epoll_ctl", ENOSPC, FAULT_REPORTED },
    { "epoll_wait", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "epoll_pwait2", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "openat", EMFILE, FAULT_REPORTED },
    { "openat", EINTR, FAULT_SURVIVED },
    { "pwrite", ENOSPC, FAULT_REPORTED },
    { "pwrite", EINTR, FAULT_SURVIVED },
    { "pwrite", FAULT_SHORT, FAULT_SURVIVED },
    { "pread", EIO, FAULT_REPORTED },
    { "pread", FAULT_SHORT, FAULT_SURVIVED }, /* C9 */
};

static const struct fault uring_faults[] = {
    { "io_uring_queue_init_params", ENOMEM, FAULT_EITHER }, /* the probe's extras */
    { "io_uring_queue_init_params", EMFILE, FAULT_EITHER },
    { "io_uring_submit", EAGAIN, FAULT_SURVIVED | FAULT_RARE },
    { "io_uring_submit_and_wait_timeout", EINTR, FAULT_SURVIVED },
    { "io_uring_wait_cqes", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "sqe", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "sqe", EIO, FAULT_EITHER | FAULT_RARE },
    { "sqe", ENOSPC, FAULT_EITHER | FAULT_RARE },
};

static void each_call_of_a_cell_may_fail(void **state)
{
    NEEDS_DRIVER(state);
    for (int i = 0; i < 3; i++) {
        struct cell cell = { *state, i };
        SWEEP(live, &cell, cell_faults);
        if (strcmp(cell.driver, "epoll") == 0)
            SWEEP(live, &cell, epoll_faults);
        else
            SWEEP(live, &cell, uring_faults);
    }
}

/* ---- cpus */

static int pin_and_count(void *argument)
{
    cpu_set_t before;
    (void)argument;
    fault_pause();
    int known = sched_getaffinity(0, sizeof before, &before);
    fault_resume();
    FAULT_EXPECT(cpus_available() >= 1);
    int err = cpus_pin(0);
    fault_pause();
    if (known == 0)
        sched_setaffinity(0, sizeof before, &before);
    fault_resume();
    return err;
}

static void who_cannot_count_has_one_cpu_and_who_cannot_pin_says_so(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "sched_getaffinity", EINVAL, FAULT_EITHER },
        { "sched_setaffinity", EINVAL, FAULT_REPORTED },
        { "fopen", EMFILE, FAULT_SURVIVED },
        { "fclose", EIO, FAULT_SURVIVED | FAULT_RARE },
    };
    SWEEP(pin_and_count, NULL, faults);
}

/* ---- http_files */

struct tree {
    char folder[200];
    bool walking;
};

static int open_two(void *argument)
{
    const struct tree *tree = argument;
    struct http_files files;
    struct http_file file;
    int err = http_files_init(&files, tree->folder);
    if (err < 0)
        return err;
    if (tree->walking)
        files.walking = true;
    err = http_files_open(&files, "below/file.txt", false, &file);
    bool right = err < 0 || file.size == 7;
    if (err == 0)
        close(file.fd);
    http_files_finish(&files);
    FAULT_EXPECT(right);
    return err;
}

static void make_tree(struct tree *tree)
{
    char name[256];
    snprintf(tree->folder, sizeof tree->folder, "%s", testing_path("tree"));
    mkdir(tree->folder, 0700);
    snprintf(name, sizeof name, "%s/below", tree->folder);
    mkdir(name, 0700);
    snprintf(name, sizeof name, "%s/below/file.txt", tree->folder);
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "content", 7), 7);
    close(fd);
}

static void a_file_that_cannot_be_opened_is_an_error(void **state)
{
    (void)state;
    static const struct fault both[] = {
        { "open", EMFILE, FAULT_REPORTED },
        { "fstat", EIO, FAULT_REPORTED },
        { "fcntl", EBADF, FAULT_REPORTED },
        { "close", EINTR, FAULT_SURVIVED },
    };
    static const struct fault beneath[] = {
        { "openat2", EMFILE, FAULT_REPORTED }, /* the first one only asks */
        { "openat2", EINTR, FAULT_SURVIVED },  { "openat2", EAGAIN, FAULT_SURVIVED },
        { "openat2", ENOSYS, FAULT_EITHER }, /* then it walks */
        { "openat2", EIO, FAULT_REPORTED },
    };
    static const struct fault walking[] = {
        { "openat", EMFILE, FAULT_REPORTED },
        { "openat", EINTR, FAULT_SURVIVED },
        { "openat", EIO, FAULT_REPORTED },
    };
    struct tree tree = { .walking = false };
    make_tree(&tree);
    SWEEP(open_two, &tree, both);
    SWEEP(open_two, &tree, beneath);
    tree.walking = true;
    SWEEP(open_two, &tree, both);
    SWEEP(open_two, &tree, walking);
}

/* ---- server: an accept that fails again and again */

/* The port of this process's listeners when there are that many; 0: not yet. */
static in_port_t listening_port(unsigned listeners)
{
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_in address;
        socklen_t size = sizeof address, value_size = sizeof(int);
        int listens = 0;
        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &value_size) == 0 &&
            listens && getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
            --listeners == 0)
            return address.sin_port;
    }
    return 0;
}

static int serve_nobody(struct server *server, struct io_source *source)
{
    (void)server;
    (void)source;
    return -EPERM;
}

/* A client; after three failures, how long did they take? */
static void *knock_and_watch(void *argument)
{
    uint64_t *span = argument, give_up = testing_deadline();
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    while (!(address.sin_port = listening_port(1)) && !testing_expired(give_up))
        testing_pause();
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connect(client, (struct sockaddr *)&address, sizeof address);
    while (fault_count() == 0 && !testing_expired(give_up))
        testing_pause();
    uint64_t start = clock_now();
    while (fault_count() < 4 && !testing_expired(give_up))
        testing_pause();
    *span = clock_now() - start;
    kill(getpid(), SIGTERM);
    close(client);
    return NULL;
}

/* On a port that it picks, until SIGTERM; the exit status. */
static int serve_with(char *scheduler, char *workers,
                      int (*protocol)(struct server *server, struct io_source *source))
{
    char name[] = "server", port[] = "--port", number[] = "0", driver[] = "--driver",
         epoll[] = "epoll", how[] = "--scheduler", many[] = "--workers";
    char *argv[] = { name, port,      number, driver,  epoll,
                     how,  scheduler, many,   workers, NULL };
    struct server server = { .name = "test", .serve = protocol };
    dup2(STDERR_FILENO, STDOUT_FILENO);
    return server_main(&server, ARRAY_SIZE(argv) - 1, argv);
}

static int serve(void)
{
    char current[] = "current", one[] = "1";
    return serve_with(current, one, serve_nobody);
}

static void serve_while_accept_fails(void *argument)
{
    uint64_t span = 0;
    pthread_t thread;
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, NULL);
    fault_arm_always("accept4", *(int *)argument);
    pthread_create(&thread, NULL, knock_and_watch, &span);
    int status = serve();
    pthread_join(thread, NULL);
    fault_disarm();
    fprintf(stderr, "status %d, three more tries in %llu us\n", status,
            (unsigned long long)(span / NS_PER_US));
    _exit(status != 0 ? 1 : span < 250 * NS_PER_MS ? 2 : 0);
}

static void R5_an_accept_that_fails_does_not_spin_whatever_it_says(void **state)
{
    (void)state;
    static int errors[] = { EMFILE, ENOBUFS, EIO }; /* each takes four pauses */
    static char said[8192];
    for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
        int status =
            run_in_child(serve_while_accept_fails, &errors[i], said, sizeof said);
        if (status != 0) /* 2: a tenth of a second between two tries is the rule */
            fail_msg("accept4 fails with %s: status %d; it said: %s",
                     errname(errors[i]), status, said);
    }
}

/* What a server needs to start, and the number of the call that may not fail. */
struct need {
    const char *call;
    long nth;
    int err;
    const char *said;
};

static void serve_without(void *argument)
{
    const struct need *need = argument;
    fault_arm(need->call, need->nth, need->err);
    int status = serve(); /* for ever, if nothing failed */
    _exit(fault_count() == 1 && status == 1 ? 0 : 1);
}

static void a_server_that_cannot_start_says_why(void **state)
{
    (void)state;
    static struct need needs[] = {
        { "signalfd", 1, EMFILE, "test: signals: Too many open files" },
        { "calloc", 1, ENOMEM, "cannot start the runtime: Cannot allocate memory" },
        { "epoll_create1", 1, EMFILE, "cannot start the runtime: Too many open files" },
        { "socket", 1, EMFILE, "cannot listen on 127.0.0.1:0: Too many open files" },
        { "bind", 1, EADDRINUSE,
          "cannot listen on 127.0.0.1:0: Address already in use" },
        { "listen", 1, EADDRINUSE, "Address already in use" },
        { "setsockopt", 2, ENOPROTOOPT, "Protocol not available" }, /* 1: survived */
    };
    static char said[8192];
    for (unsigned i = 0; i < ARRAY_SIZE(needs); i++) {
        int status = run_in_child(serve_without, &needs[i], said, sizeof said);
        if (status != 0 || !strstr(said, needs[i].said))
            fail_msg("%s fails with %s: expected \"%s\", got status %d and: %s",
                     needs[i].call, errname(needs[i].err), needs[i].said, status, said);
    }
}

static _Atomic unsigned lanes_that_serve; /* a bit each */
static _Atomic bool server_is_gone;

static int note_lane(struct server *server, struct io_source *source)
{
    (void)server;
    (void)source;
    atomic_fetch_or_explicit(&lanes_that_serve, 1u << runtime_lane_here(),
                             memory_order_relaxed);
    return -EPERM; /* so its connection is ended */
}

/* Each client is let in, on whichever lane; sooner or later both had some. */
static void *knock_at_both(void *argument)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    uint64_t give_up = testing_deadline();
    (void)argument;
    while (!(address.sin_port = listening_port(2))) {
        if (atomic_load_explicit(&server_is_gone, memory_order_relaxed))
            return NULL; /* it could not start */
        testing_pause();
    }
    while (atomic_load_explicit(&lanes_that_serve, memory_order_relaxed) != 3) {
        char spare;
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        connect(client, (struct sockaddr *)&address, sizeof address);
        while (recv(client, &spare, 1, 0) < 0 && errno == EINTR)
            continue;
        close(client);
        if (atomic_load_explicit(&server_is_gone, memory_order_relaxed))
            return NULL; /* it could not start all of it */
        if (testing_expired(give_up))
            _exit(2);
    }
    kill(getpid(), SIGTERM);
    return NULL;
}

/* Exits with 0: both lanes served; 1: it could not start; 2: one does not; 3: no call
 * failed. */
static void serve_with_little_memory(void *argument)
{
    char core[] = "core", two[] = "2";
    pthread_t thread;
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, NULL);
    pthread_create(&thread, NULL, knock_at_both, NULL);
    fault_arm("calloc", *(long *)argument, ENOMEM);
    int status = serve_with(core, two, note_lane);
    atomic_store_explicit(&server_is_gone, true, memory_order_relaxed);
    pthread_join(thread, NULL);
    _exit(fault_count() == 0 ? 3 : status);
}

/* A listener for which there is no source is attached later; its backlog waits. */
static void without_memory_for_a_listener_its_clients_wait_for_a_moment(void **state)
{
    (void)state;
    static char said[8192];
    int status = 0, served = 0;
    for (long n = 1; status != 3; n++) {
        status = run_in_child(serve_with_little_memory, &n, said, sizeof said);
        served += status == 0;
        if (status != 0 && status != 3 &&
            (status != 1 || !strstr(said, "Cannot allocate memory")))
            fail_msg("calloc %ld fails: status %d; it said: %s", n, status, said);
    }
    assert_true(served > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_BOTH_DRIVERS(each_call_of_a_cell_may_fail),
        cmocka_unit_test(who_cannot_count_has_one_cpu_and_who_cannot_pin_says_so),
        cmocka_unit_test(a_file_that_cannot_be_opened_is_an_error),
        cmocka_unit_test(R5_an_accept_that_fails_does_not_spin_whatever_it_says),
        cmocka_unit_test(a_server_that_cannot_start_says_why),
        cmocka_unit_test(without_memory_for_a_listener_its_clients_wait_for_a_moment),
    };
    if (signals_block(&watched, (int[]){ SIGUSR2 }, 1) < 0)
        return 1;
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
