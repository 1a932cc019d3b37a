/* Each call that the drivers make, and each operation that goes to a ring, fails once, in
 * its turn (common/testing/FAULTS.md). Whatever fails: who waits is woken and told, and
 * nothing is left. */
#include "lesson05_reactor/driver_testing.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pty.h>
#include <sys/mman.h>

#include "common/testing/faults.h"

/* ---- a scene: a driver, and the first error that anybody was told */

struct scene {
    struct driver_world world;
    int err;
};

static void note(struct scene *scene, int64_t err)
{
    if (err < 0 && scene->err == 0)
        scene->err = (int)err;
}

/* As drive(), but a park that fails is told, and the sweep's watchdog ends a hang. */
static void go(struct scene *scene, struct future *future)
{
    struct driver_world *w = &scene->world;
    for (;;) {
        unsigned long before = w->wakes.wakes;
        if (poll_in(w, future) == POLL_READY)
            return;
        while (w->wakes.wakes == before) {
            while (w->offload.queue) {
                struct offload_job *job = w->offload.queue;
                w->offload.queue = job->next;
                job->run(job);
            }
            int64_t limit = w->wakes.wakes == before ? 50 * (int64_t)NS_PER_MS : 0;
            note(scene, parker_park(w->parker, limit));
        }
    }
}

static int done(struct scene *scene, struct io_op op)
{
    go(scene, &op.future);
    note(scene, op.result);
    if (op.kind == IO_RECV_LENT && op.result > 0)
        io_give_back(&op);
    return op.result;
}

static struct io_source *attached(struct scene *scene, int fd, enum io_type type)
{
    struct io_source *source = NULL;
    int err = fd < 0 ? 0 : io_attach(fd, type, &source);
    note(scene, err);
    if (err < 0)
        close(fd);
    return source;
}

static void close_raw(int fd)
{
    fault_pause();
    close(fd);
    fault_resume();
}

static void end_source(struct scene *scene, struct io_source *source)
{
    if (!source)
        return;
    int fd = source->fd;
    done(scene, io_close(source));
    close_raw(
        fd); /* an operation that "failed" has not been made; else there is none */
}

/* ---- what there is to do */

/* As much as was sent; stops at the first error. */
static void receive(struct scene *scene, struct io_source *source, int size, bool lent)
{
    char got[8];
    while (size > 0) {
        int n =
            done(scene, lent ? io_recv_lent(source) : io_recv(source, got, sizeof got));
        if (n <= 0)
            return;
        size -= n;
    }
}

static void use_stream(struct scene *scene)
{
    struct io_source *ours, *theirs;
    char got[8];
    int fds[2];
    fault_pause();
    int err = net_pair(fds);
    fault_resume();
    if (err < 0)
        return;
    ours = attached(scene, fds[0], IO_TYPE_STREAM);
    theirs = attached(scene, fds[1], IO_TYPE_STREAM);
    for (int i = 0; ours && theirs && i < 3; i++)
        if (done(scene, io_send(ours, "hello", 5)) == 5)
            receive(scene, theirs, 5, i == 1);
    if (ours && theirs && done(scene, io_write(theirs, "bye", 3, IO_NO_OFFSET)) == 3)
        done(scene, io_read(ours, got, sizeof got, IO_NO_OFFSET));
    end_source(scene, ours);
    end_source(scene, theirs);
}

static void use_connection(struct scene *scene)
{
    struct net_address address;
    fault_pause();
    int fd = listen_locally(&address);
    fault_resume();
    struct io_source *listener = attached(scene, fd, IO_TYPE_LISTENER);
    if (!listener)
        return;
    struct net_connect out = net_connect(&address);
    go(scene, &out.future);
    note(scene, out.result);
    if (out.result == 0) {
        fd = done(scene, io_accept(listener, NULL, NULL));
        struct io_source *in = attached(scene, fd, IO_TYPE_STREAM);
        if (in && done(scene, io_send(out.source, "hi", 2)) == 2)
            receive(scene, in, 2, false);
        end_source(scene, in);
        end_source(scene, out.source);
    }
    end_source(scene, listener);
}

static void use_packets(struct scene *scene)
{
    struct net_address address, from = net_any_address();
    char got[8];
    fault_pause();
    assert_int_equal(net_parse("127.0.0.1:0", &address), 0);
    int fd = net_udp(&address);
    net_local_address(fd, &address);
    fault_resume();
    struct io_source *source = attached(scene, fd, IO_TYPE_DATAGRAM);
    if (!source)
        return;
    struct io_packet out = io_sendto(source, "packet", 6, &address.any, address.size);
    go(scene, &out.future);
    note(scene, out.op.result);
    if (out.op.result == 6) {
        struct io_packet in =
            io_recvfrom(source, got, sizeof got, &from.any, &from.size);
        go(scene, &in.future);
        note(scene, in.op.result);
    }
    end_source(scene, source);
}

static void use_file(struct scene *scene)
{
    char got[16], path[32];
    int memory =
        memfd_create("file", MFD_CLOEXEC); /* on a disk, fsync takes its time */
    snprintf(path, sizeof path, "/proc/self/fd/%d", memory);
    int fd = done(scene, io_openat(AT_FDCWD, path, O_RDWR, 0));
    struct io_source *source = attached(scene, fd, IO_TYPE_FILE);
    close_raw(memory);
    if (!source)
        return;
    for (int i = 0; i < 20 && scene->err == 0; i++) /* often enough for a slot */
        done(scene, io_write(source, "0123456789", 10, 0));
    done(scene, io_fsync(source));
    done(scene, io_read(source, got, sizeof got, 0));
    end_source(scene, source);
}

/* The stop: who waits for more sees its end, if that can be done. */
static void drain(struct scene *scene)
{
    int fds[2];
    fault_pause();
    int err = net_pair(fds);
    fault_resume();
    if (err < 0)
        return;
    struct io_source *source = attached(scene, fds[0], IO_TYPE_STREAM);
    if (source)
        io_source_drain_at_stop(source);
    source_pool_drain(scene->world.sources);
    end_source(scene, source);
    close_raw(fds[1]);
}

/* Opens the driver, does everything once, and closes it. */
static int live(void *argument)
{
    struct scene scene = { .err = 0 };
    struct driver_world *w = &scene.world;
    w->subject = argument;
    int err = w->subject->open(w);
    if (err < 0)
        return err;
    enter_world(w);
    use_stream(&scene);
    use_connection(&scene);
    use_packets(&scene);
    use_file(&scene);
    drain(&scene);
    io_services_leave(w->before);
    waker_drop(&w->waker);
    w->subject->close(w);
    FAULT_EXPECT(w->wakes.references == 0);
    return scene.err;
}

/* ---- on epoll */

static const struct fault common_faults[] = {
    { "calloc", ENOMEM, FAULT_REPORTED },
    { "pthread_mutex_init", ENOMEM, FAULT_REPORTED },
    { "eventfd", EMFILE, FAULT_REPORTED },
    { "eventfd", ENFILE, FAULT_REPORTED },
    { "socket", EMFILE, FAULT_REPORTED },
    { "socket", ENOBUFS, FAULT_REPORTED },
    { "shutdown", ENOTCONN, FAULT_SURVIVED },
};

static const struct fault epoll_faults[] = {
    { "read", EINTR, FAULT_SURVIVED },
    { "read", ECONNRESET, FAULT_REPORTED },
    { "malloc", ENOBUFS,
      FAULT_REPORTED }, /* what no memory for a lent buffer is called */
    { "epoll_create1", EMFILE, FAULT_REPORTED },
    { "epoll_ctl", ENOSPC, FAULT_REPORTED },
    { "epoll_ctl", ENOMEM, FAULT_REPORTED },
    { "epoll_wait", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "epoll_pwait2", EINTR, FAULT_SURVIVED },
    { "epoll_pwait2", ENOSYS, FAULT_SURVIVED },
    { "sys_recv", EINTR, FAULT_SURVIVED },
    { "sys_recv", ECONNRESET, FAULT_REPORTED },
    { "sys_recv", ENOMEM, FAULT_REPORTED },
    { "sys_send", EINTR, FAULT_SURVIVED },
    { "sys_send", EPIPE, FAULT_REPORTED },
    { "sys_send", ECONNRESET, FAULT_REPORTED },
    { "sys_send", ENOBUFS, FAULT_REPORTED },
    { "sys_send", FAULT_SHORT, FAULT_SURVIVED },
    { "write", EINTR, FAULT_SURVIVED },
    { "write", EPIPE, FAULT_REPORTED },
    { "write", FAULT_SHORT, FAULT_SURVIVED },
    { "accept4", EINTR, FAULT_SURVIVED },
    { "accept4", ECONNABORTED, FAULT_SURVIVED },
    { "accept4", EMFILE, FAULT_REPORTED }, /* R5 */
    { "accept4", ENFILE, FAULT_REPORTED },
    { "accept4", ENOBUFS, FAULT_REPORTED },
    { "connect", EINTR, FAULT_SURVIVED },
    { "connect", ECONNREFUSED, FAULT_REPORTED },
    { "connect", EAGAIN, FAULT_REPORTED },
    { "getsockopt", ENOBUFS, FAULT_REPORTED | FAULT_RARE },
    { "getpeername", ENOBUFS, FAULT_REPORTED | FAULT_RARE },
    { "recvmsg", EINTR, FAULT_SURVIVED },
    { "recvmsg", ECONNREFUSED, FAULT_REPORTED },
    { "sendmsg", EINTR, FAULT_SURVIVED },
    { "sendmsg", ENOBUFS, FAULT_REPORTED },
    { "openat", EMFILE, FAULT_REPORTED },
    { "openat", EINTR, FAULT_SURVIVED },
    { "openat", EIO, FAULT_REPORTED },
    { "pwrite", ENOSPC, FAULT_REPORTED },
    { "pwrite", EIO, FAULT_REPORTED },
    { "pwrite", EINTR, FAULT_SURVIVED },
    { "pwrite", FAULT_SHORT, FAULT_SURVIVED },
    { "pread", EIO, FAULT_REPORTED },
    { "pread", EINTR, FAULT_SURVIVED },
    { "pread", FAULT_SHORT, FAULT_SURVIVED },
    { "fsync", EIO, FAULT_REPORTED },
    { "fsync", EINTR, FAULT_SURVIVED },
    { "close", EINTR, FAULT_SURVIVED },
    { "close", EIO, FAULT_EITHER }, /* the eventfd's has nobody to go to */
};

static struct driver_subject epoll_alone = { .name = "epoll",
                                             .open = open_reactor,
                                             .close = close_reactor };
static struct driver_subject epoll_shared = { .name = "epoll, shared",
                                              .open = open_reactor,
                                              .close = close_reactor,
                                              .shared = true };

static void each_call_of_the_reactor_may_fail(void **state)
{
    (void)state;
    SWEEP(live, &epoll_alone, common_faults);
    SWEEP(live, &epoll_alone, epoll_faults);
    SWEEP(live, &epoll_shared, common_faults);
    SWEEP(live, &epoll_shared, epoll_faults);
}

/* ---- on a ring */

static const struct fault ring_faults[] = {
    { "malloc", ENOBUFS, FAULT_REPORTED | FAULT_RARE },
    { "io_uring_queue_init_params", ENOMEM, FAULT_REPORTED },
    { "io_uring_queue_init_params", EMFILE, FAULT_REPORTED },
    { "io_uring_queue_init_params", EPERM, FAULT_REPORTED }, /* C14 */
    { "io_uring_register_ring_fd", EINVAL, FAULT_SURVIVED | FAULT_RARE },
    { "io_uring_register_files_sparse", ENOMEM, FAULT_SURVIVED },
    { "io_uring_register_files_update", ENOMEM, FAULT_SURVIVED },
    { "io_uring_submit_and_wait_timeout", EINTR, FAULT_SURVIVED },
    { "io_uring_submit_and_wait_timeout", EAGAIN, FAULT_EITHER }, /* at the setup: no */
    { "io_uring_submit_and_wait_timeout", EBUSY, FAULT_EITHER },
    { "io_uring_submit_and_wait_timeout", ENOMEM, FAULT_EITHER },
    { "io_uring_submit", EAGAIN, FAULT_SURVIVED | FAULT_RARE }, /* C7 */
    { "io_uring_submit", EBUSY, FAULT_SURVIVED | FAULT_RARE },
    { "io_uring_submit", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "io_uring_submit_and_get_events", EAGAIN, FAULT_SURVIVED | FAULT_RARE },
    { "io_uring_get_events", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "io_uring_wait_cqes", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "sqe", EINTR, FAULT_SURVIVED | FAULT_RARE },
    { "sqe", EAGAIN, FAULT_EITHER | FAULT_RARE }, /* waited out where there is a poll */
    { "sqe", ECONNABORTED, FAULT_EITHER | FAULT_RARE },
    { "sqe", ECONNRESET, FAULT_EITHER | FAULT_RARE }, /* the kick's is survived */
    { "sqe", ENOMEM, FAULT_EITHER | FAULT_RARE },
    { "sqe", ENOBUFS, FAULT_EITHER | FAULT_RARE }, /* C10 */
    { "sqe", EIO, FAULT_EITHER | FAULT_RARE },
    { "sqe", EMFILE, FAULT_EITHER | FAULT_RARE }, /* R5 */
    { "sqe", EINVAL, FAULT_EITHER | FAULT_RARE },
    { "close", EINTR, FAULT_SURVIVED },
};

/* Without a buffer group the driver lends all the same. */
static const struct fault group_faults[] = {
    { "mmap", ENOMEM, FAULT_SURVIVED },
    { "io_uring_register_buf_ring", EINVAL, FAULT_SURVIVED },
    { "io_uring_register_buf_ring", ENOMEM, FAULT_SURVIVED },
};

static struct driver_subject ring_alone = { .name = "io_uring",
                                            .open = open_ring_driver,
                                            .close = close_ring_driver,
                                            .lent_size = 64,
                                            .lent_buffers = 8 };
static struct driver_subject ring_shared = { .name = "io_uring, shared",
                                             .open = open_ring_driver,
                                             .close = close_ring_driver,
                                             .shared = true };

static void each_call_and_operation_of_the_ring_driver_may_fail(void **state)
{
    (void)state;
    needs_io_uring();
    SWEEP(live, &ring_alone, common_faults);
    SWEEP(live, &ring_alone, ring_faults);
    SWEEP(live, &ring_shared, common_faults);
    SWEEP(live, &ring_shared, ring_faults);
}

static void C10_without_a_buffer_group_it_receives_plainly(void **state)
{
    (void)state;
    needs_feature(buffer_ring);
    SWEEP(live, &ring_alone, group_faults);
}

/* ---- net */

static int first_error(int a, int b)
{
    return a < 0 ? a : b < 0 ? b : 0;
}

/* Closes what was made, and says what could not be. */
static int closed(int fd)
{
    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

static int make_sockets(void *argument)
{
    struct net_listen_options options = { .reuse_port = true };
    struct net_address any, bound;
    int fds[2];
    (void)argument;
    FAULT_EXPECT(net_parse("127.0.0.1:0", &any) == 0);
    int listener = net_listen(&any, &options);
    int err = listener < 0 ? 0 : net_local_address(listener, &bound);
    err = first_error(closed(listener), err);
    err = first_error(err, closed(net_udp(&any)));
    int pair = net_pair(fds);
    if (pair == 0) {
        err = first_error(err, net_peer_address(fds[0], &bound));
        close(fds[0]);
        close(fds[1]);
    }
    int pipes = net_pipe(fds);
    if (pipes == 0) {
        close(fds[0]);
        close(fds[1]);
    }
    return first_error(err, first_error(pair, pipes));
}

static void a_socket_that_cannot_be_made_is_reported(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "socket", EMFILE, FAULT_REPORTED },
        { "socket", ENOBUFS, FAULT_REPORTED },
        { "setsockopt", ENOPROTOOPT, FAULT_REPORTED },
        { "bind", EADDRINUSE, FAULT_REPORTED },
        { "bind", EACCES, FAULT_REPORTED },
        { "listen", EADDRINUSE, FAULT_REPORTED },
        { "getsockname", ENOBUFS, FAULT_REPORTED },
        { "getpeername", ENOBUFS, FAULT_REPORTED },
        { "socketpair", EMFILE, FAULT_REPORTED },
        { "pipe2", ENFILE, FAULT_REPORTED },
        { "close", EINTR, FAULT_SURVIVED },
    };
    SWEEP(make_sockets, NULL, faults);
}

/* A socket's file that an earlier process left behind is taken over. */
static int take_over(void *argument)
{
    struct net_listen_options options = { .backlog = 1 };
    struct net_address address;
    char text[128];
    (void)argument;
    snprintf(text, sizeof text, "unix:%s", testing_path("stale"));
    FAULT_EXPECT(net_parse(text, &address) == 0);
    fault_pause();
    int first = net_listen(&address, &options);
    closed(first);
    fault_resume();
    int second = net_listen(&address, &options);
    int err = closed(second);
    fault_pause();
    unlink(address.local.sun_path);
    fault_resume();
    FAULT_EXPECT(first >= 0);
    return err;
}

static void a_stale_path_is_taken_over_or_the_reason_told(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "lstat", EACCES, FAULT_REPORTED }, { "socket", EMFILE, FAULT_REPORTED },
        { "unlink", EPERM, FAULT_REPORTED }, { "unlink", EROFS, FAULT_REPORTED },
        { "bind", EACCES, FAULT_REPORTED },  { "listen", EADDRINUSE, FAULT_REPORTED },
    };
    SWEEP(take_over, NULL, faults);
}

/* A socket, a pipe, a terminal and a file: what each of them is, or why nobody knows. */
static int wrap_each(void *argument)
{
    static const enum io_type types[] = { IO_TYPE_STREAM, IO_TYPE_STREAM, IO_TYPE_ANY,
                                          IO_TYPE_FILE };
    struct driver_world w = { 0 };
    int fds[ARRAY_SIZE(types)], other[2], err = 0;
    bool right = true;
    (void)argument;
    fault_pause();
    FAULT_EXPECT(open_world(&w, &epoll_alone));
    FAULT_EXPECT(net_pair(fds) == 0 &&
                 openpty(&fds[2], &other[0], NULL, NULL, NULL) == 0);
    fds[3] = open("/dev/null", O_RDWR | O_CLOEXEC);
    fault_resume();
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        struct io_source *source = NULL;
        int wrapped = net_wrap(fds[i], &source);
        err = first_error(err, wrapped);
        right = right && (wrapped < 0 || source->type == types[i] ||
                          (i < 2 && source->type == IO_TYPE_ANY));
        if (source)
            io_detach(source);
    }
    fault_pause();
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
        close(fds[i]);
    close(other[0]);
    close_world(&w);
    fault_resume();
    FAULT_EXPECT(right);
    return err;
}

static void a_descriptor_is_never_taken_for_what_it_is_not(void **state)
{
    (void)state;
    static const struct fault faults[] = {
        { "fstat", EIO, FAULT_REPORTED },
        { "fcntl", EBADF, FAULT_REPORTED },
        { "calloc", ENOMEM, FAULT_REPORTED },
        { "getsockopt", ENOBUFS, FAULT_SURVIVED }, /* "any" is always right */
        { "epoll_create1", EMFILE, FAULT_REPORTED },
        { "epoll_create1", ENOMEM, FAULT_REPORTED },
        { "epoll_ctl", ENOMEM, FAULT_REPORTED },
        { "epoll_ctl", ENOSPC, FAULT_REPORTED },
    };
    SWEEP(wrap_each, NULL, faults);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_of_the_reactor_may_fail),
        cmocka_unit_test(each_call_and_operation_of_the_ring_driver_may_fail),
        cmocka_unit_test(C10_without_a_buffer_group_it_receives_plainly),
        cmocka_unit_test(a_socket_that_cannot_be_made_is_reported),
        cmocka_unit_test(a_stale_path_is_taken_over_or_the_reason_told),
        cmocka_unit_test(a_descriptor_is_never_taken_for_what_it_is_not),
    };
    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
